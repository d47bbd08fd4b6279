//! What PostgreSQL's own tables and columns become in a SQLite file, which keeps nothing of how it would make them.
//!
//! Made is what means the same in both; the rest is listed.

use super::acting::{self, Deletes};
use super::catalog::{
    Catalog, Column, Deferrable, Engine, ForeignKey, Generated, Identity, Index, Key, OriginObject, PgKind,
    Table,
};
use super::ddl;
use super::name::{in_quotes, quoted, quoted_list};
use super::plan::{ColumnPlan, NotCarried, Plan, TablePlan};
use super::schema::Weakened;
use super::survey::TableSurvey;
use super::value::StorageClass;

/// Gives the tables of a plan that no file knows of their text, and puts their indexes behind the load; adds to the plan's list what has no
/// equal in SQLite. The same goes for columns that came later to a table of a file, which gets them in its own text.
pub fn make(plan: &mut Plan, source: &Catalog, target: &Catalog) {
    if (source.engine, target.engine) != (Engine::Postgres, Engine::Sqlite) {
        return;
    }
    let known: Vec<String> = plan
        .origin
        .iter()
        .flat_map(|origin| &origin.objects)
        .map(|object| object.name.clone())
        .collect();
    let is_new = |table: &TablePlan| {
        table.created && table.source.made_for.is_none() && !known.contains(&table.target)
    };
    let mut maker = Maker {
        plan,
        target,
        deletes: Deletes::among(plan.tables.iter().map(|table| &table.source)),
        not_carried: Vec::new(),
        objects: Vec::new(),
    };
    let mut texts = Vec::new();
    for table in &plan.tables {
        let is_new = is_new(table);
        let foreign_keys = maker.rules(table, is_new);
        texts.push(if is_new {
            Some(text(table, &foreign_keys))
        } else {
            extended(table, maker.plan.own_text(&table.target), foreign_keys)
        });
    }
    let Maker {
        not_carried, objects, ..
    } = maker;
    plan.not_carried.extend(not_carried);
    let (mut made, mut sequences) = (Vec::new(), Vec::new());
    for (table, text) in plan.tables.iter_mut().zip(texts) {
        let Some(sql) = text else { continue };
        if !is_new(table) {
            table.definition = Some(sql);
            continue;
        }
        for column in &mut table.columns {
            column.added = false;
        }
        table.definition = Some(sql.clone());
        sequences.extend(numbers(&table.source).map(|last| (table.target.clone(), last)));
        made.push(OriginObject {
            kind: "table".to_owned(),
            name: table.target.clone(),
            table: table.target.clone(),
            sql,
        });
    }
    made.extend(objects);
    if !made.is_empty() {
        let origin = plan.origin.get_or_insert_default();
        origin.objects.extend(made);
        origin.sequences.extend(sequences);
    }
}

/// The statement that makes a table of the columns and keys that PostgreSQL has.
pub fn create_table(table: &TablePlan) -> String {
    text(table, &[])
}

/// What SQLite compares and orders in another way than PostgreSQL, because it has no such type, and the keys that take more for that. Decimals
/// that are all numbers in SQLite too are none of it.
pub fn weakened(plan: &Plan, surveys: &[TableSurvey]) -> Vec<Weakened> {
    let of_table = |(table, survey): (&TablePlan, &TableSurvey)| {
        let columns = table.columns.iter().enumerate().filter_map(|(at, column)| {
            let kind = of_source(table, column)?.pg_type()?;
            let is_text = kind.kind == PgKind::Other || survey.classes_of(at).contains(&StorageClass::Text);
            Some(Weakened {
                table: table.target.clone(),
                constraint: column.target.clone(),
                sql: kind.name.clone(),
                reason: compared_otherwise(table, column).filter(|_| is_text)?,
                ..Weakened::default()
            })
        });
        columns.chain(weaker_keys(table, survey)).collect::<Vec<_>>()
    };
    plan.tables.iter().zip(surveys).flat_map(of_table).collect()
}

/// The keys that take values which are equal in PostgreSQL.
fn weaker_keys(table: &TablePlan, survey: &TableSurvey) -> Vec<Weakened> {
    let why = |name: &String| {
        let at = table.columns.iter().position(|column| column.source == *name)?;
        let column = table.columns.get(at)?;
        let from = of_source(table, column).filter(|from| from.made_for.is_none())?;
        let is_made = table.engine == Engine::Sqlite && table.created;
        match from.pg_type().filter(|_| is_made)?.kind {
            PgKind::Char(_) => Some("texts that differ in blanks at their end"),
            PgKind::Jsonb => Some("JSON that is written in different ways ([1] and [1.0])"),
            PgKind::Numeric(_) => {
                let is_text = survey.classes_of(at).contains(&StorageClass::Text);
                (is_text && compared_otherwise(table, column).is_some())
                    .then_some("decimals that are written in different ways (1.5 and 1.50)")
            }
            _ => None,
        }
    };
    let from = &table.source;
    let keys = from.primary_key.iter().map(|key| ("PRIMARY KEY", key));
    let keys = keys.chain(from.uniques.iter().map(|key| ("UNIQUE", key)));
    let keys = keys.map(|(kind, key)| {
        let sql = format!("{kind} ({})", quoted_list(&key.columns));
        (key.name.clone().unwrap_or_default(), sql, key.columns.clone())
    });
    let indexes = from.indexes.iter().filter(|index| index.unique);
    let indexes =
        indexes.filter_map(|index| Some((index.name.clone(), index.sql.clone(), plain_columns(index)?)));
    let weaker = keys.chain(indexes).filter_map(|(name, sql, columns)| {
        let what = columns.iter().find_map(why)?;
        Some(Weakened {
            table: table.target.clone(),
            constraint: name,
            sql,
            reason: format!("made, but SQLite's takes {what}, which are equal in PostgreSQL"),
            ..Weakened::default()
        })
    });
    weaker.collect()
}

/// The columns of an index that SQLite has for certain.
fn plain_columns(index: &Index) -> Option<Vec<String>> {
    let is_plain = index.predicate.is_none()
        && index.sql.contains(" USING btree (")
        && !index.sql.ends_with(" NULLS NOT DISTINCT");
    let mut parts = index.parts.iter().filter(|_| is_plain).peekable();
    parts.peek()?;
    parts.map(|part| part.column.clone()).collect()
}

/// How values of a column that is made for a type of PostgreSQL's are compared in SQLite, if not as there. Columns of a file have its own
/// types.
pub fn compared_otherwise(table: &TablePlan, column: &ColumnPlan) -> Option<String> {
    let from = of_source(table, column).filter(|from| from.made_for.is_none())?;
    let is_made = table.engine == Engine::Sqlite && table.created;
    let kind = from.pg_type().filter(|_| is_made)?.kind;
    match kind {
        // Whole numbers that fit 64 bits.
        PgKind::Numeric(Some((precision, scale)))
            if scale <= 0 && i32::from(precision) - i32::from(scale) <= 18 =>
        {
            None
        }
        PgKind::Numeric(_) => Some(format!(
            "each decimal keeps its digits as INTEGER, REAL or TEXT, and SQLite puts every TEXT behind all numbers: compare and order by \
             CAST({} AS REAL)",
            quoted(&column.target)
        )),
        PgKind::Other => {
            Some("SQLite has no such type, and compares and orders what PostgreSQL prints as text".to_owned())
        }
        _ => None,
    }
}

fn of_source<'a>(table: &'a TablePlan, column: &ColumnPlan) -> Option<&'a Column> {
    let mut columns = table.source.columns.iter();
    columns.find(|from| from.name == column.source)
}

/// Whether PostgreSQL knows that all rows keep to a foreign key of a table of the file.
pub fn is_held(tables: &[TablePlan], table: &str, key: &ForeignKey) -> bool {
    let texts = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let wanted = pairs(texts(&key.columns), texts(&key.parent_columns));
    let folded = |names: Vec<&str>| names.into_iter().map(str::to_ascii_lowercase).collect();
    let is_same = |plan: &TablePlan, of: &ForeignKey| {
        let parent = tables.iter().find(|parent| parent.source.name == of.parent)?;
        let columns = folded(target_columns(plan, &of.columns)?);
        let parents = folded(target_columns(parent, &of.parent_columns)?);
        Some(parent.target.eq_ignore_ascii_case(&key.parent) && pairs(columns, parents) == wanted)
    };
    let plan = tables.iter().find(|plan| plan.target == table);
    plan.is_some_and(|plan| {
        let mut keys = plan.source.foreign_keys.iter().filter(|of| of.validated);
        keys.any(|of| is_same(plan, of) == Some(true))
    })
}

/// Which column refers to which, in one order whatever the foreign key's.
fn pairs(columns: Vec<String>, parents: Vec<String>) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = columns.into_iter().zip(parents).collect();
    pairs.sort_unstable();
    pairs
}

/// The definition of a column that PostgreSQL has, with what means the same in SQLite. A STRICT table keeps values of several classes in
/// a column of the type ANY.
pub fn column_definition(table: &TablePlan, column: &ColumnPlan, is_strict: bool) -> Option<String> {
    let from = of_source(table, column);
    let kind = column.kind.as_ref()?.declared()?;
    let kind = if is_strict && kind == "BLOB" { "ANY" } else { kind };
    let own = declared_before(table, &column.target);
    let kind = own.as_deref().unwrap_or(kind);
    let mut definition = format!("{} {kind}", quoted(&column.target));
    let is_made = from.filter(|from| table.created && from.pg_type().is_some());
    if column.not_null || is_made.is_some_and(|from| from.not_null) {
        definition.push_str(" NOT NULL");
    }
    if let Some(default) = is_made.and_then(literal_default) {
        definition.push_str(" DEFAULT ");
        definition.push_str(&default);
    }
    Some(definition)
}

/// The type of a column in the text that its file knows, from which its values have their form. ANY is one of STRICT tables only: in others its
/// name would make numbers of texts.
fn declared_before(table: &TablePlan, column: &str) -> Option<String> {
    let own = table.definition.as_deref()?;
    let kind = ddl::declared(own, column)?;
    let is_any = ddl::is_strict(own) && kind.eq_ignore_ascii_case("ANY");
    Some(if is_any { String::new() } else { kind })
}

fn text(table: &TablePlan, foreign_keys: &[String]) -> String {
    let mut parts: Vec<String> = table
        .columns
        .iter()
        .filter_map(|column| column_definition(table, column, false))
        .collect();
    let from = &table.source;
    let is_postgres = from.columns.iter().any(|column| column.pg_type().is_some());
    let primary = from.primary_key.as_ref().filter(|_| is_postgres);
    let primary = primary.or_else(|| from.row_key().filter(|_| !is_postgres));
    let key = |kind, key| key_definition(table, kind, key, is_postgres);
    let primary = primary.and_then(|primary| key("PRIMARY KEY", primary));
    parts.extend(match (primary, numbers(from)) {
        (Some(primary), Some(_)) => primary
            .strip_suffix(')')
            .map(|key| format!("{key} AUTOINCREMENT)")),
        (primary, _) => primary,
    });
    let uniques = from.uniques.iter().filter(|_| is_postgres);
    parts.extend(uniques.filter_map(|unique| key("UNIQUE", unique)));
    parts.extend(foreign_keys.iter().cloned());
    format!("CREATE TABLE {} ({})", quoted(&table.target), parts.join(", "))
}

/// The number before the one that SQLite is to give next to a table of PostgreSQL's own, where a sequence did.
fn numbers(table: &Table) -> Option<i64> {
    let mut columns = table.columns.iter();
    let is_given = columns.any(|column| is_rowid(table, column) && column.is_numbered());
    table.sequence.filter(|_| is_given && table.made_for.is_none())
}

/// A key as a constraint of a table, if all its columns are there.
fn key_definition(table: &TablePlan, kind: &str, key: &Key, is_named: bool) -> Option<String> {
    let columns = target_columns(table, &key.columns)?;
    let name = key.name.as_ref().filter(|_| is_named);
    let name = name.map_or_else(String::new, |name| format!("CONSTRAINT {} ", quoted(name)));
    Some(format!("{name}{kind} ({})", quoted_list(columns)))
}

/// The columns of a table that its file does not know, by their names in the source.
fn later_columns(table: &TablePlan, is_new: bool) -> Vec<&str> {
    let columns = table.columns.iter();
    let later = columns.filter(|column| table.created && (column.added || is_new));
    later.map(|column| column.source.as_str()).collect()
}

/// The text of a table that a file knows, with the columns that came later and the keys that they are in; none if there are none.
fn extended(table: &TablePlan, own: Option<&str>, foreign_keys: Vec<String>) -> Option<String> {
    let later = later_columns(table, false);
    let own = own.filter(|_| !later.is_empty() && table.definition.is_some())?;
    let text = table.definition.as_deref().filter(|_| !table.gone.is_empty());
    let text = text.unwrap_or(own);
    let added = table.columns.iter().filter(|column| column.added);
    let mut more: Vec<String> = added
        .filter_map(|column| column_definition(table, column, ddl::is_strict(own)))
        .collect();
    let concerns = |key: &&Key| key.columns.iter().any(|column| later.contains(&column.as_str()));
    let primary = table.source.primary_key.as_ref().filter(concerns);
    let primary = primary.filter(|_| !ddl::has_primary_key(text));
    more.extend(primary.and_then(|key| key_definition(table, "PRIMARY KEY", key, true)));
    let uniques = table.source.uniques.iter().filter(concerns);
    more.extend(uniques.filter_map(|key| key_definition(table, "UNIQUE", key, true)));
    more.extend(foreign_keys);
    // Without a text the table is made of what PostgreSQL has.
    Some(ddl::with(text, &more).unwrap_or_default())
}

/// What columns of the source are called in the target, if all are there.
fn target_columns<'a>(table: &'a TablePlan, names: &[String]) -> Option<Vec<&'a str>> {
    let target = |name: &String| {
        let mut columns = table.columns.iter();
        columns
            .find(|column| column.source == *name)
            .map(|column| column.target.as_str())
    };
    names.iter().map(target).collect()
}

struct Maker<'a> {
    plan: &'a Plan,
    target: &'a Catalog,
    deletes: Deletes<'a>,
    not_carried: Vec<NotCarried>,
    objects: Vec<OriginObject>,
}

impl Maker<'_> {
    /// The foreign keys that a table can be made with. Of one that a file knows only what its later columns have a part in is looked at: the
    /// rest is in its own text.
    fn rules(&mut self, table: &TablePlan, is_new: bool) -> Vec<String> {
        let from = &table.source;
        let later = later_columns(table, is_new);
        let concerns = |columns: &[String]| columns.iter().any(|column| later.contains(&column.as_str()));
        for column in from
            .columns
            .iter()
            .filter(|column| later.contains(&column.name.as_str()))
        {
            self.column(from, column);
        }
        for check in &from.checks {
            let names = super::translate::names(&check.expression);
            if is_new || concerns(&names) {
                let name = check.name.clone().unwrap_or_default();
                self.leave_out(
                    "check",
                    from,
                    &name,
                    &check.expression,
                    "a CHECK is an expression of PostgreSQL",
                );
            }
        }
        for index in &from.indexes {
            let columns: Vec<String> = index
                .parts
                .iter()
                .filter_map(|part| part.column.clone())
                .collect();
            if is_new || concerns(&columns) {
                self.index(table, index);
            }
        }
        let mut foreign_keys = Vec::new();
        for (at, key) in from.foreign_keys.iter().enumerate() {
            if !is_new && !concerns(&key.columns) {
                continue;
            }
            let name = key.name.clone().unwrap_or_default();
            if let Some(beyond) = &key.beyond {
                self.leave_out("foreign key", from, &name, &beyond.sql, &beyond.reason);
                continue;
            }
            if let Some(sql) = self.foreign_key(table, key) {
                if acting::is_asked_too_late(from, at) {
                    let reason = "made, but SQLite asks what it says when the other keys to its parent have acted, PostgreSQL before";
                    self.leave_out("key", from, &name, &sql, reason);
                }
                if let Some(reason) = self.deletes.told_on_the_way_back(from, key) {
                    self.leave_out("key", from, &name, &sql, &reason);
                }
                foreign_keys.push(sql);
                continue;
            }
            let reason = "the file does not have what it refers to as a key";
            let sql = format!(
                "FOREIGN KEY ({}) REFERENCES {} ({})",
                quoted_list(&key.columns),
                quoted(&key.parent),
                quoted_list(&key.parent_columns)
            );
            self.leave_out("foreign key", from, &name, &sql, reason);
        }
        // SQLite acts by the last one first.
        foreign_keys.reverse();
        foreign_keys
    }

    fn leave_out(&mut self, kind: &'static str, table: &Table, name: &str, sql: &str, reason: &str) {
        self.not_carried.push(NotCarried {
            kind: kind.into(),
            name: format!("{}.{name}", table.name),
            sql: sql.to_owned(),
            reason: reason.to_owned(),
        });
    }

    fn column(&mut self, table: &Table, column: &Column) {
        let name = &column.name;
        if let Generated::Stored(sql) | Generated::Virtual(sql) = &column.generated {
            let reason = "made a plain column with the values it has, because it is computed by an expression of PostgreSQL";
            self.leave_out(
                "generated column",
                table,
                name,
                &format!("GENERATED ALWAYS AS ({sql})"),
                reason,
            );
        }
        // SQLite gives out a rowid, and goes on where the sequence was.
        let is_given = is_rowid(table, column) && (table.made_for.is_some() || numbers(table).is_some());
        if let Some(default) = &column.default
            && literal_default(column).is_none()
            && !(is_given && column.is_numbered())
        {
            let reason = "no value that SQLite would give in the same form";
            self.leave_out("default", table, name, &format!("DEFAULT {default}"), reason);
        }
        if column.identity != Identity::No && !is_given {
            let reason = "SQLite gives out numbers to a primary key of one integer only, and they go up";
            self.leave_out("identity", table, name, "GENERATED AS IDENTITY", reason);
        }
        if let Some(collation) = column
            .collation
            .as_ref()
            .filter(|name| !["C", "POSIX"].contains(&name.as_str()))
        {
            let sql = format!("COLLATE {}", quoted(collation));
            self.leave_out("collation", table, name, &sql, "SQLite orders text by its bytes");
        }
    }

    fn index(&mut self, table: &TablePlan, index: &Index) {
        let columns = plain_columns(index);
        let Some(names) = columns
            .as_ref()
            .and_then(|columns| target_columns(table, columns))
        else {
            let reason = "SQLite has no index that is certain to mean the same";
            return self.leave_out("index", &table.source, &index.name, &index.sql, reason);
        };
        let parts: Vec<String> = names
            .iter()
            .zip(&index.parts)
            .map(|(name, part)| format!("{}{}", quoted(name), if part.descending { " DESC" } else { "" }))
            .collect();
        let unique = if index.unique { "UNIQUE " } else { "" };
        self.objects.push(OriginObject {
            kind: "index".to_owned(),
            name: index.name.clone(),
            table: table.target.clone(),
            sql: format!(
                "CREATE {unique}INDEX {} ON {} ({})",
                quoted(&index.name),
                quoted(&table.target),
                parts.join(", ")
            ),
        });
    }

    /// A foreign key as SQLite has it, if its parent is copied and its columns are a key there.
    fn foreign_key(&self, table: &TablePlan, key: &ForeignKey) -> Option<String> {
        let parent = self
            .plan
            .tables
            .iter()
            .find(|parent| parent.source.name == key.parent)?;
        let columns = target_columns(table, &key.columns)?;
        let parent_columns = target_columns(parent, &key.parent_columns)?;
        let is_key = |names: &[String]| {
            names.len() == parent_columns.len()
                && parent_columns
                    .iter()
                    .all(|column| names.iter().any(|name| name == column))
        };
        let into = self.target.table(&parent.target).unwrap_or(&parent.source);
        let unique = into
            .indexes
            .iter()
            .filter(|index| index.unique && index.predicate.is_none());
        let unique = unique.filter_map(|index| {
            index
                .parts
                .iter()
                .map(|part| part.column.clone())
                .collect::<Option<Vec<_>>>()
        });
        let keys = into
            .primary_key
            .iter()
            .chain(&into.uniques)
            .map(|key| key.columns.clone());
        // Keys over later columns of the parent are made with it.
        let later = later_columns(parent, false);
        let of_parent = parent.source.primary_key.iter().chain(&parent.source.uniques);
        let of_parent =
            of_parent.filter(|key| key.columns.iter().any(|column| later.contains(&column.as_str())));
        let of_parent = of_parent.filter_map(|key| target_columns(parent, &key.columns));
        let of_parent = of_parent.map(|names| names.into_iter().map(str::to_owned).collect());
        if !keys
            .chain(unique)
            .chain(of_parent)
            .any(|names: Vec<String>| is_key(&names))
        {
            return None;
        }
        let name = key.name.as_ref();
        let name = name.map_or_else(String::new, |name| format!("CONSTRAINT {} ", quoted(name)));
        let deferrable = match key.deferrable {
            Deferrable::No => "",
            Deferrable::Immediate => " DEFERRABLE INITIALLY IMMEDIATE",
            Deferrable::Deferred => " DEFERRABLE INITIALLY DEFERRED",
        };
        Some(format!(
            "{name}FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {}{deferrable}",
            quoted_list(columns),
            quoted(&parent.target),
            quoted_list(parent_columns),
            key.on_delete.as_sql(),
            key.on_update.as_sql()
        ))
    }
}

/// Whether a column becomes the rowid, which SQLite gives out.
fn is_rowid(table: &Table, column: &Column) -> bool {
    let key = table.primary_key.as_ref();
    let is_integer = column
        .pg_type()
        .is_some_and(|kind| matches!(kind.kind, PgKind::Int2 | PgKind::Int4 | PgKind::Int8));
    is_integer && key.is_some_and(|key| key.columns == [column.name.clone()])
}

/// A default of PostgreSQL that is a value which SQLite has in the same form, as SQL of SQLite.
fn literal_default(column: &Column) -> Option<String> {
    let default = column.default.as_deref()?;
    let text = if let Some((text, rest)) = in_quotes(default, '\'') {
        let is_cast = |c: char| c.is_ascii_alphanumeric() || " :_.".contains(c);
        let is_literal = (rest.is_empty() || rest.starts_with("::")) && rest.chars().all(is_cast);
        is_literal.then_some(text)?
    } else {
        let bare = default.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        bare.unwrap_or(default).to_owned()
    };
    if default.starts_with("NULL::") {
        return Some("NULL".to_owned());
    }
    let is_string = default.starts_with('\'');
    let string = || is_string.then(|| format!("'{}'", text.replace('\'', "''")));
    match column.pg_type()?.kind {
        PgKind::Bool => match text.as_str() {
            "true" => Some("1".to_owned()),
            "false" => Some("0".to_owned()),
            _ => None,
        },
        PgKind::Int2 | PgKind::Int4 | PgKind::Int8 => Some(text.parse::<i64>().ok()?.to_string()),
        PgKind::Float8 => {
            let number: f64 = text.parse().ok()?;
            let has_form = number.is_finite() && !(number == 0.0 && number.is_sign_negative());
            has_form.then(|| format!("{number:?}"))
        }
        // With a scale it would be written with its zeros.
        PgKind::Numeric(None) => {
            let number: f64 = text.parse().ok()?;
            let same = text.parse::<i64>().is_ok() || (number.is_finite() && number.to_string() == text);
            same.then_some(text)
        }
        PgKind::Date => string().filter(|_| {
            let pattern = |(at, byte): (usize, u8)| {
                if matches!(at, 4 | 7) {
                    byte == b'-'
                } else {
                    byte.is_ascii_digit()
                }
            };
            text.len() == 10 && text.bytes().enumerate().all(pattern)
        }),
        PgKind::Text | PgKind::Name | PgKind::Varchar(_) | PgKind::Json | PgKind::Jsonb | PgKind::Uuid => {
            string()
        }
        PgKind::Float4
        | PgKind::Numeric(Some(_))
        | PgKind::Char(_)
        | PgKind::Bytea
        | PgKind::Timestamptz(_)
        | PgKind::Timestamp(_)
        | PgKind::Time(_)
        | PgKind::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::{ColumnKind, PgType};
    use super::*;

    fn default(kind: PgKind, default: &str) -> Option<String> {
        literal_default(&Column {
            name: "c".to_owned(),
            kind: ColumnKind::Postgres(PgType {
                name: String::new(),
                kind,
            }),
            not_null: false,
            default: Some(default.to_owned()),
            generated: Generated::No,
            identity: Identity::No,
            collation: None,
            made_for: None,
        })
    }

    #[test]
    fn a_default_is_carried_where_it_is_a_value_of_the_same_form() {
        let cases = [
            (PgKind::Text, "'it''s'::text", Some("'it''s'")),
            (PgKind::Varchar(Some(9)), "'x'::character varying", Some("'x'")),
            (PgKind::Text, "('a'::text || 'b'::text)", None),
            (PgKind::Text, "'a'::text || CURRENT_USER", None),
            (PgKind::Text, "CURRENT_USER", None),
            (PgKind::Text, "E'a\\\\b'::text", None),
            (PgKind::Int4, "7", Some("7")),
            (PgKind::Int4, "(-7)", Some("-7")),
            (PgKind::Int8, "'-7'::integer", Some("-7")),
            (PgKind::Int8, "nextval('s'::regclass)", None),
            (PgKind::Bool, "true", Some("1")),
            (PgKind::Float8, "1.5", Some("1.5")),
            (PgKind::Float8, "'-0'::integer", None),
            (PgKind::Float8, "'NaN'::double precision", None),
            (PgKind::Numeric(None), "1.5", Some("1.5")),
            (PgKind::Numeric(None), "1.50", None),
            (PgKind::Date, "'2024-01-31'::date", Some("'2024-01-31'")),
            (PgKind::Date, "'infinity'::date", None),
            (PgKind::Timestamp(6), "now()", None),
            (PgKind::Text, "NULL::text", Some("NULL")),
        ];
        for (kind, sql, expected) in cases {
            assert_eq!(default(kind, sql).as_deref(), expected, "{sql}");
        }
    }
}
