//! The catalog of a PostgreSQL schema, in a fixed number of queries however many tables there are.

use std::collections::{HashMap, HashSet};

use cutover_domain::transfer::blanks::Blanks;
use cutover_domain::transfer::catalog::{
    Action, Beyond, Catalog, Check, Column, ColumnKind, Deferrable, Engine, ForeignKey, Generated, Identity,
    Index, IndexPart, Key, MadeFor, Other, OtherKind, PgKind, PgType, Storage, Table,
};
use cutover_domain::transfer::name::renamed_by_case;
use cutover_domain::transfer::plan::BY_TYPE;
use cutover_domain::transfer::rendering::Rendering;
use cutover_ports::transfer::{TransferError, TransferResult};
use tokio_postgres::types::Oid;
use tokio_postgres::{GenericClient, Row};

use super::connection::check_schema;
use super::error::transfer_error;
use super::own_tables::{noted, text};

const TABLES: &str = "
    SELECT oid, relname, relkind = 'p' FROM pg_class
    WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    ORDER BY relname COLLATE \"C\"";

/// Columns with the base type under any domains, which may refuse NULL and have a default for the column. From PostgreSQL 18 on a column that
/// refuses NULL may have rows with NULL from before.
const COLUMNS: &str = "
    WITH RECURSIVE base AS (
        SELECT t.oid, t.oid AS base, t.typbasetype AS next, -1 AS modifier, t.typnotnull AS not_null FROM pg_type AS t
        UNION ALL
        SELECT b.oid, t.oid, t.typbasetype, CASE WHEN b.modifier = -1 THEN d.typtypmod ELSE b.modifier END, b.not_null OR t.typnotnull
        FROM base AS b JOIN pg_type AS d ON d.oid = b.base JOIN pg_type AS t ON t.oid = b.next WHERE b.next <> 0
    )
    SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), b.base,
           CASE WHEN a.atttypmod = -1 THEN b.modifier ELSE a.atttypmod END,
           (a.attnotnull AND NOT EXISTS (
               SELECT 1 FROM pg_constraint AS k
               WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated
           )) OR b.not_null, coalesce(pg_get_expr(d.adbin, d.adrelid), pg_get_expr(ty.typdefaultbin, 0)), a.attgenerated::text, a.attidentity::text,
           CASE WHEN a.attcollation <> ty.typcollation THEN co.collname::text END
    FROM pg_attribute AS a
    JOIN pg_class AS c ON c.oid = a.attrelid
    JOIN base AS b ON b.oid = a.atttypid AND b.next = 0
    JOIN pg_type AS ty ON ty.oid = a.atttypid
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_collation AS co ON co.oid = a.attcollation
    WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum";

/// Keys and checks, foreign keys in the order in which PostgreSQL acts by them: that of their triggers' names. What a version does not know of a
/// constraint is NULL, asked for as JSON.
const CONSTRAINTS: &str = "
    SELECT k.conrelid, k.conname, k.contype::text, k.condeferrable, k.condeferred,
           CASE k.contype WHEN 'c' THEN pg_get_expr(k.conbin, k.conrelid) END,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(num, ord)
                 JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.ord),
           CASE WHEN p.relnamespace <> k.connamespace THEN p.relnamespace::regnamespace::text || '.' ELSE '' END || p.relname::text,
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(num, ord)
                 JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.ord),
           k.confdeltype::text, k.confupdtype::text, k.convalidated,
           beyond.why, CASE WHEN beyond.why IS NOT NULL THEN pg_get_constraintdef(k.oid) END
    FROM pg_constraint AS k LEFT JOIN pg_class AS p ON p.oid = k.confrelid
    CROSS JOIN LATERAL (SELECT CASE
        WHEN k.contype <> 'f' THEN NULL
        WHEN to_jsonb(k) ->> 'conenforced' = 'false' THEN 'PostgreSQL does not enforce it, and SQLite would'
        WHEN to_jsonb(k) ->> 'conperiod' = 'true' THEN 'SQLite''s would ask for equal values, not for a time that its parents cover'
        WHEN to_jsonb(k) ->> 'confdelsetcols' IS NOT NULL THEN 'SQLite''s would set all of its columns, not only those that are named'
    END AS why) AS beyond
    WHERE k.connamespace = $1::text::regnamespace AND k.conrelid <> 0 AND k.contype IN ('p', 'u', 'c', 'f') AND k.conparentid = 0
    ORDER BY k.conrelid, (SELECT min(t.tgname COLLATE \"C\") FROM pg_trigger AS t WHERE t.tgconstraint = k.oid AND t.tgrelid = k.confrelid AND t.tgname LIKE 'RI_ConstraintTrigger_a_%'),
             k.conname COLLATE \"C\"";

const INDEXES: &str = "
    SELECT i.indrelid, c.relname, i.indisunique, pg_get_expr(i.indpred, i.indrelid), pg_get_indexdef(i.indexrelid),
           ARRAY(SELECT a.attname::text FROM generate_series(1, i.indnkeyatts) AS n
                 LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n - 1] AND a.attnum > 0
                 ORDER BY n),
           ARRAY(SELECT i.indoption[n - 1] & 1 = 1 FROM generate_series(1, i.indnkeyatts) AS n ORDER BY n)
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE c.relnamespace = $1::text::regnamespace
      AND NOT EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
    ORDER BY i.indrelid, c.relname COLLATE \"C\"";

/// The number before the one that a table's sequence gives next, as far as is known without asking the sequence itself: a program that has
/// this number counts on by one. None of one that counts down. Behind the others the one of the primary key.
const SEQUENCES: &str = "
    SELECT d.refobjid, CASE WHEN s.increment_by > 0
           THEN least(coalesce(s.last_value::numeric + s.increment_by, s.start_value) - 1, 9223372036854775807)::bigint END
    FROM pg_depend AS d
    JOIN pg_class AS c ON c.oid = d.objid AND c.relkind = 'S'
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_sequences AS s ON s.schemaname = n.nspname AND s.sequencename = c.relname
    LEFT JOIN pg_constraint AS k ON k.conrelid = d.refobjid AND k.contype = 'p'
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
      AND c.relnamespace = $1::text::regnamespace
    ORDER BY coalesce(d.refobjsubid = ANY (k.conkey), false)";

/// What is no table: its kind, its name, its SQL, the table that it belongs to, and why it is not carried if that is not plain.
const OTHERS: &str = "
    WITH RECURSIVE domain AS (
        SELECT t.oid, t.oid AS of FROM pg_type AS t WHERE t.typtype = 'd'
        UNION ALL
        SELECT d.oid, t.typbasetype FROM domain AS d JOIN pg_type AS t ON t.oid = d.of WHERE t.typtype = 'd'
    ), owned AS (
        SELECT c.oid, c.relname::text AS name, c.relkind AS kind, c.relispartition AS is_part FROM pg_class AS c
        WHERE c.relnamespace = $1::text::regnamespace
    ), columns AS (
        SELECT o.name, a.attname::text AS attname, a.atttypid FROM owned AS o JOIN pg_attribute AS a ON a.attrelid = o.oid
        WHERE o.kind IN ('r', 'p') AND NOT o.is_part AND a.attnum > 0 AND NOT a.attisdropped
    )
    SELECT 'view', o.name, pg_get_viewdef(o.oid), NULL, NULL FROM owned AS o WHERE o.kind IN ('v', 'm')
    UNION ALL
    SELECT 'trigger', t.tgname::text, pg_get_triggerdef(t.oid), NULL, NULL FROM pg_trigger AS t
    JOIN owned AS o ON o.oid = t.tgrelid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT 'foreign', o.name, '', NULL, NULL FROM owned AS o WHERE o.kind = 'f' AND NOT o.is_part
    UNION ALL
    SELECT 'rule', o.name || '.' || r.rulename, pg_get_ruledef(r.oid), o.name, NULL
    FROM pg_rewrite AS r JOIN owned AS o ON o.oid = r.ev_class WHERE r.rulename <> '_RETURN'
    UNION ALL
    SELECT 'policy', o.name || '.' || p.polname,
           concat('CREATE POLICY ', quote_ident(p.polname), ' ON ', quote_ident(o.name),
                  ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
                  ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
           o.name, 'whoever opens a SQLite file reads and writes all of it'
    FROM pg_policy AS p JOIN owned AS o ON o.oid = p.polrelid
    UNION ALL
    SELECT 'sequence', o.name, 'CREATE SEQUENCE ' || quote_ident(o.name), NULL, 'SQLite has none but those of its keys'
    FROM owned AS o WHERE o.kind = 'S' AND NOT EXISTS (
        SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = o.oid AND d.deptype IN ('a', 'i'))
    UNION ALL
    SELECT 'sequence', o.name || '.' || a.attname, odd.options, o.name,
           'SQLite counts on by one from the largest key that it has given, without another end than that of its integers'
    FROM pg_sequence AS s
    JOIN pg_depend AS d ON d.objid = s.seqrelid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
         AND d.deptype IN ('a', 'i')
    JOIN owned AS o ON o.oid = d.refobjid AND o.kind IN ('r', 'p') AND NOT o.is_part
    JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    CROSS JOIN LATERAL (SELECT CASE s.seqtypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
                               ELSE 9223372036854775807 END AS most) AS type
    CROSS JOIN LATERAL (SELECT concat_ws(' ',
        CASE WHEN s.seqincrement <> 1 THEN 'INCREMENT BY ' || s.seqincrement END,
        CASE WHEN s.seqmin <> CASE WHEN s.seqincrement > 0 THEN 1 ELSE -type.most - 1 END THEN 'MINVALUE ' || s.seqmin END,
        CASE WHEN s.seqmax <> CASE WHEN s.seqincrement > 0 THEN type.most ELSE -1 END THEN 'MAXVALUE ' || s.seqmax END,
        CASE WHEN s.seqcycle THEN 'CYCLE' END) AS options) AS odd
    WHERE odd.options <> ''
    UNION ALL
    SELECT 'check', c.name || '.' || c.attname, pg_get_constraintdef(k.oid), c.name,
           'a CHECK of the domain ' || format_type(k.contypid, NULL) || ' is an expression of PostgreSQL'
    FROM columns AS c JOIN domain AS d ON d.oid = c.atttypid JOIN pg_constraint AS k ON k.contypid = d.of AND k.contype = 'c'
    UNION ALL
    SELECT 'large objects', c.name || '.' || c.attname, '', c.name,
           'only their numbers are in the column: keep their contents in one of type bytea (lo_get), or export them (lo_export)'
    FROM columns AS c WHERE (c.atttypid = 'oid'::regtype OR EXISTS (SELECT 1 FROM domain AS d WHERE d.oid = c.atttypid AND d.of = 'oid'::regtype))
      AND EXISTS (SELECT 1 FROM pg_largeobject_metadata)
    UNION ALL
    SELECT 'inheritance', o.name, '', o.name,
           'a SELECT from it gives the rows of ' || string_agg(i.inhrelid::regclass::text, ', ' ORDER BY i.inhrelid::regclass::text)
           || ' as well, which are tables of their own in the file: name them all (UNION ALL)'
    FROM pg_inherits AS i JOIN owned AS o ON o.oid = i.inhparent AND o.kind = 'r' GROUP BY o.name
    UNION ALL
    SELECT 'key', o.name || '.' || k.conname, pg_get_constraintdef(k.oid), o.name, odd.why
    FROM pg_constraint AS k JOIN owned AS o ON o.oid = k.conrelid AND o.kind IN ('r', 'p') AND NOT o.is_part
    LEFT JOIN pg_index AS i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
    LEFT JOIN pg_class AS ic ON ic.oid = i.indexrelid LEFT JOIN pg_am AS am ON am.oid = ic.relam
    CROSS JOIN LATERAL (SELECT CASE
        WHEN k.contype IN ('p', 'u') AND to_jsonb(k) ->> 'conperiod' = 'true'
            THEN 'made, but SQLite''s refuses equal values, not times that overlap'
        WHEN to_jsonb(i) ->> 'indnullsnotdistinct' = 'true' THEN 'made, but SQLite''s takes any number of rows that have NULL there'
        WHEN k.contype IN ('p', 'u') AND k.condeferrable
            THEN 'made, but SQLite''s looks at each row when it is written, not at the end of the statement or the transaction'
        WHEN k.contype = 'f' AND k.confmatchtype = 'f' AND cardinality(k.conkey) > 1
            THEN 'made, but SQLite''s takes any row that has NULL in one of the columns'
        WHEN k.contype = 'x' AND am.amname = 'btree' AND i.indpred IS NULL AND i.indexprs IS NULL
            THEN 'made a plain index, which takes the rows that it refuses'
    END AS why) AS odd
    WHERE k.conparentid = 0 AND odd.why IS NOT NULL
    UNION ALL
    SELECT 'check', o.name || '.' || k.conname, pg_get_constraintdef(k.oid), o.name, 'rows may have NULL there, for PostgreSQL has not looked'
    FROM pg_constraint AS k JOIN owned AS o ON o.oid = k.conrelid AND o.kind IN ('r', 'p') AND NOT o.is_part
    WHERE k.contype = 'n' AND NOT k.convalidated
    ORDER BY 1 DESC, 2, 3";

/// Names that nothing above has: of sequences, types (a table makes one of its name), partitions and their indexes. What comes and goes
/// with a table of rows is left out: its row type, its identity's sequence; and so are types of arrays, which make way.
const TAKEN: &str = "
    SELECT c.relname::text FROM pg_class AS c
    WHERE c.relnamespace = $1::text::regnamespace
      AND (c.relkind IN ('c', 'I') OR (c.relkind = 'r' AND c.relispartition)
           OR (c.relkind = 'S' AND NOT EXISTS (
               SELECT 1 FROM pg_depend AS d
               WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'))
           OR (c.relkind = 'i' AND EXISTS (
               SELECT 1 FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid
               WHERE i.indexrelid = c.oid AND (t.relkind <> 'r' OR t.relispartition))))
    UNION
    SELECT t.typname::text FROM pg_type AS t
    WHERE t.typnamespace = $1::text::regnamespace AND t.typrelid = 0
      AND NOT EXISTS (SELECT 1 FROM pg_type AS e WHERE e.typarray = t.oid)
    ORDER BY 1";

/// Reads the catalog of the connection's default schema, and what a copy has made in it and for what: the columns that hold the classes of
/// other columns' values are left out.
pub async fn read_with_origins(client: &impl GenericClient) -> TransferResult<Catalog> {
    read_noted(client, false).await
}

/// The same for the way back. What has another name by now only by the case of its letters is what it was, for a file takes both names for
/// one; a column of classes whose values are gone is left out as well. Both are told.
pub async fn read_for_way_back(client: &impl GenericClient) -> TransferResult<Catalog> {
    read_noted(client, true).await
}

async fn read_noted(client: &impl GenericClient, is_way_back: bool) -> TransferResult<Catalog> {
    let mut catalog = read(client).await?;
    let exists = "SELECT to_regclass('cutover.made_table') IS NOT NULL AND to_regclass('cutover.rendering') IS NOT NULL";
    let row = client
        .query_one(exists, &[])
        .await
        .map_err(|e| transfer_error(&e))?;
    if !row.get::<_, bool>(0) {
        return Ok(catalog);
    }
    let sql = "SELECT table_name, source_table FROM cutover.made_table WHERE schema_name = $1";
    let made = client
        .query(sql, &[&catalog.schema])
        .await
        .map_err(|e| transfer_error(&e))?;
    let source = |row| Ok((noted(row, "made_table", 0)?, noted(row, "made_table", 1)?));
    let made: HashMap<&str, String> = made.iter().map(source).collect::<TransferResult<_>>()?;
    let sql = "SELECT table_name, column_name, source_column, rendering, class_column FROM cutover.rendering WHERE schema_name = $1";
    let renderings = client
        .query(sql, &[&catalog.schema])
        .await
        .map_err(|e| transfer_error(&e))?;
    let mut of_tables: HashMap<&str, Vec<&Row>> = HashMap::new();
    for row in &renderings {
        of_tables
            .entry(noted(row, "rendering", 0)?)
            .or_default()
            .push(row);
    }
    let known: HashSet<&str> = made.keys().chain(of_tables.keys()).copied().collect();
    let names: Vec<String> = catalog.tables.iter().map(|table| table.name.clone()).collect();
    let renamed = renamed(&names, known, is_way_back);
    for table in &mut catalog.tables {
        let name = renamed.get(table.name.as_str()).copied();
        if let Some(name) = name {
            catalog.others.push(called(&table.name, &table.name, name));
        }
        let name = name.unwrap_or(&table.name);
        table.made_for = made.get(name).cloned();
        let rows = of_tables.remove(name).unwrap_or_default();
        catalog.others.extend(put_notes(table, &rows, is_way_back)?);
    }
    Ok(catalog)
}

/// What differs from its noted name by case only, on the way back.
fn renamed<'n>(names: &'n [String], known: HashSet<&'n str>, is_way_back: bool) -> HashMap<&'n str, &'n str> {
    if is_way_back {
        renamed_by_case(names.iter().map(String::as_str), known)
    } else {
        HashMap::new()
    }
}

/// A table, or a column of it, that has its name no more.
fn called(table: &str, name: &str, was: &str) -> Other {
    let told =
        format!("made as {was} and called so by now, which is one name to SQLite: it is {was} in the file");
    Other::note(name.to_owned(), table, told)
}

/// Puts what was noted of a table's columns to them; what there is to tell of it.
fn put_notes(table: &mut Table, rows: &[&Row], is_way_back: bool) -> TransferResult<Vec<Other>> {
    let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let mut known: HashSet<&str> = HashSet::new();
    for row in rows {
        known.insert(noted(row, "rendering", 1)?);
        known.extend(Some(text(row, 4)).filter(|class| !class.is_empty()));
    }
    let renamed = renamed(&names, known, is_way_back);
    let now = |was: &str| {
        let mut renamed = renamed.iter().filter(|(_, name)| **name == was);
        let other = renamed.next().map(|(now, _)| *now);
        other.or_else(|| names.iter().map(String::as_str).find(|name| *name == was))
    };
    let mut told = Vec::new();
    let mut classes: HashSet<String> = HashSet::new();
    let of_classes: HashSet<&str> = rows.iter().filter_map(|row| now(text(row, 4))).collect();
    let mut lone: Vec<LoneClasses<'_>> = Vec::new();
    for row in rows {
        let name: &str = noted(row, "rendering", 1)?;
        let class = now(text(row, 4));
        let (blanks, rendering) = Blanks::at_start(text(row, 3));
        let Some(column) =
            now(name).and_then(|now| table.columns.iter_mut().find(|column| column.name == now))
        else {
            lone.extend(class.map(|class| LoneClasses {
                class,
                values: name,
                rendering: rendering.parse().ok(),
            }));
            continue;
        };
        if column.name != name {
            told.push(called(
                &table.name,
                &format!("{}.{}", table.name, column.name),
                name,
            ));
        }
        classes.extend(class.map(str::to_owned));
        column.made_for = Some(MadeFor {
            column: noted(row, "rendering", 2)?,
            rendering: known_rendering(&table.name, name, rendering)?,
            blanks,
            class_column: class.map(str::to_owned),
        });
    }
    for lone in lone.iter().filter(|_| is_way_back) {
        let is_left_out = lone.is_left_out(table, &of_classes);
        told.push(lone.told(&table.name, is_left_out));
        classes.extend(is_left_out.then(|| lone.class.to_owned()));
    }
    if !classes.is_empty() {
        leave_out_classes(table, &classes);
    }
    Ok(told)
}

/// A column of classes beside which the values are no more, or have another name.
struct LoneClasses<'a> {
    class: &'a str,
    /// The name that the column of the values had.
    values: &'a str,
    rendering: Option<Rendering>,
}

impl LoneClasses<'_> {
    /// Whether no other column can be that of the values: what is new, of their type, and no column of classes (`of_classes`).
    fn is_left_out(&self, table: &Table, of_classes: &HashSet<&str>) -> bool {
        let made = self.rendering.as_ref().map(|rendering| rendering.pg_type().kind);
        let is_new =
            |column: &&Column| column.made_for.is_none() && !of_classes.contains(column.name.as_str());
        let mut kinds = table.columns.iter().filter(is_new).filter_map(Column::pg_type);
        !kinds.any(|is| made.is_none_or(|made| is.kind.keeps(made)))
    }

    fn told(&self, table: &str, is_left_out: bool) -> Other {
        let fate = if is_left_out {
            "it is left out"
        } else {
            "it comes along as a column of its own, for they may be there under another name"
        };
        let Self { class, values, .. } = self;
        let told = format!(
            "it tells the class of each value of {values}, a column that PostgreSQL has no more: {fate}"
        );
        Other::note(format!("{table}.{class}"), table, told)
    }
}

fn known_rendering(table: &str, column: &str, rendering: &str) -> TransferResult<Option<Rendering>> {
    if rendering == BY_TYPE {
        return Ok(None);
    }
    let known = rendering.parse().map_err(|_| {
        TransferError::Failed(format!(
            "cutover.rendering has an entry for {table}.{column} that this version of Cutover does not know: {rendering:?}"
        ))
    });
    known.map(Some)
}

/// Leaves out the columns that hold the class of another one's values, which stand in its keys beside it.
fn leave_out_classes(table: &mut Table, classes: &HashSet<String>) {
    table.columns.retain(|column| !classes.contains(&column.name));
    for key in table.primary_key.iter_mut().chain(&mut table.uniques) {
        let columns = key.columns.iter().filter(|column| !classes.contains(*column));
        *key = Key::plain(key.name.clone(), columns.cloned().collect());
    }
    for key in &mut table.foreign_keys {
        let pairs = key.columns.iter().zip(&key.parent_columns);
        let pairs = pairs.filter(|(column, _)| !classes.contains(*column));
        (key.columns, key.parent_columns) = pairs
            .map(|(column, parent)| (column.clone(), parent.clone()))
            .unzip();
    }
}

/// The default schema of a connection, which may be none that an application's tables are in.
pub(super) async fn default_schema(client: &impl GenericClient) -> TransferResult<String> {
    let row = client
        .query_one("SELECT current_schema()::text", &[])
        .await
        .map_err(|e| transfer_error(&e))?;
    let schema: Option<String> = row.get(0);
    let schema = schema.ok_or_else(|| no_schema(None))?;
    check_schema(&schema)?;
    Ok(schema)
}

/// There is none to read: not the one that was named, or no default one.
pub(super) fn no_schema(named: Option<&str>) -> TransferError {
    TransferError::Usage(match named {
        Some(name) => format!("the PostgreSQL database has no schema {name:?} that can be read"),
        None => {
            "the connection has no default schema (search_path names none that exists); name one by --schema"
                .to_owned()
        }
    })
}

/// Reads the catalog of the connection's default schema.
pub async fn read(client: &impl GenericClient) -> TransferResult<Catalog> {
    let schema = default_schema(client).await?;
    // `::regnamespace` reads a name as SQL does.
    let quoted = cutover_domain::transfer::name::quoted(&schema);
    let ask = async |sql| {
        client
            .query(sql, &[&quoted])
            .await
            .map_err(|e| transfer_error(&e))
    };
    let mut tables: Vec<(Oid, Table)> = ask(TABLES).await?.iter().map(table).collect();
    let places: HashMap<Oid, usize> = tables
        .iter()
        .enumerate()
        .map(|(at, (oid, _))| (*oid, at))
        .collect();
    let mut each = |rows: &[Row], put: &dyn Fn(&mut Table, &Row)| {
        for row in rows {
            let place = places
                .get(&row.get::<_, Oid>(0))
                .and_then(|at| tables.get_mut(*at));
            if let Some((_, table)) = place {
                put(table, row);
            }
        }
    };
    each(&ask(COLUMNS).await?, &|table, row| {
        table.columns.push(column(row));
    });
    each(&ask(CONSTRAINTS).await?, &constraint);
    each(&ask(INDEXES).await?, &|table, row| table.indexes.push(index(row)));
    each(&ask(SEQUENCES).await?, &|table, row| table.sequence = row.get(1));
    let others = ask(OTHERS).await?.iter().map(other).collect();
    let taken = ask(TAKEN).await?.iter().map(|row| row.get(0)).collect();
    let tables = tables.into_iter().map(|(_, table)| table).collect();
    Ok(Catalog {
        engine: Engine::Postgres,
        schema,
        tables,
        others,
        taken,
        origin: None,
    })
}

fn table(row: &Row) -> (Oid, Table) {
    let table = Table {
        name: row.get(1),
        storage: if row.get(2) {
            Storage::Partitioned
        } else {
            Storage::Rowid { alias: None }
        },
        strict: false,
        columns: vec![],
        primary_key: None,
        uniques: vec![],
        checks: vec![],
        foreign_keys: vec![],
        indexes: vec![],
        sequence: None,
        sql: String::new(),
        module: None,
        made_for: None,
    };
    (row.get(0), table)
}

fn column(row: &Row) -> Column {
    let default: Option<String> = row.get(6);
    let generated = match row.get::<_, &str>(7) {
        "s" => Generated::Stored(default.clone().unwrap_or_default()),
        "v" => Generated::Virtual(default.clone().unwrap_or_default()),
        _ => Generated::No,
    };
    Column {
        name: row.get(1),
        kind: ColumnKind::Postgres(PgType {
            name: row.get(2),
            kind: PgKind::of(row.get(3), row.get(4)),
        }),
        not_null: row.get(5),
        default: default.filter(|_| generated == Generated::No),
        generated,
        identity: match row.get::<_, &str>(8) {
            "a" => Identity::Always,
            "d" => Identity::ByDefault,
            _ => Identity::No,
        },
        collation: row.get(9),
        made_for: None,
    }
}

fn constraint(table: &mut Table, row: &Row) {
    let name: Option<String> = row.get(1);
    let columns: Vec<String> = row.get(6);
    match row.get::<_, &str>(2) {
        "p" => {
            table.primary_key = Some(Key::plain(name, columns));
        }
        "u" => table.uniques.push(Key::plain(name, columns)),
        "c" => {
            let expression: Option<String> = row.get(5);
            table.checks.push(Check {
                name,
                expression: expression.unwrap_or_default(),
            });
        }
        _ => table.foreign_keys.push(ForeignKey {
            name,
            columns,
            parent: row.get::<_, Option<String>>(7).unwrap_or_default(),
            parent_columns: row.get(8),
            on_delete: action(row.get(9)),
            on_update: action(row.get(10)),
            deferrable: match (row.get(3), row.get(4)) {
                (false, _) => Deferrable::No,
                (true, false) => Deferrable::Immediate,
                (true, true) => Deferrable::Deferred,
            },
            validated: row.get(11),
            beyond: row.get::<_, Option<String>>(12).map(|reason| Beyond {
                reason,
                sql: row.get(13),
            }),
        }),
    }
}

fn action(letter: &str) -> Action {
    match letter {
        "r" => Action::Restrict,
        "c" => Action::Cascade,
        "n" => Action::SetNull,
        "d" => Action::SetDefault,
        _ => Action::NoAction,
    }
}

fn index(row: &Row) -> Index {
    let columns: Vec<Option<String>> = row.get(5);
    let descending: Vec<bool> = row.get(6);
    Index {
        name: row.get(1),
        unique: row.get(2),
        predicate: row.get(3),
        sql: row.get(4),
        parts: columns
            .into_iter()
            .zip(descending)
            .map(|(column, descending)| IndexPart {
                column,
                expression: None,
                descending,
                collation: None,
            })
            .collect(),
    }
}

fn other(row: &Row) -> Other {
    Other {
        kind: match row.get::<_, &str>(0) {
            "view" => OtherKind::View,
            "trigger" => OtherKind::Trigger,
            "rule" => OtherKind::Rule,
            "policy" => OtherKind::Policy,
            "sequence" => OtherKind::Sequence,
            "check" => OtherKind::Check,
            "large objects" => OtherKind::LargeObjects,
            "inheritance" => OtherKind::Inheritance,
            "key" => OtherKind::Key,
            _ => OtherKind::ForeignTable,
        },
        name: row.get(1),
        sql: row.get(2),
        table: row.get(3),
        why: row.get(4),
    }
}
