//! What goes where: the tables and columns of a source matched with those of a target.

use std::borrow::Cow;
use std::collections::HashSet;

use super::blanks::Blanks;
use super::catalog::{
    Affinity, Catalog, Column, ColumnKind, Engine, Generated, Identity, Key, Origin, OriginObject, Other,
    OtherKind, PgKind, Storage, Table, TreeBound,
};
use super::ddl;
use super::naming::Names;
use super::rendering::Rendering;
use super::survey::TableSurvey;
use super::wish::{TypeWish, Wish};

/// A copy, table by table.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The tables in the order in which they are loaded: parents before children as far as foreign keys allow.
    pub tables: Vec<TablePlan>,
    /// What the source has and the copy leaves out.
    pub not_carried: Vec<NotCarried>,
    /// What got another name, because PostgreSQL cannot hold its own.
    pub renamed: Vec<Renamed>,
    /// What makes the target's file as it once was, where that is known: what it lacks of it is made.
    pub origin: Option<Origin>,
    /// The names of the target's relations: what is still to be named must not meet them.
    pub(super) relations: Names,
}

/// One table.
#[derive(Debug, Clone)]
pub struct TablePlan {
    /// The table that is read.
    pub source: Table,
    /// The name of the table that is written.
    pub target: String,
    /// Which database that is.
    pub engine: Engine,
    /// Whether it is a STRICT table of SQLite that is there.
    pub is_strict: bool,
    /// The columns, in the order in which they are read.
    pub columns: Vec<ColumnPlan>,
    /// Columns that the target computes: the place among all the table's columns, the column, and PostgreSQL's expression.
    pub computed: Vec<(usize, ColumnPlan, String)>,
    /// Why the target does not compute what the source does, if it was seen not to.
    pub not_computed: Option<String>,
    /// Whether the target lacks the table.
    pub created: bool,
    /// The statement that makes it, if the target lacks it and more is known than its columns and key.
    pub definition: Option<String>,
    /// Columns of the definition that the source has no more: the table is made without them, and refused if a module makes it.
    pub gone: Vec<String>,
    /// Keys of the target that the source does not guarantee, as places in `columns`.
    pub unproven_keys: Vec<Vec<usize>>,
    /// Whether the target stores text in the UTF-16 that the rows' first file stored it in: then it takes back what is no text in any
    /// other encoding.
    pub takes_stored_text: bool,
}

/// One column.
#[derive(Debug, Clone)]
pub struct ColumnPlan {
    /// Its name in the source.
    pub source: String,
    /// Its name in the target.
    pub target: String,
    /// Its type in the target; none until the survey has seen the values of a column that the target lacks.
    pub kind: Option<ColumnKind>,
    /// How values are written in a column that was made for them, and read back; none where the target's type rules.
    pub rendering: Option<Rendering>,
    /// The texts that become NULL: those that are asked for, and once the survey has seen the values those that are among them.
    pub blanks: Blanks,
    /// The target's column for the storage class of each value, if the rendering needs one.
    pub class_column: Option<String>,
    /// What decided the type of a column that is made; for a person.
    pub why: String,
    /// Whether the target refuses NULL.
    pub not_null: bool,
    /// Whether the target lacks the column.
    pub added: bool,
    /// Whether the target computes the column, and what it computes is only held against the source's values.
    pub is_compared: bool,
    /// Which bound of an R-Tree doubles come back into: those with more than 32 bits are rounded.
    pub bound: Option<TreeBound>,
    /// The type that the target's column was made with, if it has another by now: what was noted of its values is forgotten, and the
    /// type rules.
    pub retyped_from: Option<String>,
}

/// The note of a column without a rendering: its values are what its type says, which somebody asked for.
pub const BY_TYPE: &str = "type";

impl ColumnPlan {
    /// How its values are written back, as the target keeps it beside the column.
    pub fn note(&self) -> String {
        match &self.rendering {
            Some(rendering) => format!("{}{rendering}", self.blanks),
            None => format!("{}{BY_TYPE}", self.blanks),
        }
    }

    /// Whether nothing but its type says how its values are written back.
    pub fn has_no_note(&self) -> bool {
        self.rendering.is_none() && self.blanks.is_none()
    }
}

/// Something that a copy leaves out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NotCarried {
    /// What it is: `view`, `trigger`, `index`, …
    pub kind: Cow<'static, str>,
    /// Its name.
    pub name: String,
    /// Its SQL.
    pub sql: String,
    /// Why.
    pub reason: String,
}

/// Something that has another name in the target.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Renamed {
    /// What it is: `table`, `column`, `index`, `constraint`.
    pub kind: &'static str,
    /// The table it belongs to, by its name in the source.
    pub table: String,
    /// Its name in the source.
    pub from: String,
    /// Its name in the target.
    pub to: String,
}

/// Which tables are meant.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// These only, by their names in the source; all if there are none.
    pub tables: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
}

impl Scope {
    /// Whether a table of the source is meant.
    pub fn includes(&self, table: &str) -> bool {
        let among = |names: &[String]| names.iter().any(|name| name == table);
        (self.tables.is_empty() || among(&self.tables)) && !among(&self.exclude)
    }

    /// The tables of the source that are not meant.
    pub fn left_out(&self, source: &Catalog) -> Vec<String> {
        let others = source
            .others
            .iter()
            .filter(|other| other.kind == OtherKind::Unreadable);
        let names = source.tables.iter().map(|table| &table.name);
        let names = names.chain(others.map(|other| &other.name));
        names.filter(|name| !self.includes(name)).cloned().collect()
    }

    /// A mistyped name must not look like a table that was copied.
    fn check(&self, source: &Catalog) -> Result<(), String> {
        let unknown = self.tables.iter().chain(&self.exclude);
        let known = |name: &String| {
            let mut others = source.others.iter();
            source.tables.iter().any(|table| table.name == *name)
                || others.any(|other| {
                    other.name == *name && (other.kind.is_relation() || other.kind == OtherKind::Moved)
                })
        };
        let mut unknown = unknown.filter(|name| !known(name));
        match unknown.next() {
            Some(name) => Err(format!(
                "the source has no table {name:?}; tables are named as they are there, capitals included"
            )),
            None => Ok(()),
        }
    }
}

/// The types that somebody wants instead of the proven ones.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Text stays text, whatever its values look like.
    pub keep_text: bool,
    /// Types by column.
    pub types: Vec<TypeWish>,
    /// Tables whose generated columns become plain ones, and why: the target was seen not to compute them.
    pub not_computed: Vec<(String, String)>,
}

impl Wishes {
    /// The most particular wish for a column: by both names, by the column, by the table, for all. The last one of several.
    pub(super) fn of(&self, table: &str, column: &str) -> Option<&Wish> {
        let rank = |wish: &&TypeWish| (wish.column != "*", wish.table != "*");
        let meant = |wish: &&TypeWish| {
            (wish.table == "*" || wish.table == table) && (wish.column == "*" || wish.column == column)
        };
        let found = self.types.iter().filter(meant).max_by_key(rank);
        found.map(|wish| &wish.wish)
    }

    /// Why the generated columns of a table are not to be computed, if so.
    pub(super) fn why_not_computed(&self, table: &str) -> Option<&str> {
        let mut tables = self.not_computed.iter();
        tables
            .find(|(name, _)| name == table)
            .map(|(_, reason)| reason.as_str())
    }

    /// A wish that no column of the plan meets is a mistake.
    pub(super) fn check(&self, plan: &Plan, source: &Catalog) -> Result<(), String> {
        if plan.tables.iter().any(|table| table.engine == Engine::Sqlite) && !self.types.is_empty() {
            return Err("types can be chosen only where tables are made in PostgreSQL".to_owned());
        }
        let utf16 = source
            .encoding()
            .filter(|encoding| encoding.starts_with("UTF-16"));
        for wish in &self.types {
            if let (Some(Rendering::Charset(charset)), Some(encoding)) = (&wish.wish.rendering, &utf16) {
                return Err(format!(
                    "the file stores its text in {encoding}, so that none of it is in {charset} as it stands"
                ));
            }
            let meant = |table: &&TablePlan| wish.table == "*" || wish.table == table.source.name;
            let met = plan.tables.iter().filter(meant).any(|table| {
                let mut added = table.columns.iter().filter(|column| column.added);
                added.any(|column| wish.column == "*" || wish.column == column.source)
            });
            if !met {
                return Err(format!(
                    "no column that is made is called {}.{}: a type can be chosen where the target has no such column yet",
                    wish.table, wish.column
                ));
            }
        }
        Ok(())
    }
}

/// Matches the tables of `source` with those of `target`. Of the latter those named in `absent` are not there yet: they are how the
/// target will make them. The error is a sentence for a person.
pub fn plan(
    source: &Catalog,
    target: &Catalog,
    absent: &HashSet<String, impl std::hash::BuildHasher>,
    scope: &Scope,
) -> Result<Plan, String> {
    scope.check(source)?;
    let mut plan = Plan {
        tables: Vec::with_capacity(source.tables.len()),
        not_carried: source
            .others
            .iter()
            .filter(|other| !is_made(other, source, target))
            .filter(|other| other.kind != OtherKind::Moved || scope.includes(&other.name))
            .filter(|other| other.table.as_ref().is_none_or(|table| scope.includes(table)))
            .map(NotCarried::other)
            .collect(),
        renamed: vec![],
        origin: source.origin.clone().filter(|_| target.engine == Engine::Sqlite),
        relations: Names::with_taken(target.relation_names()),
    };
    // The target's order comes first: its foreign keys are the ones that watch the load.
    for into in target.parents_first() {
        let is_absent = absent.contains(&into.name);
        let is_known = plan.own_text(&into.name).is_some();
        let Some(from) = counterpart(source, into, is_known) else {
            plan.not_carried.extend(
                plan.gone_table(into, is_absent)
                    .filter(|_| scope.includes(&into.name)),
            );
            continue;
        };
        if !scope.includes(&from.name) {
            continue;
        }
        let mut table = matched(from, into, target.engine, is_absent);
        plan.not_carried.extend(computed_instead(from, into));
        plan.not_carried.extend(forgotten_notes(&table));
        if is_absent {
            table.created = true;
            table.definition = Some(into.sql.clone());
            if into.module.is_none() {
                let left_out = plan.leave_out_what_is_gone(&mut table, into);
                plan.not_carried.extend(left_out);
            }
        } else {
            plan.not_carried.extend(plan.gone_columns(&table, into));
        }
        plan.tables.push(table);
    }
    let takes_stored_text = takes_stored_text(source, target);
    plan.relations
        .promise(source.tables.iter().map(|table| table.name.as_str()));
    for from in source.parents_first() {
        let planned = plan.tables.iter().any(|table| table.source.name == from.name);
        if !planned && scope.includes(&from.name) {
            let table = plan.created(from, target.engine);
            plan.tables.push(table);
        }
    }
    for table in &mut plan.tables {
        table.takes_stored_text = takes_stored_text;
    }
    Ok(plan)
}

/// Whether the target makes what a file has beside its tables by its own text: then it is the one to tell what it could not make.
fn is_made(other: &Other, source: &Catalog, target: &Catalog) -> bool {
    let are_files = (source.engine, target.engine) == (Engine::Sqlite, Engine::Sqlite);
    are_files && matches!(other.kind, OtherKind::View | OtherKind::Trigger)
}

/// Whether both store text in the same UTF-16, as the source itself tells or as it was told of where its rows come from.
fn takes_stored_text(source: &Catalog, target: &Catalog) -> bool {
    let stored = source
        .encoding()
        .filter(|encoding| encoding.starts_with("UTF-16"));
    target.engine == Engine::Sqlite && stored.is_some() && stored == target.encoding()
}

/// The table of `source` that `into` is for: by what it was made for, else by its name. Of a table whose origin is known the case of letters
/// counts: one that was made for it, and renamed, would have been found.
fn counterpart<'a>(source: &'a Catalog, into: &Table, is_known: bool) -> Option<&'a Table> {
    if let Some(name) = &into.made_for {
        return source.tables.iter().find(|table| table.name == *name);
    }
    let made = source
        .tables
        .iter()
        .find(|table| table.made_for.as_ref() == Some(&into.name));
    let by_name = source.table(&into.name);
    let by_name = by_name.filter(|table| table.made_for.is_none() && (!is_known || table.name == into.name));
    made.or(by_name)
}

/// The column of `into` for a column of a source: by what either was made for, else by its name.
fn column_for<'a>(column: &Column, into: &'a Table) -> Option<&'a Column> {
    if let Some(made_for) = &column.made_for {
        return into.column(&made_for.column);
    }
    let made = |other: &&Column| {
        other
            .made_for
            .as_ref()
            .is_some_and(|made| made.column == column.name)
    };
    match into.columns.iter().find(made) {
        Some(found) => Some(found),
        None => into.column(&column.name).filter(|other| other.made_for.is_none()),
    }
}

/// The rowids for the column that tells the order of rows, where the source has none.
fn order_of_rows(from: &Table, into: &Table) -> Option<ColumnPlan> {
    let order = into.order_column()?;
    let has_rowids = matches!(from.storage, Storage::Rowid { .. })
        && [order.name.as_str(), "rowid"]
            .iter()
            .all(|name| from.column(name).is_none());
    has_rowids.then(|| into_column("rowid", order))
}

/// A column of the source for one that the target has.
fn into_column(source: &str, found: &Column) -> ColumnPlan {
    let retyped_from = retyped_from(found);
    let made_for = found.made_for.clone().filter(|_| retyped_from.is_none());
    let made_for = made_for.unwrap_or_default();
    ColumnPlan {
        source: source.to_owned(),
        target: found.name.clone(),
        kind: Some(found.kind.clone()),
        retyped_from,
        rendering: made_for.rendering,
        blanks: made_for.blanks,
        class_column: made_for.class_column,
        why: String::new(),
        // SQLite takes NULL there, and makes a number of it.
        not_null: found.not_null || (found.pg_type().is_none() && found.identity != Identity::No),
        added: false,
        is_compared: false,
        bound: None,
    }
}

/// The type that a copy made the column with, if its note does not fit it any more: somebody has changed its type or taken away the
/// column beside it, or the table is another one of the same name.
fn retyped_from(found: &Column) -> Option<String> {
    let made_for = found.made_for.as_ref()?;
    let rendering = made_for.rendering.as_ref()?;
    let made = rendering.pg_type();
    let fits = found.pg_type()?.kind.keeps(made.kind);
    let told = made_for.class_column.is_some() || !rendering.has_class();
    (!fits || !told).then_some(made.name)
}

fn is_double(column: &Column) -> bool {
    column.pg_type().is_some_and(|kind| kind.kind == PgKind::Float8)
}

/// A column that a file computes, and PostgreSQL keeps as values, or computes as well: by now perhaps from something else.
fn compared(column: &Column, found: &Column) -> Option<ColumnPlan> {
    let comes_back = column.made_for.is_some() && found.pg_type().is_none();
    comes_back.then(|| ColumnPlan {
        is_compared: true,
        not_null: false,
        ..into_column(&column.name, found)
    })
}

/// Columns with values of their own that the target computes. One that a copy has made was computed where it came from, too.
fn computed_instead(from: &Table, into: &Table) -> Vec<NotCarried> {
    let own = from
        .columns
        .iter()
        .filter(|column| column.writable() && column.made_for.is_none());
    let columns = own.filter_map(|column| {
        let found = column_for(column, into)?;
        let (Generated::Stored(sql) | Generated::Virtual(sql)) = &found.generated else {
            return None;
        };
        Some(NotCarried {
            kind: "column".into(),
            name: format!("{}.{}", from.name, column.name),
            sql: format!("GENERATED ALWAYS AS ({sql})"),
            reason:
                "the target computes this column, and takes no values for it: verify tells where they differ"
                    .to_owned(),
        })
    });
    columns.collect()
}

/// What was noted of columns that have another type by now.
fn forgotten_notes(table: &TablePlan) -> impl Iterator<Item = NotCarried> {
    let retyped = table.columns.iter().filter_map(|column| match &column.kind {
        Some(ColumnKind::Postgres(is)) => Some((column, column.retyped_from.as_ref()?, is)),
        _ => None,
    });
    retyped.map(|(column, made, is)| NotCarried {
        kind: "note".into(),
        name: format!("{}.{}", table.source.name, column.source),
        sql: String::new(),
        reason: format!(
            "PostgreSQL's column was made as {made} and is {} now: values go by that type, and come back into SQLite as it gives them",
            is.name
        ),
    })
}

fn matched(from: &Table, into: &Table, engine: Engine, is_absent: bool) -> TablePlan {
    let mut columns = Vec::with_capacity(from.columns.len());
    for column in &from.columns {
        match column_for(column, into) {
            Some(found) if !found.writable() => columns.extend(compared(column, found)),
            Some(found) => columns.push(ColumnPlan {
                bound: into.bound(&found.name).filter(|_| is_double(column)),
                ..into_column(&column.name, found)
            }),
            None => columns.push(added(column, column.name.clone(), engine)),
        }
    }
    columns.extend(order_of_rows(from, into));
    let is_gone = |column: &&Column| {
        is_absent && column.writable() && columns.iter().all(|plan| plan.target != column.name)
    };
    let gone = into.columns.iter().filter(is_gone);
    let gone = gone.map(|column| column.name.clone()).collect();
    let place = |name: &String| columns.iter().position(|plan| plan.target == *name);
    let keys = into.primary_key.iter().chain(&into.uniques);
    let unproven_keys = keys
        .filter(|key| !guaranteed(key, from, &columns))
        .filter_map(|key| key.columns.iter().map(place).collect())
        .collect();
    TablePlan {
        source: from.clone(),
        target: into.name.clone(),
        engine,
        is_strict: into.strict,
        columns,
        computed: vec![],
        not_computed: None,
        created: false,
        definition: None,
        gone,
        unproven_keys,
        takes_stored_text: false,
    }
}

/// Whether the source already refuses two rows that are alike in this key.
fn guaranteed(key: &Key, from: &Table, columns: &[ColumnPlan]) -> bool {
    let part_of_key = |name: &String| {
        let plan = columns.iter().find(|plan| plan.source == *name);
        let name = plan.map_or(name, |plan| &plan.target);
        key.columns.iter().any(|column| column.eq_ignore_ascii_case(name))
    };
    let within = |other: &Key| other.bytewise() && other.columns.iter().all(part_of_key);
    from.primary_key.iter().chain(&from.uniques).any(within)
}

fn added(column: &Column, target: String, engine: Engine) -> ColumnPlan {
    let rendering = column
        .made_for
        .as_ref()
        .and_then(|made_for| made_for.rendering.as_ref());
    let kind = match (&column.kind, engine) {
        (ColumnKind::Sqlite { .. }, Engine::Postgres) => None,
        // Values of several classes come back into a column without affinity.
        (ColumnKind::Postgres(_), Engine::Sqlite)
            if rendering.is_some_and(Rendering::has_several_classes) =>
        {
            Some(declaration(PgKind::Bytea))
        }
        (ColumnKind::Postgres(kind), Engine::Sqlite) => Some(declaration(kind.kind)),
        (kind, _) => Some(kind.clone()),
    };
    ColumnPlan {
        source: column.name.clone(),
        target,
        kind,
        rendering: None,
        blanks: Blanks::default(),
        class_column: None,
        why: String::new(),
        not_null: false,
        added: true,
        is_compared: false,
        bound: None,
        retyped_from: None,
    }
}

impl NotCarried {
    fn other(other: &Other) -> Self {
        Self {
            kind: other.kind.as_str().into(),
            name: other.name.clone(),
            sql: other.sql.clone(),
            reason: other
                .why
                .clone()
                .unwrap_or_else(|| "only tables are copied".to_owned()),
        }
    }
}

/// Why a column is gone.
const GONE: &str = "PostgreSQL has no such column any more; what it holds under another name is a new column";

impl Plan {
    /// The text by which a table of a file is to be read in the end, if more is known than its columns.
    pub fn text_of<'a>(&'a self, table: &'a TablePlan) -> Option<&'a str> {
        let is_changed = !table.gone.is_empty() || table.columns.iter().any(|column| column.added);
        let own = self.own_text(&table.target).filter(|_| !is_changed);
        own.or(table.definition.as_deref())
    }

    /// The source's names of the tables that are made, and whether those are all.
    pub fn made(&self) -> (HashSet<&str>, bool) {
        let made = self.tables.iter().filter(|table| table.created);
        let made: HashSet<&str> = made.map(|table| table.source.name.as_str()).collect();
        let whole = !made.is_empty() && made.len() == self.tables.len();
        (made, whole)
    }

    /// What of a file's schema belongs to the tables that are made, each with its place; the rest of it too, if all are.
    pub fn objects_of_made<'a>(
        &'a self,
        origin: &'a Origin,
    ) -> impl Iterator<Item = (usize, &'a OriginObject)> {
        let (made, whole) = self.made();
        let objects = origin.objects.iter().enumerate();
        objects.filter(move |(_, one)| whole || (made.contains(one.table.as_str()) && one.kind != "view"))
    }

    /// The text of a table that its origin knows.
    pub(super) fn own_text(&self, table: &str) -> Option<&str> {
        let mut objects = self.origin.iter().flat_map(|origin| &origin.objects);
        let own = objects.find(|object| object.kind == "table" && object.name == table);
        own.map(|object| object.sql.as_str())
    }

    /// Takes the columns that the source has no more out of the text of a table, and what speaks of them. What could be computed from them only
    /// gets the values that the source has of it.
    fn leave_out_what_is_gone(&self, table: &mut TablePlan, into: &Table) -> Vec<NotCarried> {
        if table.gone.is_empty() {
            return vec![];
        }
        let from = |name: &str| {
            let column = into.columns.iter().find(|column| column.name == name)?;
            let mut columns = table.source.columns.iter();
            let found = columns.find(|from| column_for(from, into).is_some_and(|into| into.name == name))?;
            Some((column, found.name.clone()))
        };
        let own = self.own_text(&into.name);
        let rest = own.and_then(|own| ddl::without(own, &table.gone, |name| from(name).is_some()));
        // Without a text the table is made of what PostgreSQL has.
        let rest = rest.unwrap_or_default();
        let plain: Vec<(&Column, String)> = rest.plain.iter().filter_map(|(name, _)| from(name)).collect();
        for (column, source) in plain {
            let with_values = into_column(&source, column);
            match table.columns.iter_mut().find(|plan| plan.target == column.name) {
                Some(plan) => *plan = with_values,
                None => table.columns.push(with_values),
            }
        }
        let not_carried = |kind: &'static str, name: &str, sql: &str, reason: &str| NotCarried {
            kind: kind.into(),
            name: format!("{}.{name}", into.name),
            sql: sql.to_owned(),
            reason: reason.to_owned(),
        };
        let definition = |name: &String| {
            let mut gone = rest.gone.iter();
            gone.find(|(gone, _)| gone == name)
                .map_or("", |(_, sql)| sql.as_str())
        };
        let mut left_out: Vec<NotCarried> = table
            .gone
            .iter()
            .map(|name| not_carried("column", name, definition(name), GONE))
            .collect();
        let computed = rest.gone.iter().filter(|(name, _)| !table.gone.contains(name));
        left_out.extend(computed.map(|(name, sql)| {
            not_carried("column", name, sql, "it is computed from a column that is gone")
        }));
        left_out.extend(rest.plain.iter().map(|(name, sql)| {
            let reason =
                "made a plain column with the values it has, because what it is computed from is gone";
            not_carried("generated column", name, sql, reason)
        }));
        left_out.extend(rest.rules.iter().map(|(kind, name, sql)| {
            not_carried(
                kind,
                name.as_deref().unwrap_or_default(),
                sql,
                "it speaks of a column that is gone",
            )
        }));
        let gone = rest.gone.iter().map(|(name, _)| name);
        let also: Vec<String> = gone.filter(|name| !table.gone.contains(name)).cloned().collect();
        table.gone.extend(also);
        table.definition = Some(rest.sql);
        left_out
    }

    /// A table that its origin knows of, and that nothing was found for.
    fn gone_table(&self, into: &Table, is_absent: bool) -> Option<NotCarried> {
        let own = self.own_text(&into.name)?;
        let rest = if is_absent {
            ""
        } else {
            "; the file keeps its own as it is"
        };
        Some(NotCarried {
            kind: "table".into(),
            name: into.name.clone(),
            sql: own.to_owned(),
            reason: format!(
                "PostgreSQL has no table that was made for it any more; one that has another name or schema by now is a new table{rest}"
            ),
        })
    }

    /// The columns of a table that is there which its origin knows of, and that nothing was found for.
    fn gone_columns(&self, table: &TablePlan, into: &Table) -> Vec<NotCarried> {
        if self.own_text(&into.name).is_none() {
            return vec![];
        }
        let is_given = |column: &&Column| table.columns.iter().any(|plan| plan.target == column.name);
        let gone = into
            .columns
            .iter()
            .filter(|column| column.writable() && !is_given(column));
        gone.map(|column| NotCarried {
            kind: "column".into(),
            name: format!("{}.{}", into.name, column.name),
            sql: column
                .default
                .as_ref()
                .map_or_else(String::new, |sql| format!("DEFAULT {sql}")),
            reason: format!("{GONE}; here each row gets its default, or NULL"),
        })
        .collect()
    }

    fn created(&mut self, from: &Table, engine: Engine) -> TablePlan {
        let mut name = from.made_for.clone().unwrap_or_else(|| from.name.clone());
        let mut columns = Vec::with_capacity(from.columns.len());
        let mut names = Names::of_columns();
        names.promise(from.columns.iter().map(|column| column.name.as_str()));
        let mut rename = |kind: &'static str, from_name: &str, to: &str| {
            if from_name != to {
                self.renamed.push(Renamed {
                    kind,
                    table: from.name.clone(),
                    from: from_name.to_owned(),
                    to: to.to_owned(),
                });
            }
        };
        if engine == Engine::Postgres {
            name = self.relations.give_table(&from.name);
            rename("table", &from.name, &name);
        }
        for column in &from.columns {
            let mut target = match &column.made_for {
                Some(made_for) => made_for.column.clone(),
                None => column.name.clone(),
            };
            if engine == Engine::Postgres {
                target = names.give(&column.name);
                rename("column", &column.name, &target);
            }
            columns.push(added(column, target, engine));
        }
        if let Some(key) = from.row_key() {
            for column in columns
                .iter_mut()
                .filter(|column| key.columns.contains(&column.source))
            {
                column.not_null = true;
            }
        }
        TablePlan {
            source: from.clone(),
            target: name,
            engine,
            is_strict: false,
            columns,
            computed: vec![],
            not_computed: None,
            created: true,
            definition: None,
            gone: vec![],
            unproven_keys: vec![],
            takes_stored_text: false,
        }
    }
}

/// The declaration whose affinity keeps the values of a PostgreSQL type as they come from there.
pub(super) fn declaration(kind: PgKind) -> ColumnKind {
    let (declared, affinity) = match kind {
        PgKind::Bool | PgKind::Int2 | PgKind::Int4 | PgKind::Int8 => ("INTEGER", Affinity::Integer),
        PgKind::Float4 | PgKind::Float8 => ("REAL", Affinity::Real),
        // A decimal may come as an integer, a real or text, and stays what it is.
        PgKind::Bytea | PgKind::Numeric(_) => ("BLOB", Affinity::Blob),
        PgKind::Text
        | PgKind::Name
        // As PostgreSQL prints it.
        | PgKind::Other
        | PgKind::Varchar(_)
        | PgKind::Char(_)
        | PgKind::Json
        | PgKind::Jsonb
        | PgKind::Timestamptz(_)
        | PgKind::Timestamp(_)
        | PgKind::Date
        | PgKind::Time(_)
        | PgKind::Uuid => ("TEXT", Affinity::Text),
    };
    ColumnKind::Sqlite {
        declared: declared.to_owned(),
        affinity,
    }
}

impl Plan {
    /// Notes which texts somebody wants to become NULL in the columns that are made, before their values are looked at.
    pub fn note_blanks(&mut self, wishes: &Wishes) {
        for table in self
            .tables
            .iter_mut()
            .filter(|table| table.engine == Engine::Postgres)
        {
            for column in table.columns.iter_mut().filter(|column| column.kind.is_none()) {
                let wish = wishes.of(&table.source.name, &column.source);
                column.blanks = wish.map_or_else(Blanks::default, |wish| wish.blanks);
            }
        }
    }

    /// Leaves out what would only be made to stay empty: tables without `rows` (one count per table) that a target with a schema of
    /// its own lacks. Says of each table whether it is still part of the plan.
    pub fn leave_out_empty_tables(&mut self, rows: &[u64]) -> Vec<bool> {
        let has_schema = self.tables.iter().any(|table| !table.created);
        let empty = |(table, rows): (&TablePlan, &u64)| has_schema && table.created && *rows == 0;
        let kept: Vec<bool> = self.tables.iter().zip(rows).map(|pair| !empty(pair)).collect();
        for (table, _) in self.tables.iter().zip(&kept).filter(|(_, kept)| !**kept) {
            self.not_carried.push(NotCarried {
                kind: "table".into(),
                name: table.source.name.clone(),
                sql: table.source.sql.clone(),
                reason: "the target lacks it, and it has no rows".to_owned(),
            });
        }
        let mut next = kept.iter();
        self.tables.retain(|_| next.next().copied().unwrap_or(true));
        kept
    }
}

/// More columns no table of PostgreSQL has.
const COLUMNS_MAX: usize = 1_600;

impl TablePlan {
    /// The column that tells of a row whose key came before: the first of the keys that the source does not guarantee.
    pub fn unproven_column(&self) -> usize {
        let columns = self.unproven_keys.iter().flatten();
        columns.copied().next().unwrap_or(0)
    }

    /// Whether PostgreSQL can have such a table. The error is a sentence for a person.
    pub(super) fn check_width(&self) -> Result<(), String> {
        let columns = self.target_columns().len() + self.computed.len();
        if self.engine == Engine::Sqlite || columns <= COLUMNS_MAX {
            return Ok(());
        }
        Err(format!(
            "the table {} would have {columns} columns and PostgreSQL holds {COLUMNS_MAX} at most; divide it, or leave it out \
             (--exclude)",
            self.source.name
        ))
    }

    /// Leaves out columns that the table of the target lacks and in which no row has a value; they are returned.
    pub fn leave_out_empty_columns(&mut self, survey: &mut TableSurvey) -> Vec<NotCarried> {
        let mut left_out = vec![];
        let mut at = 0;
        while let Some(column) = self.columns.get(at).filter(|_| !self.created) {
            if !column.added || !survey.classes_of(at).is_empty() {
                at += 1;
                continue;
            }
            left_out.push(NotCarried {
                kind: "column".into(),
                name: format!("{}.{}", self.source.name, column.source),
                sql: String::new(),
                reason: "the target lacks it, and no row has a value in it".to_owned(),
            });
            self.columns.remove(at);
            survey.drop_column(at);
            let places = self.unproven_keys.iter_mut().flatten();
            places.filter(|place| **place > at).for_each(|place| *place -= 1);
        }
        left_out
    }

    /// The columns that a table lacks which is there.
    pub fn columns_made(&self) -> Vec<String> {
        let made = self.columns.iter().filter(|column| column.added && !self.created);
        made.map(|column| column.target.clone()).collect()
    }

    /// The names of the columns that are read.
    pub fn source_columns(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.source.as_str()).collect()
    }

    /// The names of the columns that are written, in the order in which a row's values come: behind a value of a column with values of
    /// several classes its class.
    pub fn target_columns(&self) -> Vec<&str> {
        let mut names = Vec::with_capacity(self.columns.len());
        for column in self.columns.iter().filter(|column| !column.is_compared) {
            names.push(column.target.as_str());
            names.extend(column.class_column.as_deref());
        }
        names
    }
}
