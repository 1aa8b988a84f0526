//! The registry: which runs were made, how each step went, which versions there are, which one answers.
//! SQLite in the home folder, or PostgreSQL by URL; the same SQL on both.

use super::{alert_store, postgres, sqlite};
use crate::error::PlatformError;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Statements that bring an empty store to the current shape, in order; on one that has it they change nothing.
const MIGRATIONS: [&str; 5] = [
    "CREATE TABLE IF NOT EXISTS runs (
        domain TEXT NOT NULL, run_id TEXT NOT NULL, status TEXT NOT NULL, options TEXT NOT NULL,
        started_at TEXT NOT NULL, finished_at TEXT, error TEXT, PRIMARY KEY (domain, run_id))",
    "CREATE TABLE IF NOT EXISTS steps (
        domain TEXT NOT NULL, run_id TEXT NOT NULL, name TEXT NOT NULL, report TEXT NOT NULL,
        PRIMARY KEY (domain, run_id, name))",
    "CREATE TABLE IF NOT EXISTS versions (
        domain TEXT NOT NULL, version TEXT NOT NULL, run_id TEXT NOT NULL, status TEXT NOT NULL,
        created_at TEXT NOT NULL, metrics TEXT NOT NULL, gates TEXT NOT NULL, PRIMARY KEY (domain, version))",
    "CREATE TABLE IF NOT EXISTS aliases (
        domain TEXT NOT NULL, alias TEXT NOT NULL, version TEXT NOT NULL, changed_at TEXT NOT NULL,
        PRIMARY KEY (domain, alias))",
    "CREATE TABLE IF NOT EXISTS alias_changes (
        domain TEXT NOT NULL, alias TEXT NOT NULL, version TEXT NOT NULL, previous TEXT NOT NULL, changed_at TEXT NOT NULL,
        changed_by TEXT NOT NULL, why TEXT NOT NULL)",
];

/// What deleted versions are noted under, beside the aliases.
pub const DELETED: &str = "deleted";

/// One small interface over both databases: text in, text out.
pub enum Store {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    pub run_id: String,
    pub domain: String,
    /// `running`, `done` or `failed`.
    pub status: String,
    pub options: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct VersionRecord {
    pub version: String,
    pub run_id: String,
    /// `trained`, `passed` or `failed`.
    pub status: String,
    pub created_at: String,
    /// JSON as the version's manifest has it.
    pub metrics: String,
    pub gates: Vec<GateRecord>,
}

/// One thing a version had to hold, and what was found.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct GateRecord {
    pub name: String,
    pub passed: bool,
    pub evidence: String,
}

/// Who changes something, and why.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    pub by: &'a str,
    pub why: &'a str,
}

/// One move of an alias; `version` is empty where it was taken away, `previous` where it had named none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AliasChange {
    pub version: String,
    pub previous: String,
    pub changed_at: String,
    pub changed_by: String,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alias {
    pub alias: String,
    pub version: String,
    pub changed_at: String,
}

pub(super) type Row = Vec<Option<String>>;

impl Store {
    /// Opens the store, and brings it to the current shape.
    pub async fn open(file: &Path, database_url: Option<&str>) -> Result<Store, PlatformError> {
        let store = match database_url {
            Some(url) => Store::Postgres(postgres::Postgres::connect(url).await?),
            None => Store::Sqlite(sqlite::Sqlite::open(file)?),
        };
        for statement in MIGRATIONS.into_iter().chain(alert_store::MIGRATIONS) {
            store.execute(statement, &[]).await?;
        }
        Ok(store)
    }

    /// Rows changed. `$1`, `$2` ... stand in order and each once.
    pub(super) async fn execute(&self, sql: &str, values: &[&str]) -> Result<u64, PlatformError> {
        match self {
            Store::Sqlite(store) => store.execute(sql, values),
            Store::Postgres(store) => store.execute(sql, values).await,
        }
    }

    pub(super) async fn rows(&self, sql: &str, values: &[&str]) -> Result<Vec<Row>, PlatformError> {
        match self {
            Store::Sqlite(store) => store.rows(sql, values),
            Store::Postgres(store) => store.rows(sql, values).await,
        }
    }

    pub async fn begin_run(&self, run: &RunRecord) -> Result<(), PlatformError> {
        let sql = "INSERT INTO runs (run_id, domain, status, options, started_at) VALUES ($1, $2, $3, $4, $5)";
        self.execute(sql, &[&run.run_id, &run.domain, &run.status, &run.options, &now()]).await.map(drop)
    }

    pub async fn end_run(
        &self,
        domain: &str,
        run_id: &str,
        status: &str,
        error: Option<&str>,
    ) -> Result<(), PlatformError> {
        let sql = "UPDATE runs SET status = $1, finished_at = $2, error = $3 WHERE domain = $4 AND run_id = $5";
        self.execute(sql, &[status, &now(), error.unwrap_or(""), domain, run_id]).await.map(drop)
    }

    pub async fn run(&self, domain: &str, run_id: &str) -> Result<Option<RunRecord>, PlatformError> {
        let sql = "SELECT run_id, domain, status, options FROM runs WHERE domain = $1 AND run_id = $2";
        Ok(self.rows(sql, &[domain, run_id]).await?.pop().map(run_record))
    }

    /// The domain's newest run, whatever became of it.
    pub async fn newest_run(&self, domain: &str) -> Result<Option<RunRecord>, PlatformError> {
        let sql = "SELECT run_id, domain, status, options FROM runs WHERE domain = $1
                   ORDER BY started_at DESC, run_id DESC LIMIT 1";
        Ok(self.rows(sql, &[domain]).await?.pop().map(run_record))
    }

    /// The report of a whole step; a repeated step replaces its report.
    pub async fn put_step(&self, domain: &str, run_id: &str, name: &str, report: &str) -> Result<(), PlatformError> {
        let sql = "INSERT INTO steps (domain, run_id, name, report) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (domain, run_id, name) DO UPDATE SET report = excluded.report";
        self.execute(sql, &[domain, run_id, name, report]).await.map(drop)
    }

    /// Forgets that a step was done: what it was made from is about to change.
    pub async fn forget_step(&self, domain: &str, run_id: &str, name: &str) -> Result<(), PlatformError> {
        let sql = "DELETE FROM steps WHERE domain = $1 AND run_id = $2 AND name = $3";
        self.execute(sql, &[domain, run_id, name]).await.map(drop)
    }

    pub async fn step(&self, domain: &str, run_id: &str, name: &str) -> Result<Option<String>, PlatformError> {
        let sql = "SELECT report FROM steps WHERE domain = $1 AND run_id = $2 AND name = $3";
        Ok(self.rows(sql, &[domain, run_id, name]).await?.pop().map(|row| text(&row, 0)))
    }

    pub async fn put_version(
        &self,
        domain: &str,
        version: &str,
        run_id: &str,
        metrics: &str,
    ) -> Result<(), PlatformError> {
        let sql = "INSERT INTO versions (domain, version, run_id, status, created_at, metrics, gates)
                   VALUES ($1, $2, $3, 'trained', $4, $5, '[]')
                   ON CONFLICT (domain, version) DO UPDATE SET metrics = excluded.metrics";
        self.execute(sql, &[domain, version, run_id, &now(), metrics]).await.map(drop)
    }

    pub async fn judge_version(&self, domain: &str, version: &str, gates: &[GateRecord]) -> Result<(), PlatformError> {
        let status = if gates.iter().all(|gate| gate.passed) { "passed" } else { "failed" };
        let gates = serde_json::to_string(gates).map_err(|error| PlatformError::Store(error.to_string()))?;
        let sql = "UPDATE versions SET status = $1, gates = $2 WHERE domain = $3 AND version = $4";
        self.execute(sql, &[status, &gates, domain, version]).await.map(drop)
    }

    /// Newest first.
    pub async fn versions(&self, domain: &str) -> Result<Vec<VersionRecord>, PlatformError> {
        let sql = "SELECT version, run_id, status, created_at, metrics, gates FROM versions WHERE domain = $1
                   ORDER BY created_at DESC, version";
        let record = |row: Row| VersionRecord {
            version: text(&row, 0),
            run_id: text(&row, 1),
            status: text(&row, 2),
            created_at: text(&row, 3),
            metrics: text(&row, 4),
            gates: serde_json::from_str(&text(&row, 5)).unwrap_or_default(),
        };
        Ok(self.rows(sql, &[domain]).await?.into_iter().map(record).collect())
    }

    pub async fn version(&self, domain: &str, version: &str) -> Result<Option<VersionRecord>, PlatformError> {
        Ok(self.versions(domain).await?.into_iter().find(|record| record.version == version))
    }

    pub async fn alias(&self, domain: &str, alias: &str) -> Result<Option<Alias>, PlatformError> {
        let sql = "SELECT alias, version, changed_at FROM aliases WHERE domain = $1 AND alias = $2";
        let record = |row: Row| Alias { alias: text(&row, 0), version: text(&row, 1), changed_at: text(&row, 2) };
        Ok(self.rows(sql, &[domain, alias]).await?.pop().map(record))
    }

    /// Moves an alias from the version it is believed to name; false if it names another by now. Who did it and why is kept.
    pub async fn move_alias(
        &self,
        domain: &str,
        alias: &str,
        from: Option<&str>,
        to: &str,
        signed: Signed<'_>,
    ) -> Result<bool, PlatformError> {
        let changed = match from {
            Some(from) => {
                let sql = "UPDATE aliases SET version = $1, changed_at = $2 WHERE domain = $3 AND alias = $4 AND version = $5";
                self.execute(sql, &[to, &now(), domain, alias, from]).await?
            }
            None => {
                let sql = "INSERT INTO aliases (domain, alias, version, changed_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
                self.execute(sql, &[domain, alias, to, &now()]).await?
            }
        };
        if changed == 1 {
            self.note_alias(domain, alias, from.unwrap_or_default(), to, signed).await?;
        }
        Ok(changed == 1)
    }

    /// Takes an alias away from the version it is believed to name; false if it names another by now.
    pub async fn drop_alias(
        &self,
        domain: &str,
        alias: &str,
        from: &str,
        signed: Signed<'_>,
    ) -> Result<bool, PlatformError> {
        let sql = "DELETE FROM aliases WHERE domain = $1 AND alias = $2 AND version = $3";
        let dropped = self.execute(sql, &[domain, alias, from]).await? == 1;
        if dropped {
            self.note_alias(domain, alias, from, "", signed).await?;
        }
        Ok(dropped)
    }

    async fn note_alias(
        &self,
        domain: &str,
        alias: &str,
        from: &str,
        to: &str,
        signed: Signed<'_>,
    ) -> Result<(), PlatformError> {
        let sql = "INSERT INTO alias_changes (domain, alias, version, previous, changed_at, changed_by, why)
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        self.execute(sql, &[domain, alias, to, from, &now(), signed.by, signed.why]).await.map(drop)
    }

    /// What became of an alias, newest first.
    pub async fn alias_changes(&self, domain: &str, alias: &str) -> Result<Vec<AliasChange>, PlatformError> {
        let sql = "SELECT version, previous, changed_at, changed_by, why FROM alias_changes
                   WHERE domain = $1 AND alias = $2 ORDER BY changed_at DESC";
        let record = |row: Row| AliasChange {
            version: text(&row, 0),
            previous: text(&row, 1),
            changed_at: text(&row, 2),
            changed_by: text(&row, 3),
            why: text(&row, 4),
        };
        Ok(self.rows(sql, &[domain, alias]).await?.into_iter().map(record).collect())
    }

    /// Forgets a version that no alias names; false if one does, or there is no such version.
    pub async fn delete_version(&self, domain: &str, version: &str, signed: Signed<'_>) -> Result<bool, PlatformError> {
        let sql = "DELETE FROM versions WHERE domain = $1 AND version = $2
                   AND NOT EXISTS (SELECT 1 FROM aliases WHERE domain = $1 AND version = $2)";
        let deleted = self.execute(sql, &[domain, version]).await? == 1;
        if deleted {
            self.note_alias(domain, DELETED, version, "", signed).await?;
        }
        Ok(deleted)
    }
}

fn run_record(row: Row) -> RunRecord {
    RunRecord { run_id: text(&row, 0), domain: text(&row, 1), status: text(&row, 2), options: text(&row, 3) }
}

pub(super) fn text(row: &Row, at: usize) -> String {
    row.get(at).cloned().flatten().unwrap_or_default()
}

pub(super) fn now() -> String {
    moment_after(std::time::Duration::ZERO)
}

/// A moment from now, as text that sorts by time.
pub(crate) fn moment_after(pause: std::time::Duration) -> String {
    (chrono::Utc::now() + pause).format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
