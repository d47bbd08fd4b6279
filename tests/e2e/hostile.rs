//! Requests that nobody should send: a clear 4xx each, never a 500, never a hang, and nothing changed.

use cutover_tests::store::lab_database;
use serde_json::{Value, json};

use crate::http::{Answer, request};
use crate::program::{Place, Service};
use crate::world;

/// A request and the statuses that may answer it; where both databases can do the same, one.
struct Hostile {
    bytes: Vec<u8>,
    statuses: &'static [u16],
}

const GROUPS: &str = "/lab/synth-groups";

fn get(path: &str, status: &'static [u16]) -> Hostile {
    Hostile {
        bytes: request("GET", path, "", b""),
        statuses: status,
    }
}

fn post(path: &str, body: impl AsRef<[u8]>, status: &'static [u16]) -> Hostile {
    Hostile {
        bytes: request("POST", path, "content-type: application/json\r\n", body.as_ref()),
        statuses: status,
    }
}

fn paths() -> Vec<Hostile> {
    let long = "x".repeat(7_000);
    let mut all = Vec::new();
    for collection in ["/lab/synth-groups", "/lab/synths", "/lab/experiments"] {
        for id in [
            "%27%3B%20DROP%20TABLE%20synths%3B--",
            "%27%20OR%20%271%27%3D%271",
            "..%2F..%2Fetc%2Fpasswd",
            "%F0%9F%A6%9C",
            "-1",
            "99999999999999999999999999",
            "NULL",
            "%25",
            "%5C%22%27%60",
            "a%0d%0aset-cookie:x",
            &long,
        ] {
            all.push(get(&format!("{collection}/{id}"), &[404]));
        }
        // What no text is, and what PostgreSQL's text cannot hold.
        all.push(get(&format!("{collection}/%FF%FE"), &[400, 404, 422]));
        all.push(get(&format!("{collection}/a%00b"), &[400, 404, 422]));
        all.push(get(&format!("{collection}/%ED%A0%80"), &[400, 404, 422]));
        all.push(Hostile {
            bytes: request("DELETE", &format!("{collection}/%00"), "", b""),
            statuses: &[400, 404, 405, 422],
        });
    }
    // What is not UTF-8 is read as the character that stands for such bytes, and then it is an id, or a day, as any other text.
    for (path, status) in [
        ("/writer/api/conversations/%FF", &[422]),
        ("/writer/api/files/%ED%A0%80", &[404]),
        ("/market/day/%FF", &[422]),
        ("/lab/experiments/%FF/documents/summary", &[404]),
        ("/lab/experiments/exp_00000001/documents/%FF", &[422]),
    ] {
        all.push(get(path, status));
    }
    for path in [
        "/lab/synths/%00/avatar",
        "/lab/synths/%2E%2E/avatar",
        "/lab/synths/bbb222/avatar",
        "/lab/synths/ccc333/avatar",
    ] {
        all.push(get(path, &[400, 404, 422]));
    }
    for path in [
        "/nowhere",
        "/lab/nowhere",
        "/lab/../etc/passwd",
        "/lab//synths/list",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/lab//synths/",
    ] {
        all.push(get(path, &[404]));
    }
    for (method, path) in [
        ("PATCH", "/lab/synths/list"),
        ("POST", "/healthz"),
        ("BREW", GROUPS),
        ("DELETE", "/lab/synths/list"),
    ] {
        all.push(Hostile {
            bytes: request(method, path, "", b""),
            statuses: &[405],
        });
    }
    all
}

fn queries() -> Vec<Hostile> {
    let mut all = Vec::new();
    for list in [
        "/lab/synth-groups/list",
        "/lab/synths/list",
        "/lab/experiments/list",
    ] {
        for wrong in [
            "limit=0",
            "limit=-1",
            "limit=201",
            "limit=1e2",
            "limit=",
            "limit=99999999999999999999999999999999",
            "limit=1;DROP",
            "offset=-1",
            "offset=9223372036854775808",
            "offset=NaN",
            "offset=0x10",
            "limit=1&limit=x",
        ] {
            all.push(get(&format!("{list}?{wrong}"), &[422]));
        }
        all.push(get(
            &format!("{list}?limit=200&offset=9223372036854775807"),
            &[200],
        ));
        all.push(get(&format!("{list}?limit=%FF"), &[400, 422]));
        all.push(get(&format!("{list}?limit=%00"), &[422]));
        all.push(get(&format!("{list}?%&&&==&a&%zz=%"), &[200, 400, 422]));
    }
    for right in [
        "sort_by=nome%3B%20DROP%20TABLE%20synths",
        "sort_by=(SELECT%201)",
        "sort_by=%00",
        "fields=nome,id,created_at,%27,%00,*",
        "synth_group_id=%27%20OR%201%3D1--",
        "unknown=1",
    ] {
        all.push(get(&format!("/lab/synths/list?{right}"), &[200]));
    }
    all.push(get("/lab/synths/list?sort_order=sideways", &[422]));
    all.push(get("/lab/synths/list?synth_group_id=%00", &[200]));
    all
}

fn bodies() -> Vec<Hostile> {
    let mut all = Vec::new();
    for path in [GROUPS, "/lab/experiments"] {
        let wrong: [&[u8]; 17] = [
            b"",
            b" ",
            b"null",
            b"[]",
            b"1",
            b"\"x\"",
            b"{",
            b"{}",
            b"{\"name\":",
            b"{'name': 'x'}",
            b"{\"name\": null}",
            b"{\"name\": 1e999999}",
            b"{\"name\": {}}",
            b"{\"name\": \"\\ud800\"}",
            b"{\"name\": NaN}",
            b"{\"name\": \"a\"} trailing",
            b"\xef\xbb\xbf",
        ];
        for body in wrong {
            all.push(post(path, body, &[422]));
        }
        for no_text in [b"\xff\xfe\x00".as_slice(), b"{\"name\": \"\xc3\x28\"}"] {
            all.push(post(path, no_text, &[400]));
        }
        for deep in ["[", "{\"a\":", "{\"name\":["] {
            all.push(post(path, deep.repeat(100_000), &[422]));
        }
        let nested = format!("{{\"name\": {}{}}}", "[".repeat(120), "]".repeat(120));
        all.push(post(path, nested, &[422]));
        all.push(post(path, vec![b' '; 20_000_000], &[413]));
        all.push(post(
            path,
            [b"{\"name\": \"".as_slice(), &vec![b'x'; 20_000_000], b"\"}"].concat(),
            &[413],
        ));
        for kind in [
            "text/plain",
            "multipart/form-data; boundary=x",
            "application/json; charset=utf-16",
            "\u{ff}",
        ] {
            all.push(Hostile {
                bytes: request(
                    "POST",
                    path,
                    &format!("content-type: {kind}\r\n"),
                    b"{\"nome\": 1}",
                ),
                statuses: &[400, 415, 422],
            });
        }
    }
    for id in [
        "grp_1",
        "GRP_00000001",
        "grp_0000000g",
        "grp_00000001\\n",
        "",
        "grp_00000001'",
    ] {
        all.push(post(
            GROUPS,
            format!("{{\"id\": \"{id}\", \"name\": \"x\"}}"),
            &[422],
        ));
    }
    all.push(post(GROUPS, r#"{"id": "grp_00000001", "name": "taken"}"#, &[409]));
    all.push(post(GROUPS, r#"{"name": " \t\n "}"#, &[422]));
    all.push(post(
        "/lab/synths/search",
        r#"{"where_clause": "1=1; DROP TABLE synths"}"#,
        &[400, 422, 501],
    ));
    all.push(post("/lab/synths/search", r#"{"query": ["x"]}"#, &[422]));
    all
}

fn protocol() -> Vec<Hostile> {
    let raw = |bytes: &[u8], statuses| Hostile {
        bytes: bytes.to_vec(),
        statuses,
    };
    let long = format!("GET /healthz?{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(60_000));
    let huge = format!("GET /healthz HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(200_000));
    let mut many = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".to_vec();
    for number in 0..300 {
        many.extend(format!("x-{number}: y\r\n").bytes());
    }
    many.extend(b"\r\n");
    vec![
        raw(b"GARBAGE\r\n\r\n", &[400]),
        raw(b"GET / HTTP/9.9\r\n\r\n", &[400]),
        raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", &[400]),
        raw(b"POST /lab/synth-groups HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}", &[400]),
        raw(b"POST /lab/synth-groups HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", &[400]),
        raw(b"POST /lab/synth-groups HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", &[400]),
        raw(&many, &[400, 431]),
        raw(long.replace("host: x", "host: x\r\nconnection: close").as_bytes(), &[200]),
        raw(huge.as_bytes(), &[431]),
    ]
}

/// Headers that ask for something this service does not do, or for nothing at all: the answer is the plain one.
fn headers() -> Vec<Hostile> {
    let mut all = Vec::new();
    for header in [
        "if-none-match: *",
        "if-match: \"x\"",
        "if-modified-since: Wed, 21 Oct 2099 07:28:00 GMT",
        "if-unmodified-since: yesterday",
        "range: bytes=0-10",
        "range: bytes=99999999999999999999-",
        "accept: image/webp",
        "accept-encoding: gzip;q=\u{ff}",
        "expect: 100-continue",
        "origin: \u{ff}\u{fe}",
        "upgrade: websocket",
        "traceparent: 00-zz-zz-zz",
        "x-request-id: \u{ff}",
        "authorization: Bearer \u{ff}",
    ] {
        for path in [
            "/lab/synth-groups/list",
            "/market/history",
            "/writer/api/conversations",
        ] {
            all.push(Hostile {
                bytes: request("GET", path, &format!("{header}\r\n"), b""),
                statuses: &[200],
            });
        }
    }
    let long = format!("x-long: {}\r\n", "y".repeat(60_000));
    all.push(Hostile {
        bytes: request("GET", "/healthz", &long, b""),
        statuses: &[200],
    });
    all
}

/// Every answer of ours is in one of the two envelopes.
fn has_envelope(answer: &Answer) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
        return false;
    };
    let keys: Vec<&String> = body
        .as_object()
        .map(|object| object.keys().collect())
        .unwrap_or_default();
    match keys.as_slice() {
        [key] if *key == "detail" => body["detail"].is_string() || body["detail"].is_array(),
        [key] if *key == "error" => body["error"]["code"].is_string() && body["error"]["message"].is_string(),
        _ => false,
    }
}

/// Sends everything; the answers in order, and what was wrong with them.
async fn bombard(service: &Service) -> (Vec<(String, u16, String)>, Vec<String>) {
    let (mut answers, mut wrong) = (Vec::new(), Vec::new());
    for (from_hyper, hostiles) in [
        (false, paths()),
        (false, queries()),
        (false, bodies()),
        (false, headers()),
        (true, protocol()),
    ] {
        for Hostile { bytes, statuses } in hostiles {
            let shown: String = String::from_utf8_lossy(&bytes).chars().take(400).collect();
            let shown = shown.replace("\r\nhost: localhost\r\nconnection: close", "");
            let answer = service.send(&bytes).await;
            if !statuses.contains(&answer.status) {
                wrong.push(format!("{shown}\n  → {} {}", answer.status, answer.text()));
            } else if answer.status >= 400 && !from_hyper && !has_envelope(&answer) {
                wrong.push(format!(
                    "{shown}\n  → {} without an envelope: {}",
                    answer.status,
                    answer.text()
                ));
            }
            answers.push((shown, answer.status, answer.text()));
        }
    }
    (answers, wrong)
}

async fn unharmed(service: &Service, wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let listed = service.get("/lab/synths/list").await.with(200).json();
    assert_eq!(listed["pagination"]["total"], 3);
    let groups = service.get("/lab/synth-groups/list").await.with(200).json();
    assert_eq!(groups["data"].as_array().unwrap().len(), 1, "{groups}");
    assert_eq!(groups["data"][0]["name"], json!("Default"));
    assert!(!service.log().contains(" ERROR "), "{}", service.log());
    assert!(!service.log().contains("panicked"), "{}", service.log());
}

#[tokio::test]
async fn nothing_hostile_is_a_server_error_and_both_databases_say_the_same() {
    let (places, database) = ([Place::new(), Place::new()], lab_database().await);
    let [on_file, on_server] = world::serve_on_both(&places, &database).await;

    let ((file, file_wrong), (server, server_wrong)) = tokio::join!(bombard(&on_file), bombard(&on_server));
    unharmed(&on_file, file_wrong).await;
    unharmed(&on_server, server_wrong).await;
    for (file, server) in file.iter().zip(&server) {
        assert_eq!(file, server);
    }
    on_file.stop().await;
    on_server.stop().await;
}

#[tokio::test]
async fn a_nul_in_a_query_lifts_no_filter() {
    let (places, database) = ([Place::new(), Place::new()], lab_database().await);
    let [on_file, on_server] = world::serve_on_both(&places, &database).await;
    for service in [&on_file, &on_server] {
        let listed = service
            .get("/lab/synths/list?synth_group_id=%00")
            .await
            .with(200)
            .json();
        assert_eq!(listed["pagination"]["total"], 0);
        let both = "/lab/synths/list?synth_group_id=grp_00000001";
        assert_eq!(service.get(both).await.with(200).json()["pagination"]["total"], 2);
        let ended = service.get(&format!("{both}%00")).await.with(200).json();
        assert_eq!(ended["pagination"]["total"], 0);
        let simulated = "/lab/simulation/simulations?status=%00x&scorecard_id=%00&scenario_id=%00";
        assert_eq!(service.get(simulated).await.with(200).json()["total"], 0);
        let scored = "/market/accuracy/metrics?model_name=a%00b&checkpoint=%00";
        let filters = &service.get(scored).await.with(200).json()["filters"];
        assert_eq!(
            (&filters["model_name"], &filters["checkpoint"]),
            (&json!("a\0b"), &json!("\0"))
        );
        for wrong in [
            "/market/history?limit=abc%00",
            "/market/history?limit=1%00",
            "/market/accuracy/metrics?start_date=2026-01-01%00",
            "/lab/synths/list?sort_order=asc%00",
        ] {
            service.get(wrong).await.with(422);
        }
    }
    on_file.stop().await;
    on_server.stop().await;
}

/// A row whose key is what a text without characters could be taken for.
const NO_CHARACTER: &str = "
    INSERT INTO synth_groups (id, name, created_at) VALUES ('\u{ffff}', 'n', '2026-01-01T12:00:00+00:00');
    INSERT INTO experiments (id, name, hypothesis, created_at) VALUES ('\u{ffff}', 'n', 'h', '2026-01-01T12:00:00+00:00');
    INSERT INTO synths (id, synth_group_id, nome, created_at) VALUES ('\u{ffff}', '\u{ffff}', 'n', '2026-01-01T12:00:00+00:00');";

#[tokio::test]
async fn a_nul_in_a_path_finds_nobody_and_is_told_as_it_is() {
    let (places, database) = ([Place::new(), Place::new()], lab_database().await);
    let [on_file, on_server] = world::serve_on_both(&places, &database).await;
    world::file(&places[0].path("cutover.db"))
        .execute_batch(NO_CHARACTER)
        .unwrap();
    database
        .connect()
        .await
        .batch_execute(NO_CHARACTER)
        .await
        .unwrap();
    for service in [on_file, on_server] {
        service.get("/lab/experiments/%EF%BF%BF").await.with(200);
        let synth = json!({"error": {"code": "SYNTH_NOT_FOUND", "message": "Synth not found: a\0",
            "details": {"synth_id": "a\0"}}});
        let kind = &service
            .get("/lab/experiments/x/documents/%00")
            .await
            .with(422)
            .json()["detail"][0]["input"];
        assert_eq!(*kind, json!("\0"));
        for (path, told) in [
            (
                "/lab/experiments/%00",
                json!({"detail": "Experiment \0 not found"}),
            ),
            (
                "/lab/synth-groups/%00",
                json!({"detail": "Synth group \0 not found"}),
            ),
            ("/lab/synths/a%00", synth),
        ] {
            assert_eq!(service.get(path).await.with(404).json(), told, "{path}");
        }
        let listed = service.get("/lab/synths/list?synth_group_id=%00").await;
        assert_eq!(listed.with(200).json()["pagination"]["total"], 0);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_nul_in_a_text_is_refused_where_it_cannot_be_kept() {
    let database = lab_database().await;
    let place = Place::new();
    let service = place.serve(&["--postgres", &database.url()]).await;
    for body in [json!({"name": "a\0b"}), json!({"name": "a", "description": "\0"})] {
        let answer = service.post(GROUPS, &body).await.with(422);
        assert!(has_envelope(&answer), "{}", answer.text());
    }
    for body in [
        json!({"name": "a\0b", "hypothesis": "h"}),
        json!({"name": "a", "hypothesis": "\0"}),
        json!({"name": "a", "hypothesis": "h", "scorecard_data": scorecard("\0")}),
    ] {
        let answer = service.post("/lab/experiments", &body).await.with(422);
        assert!(has_envelope(&answer), "{}", answer.text());
    }
    assert!(!service.log().contains(" ERROR "), "{}", service.log());
    service.stop().await;
}

/// A valid scorecard of a feature.
pub(crate) fn scorecard(feature: &str) -> Value {
    let dimension = json!({"score": 0.5, "rules_applied": ["a"], "lower_bound": null, "upper_bound": 1});
    json!({
        "impact_hypotheses": [],
        "feature_name": feature,
        "description_text": "d",
        "complexity": dimension,
        "initial_effort": {"score": 0},
        "perceived_risk": {"score": 1.0},
        "time_to_value": {"score": "0.25"},
    })
}

#[tokio::test]
async fn a_body_that_is_no_text_cannot_be_read() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    for path in [
        GROUPS,
        "/lab/experiments",
        "/market/prediction",
        "/writer/api/conversations",
    ] {
        let headers = "content-type: application/json\r\n";
        let answer = service
            .send(&request("POST", path, headers, b"{\"title\":\"\xff\"}"))
            .await
            .with(400);
        assert_eq!(answer.json()["detail"], "There was an error parsing the body");
    }
    service.stop().await;
}

#[tokio::test]
async fn an_id_that_is_no_short_word_gives_way_to_one_of_ours() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let answered = async |id: &str| {
        let bytes = request("GET", "/healthz", &format!("x-request-id: {id}\r\n"), b"");
        let headers = service.send(&bytes).await.with(200).headers;
        let id = headers
            .lines()
            .find_map(|line| line.strip_prefix("x-request-id: "));
        id.expect("an answer tells the id of its request").to_owned()
    };
    for kept in ["a", "4bf92f35-77b3", &"z".repeat(128)] {
        assert_eq!(answered(kept).await, kept);
    }
    for replaced in ["", "a b", "a\tb", "\u{e9}", &"z".repeat(129), &"z".repeat(60_000)] {
        assert_eq!(answered(replaced).await.len(), 36, "{replaced}");
    }
    assert!(!service.stop().await.contains("zzz"));
}

#[tokio::test]
async fn many_idle_connections_do_not_keep_others_out() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(tokio::net::TcpStream::connect(service.address()).await.unwrap());
    }
    service.get("/readyz").await.with(200);
    service.stop().await;
    drop(idle);
}
