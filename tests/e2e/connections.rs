//! Connections that are slow, still or too many: each is closed in time, and the others never notice.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::http::{late_group, request};
use crate::program::{PATIENCE, Place, Service};
use crate::service::wait_until;

/// What the tests configure as the time for which a connection may be still.
const IDLE: Duration = Duration::from_secs(1);

const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

async fn serve(settings: &str) -> (Place, Service) {
    let place = Place::new();
    place.write("cutover.toml", &format!("[server]\n{settings}\n"));
    let service = place.serve(&["--log", "cutover=debug,info"]).await;
    (place, service)
}

async fn connect(service: &Service) -> TcpStream {
    TcpStream::connect(service.address()).await.unwrap()
}

/// Waits until the other end closes; what it had sent.
async fn closed(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    let reading = timeout(PATIENCE, stream.read_to_end(&mut received)).await;
    // One that is closed with something unread is reset.
    reading.expect("the service closes the connection").unwrap_or(0);
    String::from_utf8_lossy(&received).into_owned()
}

/// Asks and waits for the answer; the connection stays open.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(GET).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with('}') {
        let mut bytes = [0; 1024];
        let count = timeout(PATIENCE, stream.read(&mut bytes)).await;
        let count = count.expect("the service answers").unwrap();
        assert!(count > 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_cut_off() {
    let (_place, service) = serve("idle_timeout_ms = 1000").await;
    let mut stream = connect(&service).await;
    let begun = Instant::now();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nx: ").await.unwrap();
    let mut end = [0];
    // Something comes all the time, and that does not help.
    let read = loop {
        stream.write_all(b"y").await.unwrap_or_default();
        if let Ok(read) = timeout(Duration::from_millis(50), stream.read(&mut end)).await {
            break read.unwrap_or(0);
        }
        assert!(begun.elapsed() < PATIENCE, "the service waits for ever");
    };
    assert_eq!(read, 0);
    assert!(begun.elapsed() >= IDLE, "{:?}", begun.elapsed());
    service.get("/healthz").await.with(200);
    service.stop().await;
}

#[tokio::test]
async fn a_still_connection_is_closed_and_one_that_asks_is_not() {
    let (_place, service) = serve("idle_timeout_ms = 1000").await;
    let (mut mute, mut still, mut asking) = (
        connect(&service).await,
        connect(&service).await,
        connect(&service).await,
    );
    let begun = Instant::now();
    ask(&mut still).await;
    while begun.elapsed() < IDLE * 2 {
        ask(&mut asking).await;
        sleep(IDLE / 10).await;
    }
    assert_eq!(closed(&mut mute).await, "");
    assert_eq!(closed(&mut still).await, "");
    ask(&mut asking).await;
    service.stop().await;
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up_with_a_word() {
    let (_place, service) = serve("request_timeout_ms = 1000").await;
    let mut stream = connect(&service).await;
    let body = json!({"id": "grp_0000abcd", "name": "x".repeat(10_000)}).to_string();
    let bytes = request(
        "POST",
        "/lab/synth-groups",
        "content-type: application/json\r\n",
        body.as_bytes(),
    );
    let begun = Instant::now();
    let (mut reading, mut writing) = stream.split();
    let trickle = async {
        for few in bytes.chunks(500) {
            writing.write_all(few).await.unwrap();
            sleep(Duration::from_millis(200)).await;
        }
    };
    let mut answer = String::new();
    let read = async {
        let mut bytes = vec![0; 4096];
        let count = timeout(PATIENCE, reading.read(&mut bytes)).await;
        let count = count.expect("the service gives up").unwrap();
        answer = String::from_utf8_lossy(&bytes[..count]).into_owned();
    };
    tokio::select! {
        () = trickle => panic!("the body was read to its end"),
        () = read => {}
    }
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        body,
        json!({"error": {"code": "TIMEOUT", "message": "The request was given up after 1000 ms"}})
            .to_string()
    );
    assert!(begun.elapsed() >= Duration::from_secs(1));
    closed(&mut stream).await;
    service.get("/lab/synth-groups/grp_0000abcd").await.with(404);
    service.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answers_is_cut_off() {
    let (_place, service) = serve("idle_timeout_ms = 1000").await;
    let one = service.get("/openapi.json").await.with(200).body.len();
    let mut stream = connect(&service).await;
    // More than the system keeps on the way.
    let many = 64 * 1024 * 1024 / one;
    let requests = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(many);
    let (mut reading, mut writing) = stream.split();
    writing.write_all(&requests).await.unwrap();
    wait_until(|| async { service.log().contains("a connection broke off") }).await;
    let mut received = Vec::new();
    timeout(PATIENCE, reading.read_to_end(&mut received))
        .await
        .expect("the connection is closed")
        .unwrap_or(0);
    assert!(received.len() < one * many / 2, "{} bytes", received.len());
    service.get("/healthz").await.with(200);
    service.stop().await;
}

#[tokio::test]
async fn in_a_crowd_those_leave_that_came_first_and_nobody_loses_an_answer() {
    let (_place, service) = serve("connections_max = 2").await;
    let bytes = late_group();
    let bytes = String::from_utf8(bytes)
        .unwrap()
        .replace("connection: close\r\n", "");
    let (begin, end) = bytes.split_at(bytes.len() - 1);
    // Both places are taken: by one that is in the middle of its question, and by an idle one.
    let (mut busy, mut idle) = (connect(&service).await, connect(&service).await);
    busy.write_all(begin.as_bytes()).await.unwrap();
    ask(&mut idle).await;
    // Whoever comes now is answered at once, long before anything is given up.
    let begun = Instant::now();
    for _ in 0..3 {
        service.get("/healthz").await.with(200);
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(closed(&mut idle).await, "");
    busy.write_all(end.as_bytes()).await.unwrap();
    let answer = closed(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    // Nobody who came into an empty room is asked to leave.
    let mut stays = connect(&service).await;
    for _ in 0..3 {
        ask(&mut stays).await;
    }
    service.stop().await;
}

#[tokio::test]
async fn without_file_descriptors_it_waits_for_some_and_goes_on() {
    let (_place, service) = serve("idle_timeout_ms = 60000").await;
    let limited = Command::new("prlimit")
        .args(["--pid", &service.id().to_string(), "--nofile=48"])
        .status();
    assert!(limited.await.unwrap().success());
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(connect(&service).await);
    }
    wait_until(|| async { service.log().contains("no connection can be accepted") }).await;
    drop(crowd);
    service.get("/healthz").await.with(200);
    service.stop().await;
}

#[tokio::test]
async fn a_request_that_is_worked_on_is_answered_after_the_signal_and_a_new_one_is_refused() {
    let (_place, service) = serve("shutdown_timeout_ms = 20000").await;
    let bytes = late_group();
    let (begin, end) = bytes.split_at(bytes.len() - 1);
    let (mut busy, mut idle) = (connect(&service).await, connect(&service).await);
    busy.write_all(begin).await.unwrap();
    ask(&mut idle).await;
    let begun = Instant::now();
    service.signal("TERM").await;
    // An idle one is not waited for, and nobody else gets in.
    assert_eq!(closed(&mut idle).await, "");
    assert!(TcpStream::connect(service.address()).await.is_err());
    busy.write_all(end).await.unwrap();
    let answer = closed(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let (code, log) = service.ended().await;
    assert_eq!(code, Some(0), "{log}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(!log.contains("did not finish in time"), "{log}");
}

/// The beginning of an upload of a megabyte, of which no more comes by itself.
const UPLOAD: &str = "POST /writer/api/files/upload HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=edge\r\n\
    content-length: 1000000\r\n\r\n--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: text/plain\r\n\r\nab";

#[tokio::test]
async fn slow_clients_keep_nobody_out() {
    let (place, service) = serve("connections_max = 6").await;
    let mut slow = Vec::new();
    let body = "POST /lab/synth-groups HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
    for begin in [UPLOAD, UPLOAD, UPLOAD, body, body, "GET /healthz?"] {
        let mut stream = connect(&service).await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    wait_until(|| async { std::fs::read_dir(place.path("uploads")).is_ok_and(|files| files.count() == 3) })
        .await;
    let (mut others, mut slow): (Vec<_>, Vec<_>) = slow.into_iter().map(TcpStream::into_split).unzip();
    let trickle = async {
        loop {
            for stream in &mut slow {
                stream.write_all(b"x").await.unwrap_or_default();
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    // All places are taken by such as would go on for hours.
    let others = async {
        let begun = Instant::now();
        for _ in 0..3 {
            service.get("/healthz").await.with(200);
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        let mut first = Vec::new();
        let end = timeout(PATIENCE, others[0].read_to_end(&mut first)).await;
        end.expect("the first is closed").unwrap_or(0);
        first
    };
    let first = tokio::select! {
        () = trickle => unreachable!(),
        first = others => first,
    };
    assert_eq!(String::from_utf8(first).unwrap(), "");
    assert!(service.log().contains("its client is slow"), "{}", service.log());
    service.stop().await;
}

#[tokio::test]
async fn uploads_take_half_of_the_connections() {
    let (place, service) = serve("connections_max = 4").await;
    let mut uploads = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&service).await;
        stream.write_all(UPLOAD.as_bytes()).await.unwrap();
        uploads.push(stream);
    }
    wait_until(|| async { std::fs::read_dir(place.path("uploads")).is_ok_and(|files| files.count() == 2) })
        .await;
    let refused = service.send(UPLOAD.as_bytes()).await.with(503);
    assert_eq!(
        refused.json(),
        json!({"detail": "There are too many uploads at once, try again"})
    );
    service.get("/healthz").await.with(200);
    drop(uploads.pop());
    wait_until(|| async { std::fs::read_dir(place.path("uploads")).unwrap().count() == 1 }).await;
    let end = "\r\n--edge--\r\n";
    let whole = format!("{UPLOAD}{end}").replace(
        "1000000",
        &(UPLOAD.split_once("\r\n\r\n").unwrap().1.len() + end.len()).to_string(),
    );
    service
        .send(
            whole
                .replace("host: x", "host: x\r\nconnection: close")
                .as_bytes(),
        )
        .await
        .with(201);
    service.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_by_its_own_word_is_refused_unread() {
    let (_place, service) = serve("body_limit_bytes = 1024").await;
    for (path, length) in [
        ("/lab/synth-groups", 1_025),
        ("/market/prediction", 10_000_000_000_u64),
        ("/writer/api/files/upload", 200_000_000),
    ] {
        for expect in ["", "expect: 100-continue\r\n"] {
            let mut stream = connect(&service).await;
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{expect}content-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            // What comes all the same does not keep the answer from its reader.
            let begun = Instant::now();
            if expect.is_empty() {
                stream.write_all(&vec![b'x'; 300_000]).await.unwrap();
            }
            stream.shutdown().await.unwrap();
            let answer = closed(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 413 "), "{path}: {answer}");
            assert!(answer.contains("\r\nconnection: close\r\n"), "{path}: {answer}");
            assert!(
                answer.contains("The body is larger than this service accepts"),
                "{answer}"
            );
            assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn an_answer_says_whether_its_connection_is_closed() {
    let (_place, service) = serve("").await;
    for (length, is_closed) in [(300_000, true), (300, false)] {
        let mut stream = connect(&service).await;
        let head = format!("POST /nope HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
        // In one piece: a body that comes later than the answer is one that was left unread, however short it is.
        let request = [head.into_bytes(), vec![b'x'; length]].concat();
        stream.write_all(&request).await.unwrap();
        let last = String::from_utf8_lossy(GET).replace("host: x", "host: x\r\nconnection: close");
        stream.write_all(last.as_bytes()).await.unwrap();
        let answers = closed(&mut stream).await;
        let (first, second) = answers.split_once("{\"detail\":\"Not Found\"}").unwrap();
        assert_eq!(
            first.contains("\r\nconnection: close\r\n"),
            is_closed,
            "{answers}"
        );
        assert_eq!(second.starts_with("HTTP/1.1 200 "), !is_closed, "{answers}");
    }
    service.stop().await;
}
