//! Database URLs as the three applications write them.

use std::path::PathBuf;

use super::settings::Secret;

/// What a URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A PostgreSQL URL, its scheme brought to `postgres://`.
    Postgres(Secret),
    /// A SQLite file.
    Sqlite(PathBuf),
}

const POSTGRES_SCHEMES: &[&str] = &[
    "postgres://",
    "postgresql://",
    "postgresql+psycopg2://",
    "postgresql+asyncpg://",
    "postgresql+psycopg://",
];
const SQLITE_SCHEMES: &[&str] = &["sqlite://", "sqlite+aiosqlite://", "sqlite+pysqlite://"];

/// Whether `text` names a PostgreSQL database rather than a file.
pub fn is_postgres_url(text: &str) -> bool {
    POSTGRES_SCHEMES.iter().any(|scheme| text.starts_with(scheme))
}

impl DatabaseUrl {
    /// Reads a URL: the PostgreSQL schemes with or without a driver's name, `sqlite:///relative`,
    /// `sqlite:////absolute`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = POSTGRES_SCHEMES
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
        {
            return Some(Self::Postgres(Secret::new(format!("postgres://{rest}"))));
        }
        let rest = SQLITE_SCHEMES
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))?;
        let path = rest.strip_prefix('/').filter(|path| !path.is_empty())?;
        Some(Self::Sqlite(PathBuf::from(path)))
    }

    /// Reads a command line's source or target: a PostgreSQL URL, `sqlite:` and a path or SQLite URL, or a bare path,
    /// which is never parsed as a URL.
    pub fn from_argument(text: &str) -> Self {
        match Self::parse(text) {
            Some(url) => url,
            None => Self::Sqlite(PathBuf::from(text.strip_prefix("sqlite:").unwrap_or(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemes_of_the_applications_are_known() {
        for scheme in POSTGRES_SCHEMES {
            let url = DatabaseUrl::parse(&format!("{scheme}u:p@h:5433/d?sslmode=require"));
            assert_eq!(
                url,
                Some(DatabaseUrl::Postgres(Secret::new(
                    "postgres://u:p@h:5433/d?sslmode=require"
                )))
            );
        }
        assert_eq!(
            DatabaseUrl::parse("sqlite:///a/b.db"),
            Some(DatabaseUrl::Sqlite("a/b.db".into()))
        );
        assert_eq!(
            DatabaseUrl::parse("sqlite+aiosqlite:////a/b.db"),
            Some(DatabaseUrl::Sqlite("/a/b.db".into()))
        );
        for wrong in ["", "sqlite://", "sqlite:///", "mysql://h/d", "a.db"] {
            assert_eq!(DatabaseUrl::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_bare_path_is_a_path() {
        for path in ["a b%20#?.db", "./x:y.db", "/tmp/'quoted\".db"] {
            assert_eq!(DatabaseUrl::from_argument(path), DatabaseUrl::Sqlite(path.into()));
        }
        assert_eq!(
            DatabaseUrl::from_argument("sqlite:a.db"),
            DatabaseUrl::Sqlite("a.db".into())
        );
        assert_eq!(
            DatabaseUrl::from_argument("sqlite:///a.db"),
            DatabaseUrl::Sqlite("a.db".into())
        );
        assert_eq!(
            DatabaseUrl::from_argument("sqlite:////a.db"),
            DatabaseUrl::Sqlite("/a.db".into())
        );
    }
}
