//! Files: in use, cut, corrupt, locked, encrypted, oddly named. The source is never written.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cutover_tests::rusqlite::functions::FunctionFlags;
use cutover_tests::rusqlite::{Connection, Row};

use crate::theme::{Theme, execute};

const ROWS: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
    WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 2000) INSERT INTO t SELECT n, 'value ' || n || hex(zeroblob(40)) FROM i;";

/// `path` with something behind it, as SQLite names what stands beside a file.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Another program that has a file open: this one once more, as a lock of SQLite's is a process's, and lost when that process
/// closes the file in any other place. It ends with the value.
struct OtherProgram(Child);

const FILE: &str = "CUTOVER_TORTURE_FILE";
const STATEMENTS: &str = "CUTOVER_TORTURE_STATEMENTS";

impl OtherProgram {
    /// Runs the statements on the file and keeps it open.
    fn start(path: &Path, statements: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["files::the_other_program", "--exact", "--ignored", "--nocapture"])
            .env(FILE, path)
            .env(STATEMENTS, statements)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.any(|line| line.unwrap().contains("ready")),
            "the other program has the file open"
        );
        Self(child)
    }
}

impl Drop for OtherProgram {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
#[ignore = "is no test, but the other program"]
fn the_other_program() {
    let connection = Connection::open(std::env::var_os(FILE).unwrap()).unwrap();
    connection
        .execute_batch(&std::env::var(STATEMENTS).unwrap())
        .unwrap();
    println!("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// In WAL mode: a hundred rows committed, then a change under way that has spilled to the file.
const CHANGE_IN_WAL: &str =
    "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'checkpointed');
     PRAGMA wal_checkpoint(TRUNCATE);
     WITH RECURSIVE i(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM i WHERE n < 100) INSERT INTO t SELECT n, 'committed' FROM i;
     PRAGMA cache_size = 5; PRAGMA cache_spill = 1; BEGIN; UPDATE t SET v = 'uncommitted';
     WITH RECURSIVE i(n) AS (SELECT 101 UNION ALL SELECT n + 1 FROM i WHERE n < 400) INSERT INTO t SELECT n, hex(zeroblob(200)) FROM i;";

#[tokio::test]
async fn a_wal_with_committed_and_uncommitted_frames() {
    let mut writer = None;
    let theme = Theme::made("live.db", |path| {
        writer = Some(OtherProgram::start(path, CHANGE_IN_WAL));
    });
    assert!(
        theme.files()["live.db-wal"].len() > 100_000,
        "the change has spilled"
    );
    let copied = theme.equal().await;
    let committed = copied
        .query("SELECT v, count(*) FROM t GROUP BY v ORDER BY v")
        .await;
    assert_eq!(
        committed,
        [["checkpointed", "1"], ["committed", "99"]].map(|row| row.map(|value| Some(value.to_owned())))
    );
    drop(writer);
}

#[tokio::test]
async fn a_wal_that_a_dead_program_left() {
    let theme = Theme::made("dead.db", |path| {
        let elsewhere = tempfile::tempdir().unwrap();
        let live = elsewhere.path().join("live.db");
        let writer = OtherProgram::start(&live, CHANGE_IN_WAL);
        fs::copy(&live, path).unwrap();
        fs::copy(beside(&live, "-wal"), beside(path, "-wal")).unwrap();
        drop(writer);
    });
    assert_eq!(
        theme.files().into_keys().collect::<Vec<_>>(),
        ["dead.db", "dead.db-wal"]
    );
    let copied = theme.equal().await;
    let committed = copied.query("SELECT count(*) FROM t WHERE v = 'committed'").await;
    assert_eq!(committed, [[Some("99".to_owned())]]);
}

#[tokio::test]
async fn a_wal_whose_program_was_killed() {
    let theme = Theme::made("killed.db", |path| drop(OtherProgram::start(path, CHANGE_IN_WAL)));
    assert_eq!(
        theme.files().into_keys().collect::<Vec<_>>(),
        ["killed.db", "killed.db-shm", "killed.db-wal"]
    );
    let copied = theme.equal().await;
    let committed = copied.query("SELECT count(*) FROM t WHERE v = 'committed'").await;
    assert_eq!(committed, [[Some("99".to_owned())]]);
}

#[tokio::test]
async fn a_file_in_wal_mode_that_nobody_has_open() {
    let theme = Theme::new(format!("PRAGMA journal_mode = WAL; {ROWS}"));
    assert_eq!(theme.files().into_keys().collect::<Vec<_>>(), ["theme.db"]);
    theme.equal().await.lists_nothing();
}

/// Somebody who may not write: `nobody` if we are root, whom no permission stops.
fn reader() -> Option<u32> {
    (fs::metadata("/proc/self").unwrap().uid() == 0).then_some(65_534)
}

async fn on_read_only_media(journal: &str) {
    let theme = Theme::made("media.db", |path| {
        execute(path, &format!("PRAGMA journal_mode = {journal}; {ROWS}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
        fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o555)).unwrap();
    });
    let theme = theme.run_by(reader());
    theme.equal().await.lists_nothing();
}

#[tokio::test]
async fn a_file_in_wal_mode_on_read_only_media() {
    on_read_only_media("WAL").await;
}

#[tokio::test]
async fn a_wal_on_read_only_media() {
    let theme = Theme::made("media.db", |path| {
        drop(OtherProgram::start(path, CHANGE_IN_WAL));
        fs::remove_file(beside(path, "-shm")).unwrap();
        for file in [path, &beside(path, "-wal")] {
            fs::set_permissions(file, fs::Permissions::from_mode(0o444)).unwrap();
        }
        fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o555)).unwrap();
    });
    let copied = theme.run_by(reader()).equal().await;
    let committed = copied.query("SELECT count(*) FROM t WHERE v = 'committed'").await;
    assert_eq!(committed, [[Some("99".to_owned())]]);
}

/// SQLite looks for the log beside the file, not beside a link to it.
#[tokio::test]
async fn a_wal_on_read_only_media_that_a_link_leads_to() {
    let media = tempfile::tempdir().unwrap();
    let file = media.path().join("file.db");
    drop(OtherProgram::start(&file, CHANGE_IN_WAL));
    fs::remove_file(beside(&file, "-shm")).unwrap();
    for file in [&file, &beside(&file, "-wal")] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(media.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let theme = Theme::made("link.db", |path| {
        std::os::unix::fs::symlink(&file, path).unwrap();
        fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    });
    let theme = theme.run_by(reader());
    let report = theme.command("copy", &[]).await.with(0, "copy").json();
    assert_eq!(report["tables"][0]["rows_written"], 100, "{report:#}");
}

/// As a copy leaves it that was killed while it read: both files beside it, and no change in them.
#[tokio::test]
async fn an_empty_wal_that_a_dead_reader_left_to_somebody_who_may_not_write() {
    let theme = Theme::made("read.db", |path| {
        execute(path, &format!("PRAGMA journal_mode = WAL; {ROWS}"));
        drop(OtherProgram::start(path, "BEGIN; SELECT count(*) FROM t;"));
        assert_eq!(fs::metadata(beside(path, "-wal")).unwrap().len(), 0);
        for file in [path, &beside(path, "-wal"), &beside(path, "-shm")] {
            fs::set_permissions(file, fs::Permissions::from_mode(0o444)).unwrap();
        }
        fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o555)).unwrap();
    });
    theme.run_by(reader()).equal().await.lists_nothing();
}

#[tokio::test]
async fn an_ordinary_file_on_read_only_media() {
    on_read_only_media("DELETE").await;
}

#[tokio::test]
async fn a_hot_journal() {
    let theme = Theme::made("hot.db", |path| {
        let elsewhere = tempfile::tempdir().unwrap();
        let live = elsewhere.path().join("live.db");
        execute(&live, ROWS);
        let writer = Connection::open(&live).unwrap();
        writer.execute_batch("PRAGMA cache_size = 5; PRAGMA cache_spill = 1; BEGIN; UPDATE t SET v = 'half'; CREATE TABLE never (x);").unwrap();
        // What a crash leaves: both files as they are, and nobody who holds a lock.
        fs::copy(&live, path).unwrap();
        fs::copy(beside(&live, "-journal"), beside(path, "-journal")).unwrap();
    });
    let copied = theme.equal().await;
    let half = copied.query("SELECT count(*) FROM t WHERE v = 'half'").await;
    assert_eq!(half, [[Some("0".to_owned())]]);
}

#[tokio::test]
async fn a_journal_whose_transaction_has_ended() {
    for mode in ["PERSIST", "TRUNCATE"] {
        let theme = Theme::new(format!(
            "PRAGMA journal_mode = {mode}; {ROWS} UPDATE t SET v = 'new' WHERE id = 5;"
        ));
        assert_eq!(
            theme.files().into_keys().collect::<Vec<_>>(),
            ["theme.db", "theme.db-journal"]
        );
        theme.equal().await.lists_nothing();
    }
}

#[tokio::test]
async fn another_program_holds_the_lock() {
    let mut writer = None;
    let theme = Theme::made("locked.db", |path| {
        execute(path, ROWS);
        writer = Some(OtherProgram::start(
            path,
            "BEGIN EXCLUSIVE; UPDATE t SET v = 'x' WHERE id = 1;",
        ));
    });
    let begun = Instant::now();
    theme.with(&["--busy-timeout", "300"]).refused(&["locked"]).await;
    assert!(
        begun.elapsed() >= Duration::from_millis(3 * 300),
        "it waits, each time"
    );
    drop(writer);
}

#[tokio::test]
async fn a_lock_that_is_let_go_in_time() {
    let mut writer = None;
    let theme = Theme::made("busy.db", |path| {
        execute(path, ROWS);
        writer = Some(OtherProgram::start(path, "BEGIN EXCLUSIVE;"));
    });
    let (copied, ()) = tokio::join!(theme.command("copy", &[]), async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        drop(writer.take());
    });
    assert_eq!(copied.with(0, "copy of a busy file").json()["ok"], true);
}

#[tokio::test]
async fn names_that_look_like_urls() {
    for name in [
        "a b%20#frag?mode=ro&x='y' \"é😀.db",
        "file:name.db",
        "100%.db",
        "-dash.db",
        "semi;colon\\back.db",
    ] {
        let theme = Theme::made(name, |path| {
            execute(
                path,
                "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'x');",
            );
        });
        theme.equal().await.lists_nothing();
    }
}

/// A page in the middle of a table: where it begins, and its size.
fn page_of(path: &Path, table: &str) -> (usize, usize) {
    page_of_kind(path, table, "leaf", 4)
}

/// Where a page of a table or an index is, leaf or internal, so many behind the first.
fn page_of_kind(path: &Path, tree: &str, kind: &str, number: i64) -> (usize, usize) {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT (pageno - 1) * pgsize, pgsize FROM dbstat WHERE name = ?1 AND pagetype = ?2 ORDER BY pageno LIMIT 1 OFFSET ?3";
    let place = |row: &Row<'_>, at: usize| row.get(at).map(|number: i64| usize::try_from(number).unwrap());
    connection
        .query_row(sql, (tree, kind, number), |row| {
            Ok((place(row, 0)?, place(row, 1)?))
        })
        .unwrap()
}

fn overwrite(path: &Path, (at, length): (usize, usize)) {
    let mut bytes = fs::read(path).unwrap();
    for (number, byte) in bytes[at..at + length].iter_mut().enumerate() {
        *byte = u8::try_from(number * 31 % 251).unwrap();
    }
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn garbage_in_a_page_of_a_table() {
    let theme = Theme::made("corrupt.db", |path| {
        execute(
            path,
            &format!(
                "CREATE TABLE first (x); INSERT INTO first VALUES (1); {ROWS} ALTER TABLE t RENAME TO entries;"
            ),
        );
        overwrite(path, page_of(path, "entries"));
    });
    theme.refused(&["corrupt", "entries"]).await;
}

#[tokio::test]
async fn garbage_that_only_the_check_of_the_file_meets() {
    let mut good = Vec::new();
    let theme = Theme::made("corrupt.db", |path| {
        execute(path, ROWS);
        good = fs::read(path).unwrap();
        // What the damaged file had must not come back with the good one.
        execute(
            path,
            "PRAGMA user_version = 77; CREATE TABLE gone (z); CREATE VIEW seen AS SELECT 1;
             CREATE TRIGGER pruned AFTER INSERT ON t BEGIN DELETE FROM t WHERE id < new.id; END;",
        );
        // Two tables in the same pages.
        execute(
            path,
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 't') WHERE name = 'gone';",
        );
    });
    let ended = theme.command("copy", &[]).await.with(3, "copy of a damaged file");
    for words in ["corrupt", "2nd reference", "what had been written was taken back"] {
        assert!(ended.stderr.contains(words), "{ended:?}");
    }
    theme.untouched().await;
    // Nothing is left that the next copy would have to go on with.
    fs::write(&theme.file, good).unwrap();
    theme.equal().await.lists_nothing();
}

/// The rows are in the tables, and the index is made anew.
#[tokio::test]
async fn garbage_in_pages_of_indexes() {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE, w TEXT); CREATE INDEX by_w ON t (w);
        CREATE TABLE child (id INTEGER PRIMARY KEY, v TEXT REFERENCES t (v)); CREATE INDEX by_parent ON child (v);
        CREATE TABLE keyed (k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID; CREATE INDEX keyed_by_v ON keyed (v);
        WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 2000)
        INSERT INTO t SELECT n, 'value ' || n || hex(zeroblob(40)), n || hex(zeroblob(40)) FROM i;
        INSERT INTO child SELECT id, v FROM t; UPDATE child SET v = 'nobody' WHERE id = 7; INSERT INTO keyed SELECT v, w FROM t;";
    let indexes = ["sqlite_autoindex_t_1", "by_w", "by_parent", "keyed_by_v"];
    for kind in ["leaf", "internal"] {
        let theme = Theme::made("corrupt.db", |path| {
            execute(path, schema);
            for index in indexes {
                overwrite(path, page_of_kind(path, index, kind, 0));
            }
        });
        let inspected = theme.inspect(&[]).await.with(0, "inspect").json();
        let said = theme.command("copy", &[]).await.with(0, "copy").stderr;
        let quietly = theme
            .program(&["inspect", "-q", theme.file.to_str().unwrap()])
            .await;
        let quietly = quietly.with(0, "inspect without progress").stdout;
        let damaged = inspected["damaged_indexes"].as_array().unwrap();
        assert_eq!(damaged.len(), indexes.len(), "each once: {damaged:?}");
        for index in indexes {
            assert!(said.contains(index), "{index} is told of: {said}");
            assert!(quietly.contains(index), "{index} is told of: {quietly}");
            let is_told = damaged.iter().any(|line| line.as_str().unwrap().contains(index));
            assert!(is_told, "{index} is told of: {damaged:?}");
        }
        theme.command("verify", &[]).await.with(0, "verify");
        let made = "SELECT count(*) FROM pg_index WHERE indisvalid AND indrelid IN ('t'::regclass, 'child'::regclass, 'keyed'::regclass)";
        let row = theme.client().await.query_one(made, &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 7);
        let tables = inspected["tables"].as_array().unwrap();
        let child = tables.iter().find(|table| table["name"] == "child").unwrap();
        assert_eq!(
            child["orphans"],
            serde_json::json!([{"about": "(v) REFERENCES t", "rows": 1, "first": ["rowid 7"]}])
        );
    }
}

/// What such an index would have told apart is told as of any other.
#[tokio::test]
async fn equal_rows_under_a_damaged_unique_index() {
    let theme = Theme::made("corrupt.db", |path| {
        execute(path, &format!("{ROWS} CREATE UNIQUE INDEX by_v ON t (v);"));
        overwrite(path, page_of(path, "by_v"));
        execute(
            path,
            "PRAGMA writable_schema = ON; CREATE TABLE hidden AS SELECT * FROM sqlite_schema WHERE name = 'by_v';
             DELETE FROM sqlite_schema WHERE name = 'by_v';",
        );
        execute(
            path,
            "UPDATE t SET v = (SELECT v FROM t WHERE id = 1) WHERE id = 2000;",
        );
        execute(
            path,
            "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM hidden; DROP TABLE hidden;",
        );
    });
    let copied = theme.command("copy", &[]).await.with(0, "copy").json();
    let weakened = copied["weakened"].to_string();
    assert!(weakened.contains("by_v"), "{weakened}");
}

/// What is left out is not read, neither for its own sake nor for that of the tables that refer to it.
#[tokio::test]
async fn garbage_in_a_table_that_is_left_out() {
    let theme = Theme::made("corrupt.db", |path| {
        execute(
            path,
            "CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
             CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id));
             WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 2000)
             INSERT INTO parent (v) SELECT 'value ' || n || hex(zeroblob(40)) FROM i; INSERT INTO child SELECT id, id FROM parent;",
        );
        for leaf in [0, 4] {
            overwrite(path, page_of_kind(path, "parent", "leaf", leaf));
        }
        overwrite(path, page_of_kind(path, "parent", "internal", 0));
    });
    let whole = theme.command("copy", &[]).await.with(3, "copy of all");
    assert!(whole.stderr.contains("parent"), "{whole:?}");
    let flags = ["--exclude", "parent"].map(str::to_owned);
    let inspected = theme.inspect(&flags).await.with(0, "inspect of the child").json();
    let child = &inspected["tables"][0];
    assert_eq!(
        child["foreign_keys_not_looked_at"],
        serde_json::json!(["(parent) REFERENCES parent"])
    );
    assert_eq!(child["orphans"], serde_json::json!([]));
    theme.command("copy", &flags).await.with(0, "copy of the child");
    let sql = "SELECT count(*) FROM child";
    let row = theme.client().await.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 2000);
}

#[tokio::test]
async fn garbage_in_any_page() {
    let made = tempfile::tempdir().unwrap();
    let path = made.path().join("good.db");
    execute(&path, &format!("PRAGMA page_size = 4096; {ROWS} CREATE INDEX by_v ON t (v); CREATE TABLE keyed (k TEXT PRIMARY KEY) WITHOUT ROWID;
        INSERT INTO keyed SELECT v FROM t; CREATE TABLE long (b BLOB); INSERT INTO long VALUES (randomblob(20000));"));
    let pages = fs::read(&path).unwrap().len() / 4096;
    let good = Connection::open(&path).unwrap();
    let is_indexed = |page: usize| {
        let sql = "SELECT count(*) FROM dbstat WHERE name = 'by_v' AND pageno = ?1 + 1";
        good.query_row(sql, [i64::try_from(page).unwrap()], |row| row.get::<_, bool>(0))
            .unwrap()
    };
    // The first page is the header's, which is another theme; of the others one in thirteen, all kinds among them.
    for page in (1..pages).step_by(13).chain([pages - 1]) {
        let theme = Theme::made("corrupt.db", |corrupt| {
            fs::copy(&path, corrupt).unwrap();
            overwrite(corrupt, (page * 4096, 4096));
        });
        let before = theme.files();
        let ended = theme.command("copy", &[]).await;
        // What is in a page of a blob, nobody can know; and an index is made anew.
        let in_blob = page + 4 >= pages - 1 && ended.code == Some(0);
        let in_index = is_indexed(page) && ended.code == Some(0) && ended.stderr.contains("index by_v");
        let is_refused = !is_indexed(page) && ended.code == Some(3) && ended.stderr.contains("corrupt");
        assert!(in_blob || in_index || is_refused, "page {page}: {ended:?}");
        if ended.code == Some(3) {
            theme.untouched().await;
        }
        assert!(before == theme.files(), "page {page}");
    }
}

#[tokio::test]
async fn a_file_cut_short() {
    for share in [60, 99] {
        let theme = Theme::made("cut.db", |path| {
            execute(path, ROWS);
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() * share / 100]).unwrap();
        });
        theme.refused(&["cut"]).await;
    }
}

#[tokio::test]
async fn a_header_and_nothing_else() {
    for length in [1, 16, 60, 99, 100, 1000] {
        let theme = Theme::made("stub.db", |path| {
            execute(path, ROWS);
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..length]).unwrap();
        });
        theme.refused(&[]).await;
    }
}

#[tokio::test]
async fn an_empty_file() {
    let theme = Theme::made("empty.db", |path| fs::write(path, b"").unwrap());
    theme.refused(&["no tables"]).await;
}

#[tokio::test]
async fn a_database_without_tables() {
    let theme = Theme::new("CREATE TABLE t (x); DROP TABLE t;");
    let before = theme.files();
    let ended = theme.command("copy", &[]).await;
    assert!(
        ended.code != Some(0) && ended.stderr.contains("no tables") && ended.stderr.contains("theme.db"),
        "{ended:?}"
    );
    theme.untouched().await;
    assert_eq!(before, theme.files());
}

#[tokio::test]
async fn no_file_at_all_and_a_directory() {
    let theme = Theme::made("missing.db", |_| {});
    theme.refused(&["no such file"]).await;
    let theme = Theme::made("directory.db", |path| {
        fs::create_dir(path).unwrap();
    });
    theme.command("copy", &[]).await.with(3, "copy of a directory");
    theme.untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_is_not_waited_for() {
    let pipe = Theme::made("pipe", |path| {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    });
    for command in ["inspect", "copy", "verify"] {
        let ended = if command == "inspect" {
            pipe.inspect(&[]).await
        } else {
            pipe.command(command, &[]).await
        };
        let ended = ended.with(3, command);
        assert!(
            ended.stderr.contains("it is no ordinary file"),
            "{}",
            ended.stderr
        );
    }
}

/// What cannot be written must not look like a good result.
#[test]
fn a_report_that_finds_no_room_is_no_success() {
    let file = Theme::new(ROWS);
    let file = file.file.to_str().unwrap();
    for arguments in [
        &["inspect", file, "--json"][..],
        &["inspect", file],
        &["--help"],
        &["copy", "--help"],
        &["--version"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = Command::new(env!("CARGO_BIN_EXE_cutover"))
            .args(arguments)
            .env_clear()
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(3), "{said}");
        assert!(
            said.contains("the result cannot be written to standard output: No space left"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_text_file() {
    let theme = Theme::made("text.db", |path| {
        fs::write(path, "id,name\n1,not a database\n".repeat(100)).unwrap();
    });
    theme.refused(&["not a SQLite database"]).await;
}

#[tokio::test]
async fn an_encrypted_file() {
    let theme = Theme::made("secret.db", |path| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        let bytes: Vec<u8> = (0..2048).flat_map(|_| next()).collect();
        fs::write(path, bytes).unwrap();
    });
    theme.refused(&["not a SQLite database", "encrypted"]).await;
}

#[tokio::test]
async fn a_schema_that_cannot_be_parsed() {
    let theme = Theme::made("malformed.db", |path| {
        execute(
            path,
            "CREATE TABLE good (x); INSERT INTO good VALUES (1); CREATE TABLE bad_one (a, b); INSERT INTO bad_one VALUES (1, 2);
             PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE bad_one (a,, b' WHERE name = 'bad_one';",
        );
    });
    let ended = theme.command("copy", &[]).await.with(3, "copy of both");
    assert!(
        ended.stderr.contains("the text that makes the table bad_one"),
        "{ended:?}"
    );
    theme.refused(&["bad_one", "--exclude bad_one"]).await;
}

/// What is not understood takes nothing else along, if it is left out by name.
#[tokio::test]
async fn a_schema_that_cannot_be_parsed_but_for_what_is_left_out() {
    for (what, spoiled) in [
        (
            "table",
            "UPDATE sqlite_schema SET sql = 'CREATE TABLE bad (a,, b' WHERE name = 'bad'",
        ),
        (
            "index",
            "UPDATE sqlite_schema SET sql = 'CREATE INDEX by_a ON bad (nowhere)' WHERE name = 'by_a'",
        ),
        (
            "view",
            "UPDATE sqlite_schema SET sql = 'CREATE VIEW v AS SELEC' WHERE name = 'v'",
        ),
    ] {
        let theme = Theme::made("malformed.db", |path| {
            let sql = format!(
                "CREATE TABLE good (x UNIQUE); INSERT INTO good VALUES (1), ('zwei'); CREATE TABLE bad (a, b); INSERT INTO bad VALUES (1, 2);
                 CREATE INDEX by_a ON bad (a); CREATE VIEW v AS SELECT x FROM good; CREATE TABLE last (y REFERENCES good (x)); INSERT INTO last VALUES (1);
                 PRAGMA writable_schema = ON; {spoiled};"
            );
            execute(path, &sql);
        });
        let left_out = ["--exclude", "bad"].map(str::to_owned);
        let flags: &[String] = if what == "view" { &[] } else { &left_out };
        if what != "view" {
            theme.command("copy", &[]).await.with(3, what);
            theme.command("verify", &[]).await.with(3, what);
        }
        let inspected = theme.inspect(flags).await.with(0, what).json();
        let names = |key: &str| -> Vec<String> {
            let all = inspected[key].as_array().unwrap().iter();
            all.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
        };
        assert!(
            names("not_carried").contains(&(if what == "view" { "v" } else { "bad" }).to_owned()),
            "{inspected}"
        );
        theme.command("copy", flags).await.with(0, what);
        theme.command("verify", flags).await.with(0, what);
        let client = theme.client().await;
        let row = client
            .query_one(
                "SELECT string_agg(x::text, ' ' ORDER BY x::text), (SELECT string_agg(y::text, ' ') FROM last) FROM good",
                &[],
            )
            .await
            .unwrap();
        assert_eq!(
            (row.get::<_, &str>(0), row.get::<_, &str>(1)),
            ("1 zwei", "1"),
            "{what}"
        );
    }
}

#[tokio::test]
async fn an_index_that_lacks_rows() {
    let theme = Theme::made("index.db", |path| {
        execute(
            path,
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL); CREATE INDEX by_v ON t (v);
             WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 100) INSERT INTO t SELECT n, 'v' || n FROM i;
             CREATE TABLE hidden AS SELECT rootpage, sql FROM sqlite_schema WHERE name = 'by_v';
             PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'by_v';",
        );
        // A connection of its own, which knows nothing of the index.
        execute(
            path,
            "WITH RECURSIVE i(n) AS (SELECT 101 UNION ALL SELECT n + 1 FROM i WHERE n < 150) INSERT INTO t SELECT n, 'v' || n FROM i;",
        );
        execute(
            path,
            "PRAGMA writable_schema = ON;
             INSERT INTO sqlite_schema SELECT 'index', 'by_v', 't', rootpage, sql FROM hidden; DROP TABLE hidden;",
        );
    });
    let short = Connection::open(theme.duplicate("short")).unwrap();
    let counted: i64 = short
        .query_row("SELECT count(*) FROM t INDEXED BY by_v WHERE v > ''", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(counted, 100, "the index lacks rows");
    let copied = theme.equal().await;
    let all = copied.query("SELECT count(*) FROM t").await;
    assert_eq!(all, [[Some("150".to_owned())]]);
    assert!(
        copied.said.contains("by_v"),
        "the damage is told: {}",
        copied.said
    );
}

/// Inspect says so as well: there is nothing to be copied.
#[tokio::test]
async fn no_tables_at_all() {
    let theme = Theme::new("CREATE VIEW v AS SELECT 1 AS a; PRAGMA user_version = 5;");
    for ended in [
        theme.inspect(&[]).await,
        theme.command("copy", &[]).await,
        theme.command("verify", &[]).await,
    ] {
        let said = ended.with(2, "a file without tables").stderr;
        assert!(said.contains("has no tables"), "{said}");
    }
}

/// A table that only its application can read keeps no other from being copied.
#[tokio::test]
async fn a_table_with_a_function_of_the_application() {
    let theme = Theme::made("theme.db", |path| {
        let writer = Connection::open(path).unwrap();
        writer
            .create_scalar_function("slug", 1, FunctionFlags::SQLITE_DETERMINISTIC, |call| {
                call.get::<String>(0)
            })
            .unwrap();
        let sql = "CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT, s TEXT AS (slug(name)) VIRTUAL); INSERT INTO a (name) VALUES ('x');
                   CREATE TABLE b (x INT); INSERT INTO b VALUES (7);";
        writer.execute_batch(sql).unwrap();
    });
    let told = "unknown function: slug() (while reading the table a, which --exclude leaves out)";
    for ended in [theme.inspect(&[]).await, theme.command("copy", &[]).await] {
        let ended = ended.with(3, "the whole file");
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
    for flags in [["--exclude", "a"], ["--tables", "b"]] {
        let flags = flags.map(str::to_owned);
        let inspected = theme
            .inspect(&flags)
            .await
            .with(0, "inspect of the others")
            .json();
        assert_eq!(inspected["damage"], serde_json::Value::Null, "{inspected}");
        let flags = [&flags[..], &["--replace".to_owned()]].concat();
        theme.command("copy", &flags).await.with(0, "copy of the others");
        let row = theme
            .client()
            .await
            .query_one("SELECT x FROM b", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, i64>(0), 7);
    }
}

/// However a file is named, and in whatever mode it is.
#[tokio::test]
async fn a_file_is_not_copied_into_itself() {
    let theme = Theme::made("here.db", |path| {
        execute(path, &format!("PRAGMA journal_mode = WAL; {ROWS}"));
    });
    let folder = theme.file.parent().unwrap();
    std::os::unix::fs::symlink(&theme.file, folder.join("soft.db")).unwrap();
    fs::hard_link(&theme.file, folder.join("hard.db")).unwrap();
    let before = theme.files();
    let around = format!("../{}/here.db", folder.file_name().unwrap().display());
    for other in ["soft.db", "hard.db", around.as_str()] {
        let flags = ["--replace".to_owned()];
        let named = folder.join(other);
        let ended = theme
            .copy_to(named.to_str().unwrap(), &flags)
            .await
            .with(2, other);
        assert!(ended.stderr.contains("same database"), "{ended:?}");
        assert_eq!(theme.files(), before, "{other}");
    }
}

/// Who writes into a file keeps others out of it, whatever they call it.
#[tokio::test]
async fn two_copies_into_one_file_by_two_names() {
    let theme = Theme::new(ROWS);
    let folder = theme.file.parent().unwrap();
    let target = folder.join("target.db");
    execute(&target, "CREATE TABLE other (id INTEGER PRIMARY KEY);");
    let link = folder.join("link.db");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let link = link.to_str().unwrap();
    let lock = fs::File::create(folder.join("target.db.cutover-lock")).unwrap();
    lock.lock().unwrap();
    let ended = theme.copy_to(link, &[]).await.with(4, "another copy runs");
    assert!(ended.stderr.contains("another copy into"), "{ended:?}");
    drop(lock);
    theme.copy_to(link, &[]).await.with(0, "it does no more");
}
