//! What the pictures are drawn from: a test fold of any size, thinned to a few kB, so that a page can be made
//! again without scoring a row.

use crate::split::{DAY, day_name};
use septet_learn::measures::CALIBRATION_BINS;
use septet_learn::metrics::{CurvePoint, DailyRanking, Ranking, ReliabilityBin};
use serde::{Deserialize, Serialize};

/// Bins of the score distribution: fine enough for two humps, coarse enough to read as bars.
const HISTOGRAM_BINS: usize = 36;
/// Probabilities nearer to 0 or 1 count in the outermost bin.
const PROBABILITY_MIN: f64 = 1e-6;
/// Bins of predicted numbers.
const NUMBER_BINS: usize = 20;
/// Points of the metric by day; a longer test fold has several days to a point.
const DAY_POINTS_MAX: i64 = 90;

/// The newest test fold in pictures. Holds no NaN, so that it survives JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Charts {
    pub rows: u64,
    pub positives: u64,
    pub model: Curves,
    pub baseline: Option<(String, Curves)>,
    /// From the lowest probability, bins of equal count.
    pub reliability: Vec<ReliabilityBin>,
    pub histogram: Histogram,
    /// How many different probabilities the rows get: as many as there are different rows, where nothing is lost.
    #[serde(default)]
    pub distinct: u64,
    /// How the intervals did on these rows; none where the answers have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intervals: Option<IntervalsHeld>,
    pub flags_per_day: Option<u32>,
    pub days_per_point: i64,
    /// In order of time; days without a row are left out.
    pub by_day: Vec<DayPoint>,
    /// Of a number: from the lowest prediction, bins of equal count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<NumberBin>,
}

/// Neighbouring predictions and what came true.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberBin {
    pub predicted: f64,
    pub truth: f64,
    /// Nine of ten true numbers lie between these.
    pub low: f64,
    pub high: f64,
    pub rows: u64,
}

/// The intervals of the newest test fold's rows beside what came true. A single row tells nothing of an interval of its
/// probability; the rows of a bin do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntervalsHeld {
    /// Half of the rows have a narrower one.
    pub width_median: f64,
    /// Bins of equal count by probability, and those whose share of positives lies between the mean ends of their rows.
    pub bins: u64,
    pub bins_inside: u64,
}

impl IntervalsHeld {
    /// ends: low and high of each row; all of one length. `None` without rows.
    pub fn of(probability: &[f64], ends: &[(f64, f64)], truth: &[bool]) -> Option<IntervalsHeld> {
        let mut order: Vec<usize> = (0..probability.len()).collect();
        order.sort_by(|&a, &b| probability[a].total_cmp(&probability[b]));
        let bins = CALIBRATION_BINS.min(order.len());
        let holds = |bin: &usize| {
            let own = &order[bin * order.len() / bins..(bin + 1) * order.len() / bins];
            let mean = |of: &dyn Fn(usize) -> f64| own.iter().map(|&row| of(row)).sum::<f64>() / own.len() as f64;
            let share = mean(&|row| f64::from(truth[row]));
            mean(&|row| ends[row].0) <= share && share <= mean(&|row| ends[row].1)
        };
        let mut widths: Vec<f64> = ends.iter().map(|(low, high)| high - low).collect();
        widths.sort_by(f64::total_cmp);
        let width_median = *widths.get(widths.len() / 2)?;
        let bins_inside = (0..bins).filter(holds).count() as u64;
        Some(IntervalsHeld { width_median, bins: bins as u64, bins_inside })
    }
}

/// How one scorer ranks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    pub average_precision: Option<f64>,
    pub roc_auc: Option<f64>,
    /// x: recall, y: precision.
    pub pr: Vec<CurvePoint>,
    /// x: false positive rate, y: recall.
    pub roc: Vec<CurvePoint>,
}

/// Rows by probability, in bins that are equally wide in log-odds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Probabilities, one more than there are bins; none without rows.
    pub edges: Vec<f64>,
    pub positives: Vec<u64>,
    pub negatives: Vec<u64>,
}

/// One day, or `days_per_point` of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DayPoint {
    /// The first of its days.
    pub day: String,
    pub rows: u64,
    pub positives: u64,
    pub average_precision: Option<f64>,
    /// Mean over its days; `None` without a budget.
    pub precision_at_budget: Option<f64>,
}

impl Charts {
    /// score: what rows are ranked by, of a label the probability that is served. probability: 0..=1. day: days since 1970. baseline: name and ranking
    /// score of the strongest one. All of one length (panics if not); `points_max` per curve. O(n log n).
    pub fn new(
        score: &[f64],
        probability: &[f64],
        truth: &[bool],
        day: &[i32],
        baseline: Option<(&str, &[f64])>,
        flags_per_day: Option<u32>,
        points_max: usize,
    ) -> Charts {
        let once = vec![1; truth.len()];
        let mut reliability = Ranking::new(probability).reliability_curve(truth, &once, CALIBRATION_BINS);
        reliability.retain(|bin| bin.mean_score.is_finite() && bin.share_positive.is_finite());
        let days_per_point = days_per_point(day);
        Charts {
            rows: truth.len() as u64,
            positives: positives(truth),
            model: Curves::new(score, truth, points_max),
            baseline: baseline.map(|(name, score)| (name.to_owned(), Curves::new(score, truth, points_max))),
            reliability,
            histogram: Histogram::new(probability, truth),
            distinct: distinct(probability),
            intervals: None,
            flags_per_day,
            days_per_point,
            by_day: by_day(score, truth, day, flags_per_day, days_per_point),
            numbers: Vec::new(),
        }
    }

    /// Of predicted numbers beside the true ones. All of one length; finite. O(n log n).
    pub fn of_numbers(predicted: &[f64], truth: &[f64]) -> Charts {
        Charts { numbers: number_bins(predicted, truth), ..Charts::new(&[], &[], &[], &[], None, None, 2) }
    }

    /// The share of positives: the precision of flagging everything. `None` without rows.
    pub fn prevalence(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.positives as f64 / self.rows as f64)
    }
}

fn number_bins(predicted: &[f64], truth: &[f64]) -> Vec<NumberBin> {
    let mut rows: Vec<(f64, f64)> = predicted.iter().copied().zip(truth.iter().copied()).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let bins = NUMBER_BINS.min(rows.len());
    let bin = |at: usize| {
        let own = &rows[at * rows.len() / bins..(at + 1) * rows.len() / bins];
        let mut truths: Vec<f64> = own.iter().map(|(_, truth)| *truth).collect();
        truths.sort_by(f64::total_cmp);
        let mean = |of: fn(&(f64, f64)) -> f64| own.iter().map(of).sum::<f64>() / own.len() as f64;
        NumberBin {
            predicted: mean(|row| row.0),
            truth: mean(|row| row.1),
            low: truths[truths.len() / 20],
            high: truths[(truths.len() * 19 / 20).min(truths.len() - 1)],
            rows: own.len() as u64,
        }
    };
    (0..bins).map(bin).collect()
}

impl Curves {
    fn new(score: &[f64], truth: &[bool], points_max: usize) -> Curves {
        let (ranking, once) = (Ranking::new(score), vec![1; truth.len()]);
        Curves {
            average_precision: ranking.average_precision(truth, &once),
            roc_auc: ranking.roc_auc(truth, &once),
            pr: rounded(ranking.pr_curve(truth, &once, points_max)),
            roc: rounded(ranking.roc_curve(truth, &once, points_max)),
        }
    }
}

/// To five decimals: finer than a picture can show, and a third of the JSON.
fn rounded(points: Vec<CurvePoint>) -> Vec<CurvePoint> {
    let round = |value: f64| (value * 1e5).round() / 1e5;
    let point = |point: CurvePoint| CurvePoint {
        x: round(point.x),
        y: round(point.y),
        threshold: point.threshold.filter(|threshold| threshold.is_finite()).map(round),
    };
    points.into_iter().map(point).collect()
}

impl Histogram {
    fn new(probability: &[f64], truth: &[bool]) -> Histogram {
        let places: Vec<(f64, bool)> = probability.iter().map(|&p| log_odds(p)).zip(truth.iter().copied()).collect();
        let known = || places.iter().filter(|(place, _)| !place.is_nan());
        let mut low = known().map(|(place, _)| *place).fold(f64::INFINITY, f64::min);
        let mut high = known().map(|(place, _)| *place).fold(f64::NEG_INFINITY, f64::max);
        if low > high {
            return Histogram { edges: Vec::new(), positives: Vec::new(), negatives: Vec::new() };
        }
        if high - low < 1.0 {
            // One probability for all still needs a bar with a width.
            (low, high) = (low - 0.5, high + 0.5);
        }
        let width = (high - low) / HISTOGRAM_BINS as f64;
        let (mut of_positives, mut of_negatives) = (vec![0; HISTOGRAM_BINS], vec![0; HISTOGRAM_BINS]);
        for &(place, positive) in known() {
            let bin = (((place - low) / width) as usize).min(HISTOGRAM_BINS - 1);
            if positive { of_positives[bin] += 1 } else { of_negatives[bin] += 1 }
        }
        let edge = |bin: usize| 1.0 / (1.0 + (-(low + width * bin as f64)).exp());
        Histogram { edges: (0..=HISTOGRAM_BINS).map(edge).collect(), positives: of_positives, negatives: of_negatives }
    }
}

/// Natural log-odds of a probability that is kept off 0 and 1.
fn log_odds(probability: f64) -> f64 {
    let probability = probability.clamp(PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
    (probability / (1.0 - probability)).ln()
}

fn distinct(probability: &[f64]) -> u64 {
    let mut sorted = probability.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup();
    sorted.len() as u64
}

fn positives(truth: &[bool]) -> u64 {
    truth.iter().filter(|positive| **positive).count() as u64
}

fn days_per_point(day: &[i32]) -> i64 {
    let (first, last) = (day.iter().min().copied().unwrap_or(0), day.iter().max().copied().unwrap_or(0));
    ((i64::from(last) - i64::from(first) + 1) as u64).div_ceil(DAY_POINTS_MAX as u64) as i64
}

fn by_day(score: &[f64], truth: &[bool], day: &[i32], budget: Option<u32>, days_per_point: i64) -> Vec<DayPoint> {
    let first = i64::from(day.iter().min().copied().unwrap_or(0));
    let point_of = |row: usize| (i64::from(day[row]) - first) / days_per_point;
    let mut rows: Vec<usize> = (0..day.len()).collect();
    rows.sort_by_key(|&row| point_of(row));
    let point = |rows: &[usize]| {
        let scores: Vec<f64> = rows.iter().map(|&row| score[row]).collect();
        let truths: Vec<bool> = rows.iter().map(|&row| truth[row]).collect();
        let days: Vec<i32> = rows.iter().map(|&row| day[row]).collect();
        let once = vec![1; rows.len()];
        let at_budget =
            |alerts: u32| DailyRanking::new(&scores, &days).precision_at_budget(&truths, &once, alerts as usize);
        let first_day = first + point_of(rows[0]) * days_per_point;
        DayPoint {
            day: day_name(first_day.saturating_mul(DAY)),
            rows: rows.len() as u64,
            positives: positives(&truths),
            average_precision: Ranking::new(&scores).average_precision(&truths, &once),
            precision_at_budget: budget.and_then(at_budget),
        }
    };
    rows.chunk_by(|&left, &right| point_of(left) == point_of(right)).map(point).collect()
}
