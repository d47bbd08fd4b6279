//! Database URLs as the three applications write them.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use cutover_domain::secret::Secret;

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

impl DatabaseUrl {
    /// Reads a URL: the PostgreSQL schemes with or without a driver's name, `sqlite:///relative`,
    /// `sqlite:////absolute`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = POSTGRES_SCHEMES
            .iter()
            .find_map(|scheme| without_scheme(text, scheme))
        {
            return Some(Self::Postgres(Secret::new(format!("postgres://{rest}"))));
        }
        let rest = SQLITE_SCHEMES
            .iter()
            .find_map(|scheme| without_scheme(text, scheme))?;
        Some(Self::Sqlite(file(rest.strip_prefix('/')?)?))
    }

    /// Reads a command line's source or target: a PostgreSQL URL, `sqlite:` and a path or SQLite URL, or a bare path.
    /// Else what is wrong with it, without repeating it: it may hold a password.
    pub fn from_argument(text: &str) -> Result<Self, String> {
        if let Some(url) = Self::parse(text) {
            return Ok(url);
        }
        if SQLITE_SCHEMES
            .iter()
            .any(|scheme| without_scheme(text, scheme).is_some())
        {
            return Err(
                "a SQLite URL has three slashes before a relative path and four before an absolute one"
                    .to_owned(),
            );
        }
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        if let Some(path) = file(path) {
            return Ok(Self::Sqlite(path));
        }
        Err(match scheme(path) {
            Some(scheme) => format!(
                "{scheme} is the scheme of no database that is known here: it is postgres://… for PostgreSQL, and a path for SQLite"
            ),
            None if is_connection_string(path) => {
                "this looks like a connection string of PostgreSQL's own; give it as a URL, postgres://user@host/database".to_owned()
            }
            None if is_mistyped(path) => {
                "this looks like a URL of PostgreSQL that is mistyped: it begins with postgres://, as in postgres://user@host/database".to_owned()
            }
            None if path.is_empty() => "the name of a database is empty".to_owned(),
            None => format!("{path} is no file to SQLite; put ./ before it if it is the name of one"),
        })
    }
}

/// Whether two paths lead to one file, by whatever links, or would if it were there. The file is not opened: whoever closes a file of
/// SQLite takes its locks away.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.metadata(), other.metadata()) {
        (Ok(of_one), Ok(of_other)) => is_one(&of_one, &of_other) || place(one) == place(other),
        (Err(_), Err(_)) => place(one) == place(other),
        _ => false,
    }
}

#[cfg(unix)]
fn is_one(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Elsewhere the paths alone tell.
#[cfg(not(unix))]
fn is_one(_: &Metadata, _: &Metadata) -> bool {
    false
}

/// Where a path leads, or would lead if the file were there.
fn place(path: &Path) -> PathBuf {
    let whole = path.canonicalize().ok().or_else(|| {
        let folder = Path::new(".").join(path.parent()?);
        Some(folder.canonicalize().ok()?.join(path.file_name()?))
    });
    whole.unwrap_or_else(|| path.to_owned())
}

/// What follows `scheme`, which is read without regard to case.
fn without_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let (head, rest) = text.trim_start().split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// The path of a SQLite file. None for an empty one, for what SQLite would not take for a path (`:memory:`, `file:…`), and for what is
/// meant for another database.
pub(super) fn file(text: &str) -> Option<PathBuf> {
    let is_special = text.is_empty() || text.starts_with("file:") || text.eq_ignore_ascii_case(":memory:");
    let is_path = !is_special && scheme(text).is_none() && !is_connection_string(text) && !is_mistyped(text);
    is_path.then(|| PathBuf::from(text))
}

/// The scheme of a URL, if `text` begins with one: a word and `://`, perhaps with a driver's name before it (`jdbc:…`).
fn scheme(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let (scheme, _) = text.split_once("://")?;
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | ':');
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_word);
    is_scheme.then(|| &text[..scheme.len() + 3])
}

/// Whether this is meant for a URL, and must not be shown as a path is: it may hold a password.
fn is_mistyped(text: &str) -> bool {
    let lower = text.trim_start().to_ascii_lowercase();
    let rest = ["postgresql", "postgres"]
        .iter()
        .find_map(|word| lower.strip_prefix(word));
    rest.is_some_and(|rest| rest.starts_with([':', '/']) && rest.contains('@'))
}

/// Whether this is `host=… password=…`, as libpq takes it.
fn is_connection_string(text: &str) -> bool {
    const KEYS: &[&str] = &[
        "host", "hostaddr", "port", "dbname", "user", "password", "service",
    ];
    let key = text.trim_start().split_once('=').map(|(key, _)| key.trim_end());
    key.is_some_and(|key| KEYS.contains(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_is_one_by_whatever_links() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a.db"), "").unwrap();
        std::fs::write(path("b.db"), "").unwrap();
        std::fs::hard_link(path("a.db"), path("hard.db")).unwrap();
        std::os::unix::fs::symlink(path("a.db"), path("soft.db")).unwrap();
        std::fs::create_dir(path("sub")).unwrap();
        for same in ["a.db", "./a.db", "sub/../a.db", "hard.db", "soft.db"] {
            assert!(is_same_file(&path("a.db"), &path(same)), "{same}");
            assert!(!is_same_file(&path("b.db"), &path(same)), "{same}");
        }
        assert!(is_same_file(&path("new.db"), &path("sub/../new.db")));
        assert!(!is_same_file(&path("new.db"), &path("sub/new.db")));
        assert!(!is_same_file(&path("new.db"), &path("a.db")));
    }

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
        assert_eq!(
            DatabaseUrl::parse(" PostgreSQL://u@h/d"),
            Some(DatabaseUrl::Postgres(Secret::new("postgres://u@h/d")))
        );
        for wrong in [
            "",
            "sqlite://",
            "sqlite:///",
            "sqlite:///:memory:",
            "mysql://h/d",
            "a.db",
        ] {
            assert_eq!(DatabaseUrl::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_bare_path_is_a_path() {
        let sqlite = |path: &str| Ok(DatabaseUrl::Sqlite(path.into()));
        for path in [
            "a b%20#?.db",
            "./x:y.db",
            "/tmp/'quoted\".db",
            "./file:x.db",
            "é://x",
            "a=b.db",
            "my host=1.db",
        ] {
            assert_eq!(DatabaseUrl::from_argument(path), sqlite(path));
        }
        assert_eq!(DatabaseUrl::from_argument("sqlite:a.db"), sqlite("a.db"));
        assert_eq!(DatabaseUrl::from_argument("sqlite:///a.db"), sqlite("a.db"));
        assert_eq!(DatabaseUrl::from_argument("sqlite:////a.db"), sqlite("/a.db"));
    }

    #[test]
    fn what_names_no_database_is_refused_without_its_password() {
        for (text, word) in [
            ("", "empty"),
            ("sqlite:", "empty"),
            (":memory:", ":memory: is no file"),
            ("sqlite::memory:", ":memory: is no file"),
            ("file:a.db?mode=memory", "is no file"),
            (
                "jdbc:postgresql://u:hunter2@h/d",
                "jdbc:postgresql:// is the scheme of no",
            ),
            ("mysql://u:hunter2@h/d", "mysql:// is the scheme of no"),
            (" MySQL://u:hunter2@h/d", "MySQL:// is the scheme of no"),
            ("sqlite://a.db", "three slashes"),
            ("host=h password=hunter2", "postgres://user@host/database"),
            ("postgres:/u:hunter2@h/d", "is mistyped"),
            ("postgresql:u:hunter2@h/d", "is mistyped"),
            ("Postgres//u:hunter2@h/d", "is mistyped"),
        ] {
            let error = DatabaseUrl::from_argument(text).unwrap_err();
            assert!(
                error.contains(word) && !error.contains("hunter2"),
                "{text}: {error}"
            );
        }
    }
}
