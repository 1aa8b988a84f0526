//! What one column alone says of the target, because a column that says nearly everything was most likely filled in after the
//! fact. Judged on rows that nothing was learned from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::frame::{Column, MISSING};
use crate::metrics::Ranking;

/// Numbers with at most so many values are codes as well as amounts: a status of 2 may mean what neither 1 nor 3 does.
const CODES_MAX: usize = 50;
/// Rows' worth of trust in the overall mean when a word's mean is learned: a word that was seen once tells little.
const PRIOR_ROWS: f64 = 1.0;
/// The middle 95 % of the normal distribution.
const NORMAL_95: f64 = 1.959_964;

/// Rows that words' means are learned from, and rows that are judged.
#[derive(Clone, Copy, Debug)]
pub struct HeldOut<'a> {
    pub learned: &'a [u32],
    pub judged: &'a [u32],
}

/// What is asked of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Area under the ROC curve, in the direction in which it is above a half.
    RocAuc,
    /// Spearman's rank correlation, its sign left off.
    RankCorrelation,
}

/// What of the column was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// Its numbers in their order, where there is one.
    Order,
    /// The mean of the target that each of its values had in training.
    Values,
    /// Whether it is missing.
    Missing,
}

/// The most that a column alone says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Univariate {
    pub told: Told,
    pub read: Read,
    /// 0.5..=1 for an area, 0..=1 for a correlation.
    pub value: f64,
    /// The ends of its 95 % interval.
    pub low: f64,
    pub high: f64,
    /// Judged rows behind it.
    pub rows: usize,
}

/// The most telling of a column's readings, the one with the highest low end; `None` where nothing can be said, as with a constant
/// column. target: one a row of the column, 0 or 1 for [`Told::RocAuc`]; rows whose target is NaN are left out. Rows of all
/// folds are judged together. O(rows log rows).
pub fn univariate(column: &Column, target: &[f64], folds: &[HeldOut<'_>], told: Told) -> Option<Univariate> {
    let codes = codes_of(column);
    let mut readings: BTreeMap<u8, (Read, Pairs)> = BTreeMap::new();
    let mut add = |place: u8, read: Read, value: f64, truth: f64| {
        readings.entry(place).or_insert_with(|| (read, Pairs::default())).1.push(value, truth);
    };
    for fold in folds {
        let means = codes.as_ref().map(|codes| means(codes, target, fold.learned));
        for row in fold.judged.iter().map(|&row| row as usize).filter(|&row| !target[row].is_nan()) {
            let missing = is_missing(column, row);
            if let Column::Number(values) = column
                && !missing
            {
                add(0, Read::Order, values[row], target[row]);
            }
            if let Some((codes, (means, overall))) = codes.as_ref().zip(means.as_ref()) {
                add(1, Read::Values, *means.get(&codes[row]).unwrap_or(overall), target[row]);
            }
            add(2, Read::Missing, f64::from(missing), target[row]);
        }
    }
    let said = readings.into_values().filter_map(|(read, pairs)| pairs.say(told, read));
    said.reduce(|best, other| if other.low > best.low { other } else { best })
}

fn is_missing(column: &Column, row: usize) -> bool {
    match column {
        Column::Number(values) => values[row].is_nan(),
        Column::Category { codes, .. } => codes[row] == MISSING,
    }
}

/// Each row's value as a code, missing among them; none for numbers of many values.
fn codes_of(column: &Column) -> Option<Vec<u32>> {
    match column {
        Column::Category { codes, .. } => Some(codes.clone()),
        Column::Number(values) => {
            let mut known: BTreeMap<u64, u32> = BTreeMap::new();
            let mut codes = Vec::with_capacity(values.len());
            for value in values {
                let next = known.len() as u32;
                // -0.0 is 0.0, and every NaN is missing.
                let bits = if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() };
                codes.push(*known.entry(bits).or_insert(next));
                if known.len() > CODES_MAX {
                    return None;
                }
            }
            Some(codes)
        }
    }
}

/// The mean of the target for each code, drawn to the overall mean, which comes second.
fn means(codes: &[u32], target: &[f64], rows: &[u32]) -> (BTreeMap<u32, f64>, f64) {
    let known = || rows.iter().map(|&row| row as usize).filter(|&row| !target[row].is_nan());
    let (sum, count) = known().fold((0.0, 0.0), |(sum, count), row| (sum + target[row], count + 1.0));
    let overall = if count > 0.0 { sum / count } else { 0.0 };
    let mut sums: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    for row in known() {
        let own = sums.entry(codes[row]).or_default();
        *own = (own.0 + target[row], own.1 + 1.0);
    }
    let mean = |(sum, count): (f64, f64)| (sum + PRIOR_ROWS * overall) / (count + PRIOR_ROWS);
    (sums.into_iter().map(|(code, own)| (code, mean(own))).collect(), overall)
}

/// What a reading says of each judged row, beside the truth.
#[derive(Default)]
struct Pairs {
    said: Vec<f64>,
    truth: Vec<f64>,
}

impl Pairs {
    fn push(&mut self, said: f64, truth: f64) {
        self.said.push(said);
        self.truth.push(truth);
    }

    fn say(&self, told: Told, read: Read) -> Option<Univariate> {
        let rows = self.said.len();
        let (value, (low, high)) = match told {
            Told::RocAuc => {
                let truth: Vec<bool> = self.truth.iter().map(|&truth| truth > 0.0).collect();
                let area = Ranking::new(&self.said).roc_auc(&truth, &vec![1; rows])?;
                let area = area.max(1.0 - area);
                let positives = truth.iter().filter(|&&truth| truth).count();
                (area, area_interval(area, positives as f64, (rows - positives) as f64))
            }
            Told::RankCorrelation => {
                let found = rank_correlation(&self.said, &self.truth)?.abs();
                (found, correlation_interval(found, rows))
            }
        };
        Some(Univariate { told, read, value, low, high, rows })
    }
}

/// The 95 % interval of an area under the ROC curve, by inverting its test: it keeps its width where every pair is in order, which
/// a resampled one does not. Source: Newcombe 2006, method 5, on the variance of Hanley & McNeil 1982.
fn area_interval(area: f64, positives: f64, negatives: f64) -> (f64, f64) {
    let more = (positives + negatives) / 2.0 - 1.0;
    let deviation = |true_area: f64| {
        let spread = 1.0 + more * ((1.0 - true_area) / (2.0 - true_area) + true_area / (1.0 + true_area));
        (true_area * (1.0 - true_area) * spread / (positives * negatives)).max(0.0).sqrt()
    };
    let within = |true_area: f64| (area - true_area).abs() <= NORMAL_95 * deviation(true_area);
    (border(&within, 0.0, area), border(&within, 1.0, area))
}

/// Where `within` begins between `outside` and `inside`, by halving.
fn border(within: &dyn Fn(f64) -> bool, mut outside: f64, mut inside: f64) -> f64 {
    for _ in 0..60 {
        let middle = (outside + inside) / 2.0;
        if within(middle) { inside = middle } else { outside = middle }
    }
    inside
}

/// Spearman's; `None` below two rows or where one side is constant.
fn rank_correlation(left: &[f64], right: &[f64]) -> Option<f64> {
    let (left, right) = (ranks(left), ranks(right));
    let mean = (left.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let spread = (product(&left, &left) * product(&right, &right)).sqrt();
    (spread > 0.0).then(|| (product(&left, &right) / spread).clamp(-1.0, 1.0))
}

/// From 0; equal values share the mean of their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
    let (mut ranks, mut first) = (vec![0.0; values.len()], 0);
    for tied in order.chunk_by(|&a, &b| values[a as usize] == values[b as usize]) {
        let rank = first as f64 + (tied.len() as f64 - 1.0) / 2.0;
        tied.iter().for_each(|&row| ranks[row as usize] = rank);
        first += tied.len();
    }
    ranks
}

/// The 95 % interval of a rank correlation of 0 or more. Source: Bonett & Wright 2000. Rows that are all in order are told as if
/// one in their number were not (our choice): Fisher's z has no end at 1.
fn correlation_interval(found: f64, rows: usize) -> (f64, f64) {
    if rows < 4 {
        return (0.0, 1.0);
    }
    let capped = found.min(1.0 - 1.0 / rows as f64);
    let reach = NORMAL_95 * ((1.0 + capped * capped / 2.0) / (rows as f64 - 3.0)).sqrt();
    ((capped.atanh() - reach).tanh().max(0.0), (capped.atanh() + reach).tanh().max(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const ROWS: usize = 2_000;

    fn halves() -> (Vec<u32>, Vec<u32>) {
        ((0..ROWS as u32 / 2).collect(), (ROWS as u32 / 2..ROWS as u32).collect())
    }

    fn ask(column: Column, target: &[f64], told: Told) -> Option<Univariate> {
        let (learned, judged) = halves();
        univariate(&column, target, &[HeldOut { learned: &learned, judged: &judged }], told)
    }

    fn noise(row: usize) -> f64 {
        (row * 7_919 % 1_009) as f64
    }

    /// Every eighth row is positive.
    fn labels() -> Vec<f64> {
        (0..ROWS).map(|row| f64::from(row % 8 == 3)).collect()
    }

    fn words(of: impl Fn(usize) -> Option<&'static str>) -> Column {
        let list = ["a", "b", "c"];
        let code = |row| of(row).map_or(MISSING, |word| list.iter().position(|known| *known == word).unwrap() as u32);
        let words = Arc::new(list.map(str::to_owned).to_vec());
        Column::Category { codes: (0..ROWS).map(code).collect(), words }
    }

    #[test]
    fn whatever_gives_a_label_away_is_seen_whichever_way_it_does() {
        let positive = |row: usize| row % 8 == 3;
        let numbers = |of: &dyn Fn(usize) -> f64| Column::Number((0..ROWS).map(of).collect());
        let columns = [
            ("higher", numbers(&|row| noise(row) + 2_000.0 * f64::from(positive(row))), Read::Order),
            ("lower", numbers(&|row| noise(row) - 2_000.0 * f64::from(positive(row))), Read::Order),
            (
                "a code between others",
                numbers(&|row| if positive(row) { 2.0 } else { [1.0, 3.0][row % 2] }),
                Read::Values,
            ),
            ("there or not", numbers(&|row| if positive(row) { noise(row) } else { f64::NAN }), Read::Missing),
            ("a word", words(|row| Some(if positive(row) { "b" } else { ["a", "c"][row % 2] })), Read::Values),
            ("any word or none", words(|row| positive(row).then_some(["a", "c"][row % 2])), Read::Values),
        ];
        for (what, column, read) in columns {
            let found = ask(column, &labels(), Told::RocAuc).unwrap();
            assert!(found.value == 1.0 && found.low > 0.98 && found.read == read, "{what}: {found:?}");
        }
    }

    #[test]
    fn what_says_nothing_is_told_as_nothing() {
        let found = ask(Column::Number((0..ROWS).map(noise).collect()), &labels(), Told::RocAuc).unwrap();
        assert!(found.value < 0.56 && found.low < 0.5, "{found:?}");
        assert_eq!(ask(Column::Number(vec![1.0; ROWS]), &labels(), Told::RocAuc).map(|found| found.value), Some(0.5));
        assert_eq!(ask(Column::Number(vec![1.0; ROWS]), &labels(), Told::RankCorrelation), None);
        assert_eq!(ask(Column::Number(vec![1.0; ROWS]), &[0.0; ROWS], Told::RocAuc), None);
        // Means that a word had by chance in training say nothing of other rows.
        let unique = Column::Category {
            codes: (0..ROWS as u32).collect(),
            words: Arc::new((0..ROWS).map(|row| row.to_string()).collect()),
        };
        assert_eq!(ask(unique, &labels(), Told::RocAuc).map(|found| found.value), Some(0.5));
    }

    #[test]
    fn few_positives_in_order_are_not_taken_for_a_leak() {
        let (low, high) = area_interval(1.0, 5.0, 1_000.0);
        assert!(low < 0.9 && high == 1.0, "{low} {high}");
        assert!(area_interval(1.0, 100.0, 1_000.0).0 > 0.98);
        // Newcombe's own example: 0.8 of 50 and 50 lies in about .70 to .87.
        let (low, high) = area_interval(0.8, 50.0, 50.0);
        assert!((low - 0.70).abs() < 0.02 && (high - 0.87).abs() < 0.02, "{low} {high}");
    }

    #[test]
    fn a_number_is_told_by_its_ranks() {
        let target: Vec<f64> = (0..ROWS).map(noise).collect();
        let near = |shake: f64| {
            let shaken = |row: usize| -(noise(row) + shake * noise(row * 31 + 7)).powi(3);
            ask(Column::Number((0..ROWS).map(shaken).collect()), &target, Told::RankCorrelation).unwrap()
        };
        let (leak, honest) = (near(0.01), near(1.0));
        assert!(leak.low > 0.98 && leak.high <= 1.0, "{leak:?}");
        assert!(honest.value > 0.5 && honest.low < 0.9 && honest.high > honest.value, "{honest:?}");
        // scipy.stats.spearmanr([1, 2, 2, 4, 5], [3, 1, 4, 4, 5]).statistic
        let found = rank_correlation(&[1.0, 2.0, 2.0, 4.0, 5.0], &[3.0, 1.0, 4.0, 4.0, 5.0]).unwrap();
        assert!((found - 0.763_157_894_736_842_1).abs() < 1e-12, "{found}");
        assert!(correlation_interval(1.0, 5).0 < 0.5);
    }
}
