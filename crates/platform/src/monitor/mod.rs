//! Whether the data is sound, the world still looks as it did in training, and the model still earns its place. One look
//! reads what was observed once, judges every watched number by the alarm budget, and says what it found, since when and
//! where. What becomes of a finding is `alerts`.

mod cause;
mod drift;
mod episodes;
pub mod files;
mod findings;
mod gathering;
mod grid;
mod mask;
mod numbers;
mod observed;
mod page;
mod performance;
mod rehearsal;
mod report;
mod series;
mod system;

pub use drift::{ColumnSeen, DriftSeen, Point};
pub use episodes::{Episode, Judged};
pub use grid::{Grid, Span, time_text};
pub use observed::{FINDING, OBSERVED, empty_schema, finding_schema};
pub use page::{findings_in_words, html};
pub use performance::MetricSeen;
pub use rehearsal::{Rehearsed, rehearse};
pub use report::*;
pub use system::{Sample, SystemWatch};

use crate::error::arrow_error;
use crate::inputs::history::History;
use crate::inputs::places::at_offset;
use crate::registry::CHAMPION;
use crate::serve::{Answerer, DecisionLog, Labels, LogPlace, with_labels};
use crate::{Home, PlatformError, Progress, Published, Store};
use episodes::Watched;
use mask::Mask;
use observed::ObservedRows;
use performance::performance;
use septet_domain::{BandSide, Domain, Severity, Spanned, Watch};
use septet_learn::drift::runs::Direction;
use septet_learn::drift::season::RobustScale;
pub use septet_learn::drift::thresholds::Verdict;
use septet_learn::frame::Column;
use septet_learn::measures::Task;
use septet_tables::arrow::array::{Array, AsArray, RecordBatch};
use septet_tables::arrow::compute::cast;
use septet_tables::arrow::datatypes::{DataType, Int64Type};
use septet_tables::{Engine, EngineSettings, TableFile, numbers};
use serde::Serialize;
use series::{Value, by_band, by_level, by_trend};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Live answers that count: with fewer, what was published is looked at alone.
const LOGGED_ROWS_MIN: usize = 200;
/// Answers read from the log at most, the newest: about 2 GB of text.
const LOGGED_ROWS_MAX: i64 = 1_000_000;
/// Windows looked at, at most.
const WINDOWS_MAX: i64 = 2_000;
/// Rows of a panel.
const PANEL_ROWS_MAX: usize = 50;
/// Farther than any number should be: a convention; what is usual of it is learned like every band.
const ROBUST_Z_MAX: f64 = 6.0;
/// Values that a median is taken of.
const OUTLIER_SAMPLE: usize = 20_000;
/// Examples told with a finding, and characters of each.
const EXAMPLES_MAX: usize = 3;
const EXAMPLE_CHARACTERS_MAX: usize = 240;
/// Columns named in a finding.
const COLUMNS_TOLD: usize = 5;

/// What a look needs.
#[derive(Clone)]
pub struct MonitorOptions {
    pub home: Home,
    pub store: Arc<Store>,
    pub domain: Arc<Domain>,
    pub log: LogPlace,
    pub memory_max: usize,
    /// Look as if nothing later had come, microseconds. Default: up to the newest event.
    pub as_of: Option<i64>,
    /// How far back, microseconds.
    pub since: Option<i64>,
    /// Take the past before this for usual, instead of what the champion was judged on.
    pub reference_until: Option<i64>,
    /// Leave room after the reference for faults that are put in: see `rehearse`.
    pub rehearsal: bool,
}

/// Looks once. Nothing is written.
pub async fn look(looking: &MonitorOptions, progress: &dyn Progress) -> Result<MonitoringReport, PlatformError> {
    gather(looking, progress).await?.look(progress).await
}

/// Everything a look works on, read once.
pub struct Gathered {
    looking: MonitorOptions,
    version: String,
    published: Published,
    engine: Engine,
    answerer: Answerer,
    parts: Vec<ObservedRows>,
    grid: Grid,
    known: Vec<FirstSeen>,
}

/// Reads what was observed, and scores it.
pub async fn gather(looking: &MonitorOptions, progress: &dyn Progress) -> Result<Gathered, PlatformError> {
    let name = looking.domain.name().to_owned();
    let (version, published) = wanted(looking).await?;
    let settings =
        EngineSettings { memory_max: looking.memory_max, spill_folder: looking.home.spill_folder(), partitions: 1 };
    let engine = Engine::new(&settings)?;
    progress.begin(&format!("{name}: what was observed"), Some(4), "parts");
    let answerer = Answerer::load(&looking.home, &engine, &name, &version, &published.run_id, 1).await?;
    let history = History::read(&engine, &answerer.domain).await?;
    progress.done(1);
    let (labels, logged) = read_log(looking, &version).await?;
    let history = with_labels(&answerer, history, &labels)?;
    let live = observed::from_log(&answerer, logged, &labels)?.filter(|part| part.rows() >= LOGGED_ROWS_MIN);
    let (history, live) = observed::with_labels_of_later_rows(&engine, &answerer.domain, history, live).await?;
    progress.done(2);
    let newest = history.times.last().copied().max(live.as_ref().and_then(|part| part.times.last().copied()));
    let newest = newest.ok_or_else(|| {
        PlatformError::usage(format!("`{name}` has no rows to monitor"), format!("first: septet run {name}"))
    })?;
    let as_of = looking.as_of.unwrap_or(newest).min(newest);
    let learned_until = looking.reference_until.or(answerer.manifest().judged_until);
    let learned_until = learned_until.unwrap_or_else(|| history.times.last().copied().unwrap_or(newest));
    let room = if looking.rehearsal { rehearsal::room(&looking.domain) } else { 0 };
    let mut grid = Grid::new(&looking.domain, learned_until.min(as_of - room), as_of, looking.since);
    grid.watched.start = grid.watched.start.max(grid.watched.end - WINDOWS_MAX);
    if !answerer.inputs.keeps_state() {
        // No version was judged on these rows: they are compared with what was usual before, as all numbers are.
        grid.learned = grid.reference.clone();
    }
    let before = history.times.partition_point(|&time| time < grid.from());
    let after = history.times.partition_point(|&time| time < grid.until() && time <= as_of).max(before);
    let known = first_seen(&history, &looking.domain, &grid)?;
    let reasons_from = grid.watched.start * grid.window;
    let mut published_part = observed::from_history(&answerer, &history, before..after, reasons_from)?;
    drop(history);
    progress.done(3);
    if let Some(live) = &live {
        let (_, input) = looking.domain.spec.first_input();
        published_part = observed::without(published_part, live, input.key.get_ref())?;
    }
    let parts: Vec<ObservedRows> = [published_part].into_iter().chain(live).collect();
    register_published(looking, &engine, &published).await?;
    progress.done(4);
    progress.end();
    Ok(Gathered { looking: looking.clone(), version, published, engine, answerer, parts, grid, known })
}

impl Gathered {
    /// Judges what was read.
    pub async fn look(&self, progress: &dyn Progress) -> Result<MonitoringReport, PlatformError> {
        self.look_at(&self.parts, progress).await
    }

    async fn look_at(
        &self,
        parts: &[ObservedRows],
        progress: &dyn Progress,
    ) -> Result<MonitoringReport, PlatformError> {
        self.engine.forget(OBSERVED)?;
        observed::register(&self.engine, &self.answerer, parts, &self.grid)?;
        let Gathered { looking, engine, answerer, grid, known, .. } = self;
        let desk = Evaluator { looking, engine, answerer, parts, grid, known };
        desk.look(&self.version, &self.published, progress).await
    }
}

async fn wanted(looking: &MonitorOptions) -> Result<(String, Published), PlatformError> {
    let name = looking.domain.name();
    let champion = looking.store.alias(name, CHAMPION).await?;
    match (champion, looking.home.published(name)?) {
        (Some(champion), Some(published)) => Ok((champion.version, published)),
        _ => Err(PlatformError::usage(format!("`{name}` has no champion yet"), format!("first: septet run {name}"))),
    }
}

/// Labels told, and the answers of a version. The log blocks: it is read on a thread of its own.
async fn read_log(
    looking: &MonitorOptions,
    version: &str,
) -> Result<(Labels, Vec<crate::serve::Decision>), PlatformError> {
    let log: DecisionLog = looking.log.open(looking.domain.name()).await?;
    let version = version.to_owned();
    let work = move || Ok::<_, PlatformError>((log.outcomes(i64::MAX)?, log.of_version(&version, LOGGED_ROWS_MAX)?));
    tokio::task::spawn_blocking(work).await.map_err(|error| arrow_error(error.to_string()))?
}

/// The published inputs beside the first; the answerer has registered that and what the transform made.
async fn register_published(
    looking: &MonitorOptions,
    engine: &Engine,
    published: &Published,
) -> Result<(), PlatformError> {
    let folder = looking.home.tables_folder(looking.domain.name(), &published.run_id);
    let (first, _) = looking.domain.spec.first_input();
    let inputs = looking.domain.spec.input.keys().map(String::as_str).filter(|name| *name != first);
    for name in inputs {
        let path = folder.join(format!("{name}.parquet"));
        engine.register_file(&TableFile { name: name.to_owned(), path }).await?;
    }
    Ok(())
}

/// Rows a window, and of each entity column the rows whose entity had never been seen before.
struct FirstSeen {
    entity: String,
    new_rows: BTreeMap<i64, u64>,
}

/// Over the whole history, because what is new is new against everything before.
fn first_seen(history: &History, domain: &Domain, grid: &Grid) -> Result<Vec<FirstSeen>, PlatformError> {
    let mut entities: Vec<&str> = Vec::new();
    for window in &domain.spec.window {
        let entity = window.get_ref().entity.get_ref().as_str();
        if !entities.contains(&entity) {
            entities.push(entity);
        }
    }
    let mut all = Vec::new();
    for entity in entities {
        let interned = history.intern(entity)?;
        let mut seen_in = vec![i64::MIN; interned.words.len()];
        let mut new_rows = BTreeMap::new();
        for (&code, &time) in interned.codes.iter().zip(&history.times) {
            let window = grid.number(time);
            let first = &mut seen_in[code as usize];
            if *first == i64::MIN {
                *first = window;
            }
            if *first == window {
                *new_rows.entry(window).or_insert(0) += 1;
            }
        }
        all.push(FirstSeen { entity: entity.to_owned(), new_rows });
    }
    Ok(all)
}

/// What is judged, and with what.
struct Evaluator<'a> {
    looking: &'a MonitorOptions,
    engine: &'a Engine,
    answerer: &'a Answerer,
    parts: &'a [ObservedRows],
    grid: &'a Grid,
    known: &'a [FirstSeen],
}

/// A watched number before it is judged.
struct Number {
    name: String,
    title: String,
    owner: String,
    severity: Severity,
    rule: Rule,
    values: Vec<Value>,
    /// The least and the most that a value can be, where that is known: no limit beyond is shown.
    range: (Option<f64>, Option<f64>),
    examples: Option<Spanned<String>>,
}

/// The number that holds the model's measure against its past.
const PERFORMANCE: &str = "performance";
/// What a share can be.
const SHARE: (Option<f64>, Option<f64>) = (Some(0.0), Some(1.0));

enum Rule {
    Level {
        above: Option<f64>,
        below: Option<f64>,
        windows: u32,
    },
    Band(Direction),
    /// A count, of something that may grow.
    Count(Direction),
}

impl Evaluator<'_> {
    fn domain(&self) -> &Domain {
        &self.looking.domain
    }

    async fn look(
        &self,
        version: &str,
        published: &Published,
        progress: &dyn Progress,
    ) -> Result<MonitoringReport, PlatformError> {
        let spec = &self.domain().spec;
        let mut notes = Vec::new();
        progress.begin(&format!("{}: judging", self.domain().name()), Some(3), "parts");
        let mut numbers = self.built_in(published).await?;
        for watch in &spec.watch {
            numbers.push(self.declared(watch.get_ref()).await?);
        }
        let paging = numbers.iter().filter(|number| number.severity == Severity::Page).count();
        // Drift of all columns together and performance share the budget as one number each.
        let budget = self.budget(paging + 2);
        progress.done(1);
        let judged = |name: &str| self.answerer.manifest().metrics.get(name).map(|metric| metric.value);
        let measured = match self.answerer.inputs.keeps_state() {
            true => performance(self.parts, self.grid, self.domain(), self.answerer.scorer.task, &judged)?,
            false => Vec::new(),
        };
        numbers.extend(measured.first().map(|metric| self.earned(metric)));
        progress.done(2);
        let q_max = 1.0 / budget.run_length;
        let fitted_on = |window: i64| self.fitted_on(window);
        let personal = self.answerer.inputs.personal(&self.answerer.domain);
        let mut drift = drift::drift(self.parts, self.grid, &spec.monitor, &personal, q_max, spec.seed(), &fitted_on);
        notes.extend(drift.unable.take().map(|why| format!("drift: {why}")));
        let mut findings = Vec::new();
        for episode in &drift.episodes {
            findings.push(self.drift_finding(&drift, episode)?);
        }
        let mask = Mask::of(self.parts, self.domain())?;
        let mut watches = Vec::new();
        for number in numbers {
            let (look, episodes) = self.judge(&number, &budget);
            for episode in &episodes {
                let mut finding = self.number_finding(&number, &look, episode)?;
                finding.examples = self.examples(&number, episode, &mask).await?;
                findings.push(finding);
            }
            watches.push(look);
        }
        findings.extend(self.freshness());
        findings.extend(self.changed_columns());
        findings.sort_by(|a, b| b.active.cmp(&a.active).then_with(|| b.found.cmp(&a.found)));
        let mut panels = Vec::new();
        for (name, sql) in self.domain().files_in("monitor", ".sql") {
            panels.push(self.panel(name, sql, &mask).await?);
        }
        progress.end();
        let newest = self.grid.watched.end - 1;
        let drifts = |column: &&ColumnSeen| {
            column.points.last().is_some_and(|point| point.window == newest && point.verdict == Verdict::Drifting)
        };
        let drifting = drift.columns.iter().filter(drifts).map(|column| column.name.clone()).collect();
        let lines = match spec.monitor.drift {
            septet_domain::DriftLines::Learned => "learned",
            septet_domain::DriftLines::Evidently => "evidently",
        };
        Ok(MonitoringReport {
            domain: self.domain().name().to_owned(),
            title: spec.title.clone(),
            version: version.to_owned(),
            run_id: published.run_id.clone(),
            simulated: self.answerer.manifest().simulated,
            as_of: time_text(self.grid.as_of),
            window: spec.monitor.window.to_string(),
            reference: self.span(self.grid.reference.clone()),
            learned: self.span(self.grid.learned.clone()),
            watched: self.span(self.grid.watched.clone()),
            immature_from: self.grid.text(self.grid.immature_from()),
            budget,
            ingest: self.ingest(published).await?,
            drift: DriftReport { lines, columns: drift.columns, together: drift.together, note: drift.note, drifting },
            watches,
            performance: measured,
            panels,
            findings,
            notes,
            grid: self.grid.clone(),
        })
    }

    fn budget(&self, watches: usize) -> Budget {
        let monitor = &self.domain().spec.monitor;
        let windows = monitor.per.micros() as f64 / self.grid.window as f64;
        let run_length = windows * watches as f64 / monitor.false_pages.max(f64::MIN_POSITIVE);
        let run_length = run_length.clamp(2.0, septet_learn::drift::runs::RUN_LENGTH_MAX);
        Budget { false_pages: monitor.false_pages, per: monitor.per.to_string(), watches, run_length }
    }

    fn span(&self, windows: std::ops::Range<i64>) -> Span {
        let (start, end) = (windows.start * self.grid.window, windows.end * self.grid.window);
        let rows_of = |part: &ObservedRows| {
            let before = |time: i64| part.times.partition_point(|&other| other < time);
            (before(end) - before(start)) as u64
        };
        Span {
            from: self.grid.text(windows.start),
            until: self.grid.text(windows.end),
            windows: (windows.end - windows.start) as usize,
            rows: self.parts.iter().map(rows_of).sum(),
        }
    }

    async fn panel(&self, name: &str, sql: &str, mask: &Mask) -> Result<Panel, PlatformError> {
        let file = format!("monitor/{name}.sql");
        let place = |error| crate::inputs::places::at_file(self.domain(), &file, error);
        let (schema, batches) = self.engine.query(sql).await.map_err(place)?;
        let mut rows: Vec<Vec<Option<String>>> = Vec::new();
        for batch in &batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| cast(column, &DataType::Utf8).map_err(arrow_error))
                .collect::<Result<_, _>>()?;
            for row in 0..batch.num_rows().min(PANEL_ROWS_MAX.saturating_sub(rows.len())) {
                let cell = |column: &septet_tables::arrow::array::ArrayRef| {
                    column.is_valid(row).then(|| mask.words(column.as_string::<i32>().value(row)))
                };
                rows.push(columns.iter().map(cell).collect());
            }
        }
        let title = sql.lines().next().and_then(|line| line.strip_prefix("--")).map_or(name, str::trim);
        days_as_days(&mut rows);
        let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
        Ok(Panel { name: name.to_owned(), title: title.to_owned(), columns, rows })
    }

    async fn ingest(&self, published: &Published) -> Result<Ingest, PlatformError> {
        let text = self.looking.store.step(self.domain().name(), &published.run_id, "extract").await?;
        let Some(report) = text.and_then(|text| serde_json::from_str::<crate::StepReport>(&text).ok()) else {
            return Ok(Ingest::default());
        };
        let inputs: Vec<(String, septet_tables::ExtractReport)> =
            serde_json::from_value(report.detail["inputs"].clone()).unwrap_or_default();
        Ok(Ingest {
            rows_in: report.rows_in,
            rows_out: report.rows_out,
            quarantined: report.quarantined,
            filtered: report.rows_in.saturating_sub(report.rows_out + report.quarantined),
            reasons: inputs.into_iter().flat_map(|(_, report)| report.reasons).collect(),
        })
    }
}

/// Takes midnight from the columns that hold nothing else: they are of days.
fn days_as_days(rows: &mut [Vec<Option<String>>]) {
    const MIDNIGHT: &str = "T00:00:00";
    for column in 0..rows.first().map_or(0, Vec::len) {
        let cells = || rows.iter().filter_map(|row| row[column].as_deref());
        if cells().all(|cell| cell.ends_with(MIDNIGHT)) {
            for cell in rows.iter_mut().filter_map(|row| row[column].as_mut()) {
                cell.truncate(cell.len() - MIDNIGHT.len());
            }
        }
    }
}

/// As much of a text as an alert has room for, on one line.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(EXAMPLE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Page => "page",
        Severity::Notice => "notice",
    }
}

/// A column of times in microseconds.
fn instants(batch: &RecordBatch, at: usize) -> Result<Vec<Option<i64>>, PlatformError> {
    let micros = septet_tables::arrow::array::TimestampMicrosecondArray::from(Vec::<i64>::new()).data_type().clone();
    let column = cast(batch.column(at), &micros).map_err(arrow_error)?;
    let column = cast(&column, &DataType::Int64).map_err(arrow_error)?;
    Ok(column.as_primitive::<Int64Type>().iter().collect())
}

/// The domain's schedule; an error says what is wrong with it.
pub fn schedule(domain: &Domain) -> Result<croner::Cron, String> {
    domain.spec.schedule.parse().map_err(|error: croner::errors::CronError| error.to_string())
}

/// Seconds until the schedule's next moment; none if there is none.
pub fn next_in(domain: &Domain) -> Option<std::time::Duration> {
    let now = chrono::Utc::now();
    let next = schedule(domain).ok()?.find_next_occurrence(&now, false).ok()?;
    (next - now).to_std().ok()
}
