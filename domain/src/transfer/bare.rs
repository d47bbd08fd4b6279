//! The rules that columns lose which a copy makes in a table that is there: they get a name and a type, and nothing of the table is changed
//! but that.

use super::catalog::{Column, Engine, Generated, Identity, Index, Key, Table};
use super::ddl;
use super::name::{quoted, quoted_list};
use super::plan::{NotCarried, Plan, TablePlan};
use super::translate;

/// Everything that speaks of a column that is made in a table that is there, each by name.
pub fn lost_rules(plan: &Plan) -> Vec<NotCarried> {
    let there = plan.tables.iter().filter(|table| !table.created);
    there.flat_map(|table| of_table(plan, table)).collect()
}

fn of_table(plan: &Plan, table: &TablePlan) -> Vec<NotCarried> {
    let made = table.columns.iter().filter(|column| column.added);
    let made: Vec<&Column> = made.filter_map(|column| table.source_column(column)).collect();
    if made.is_empty() {
        return vec![];
    }
    let mut bare = Bare {
        plan,
        table,
        lost: vec![],
    };
    // What PostgreSQL was not told, or keeps in another form, the text of the file tells.
    let own = plan.own_text(&table.target);
    let (known, new): (Vec<&Column>, Vec<&Column>) = made
        .into_iter()
        .partition(|column| own.is_some() && column.made_for.is_some());
    if let Some(own) = own.filter(|_| !known.is_empty()) {
        bare.by_text(own, &known);
    }
    bare.by_catalog(&new);
    bare.lost
}

struct Bare<'a> {
    plan: &'a Plan,
    table: &'a TablePlan,
    lost: Vec<NotCarried>,
}

impl Bare<'_> {
    fn lose(&mut self, kind: &'static str, name: &str, sql: String) {
        let remedy = match self.table.engine {
            Engine::Postgres => "give it that by ALTER TABLE or CREATE INDEX",
            Engine::Sqlite => "make the column with it before the copy, or copy into a new file",
        };
        self.lost.push(NotCarried {
            kind: kind.into(),
            name: format!("{}.{name}", self.table.source.name),
            sql,
            reason: format!(
                "the table was there, and a column that it lacked is made with its type only; {remedy}"
            ),
        });
    }

    /// The rules of columns by the text that their file had.
    fn by_text(&mut self, own: &str, columns: &[&Column]) {
        let names = columns.iter().filter_map(|column| column.made_for.as_ref());
        let names: Vec<String> = names.map(|made_for| made_for.column.clone()).collect();
        let Some(rest) = ddl::without(own, &names, |_| true) else {
            return;
        };
        for (name, sql) in rest.gone.into_iter().filter(|(_, sql)| ddl::has_rules(sql)) {
            self.lose("definition", &name, sql);
        }
        for (kind, name, sql) in rest.rules {
            self.lose(kind, name.as_deref().unwrap_or_default(), sql);
        }
    }

    /// The rules of columns as their database tells them.
    fn by_catalog(&mut self, columns: &[&Column]) {
        let from = &self.table.source;
        let speaks_of = |names: &[String]| {
            let is_name = |name: &String| {
                columns
                    .iter()
                    .any(|column| column.name.eq_ignore_ascii_case(name))
            };
            names.iter().any(is_name)
        };
        for column in columns {
            self.column(from, column);
        }
        let keys = from
            .primary_key
            .iter()
            .map(|key| ("primary key", "PRIMARY KEY", key));
        let keys = keys.chain(
            from.uniques
                .iter()
                .map(|key| ("unique constraint", "UNIQUE", key)),
        );
        for (kind, word, key) in keys.filter(|(_, _, key)| speaks_of(&key.columns)) {
            let name = name_of(key);
            self.lose(kind, &name, format!("{word} ({})", quoted_list(&key.columns)));
        }
        for check in &from.checks {
            if speaks_of(&translate::names(&check.expression)) {
                let name = check.name.clone().unwrap_or_else(|| "check".to_owned());
                self.lose("check", &name, format!("CHECK ({})", check.expression));
            }
        }
        for key in from.foreign_keys.iter().filter(|key| speaks_of(&key.columns)) {
            let name = key.name.clone().unwrap_or_else(|| key.columns.join("_"));
            self.lose("foreign key", &name, format!("FOREIGN KEY {}", key.title()));
        }
        for index in from.indexes.iter().filter(|index| speaks_of(&parts(index))) {
            if !self.is_made(index) {
                self.lose("index", &index.name, index.sql.clone());
            }
        }
    }

    /// What a column has of its own.
    fn column(&mut self, from: &Table, column: &Column) {
        let name = &column.name;
        let in_key = from.primary_key.iter().any(|key| key.columns.contains(name));
        if let Generated::Stored(sql) | Generated::Virtual(sql) = &column.generated {
            self.lose("generated column", name, format!("GENERATED ALWAYS AS ({sql})"));
        }
        if column.not_null && !in_key {
            self.lose("not null", name, "NOT NULL".to_owned());
        }
        if let Some(default) = &column.default {
            self.lose("default", name, format!("DEFAULT {default}"));
        }
        if column.identity != Identity::No && column.pg_type().is_some() {
            self.lose("identity", name, "GENERATED AS IDENTITY".to_owned());
        }
        let own = ["C", "POSIX"];
        let collation = column.collation.as_deref();
        if let Some(collation) = collation.filter(|name| column.pg_type().is_none() || !own.contains(name)) {
            self.lose("collation", name, format!("COLLATE {}", quoted(collation)));
        }
    }

    /// Whether an index is made all the same, by its own statement.
    fn is_made(&self, index: &Index) -> bool {
        let mut objects = self.plan.origin.iter().flat_map(|origin| &origin.objects);
        objects.any(|object| object.kind == "index" && object.name == index.name)
    }
}

/// A key's name, or its columns.
fn name_of(key: &Key) -> String {
    key.name.clone().unwrap_or_else(|| key.columns.join("_"))
}

/// The columns that an index is over, those in its expressions and its condition among them.
fn parts(index: &Index) -> Vec<String> {
    let columns = index.parts.iter().filter_map(|part| part.column.clone());
    let expressions = index.parts.iter().filter_map(|part| part.expression.as_ref());
    let expressions = expressions.chain(&index.predicate);
    columns
        .chain(expressions.flat_map(|sql| translate::names(sql)))
        .collect()
}
