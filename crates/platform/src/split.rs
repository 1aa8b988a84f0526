//! Which rows a version learns from and which it is judged on: later than training in time, or other
//! people, never the same rows shuffled.

use crate::PlatformError;
use crate::history::History;
use septet_domain::{Domain, Layout, Split, SplitBy, Validation};
use septet_learn::bootstrap::SplitMix64;
use septet_tables::instant;
use std::collections::HashMap;

pub const DAY: i64 = 86_400_000_000;

/// Rows of the history, in time order. The rows of `test` were not known when `train` was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    pub train: Vec<u32>,
    pub test: Vec<u32>,
    /// What the fold is, for a person.
    pub title: String,
}

#[derive(Clone, Debug)]
pub struct Plan {
    /// Candidates are chosen here.
    pub validation: Vec<Fold>,
    /// The chosen one is judged here; the newest fold comes first, and its version is the one that is kept.
    pub test: Vec<Fold>,
}

/// Splits the rows whose label is known; a layout may repeat a published protocol.
pub fn plan(history: &History, domain: &Domain, label: &[f64], layout: Option<&Layout>) -> Result<Plan, PlatformError> {
    let own = layout.and_then(|layout| layout.split.as_ref());
    let split = own.unwrap_or(&domain.spec.label_model().split).get_ref();
    let plan = match split.by {
        SplitBy::Time => by_time(history, domain, split, label, layout)?,
        SplitBy::Group => by_group(history, split, &ripe(history, domain, label), domain.spec.seed())?,
        SplitBy::Stratified => by_class(split, &ripe(history, domain, label), domain.spec.seed()),
    };
    for fold in plan.validation.iter().chain(&plan.test) {
        for (what, rows) in [("training", &fold.train), ("test", &fold.test)] {
            let positives = rows.iter().filter(|&&row| label[row as usize] == 1.0).count();
            if positives == 0 || positives == rows.len() {
                let text = format!(
                    "the {what} rows of fold `{}` hold {positives} positives among {} rows; both classes are needed: lengthen the split or bring more data",
                    fold.title,
                    rows.len()
                );
                return Err(PlatformError::Training(text));
            }
        }
    }
    Ok(plan)
}

/// Test spans go back from the end; the validation folds lie before them.
fn by_time(
    history: &History,
    domain: &Domain,
    split: &Split,
    label: &[f64],
    layout: Option<&Layout>,
) -> Result<Plan, PlatformError> {
    let (train, test) = (split.train.unwrap_or_default().micros(), split.test.unwrap_or_default().micros());
    let delay = split.delay.micros();
    let end = match layout.and_then(|layout| layout.split_end.as_deref()) {
        Some(text) => {
            instant(text).ok_or_else(|| PlatformError::Training(format!("split_end `{text}` is not a date")))?
        }
        None => default_end(history, domain),
    };
    let known = match &split.exclude_known {
        Some(name) => Some(history.intern(name.get_ref())?.codes.clone()),
        None => None,
    };
    let rows_of = |from: i64, until: i64| {
        let first = history.times.partition_point(|&time| time < from);
        let last = history.times.partition_point(|&time| time < until);
        (first as u32..last as u32).filter(|&row| !label[row as usize].is_nan()).collect::<Vec<u32>>()
    };
    let fold = |test_from: i64| {
        let train_until = test_from - delay;
        let train_from = train_until - train;
        let mut rows = rows_of(test_from, test_from + test);
        if let Some(entities) = &known {
            let positives = Positives::of(history, entities, label, train_from);
            rows.retain(|&row| !positives.known(entities[row as usize], history.times[row as usize], delay));
        }
        let title = format!("{} to {}", day_name(test_from), day_name(test_from + test));
        Fold { train: rows_of(train_from, train_until), test: rows, title }
    };
    let earlier = match layout.and_then(|layout| layout.validation).unwrap_or(Validation::Earlier) {
        Validation::Earlier => i64::from(split.folds) * test + delay,
        Validation::Overlapping => test + delay,
    };
    let oldest = history.times.first().copied().unwrap_or(0);
    let starts = (1..=i64::from(split.folds)).map(|back| end - back * test);
    let reaches = |test_from: &i64| test_from - delay - train >= floor_day(oldest);
    let tests: Vec<Fold> = starts.clone().filter(reaches).map(fold).collect();
    let validation: Vec<Fold> = starts.map(|from| from - earlier).filter(reaches).map(fold).collect();
    if tests.is_empty() || validation.is_empty() {
        let needed = (train + delay + test + earlier) / DAY;
        let have = (end - oldest) / DAY;
        let text =
            format!("the split needs {needed} days of history for one validation and one test fold; there are {have}");
        return Err(PlatformError::Training(text));
    }
    Ok(Plan { validation, test: tests })
}

/// When each entity's first positive from a time on happened.
struct Positives {
    first: HashMap<u32, i64>,
}

impl Positives {
    fn of(history: &History, entities: &[u32], label: &[f64], from: i64) -> Positives {
        let mut first = HashMap::new();
        let start = history.times.partition_point(|&time| time < from);
        for row in (start..history.rows()).filter(|&row| label[row] == 1.0) {
            first.entry(entities[row]).or_insert(history.times[row]);
        }
        Positives { first }
    }

    /// Whether a positive of the entity was known when the day of `time` began.
    fn known(&self, entity: u32, time: i64, delay: i64) -> bool {
        self.first.get(&entity).is_some_and(|&first| first < floor_day(time) - delay)
    }
}

/// The last midnight before which every label has had its delay: a label younger than that is no label.
fn default_end(history: &History, domain: &Domain) -> i64 {
    floor_day(ripe_until(history, domain))
}

/// Labels of events up to this time are known when the newest event happens.
fn ripe_until(history: &History, domain: &Domain) -> i64 {
    let target = domain.spec.label_model().target.get_ref();
    let (_, input) = domain.spec.input.first().expect("checked: a domain has an input");
    let column = input.columns.iter().find(|(name, _)| name.get_ref() == target);
    let known_after = column.and_then(|(_, column)| column.known_after).unwrap_or_default().micros();
    history.times.last().copied().unwrap_or(0) - known_after
}

/// Labels with those that are too young made unknown.
fn ripe(history: &History, domain: &Domain, label: &[f64]) -> Vec<f64> {
    let until = ripe_until(history, domain);
    label.iter().zip(&history.times).map(|(&label, &time)| if time <= until { label } else { f64::NAN }).collect()
}

pub fn floor_day(time: i64) -> i64 {
    time.div_euclid(DAY) * DAY
}

pub fn day_name(time: i64) -> String {
    chrono::DateTime::from_timestamp_micros(time)
        .map_or_else(|| time.to_string(), |time| time.format("%Y-%m-%d").to_string())
}

/// Groups are dealt to the hold-out and to the folds by a seeded hash of their order of appearance.
fn by_group(history: &History, split: &Split, label: &[f64], seed: u64) -> Result<Plan, PlatformError> {
    let name = split.group.as_ref().map_or("", |name| name.get_ref());
    let groups = history.intern(name)?;
    let draws: Vec<f64> = draws(groups.words.len(), seed);
    let rows = (0..label.len() as u32).filter(|&row| !label[row as usize].is_nan());
    Ok(dealt(rows.map(|row| (row, draws[groups.codes[row as usize] as usize])).collect(), split))
}

/// Rows of each class are dealt in turn, so that every part has its share of positives.
fn by_class(split: &Split, label: &[f64], seed: u64) -> Plan {
    let draws = draws(label.len(), seed);
    let mut dealt_rows = Vec::new();
    for class in [0.0, 1.0] {
        let mut rows: Vec<u32> = (0..label.len() as u32).filter(|&row| label[row as usize] == class).collect();
        rows.sort_by(|&a, &b| draws[a as usize].total_cmp(&draws[b as usize]));
        let count = rows.len() as f64;
        dealt_rows.extend(rows.into_iter().enumerate().map(|(place, row)| (row, (place as f64 + 0.5) / count)));
    }
    dealt_rows.sort_by_key(|&(row, _)| row);
    dealt(dealt_rows, split)
}

fn draws(count: usize, seed: u64) -> Vec<f64> {
    let mut random = SplitMix64::new(seed);
    (0..count).map(|_| (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64).collect()
}

/// Rows with a place in 0..1: those at the end are held out, the others form the folds.
fn dealt(rows: Vec<(u32, f64)>, split: &Split) -> Plan {
    let held = 1.0 - split.holdout;
    let learned: Vec<(u32, f64)> = rows.iter().copied().filter(|&(_, place)| place < held).collect();
    let test = rows.iter().filter(|&&(_, place)| place >= held).map(|&(row, _)| row).collect();
    let folds = split.folds.max(2);
    let fold_of = |place: f64| (place / held * f64::from(folds)) as u32;
    let fold = |number: u32| Fold {
        train: learned.iter().filter(|&&(_, place)| fold_of(place) != number).map(|&(row, _)| row).collect(),
        test: learned.iter().filter(|&&(_, place)| fold_of(place) == number).map(|&(row, _)| row).collect(),
        title: format!("fold {}", number + 1),
    };
    let holdout = Fold { train: learned.iter().map(|&(row, _)| row).collect(), test, title: "hold-out".to_owned() };
    Plan { validation: (0..folds).map(fold).collect(), test: vec![holdout] }
}
