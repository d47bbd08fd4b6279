//! The one value through which everybody gets the repositories.

use std::sync::Arc;

use cutover_ports::lab::LabRepositories;
use cutover_ports::market::MarketRepositories;
use cutover_ports::writer::WriterRepositories;

use super::Repositories;

/// The repositories, each on the backend that is in charge of it. Ask for them anew for every piece of work, and
/// keep none, so that a later switch can replace them while the service runs.
#[derive(Debug)]
pub struct Routing {
    lab: Arc<LabRepositories>,
    writer: WriterRepositories,
    market: MarketRepositories,
}

impl Routing {
    /// Routes to these.
    pub fn new(repositories: Repositories) -> Self {
        let Repositories { lab, writer, market } = repositories;
        Self {
            lab: Arc::new(lab),
            writer,
            market,
        }
    }

    /// The lab's repositories as they are routed now.
    pub fn lab(&self) -> Arc<LabRepositories> {
        Arc::clone(&self.lab)
    }

    /// The writer's repositories as they are routed now.
    pub fn writer(&self) -> WriterRepositories {
        self.writer.clone()
    }

    /// The market's repositories as they are routed now.
    pub fn market(&self) -> MarketRepositories {
        self.market.clone()
    }
}
