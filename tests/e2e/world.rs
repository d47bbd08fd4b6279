//! Databases with something in them, past the program.

use std::path::Path;

use cutover_tests::postgres::TestDatabase;
use cutover_tests::rusqlite::Connection;
use cutover_tests::tokio_postgres::Client;

use crate::program::{Place, Service};

/// A connection to a SQLite file that waits for others.
pub(crate) fn file(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection
        .busy_timeout(std::time::Duration::from_secs(10))
        .unwrap();
    connection
}

/// One value of a SQLite file as text; NULL is `∅`.
pub(crate) fn sqlite_value(path: &Path, sql: &str) -> String {
    sqlite_rows(path, sql).join("\n")
}

/// Rows of a SQLite file as text.
pub(crate) fn sqlite_rows(path: &Path, sql: &str) -> Vec<String> {
    use cutover_tests::rusqlite::types::ValueRef;
    let connection = file(path);
    let mut statement = connection.prepare(sql).unwrap();
    let width = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cells = (0..width).map(|index| {
            Ok(match row.get_ref(index)? {
                ValueRef::Null => "∅".to_owned(),
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Real(number) => number.to_string(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                ValueRef::Blob(bytes) => format!("{bytes:?}"),
            })
        });
        Ok(cells
            .collect::<Result<Vec<_>, cutover_tests::rusqlite::Error>>()?
            .join("|"))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Rows of a PostgreSQL database as text, each column cast by the server.
pub(crate) async fn postgres_rows(client: &Client, sql: &str) -> Vec<String> {
    use cutover_tests::tokio_postgres::SimpleQueryMessage;
    let messages = client.simple_query(sql).await.unwrap();
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.map(|row| {
        let cells: Vec<&str> = (0..row.len())
            .map(|index| row.get(index).unwrap_or("∅"))
            .collect();
        cells.join("|")
    })
    .collect()
}

/// Synths of the default group and of none, which have no way in over HTTP.
pub(crate) const SYNTHS: &str = "
    INSERT INTO synths (id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version, data) VALUES
      ('aaa111', 'grp_00000001', 'Ana Ávila 🦜', 'curta', 'https://example.org/a.png', NULL,
       '2026-01-01T12:00:00.123456+00:00', '2.3.0',
       '{\"demografia\": {\"idade\": 34, \"localizacao\": {\"cidade\": \"São Paulo\"}}, \"observables\": {\"motor_ability\": 0.5}, \"unknown\": [1]}'),
      ('bbb222', 'grp_00000001', 'Bruno', NULL, NULL, '../../../etc/passwd', '2026-01-02T12:00:00+00:00', NULL, NULL),
      ('ccc333', NULL, 'carla', '', 'javascript:alert(1)', NULL, '2026-01-03T12:00:00+00:00', '2.0.0', '{}')";

/// The default group where it is missing.
const GROUP: &str = "
    INSERT INTO synth_groups (id, name, description, created_at)
    VALUES ('grp_00000001', 'Default', 'Grupo padrão para synths sem grupo específico', '2025-12-31T00:00:00+00:00')
    ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at";

/// Puts the synths into a SQLite file.
pub(crate) fn populate_file(path: &Path) {
    file(path).execute_batch(&format!("{GROUP};{SYNTHS}")).unwrap();
}

/// Puts the synths into a PostgreSQL database.
pub(crate) async fn populate_database(database: &TestDatabase) {
    let client = database.connect().await;
    client.batch_execute(&format!("{GROUP};{SYNTHS}")).await.unwrap();
}

/// A service on a file and one on PostgreSQL, both with the same in it.
pub(crate) async fn serve_on_both(
    [on_file, on_server]: &[Place; 2],
    database: &TestDatabase,
) -> [Service; 2] {
    let file = on_file.serve(&[]).await;
    populate_file(&on_file.path("cutover.db"));
    populate_database(database).await;
    let server = on_server.serve(&["--postgres", &database.url()]).await;
    [file, server]
}
