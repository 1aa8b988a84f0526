//! How well scores rank, how far they can be believed, and what a team that checks only a few alerts a day
//! would find. A row's weight is how many times it counts, so a bootstrap needs new weights, never new rows:
//! weight 3 equals three such rows, weight 0 equals no row.
//!
//! In every function slices that describe rows are of equal length (it panics if not), and no score is NaN: that
//! is the caller's error and gives a number without meaning. `None` always means that nothing can be said.

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
fn descending(left: f64, right: f64) -> Ordering {
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

/// What each row's probability cost: made once, then averaged under any weights (a logarithm costs more than all else).
#[derive(Clone, Debug)]
pub struct Losses {
    by_row: Vec<f64>,
}

impl Losses {
    /// Surprise in nats: 0 for certainty that came true. probability: 0..=1, drawn to 2^-52 from either end so that one
    /// certain error costs 36, not infinity. truth: as many. O(n). Source: scikit-learn, `log_loss`.
    pub fn log(probability: &[f64], truth: &[bool]) -> Losses {
        Losses::new(probability, truth, |probability, truth| {
            let probability = probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            if truth { -probability.ln() } else { -(-probability).ln_1p() }
        })
    }

    /// Squared distance of a probability (0..=1) from the truth. 0..=1, 0 is best. O(n). Source: Brier 1950.
    pub fn squared(probability: &[f64], truth: &[bool]) -> Losses {
        Losses::new(probability, truth, |probability, truth| (probability - f64::from(truth)).powi(2))
    }

    fn new(probability: &[f64], truth: &[bool], loss: impl Fn(f64, bool) -> f64) -> Losses {
        assert_eq!(probability.len(), truth.len(), "a truth for each row");
        Losses {
            by_row: probability.iter().zip(truth).map(|(&probability, &truth)| loss(probability, truth)).collect(),
        }
    }

    /// weight: how many times each row counts. `None` without rows. O(n).
    pub fn mean(&self, weight: &[u32]) -> Option<f64> {
        assert_eq!(self.by_row.len(), weight.len(), "a weight for each row");
        let (mut sum, mut rows) = (0.0, 0u64);
        for (loss, &weight) in self.by_row.iter().zip(weight) {
            sum += loss * f64::from(weight);
            rows += u64::from(weight);
        }
        (rows > 0).then(|| sum / rows as f64)
    }
}

/// Mean of [`Losses::log`].
pub fn log_loss(probability: &[f64], truth: &[bool], weight: &[u32]) -> Option<f64> {
    Losses::log(probability, truth).mean(weight)
}

/// Mean of [`Losses::squared`].
pub fn brier(probability: &[f64], truth: &[bool], weight: &[u32]) -> Option<f64> {
    Losses::squared(probability, truth).mean(weight)
}

/// What a threshold gets right and wrong, in rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    pub true_positive: u64,
    pub false_positive: u64,
    pub true_negative: u64,
    pub false_negative: u64,
}

impl Confusion {
    /// A row is flagged if its score is at least the threshold. O(n).
    pub fn at_threshold(score: &[f64], truth: &[bool], weight: &[u32], threshold: f64) -> Confusion {
        assert!(score.len() == truth.len() && score.len() == weight.len(), "a truth and a weight for each row");
        let mut counts = Confusion::default();
        for ((&score, &truth), &weight) in score.iter().zip(truth).zip(weight) {
            let cell = match (score >= threshold, truth) {
                (true, true) => &mut counts.true_positive,
                (true, false) => &mut counts.false_positive,
                (false, false) => &mut counts.true_negative,
                (false, true) => &mut counts.false_negative,
            };
            *cell += u64::from(weight);
        }
        counts
    }

    /// The share of flagged rows that are positive. 0..=1; `None` if nothing is flagged.
    pub fn precision(&self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_positive)
    }

    /// The share of positives that are flagged. 0..=1; `None` without a positive.
    pub fn recall(&self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_negative)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Each day's rows from the highest score; equal scores in row order, so earlier rows are checked first.
/// Made once, then asked for any budget and weights. score: any real. day: any number of the day.
#[derive(Clone, Debug)]
pub struct DailyRanking {
    order: Vec<u32>,
    /// The position in `order` after the last row of each day.
    day_ends: Vec<u32>,
}

/// One day under a budget, in rows.
struct DayCounts {
    alerts: u64,
    found: u64,
}

impl DailyRanking {
    /// O(n log n).
    pub fn new(score: &[f64], day: &[i32]) -> DailyRanking {
        assert_eq!(score.len(), day.len(), "a day for each row");
        let mut order: Vec<u32> = (0..score.len() as u32).collect();
        order.sort_by(|&left, &right| {
            let (left, right) = (left as usize, right as usize);
            day[left].cmp(&day[right]).then_with(|| descending(score[left], score[right]))
        });
        let days = order.chunk_by(|&left, &right| day[left as usize] == day[right as usize]);
        let end_of_day = |end: &mut u32, rows: &[u32]| {
            *end += rows.len() as u32;
            Some(*end)
        };
        let day_ends = days.scan(0, end_of_day).collect();
        DailyRanking { order, day_ends }
    }

    /// The share of positives among a day's `per_day` highest rows, averaged over the days with rows. A day with
    /// fewer rows raises fewer alerts and is divided by those. 0..=1; `None` without rows or budget. O(n).
    pub fn precision_at_budget(&self, truth: &[bool], weight: &[u32], per_day: usize) -> Option<f64> {
        mean(self.days(truth, weight, per_day).filter_map(|day| share(day.found, day.alerts)))
    }

    fn days(&self, truth: &[bool], weight: &[u32], per_day: usize) -> impl Iterator<Item = DayCounts> {
        assert_eq!(truth.len(), self.order.len(), "a truth for each ranked row");
        assert_eq!(weight.len(), self.order.len(), "a weight for each ranked row");
        (0..self.day_ends.len()).map(move |day| {
            let start = if day == 0 { 0 } else { self.day_ends[day - 1] };
            let mut counts = DayCounts { alerts: 0, found: 0 };
            for &row in &self.order[start as usize..self.day_ends[day] as usize] {
                let (times, positive) = (u64::from(weight[row as usize]), u64::from(truth[row as usize]));
                let checked = times.min(per_day as u64 - counts.alerts);
                counts.alerts += checked;
                counts.found += checked * positive;
            }
            counts
        })
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0u64, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / count as f64)
}

/// Card precision@k: of the k most suspicious cards (or other entities) of each day, the share that really were
/// victims that day, where a card that was found once is blocked and never asked about again.
///
/// A card's score and truth of a day are the highest of its rows. Equal scores: the card whose first row that day
/// comes first (the book leaves them to its sort). Made once, then asked for any k and weights.
/// Source: Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, `card_precision_top_k`.
#[derive(Clone, Debug)]
pub struct EntityPrecisionAtK {
    /// By day, then from the highest score.
    entity_days: Vec<EntityDay>,
}

#[derive(Clone, Debug)]
struct EntityDay {
    day: i32,
    entity: u32,
    first_row: u32,
    score: f64,
    truth: bool,
}

impl EntityPrecisionAtK {
    /// entity: each row's entity, an index into the weights of [`EntityPrecisionAtK::mean`]. O(n log n).
    pub fn new(score: &[f64], truth: &[bool], entity: &[u32], day: &[i32]) -> EntityPrecisionAtK {
        let lengths = [truth.len(), entity.len(), day.len()];
        assert_eq!(lengths, [score.len(); 3], "a truth, an entity and a day for each row");
        let mut rows: Vec<u32> = (0..score.len() as u32).collect();
        let key = |row: u32| (day[row as usize], entity[row as usize]);
        rows.sort_by_key(|&row| key(row));
        let runs = rows.chunk_by(|&left, &right| key(left) == key(right));
        let mut entity_days: Vec<EntityDay> = runs
            .map(|run| EntityDay {
                day: day[run[0] as usize],
                entity: entity[run[0] as usize],
                first_row: run[0],
                score: run.iter().map(|&row| score[row as usize]).fold(f64::NEG_INFINITY, f64::max),
                truth: run.iter().any(|&row| truth[row as usize]),
            })
            .collect();
        entity_days.sort_by(|left, right| {
            let by_score = || descending(left.score, right.score);
            left.day.cmp(&right.day).then_with(by_score).then(left.first_row.cmp(&right.first_row))
        });
        EntityPrecisionAtK { entity_days }
    }

    /// Victims found among the first k of a day, divided by k (also where fewer than k are left, as in the book),
    /// averaged over the days on which any entity of positive weight has a row. An entity of weight m counts as m
    /// cards: where k cuts through them, only those above are found and blocked, the others come back the next day.
    /// 0..=1; `None` without days or if k is 0. Panics if an entity has no weight. O(entities + entity-days).
    pub fn mean(&self, entity_weight: &[u32], k: usize) -> Option<f64> {
        let mut cards_left = entity_weight.to_vec();
        let (mut days, mut found) = (0, 0);
        for day in self.entity_days.chunk_by(|left, right| left.day == right.day) {
            if day.iter().any(|card| entity_weight[card.entity as usize] > 0) {
                days += 1;
                found += find_and_block(day, &mut cards_left, k);
            }
        }
        share(found, days * k as u64)
    }
}

/// How many victims are among the first k cards of a day; they are taken out of `cards_left`.
fn find_and_block(day: &[EntityDay], cards_left: &mut [u32], k: usize) -> u64 {
    let (mut unchecked, mut found) = (k as u64, 0);
    for card in day {
        let left = &mut cards_left[card.entity as usize];
        let checked = u64::from(*left).min(unchecked);
        unchecked -= checked;
        if card.truth {
            *left -= checked as u32;
            found += checked;
        }
        if unchecked == 0 {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::SplitMix64;

    struct Rows {
        score: Vec<f64>,
        truth: Vec<bool>,
        weight: Vec<u32>,
        day: Vec<i32>,
        entity: Vec<u32>,
    }

    /// 60 rows with many ties, of 8 entities on 5 days; weights 0..=3.
    fn random_rows(seed: u64) -> Rows {
        let mut random = SplitMix64::new(seed);
        let mut column = |end: usize| -> Vec<u32> { (0..60).map(|_| random.below(end) as u32).collect() };
        Rows {
            score: column(20).iter().map(|&score| f64::from(score) / 20.0).collect(),
            truth: column(4).iter().map(|&truth| truth == 0).collect(),
            weight: column(4),
            day: column(5).iter().map(|&day| day as i32 - 2).collect(),
            entity: column(8),
        }
    }

    fn repeat<T: Copy>(values: &[T], weight: &[u32]) -> Vec<T> {
        values.iter().zip(weight).flat_map(|(&value, &weight)| std::iter::repeat_n(value, weight as usize)).collect()
    }

    #[track_caller]
    fn check(found: Option<f64>, expected: f64) {
        let found = found.expect("the measure has a value");
        assert!((found - expected).abs() < 1e-12, "found {found}, expected {expected}");
    }

    // The values expected of these rows are scikit-learn 1.9's: roc_auc_score, average_precision_score, log_loss,
    // brier_score_loss, precision_score, recall_score, each with sample_weight.
    const SCORE: [f64; 12] = [0.9, 0.8, 0.8, 0.7, 0.6, 0.6, 0.6, 0.4, 0.3, 0.3, 0.2, 0.1];
    const ONCE: [u32; 12] = [1; 12];
    const WEIGHT: [u32; 12] = [1, 2, 1, 0, 3, 1, 1, 2, 1, 4, 1, 2];

    fn truth() -> Vec<bool> {
        [1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0].map(|truth| truth == 1).to_vec()
    }

    #[test]
    fn ranking_measures_agree_with_scikit_learn() {
        let ranking = Ranking::new(&SCORE);
        check(ranking.roc_auc(&truth(), &ONCE), 0.71875);
        check(ranking.average_precision(&truth(), &ONCE), 0.6238095238095237);
        check(ranking.roc_auc(&truth(), &WEIGHT), 0.8333333333333334);
        check(ranking.average_precision(&truth(), &WEIGHT), 0.7053571428571428);
    }

    #[test]
    fn probability_measures_agree_with_scikit_learn() {
        check(log_loss(&SCORE, &truth(), &ONCE), 0.657108275854089);
        check(brier(&SCORE, &truth(), &ONCE), 0.2375);
        check(log_loss(&SCORE, &truth(), &WEIGHT), 0.505912225053123);
        check(brier(&SCORE, &truth(), &WEIGHT), 0.1663157894736842);
        check(log_loss(&[0.0], &[true], &[1]), 36.04365338911715);
    }

    #[test]
    fn a_threshold_flags_the_scores_at_and_above_it() {
        let counts = Confusion::at_threshold(&SCORE, &truth(), &WEIGHT, 0.6);
        let expected = Confusion { true_positive: 6, false_positive: 3, true_negative: 9, false_negative: 1 };
        assert_eq!(counts, expected);
        check(counts.precision(), 0.6666666666666666);
        check(counts.recall(), 0.8571428571428571);
    }

    #[test]
    fn curves_run_through_scikit_learns_points() {
        // roc_curve(drop_intermediate=False) and precision_recall_curve; the latter's invented (0, 1) left out.
        let roc = Ranking::new(&SCORE).roc_curve(&truth(), &ONCE, 100);
        let x = [0.0, 0.0, 0.125, 0.25, 0.5, 0.625, 0.75, 0.875, 1.0];
        let y = [0.0, 0.25, 0.5, 0.5, 0.75, 0.75, 1.0, 1.0, 1.0];
        assert!(roc.iter().map(|point| point.x).eq(x) && roc.iter().map(|point| point.y).eq(y), "{roc:?}");
        assert_eq!((roc[0].threshold, roc[1].threshold), (None, Some(0.9)));

        let precision_recall = Ranking::new(&SCORE).pr_curve(&truth(), &ONCE, 100);
        let found: Vec<f64> = precision_recall.iter().map(|point| point.y).collect();
        assert_eq!(found, [1.0, 2.0 / 3.0, 0.5, 3.0 / 7.0, 0.375, 0.4, 4.0 / 11.0, 1.0 / 3.0]);
    }

    #[test]
    fn a_thinned_curve_keeps_its_ends_and_its_steep_start() {
        let score: Vec<f64> = (0..10_000).rev().map(f64::from).collect();
        let truth: Vec<bool> = (0..10_000).map(|row| row < 50).collect();
        let curve = Ranking::new(&score).roc_curve(&truth, &vec![1; 10_000], 21);
        assert_eq!(curve.len(), 21);
        assert_eq!((curve[0].x, curve[0].y, curve[20].x, curve[20].y), (0.0, 0.0, 1.0, 1.0));
        assert!(curve.iter().filter(|point| point.x == 0.0).count() >= 10, "half of the points climb");
    }

    #[test]
    fn a_weight_counts_like_as_many_rows() {
        for rows in (0..50).map(random_rows) {
            let (score, truth) = (repeat(&rows.score, &rows.weight), repeat(&rows.truth, &rows.weight));
            let (weighted, repeated) = (Ranking::new(&rows.score), Ranking::new(&score));
            let (weight, once) = (&rows.weight, &vec![1; score.len()]);
            assert_eq!(weighted.roc_auc(&rows.truth, weight), repeated.roc_auc(&truth, once));
            assert_eq!(weighted.average_precision(&rows.truth, weight), repeated.average_precision(&truth, once));
            assert_eq!(weighted.reliability_curve(&rows.truth, weight, 7), repeated.reliability_curve(&truth, once, 7));
            assert_eq!(weighted.roc_curve(&rows.truth, weight, 9), repeated.roc_curve(&truth, once, 9));
            assert_eq!(weighted.pr_curve(&rows.truth, weight, 9), repeated.pr_curve(&truth, once, 9));
            check(log_loss(&rows.score, &rows.truth, weight), log_loss(&score, &truth, once).unwrap());
            let flagged = Confusion::at_threshold(&rows.score, &rows.truth, weight, 0.5);
            assert_eq!(flagged, Confusion::at_threshold(&score, &truth, once, 0.5));
            let day = repeat(&rows.day, &rows.weight);
            let (weighted, repeated) = (DailyRanking::new(&rows.score, &rows.day), DailyRanking::new(&score, &day));
            let expected = repeated.precision_at_budget(&truth, once, 4);
            assert_eq!(weighted.precision_at_budget(&rows.truth, weight, 4), expected);
        }
    }

    #[test]
    fn turning_the_score_round_turns_the_area_round() {
        for rows in (0..50).map(random_rows) {
            let negated: Vec<f64> = rows.score.iter().map(|score| -score).collect();
            let area = Ranking::new(&rows.score).roc_auc(&rows.truth, &rows.weight).unwrap();
            check(Ranking::new(&negated).roc_auc(&rows.truth, &rows.weight), 1.0 - area);
        }
    }

    #[test]
    fn a_constant_score_ranks_like_chance() {
        let ranking = Ranking::new(&[0.0, -0.0, 0.0, -0.0]);
        let truth = [true, false, false, false];
        assert_eq!(ranking.roc_auc(&truth, &[1; 4]), Some(0.5));
        assert_eq!(ranking.average_precision(&truth, &[1; 4]), Some(0.25));
        assert_eq!(ranking.calibration_error(&truth, &[1; 4], 10), Some(0.25));
    }

    #[test]
    fn a_perfect_score_finds_everything_first() {
        let ranking = Ranking::new(&[0.1, 0.9, 0.2, 0.8]);
        let truth = [false, true, false, true];
        assert_eq!(ranking.roc_auc(&truth, &[1; 4]), Some(1.0));
        assert_eq!(ranking.average_precision(&truth, &[1; 4]), Some(1.0));
    }

    #[test]
    fn where_nothing_can_be_said_nothing_is_said() {
        for (truth, weight) in [(vec![], vec![]), (vec![true, false], vec![0, 0])] {
            let score = vec![0.5; truth.len()];
            let ranking = Ranking::new(&score);
            assert_eq!(ranking.roc_auc(&truth, &weight), None);
            assert_eq!(ranking.average_precision(&truth, &weight), None);
            assert_eq!(ranking.calibration_error(&truth, &weight, 10), None);
            assert!(ranking.pr_curve(&truth, &weight, 10).is_empty());
            assert_eq!((log_loss(&score, &truth, &weight), brier(&score, &truth, &weight)), (None, None));
            let daily = DailyRanking::new(&score, &vec![1; truth.len()]);
            assert_eq!(daily.precision_at_budget(&truth, &weight, 3), None);
        }
        let counts = Confusion::default();
        assert_eq!((counts.precision(), counts.recall()), (None, None));
    }

    #[test]
    fn one_class_has_no_area_and_no_curve() {
        let ranking = Ranking::new(&[0.3, 0.1]);
        for truth in [[true; 2], [false; 2]] {
            assert_eq!(ranking.roc_auc(&truth, &[1; 2]), None);
            assert!(ranking.roc_curve(&truth, &[1; 2], 10).is_empty());
        }
        assert_eq!(ranking.average_precision(&[true; 2], &[1; 2]), Some(1.0));
        assert_eq!(ranking.average_precision(&[false; 2], &[1; 2]), None);
    }

    #[test]
    fn reliability_bins_hold_equally_many_rows_and_never_split_a_tie() {
        let score = [0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.9];
        let truth = [false, false, true, false, true, false, true, true];
        let bin = |mean_score, share_positive, rows| ReliabilityBin { mean_score, share_positive, rows };
        let expected = [bin(0.15, 0.0, 2), bin(0.35, 0.5, 2), bin(0.5, 2.0 / 3.0, 3), bin(0.9, 1.0, 1)];
        let found = Ranking::new(&score).reliability_curve(&truth, &[1; 8], 4);
        assert_eq!(found.len(), 4);
        for (found, expected) in found.iter().zip(&expected) {
            check(Some(found.mean_score), expected.mean_score);
            check(Some(found.share_positive), expected.share_positive);
            assert_eq!(found.rows, expected.rows);
        }
        // (2 * 0.15 + 2 * 0.15 + 3 * (2/3 - 0.5) + 1 * 0.1) / 8
        check(Ranking::new(&score).calibration_error(&truth, &[1; 8], 4), 0.15);
        assert_eq!(Ranking::new(&score).reliability_curve(&truth, &[1; 8], 0).len(), 1);
    }

    #[test]
    fn a_budget_is_spent_on_the_highest_scores_of_each_day() {
        let (score, day) = ([0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.5], [2, 2, 1, 2, 3, 3, 3]);
        let truth = [false, true, true, true, false, false, true];
        let daily = DailyRanking::new(&score, &day);
        // Day 1 raises its one row and finds 1 of 1, day 2 finds 1 of 2, day 3 takes its first two and finds 0 of 2.
        check(daily.precision_at_budget(&truth, &[1; 7], 2), (1.0 + 0.5 + 0.0) / 3.0);
        assert_eq!(daily.precision_at_budget(&truth, &[1; 7], 0), None);
    }

    #[test]
    fn a_found_card_is_blocked_and_its_slot_goes_to_the_next() {
        let (entity, day) = ([0, 1, 0, 2, 0, 2, 1, 0, 2], [1, 1, 1, 1, 2, 2, 2, 3, 3]);
        let score = [0.2, 0.8, 0.9, 0.1, 0.99, 0.5, 0.4, 0.9, 0.9];
        let truth = [true, false, false, true, true, true, false, true, true];
        // Day 1: cards 0 (score of one payment, truth of another) and 1, finds 0. Day 2: cards 2 and 1, finds 2.
        // Day 3: nobody is left, and the day counts.
        let cards = EntityPrecisionAtK::new(&score, &truth, &entity, &day);
        check(cards.mean(&[1; 3], 2), (0.5 + 0.5 + 0.0) / 3.0);
        assert_eq!(cards.mean(&[1; 3], 0), None);
        assert_eq!(cards.mean(&[0; 3], 2), None);
        assert_eq!(EntityPrecisionAtK::new(&[], &[], &[], &[]).mean(&[], 2), None);
    }

    #[test]
    fn of_equal_cards_the_one_seen_first_that_day_is_checked() {
        let cards = |truth: [bool; 2]| EntityPrecisionAtK::new(&[0.5, 0.5], &truth, &[1, 0], &[1, 1]);
        assert_eq!(cards([true, false]).mean(&[1, 1], 1), Some(1.0));
        assert_eq!(cards([false, true]).mean(&[1, 1], 1), Some(0.0));
    }

    #[test]
    fn a_card_of_weight_three_is_three_cards() {
        let cards = EntityPrecisionAtK::new(&[0.5, 0.5], &[true, true], &[0, 0], &[1, 2]);
        check(cards.mean(&[3], 2), (1.0 + 0.5) / 2.0);
        for rows in (0..50).map(random_rows) {
            let times = &rows.weight[..8];
            let of_rows: Vec<u32> = rows.entity.iter().map(|&entity| times[entity as usize]).collect();
            let first_copy = |entity: u32| times[..entity as usize].iter().sum::<u32>();
            let copies =
                rows.entity.iter().flat_map(|&entity| (0..times[entity as usize]).map(move |copy| (entity, copy)));
            let entity: Vec<u32> = copies.map(|(entity, copy)| first_copy(entity) + copy).collect();
            let (score, truth, day) =
                (repeat(&rows.score, &of_rows), repeat(&rows.truth, &of_rows), repeat(&rows.day, &of_rows));
            let expected = EntityPrecisionAtK::new(&score, &truth, &entity, &day).mean(&vec![1; entity.len()], 3);
            let weighted = EntityPrecisionAtK::new(&rows.score, &rows.truth, &rows.entity, &rows.day);
            assert_eq!(weighted.mean(times, 3), expected);
        }
    }

    #[test]
    fn a_nan_score_is_a_wrong_number_and_not_a_panic() {
        let ranking = Ranking::new(&[f64::NAN, 0.5, f64::NAN]);
        assert!(ranking.roc_auc(&[true, false, true], &[1; 3]).is_some());
    }
}
