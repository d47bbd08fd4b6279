//! How the open databases' connections are used at this moment.

#[cfg(feature = "sqlite")]
use std::collections::BTreeMap;

use super::Databases;
use crate::config::Backend;

/// A pool of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Of which kind of database.
    pub backend: Backend,
    /// Of which file, if it is one.
    pub file: Option<String>,
    /// Which of its pools: `readers` and `writer` of a file, `connections` of a server.
    pub name: &'static str,
    /// Connections at most.
    pub size_max: usize,
    /// Connections that are open.
    pub size: usize,
    /// Those of them at work.
    pub in_use: usize,
    /// Callers that wait for one.
    pub waiting: usize,
}

impl Databases {
    /// The pools of all open databases.
    pub fn pools(&self) -> Vec<Pool> {
        let mut pools = Vec::new();
        // Contexts that share a file share its connections.
        #[cfg(feature = "sqlite")]
        let files: BTreeMap<_, _> = self.files.values().map(|db| (db.path(), db)).collect();
        #[cfg(feature = "sqlite")]
        for db in files.into_values() {
            for (name, lane) in [("readers", db.readers()), ("writer", db.writer())] {
                pools.push(Pool {
                    backend: Backend::Sqlite,
                    file: Some(db.path().display().to_string()),
                    name,
                    size_max: lane.connections,
                    size: lane.connections,
                    in_use: lane.in_use,
                    waiting: lane.waiting,
                });
            }
        }
        #[cfg(feature = "postgres")]
        if let Some(db) = &self.postgres {
            let status = db.status();
            pools.push(Pool {
                backend: Backend::Postgres,
                file: None,
                name: "connections",
                size_max: status.size_max,
                size: status.size,
                in_use: status.in_use,
                waiting: status.waiting,
            });
        }
        pools
    }
}
