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
