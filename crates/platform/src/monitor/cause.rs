//! Where a change sits: which values of which columns have another share of the rows, or of the positives, than usual.
//! A hint for whoever looks, with its figures; not a proof.

use crate::PlatformError;
use crate::monitor::grid::Grid;
use crate::monitor::observed::ObservedRows;
use septet_domain::Domain;
use septet_tables::arrow::array::{AsArray, StringArray};
use septet_tables::arrow::compute::cast;
use septet_tables::arrow::datatypes::{DataType, Float64Type};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Above this many values only unseen values are reported.
const VALUES_MAX: usize = 50;
/// Distinct share above which a column is an identifier or free text.
const UNIQUE_SHARE_MAX: f64 = 0.2;
/// Causes told.
const CAUSES_MAX: usize = 3;
/// A share must differ by so many standard errors, and by so much, before it is told.
const DEVIATIONS_MIN: f64 = 6.0;
const DIFFERENCE_MIN: f64 = 0.02;

/// Rows, or positive rows, by segment, before and in the time of the alert.
#[derive(Default)]
struct Counts {
    before: f64,
    now: f64,
}

/// The segments whose share of the rows has changed most between the reference and some windows, as sentences.
pub fn causes(
    parts: &[ObservedRows],
    grid: &Grid,
    domain: &Domain,
    windows: Range<i64>,
) -> Result<Vec<String>, PlatformError> {
    let (_, input) = domain.spec.first_input();
    let mut found: Vec<(f64, String)> = Vec::new();
    for (name, column) in &input.columns {
        let name = name.get_ref();
        let special = name == input.key.get_ref() || name == input.time.get_ref() || column.label;
        if special {
            continue;
        }
        let meaning = column.meaning.clone().unwrap_or_else(|| name.clone());
        // A person's own values are not to be read in an alert: of such a column only new and known are told.
        let personal = column.personal.is_some();
        found.extend(of_column(parts, grid, name, &meaning, personal, &windows)?);
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(found.into_iter().take(CAUSES_MAX).map(|(_, sentence)| sentence).collect())
}

fn of_column(
    parts: &[ObservedRows],
    grid: &Grid,
    name: &str,
    meaning: &str,
    personal: bool,
    windows: &Range<i64>,
) -> Result<Vec<(f64, String)>, PlatformError> {
    let number = parts.iter().any(|part| {
        part.events.column_by_name(name).is_some_and(|column| matches!(column.data_type(), DataType::Float64))
    });
    if number && !personal {
        return of_numbers(parts, grid, name, windows);
    }
    let columns: Vec<_> = parts.iter().map(|part| part.words(name)).collect::<Result<_, _>>()?;
    let mut counts: HashMap<Option<&str>, Counts, foldhash::fast::FixedState> = HashMap::default();
    let mut all = Counts::default();
    for (part, words) in parts.iter().zip(&columns) {
        for (&time, word) in part.times.iter().zip(words) {
            let window = grid.number(time);
            counts.entry(word).or_default().add(grid, windows, window);
            all.add(grid, windows, window);
        }
    }
    // Nearly every row has a value of its own: that a value is new says nothing.
    if counts.len() as f64 > UNIQUE_SHARE_MAX * (all.before + all.now) {
        return Ok(Vec::new());
    }
    if personal || counts.len() > VALUES_MAX {
        let (novel, all) = novel(parts, grid, &columns, windows);
        let told = told(&novel, &all, &format!("values of `{name}` ({meaning}) that were not seen before"));
        return Ok(told.into_iter().collect());
    }
    let sentence = |(word, count): (&Option<&str>, &Counts)| {
        let segment = word.map_or_else(|| "is missing".to_owned(), |word| format!("is `{word}`"));
        told(count, &all, &format!("`{name}` {segment}"))
    };
    Ok(counts.iter().filter_map(sentence).collect())
}

/// Rows with a value that was not seen in the time before: of the windows, and of as many windows at the reference's end, each
/// beside an equally long past. New customers come every day; only more of them than usual are a cause.
fn novel(parts: &[ObservedRows], grid: &Grid, columns: &[StringArray], windows: &Range<i64>) -> (Counts, Counts) {
    let reference = &grid.reference;
    let length = (windows.end - windows.start).min((reference.end - reference.start) / 2).max(1);
    let late = reference.end - length..reference.end;
    let pasts = [reference.start..late.start, reference.start + length..reference.end];
    let mut seen: [HashSet<Option<&str>>; 2] = Default::default();
    for (part, words) in parts.iter().zip(columns) {
        for (&time, word) in part.times.iter().zip(words) {
            let window = grid.number(time);
            let known = seen.iter_mut().zip(&pasts).filter(|(_, past)| past.contains(&window));
            for (seen, _) in known {
                seen.insert(word);
            }
        }
    }
    let (mut novel, mut all) = (Counts::default(), Counts::default());
    for (part, words) in parts.iter().zip(columns) {
        for (&time, word) in part.times.iter().zip(words) {
            let window = grid.number(time);
            if late.contains(&window) {
                all.before += 1.0;
                novel.before += f64::from(u8::from(!seen[0].contains(&word)));
            }
            if windows.contains(&window) {
                all.now += 1.0;
                novel.now += f64::from(u8::from(!seen[1].contains(&word)));
            }
        }
    }
    (novel, all)
}

/// By fifths of the reference's rows.
fn of_numbers(
    parts: &[ObservedRows],
    grid: &Grid,
    name: &str,
    windows: &Range<i64>,
) -> Result<Vec<(f64, String)>, PlatformError> {
    let cuts = quintiles(parts, grid, name)?;
    let mut counts: Vec<Counts> = (0..cuts.len() + 2).map(|_| Counts::default()).collect();
    let mut all = Counts::default();
    for part in parts {
        for (value, &time) in numbers(part, name)?.iter().zip(&part.times) {
            let segment = if value.is_nan() { cuts.len() + 1 } else { cuts.partition_point(|cut| cut <= value) };
            counts[segment].add(grid, windows, grid.number(time));
            all.add(grid, windows, grid.number(time));
        }
    }
    let segment = |at: usize| match at {
        at if at == cuts.len() + 1 => "is missing".to_owned(),
        0 => format!("below {}", shown(cuts.first())),
        at if at == cuts.len() => format!("from {} on", shown(cuts.last())),
        at => format!("from {} to {}", shown(cuts.get(at - 1)), shown(cuts.get(at))),
    };
    let sentence = |(at, count): (usize, &Counts)| told(count, &all, &format!("`{name}` {}", segment(at)));
    Ok(counts.iter().enumerate().filter_map(sentence).collect())
}

impl Counts {
    fn add(&mut self, grid: &Grid, windows: &Range<i64>, window: i64) {
        self.before += f64::from(u8::from(grid.reference.contains(&window)));
        self.now += f64::from(u8::from(windows.contains(&window)));
    }
}

/// How far apart the shares are, and the sentence that says so.
fn told(count: &Counts, all: &Counts, what: &str) -> Option<(f64, String)> {
    if all.before < 1.0 || all.now < 1.0 {
        return None;
    }
    let (before, now) = (count.before / all.before, count.now / all.now);
    let pooled = (count.before + count.now) / (all.before + all.now);
    let error = (pooled * (1.0 - pooled) * (1.0 / all.before + 1.0 / all.now)).sqrt();
    let deviations = (now - before).abs() / error.max(f64::MIN_POSITIVE);
    let sentence = || format!("{what}: {:.1} % of the rows, usually {:.1} %", 100.0 * now, 100.0 * before);
    (deviations >= DEVIATIONS_MIN && (now - before).abs() >= DIFFERENCE_MIN).then(|| (deviations, sentence()))
}

fn shown(cut: Option<&f64>) -> String {
    cut.map_or_else(String::new, |cut| format!("{}", (cut * 100.0).round() / 100.0))
}

fn numbers(part: &ObservedRows, name: &str) -> Result<Vec<f64>, PlatformError> {
    let column = part.events.column_by_name(name).ok_or_else(|| crate::error::arrow_error(name))?;
    let column = cast(column, &DataType::Float64).map_err(crate::error::arrow_error)?;
    Ok(column.as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

/// Of the reference's rows.
fn quintiles(parts: &[ObservedRows], grid: &Grid, name: &str) -> Result<Vec<f64>, PlatformError> {
    let mut values = Vec::new();
    for part in parts {
        let own = numbers(part, name)?;
        let kept = own.iter().zip(&part.times).filter(|(_, time)| grid.reference.contains(&grid.number(**time)));
        values.extend(kept.map(|(value, _)| *value).filter(|value| value.is_finite()));
    }
    values.sort_unstable_by(f64::total_cmp);
    let mut cuts: Vec<f64> = (1..5).filter_map(|fifth| values.get(values.len() * fifth / 5)).copied().collect();
    cuts.dedup();
    Ok(cuts)
}
