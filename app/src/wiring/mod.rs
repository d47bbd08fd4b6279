//! The composition root: the only place that names the adapters.

mod databases;
mod diagnosis;
#[cfg(all(feature = "sqlite", feature = "postgres"))]
mod foreign_keys;
mod integrity;
pub mod inventory;
mod migrations;
mod pools;
mod prices;
mod routing;
#[cfg(feature = "postgres")]
mod server_clock;
mod system;
pub mod transfer;

pub use databases::{Databases, Repositories, WiringError, check_postgres_url, try_pool};
pub use diagnosis::{Diagnosis, diagnose, missing_rights, put_back, told};
pub use integrity::{Examiners, rules};
pub use migrations::MigrationTargets;
#[cfg(feature = "sqlite")]
pub use migrations::missing_parts;
#[cfg(feature = "postgres")]
pub use migrations::postgres_target;
pub use pools::Pool;
pub use prices::price_source;
pub use routing::Routing;
pub use system::{RandomIds, SystemClock, job_clock};
