//! The one value through which everybody gets the repositories.

use std::sync::{PoisonError, RwLock};

use cutover_ports::lab::LabRepositories;
use cutover_ports::market::MarketRepositories;

use super::Repositories;

/// The repositories, each on the backend that is in charge of it now. Ask for them anew for every piece of work, and
/// keep none: a later switch replaces them while the service runs.
#[derive(Debug)]
pub struct Routing {
    lab: RwLock<LabRepositories>,
    market: RwLock<MarketRepositories>,
}

impl Routing {
    /// Routes to these.
    pub fn new(repositories: Repositories) -> Self {
        Self {
            lab: RwLock::new(repositories.lab),
            market: RwLock::new(repositories.market),
        }
    }

    /// The lab's repositories as they are routed now.
    pub fn lab(&self) -> LabRepositories {
        self.lab.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Routes the lab anew.
    pub fn replace_lab(&self, lab: LabRepositories) {
        *self.lab.write().unwrap_or_else(PoisonError::into_inner) = lab;
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
