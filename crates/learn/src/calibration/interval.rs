//! How far the probability of a score could be off, from the rows that the score was calibrated on: a probability of .05 from
//! forty rows and one from forty thousand are not the same news.

use super::{Calibrator, logistic};
use crate::drift::special::ln_gamma;
use serde::{Deserialize, Serialize};

/// Share of rows whose interval holds the true share of positives among rows of their score. A convention.
pub const LEVEL: f64 = 0.9;
/// Rows around a score that its interval rests on, as a multiple of n^(2/3), the best span for a curve of which nothing is known
/// but that it rises. Measured on the tests' simulated truths: 1 holds 92 to 97 % of them, 2 down to 83 % where the truth has steps.
const SPAN: f64 = 1.0;
/// Scores at which the ends are known at the most, evenly by rank: finer than a span is long.
const KNOTS_MAX: usize = 100;
/// Log-odds that stand for a probability of 0 here: finite, so that they survive JSON.
const SHIFT_MAX: f64 = 50.0;
/// Halvings of 0..1 when a limit is sought: to about 1e-12.
const HALVINGS: usize = 40;

/// How far the log-odds of a calibrated probability may be moved down and up, by the score: straight lines between the knots,
/// level outside. All lists of one length, `score` ascending, `down <= 0 <= up`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbabilityInterval {
    pub score: Vec<f64>,
    pub down: Vec<f64>,
    pub up: Vec<f64>,
}

impl ProbabilityInterval {
    /// Counts the positives among the nearest rows by score, takes the exact limits of their share (Clopper & Pearson 1934), and
    /// moves the calibrated curve to each of them. So it holds for any curve that is about as steep within the span as the
    /// calibrated one; rows are taken to be independent and new ones to be like them. The pair of an inductive Venn-Abers
    /// predictor (Vovk, Petej & Fedorova 2015) was measured beside it and is no such interval: one of its ends is calibrated on
    /// average, but the true probability lies between them for half of the rows; see the tests. score: finite; truth: same length
    /// (panics if not); rows that did not train the model. O(n log n).
    pub fn fit(score: &[f64], truth: &[bool], calibrator: &Calibrator) -> ProbabilityInterval {
        assert_eq!(score.len(), truth.len(), "a truth for each score");
        let mut order: Vec<usize> = (0..score.len()).collect();
        order.sort_unstable_by(|&a, &b| score[a].total_cmp(&score[b]).then(truth[a].cmp(&truth[b])));
        let rows = order.len();
        let span = ((SPAN * (rows as f64).powf(2.0 / 3.0)).ceil() as usize).clamp(rows.min(1), rows);
        let (mut positives, mut promised) = (vec![0_u64], vec![0.0]);
        for &row in &order {
            positives.push(positives[positives.len() - 1] + u64::from(truth[row]));
            promised.push(promised[promised.len() - 1] + calibrator.apply(score[row]));
        }
        let mut made = ProbabilityInterval::default();
        let knots = rows.min(KNOTS_MAX);
        for middle in (0..knots).map(|at| (2 * at + 1) * rows / (2 * knots)) {
            let from = middle.saturating_sub(span / 2).min(rows - span);
            let to = from + span;
            // Rows of one score are one share: all of them or none.
            let (first, last) = (score[order[from]], score[order[to - 1]]);
            let from = order.partition_point(|&row| score[row] < first);
            let to = order.partition_point(|&row| score[row] <= last);
            let counted = to - from;
            let found = positives[to] - positives[from];
            let mean = log_odds((promised[to] - promised[from]) / counted as f64);
            let shift = |limit: f64| log_odds(limit).clamp(-SHIFT_MAX, SHIFT_MAX) - mean;
            made.score.push(score[order[middle]]);
            made.down.push(shift(lower(found, counted as u64, (1.0 - LEVEL) / 2.0)).min(0.0));
            made.up.push(shift(upper(found, counted as u64, (1.0 - LEVEL) / 2.0)).max(0.0));
        }
        made
    }

    /// The ends around the probability that is served for a score, 0..=1; nothing is known without rows. O(log knots).
    pub fn around(&self, score: f64, probability: f64) -> (f64, f64) {
        if self.score.is_empty() {
            return (0.0, 1.0);
        }
        let right = self.score.partition_point(|&knot| knot <= score);
        let left = right.saturating_sub(1);
        let right = right.min(self.score.len() - 1);
        let apart = self.score[right] - self.score[left];
        let part = if apart > 0.0 { ((score - self.score[left]) / apart).clamp(0.0, 1.0) } else { 0.0 };
        let moved = |by: &[f64]| logistic(log_odds(probability) + by[left] + (by[right] - by[left]) * part);
        // Rounding must not put the served number outside.
        (moved(&self.down).min(probability), moved(&self.up).max(probability))
    }
}

fn log_odds(probability: f64) -> f64 {
    (probability / (1.0 - probability)).ln()
}

/// The probability below which so many positives or more would come by chance as seldom as `error`.
fn lower(positives: u64, rows: u64, error: f64) -> f64 {
    match positives {
        0 => 0.0,
        positives => beta_quantile(positives as f64, (rows - positives) as f64 + 1.0, error),
    }
}

/// The probability above which so few positives or fewer would.
fn upper(positives: u64, rows: u64, error: f64) -> f64 {
    1.0 - lower(rows - positives, rows, error)
}

/// Where the beta distribution has the given share below it. Clopper & Pearson 1934 by way of it.
fn beta_quantile(a: f64, b: f64, share: f64) -> f64 {
    let (mut from, mut to) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = (from + to) / 2.0;
        if beta_share_below(a, b, middle) < share { from = middle } else { to = middle }
    }
    from
}

/// The regularised incomplete beta function, 0 < at < 1. Source: Press et al., Numerical Recipes, 6.4.
fn beta_share_below(a: f64, b: f64, at: f64) -> f64 {
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * at.ln() + b * (-at).ln_1p()).exp();
    // The fraction converges fast on one side of the mean; the other side is the complement.
    if at < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(a, b, at) / a
    } else {
        1.0 - front * continued_fraction(b, a, 1.0 - at) / b
    }
}

fn continued_fraction(a: f64, b: f64, at: f64) -> f64 {
    const TINY: f64 = 1e-300;
    const STEPS_MAX: usize = 10_000; // O(sqrt(max(a, b))) are needed
    let off_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut c, mut d) = (1.0, 1.0 / off_zero(1.0 - (a + b) * at / (a + 1.0)));
    let mut value = d;
    for step in 1..STEPS_MAX {
        let m = step as f64;
        let even = m * (b - m) * at / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / off_zero(1.0 + even * d);
        c = off_zero(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * at / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / off_zero(1.0 + odd * d);
        c = off_zero(1.0 + odd / c);
        value *= d * c;
        if (d * c - 1.0).abs() < 1e-13 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::SplitMix64;
    use crate::calibration::fit;
    use crate::calibration::tests::{simulated, true_probability};

    #[test]
    fn exact_limits_agree_with_scipy() {
        // scipy.stats.beta.ppf(.05, k, n - k + 1), then the same of the upper limit.
        for (positives, rows, low, high) in
            [(0, 10, 0.0, 0.258_865_551), (1, 20, 0.002_561_379, 0.216_106_164), (10, 10, 0.741_134_449, 1.0)]
        {
            let found = (lower(positives, rows, 0.05), upper(positives, rows, 0.05));
            assert!((found.0 - low).abs() < 1e-8 && (found.1 - high).abs() < 1e-8, "{positives} of {rows}: {found:?}");
        }
        assert!(lower(50_000, 1_000_000, 0.05) > 0.0496 && upper(50_000, 1_000_000, 0.05) < 0.0504);
    }

    type Truth = fn(f64) -> f64;

    /// What a score truly stands for: as for boosted trees, as it says, and by steps that no smooth curve follows.
    const TRUTHS: [(&str, Truth); 3] = [
        ("too sure", true_probability),
        ("as it says", logistic),
        ("steps", |score| if score < -3.0 { 0.02 } else { 0.15 }),
    ];

    /// Share of new rows whose true probability lies between the ends, and their mean width.
    fn coverage(of: fn(f64) -> f64, seed: u64, ends: &dyn Fn(f64) -> (f64, f64)) -> (f64, f64) {
        let (scores, _) = simulated(of, seed + 1_000, 400);
        let (mut inside, mut width) = (0.0, 0.0);
        for &score in &scores {
            let (low, high) = ends(score);
            inside += f64::from(low <= of(score) && of(score) <= high);
            width += high - low;
        }
        (inside / scores.len() as f64, width / scores.len() as f64)
    }

    #[test]
    fn nine_of_ten_true_probabilities_lie_in_their_interval_where_the_venn_abers_pair_holds_half() {
        for (name, of) in TRUTHS {
            for rows in [400, 1_700, 10_000] {
                let (mut covered, mut width, mut by_venn_abers) = (0.0, 0.0, 0.0);
                // By its definition it takes a sort an answer.
                let few = rows.min(400);
                for seed in 0..20 {
                    let (score, truth) = simulated(of, seed, rows);
                    let calibrator = fit(&score, &truth);
                    let interval = ProbabilityInterval::fit(&score, &truth, &calibrator);
                    let own = coverage(of, seed, &|score| interval.around(score, calibrator.apply(score)));
                    covered += own.0 / 20.0;
                    width += own.1 / 20.0;
                    let pair = coverage(of, seed, &|new| venn_abers(&score[..few], &truth[..few], new));
                    by_venn_abers += pair.0 / 20.0;
                }
                println!(
                    "{name}, {rows} rows: {covered:.3}, width {width:.4}; Venn-Abers of {few}: {by_venn_abers:.3}"
                );
                assert!(covered >= LEVEL, "{name}, {rows} rows: {covered}");
                assert!(by_venn_abers < 0.8, "{name}, {rows} rows: {by_venn_abers}");
                assert!(width < 0.2, "{name}, {rows} rows: says nothing, {width}");
            }
        }
    }

    /// The pair of an inductive Venn-Abers predictor by its definition: isotonic regression with the row as either class.
    fn venn_abers(score: &[f64], truth: &[bool], new: f64) -> (f64, f64) {
        let level = |positive: bool| {
            let mut rows: Vec<(f64, bool)> = score.iter().copied().zip(truth.iter().copied()).collect();
            rows.push((new, positive));
            rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            let mut blocks: Vec<(f64, f64, f64)> = Vec::new();
            for (score, truth) in rows {
                let mut block = (score, f64::from(truth), 1.0);
                while let Some(before) = blocks.pop_if(|before| before.1 * block.2 >= block.1 * before.2) {
                    block = (block.0, block.1 + before.1, block.2 + before.2);
                }
                blocks.push(block);
            }
            let own = blocks.iter().find(|block| block.0 >= new).unwrap();
            own.1 / own.2
        };
        (level(false), level(true))
    }

    #[test]
    fn it_holds_what_is_served_and_says_nothing_without_rows() {
        let (score, truth) = simulated(true_probability, 3, 1_700);
        let calibrator = fit(&score, &truth);
        let interval = ProbabilityInterval::fit(&score, &truth, &calibrator);
        for at in -800..=800 {
            let score = f64::from(at) / 100.0;
            let probability = calibrator.apply(score);
            let (low, high) = interval.around(score, probability);
            assert!(0.0 <= low && low <= probability && probability <= high && high <= 1.0, "{score}: {low} to {high}");
        }
        let none = ProbabilityInterval::fit(&[], &[], &Calibrator::Identity);
        assert_eq!(none.around(0.3, 0.5), (0.0, 1.0));
        let calibrator = fit(&[0.5], &[true]);
        let (low, high) = ProbabilityInterval::fit(&[0.5], &[true], &calibrator).around(0.5, calibrator.apply(0.5));
        assert!(low < 0.06 && high > 0.999, "one row: {low} to {high}");
        let text = serde_json::to_string(&interval).unwrap();
        assert_eq!(serde_json::from_str::<ProbabilityInterval>(&text).unwrap(), interval);
    }

    #[test]
    fn more_rows_narrow_it_and_equal_scores_are_one_share() {
        let width = |rows: usize| {
            let (score, truth) = simulated(true_probability, 5, rows);
            let calibrator = fit(&score, &truth);
            let ends = ProbabilityInterval::fit(&score, &truth, &calibrator).around(-3.0, calibrator.apply(-3.0));
            ends.1 - ends.0
        };
        assert!(width(20_000) < width(2_000) && width(2_000) < width(200));
        let mut random = SplitMix64::new(1);
        let truth: Vec<bool> = (0..1_000).map(|_| random.below(20) == 0).collect();
        let calibrator = fit(&[0.0; 1_000], &truth);
        let interval = ProbabilityInterval::fit(&[0.0; 1_000], &truth, &calibrator);
        let (low, high) = interval.around(0.0, calibrator.apply(0.0));
        assert!(low < 0.05 && 0.05 < high, "{low} to {high}");
    }
}
