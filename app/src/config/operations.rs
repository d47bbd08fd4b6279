//! How the service is watched and steered.

use super::collector::Collector;
use cutover_domain::secret::Secret;

use super::settings::Settings;

/// The endpoints under `/ops`.
#[derive(Debug, Clone, Default)]
pub struct OpsConfig {
    /// What a caller has to show; without one nobody may call them.
    pub token: Option<Secret>,
}

/// Where traces go.
#[derive(Debug, Clone)]
pub struct TracesConfig {
    /// The collector.
    pub endpoint: Collector,
    /// The service's name in traces.
    pub service_name: String,
    /// So many in a hundred requests are traced, of those whose caller does not say.
    pub percent: u32,
}

impl OpsConfig {
    pub(super) fn from_settings(settings: &mut Settings) -> Self {
        let expected = "a token of visible ASCII characters, as a header can hold it";
        let read = |text: &str| {
            let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
            fits.then(|| Secret::new(text))
        };
        Self {
            token: settings.parsed("ops.token", expected, read),
        }
    }
}

impl TracesConfig {
    /// `None` without a collector.
    pub(super) fn from_settings(settings: &mut Settings) -> Option<Self> {
        let expected = "the http:// URL of an OpenTelemetry collector, such as \"http://localhost:4318\"";
        let endpoint = settings.parsed("traces.endpoint", expected, Collector::parse);
        let service_name = settings.text("traces.service_name");
        let percent = settings.number("traces.percent", 0..=100, 100);
        Some(Self {
            endpoint: endpoint?,
            service_name: service_name.unwrap_or_else(|| "cutover".to_owned()),
            percent,
        })
    }
}
