//! Whether the data is sound, the world still looks as it did in training, and the model still earns its place. One look
//! reads what was observed once, judges every watched number by the alarm budget, and says what it found, since when and
//! where. What becomes of a finding is `alerts`.

mod cause;
mod drift;
pub mod files;
mod grid;
mod observed;
mod page;
mod performance;
mod rehearsal;
mod series;
mod system;

pub use drift::{ColumnSeen, DriftSeen, Point};
pub use grid::{Grid, Span, time_text};
pub use observed::{FINDING, OBSERVED, empty_schema, finding_schema};
pub use page::html;
pub use performance::MetricSeen;
pub use rehearsal::{Rehearsed, rehearse};
pub use series::{Episode, Judged};
pub use system::{Sample, SystemWatch};

use crate::error::arrow_error;
use crate::inputs::history::History;
use crate::inputs::places::at_offset;
use crate::registry::CHAMPION;
use crate::serve::{Answerer, DecisionLog, Labels, LogPlace, with_labels};
use crate::{Home, PlatformError, Progress, Published, Store};
use observed::Part;
use performance::performance;
use septet_domain::{BandSide, Domain, Severity, Spanned, Watch};
use septet_learn::drift::runs::Direction;
use septet_learn::drift::season::RobustScale;
use septet_learn::drift::thresholds::Verdict;
use septet_learn::frame::Column;
use septet_learn::measures::Task;
use septet_tables::arrow::array::{Array, AsArray, RecordBatch};
use septet_tables::arrow::compute::cast;
use septet_tables::arrow::datatypes::{DataType, Int64Type};
use septet_tables::{Engine, EngineSettings, TableFile, numbers};
use serde::Serialize;
use series::{Value, Watched, by_band, by_level, by_trend};
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
    /// Leave room after the reference for troubles that are put in: see `rehearse`.
    pub rehearsal: bool,
}

/// What was found, as JSON for programs and as a page for people.
#[derive(Clone, Debug, Serialize)]
pub struct MonitoringReport {
    pub domain: String,
    pub title: String,
    pub version: String,
    pub run_id: String,
    pub simulated: bool,
    pub as_of: String,
    /// Length of a window, as the domain writes it.
    pub window: String,
    #[serde(skip)]
    pub grid: Grid,
    /// What numbers are compared with.
    pub reference: Span,
    /// What drift is compared with: the past that the champion was chosen and judged on.
    pub learned: Span,
    pub watched: Span,
    /// Start of the windows whose labels are not known yet.
    pub immature_from: String,
    pub budget: Budget,
    pub ingest: Ingest,
    pub drift: DriftReport,
    pub watches: Vec<WatchReport>,
    pub performance: Vec<MetricSeen>,
    pub panels: Vec<Panel>,
    pub findings: Vec<Finding>,
    /// What could not be looked at, and why.
    pub notes: Vec<String>,
}

/// How often an alarm may be false, and what that makes of each watched number.
#[derive(Clone, Debug, Serialize)]
pub struct Budget {
    pub false_pages: f64,
    pub per: String,
    /// Numbers that share it.
    pub watches: usize,
    /// Windows from one false alarm to the next that each of them is set for.
    pub run_length: f64,
}

/// What the published run's extract counted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ingest {
    pub rows_in: u64,
    pub rows_out: u64,
    pub quarantined: u64,
    /// Column, reason, rows.
    pub reasons: Vec<(String, String, u64)>,
}

#[derive(Clone, Debug, Serialize)]
pub struct DriftReport {
    /// `learned` or `evidently`.
    pub lines: &'static str,
    pub columns: Vec<ColumnSeen>,
    /// Names of those that drift in the newest window.
    pub drifting: Vec<String>,
}

/// One watched number.
#[derive(Clone, Debug, Serialize)]
pub struct WatchReport {
    pub name: String,
    pub title: String,
    pub owner: String,
    /// `page` or `notice`.
    pub severity: &'static str,
    /// `level` or `band`.
    pub kind: &'static str,
    pub newest: Option<f64>,
    pub alarm: bool,
    /// Windows of the reference, then those watched.
    pub past: Vec<(i64, f64)>,
    pub judged: Vec<Judged>,
    pub unable: Option<String>,
}

/// What a domain shows beside its watches: one SELECT of `monitor/NAME.sql`, as a table.
#[derive(Clone, Debug, Serialize)]
pub struct Panel {
    pub name: String,
    pub title: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
}

/// An alarm from its first sign to its last, with what is known of its cause.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub watch: String,
    pub title: String,
    pub severity: &'static str,
    pub owner: String,
    pub since: String,
    pub found: String,
    pub last: String,
    pub active: bool,
    pub sentence: String,
    pub evidence: Vec<String>,
    /// Segments that changed most in that time.
    pub causes: Vec<String>,
    /// What the watch shows of that time, in the words of the data.
    pub examples: Vec<String>,
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
    parts: Vec<Part>,
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
    let parts: Vec<Part> = [published_part].into_iter().chain(live).collect();
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

    async fn look_at(&self, parts: &[Part], progress: &dyn Progress) -> Result<MonitoringReport, PlatformError> {
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
    parts: &'a [Part],
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
    examples: Option<Spanned<String>>,
}

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
        let mut drift = drift::drift(self.parts, self.grid, &spec.monitor, q_max, spec.seed(), &fitted_on);
        notes.extend(drift.unable.take().map(|why| format!("drift: {why}")));
        let mut findings = Vec::new();
        for episode in &drift.episodes {
            findings.push(self.drift_finding(&drift, episode)?);
        }
        let mut watches = Vec::new();
        for number in numbers {
            let (look, episodes) = self.judge(&number, &budget);
            for episode in &episodes {
                let mut finding = self.number_finding(&number, &look, episode)?;
                finding.examples = self.examples(&number, episode).await?;
                findings.push(finding);
            }
            watches.push(look);
        }
        findings.extend(self.freshness());
        findings.sort_by(|a, b| b.active.cmp(&a.active).then_with(|| b.found.cmp(&a.found)));
        let mut panels = Vec::new();
        for (name, sql) in self.domain().files_in("monitor", ".sql") {
            panels.push(self.panel(name, sql).await?);
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
            drift: DriftReport { lines, columns: drift.columns, drifting },
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
        let rows_of = |part: &Part| {
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

    /// Rows a window; those before the first row of all are not there, those without a row are 0.
    fn rows(&self) -> BTreeMap<i64, u64> {
        let mut rows = BTreeMap::new();
        for part in self.parts {
            part.times.iter().for_each(|&time| *rows.entry(self.grid.number(time)).or_insert(0) += 1);
        }
        if let Some(&first) = rows.keys().next() {
            for window in first..self.grid.watched.end {
                rows.entry(window).or_insert(0);
            }
        }
        rows
    }

    fn value(&self, window: i64, value: f64, rows: Option<f64>) -> Value {
        Value { window, slot: self.grid.slot(window), value, rows }
    }

    /// What every domain is watched for.
    async fn built_in(&self, published: &Published) -> Result<Vec<Number>, PlatformError> {
        let rows = self.rows();
        let number = |name: &str, title: String, owner: &str, rule: Rule, values: Vec<Value>| Number {
            name: name.to_owned(),
            title,
            owner: owner.to_owned(),
            severity: Severity::Page,
            rule,
            values,
            examples: None,
        };
        let mut all = Vec::new();
        let counts = rows.iter().map(|(&window, &count)| self.value(window, count as f64, None)).collect();
        let monitor = &self.domain().spec.monitor;
        let title = format!("rows in {}", monitor.window);
        all.push(number("rows", title, "data engineering", Rule::Count(Direction::Both), counts));
        let broken = self.quarantined(published).await?;
        let shares = rows.iter().filter(|(_, count)| **count > 0).map(|(&window, &count)| {
            let broken = broken.get(&window).copied().unwrap_or(0) as f64;
            self.value(window, broken / (broken + count as f64), Some(broken + count as f64))
        });
        let title = "share of rows that break the contract".to_owned();
        all.push(number("quarantined", title, "data engineering", Rule::Band(Direction::Up), shares.collect()));
        for known in self.known {
            let shares = rows.iter().filter(|(_, count)| **count > 0).map(|(&window, &count)| {
                let new = known.new_rows.get(&window).copied().unwrap_or(0) as f64;
                self.value(window, (new / count as f64).min(1.0), Some(count as f64))
            });
            let title = format!("share of rows whose `{}` was never seen before", known.entity);
            let name = format!("new_{}", known.entity);
            all.push(number(&name, title, "data engineering", Rule::Band(Direction::Up), shares.collect()));
        }
        let outliers = number(
            "outliers",
            format!("share of rows with a number more than {ROBUST_Z_MAX} robust deviations from its median"),
            "data engineering",
            Rule::Band(Direction::Up),
            self.outlier_shares(),
        );
        all.push(Number { severity: Severity::Notice, ..outliers });
        if self.answerer.inputs.keeps_state() {
            let target = self.domain().spec.model.target.get_ref();
            let what = match self.answerer.scorer.task {
                Task::Label => "share",
                Task::Number | Task::Count => "mean",
            };
            all.push(number(
                "label_share",
                format!("{what} of `{target}`, labels that are known"),
                "model owners",
                Rule::Band(Direction::Both),
                self.label_shares(),
            ));
        }
        Ok(all)
    }

    /// Rows in which any number of the model's inputs lies far from where the reference's numbers are.
    fn outlier_shares(&self) -> Vec<Value> {
        let Some(first) = self.parts.first() else { return Vec::new() };
        let scale = |at: usize| {
            let mut values = Vec::new();
            for part in self.parts {
                if let Column::Number(column) = &part.frame.columns[at] {
                    let own = column.iter().zip(&part.times);
                    values.extend(
                        own.filter(|(_, time)| self.grid.reference.contains(&self.grid.number(**time)))
                            .map(|(v, _)| *v),
                    );
                }
            }
            let apart = (values.len() / OUTLIER_SAMPLE).max(1);
            RobustScale::learn(&values.into_iter().step_by(apart).collect::<Vec<f64>>())
        };
        let scales: Vec<Option<RobustScale>> = (0..first.frame.columns.len()).map(scale).collect();
        let mut counts: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for part in self.parts {
            let mut far = vec![false; part.rows()];
            for (column, scale) in part.frame.columns.iter().zip(&scales) {
                if let (Column::Number(values), Some(scale)) = (column, scale) {
                    let beyond = |value: &f64| scale.standardise(*value).abs() > ROBUST_Z_MAX;
                    far.iter_mut().zip(values).for_each(|(far, value)| *far |= beyond(value));
                }
            }
            for (&time, far) in part.times.iter().zip(far) {
                let (outliers, rows) = counts.entry(self.grid.number(time)).or_default();
                *outliers += f64::from(u8::from(far));
                *rows += 1.0;
            }
        }
        counts.iter().map(|(&window, (outliers, rows))| self.value(window, outliers / rows, Some(*rows))).collect()
    }

    /// By the clock, where the domain asks for it and nobody asks about another time.
    fn freshness(&self) -> Option<Finding> {
        let within = self.domain().spec.monitor.fresh_within?.micros();
        let newest = self.parts.iter().filter_map(|part| part.times.last().copied()).max()?;
        let now = crate::registry::clock::now_micros();
        if now - newest <= within || self.looking.as_of.is_some() || self.looking.rehearsal {
            return None;
        }
        let hours = (now - newest) as f64 / 3.6e9;
        Some(Finding {
            watch: "freshness".to_owned(),
            title: "no new rows".to_owned(),
            severity: "page",
            owner: "data engineering".to_owned(),
            since: time_text(newest + within),
            found: time_text(newest + within),
            last: time_text(now),
            active: true,
            sentence: format!("the newest row is {hours:.1} hours old, of {}", time_text(newest)),
            evidence: Vec::new(),
            causes: Vec::new(),
            examples: Vec::new(),
        })
    }

    fn label_shares(&self) -> Vec<Value> {
        let mut counts: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for part in self.parts {
            let known = part.times.iter().zip(&part.label).filter(|(_, label)| !label.is_nan());
            for (&time, label) in known.filter(|(time, _)| self.grid.is_mature(**time)) {
                let (positives, rows) = counts.entry(self.grid.number(time)).or_default();
                *positives += label;
                *rows += 1.0;
            }
        }
        counts.iter().map(|(&window, (positives, rows))| self.value(window, positives / rows, Some(*rows))).collect()
    }

    /// Rows in quarantine by window, where their time could be read.
    async fn quarantined(&self, published: &Published) -> Result<BTreeMap<i64, u64>, PlatformError> {
        let folder = self.looking.home.tables_folder(self.domain().name(), &published.run_id);
        let path = folder.join("quarantine.parquet");
        let mut counts = BTreeMap::new();
        if !path.exists() {
            return Ok(counts);
        }
        self.engine.forget("quarantine")?;
        self.engine.register_file(&TableFile { name: "quarantine".to_owned(), path }).await?;
        let schema = self.engine.plan("SELECT * FROM quarantine").await?;
        if schema.index_of("at").is_err() {
            return Ok(counts);
        }
        let (_, batches) = self.engine.query("SELECT \"at\" FROM quarantine WHERE \"at\" IS NOT NULL").await?;
        for batch in &batches {
            for micros in instants(batch, 0)?.into_iter().flatten() {
                *counts.entry(self.grid.number(micros)).or_insert(0) += 1;
            }
        }
        Ok(counts)
    }

    /// A `[[watch]]`: its SELECT is a series, or one number that stands for the newest window.
    async fn declared(&self, watch: &Watch) -> Result<Number, PlatformError> {
        let place = |error| at_offset(self.domain(), watch.sql.span().start, error);
        let (schema, batches) = self.engine.query(watch.sql.get_ref()).await.map_err(place)?;
        let mut values = Vec::new();
        match (schema.index_of("at"), schema.index_of("value")) {
            (Ok(at), Ok(value)) => {
                let rows = schema.index_of("rows").ok();
                for batch in &batches {
                    let figures = numbers(batch.column(value))?;
                    let counts = rows.map(|rows| numbers(batch.column(rows))).transpose()?;
                    for (row, micros) in instants(batch, at)?.into_iter().enumerate() {
                        let Some(window) = micros.map(|micros| self.grid.number(micros)) else { continue };
                        let count = counts.as_ref().map(|counts| counts[row]).filter(|count| !count.is_nan());
                        if !figures[row].is_nan() && window < self.grid.watched.end {
                            values.push(self.value(window, figures[row], count));
                        }
                    }
                }
                values.sort_by_key(|value| value.window);
                values.dedup_by_key(|value| value.window);
            }
            _ => {
                let number = self.engine.number(watch.sql.get_ref()).await.map_err(place)?;
                // One number is one look: it counts as if it had been so for as long as asked.
                let newest = self.grid.watched.end - 1;
                let back = i64::from(watch.windows.max(1)) - 1;
                values.extend((newest - back..=newest).flat_map(|window| Some(self.value(window, number?, None))));
            }
        }
        let rule = match watch.band {
            Some(BandSide::Up) => Rule::Band(Direction::Up),
            Some(BandSide::Down) => Rule::Band(Direction::Down),
            Some(BandSide::Both) => Rule::Band(Direction::Both),
            None => Rule::Level { above: watch.above, below: watch.below, windows: watch.windows },
        };
        Ok(Number {
            name: watch.name.get_ref().clone(),
            title: watch.title.clone(),
            owner: watch.owner.clone(),
            severity: watch.severity,
            rule,
            values,
            examples: watch.examples.clone(),
        })
    }

    /// The metric of choice on matured labels, held against its own past.
    fn earned(&self, metric: &MetricSeen) -> Number {
        let side = if metric.larger_is_better { Direction::Down } else { Direction::Up };
        Number {
            name: "performance".to_owned(),
            title: format!("{} on labels that are known", metric.name),
            owner: "model owners".to_owned(),
            severity: Severity::Page,
            rule: Rule::Band(side),
            examples: None,
            // What a model says of rows that it learned from is better than it will ever be again.
            values: performance::series(metric, self.grid)
                .into_iter()
                .filter(|value| !self.fitted_on(value.window))
                .collect(),
        }
    }

    /// Whether the champion was fitted on rows of this window.
    fn fitted_on(&self, window: i64) -> bool {
        let span = self.answerer.manifest().fitted_on;
        span.is_some_and(|(from, until)| (self.grid.number(from)..=self.grid.number(until)).contains(&window))
    }

    fn judge(&self, number: &Number, budget: &Budget) -> (WatchReport, Vec<Episode>) {
        let within = |windows: &std::ops::Range<i64>| {
            number.values.iter().filter(|value| windows.contains(&value.window)).copied().collect::<Vec<Value>>()
        };
        let (past, live) = (within(&self.grid.reference), within(&self.grid.watched));
        let (slots, run_length) = (self.grid.slots(), budget.run_length);
        let Watched { judged, episodes, unable } = match &number.rule {
            Rule::Level { above, below, windows } => by_level(&live, *above, *below, *windows),
            Rule::Band(side) => by_band(&past, &live, slots, *side, run_length),
            Rule::Count(side) => by_trend(&past, &live, slots, *side, run_length),
        };
        let look = WatchReport {
            name: number.name.clone(),
            title: number.title.clone(),
            owner: number.owner.clone(),
            severity: severity_word(number.severity),
            kind: if matches!(number.rule, Rule::Level { .. }) { "level" } else { "band" },
            newest: live.last().map(|value| value.value),
            alarm: episodes.last().is_some_and(|episode| episode.active),
            past: past.iter().map(|value| (value.window, value.value)).collect(),
            judged,
            unable,
        };
        (look, episodes)
    }

    fn number_finding(&self, number: &Number, look: &WatchReport, episode: &Episode) -> Result<Finding, PlatformError> {
        let at = |window: i64| look.judged.iter().find(|judged| judged.window == window);
        let figure = |value: f64| crate::report::figure(value);
        let usual = |judged: &Judged| match (judged.low, judged.high) {
            (Some(low), Some(high)) => format!("usual: {} to {}", figure(low), figure(high)),
            (Some(low), None) => format!("at least {}", figure(low)),
            (None, Some(high)) => format!("at most {}", figure(high)),
            (None, None) => "no line".to_owned(),
        };
        let told = |window: i64| {
            at(window).map(|judged| format!("{}: {} ({})", self.grid.text(window), figure(judged.value), usual(judged)))
        };
        let evidence: Vec<String> = [episode.since, episode.found, episode.last]
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .filter_map(told)
            .collect();
        let value = at(episode.last).map_or_else(String::new, |judged| figure(judged.value));
        let words = if episode.active { "is" } else { "was" };
        Ok(Finding {
            watch: number.name.clone(),
            title: number.title.clone(),
            severity: severity_word(number.severity),
            owner: number.owner.clone(),
            since: self.grid.text(episode.since),
            found: self.grid.text(episode.found),
            last: self.grid.text(episode.last),
            active: episode.active,
            sentence: format!("{} {words} {value}, not as usual since {}", number.title, self.grid.text(episode.since)),
            evidence,
            causes: self.causes(episode)?,
            examples: Vec::new(),
        })
    }

    fn drift_finding(&self, drift: &DriftSeen, episode: &Episode) -> Result<Finding, PlatformError> {
        let mut moved: Vec<(&ColumnSeen, &Point)> = Vec::new();
        for column in &drift.columns {
            let worst = column
                .points
                .iter()
                .filter(|point| (episode.found..=episode.last).contains(&point.window))
                .filter(|point| point.verdict == Verdict::Drifting)
                .min_by(|a, b| a.p_value.unwrap_or(1.0).total_cmp(&b.p_value.unwrap_or(1.0)));
            moved.extend(worst.map(|point| (column, point)));
        }
        moved.sort_by(|a, b| {
            let by_chance = a.1.p_value.unwrap_or(1.0).total_cmp(&b.1.p_value.unwrap_or(1.0));
            by_chance.then(b.1.psi.unwrap_or(0.0).total_cmp(&a.1.psi.unwrap_or(0.0)))
        });
        let names: Vec<String> =
            moved.iter().take(COLUMNS_TOLD).map(|(column, _)| format!("`{}`", column.name)).collect();
        let more = moved.len().saturating_sub(COLUMNS_TOLD);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let evidence = moved.iter().take(COLUMNS_TOLD).map(|(column, point)| {
            let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), crate::report::figure);
            let means = column.means.map_or_else(String::new, |(before, now)| {
                format!(", mean {} before, {} now", crate::report::figure(before), crate::report::figure(now))
            });
            format!(
                "`{}` on {}: PSI {}, Jensen-Shannon {}, chance without drift {}{means}",
                column.name,
                self.grid.text(point.window),
                figure(point.psi),
                figure(point.jensen_shannon),
                point.p_value.map_or_else(|| "-".to_owned(), |p| format!("{p:.1e}")),
            )
        });
        Ok(Finding {
            watch: "drift".to_owned(),
            title: "inputs and scores look other than when the model was judged".to_owned(),
            severity: "page",
            owner: "model owners".to_owned(),
            since: self.grid.text(episode.since),
            found: self.grid.text(episode.found),
            last: self.grid.text(episode.last),
            active: episode.active,
            sentence: format!(
                "{}{more} {} since {}",
                names.join(", "),
                if episode.active { "drift" } else { "drifted" },
                self.grid.text(episode.since)
            ),
            evidence: evidence.collect(),
            causes: self.causes(episode)?,
            examples: Vec::new(),
        })
    }

    async fn examples(&self, number: &Number, episode: &Episode) -> Result<Vec<String>, PlatformError> {
        let Some(sql) = &number.examples else { return Ok(Vec::new()) };
        self.engine.forget(FINDING)?;
        observed::register_finding(self.engine, self.grid, episode.since..episode.last + 1)?;
        let place = |error| at_offset(self.domain(), sql.span().start, error);
        let (_, batches) = self.engine.query(sql.get_ref()).await.map_err(place)?;
        let mut examples = Vec::new();
        for batch in &batches {
            let column = cast(batch.column(0), &DataType::Utf8).map_err(arrow_error)?;
            let texts = column.as_string::<i32>().iter().flatten();
            examples.extend(texts.take(EXAMPLES_MAX - examples.len()).map(shortened));
        }
        Ok(examples)
    }

    fn causes(&self, episode: &Episode) -> Result<Vec<String>, PlatformError> {
        cause::causes(self.parts, self.grid, self.domain(), episode.since..episode.last + 1)
    }

    async fn panel(&self, name: &str, sql: &str) -> Result<Panel, PlatformError> {
        let file = format!("monitor/{name}.sql");
        let place = |error| crate::inputs::places::at_file(self.domain(), &file, error);
        let (schema, batches) = self.engine.query(sql).await.map_err(place)?;
        let mut rows = Vec::new();
        for batch in &batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| cast(column, &DataType::Utf8).map_err(arrow_error))
                .collect::<Result<_, _>>()?;
            for row in 0..batch.num_rows().min(PANEL_ROWS_MAX.saturating_sub(rows.len())) {
                let cell = |column: &septet_tables::arrow::array::ArrayRef| {
                    column.is_valid(row).then(|| column.as_string::<i32>().value(row).to_owned())
                };
                rows.push(columns.iter().map(cell).collect());
            }
        }
        let title = sql.lines().next().and_then(|line| line.strip_prefix("--")).map_or(name, str::trim);
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
            reasons: inputs.into_iter().flat_map(|(_, report)| report.reasons).collect(),
        })
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
