//! One run: six steps, each whole or not at all. A run that was killed goes on at its first missing step.

mod demo;
mod demo_break;
mod dry;
mod extract;
mod health;
mod in_force;
mod limits;
mod load;
pub mod prepare;
pub(crate) mod table_tests;
mod train;
mod transform;
mod validate;
mod versions;

pub use demo_break::{Broken, DemoBreak, break_demo};
pub use dry::{DryFinding, DryInput, MISSING_WORDS, dry_extract};
pub use validate::{GatesSpoiled, again as gates_again, papers_are_current};
pub use versions::{VersionAction, change_version};

use crate::inputs::TrainingData;
use crate::registry::home::Lock;
use crate::registry::store::{GateRecord, RunRecord};
use crate::version::MetricValue;
use crate::{Home, PlatformError, Progress, Store};
use septet_domain::Domain;
use septet_tables::{Engine, EngineSettings, Location, local_files};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tracing::info;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepName {
    Extract,
    Transform,
    Load,
    Train,
    Validate,
    Health,
}

impl StepName {
    pub const ALL: [StepName; 6] =
        [StepName::Extract, StepName::Transform, StepName::Load, StepName::Train, StepName::Validate, StepName::Health];

    pub fn word(self) -> &'static str {
        match self {
            StepName::Extract => "extract",
            StepName::Transform => "transform",
            StepName::Load => "load",
            StepName::Train => "train",
            StepName::Validate => "validate",
            StepName::Health => "health",
        }
    }

    pub fn parse(word: &str) -> Option<StepName> {
        StepName::ALL.into_iter().find(|step| step.word() == word)
    }
}

/// What a run is asked for. Equal options on an equal domain resume an unfinished run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct RunOptions {
    /// Addresses of sources by input name; inputs without one take the demo source.
    pub sources: BTreeMap<String, String>,
    /// A layout's name, or the path of a SELECT of one's own.
    pub layout: Option<String>,
    /// The demo source in small, for tests.
    pub demo_small: bool,
    /// The newest days of the demo source are broken on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demo_break: Option<DemoBreak>,
}

/// What all steps of a run share.
pub struct Run<'a> {
    pub home: &'a Home,
    pub store: &'a Store,
    pub domain: &'a Domain,
    pub options: RunOptions,
    pub run_id: String,
    pub memory_max: usize,
    /// Threads of a single fit that is timed alone; a run's own fits take one each.
    pub threads: usize,
    pub progress: &'a dyn Progress,
    /// A person has said that rows may shrink, be older or lack columns.
    pub accept: bool,
    /// Step load puts the tables in force, beside the champion and without a training.
    pub refresh: bool,
    /// What one step made and the next needs again; empty at first.
    pub kept: Kept,
}

/// History, windows and features, made once where several steps run in one process.
#[derive(Default)]
pub struct Kept(Mutex<Option<Arc<TrainingData>>>);

impl Kept {
    pub(crate) fn get(&self, data_fingerprint: &str) -> Option<Arc<TrainingData>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        kept.filter(|kept| kept.data_fingerprint == data_fingerprint)
    }

    pub(crate) fn keep(&self, prepared: Arc<TrainingData>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
    }
}

/// How one step went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepReport {
    pub name: String,
    pub rows_in: u64,
    pub rows_out: u64,
    pub quarantined: u64,
    pub seconds: f64,
    /// Highest resident memory of the process during the step.
    pub peak_mb: f64,
    /// Hash of what the step made.
    pub fingerprint: String,
    /// What the step knows beyond that, for later steps and reports.
    pub detail: serde_json::Value,
    /// True if an earlier attempt of this run had done it.
    #[serde(default)]
    pub resumed: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    pub run_id: String,
    pub domain: String,
    pub version: String,
    pub promoted: bool,
    /// Why the run's tables did not come into force; none if they did.
    pub withheld: Option<String>,
    pub steps: Vec<StepReport>,
    pub metrics: BTreeMap<String, MetricValue>,
    pub gates: Vec<GateRecord>,
    pub report: PathBuf,
}

/// What a step made: rows, and a hash of it.
pub struct Made {
    pub rows_in: u64,
    pub rows_out: u64,
    pub quarantined: u64,
    pub fingerprint: String,
    pub detail: serde_json::Value,
}

impl Run<'_> {
    pub fn engine(&self) -> Result<Engine, PlatformError> {
        let settings =
            EngineSettings { memory_max: self.memory_max, spill_folder: self.home.spill_folder(), partitions: 1 };
        Ok(Engine::new(&settings)?)
    }

    pub fn tables_folder(&self) -> PathBuf {
        self.home.tables_folder(self.domain.name(), &self.run_id)
    }

    pub fn run_folder(&self) -> PathBuf {
        self.home.run_folder(self.domain.name(), &self.run_id)
    }

    /// The report of an earlier step of this run; an error that says to run it first.
    pub async fn report_of(&self, step: StepName) -> Result<StepReport, PlatformError> {
        let text = self.store.step(self.domain.name(), &self.run_id, step.word()).await?;
        let text = text.ok_or_else(|| {
            let what = format!("step `{}` of run `{}` has not been done", step.word(), self.run_id);
            PlatformError::usage(
                what,
                format!("first: septet step {} {} --run {}", self.domain.name(), step.word(), self.run_id),
            )
        })?;
        serde_json::from_str(&text).map_err(|error| PlatformError::Store(error.to_string()))
    }

    async fn execute(&self, step: StepName) -> Result<StepReport, PlatformError> {
        // What later steps made came from what this one is about to make anew.
        for later in StepName::ALL.into_iter().filter(|later| *later >= step) {
            self.store.forget_step(self.domain.name(), &self.run_id, later.word()).await?;
        }
        let start = Instant::now();
        memory::reset_peak();
        let made = match step {
            StepName::Extract => extract::run(self).await?,
            StepName::Transform => transform::run(self).await?,
            StepName::Load => load::run(self).await?,
            StepName::Train => train::run(self).await?,
            StepName::Validate => validate::run(self).await?,
            StepName::Health => health::run(self).await?,
        };
        let report = StepReport {
            name: step.word().to_owned(),
            rows_in: made.rows_in,
            rows_out: made.rows_out,
            quarantined: made.quarantined,
            seconds: start.elapsed().as_secs_f64(),
            peak_mb: memory::peak_mb(),
            fingerprint: made.fingerprint,
            detail: made.detail,
            resumed: false,
        };
        let text = serde_json::to_string(&report).map_err(|error| PlatformError::Store(error.to_string()))?;
        self.store.put_step(self.domain.name(), &self.run_id, step.word(), &text).await?;
        info!(domain = self.domain.name(), run = %self.run_id, step = step.word(), rows = report.rows_out, seconds = report.seconds, "step finished");
        Ok(report)
    }

    async fn all_steps(&self) -> Result<RunReport, PlatformError> {
        let mut reports = Vec::new();
        for step in StepName::ALL {
            let done = self.store.step(self.domain.name(), &self.run_id, step.word()).await?;
            let report = match done.and_then(|text| serde_json::from_str::<StepReport>(&text).ok()) {
                Some(report) => StepReport { resumed: true, ..report },
                None => self.execute(step).await?,
            };
            reports.push(report);
        }
        self.summary(reports).await
    }

    async fn summary(&self, steps: Vec<StepReport>) -> Result<RunReport, PlatformError> {
        let text = |step: &StepReport, key: &str| step.detail[key].as_str().unwrap_or_default().to_owned();
        let health = steps.last().expect("a run has steps");
        let version = text(health, "version");
        let record = self.store.version(self.domain.name(), &version).await?;
        let record =
            record.ok_or_else(|| PlatformError::Store(format!("version `{version}` vanished from the store")))?;
        Ok(RunReport {
            run_id: self.run_id.clone(),
            domain: self.domain.name().to_owned(),
            promoted: health.detail["promoted"].as_bool().unwrap_or(false),
            withheld: health.detail["withheld"].as_str().map(str::to_owned),
            metrics: serde_json::from_str(&record.metrics).map_err(|error| PlatformError::Store(error.to_string()))?,
            gates: record.gates,
            report: self.home.version_folder(self.domain.name(), &version).join("report.html"),
            version,
            steps,
        })
    }
}

/// Runs the pipeline: a new run, or an unfinished one with equal options on an equal domain.
pub async fn start(mut run: Run<'_>, fresh: bool) -> Result<RunReport, PlatformError> {
    let _lock: Lock = run.home.lock(run.domain.name())?;
    let options = asked(&run)?;
    let unfinished = run
        .store
        .newest_run(run.domain.name())
        .await?
        .filter(|record| record.status != "done" && record.options == options);
    match unfinished.filter(|_| !fresh) {
        Some(record) => {
            run.progress.say(&format!("resuming run {} (--fresh starts a new one)", record.run_id));
            run.run_id = record.run_id;
        }
        None => begin(&run, &options).await?,
    }
    let result = run.all_steps().await;
    match &result {
        Ok(_) => run.store.end_run(run.domain.name(), &run.run_id, "done", None).await?,
        Err(error) => run.store.end_run(run.domain.name(), &run.run_id, "failed", Some(&error.to_string())).await?,
    }
    result
}

/// Runs one step of a run; the first step of an unknown run id begins that run.
pub async fn step(run: Run<'_>, step: StepName) -> Result<StepReport, PlatformError> {
    let _lock: Lock = run.home.lock(run.domain.name())?;
    match run.store.run(run.domain.name(), &run.run_id).await? {
        None if step == StepName::Extract => begin(&run, &asked(&run)?).await?,
        None => {
            let what = format!("there is no run `{}`", run.run_id);
            return Err(PlatformError::usage(what, "its first step is extract"));
        }
        Some(record) if step == StepName::Extract && record.options != asked(&run)? => {
            let what = format!("run `{}` began with another source, layout, domain or program", run.run_id);
            return Err(PlatformError::usage(what, "give a new run its own --run ID"));
        }
        Some(_) => {}
    }
    let report = run.execute(step).await?;
    if step == StepName::Health {
        run.store.end_run(run.domain.name(), &run.run_id, "done", None).await?;
    }
    Ok(report)
}

/// Begins a run for a benchmark.
pub(crate) async fn begin_only(run: &Run<'_>) -> Result<(), PlatformError> {
    begin(run, &asked(run)?).await
}

/// Executes one step and records it.
pub(crate) async fn execute(run: &Run<'_>, step: StepName) -> Result<StepReport, PlatformError> {
    run.execute(step).await
}

async fn begin(run: &Run<'_>, options: &str) -> Result<(), PlatformError> {
    let record = RunRecord {
        run_id: run.run_id.clone(),
        domain: run.domain.name().to_owned(),
        status: "running".to_owned(),
        options: options.to_owned(),
    };
    run.store.begin_run(&record).await
}

fn asked(run: &Run) -> Result<String, PlatformError> {
    #[derive(Serialize)]
    struct Asked<'a> {
        options: &'a RunOptions,
        domain_fingerprint: String,
        /// Size and time of each file, the text of a layout of one's own, today's date for what is remote.
        seen: Vec<String>,
        home: String,
        program: &'static str,
    }
    let seen = seen(&run.options);
    // Addresses may hold a password: what is stored is what may be shown.
    let mut options = run.options.clone();
    options.sources.values_mut().for_each(|source| *source = septet_tables::redacted(source));
    let home = run.home.root().canonicalize().unwrap_or_else(|_| run.home.root().to_owned()).display().to_string();
    let domain_fingerprint = run.domain.fingerprint();
    let asked = Asked { options: &options, domain_fingerprint, seen, home, program: env!("CARGO_PKG_VERSION") };
    serde_json::to_string(&asked).map_err(|error| PlatformError::Store(error.to_string()))
}

/// What tells yesterday's rows from today's at the same address: a run is resumed on the rows it began with.
fn seen(options: &RunOptions) -> Vec<String> {
    let mut seen = Vec::new();
    for source in options.sources.values() {
        match Location::parse(source) {
            Ok(Location::Files(pattern)) => seen.extend(local_files(&pattern).unwrap_or_default().iter().map(|file| {
                let facts = file.metadata().ok();
                let changed = facts.as_ref().and_then(|facts| facts.modified().ok());
                format!("{} {:?} {changed:?}", file.display(), facts.map(|facts| facts.len()))
            })),
            _ => seen.push(chrono::Utc::now().format("%Y-%m-%d").to_string()),
        }
    }
    let own_layout = options.layout.as_ref().filter(|layout| layout.ends_with(".sql"));
    seen.extend(
        own_layout.and_then(|path| std::fs::read(path).ok()).map(|text| blake3::hash(&text).to_hex().to_string()),
    );
    seen
}

/// A name for a new run: its start in UTC, so that names sort by time.
pub fn new_run_id() -> String {
    chrono::Utc::now().format("%Y%m%dT%H%M%S%3fZ").to_string()
}

/// Peak memory of this process, where the system tells (Linux); 0 elsewhere.
mod memory {
    pub fn reset_peak() {
        // 5 resets the high-water mark: man 5 proc_pid_clear_refs.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }

    pub fn peak_mb() -> f64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
        kilobytes.map_or(0.0, |kilobytes| (kilobytes / 102.4).round() / 10.0)
    }
}
