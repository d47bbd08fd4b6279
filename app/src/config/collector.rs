//! Where an OpenTelemetry collector listens.

use hyper::http::uri::Authority;

/// Where a collector listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// Host and port.
    pub authority: String,
    /// Where spans go.
    pub path: String,
}

impl Collector {
    /// Reads an `http://host:port` URL, as `OTEL_EXPORTER_OTLP_ENDPOINT` has it: spans go to `/v1/traces` beneath its path.
    pub fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '?' | '#');
        if host.is_empty() || rest.contains(odd) {
            return None;
        }
        let place: Authority = host.parse().ok()?;
        let has_port = place.port_u16().is_some();
        if place.host().is_empty() || !(has_port || place.host() == host) {
            return None;
        }
        let authority = if has_port {
            host.to_owned()
        } else {
            format!("{host}:4318")
        };
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() {
            "/v1/traces".to_owned()
        } else {
            format!("/{path}/v1/traces")
        };
        Some(Self { authority, path })
    }
}

impl std::fmt::Display for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_as_opentelemetry_names_them() {
        let read = |url| Collector::parse(url).map(|collector| collector.to_string());
        assert_eq!(
            read("http://localhost:4318").as_deref(),
            Some("http://localhost:4318/v1/traces")
        );
        assert_eq!(
            read("http://[::1]:9/x/").as_deref(),
            Some("http://[::1]:9/x/v1/traces")
        );
        assert_eq!(
            read("http://collector").as_deref(),
            Some("http://collector:4318/v1/traces")
        );
        for wrong in [
            "https://h",
            "http://",
            "http://a b",
            "http://u:p@h",
            "http://h:port",
            "http://h:65536",
            "http://:4318",
            "h:4318",
            "http://h\r\nx: y",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
