//! The store in one file. Every write is on disk before it returns.

use super::store::Row;
use crate::error::PlatformError;
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// How long a writer waits for another process before it gives up.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

pub struct Sqlite {
    connection: Mutex<Connection>,
}

fn error(error: rusqlite::Error) -> PlatformError {
    PlatformError::Store(error.to_string())
}

impl Sqlite {
    pub fn open(file: &Path) -> Result<Sqlite, PlatformError> {
        let connection = Connection::open(file).map_err(|e| PlatformError::io(file, e))?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(error)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(error)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(error)?;
        Ok(Sqlite { connection: Mutex::new(connection) })
    }

    pub fn execute(&self, sql: &str, values: &[&str]) -> Result<u64, PlatformError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = connection.execute(sql, rusqlite::params_from_iter(values)).map_err(error)?;
        Ok(changed as u64)
    }

    pub fn rows(&self, sql: &str, values: &[&str]) -> Result<Vec<Row>, PlatformError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(sql).map_err(error)?;
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row| (0..columns).map(|at| row.get::<_, Option<String>>(at)).collect();
        statement
            .query_map(rusqlite::params_from_iter(values), row)
            .map_err(error)?
            .collect::<Result<_, _>>()
            .map_err(error)
    }
}
