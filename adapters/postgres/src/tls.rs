//! TLS by rustls and ring, with libpq's `sslmode`.
//!
//! | sslmode       | encrypted                        | the server's certificate                                      |
//! |---------------|----------------------------------|---------------------------------------------------------------|
//! | `disable`     | never                            |                                                               |
//! | `prefer`      | unless the server offers no TLS  | any                                                           |
//! | `require`     | always                           | any; with `sslrootcert` as `verify-ca`, which is libpq's rule |
//! | `verify-ca`   | always                           | of a trusted authority                                        |
//! | `verify-full` | always                           | of a trusted authority, and made for the host of the URL      |
//!
//! Trusted are the certificates in the PEM file `sslrootcert`, else the system's (`sslrootcert=system` asks for them,
//! and only goes with `verify-full`). A server whose own certificate stands in that file is trusted too, even if it is
//! marked as an authority's, which is what `openssl req -x509` makes. Over a Unix socket nothing is encrypted in any mode.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How far a connection is encrypted and the server checked; see the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted unless the server offers no TLS.
    Prefer,
    /// Encrypted, whoever the server is.
    Require,
    /// Encrypted, by a certificate of a trusted authority.
    VerifyCa,
    /// Encrypted, by a certificate of a trusted authority for this host.
    VerifyFull,
}

impl SslMode {
    /// All of them, from the weakest to the strongest.
    pub const ALL: [Self; 5] = [
        Self::Disable,
        Self::Prefer,
        Self::Require,
        Self::VerifyCa,
        Self::VerifyFull,
    ];

    /// As in a URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// What a URL says on TLS.
#[derive(Default)]
pub(crate) struct TlsSettings {
    pub(crate) mode: Option<SslMode>,
    /// A path, or `system`.
    pub(crate) root_certificates: Option<String>,
    /// Whether the handshake comes first, without asking the server for it.
    pub(crate) direct: bool,
}

/// The mode, and a connector that keeps to it.
#[derive(Clone)]
pub(crate) struct Tls {
    mode: SslMode,
    authorities: Option<Arc<[u8]>>,
    pub(crate) connector: MakeRustlsConnect,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the certificates to trust, if the mode needs them.
    pub(crate) fn new(settings: &TlsSettings) -> Result<Self, String> {
        let system = settings.root_certificates.as_deref() == Some("system");
        let mode = match settings.mode {
            None if system => SslMode::VerifyFull,
            None => SslMode::Prefer,
            Some(mode) if system && mode != SslMode::VerifyFull => {
                return Err(format!(
                    "sslrootcert=system goes with sslmode=verify-full only, not with {}",
                    mode.name()
                ));
            }
            Some(SslMode::Require) if settings.root_certificates.is_some() => SslMode::VerifyCa,
            Some(mode) => mode,
        };
        let file = settings
            .root_certificates
            .as_deref()
            .filter(|_| !system && mode >= SslMode::VerifyCa);
        let authorities = file
            .map(|path| {
                std::fs::read(path).map_err(|error| format!("sslrootcert {path} cannot be read: {error}"))
            })
            .transpose()?;
        let trust = match (mode, &authorities) {
            (SslMode::Disable | SslMode::Prefer | SslMode::Require, _) => None,
            (_, Some(pem)) => Some(
                Trust::from_pem(pem)
                    .map_err(|reason| format!("sslrootcert {} {reason}", file.unwrap_or_default()))?,
            ),
            (_, None) => Some(Trust::of_the_system()?),
        };
        let mut config = client_config(trust, mode).map_err(|error| error.to_string())?;
        if settings.direct {
            if mode < SslMode::Require {
                return Err("sslnegotiation=direct needs sslmode=require or stronger".to_owned());
            }
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(Self {
            mode,
            authorities: authorities.map(Arc::from),
            connector: MakeRustlsConnect::new(config),
        })
    }

    /// The mode in force.
    pub(crate) fn mode(&self) -> SslMode {
        self.mode
    }

    /// The PEM file to trust in place of the system's certificates.
    pub(crate) fn authorities(&self) -> Option<&[u8]> {
        self.authorities.as_deref()
    }

    /// The mode in the driver's words, for a connection over TCP.
    pub(crate) fn driver_mode(&self) -> tokio_postgres::config::SslMode {
        match self.mode {
            SslMode::Disable => tokio_postgres::config::SslMode::Disable,
            SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => {
                tokio_postgres::config::SslMode::Require
            }
        }
    }
}

fn client_config(trust: Option<Trust>, mode: SslMode) -> Result<ClientConfig, Error> {
    // Named here, so that nothing depends on a default of the process.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier {
        trust,
        checks_name: mode == SslMode::VerifyFull,
        provider: Arc::clone(&provider),
    };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// Whose certificates are believed.
#[derive(Debug)]
struct Trust {
    roots: RootCertStore,
    /// The same certificates as they are, if they came from a file: one of them may be the server's own.
    own: Vec<CertificateDer<'static>>,
}

impl Trust {
    fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let own: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("is not a PEM file: {error}"))?;
        if own.is_empty() {
            return Err("holds no certificate".to_owned());
        }
        let mut roots = RootCertStore::empty();
        for certificate in &own {
            roots
                .add(certificate.clone())
                .map_err(|error| format!("holds a certificate that cannot be used: {error}"))?;
        }
        Ok(Self { roots, own })
    }

    fn of_the_system() -> Result<Self, String> {
        let loaded = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(loaded.certs);
        if roots.is_empty() {
            return Err("the system has no certificates to trust, name a file by sslrootcert".to_owned());
        }
        Ok(Self {
            roots,
            own: Vec::new(),
        })
    }
}

/// Checks the server's certificate as far as the mode says. The handshake's signature is checked in every mode: it
/// proves that the server holds the key of the certificate it shows.
#[derive(Debug)]
struct Verifier {
    /// `None` believes any certificate.
    trust: Option<Trust>,
    checks_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trust) = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if trust.own.contains(end_entity) {
            check_validity(end_entity, now)?;
        } else {
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                &trust.roots,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        }
        if self.checks_name {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Whether `now` lies in the certificate's time, which nobody else checks for one that is trusted by itself.
fn check_validity(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// What went wrong in a handshake, for people.
pub(crate) fn explain(error: &Error) -> String {
    let Error::InvalidCertificate(reason) = error else {
        return format!("the TLS handshake failed: {error}");
    };
    match reason {
        // The second: of an authority that has a trusted one's name and another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the server's certificate is not of a trusted authority \
            (name the authority's certificate by sslrootcert)"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the server's certificate is made for another host ({reason})")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the server's certificate has expired ({reason})")
        }
        _ => format!("the server's certificate cannot be accepted: {reason}"),
    }
}
