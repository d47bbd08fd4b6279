//! The one value through which everybody gets the repositories.

use std::sync::{PoisonError, RwLock};

use cutover_ports::lab::LabRepositories;
use cutover_ports::market::MarketRepositories;
use cutover_ports::writer::WriterRepositories;

use super::Repositories;

/// The repositories, each on the backend that is in charge of it now. Ask for them anew for every piece of work, and
/// keep none: a later switch replaces them while the service runs.
#[derive(Debug)]
pub struct Routing {
    lab: RwLock<LabRepositories>,
    writer: RwLock<WriterRepositories>,
    market: RwLock<MarketRepositories>,
}

impl Routing {
    /// Routes to these.
    pub fn new(repositories: Repositories) -> Self {
        Self {
            lab: RwLock::new(repositories.lab),
            writer: RwLock::new(repositories.writer),
            market: RwLock::new(repositories.market),
        }
    }

    /// The lab's repositories as they are routed now.
    pub fn lab(&self) -> LabRepositories {
        self.lab.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The writer's repositories as they are routed now.
    pub fn writer(&self) -> WriterRepositories {
        self.writer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Routes the lab anew.
    pub fn replace_lab(&self, lab: LabRepositories) {
        *self.lab.write().unwrap_or_else(PoisonError::into_inner) = lab;
    }

    /// Routes the writer anew.
    pub fn replace_writer(&self, writer: WriterRepositories) {
        *self.writer.write().unwrap_or_else(PoisonError::into_inner) = writer;
    }

    /// The market's repositories as they are routed now.
    pub fn market(&self) -> MarketRepositories {
        self.market.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Routes the market anew.
    pub fn replace_market(&self, market: MarketRepositories) {
        *self.market.write().unwrap_or_else(PoisonError::into_inner) = market;
    }
}
