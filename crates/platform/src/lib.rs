//! What is done with a domain: the pipeline from source to judged version, the registry, scoring.
//! Knows no HTTP and names no domain.
#![deny(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod alerts;
pub mod bench;
mod demo;
mod error;
mod estimate;
mod features;
mod history;
mod home;
mod judge;
mod live;
pub mod monitor;
mod plan;
mod profiles;
mod progress;
mod purchases;
mod replay;
mod report;
mod run;
pub mod serve;
mod split;
mod steps;
mod store;
mod text;
mod train;
mod version;

pub use error::PlatformError;
pub use home::{Home, Published};
pub use plan::{check_domain, table_order};
pub use profiles::{ColumnDrift, ROWS_MIN};
pub use progress::{NoProgress, Progress};
pub use run::{Kept, Run, RunOptions, RunReport, StepName, StepReport, new_run_id, start, step};
pub use steps::health::CHAMPION;
pub use steps::validate::{GatesSpoiled, again as gates_again, papers_are_current};
pub use store::{AlertRecord, Alias, DeliveryRecord, GateRecord, Store, VersionRecord};
pub use version::{FeatureSchema, Manifest, MetricValue, Scorer};

/// Microseconds since 1970 UTC, now.
pub fn now_micros() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// RFC 3339 in UTC of microseconds since 1970.
pub fn instant_text(micros: i64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_micros(micros)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}

/// Threads for everything that is computed in parallel. Once a process; later calls change nothing.
pub fn use_threads(threads: usize) {
    // An error says that the threads were chosen before: they stay.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
}
