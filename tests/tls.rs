//! What each `sslmode` lets through, against real servers and against servers that lie.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail, and say why"
)]

use std::path::PathBuf;

use cutover_postgres::connect::{ConnectError, ConnectFailure};
use cutover_postgres::{Database, PgServer, PoolSettings};
use cutover_tests::postgres::{TcpAccess, TcpOptions, TestServer, TestServerOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Every character that could go wrong in a URL; it must never show up in a message.
const PASSWORD: &str = "ses@me:/?#%&+ öffne dich";

/// Certificates in a directory of their own.
struct Certificates {
    directory: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let made = Self {
            directory: tempfile::tempdir().unwrap(),
            authority,
        };
        made.write("ca.pem", &made.authority.pem());
        made
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// A certificate for `host`, signed by the authority.
    fn signed(&self, host: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        (
            self.write("server.pem", &certificate.pem()),
            self.write("server.key", &key.serialize_pem()),
        )
    }

    /// What `openssl req -x509` makes: signed by itself and marked as an authority's.
    fn self_signed(&self, host: &str, last_year: i32) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(last_year, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        (
            self.write("self.pem", &certificate.pem()),
            self.write("self.key", &key.serialize_pem()),
        )
    }
}

async fn server(tls: Option<(PathBuf, PathBuf)>, access: TcpAccess) -> TestServer {
    let tcp = TcpOptions {
        tls,
        access,
        password: Some(PASSWORD.to_owned()),
    };
    TestServer::start(TestServerOptions {
        tcp: Some(tcp),
        ..Default::default()
    })
    .await
}

/// `host` with the server's port and password, and `parameters` behind the `?`.
fn url(server: &TestServer, host: &str, parameters: &str) -> String {
    format!("{}?{parameters}", server.tcp_url().replace("127.0.0.1", host))
}

/// The protocol's version, or `None` if the connection is in clear.
async fn encrypted(url: &str) -> Result<Option<String>, Box<ConnectError>> {
    let server = PgServer::parse(url).unwrap();
    match server.connect("tls test").await {
        Ok(client) => {
            let sql = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            Ok(client.query_one(sql, &[]).await.unwrap().get(0))
        }
        Err(cutover_ports::StoreError::Unavailable(cause)) => {
            assert!(
                !format!("{cause} {cause:?} {server:?} {server}").contains("ses"),
                "{cause:?}"
            );
            Err(cause.downcast::<ConnectError>().unwrap())
        }
        Err(error) => panic!("{error:?}"),
    }
}

#[track_caller]
fn refused(result: &Result<Option<String>, Box<ConnectError>>, failure: ConnectFailure, reason: &str) {
    let error = result.as_ref().expect_err("this connection must not come about");
    assert_eq!(error.failure, failure, "{error}");
    assert!(error.to_string().contains(reason), "{error}");
}

fn tls_1_3(result: Result<Option<String>, Box<ConnectError>>) {
    assert_eq!(result.unwrap().as_deref(), Some("TLSv1.3"));
}

#[tokio::test]
async fn a_signed_certificate_in_every_mode() {
    use ConnectFailure::Tls;
    let certificates = Certificates::new();
    let stranger = Certificates::new();
    let server = server(Some(certificates.signed("localhost")), TcpAccess::Any).await;
    let ca = certificates.path("ca.pem");
    let unknown = stranger.path("ca.pem");

    let full = |host: &str, ca: &str| url(&server, host, &format!("sslmode=verify-full&sslrootcert={ca}"));
    tls_1_3(encrypted(&full("localhost", &ca)).await);
    // The name that counts is the URL's, not the address.
    tls_1_3(encrypted(&format!("{}&hostaddr=127.0.0.1", full("localhost", &ca))).await);
    refused(
        &encrypted(&full("127.0.0.1", &ca)).await,
        Tls,
        "made for another host",
    );
    let aliased = format!("{}&hostaddr=127.0.0.1", full("db.example", &ca));
    refused(&encrypted(&aliased).await, Tls, "made for another host");
    refused(
        &encrypted(&full("localhost", &unknown)).await,
        Tls,
        "not of a trusted authority",
    );
    // Nobody has signed it for the system.
    let system = url(&server, "localhost", "sslmode=verify-full");
    match PgServer::parse(&system) {
        Ok(_) => refused(&encrypted(&system).await, Tls, "not of a trusted authority"),
        Err(error) => assert!(error.to_string().contains("no certificates to trust"), "{error}"),
    }

    let chain = |ca: &str| {
        url(
            &server,
            "127.0.0.1",
            &format!("sslmode=verify-ca&sslrootcert={ca}"),
        )
    };
    tls_1_3(encrypted(&chain(&ca)).await);
    refused(
        &encrypted(&chain(&unknown)).await,
        Tls,
        "not of a trusted authority",
    );

    let require = |more: &str| url(&server, "127.0.0.1", &format!("sslmode=require{more}"));
    tls_1_3(encrypted(&require("")).await);
    tls_1_3(encrypted(&require(&format!("&sslrootcert={ca}"))).await);
    refused(
        &encrypted(&require(&format!("&sslrootcert={unknown}"))).await,
        Tls,
        "not of a trusted authority",
    );

    tls_1_3(encrypted(&url(&server, "127.0.0.1", "sslmode=prefer")).await);
    tls_1_3(encrypted(&url(&server, "127.0.0.1", "")).await);
    assert_eq!(
        encrypted(&url(&server, "127.0.0.1", "sslmode=disable"))
            .await
            .unwrap(),
        None
    );

    // SCRAM bound to this TLS connection, and unbindable without one.
    let bound = |mode: &str| {
        url(
            &server,
            "localhost",
            &format!("channel_binding=require&sslmode={mode}"),
        )
    };
    tls_1_3(encrypted(&bound("require")).await);
    assert!(encrypted(&bound("disable")).await.is_err());

    // A wrong password is told as such, and not shown.
    let wrong = url(&server, "localhost", "sslmode=require&password=ses");
    refused(
        &encrypted(&wrong).await,
        ConnectFailure::Login,
        "password authentication failed",
    );
}

#[tokio::test]
async fn the_pool_is_encrypted_too_and_cancels_over_tls() {
    let certificates = Certificates::new();
    let server = server(Some(certificates.signed("localhost")), TcpAccess::TlsOnly).await;
    let ca = certificates.path("ca.pem");
    let parsed = PgServer::parse(&url(
        &server,
        "localhost",
        &format!("sslmode=verify-full&sslrootcert={ca}"),
    ));
    let database = Database::new(&parsed.unwrap(), &PoolSettings::default()).unwrap();
    database.ping().await.unwrap();
    let sql = "SELECT ssl, version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'cutover'";
    let rows = server.connect().await.query(sql, &[]).await.unwrap();
    let seen: Vec<(bool, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(seen, [(true, "TLSv1.3".to_owned())]);

    refused(
        &encrypted(&url(&server, "localhost", "sslmode=disable")).await,
        ConnectFailure::Login,
        "no encryption",
    );
}

#[tokio::test]
async fn a_self_signed_certificate() {
    use ConnectFailure::Tls;
    let certificates = Certificates::new();
    let server = server(Some(certificates.self_signed("localhost", 2099)), TcpAccess::Any).await;
    let own = certificates.path("self.pem");
    tls_1_3(encrypted(&url(&server, "localhost", "sslmode=require")).await);
    tls_1_3(
        encrypted(&url(
            &server,
            "localhost",
            &format!("sslmode=verify-full&sslrootcert={own}"),
        ))
        .await,
    );
    tls_1_3(
        encrypted(&url(
            &server,
            "127.0.0.1",
            &format!("sslmode=verify-ca&sslrootcert={own}"),
        ))
        .await,
    );
    let renamed = url(
        &server,
        "127.0.0.1",
        &format!("sslmode=verify-full&sslrootcert={own}"),
    );
    refused(&encrypted(&renamed).await, Tls, "made for another host");
    let ca = certificates.path("ca.pem");
    let unknown = url(
        &server,
        "localhost",
        &format!("sslmode=verify-ca&sslrootcert={ca}"),
    );
    refused(&encrypted(&unknown).await, Tls, "cannot be accepted");
}

#[tokio::test]
async fn an_expired_certificate_is_refused_where_it_is_checked() {
    let certificates = Certificates::new();
    let server = server(Some(certificates.self_signed("localhost", 2021)), TcpAccess::Any).await;
    let own = certificates.path("self.pem");
    tls_1_3(encrypted(&url(&server, "localhost", "sslmode=require")).await);
    let checked = url(
        &server,
        "localhost",
        &format!("sslmode=verify-ca&sslrootcert={own}"),
    );
    refused(&encrypted(&checked).await, ConnectFailure::Tls, "expired");
}

#[tokio::test]
async fn a_server_without_tls_is_only_spoken_to_if_the_mode_allows_it() {
    let certificates = Certificates::new();
    let server = server(None, TcpAccess::Any).await;
    let ca = certificates.path("ca.pem");
    for mode in ["require", "verify-ca", "verify-full"] {
        let strict = url(&server, "localhost", &format!("sslmode={mode}&sslrootcert={ca}"));
        refused(&encrypted(&strict).await, ConnectFailure::Tls, "offers no TLS");
    }
    refused(
        &encrypted(&url(&server, "localhost", "sslmode=require")).await,
        ConnectFailure::Tls,
        "the server offers no TLS, and sslmode=require asks for it",
    );
    assert_eq!(
        encrypted(&url(&server, "localhost", "sslmode=prefer"))
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        encrypted(&url(&server, "localhost", "sslmode=disable"))
            .await
            .unwrap(),
        None
    );
    // Over a Unix socket nothing is encrypted in any mode, as in libpq.
    let socket = format!(
        "{}{}sslmode=require",
        server.url(),
        if server.url().contains('?') { '&' } else { '?' }
    );
    assert_eq!(encrypted(&socket).await.unwrap(), None);
}

/// A server that reads the request for TLS, answers `answer`, and returns all that it was sent after that.
async fn liar(answer: &'static [u8]) -> (u16, tokio::task::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 8];
        stream.read_exact(&mut request).await.unwrap();
        assert_eq!(
            request,
            [0, 0, 0, 8, 4, 210, 22, 47],
            "the first thing sent is the request for TLS"
        );
        stream.write_all(answer).await.unwrap();
        let mut heard = Vec::new();
        drop(stream.read_to_end(&mut heard).await);
        heard
    });
    (port, heard)
}

fn contains(heard: &[u8], text: &[u8]) -> bool {
    heard.windows(text.len()).any(|window| window == text)
}

#[tokio::test]
async fn require_says_nothing_to_a_server_that_refuses_tls() {
    for mode in ["require", "verify-full&sslrootcert=CA"] {
        let certificates = Certificates::new();
        let (port, heard) = liar(b"N").await;
        let mode = mode.replace("CA", &certificates.path("ca.pem"));
        let result = encrypted(&format!("postgres://me:sesame@127.0.0.1:{port}/d?sslmode={mode}")).await;
        refused(&result, ConnectFailure::Tls, "offers no TLS");
        assert_eq!(heard.await.unwrap(), b"", "{mode}");
    }
}

#[tokio::test]
async fn a_handshake_that_fails_never_ends_in_clear() {
    // Bytes that are no TLS, the classic of sending a plain answer behind the `S`.
    for mode in ["prefer", "require"] {
        let (port, heard) = liar(b"SR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await;
        let result = encrypted(&format!("postgres://me:sesame@127.0.0.1:{port}/d?sslmode={mode}")).await;
        refused(&result, ConnectFailure::Tls, "TLS");
        let heard = heard.await.unwrap();
        assert_eq!(heard.first(), Some(&22), "a TLS handshake record");
        assert!(
            !contains(&heard, b"sesame") && !contains(&heard, b"user"),
            "{mode}: {heard:?}"
        );
    }
}
