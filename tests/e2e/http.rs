//! A client of the service that is free to misbehave.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program::{PATIENCE, Service};

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON text, its keys in the order in which they came.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Came with this status.
    #[track_caller]
    pub(crate) fn with(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

impl Service {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, Some(&body.to_string())).await
    }

    /// A request with a JSON body or none.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let headers = body.map_or("", |_| "content-type: application/json\r\n");
        let body = body.unwrap_or("").as_bytes();
        self.send(&request(method, path, headers, body)).await
    }

    /// Sends bytes as they are and reads the answer.
    pub(crate) async fn send(&self, bytes: &[u8]) -> Answer {
        let answer = tokio::time::timeout(PATIENCE, exchange(&self.address(), bytes)).await;
        answer
            .expect("the service answers in time")
            .unwrap_or_else(|error| panic!("{error}; the log:\n{}", self.log()))
    }

    /// The body of an answer that comes in chunks.
    pub(crate) async fn get_chunked(&self, path: &str) -> Vec<u8> {
        self.get_chunked_while(path, async {}).await
    }

    /// As [`Service::get_chunked`], with something that happens once the answer has begun, of which nobody reads more until then.
    pub(crate) async fn get_chunked_while(&self, path: &str, meanwhile: impl Future<Output = ()>) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        stream.write_all(&request("GET", path, "", b"")).await.unwrap();
        let mut answer = vec![0];
        let begun = tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await;
        begun.expect("the service answers in time").unwrap();
        meanwhile.await;
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer));
        read.await.expect("the service answers in time").unwrap();
        let start = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8_lossy(&answer[..start]).to_lowercase();
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        let (mut rest, mut body) = (&answer[start..], Vec::new());
        loop {
            let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
            let size = std::str::from_utf8(&rest[..end]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            if size == 0 {
                return body;
            }
            body.extend_from_slice(&rest[end + 2..end + 2 + size]);
            rest = &rest[end + 2 + size + 2..];
        }
    }

    /// As [`Service::send`], but for a service that may be gone.
    pub(crate) async fn try_ask(&self, method: &str, path: &str, body: &str) -> std::io::Result<Answer> {
        let bytes = request(
            method,
            path,
            "content-type: application/json\r\n",
            body.as_bytes(),
        );
        let answer = tokio::time::timeout(PATIENCE, exchange(&self.address(), &bytes)).await;
        answer.expect("the service answers in time")
    }
}

/// The bytes of a request that closes its connection.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

async fn exchange(address: &str, bytes: &[u8]) -> std::io::Result<Answer> {
    let stream = TcpStream::connect(address).await?;
    let (mut reading, mut writing) = stream.into_split();
    // A service may answer and hang up before it has read everything; its answer counts.
    let wrote = async { writing.write_all(bytes).await };
    let read = async {
        let mut answer = Vec::new();
        let end = reading.read_to_end(&mut answer).await;
        (answer, end)
    };
    let (_, (answer, end)) = tokio::join!(wrote, read);
    match parse(&answer) {
        Some(answer) => Ok(answer),
        None => Err(end
            .err()
            .unwrap_or_else(|| std::io::Error::other(format!("no answer: {answer:?}")))),
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?.to_lowercase();
    let (first, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
    let (version, status) = first.split_once(' ')?;
    let status = status
        .get(..3)
        .filter(|_| version.starts_with("http/1."))?
        .parse()
        .ok()?;
    let body = bytes[end + 4..].to_vec();
    let length = headers
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    (status == 204 || body.len() == length).then(|| Answer {
        status,
        headers: headers.to_owned(),
        body,
    })
}

/// A request that makes the group `grp_0000abcd`, to be sent piece by piece.
pub(crate) fn late_group() -> Vec<u8> {
    let body = json!({"id": "grp_0000abcd", "name": "late"}).to_string();
    let json = "content-type: application/json\r\n";
    request("POST", "/lab/synth-groups", json, body.as_bytes())
}
