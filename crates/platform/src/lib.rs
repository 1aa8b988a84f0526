//! What is done with a domain: the pipeline from source to judged version, the registry, answering, monitoring.
//! Knows no HTTP and names no domain.
#![deny(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod alerts;
pub mod bench;
mod cases;
mod check;
mod error;
mod inputs;
mod judge;
pub mod kinds;
pub mod monitor;
mod own_names;
mod progress;
mod registry;
mod report;
mod run;
pub mod serve;
mod split;
#[cfg(test)]
mod tests;
mod values;
mod version;

pub use check::check_domain;
pub use error::PlatformError;
pub use inputs::places::table_order;
pub use progress::{NoProgress, Progress};
pub use registry::alert_store::{AlertRecord, DeliveryRecord};
pub use registry::clock::{instant_text, now_micros, rfc3339};
pub use registry::home::{Home, Published};
pub use registry::store::{Alias, AliasChange, GateRecord, Signed, Store, VersionRecord};
pub use registry::{CHAMPION, PINNED};
pub use run::{
    Broken, DemoBreak, DryFinding, DryInput, GatesSpoiled, Kept, MISSING_WORDS, Run, RunOptions, RunReport, StepName,
    StepReport, VersionAction, break_demo, change_version, dry_extract, gates_again, new_run_id, papers_are_current,
    start, step,
};
pub use version::profiles::{ColumnDrift, ROWS_MIN};
pub use version::{FeatureSchema, Manifest, MetricValue, Scorer};

/// Threads for everything that is computed in parallel. Once a process; later calls change nothing.
pub fn use_threads(threads: usize) {
    // An error says that the threads were chosen before: they stay.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
}
