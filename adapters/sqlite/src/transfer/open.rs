//! Opening a file that is not ours, to read it and nothing else.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cutover_domain::transfer::name::quoted;
use cutover_ports::transfer::{TransferError, TransferResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, ffi};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::collations;
use super::pages::Pages;
use crate::identity::{FileIdentity, side_file};

/// The first bytes of every SQLite file.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// How often a snapshot is tried again when a writer commits while its connections begin.
const SNAPSHOT_TRIES: usize = 100;

/// A SQLite file that is read and never written: no checkpoint, no rollback, no change of the file, and no file beside it that was
/// not there.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// As somebody has named it.
    path: PathBuf,
    /// Where it is, whatever links lead there: its log and its journal are beside that.
    place: PathBuf,
    busy_timeout: Duration,
    /// What was looked at.
    bytes: Option<Bytes>,
    /// Read in place of the file, if the file cannot be read without a change beside it.
    copy: Option<Arc<PrivateCopy>>,
    side_files: Arc<SideFiles>,
}

/// The bytes of a file, from its first.
///
/// Whoever closes any descriptor of a file gives up all locks that the process has on it, SQLite's among them (fcntl(2), "record locks"):
/// others would take the file of a running service for one that nobody has open, and take its WAL away. So a descriptor that was opened
/// here is never closed, and serves whoever reads the file next.
#[derive(Debug, Clone)]
pub(super) struct Bytes {
    file: Arc<File>,
    next: u64,
}

impl Bytes {
    #[cfg(unix)]
    fn of(path: &Path) -> std::io::Result<Self> {
        static OPENED: Mutex<Vec<Arc<File>>> = Mutex::new(Vec::new());
        let wanted = FileIdentity::at(path)?;
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |file: &&Arc<File>| is(file, &wanted);
        let known = opened.iter().find(is_wanted).map(Arc::clone);
        let file = if let Some(file) = known {
            file
        } else {
            let file = Arc::new(File::open(path)?);
            opened.push(Arc::clone(&file));
            file
        };
        drop(opened);
        Ok(Self { file, next: 0 })
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self {
            file: Arc::new(File::open(path)?),
            next: 0,
        })
    }

    #[cfg(unix)]
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> std::io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&*self.file, buffer, at)
    }

    #[cfg(not(unix))]
    pub(super) fn read_exact_at(&self, _: &mut [u8], _: u64) -> std::io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Whether this is the file that is at `path`.
    fn is_at(&self, path: &Path) -> bool {
        FileIdentity::at(path).is_ok_and(|wanted| is(&self.file, &wanted))
    }
}

/// Whether an open file is this one.
fn is(file: &File, wanted: &FileIdentity) -> bool {
    file.metadata()
        .is_ok_and(|found| FileIdentity::of(&found) == *wanted)
}

impl Read for Bytes {
    #[cfg(unix)]
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.next)?;
        self.next += u64::try_from(read).unwrap_or(0);
        Ok(read)
    }

    #[cfg(not(unix))]
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        (&*self.file).read(buffer)
    }
}

/// A copy of a file and its journal or WAL. A file whose last writer died in mid-transaction holds half of a change, and the
/// journal beside it the way back, which may be gone in a copy only; a WAL on read-only media can be read in a copy only. It lies
/// in a directory of its own, for nobody else to read, and is removed with the value, or where the program was killed by the next that
/// makes one.
#[derive(Debug)]
struct PrivateCopy {
    directory: TempDir,
    /// Locked as long as somebody uses the directory.
    _lock: File,
}

/// How the directories of private copies begin.
const PRIVATE: &str = "cutover-source-";

impl PrivateCopy {
    fn file(&self) -> PathBuf {
        self.directory.path().join("source.db")
    }

    fn make(path: &Path, suffix: &str) -> std::io::Result<Self> {
        Self::remove_forgotten(&std::env::temp_dir());
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let directory = builder.prefix(PRIVATE).tempdir()?;
        // It has its name once it is locked: one that is not is taken for forgotten.
        let unnamed = directory.path().join("unlocked");
        let lock = File::create_new(&unnamed)?;
        lock.lock()?;
        fs::rename(unnamed, directory.path().join("lock"))?;
        let copy = Self {
            directory,
            _lock: lock,
        };
        // Contents only: a copy of a file that nobody may write must be writable.
        for (from, to) in [
            (path.to_owned(), copy.file()),
            (side_file(path, suffix), side_file(&copy.file(), suffix)),
        ] {
            std::io::copy(&mut Bytes::of(&from)?, &mut File::create_new(to)?)?;
        }
        Ok(copy)
    }

    /// Removes those that a program has left behind that was killed.
    fn remove_forgotten(among: &Path) {
        for entry in fs::read_dir(among).into_iter().flatten().flatten() {
            let directory = entry.path();
            let is_private = entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(PRIVATE.as_bytes());
            let lock = directory.join("lock");
            // What somebody else has put there may be anything.
            let is_ours = is_private && fs::symlink_metadata(&lock).is_ok_and(|found| found.is_file());
            if is_ours && File::open(&lock).is_ok_and(|lock| lock.try_lock().is_ok()) {
                match fs::remove_dir_all(&directory) {
                    Ok(()) => {
                        tracing::info!(directory = %directory.display(), "removed a copy that was left behind");
                    }
                    Err(error) => tracing::debug!(%error, "a copy that was left behind stays"),
                }
            }
        }
    }
}

/// The files `-wal` and `-shm`, without which nobody reads a database in WAL mode beside others: those that reading has made are
/// removed with the value, when the last connection is closed.
#[derive(Debug)]
struct SideFiles {
    path: PathBuf,
    /// Of the two, those that were not there.
    missing: Vec<PathBuf>,
}

impl SideFiles {
    fn of(path: &Path) -> Self {
        let both = ["-wal", "-shm"].map(|suffix| side_file(path, suffix));
        Self {
            path: path.to_owned(),
            missing: both.into_iter().filter(|file| !file.exists()).collect(),
        }
    }

    /// Takes the file for itself, which succeeds only if no other program has begun to use it, and removes them.
    fn remove(&self) -> rusqlite::Result<()> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::ZERO)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // In this mode SQLite needs no shared memory: that file can go.
        connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; SELECT count(*) FROM sqlite_schema;")?;
        // If somebody has written since, both files are his.
        if self
            .missing
            .iter()
            .all(|file| fs::metadata(file).map_or(true, |found| found.len() == 0 || is_shm(file)))
        {
            for file in &self.missing {
                fs::remove_file(file).unwrap_or_default();
            }
        }
        Ok(())
    }
}

fn is_shm(file: &Path) -> bool {
    file.as_os_str().as_encoded_bytes().ends_with(b"-shm")
}

impl Drop for SideFiles {
    fn drop(&mut self) {
        if self.missing.iter().any(|file| file.exists())
            && let Err(error) = self.remove()
        {
            tracing::debug!(%error, "the files beside the source stay: another program uses them");
        }
    }
}

/// A connection that reads a [`SourceFile`]; what reading has put beside the file goes when the last one is closed.
#[derive(Debug)]
pub struct Reader {
    // In this order: closed first.
    connection: Connection,
    _side_files: Arc<SideFiles>,
}

impl Reader {
    /// The connection alone. It must be closed before the [`SourceFile`] goes.
    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }
}

impl Deref for Reader {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

/// Begins `work` on a thread of its own, off the async ones; what comes of it is received. The runtime's own such threads end the program where
/// the system grants none.
pub(super) fn begin<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> TransferResult<oneshot::Receiver<T>> {
    let (sender, receiver) = oneshot::channel();
    // Nobody waits any more after an error elsewhere.
    let thread = std::thread::Builder::new().spawn(move || drop(sender.send(work())));
    thread.map_err(|error| {
        TransferError::Failed(format!(
            "cannot start a thread ({error}); give this program more memory, or more threads (ulimit)"
        ))
    })?;
    Ok(receiver)
}

/// Does what reads a file, or waits for one, off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> TransferResult<T> + Send + 'static,
) -> TransferResult<T> {
    begin(work)?.await.unwrap_or_else(|_| {
        Err(TransferError::Failed(
            "reading the SQLite file was broken off".to_owned(),
        ))
    })
}

impl SourceFile {
    /// The file, looked at off the async threads: it may be waited for as long as `busy_timeout`, and may have to be copied.
    pub async fn open(path: &Path, busy_timeout: Duration) -> TransferResult<Self> {
        let path = path.to_owned();
        blocking(move || Self::new(&path, busy_timeout)).await
    }

    /// Looks at the file before SQLite does, because SQLite takes an empty file for an empty database and a cut one for a whole
    /// one until it meets the missing page. It blocks.
    pub(crate) fn new(path: &Path, busy_timeout: Duration) -> TransferResult<Self> {
        let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut source = Self {
            path: path.to_owned(),
            busy_timeout,
            bytes: None,
            copy: None,
            side_files: Arc::new(SideFiles::of(&place)),
            place,
        };
        source.bytes = Some(source.look()?);
        let (journal, wal) = (source.side_file_size("-journal"), source.side_file_size("-wal"));
        if journal + wal > 0
            && let Err(error) = source.try_connect(&source.place, Access::Shared)
        {
            let hot = matches!(&error, rusqlite::Error::SqliteFailure(error, _)
                if error.extended_code == ffi::SQLITE_READONLY_ROLLBACK);
            if hot {
                source.read_a_copy("-journal")?;
            } else if wal > 0 && no_side_files(&error) {
                source.read_a_copy("-wal")?;
            } else if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) {
                // It was waited for.
                return Err(source.error(&error));
            }
        }
        Ok(source)
    }

    fn read_a_copy(&mut self, suffix: &str) -> TransferResult<()> {
        let copy = PrivateCopy::make(&self.place, suffix).map_err(|error| {
            self.unreachable(&format!(
                "a program died while writing to it, and no copy can be made to undo that ({error})"
            ))
        })?;
        let connection = Connection::open(copy.file()).map_err(|error| self.error(&error))?;
        connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
            .map_err(|error| self.error(&error))?;
        self.copy = Some(Arc::new(copy));
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn look(&self) -> TransferResult<Bytes> {
        let cannot = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => self.unreachable("there is no such file"),
            _ => self.unreachable(&format!("it cannot be read ({error})")),
        };
        let size = fs::metadata(&self.path).map_err(cannot)?;
        if size.is_dir() {
            return Err(self.unreachable("it is a directory"));
        }
        if !size.is_file() {
            // Opening a pipe waits for somebody to write to it.
            return Err(self.unreachable("it is no ordinary file"));
        }
        let size = size.len();
        let mut header = [0_u8; 100];
        let mut file = Bytes::of(&self.path).map_err(cannot)?;
        let mut filled = 0;
        while let Some(rest) = header.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read(rest).map_err(cannot)? {
                0 => break,
                read => filled += read,
            }
        }
        let wal = self.side_file_size("-wal");
        match filled {
            0 if wal == 0 => {
                return Err(self.unreachable("the file is empty: no tables (is the path right?)"));
            }
            // A new database whose first pages are in the WAL still.
            0 => return Ok(file),
            _ if !header.starts_with(MAGIC) => {
                return Err(self.unreachable("it is not a SQLite database, or it is encrypted"));
            }
            1..100 => return Err(self.unreachable("the file is cut: not even its header is whole")),
            _ => {}
        }
        let number =
            |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let page_size = match u64::from(header[16]) << 8 | u64::from(header[17]) {
            1 => 65_536,
            size => size,
        };
        // The page count counts if the last writer kept it up to date; with a WAL some pages may be there only.
        let expected = page_size * u64::from(number(28));
        if number(24) == number(92) && wal == 0 && size < expected {
            return Err(self.unreachable(&format!(
                "the file is cut: its header says {expected} bytes, it has {size}"
            )));
        }
        Ok(file)
    }

    fn side_file_size(&self, suffix: &str) -> u64 {
        fs::metadata(side_file(&self.place, suffix)).map_or(0, |metadata| metadata.len())
    }

    /// A connection that reads. It is defensive: the file's own schema can run nothing.
    pub fn connect(&self) -> TransferResult<Reader> {
        let path = self
            .copy
            .as_ref()
            .map_or_else(|| self.place.clone(), |copy| copy.file());
        let connection = match self.try_connect(&path, Access::Shared) {
            // A file in WAL mode where no side files can be made (read-only media): nobody can write it either.
            Err(error) if no_side_files(&error) && self.side_file_size("-wal") == 0 => {
                self.try_connect(&path, Access::Immutable).map_err(|_| error)
            }
            outcome => outcome,
        };
        Ok(Reader {
            connection: connection.map_err(|error| self.error(&error))?,
            _side_files: Arc::clone(&self.side_files),
        })
    }

    fn try_connect(&self, path: &Path, access: Access) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match access {
            // Without SQLITE_OPEN_URI a path is a path, whatever it holds.
            Access::Shared => Connection::open_with_flags(path, flags)?,
            Access::Immutable => {
                Connection::open_with_flags(immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI)?
            }
        };
        connection.busy_timeout(self.busy_timeout)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        // CHECK constraints are read as text and judged by the target; running them makes quick_check slow and noisy. What is sorted, as all
        // keys of a table, does not have to fit into memory: SQLite has a folder for that, and leaves nothing in it.
        connection.execute_batch(
            "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA ignore_check_constraints = ON;
             PRAGMA temp_store = FILE;",
        )?;
        let look = "SELECT count(*) FROM sqlite_schema";
        if let Err(error) = connection.execute_batch(look) {
            if !is_malformed(&error) {
                return Err(error);
            }
            // So that what else there is can be read. Nothing can be written all the same.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true)?;
            connection.execute_batch(look)?;
        }
        collations::stand_in_for_all(&connection)?;
        Ok(connection)
    }

    /// Connections that see the same state: none commits between the first and the last beginning, as a witness tells. To one that may not
    /// write the files beside a file in WAL mode, and finds nobody who uses them, each look is at a new version. Then an empty log tells:
    /// a commit would be in it, and none leaves it while the first connection reads.
    pub fn snapshot(&self, count: usize) -> TransferResult<Vec<Reader>> {
        let witness = self.connect()?;
        let connections: Vec<Reader> = (0..count.max(1))
            .map(|_| self.connect())
            .collect::<Result<_, _>>()?;
        let version = || witness.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0));
        let log = side_file(&self.place, "-wal");
        let has_empty_log = || fs::metadata(&log).is_ok_and(|found| found.len() == 0);
        let attempt = || -> rusqlite::Result<bool> {
            let before = version()?;
            for connection in &connections {
                // A deferred transaction begins with its first read.
                connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")?;
            }
            if version()? == before || has_empty_log() {
                return Ok(true);
            }
            for connection in &connections {
                connection.execute_batch("ROLLBACK")?;
            }
            Ok(false)
        };
        for _ in 0..SNAPSHOT_TRIES {
            if attempt().map_err(|error| self.error(&error))? {
                return Ok(connections);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(self.unreachable("another program writes to it without a pause"))
    }

    /// The pages that a snapshot sees, which `connection` has begun: if all are in the file, and nobody can write one before the snapshot ends.
    pub(super) fn pages(&self, connection: &Connection) -> Option<Pages> {
        let bytes = self.bytes.as_ref().filter(|_| self.copy.is_none())?;
        let count = connection
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .ok()?;
        let pages = Pages::of(bytes.clone(), count).ok()?;
        // With an empty log a snapshot is of the file, and keeps others from bringing into it what they log meanwhile: with locks, in the shared
        // memory, that only those hold who may write it.
        let is_locked = || {
            !pages.is_logged()
                || rustix::fs::access(side_file(&self.place, "-shm"), rustix::fs::Access::WRITE_OK).is_ok()
        };
        let is_whole = self.side_file_size("-wal") == 0 && is_locked();
        // Somebody may have put another file there before the connection was opened.
        (is_whole && bytes.is_at(&self.place)).then_some(pages)
    }

    /// What an error of SQLite means for reading this file.
    pub fn error(&self, error: &rusqlite::Error) -> TransferError {
        if let Some(what) = want_of_room(error) {
            // Of nothing that the file can be blamed for.
            return TransferError::Failed(format!("cannot read {}: {what}", self.path.display()));
        }
        let detail = error.to_string();
        let text = match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => "it is not a SQLite database, or it is encrypted".to_owned(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => format!(
                "it is locked by another program (waited {} s)",
                self.busy_timeout.as_secs_f64()
            ),
            Some(ErrorCode::DatabaseCorrupt) => format!(
                "the file is corrupt ({detail}); restore a backup, or save what can be read with sqlite3's .recover"
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
                format!("it cannot be opened for reading: {detail}")
            }
            _ => detail,
        };
        self.unreachable(&text)
    }

    fn unreachable(&self, what: &str) -> TransferError {
        TransferError::Unreachable(format!("cannot read {}: {what}", self.path.display()))
    }
}

/// How a table is selected from without any index of it: one may be damaged, or lack rows. Where a key holds the rows SQLite does not heed
/// NOT INDEXED, and may take another index for the whole table.
pub(super) fn unindexed(connection: &Connection, table: &str) -> rusqlite::Result<String> {
    // A key that holds the rows has no rowid behind its columns.
    let sql = "SELECT name FROM pragma_index_list(?1, 'main') AS key WHERE origin = 'pk'
               AND NOT EXISTS (SELECT 1 FROM pragma_index_xinfo(key.name, 'main') WHERE cid = -1)";
    let mut statement = connection.prepare_cached(sql)?;
    let key: Option<String> = statement.query_row([table], |row| row.get(0)).optional()?;
    Ok(key.map_or_else(
        || "NOT INDEXED".to_owned(),
        |key| format!("INDEXED BY {}", quoted(&key)),
    ))
}

/// Where SQLite puts what it sorts.
pub(super) const TEMPORARY_FOLDER: &str = "SQLITE_TMPDIR or TMPDIR, else /var/tmp";

/// What reading has not enough of, if that is the error: memory, or room for what it sorts.
fn want_of_room(error: &rusqlite::Error) -> Option<String> {
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        return None;
    };
    let folder = TEMPORARY_FOLDER;
    match (failure.code, failure.extended_code) {
        (ErrorCode::OutOfMemory, _) | (_, ffi::SQLITE_IOERR_NOMEM) => {
            Some("there is not enough memory for it; give this program more".to_owned())
        }
        // Nothing else is written where a file is read.
        (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_WRITE) => Some(format!(
            "the folder for SQLite's temporary files ({folder}) has no room for the keys, which are sorted there; make room or name another"
        )),
        (_, ffi::SQLITE_IOERR_GETTEMPPATH) => Some(format!(
            "there is no folder that SQLite may write its temporary files to, for the keys, which are sorted there; name one by {folder}"
        )),
        _ => None,
    }
}

/// Whether the schema has a text that SQLite does not understand.
fn is_malformed(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
        && error.to_string().starts_with("malformed database schema")
}

/// Whether the files that reading in WAL mode needs cannot be made.
fn no_side_files(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)
    )
}

/// How a file is opened.
#[derive(Debug, Clone, Copy)]
enum Access {
    /// Beside other programs.
    Shared,
    /// As something that cannot change.
    Immutable,
}

/// Every byte but letters and digits escaped, so that nothing of the path means anything.
fn immutable_uri(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte));
            }
            // Writing to a string cannot fail.
            other => write!(uri, "%{other:02x}").unwrap_or_default(),
        }
    }
    uri + "?immutable=1"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::SqliteSource;

    /// Opens a file so that nobody else can.
    fn hold(path: &Path) -> Connection {
        let holder = Connection::open(path).unwrap();
        holder
            .execute_batch(
                "PRAGMA journal_mode = WAL; CREATE TABLE t (a); PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)",
            )
            .unwrap();
        holder
    }

    /// It is waited for once, and not by each connection anew.
    #[test]
    fn a_file_that_is_held_is_refused_at_once_after_the_wait() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("held.db");
        let _holder = hold(&path);
        let error = SourceFile::new(&path, Duration::from_millis(20))
            .map(|_| ())
            .unwrap_err();
        assert!(error.to_string().contains("locked by another program"), "{error}");
    }

    /// What `waiting` comes to, and how often other work of the same thread had its turn meanwhile.
    async fn beside_others<T>(waiting: impl Future<Output = T>) -> (T, u32) {
        let mut turns = 0;
        let others = async {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                turns += 1;
            }
        };
        let outcome = tokio::select! {
            outcome = waiting => outcome,
            () = others => unreachable!("it has no end"),
        };
        (outcome, turns)
    }

    #[tokio::test]
    async fn a_file_that_is_waited_for_keeps_no_other_work_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("held.db");
        let _holder = hold(&path);
        let patience = Duration::from_millis(100);
        let file = async { SourceFile::open(&path, patience).await.map(drop) };
        let source = async { SqliteSource::open(&path, patience, 2).await.map(drop) };
        for (opened, turns) in [beside_others(file).await, beside_others(source).await] {
            let error = opened.unwrap_err().to_string();
            assert!(
                error.contains("it is locked by another program (waited 0.1 s)"),
                "{error}"
            );
            assert!(turns > 9, "{turns}");
        }
    }

    #[test]
    fn a_dead_writers_change_is_undone_in_a_copy() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hot.db");
        let writer = Connection::open(&path).unwrap();
        writer
            .execute_batch(
                "CREATE TABLE t (a); INSERT INTO t VALUES (1); PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN;
                 UPDATE t SET a = 2; CREATE TABLE filler (b);
                 INSERT INTO filler SELECT randomblob(1000) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i FROM n);",
            )
            .unwrap();
        // What a crash leaves: both files as they are now, and nobody who holds a lock.
        let dead = directory.path().join("dead #?%.db");
        fs::copy(&path, &dead).unwrap();
        fs::copy(side_file(&path, "-journal"), side_file(&dead, "-journal")).unwrap();
        let before = (
            fs::read(&dead).unwrap(),
            fs::read(side_file(&dead, "-journal")).unwrap(),
        );
        let source = SourceFile::new(&dead, Duration::from_secs(1)).unwrap();
        assert!(source.copy.is_some(), "the journal is hot");
        let value: i64 = source
            .connect()
            .unwrap()
            .query_row("SELECT a FROM t", [], |row| row.get(0))
            .unwrap();
        assert_eq!(value, 1);
        let tables: i64 = source
            .connect()
            .unwrap()
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .unwrap();
        assert_eq!(tables, 1);
        assert!(
            before
                == (
                    fs::read(&dead).unwrap(),
                    fs::read(side_file(&dead, "-journal")).unwrap()
                )
        );
        let copy = source.copy.as_ref().unwrap().file();
        drop(source);
        assert!(!copy.exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_what_nobody_uses_is_forgotten() {
        let among = tempfile::tempdir().unwrap();
        let private = |name: &str| {
            let directory = among.path().join(name);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("source.db"), "bytes").unwrap();
            directory
        };
        let forgotten = private("cutover-source-a");
        fs::write(forgotten.join("lock"), "").unwrap();
        let used = private("cutover-source-b");
        let lock = File::create_new(used.join("lock")).unwrap();
        lock.lock().unwrap();
        let unlocked = private("cutover-source-c");
        let linked = private("cutover-source-d");
        std::os::unix::fs::symlink(forgotten.join("source.db"), linked.join("lock")).unwrap();
        let other = private("other");
        fs::write(other.join("lock"), "").unwrap();
        PrivateCopy::remove_forgotten(among.path());
        assert!(!forgotten.exists());
        for kept in [used, unlocked, linked, other] {
            assert!(kept.join("source.db").exists(), "{}", kept.display());
        }
    }

    /// As the process 1 of a container, which was killed and has started again, finds what it made before.
    #[cfg(unix)]
    #[test]
    fn a_copy_is_private_and_touches_no_other() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("read.db");
        fs::write(&path, "bytes").unwrap();
        fs::write(side_file(&path, "-wal"), "log").unwrap();
        let others: Vec<PathBuf> = (0..16)
            .map(|n| std::env::temp_dir().join(format!("cutover-{}-{n}", std::process::id())))
            .collect();
        for other in &others {
            fs::create_dir(other).unwrap();
        }
        let copy = PrivateCopy::make(&path, "-wal").unwrap();
        let made = copy.file();
        assert_eq!(fs::read(&made).unwrap(), b"bytes");
        assert_eq!(fs::read(side_file(&made, "-wal")).unwrap(), b"log");
        let mode = fs::metadata(made.parent().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(copy);
        assert!(!made.parent().unwrap().exists());
        for other in &others {
            fs::remove_dir(other).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn reading_in_wal_mode_leaves_nothing_behind_and_takes_nothing_from_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("wal.db");
        let files = || fs::read_dir(directory.path()).unwrap().count();
        let begin = || Connection::open(&path).unwrap();
        begin()
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)")
            .unwrap();
        let before = fs::read(&path).unwrap();
        let read = |named: &Path| {
            let source = SourceFile::new(named, Duration::from_secs(1)).unwrap();
            let (one, two) = (source.connect().unwrap(), source.connect().unwrap());
            drop(source);
            one.query_row("SELECT a FROM t", [], |_| Ok(())).unwrap();
            drop(one);
            assert_eq!(files(), 3, "the other connection still needs both");
            drop(two);
        };
        let elsewhere = tempfile::tempdir().unwrap();
        let link = elsewhere.path().join("link.db");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for named in [&path, &link] {
            read(named);
            assert_eq!((files(), fs::read(&path).unwrap() == before), (1, true));
        }

        // Somebody comes while we read, and stays.
        let source = SourceFile::new(&path, Duration::from_secs(1)).unwrap();
        let reader = source.connect().unwrap();
        let writer = begin();
        writer
            .execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES (2)")
            .unwrap();
        drop((reader, source));
        assert_eq!(files(), 3);
        let rows = |connection: &Connection| -> i64 {
            connection
                .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
                .unwrap()
        };
        writer.execute_batch("INSERT INTO t VALUES (3)").unwrap();
        assert_eq!(rows(&begin()), 3);
    }

    #[test]
    fn a_file_is_not_blamed_for_what_the_machine_lacks() {
        let file = TempDir::new().unwrap();
        let path = file.path().join("whole.db");
        Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE t (a)")
            .unwrap();
        let source = SourceFile::new(&path, Duration::ZERO).unwrap();
        for (code, told) in [
            (ffi::SQLITE_NOMEM, "there is not enough memory"),
            (
                ffi::SQLITE_FULL,
                "temporary files (SQLITE_TMPDIR or TMPDIR, else /var/tmp) has no room",
            ),
            (
                ffi::SQLITE_IOERR_GETTEMPPATH,
                "no folder that SQLite may write its temporary files to",
            ),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let error = source.error(&error);
            assert!(
                matches!(&error, TransferError::Failed(text) if text.contains(told)),
                "{error:?}"
            );
        }
    }

    #[test]
    fn any_path_can_be_opened_as_immutable() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a b%20#?é'\".db");
        Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE t (a)")
            .unwrap();
        let source = SourceFile::new(&path, Duration::from_secs(1)).unwrap();
        let connection = source.try_connect(&path, Access::Immutable).unwrap();
        assert!(connection.execute_batch("CREATE TABLE u (a)").is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
