//! A store of its own for each test: every repository, on a fresh file, on a fresh database, or on both.

#[cfg(feature = "sqlite")]
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cutover_migrations::{Context, Target};
use cutover_ports::lab::LabRepositories;
use cutover_ports::market::MarketRepositories;
use cutover_ports::writer::WriterRepositories;

#[cfg(feature = "postgres")]
use crate::postgres::TestDatabase;

/// The repositories under test, and what keeps their databases alive.
#[derive(Debug, Clone)]
pub struct TestStore {
    /// The lab's repositories.
    pub lab: LabRepositories,
    /// The writer's.
    pub writer: WriterRepositories,
    /// SPY-tracker's.
    pub market: MarketRepositories,
    #[cfg(feature = "sqlite")]
    file: Option<Arc<TestFile>>,
    #[cfg(feature = "postgres")]
    database: Option<Arc<TestDatabase>>,
}

/// A SQLite file in a directory of its own.
#[cfg(feature = "sqlite")]
#[derive(Debug)]
pub struct TestFile {
    directory: tempfile::TempDir,
}

#[cfg(feature = "sqlite")]
impl TestFile {
    /// A file with the newest schema of the lab and of every other context.
    pub async fn with_lab_schema() -> Self {
        static TEMPLATE: tokio::sync::OnceCell<Vec<u8>> = tokio::sync::OnceCell::const_new();
        let bytes = TEMPLATE
            .get_or_init(|| async {
                let made = Self::empty();
                migrate(&Target::Sqlite { path: made.path() }).await;
                std::fs::read(made.path()).expect("the migrated file is read")
            })
            .await;
        let file = Self::empty();
        std::fs::write(file.path(), bytes).expect("the template is written");
        file
    }

    /// A directory, and the path of a file that does not exist yet.
    pub fn empty() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a temporary directory is made"),
        }
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("lab.db")
    }

    /// A connection past the repositories, for rows that they would not write.
    pub fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).expect("the file opens")
    }
}

async fn migrate(target: &Target) {
    for context in Context::ALL {
        cutover_migrations::up(target, context, None)
            .await
            .expect("the schema is made");
    }
}

/// A database with the newest schema of the lab and of every other context.
#[cfg(feature = "postgres")]
pub async fn lab_database() -> TestDatabase {
    TestDatabase::create_from_template("lab", |url| async move {
        migrate(&Target::Postgres(postgres_target(&url))).await;
    })
    .await
}

/// The migrations' way to a test database.
#[cfg(feature = "postgres")]
pub fn postgres_target(url: &str) -> cutover_migrations::PostgresTarget {
    use tokio_postgres::config::Host;
    let config: tokio_postgres::Config = url.parse().expect("a test database's URL is valid");
    let host = match config.get_hosts().first() {
        Some(Host::Unix(path)) => path.display().to_string(),
        Some(Host::Tcp(name)) => name.clone(),
        None => "localhost".to_owned(),
    };
    cutover_migrations::PostgresTarget {
        endpoints: vec![cutover_migrations::Endpoint {
            host,
            port: config.get_ports().first().copied().unwrap_or(5432),
        }],
        user: config.get_user().unwrap_or("postgres").to_owned(),
        password: config
            .get_password()
            .map(|password| String::from_utf8_lossy(password).into_owned()),
        database: config.get_dbname().unwrap_or("postgres").to_owned(),
        tls: cutover_migrations::TlsMode::Disable,
        tls_ca_pem: None,
        options: String::new(),
        writable: None,
        connect_timeout: std::time::Duration::from_secs(5),
        lock_timeout: std::time::Duration::from_secs(30),
    }
}

impl TestStore {
    /// Everything on a fresh SQLite file.
    #[cfg(feature = "sqlite")]
    pub async fn sqlite() -> Self {
        let file = TestFile::with_lab_schema().await;
        let db = open(&file.path());
        Self {
            lab: cutover_sqlite::lab::repositories(&db),
            writer: cutover_sqlite::writer::repositories(&db),
            market: cutover_sqlite::market::repositories(&db),
            file: Some(Arc::new(file)),
            #[cfg(feature = "postgres")]
            database: None,
        }
    }

    /// Everything on a fresh PostgreSQL database.
    #[cfg(feature = "postgres")]
    pub async fn postgres() -> Self {
        let database = lab_database().await;
        let db = pool(&database);
        Self {
            lab: cutover_postgres::lab::repositories(&db),
            writer: cutover_postgres::writer::repositories(&db),
            market: cutover_postgres::market::repositories(&db),
            #[cfg(feature = "sqlite")]
            file: None,
            database: Some(Arc::new(database)),
        }
    }

    /// Each repository of the lab where `routing` says, on a fresh SQLite file and a fresh PostgreSQL database; the other contexts'
    /// repositories each with one of the lab's.
    #[cfg(all(feature = "sqlite", feature = "postgres"))]
    pub async fn routed(routing: &cutover::config::LabRouting) -> Self {
        // The market's repositories refer to nothing of each other: where one of them is says nothing of the others.
        Self::all_routed(routing, &alternating()).await
    }

    /// The market's repositories where `routing` says, the lab's on SQLite.
    #[cfg(all(feature = "sqlite", feature = "postgres"))]
    pub async fn market_routed(routing: &cutover::config::MarketRouting) -> Self {
        use cutover::config::{Backend, ContextRouting as _, LabRouting};
        Self::all_routed(&LabRouting::all(Backend::Sqlite), routing).await
    }

    #[cfg(all(feature = "sqlite", feature = "postgres"))]
    async fn all_routed(lab: &cutover::config::LabRouting, market: &cutover::config::MarketRouting) -> Self {
        let file = TestFile::with_lab_schema().await;
        let database = lab_database().await;
        let db = open(&file.path());
        let databases = cutover::wiring::Databases {
            files: Context::ALL
                .iter()
                .map(|context| (context.name, db.clone()))
                .collect(),
            postgres: Some(pool(&database)),
        };
        let writer = cutover::config::WriterRouting {
            conversations: lab.experiments,
            files: lab.synths,
        };
        let lab = databases.lab_repositories(lab).expect("both databases are open");
        let market = databases
            .market_repositories(market)
            .expect("both databases are open");
        let writer = databases
            .writer_repositories(&writer)
            .expect("both databases are open");
        Self {
            lab,
            writer,
            market,
            file: Some(Arc::new(file)),
            database: Some(Arc::new(database)),
        }
    }

    /// The SQLite file, if the store has one.
    #[cfg(feature = "sqlite")]
    pub fn file(&self) -> Option<&TestFile> {
        self.file.as_deref()
    }

    /// The PostgreSQL database, if the store has one.
    #[cfg(feature = "postgres")]
    pub fn database(&self) -> Option<&TestDatabase> {
        self.database.as_deref()
    }
}

/// Every second repository on PostgreSQL.
#[cfg(all(feature = "sqlite", feature = "postgres"))]
fn alternating<R: cutover::config::ContextRouting>() -> R {
    use cutover::config::Backend;
    let mut next = Backend::Sqlite;
    R::from_fn(|_| {
        next = match next {
            Backend::Sqlite => Backend::Postgres,
            Backend::Postgres => Backend::Sqlite,
        };
        next
    })
}

/// The SQLite adapter on `path`.
#[cfg(feature = "sqlite")]
pub fn open(path: &Path) -> cutover_sqlite::Database {
    cutover_sqlite::Database::open(path, &cutover_sqlite::OpenSettings::default()).expect("the file opens")
}

/// The PostgreSQL adapter on `database`, with few connections: many tests share the server.
#[cfg(feature = "postgres")]
pub fn pool(database: &TestDatabase) -> cutover_postgres::Database {
    let server = cutover_postgres::PgServer::parse(&database.url()).expect("a test database's URL is valid");
    let settings = cutover_postgres::PoolSettings {
        size: 4,
        ..Default::default()
    };
    cutover_postgres::Database::new(&server, &settings).expect("the pool is made")
}
