//! The writer's interface, as the original's own suite asks for it, on both databases.

use std::time::{Duration, Instant};

use cutover_tests::store::lab_database;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::http::{Answer, request};
use crate::program::{Place, Service};
use crate::world;

const CONVERSATIONS: &str = "/writer/api/conversations";
const UPLOAD: &str = "/writer/api/files/upload";
const UNKNOWN: &str = "00000000-0000-4000-8000-00000000ffff";

/// Runs a test on SQLite, then on PostgreSQL, each time in a fresh place.
async fn on_both(test: impl AsyncFn(&Place, &Service)) {
    let place = Place::new();
    let service = place.serve(&[]).await;
    test(&place, &service).await;
    service.stop().await;
    let (place, database) = (Place::new(), lab_database().await);
    let service = place.serve(&["--postgres", &database.url()]).await;
    test(&place, &service).await;
    service.stop().await;
}

/// One part of a form, its headers as they are given.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (headers, content) in parts {
        body.extend_from_slice(format!("--edge\r\n{headers}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    body
}

async fn send_form(service: &Service, path: &str, parts: &[(&str, &[u8])]) -> Answer {
    let kind = "content-type: multipart/form-data; boundary=edge\r\n";
    service.send(&request("POST", path, kind, &form(parts))).await
}

async fn send_file(service: &Service, path: &str, name: &str, kind: &str, content: &[u8]) -> Answer {
    let headers =
        format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {kind}");
    send_form(service, path, &[(&headers, content)]).await
}

async fn make(service: &Service, title: &str) -> Value {
    let body = json!({ "title": title });
    service.post(CONVERSATIONS, &body).await.with(201).json()
}

#[track_caller]
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[track_caller]
fn assert_detail(answer: &Answer, text: &str) {
    assert!(
        answer.headers.contains("content-type: application/json"),
        "{}",
        answer.headers
    );
    assert_eq!(answer.json(), json!({ "detail": text }));
}

/// Microseconds since 1970 of a time without a zone.
#[track_caller]
fn micros(time: &Value) -> i64 {
    use cutover_domain::time::{LegacyZone, Timestamp};
    let text = time.as_str().unwrap();
    assert!(!text.ends_with('Z') && text.contains('T'), "{text}");
    Timestamp::parse(text, &LegacyZone::utc()).unwrap().as_micros()
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_micros()).unwrap()
}

/// The files in the folder of the uploads.
fn uploaded(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.path("uploads")).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn health_and_about_are_the_originals() {
    on_both(async |_, service| {
        assert_eq!(
            service.get("/writer/health").await.with(200).text(),
            r#"{"status":"healthy"}"#
        );
        for path in ["/writer", "/writer/"] {
            let about = service.get(path).await.with(200);
            assert_eq!(about.text(), r#"{"message":"Silmari Writer API"}"#);
            let wrong = service.ask("POST", path, None).await.with(405);
            assert_detail(&wrong, "Method Not Allowed");
        }
        let about = service.get("/lab/").await.with(200);
        assert_eq!(about.body, service.get("/lab").await.with(200).body);
        assert_detail(&service.get("/writer/nothing").await.with(404), "Not Found");
        let wrong = service.ask("PATCH", CONVERSATIONS, None).await.with(405);
        assert_detail(&wrong, "Method Not Allowed");
        assert!(wrong.headers.contains("allow: "), "{}", wrong.headers);
        let moved = service.get("/writer/api/conversations/?a=1").await.with(307);
        assert!(
            moved.headers.contains("location: /writer/api/conversations?a=1"),
            "{}",
            moved.headers
        );
        service.get("/writer/api/nothing/").await.with(404);
        service.get("/writer/api//conversations").await.with(404);
        for path in ["/writer/docs", "/writer/redoc", "/writer/openapi.json"] {
            service.get(path).await.with(307);
        }
    })
    .await;
}

#[tokio::test]
async fn a_conversation_lives_from_post_to_delete() {
    on_both(async |_, service| {
        let empty = service.get(CONVERSATIONS).await.with(200);
        assert_eq!(empty.text(), "[]");
        assert!(empty.headers.contains("content-type: application/json"));
        let before = now();
        let made = make(service, "Título 😀").await;
        let after = now();
        assert_eq!(
            keys(&made),
            ["id", "title", "created_at", "updated_at", "messages"]
        );
        let id = made["id"].as_str().unwrap();
        assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
        assert_eq!(
            (&made["title"], &made["messages"]),
            (&json!("Título 😀"), &json!([]))
        );
        for key in ["created_at", "updated_at"] {
            let time = micros(&made[key]);
            assert!(before <= time && time <= after, "{before} {} {after}", made[key]);
        }
        let path = format!("{CONVERSATIONS}/{id}");
        assert_eq!(service.get(&path).await.with(200).json(), made);
        let second = make(service, " ").await;

        sleep(Duration::from_millis(10)).await;
        let renamed = service
            .ask("PUT", &path, Some(r#"{"title": "new"}"#))
            .await
            .with(200)
            .json();
        assert_eq!(renamed["title"], "new");
        assert_eq!(renamed["created_at"], made["created_at"]);
        assert!(micros(&renamed["updated_at"]) > micros(&made["updated_at"]));
        for kept in [
            r#"{"title": null}"#,
            "{}",
            r#"{"messages": [{"role": "nobody"}], "id": "x"}"#,
        ] {
            let touched = service.ask("PUT", &path, Some(kept)).await.with(200).json();
            assert_eq!(touched["title"], "new", "{kept}");
            assert!(
                micros(&touched["updated_at"]) > micros(&renamed["updated_at"]),
                "{kept}"
            );
        }

        // A change moves nothing.
        let list = service.get(CONVERSATIONS).await.with(200).json();
        assert_eq!(
            keys(&list[0]),
            ["id", "title", "created_at", "updated_at", "message_count"]
        );
        assert_eq!((&list[0]["id"], &list[0]["title"]), (&made["id"], &json!("new")));
        assert_eq!(
            (&list[1]["id"], &list[1]["message_count"]),
            (&second["id"], &json!(0))
        );

        let gone = service.ask("DELETE", &path, None).await.with(204);
        assert!(
            gone.body.is_empty() && !gone.headers.contains("content-type"),
            "{}",
            gone.headers
        );
        for method in ["GET", "DELETE"] {
            assert_detail(
                &service.ask(method, &path, None).await.with(404),
                "Resource not found",
            );
        }
        assert_eq!(
            service.get(CONVERSATIONS).await.json().as_array().unwrap().len(),
            1
        );
    })
    .await;
}

#[tokio::test]
async fn requests_are_checked_in_the_originals_order() {
    on_both(async |_, service| {
        let made = make(service, "t").await;
        let path = format!("{CONVERSATIONS}/{}", made["id"].as_str().unwrap());
        let unknown = format!("{CONVERSATIONS}/{UNKNOWN}");
        let bad = format!("{CONVERSATIONS}/not-a-uuid");
        let put = async |path: &str, body: &str| service.ask("PUT", path, Some(body)).await;

        assert_detail(
            &service.post(CONVERSATIONS, &json!({"title": ""})).await.with(400),
            "Title cannot be empty",
        );
        assert_detail(
            &put(&path, r#"{"title": ""}"#).await.with(400),
            "Title cannot be empty",
        );
        assert_detail(
            &put(&unknown, r#"{"title": ""}"#).await.with(404),
            "Resource not found",
        );
        assert_detail(
            &put(&unknown, r#"{"title": "x"}"#).await.with(404),
            "Resource not found",
        );
        assert_detail(
            &put(&bad, r#"{"title": ""}"#).await.with(422),
            "Invalid UUID format",
        );
        for method in ["GET", "DELETE"] {
            assert_detail(
                &service.ask(method, &bad, None).await.with(422),
                "Invalid UUID format",
            );
            assert_detail(
                &service.ask(method, &unknown, None).await.with(404),
                "Resource not found",
            );
        }
        // Other spellings of a UUID are UUIDs, and nobody's.
        let upper = made["id"].as_str().unwrap().to_uppercase();
        let braced = format!("%7B{}%7D", made["id"].as_str().unwrap());
        let signed = "+1234567-89ab-cdef-0123-456789abcd_f".to_owned();
        let blank = "0x000000-0000-4000-8000-00000000000%C2%A0".to_owned();
        let arabic = "%D9%A3".repeat(32);
        for other in [upper, braced, "f".repeat(32), signed, blank, arabic] {
            service.get(&format!("{CONVERSATIONS}/{other}")).await.with(404);
        }

        for (path, body, kind, at, input) in [
            (
                CONVERSATIONS,
                "{}",
                "missing",
                json!(["body", "title"]),
                json!({}),
            ),
            (
                CONVERSATIONS,
                r#"{"title": null}"#,
                "string_type",
                json!(["body", "title"]),
                json!(null),
            ),
            (
                CONVERSATIONS,
                r#"{"title": 5}"#,
                "string_type",
                json!(["body", "title"]),
                json!(5),
            ),
            (CONVERSATIONS, "", "missing", json!(["body"]), json!(null)),
            (
                CONVERSATIONS,
                "[]",
                "model_attributes_type",
                json!(["body"]),
                json!([]),
            ),
            (
                CONVERSATIONS,
                "null",
                "model_attributes_type",
                json!(["body"]),
                json!(null),
            ),
            (
                bad.as_str(),
                r#"{"title": 5}"#,
                "string_type",
                json!(["body", "title"]),
                json!(5),
            ),
        ] {
            let method = if path == CONVERSATIONS { "POST" } else { "PUT" };
            let answer = service.ask(method, path, Some(body)).await.with(422).json();
            let mistake = &answer["detail"][0];
            assert_eq!(mistake["type"], kind, "{body}: {answer}");
            assert_eq!((&mistake["loc"], &mistake["input"]), (&at, &input), "{body}");
            assert!(mistake["msg"].is_string());
        }
        let broken = service
            .ask("POST", CONVERSATIONS, Some("{\"title\": "))
            .await
            .with(422)
            .json();
        assert_eq!(broken["detail"][0]["type"], "json_invalid");
        assert!(broken["detail"][0]["ctx"]["error"].is_string());
        service.ask("PUT", &path, Some("")).await.with(422);
        let text = request(
            "POST",
            CONVERSATIONS,
            "content-type: text/plain\r\n",
            br#"{"title": "t"}"#,
        );
        let answer = service.send(&text).await.with(422).json();
        assert_eq!(answer["detail"][0]["type"], "model_attributes_type");
        let api = request(
            "POST",
            CONVERSATIONS,
            "content-type: application/x+json\r\n",
            br#"{"title": "t"}"#,
        );
        service.send(&api).await.with(201);
        let latin = request(
            "POST",
            CONVERSATIONS,
            "content-type: application/json\r\n",
            b"{\"title\": \"\xe9\"}",
        );
        assert!(service.send(&latin).await.with(400).json()["detail"].is_string());
        let nul = service
            .ask("POST", CONVERSATIONS, Some(r#"{"title": "a\u0000b"}"#))
            .await
            .with(422)
            .json();
        assert_eq!(nul["detail"][0]["type"], "value_error");
    })
    .await;
}

#[tokio::test]
async fn messages_are_shown_in_their_order() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let made = make(&service, "t").await;
    let id = made["id"].as_str().unwrap();
    let sql = format!(
        "INSERT INTO messages (id, conversation_id, role, content, created_at, attachments, position) VALUES
            ('m2', '{id}', 'user', 'Hello', '2026-01-01 12:00:00.000001', '[\"id1\", \"file-id-1\"]', 1),
            ('m1', '{id}', 'assistant', '', '2026-01-01 11:00:00', NULL, 2)"
    );
    world::file(&place.path("cutover.db"))
        .execute_batch(&sql)
        .unwrap();
    let shown = service
        .get(&format!("{CONVERSATIONS}/{id}"))
        .await
        .with(200)
        .json();
    assert_eq!(
        shown["messages"].to_string(),
        r#"[{"id":"m2","role":"user","content":"Hello","created_at":"2026-01-01T12:00:00.000001","attachments":["id1","file-id-1"]},{"id":"m1","role":"assistant","content":"","created_at":"2026-01-01T11:00:00","attachments":[]}]"#
    );
    assert_eq!(service.get(CONVERSATIONS).await.json()[0]["message_count"], 2);
    service.stop().await;
}

#[tokio::test]
async fn uploads_are_stored_and_told_again() {
    on_both(async |place, service| {
        let content = b"Test content 16B";
        let made = send_file(service, UPLOAD, "notes é.txt", "text/plain", content)
            .await
            .with(201);
        assert!(made.headers.contains("content-type: application/json"));
        let made = made.json();
        assert_eq!(keys(&made), ["id", "filename", "content_type", "size"]);
        assert_eq!(
            (&made["filename"], &made["content_type"], &made["size"]),
            (&json!("notes é.txt"), &json!("text/plain"), &json!(16))
        );
        let id = made["id"].as_str().unwrap().to_owned();
        assert_eq!(
            std::fs::read(place.path(format!("uploads/{id}"))).unwrap(),
            content
        );
        for _ in 0..2 {
            assert_eq!(
                service
                    .get(&format!("/writer/api/files/{id}"))
                    .await
                    .with(200)
                    .json(),
                made
            );
        }
        for kind in [
            "audio/webm",
            "audio/mpeg",
            "audio/mp3",
            "audio/wav",
            "audio/ogg",
            "audio/flac",
            "application/json",
            "application/pdf",
        ] {
            let answer = send_file(service, UPLOAD, "a", kind, b"x").await.with(201).json();
            assert_eq!(answer["content_type"], kind);
        }
        // A name that is not UTF-8 is still one.
        let mut latin1 =
            b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"caf\xe9.txt\"\r\n".to_vec();
        latin1.extend_from_slice(b"Content-Type: text/plain\r\n\r\nx\r\n--edge--\r\n");
        let kind = "content-type: multipart/form-data; boundary=edge\r\n";
        let made = service
            .send(&request("POST", UPLOAD, kind, &latin1))
            .await
            .with(201)
            .json();
        assert_eq!(made["filename"], "caf\u{e9}.txt");
        // The folder may go while the service runs.
        std::fs::remove_dir_all(place.path("uploads")).unwrap();
        let again = send_file(service, UPLOAD, "", "text/plain", b"again")
            .await
            .with(201)
            .json();
        assert_eq!(again["filename"], "unknown");
        assert_eq!(uploaded(place), [again["id"].as_str().unwrap()]);
        for unknown in [UNKNOWN, "upload", "%00", "..", "%2e%2e", "%ff", "a%27--"] {
            let answer = service
                .get(&format!("/writer/api/files/{unknown}"))
                .await
                .with(404);
            assert_detail(&answer, "Resource not found");
        }
        // An escaped slash is one.
        let answer = service
            .get("/writer/api/files/..%2f..%2fcutover.db")
            .await
            .with(404);
        assert_detail(&answer, "Not Found");
    })
    .await;
}

#[tokio::test]
async fn uploads_that_are_refused_leave_nothing() {
    on_both(async |place, service| {
        let disposition = "Content-Disposition: form-data; name=\"file\"; filename=\"virus.txt\"";
        let allowed = "application/json, application/pdf, audio/flac, audio/mp3, audio/mpeg, audio/ogg, audio/wav, \
             audio/webm, text/plain";
        for kind in ["text/plain", "application/x-msdownload"] {
            let empty = send_file(service, UPLOAD, "a.txt", kind, b"").await.with(400);
            assert_detail(&empty, "Empty file not allowed");
        }
        for kind in [
            "application/x-msdownload",
            "text/plain; charset=utf-8",
            "Text/Plain",
            "audio/webm;codecs=opus",
        ] {
            let answer = send_file(service, UPLOAD, "a.txt", kind, b"x").await.with(400);
            assert_detail(&answer, &format!("Invalid content type: {kind}. Allowed types: {allowed}"));
        }
        let answer = send_form(service, UPLOAD, &[(disposition, b"x")]).await.with(400);
        let text = format!("Invalid content type: application/octet-stream. Allowed types: {allowed}");
        assert_detail(&answer, &text);

        let other = "Content-Disposition: form-data; name=\"other\"; filename=\"a\"\r\nContent-Type: text/plain";
        let none = send_form(service, UPLOAD, &[(other, b"x")]).await.with(422).json();
        assert_eq!(none["detail"][0]["type"], "missing");
        assert_eq!(none["detail"][0]["loc"], json!(["body", "file"]));
        let text = "Content-Disposition: form-data; name=\"file\"";
        let text = send_form(service, UPLOAD, &[(text, b"x")]).await.with(422).json();
        assert_eq!(text["detail"][0]["type"], "value_error");
        service.ask("POST", UPLOAD, None).await.with(422);
        service.post(UPLOAD, &json!({"file": "x"})).await.with(422);
        let edge = "content-type: multipart/form-data; boundary=edge\r\n";
        let nobody = "Content-Disposition: form-data; name=\"file\"; filename=\"\"\r\nContent-Type: application/octet-stream";
        let missing = json!({"detail": [{"type": "missing", "loc": ["body", "file"], "msg": "Field required", "input": null}]});
        assert_eq!(send_form(service, UPLOAD, &[(nobody, b"")]).await.with(422).json(), missing);
        let chosen = "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain";
        let last = send_form(service, UPLOAD, &[(chosen, b"hello"), (nobody, b"")]).await.with(422);
        assert_eq!(last.json(), missing, "the last one counts, and nobody chose it");
        // A body that ends too early: what was not whole is not there.
        let begun = b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: text/plain\r\n\r\ncut";
        let text = b"--edge\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\ncut";
        let between = b"--edge\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--edge\r\nContent-Dis";
        for cut in [&begun[..], text, between] {
            let answer = service.send(&request("POST", UPLOAD, edge, cut)).await.with(422);
            assert_eq!(answer.json(), missing, "{}", String::from_utf8_lossy(cut));
        }
        // As many parts as the original takes, and one more; and a text that is too long.
        let file = "Content-Disposition: form-data; name=\"other\"; filename=\"a\"\r\nContent-Type: text/plain";
        let field = "Content-Disposition: form-data; name=\"other\"";
        let (many, long) = (vec![b'x'; 1_048_576], vec![b'x'; 1_048_577]);
        for (part, content, count, told) in [
            (file, &b"x"[..], 1_000, None),
            (file, b"x", 1_001, Some("Too many files. Maximum number of files is 1000.")),
            (field, b"x", 1_000, None),
            (field, b"x", 1_001, Some("Too many fields. Maximum number of fields is 1000.")),
            (field, &many, 1, None),
            (field, &long, 1, Some("Part exceeded maximum size of 1024KB.")),
        ] {
            let answer = send_form(service, UPLOAD, &vec![(part, content); count]).await;
            match told {
                Some(text) => assert_detail(&answer.with(400), text),
                None => assert_eq!(answer.with(422).json(), missing, "{count} {part}"),
            }
        }
        for (kind, body, detail) in [
            ("", &b"--edge\r\n"[..], "Missing boundary in multipart."),
            (
                "; boundary=edge",
                b"--edge\r\nContent-Disposition: form-data\r\n\r\nx\r\n--edge--\r\n",
                "The Content-Disposition header field \"name\" must be provided.",
            ),
        ] {
            let kind = format!("content-type: multipart/form-data{kind}\r\n");
            let answer = service.send(&request("POST", UPLOAD, &kind, body)).await.with(400);
            assert_detail(&answer, detail);
        }
        let nothing = request("POST", UPLOAD, "content-type: multipart/form-data; boundary=edge\r\n", b"");
        let nothing = service.send(&nothing).await.with(422).json();
        assert_eq!(nothing["detail"][0]["type"], "missing");
        assert_eq!(uploaded(place), [""; 0]);
        let report = service.get("/writer/integrity").await.with(200).json();
        assert_eq!((&report["ok"], &report["files"]), (&json!(true), &json!(0)));

        // Of two files the last one counts.
        let named = |name| {
            format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/plain")
        };
        let (first, last) = (named("first"), named("../../last"));
        let parts: [(&str, &[u8]); 2] = [(&first, b"first"), (&last, b"the last")];
        let made = send_form(service, UPLOAD, &parts).await.with(201).json();
        assert_eq!((&made["filename"], &made["size"]), (&json!("../../last"), &json!(8)));
        let id = made["id"].as_str().unwrap();
        assert_eq!(std::fs::read(place.path(format!("uploads/{id}"))).unwrap(), b"the last");
        assert_eq!(uploaded(place), [id]);
    })
    .await;
}

#[tokio::test]
async fn an_upload_has_a_limit_and_so_has_its_frame() {
    let place = Place::new();
    place.write(
        "cutover.toml",
        "[writer]\nupload_limit_bytes = 100000\nuploads = \"here/and there\"\n",
    );
    let service = place.serve(&[]).await;
    let made = send_file(&service, UPLOAD, "a", "text/plain", &vec![b'x'; 100_000])
        .await
        .with(201)
        .json();
    assert!(
        place
            .path("here/and there")
            .join(made["id"].as_str().unwrap())
            .exists()
    );
    let refused = send_file(&service, UPLOAD, "a", "text/plain", &vec![b'x'; 100_001])
        .await
        .with(413);
    assert!(refused.json()["detail"].is_string());
    // Nothing but the beginning of a part's headers: all of it would have to be kept.
    let mut endless = b"--edge\r\nContent-Disposition: form-data; name=\"".to_vec();
    endless.resize(1_500_000, b'x');
    let kind = "content-type: multipart/form-data; boundary=edge\r\n";
    let answer = service.send(&request("POST", UPLOAD, kind, &endless)).await;
    assert!(matches!(answer.status, 400 | 413), "{answer:?}");
    assert_eq!(
        std::fs::read_dir(place.path("here/and there")).unwrap().count(),
        1
    );
    // JSON bodies have the limit of all others.
    let long = json!({"title": "x".repeat(11_000_000)}).to_string();
    service.ask("POST", CONVERSATIONS, Some(&long)).await.with(413);
    service.stop().await;
}

/// A form with one file, sent as it is.
async fn send_raw(service: &Service, kind: &str, body: &[u8]) -> Answer {
    let kind = format!("content-type: {kind}\r\n");
    service.send(&request("POST", UPLOAD, &kind, body)).await
}

const FILE: &str =
    "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: text/plain\r\n";

#[tokio::test]
async fn a_file_ends_at_its_boundary_and_nowhere_else() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let edge = "multipart/form-data; boundary=edge";
    for content in [
        "hello\r\n--edged line\r\nmore",
        "hello\r\n--edge-\r\nmore",
        "hello\r\n--edge\rmore\r\n--edg",
    ] {
        let body = format!("{FILE}\r\n{content}\r\n--edge--\r\nwhat follows");
        let made = send_raw(&service, edge, body.as_bytes()).await.with(201).json();
        let stored = std::fs::read(place.path("uploads").join(made["id"].as_str().unwrap()));
        assert_eq!(String::from_utf8(stored.unwrap()).unwrap(), content);
    }
    // A whole file counts where the one behind it was cut.
    let body = format!("{FILE}\r\nwhole\r\n{FILE}\r\ncut");
    let made = send_raw(&service, edge, body.as_bytes()).await.with(201).json();
    let stored = std::fs::read(place.path("uploads").join(made["id"].as_str().unwrap()));
    assert_eq!(stored.unwrap(), b"whole");
    let kept = uploaded(&place).len();
    assert_eq!(kept, 4);
    // Where nothing follows the boundary the body was cut.
    for end in ["", "-", "\r", " ", " \r"] {
        let body = format!("{FILE}\r\nhello\r\n--edge{end}");
        let cut = send_raw(&service, edge, body.as_bytes()).await.with(422).json();
        assert_eq!(cut["detail"][0]["type"], "missing", "{end:?}");
    }
    let long = "x".repeat(100_000);
    for body in [
        format!("before\r\n{FILE}\r\nx\r\n--edge--"),
        format!("--edg\r\n{FILE}\r\nx\r\n--edge--"),
        format!("{FILE}\r\nx\r\n--edge x\r\n--edge--"),
        format!("{FILE}\nno header\r\n\r\nx\r\n--edge--"),
        format!("{FILE}Name: {long}\r\n\r\nx\r\n--edge--"),
    ] {
        let answer = send_raw(&service, edge, body.as_bytes()).await.with(400);
        assert_detail(&answer, "Invalid multipart data.");
    }
    let boundary = "x".repeat(257);
    let answer = send_raw(
        &service,
        &format!("multipart/form-data; boundary={boundary}"),
        b"",
    )
    .await;
    assert_detail(&answer.with(400), "Invalid multipart data.");
    assert_eq!(uploaded(&place).len(), kept);
    service.stop().await;
}

#[tokio::test]
async fn forms_are_called_many_things() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let body = format!("{FILE}\r\nhello\r\n--edge--");
    for kind in [
        "multipart/form-data ; boundary=edge",
        "multipart/form-data;\tboundary=edge",
        "multipart/form-data; boundary= edge",
        "multipart/form-data; boundary =edge",
        "multipart/form-data;; boundary=edge",
        "multipart/form-data; foo; boundary=edge",
        "Multipart/Form-Data; Boundary=\"edge\"; charset=utf-8",
        "multipart/form-data; boundary=other; boundary=edge",
    ] {
        let made = send_raw(&service, kind, body.as_bytes()).await.with(201).json();
        assert_eq!(made["size"], 5, "{kind}");
    }
    let kept = uploaded(&place).len();
    for kind in [
        "multipart/form-data, boundary=edge",
        "multipart/form-data=; boundary=edge",
        "multipart/form-datax; boundary=edge",
        "text/plain",
    ] {
        let refused = send_raw(&service, kind, body.as_bytes()).await.with(422).json();
        assert_eq!(refused["detail"][0]["type"], "missing", "{kind}");
    }
    let refused = send_raw(&service, "multipart/form-data", b"").await.with(400);
    assert_detail(&refused, "Missing boundary in multipart.");
    send_raw(&service, "multipart/form-data; boundary", b"")
        .await
        .with(422);
    let urlencoded = "application/x-www-form-urlencoded";
    for (form, input) in [
        (&b"file=abc"[..], Some("abc")),
        (b"a=1&file=%C3%A9+", Some("é ")),
        (b"file=", None),
        (b"", None),
    ] {
        let refused = send_raw(&service, urlencoded, form).await.with(422).json();
        assert_eq!(refused["detail"][0]["input"], json!(input));
        let kind = if input.is_some() { "value_error" } else { "missing" };
        assert_eq!(refused["detail"][0]["type"], kind);
    }
    for (text, input) in [
        (&b""[..], json!(null)),
        (b"caf\xe9", json!("café")),
        ("é".as_bytes(), json!("é")),
    ] {
        let refused = send_form(
            &service,
            UPLOAD,
            &[("Content-Disposition: form-data; name=\"file\"", text)],
        )
        .await;
        assert_eq!(refused.with(422).json()["detail"][0]["input"], input);
    }
    let long = "é".repeat(10_000);
    let refused = send_form(
        &service,
        UPLOAD,
        &[("Content-Disposition: form-data; name=\"file\"", long.as_bytes())],
    )
    .await;
    assert_eq!(
        refused.with(422).json()["detail"][0]["input"],
        "(too large to repeat)"
    );
    assert_eq!(uploaded(&place).len(), kept);
    service.stop().await;
}

#[tokio::test]
async fn the_headers_of_a_part_are_read_as_the_original_does() {
    on_both(async |place, service| {
        for name in ["a\u{1}b", "a\nb\u{7f}", "\t\u{1f}\u{b}"] {
            let made = send_file(service, UPLOAD, name, "text/plain", b"x").await.with(201).json();
            assert_eq!(made["filename"], name);
            let path = format!("/writer/api/files/{}", made["id"].as_str().unwrap());
            assert_eq!(service.get(&path).await.with(200).json(), made);
        }
        let kept = uploaded(place).len();
        let nul = send_file(service, UPLOAD, "a\0b", "text/plain", b"x").await.with(422).json();
        assert_eq!(nul["detail"][0]["type"], "value_error");
        assert_eq!(nul["detail"][0]["loc"], json!(["body", "file"]));
        let two = "Content-Disposition: form-data; name=\"other\"\r\nContent-Type: text/plain\r\nContent-Type: x/y\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"last\"";
        let made = send_form(service, UPLOAD, &[(two, b"x")]).await.with(201).json();
        assert_eq!((&made["filename"], &made["content_type"]), (&json!("last"), &json!("text/plain")));
        // Blanks behind a type belong to it.
        send_file(service, UPLOAD, "a", "text/plain ", b"x").await.with(400);
        assert_eq!(uploaded(place).len(), kept + 1);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_asked_of_the_folder_for_an_empty_file() {
    let place = Place::new();
    place.write("uploads", "in the folder's place");
    let service = place.serve(&[]).await;
    let empty = send_file(&service, UPLOAD, "a", "text/plain", b"")
        .await
        .with(400);
    assert_detail(&empty, "Empty file not allowed");
    let refused = send_file(&service, UPLOAD, "a", "text/plain", b"x")
        .await
        .with(503);
    assert_detail(&refused, "The file cannot be stored now, try again");
    service.stop().await;
}

#[tokio::test]
async fn an_upload_may_take_long_while_it_comes() {
    let place = Place::new();
    place.write("cutover.toml", "[server]\nrequest_timeout_ms = 1000\n");
    let service = place.serve(&[]).await;
    for path in [UPLOAD, "/writer/api/transcribe"] {
        let form =
            format!("{FILE}\r\n{}\r\n--edge--\r\n", "x".repeat(4_000)).replace("text/plain", "audio/wav");
        let bytes = request(
            "POST",
            path,
            "content-type: multipart/form-data; boundary=edge\r\n",
            form.as_bytes(),
        );
        let begun = Instant::now();
        let mut stream = TcpStream::connect(service.address()).await.unwrap();
        for few in bytes.chunks(600) {
            stream.write_all(few).await.unwrap();
            sleep(Duration::from_millis(300)).await;
        }
        assert!(begun.elapsed() > Duration::from_secs(2));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let expected = if path == UPLOAD {
            "HTTP/1.1 201 "
        } else {
            "HTTP/1.1 501 "
        };
        assert!(answer.starts_with(expected), "{answer}");

        // One that falls silent, or nearly so, is given up.
        for trickle in [b"".as_slice(), b"x"] {
            let stream = TcpStream::connect(service.address()).await.unwrap();
            let (mut reading, mut writing) = stream.into_split();
            writing.write_all(&bytes[..3_000]).await.unwrap();
            let begun = Instant::now();
            let mut answer = String::new();
            let trickles = async {
                loop {
                    writing.write_all(trickle).await.unwrap_or_default();
                    sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::select! {
                () = trickles => unreachable!(),
                read = reading.read_to_string(&mut answer) => read.unwrap(),
            };
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            let told =
                r#"{"detail":"The request was given up, as less than 1024 bytes of it came in 1000 ms"}"#;
            assert!(answer.ends_with(told), "{answer}");
            assert!(begun.elapsed() < Duration::from_secs(20));
        }
    }
    assert_eq!(uploaded(&place).len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn requests_that_announce_much_and_send_nothing_hold_nobody_up() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let mut silent = Vec::new();
    for path in [CONVERSATIONS, UPLOAD].into_iter().cycle().take(14) {
        let mut stream = TcpStream::connect(service.address()).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10000000\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    make(&service, &"x".repeat(60_000)).await;
    send_file(&service, UPLOAD, "a", "text/plain", &vec![b'x'; 1_000_000])
        .await
        .with(201);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(silent);
    service.stop().await;
}

#[tokio::test]
async fn rows_and_files_are_compared() {
    on_both(async |place, service| {
        let mut made = Vec::new();
        for name in ["sound", "gone", "cut"] {
            let file = send_file(service, UPLOAD, name, "text/plain", b"content")
                .await
                .with(201)
                .json();
            made.push(file["id"].as_str().unwrap().to_owned());
        }
        let folder = place.path("uploads");
        std::fs::remove_file(folder.join(&made[1])).unwrap();
        std::fs::write(folder.join(&made[2]), "cont").unwrap();
        std::fs::write(folder.join("stray"), "x").unwrap();
        std::fs::write(folder.join("x.part"), "x").unwrap();
        let report = service.get("/writer/integrity").await.with(200).json();
        assert_eq!(
            report,
            json!({
                "ok": false,
                "folder": true,
                "files": 3,
                "missing": {"count": 1, "names": [made[1]]},
                "wrong_size": {"count": 1, "names": [made[2]]},
                "orphans": {"count": 1, "names": ["stray"]},
                "unfinished": {"count": 1, "names": ["x.part"]},
            })
        );
        // Something else in the folder's place is a finding as well.
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::write(&folder, "x").unwrap();
        let report = service.get("/writer/integrity").await.with(200).json();
        assert_eq!(
            (&report["ok"], &report["folder"], &report["missing"]["count"]),
            (&json!(false), &json!(false), &json!(3))
        );
        std::fs::remove_file(&folder).unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_needs_a_model_is_checked_and_then_refused() {
    on_both(async |place, service| {
        let transcribe = "/writer/api/transcribe";
        assert_detail(
            &send_file(service, transcribe, "a.mp3", "audio/mpeg", b"").await.with(400),
            "Empty file not allowed",
        );
        let untyped = "Content-Disposition: form-data; name=\"file\"; filename=\"a\"";
        for (wrong, told) in [
            (send_file(service, transcribe, "a.txt", "TEXT/Plain", b"x").await, "text/plain"),
            (send_file(service, transcribe, "a.txt", "", b"x").await, ""),
            (send_form(service, transcribe, &[(untyped, b"x")]).await, ""),
        ] {
            assert_detail(
                &wrong.with(400),
                &format!("Invalid content type: {told}. Allowed types: audio/flac, audio/mp3, audio/mpeg, audio/ogg, audio/wav, audio/webm"),
            );
        }
        service.ask("POST", transcribe, None).await.with(422);
        for kind in ["audio/mpeg", "AUDIO/Wav"] {
            let answer = send_file(service, transcribe, "a", kind, b"x").await.with(501);
            assert!(answer.json()["detail"].as_str().unwrap().contains("transcription"));
        }
        assert_eq!(uploaded(place), [""; 0]);

        let extract = async |body| service.post("/writer/api/themes/extract", &body).await;
        for empty in [json!({}), json!({"text": ""})] {
            assert_detail(&extract(empty).await.with(400), "Text content cannot be empty");
        }
        let kinds = |answer: Answer| {
            let mistakes = answer.with(422).json()["detail"].as_array().unwrap().clone();
            mistakes
                .into_iter()
                .map(|mistake| (mistake["type"].as_str().unwrap().to_owned(), mistake["loc"].clone()))
                .collect::<Vec<_>>()
        };
        let mistake = |kind: &str, field: &str| (kind.to_owned(), json!(["body", field]));
        for text in [json!(5), json!(null)] {
            assert_eq!(kinds(extract(json!({ "text": text })).await), [mistake("string_type", "text")]);
        }
        extract(json!({"text": "t"})).await.with(501);

        let generate = async |body| service.post("/writer/api/generate", &body).await;
        let theme = json!({"name": "n", "confidence": 1.0});
        for none in [json!({"prompt": "p"}), json!({"themes": [], "prompt": ""}), json!({"themes": []})] {
            assert_detail(&generate(none).await.with(400), "At least one theme is required");
        }
        for none in [json!({"themes": [theme]}), json!({"themes": [theme], "prompt": ""})] {
            assert!(generate(none).await.with(400).json()["detail"].is_string());
        }
        let (no_list, no_text) = (mistake("list_type", "themes"), mistake("string_type", "prompt"));
        for (body, expected) in [
            (json!({"themes": null, "prompt": "p"}), vec![no_list.clone()]),
            (json!({"themes": [theme], "prompt": null}), vec![no_text.clone()]),
            (json!({"themes": "abc", "prompt": null}), vec![no_list, no_text]),
        ] {
            assert_eq!(kinds(generate(body).await), expected);
        }
        let nameless = json!({"themes": [{"name": "", "confidence": 1}], "prompt": "p"});
        let nameless = generate(nameless).await.with(422).json();
        assert_eq!(nameless["detail"][0]["msg"], "Value error, Name cannot be empty");
        for confidence in [json!(1.5), json!(-0.1), json!("much"), json!(null)] {
            let themes = json!({"themes": [{"name": "n", "confidence": confidence}], "prompt": "p"});
            let answer = generate(themes).await.with(422).json();
            assert_eq!(answer["detail"][0]["loc"], json!(["body", "themes", 0, "confidence"]));
        }
        generate(json!({"themes": [theme], "prompt": "p"})).await.with(501);
    })
    .await;
}

#[tokio::test]
async fn a_long_list_comes_whole_and_in_order() {
    let (place, database) = (Place::new(), lab_database().await);
    let sql = "INSERT INTO conversations (id, title, position)
        SELECT 'c' || n, 'Título \"' || n, n FROM generate_series(1, 2500) AS n";
    database.connect().await.batch_execute(sql).await.unwrap();
    let service = place.serve(&["--postgres", &database.url()]).await;
    let list = service.get_chunked(CONVERSATIONS).await;
    let list: Value = serde_json::from_slice(&list).unwrap();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2500);
    for (index, item) in list.iter().enumerate() {
        assert_eq!(item["title"], format!("Título \"{}", index + 1));
    }
    service.stop().await;
}

/// Too long to be on its way whole before anybody reads it.
const LONG_LIST: &str = "INSERT INTO conversations (id, title, position)
    SELECT 'c' || n, repeat('t', 10000), n FROM generate_series(1, 5000) AS n";

#[tokio::test]
async fn a_long_list_leaves_nobody_out_when_others_are_deleted_meanwhile() {
    let (place, database) = (Place::new(), lab_database().await);
    let client = database.connect().await;
    client.batch_execute(LONG_LIST).await.unwrap();
    let service = place.serve(&["--postgres", &database.url()]).await;
    let delete = async {
        let sql = "DELETE FROM conversations WHERE position <= 1500";
        client.batch_execute(sql).await.unwrap();
    };
    let list = service.get_chunked_while(CONVERSATIONS, delete).await;
    let list: Value = serde_json::from_slice(&list).unwrap();
    let ids = list.as_array().unwrap().iter().map(|item| &item["id"]);
    let stayed: Vec<&Value> = ids.skip_while(|id| **id != "c1501").collect();
    let expected: Vec<String> = (1501..=5000).map(|n| format!("c{n}")).collect();
    assert_eq!(stayed, expected.iter().collect::<Vec<_>>());
    service.stop().await;
}

/// The status is sent when it happens: nothing but the log can tell.
#[tokio::test]
async fn a_long_list_that_breaks_off_is_an_error_and_a_client_that_leaves_is_none() {
    let (place, database) = (Place::new(), lab_database().await);
    let client = database.connect().await;
    client.batch_execute(LONG_LIST).await.unwrap();
    let service = place.serve(&["--postgres", &database.url()]).await;
    let begin = async |id: &str| {
        let mut stream = TcpStream::connect(service.address()).await.unwrap();
        let header = format!("x-request-id: {id}\r\n");
        let asked = request("GET", CONVERSATIONS, &header, b"");
        stream.write_all(&asked).await.unwrap();
        stream.read_exact(&mut [0]).await.unwrap();
        stream
    };
    drop(begin("left").await);
    let mut stream = begin("cut-short").await;
    let away = "ALTER TABLE conversations RENAME TO aside";
    client.batch_execute(away).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.ends_with(b"0\r\n\r\n"));
    let page = service.get("/").await.with(200).text();
    assert!(page.contains("the list of conversations broke off"), "{page}");
    let log = service.stop().await;
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{log}");
    assert!(
        errors[0].contains("cut-short") && errors[0].contains("the list of conversations broke off"),
        "{errors:?}"
    );
    assert!(!log.contains("left"), "{log}");
}

#[tokio::test]
async fn long_titles_take_no_more_memory_for_many_clients_than_for_some() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    let (count, length) = (4, 3_000_000);
    let sql = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
        INSERT INTO conversations (id, title) SELECT printf('00000000-0000-4000-8000-%012d', n), hex(zeroblob({length} / 2)) FROM n"
    );
    world::file(&place.path("cutover.db"))
        .execute_batch(&sql)
        .unwrap();
    // Each of these answers is too large to be on its way whole.
    let one = format!("{CONVERSATIONS}/00000000-0000-4000-8000-000000000001");
    let mut clients = Vec::new();
    for path in [CONVERSATIONS, &one].into_iter().cycle().take(40) {
        let mut stream = TcpStream::connect(service.address()).await.unwrap();
        stream.write_all(&request("GET", path, "", b"")).await.unwrap();
        clients.push(stream);
    }
    sleep(Duration::from_secs(5)).await;
    let begun = Instant::now();
    service.get("/writer/health").await.with(200);
    make(&service, "short").await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let lengths = clients.into_iter().map(|mut stream| async move {
        let (mut answer, mut length) = (vec![0; 65_536], 0);
        loop {
            let read = stream.read(&mut answer).await.unwrap();
            if length == 0 {
                assert!(
                    answer.starts_with(b"HTTP/1.1 200 "),
                    "{}",
                    String::from_utf8_lossy(&answer[..read])
                );
            }
            length += read;
            if read == 0 {
                return length;
            }
        }
    });
    for (index, read) in join_all(lengths).await.into_iter().enumerate() {
        let expected = if index % 2 == 0 { count * length } else { length };
        assert!((expected..expected + 2_000).contains(&read), "{index}: {read}");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.id())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let most: u64 = most.unwrap().trim().trim_end_matches(" kB").parse().unwrap();
    assert!(most < 300_000, "{most} kB");
    service.stop().await;
}

#[tokio::test]
async fn a_context_that_is_off_is_neither_served_nor_made() {
    let place = Place::new();
    place.write("cutover.toml", "[writer]\nenabled = false\n");
    let service = place.serve(&[]).await;
    service.get("/writer/health").await.with(404);
    service.get("/lab/synth-groups/list").await.with(200);
    service.stop().await;
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('conversations', 'file_metadata')";
    assert_eq!(world::sqlite_value(&place.path("cutover.db"), tables), "0");
    place.write(
        "cutover.toml",
        "[lab]\nenabled = false\n[writer]\nsqlite_path = \"writer.db\"\n",
    );
    let service = place.serve(&[]).await;
    service.get("/lab/synth-groups/list").await.with(404);
    make(&service, "t").await;
    service.stop().await;
    let rows = world::sqlite_rows(
        &place.path("writer.db"),
        "SELECT title, position FROM conversations",
    );
    assert_eq!(rows, ["t|1"]);
}

#[tokio::test]
async fn the_order_of_rows_outlives_the_move() {
    let plan = "CREATE TABLE file_metadata (id VARCHAR NOT NULL PRIMARY KEY, filename VARCHAR NOT NULL, content_type VARCHAR NOT NULL, size INTEGER NOT NULL, created_at DATETIME);
        CREATE TABLE conversations (id VARCHAR NOT NULL PRIMARY KEY, title VARCHAR NOT NULL, created_at DATETIME, updated_at DATETIME);
        CREATE TABLE messages (id VARCHAR NOT NULL PRIMARY KEY, conversation_id VARCHAR NOT NULL REFERENCES conversations (id), role VARCHAR NOT NULL, content TEXT NOT NULL, created_at DATETIME, attachments JSON);";
    // The original's own statements, which know of no order but that of the rows.
    let rows = |from: u8| {
        (from..from + 3).fold(String::new(), |sql, n| {
            let id = format!("{:x}0000000-0000-4000-8000-000000000000", 15 - n);
            sql + &format!(
                "INSERT INTO conversations (id, title) VALUES ('{id}', 't{n}');
                 INSERT INTO messages (id, conversation_id, role, content) VALUES ('z{id}', '{id}', 'user', 'a'), ('a{id}', '{id}', 'user', 'b');"
            )
        })
    };
    for (migrated, copy) in [
        (false, &["copy"][..]),
        (true, &["copy"]),
        (true, &["copy", "--data-only"]),
    ] {
        let (place, database) = (Place::new(), lab_database().await);
        let file = world::file(&place.path("w.db"));
        file.execute_batch(&format!("{plan}{}", rows(0))).unwrap();
        drop(file);
        place.write("cutover.toml", &format!(
            "[lab]\nenabled = false\n[market]\nenabled = false\n[writer]\nsqlite_path = \"w.db\"\n[postgres]\nurl = \"{}\"\n[repositories]\ndefault = \"postgres\"\n",
            database.url()
        ));
        place.run(["migrate", "up", "--on", "postgres"]).await.with(0);
        if migrated {
            place.run(["migrate", "up", "--on", "sqlite"]).await.with(0);
        }
        let file = world::file(&place.path("w.db"));
        file.execute_batch(&rows(3)).unwrap();
        drop(file);
        place.run(copy).await.with(0);
        place.run(["verify"]).await.with(0);
        let client = database.connect().await;
        let positions = "SELECT position FROM conversations ORDER BY 1";
        assert_eq!(
            world::postgres_rows(&client, positions).await,
            ["1", "2", "3", "4", "5", "6"],
            "those of the file"
        );
        let service = place.serve(&[]).await;
        make(&service, "t6").await;
        // The original goes on to write, too.
        client.batch_execute(&rows(7)).await.unwrap();
        make(&service, "t10").await;
        service.stop().await;
        let service = place.serve(&[]).await;
        let list = service.get(CONVERSATIONS).await.json();
        let titles: Vec<&Value> = list.as_array().unwrap().iter().map(|one| &one["title"]).collect();
        assert_eq!(
            titles,
            ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "t10"],
            "migrated: {migrated}"
        );
        let with_messages = |one: &&Value| !["t6", "t10"].contains(&one["title"].as_str().unwrap());
        for one in list.as_array().unwrap().iter().filter(with_messages) {
            let path = format!("{CONVERSATIONS}/{}", one["id"].as_str().unwrap());
            let shown = service.get(&path).await.json();
            assert_eq!(
                [&shown["messages"][0]["content"], &shown["messages"][1]["content"]],
                ["a", "b"]
            );
        }
    }
}

#[tokio::test]
async fn rows_without_a_position_are_copied_as_they_are() {
    let (place, database) = (Place::new(), lab_database().await);
    place.write("cutover.toml", &format!(
        "[lab]\nenabled = false\n[market]\nenabled = false\n[writer]\nsqlite_path = \"w.db\"\n[postgres]\nurl = \"{}\"\n[repositories]\ndefault = \"postgres\"\n",
        database.url()
    ));
    place.run(["migrate", "up", "--on", "sqlite"]).await.with(0);
    // A file that a copy has made has no trigger.
    world::file(&place.path("w.db"))
        .execute_batch(
            "DROP TRIGGER conversations_position;
            INSERT INTO conversations (id, title, position) VALUES ('c', 'first', 70), ('b', 'second', 500), ('a', 'third', NULL);",
        )
        .unwrap();
    place.run(["copy"]).await.with(0);
    place.run(["verify"]).await.with(0);
    let service = place.serve(&[]).await;
    make(&service, "new").await;
    service.stop().await;
    let client = database.connect().await;
    let rows = "SELECT title, position FROM conversations ORDER BY position";
    assert_eq!(
        world::postgres_rows(&client, rows).await,
        ["first|70", "second|500", "new|501", "third|∅"]
    );
}

#[tokio::test]
async fn an_old_file_is_served_taken_over_copied_and_proven() {
    let (place, database) = (Place::new(), lab_database().await);
    place.write("cutover.toml", &format!(
        "[lab]\nenabled = false\n[writer]\nsqlite_path = \"dev.db\"\n[postgres]\nurl = \"{}\"\n[repositories]\ndefault = \"sqlite\"\n",
        database.url()
    ));
    // As the models of the original's plan make it.
    world::file(&place.path("dev.db"))
        .execute_batch(
            "CREATE TABLE file_metadata (id VARCHAR NOT NULL, filename VARCHAR NOT NULL, content_type VARCHAR NOT NULL, size INTEGER NOT NULL, created_at DATETIME DEFAULT (CURRENT_TIMESTAMP), PRIMARY KEY (id));
            CREATE TABLE conversations (id VARCHAR NOT NULL, title VARCHAR NOT NULL, created_at DATETIME DEFAULT (CURRENT_TIMESTAMP), updated_at DATETIME DEFAULT (CURRENT_TIMESTAMP), PRIMARY KEY (id));
            CREATE TABLE messages (id VARCHAR NOT NULL, conversation_id VARCHAR NOT NULL, role VARCHAR NOT NULL, content TEXT NOT NULL, created_at DATETIME DEFAULT (CURRENT_TIMESTAMP), attachments JSON, PRIMARY KEY (id), FOREIGN KEY(conversation_id) REFERENCES conversations (id));
            CREATE INDEX ix_messages_conversation_id ON messages (conversation_id);
            CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);
            INSERT INTO file_metadata VALUES ('test-id', 'a b.txt', 'text/plain', 3000000000, '2026-01-01 12:00:00');
            INSERT INTO conversations (id, title, created_at) VALUES ('ffffffff-0000-4000-8000-000000000001', 'first', '2026-01-01 12:00:00.123456'), ('00000000-0000-4000-8000-000000000002', 'second', NULL);
            INSERT INTO messages (id, conversation_id, role, content, attachments) VALUES ('m9', 'ffffffff-0000-4000-8000-000000000001', 'user', 'one', NULL), ('m1', 'ffffffff-0000-4000-8000-000000000001', 'assistant', 'two', '[\"id1\"]'), ('m5', 'ffffffff-0000-4000-8000-000000000001', 'system', 'three', 'null');",
        )
        .unwrap();
    let service = place.serve(&[]).await;
    let path = format!("{CONVERSATIONS}/ffffffff-0000-4000-8000-000000000001");
    let shown = service.get(&path).await.with(200).json();
    assert_eq!(shown["created_at"], "2026-01-01T12:00:00.123456");
    let contents = |shown: &Value| {
        let messages = shown["messages"].as_array().unwrap().iter();
        messages
            .map(|message| message["content"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(contents(&shown), ["one", "two", "three"]);
    service.stop().await;

    let taken = place
        .run(["migrate", "up", "--on", "sqlite", "--json"])
        .await
        .with(0)
        .json();
    let adopted = &taken["databases"][0]["adopted"];
    assert!(
        std::path::Path::new(adopted["backup"].as_str().unwrap()).exists(),
        "{taken}"
    );
    let checked = place
        .run(["migrate", "check", "--on", "sqlite", "--json"])
        .await
        .with(0)
        .json();
    assert_eq!(checked["databases"][0]["differences"], json!([]), "{checked}");
    place.run(["copy"]).await.with(0);
    place.run(["verify"]).await.with(0);
    let configured = std::fs::read_to_string(place.path("cutover.toml")).unwrap();
    place.write(
        "cutover.toml",
        &configured.replace("default = \"sqlite\"", "default = \"postgres\""),
    );
    let service = place.serve(&[]).await;
    assert_eq!(
        service.get(&path).await.with(200).json(),
        shown,
        "the same on PostgreSQL"
    );
    let list = service.get(CONVERSATIONS).await.json();
    assert_eq!(
        (&list[0]["title"], &list[1]["title"]),
        (&json!("first"), &json!("second"))
    );
    assert_eq!(list[1]["created_at"], json!(null));
    assert_eq!(
        service.get("/writer/api/files/test-id").await.json()["size"],
        3_000_000_000_i64
    );
    make(&service, "third").await;
    service.stop().await;

    // And back into a new file, which is one of the original's again.
    let url = database.url();
    place.run(["copy", &url, "back.db"]).await.with(0);
    place.run(["verify", &url, "back.db"]).await.with(0);
    let order = "SELECT content FROM messages ORDER BY position";
    assert_eq!(
        world::sqlite_rows(&place.path("back.db"), order),
        ["one", "two", "three"]
    );
    let titles = "SELECT title FROM conversations ORDER BY position";
    assert_eq!(
        world::sqlite_rows(&place.path("back.db"), titles),
        ["first", "second", "third"]
    );
}
