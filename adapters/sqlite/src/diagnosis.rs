//! An examination of a file. It is opened for reading only, and not a byte of it changes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cutover_ports::diagnosis::{Finding, Severity};
use cutover_ports::transfer::TransferError;
use rusqlite::Connection;

use crate::identity::side_file;
use crate::transfer::open::SourceFile;

/// A write-ahead log this much larger than what SQLite aims at is kept from shrinking by something.
const WAL_LARGE: u64 = 64 << 20;
/// Broken references named one by one.
const NAMED: usize = 5;

/// Examines the file at `path`, in which `tables` are expected or a migration makes them. It blocks.
pub fn diagnose(path: &Path, tables: &[&str], busy_timeout: Duration) -> Vec<Finding> {
    if !path.exists() {
        return vec![missing(path)];
    }
    // What lies beside a file lies where it is, not where a link to it is.
    let place = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut findings = Vec::new();
    let opened = SourceFile::new(path, busy_timeout).and_then(|file| file.connect().map(|open| (file, open)));
    match opened {
        Err(error) => findings.push(unreadable(&error)),
        Ok((file, connection)) => {
            findings.push(Finding::ok(
                "file",
                format!("{} is a SQLite database", path.display()),
            ));
            if let Err(error) = examine(&connection, place, tables, &mut findings) {
                findings.push(unreadable(&file.error(&error)));
            }
        }
    }
    findings.push(writable(place));
    findings.extend(disk(place));
    findings
}

fn missing(path: &Path) -> Finding {
    let directory = directory(path);
    if directory.is_dir() {
        if let Err(error) = may_hold_files(directory) {
            return Finding::problem(
                "file",
                format!(
                    "{} does not exist yet, and no file can be made in its directory: {error}",
                    path.display()
                ),
                "check the path, or give this user the right to write the directory",
            );
        }
        return Finding::warning(
            "file",
            format!("{} does not exist yet", path.display()),
            "cutover migrate up makes it, and so does the first start; if it should be there, check the path",
        );
    }
    Finding::problem(
        "file",
        format!("{} does not exist, nor does its directory", path.display()),
        "check the path, or make the directory",
    )
}

fn unreadable(error: &TransferError) -> Finding {
    Finding::new(
        "file",
        Severity::Unreachable,
        error.to_string(),
        "check the path, the file's rights and who else uses it; if it is damaged, restore a backup",
    )
}

fn examine(
    connection: &Connection,
    path: &Path,
    tables: &[&str],
    findings: &mut Vec<Finding>,
) -> rusqlite::Result<()> {
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0));
    findings.push(Finding::ok(
        "version",
        format!("SQLite {} reads it", rusqlite::version()),
    ));
    let encoding = text("PRAGMA encoding")?;
    findings.push(Finding::ok("encoding", encoding));
    findings.push(journal(&text("PRAGMA journal_mode")?, path));
    findings.push(integrity(connection)?);
    findings.push(references(connection)?);
    findings.extend(expected(connection, tables)?);
    Ok(())
}

/// Whether the tables are there that are expected, if any are.
fn expected(connection: &Connection, tables: &[&str]) -> rusqlite::Result<Option<Finding>> {
    if tables.is_empty() {
        return Ok(None);
    }
    let mut absent = Vec::new();
    for table in tables {
        let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
        if connection.query_row(sql, [table], |row| row.get::<_, i64>(0))? == 0 {
            absent.push(*table);
        }
    }
    Ok(Some(if absent.is_empty() {
        Finding::ok("tables", format!("all {} are there", tables.len()))
    } else {
        Finding::warning(
            "tables",
            format!(
                "{} of {} are not there: {}",
                absent.len(),
                tables.len(),
                absent.join(", ")
            ),
            "make them: cutover migrate up --on sqlite (a backup is made first)",
        )
    }))
}

fn journal(mode: &str, path: &Path) -> Finding {
    let wal = fs::metadata(side_file(path, "-wal")).map_or(0, |metadata| metadata.len());
    if wal > WAL_LARGE {
        return Finding::warning(
            "journal",
            format!("the write-ahead log holds {}", size(wal)),
            "look for a program that keeps a read transaction open: the log cannot shrink before that ends",
        );
    }
    match mode {
        "wal" => Finding::ok("journal", format!("write-ahead log, {} of it", size(wal))),
        mode => Finding::ok(
            "journal",
            format!("{mode}; the service turns the write-ahead log on when it opens the file"),
        ),
    }
}

fn integrity(connection: &Connection) -> rusqlite::Result<Finding> {
    let mut statement = connection.prepare("PRAGMA quick_check(5)")?;
    let lines: Vec<String> = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(if lines == ["ok"] {
        Finding::ok("integrity", "quick_check finds nothing wrong")
    } else {
        Finding::problem(
            "integrity",
            format!("quick_check: {}", lines.join("; ").replace('\n', " ")),
            "restore a backup, or save what can be read with sqlite3's .recover",
        )
    })
}

fn references(connection: &Connection) -> rusqlite::Result<Finding> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    let (mut count, mut named) = (0_u64, Vec::new());
    while let Some(row) = rows.next()? {
        count += 1;
        if named.len() < NAMED {
            let (child, rowid, parent): (String, Option<i64>, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let rowid = rowid.map_or_else(|| "?".to_owned(), |rowid| rowid.to_string());
            named.push(format!("{child} (row {rowid}) to {parent}"));
        }
    }
    Ok(if count == 0 {
        Finding::ok("references", "every reference finds its row")
    } else {
        let more = if count > named.len() as u64 { ", …" } else { "" };
        Finding::warning(
            "references",
            format!("{count} references lead nowhere: {}{more}", named.join(", ")),
            "they are kept: a copy carries them and names the constraint it had to weaken",
        )
    })
}

/// Opening for writing changes nothing, and says whether the system would allow it; SQLite makes files beside it as well.
fn writable(path: &Path) -> Finding {
    let file = fs::OpenOptions::new().append(true).open(path).map(drop);
    let problem = match (file, may_hold_files(directory(path))) {
        (Ok(()), Ok(())) => return Finding::ok("writable", "the file may be written"),
        (Err(error), _) => format!("the file cannot be written: {error}"),
        (Ok(()), Err(error)) => format!(
            "no file can be made in {}, where SQLite puts its write-ahead log: {error}",
            directory(path).display()
        ),
    };
    let advice = "give this user the right to write the file and its directory; for copying from it, reading is enough";
    Finding::problem("writable", problem, advice)
}

/// Whether the system would let this user make files in a directory.
fn may_hold_files(directory: &Path) -> std::io::Result<()> {
    use rustix::fs::{Access, access};
    Ok(access(directory, Access::WRITE_OK | Access::EXEC_OK)?)
}

fn directory(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn disk(path: &Path) -> Option<Finding> {
    let stat = rustix::fs::statvfs(path).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let taken = ["", "-wal"]
        .iter()
        .filter_map(|suffix| fs::metadata(side_file(path, suffix)).ok())
        .map(|metadata| metadata.len())
        .sum::<u64>();
    let text = format!("the file takes {}, {} are free", size(taken), size(free));
    // A backup before a migration, and the log, need room for the file once more.
    Some(if free < taken.max(16 << 20) {
        Finding::warning(
            "disk",
            text,
            "make room: a backup before a migration takes as much as the file",
        )
    } else {
        Finding::ok("disk", text)
    })
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}
