//! Everything that a training and its gates need of a domain's inputs: features, labels, times and the parts that they are split
//! into, made by what answers requests.

mod keys;

use super::Inputs;
use super::contract::EventContract;
use super::events::{made_labels, with_made_labels};
use super::features::{Beyond, FeatureSet, differing_values, frame_row, personal_of_series, telling_extras};
use super::history::{History, intern};
use super::live::features_online;
use super::places::{at_file, tables_behind};
use super::series::{SeriesExamples, SeriesInputs, SeriesLabels, as_sent, request};
use super::windows::{CompiledWindow, compile_windows, replay};
use crate::PlatformError;
use crate::error::arrow_error;
use crate::kinds::{self, Context};
use crate::progress::Progress;
use crate::split::{DAY, Plan, Timeline, floor_day, plan};
use crate::values::Interned;
use crate::values::OwnedValue;
use crate::version::learned_tables::{LearnedTable, learned_tables, read_plain};
use keys::of_series;
use septet_domain::{ColumnType, Domain, Layout, Monotone, Series, Spanned, SplitBy};
use septet_learn::frame::Frame;
use septet_learn::measures::{Task, measure};
use septet_tables::arrow::array::{ArrayRef, StringArray};
use septet_tables::{Engine, numbers};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Rows in the order of their time, with all that is known of them.
pub struct TrainingData {
    pub frame: Frame,
    /// Microseconds, rising.
    pub times: Vec<i64>,
    /// All labels by name, one value a row, NaN where it is not known.
    pub labels: BTreeMap<String, Vec<f64>>,
    pub context: Context,
    /// The parts, by row.
    pub plan: Plan,
    /// Columns beyond the contract that are features.
    pub extras: Vec<String>,
    /// Of each feature, whether its values point at a person.
    pub personal: Vec<bool>,
    /// Those that are none, with why.
    pub left_out: Vec<(String, String)>,
    /// The tables that requests will be answered from, as they are.
    pub tables: Vec<LearnedTable>,
    /// Rows of the domain's first input.
    pub rows_read: u64,
    /// First and last time of the data, microseconds.
    pub span: Option<(i64, i64)>,
    pub data_fingerprint: String,
    pub layout: String,
    pub simulated: bool,
    target: String,
    source: Source,
}

enum Source {
    Events(Box<EventRows>),
    Series(Box<KeyRows>),
}

struct EventRows {
    history: History,
    windows: Vec<CompiledWindow>,
    features: FeatureSet,
    /// Row of the history that the frame begins at.
    first_row: usize,
}

struct KeyRows {
    inputs: Arc<SeriesInputs>,
    labels: SeriesLabels,
    contract: EventContract,
    one_row: bool,
    /// How long after the moment labels count, microseconds.
    held: i64,
    /// The moment that the rows are as of, and all rows as of the end.
    moment: i64,
    newest: Frame,
    /// Names of the keys, one a row.
    keys: Vec<String>,
    /// Name and values of what came in the last period of equal length, as known at the moment.
    last_period: Vec<f64>,
}

/// What is asked of the run that the data is of.
pub struct Extracted {
    pub fingerprint: String,
    pub layout: String,
    pub simulated: bool,
}

/// What a gate found.
pub struct Comparison {
    pub different: usize,
    pub evidence: String,
}

impl TrainingData {
    /// Makes the data from a run's tables, which the engine knows.
    pub async fn prepare(
        engine: &Engine,
        domain: &Domain,
        extracted: Extracted,
        progress: &dyn Progress,
    ) -> Result<TrainingData, PlatformError> {
        let layout = domain.spec.layout.get(&extracted.layout);
        read_plain(engine, domain.spec.first_input().0).await?;
        let data = match &domain.spec.series {
            Some(spec) => of_series(engine, domain, spec, extracted, progress).await?,
            None => of_events(engine, domain, layout, &extracted, progress).await?,
        };
        let tables = learned_tables(engine, &answered_from(domain)).await?;
        Ok(TrainingData { tables, ..data })
    }

    /// What is predicted: 0 or 1 for a label; NaN where it is not known.
    pub fn target(&self) -> &[f64] {
        self.labels.get(&self.target).map_or(&[], Vec::as_slice)
    }

    /// A column of the rows as small numbers, and how many there are in all the data.
    pub fn codes(&self, column: &str) -> Result<(Vec<u32>, usize), PlatformError> {
        let (codes, words) = match &self.source {
            Source::Events(own) => {
                let interned = own.history.intern(column)?;
                (interned.codes[own.first_row..own.first_row + self.frame.rows()].to_vec(), interned.words.len())
            }
            Source::Series(own) => {
                let words: ArrayRef = Arc::new(StringArray::from(own.keys.clone()));
                let interned = intern(&words)?;
                (interned.codes, interned.words.len())
            }
        };
        Ok((codes, words))
    }

    /// A number beside the features, one value a row, NaN where there is none.
    pub fn numbers(&self, column: &str) -> Result<Vec<f64>, PlatformError> {
        if let Some(values) = self.labels.get(column) {
            return Ok(values.clone());
        }
        match &self.source {
            Source::Events(own) => {
                let values = own.history.column(column)?.slice(own.first_row, self.frame.rows());
                Ok(numbers(&values)?)
            }
            Source::Series(_) => Err(arrow_error(format!("a series has no number `{column}` beside its features"))),
        }
    }

    /// The inputs of all keys as of the end, where a kind that looks at no target is fitted once more.
    pub fn newest(&self) -> &Frame {
        match &self.source {
            Source::Events(_) => &self.frame,
            Source::Series(own) => &own.newest,
        }
    }

    /// What came in the last period of equal length, as it was known when the rows were: none where rows have no such period.
    pub fn last_period(&self) -> Option<&[f64]> {
        match &self.source {
            Source::Events(_) => None,
            Source::Series(own) => Some(&own.last_period),
        }
    }

    /// The target of the same entity's latest earlier row, as it was known at the row's time; NaN where there is none.
    pub fn last_values(&self, entity: &str, known_after: i64) -> Result<Vec<f64>, PlatformError> {
        let (codes, count) = self.codes(entity)?;
        let mut rows: Vec<std::collections::VecDeque<(i64, f64)>> = vec![Default::default(); count];
        let mut last = vec![f64::NAN; count];
        let mut values = Vec::with_capacity(codes.len());
        for ((&code, &time), &value) in codes.iter().zip(&self.times).zip(self.target()) {
            let waiting = &mut rows[code as usize];
            while let Some(&(_, known)) = waiting.front().filter(|(earlier, _)| earlier + known_after <= time) {
                last[code as usize] = known;
                waiting.pop_front();
            }
            values.push(last[code as usize]);
            if !value.is_nan() {
                waiting.push_back((time, value));
            }
        }
        Ok(values)
    }

    /// The last rows again as a service would have made them, one by one: every value equal to the bit.
    pub fn parity(&self, rows: usize) -> Result<Comparison, PlatformError> {
        match &self.source {
            Source::Events(own) => {
                let end = own.first_row + self.frame.rows();
                let sample: Vec<usize> = (end.saturating_sub(rows).max(own.first_row)..end).collect();
                let online = features_online(&own.history, &own.windows, &own.features, &sample)?;
                let pairs = sample.iter().map(|row| frame_row(&self.frame, row - own.first_row)).zip(online);
                Ok(compared("rows answered one by one", sample.len(), &self.frame.names, pairs))
            }
            Source::Series(own) => own.parity(rows),
        }
    }

    /// The tables that must be made again to cut the inputs, the inputs themselves aside.
    pub fn tables_behind(&self, engine: &Engine, domain: &Domain) -> Result<Vec<String>, PlatformError> {
        match &domain.spec.series {
            Some(series) => tables_behind(engine, domain, &[series.get_ref().rows.get_ref().clone()]),
            None => Ok(Vec::new()),
        }
    }

    /// The moment at which the inputs are cut to see whether anything earlier depends on what came later.
    pub fn cut_at(&self) -> i64 {
        match &self.source {
            Source::Series(own) if own.one_row => own.moment,
            _ => {
                let test = &self.plan.test[0].test;
                self.times[test[test.len() / 2] as usize] - 1
            }
        }
    }

    /// Features of rows until the cut, and labels made from later rows that were known by then, made again from the inputs as they
    /// were known then: `engine` knows those alone, with the tables made again from them. None where no label is made.
    pub async fn again_at_cut(
        &self,
        engine: &Engine,
        domain: &Domain,
        cut: i64,
    ) -> Result<(Comparison, Option<Comparison>), PlatformError> {
        match &self.source {
            Source::Events(own) => {
                read_plain(engine, domain.spec.first_input().0).await?;
                let before = History::read(engine, domain).await?;
                let before = with_made_labels(engine, domain, before, cut).await?;
                let last = before.rows();
                let first = last.saturating_sub(self.frame.rows()).max(own.first_row).min(last);
                let columns = replay(&before, &own.windows, first..last)?;
                let frame = own.features.frame(&before, &columns, first..last)?;
                let different = differing_values(&frame, &self.frame, first - own.first_row);
                let values = (last - first) * frame.names.len();
                let day = crate::split::day_name(cut + 1);
                let evidence = format!("inputs cut at {day}: {different} of {values} earlier values differ");
                Ok((Comparison { different, evidence }, own.labels_beside(&before, domain, cut)?))
            }
            Source::Series(own) => {
                let Some(spec) = &domain.spec.series else { return Err(arrow_error("a series without a series")) };
                let before = SeriesInputs::load(engine, domain, spec).await?;
                let labels = SeriesLabels::compile(engine, domain, spec, before.rows().clone()).await?;
                let features = own.features_beside(&before, cut)?;
                Ok((features, Some(own.labels_beside(&before, &labels, cut)?)))
            }
        }
    }

    /// Some rows' features as another definition makes them from the same tables; none where it does not answer about such rows.
    pub fn frame_by(&self, other: &Inputs, rows: &[u32]) -> Result<Option<Frame>, PlatformError> {
        let (Some(&first), Some(&last)) = (rows.iter().min(), rows.iter().max()) else { return Ok(None) };
        match &self.source {
            Source::Events(own) => {
                let range = own.first_row + first as usize..own.first_row + last as usize + 1;
                let frame = other.frame(&other.contract.of_its_columns(&own.history)?, range)?;
                let rows: Vec<u32> = rows.iter().map(|row| row - first).collect();
                Ok(frame.map(|frame| frame.take(&rows)))
            }
            Source::Series(own) => {
                let Some(all) = other.frame_of_keys(own.moment)? else { return Ok(None) };
                let places: BTreeMap<&str, u32> =
                    all.names.iter().enumerate().map(|(at, name)| (name.as_str(), at as u32)).collect();
                let wanted = rows.iter().map(|&row| places.get(own.keys[row as usize].as_str()).copied());
                Ok(wanted.collect::<Option<Vec<u32>>>().map(|rows| all.frame.take(&rows)))
            }
        }
    }

    /// The history and windows of a benchmark that times the replay alone; none where nothing is replayed.
    pub fn replayed(&self) -> Option<(&History, &[CompiledWindow])> {
        match &self.source {
            Source::Events(own) => Some((&own.history, &own.windows)),
            Source::Series(_) => None,
        }
    }
}

/// The tables that requests are answered from, the first input first.
fn answered_from(domain: &Domain) -> Vec<&str> {
    let (first, _) = domain.spec.first_input();
    let looked_up = domain.spec.lookup.values().map(|lookup| lookup.table.get_ref().as_str());
    let rows = domain.spec.series.iter().map(|series| series.get_ref().rows.get_ref().as_str());
    [first.as_str()].into_iter().chain(looked_up).chain(rows).collect()
}

fn compared(
    what: &str,
    rows: usize,
    names: &[String],
    pairs: impl Iterator<Item = (Vec<OwnedValue>, Vec<OwnedValue>)>,
) -> Comparison {
    let (mut different, mut example) = (0, String::new());
    for (batch, online) in pairs {
        for (at, (a, b)) in batch.iter().zip(&online).enumerate().filter(|(_, (a, b))| !a.same(b)) {
            different += 1;
            example = format!("; `{}` is {a:?} in batch, {b:?} online", names[at]);
        }
    }
    let values = rows * names.len();
    Comparison { different, evidence: format!("{rows} {what}: {different} of {values} values differ{example}") }
}

/// What is predicted, how, and what all fits share.
pub fn context(domain: &Domain) -> Result<Context, PlatformError> {
    let model = &domain.spec.model;
    let monotone = domain.spec.features.iter().filter_map(|(name, feature)| {
        let direction = match feature.monotone? {
            Monotone::Rising => 1,
            Monotone::Falling => -1,
        };
        Some((name.get_ref().clone(), direction))
    });
    let unknown = || PlatformError::Training(format!("there is no measure `{}`", model.measure.get_ref()));
    Ok(Context {
        task: task(domain)?,
        seed: domain.spec.seed(),
        measure: measure(model.measure.get_ref()).ok_or_else(unknown)?,
        monotone: monotone.collect(),
        horizons: model.horizons.iter().map(|horizon| (horizon.to_string(), horizon.days())).collect(),
        target_days: domain.spec.known_after().days(),
    })
}

/// What a domain predicts, by the type of its target and what its kinds can.
pub fn task(domain: &Domain) -> Result<Task, PlatformError> {
    let target = domain.spec.target().ok_or_else(|| PlatformError::Training("the target is no label".to_owned()))?;
    let possible: &[Task] = match target.kind {
        ColumnType::Bool => &[Task::Label],
        ColumnType::Integer => &[Task::Count, Task::Number],
        ColumnType::Number => &[Task::Number],
        ColumnType::Text | ColumnType::Timestamp => &[],
    };
    let choices = domain.spec.model.kinds();
    let kinds = choices.iter().filter_map(|choice| kinds::find(choice.kind.get_ref()));
    let kinds: Vec<_> = kinds.collect();
    let fits = |task: &&Task| kinds.iter().all(|kind| kind.tasks().contains(task));
    possible.iter().find(fits).copied().ok_or_else(|| {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let what = format!("{:?}", target.kind).to_lowercase();
        PlatformError::Training(format!("`{}` is a {what}: {} cannot predict it", target.name, names.join(" and ")))
    })
}

async fn of_events(
    engine: &Engine,
    domain: &Domain,
    layout: Option<&Layout>,
    extracted: &Extracted,
    progress: &dyn Progress,
) -> Result<TrainingData, PlatformError> {
    let context = context(domain)?;
    let history = History::read(engine, domain).await?;
    let newest = history.times.last().copied().unwrap_or(0);
    let history = with_made_labels(engine, domain, history, newest).await?;
    let target = domain.spec.model.target.get_ref().clone();
    let label = history.label(&target)?;
    let (_, input) = domain.spec.first_input();
    let schema = history.batch.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    let beyond: Vec<String> = names.filter(|name| input.columns.keys().all(|known| known.get_ref() != name)).collect();
    let Beyond { taken: extras, left_out } = telling_extras(&history, &beyond)?;
    let windows = compile_windows(engine, domain, &schema).await?;
    let codes = |name: &str| -> Result<Arc<Interned>, PlatformError> { history.intern(name) };
    let timeline = Timeline { times: &history.times, codes: &codes, task: context.task };
    let plan = plan(&timeline, domain, &label, layout)?;
    let range = plan.range();
    progress.begin("train: windows", Some(range.len() as u64), "rows");
    let window_columns = replay(&history, &windows, range.clone())?;
    progress.end();
    let names: Vec<String> = window_columns.iter().map(|(name, _)| name.clone()).collect();
    let features = FeatureSet::compile(engine, domain, &schema, &names, &extras).await;
    let features = features.map_err(|error| match error {
        PlatformError::Tables(error) => at_file(domain, "features.sql", error),
        other => other,
    })?;
    progress.begin("train: features", Some(range.len() as u64), "rows");
    let frame = features.frame(&history, &window_columns, range.clone())?;
    progress.end();
    let mut labels = BTreeMap::new();
    for one in domain.spec.labels().iter().filter(|one| one.kind != ColumnType::Text) {
        labels.insert(one.name.to_owned(), history.label(one.name)?[range.clone()].to_vec());
    }
    Ok(TrainingData {
        personal: features.personal(domain),
        labels,
        frame,
        times: history.times[range.clone()].to_vec(),
        context,
        plan: plan.shifted(range.start),
        extras,
        left_out,
        tables: Vec::new(),
        rows_read: history.rows() as u64,
        span: history.times.first().copied().zip(history.times.last().copied()),
        data_fingerprint: extracted.fingerprint.clone(),
        layout: extracted.layout.clone(),
        simulated: extracted.simulated,
        target,
        source: Source::Events(Box::new(EventRows { first_row: range.start, history, windows, features })),
    })
}

fn labels_compared(cut: i64, pairs: impl Iterator<Item = (f64, f64)>) -> Comparison {
    let (mut different, mut compared) = (0, 0);
    for (then, now) in pairs {
        compared += 1;
        different += usize::from(then != now && !(then.is_nan() && now.is_nan()));
    }
    let day = crate::split::day_name(cut + 1);
    let evidence = format!("inputs cut at {day}: {different} of {compared} labels that were known by then differ");
    Comparison { different, evidence }
}

impl EventRows {
    /// Labels made from later rows that were known at the cut, beside those of the history as it was known then.
    fn labels_beside(&self, before: &History, domain: &Domain, cut: i64) -> Result<Option<Comparison>, PlatformError> {
        let made = made_labels(domain);
        if made.is_empty() {
            return Ok(None);
        }
        let mut pairs = Vec::new();
        for (name, _, known_after) in &made {
            let (then, now) = (before.label(name)?, self.history.label(name)?);
            let known = |(.., time): &((f64, f64), &i64)| time.saturating_add(*known_after) <= cut;
            pairs.extend(then.into_iter().zip(now).zip(&before.times).filter(known).map(|(pair, _)| pair));
        }
        Ok(Some(labels_compared(cut, pairs.into_iter())))
    }
}
