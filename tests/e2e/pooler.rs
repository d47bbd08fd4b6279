//! The service behind a PgBouncer that lends its sessions for one transaction at a time.

use cutover_tests::bouncer::Bouncer;
use cutover_tests::postgres::{TestServer, TestServerOptions};
use cutover_tests::tokio_postgres::{self, NoTls};
use futures_util::future::join_all;
use serde_json::json;

use crate::program::Place;
use crate::world;

/// Several of them share two sessions, from their start on: nothing is prepared in one and looked for in the other, and nothing stays
/// set in either.
#[tokio::test(flavor = "multi_thread")]
async fn services_that_share_sessions() {
    let server = TestServer::start(TestServerOptions::default()).await;
    let place = Place::new();
    place.write("cutover.toml", "[postgres]\nprepared_statements = false\n");
    for on in ["sqlite", "postgres"] {
        let migrate = ["migrate", "up", "--on", on, "--postgres", &server.url()];
        place.run(migrate).await.with(0);
    }
    // So that there is something to be read of it at every start.
    place.run(["copy", "--postgres", &server.url()]).await.with(0);
    place.run(["verify", "--postgres", &server.url()]).await.with(0);
    let bouncer = Bouncer::start(&server, "transaction", 2).await;
    let url = bouncer.url();
    let mut services = Vec::new();
    for _ in 0..4 {
        let arguments = ["--postgres", &url, "--repository", "default=postgres"];
        services.push(place.serve(&arguments).await);
    }
    let first = services.first().unwrap();
    let experiment = json!({ "name": "one", "hypothesis": "two" });
    let made = first.post("/lab/experiments", &experiment).await.with(201).json();
    let path = format!("/lab/experiments/{}", made["id"].as_str().unwrap());
    let asked = (0..60)
        .flat_map(|_| services.iter())
        .map(|service| service.get(&path));
    for answer in join_all(asked).await {
        assert_eq!(answer.with(200).json()["name"], "one");
    }
    let looks = ["/readyz", "/integrity", "/metrics", "/", "/readyz"];
    let looked = looks
        .iter()
        .flat_map(|look| services.iter().map(move |service| service.get(look)));
    for answer in join_all(looked).await {
        answer.with(200);
    }
    for command in [
        &["status"][..],
        &["doctor"],
        &["migrate", "status", "--on", "postgres"],
    ] {
        let arguments = [command, &["--postgres", &url]].concat();
        let ended = join_all((0..3).map(|_| place.run(&arguments))).await;
        for ended in ended {
            assert!(matches!(ended.code, Some(0 | 1)), "{ended:?}");
        }
    }
    // Both sessions at once, as they were left.
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        client.batch_execute("BEGIN").await.unwrap();
        let left = "SELECT (SELECT count(*) FROM pg_prepared_statements), current_setting('client_min_messages'), current_setting('lock_timeout')";
        assert_eq!(world::postgres_rows(&client, left).await, ["0|notice|0"]);
        sessions.push(client);
    }
    drop(sessions);
    for service in services {
        service.stop().await;
    }
}

/// Such a pooler lets through what a start asks, and nothing that the service would.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_asks_as_the_service_would() {
    let server = TestServer::start(TestServerOptions::default()).await;
    let place = Place::new();
    for on in ["sqlite", "postgres"] {
        let migrate = ["migrate", "up", "--on", on, "--postgres", &server.url()];
        place.run(migrate).await.with(0);
    }
    for pool_mode in ["transaction", "session"] {
        let bouncer = Bouncer::start(&server, pool_mode, 2).await;
        let url = bouncer.url();
        let serve = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--postgres",
            &url,
            "--repository",
            "default=postgres",
        ];
        let ended = place.run(serve).await.with(3).stderr;
        assert!(
            ended.contains("set postgres.prepared_statements = false"),
            "{ended}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_without_transactions_is_refused() {
    let server = TestServer::start(TestServerOptions::default()).await;
    let place = Place::new();
    place.write("cutover.toml", "[postgres]\nprepared_statements = false\n");
    place.run(["migrate", "up", "--on", "sqlite"]).await.with(0);
    let bouncer = Bouncer::start(&server, "statement", 2).await;
    for command in [
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--repository",
            "default=postgres",
        ][..],
        &["migrate", "up", "--on", "postgres"],
        &["verify"],
    ] {
        let refused = place
            .run([command, &["--postgres", &bouncer.url()]].concat())
            .await
            .with(4)
            .stderr;
        for part in ["pool_mode = statement", "set pool_mode = transaction"] {
            assert!(refused.contains(part), "{part} is missing in: {refused}");
        }
    }
}
