//! Old files, and looking into files with the `sqlite3` program: another reader than the one under test.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The SQL that makes a synth-lab file of a version, with rows in it from version 7 on.
pub(crate) fn synth_lab(version: u32) -> String {
    let mut included = false;
    let mut sql = String::new();
    for line in include_str!("../fixtures/synth_lab.sql").lines() {
        if let Some(range) = line.strip_prefix("--@ ") {
            let (from, to) = range.split_once(' ').unwrap();
            included = (from.parse().unwrap()..=to.parse().unwrap()).contains(&version);
        } else if included {
            sql.push_str(line);
            sql.push('\n');
        }
    }
    sql
}

/// What the original's start-up code does to such a file: the tables of version 15, then its four additions.
pub(crate) fn upgraded_by_the_original(version: u32) -> String {
    let tables = synth_lab(15);
    let tables = tables.split("INSERT INTO").next().unwrap();
    let mut sql = synth_lab(version) + tables;
    if version < 10 {
        sql += "ALTER TABLE experiments ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
                CREATE INDEX idx_experiments_status ON experiments(status);";
    }
    if version < 11 {
        sql += "ALTER TABLE analysis_runs ADD COLUMN scenario_id TEXT NOT NULL DEFAULT 'baseline';";
    }
    if version == 13 {
        sql += "ALTER TABLE scenario_nodes ADD COLUMN short_action TEXT;";
    }
    sql
}

/// Runs SQL on a file and returns what it prints.
pub(crate) fn sqlite3(path: &Path, sql: &str) -> String {
    let mut program = Command::new("sqlite3")
        .arg("-bail")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program sqlite3 must be installed (Debian: apt-get install sqlite3)");
    program.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = program.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "sqlite3: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Every table of the file: its columns, and its rows with the storage class of each value.
pub(crate) fn contents(path: &Path) -> Vec<(String, Vec<String>, Vec<String>)> {
    let tables = sqlite3(
        path,
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
    );
    tables
        .lines()
        .filter(|table| !table.starts_with("_cutover_") && !table.starts_with("sqlite_"))
        .map(|table| {
            let columns = sqlite3(
                path,
                &format!("SELECT name FROM pragma_table_info('{table}') ORDER BY name"),
            );
            let columns: Vec<String> = columns.lines().map(str::to_owned).collect();
            (table.to_owned(), columns.clone(), rows(path, table, &columns))
        })
        .collect()
}

/// The rows of a table, these columns only.
pub(crate) fn rows(path: &Path, table: &str, columns: &[String]) -> Vec<String> {
    let values: Vec<String> = columns
        .iter()
        .map(|column| format!("typeof(\"{column}\") || quote(\"{column}\")"))
        .collect();
    let sql = format!(
        "SELECT {} FROM \"{table}\" ORDER BY rowid",
        values.join(" || ',' || ")
    );
    sqlite3(path, &sql).lines().map(str::to_owned).collect()
}
