//! Rows by score: areas, curves, and what the scores promise against what came true.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Rows from the highest score to the lowest, equal scores tied: sorted once, then each measure is one pass.
/// score: any real, higher = more likely; at most `u32::MAX` rows.
#[derive(Clone, Debug)]
pub struct Ranking {
    order: Vec<u32>,
    /// The position in `order` after the last row of each tie.
    tie_ends: Vec<u32>,
    tie_scores: Vec<f64>,
}

/// The rows of one score.
struct Tie {
    score: f64,
    positives: u64,
    rows: u64,
}

/// A point to draw, and the lowest score that is flagged there; `None` where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    pub x: f64,
    pub y: f64,
    pub threshold: Option<f64>,
}

/// Neighbouring scores: what they promise and what came true. `rows` is a sum of weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    pub mean_score: f64,
    pub share_positive: f64,
    pub rows: u64,
}

impl Ranking {
    /// O(n log n).
    pub fn new(score: &[f64]) -> Ranking {
        let mut order: Vec<u32> = (0..score.len() as u32).collect();
        order.sort_by(|&left, &right| descending(score[left as usize], score[right as usize]));
        let (mut tie_ends, mut tie_scores, mut end) = (Vec::new(), Vec::new(), 0);
        for tied in order.chunk_by(|&left, &right| score[left as usize] == score[right as usize]) {
            end += tied.len() as u32;
            tie_ends.push(end);
            tie_scores.push(score[tied[0] as usize]);
        }
        Ranking { order, tie_ends, tie_scores }
    }

    /// What belongs to the rows, from the highest score to the lowest; equal scores in row order. values: one a row. O(n).
    pub fn arrange<T: Copy>(&self, values: &[T]) -> Vec<T> {
        assert_eq!(values.len(), self.order.len(), "a value for each ranked row");
        self.order.iter().map(|&row| values[row as usize]).collect()
    }

    /// Area under the ROC curve: how often a positive outranks a negative. 0..=1; ties count half; `None` if a class
    /// is absent. O(n). Source: Hanley & McNeil 1982.
    pub fn roc_auc(&self, truth: &[bool], weight: &[u32]) -> Option<f64> {
        let (mut positives, mut negatives, mut half_pairs_lost) = (0, 0, 0);
        for tie in self.all_ties(truth, weight) {
            let tied_negatives = tie.rows - tie.positives;
            // Positives are rare: most ties cost one branch that is guessed right.
            if tie.positives > 0 {
                half_pairs_lost += u128::from(tie.positives) * u128::from(2 * negatives + tied_negatives);
                positives += tie.positives;
            }
            negatives += tied_negatives;
        }
        let half_pairs = 2 * u128::from(positives) * u128::from(negatives);
        (half_pairs > 0).then(|| (half_pairs - half_pairs_lost) as f64 / half_pairs as f64)
    }

    /// Average precision: the precision at each score, weighted by the share of positives found there. 0..=1; tied
    /// rows are found together; a constant score gets the share of positives; `None` without a positive. O(n).
    /// Source: scikit-learn, `average_precision_score`.
    pub fn average_precision(&self, truth: &[bool], weight: &[u32]) -> Option<f64> {
        let (mut positives, mut rows, mut sum) = (0, 0, 0.0);
        for tie in self.all_ties(truth, weight) {
            rows += tie.rows;
            if tie.positives > 0 {
                positives += tie.positives;
                sum += tie.positives as f64 * (positives as f64 / rows as f64);
            }
        }
        (positives > 0).then(|| sum / positives as f64)
    }

    /// x: false positive rate, y: recall, from (0, 0) to (1, 1), at most `points_max` (at least 2) points. Empty if a
    /// class is absent. O(n).
    pub fn roc_curve(&self, truth: &[bool], weight: &[u32], points_max: usize) -> Vec<CurvePoint> {
        let (positives, rows) = count(truth, weight);
        let negatives = rows - positives;
        if positives == 0 || negatives == 0 {
            return Vec::new();
        }
        let nothing_flagged = CurvePoint { x: 0.0, y: 0.0, threshold: None };
        let points = self.thresholds(truth, weight).map(|(threshold, found, flagged)| CurvePoint {
            x: (flagged - found) as f64 / negatives as f64,
            y: found as f64 / positives as f64,
            threshold: Some(threshold),
        });
        thin(std::iter::once(nothing_flagged).chain(points).collect(), points_max)
    }

    /// x: recall, y: precision, from the highest score to the one that flags every row, at most `points_max` (at least
    /// 2) points; no point is invented at recall 0. Empty without a positive. O(n).
    pub fn pr_curve(&self, truth: &[bool], weight: &[u32], points_max: usize) -> Vec<CurvePoint> {
        let (positives, _) = count(truth, weight);
        if positives == 0 {
            return Vec::new();
        }
        let points = self.thresholds(truth, weight).map(|(threshold, found, flagged)| CurvePoint {
            x: found as f64 / positives as f64,
            y: found as f64 / flagged as f64,
            threshold: Some(threshold),
        });
        thin(points.collect(), points_max)
    }

    /// What scores promise against what came true, in at most `bins` (0 counts as 1) bins from low to high that hold
    /// the same number of rows, as far as ties allow: a tie goes whole to the bin of its middle row, so the order of
    /// the rows never matters. Bins without a row are left out. score: a probability. O(n).
    pub fn reliability_curve(&self, truth: &[bool], weight: &[u32], bins: usize) -> Vec<ReliabilityBin> {
        let (_, rows) = count(truth, weight);
        let mut below = 0;
        let mut curve: Vec<(u128, ReliabilityBin)> = Vec::new();
        for tie in self.ties(truth, weight).rev() {
            let twice_the_middle = 2 * below + tie.rows;
            let bin = u128::from(twice_the_middle) * bins.max(1) as u128 / u128::from(2 * rows);
            match curve.last_mut() {
                Some((last, filled)) if *last == bin => filled.add(&tie),
                _ => curve.push((bin, ReliabilityBin::of(&tie))),
            }
            below += tie.rows;
        }
        curve.into_iter().map(|(_, bin)| bin).collect()
    }

    /// Expected calibration error: how far, on average over the rows, a bin's mean score is from its share of
    /// positives. 0..=1; `bins` as in [`Ranking::reliability_curve`] (10 is the custom); `None` without rows. O(n).
    /// Source: Naeini, Cooper & Hauskrecht 2015; equal-frequency bins: Nguyen & O'Connor 2015.
    pub fn calibration_error(&self, truth: &[bool], weight: &[u32], bins: usize) -> Option<f64> {
        let curve = self.reliability_curve(truth, weight, bins);
        let rows: u64 = curve.iter().map(|bin| bin.rows).sum();
        let sum: f64 = curve.iter().map(|bin| (bin.mean_score - bin.share_positive).abs() * bin.rows as f64).sum();
        (rows > 0).then(|| sum / rows as f64)
    }

    /// For each score from the highest: the score, the positives at or above it, the rows at or above it.
    fn thresholds(&self, truth: &[bool], weight: &[u32]) -> impl Iterator<Item = (f64, u64, u64)> {
        self.ties(truth, weight).scan((0, 0), |(found, flagged), tie| {
            *found += tie.positives;
            *flagged += tie.rows;
            Some((tie.score, *found, *flagged))
        })
    }

    /// The ties that hold at least one row, from the highest score.
    fn ties(&self, truth: &[bool], weight: &[u32]) -> impl DoubleEndedIterator<Item = Tie> {
        self.all_ties(truth, weight).filter(|tie| tie.rows > 0)
    }

    /// The ties, those among them whose rows all weigh nothing, from the highest score.
    fn all_ties(&self, truth: &[bool], weight: &[u32]) -> impl DoubleEndedIterator<Item = Tie> {
        assert_eq!(truth.len(), self.order.len(), "a truth for each ranked row");
        assert_eq!(weight.len(), self.order.len(), "a weight for each ranked row");
        let tie_at = move |tie: usize| {
            let start = if tie == 0 { 0 } else { self.tie_ends[tie - 1] };
            let (mut positives, mut rows) = (0, 0);
            for &row in &self.order[start as usize..self.tie_ends[tie] as usize] {
                let times = u64::from(weight[row as usize]);
                positives += if truth[row as usize] { times } else { 0 };
                rows += times;
            }
            Tie { score: self.tie_scores[tie], positives, rows }
        };
        (0..self.tie_ends.len()).map(tie_at)
    }
}

impl ReliabilityBin {
    fn of(tie: &Tie) -> ReliabilityBin {
        let share_positive = tie.positives as f64 / tie.rows as f64;
        ReliabilityBin { mean_score: tie.score, share_positive, rows: tie.rows }
    }

    fn add(&mut self, tie: &Tie) {
        self.rows += tie.rows;
        let part = tie.rows as f64 / self.rows as f64;
        self.mean_score += (tie.score - self.mean_score) * part;
        self.share_positive += (tie.positives as f64 / tie.rows as f64 - self.share_positive) * part;
    }
}

/// -0.0 and 0.0 are one score here, though not in the total order of floats.
pub(super) fn descending(left: f64, right: f64) -> Ordering {
    (right + 0.0).total_cmp(&(left + 0.0))
}

/// The positives and the rows.
fn count(truth: &[bool], weight: &[u32]) -> (u64, u64) {
    assert_eq!(truth.len(), weight.len(), "a weight for each row");
    truth.iter().zip(weight).fold((0, 0), |(positives, rows), (&truth, &weight)| {
        (positives + u64::from(weight) * u64::from(truth), rows + u64::from(weight))
    })
}

/// Keeps points about evenly along the drawn line, the first and the last among them: evenly by rank, the steep
/// start of a rare class, the part that people look at, would be one straight stroke.
fn thin(points: Vec<CurvePoint>, points_max: usize) -> Vec<CurvePoint> {
    let steps = points_max.max(2) - 1;
    if points.len() <= steps + 1 {
        return points;
    }
    let stroke = |pair: &[CurvePoint]| (pair[1].x - pair[0].x).abs() + (pair[1].y - pair[0].y).abs();
    let length: f64 = points.windows(2).map(stroke).sum();
    let (mut drawn, mut kept) = (0.0, vec![points[0]]);
    for pair in points.windows(2) {
        drawn += stroke(pair);
        if kept.len() < steps && drawn >= length * kept.len() as f64 / steps as f64 {
            kept.push(pair[1]);
        }
    }
    let last = points[points.len() - 1];
    if kept.last() != Some(&last) {
        kept.push(last);
    }
    kept
}
