//! A file, the way there and back, and what is asked of both ends.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cutover_tests::postgres::TestDatabase;
use cutover_tests::rusqlite::types::ValueRef;
use cutover_tests::rusqlite::{self, Connection};
use cutover_tests::tokio_postgres::{Client, SimpleQueryMessage};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::compare::{Cell, Contents, SetApart, differences, strangers};
use crate::program::{Ended, run, shortened};
use crate::schema;

/// A hostile file, and a database of its own that it is copied into.
pub(crate) struct Theme {
    /// Holds the file, and nothing that did not come with it.
    directory: TempDir,
    /// Where everything else goes.
    elsewhere: TempDir,
    pub(crate) file: PathBuf,
    database: OnceCell<TestDatabase>,
    flags: Vec<String>,
    /// Flags of inspect, too.
    wishes: Vec<String>,
    uid: Option<u32>,
}

/// A theme whose file has been copied, verified and copied back.
pub(crate) struct Copied {
    theme: Theme,
    client: Client,
    /// What `copy --json` said.
    pub(crate) report: Value,
    /// What `inspect --json` said.
    pub(crate) inspection: Value,
    /// A copy of the source, and one of the file that came back, to be used.
    used_source: Connection,
    used_back: Connection,
    /// What `copy --json` said of the way back.
    pub(crate) brought_back: Value,
    /// What `copy` said on the terminal.
    pub(crate) said: String,
    /// The types of all columns.
    types: BTreeMap<(String, String), String>,
}

impl Theme {
    /// A file made by these statements.
    pub(crate) fn new(sql: impl AsRef<str>) -> Self {
        Self::made("theme.db", |path| execute(path, sql.as_ref()))
    }

    /// A file that `make` makes, under this name.
    pub(crate) fn made(name: &str, make: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(name);
        make(&file);
        Self {
            elsewhere: tempfile::tempdir().unwrap(),
            file,
            directory,
            database: OnceCell::const_new(),
            flags: vec![],
            wishes: vec![],
            uid: None,
        }
    }

    /// Copies with these flags.
    pub(crate) fn with(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// Inspects and copies with these types.
    pub(crate) fn asking(mut self, wishes: &[&str]) -> Self {
        let flags = wishes.iter().flat_map(|wish| ["--type", wish]);
        self.wishes.extend(flags.map(str::to_owned));
        self.flags.extend(self.wishes.clone());
        self
    }

    /// Runs the program as another user.
    pub(crate) fn run_by(mut self, uid: Option<u32>) -> Self {
        self.uid = uid;
        self
    }

    /// The flags of a copy.
    pub(crate) fn flags(&self) -> &[String] {
        &self.flags
    }

    /// A connection to the database.
    pub(crate) async fn client(&self) -> Client {
        self.database().await.connect().await
    }

    /// A text in a file of its own: its path.
    pub(crate) fn beside(&self, name: &str, text: &str) -> String {
        let path = self.elsewhere.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn database(&self) -> &TestDatabase {
        self.database.get_or_init(TestDatabase::create).await
    }

    async fn run(&self, arguments: &[&OsStr]) -> Ended {
        run(self.elsewhere.path(), self.uid, arguments).await
    }

    /// `cutover COMMAND FILE DATABASE --json`
    pub(crate) async fn command(&self, command: &str, flags: &[String]) -> Ended {
        let url = self.database().await.url();
        let mut arguments = vec![
            OsStr::new(command),
            self.file.as_os_str(),
            OsStr::new(&url),
            OsStr::new("--json"),
        ];
        arguments.extend(flags.iter().map(OsStr::new));
        self.run(&arguments).await
    }

    /// `cutover copy FILE DATABASE`, as a person runs it.
    pub(crate) async fn copy_on_a_terminal(&self, flags: &[&str]) -> Ended {
        self.on_a_terminal("copy", flags).await
    }

    /// `cutover COMMAND FILE DATABASE`, as a person runs it.
    pub(crate) async fn on_a_terminal(&self, command: &str, flags: &[&str]) -> Ended {
        let url = self.database().await.url();
        let mut arguments = vec![OsStr::new(command), self.file.as_os_str(), OsStr::new(&url)];
        arguments.extend(flags.iter().map(OsStr::new));
        self.run(&arguments).await
    }

    /// `cutover copy FILE OTHER`
    pub(crate) async fn copy_to(&self, other: &str, flags: &[String]) -> Ended {
        let mut arguments = vec![OsStr::new("copy"), self.file.as_os_str(), OsStr::new(other)];
        arguments.extend(flags.iter().map(OsStr::new));
        self.run(&arguments).await
    }

    /// `cutover inspect FILE --json`
    pub(crate) async fn inspect(&self, flags: &[String]) -> Ended {
        let mut arguments = vec![OsStr::new("inspect"), self.file.as_os_str(), OsStr::new("--json")];
        arguments.extend(flags.iter().chain(&self.wishes).map(OsStr::new));
        self.run(&arguments).await
    }

    /// All files beside the source with their bytes; of the shared memory of a WAL only whether it is there, as readers meet in it.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut files = BTreeMap::new();
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let bytes = if name.ends_with("-shm") {
                vec![]
            } else {
                fs::read(&path).unwrap()
            };
            files.insert(name, bytes);
        }
        files
    }

    fn unchanged(&self, before: &BTreeMap<String, Vec<u8>>, after: &str) {
        let now = self.files();
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            names(before),
            names(&now),
            "the files beside the source after {after}"
        );
        for (name, bytes) in before {
            assert!(*bytes == now[name], "{name} was changed by {after}");
        }
    }

    /// Everything arrives, is verified equal, and comes back as it was.
    pub(crate) async fn equal(self) -> Copied {
        let before = self.files();
        let inspection = self.inspect(&[]).await.with(0, "inspect");
        self.unchanged(&before, "inspect");
        let copied = self.command("copy", &self.flags).await.with(0, "copy");
        self.unchanged(&before, "copy");
        let report = copied.json();
        assert_eq!(report["ok"], true, "{report}");
        let verified = self.command("verify", &[]).await.with(0, "verify").json();
        self.unchanged(&before, "verify");
        assert_eq!(verified["ok"], true, "{verified}");
        Copied::back(self, &copied, inspection.json()).await
    }

    /// By default nothing is written and the list names these; on request all rows but `rejected` ones arrive, and those are kept.
    pub(crate) async fn quarantined(self, rejected: u64, naming: &[&str]) -> Copied {
        let before = self.files();
        let inspection = self.inspect(&[]).await.with(1, "inspect");
        for name in naming {
            assert!(
                inspection.stdout.contains(name),
                "inspect does not name {name}: {}",
                inspection.stdout
            );
        }
        self.unchanged(&before, "inspect");
        let refused = self
            .command("copy", &self.flags)
            .await
            .with(1, "copy that fails on rejects");
        let report = refused.json();
        assert_eq!(report["ok"], false, "{report}");
        assert_eq!(rejects(&report), rejected, "{report}");
        let list = report["rejects"].to_string();
        for name in naming {
            assert!(list.contains(name), "the rejects do not name {name}: {list}");
        }
        self.untouched().await;

        let mut flags = self.flags.clone();
        flags.extend(["--on-reject", "quarantine"].map(str::to_owned));
        let copied = self
            .command("copy", &flags)
            .await
            .with(1, "copy that quarantines rejects");
        let report = copied.json();
        assert_eq!(rejects(&report), rejected, "{report}");
        // What is set apart is missing in the tables, so that this must not end well.
        let verified = self
            .command("verify", &[])
            .await
            .with(1, "verify of a copy with rejects")
            .json();
        assert_eq!(verified["ok"], false, "{verified}");
        // With what is set apart nothing is.
        for table in verified["tables"].as_array().unwrap() {
            assert!(
                table["equal"] == true || table["with_quarantine"]["equal"] == true,
                "{table}"
            );
        }
        self.unchanged(&before, "copy with quarantine");
        Copied::back(self, &copied, inspection.json()).await
    }

    /// Nothing is copied, for the file cannot be read: the message names the file and these.
    pub(crate) async fn refused(self, naming: &[&str]) {
        let before = self.files();
        let copied = self
            .command("copy", &self.flags)
            .await
            .with(3, "copy of what cannot be read");
        self.unchanged(&before, "copy");
        let verified = self
            .command("verify", &self.flags)
            .await
            .with(3, "verify of what cannot be read");
        let inspected = self.inspect(&self.flags).await;
        assert!(matches!(inspected.code, Some(1 | 3)), "{inspected:?}");
        self.unchanged(&before, "inspect");
        let name = self.file.file_name().unwrap().to_string_lossy().into_owned();
        for ended in [copied, verified, inspected] {
            let said = format!("{}{}", ended.stderr, ended.stdout);
            for name in naming.iter().chain([&name.as_str()]) {
                assert!(said.contains(name), "it does not name {name}: {said}");
            }
        }
        self.untouched().await;
    }

    /// `cutover copy DATABASE FILE --json`
    async fn bring_back(&self, back: &Path) -> Value {
        let url = self.database().await.url();
        let arguments = [
            OsStr::new("copy"),
            OsStr::new(&url),
            back.as_os_str(),
            OsStr::new("--json"),
        ];
        let ended = run(self.elsewhere.path(), None, &arguments).await;
        let report = ended.with(0, "copy of the way back").json();
        assert_eq!(report["ok"], true, "{report}");
        report
    }

    /// The file that came back holds what the database does.
    pub(crate) async fn verify_back(&self) {
        let url = self.database().await.url();
        let back = self.back();
        let arguments = [OsStr::new("verify"), OsStr::new(&url), back.as_os_str()];
        let ended = run(self.elsewhere.path(), None, &arguments).await;
        ended.with(0, "verify of the way back");
    }

    /// The way back, which cannot be gone: the program says why.
    pub(crate) async fn bring_back_fails(&self) -> Ended {
        self.bring_back_partly(&[]).await.0
    }

    /// The way back with these flags, which not every row can go: what the program says, and the file that it leaves.
    pub(crate) async fn bring_back_partly(&self, flags: &[&str]) -> (Ended, PathBuf) {
        let url = self.database().await.url();
        let back = self.elsewhere.path().join("partly.db");
        let mut arguments = vec![OsStr::new("copy"), OsStr::new(&url), back.as_os_str()];
        arguments.extend(flags.iter().map(OsStr::new));
        let ended = run(self.elsewhere.path(), None, &arguments).await;
        (ended.with(1, "copy of the way back"), back)
    }

    /// The way back with these flags: what the program says, and the file that it leaves.
    pub(crate) async fn brought_back(&self, flags: &[&str]) -> (Ended, PathBuf) {
        let url = self.database().await.url();
        let back = self.back();
        fs::remove_file(&back).unwrap_or_default();
        let mut arguments = vec![OsStr::new("copy"), OsStr::new(&url), back.as_os_str()];
        arguments.extend(flags.iter().map(OsStr::new));
        (run(self.elsewhere.path(), None, &arguments).await, back)
    }

    /// The database's address.
    pub(crate) async fn url(&self) -> String {
        self.database().await.url()
    }

    /// `cutover` with these arguments.
    pub(crate) async fn program(&self, arguments: &[&str]) -> Ended {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        run(self.elsewhere.path(), None, &arguments).await
    }

    /// `cutover verify DATABASE FILE` of the file that came back.
    pub(crate) async fn verified_back(&self, flags: &[&str]) -> Ended {
        let url = self.database().await.url();
        let back = self.back();
        let mut arguments = vec![OsStr::new("verify"), OsStr::new(&url), back.as_os_str()];
        arguments.extend(flags.iter().map(OsStr::new));
        run(self.elsewhere.path(), None, &arguments).await
    }

    /// `cutover inspect DATABASE`
    pub(crate) async fn inspected_back(&self) -> Ended {
        let url = self.database().await.url();
        self.run(&[OsStr::new("inspect"), OsStr::new(&url)]).await
    }

    /// The file that came back.
    pub(crate) fn opened_back(&self) -> Connection {
        Connection::open(self.back()).unwrap()
    }

    /// The database holds no table of the file.
    pub(crate) async fn untouched(&self) {
        let client = self.database().await.connect().await;
        let tables = schema::tables(&client).await;
        assert_eq!(tables, Vec::<String>::new(), "nothing was to be written");
    }

    /// A copy of the source and what stands beside it, to be opened.
    pub(crate) fn duplicate(&self, name: &str) -> PathBuf {
        let directory = self.elsewhere.path().join(name);
        fs::create_dir_all(&directory).unwrap();
        for entry in fs::read_dir(self.directory.path()).unwrap() {
            let path = entry.unwrap().path();
            if !path.to_string_lossy().ends_with("-shm") {
                fs::copy(&path, directory.join(path.file_name().unwrap())).unwrap();
            }
        }
        directory.join(self.file.file_name().unwrap())
    }

    /// Brings the file back, and tells what in it is not as it was.
    pub(crate) async fn differences_of_back(&self) -> Vec<String> {
        let back = self.back();
        self.bring_back(&back).await;
        differences(&Contents::read(&self.duplicate("judged")), &Contents::read(&back))
    }

    fn back(&self) -> PathBuf {
        self.elsewhere.path().join("back.db")
    }
}

impl Drop for Theme {
    fn drop(&mut self) {
        // A directory that was made read-only could not be removed.
        fs::set_permissions(self.directory.path(), fs::Permissions::from_mode(0o755)).unwrap_or_default();
    }
}

fn rejects(report: &Value) -> u64 {
    let tables = report["tables"].as_array().unwrap();
    tables
        .iter()
        .map(|table| table["rejected"].as_u64().unwrap())
        .sum()
}

impl Copied {
    async fn back(theme: Theme, ended: &Ended, inspection: Value) -> Self {
        let client = theme.database().await.connect().await;
        let brought_back = theme.bring_back(&theme.back()).await;
        let types = schema::types(&client).await;
        let used = theme.elsewhere.path().join("used back.db");
        fs::copy(theme.back(), &used).unwrap();
        let open = |path: PathBuf| {
            let connection = Connection::open(path).unwrap();
            connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
            connection
        };
        let copied = Self {
            used_source: open(theme.duplicate("used")),
            used_back: open(used),
            theme,
            client,
            report: ended.json(),
            inspection,
            brought_back,
            said: ended.stderr.clone(),
            types,
        };
        let source = Contents::read(&copied.theme.duplicate("judged"));
        let set_apart = copied.set_apart().await;
        let strangers = strangers(&source, &set_apart);
        assert!(
            strangers.is_empty(),
            "set apart, and none of the source's: {strangers:?}"
        );
        let back = Contents::read(&copied.theme.back());
        let found = differences(&source, &back);
        assert!(
            found.is_empty(),
            "the way back:\n{}",
            shortened(&found.join("\n"))
        );
        copied.names_every_table(&source);
        let lost = schema::lost(
            &Connection::open(copied.theme.duplicate("judged")).unwrap(),
            &copied,
        )
        .await;
        assert!(
            lost.is_empty(),
            "the schema made:\n{}\nthe report: {}",
            lost.join("\n"),
            copied.report
        );
        copied
    }

    /// Inspect counts the rows of every table, or says that it is not carried.
    fn names_every_table(&self, source: &Contents) {
        for (name, table) in &source.tables {
            let rows: usize = table.rows.values().sum();
            let listed = self.inspection["tables"]
                .as_array()
                .unwrap()
                .iter()
                .find(|listed| listed["name"] == name.as_str());
            let listed =
                listed.unwrap_or_else(|| panic!("inspect does not name {name}: {}", self.inspection));
            assert_eq!(listed["rows"], rows, "{name}");
        }
        for name in &source.unreadable {
            assert!(
                self.is_listed(&[name]),
                "{name} cannot be read, and the report does not say so: {}",
                self.report
            );
        }
    }

    /// The rows in the quarantine.
    async fn set_apart(&self) -> Vec<SetApart> {
        let sql = "SELECT table_name, columns, classes, \"values\" FROM cutover.quarantine";
        let rows = self.client.query(sql, &[]).await.unwrap();
        let set_apart = rows.iter().map(|row| {
            let classes: Vec<String> = row.get(2);
            let values: Vec<Option<Vec<u8>>> = row.get(3);
            let cells = classes.iter().zip(values).map(|(class, bytes)| {
                let bytes = bytes.unwrap_or_default();
                match class.as_str() {
                    "null" => Cell::Null,
                    "integer" => Cell::Integer(str::from_utf8(&bytes).unwrap().parse().unwrap()),
                    "real" => Cell::Real(u64::from_be_bytes(bytes.try_into().unwrap())),
                    "text" | "utf16" => Cell::Text(bytes),
                    "blob" => Cell::Blob(bytes),
                    other => panic!("a value of the class {other}"),
                }
            });
            let target: String = row.get(0);
            SetApart {
                table: self.source_table(&target),
                columns: row.get(1),
                row: cells.collect(),
            }
        });
        set_apart.collect()
    }

    fn tables(&self) -> impl Iterator<Item = (&str, &str)> {
        let tables = self.report["tables"].as_array().unwrap().iter();
        tables.map(|table| (table["name"].as_str().unwrap(), table["target"].as_str().unwrap()))
    }

    /// How many rows of a table were set apart.
    pub(crate) fn rejected(&self, table: &str) -> u64 {
        let found = self.report["tables"]
            .as_array()
            .unwrap()
            .iter()
            .find(|listed| listed["name"] == table);
        found.map_or(0, |listed| listed["rejected"].as_u64().unwrap())
    }

    fn source_table(&self, target: &str) -> String {
        let found = self.tables().find(|(_, name)| *name == target);
        found.map_or_else(|| target.to_owned(), |(name, _)| name.to_owned())
    }

    /// The name of a table in the database.
    #[track_caller]
    pub(crate) fn target(&self, table: &str) -> String {
        let found = self.tables().find(|(name, _)| *name == table);
        found
            .unwrap_or_else(|| panic!("the report does not name {table:?}: {}", self.report))
            .1
            .to_owned()
    }

    /// The name of a column in the database.
    #[track_caller]
    pub(crate) fn target_column(&self, table: &str, column: &str) -> String {
        let tables = self.inspection["tables"].as_array().unwrap().iter();
        let table = tables
            .clone()
            .find(|listed| listed["name"] == table)
            .unwrap_or_else(|| panic!("no {table:?}"));
        let found = table["columns"]
            .as_array()
            .unwrap()
            .iter()
            .find(|listed| listed["name"] == column);
        found.map_or_else(
            || column.to_owned(),
            |column| column["target"].as_str().unwrap().to_owned(),
        )
    }

    /// The connection to the database.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The type of a column, if it is there.
    pub(crate) fn type_of(&self, table: &str, column: &str) -> Option<&str> {
        self.types
            .get(&(self.target(table), self.target_column(table, column)))
            .map(String::as_str)
    }

    /// A column has this type and no class beside it.
    #[track_caller]
    pub(crate) fn is(&self, table: &str, column: &str, kind: &str) -> &Self {
        self.is_one_of(table, column, &[kind])
    }

    /// A column has one of these types.
    #[track_caller]
    pub(crate) fn is_one_of(&self, table: &str, column: &str, kinds: &[&str]) -> &Self {
        let kind = self
            .type_of(table, column)
            .unwrap_or_else(|| panic!("there is no {table}.{column}"));
        assert!(kinds.contains(&kind), "{table}.{column} is {kind}, not {kinds:?}");
        assert_eq!(
            self.class_column(table, column),
            None,
            "{table}.{column} is not mixed"
        );
        self
    }

    /// A column holds text or bytes, and the class of each value stands beside it.
    #[track_caller]
    pub(crate) fn is_mixed(&self, table: &str, column: &str) -> &Self {
        let kind = self
            .type_of(table, column)
            .unwrap_or_else(|| panic!("there is no {table}.{column}"));
        assert!(["text", "bytea"].contains(&kind), "{table}.{column} is {kind}");
        assert_eq!(
            self.class_column(table, column),
            Some("text"),
            "{table}.{column} has no classes beside it"
        );
        self
    }

    pub(crate) fn class_column(&self, table: &str, column: &str) -> Option<&str> {
        let name = format!("{}__class", self.target_column(table, column));
        self.types.get(&(self.target(table), name)).map(String::as_str)
    }

    /// Whether an entry of what was not carried, or weakened, names all of these.
    pub(crate) fn is_listed(&self, names: &[&str]) -> bool {
        let lists = ["not_carried", "weakened"].map(|list| self.report[list].as_array().unwrap());
        lists.iter().copied().flatten().any(|entry| {
            let strings: Vec<&str> = entry.as_object().unwrap().values().flat_map(strings).collect();
            names
                .iter()
                .all(|name| strings.iter().any(|string| string.contains(name)))
        })
    }

    /// What an index or a constraint is called in the database.
    pub(crate) fn renamed<'a>(&'a self, kind: &str, name: &'a str) -> &'a str {
        let renamed = self.report["renamed"].as_array();
        let found = renamed
            .into_iter()
            .flatten()
            .find(|renamed| renamed["kind"] == kind && renamed["from"] == name);
        found.map_or(name, |renamed| renamed["to"].as_str().unwrap())
    }

    /// An entry of what was not carried, or weakened, names all of these.
    #[track_caller]
    pub(crate) fn lists(&self, names: &[&str]) -> &Self {
        assert!(
            self.is_listed(names),
            "nothing is listed of {names:?}: {}",
            self.report
        );
        self
    }

    /// Everything of the schema was carried as it is.
    #[track_caller]
    pub(crate) fn lists_nothing(&self) -> &Self {
        for list in ["not_carried", "weakened"] {
            assert_eq!(
                self.report[list].as_array().unwrap(),
                &Vec::<Value>::new(),
                "{list}"
            );
        }
        self
    }

    /// Runs the statements on the source, in the database and on the file that came back (that is, on copies of the files): all three
    /// take and refuse the same, and answer the same.
    pub(crate) async fn behaves(&self, statements: &[&str]) -> &Self {
        for statement in statements {
            let keys = self.next_keys().await;
            let expected = in_sqlite(&self.used_source, statement);
            let answers = [
                ("the database", self.answer(statement).await),
                ("the file back", in_sqlite(&self.used_back, statement)),
            ];
            for (who, answer) in answers {
                let same = match (&expected, &answer) {
                    (Ok(expected), Ok(answer)) => expected == answer,
                    (expected, answer) => expected.is_err() && answer.is_err(),
                };
                assert!(same, "{statement}\nthe source: {expected:?}\n{who}: {answer:?}");
            }
            if expected.is_err() {
                // A refused row costs PostgreSQL a number, and SQLite none.
                self.client.batch_execute(&keys).await.unwrap();
            }
        }
        self
    }

    /// What is in the database now does not come back: nothing is written, and the list names these.
    pub(crate) async fn is_refused_back(&self, naming: &[&str]) {
        let url = self.theme.database().await.url();
        let back = self.theme.elsewhere.path().join("refused.db");
        let arguments = [
            OsStr::new("copy"),
            OsStr::new(&url),
            back.as_os_str(),
            OsStr::new("--json"),
        ];
        let ended = run(self.theme.elsewhere.path(), None, &arguments).await;
        let report = ended.with(1, "copy of a way back with rejects").json();
        let list = report["rejects"].to_string();
        for name in naming {
            assert!(list.contains(name), "the rejects do not name {name}: {list}");
        }
        let written = fs::metadata(&back).map_or(0, |file| file.len());
        assert_eq!(written, 0, "nothing was to be written");
    }

    /// What the database has been made into does not come back, which is known before any value is looked at.
    pub(crate) async fn is_refused_back_at_once(&self, naming: &str) {
        let url = self.theme.database().await.url();
        let back = self.theme.elsewhere.path().join("none.db");
        let arguments = [OsStr::new("copy"), OsStr::new(&url), back.as_os_str()];
        let ended = run(self.theme.elsewhere.path(), None, &arguments).await;
        let said = ended.with(4, "copy of a way back that is refused").stderr;
        assert!(said.contains(naming), "{naming} is not named: {said}");
        let written = fs::metadata(&back).map_or(0, |file| file.len());
        assert_eq!(written, 0, "nothing was to be written");
    }

    /// The file that came back is verified against the database.
    pub(crate) async fn is_verified_back(&self) -> &Self {
        self.theme.verify_back().await;
        self
    }

    /// Verification finds what each of these statements changes in a table, which is put back afterwards.
    pub(crate) async fn finds(&self, table: &str, changes: &[&str]) -> &Self {
        let keep = format!("CREATE SCHEMA kept; CREATE TABLE kept.rows AS TABLE {table}");
        self.client.batch_execute(&keep).await.unwrap();
        for change in changes {
            let changed = self.client.execute(*change, &[]).await.unwrap();
            assert_eq!(changed, 1, "{change}");
            let verified = self.theme.command("verify", &[]).await.with(1, change).json();
            let tables = verified["tables"].as_array().unwrap();
            let listed = tables.iter().find(|listed| listed["name"] == table).unwrap();
            assert_eq!(listed["counts"]["different"], 1, "{change}: {verified}");
            let put_back =
                format!("DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE kept.rows");
            self.client.batch_execute(&put_back).await.unwrap();
        }
        self.client
            .batch_execute("DROP SCHEMA kept CASCADE")
            .await
            .unwrap();
        let verified = self.theme.command("verify", &[]).await;
        verified.with(0, "verify of what was put back");
        self
    }

    /// The file that comes back from what is in the database now.
    pub(crate) async fn again(&self) -> Connection {
        let again = self.theme.elsewhere.path().join("again.db");
        fs::remove_file(&again).unwrap_or_default();
        self.theme.bring_back(&again).await;
        Connection::open(again).unwrap()
    }

    /// What `behaves` has written comes back as SQLite has written it.
    pub(crate) async fn comes_back(&self) -> &Self {
        let used = Contents::of(&self.used_source);
        let mut found = differences(&used, &Contents::of(&self.again().await));
        // PostgreSQL gives no number twice, SQLite does unless it is told not to.
        found.retain(|difference| !difference.starts_with("sqlite_sequence"));
        assert!(
            found.is_empty(),
            "what was written over there:\n{}",
            shortened(&found.join("\n"))
        );
        self
    }

    /// The statements that put back what gives keys.
    async fn next_keys(&self) -> String {
        let sequences = "SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename) FROM pg_sequences WHERE schemaname <> 'cutover'";
        let mut statements = String::new();
        for row in self.query(sequences).await {
            let name = row[0].as_ref().unwrap();
            let at = self
                .query(&format!("SELECT last_value, is_called FROM {name}"))
                .await;
            let (last, called) = (at[0][0].as_ref().unwrap(), at[0][1].as_ref().unwrap());
            writeln!(
                statements,
                "SELECT setval('{}', {last}, '{called}');",
                name.replace('\'', "''")
            )
            .unwrap();
        }
        statements
    }

    /// What a query answers, as text.
    pub(crate) async fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.answer(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    async fn answer(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        let messages = self.client.simple_query(sql).await.map_err(|error| {
            error
                .as_db_error()
                .map_or_else(|| error.to_string(), |error| error.message().to_owned())
        })?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        _ => vec![],
    }
}

fn in_sqlite(connection: &Connection, sql: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    let answer = || -> rusqlite::Result<_> {
        let mut statement = connection.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        let mut answer = Vec::new();
        while let Some(row) = rows.next()? {
            let values = (0..columns).map(|at| {
                Ok(match row.get_ref(at)? {
                    ValueRef::Null => None,
                    ValueRef::Integer(number) => Some(number.to_string()),
                    ValueRef::Real(number) => Some(number.to_string()),
                    ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Blob(bytes) => Some(format!("\\x{}", hex(bytes))),
                })
            });
            answer.push(values.collect::<rusqlite::Result<_>>()?);
        }
        Ok(answer)
    };
    answer().map_err(|error| error.to_string())
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}

/// Runs statements on a file, which is made if it is not there.
pub(crate) fn execute(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    // As in the program that comes with SQLite, and most others.
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    connection
        .execute_batch(sql)
        .unwrap_or_else(|error| panic!("{error}: {sql}"));
}
