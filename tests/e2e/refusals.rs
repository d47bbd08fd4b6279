//! Requests that are refused or given up: each context says so in its own form.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http::{Answer, request};
use crate::program::{PATIENCE, Place, Service};

/// A path of each context that writes, and a body that it takes.
const WRITES: [(&str, &str); 3] = [
    ("/lab/synth-groups", r#"{"id": "grp_0000abcd", "name": "n"}"#),
    ("/writer/api/conversations", r#"{"title": "t"}"#),
    (
        "/market/log/open",
        r#"{"date": "2024-01-02", "checkpoint": "x", "price": 5}"#,
    ),
];

async fn post_as(service: &Service, path: &str, header: &str, body: &str) -> Answer {
    service
        .send(&request("POST", path, header, body.as_bytes()))
        .await
}

#[tokio::test]
async fn only_what_is_called_json_is_read_as_json() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    for (path, body) in WRITES {
        // What a page of another origin may send without asking first, and what only looks like JSON's name.
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/json",
            "application/jsonx",
            "application/x+json+y",
            "/",
        ] {
            let answer = post_as(&service, path, &format!("content-type: {kind}\r\n"), body).await;
            let refusal = answer.with(422).json();
            let message = "Input should be a valid dictionary or object to extract fields from";
            assert_eq!(
                refusal,
                json!({"detail": [{"type": "model_attributes_type", "loc": ["body"], "msg": message, "input": body}]}),
                "{path} {kind}"
            );
        }
    }
    for (path, body) in WRITES {
        // A page can also send a body that is called nothing; then the browser names its origin.
        let answer = post_as(&service, path, "origin: https://elsewhere\r\n", body).await;
        assert_eq!(
            answer.with(422).json()["detail"][0]["type"],
            "model_attributes_type",
            "{path}"
        );
    }
    service.get("/lab/synth-groups/grp_0000abcd").await.with(404);
    service.get("/market/day/2024-01-02").await.with(404);
    assert_eq!(service.get("/writer/api/conversations").await.json(), json!([]));
    for (path, body) in WRITES {
        for header in [
            "content-type: Application/JSON; charset=utf-8\r\n",
            "content-type: application/vnd.api+json\r\n",
            "content-type: \r\n",
            "",
        ] {
            let answer = post_as(&service, path, header, body).await;
            assert!(
                [200, 201, 409].contains(&answer.status),
                "{path} {header}: {}",
                answer.text()
            );
        }
    }
    // A body that may be left out is no exception.
    let generate = "/lab/experiments/exp_00000000/documents/summary/generate";
    post_as(&service, generate, "content-type: text/plain\r\n", "{}")
        .await
        .with(422);
    service.stop().await;
}

#[tokio::test]
async fn a_mark_before_json_and_blanks_instead_of_it_are_read_as_the_original_does() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    for (path, body) in WRITES {
        let answer = post_as(&service, path, "", &format!("\u{feff}{body}")).await;
        assert!([200, 201].contains(&answer.status), "{path}: {}", answer.text());
        let blank = post_as(&service, path, "", " ").await.with(422).json();
        let mistake = &blank["detail"][0];
        assert_eq!(
            (&mistake["type"], &mistake["loc"]),
            (&json!("json_invalid"), &json!(["body", 1])),
            "{path}"
        );
        let nothing = post_as(&service, path, "", "").await.with(422).json();
        assert_eq!(nothing["detail"][0]["type"], "missing", "{path}");
    }
    service.stop().await;
}

/// What is answered to a request whose body never comes to its end.
async fn given_up(service: &Service, path: &str) -> Value {
    let mut stream = TcpStream::connect(service.address()).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{{");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let count = timeout(PATIENCE, stream.read(&mut answer)).await;
    let count = count.expect("the service gives up").unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn what_takes_too_long_or_is_too_large_is_told_in_the_form_of_its_context() {
    let place = Place::new();
    place.write(
        "cutover.toml",
        "[server]\nrequest_timeout_ms = 500\nbody_limit_bytes = 1024\n",
    );
    let service = place.serve(&[]).await;
    let late = "The request was given up after 500 ms";
    let large = "The body is larger than this service accepts";
    let market = |kind: &str, message: &str| json!({"error": {"message": message, "type": kind, "details": {}}, "detail": message});
    for ((path, _), late, large) in [
        (
            WRITES[0],
            json!({"error": {"code": "TIMEOUT", "message": late}}),
            json!({ "detail": large }),
        ),
        (WRITES[1], json!({ "detail": late }), json!({ "detail": large })),
        (WRITES[2], market("Timeout", late), market("HTTPException", large)),
    ] {
        assert_eq!(given_up(&service, path).await, late, "{path}");
        let answer = post_as(&service, path, "", &"x".repeat(2_000)).await;
        assert_eq!(answer.with(413).json(), large, "{path}");
    }
    service.stop().await;
}

#[tokio::test]
async fn numbers_and_days_are_read_as_the_originals_framework_does() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let offset = service.get("/lab/experiments/list?limit=1.0&offset=1_0").await;
    assert_eq!(offset.with(200).json()["pagination"]["offset"], 10);
    for (path, kind) in [
        (
            "/lab/experiments/list?limit=99999999999999999999",
            "less_than_equal",
        ),
        ("/lab/experiments/list?limit=-0.0", "greater_than_equal"),
        ("/lab/experiments/list?limit=5.5", "int_parsing"),
        (
            "/lab/experiments/nope/analysis/regions?min_failure_rate=2",
            "less_than_equal",
        ),
        ("/market/history?limit=9223372036854775808", "int_parsing_size"),
        ("/market/day/%202026-10-05", "date_from_datetime_parsing"),
        ("/market/day/0000-01-01", "date_parsing"),
        (
            "/market/accuracy/metrics?end_date=1e-400",
            "date_from_datetime_parsing",
        ),
    ] {
        let refusal = service.get(path).await.with(422).json();
        assert_eq!(refusal["detail"][0]["type"], kind, "{path}");
    }
    service.get("/market/history?limit=1.0").await.with(200);
    service
        .get("/market/day/2026-10-05T00:00:00.0000000001")
        .await
        .with(404);
    let prediction = json!({"date": "2024-01-02", "predLow": "1_000.0", "locked": -0.0});
    let made = service
        .post("/market/prediction", &prediction)
        .await
        .with(200)
        .json();
    assert_eq!(
        (&made["predLow"], &made["locked"]),
        (&json!(1000.0), &json!(false))
    );
    service.stop().await;
}

#[tokio::test]
async fn a_path_is_what_its_escapes_stand_for() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    for (method, path, status) in [
        ("GET", "/lab/%65xperiments/list?limit=%31", 200),
        ("GET", "/market/day/2026%2F01", 404),
        ("GET", "/market/day/5%00", 422),
        ("GET", "/lab/experiments/%00/documents", 200),
        ("GET", "/lab/synths/%ff", 404),
        ("GET", "/writer/api/files/%ff", 404),
        ("GET", "/lab/nowhere/", 404),
        ("GET", "/lab//", 404),
        ("OPTIONS", "/lab/nowhere", 404),
        // Nothing is no value of a parameter.
        ("GET", "/lab/experiments//documents", 404),
        ("GET", "/lab/experiments//analysis/outcomes/", 404),
        ("PUT", "/lab/experiments/%2Fscorecard", 404),
        ("GET", "/writer/api//x", 404),
        ("POST", "/market/prediction//lock", 404),
        ("GET", "/market//history", 404),
        ("PUT", "/lab/experiments/x/scorecard/y/", 404),
        // What is kept from others by its spelling has no other one.
        ("GET", "/metrics", 200),
        ("GET", "/%6Detrics", 404),
        ("GET", "/metric%73", 404),
        ("GET", "//metrics", 404),
        ("GET", "/%2Fmetrics", 404),
        ("GET", "/./metrics", 404),
        ("GET", "/%2e/metrics", 404),
        ("GET", "/metrics%2F", 404),
        ("GET", "/lab/../metrics", 404),
        ("GET", "/lab/%2e%2e/metrics", 404),
        ("GET", "/lab%2F%2e%2e%2Fmetrics", 404),
        ("GET", "/%69ntegrity", 404),
        ("GET", "/read%79z", 404),
        ("GET", "/%68ealthz", 404),
        ("GET", "/%64ocs", 404),
        ("GET", "/openapi%2Ejson", 404),
        ("GET", "/%2F", 404),
        ("GET", "/ops/jobs", 403),
        ("GET", "/%6Fps/jobs", 404),
        ("GET", "/ops%2Fjobs", 404),
        ("GET", "/ops/job%73", 403),
    ] {
        service.ask(method, path, None).await.with(status);
    }
    let unknown = service
        .get("/writer/api/conversations/%ff")
        .await
        .with(422)
        .json();
    assert_eq!(unknown, json!({"detail": "Invalid UUID format"}));
    for (method, path, target) in [
        (
            "GET",
            "/lab/experiments/list/?limit=1",
            "/lab/experiments/list?limit=1",
        ),
        ("POST", "/lab/experiments/", "/lab/experiments"),
        ("GET", "/lab/experiments/%2F", "/lab/experiments"),
        ("OPTIONS", "/lab/synths/list///", "/lab/synths/list"),
        ("GET", "/writer/api/files/x//", "/writer/api/files/x"),
        ("DELETE", "/lab/synth-groups/grp%31/", "/lab/synth-groups/grp1"),
        ("GET", "/writer/api/conversations/", "/writer/api/conversations"),
    ] {
        let answer = service.ask(method, path, None).await.with(307);
        let location = format!("location: {target}");
        assert!(
            answer.headers.lines().any(|line| line == location),
            "{}",
            answer.headers
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn mistakes_are_told_in_the_order_of_the_fields_and_one_for_each() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let kinds = |refusal: &Value| -> Vec<String> {
        let mistakes = refusal["detail"].as_array().unwrap().iter();
        mistakes
            .map(|mistake| {
                format!(
                    "{} {}",
                    mistake["loc"][1].as_str().unwrap(),
                    mistake["type"].as_str().unwrap()
                )
            })
            .collect()
    };
    let wrong = json!({"date": "2024-01-02", "predLow": "x", "locked": "x", "open": "y", "bias": 5});
    let refusal = service.post("/market/prediction", &wrong).await.with(422).json();
    assert_eq!(
        kinds(&refusal),
        [
            "predLow float_parsing",
            "locked bool_parsing",
            "bias string_type",
            "open float_parsing"
        ]
    );
    for (path, body, expected) in [
        (
            "/lab/simulation/simulations/compare",
            json!({"simulation_ids": [null]}),
            "simulation_ids string_type",
        ),
        (
            "/lab/simulation/simulations/compare",
            json!({"simulation_ids": ["a"]}),
            "simulation_ids too_short",
        ),
        (
            "/lab/synth-groups",
            json!({"id": "grp_\u{0}", "name": "n"}),
            "id string_pattern_mismatch",
        ),
        (
            "/lab/explorations",
            json!({"experiment_id": "exp_\u{0}", "goal_value": 1}),
            "experiment_id string_pattern_mismatch",
        ),
    ] {
        let refusal = service.post(path, &body).await.with(422).json();
        assert_eq!(kinds(&refusal), [expected], "{body}");
    }
    // The path and the query come before the body, which is told of together with them.
    let none = json!({"type": "missing", "loc": ["body"], "msg": "Field required", "input": null});
    for (path, loc, kind) in [
        (
            "/market/capture/x",
            json!(["path", "date"]),
            "date_from_datetime_parsing",
        ),
        (
            "/market/prediction/x",
            json!(["path", "date"]),
            "date_from_datetime_parsing",
        ),
        (
            "/lab/synths/search?limit=0",
            json!(["query", "limit"]),
            "greater_than_equal",
        ),
    ] {
        let refusal = service.ask("POST", path, None).await.with(422).json();
        let mistakes = refusal["detail"].as_array().unwrap();
        assert_eq!(
            (&mistakes[0]["loc"], &mistakes[0]["type"]),
            (&loc, &json!(kind)),
            "{path}"
        );
        assert_eq!(mistakes[1..], *std::slice::from_ref(&none), "{path}");
    }
    for path in [
        "/market/capture/2026-01-02",
        "/lab/synths/search",
        "/lab/synth-groups",
    ] {
        let refusal = service.ask("POST", path, None).await.with(422).json();
        assert_eq!(refusal, json!({"detail": [none]}), "{path}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_float_is_spelled_as_in_python() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let refusal = post_as(&service, "/writer/api/conversations", "", r#"{"title":1e1}"#).await;
    assert!(refusal.text().contains(r#""input":10.0"#), "{}", refusal.text());
    let small = r#"{"date":"2024-01-02","preMarket":1e-7,"open":0.00001}"#;
    let day = post_as(&service, "/market/prediction", "", small).await.with(200);
    assert!(day.text().contains(r#""preMarket":1e-07"#), "{}", day.text());
    assert!(day.text().contains(r#""open":1e-05"#), "{}", day.text());
    service.stop().await;
}

#[tokio::test]
async fn browsers_are_told_what_pages_of_other_origins_may_do() {
    let place = Place::new();
    place.write(
        "cutover.toml",
        "[market]\nfrontend_origin = \"https://a\"\njobs_enabled = false\n",
    );
    let service = place.serve(&[]).await;
    let told = async |method: &str, path: &str, headers: &str, status: u16| {
        let answer = service
            .send(&request(method, path, headers, b""))
            .await
            .with(status);
        let is_told = |line: &&str| line.starts_with("access-control-") || line.starts_with("vary: ");
        let mut lines: Vec<String> = answer
            .headers
            .lines()
            .filter(is_told)
            .map(str::to_owned)
            .collect();
        lines.sort();
        (lines, answer.text())
    };
    let credentials = "access-control-allow-credentials: true";
    let origin = "access-control-allow-origin: https://a";
    let lab = "/lab/experiments/list";
    for (path, headers, expected) in [
        (lab, "", vec![]),
        (
            lab,
            "origin: https://a\r\n",
            vec![credentials, "access-control-allow-origin: *"],
        ),
        (
            lab,
            "origin: https://a\r\ncookie: b=c\r\n",
            vec![credentials, origin, "vary: origin"],
        ),
        (
            "/lab/",
            "origin: https://a\r\n",
            vec![credentials, "access-control-allow-origin: *"],
        ),
        (
            "/market/history",
            "origin: https://a\r\n",
            vec![credentials, origin, "vary: origin"],
        ),
        ("/market/history", "origin: https://b\r\n", vec![credentials]),
    ] {
        let (lines, _) = told("GET", path, headers, 200).await;
        assert_eq!(lines, expected, "{path} {headers}");
    }
    // Mistakes are told to pages, and refusals of what no route has seen.
    for (path, headers, status) in [
        ("/lab/synths/nobody", "origin: https://a\r\n", 404),
        (lab, "origin: https://a\r\nhost: another\r\n", 400),
        (
            lab,
            "origin: https://a\r\ntransfer-encoding: gzip, chunked\r\n",
            501,
        ),
    ] {
        let (lines, _) = told("GET", path, headers, status).await;
        assert_eq!(
            lines,
            [credentials, "access-control-allow-origin: *"],
            "{headers}"
        );
    }
    let (lines, _) = told("GET", "/writer/api/files/x", "origin: https://a\r\n", 404).await;
    assert_eq!(lines, Vec::<String>::new());

    let asked = |origin: &str, method: &str| {
        format!(
            "origin: https://{origin}\r\naccess-control-request-method: {method}\r\naccess-control-request-headers: x-a, x-b\r\n"
        )
    };
    let methods = "access-control-allow-methods: delete, get, head, options, patch, post, put";
    let rest = [methods, "access-control-max-age: 600"];
    let headers = "access-control-allow-headers: x-a, x-b";
    let full = [credentials, headers, rest[0], origin, rest[1], "vary: origin"];
    let (lines, text) = told("OPTIONS", lab, &asked("a", "PUT"), 200).await;
    assert_eq!((lines, text.as_str()), (full.map(str::to_owned).to_vec(), "OK"));
    // Also where there is nothing.
    told("OPTIONS", "/lab/nowhere", &asked("a", "GET"), 200).await;
    let (lines, text) = told("OPTIONS", lab, &asked("a", "BREW"), 400).await;
    assert_eq!(lines, full);
    assert_eq!(text, "Disallowed CORS method");
    let (lines, text) = told("OPTIONS", "/market/history", &asked("b", "BREW"), 400).await;
    assert_eq!(lines, [credentials, headers, rest[0], rest[1], "vary: origin"]);
    assert_eq!(text, "Disallowed CORS origin, method");
    // Other questions about options are not answered.
    for (path, headers) in [
        (lab, "origin: https://a\r\n"),
        (lab, "access-control-request-method: GET\r\n"),
        ("/market/history", ""),
    ] {
        let (_, text) = told("OPTIONS", path, headers, 405).await;
        assert_eq!(text, r#"{"detail":"Method Not Allowed"}"#, "{path}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_head_that_is_odd_and_a_body_that_breaks_off_are_told_in_our_words() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let host = "A request must name its host once";
    let coding = "No transfer coding but chunked is understood";
    let broken = "There was an error parsing the body";
    for (headers, body, status, text) in [
        ("", "", 400, host),
        ("host: a\r\nhost: a\r\n", "", 400, host),
        (
            "host: a\r\ntransfer-encoding: gzip, chunked\r\n",
            "0\r\n\r\n",
            501,
            coding,
        ),
        (
            "host: a\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
            "0\r\n\r\n",
            501,
            coding,
        ),
        ("host: a\r\ntransfer-encoding: chunked\r\n", "zz\r\n", 400, broken),
        (
            "host: a\r\ncontent-type: application/json\r\ntransfer-encoding: Chunked\r\n",
            "2\r\n{}x",
            400,
            broken,
        ),
    ] {
        for (path, _) in WRITES {
            let request = format!("POST {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n{body}");
            let answer = service.send(request.as_bytes()).await.with(status);
            assert_eq!(answer.json()["detail"], text, "{headers}");
        }
    }
    service.send(b"GET /healthz HTTP/1.0\r\n\r\n").await.with(200);
    service.stop().await;
}
