//! The decision log: every answer with what it was made from, durable before anybody hears of it. SQLite beside the home,
//! or PostgreSQL by URL; the same tables in both. One process writes a domain's log; its transactions hold all that waits.

use crate::PlatformError;
use crate::registry::ids::time_of_id;
use crate::serve::log_rows::{
    DECISION_COLUMNS, Decision, LoggedEvent, Outcome, append_postgres, append_sqlite, decision_of,
    decision_of_postgres, decisions_batch, outcomes_batch, store_error,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use septet_tables::arrow::array::RecordBatch;
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use tokio::runtime::Handle;
use tokio_postgres::Client;

/// Where a log is kept.
#[derive(Clone, Debug)]
pub enum LogPlace {
    File(PathBuf),
    /// Address of a PostgreSQL database.
    Url(String),
}

/// Of a log made anew. A row has one to two kilobytes, of which SQLite's own 4,096 bytes hold two.
const PAGE_BYTES: &str = "8192";

/// Bytes in SQLite's write-ahead log, and of those what is not in the database.
#[derive(Clone, Copy, Debug)]
pub struct WriteAhead {
    pub all: usize,
    pub unmoved: usize,
}

/// A batch takes one time for all its answers, and then an id for each, whose time is in whole milliseconds.
const BATCH_MICROS_MAX: i64 = 2_000_000;
const ID_MICROS: i64 = 1_000;

/// Rows read from the log at a time.
const SCAN_ROWS: i64 = 4_096;

pub enum DecisionLog {
    Sqlite { connection: Connection, domain: String },
    Postgres { client: Client, runtime: Handle, domain: String },
}

/// Tables of one domain. `{id}` and `{real}` differ between the databases.
fn tables(domain: &str, id: &str, real: &str, integer: &str) -> Vec<String> {
    vec![
        format!(
            "CREATE TABLE IF NOT EXISTS {domain}_decisions (
                sequence {id}, request_id TEXT NOT NULL, key TEXT NOT NULL, idempotency_key TEXT, trace_id TEXT NOT NULL,
                event_time {integer} NOT NULL, answered_at {integer} NOT NULL, version TEXT NOT NULL, run_id TEXT NOT NULL,
                input TEXT NOT NULL, features TEXT NOT NULL, probability {real} NOT NULL, action TEXT, answer TEXT NOT NULL)"
        ),
        // A request is found by the time in its id; earlier programs kept an index.
        format!("DROP INDEX IF EXISTS {domain}_decisions_request"),
        format!("CREATE UNIQUE INDEX IF NOT EXISTS {domain}_decisions_key ON {domain}_decisions (key)"),
        format!(
            "CREATE UNIQUE INDEX IF NOT EXISTS {domain}_decisions_idempotency ON {domain}_decisions (idempotency_key)
             WHERE idempotency_key IS NOT NULL"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {domain}_outcomes (
                sequence {id}, key TEXT NOT NULL, label TEXT NOT NULL, value TEXT NOT NULL, told_at {integer} NOT NULL)"
        ),
        format!("CREATE INDEX IF NOT EXISTS {domain}_outcomes_key ON {domain}_outcomes (key, label)"),
    ]
}

impl LogPlace {
    /// Opens the log and makes its tables. Every opening is a connection of its own.
    pub async fn open(&self, domain: &str) -> Result<DecisionLog, PlatformError> {
        match self {
            LogPlace::File(path) => {
                crate::registry::home::make_folder(path.parent().unwrap_or(Path::new(".")))?;
                let log = sqlite(path, domain, OpenFlags::default())?;
                let DecisionLog::Sqlite { connection, .. } = &log else { return Ok(log) };
                for statement in tables(domain, "INTEGER PRIMARY KEY", "REAL", "INTEGER") {
                    connection.execute_batch(&statement).map_err(store_error)?;
                }
                Ok(log)
            }
            LogPlace::Url(url) => {
                let client = crate::registry::connect_postgres(url).await?;
                for statement in tables(domain, "BIGSERIAL PRIMARY KEY", "DOUBLE PRECISION", "BIGINT") {
                    client.batch_execute(&statement).await.map_err(store_error)?;
                }
                Ok(DecisionLog::Postgres { client, runtime: Handle::current(), domain: domain.to_owned() })
            }
        }
    }
}

fn sqlite(path: &Path, domain: &str, flags: OpenFlags) -> Result<DecisionLog, PlatformError> {
    let connection = Connection::open_with_flags(path, flags).map_err(|error| PlatformError::io(path, error))?;
    let set = |name: &str, value: &str| connection.pragma_update(None, name, value).map_err(store_error);
    connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(store_error)?;
    // A log that is there keeps its own.
    set("page_size", PAGE_BYTES)?;
    set("journal_mode", "WAL")?;
    // A commit is on disk when it returns.
    set("synchronous", "FULL")?;
    set("cache_size", "-65536")?;
    // The writer makes checkpoints when nobody waits for it.
    set("wal_autocheckpoint", "0")?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(DecisionLog::Sqlite { connection, domain: domain.to_owned() })
}

impl DecisionLog {
    fn domain(&self) -> &str {
        match self {
            DecisionLog::Sqlite { domain, .. } | DecisionLog::Postgres { domain, .. } => domain,
        }
    }

    /// Writes all in one transaction, on disk when it returns. Must not be called on a thread of the runtime.
    pub fn append(&mut self, decisions: &[&Decision], outcomes: &[&Outcome]) -> Result<(), PlatformError> {
        match self {
            DecisionLog::Sqlite { connection, domain } => append_sqlite(connection, domain, decisions, outcomes),
            DecisionLog::Postgres { client, runtime, domain } => {
                runtime.block_on(append_postgres(client, domain, decisions, outcomes))
            }
        }
    }

    /// Moves what is in SQLite's write-ahead log into the database; none if another connection is at it. The log begins anew
    /// when a write finds all of it moved. There is nothing to move in PostgreSQL.
    pub fn checkpoint(&self) -> Result<Option<WriteAhead>, PlatformError> {
        let DecisionLog::Sqlite { connection, .. } = self else { return Ok(None) };
        let pages = |row: &Row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        let (all, moved) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], pages).map_err(store_error)?;
        let page: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(store_error)?;
        let bytes = |pages: i64| (pages * page) as usize;
        Ok((all >= moved && moved >= 0).then(|| WriteAhead { all: bytes(all), unmoved: bytes(all - moved) }))
    }

    /// Another connection to the same database and its file, for whoever moves its write-ahead log; none where there is no
    /// such log. The file must stay open as long as any connection: closing it gives up SQLite's locks of the process.
    pub fn beside(&self) -> Result<Option<(DecisionLog, File)>, PlatformError> {
        let DecisionLog::Sqlite { connection, domain } = self else { return Ok(None) };
        let path = Path::new(connection.path().ok_or_else(|| store_error("its file has no name"))?);
        let own = sqlite(path, domain, OpenFlags::default())?;
        let file = File::options().write(true).open(path).map_err(|error| PlatformError::io(path, error))?;
        Ok(Some((own, file)))
    }

    /// From here on a commit is not waited for: it is on disk once this file, SQLite's write-ahead log, has been synced. None
    /// where a commit is on disk when it returns. Before the log is moved SQLite syncs it in any case, and a commit that was
    /// not synced is lost as a whole, with what followed it.
    pub fn leave_sync(&self) -> Result<Option<File>, PlatformError> {
        let DecisionLog::Sqlite { connection, .. } = self else { return Ok(None) };
        let path =
            PathBuf::from(format!("{}-wal", connection.path().ok_or_else(|| store_error("its file has no name"))?));
        let file = File::options().write(true).open(&path).map_err(|error| PlatformError::io(&path, error))?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(store_error)?;
        Ok(Some(file))
    }

    pub fn by_key(&self, key: &str) -> Result<Option<Decision>, PlatformError> {
        self.one("key = $1", key)
    }

    pub fn by_idempotency_key(&self, key: &str) -> Result<Option<Decision>, PlatformError> {
        self.one("idempotency_key = $1", key)
    }

    /// Looks where the time in the id says; where the clock had been set back, everywhere.
    pub fn by_request(&self, request_id: &str) -> Result<Option<Decision>, PlatformError> {
        if let Some(made) = time_of_id(request_id) {
            let (from, to) = (made.saturating_sub(BATCH_MICROS_MAX), made.saturating_add(ID_MICROS));
            let (from, to) = (self.first_answered_at(from)?, self.first_answered_at(to)?);
            let near = self.one(&format!("request_id = $1 AND sequence >= {from} AND sequence < {to}"), request_id)?;
            if near.is_some() {
                return Ok(near);
            }
        }
        self.one("request_id = $1", request_id)
    }

    /// The place of the first answer at or after a time, if answers lie in the order of their times; one beyond the last if
    /// there is none.
    fn first_answered_at(&self, time: i64) -> Result<i64, PlatformError> {
        let (mut low, mut high) = (0, self.last_sequence()? + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            // Places may be missing.
            match self.answered_from(middle)? {
                Some((sequence, answered_at)) if answered_at < time => low = sequence + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Place and time of the first answer at or after a place.
    fn answered_from(&self, sequence: i64) -> Result<Option<(i64, i64)>, PlatformError> {
        let sql = format!(
            "SELECT sequence, answered_at FROM {}_decisions WHERE sequence >= $1 ORDER BY sequence LIMIT 1",
            self.domain()
        );
        match self {
            DecisionLog::Sqlite { connection, .. } => {
                let mut statement = connection.prepare_cached(&sql).map_err(store_error)?;
                statement.query_row([sequence], |row| Ok((row.get(0)?, row.get(1)?))).optional().map_err(store_error)
            }
            DecisionLog::Postgres { client, runtime, .. } => {
                let found = runtime.block_on(client.query_opt(&sql, &[&sequence])).map_err(store_error)?;
                Ok(found.map(|row| (row.get(0), row.get(1))))
            }
        }
    }

    fn one(&self, condition: &str, value: &str) -> Result<Option<Decision>, PlatformError> {
        let sql = format!("SELECT {DECISION_COLUMNS} FROM {}_decisions WHERE {condition}", self.domain());
        match self {
            DecisionLog::Sqlite { connection, .. } => {
                let mut statement = connection.prepare_cached(&sql).map_err(store_error)?;
                statement.query_row([value], decision_of).optional().map_err(store_error)
            }
            DecisionLog::Postgres { client, runtime, .. } => {
                let found = runtime.block_on(client.query_opt(&sql, &[&value])).map_err(store_error)?;
                found.as_ref().map(decision_of_postgres).transpose()
            }
        }
    }

    /// The place of the newest answer; 0 if there is none.
    pub fn last_sequence(&self) -> Result<i64, PlatformError> {
        let sql = format!("SELECT coalesce(max(sequence), 0) FROM {}_decisions", self.domain());
        match self {
            DecisionLog::Sqlite { connection, .. } => {
                connection.query_row(&sql, [], |row| row.get(0)).map_err(store_error)
            }
            DecisionLog::Postgres { client, runtime, .. } => {
                runtime.block_on(client.query_one(&sql, &[])).and_then(|row| row.try_get(0)).map_err(store_error)
            }
        }
    }

    /// Hands over the events answered after a place, in order, some thousand at a time, until `upto` (included).
    pub fn scan(
        &self,
        after: i64,
        upto: i64,
        act: &mut dyn FnMut(Vec<LoggedEvent>) -> Result<(), PlatformError>,
    ) -> Result<(), PlatformError> {
        let sql = format!(
            "SELECT sequence, key, input FROM {}_decisions WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence LIMIT $3",
            self.domain()
        );
        let mut at = after;
        loop {
            let rows: Vec<LoggedEvent> = match self {
                DecisionLog::Sqlite { connection, .. } => {
                    let mut statement = connection.prepare_cached(&sql).map_err(store_error)?;
                    let event =
                        |row: &Row| Ok(LoggedEvent { sequence: row.get(0)?, key: row.get(1)?, input: row.get(2)? });
                    let rows = statement.query_map([at, upto, SCAN_ROWS], event).map_err(store_error)?;
                    rows.collect::<Result<_, _>>().map_err(store_error)?
                }
                DecisionLog::Postgres { client, runtime, .. } => {
                    let rows = runtime.block_on(client.query(&sql, &[&at, &upto, &SCAN_ROWS])).map_err(store_error)?;
                    rows.iter()
                        .map(|row| LoggedEvent { sequence: row.get(0), key: row.get(1), input: row.get(2) })
                        .collect()
                }
            };
            let Some(last) = rows.last() else { return Ok(()) };
            at = last.sequence;
            act(rows)?;
        }
    }

    /// The whole log as the tables `decisions` and `outcomes`, for people's queries.
    pub fn tables(&self) -> Result<[(&'static str, RecordBatch); 2], PlatformError> {
        let sql = format!("SELECT {DECISION_COLUMNS} FROM {}_decisions ORDER BY sequence", self.domain());
        let decisions: Vec<Decision> = match self {
            DecisionLog::Sqlite { connection, .. } => {
                let mut statement = connection.prepare(&sql).map_err(store_error)?;
                let rows = statement.query_map([], decision_of).map_err(store_error)?;
                rows.collect::<Result<_, _>>().map_err(store_error)?
            }
            DecisionLog::Postgres { client, runtime, .. } => {
                let rows = runtime.block_on(client.query(&sql, &[])).map_err(store_error)?;
                rows.iter().map(decision_of_postgres).collect::<Result<_, _>>()?
            }
        };
        let sql = format!("SELECT key, label, value, told_at FROM {}_outcomes ORDER BY sequence", self.domain());
        let outcomes: Vec<Outcome> = match self {
            DecisionLog::Sqlite { connection, .. } => {
                let mut statement = connection.prepare(&sql).map_err(store_error)?;
                let outcome = |row: &Row| {
                    Ok(Outcome { key: row.get(0)?, label: row.get(1)?, value: row.get(2)?, told_at: row.get(3)? })
                };
                let rows = statement.query_map([], outcome).map_err(store_error)?;
                rows.collect::<Result<_, _>>().map_err(store_error)?
            }
            DecisionLog::Postgres { client, runtime, .. } => {
                let rows = runtime.block_on(client.query(&sql, &[])).map_err(store_error)?;
                let outcome = |row: &tokio_postgres::Row| Outcome {
                    key: row.get(0),
                    label: row.get(1),
                    value: row.get(2),
                    told_at: row.get(3),
                };
                rows.iter().map(outcome).collect()
            }
        };
        Ok([("decisions", decisions_batch(&decisions)?), ("outcomes", outcomes_batch(&outcomes)?)])
    }

    /// The newest answers of a version, at most `rows_max`, newest first.
    pub fn of_version(&self, version: &str, rows_max: i64) -> Result<Vec<Decision>, PlatformError> {
        let sql = format!(
            "SELECT {DECISION_COLUMNS} FROM {}_decisions WHERE version = $1 ORDER BY sequence DESC LIMIT $2",
            self.domain()
        );
        match self {
            DecisionLog::Sqlite { connection, .. } => {
                let mut statement = connection.prepare(&sql).map_err(store_error)?;
                let rows =
                    statement.query_map(rusqlite::params![version, rows_max], decision_of).map_err(store_error)?;
                rows.collect::<Result<_, _>>().map_err(store_error)
            }
            DecisionLog::Postgres { client, runtime, .. } => {
                let rows = runtime.block_on(client.query(&sql, &[&version, &rows_max])).map_err(store_error)?;
                rows.iter().map(decision_of_postgres).collect()
            }
        }
    }

    /// Latest value (JSON) of every outcome told before a time (microseconds), by key and label.
    pub fn outcomes(&self, told_before: i64) -> Result<HashMap<(String, String), String>, PlatformError> {
        let sql =
            format!("SELECT key, label, value FROM {}_outcomes WHERE told_at < $1 ORDER BY sequence", self.domain());
        let rows: Vec<(String, String, String)> = match self {
            DecisionLog::Sqlite { connection, .. } => {
                let mut statement = connection.prepare(&sql).map_err(store_error)?;
                let rows = statement
                    .query_map([told_before], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                    .map_err(store_error)?;
                rows.collect::<Result<_, _>>().map_err(store_error)?
            }
            DecisionLog::Postgres { client, runtime, .. } => {
                let rows = runtime.block_on(client.query(&sql, &[&told_before])).map_err(store_error)?;
                rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
            }
        };
        Ok(rows.into_iter().map(|(key, label, value)| ((key, label), value)).collect())
    }

    /// Latest value (JSON) told for one event's label.
    pub fn outcome(&self, key: &str, label: &str) -> Result<Option<String>, PlatformError> {
        let sql = format!(
            "SELECT value FROM {}_outcomes WHERE key = $1 AND label = $2 ORDER BY sequence DESC LIMIT 1",
            self.domain()
        );
        match self {
            DecisionLog::Sqlite { connection, .. } => {
                let mut statement = connection.prepare_cached(&sql).map_err(store_error)?;
                statement.query_row([key, label], |row| row.get(0)).optional().map_err(store_error)
            }
            DecisionLog::Postgres { client, runtime, .. } => {
                let found = runtime.block_on(client.query_opt(&sql, &[&key, &label])).map_err(store_error)?;
                Ok(found.map(|row| row.get(0)))
            }
        }
    }
}

/// Takes the newest answer out of a log that nobody serves: for trials of what notices such a loss.
pub fn forget_newest(path: &Path, domain: &str) -> Result<(), PlatformError> {
    let DecisionLog::Sqlite { connection, .. } = sqlite(path, domain, OpenFlags::default())? else { return Ok(()) };
    let sql = format!("DELETE FROM {domain}_decisions WHERE sequence = (SELECT max(sequence) FROM {domain}_decisions)");
    connection.execute(&sql, []).map(drop).map_err(store_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::ids::fresh_id;
    use std::sync::Arc;

    fn decision(key: &str, answered_at: i64) -> Decision {
        Decision {
            sequence: 0,
            request_id: fresh_id().to_string().into(),
            key: Arc::from(key),
            idempotency_key: None,
            trace_id: Arc::default(),
            event_time: 0,
            answered_at,
            version: Arc::from("v"),
            run_id: Arc::from("r"),
            input: Arc::from("{}"),
            features: "[]".to_owned(),
            probability: 0.5,
            action: None,
            answer: Arc::from("{"),
        }
    }

    #[test]
    fn a_request_is_found_by_its_id_even_where_the_clock_was_set_back() {
        let folder = tempfile::tempdir().unwrap();
        let place = LogPlace::File(folder.path().join("log.db"));
        let mut log = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(place.open("d")).unwrap();
        let now = crate::registry::clock::now_micros();
        // Ids are of now; these times are hours away from it, a minute and nothing.
        let ages = [9_000_000_000, 7_200_000_000, 60_000_000, 0, 3_600_000_000, 0];
        let rows: Vec<Decision> =
            ages.iter().zip(["a", "b", "c", "d", "e", "f"]).map(|(age, key)| decision(key, now - age)).collect();
        log.append(&rows.iter().collect::<Vec<_>>(), &[]).unwrap();
        forget_newest(&folder.path().join("log.db"), "d").unwrap();
        for row in &rows[..5] {
            assert_eq!(log.by_request(&row.request_id).unwrap().unwrap().key, row.key);
        }
        assert_eq!(log.by_request(&rows[5].request_id).unwrap(), None);
        assert_eq!(log.by_request("not an id").unwrap(), None);
        assert_eq!(log.first_answered_at(now - 8_000_000_000).unwrap(), 2);
        assert_eq!(log.first_answered_at(now + 1).unwrap(), 6);
    }
}
