//! Opening the database: where it lives, how it syncs, and the readers' pool.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::schema::{self, Schema};
use crate::error::{Error, Result};

/// How long a connection waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(10);
/// Statements kept prepared by each connection; more than there are fixed ones.
const STATEMENTS: usize = 256;
/// Idle readers that are kept; a burst opens more and closes them again.
const IDLE_READERS: usize = 16;
/// The pages that a reader keeps, in KiB: the upper ones of what is read often. The operating system
/// has the others.
const READER_PAGES: i64 = 8_192;

/// When a commit is on the disk.
///
/// In WAL mode neither loses or tears a committed transaction when the process is killed; they
/// differ when the machine loses power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A power cut may undo the last commits, never part of one. Ingest can be repeated from its
    /// source without harm, so this is the default, and a commit costs no wait for the disk.
    #[default]
    Process,
    /// Every commit waits for the disk.
    Power,
}

/// Where the database is.
#[derive(Debug, Clone)]
pub(super) struct Location {
    name: PathBuf,
    in_memory: bool,
    durability: Durability,
    schema: &'static Schema,
}

impl Location {
    /// A file; its folder must exist.
    pub(super) fn file(path: &Path, durability: Durability, schema: &'static Schema) -> Self {
        Self { name: path.to_owned(), in_memory: false, durability, schema }
    }

    /// A database of its own in this process's memory, for tests.
    pub(super) fn memory(schema: &'static Schema) -> Result<Self> {
        let mut name = [0_u8; 16];
        rand::fill(&mut name).map_err(Error::internal)?;
        let name = format!("file:/{}?vfs=memdb", hex::encode(name));
        let durability = Durability::Process;
        Ok(Self { name: name.into(), in_memory: true, durability, schema })
    }

    /// Opens the connection that writes, if the file may be used at all.
    pub(super) fn open_writer(&self) -> Result<Connection> {
        self.check_folder()?;
        self.keep_private();
        let connection = self.open(OpenFlags::SQLITE_OPEN_CREATE)?;
        // Nothing is changed in a file that is not ours, or of a newer version.
        let kind = schema::kind(&connection, self.schema).map_err(|error| self.explain(error))?;
        schema::judge(kind, &self.name)?;
        schema::pending(&connection, self.schema)?;
        Ok(connection)
    }

    /// Opens a connection that reads; the writer's must be open.
    fn open_reader(&self) -> Result<Connection> {
        let connection = self.open(OpenFlags::empty())?;
        let set = || {
            connection.pragma_update(None, "query_only", true)?;
            connection.pragma_update(None, "cache_size", -READER_PAGES)
        };
        set().map_err(|error| self.explain(error))?;
        Ok(connection)
    }

    fn open(&self, extra: OpenFlags) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI
            | extra;
        let open = || {
            let connection = Connection::open_with_flags(&self.name, flags)?;
            connection.busy_timeout(BUSY)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            // A kept statement is planned once: otherwise each new value of its LIMIT has it planned
            // anew, which costs more than most statements do.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            Ok(connection)
        };
        open().map_err(|error| self.explain(error))
    }

    /// Sets up the connection that writes.
    pub(super) fn prepare(&self, connection: &Connection) -> Result<()> {
        self.set_up(connection).map_err(|error| self.explain(error))
    }

    fn set_up(&self, connection: &Connection) -> rusqlite::Result<()> {
        // The page size takes effect on a new file only; resources are 1 to 3 kB.
        connection.pragma_update(None, "page_size", 8_192)?;
        if !self.in_memory {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
            connection.pragma_update(None, "journal_size_limit", 64 * 1_024 * 1_024)?;
        }
        // What is deleted is overwritten, so that what was taken away for good is not in the file.
        connection.pragma_update(None, "secure_delete", true)?;
        let level = match self.durability {
            Durability::Process => "NORMAL",
            Durability::Power => "FULL",
        };
        connection.pragma_update(None, "synchronous", level)?;
        connection.pragma_update(None, "cache_size", -49_152)
    }

    /// Makes a new file readable by its owner only; SQLite gives its companions the same mode.
    fn keep_private(&self) {
        #[cfg(unix)]
        if !self.in_memory {
            use std::os::unix::fs::OpenOptionsExt;
            let mut options = std::fs::OpenOptions::new();
            // Where this fails, opening the database fails too and says why.
            drop(options.write(true).create_new(true).mode(0o600).open(&self.name));
        }
    }

    fn check_folder(&self) -> Result<()> {
        let folder = self.name.parent().filter(|folder| !folder.as_os_str().is_empty());
        match folder {
            Some(folder) if !self.in_memory && !folder.is_dir() => Err(Error::Setup(format!(
                "the data folder {} does not exist; create it, or name another",
                folder.display()
            ))),
            _ => Ok(()),
        }
    }

    fn explain(&self, error: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode::{CannotOpen, NotADatabase, PermissionDenied, ReadOnly};
        let name = self.name.display();
        match error.sqlite_error_code() {
            Some(CannotOpen | PermissionDenied | ReadOnly) => Error::Setup(format!(
                "{name} cannot be written; give this user the right to write to its folder, or \
                 name another"
            )),
            Some(NotADatabase) => Error::Setup(format!(
                "{name} is not a database; move it away, or name another data folder"
            )),
            _ => broken(error),
        }
    }
}

/// What a failed statement means to the caller.
pub(super) fn broken(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{DatabaseBusy, DiskFull, ReadOnly};
    match error.sqlite_error_code() {
        Some(DiskFull) => Error::Setup("the data folder's disk is full; make room".to_owned()),
        Some(ReadOnly) => Error::Setup("the data folder has become read-only".to_owned()),
        Some(DatabaseBusy) => Error::Setup(
            "another process has been writing to the data folder for too long; wait for it or end \
             it"
            .to_owned(),
        ),
        _ => Error::internal(error),
    }
}

/// Connections that read. Each is used by one thread at a time; there are as many as threads have
/// ever read at once, up to a bound.
pub(super) struct Readers {
    location: Location,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(location: Location) -> Self {
        Self { location, idle: Mutex::new(Vec::new()) }
    }

    /// Takes a connection for a moment.
    pub(super) fn take(&self) -> Result<Reader<'_>> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.location.open_reader()?,
        };
        Ok(Reader { connection: Some(connection), pool: self })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back to its pool when dropped.
pub(super) struct Reader<'a> {
    connection: Option<Connection>,
    pool: &'a Readers,
}

impl Reader<'_> {
    /// Runs `read`; several statements of it may see different states of the database.
    pub(super) fn run<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.connection().and_then(|connection| read(connection).map_err(broken))
    }

    /// Runs `read` in one snapshot of the database.
    pub(super) fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let connection = self.connection()?;
        let run =
            |statement| connection.prepare_cached(statement).and_then(|mut kept| kept.execute([]));
        run("BEGIN").map_err(broken)?;
        let answer = read(connection);
        // Where even this fails, the connection is not used again.
        run("COMMIT").map_err(broken)?;
        answer
    }

    /// The connection; several statements may see different states of the database.
    pub(super) fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(|| Error::broken("a reader without connection"))
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let mut idle = self.pool.idle();
            if idle.len() < IDLE_READERS && connection.is_autocommit() {
                idle.push(connection);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_kept_statement_is_planned_once() {
        let connection = Location::memory(&schema::STORE).unwrap().open_writer().unwrap();
        connection.execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY)").unwrap();
        for limit in 1..5 {
            let mut kept = connection.prepare_cached("SELECT a FROM t LIMIT ?1").unwrap();
            assert!(!kept.exists([limit]).unwrap());
            assert_eq!(kept.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
