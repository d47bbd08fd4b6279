//! Configuration as people get it wrong.

use std::time::{Duration, Instant};

use cutover_tests::rusqlite::Connection;

use crate::program::Place;

#[tokio::test]
async fn every_mistake_is_told_at_once_and_no_password() {
    let place = Place::new();
    place.write(
        "cutover.toml",
        "[repositories]\nexperimentz = \"postgres\"\nsynths = \"oracle\"\n[server]\nlisten = 8080\n[postgres]\nurl = \"mysql://u:hunter2@h/d\"\n",
    );
    let environment = [
        ("CUTOVER_POSTGRES_POOL_SIZE", "0"),
        ("CUTOVER_LAB_LEGACY_TIMEZONE", "Mars/Olympus"),
        ("DATABASE_URL", "postgres://u:hunter3@h/d"),
        ("CUTOVER_MARKET_PRICES", "ftp://u:hunter4@h/p"),
    ];
    let ended = place.run_in(["serve"], &environment).await.with(2);
    for part in [
        "repositories.experimentz",
        "did you mean repositories.experiments?",
        "repositories.synths (from cutover.toml)",
        "server.listen (from cutover.toml)",
        "postgres.url (from cutover.toml)",
        "postgres.pool_size (from the environment's CUTOVER_POSTGRES_POOL_SIZE)",
        "Mars/Olympus",
        "market.prices (from the environment's CUTOVER_MARKET_PRICES)",
    ] {
        assert!(
            ended.stderr.contains(part),
            "{part} is missing in:\n{}",
            ended.stderr
        );
    }
    assert!(!ended.stderr.contains("hunter"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert_eq!(place.files(), ["cutover.toml"], "nothing is made by mistake");
}

#[tokio::test]
async fn a_url_of_prices_with_a_query_is_a_mistake_before_anything_is_made() {
    let place = Place::new();
    let environment = [("CUTOVER_MARKET_PRICES", "http://u:hunter2@h/p?key=hunter3")];
    for command in ["serve", "doctor"] {
        let ended = place.run_in([command], &environment).await.with(2);
        assert!(ended.stderr.contains("without a query"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("hunter"), "{}", ended.stderr);
        assert_eq!(place.files(), [""; 0]);
    }
}

#[tokio::test]
async fn a_broken_file_is_told_by_line_and_without_what_stands_there() {
    let place = Place::new();
    place.write("cutover.toml", "[postgres]\nurl = \"postgres://u:hunter2@h/d\n");
    let ended = place.run(["serve"]).await.with(2);
    assert!(ended.stderr.contains("cutover.toml, line 2"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hunter"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_file_that_was_named_must_be_there() {
    let place = Place::new();
    let ended = place.run(["serve", "--config", "no such.toml"]).await.with(2);
    assert!(
        ended.stderr.contains("no such.toml cannot be read"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn usage_mistakes_end_with_two_and_help_with_nothing_wrong() {
    let place = Place::new();
    for wrong in [
        &["serv"][..],
        &["serve", "--port", "1"],
        &[],
        &["migrate"],
        &["migrate", "up", "--on", "oracle"],
    ] {
        let ended = place.run(wrong).await.with(2);
        assert_eq!(ended.stdout, "", "{wrong:?}");
        assert!(!ended.stderr.is_empty(), "{wrong:?}");
        let document = place.run(wrong.iter().chain(&["--json"])).await.with(2).json();
        assert_eq!((&document["ok"], &document["exit"]), (&false.into(), &2.into()));
        assert!(!document["error"].as_str().unwrap().is_empty(), "{wrong:?}");
    }
    for right in [
        &["--help"][..],
        &["--version"],
        &["serve", "--help"],
        &["completions", "bash"],
    ] {
        let ended = place.run(right).await.with(0);
        assert_ne!(ended.stdout, "", "{right:?}");
        assert_eq!(ended.stderr, "", "{right:?}");
    }
    assert!(place.files().is_empty());
}

#[tokio::test]
async fn a_log_filter_that_is_none_is_a_configuration_mistake() {
    let place = Place::new();
    for filter in ["cutover=loud", "inof", "info,debgu"] {
        let ended = place.run(["serve", "--log", filter]).await.with(2);
        assert!(ended.stderr.contains("log.filter"), "{filter}: {}", ended.stderr);
    }
    assert!(place.files().is_empty());
}

#[tokio::test]
async fn a_secret_stays_secret_wherever_it_is_given() {
    // Each is refused in its own way: by the URL's parser, by the network, by the name of the host.
    let urls = [
        "postgres://u:hunter2@127.0.0.1:1/d",
        "postgres://u:hunter2@127.0.0.1:notaport/d",
        "postgres://u:hunter2@[::1/d",
        "postgres://u:hun%ter2@127.0.0.1:1/d",
        "postgres://u@127.0.0.1:1/d?password=hunter2",
        "postgres://u:hunter2@no-such-host.invalid/d",
        "postgres://u:hunter2@127.0.0.1:1/d?sslmode=sometimes",
        "postgres://u:hunter2@127.0.0.1:1/d?sslrootcert=/no/such/file",
        "postgres://u:hunter2@127.0.0.1:1/d?hunter2=1",
    ];
    for url in urls {
        let place = Place::new();
        for (arguments, environment) in [
            (
                vec![
                    "serve",
                    "--log",
                    "trace",
                    "--postgres",
                    url,
                    "--repository",
                    "default=postgres",
                ],
                vec![],
            ),
            (vec!["serve", "--log", "trace"], vec![("DATABASE_URL", url)]),
            (
                vec![
                    "migrate",
                    "up",
                    "--on",
                    "postgres",
                    "--log",
                    "trace",
                    "--postgres",
                    url,
                ],
                vec![],
            ),
        ] {
            let ended = place.run_in(&arguments, &environment).await;
            assert!(matches!(ended.code, Some(2 | 3)), "{url}: {ended:?}");
            assert!(!ended.stderr.contains("hunter2"), "{url}: {}", ended.stderr);
            assert!(!ended.stdout.contains("hunter2"), "{url}: {}", ended.stdout);
            assert!(ended.took.as_secs() < 5, "{url}: {:?}", ended.took);
        }
    }
}

/// Neither SQLite's special names nor another database's URL is a file to write into, or to repeat in an error.
#[tokio::test]
async fn what_names_no_database_is_refused_and_no_password_is_told() {
    let place = Place::new();
    for (target, word) in [
        (":memory:", ":memory: is no file"),
        ("file:a.db?mode=memory", "is no file"),
        ("sqlite:", "empty"),
        ("mysql://u:hunter2@h/d", "mysql://"),
        ("jdbc:postgresql://u:hunter2@h/d", "jdbc:postgresql://"),
        ("host=h user=u password=hunter2", "postgres://user@host/database"),
    ] {
        let ended = place.run(["copy", "absent.db", target, "--json"]).await.with(2);
        let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((&document["ok"], &document["exit"]), (&false.into(), &2.into()));
        let error = document["error"].as_str().unwrap();
        assert!(error.contains(word) && ended.stderr.contains(error), "{error}");
        assert!(
            !ended.stderr.contains("hunter") && !ended.stdout.contains("hunter"),
            "{error}"
        );
    }
    // Whatever the case of its scheme, and behind a blank, as people paste it.
    for target in [
        " postgres://u:hunter2@localhost:1/d",
        "POSTGRES://u:hunter2@localhost:1/d",
    ] {
        let ended = place.run(["verify", "absent.db", target]).await.with(3);
        assert!(!ended.stderr.contains("hunter"), "{}", ended.stderr);
    }
    for sqlite in [":memory:", "mysql://u:hunter2@h/d"] {
        let ended = place.run(["inspect", "--sqlite", sqlite]).await.with(2);
        assert!(
            ended.stderr.contains("the path of a SQLite file"),
            "{}",
            ended.stderr
        );
        assert!(!ended.stderr.contains("hunter"), "{}", ended.stderr);
    }
    assert_eq!(place.files(), [""; 0], "nothing is made by mistake");
}

#[tokio::test]
async fn a_locked_file_is_waited_for_as_long_as_is_configured() {
    let place = Place::new();
    let holder = Connection::open(place.path("l.db")).unwrap();
    holder
        .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY); BEGIN EXCLUSIVE")
        .unwrap();
    let environment = [
        ("CUTOVER_SQLITE_BUSY_TIMEOUT_MS", "300"),
        ("CUTOVER_SQLITE_PATH", "l.db"),
    ];
    for (command, waited) in [
        (&["inspect"][..], "waited 0.3 s"),
        (&["copy", "l.db", "other.db"], "waited 0.3 s"),
        (&["verify", "l.db", "l.db"], "waited 0.3 s"),
        (&["status"], "waited 0.3 s"),
        (&["inspect", "--busy-timeout", "100"], "waited 0.1 s"),
    ] {
        let begun = Instant::now();
        let ended = place.run_in(command, &environment).await.with(3);
        assert!(ended.stderr.contains(waited), "{command:?}: {}", ended.stderr);
        assert!(begun.elapsed() < Duration::from_secs(4), "{command:?}");
    }
}
