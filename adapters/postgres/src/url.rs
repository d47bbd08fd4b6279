//! Connection URLs, read by ourselves: the drivers' parsers know neither all of libpq's parameters nor the URLs of
//! other programs, cut a password at its first `@`, and quote what they do not understand.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use cutover_domain::secret::Secret;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, SslNegotiation, TargetSessionAttrs};

use crate::tls::{SslMode, Tls, TlsSettings};

/// The longest that connecting may take, whatever the URL says: a start must fail within 5 s.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(4);

/// A connection URL that cannot be used. The text names the part at fault and never quotes it: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the PostgreSQL URL cannot be used: {0}")]
pub struct UrlError(pub String);

fn wrong<T>(reason: impl Into<String>) -> Result<T, UrlError> {
    Err(UrlError(reason.into()))
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name or an address. With `hostaddr`, the address to connect to; the name is then only checked by TLS.
    Tcp {
        /// What the certificate must be made for.
        name: String,
        /// `hostaddr`.
        address: Option<IpAddr>,
    },
    /// The directory of a Unix socket.
    Unix(PathBuf),
}

/// One server of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its host.
    pub host: Host,
    /// Its port; also part of a socket's name.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Tcp { name, .. } if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            Host::Tcp { name, .. } => write!(f, "{name}:{}", self.port),
            Host::Unix(directory) => write!(f, "{}:{}", directory.display(), self.port),
        }
    }
}

/// What a URL says.
#[derive(Clone)]
pub(crate) struct Parsed {
    pub(crate) endpoints: Vec<Endpoint>,
    /// Everything but hosts and ports.
    pub(crate) config: Config,
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    pub(crate) database: String,
    pub(crate) tls: Tls,
    /// For all servers together.
    pub(crate) connect_timeout: Duration,
    /// Whether to try the servers in a random order.
    pub(crate) shuffle: bool,
}

/// The parts of a URL as they are collected.
#[derive(Default)]
struct Parts {
    hosts: Vec<String>,
    addresses: Vec<String>,
    ports: Vec<String>,
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    tls: TlsSettings,
    parameters: Vec<(String, String)>,
}

/// Reads a URL in any of the spellings that this and other programs use.
pub(crate) fn parse(url: &str) -> Result<Parsed, UrlError> {
    let rest = [
        "postgres://",
        "postgresql://",
        "postgresql+psycopg2://",
        "postgresql+asyncpg://",
    ]
    .iter()
    .find_map(|scheme| url.trim().strip_prefix(scheme));
    let Some(rest) = rest else {
        return wrong("it does not begin with postgres:// or postgresql://");
    };
    let mut parts = Parts::default();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if path.contains(['@', '/']) || query.contains(['@', '#']) {
        return wrong("a character in it must be percent-encoded (/ as %2F, ? as %3F, # as %23, @ as %40)");
    }
    parts.read_authority(authority)?;
    parts.database = Some(decoded("database", path)?).filter(|name| !name.is_empty());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        parts.read_parameter(pair)?;
    }
    parts.finish()
}

impl Parts {
    fn read_authority(&mut self, authority: &str) -> Result<(), UrlError> {
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (Some(credentials), hosts),
            None => (None, authority),
        };
        if let Some(credentials) = credentials {
            let (user, password) = match credentials.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (credentials, None),
            };
            self.user = Some(decoded("user", user)?).filter(|user| !user.is_empty());
            self.password = password
                .map(|password| decoded("password", password))
                .transpose()?;
        }
        for chunk in hosts.split(',').filter(|_| !hosts.is_empty()) {
            let (host, port) = match chunk.strip_prefix('[') {
                Some(bracketed) => match bracketed.split_once(']') {
                    Some((host, port)) if port.is_empty() || port.starts_with(':') => {
                        (host, port.strip_prefix(':').unwrap_or_default())
                    }
                    _ => return wrong("an address in [ ] is not closed"),
                },
                None => chunk.split_once(':').unwrap_or((chunk, "")),
            };
            self.hosts.push(decoded("host", host)?);
            self.ports.push(decoded("port", port)?);
        }
        Ok(())
    }

    fn read_parameter(&mut self, pair: &str) -> Result<(), UrlError> {
        let Some((name, value)) = pair.split_once('=') else {
            return wrong("a parameter behind the ? has no value");
        };
        let name = decoded("name of a parameter", name)?;
        let value = decoded(&name, value)?;
        let list = || value.split(',').map(str::to_owned);
        match name.as_str() {
            // A host here replaces the ones before the path, as in libpq.
            "host" => self.hosts = list().collect(),
            "hostaddr" => self.addresses = list().collect(),
            "port" => self.ports = list().collect(),
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "dbname" => self.database = Some(value),
            "sslmode" => self.tls.mode = Some(ssl_mode(&name, &value)?),
            // asyncpg's spelling.
            "ssl" => {
                self.tls.mode = Some(match value.as_str() {
                    "true" | "True" => SslMode::VerifyFull,
                    "false" | "False" => SslMode::Disable,
                    mode => ssl_mode(&name, mode)?,
                });
            }
            "sslrootcert" => self.tls.root_certificates = Some(value),
            "sslnegotiation" => {
                self.tls.direct = word(&name, &value, &[("postgres", false), ("direct", true)])?;
                self.parameters.push((name, value));
            }
            _ => self.parameters.push((name, value)),
        }
        Ok(())
    }

    fn finish(self) -> Result<Parsed, UrlError> {
        let endpoints = endpoints(&self.hosts, &self.addresses, &self.ports)?;
        let user = self
            .user
            .or_else(|| std::env::var("USER").ok().filter(|user| !user.is_empty()));
        let Some(user) = user else {
            return wrong("it names no user (postgres://user@host/database)");
        };
        let database = self.database.unwrap_or_else(|| user.clone());
        let tls = Tls::new(&self.tls).map_err(UrlError)?;
        let mut config = Config::new();
        config
            .user(&user)
            .dbname(&database)
            // The defaults notice a dead network only after hours.
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(30));
        if let Some(password) = &self.password {
            config.password(password);
        }
        let mut parsed = Parsed {
            endpoints,
            config,
            user,
            password: self.password.map(Secret::new),
            database,
            tls,
            connect_timeout: CONNECT_TIMEOUT_MAX,
            shuffle: false,
        };
        for (name, value) in &self.parameters {
            parsed.apply(name, value)?;
        }
        Ok(parsed)
    }
}

impl Parsed {
    fn apply(&mut self, name: &str, value: &str) -> Result<(), UrlError> {
        let config = &mut self.config;
        match name {
            "application_name" => {
                config.application_name(value);
            }
            "options" => {
                config.options(value);
            }
            "connect_timeout" => {
                let seconds = number::<u64>(name, value)?;
                if seconds > 0 {
                    self.connect_timeout = CONNECT_TIMEOUT_MAX.min(Duration::from_secs(seconds));
                }
            }
            "keepalives" => {
                config.keepalives(number::<u8>(name, value)? != 0);
            }
            "keepalives_idle" => {
                config.keepalives_idle(Duration::from_secs(number(name, value)?));
            }
            "keepalives_interval" => {
                config.keepalives_interval(Duration::from_secs(number(name, value)?));
            }
            "keepalives_count" | "keepalives_retries" => {
                config.keepalives_retries(number(name, value)?);
            }
            // Milliseconds, as in libpq.
            "tcp_user_timeout" => {
                config.tcp_user_timeout(Duration::from_millis(number(name, value)?));
            }
            "channel_binding" => {
                config.channel_binding(word(
                    name,
                    value,
                    &[
                        ("disable", ChannelBinding::Disable),
                        ("prefer", ChannelBinding::Prefer),
                        ("require", ChannelBinding::Require),
                    ],
                )?);
            }
            "sslnegotiation" => {
                config.ssl_negotiation(if value == "direct" {
                    SslNegotiation::Direct
                } else {
                    SslNegotiation::Postgres
                });
            }
            "target_session_attrs" => {
                config.target_session_attrs(word(
                    name,
                    value,
                    &[
                        ("any", TargetSessionAttrs::Any),
                        ("read-write", TargetSessionAttrs::ReadWrite),
                        ("primary", TargetSessionAttrs::ReadWrite),
                        ("read-only", TargetSessionAttrs::ReadOnly),
                    ],
                )?);
            }
            "load_balance_hosts" => {
                self.shuffle = word(name, value, &[("disable", false), ("random", true)])?;
            }
            "client_encoding" => word(
                name,
                &value.to_lowercase(),
                &[("utf8", ()), ("utf-8", ()), ("auto", ())],
            )?,
            // What it turns off, or sizes, does not exist here.
            "gssencmode" => word(name, value, &[("disable", ()), ("prefer", ())])?,
            "prepared_statement_cache_size" => {}
            "sslcert" | "sslkey" | "sslpassword" => {
                return wrong(format!("client certificates are not supported ({name})"));
            }
            _ if name.len() < 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {
                return wrong(format!("the parameter {name} is not known"));
            }
            _ => return wrong("a parameter behind the ? is not known"),
        }
        Ok(())
    }
}

/// Pairs hosts, addresses and ports as libpq does: as many addresses as hosts, one port for all or one for each.
fn endpoints(hosts: &[String], addresses: &[String], ports: &[String]) -> Result<Vec<Endpoint>, UrlError> {
    // Where Debian's and most other servers make their socket.
    let default = ["/var/run/postgresql".to_owned()];
    let hosts = if hosts.is_empty() && addresses.is_empty() {
        &default
    } else {
        hosts
    };
    let count = hosts.len().max(addresses.len());
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        return wrong(format!(
            "{} hosts and {} addresses (hostaddr)",
            hosts.len(),
            addresses.len()
        ));
    }
    if ports.len() > 1 && ports.len() != count {
        return wrong(format!("{count} hosts and {} ports", ports.len()));
    }
    (0..count)
        .map(|index| {
            let port = match ports.get(index).or(ports.first()).map_or("", String::as_str) {
                "" => 5432,
                text => match text.parse::<u16>() {
                    Ok(port) if port > 0 => port,
                    _ => return wrong("the port is not a number from 1 to 65535"),
                },
            };
            let address = match addresses.get(index).map_or("", String::as_str) {
                "" => None,
                text => match text.parse::<IpAddr>() {
                    Ok(address) => Some(address),
                    Err(_) => return wrong("hostaddr is not an IP address"),
                },
            };
            let host = match (hosts.get(index).map_or("", String::as_str), address) {
                ("", Some(address)) => Host::Tcp {
                    name: address.to_string(),
                    address: Some(address),
                },
                ("", None) => return wrong("a host is empty"),
                (path, None) if path.starts_with('/') => Host::Unix(PathBuf::from(path)),
                (name, _) if name.contains(['@', '/', '\0', ' ']) => {
                    return wrong(
                        "the host is not a name or an address (percent-encode / in a password as %2F)",
                    );
                }
                (name, address) => Host::Tcp {
                    name: name.to_owned(),
                    address,
                },
            };
            Ok(Endpoint { host, port })
        })
        .collect()
}

fn ssl_mode(name: &str, value: &str) -> Result<SslMode, UrlError> {
    if value == "allow" {
        return wrong(format!("{name}=allow is not supported, use prefer or require"));
    }
    word(name, value, &SslMode::ALL.map(|mode| (mode.name(), mode)))
}

/// One of a few words.
fn word<T: Copy>(name: &str, value: &str, words: &[(&str, T)]) -> Result<T, UrlError> {
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == value) {
        return Ok(*meaning);
    }
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    wrong(format!("{name} must be one of {}", words.join(", ")))
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, UrlError> {
    value
        .parse()
        .or_else(|_| wrong(format!("{name} is not a whole number")))
}

/// Undoes percent-encoding. `part` is named when that fails.
fn decoded(part: &str, text: &str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => match (rest.next().and_then(hex_digit), rest.next().and_then(hex_digit)) {
                (Some(high), Some(low)) => high * 16 + low,
                _ => return wrong(format!("the {part} holds a % that is not followed by two hexadecimal digits (% itself is %25)")),
            },
            byte => byte,
        });
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => wrong(format!("the {part} holds a NUL character")),
        Ok(text) => Ok(text),
        Err(_) => wrong(format!("the {part} is not UTF-8")),
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(name: &str, port: u16) -> Endpoint {
        let host = Host::Tcp {
            name: name.to_owned(),
            address: None,
        };
        Endpoint { host, port }
    }

    #[test]
    fn every_scheme_and_every_part_is_read() {
        for scheme in [
            "postgres",
            "postgresql",
            "postgresql+psycopg2",
            "postgresql+asyncpg",
        ] {
            let url =
                format!("{scheme}://me%40home:p%40ss%2F%3F@db.example:6432/the%20lab?application_name=x");
            let parsed = parse(&url).unwrap();
            assert_eq!(parsed.user, "me@home");
            assert_eq!(parsed.password.as_ref().map(Secret::expose), Some("p@ss/?"));
            assert_eq!(parsed.config.get_password(), Some("p@ss/?".as_bytes()));
            assert_eq!(parsed.endpoints, [tcp("db.example", 6432)]);
            assert_eq!(parsed.database, "the lab");
            assert_eq!(parsed.config.get_application_name(), Some("x"));
            assert_eq!(parsed.tls.mode(), SslMode::Prefer);
        }
    }

    #[test]
    fn an_at_sign_in_a_password_does_not_cut_it() {
        let parsed = parse("postgres://u:p@ss:w@rd@h/d").unwrap();
        assert_eq!(parsed.password.as_ref().map(Secret::expose), Some("p@ss:w@rd"));
        assert_eq!(parsed.endpoints, [tcp("h", 5432)]);
    }

    #[test]
    fn hosts_are_paired_with_ports_and_addresses() {
        let hosts = |url| parse(url).unwrap().endpoints;
        assert_eq!(
            hosts("postgres://u@a,b:1,[::1]:2/d"),
            [tcp("a", 5432), tcp("b", 1), tcp("::1", 2)]
        );
        assert_eq!(
            hosts("postgres://u@/d?host=a,b&port=7"),
            [tcp("a", 7), tcp("b", 7)]
        );
        assert_eq!(
            hosts("postgres://u@%2Ftmp%2Fwith%20blank:1/d"),
            [Endpoint {
                host: Host::Unix("/tmp/with blank".into()),
                port: 1
            }]
        );
        assert_eq!(
            hosts("postgres://u@/d?host=/tmp"),
            [Endpoint {
                host: Host::Unix("/tmp".into()),
                port: 5432
            }]
        );
        let address = "10.0.0.1".parse().ok();
        assert_eq!(
            hosts("postgres://u@db.example/d?hostaddr=10.0.0.1"),
            [Endpoint {
                host: Host::Tcp {
                    name: "db.example".into(),
                    address
                },
                port: 5432
            }]
        );
        assert_eq!(
            hosts("postgres://u@/d?hostaddr=10.0.0.1&port=9"),
            [Endpoint {
                host: Host::Tcp {
                    name: "10.0.0.1".into(),
                    address
                },
                port: 9
            }]
        );
        assert_eq!(hosts("postgres://u@[::1]:2/d")[0].to_string(), "[::1]:2");
    }

    #[test]
    fn mistakes_name_the_part_and_never_quote_it() {
        let cases = [
            ("mysql://u:sesame@h/d", "begin with postgres://"),
            ("postgres://u:sesame@h:x/d", "port"),
            ("postgres://u:sesame@h:70000/d", "port"),
            ("postgres://u:ses/ame@h/d", "percent-encoded"),
            ("postgres://u:12/sesame@h/d", "percent-encoded"),
            ("postgres://u:12?sesame@h/d", "percent-encoded"),
            ("postgres://u:12?sesame=@h/d", "percent-encoded"),
            ("postgres://u:a@b?sesame=@h/d", "percent-encoded"),
            (
                "postgres://u:sesame@h/d?sslmod=require",
                "the parameter sslmod is not known",
            ),
            ("postgres://u:sesame%@h/d", "the password holds a %"),
            ("postgres://u:sesame%ff@h/d", "password is not UTF-8"),
            ("postgres://u:sesame%00@h/d", "NUL"),
            (
                "postgres://u:sesame@h/d?sslmode=sesame",
                "sslmode must be one of disable, prefer, require, verify-ca",
            ),
            ("postgres://u:sesame@h/d?sslmode=allow", "use prefer or require"),
            ("postgres://u:sesame@h/d?hostaddr=1,2", "1 hosts and 2 addresses"),
            ("postgres://u:sesame@h/d?hostaddr=h", "not an IP address"),
            ("postgres://u:sesame@a,b/d?port=1,2,3", "2 hosts and 3 ports"),
            ("postgres://u:sesame@[::1/d", "not closed"),
            ("postgres://u:sesame@h,/d", "a host is empty"),
            ("postgres://u:sesame@h/d?sslcert=x", "client certificates"),
            (
                "postgres://u:sesame@h/d?sslmode=verify-full&sslrootcert=/nowhere.pem",
                "/nowhere.pem",
            ),
            (
                "postgres://u:sesame@h/d?connect_timeout=soon",
                "connect_timeout is not a whole number",
            ),
        ];
        for (url, expected) in cases {
            let error = parse(url).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(expected), "{url}: {error}");
            assert!(!error.contains("sesame"), "{url}: {error}");
        }
    }

    #[test]
    fn a_connect_timeout_is_never_longer_than_ours() {
        let timeout = |url| parse(url).unwrap().connect_timeout;
        assert_eq!(
            timeout("postgres://u@h/d?connect_timeout=60"),
            Duration::from_secs(4)
        );
        assert_eq!(
            timeout("postgres://u@h/d?connect_timeout=2"),
            Duration::from_secs(2)
        );
        assert_eq!(
            timeout("postgres://u@h/d?connect_timeout=0"),
            Duration::from_secs(4)
        );
    }
}
