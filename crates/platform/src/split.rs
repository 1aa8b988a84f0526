//! Which rows a version learns from and which it is judged on: later than training in time, or other
//! people, never the same rows shuffled.

use crate::PlatformError;
use crate::values::Interned;
use septet_domain::{Domain, Layout, Split, SplitBy, Validation};
use septet_learn::bootstrap::SplitMix64;
use septet_learn::measures::Task;
use septet_tables::instant;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

pub const DAY: i64 = 86_400_000_000;

/// Rows in time order. The rows of `test` were not known when `train` was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    /// Rows whose target was known when the test began.
    pub train: Vec<u32>,
    /// Rows that were known themselves, with or without their target, for kinds that look at no target; empty: the same.
    pub seen: Vec<u32>,
    pub test: Vec<u32>,
    /// What the fold is, for a person.
    pub title: String,
}

impl Fold {
    /// Rows that a kind is fitted on.
    pub fn fitted_on(&self, learns_from_target: bool) -> &[u32] {
        if learns_from_target || self.seen.is_empty() { &self.train } else { &self.seen }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Candidates are chosen here.
    pub validation: Vec<Fold>,
    /// The chosen one is judged here; the newest fold comes first, and its version is the one that is kept.
    pub test: Vec<Fold>,
}

impl Plan {
    /// From the first row that a fold uses to the last.
    pub fn range(&self) -> Range<usize> {
        let rows = self.validation.iter().chain(&self.test).flat_map(|fold| fold.train.iter().chain(&fold.test));
        let (first, last) = rows.fold((u32::MAX, 0), |(first, last), &row| (first.min(row), last.max(row)));
        first as usize..last as usize + 1
    }

    /// The same with rows counted from another one.
    pub fn shifted(self, first: usize) -> Plan {
        let shift = |rows: Vec<u32>| rows.into_iter().map(|row| row - first as u32).collect();
        let fold = |fold: Fold| Fold {
            train: shift(fold.train),
            seen: shift(fold.seen),
            test: shift(fold.test),
            title: fold.title,
        };
        Plan {
            validation: self.validation.into_iter().map(fold).collect(),
            test: self.test.into_iter().map(fold).collect(),
        }
    }
}

/// The codes of a column's words, one a row.
pub type Codes<'a> = dyn Fn(&str) -> Result<Arc<Interned>, PlatformError> + 'a;

/// Rows that are split.
pub struct Timeline<'a> {
    /// Microseconds, rising.
    pub times: &'a [i64],
    pub codes: &'a Codes<'a>,
    pub task: Task,
}

/// Splits the rows whose label is known; a layout may repeat a published protocol.
pub fn plan(rows: &Timeline, domain: &Domain, label: &[f64], layout: Option<&Layout>) -> Result<Plan, PlatformError> {
    let own = layout.and_then(|layout| layout.split.as_ref());
    let split = own.unwrap_or(&domain.spec.model.split).get_ref();
    let known_after = domain.spec.known_after().micros();
    let mature = || mature_labels(rows, label, known_after);
    let plan = match split.by {
        SplitBy::Time => by_time(rows, split, label, known_after, layout)?,
        SplitBy::Group => by_group(rows, split, &mature(), domain.spec.seed())?,
        SplitBy::Stratified => match rows.task {
            Task::Label => by_class(split, &mature(), domain.spec.seed()),
            Task::Number | Task::Count => by_chance(split, &mature(), domain.spec.seed()),
        },
        SplitBy::Moment => return Err(PlatformError::Training("a split by moment needs one row a key".to_owned())),
    };
    for fold in plan.validation.iter().chain(&plan.test) {
        for (what, rows_of) in [("training", &fold.train), ("test", &fold.test)] {
            if let Some(wrong) = unusable(rows.task, rows_of, label) {
                let title = &fold.title;
                let what = format!("the {what} rows of fold `{title}` {wrong}: lengthen the split or bring more data");
                return Err(PlatformError::Training(what));
            }
        }
    }
    Ok(plan)
}

/// Why nothing can be learned from some rows, or judged on them.
fn unusable(task: Task, rows: &[u32], label: &[f64]) -> Option<String> {
    if rows.is_empty() {
        return Some("are none".to_owned());
    }
    let positives = rows.iter().filter(|&&row| label[row as usize] == 1.0).count();
    let one_class = task == Task::Label && (positives == 0 || positives == rows.len());
    one_class.then(|| format!("hold {positives} positives among {} rows; both classes are needed", rows.len()))
}

/// Keys as they were known at a moment: half of them choose, the other half judge, told apart by a hash of their name, so that a
/// key more changes nobody's side. `earlier`: whether rows as of a period earlier come first, to learn from.
pub fn by_moment(rows: &Timeline, keys: &[String], moment: i64, held: i64, earlier: bool) -> Plan {
    let train: Vec<u32> = match earlier {
        true => (0..keys.len() as u32).filter(|&row| rows.times[row as usize] < moment).collect(),
        false => Vec::new(),
    };
    let seen: Vec<u32> = (train.len() as u32..keys.len() as u32).collect();
    let chooses = |row: &u32| blake3::hash(keys[*row as usize].as_bytes()).as_bytes()[0] & 1 == 0;
    let title = format!("{} to {}", day_name(moment + 1), day_name(moment + 1 + held));
    let fold = |test: Vec<u32>| Fold {
        train: if earlier { train.clone() } else { seen.clone() },
        seen: seen.clone(),
        test,
        title: title.clone(),
    };
    let (choose, judge) = seen.iter().partition(|row| chooses(row));
    Plan { validation: vec![fold(choose)], test: vec![fold(judge)] }
}

/// Test spans go back from the end; the validation folds lie before them.
fn by_time(
    rows: &Timeline,
    split: &Split,
    label: &[f64],
    known_after: i64,
    layout: Option<&Layout>,
) -> Result<Plan, PlatformError> {
    let (train, test) = (split.train.unwrap_or_default().micros(), split.test.unwrap_or_default().micros());
    let delay = split.delay.micros();
    let end = match layout.and_then(|layout| layout.split_end.as_deref()) {
        Some(text) => {
            instant(text).ok_or_else(|| PlatformError::Training(format!("split_end `{text}` is not a date")))?
        }
        // The last midnight before which every label has had its delay: a label younger than that is no label.
        None => floor_day(mature_until(rows, known_after)),
    };
    let known = match &split.exclude_known {
        Some(name) => Some((rows.codes)(name.get_ref())?.codes.clone()),
        None => None,
    };
    let rows_of = |from: i64, until: i64| {
        let first = rows.times.partition_point(|&time| time < from);
        let last = rows.times.partition_point(|&time| time < until);
        (first as u32..last as u32).filter(|&row| !label[row as usize].is_nan()).collect::<Vec<u32>>()
    };
    let fold = |test_from: i64| {
        let train_until = test_from - delay;
        let train_from = train_until - train;
        let mut tested = rows_of(test_from, test_from + test);
        if let Some(entities) = &known {
            let positives = Positives::of(rows.times, entities, label, train_from);
            tested.retain(|&row| !positives.known(entities[row as usize], rows.times[row as usize], delay));
        }
        let title = format!("{} to {}", day_name(test_from), day_name(test_from + test));
        Fold { train: rows_of(train_from, train_until), seen: Vec::new(), test: tested, title }
    };
    let earlier = match layout.and_then(|layout| layout.validation).unwrap_or(Validation::Earlier) {
        Validation::Earlier => i64::from(split.folds) * test + delay,
        Validation::Overlapping => test + delay,
    };
    let oldest = rows.times.first().copied().unwrap_or(0);
    let starts = (1..=i64::from(split.folds)).map(|back| end - back * test);
    let reaches = |test_from: &i64| test_from - delay - train >= floor_day(oldest);
    let tests: Vec<Fold> = starts.clone().filter(reaches).map(fold).collect();
    let validation: Vec<Fold> = starts.map(|from| from - earlier).filter(reaches).map(fold).collect();
    if tests.is_empty() || validation.is_empty() {
        let needed = (train + delay + test + earlier) / DAY;
        let newest = rows.times.last().copied().unwrap_or(oldest);
        // The day of the first row counts, and a table of one day is a day.
        let (have, known) = ((newest - floor_day(oldest)) / DAY + 1, ((end - floor_day(oldest)) / DAY).max(0));
        let text = format!(
            "the split needs {needed} days of history whose labels are known, for one validation and one test fold; \
             there are {}, and labels are known for {known} of them",
            days(have)
        );
        return Err(PlatformError::Training(text));
    }
    Ok(Plan { validation, test: tests })
}

/// When each entity's first positive from a time on happened.
struct Positives {
    first: HashMap<u32, i64>,
}

impl Positives {
    fn of(times: &[i64], entities: &[u32], label: &[f64], from: i64) -> Positives {
        let mut first = HashMap::new();
        let start = times.partition_point(|&time| time < from);
        for row in (start..times.len()).filter(|&row| label[row] == 1.0) {
            first.entry(entities[row]).or_insert(times[row]);
        }
        Positives { first }
    }

    /// Whether a positive of the entity was known when the day of `time` began.
    fn known(&self, entity: u32, time: i64, delay: i64) -> bool {
        self.first.get(&entity).is_some_and(|&first| first < floor_day(time) - delay)
    }
}

fn days(count: i64) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}

/// Labels of events up to this time are known when the newest event happens.
fn mature_until(rows: &Timeline, known_after: i64) -> i64 {
    rows.times.last().copied().unwrap_or(0) - known_after
}

/// Labels with those that are too young made unknown.
fn mature_labels(rows: &Timeline, label: &[f64], known_after: i64) -> Vec<f64> {
    let until = mature_until(rows, known_after);
    label.iter().zip(rows.times).map(|(&label, &time)| if time <= until { label } else { f64::NAN }).collect()
}

pub fn floor_day(time: i64) -> i64 {
    time.div_euclid(DAY) * DAY
}

pub fn day_name(time: i64) -> String {
    chrono::DateTime::from_timestamp_micros(time)
        .map_or_else(|| time.to_string(), |time| time.format("%Y-%m-%d").to_string())
}

/// Groups are dealt to the hold-out and to the folds by a seeded hash of their order of appearance.
fn by_group(rows: &Timeline, split: &Split, label: &[f64], seed: u64) -> Result<Plan, PlatformError> {
    let name = split.group.as_ref().map_or("", |name| name.get_ref());
    let groups = (rows.codes)(name)?;
    let draws: Vec<f64> = draws(groups.words.len(), seed);
    let known = (0..label.len() as u32).filter(|&row| !label[row as usize].is_nan());
    Ok(dealt(known.map(|row| (row, draws[groups.codes[row as usize] as usize])).collect(), split))
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

/// Rows are dealt by a seeded hash of their order.
fn by_chance(split: &Split, label: &[f64], seed: u64) -> Plan {
    let draws = draws(label.len(), seed);
    let known = (0..label.len() as u32).filter(|&row| !label[row as usize].is_nan());
    dealt(known.map(|row| (row, draws[row as usize])).collect(), split)
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
        seen: Vec::new(),
        test: learned.iter().filter(|&&(_, place)| fold_of(place) == number).map(|&(row, _)| row).collect(),
        title: format!("fold {}", number + 1),
    };
    let train = learned.iter().map(|&(row, _)| row).collect();
    let holdout = Fold { train, seen: Vec::new(), test, title: "hold-out".to_owned() };
    Plan { validation: (0..folds).map(fold).collect(), test: vec![holdout] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_domain::Domains;

    /// Rows every six hours for 70 days, from midnight. Each third row is of one entity, the others of one each.
    const ROWS: u32 = 280;

    fn planned(label: &[f64], layout: Option<&Layout>) -> Plan {
        let codes = |_: &str| {
            let codes = (0..ROWS).map(|row| if row % 3 == 0 { 0 } else { row }).collect();
            Ok(Arc::new(Interned { codes, words: (0..ROWS).map(|row| row.to_string()).collect() }))
        };
        let times: Vec<i64> = (0..i64::from(ROWS)).map(|row| row * DAY / 4).collect();
        let rows = Timeline { times: &times, codes: &codes, task: Task::Label };
        // Trained on 7 days, 7 days of embargo, tested on 7 days, four times; labels are known after 7 days.
        plan(&rows, &Domains::default().load("fraud").unwrap(), label, layout).unwrap()
    }

    /// Every third row is positive, and the one entity on the days given.
    fn labels(days: &[i64]) -> Vec<f64> {
        let positive = |row: u32| match row % 3 {
            0 => days.contains(&i64::from(row / 4)),
            class => class == 1,
        };
        (0..ROWS).map(|row| f64::from(u8::from(positive(row)))).collect()
    }

    fn span(rows: &[u32]) -> (i64, i64) {
        let day = |row: &u32| i64::from(row / 4);
        (rows.iter().map(day).min().unwrap(), rows.iter().map(day).max().unwrap() + 1)
    }

    #[test]
    fn labels_are_known_before_the_test_and_the_newest_test_ends_before_the_unknown() {
        let plan = planned(&labels(&[]), None);
        // 69.75 days less 7: the last midnight is that of day 62.
        assert_eq!(span(&plan.test[0].test).1, 62);
        for (at, fold) in plan.test.iter().enumerate() {
            let from = 62 - 7 * (at as i64 + 1);
            assert_eq!(span(&fold.train), (from - 14, from - 7), "{}", fold.title);
            assert!(fold.test.iter().all(|row| (from..from + 7).contains(&i64::from(row / 4))), "{}", fold.title);
        }
        let oldest_test = 62 - 7 * 4;
        for fold in &plan.validation {
            assert!(span(&fold.test).1 <= oldest_test - 7, "{} is chosen by before a test begins", fold.title);
        }
    }

    #[test]
    fn overlapping_validation_lies_one_span_and_the_embargo_before_each_test() {
        let label = labels(&[]);
        let layout = Layout { validation: Some(Validation::Overlapping), ..Layout::default() };
        let plan = planned(&label, Some(&layout));
        for (test, validation) in plan.test.iter().zip(&plan.validation) {
            assert_eq!(span(&test.train).0 - 14, span(&validation.train).0, "{} {}", test.title, validation.title);
        }
    }

    #[test]
    fn an_entity_known_as_positive_is_not_tested_on_and_a_fresh_one_is() {
        // Test of days 55 to 61; what happened before day 48 is known on day 55.
        for (day, tested_from) in [(47, None), (50, Some((55, 58))), (54, Some((55, 62)))] {
            let fold = &planned(&labels(&[day]), None).test[0];
            let of_one: Vec<u32> = fold.test.iter().copied().filter(|row| row % 3 == 0).collect();
            match tested_from {
                None => assert!(of_one.is_empty(), "known since day {}", day + 7),
                Some(days) => assert_eq!(span(&of_one), days, "positive on day {day}"),
            }
        }
    }

    #[test]
    fn rows_without_a_label_are_neither_learned_from_nor_judged_on() {
        let mut label = labels(&[]);
        label.iter_mut().step_by(5).for_each(|label| *label = f64::NAN);
        let plan = planned(&label, None);
        let all = plan.test.iter().chain(&plan.validation).flat_map(|fold| fold.train.iter().chain(&fold.test));
        assert!(all.clone().count() > 100 && all.clone().all(|&row| !label[row as usize].is_nan()));
    }
}
