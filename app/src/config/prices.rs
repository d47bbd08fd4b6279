//! Where prices come from.

use std::path::PathBuf;

use hyper::Uri;

use cutover_domain::secret::Secret;

/// Where prices come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceConfig {
    /// Nowhere.
    None,
    /// A service.
    Http(PriceService),
    /// A file.
    File(PathBuf),
}

/// A service of prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceService {
    /// Its `http://` or `https://` URL, which names nobody.
    pub base: String,
    /// As whom it is asked: a name, a colon and a password, as they stand in the URL.
    pub user: Option<Secret>,
}

impl PriceConfig {
    /// Reads a service's URL or the path of a file. What is neither is not repeated by whoever says so: it may hold a password.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        if text.contains("://") {
            return PriceService::parse(text).map(Self::Http);
        }
        Some(Self::File(PathBuf::from(text)))
    }
}

impl PriceService {
    /// Reads a URL. The questions are put behind its path, so that it has no query.
    fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") || rest.contains(['?', '#']) {
            return None;
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let base = format!("{scheme}://{host}{path}");
        let uri: Uri = base.parse().ok()?;
        let authority = uri.authority()?;
        let is_place = authority.port_u16().is_some() || authority.as_str() == authority.host();
        if authority.host().is_empty() || !is_place {
            return None;
        }
        let user = match user {
            None | Some("") => None,
            Some(user) if user.contains(|c: char| c.is_whitespace() || c.is_control()) => return None,
            Some(user) => Some(Secret::new(user)),
        };
        Some(Self { base, user })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_files_are_told_apart() {
        let service = |text| match PriceConfig::parse(text) {
            Some(PriceConfig::Http(service)) => {
                Some((service.base, service.user.map(|user| user.expose().to_owned())))
            }
            _ => None,
        };
        for (text, base, user) in [
            ("http://h", "http://h", None),
            ("HTTPS://h:8/p/", "https://h:8/p/", None),
            ("http://[::1]:9/x", "http://[::1]:9/x", None),
            ("http://u:p%40@w@h:8/p", "http://h:8/p", Some("u:p%40@w")),
            ("http://@h", "http://h", None),
        ] {
            let expected = Some((base.to_owned(), user.map(str::to_owned)));
            assert_eq!(service(text), expected, "{text}");
        }
        for file in ["prices.json", "/a b/prices", "./http:/x"] {
            assert_eq!(
                PriceConfig::parse(file),
                Some(PriceConfig::File(file.into())),
                "{file}"
            );
        }
        for neither in [
            "",
            "ftp://u:p@h/x",
            "http://",
            "http:///p",
            "http://u:p@",
            "http://u:p@h/p?key=k",
            "http://h/#f",
            "http://h h",
            "http://u p@h",
            "http://h:port",
        ] {
            assert_eq!(PriceConfig::parse(neither), None, "{neither}");
        }
    }
}
