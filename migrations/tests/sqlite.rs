//! Migrating SQLite files.
#![cfg(feature = "sqlite")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on must fail, and say why"
)]

mod support;

use std::path::{Path, PathBuf};

use cutover_migrations::{
    Context, Dialect, Down, Drift, MigrateError, Rows, Script, State, Target, Version, check, down, sql,
    status, up,
};
use support::{contents, rows, sqlite3, synth_lab, upgraded_by_the_original};
use tempfile::TempDir;

struct Folder {
    directory: TempDir,
    path: PathBuf,
    target: Target,
}

fn folder() -> Folder {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lab.db");
    Folder {
        target: Target::Sqlite { path: path.clone() },
        directory,
        path,
    }
}

impl Folder {
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"))
            .collect();
        names.sort();
        names
    }

    async fn drift(&self) -> Drift {
        check(&self.target, &Context::LAB).await.unwrap()
    }

    async fn versions(&self) -> Vec<(i64, State)> {
        let status = status(&self.target, &Context::LAB).await.unwrap();
        status
            .versions
            .iter()
            .map(|version| (version.version, version.state))
            .collect()
    }
}

#[track_caller]
fn no_drift(drift: &Drift, version: i64) {
    assert_eq!(drift.differences, [], "at version {version}");
    assert_eq!(drift.weakened, []);
    assert_eq!(drift.version, version);
}

fn schema_text(path: &Path) -> String {
    sqlite3(
        path,
        "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name NOT LIKE '\\_cutover%' ESCAPE '\\' ORDER BY 1, 2",
    )
}

// --- up and down -----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn up_makes_the_schema_and_once_is_enough() {
    let lab = folder();
    let first = up(&lab.target, &Context::LAB, None).await.unwrap();
    assert_eq!(
        first.steps.iter().map(|step| step.version).collect::<Vec<_>>(),
        [1, 2]
    );
    assert!(first.adopted.is_none());
    let second = up(&lab.target, &Context::LAB, None).await.unwrap();
    assert!(second.steps.is_empty());
    assert_eq!(second.version, 2);
    assert_eq!(sqlite3(&lab.path, "PRAGMA journal_mode"), "wal\n");
    assert_eq!(
        sqlite3(&lab.path, "SELECT * FROM synth_groups"),
        "grp_00000001|Default|Grupo padrão para synths sem grupo específico|2026-01-01T00:00:00.000000+00:00\n"
    );
    assert_eq!(
        sqlite3(
            &lab.path,
            "SELECT version, name, direction, outcome FROM _cutover_migrations_lab_runs"
        ),
        "1|initial|up|done\n2|growth_indexes|up|done\n"
    );
}

#[tokio::test]
async fn every_version_goes_up_and_down_again() {
    let lab = folder();
    for version in [1, 2] {
        up(&lab.target, &Context::LAB, Some(version)).await.unwrap();
        no_drift(&lab.drift().await, version);
    }
    let head = schema_text(&lab.path);
    sqlite3(
        &lab.path,
        "CREATE TABLE mine (a); INSERT INTO mine VALUES (1), (2)",
    );
    for version in [1, 0] {
        let outcome = down(&lab.target, &Context::LAB, Down::Steps(1), Rows::Keep)
            .await
            .unwrap();
        assert_eq!((outcome.version, outcome.steps.len()), (version, 1));
        no_drift(&lab.drift().await, version);
    }
    assert_eq!(schema_text(&lab.path), "table|mine|CREATE TABLE mine (a)\n");
    assert_eq!(sqlite3(&lab.path, "SELECT * FROM mine"), "1\n2\n");
    sqlite3(&lab.path, "DROP TABLE mine");
    up(&lab.target, &Context::LAB, None).await.unwrap();
    assert_eq!(schema_text(&lab.path), head);
    down(&lab.target, &Context::LAB, Down::To(0), Rows::Keep)
        .await
        .unwrap();
    assert_eq!(schema_text(&lab.path), "");
}

#[tokio::test]
async fn the_schema_is_the_originals() {
    let (ours, theirs) = (folder(), folder());
    up(&ours.target, &Context::LAB, Some(1)).await.unwrap();
    sqlite3(&theirs.path, &synth_lab(15));
    // By the eyes of another program: columns in order, and indexes with order and uniqueness.
    for sql in [
        "SELECT t.name, c.cid, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk FROM sqlite_schema t, pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE '\\_cutover%' ESCAPE '\\' ORDER BY 1, 2",
        "SELECT t.name, i.name, i.\"unique\", i.origin, i.partial, x.seqno, x.name, x.\"desc\", x.coll \
         FROM sqlite_schema t, pragma_index_list(t.name) i, pragma_index_xinfo(i.name) x \
         WHERE t.type = 'table' AND t.name NOT LIKE '\\_cutover%' ESCAPE '\\' ORDER BY 1, 2, 6",
        "SELECT t.name, f.\"table\", f.\"from\", f.\"to\", f.on_update, f.on_delete FROM sqlite_schema t, pragma_foreign_key_list(t.name) f \
         WHERE t.type = 'table' ORDER BY 1, 2, 3",
    ] {
        let found = sqlite3(&ours.path, sql);
        assert_eq!(found, sqlite3(&theirs.path, sql));
        assert!(found.lines().count() >= 16, "{found}");
    }
    let counts = "SELECT type, count(*) FROM sqlite_schema WHERE name NOT LIKE '\\_cutover%' ESCAPE '\\' \
                  AND name NOT LIKE 'sqlite%' GROUP BY 1";
    assert_eq!(sqlite3(&ours.path, counts), "index|34\ntable|17\n");
}

#[tokio::test]
async fn down_keeps_rows_unless_told_otherwise() {
    let lab = folder();
    up(&lab.target, &Context::LAB, None).await.unwrap();
    sqlite3(
        &lab.path,
        "INSERT INTO experiments (id, name, hypothesis, created_at) VALUES ('exp_00000001', 'n', 'h', 't');
         INSERT INTO synth_groups VALUES ('grp_00000002', 'Default', 'another', 't')",
    );
    // Indexes hold nothing.
    down(&lab.target, &Context::LAB, Down::To(1), Rows::Keep)
        .await
        .unwrap();
    let before = contents(&lab.path);
    let error = down(&lab.target, &Context::LAB, Down::To(0), Rows::Keep)
        .await
        .unwrap_err();
    assert!(matches!(&error, MigrateError::Refused(_)), "{error}");
    assert!(matches!(error, MigrateError::Refused(_)));
    for part in ["experiments (1)", "synth_groups (1)", "--discard-data"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(contents(&lab.path), before);
    let outcome = down(&lab.target, &Context::LAB, Down::To(0), Rows::Discard)
        .await
        .unwrap();
    assert_eq!(outcome.version, 0);
    assert_eq!(schema_text(&lab.path), "");
}

#[tokio::test]
async fn a_changed_default_group_is_someones_data() {
    let lab = folder();
    up(&lab.target, &Context::LAB, None).await.unwrap();
    sqlite3(&lab.path, "UPDATE synth_groups SET description = NULL");
    let error = down(&lab.target, &Context::LAB, Down::To(0), Rows::Keep)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("synth_groups (1)"), "{error}");
}

#[tokio::test]
async fn down_does_not_reach_into_tables_that_refer_to_ours() {
    let lab = folder();
    up(&lab.target, &Context::LAB, None).await.unwrap();
    sqlite3(
        &lab.path,
        "CREATE TABLE mine (e TEXT REFERENCES experiments (id) ON DELETE CASCADE);
         INSERT INTO experiments (id, name, hypothesis, created_at) VALUES ('exp_00000001', 'n', 'h', 't');
         INSERT INTO mine VALUES ('exp_00000001')",
    );
    let error = down(&lab.target, &Context::LAB, Down::To(0), Rows::Discard)
        .await
        .unwrap_err();
    assert!(matches!(&error, MigrateError::Refused(_)), "{error}");
    assert!(error.to_string().contains("mine"), "{error}");
    assert_eq!(sqlite3(&lab.path, "SELECT * FROM mine"), "exp_00000001\n");
}

#[tokio::test]
async fn unknown_versions_are_refused_before_anything_is_touched() {
    let lab = folder();
    for to in [3, -1, i64::MAX] {
        let error = up(&lab.target, &Context::LAB, Some(to)).await.unwrap_err();
        assert!(matches!(error, MigrateError::Usage(_)), "{error}");
        assert!(error.to_string().contains("its versions are 1, 2"), "{error}");
    }
    assert_eq!(lab.names(), Vec::<String>::new());
    up(&lab.target, &Context::LAB, None).await.unwrap();
    let error = down(&lab.target, &Context::LAB, Down::To(7), Rows::Keep)
        .await
        .unwrap_err();
    assert!(matches!(error, MigrateError::Usage(_)), "{error}");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_told_and_not_made() {
    let lab = folder();
    assert_eq!(lab.versions().await, [(1, State::Pending), (2, State::Pending)]);
    let checked = check(&lab.target, &Context::LAB).await;
    assert!(
        matches!(checked, Err(MigrateError::Unreachable(_))),
        "{checked:?}"
    );
    let error = down(&lab.target, &Context::LAB, Down::Steps(1), Rows::Keep)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("there is no SQLite file"), "{error}");
    assert_eq!(lab.names(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_is_no_database_stays_as_it_is() {
    let lab = folder();
    let text = "not a database, but long enough to have a header of one hundred bytes, as SQLite's files have, or it is \
                taken for an empty one";
    std::fs::write(&lab.path, text).unwrap();
    let error = up(&lab.target, &Context::LAB, None).await.unwrap_err();
    assert!(error.to_string().contains("lab.db"), "{error}");
    assert!(error.to_string().contains("not a SQLite database"), "{error}");
    assert!(matches!(error, MigrateError::Unreachable(_)));
    assert_eq!(std::fs::read_to_string(&lab.path).unwrap(), text);
}

#[tokio::test]
async fn any_name_is_a_file() {
    let lab = folder();
    for name in [
        ":memory:",
        "a b?mode=memory",
        "it's #1 100%20é.db",
        "new/folder/lab.db",
    ] {
        let path = lab.directory.path().join(name);
        let target = Target::Sqlite { path: path.clone() };
        up(&target, &Context::LAB, None).await.unwrap();
        assert!(path.is_file(), "{name}");
        no_drift(&check(&target, &Context::LAB).await.unwrap(), 2);
    }
    let error = up(
        &Target::Sqlite {
            path: lab.directory.path().into(),
        },
        &Context::LAB,
        None,
    )
    .await
    .unwrap_err();
    assert!(matches!(error, MigrateError::Unreachable(_)));
    assert!(error.to_string().ends_with("it is a folder"), "{error}");
}

#[tokio::test]
async fn a_program_that_writes_is_waited_for() {
    let lab = folder();
    // With a rollback journal, whose switch to a write-ahead log SQLite does not wait for.
    sqlite3(
        &lab.path,
        &synth_lab(15).replace("journal_mode=WAL", "journal_mode=DELETE"),
    );
    let mut writer = std::process::Command::new("sqlite3")
        .arg(&lab.path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = writer.stdin.take().unwrap();
    let begin =
        b"BEGIN IMMEDIATE;\nINSERT INTO synth_groups VALUES ('late', 'n', NULL, 't');\nSELECT 'ready';\n";
    std::io::Write::write_all(&mut input, begin).unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(writer.stdout.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let target = lab.target.clone();
    let run = tokio::spawn(async move { up(&target, &Context::LAB, None).await });
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    assert!(!run.is_finished());
    std::io::Write::write_all(&mut input, b"COMMIT;\n").unwrap();
    drop(input);
    writer.wait().unwrap();
    assert_eq!(run.await.unwrap().unwrap().version, 2);
    assert_eq!(
        sqlite3(&lab.path, "SELECT id FROM synth_groups WHERE id = 'late'"),
        "late\n"
    );
}

#[tokio::test]
async fn runs_at_once_wait_for_each_other() {
    let lab = folder();
    let runs = (0..6).map(|_| {
        let target = lab.target.clone();
        tokio::spawn(async move { up(&target, &Context::LAB, None).await.unwrap().steps.len() })
    });
    let mut scripts = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        scripts.push(run.await.unwrap());
    }
    scripts.sort_unstable();
    assert_eq!(scripts, [0, 0, 0, 0, 0, 2]);
    assert_eq!(lab.names(), ["lab.db"], "no side file stays behind");
}

// --- edited, unknown, killed -----------------------------------------------------------------------------------------

const SLOW: &str = "CREATE TABLE slow (n);
    INSERT INTO slow WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000000) SELECT count(*) FROM c;";

/// The limit of pages stands for a disk's; that of a full disk is told in the same words.
#[tokio::test]
async fn a_full_disk_and_damage_are_told_with_what_to_do() {
    let folder = folder();
    let full =
        three("PRAGMA max_page_count = 1; CREATE TABLE a (x); CREATE TABLE b (x); CREATE TABLE c (x);");
    let error = up(&folder.target, &full, None).await.unwrap_err();
    assert!(matches!(error, MigrateError::Unreachable(_)), "{error:?}");
    let told = error.to_string();
    assert!(
        told.contains("version 2 (two)") && told.contains("make room on its disk"),
        "{told}"
    );
    // Another file, which was closed: beside the first one a log may still lie that holds the page as it was.
    let whole = three("CREATE TABLE two (a);");
    let folder = crate::folder();
    up(&folder.target, &whole, None).await.unwrap();
    let mut bytes = std::fs::read(&folder.path).unwrap();
    bytes[100..200].fill(0x5a);
    std::fs::write(&folder.path, bytes).unwrap();
    let error = status(&folder.target, &whole).await.unwrap_err();
    assert!(matches!(error, MigrateError::Unreachable(_)), "{error:?}");
    let told = error.to_string();
    assert!(
        told.contains("it is damaged") && told.contains("restore a backup"),
        "{told}"
    );
}

/// A schema of three versions whose second one has this script.
fn three(second: &'static str) -> Context {
    let version = |number, name, up, down| Version {
        number,
        name,
        sqlite: Script { up, down },
        postgres: Script { up, down },
    };
    let versions = vec![
        version(1, "one", "CREATE TABLE one (a);", "DROP TABLE IF EXISTS one;"),
        version(2, "two", second, "DROP TABLE IF EXISTS slow;"),
        version(
            3,
            "three",
            "CREATE TABLE three (a);",
            "DROP TABLE IF EXISTS three;",
        ),
    ];
    Context {
        name: "test",
        versions: versions.leak(),
        seeds: &[],
        legacy: false,
    }
}

const QUICK: &str = "CREATE TABLE slow (n);";

async fn states(target: &Target, context: &Context) -> Vec<State> {
    let status = status(target, context).await.unwrap();
    status.versions.iter().map(|version| version.state).collect()
}

#[tokio::test]
async fn an_edited_script_is_refused() {
    let lab = folder();
    up(&lab.target, &three(QUICK), Some(2)).await.unwrap();
    let edited_up = three("CREATE TABLE slow (n, m);");
    let mut edited_down = three(QUICK);
    let mut versions = edited_down.versions.to_vec();
    versions[1].sqlite.down = "DROP TABLE slow;";
    edited_down.versions = versions.leak();
    for (context, file) in [(edited_up, "0002_two.up.sql"), (edited_down, "0002_two.down.sql")] {
        for error in [
            up(&lab.target, &context, None).await.unwrap_err(),
            down(&lab.target, &context, Down::Steps(1), Rows::Keep)
                .await
                .unwrap_err(),
            check(&lab.target, &context).await.unwrap_err(),
        ] {
            assert!(matches!(error, MigrateError::Refused(_)), "{error}");
            assert!(error.to_string().contains(file), "{error}");
        }
        assert_eq!(
            states(&lab.target, &context).await,
            [State::Applied, State::Edited, State::Pending]
        );
    }
    assert_eq!(up(&lab.target, &three(QUICK), None).await.unwrap().version, 3);
}

#[tokio::test]
async fn a_newer_programs_schema_is_refused() {
    let lab = folder();
    let newer = three(QUICK);
    up(&lab.target, &newer, None).await.unwrap();
    let mut older = newer;
    older.versions = &newer.versions[..2];
    let error = up(&lab.target, &older, None).await.unwrap_err();
    assert!(matches!(error, MigrateError::Refused(_)));
    assert!(error.to_string().contains("version 3 (three)"), "{error}");
    assert_eq!(
        states(&lab.target, &older).await,
        [State::Applied, State::Applied, State::Unknown]
    );
}

#[tokio::test]
async fn a_version_that_was_skipped_is_refused() {
    let lab = folder();
    let whole = three(QUICK);
    let mut without = whole;
    without.versions = vec![whole.versions[0], whole.versions[2]].leak();
    up(&lab.target, &without, None).await.unwrap();
    let error = up(&lab.target, &whole, None).await.unwrap_err();
    assert!(error.to_string().contains("version 2 (two)"), "{error}");
}

#[tokio::test]
async fn a_failing_script_leaves_nothing_and_says_why() {
    let lab = folder();
    let error = up(
        &lab.target,
        &three("CREATE TABLE slow (n); INSERT INTO nowhere VALUES (1);"),
        None,
    )
    .await
    .unwrap_err();
    for part in ["version 2 (two)", "test", "nowhere"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let status = status(&lab.target, &three(QUICK)).await.unwrap();
    assert_eq!(status.current, 1);
    assert_eq!(status.versions[1].state, State::Failed);
    assert!(status.versions[1].detail.as_ref().unwrap().contains("nowhere"));
    assert_eq!(up(&lab.target, &three(QUICK), None).await.unwrap().version, 3);
}

/// What the killed child runs. Without the variable it does nothing.
#[tokio::test]
async fn child() {
    let Some(path) = std::env::var_os("CUTOVER_TEST_KILLED_CHILD") else {
        return;
    };
    let target = Target::Sqlite { path: path.into() };
    up(&target, &three(SLOW), None).await.unwrap();
}

/// Starts a migration in another process and kills it in the middle of its second version.
async fn killed_half_way(lab: &Folder) {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("CUTOVER_TEST_KILLED_CHILD", &lab.path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    for attempt in 0.. {
        assert!(attempt < 600, "the second version never began");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        if lab.path.exists()
            && let Ok(status) = status(&lab.target, &three(SLOW)).await
            && status.versions[1].state == State::Interrupted
        {
            assert!(status.running, "while it runs, it is shown as running");
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_killed_run_is_shown_and_goes_on() {
    let lab = folder();
    killed_half_way(&lab).await;
    let seen = status(&lab.target, &three(SLOW)).await.unwrap();
    assert!(!seen.running);
    assert_eq!(seen.current, 1);
    assert_eq!(
        states(&lab.target, &three(SLOW)).await,
        [State::Applied, State::Interrupted, State::Pending]
    );
    assert!(seen.versions[1].at.is_some());
    // The script can be mended, for nothing of it was kept.
    let outcome = up(&lab.target, &three(QUICK), None).await.unwrap();
    assert_eq!(
        outcome.steps.iter().map(|step| step.version).collect::<Vec<_>>(),
        [2, 3]
    );
    assert_eq!(states(&lab.target, &three(QUICK)).await, [State::Applied; 3]);
    assert_eq!(check(&lab.target, &three(QUICK)).await.unwrap().differences, []);
}

#[tokio::test]
async fn a_killed_run_is_undone() {
    let lab = folder();
    killed_half_way(&lab).await;
    let outcome = down(&lab.target, &three(QUICK), Down::Steps(1), Rows::Keep)
        .await
        .unwrap();
    assert_eq!(
        outcome.steps.iter().map(|step| step.version).collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(
        states(&lab.target, &three(SLOW)).await,
        [State::Applied, State::Pending, State::Pending]
    );
    assert_eq!(
        sqlite3(
            &lab.path,
            "SELECT name FROM sqlite_schema WHERE name IN ('one', 'slow', 'three')"
        ),
        "one\n"
    );
}

// --- drift -----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn drift_is_found_whatever_it_is() {
    let changes = [
        ("DROP TABLE region_analyses", "region_analyses", "missing"),
        ("DROP INDEX idx_synths_nome", "idx_synths_nome", "missing"),
        (
            "DROP INDEX idx_synths_created_at; CREATE INDEX idx_synths_created_at ON synths (created_at)",
            "idx_synths_created_at",
            "DESC",
        ),
        (
            "DROP INDEX idx_synths_nome; CREATE INDEX idx_synths_nome ON synths (nome) WHERE nome > 'a'",
            "idx_synths_nome",
            "WHERE",
        ),
        (
            "DROP INDEX idx_synths_nome; CREATE INDEX idx_synths_nome ON synths (lower(nome))",
            "idx_synths_nome",
            "lower",
        ),
        (
            "DROP INDEX idx_synths_nome; CREATE INDEX idx_synths_nome ON synths (nome COLLATE NOCASE)",
            "idx_synths_nome",
            "NOCASE",
        ),
        ("CREATE UNIQUE INDEX one ON synths (nome)", "one", "UNIQUE"),
        ("ALTER TABLE synths DROP COLUMN descricao", "descricao", "missing"),
        (
            "ALTER TABLE synths RENAME COLUMN descricao TO description",
            "descricao",
            "missing",
        ),
        (
            "ALTER TABLE synths ADD COLUMN new TEXT NOT NULL DEFAULT '' CHECK (new <> nome)",
            "CHECK",
            "additional",
        ),
    ];
    for (change, object, what) in changes {
        let lab = folder();
        up(&lab.target, &Context::LAB, None).await.unwrap();
        sqlite3(&lab.path, change);
        let drift = lab.drift().await;
        let found = drift.differences.iter().chain(&drift.notes).any(|difference| {
            let text = format!(
                "{} {}",
                difference.object.as_ref().unwrap_or(&difference.table),
                difference.what
            );
            text.contains(object) && text.contains(what)
        });
        assert!(found, "{change}: {drift:?}");
    }
}

#[tokio::test]
async fn a_table_made_in_another_way_is_drift() {
    // A text of the table's own definition, and what it becomes.
    let edits = [
        ("name           TEXT NOT NULL", "name TEXT", "NULL is allowed"),
        ("name           TEXT NOT NULL", "name VARCHAR NOT NULL", "VARCHAR"),
        (
            "name           TEXT NOT NULL",
            "name TEXT NOT NULL COLLATE NOCASE",
            "COLLATE NOCASE",
        ),
        ("<= 100", "<= 101", "the constraint is missing"),
        ("DEFAULT 'active'", "DEFAULT 'Active'", "the default is 'Active'"),
        ("id             TEXT PRIMARY KEY", "id TEXT", "PRIMARY KEY (id)"),
        (
            "updated_at     TEXT",
            "updated_at TEXT UNIQUE",
            "UNIQUE (updated_at)",
        ),
        (
            "updated_at     TEXT",
            "updated_at TEXT REFERENCES synths (id)",
            "FOREIGN KEY (updated_at)",
        ),
        (
            "updated_at     TEXT",
            "updated_at TEXT GENERATED ALWAYS AS (created_at)",
            "computed",
        ),
        (
            " IN ('active', 'deleted')",
            " IN ('active')",
            "additional constraint",
        ),
    ];
    for (old, new, what) in edits {
        let lab = folder();
        up(&lab.target, &Context::LAB, None).await.unwrap();
        let definition = sqlite3(
            &lab.path,
            "SELECT sql FROM sqlite_schema WHERE name = 'experiments'",
        );
        assert!(definition.contains(old), "{old}");
        let indexes = sqlite3(
            &lab.path,
            "SELECT group_concat(sql, ';') FROM sqlite_schema WHERE tbl_name = 'experiments' AND type = 'index'",
        );
        sqlite3(
            &lab.path,
            &format!(
                "DROP TABLE experiments; {}; {indexes}",
                definition.replace(old, new)
            ),
        );
        let drift = lab.drift().await;
        let found = format!("{:?}", drift.differences);
        assert!(found.contains(what), "{old} -> {new}: {found}");
    }
}

// --- old files -------------------------------------------------------------------------------------------------------

/// Takes over a file and checks that nothing of it was lost.
async fn adopted(script: &str, recognised: &str) -> Folder {
    let lab = folder();
    sqlite3(&lab.path, script);
    let before = contents(&lab.path);
    let outcome = up(&lab.target, &Context::LAB, None).await.unwrap();
    let taken = outcome.adopted.expect("taken over");
    assert!(taken.recognised.contains(recognised), "{}", taken.recognised);
    assert_eq!(
        outcome.steps.iter().map(|step| step.version).collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(
        contents(&taken.backup),
        before,
        "the backup is the file as it was"
    );
    for (table, columns, before) in before {
        let mut after = rows(&lab.path, &table, &columns);
        // The default group, if it was not there.
        after.truncate(before.len());
        assert_eq!(after, before, "{table}");
    }
    no_drift(&lab.drift().await, 2);
    assert_eq!(lab.versions().await, [(1, State::Applied), (2, State::Applied)]);
    assert_eq!(
        sqlite3(
            &lab.path,
            "SELECT version, direction, outcome FROM _cutover_migrations_lab_runs"
        ),
        "1|baseline|done\n2|up|done\n"
    );
    assert_eq!(sqlite3(&lab.path, "PRAGMA journal_mode"), "wal\n");
    // The original's start-up code finds nothing left to do that fails.
    let tables = synth_lab(15);
    sqlite3(&lab.path, tables.split("INSERT INTO").next().unwrap());
    let backups = lab.names();
    assert_eq!(backups.len(), 2, "{backups:?}");
    assert!(
        up(&lab.target, &Context::LAB, None)
            .await
            .unwrap()
            .adopted
            .is_none()
    );
    assert_eq!(lab.names(), backups, "once is enough");
    lab
}

#[tokio::test]
async fn files_of_versions_7_to_15_are_taken_over() {
    for version in 7..=15 {
        adopted(&synth_lab(version), &format!("version {version} file")).await;
    }
}

#[tokio::test]
async fn files_that_the_original_upgraded_are_taken_over() {
    for version in 7..=14 {
        let lab = adopted(&upgraded_by_the_original(version), "version 15 file").await;
        let status = sqlite3(&lab.path, "SELECT DISTINCT status FROM experiments");
        assert_eq!(status, "active\n");
    }
}

#[tokio::test]
async fn a_missing_default_group_comes_back_and_any_other_stays() {
    let script = synth_lab(15)
        + "DELETE FROM synth_groups; INSERT INTO synth_groups VALUES ('g', 'Default', NULL, 't');";
    let lab = adopted(&script, "version 15").await;
    assert_eq!(
        sqlite3(&lab.path, "SELECT id FROM synth_groups ORDER BY id"),
        "g\ngrp_00000001\n"
    );
}

#[tokio::test]
async fn rows_in_the_write_ahead_log_are_taken_along() {
    let lab = folder();
    sqlite3(&lab.path, &synth_lab(15));
    // A copy of a file that is in use: the latest rows are only in the side file.
    let mut writer = std::process::Command::new("sqlite3")
        .arg(&lab.path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let insert = b"PRAGMA wal_autocheckpoint = 0;\nINSERT INTO synth_groups VALUES ('late', 'n', NULL, 't');\nSELECT 'ready';\n";
    std::io::Write::write_all(writer.stdin.as_mut().unwrap(), insert).unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(writer.stdout.take().unwrap()));
    while lines.next().unwrap().unwrap() != "ready" {}
    let copy = folder();
    for suffix in ["", "-wal"] {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        std::fs::copy(name(&lab.path), name(&copy.path)).unwrap();
    }
    drop(writer.stdin.take());
    writer.wait().unwrap();
    let taken = up(&copy.target, &Context::LAB, None)
        .await
        .unwrap()
        .adopted
        .unwrap();
    for file in [&copy.path, &taken.backup] {
        assert_eq!(
            sqlite3(file, "SELECT id FROM synth_groups WHERE id = 'late'"),
            "late\n"
        );
    }
}

#[tokio::test]
async fn older_files_are_refused_by_name() {
    let old = [
        (synth_lab(6), "version 6"),
        (synth_lab(5), "version 5"),
        (
            "CREATE TABLE synths (id TEXT PRIMARY KEY, nome TEXT, data TEXT); CREATE TABLE research_executions (exec_id TEXT PRIMARY KEY, summary_content TEXT);".to_owned(),
            "version 4",
        ),
        (
            "CREATE TABLE synths (id TEXT PRIMARY KEY, nome TEXT); CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY); \
             CREATE TABLE research_executions (exec_id TEXT PRIMARY KEY, summary_content TEXT);".to_owned(),
            "version 2 or 3",
        ),
        (
            "CREATE TABLE synths (id TEXT PRIMARY KEY, nome TEXT); CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY); \
             CREATE TABLE research_executions (exec_id TEXT PRIMARY KEY, summary_path TEXT);".to_owned(),
            "version 1 ",
        ),
    ];
    for (script, name) in old {
        let lab = folder();
        sqlite3(&lab.path, &script);
        let before = std::fs::read(&lab.path).unwrap();
        let error = up(&lab.target, &Context::LAB, None).await.unwrap_err();
        assert!(matches!(error, MigrateError::Refused(_)), "{error}");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(std::fs::read(&lab.path).unwrap(), before, "untouched");
        assert_eq!(lab.names(), ["lab.db"], "no backup of what is not changed");
        let status = status(&lab.target, &Context::LAB).await.unwrap();
        assert!(status.unadopted.unwrap().contains(name));
    }
}

#[tokio::test]
async fn a_file_that_only_looks_like_one_is_refused_with_what_it_lacks() {
    let lab = folder();
    sqlite3(
        &lab.path,
        &(synth_lab(15) + "DROP TABLE transcripts; ALTER TABLE synths DROP COLUMN avatar_path;"),
    );
    let error = up(&lab.target, &Context::LAB, None).await.unwrap_err();
    assert!(matches!(error, MigrateError::Refused(_)));
    for part in ["transcripts", "synths.avatar_path", "missing"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn tables_of_another_application_are_left_alone() {
    let lab = folder();
    sqlite3(
        &lab.path,
        "CREATE TABLE invoices (id INTEGER PRIMARY KEY, total REAL); INSERT INTO invoices VALUES (1, 2.5)",
    );
    let outcome = up(&lab.target, &Context::LAB, None).await.unwrap();
    assert!(outcome.adopted.is_none());
    assert_eq!(lab.names(), ["lab.db"]);
    let drift = lab.drift().await;
    no_drift(&drift, 2);
    assert_eq!(drift.notes[0].table, "invoices");
    down(&lab.target, &Context::LAB, Down::To(0), Rows::Keep)
        .await
        .unwrap();
    assert_eq!(sqlite3(&lab.path, "SELECT * FROM invoices"), "1|2.5\n");
}

#[tokio::test]
async fn reading_writes_nothing() {
    let lab = folder();
    sqlite3(&lab.path, &synth_lab(15));
    let before = std::fs::read(&lab.path).unwrap();
    let seen = status(&lab.target, &Context::LAB).await.unwrap();
    assert!(seen.unadopted.unwrap().contains("version 15"));
    assert!(
        !lab.drift().await.differences.is_empty(),
        "nothing of it is recorded yet"
    );
    assert_eq!(std::fs::read(&lab.path).unwrap(), before);
    assert_eq!(lab.names(), ["lab.db"]);
}

// --- scripts ---------------------------------------------------------------------------------------------------------

#[test]
fn every_version_has_its_four_files_and_every_file_its_version() {
    for context in Context::ALL {
        let mut numbers = context.versions.iter().map(|version| version.number);
        assert_eq!(numbers.next(), Some(1));
        assert!(context.versions.is_sorted_by(|a, b| a.number < b.number));
        for dialect in Dialect::ALL {
            let mut expected: Vec<String> = context
                .versions
                .iter()
                .flat_map(|version| {
                    ["up", "down"]
                        .map(|direction| format!("{:04}_{}.{direction}.sql", version.number, version.name))
                })
                .collect();
            expected.sort();
            let folder = format!(
                "{}/{}/{}",
                env!("CARGO_MANIFEST_DIR"),
                context.name,
                dialect.name()
            );
            let mut found: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            found.sort();
            assert_eq!(found, expected);
            for version in context.versions {
                let script = version.script(dialect);
                assert!(!script.up.contains('\r') && !script.down.contains('\r'));
                assert!(
                    script
                        .down
                        .lines()
                        .filter(|line| line.starts_with("DROP"))
                        .all(|line| line.contains("IF EXISTS"))
                );
            }
        }
    }
}

#[tokio::test]
async fn the_printed_sql_does_what_up_and_down_do() {
    let (printed, run) = (folder(), folder());
    up(&run.target, &Context::LAB, None).await.unwrap();
    sqlite3(&printed.path, &sql(&Context::LAB, Dialect::Sqlite, 0, 2).unwrap());
    assert_eq!(schema_text(&printed.path), schema_text(&run.path));
    assert_eq!(contents(&printed.path), contents(&run.path));
    no_drift(&printed.drift().await, 2);
    assert!(
        up(&printed.target, &Context::LAB, None)
            .await
            .unwrap()
            .steps
            .is_empty()
    );
    sqlite3(&printed.path, &sql(&Context::LAB, Dialect::Sqlite, 2, 1).unwrap());
    no_drift(&printed.drift().await, 1);
    assert_eq!(
        printed.versions().await,
        [(1, State::Applied), (2, State::Pending)]
    );
    sqlite3(&printed.path, &sql(&Context::LAB, Dialect::Sqlite, 1, 2).unwrap());
    down(&printed.target, &Context::LAB, Down::To(0), Rows::Keep)
        .await
        .unwrap();
    assert_eq!(schema_text(&printed.path), "");
    let unknown = sql(&Context::LAB, Dialect::Sqlite, 0, 3);
    assert!(matches!(unknown, Err(MigrateError::Usage(_))), "{unknown:?}");
}

#[test]
fn a_new_version_gets_its_four_files() {
    let folder = tempfile::tempdir().unwrap();
    for dialect in ["sqlite", "postgres"] {
        std::fs::create_dir_all(folder.path().join("lab").join(dialect)).unwrap();
    }
    let created =
        cutover_migrations::create(folder.path(), &Context::LAB, "Add tags-to experiments").unwrap();
    let names: Vec<String> = created
        .files
        .iter()
        .map(|file| file.strip_prefix(folder.path()).unwrap().display().to_string())
        .collect();
    assert_eq!(
        names,
        [
            "lab/sqlite/0003_add_tags_to_experiments.up.sql",
            "lab/sqlite/0003_add_tags_to_experiments.down.sql",
            "lab/postgres/0003_add_tags_to_experiments.up.sql",
            "lab/postgres/0003_add_tags_to_experiments.down.sql",
        ]
    );
    assert!(created.files.iter().all(|file| file.exists()));
    assert_eq!(created.entry, "\"0003\" \"add_tags_to_experiments\"");
    let again = cutover_migrations::create(folder.path(), &Context::LAB, "more").unwrap();
    assert_eq!(again.entry, "\"0004\" \"more\"");
    for name in ["", "../x", "é", "a/b", "_", &"x".repeat(61)] {
        let created = cutover_migrations::create(folder.path(), &Context::LAB, name);
        assert!(
            matches!(created, Err(MigrateError::Usage(_))),
            "{name}: {created:?}"
        );
    }
    let created = cutover_migrations::create(&folder.path().join("no"), &Context::LAB, "x");
    assert!(matches!(created, Err(MigrateError::Usage(_))), "{created:?}");
}
