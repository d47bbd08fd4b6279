//! Opening a file that is not ours, to read it and nothing else.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_ports::transfer::{TransferError, TransferResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

/// The first bytes of every SQLite file.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// A SQLite file that is read and never written: no checkpoint, no rollback, no change of the file. (SQLite itself may make the
/// side files `-wal` and `-shm` of a file in WAL mode, without which no reader can take part in its locking.)
#[derive(Debug, Clone)]
pub struct SourceFile {
    path: PathBuf,
    busy_timeout: Duration,
}

impl SourceFile {
    /// Looks at the file before SQLite does, because SQLite takes an empty file for an empty database and a cut one for a whole
    /// one until it meets the missing page.
    pub fn new(path: &Path, busy_timeout: Duration) -> TransferResult<Self> {
        let source = Self {
            path: path.to_owned(),
            busy_timeout,
        };
        source.look().map(|()| source)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn look(&self) -> TransferResult<()> {
        let cannot = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => self.unreachable("there is no such file"),
            _ => self.unreachable(&format!("it cannot be read ({error})")),
        };
        let size = fs::metadata(&self.path).map_err(cannot)?;
        if size.is_dir() {
            return Err(self.unreachable("it is a directory"));
        }
        let size = size.len();
        let mut header = [0_u8; 100];
        let mut file = File::open(&self.path).map_err(cannot)?;
        file.seek(SeekFrom::Start(0)).map_err(cannot)?;
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
            0 => return Ok(()),
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
        Ok(())
    }

    fn side_file_size(&self, suffix: &str) -> u64 {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        fs::metadata(PathBuf::from(name)).map_or(0, |metadata| metadata.len())
    }

    /// A connection that reads. It is defensive: the file's own schema can run nothing.
    pub fn connect(&self) -> TransferResult<Connection> {
        self.try_connect().map_err(|error| self.error(&error))
    }

    fn try_connect(&self) -> rusqlite::Result<Connection> {
        // Without SQLITE_OPEN_URI a path is a path, whatever it holds.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.busy_timeout)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        // CHECK constraints are read as text and judged by the target; running them makes quick_check slow and noisy.
        connection.execute_batch(
            "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA ignore_check_constraints = ON;
             PRAGMA temp_store = MEMORY; SELECT count(*) FROM sqlite_schema;",
        )?;
        Ok(connection)
    }

    /// What an error of SQLite means for reading this file.
    pub fn error(&self, error: &rusqlite::Error) -> TransferError {
        let detail = error.to_string();
        let text = match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => "it is not a SQLite database, or it is encrypted".to_owned(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => format!(
                "it is locked by another program (waited {} s)",
                self.busy_timeout.as_secs_f64()
            ),
            Some(ErrorCode::DatabaseCorrupt) => format!("the file is corrupt: {detail}"),
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
