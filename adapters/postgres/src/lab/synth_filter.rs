//! Searches for synths as statements. Only constants of this file become SQL; whatever a search holds is bound.

use cutover_domain::lab::synth::{SortDirection, SynthSort};
use cutover_domain::lab::synth_filter::{Condition, Field, Literal, Operator, Pattern, SynthSearch};
use postgres_types::{ToSql, Type};

use crate::types::Bind;

/// A statement under construction, and what is bound to it.
pub(super) struct Statement {
    pub(super) sql: String,
    values: Vec<(Box<dyn ToSql + Sync + Send>, Type)>,
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
    statement.push("created_at DESC, id LIMIT ");
    statement.bind(limit, Type::INT8);
    statement.push(" OFFSET ");
    statement.bind(offset, Type::INT8);
    statement
}

impl Statement {
    fn new(sql: &'static str) -> Self {
        Self {
            sql: sql.to_owned(),
            values: Vec::new(),
        }
    }

    /// What is bound.
    pub(super) fn binds<'a>(&'a self) -> Vec<Bind<'a>> {
        let bind = |(value, ty): &'a (Box<dyn ToSql + Sync + Send>, Type)| (value.as_ref() as _, ty.clone());
        self.values.iter().map(bind).collect()
    }

    fn push(&mut self, sql: &'static str) {
        self.sql.push_str(sql);
    }

    /// Binds a value; its number, by which it may stand in the statement again.
    fn bind(&mut self, value: impl ToSql + Sync + Send + 'static, ty: Type) -> usize {
        self.values.push((Box::new(value), ty));
        let number = self.values.len();
        self.push_bound(number);
        number
    }

    fn push_bound(&mut self, number: usize) {
        self.push("$");
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
            Condition::Compare(Field::Column(column), operator, literal) => {
                self.push(name(*column));
                self.push(symbol(*operator));
                self.bind(literal.as_text().to_owned(), Type::TEXT);
            }
            Condition::Compare(Field::Data(keys), operator, literal) => {
                self.push_data_comparison(keys, *operator, literal);
            }
            Condition::Like(Field::Column(column), pattern) => {
                self.push("translate(");
                self.push(name(*column));
                self.push_pattern(pattern);
            }
            Condition::Like(Field::Data(keys), pattern) => {
                self.push("CASE WHEN jsonb_typeof(data #> ");
                let path = self.bind(keys.clone(), Type::TEXT_ARRAY);
                self.push(") = 'string' THEN translate(data #>> ");
                self.push_bound(path);
                self.push_pattern(pattern);
                self.push(" END");
            }
            Condition::IsNull(Field::Column(column)) => {
                self.push(name(*column));
                self.push(" IS NULL");
            }
            Condition::IsNull(Field::Data(keys)) if keys.is_empty() => self.push("data IS NULL"),
            Condition::IsNull(Field::Data(keys)) => {
                self.push("coalesce(jsonb_typeof(data #> ");
                self.bind(keys.clone(), Type::TEXT_ARRAY);
                self.push("), 'null') = 'null'");
            }
            Condition::Constant(holds) => self.push(if *holds { "true" } else { "false" }),
            Condition::Unknown => self.push("NULL::boolean"),
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

    /// The end of a LIKE that passes over the case of ASCII letters only, as SQLite's does.
    fn push_pattern(&mut self, pattern: &Pattern) {
        self.push(", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') LIKE ");
        self.bind(pattern.text.to_ascii_lowercase(), Type::TEXT);
        self.push(" ESCAPE ");
        self.bind(pattern.escape.map_or_else(String::new, String::from), Type::TEXT);
    }

    /// Numbers come before texts, and nothing else compares.
    fn push_data_comparison(&mut self, keys: &[String], operator: Operator, literal: &Literal) {
        let constant = |holds| if holds { "true" } else { "false" };
        self.push("CASE jsonb_typeof(data #> ");
        let path = self.bind(keys.to_vec(), Type::TEXT_ARRAY);
        match literal {
            Literal::Text(text) => {
                self.push(") WHEN 'string' THEN (data #>> ");
                self.push_bound(path);
                self.push(") COLLATE \"C\"");
                self.push(symbol(operator));
                self.bind(text.clone(), Type::TEXT);
                self.push(" WHEN 'number' THEN ");
                self.push(constant(operator.holds_for_less()));
                self.push(" WHEN 'boolean' THEN ");
                self.push(constant(operator.holds_for_less()));
            }
            Literal::Number(number, _) => {
                self.push(") WHEN 'string' THEN ");
                self.push(constant(operator.holds_for_greater()));
                self.push(" WHEN 'number' THEN ");
                self.push_number(path);
                self.push(symbol(operator));
                let number = self.bind(*number, Type::FLOAT8);
                self.push(" WHEN 'boolean' THEN (data #>> ");
                self.push_bound(path);
                self.push(")::boolean::int::float8");
                self.push(symbol(operator));
                self.push_bound(number);
            }
        }
        self.push(" END");
    }

    /// A number of a document as a double. One that is beyond doubles is as far as they go, and no error.
    fn push_number(&mut self, path: usize) {
        self.push("CASE WHEN abs((data #>> ");
        self.push_bound(path);
        self.push(")::numeric) > 1e300 THEN sign((data #>> ");
        self.push_bound(path);
        self.push(")::numeric)::float8 * 1e300 WHEN abs((data #>> ");
        self.push_bound(path);
        self.push(")::numeric) < 1e-300 THEN 0 ELSE (data #>> ");
        self.push_bound(path);
        self.push(")::float8 END");
    }

    fn push_order(&mut self, field: &Field, direction: SortDirection) {
        let end = match direction {
            SortDirection::Ascending => " ASC NULLS FIRST, ",
            SortDirection::Descending => " DESC NULLS LAST, ",
        };
        match field {
            Field::Column(column) => self.push(name(*column)),
            Field::Data(keys) => {
                self.push("CASE jsonb_typeof(data #> ");
                let path = self.bind(keys.clone(), Type::TEXT_ARRAY);
                self.push(") WHEN 'number' THEN 1 WHEN 'boolean' THEN 1 WHEN 'string' THEN 2 ELSE 0 END");
                self.push(end);
                self.push("CASE jsonb_typeof(data #> ");
                self.push_bound(path);
                self.push(") WHEN 'number' THEN ");
                self.push_number(path);
                self.push(" WHEN 'boolean' THEN (data #>> ");
                self.push_bound(path);
                self.push(")::boolean::int::float8 END");
                self.push(end);
                self.push("CASE WHEN jsonb_typeof(data #> ");
                self.push_bound(path);
                self.push(") = 'string' THEN (data #>> ");
                self.push_bound(path);
                self.push(") COLLATE \"C\" END");
            }
        }
        self.push(end);
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
