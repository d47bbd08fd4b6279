//! What `docker/` promises, without Docker: the roles on a real server, and the list of variables.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cutover::config::{Config, Flags};
use cutover_migrations::{Context, Endpoint, PostgresTarget, Target, TlsMode};
use cutover_tests::postgres::{Durability, TcpOptions, TestServer, TestServerOptions};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

const ROLES: &str = include_str!("../docker/init/01-roles.sql");

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

async fn server(tcp: Option<TcpOptions>) -> TestServer {
    let options = TestServerOptions {
        durability: Durability::Fast,
        tcp,
        settings: Vec::new(),
    };
    TestServer::start(options).await
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn connect_as(server: &TestServer, role: &str) -> Client {
    connect(&server.url().replace("postgres@", &format!("{role}@")))
        .await
        .unwrap()
}

/// The schemas of all contexts, made by the owner's role and no other.
async fn migrate(server: &TestServer) {
    let config: tokio_postgres::Config = server.url().parse().unwrap();
    let target = Target::Postgres(PostgresTarget {
        endpoints: vec![Endpoint {
            host: server.directory().display().to_string(),
            port: config.get_ports()[0],
        }],
        user: "cutover_owner".to_owned(),
        password: None,
        database: "postgres".to_owned(),
        tls: TlsMode::Disable,
        tls_ca_pem: None,
        options: String::new(),
        writable: None,
        connect_timeout: Duration::from_secs(10),
        lock_timeout: Duration::from_secs(10),
    });
    for context in Context::ALL {
        cutover_migrations::up(&target, context, None).await.unwrap();
    }
}

/// A row for a table of each context that has numbers of its own to give out.
const ROWS: &str = "
    INSERT INTO synth_groups (id, name, created_at) VALUES ('g1', 'before', now()), ('g2', 'other', now());
    INSERT INTO conversations (id, title) VALUES ('c1', 'one'), ('c2', 'two');
    INSERT INTO messages (id, conversation_id, role, content) VALUES ('m1', 'c1', 'user', 'hello');
    INSERT INTO file_metadata (id, filename, content_type, size) VALUES ('f1', 'a.txt', 'text/plain', 1);
    INSERT INTO price_logs (date, checkpoint, price) VALUES ('2026-01-02', 'open', 1);";

/// The sequences that `role` may not use.
async fn forbidden_sequences(client: &Client, role: &str) -> Vec<String> {
    let sql = "SELECT name FROM unnest(ARRAY['conversations_position_seq', 'messages_position_seq']) AS name
        WHERE NOT has_sequence_privilege($1::text, name, 'USAGE') ORDER BY 1";
    let rows = client.query(sql, &[&role]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// A right on a table brings with it the right on the sequences that its defaults ask: roles as they were documented before had no other.
#[tokio::test]
async fn whoever_may_insert_rows_may_number_them() {
    let server = server(None).await;
    let on_sequences = [
        "ALTER DEFAULT PRIVILEGES FOR ROLE cutover_owner IN SCHEMA public, cutover\n  GRANT USAGE ON SEQUENCES TO cutover_service;",
    ];
    let before = on_sequences.iter().fold(ROLES.to_owned(), |roles, line| {
        assert!(roles.contains(line), "{roles}");
        roles.replace(line, "")
    });
    server.execute(&before).await;
    migrate(&server).await;
    connect_as(&server, "cutover_service")
        .await
        .batch_execute(ROWS)
        .await
        .unwrap();
    // A database that was migrated before is mended by the next run, of which there is nothing else to do.
    let owner = connect_as(&server, "cutover_owner").await;
    owner
        .batch_execute("REVOKE USAGE ON ALL SEQUENCES IN SCHEMA public FROM cutover_service")
        .await
        .unwrap();
    let positions = ["conversations_position_seq", "messages_position_seq"];
    assert_eq!(forbidden_sequences(&owner, "cutover_service").await, positions);
    migrate(&server).await;
    assert_eq!(forbidden_sequences(&owner, "cutover_service").await, [""; 0]);
}

#[tokio::test]
async fn the_service_reads_and_writes_rows_and_nothing_more() {
    let server = server(None).await;
    server.execute(ROLES).await;
    server.execute(ROLES).await;
    migrate(&server).await;
    let service = connect_as(&server, "cutover_service").await;

    service.batch_execute(ROWS).await.unwrap();
    service
        .batch_execute(
            "UPDATE synth_groups SET name = 'after' WHERE id = 'g1';
             DELETE FROM synth_groups WHERE id = 'g2';",
        )
        .await
        .unwrap();
    let rows = service
        .query("SELECT id, name FROM synth_groups WHERE id IN ('g1', 'g2')", &[])
        .await
        .unwrap();
    let rows: Vec<(&str, &str)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(rows, [("g1", "after")]);
    // Every table, ours too, whoever of the two made it and whenever.
    let owner = connect_as(&server, "cutover_owner").await;
    owner
        .batch_execute("CREATE TABLE made_later (a int); CREATE TABLE cutover.made_later (a int); CREATE SEQUENCE numbers")
        .await
        .unwrap();
    let sql = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'cutover')";
    let tables: Vec<String> = owner
        .query(sql, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    for expected in [
        "public.experiments",
        "public.made_later",
        "cutover.made_later",
        "cutover.migrations_lab",
    ] {
        assert!(
            tables.iter().any(|table| table == expected),
            "{expected} in {tables:?}"
        );
    }
    let sql = "SELECT has_table_privilege($1::text, 'SELECT') AND has_table_privilege($1::text, 'INSERT')
        AND has_table_privilege($1::text, 'UPDATE') AND has_table_privilege($1::text, 'DELETE')";
    for table in &tables {
        assert!(
            service.query_one(sql, &[table]).await.unwrap().get::<_, bool>(0),
            "{table}"
        );
    }
    service.batch_execute("SELECT nextval('numbers')").await.unwrap();

    for refused in [
        "SELECT setval('numbers', 7)",
        "CREATE TABLE public.mine (a int)",
        "CREATE TABLE cutover.mine (a int)",
        "CREATE TEMPORARY TABLE mine (a int)",
        "CREATE SCHEMA mine",
        "CREATE INDEX mine ON synth_groups (name)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "DROP TABLE synth_groups",
        "DROP SCHEMA cutover CASCADE",
        "ALTER TABLE synth_groups ADD COLUMN mine int",
        "ALTER TABLE synth_groups DISABLE TRIGGER ALL",
        "TRUNCATE synth_groups CASCADE",
        "COPY synth_groups TO '/tmp/mine'",
        "SELECT pg_read_file('postgresql.conf')",
        "SET ROLE cutover_owner",
        "GRANT cutover_owner TO cutover_service",
    ] {
        let error = service.batch_execute(refused).await.expect_err(refused);
        assert_eq!(
            error.code(),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            "{refused}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_role_that_nobody_named_does_not_get_in() {
    let server = server(None).await;
    server.execute(ROLES).await;
    server.execute("CREATE ROLE stranger LOGIN").await;
    let url = server.url().replace("postgres@", "stranger@");
    let error = connect(&url).await.map(drop).unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{error:?}");
}

#[tokio::test]
async fn the_passwords_come_from_the_environment() {
    let tcp = TcpOptions {
        password: Some("superuser".to_owned()),
        ..TcpOptions::default()
    };
    let server = server(Some(tcp)).await;
    server.execute(ROLES).await;
    let config: tokio_postgres::Config = server.url().parse().unwrap();
    let odd = "o'dd \\ $(touch x) `id` \"q\" %3A";
    let script = || {
        let mut script = Command::new("sh");
        script.arg(repository().join("docker/init/02-passwords.sh"));
        script
            .env("PGHOST", server.directory())
            .env("PGPORT", config.get_ports()[0].to_string());
        script.env("PATH", with_psql());
        script
            .env_remove("CUTOVER_OWNER_PASSWORD")
            .env("CUTOVER_SERVICE_PASSWORD", odd);
        script
    };
    let output = script().output().unwrap();
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("CUTOVER_OWNER_PASSWORD"),
        "{output:?}"
    );
    assert!(!output.status.success());
    let output = script().env("CUTOVER_OWNER_PASSWORD", "plain").output().unwrap();
    assert!(output.status.success(), "{output:?}");

    let mut login = tokio_postgres::Config::new();
    login.host("127.0.0.1").port(server.tcp_port()).dbname("postgres");
    for (role, password, accepted) in [
        ("cutover_service", odd, true),
        ("cutover_service", "plain", false),
        ("cutover_owner", "plain", true),
    ] {
        let answer = login.user(role).password(password).connect(NoTls).await.map(drop);
        assert_eq!(answer.is_ok(), accepted, "{role}: {answer:?}");
    }
    assert!(!server.log().contains("o'dd"), "{}", server.log());
}

/// Debian keeps `psql` beside the server as well as in the PATH; others in one of the two.
fn with_psql() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let installed = installed.map(|entry| entry.path().join("bin"));
    let named = std::env::var_os("CUTOVER_POSTGRES_BIN").map(PathBuf::from);
    std::env::join_paths(
        named
            .into_iter()
            .chain(std::env::split_paths(&path))
            .chain(installed),
    )
    .unwrap()
}

/// The variables of `.env.example`, those in comments too.
fn example() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(repository().join("docker/.env.example")).unwrap();
    let lines = text
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once('='));
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let variables = lines.filter(|(name, _)| is_name(name));
    variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn every_variable_of_the_example_is_accepted() {
    let flags = Flags {
        file: None,
        settings: Vec::new(),
    };
    let config = Config::load(&flags, &example()).unwrap();
    assert!(config.postgres.is_some());
    let mut wrong = example();
    wrong.insert("CUTOVER_SERVER_LISTENN".to_owned(), "127.0.0.1:1".to_owned());
    assert!(
        Config::load(&flags, &wrong)
            .unwrap_err()
            .to_string()
            .contains("server.listenn")
    );
}

#[test]
fn the_example_has_every_setting() {
    let sources = [
        "mod.rs",
        "market.rs",
        "operations.rs",
        "routing.rs",
        "settings.rs",
    ]
    .map(|name| std::fs::read_to_string(repository().join("app/src/config").join(name)).unwrap());
    let is_key = |text: &&str| {
        let section = text.split_once('.').map_or("", |(section, _)| section);
        let known = [
            "log",
            "sqlite",
            "postgres",
            "repositories",
            "lab",
            "writer",
            "market",
            "server",
            "ops",
            "traces",
        ];
        known.contains(&section)
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte))
    };
    // Only the code before the tests of each file, where every quoted `section.name` is a setting.
    let code = sources
        .iter()
        .map(|source| source.split("#[cfg(test)]").next().unwrap());
    let mut keys: BTreeSet<String> = code
        .flat_map(|code| {
            code.split('"')
                .filter(is_key)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(
        keys.contains("postgres.pool_size") && keys.contains("server.listen"),
        "found too little: {keys:?}"
    );
    // The build without SQLite needs a server to be named; nothing connects to it.
    let named = BTreeMap::from([(
        "DATABASE_URL".to_owned(),
        "postgres://nobody@nowhere/nothing".to_owned(),
    )]);
    let config = Config::load(&Flags::default(), &named).unwrap();
    let repositories = config
        .contexts()
        .into_iter()
        .flat_map(|context| context.repositories);
    keys.extend(repositories.map(|repository| format!("repositories.{}", repository.name)));
    let example = example();
    for key in keys {
        let variable = match key.as_str() {
            "lab.sqlite_path" => "SYNTHLAB_DB_PATH".to_owned(),
            "log.filter" => "CUTOVER_LOG".to_owned(),
            key => format!("CUTOVER_{}", key.replace('.', "_").to_uppercase()),
        };
        assert!(
            example.contains_key(&variable),
            "docker/.env.example lacks {variable} for the setting {key}"
        );
    }
}
