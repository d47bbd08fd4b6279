//! How the open databases' connections are used at this moment.

use super::Databases;
use crate::config::Backend;

/// A pool of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Of which database.
    pub backend: Backend,
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
        #[cfg(feature = "sqlite")]
        if let Some(db) = &self.sqlite {
            for (name, lane) in [("readers", db.readers()), ("writer", db.writer())] {
                pools.push(Pool {
                    backend: Backend::Sqlite,
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
