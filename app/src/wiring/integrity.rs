//! Who looks for broken promises in the databases that a configuration names.

use std::sync::Arc;

use cutover_ports::integrity::{Integrity, Rule};

use super::WiringError;
use crate::config::{Backend, Config, ContextConfig};

/// What can be examined. Every examiner has connections of its own, so that no request waits for one.
#[derive(Clone, Default)]
pub struct Examiners {
    files: Vec<(std::path::PathBuf, Arc<dyn Integrity>)>,
    postgres: Option<Arc<dyn Integrity>>,
}

impl std::fmt::Debug for Examiners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Examiners").finish_non_exhaustive()
    }
}

impl Examiners {
    /// Everything that is configured and there.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(clippy::unused_async, reason = "only a file has to be waited for")
    )]
    pub async fn open(config: &Config) -> Result<Self, WiringError> {
        let mut examiners = Self::default();
        #[cfg(feature = "sqlite")]
        for path in config.sqlite_files().into_iter().filter(|path| path.exists()) {
            let file =
                cutover_sqlite::transfer::open::SourceFile::open(&path, config.sqlite.busy_timeout).await?;
            examiners.files.push((path, Arc::new(file)));
        }
        #[cfg(feature = "postgres")]
        if config.postgres.is_some() {
            examiners.postgres = Some(Arc::new(super::databases::open_postgres(config)?));
        }
        Ok(examiners)
    }

    /// The one of a context's database.
    pub fn on(&self, context: &ContextConfig, backend: Backend) -> Option<Arc<dyn Integrity>> {
        match backend {
            Backend::Sqlite => {
                let mut files = self.files.iter();
                let file = files.find(|(path, _)| *path == context.sqlite_path);
                file.map(|(_, file)| Arc::clone(file))
            }
            Backend::Postgres => self.postgres.clone(),
        }
    }
}

/// The rules of a context's newest schema, which an old file may have been made without.
#[cfg_attr(
    not(feature = "sqlite"),
    expect(unused_variables, reason = "this build knows no old files")
)]
pub async fn rules(context: &ContextConfig) -> Result<Vec<Rule>, cutover_migrations::MigrateError> {
    #[cfg(feature = "sqlite")]
    {
        let checks = cutover_migrations::sqlite_checks(&context.schema).await?;
        let rule = |(table, condition)| Rule { table, condition };
        Ok(checks.into_iter().map(rule).collect())
    }
    #[cfg(not(feature = "sqlite"))]
    Ok(Vec::new())
}
