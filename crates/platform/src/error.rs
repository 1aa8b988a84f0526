//! What can go wrong in a run, each with what to do about it.

use septet_domain::Problems;
use septet_tables::TablesError;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    #[error(transparent)]
    Domain(#[from] Problems),
    #[error(transparent)]
    Tables(#[from] TablesError),
    #[error("`{path}`: {reason}")]
    Io { path: PathBuf, reason: String },
    #[error("store: {0}")]
    Store(String),
    /// What a `tests/NAME.sql` of the domain says must hold does not.
    #[error("{file}: {rows} rows, expected none; one of them: {example}{}", hint(says))]
    Test { file: String, rows: u64, example: String, says: String },
    #[error("{0}")]
    Training(String),
    /// The rows do not determine this candidate; another may be fitted.
    #[error("{0}")]
    NotDetermined(String),
    #[error("version `{version}` cannot be loaded: {reason}")]
    Version { version: String, reason: String },
    #[error("another run of `{0}` is at work (its lock is held); wait for it or stop it")]
    Locked(String),
    #[error(
        "run {run_id} holds less than run {in_force}, whose tables are in force: {}; nothing was changed. If that is meant, repeat with --accept; the rows: septet sql {domain} --run {run_id} \"SELECT ...\"",
        what.join("; ")
    )]
    HoldsLess { domain: String, run_id: String, in_force: String, what: Vec<String> },
    #[error("{what}; {hint}")]
    Usage { what: String, hint: String },
}

impl PlatformError {
    pub fn io(path: impl Into<PathBuf>, error: impl std::fmt::Display) -> PlatformError {
        PlatformError::Io { path: path.into(), reason: error.to_string() }
    }

    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> PlatformError {
        PlatformError::Usage { what: what.into(), hint: hint.into() }
    }
}

fn hint(says: &str) -> String {
    if says.is_empty() { String::new() } else { format!("\n  what must hold: {says}") }
}

/// An error of the engine's arrays: a fault of ours, not of a domain.
pub(crate) fn arrow_error(error: impl std::fmt::Display) -> PlatformError {
    PlatformError::Tables(TablesError::Engine(error.to_string()))
}
