//! The PostgreSQL that all other tests run on: databases are separate, servers can be killed, and none outlives its test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cutover_tests::postgres::{
    Durability, TcpAccess, TcpOptions, TestDatabase, TestServer, TestServerOptions,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn two_databases_are_separate() {
    let (one, other) = (TestDatabase::create().await, TestDatabase::create().await);
    assert_ne!(one.name(), other.name());
    one.connect()
        .await
        .batch_execute("CREATE TABLE only_here (a int)")
        .await
        .unwrap();
    let error = other
        .connect()
        .await
        .batch_execute("SELECT * FROM only_here")
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(&tokio_postgres::error::SqlState::UNDEFINED_TABLE)
    );
}

#[tokio::test]
async fn a_dropped_database_is_gone_even_while_somebody_is_connected() {
    let (database, elsewhere) = (TestDatabase::create().await, TestDatabase::create().await);
    let (name, watch) = (database.name().to_owned(), elsewhere.connect().await);
    let _connected = database.connect().await;
    drop(database);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let row = watch
            .query_one("SELECT count(*) FROM pg_database WHERE datname = $1", &[&name])
            .await
            .unwrap();
        if row.get::<_, i64>(0) == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "{name} is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn databases_of_one_template_start_alike_and_go_apart() {
    async fn database() -> TestDatabase {
        TestDatabase::create_from_template("harness", |url| async move {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
                .await
                .unwrap();
            tokio::spawn(connection);
            client
                .batch_execute("CREATE TABLE word (w text); INSERT INTO word VALUES ('from the template')")
                .await
                .unwrap();
            // Left open on purpose: a pool in an initialiser must not keep the template from being copied.
            std::mem::forget(client);
        })
        .await
    }
    let (one, other, third) = tokio::join!(database(), database(), database());
    one.connect()
        .await
        .batch_execute("INSERT INTO word VALUES ('one')")
        .await
        .unwrap();
    other
        .connect()
        .await
        .batch_execute("DELETE FROM word")
        .await
        .unwrap();
    for (database, expected) in [
        (&one, vec!["from the template", "one"]),
        (&other, vec![]),
        (&third, vec!["from the template"]),
    ] {
        let rows = database
            .connect()
            .await
            .query("SELECT w FROM word ORDER BY w", &[])
            .await
            .unwrap();
        let words: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(words, expected);
    }
}

#[tokio::test]
async fn databases_hold_unicode() {
    let database = TestDatabase::create().await;
    let client = database.connect().await;
    let row = client
        .query_one("SELECT current_setting('server_encoding'), 'žluť 🦀'", &[])
        .await
        .unwrap();
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, &str>(1)),
        ("UTF8", "žluť 🦀")
    );
}

#[tokio::test]
async fn what_was_committed_survives_kill_9_and_what_was_not_does_not() {
    let mut server = TestServer::start(TestServerOptions::default()).await;
    server
        .execute("CREATE TABLE kept (n int); INSERT INTO kept SELECT generate_series(1, 1000)")
        .await;
    let open = server.connect().await;
    open.batch_execute("BEGIN; INSERT INTO kept VALUES (-1)")
        .await
        .unwrap();
    let killed = server.pid();

    server.kill_9().await;
    assert_eq!(server.pid(), None);
    assert!(open.batch_execute("COMMIT").await.is_err());
    assert!(
        tokio_postgres::connect(&server.url(), tokio_postgres::NoTls)
            .await
            .is_err()
    );

    server.start_again().await;
    assert_ne!(server.pid(), killed);
    let row = server
        .connect()
        .await
        .query_one("SELECT count(*), min(n), max(n) FROM kept", &[])
        .await
        .unwrap();
    assert_eq!(
        (row.get::<_, i64>(0), row.get::<_, i32>(1), row.get::<_, i32>(2)),
        (1000, 1, 1000)
    );
    assert!(
        server.log().contains("was not properly shut down"),
        "it was really killed:\n{}",
        server.log()
    );
}

#[tokio::test]
async fn a_stopped_server_keeps_everything_even_with_fast_settings() {
    let options = TestServerOptions {
        durability: Durability::Fast,
        ..TestServerOptions::default()
    };
    let mut server = TestServer::start(options).await;
    server
        .execute("CREATE TABLE kept AS SELECT 'still here' AS word")
        .await;
    server.stop().await;
    server.start_again().await;
    let row = server
        .connect()
        .await
        .query_one("SELECT word FROM kept", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "still here");
    let directory = server.directory().to_owned();
    drop(server);
    assert!(!directory.exists(), "{} is left", directory.display());
}

#[tokio::test]
async fn a_stopped_server_that_is_dropped_leaves_nothing() {
    let mut server = TestServer::start(TestServerOptions::default()).await;
    let directory = server.directory().to_owned();
    server.kill_9().await;
    drop(server);
    assert!(!directory.exists(), "{} is left", directory.display());
}

#[tokio::test]
async fn extra_settings_win() {
    let settings = [("statement_timeout", "50ms"), ("max_connections", "7")];
    let settings = settings
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    let server = TestServer::start(TestServerOptions {
        settings,
        ..TestServerOptions::default()
    })
    .await;
    let client = server.connect().await;
    let row = client
        .query_one("SELECT current_setting('max_connections')", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "7");
    let error = client.batch_execute("SELECT pg_sleep(5)").await.unwrap_err();
    assert_eq!(
        error.code(),
        Some(&tokio_postgres::error::SqlState::QUERY_CANCELED)
    );
}

#[tokio::test]
async fn a_password_is_asked_for_over_tcp_and_the_port_stays() {
    let tcp = TcpOptions {
        password: Some("it's p@ss/word".to_owned()),
        ..TcpOptions::default()
    };
    let mut server = TestServer::start(TestServerOptions {
        tcp: Some(tcp),
        ..TestServerOptions::default()
    })
    .await;
    let port = server.tcp_port();
    server.stop().await;
    server.start_again().await;
    assert_eq!(server.tcp_port(), port);
    let (client, connection) = tokio_postgres::connect(&server.tcp_url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let row = client.query_one("SELECT inet_server_port()", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), i32::from(port));
    let wrong = format!("postgres://postgres:wrong@127.0.0.1:{port}/postgres");
    let Err(error) = tokio_postgres::connect(&wrong, tokio_postgres::NoTls).await else {
        panic!("let in")
    };
    assert_eq!(
        error.code(),
        Some(&tokio_postgres::error::SqlState::INVALID_PASSWORD)
    );
}

#[tokio::test]
async fn a_server_that_wants_tls_refuses_clear_text_and_speaks_tls() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (directory.path().join("c.pem"), directory.path().join("k.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tcp = TcpOptions {
        tls: Some((certificate, key)),
        access: TcpAccess::TlsOnly,
        password: None,
    };
    let server = TestServer::start(TestServerOptions {
        tcp: Some(tcp),
        ..TestServerOptions::default()
    })
    .await;

    let Err(error) = tokio_postgres::connect(&server.tcp_url(), tokio_postgres::NoTls).await else {
        panic!("let in")
    };
    assert_eq!(
        error.code(),
        Some(&tokio_postgres::error::SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
    );
    // The request for TLS, before any handshake: `S` says that the server speaks it.
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", server.tcp_port()))
        .await
        .unwrap();
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'S');
}

/// The test runs itself once more as the victim, and kills that.
#[tokio::test]
async fn no_server_survives_when_its_test_process_is_killed() {
    const VICTIM: &str = "CUTOVER_HARNESS_VICTIM";
    if std::env::var_os(VICTIM).is_some() {
        let server = TestServer::start(TestServerOptions::default()).await;
        let _database = TestDatabase::create().await;
        println!(
            "\nvictim {} {}",
            server.pid().unwrap(),
            server.directory().display()
        );
        std::thread::sleep(Duration::from_mins(10));
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "no_server_survives_when_its_test_process_is_killed",
            "--nocapture",
        ])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let line = lines
        .map(Result::unwrap)
        .find(|line| line.starts_with("victim "))
        .expect("the victim's server");
    let mut words = line.split(' ').skip(1);
    let (postmaster, directory) = (words.next().unwrap(), Path::new(words.next().unwrap()));
    let process = Path::new("/proc").join(postmaster);
    assert!(process.exists() && directory.exists(), "it runs: {line}");

    victim.kill().unwrap();
    victim.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while process.exists() || directory.exists() {
        assert!(Instant::now() < deadline, "still there: {line}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
