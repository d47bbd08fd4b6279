//! Whether the rows of a database keep what its schema promises, also where the database itself does not see to it: references
//! across two databases, rules that an old file's tables were made without, constraints that a copy has left unproven.

use async_trait::async_trait;
use cutover_domain::relations::Relation;

use crate::StoreResult;

/// A rule about each row of a table, as SQL of the program's own schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The table.
    pub table: String,
    /// The condition that no row may make false.
    pub condition: String,
}

/// A rule and the rows that break it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRule {
    /// The table.
    pub table: String,
    /// The rule, for people: a condition, or a constraint with its name.
    pub rule: String,
    /// So many rows break it.
    pub rows: u64,
}

/// Keys that a relation's column refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Each key with the number of rows that refer to it. One that is no UTF-8 comes with replacement characters, and one that rows
    /// hold in several storage classes may come more than once.
    pub keys: Vec<(String, u64)>,
    /// The place behind the last of them, unless no key can stand there.
    pub next: Option<String>,
}

/// Looks for rows that break a promise. It reads, and changes nothing.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Integrity: Send + Sync {
    /// The next `limit` keys behind the place `after`, in their order, that the relation's column refers to. Each place lies behind
    /// the one before, whatever the keys hold. Empty if the child's table, or that column, is not there.
    async fn references(
        &self,
        relation: &'static Relation,
        after: Option<String>,
        limit: u32,
    ) -> StoreResult<References>;

    /// Those of `keys` that no row of the relation's parent has. All of them if that table is not there.
    async fn missing(&self, relation: &'static Relation, keys: &[String]) -> StoreResult<Vec<String>>;

    /// The rules that rows of `tables` break. `rules` are those of a new schema, for a database whose own may be fewer.
    async fn broken_rules(&self, tables: &[&'static str], rules: &[Rule]) -> StoreResult<Vec<BrokenRule>>;
}
