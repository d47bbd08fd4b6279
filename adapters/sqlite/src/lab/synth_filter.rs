//! Searches for synths as statements. Only constants of this file become SQL; whatever a search holds is bound.

use cutover_domain::lab::synth::{SortDirection, SynthSort};
use cutover_domain::lab::synth_filter::{Condition, Field, Operator, SynthSearch};
use rusqlite::types::Value;

use crate::instant::{newest_first, oldest_first};

/// A statement under construction, and what is bound to it.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

/// How many synths a search finds.
pub(super) fn count(search: &SynthSearch) -> Statement {
    let mut statement = Statement::new("SELECT count(*) FROM synths");
    statement.push_search(search);
    statement
}

/// A page of the synths that a search finds.
pub(super) fn page(search: &SynthSearch, limit: i64, offset: i64) -> Statement {
    let mut statement = Statement::new(
        "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version FROM synths",
    );
    statement.push_search(search);
    statement.push(" ORDER BY ");
    for (field, direction) in &search.order {
        statement.push_order(field, *direction);
    }
    statement.push_order(&Field::Column(SynthSort::CreatedAt), SortDirection::Descending);
    statement.push("id LIMIT ");
    statement.bind(limit);
    statement.push(" OFFSET ");
    statement.bind(offset);
    statement
}

impl Statement {
    fn new(sql: &'static str) -> Self {
        Self {
            sql: sql.to_owned(),
            values: Vec::new(),
        }
    }

    fn push(&mut self, sql: &'static str) {
        self.sql.push_str(sql);
    }

    /// Binds a value; its number, by which it may stand in the statement again.
    fn bind(&mut self, value: impl Into<Value>) -> usize {
        self.values.push(value.into());
        let number = self.values.len();
        self.push_bound(number);
        number
    }

    fn push_bound(&mut self, number: usize) {
        self.push("?");
        self.sql.push_str(&number.to_string());
    }

    fn push_search(&mut self, search: &SynthSearch) {
        if let Some(condition) = &search.condition {
            self.push(" WHERE ");
            self.push_condition(condition);
        }
    }

    fn push_condition(&mut self, condition: &Condition) {
        match condition {
            Condition::All(all) => self.push_joined(all, " AND "),
            Condition::Any(any) => self.push_joined(any, " OR "),
            Condition::Not(condition) => {
                self.push("NOT (");
                self.push_condition(condition);
                self.push(")");
            }
            Condition::Compare(field, operator, literal) => {
                self.push_field(field);
                self.push(symbol(*operator));
                match (field, literal.as_number()) {
                    (Field::Data(_), Some(number)) => self.bind(number),
                    _ => self.bind(literal.as_text().to_owned()),
                };
            }
            Condition::Like(field, pattern) => {
                match field {
                    Field::Column(column) => self.push(name(*column)),
                    Field::Data(keys) => self.push_call("document_text(data", keys),
                }
                self.push(" LIKE ");
                self.bind(pattern.text.clone());
                if let Some(escape) = pattern.escape {
                    self.push(" ESCAPE ");
                    self.bind(escape.to_string());
                }
            }
            Condition::IsNull(Field::Column(column)) => {
                self.push(name(*column));
                self.push(" IS NULL");
            }
            Condition::IsNull(Field::Data(keys)) if keys.is_empty() => self.push("data IS NULL"),
            Condition::IsNull(Field::Data(keys)) => {
                self.push_call("document_has(data", keys);
                self.push(" = 0");
            }
            Condition::Constant(holds) => self.push(if *holds { "1" } else { "0" }),
            Condition::Unknown => self.push("NULL"),
        }
    }

    fn push_joined(&mut self, conditions: &[Condition], between: &'static str) {
        for (index, condition) in conditions.iter().enumerate() {
            self.push(if index == 0 { "(" } else { between });
            self.push("(");
            self.push_condition(condition);
            self.push(")");
        }
        self.push(")");
    }

    /// A function of a document, which is begun, and of what stands in it under `keys`.
    fn push_call(&mut self, begun: &'static str, keys: &[String]) {
        self.push(begun);
        for key in keys {
            self.push(", ");
            self.bind(key.clone());
        }
        self.push(")");
    }

    /// A column; or a document's number as a double, or text.
    fn push_field(&mut self, field: &Field) {
        match field {
            Field::Column(column) => self.push(name(*column)),
            Field::Data(keys) => self.push_call("document_scalar(data", keys),
        }
    }

    fn push_order(&mut self, field: &Field, direction: SortDirection) {
        // Times as in the list. SQLite puts NULL before everything, unless it is told otherwise.
        match (field, direction) {
            (Field::Column(SynthSort::CreatedAt), SortDirection::Ascending) => {
                self.push(oldest_first!("created_at"));
            }
            (Field::Column(SynthSort::CreatedAt), SortDirection::Descending) => {
                self.push(newest_first!("created_at"));
            }
            (field, SortDirection::Ascending) => self.push_field(field),
            (field, SortDirection::Descending) => {
                self.push_field(field);
                self.push(" DESC");
            }
        }
        self.push(", ");
    }
}

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => " = ",
        Operator::NotEqual => " <> ",
        Operator::Less => " < ",
        Operator::AtMost => " <= ",
        Operator::Greater => " > ",
        Operator::AtLeast => " >= ",
    }
}

fn name(column: SynthSort) -> &'static str {
    match column {
        SynthSort::Id => "id",
        SynthSort::SynthGroupId => "synth_group_id",
        SynthSort::Nome => "nome",
        SynthSort::Descricao => "descricao",
        SynthSort::LinkPhoto => "link_photo",
        SynthSort::AvatarPath => "avatar_path",
        SynthSort::CreatedAt => "created_at",
        SynthSort::Version => "version",
    }
}
