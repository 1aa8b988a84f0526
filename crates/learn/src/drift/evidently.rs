//! The verdicts that users of Evidently know, number for number, so that a team can move and compare. Fixed limits on
//! whole columns: `thresholds` has the ones that are learned.
//!
//! Followed: Evidently 0.7.23, its defaults for columns of numbers and of categories (text columns are not covered).

use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::exact::{Proportion, chi_square_test, jensen_shannon, ks_test, proportions_test, wasserstein_normed};

/// Up to as many reference rows p-values decide, above it distances.
const TEST_ROWS_MAX: usize = 1_000;
/// Numbers with as few distinct values in both parts are treated like categories.
const FEW_VALUES_MAX: usize = 5;
/// Numbers with more distinct values in the reference are put in bins of equal width.
const UNBINNED_VALUES_MAX: usize = 20;
const P_VALUE_LEVEL: f64 = 0.05;
const DISTANCE_LEVEL: f64 = 0.1;
/// A data set has drifted if at least this share of its columns has.
pub const DATASET_SHARE: f64 = 0.5;

/// A column as it is compared. Missing: NaN and infinities, `None`.
#[derive(Clone, Copy, Debug)]
pub enum Column<'a> {
    Numbers(&'a [f64]),
    Words(&'a [Option<&'a str>]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A p-value; drift at or below the level.
    KolmogorovSmirnov,
    /// A p-value; drift below the level.
    ChiSquare,
    /// A p-value; drift below the level.
    ZTest,
    /// A distance; drift at or above the level.
    Wasserstein,
    /// A distance; drift at or above the level.
    JensenShannon,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnDrift {
    pub method: Method,
    /// A p-value or a distance, by method.
    pub score: f64,
    pub level: f64,
    pub drifted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DatasetDrift {
    pub columns_drifted: usize,
    /// 0..=1 of the columns.
    pub share: f64,
    pub drifted: bool,
}

/// The column's drift by the method that fits its kind, its distinct values and the reference's rows without missing
/// ones. `None` if a part has no value or the parts are of different kinds. O(n log n).
pub fn column_drift(reference: Column, current: Column) -> Option<ColumnDrift> {
    let (reference, current) = (present(reference), present(current));
    drift_by(default_method(&reference, &current)?, &reference, &current)
}

/// Whether so many columns drifted that the data set has. No column: no drift.
pub fn dataset_drift(columns: &[ColumnDrift]) -> DatasetDrift {
    let columns_drifted = columns.iter().filter(|column| column.drifted).count();
    let share = columns_drifted as f64 / columns.len().max(1) as f64;
    DatasetDrift { columns_drifted, share, drifted: share >= DATASET_SHARE }
}

/// What is there of a column.
pub(super) enum Present<'a> {
    Numbers(Vec<f64>),
    Words(Vec<&'a str>),
}

pub(super) fn present(column: Column<'_>) -> Present<'_> {
    match column {
        Column::Numbers(values) => {
            // Adding 0 turns -0 into 0: both are one value.
            Present::Numbers(values.iter().filter(|value| value.is_finite()).map(|value| value + 0.0).collect())
        }
        Column::Words(words) => Present::Words(words.iter().flatten().copied().collect()),
    }
}

fn default_method(reference: &Present, current: &Present) -> Option<Method> {
    if rows(reference) == 0 || rows(current) == 0 {
        return None;
    }
    let many_numbers = match (reference, current) {
        (Present::Numbers(reference), Present::Numbers(current)) => has_many(reference.iter().chain(current)),
        (Present::Words(_), Present::Words(_)) => false,
        (Present::Numbers(_), Present::Words(_)) | (Present::Words(_), Present::Numbers(_)) => return None,
    };
    Some(match (rows(reference) <= TEST_ROWS_MAX, many_numbers) {
        (true, true) => Method::KolmogorovSmirnov,
        (true, false) if counts(reference, current)?.0.len() > 2 => Method::ChiSquare,
        (true, false) => Method::ZTest,
        (false, true) => Method::Wasserstein,
        (false, false) => Method::JensenShannon,
    })
}

/// Whether there are more distinct numbers than are treated like categories: mostly told by the first few rows.
fn has_many<'a>(values: impl Iterator<Item = &'a f64>) -> bool {
    let mut seen: Vec<f64> = Vec::with_capacity(FEW_VALUES_MAX);
    for value in values {
        if !seen.contains(value) {
            if seen.len() == FEW_VALUES_MAX {
                return true;
            }
            seen.push(*value);
        }
    }
    false
}

/// `None` if the method does not fit: words have no order, a z test needs at most two values, a chi-square test at
/// least two.
pub(super) fn drift_by(method: Method, reference: &Present, current: &Present) -> Option<ColumnDrift> {
    let score = match (method, reference, current) {
        (Method::KolmogorovSmirnov, Present::Numbers(reference), Present::Numbers(current)) => {
            ks_test(reference, current)?.p_value
        }
        (Method::Wasserstein, Present::Numbers(reference), Present::Numbers(current)) => {
            wasserstein_normed(reference, current)?
        }
        (Method::KolmogorovSmirnov | Method::Wasserstein, _, _) => return None,
        (Method::ChiSquare, _, _) => {
            let (reference, current) = counts(reference, current)?;
            chi_square_test(&reference, &current)?
        }
        (Method::ZTest, _, _) => z_test(reference, current)?,
        (Method::JensenShannon, _, _) => {
            let (reference, current) = binned_shares(reference, current)?;
            jensen_shannon(&reference, &current)?
        }
    };
    let (level, drifted) = match method {
        Method::KolmogorovSmirnov => (P_VALUE_LEVEL, score <= P_VALUE_LEVEL),
        Method::ChiSquare | Method::ZTest => (P_VALUE_LEVEL, score < P_VALUE_LEVEL),
        Method::Wasserstein | Method::JensenShannon => (DISTANCE_LEVEL, score >= DISTANCE_LEVEL),
    };
    Some(ColumnDrift { method, score, level, drifted })
}

fn z_test(reference: &Present, current: &Present) -> Option<f64> {
    let (reference_counts, current_counts) = counts(reference, current)?;
    if reference_counts.len() > 2 {
        return None;
    }
    // Which of the two values is counted does not change a two-sided test; a single one is there on both sides.
    let of = |counts: &[u64]| Some(Proportion { hits: *counts.first()?, rows: counts.iter().sum() });
    proportions_test(of(&reference_counts)?, of(&current_counts)?)
}

/// The shares that the distance over bins compares: by value, or by bins of equal width over both parts if the
/// reference has many distinct numbers.
fn binned_shares(reference: &Present, current: &Present) -> Option<(Vec<f64>, Vec<f64>)> {
    let (reference_counts, current_counts) = match (reference, current) {
        (Present::Numbers(reference), Present::Numbers(current)) if distinct(reference) > UNBINNED_VALUES_MAX => {
            let edges = sturges_edges(reference, current);
            (histogram(reference, &edges), histogram(current, &edges))
        }
        _ => counts(reference, current)?,
    };
    let shares = |counts: Vec<u64>, rows: usize| counts.iter().map(|&count| count as f64 / rows as f64).collect();
    Some((shares(reference_counts, rows(reference)), shares(current_counts, rows(current))))
}

/// Edges of equally wide bins, from the lowest to the highest number of both parts together, as numpy's
/// `histogram_bin_edges(.., "sturges")` has them for floats.
fn sturges_edges(reference: &[f64], current: &[f64]) -> Vec<f64> {
    let both = || reference.iter().chain(current).copied();
    let (lowest, highest) = (both().fold(f64::INFINITY, f64::min), both().fold(f64::NEG_INFINITY, f64::max));
    let width = (highest - lowest) / (((reference.len() + current.len()) as f64).log2() + 1.0);
    let bins = ((highest - lowest) / width).ceil() as usize;
    let step = (highest - lowest) / bins as f64;
    let mut edges: Vec<f64> = (0..bins).map(|bin| bin as f64 * step + lowest).collect();
    edges.push(highest);
    edges
}

/// Rows per bin; a bin holds its lower edge and not its upper one, the last bin holds both.
fn histogram(values: &[f64], edges: &[f64]) -> Vec<u64> {
    let last = edges.len().saturating_sub(2);
    let mut counts = vec![0; edges.len().saturating_sub(1)];
    for value in values {
        let edges_at_or_below = edges.partition_point(|edge| edge <= value);
        if let Some(count) = counts.get_mut(edges_at_or_below.saturating_sub(1).min(last)) {
            *count += 1;
        }
    }
    counts
}

/// Rows per distinct value of either part, in the values' order; `None` if a part is empty or they differ in kind.
fn counts(reference: &Present, current: &Present) -> Option<(Vec<u64>, Vec<u64>)> {
    if rows(reference) == 0 || rows(current) == 0 {
        return None;
    }
    match (reference, current) {
        (Present::Numbers(reference), Present::Numbers(current)) => {
            let keys = |values: &[f64]| values.iter().map(|&value| ordered(value)).collect::<Vec<u64>>();
            Some(paired_counts(&keys(reference), &keys(current)))
        }
        (Present::Words(reference), Present::Words(current)) => Some(paired_counts(reference, current)),
        (Present::Numbers(_), Present::Words(_)) | (Present::Words(_), Present::Numbers(_)) => None,
    }
}

fn paired_counts<Value: Ord + Hash>(reference: &[Value], current: &[Value]) -> (Vec<u64>, Vec<u64>) {
    let mut pairs: FxHashMap<&Value, (u64, u64)> = FxHashMap::default();
    reference.iter().for_each(|value| pairs.entry(value).or_default().0 += 1);
    current.iter().for_each(|value| pairs.entry(value).or_default().1 += 1);
    let mut pairs: Vec<(&Value, (u64, u64))> = pairs.into_iter().collect();
    pairs.sort_unstable_by(|one, other| one.0.cmp(other.0));
    pairs.into_iter().map(|(_, pair)| pair).unzip()
}

/// A finite number's bits, in the numbers' order.
fn ordered(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn distinct(values: &[f64]) -> usize {
    let mut keys: Vec<u64> = values.iter().map(|&value| ordered(value)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}

fn rows(part: &Present) -> usize {
    match part {
        Present::Numbers(values) => values.len(),
        Present::Words(words) => words.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_columns_make_a_drifted_data_set() {
        let column = |drifted| ColumnDrift { method: Method::Wasserstein, score: 0.0, level: 0.1, drifted };
        assert!(dataset_drift(&[column(true), column(false)]).drifted);
        assert!(!dataset_drift(&[column(true), column(false), column(false)]).drifted);
        assert_eq!(dataset_drift(&[]), DatasetDrift { columns_drifted: 0, share: 0.0, drifted: false });
    }

    #[test]
    fn columns_that_cannot_be_compared_have_no_drift() {
        let numbers = Column::Numbers(&[1.0, f64::NAN]);
        let words = Column::Words(&[Some("a"), None]);
        assert_eq!(column_drift(numbers, words), None);
        assert_eq!(column_drift(numbers, Column::Numbers(&[f64::NAN])), None);
        assert_eq!(column_drift(words, Column::Words(&[None])), None);
        assert_eq!(column_drift(words, words).map(|found| found.score), Some(1.0));
    }
}
