//! Many clients at once: no error, no deadlock, nothing lost.

use cutover_tests::store::lab_database;
use futures_util::future::join_all;
use serde_json::json;

use crate::hostile::scorecard;
use crate::program::{Place, Service};
use crate::world;

const CLIENTS: usize = 100;

/// What one client does, one after another, each answer checked. Returns what must be stored afterwards: its experiment and
/// its group, if that stays.
async fn client(service: &Service, number: usize) -> (String, Option<String>) {
    let experiments = "/lab/experiments";
    let body = json!({"name": format!("e{number}"), "hypothesis": "h", "description": format!("d{number}")});
    let made = service.post(experiments, &body).await.with(201).json();
    let id = made["id"].as_str().unwrap().to_owned();
    let path = format!("{experiments}/{id}");
    let group = format!("grp_{:08x}", 0xa000 + number);
    service
        .post(
            "/lab/synth-groups",
            &json!({"id": group, "name": format!("g{number}")}),
        )
        .await
        .with(201);
    service.get("/lab/experiments/list?limit=200").await.with(200);
    let name = json!({"name": format!("renamed {number}")}).to_string();
    service.ask("PUT", &path, Some(&name)).await.with(200);
    let card = scorecard(&format!("f{number}")).to_string();
    let answer = service
        .ask("PUT", &format!("{path}/scorecard"), Some(&card))
        .await
        .with(200)
        .json();
    assert_eq!(answer["name"], format!("renamed {number}"));
    let read = service.get(&path).await.with(200).json();
    assert_eq!(read["scorecard_data"]["feature_name"], format!("f{number}"));
    service.get("/lab/synth-groups/list?limit=200").await.with(200);
    service.get("/lab/synths/list").await.with(200);
    let group_stays = !number.is_multiple_of(3);
    if !group_stays {
        service
            .ask("DELETE", &format!("/lab/synth-groups/{group}"), None)
            .await
            .with(204);
    }
    let status = if number.is_multiple_of(5) {
        service.ask("DELETE", &path, None).await.with(204);
        service.get(&path).await.with(404);
        "deleted"
    } else {
        "active"
    };
    (
        format!("{id}|renamed {number}|h|d{number}|{status}|f{number}"),
        group_stays.then(|| format!("{group}|g{number}")),
    )
}

/// All clients at once, spread over the services; what must be stored afterwards.
async fn crowd(services: &[&Service]) -> (Vec<String>, Vec<String>) {
    let clients = (0..CLIENTS).map(|number| client(services[number % services.len()], number));
    let (mut experiments, groups): (Vec<_>, Vec<_>) = join_all(clients).await.into_iter().unzip();
    experiments.sort();
    (experiments, groups.into_iter().flatten().collect())
}

const GROUPS: &str = "SELECT id, name FROM synth_groups WHERE id <> 'grp_00000001' ORDER BY id";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_clients_on_postgresql() {
    let database = lab_database().await;
    let place = Place::new();
    let service = place.serve(&["--postgres", &database.url()]).await;
    let (experiments, groups) = crowd(&[&service]).await;
    let client = database.connect().await;
    let sql = "SELECT id, name, hypothesis, description, status, scorecard_data ->> 'feature_name' FROM experiments ORDER BY id";
    assert_eq!(world::postgres_rows(&client, sql).await, experiments);
    assert_eq!(world::postgres_rows(&client, GROUPS).await, groups);
    let log = service.stop().await;
    assert!(!log.contains(" ERROR ") && !log.contains(" WARN "), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_clients_of_two_services_on_one_file() {
    let place = Place::new();
    let first = place.serve(&[]).await;
    let second = place.serve(&[]).await;
    let (experiments, groups) = crowd(&[&first, &second]).await;
    let file = place.path("cutover.db");
    let sql = "SELECT id, name, hypothesis, description, status, scorecard_data ->> 'feature_name' FROM experiments ORDER BY id";
    assert_eq!(world::sqlite_rows(&file, sql), experiments);
    assert_eq!(world::sqlite_rows(&file, GROUPS), groups);
    for service in [first, second] {
        let log = service.stop().await;
        assert!(!log.contains(" ERROR ") && !log.contains(" WARN "), "{log}");
    }
    assert_eq!(world::sqlite_value(&file, "PRAGMA integrity_check"), "ok");
    assert_eq!(place.files(), ["cutover.db"]);
}

#[tokio::test]
async fn two_services_may_make_the_file_at_once() {
    let place = Place::new();
    let (first, second) = tokio::join!(place.serve(&[]), place.serve(&[]));
    let group = json!({"id": "grp_0000aaaa", "name": "g"});
    first.post("/lab/synth-groups", &group).await.with(201);
    second.get("/lab/synth-groups/grp_0000aaaa").await.with(200);
    first.stop().await;
    second.stop().await;
}

/// Ten clients change the same experiment and fight for the same new group: one of them wins each, and all are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_rows_for_everybody() {
    let database = lab_database().await;
    let (place, other_place) = (Place::new(), Place::new());
    let on_server = place.serve(&["--postgres", &database.url()]).await;
    let on_file = other_place.serve(&[]).await;
    for service in [&on_server, &on_file] {
        let body = json!({"name": "n", "hypothesis": "h"});
        let made = service.post("/lab/experiments", &body).await.with(201).json();
        let path = format!("/lab/experiments/{}", made["id"].as_str().unwrap());
        let one = async |number: usize| {
            let group = json!({"id": "grp_0000aaaa", "name": format!("g{number}")});
            let status = service.post("/lab/synth-groups", &group).await.status;
            let body = json!({"name": format!("n{number}"), "hypothesis": format!("h{number}")}).to_string();
            service.ask("PUT", &path, Some(&body)).await.with(200);
            let deleted = service
                .ask("DELETE", "/lab/synth-groups/grp_0000aaaa", None)
                .await
                .status;
            (status, deleted)
        };
        let ends = join_all((0..10).map(one)).await;
        let count = |made: u16| ends.iter().filter(|end| end.0 == made).count();
        assert_eq!(count(201) + count(409), 10, "{ends:?}");
        let deleted = ends.iter().filter(|end| end.1 == 204).count();
        assert_eq!(
            deleted,
            count(201),
            "each group that was made was deleted once: {ends:?}"
        );
        assert!(ends.iter().all(|end| matches!(end.1, 204 | 404)), "{ends:?}");
        let last = service.get(&path).await.with(200).json();
        let number = last["name"].as_str().unwrap().trim_start_matches('n').to_owned();
        assert_eq!(
            last["hypothesis"],
            format!("h{number}"),
            "one change is stored whole"
        );
    }
    on_server.stop().await;
    on_file.stop().await;
}
