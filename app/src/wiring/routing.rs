//! The one value through which everybody gets the repositories.

use cutover_ports::lab::LabRepositories;
use cutover_ports::market::MarketRepositories;
use cutover_ports::writer::WriterRepositories;

use super::Repositories;

/// The repositories, each on the backend that is in charge of it. Ask for them anew for every piece of work, and
/// keep none, so that a later switch can replace them while the service runs.
#[derive(Debug)]
pub struct Routing {
    repositories: Repositories,
}

impl Routing {
    /// Routes to these.
    pub fn new(repositories: Repositories) -> Self {
        Self { repositories }
    }

    /// The lab's repositories as they are routed now.
    pub fn lab(&self) -> LabRepositories {
        self.repositories.lab.clone()
    }

    /// The writer's repositories as they are routed now.
    pub fn writer(&self) -> WriterRepositories {
        self.repositories.writer.clone()
    }

    /// The market's repositories as they are routed now.
    pub fn market(&self) -> MarketRepositories {
        self.repositories.market.clone()
    }
}
