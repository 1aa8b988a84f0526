//! Turns a score into a probability that can be believed, because a model ranks rows well long before its
//! numbers mean what they say, and people set thresholds and costs on the numbers.

use serde::{Deserialize, Serialize};

/// Rows from which the free form of isotonic regression is worth its freedom. A convention: scikit-learn's guide
/// advises against it for much fewer than 1,000 rows.
pub const ISOTONIC_ROWS_MIN: usize = 2_000;
/// Positives from which it is; a convention too: with fewer, the top steps rest on a handful of rows.
pub const ISOTONIC_POSITIVES_MIN: usize = 100;

/// How far an isotonic probability stays from 0 and 1: a step without any positive is no proof that none will come.
const ISOTONIC_MARGIN: f64 = 1e-6;
/// How far the others stay: no more than keeps them off 0 and 1, because their order is worth keeping.
const MARGIN: f64 = f64::EPSILON;
/// Lin, Lin & Weng 2007 allow 100 steps; on standardised scores a handful is used.
const NEWTON_STEPS_MAX: usize = 100;
/// Mean gradient at which Newton's method stops: far below what changes a probability that is shown.
const NEWTON_GRADIENT_MIN: f64 = 1e-12;
/// Keeps the Hessian invertible if all scores are equal. Source: Lin, Lin & Weng 2007.
const NEWTON_RIDGE: f64 = 1e-12;
/// Shortest step that is tried. Source: Lin, Lin & Weng 2007.
const NEWTON_STEP_MIN: f64 = 1e-10;

/// A fitted map from score to probability. A fitted one never decreases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Calibrator {
    /// The score is the probability.
    Identity,
    /// `1 / (1 + exp(-(slope * score + intercept)))`; slope >= 0.
    Platt { slope: f64, intercept: f64 },
    /// Knots joined by straight lines, level outside them. `score` strictly ascending, `probability` ascending,
    /// both of one length; without knots the score is the probability.
    Isotonic { score: Vec<f64>, probability: Vec<f64> },
}

impl Calibrator {
    /// The probability of a finite score, strictly within 0 and 1: isotonic within 1e-6..=1 - 1e-6, the others within
    /// 2^-52..=1 - 2^-52. O(log knots).
    pub fn apply(&self, score: f64) -> f64 {
        let (probability, margin) = match self {
            Calibrator::Identity => (score, MARGIN),
            Calibrator::Platt { slope, intercept } => (logistic(slope * score + intercept), MARGIN),
            Calibrator::Isotonic { score: knots, probability } => (between(knots, probability, score), ISOTONIC_MARGIN),
        };
        probability.clamp(margin, 1.0 - margin)
    }
}

/// The kind that the rows can carry: isotonic from [`ISOTONIC_ROWS_MIN`] rows with [`ISOTONIC_POSITIVES_MIN`]
/// positives, Platt below, identity without rows. score: finite, higher = more likely; truth: same length (panics
/// if not). The rows should not be those that trained the model: there its scores are too sure. O(n log n).
pub fn fit(score: &[f64], truth: &[bool]) -> Calibrator {
    let positives = truth.iter().filter(|&&truth| truth).count();
    if score.len() >= ISOTONIC_ROWS_MIN && positives >= ISOTONIC_POSITIVES_MIN {
        fit_isotonic(score, truth)
    } else {
        fit_platt(score, truth)
    }
}

/// Rows of neighbouring scores that share a probability.
struct Block {
    low: f64,
    high: f64,
    positives: u64,
    rows: u64,
}

impl Block {
    fn probability(&self) -> f64 {
        self.positives as f64 / self.rows as f64
    }

    /// Compared as fractions, so no rounding decides which rows are pooled.
    fn is_at_least(&self, next: &Block) -> bool {
        u128::from(self.positives) * u128::from(next.rows) >= u128::from(next.positives) * u128::from(self.rows)
    }
}

/// The rising steps closest to the truth in squares, with straight lines between the end of one step and the start of
/// the next. Equal scores are one observation of their mean. Agrees with scikit-learn's
/// `IsotonicRegression(out_of_bounds="clip")` on old and new scores, but for the margin at 0 and 1. Identity without
/// rows; one class gives one level. Arguments as in [`fit`]. O(n log n). Source: Ayer et al. 1955.
pub fn fit_isotonic(score: &[f64], truth: &[bool]) -> Calibrator {
    if score.is_empty() {
        return Calibrator::Identity;
    }
    let (mut knots, mut probability) = (Vec::new(), Vec::new());
    for block in pool_adjacent_violators(score, truth) {
        knots.push(block.low);
        probability.push(block.probability());
        if block.low < block.high {
            knots.push(block.high);
            probability.push(block.probability());
        }
    }
    Calibrator::Isotonic { score: knots, probability }
}

fn pool_adjacent_violators(score: &[f64], truth: &[bool]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for mut block in one_block_a_score(score, truth) {
        while let Some(previous) = blocks.pop_if(|previous| previous.is_at_least(&block)) {
            block.low = previous.low;
            block.positives += previous.positives;
            block.rows += previous.rows;
        }
        blocks.push(block);
    }
    blocks
}

fn one_block_a_score(score: &[f64], truth: &[bool]) -> Vec<Block> {
    assert_eq!(score.len(), truth.len(), "a truth for each score");
    // Adding 0.0 turns -0.0 into 0.0: equal scores must be neighbours with one name.
    let mut rows: Vec<(f64, bool)> = score.iter().zip(truth).map(|(&score, &truth)| (score + 0.0, truth)).collect();
    rows.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    let tied = rows.chunk_by(|left, right| left.0 == right.0);
    tied.map(|rows| Block {
        low: rows[0].0,
        high: rows[0].0,
        positives: rows.iter().filter(|row| row.1).count() as u64,
        rows: rows.len() as u64,
    })
    .collect()
}

/// A logistic curve through the scores, its targets drawn a little from 0 and 1 so that a perfect split stays finite.
/// A curve that would fall is laid level: scores that rank backwards carry no probability, and turning them round
/// would swap every alert. Identity without rows. Arguments as in [`fit`]. O(n) a Newton step.
/// Source: Platt 1999, solved as in Lin, Lin & Weng 2007.
pub fn fit_platt(score: &[f64], truth: &[bool]) -> Calibrator {
    assert_eq!(score.len(), truth.len(), "a truth for each score");
    if score.is_empty() {
        return Calibrator::Identity;
    }
    let rows = score.len() as f64;
    let positives = truth.iter().filter(|&&truth| truth).count() as f64;
    let (target_of_negative, target_of_positive) =
        (1.0 / (rows - positives + 2.0), (positives + 1.0) / (positives + 2.0));
    let target = |&truth: &bool| if truth { target_of_positive } else { target_of_negative };
    // Standardised, so that margins, log odds and tiny probabilities meet the same tolerances.
    let centre = score.iter().sum::<f64>() / rows;
    let spread = (score.iter().map(|score| (score - centre).powi(2)).sum::<f64>() / rows).sqrt();
    let scale = if spread > 0.0 { spread } else { 1.0 };
    let points: Vec<(f64, f64)> =
        score.iter().map(|score| (score - centre) / scale).zip(truth.iter().map(target)).collect();

    let curve = newton(&points);
    if curve.slope > 0.0 {
        let slope = curve.slope / scale;
        return Calibrator::Platt { slope, intercept: curve.intercept - slope * centre };
    }
    let mean_target = points.iter().map(|point| point.1).sum::<f64>() / rows;
    Calibrator::Platt { slope: 0.0, intercept: (mean_target / (1.0 - mean_target)).ln() }
}

#[derive(Clone, Copy)]
struct Curve {
    slope: f64,
    intercept: f64,
}

/// The curve of least log loss through (score, target) points, by Newton's method.
fn newton(points: &[(f64, f64)]) -> Curve {
    let mut curve = Curve { slope: 0.0, intercept: 0.0 };
    for _ in 0..NEWTON_STEPS_MAX {
        let better = newton_direction(points, curve).and_then(|direction| better_along(points, curve, direction));
        let Some(next) = better else { break };
        curve = next;
    }
    curve
}

/// The full step if it helps, else the longest of its halves that does.
fn better_along(points: &[(f64, f64)], curve: Curve, direction: Curve) -> Option<Curve> {
    let loss = log_loss(points, curve);
    let mut step = 1.0;
    while step >= NEWTON_STEP_MIN {
        let slope = curve.slope + step * direction.slope;
        let next = Curve { slope, intercept: curve.intercept + step * direction.intercept };
        if log_loss(points, next) < loss {
            return Some(next);
        }
        step /= 2.0;
    }
    None
}

/// The full step from here, `None` if the curve cannot get better.
fn newton_direction(points: &[(f64, f64)], curve: Curve) -> Option<Curve> {
    let rows = points.len() as f64;
    let (mut by_slope, mut by_intercept) = (0.0, 0.0);
    let (mut slope_slope, mut slope_intercept, mut intercept_intercept) = (0.0, 0.0, 0.0);
    for &(score, target) in points {
        let probability = logistic(curve.slope * score + curve.intercept);
        let (error, variance) = ((probability - target) / rows, probability * (1.0 - probability) / rows);
        by_slope += error * score;
        by_intercept += error;
        slope_slope += variance * score * score;
        slope_intercept += variance * score;
        intercept_intercept += variance;
    }
    if by_slope.abs().max(by_intercept.abs()) < NEWTON_GRADIENT_MIN {
        return None;
    }
    let (slope_slope, intercept_intercept) = (slope_slope + NEWTON_RIDGE, intercept_intercept + NEWTON_RIDGE);
    let determinant = slope_slope * intercept_intercept - slope_intercept * slope_intercept;
    Some(Curve {
        slope: (slope_intercept * by_intercept - intercept_intercept * by_slope) / determinant,
        intercept: (slope_intercept * by_slope - slope_slope * by_intercept) / determinant,
    })
}

/// Mean log loss against targets within 0 and 1, written so that no large margin overflows.
fn log_loss(points: &[(f64, f64)], curve: Curve) -> f64 {
    let loss_of = |&(score, target): &(f64, f64)| {
        let margin = curve.slope * score + curve.intercept;
        margin.max(0.0) - target * margin + (-margin.abs()).exp().ln_1p()
    };
    points.iter().map(loss_of).sum::<f64>() / points.len() as f64
}

fn between(knots: &[f64], probability: &[f64], score: f64) -> f64 {
    let right = knots.partition_point(|&knot| knot <= score);
    match (right.checked_sub(1), knots.get(right)) {
        (None, None) => score,
        (None, Some(_)) => probability[0],
        (Some(left), None) => probability[left],
        (Some(left), Some(end)) => {
            let part = (score - knots[left]) / (end - knots[left]);
            // Rounding may overshoot by one bit, and a map that steps back would swap two alerts.
            (probability[left] + (probability[right] - probability[left]) * part).min(probability[right])
        }
    }
}

fn logistic(margin: f64) -> f64 {
    1.0 / (1.0 + (-margin).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::SplitMix64;

    const SCORE: [f64; 10] = [0.1, 0.2, 0.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.7, 0.9];

    fn truth() -> Vec<bool> {
        [0, 1, 0, 0, 1, 0, 1, 1, 0, 1].map(|truth| truth == 1).to_vec()
    }

    /// Scores of 0..=1, every tenth of them a tie, and truths that the score squared makes more likely.
    fn random_rows(seed: u64, rows: usize) -> (Vec<f64>, Vec<bool>) {
        let mut random = SplitMix64::new(seed);
        let mut unit = || random.below(1 << 20) as f64 / f64::from(1 << 20);
        let score: Vec<f64> = (0..rows).map(|row| if row % 10 == 0 { 0.5 } else { unit() }).collect();
        let truth = score.iter().map(|score| unit() < score * score).collect();
        (score, truth)
    }

    #[track_caller]
    fn check(calibrator: &Calibrator, score: f64, expected: f64) {
        let found = calibrator.apply(score);
        assert!((found - expected).abs() < 1e-7, "{score} became {found}, expected {expected}");
    }

    #[track_caller]
    fn check_rises_within_bounds(calibrator: &Calibrator) {
        let probability: Vec<f64> =
            (-2_000..=2_000).map(|score| calibrator.apply(f64::from(score) / 1_000.0)).collect();
        assert!(probability.windows(2).all(|pair| pair[0] <= pair[1]), "never falls: {calibrator:?}");
        assert!(probability.iter().all(|&probability| 0.0 < probability && probability < 1.0));
        let far = [calibrator.apply(-1e300), calibrator.apply(1e300)];
        assert!(0.0 < far[0] && far[0] <= probability[0] && probability[4_000] <= far[1] && far[1] < 1.0, "{far:?}");
    }

    #[test]
    fn isotonic_agrees_with_scikit_learn() {
        // IsotonicRegression(out_of_bounds="clip").fit(SCORE, truth).predict(...), scikit-learn 1.9
        let calibrator = fit_isotonic(&SCORE, &truth());
        let expected = [
            (0.15, 0.1666666666666666),
            (0.2, 0.3333333333333333),
            (0.25, 0.3333333333333333),
            (0.35, 0.41666666666666663),
            (0.45, 0.5),
            (0.55, 0.5833333333333334),
            (0.65, 0.6666666666666666),
            (0.8, 0.8333333333333334),
        ];
        for (score, probability) in expected {
            check(&calibrator, score, probability);
        }
        assert_eq!([0.0, 0.1, 0.9, 1.0].map(|score| calibrator.apply(score)), [1e-6, 1e-6, 1.0 - 1e-6, 1.0 - 1e-6]);
    }

    #[test]
    fn platt_agrees_with_a_general_minimiser() {
        // scipy 1.x BFGS (gtol 1e-12) on Platt's loss; scikit-learn 1.9 _sigmoid_calibration gives the same 7 digits.
        let Calibrator::Platt { slope, intercept } = fit_platt(&SCORE, &truth()) else { panic!("fits a curve") };
        assert!((slope - 2.310354141).abs() < 1e-7, "{slope}");
        assert!((intercept + 1.036317994).abs() < 1e-7, "{intercept}");
    }

    #[test]
    fn platt_does_not_mind_the_unit_of_the_score() {
        let (score, truth) = random_rows(3, 500);
        let plain = fit_platt(&score, &truth);
        for unit in [1e-9, 1e6] {
            let stretched: Vec<f64> = score.iter().map(|score| score * unit + 5.0 * unit).collect();
            let calibrator = fit_platt(&stretched, &truth);
            for (score, stretched) in score.iter().zip(&stretched) {
                check(&calibrator, *stretched, plain.apply(*score));
            }
        }
    }

    #[test]
    fn a_fitted_map_never_falls_and_never_reaches_zero_or_one() {
        for seed in 0..20 {
            let (score, truth) = random_rows(seed, 20 + 37 * seed as usize);
            check_rises_within_bounds(&fit_isotonic(&score, &truth));
            check_rises_within_bounds(&fit_platt(&score, &truth));
            let backwards: Vec<f64> = score.iter().map(|score| -score).collect();
            check_rises_within_bounds(&fit_isotonic(&backwards, &truth));
            check_rises_within_bounds(&fit_platt(&backwards, &truth));
        }
        check_rises_within_bounds(&Calibrator::Identity);
    }

    #[test]
    fn isotonic_keeps_the_share_of_positives() {
        for seed in 0..20 {
            let (score, truth) = random_rows(seed, 300);
            let calibrator = fit_isotonic(&score, &truth);
            let promised: f64 = score.iter().map(|&score| calibrator.apply(score)).sum();
            let came_true = truth.iter().filter(|&&truth| truth).count() as f64;
            assert!((promised - came_true).abs() < 300.0 * ISOTONIC_MARGIN, "{promised} for {came_true}");
        }
    }

    #[test]
    fn a_score_that_ranks_backwards_gets_one_level() {
        let truth: Vec<bool> = SCORE.iter().map(|&score| score < 0.4).collect();
        check(&fit_isotonic(&SCORE, &truth), 0.3, 0.4);
        // The mean of Platt's targets: (4 * 5/6 + 6 * 1/8) / 10.
        check(&fit_platt(&SCORE, &truth), 0.3, (4.0 * 5.0 / 6.0 + 6.0 / 8.0) / 10.0);
    }

    #[test]
    fn one_class_or_one_score_gives_one_level() {
        for score in [vec![0.5; 4], vec![0.1, 0.2, 0.3, 0.4]] {
            check(&fit_isotonic(&score, &[true; 4]), 0.2, 1.0 - ISOTONIC_MARGIN);
            check(&fit_platt(&score, &[true; 4]), 0.2, 5.0 / 6.0);
            check(&fit_platt(&score, &[false; 4]), 0.2, 1.0 / 6.0);
        }
        let halves = [true, false, true, false];
        check(&fit_isotonic(&[0.0, -0.0, -0.0, 0.0], &halves), 7.0, 0.5);
        check(&fit_platt(&[3.0; 4], &halves), 7.0, 0.5);
    }

    #[test]
    fn a_perfect_split_stays_finite() {
        let truth: Vec<bool> = (0..100).map(|row| row >= 50).collect();
        let score: Vec<f64> = truth.iter().map(|&truth| f64::from(truth)).collect();
        let calibrator = fit_platt(&score, &truth);
        check(&calibrator, 0.0, 1.0 / 52.0);
        check(&calibrator, 1.0, 51.0 / 52.0);
    }

    #[test]
    fn the_rows_decide_the_kind() {
        let (score, truth) = random_rows(1, ISOTONIC_ROWS_MIN);
        assert!(matches!(fit(&score, &truth), Calibrator::Isotonic { .. }));
        assert!(matches!(fit(&score[1..], &truth[1..]), Calibrator::Platt { .. }));
        let rare: Vec<bool> = (0..ISOTONIC_ROWS_MIN).map(|row| row + 1 < ISOTONIC_POSITIVES_MIN).collect();
        assert!(matches!(fit(&score, &rare), Calibrator::Platt { .. }));
        assert_eq!(fit(&[], &[]), Calibrator::Identity);
        assert_eq!(fit_isotonic(&[], &[]), Calibrator::Identity);
    }

    #[test]
    fn a_saved_map_is_the_same_map() {
        for calibrator in [Calibrator::Identity, fit_platt(&SCORE, &truth()), fit_isotonic(&SCORE, &truth())] {
            let text = serde_json::to_string(&calibrator).unwrap();
            assert_eq!(serde_json::from_str::<Calibrator>(&text).unwrap(), calibrator, "{text}");
        }
        assert_eq!(serde_json::to_string(&Calibrator::Identity).unwrap(), r#"{"kind":"identity"}"#);
    }
}
