//! A connection of the pool with the statements that are prepared on it.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use postgres_types::Type;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, Statement};

use crate::combined::{self, Combined, Read};
use crate::types::Bind;

/// A connection, the task that drives it, and what is prepared on it.
///
/// Statements are known by where their text stands in the program, not by what it says: to hash and compare the text
/// would cost as much again as handing the statement to the driver.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    driver: JoinHandle<()>,
    statements: RwLock<HashMap<Place, Statement>>,
    combined: RwLock<HashMap<Vec<Place>, Arc<Combined>>>,
}

/// Address and length of a text that stays where it is.
type Place = (usize, usize);

impl Session {
    /// With nothing prepared yet.
    pub(crate) fn new(client: Client, driver: JoinHandle<()>) -> Self {
        Self {
            client,
            driver,
            statements: RwLock::default(),
            combined: RwLock::default(),
        }
    }

    /// The statement, if it was prepared for binds of these types.
    pub(crate) fn prepared<'t>(
        &self,
        sql: &'static str,
        types: impl Iterator<Item = &'t Type>,
    ) -> Option<Statement> {
        let statements = self.statements.read().unwrap_or_else(PoisonError::into_inner);
        let known = statements.get(&place(sql))?;
        known.params().iter().eq(types).then(|| known.clone())
    }

    /// Prepares the statement for binds of these types.
    pub(crate) async fn prepare(&self, sql: &'static str, binds: &[Bind<'_>]) -> Result<Statement, Error> {
        let types: Vec<Type> = binds.iter().map(|(_, ty)| ty.clone()).collect();
        self.prepare_typed(sql, &types).await
    }

    async fn prepare_typed(&self, sql: &'static str, types: &[Type]) -> Result<Statement, Error> {
        let statement = self.client.prepare_typed(sql, types).await?;
        let mut statements = self.statements.write().unwrap_or_else(PoisonError::into_inner);
        statements.insert(place(sql), statement.clone());
        Ok(statement)
    }

    /// The statement made of these, if it was made for binds of these types.
    pub(crate) fn combined(&self, reads: &[Read]) -> Option<Arc<Combined>> {
        let combined = self.combined.read().unwrap_or_else(PoisonError::into_inner);
        let known = combined.get(&places(reads))?;
        let types = reads.iter().flat_map(|read| read.binds.iter().map(|(_, ty)| ty));
        known
            .statement
            .params()
            .iter()
            .eq(types)
            .then(|| Arc::clone(known))
    }

    /// Makes one statement of these.
    pub(crate) async fn combine(&self, reads: &[Read]) -> Result<Arc<Combined>, Error> {
        let mut parts = Vec::with_capacity(reads.len());
        let mut types = Vec::new();
        for read in reads {
            let own: Vec<Type> = read.binds.iter().map(|(_, ty)| ty.clone()).collect();
            parts.push(match self.prepared(read.sql, own.iter()) {
                Some(known) => known,
                None => self.prepare_typed(read.sql, &own).await?,
            });
            types.extend(own);
        }
        let text = combined::text(reads.iter().map(|read| (read.sql, read.binds.len())));
        let statement = self.client.prepare_typed(&text, &types).await?;
        let made = Arc::new(Combined::new(statement, parts));
        let mut combined = self.combined.write().unwrap_or_else(PoisonError::into_inner);
        combined.insert(places(reads), Arc::clone(&made));
        Ok(made)
    }
}

fn places(reads: &[Read]) -> Vec<Place> {
    reads.iter().map(|read| place(read.sql)).collect()
}

fn place(sql: &'static str) -> Place {
    (sql.as_ptr().addr(), sql.len())
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
