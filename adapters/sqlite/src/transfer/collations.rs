//! Collations that only the program that made a file has. SQLite reads no table with a key in one, so that something stands in for each: the
//! order of bytes. Rows are read from the tables as they lie, where no order matters.

use cutover_domain::transfer::ddl;
use cutover_domain::transfer::name::quoted;
use cutover_domain::transfer::schema::Weakened;
use rusqlite::Connection;

use super::catalog::lossy_text;

/// Lets something stand in for the collations that the file's schema names. It comes before anything else that is asked of the connection:
/// SQLite remembers which indexes it had no collation for.
pub(super) fn stand_in_for_all(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT sql FROM sqlite_schema WHERE sql LIKE '%collate%'")?;
    let texts = statement.query_map([], |row| lossy_text(row, 0))?;
    // No statement may be under way when a collation is made.
    let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
    texts.iter().try_for_each(|sql| stand_in(connection, sql))
}

/// Lets something stand in for the collations that a statement names.
pub(super) fn stand_in(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    for name in ddl::collations(sql) {
        // A name with a NUL is none that SQLite has read.
        if !ddl::is_own_collation(&name) && !name.contains('\0') {
            connection.create_collation(name.as_str(), |one: &str, other: &str| one.cmp(other))?;
        }
    }
    Ok(())
}

/// The indexes of a table that had to be made in the order of a stand-in.
pub(super) fn out_of_order(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Weakened>> {
    let own = ddl::OWN_COLLATIONS.join("', '");
    let sql = format!(
        "SELECT l.name, group_concat(DISTINCT x.coll), coalesce(s.sql, 'PRIMARY KEY or UNIQUE of ' || ?2)
               FROM pragma_index_list(?1) AS l JOIN pragma_index_xinfo(l.name) AS x ON x.key
               LEFT JOIN sqlite_schema AS s ON s.type = 'index' AND s.name = l.name
               WHERE upper(x.coll) NOT IN ('{own}') GROUP BY l.name ORDER BY l.name"
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([table, &quoted(table)], |row| {
        let (constraint, collations, sql): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Weakened {
            table: table.to_owned(),
            reason: format!(
                "it is in the order of bytes, because the collation {collations} belongs to the program that made the file; let that \
                 program run REINDEX {} before it uses the file",
                quoted(table)
            ),
            constraint,
            sql,
            ..Weakened::default()
        })
    })?;
    rows.collect()
}
