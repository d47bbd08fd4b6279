//! Prices from a service over HTTP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cutover_domain::market::Checkpoint;
use cutover_domain::market::day::Day;
use cutover_domain::market::forecast::DailyBar;
use cutover_domain::stored::TextEnum as _;
use cutover_ports::market::{PriceError, PriceSource, Quote};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue, InvalidHeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::document::{BarsDocument, Object, PriceDocument};

/// No answer that is a price is longer.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A service that answers `GET {base}/price?symbol=…&checkpoint=…&date=…` and `GET {base}/bars?symbol=…&from=…&to=…`. A
/// connection per question: there are a few a day.
#[derive(Debug, Clone)]
pub struct HttpPrices {
    /// Scheme, host and port.
    base: Uri,
    /// The path that both questions stand below, without a slash at its end.
    path: String,
    /// As whom it is asked.
    authorization: Option<HeaderValue>,
    timeout: Duration,
    tls: Arc<ClientConfig>,
}

impl HttpPrices {
    /// The service at `base`, which begins with `http://` or `https://`; the error says what else it is, without repeating it. It is
    /// asked as `user`, a name and a password as a URL has them.
    pub fn new(base: &str, user: Option<&str>, timeout: Duration) -> Result<Self, String> {
        let uri: Uri = base.parse().map_err(|error| format!("this is no URL: {error}"))?;
        let names_nobody = uri
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@'));
        if !matches!(uri.scheme_str(), Some("http" | "https")) || !names_nobody {
            return Err("the URL does not begin with http:// or https:// and a host".to_owned());
        }
        if uri.query().is_some() {
            let text = "the URL must not have a query: the questions are put behind its path";
            return Err(text.to_owned());
        }
        let authorization = user.map(basic).transpose().map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        for certificate in rustls_native_certs::load_native_certs().certs {
            // One that cannot be read is none to trust.
            drop(roots.add(certificate));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            path: uri.path().trim_end_matches('/').to_owned(),
            base: uri,
            authorization,
            timeout,
            tls: Arc::new(tls),
        })
    }

    /// The document at a path below the base; `None` if the service says that there is none.
    async fn ask<T: DeserializeOwned>(&self, question: &str) -> Result<Option<T>, PriceError> {
        let asking = tokio::time::timeout(self.timeout, self.exchange(question)).await;
        let (status, body) = asking.map_err(|_| {
            PriceError::Unreachable(format!("no answer within {} ms", self.timeout.as_millis()))
        })??;
        match status {
            StatusCode::OK => serde_json::from_slice(&body)
                .map(|Object(document)| Some(document))
                .map_err(|error| PriceError::Unreadable(error.to_string())),
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_server_error() => {
                Err(PriceError::Unreachable(format!("it answers {status}")))
            }
            status => Err(PriceError::Unreadable(format!("status {status}"))),
        }
    }

    async fn exchange(&self, question: &str) -> Result<(StatusCode, Bytes), PriceError> {
        let host = self.base.host().unwrap_or_default();
        let is_tls = self.base.scheme_str() == Some("https");
        let port = self.base.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let name = host.trim_matches(['[', ']']);
        let stream = TcpStream::connect((name, port)).await.map_err(unreachable)?;
        let mut request = Request::get(format!("{}{question}", self.path))
            .header(
                HOST,
                self.base.authority().map_or(host, |authority| authority.as_str()),
            )
            .header(ACCEPT, "application/json")
            .body(Empty::new())
            .map_err(|error| PriceError::Unreachable(error.to_string()))?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        if !is_tls {
            return send(stream, request).await;
        }
        let server = ServerName::try_from(name.to_owned()).map_err(unreachable)?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        send(
            connector.connect(server, stream).await.map_err(unreachable)?,
            request,
        )
        .await
    }
}

/// The header that says who asks; it is marked as one that must not be shown. A password may be missing.
fn basic(user: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let pair = [
        percent_decode_str(name).collect(),
        b":".to_vec(),
        percent_decode_str(password).collect(),
    ];
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair.concat())))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unreachable(error: impl std::fmt::Display) -> PriceError {
    PriceError::Unreachable(error.to_string())
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<(StatusCode, Bytes), PriceError> {
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
    let answering = async {
        let answer = sender.send_request(request).await.map_err(unreachable)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| PriceError::Unreadable(error.to_string()))?;
        Ok((status, body.to_bytes()))
    };
    // The connection moves the bytes; it ends with the answer, or before it when something is wrong.
    tokio::pin!(answering);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        answer = &mut answering => answer,
        ended = &mut connection => {
            ended.map_err(unreachable)?;
            answering.await
        }
    }
}

/// What stands for itself in a value of a query: letters, digits and these.
const UNESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, UNESCAPED).to_string()
}

#[async_trait]
impl PriceSource for HttpPrices {
    async fn price(
        &self,
        symbol: &str,
        checkpoint: Checkpoint,
        day: Day,
    ) -> Result<Option<Quote>, PriceError> {
        let question = format!(
            "/price?symbol={}&checkpoint={}&date={day}",
            escaped(symbol),
            checkpoint.as_str()
        );
        let answer: Option<PriceDocument> = self.ask(&question).await?;
        Ok(answer.and_then(|document| document.quote()))
    }

    async fn bars(&self, symbol: &str, from: Day, to: Day) -> Result<Vec<DailyBar>, PriceError> {
        let question = format!("/bars?symbol={}&from={from}&to={to}", escaped(symbol));
        let answer: Option<BarsDocument> = self.ask(&question).await?;
        Ok(answer.map_or_else(Vec::new, |document| document.between(from, to)))
    }

    fn is_configured(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A service that answers once, and the first line of what it was asked.
    async fn asked(answer: &'static str) -> (HttpPrices, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1/", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            request.lines().next().unwrap().to_owned()
        });
        (
            HttpPrices::new(&base, None, Duration::from_secs(5)).unwrap(),
            serving,
        )
    }

    fn day() -> Day {
        Day::parse("2025-08-15").unwrap()
    }

    #[tokio::test]
    async fn a_price_is_asked_for_and_read() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"price\":582.75}";
        let (prices, serving) = asked(answer).await;
        let quote = prices
            .price("S&P 500", Checkpoint::TwoPm, day())
            .await
            .unwrap()
            .unwrap();
        assert!((quote.price - 582.75).abs() < 1e-9 && !quote.is_fallback);
        let line = "GET /v1/price?symbol=S%26P%20500&checkpoint=twoPM&date=2025-08-15 HTTP/1.1";
        assert_eq!(serving.await.unwrap(), line);
    }

    #[tokio::test]
    async fn bars_come_in_order_and_within_the_days_asked_for() {
        let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"bars\":[\
            {\"date\":\"2025-08-15\",\"open\":1,\"high\":1,\"low\":1,\"close\":1,\"volume\":5},\
            {\"date\":\"2025-08-14\",\"open\":1,\"high\":1,\"low\":1,\"close\":1},\
            {\"date\":\"2025-08-16\",\"open\":1,\"high\":1,\"low\":1,\"close\":1}]}";
        let (prices, serving) = asked(answer).await;
        let bars = prices
            .bars("SPY", Day::parse("2025-08-01").unwrap(), day())
            .await
            .unwrap();
        let days: Vec<String> = bars.iter().map(|bar| bar.day.to_string()).collect();
        assert_eq!(days, ["2025-08-14", "2025-08-15"]);
        assert_eq!(
            serving.await.unwrap(),
            "GET /v1/bars?symbol=SPY&from=2025-08-01&to=2025-08-15 HTTP/1.1"
        );
    }

    #[tokio::test]
    async fn other_answers_are_none_or_told_apart() {
        let price = async |answer| {
            let (prices, serving) = asked(answer).await;
            let price = prices.price("SPY", Checkpoint::Open, day()).await;
            serving.await.unwrap();
            price
        };
        let none = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(price(none).await, Ok(None));
        let none = "HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{\"price\":null}";
        assert_eq!(price(none).await, Ok(None));
        let broken = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n";
        assert!(matches!(price(broken).await, Err(PriceError::Unreachable(_))));
        for odd in [
            "HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n<xml>",
            "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n[582.25]",
        ] {
            assert!(
                matches!(price(odd).await, Err(PriceError::Unreadable(_))),
                "{odd}"
            );
        }
        assert!(matches!(
            price("nonsense\r\n\r\n").await,
            Err(PriceError::Unreachable(_))
        ));
    }

    #[tokio::test]
    async fn a_service_that_is_silent_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let prices = HttpPrices::new(&base, None, Duration::from_millis(50)).unwrap();
        let error = prices.price("SPY", Checkpoint::Open, day()).await.unwrap_err();
        assert!(error.to_string().contains("50 ms"), "{error}");
    }

    #[test]
    fn other_urls_are_refused() {
        for base in [
            "",
            "prices",
            "ftp://x",
            "http://",
            "http://x/?secret=b",
            "http://secret@x",
        ] {
            let error = HttpPrices::new(base, None, Duration::from_secs(1)).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_name_and_a_password_are_sent_and_not_shown() {
        for (user, sent) in [
            ("usr:s3cr3t", "Basic dXNyOnMzY3IzdA=="),
            ("u%40x:a%3Ab:c", "Basic dUB4OmE6Yjpj"),
            ("usr", "Basic dXNyOg=="),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let base = format!("http://{}", listener.local_addr().unwrap());
            let serving = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                stream
                    .write_all(b"HTTP/1.1 404 None\r\ncontent-length: 0\r\n\r\n")
                    .await
                    .unwrap();
                String::from_utf8_lossy(&request[..length]).into_owned()
            });
            let prices = HttpPrices::new(&base, Some(user), Duration::from_secs(5)).unwrap();
            assert!(!format!("{prices:?}").contains(sent), "{prices:?}");
            assert_eq!(prices.price("SPY", Checkpoint::Open, day()).await, Ok(None));
            let request = serving.await.unwrap();
            let header = format!("authorization: {sent}\r\n");
            assert!(request.contains(&header), "{request}");
        }
    }
}
