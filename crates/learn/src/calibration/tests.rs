use super::*;
use crate::bootstrap::SplitMix64;
use crate::metrics::Ranking;

const SCORE: [f64; 10] = [0.1, 0.2, 0.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.7, 0.9];

fn truth() -> Vec<bool> {
    [0, 1, 0, 0, 1, 0, 1, 1, 0, 1].map(|truth| truth == 1).to_vec()
}

/// The probability that a simulated score stands for: boosted trees are too sure, more so at the top.
pub(super) fn true_probability(score: f64) -> f64 {
    0.002 + 0.6 * logistic(0.85 * score - 0.1)
}

/// Claims as an insurer has them: one in twenty a fraud, ranked with an AUC of about .8, all scores distinct.
fn insurance_like(seed: u64, rows: usize) -> (Vec<f64>, Vec<bool>) {
    simulated(true_probability, seed, rows)
}

/// Scores, and truths that come with the probability of each.
pub(super) fn simulated(of: fn(f64) -> f64, seed: u64, rows: usize) -> (Vec<f64>, Vec<bool>) {
    let mut random = SplitMix64::new(seed);
    let mut row = || {
        let normal = (-2.0 * random.unit().max(1e-300).ln()).sqrt() * (std::f64::consts::TAU * random.unit()).cos();
        let score = -3.4 + 1.5 * normal;
        (score, random.unit() < of(score))
    };
    (0..rows).map(|_| row()).unzip()
}

/// Every map that the rows determine.
fn all_maps(score: &[f64], truth: &[bool]) -> Vec<Calibrator> {
    [Some(fit_platt(score, truth)), fit_beta(score, truth), fit_centred_isotonic(score, truth), Some(fit(score, truth))]
        .into_iter()
        .flatten()
        .collect()
}

#[track_caller]
fn check(calibrator: &Calibrator, score: f64, expected: f64) {
    let found = calibrator.apply(score);
    assert!((found - expected).abs() < 1e-7, "{score} became {found}, expected {expected}");
}

#[test]
fn the_simulated_claims_are_like_those_of_an_insurer() {
    let (score, truth) = insurance_like(0, 100_000);
    let share = truth.iter().filter(|&&truth| truth).count() as f64 / truth.len() as f64;
    let auc = Ranking::new(&score).roc_auc(&truth, &vec![1; truth.len()]).unwrap();
    assert!((0.045..0.065).contains(&share) && (0.77..0.83).contains(&auc), "{share}, AUC {auc}");
}

#[test]
fn what_is_served_ranks_as_the_score_does_and_has_as_many_values() {
    for seed in 0..20 {
        let (score, truth) = insurance_like(seed, 1_700);
        let (new, new_truth) = insurance_like(seed + 100, 1_700);
        let auc = |values: &[f64]| Ranking::new(values).roc_auc(&new_truth, &vec![1; values.len()]).unwrap();
        for map in all_maps(&score, &truth) {
            let served: Vec<f64> = new.iter().map(|&score| map.apply(score)).collect();
            assert!((auc(&served) - auc(&new)).abs() < 1e-9, "{}: {} for {}", map.name(), auc(&served), auc(&new));
            let mut sorted = served.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            sorted.dedup();
            assert_eq!(sorted.len(), 1_700, "{}", map.name());
        }
    }
}

#[test]
fn no_probability_is_surer_than_its_evidence() {
    for seed in 0..20 {
        let (score, truth) = insurance_like(seed, 40 + 170 * seed as usize);
        let positives = truth.iter().filter(|&&truth| truth).count() as f64;
        let negatives = truth.len() as f64 - positives;
        for map in all_maps(&score, &truth) {
            let (low, high) = (map.apply(-700.0), map.apply(700.0));
            assert!(low >= 0.5 / (negatives + 2.0), "{}: {low} from {negatives} negatives", map.name());
            assert!(high <= 1.0 - 0.5 / (positives + 2.0), "{}: {high} from {positives} positives", map.name());
            let rising: Vec<f64> = (-3_000..=3_000).map(|at| map.apply(f64::from(at) / 100.0)).collect();
            assert!(rising.is_sorted(), "{map:?}");
        }
    }
    assert!(Calibrator::Identity.apply(-800.0) > 0.0 && Calibrator::Identity.apply(800.0) < 1.0);
}

#[test]
fn a_score_in_log_odds_that_is_right_is_left_alone() {
    let mut random = SplitMix64::new(7);
    let score: Vec<f64> = (0..50_000).map(|_| 8.0 * random.unit() - 6.0).collect();
    let truth: Vec<bool> = score.iter().map(|&score| random.unit() < logistic(score)).collect();
    for map in all_maps(&score, &truth) {
        for score in [-4.0, -2.0, 0.0, 1.5] {
            let (found, expected) = (map.apply(score), logistic(score));
            assert!((found - expected).abs() < 0.2 * expected, "{}: {found} for {expected}", map.name());
        }
    }
    assert_eq!(fit(&score, &truth).name(), "platt", "of equals the simplest");
}

#[test]
fn the_map_is_as_free_as_the_rarer_class_allows() {
    // A staircase that no smooth curve follows.
    let stairs = |rows: usize| {
        let mut random = SplitMix64::new(3);
        let score: Vec<f64> = (0..rows).map(|_| 6.0 * random.unit() - 3.0).collect();
        let step = |score: f64| if score < 1.0 { 0.02 } else { 0.5 };
        let truth: Vec<bool> = score.iter().map(|&score| random.unit() < step(score)).collect();
        (score, truth)
    };
    let (score, truth) = stairs(5_000);
    assert_eq!(fit(&score, &truth).name(), "centred_isotonic");
    let (score, truth) = stairs(300);
    assert!(truth.iter().filter(|&&truth| truth).count() < CENTRED_EVENTS_MIN);
    assert_ne!(fit(&score, &truth).name(), "centred_isotonic");
    let (score, truth) = stairs(80);
    assert!(truth.iter().filter(|&&truth| truth).count() < BETA_EVENTS_MIN);
    assert_eq!(fit(&score, &truth).name(), "platt");
    assert_eq!(fit(&[], &[]), Calibrator::Identity);
}

#[test]
fn on_new_rows_the_chosen_map_is_near_the_truth() {
    let (mut off, mut worst) = (0.0, 0.0_f64);
    for seed in 0..20 {
        let (score, truth) = insurance_like(seed, 1_700);
        let map = fit(&score, &truth);
        let (new, _) = insurance_like(seed + 100, 2_000);
        let of_all: f64 = new.iter().map(|&score| (map.apply(score) - true_probability(score)).abs()).sum();
        off += of_all / 2_000.0 / 20.0;
        worst = worst.max(of_all / 2_000.0);
    }
    println!("mean distance from the true probability {off:.4}, worst sample {worst:.4}");
    assert!(off < 0.01 && worst < 0.025, "{off}, {worst}");
}

#[test]
fn a_line_agrees_with_a_general_minimiser() {
    // scipy 1.x BFGS (gtol 1e-12) on Platt's loss; scikit-learn 1.9 _sigmoid_calibration gives the same 7 digits.
    let Calibrator::Platt { slope, intercept, .. } = fit_platt(&SCORE, &truth()) else { panic!("fits a line") };
    assert!((slope - 2.310354141).abs() < 1e-7, "{slope}");
    assert!((intercept + 1.036317994).abs() < 1e-7, "{intercept}");
}

#[test]
fn a_line_does_not_mind_the_unit_of_the_score() {
    let (score, truth) = insurance_like(3, 500);
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
fn a_beta_map_finds_the_beta_map_that_made_the_rows() {
    let made = Calibrator::Beta { low: 0.6, high: 1.8, intercept: 0.4, bounds: Bounds { low: 0.0, high: 1.0 } };
    let mut random = SplitMix64::new(11);
    let score: Vec<f64> = (0..200_000).map(|_| 8.0 * random.unit() - 4.0).collect();
    let truth: Vec<bool> = score.iter().map(|&score| random.unit() < made.apply(score)).collect();
    let Some(Calibrator::Beta { low, high, intercept, .. }) = fit_beta(&score, &truth) else { panic!("fits a map") };
    assert!(
        (low - 0.6).abs() < 0.03 && (high - 1.8).abs() < 0.06 && (intercept - 0.4).abs() < 0.03,
        "{low} {high} {intercept}"
    );
}

#[test]
fn a_level_of_isotonic_regression_is_one_knot_at_its_mean_score() {
    // Levels 0 of {1}, 1/3 of {2, 2, 3}, 1/2 of {4, 5}, 2/3 of {6, 6, 7}, 1 of {9}: scikit-learn's IsotonicRegression.
    let score = SCORE.map(|score| 10.0 * score);
    let found = centred::knots(&score, &truth());
    let expected = [(7.0 / 3.0, 1.0 / 3.0), (4.5, 0.5), (19.0 / 3.0, 2.0 / 3.0), (9.0, 0.75)];
    // The first level's cautious share is 1/4, the last one's 3/4.
    assert_eq!(found.len(), 5, "{found:?}");
    assert_eq!(found[0], (1.0, 0.25));
    for ((score, share), (expected_score, expected_share)) in found[1..].iter().zip(expected) {
        assert!((score - expected_score).abs() < 1e-12 && (share - expected_share).abs() < 1e-12, "{found:?}");
    }
    let map = fit_centred_isotonic(&score, &truth()).unwrap();
    check(&map, 4.5, 0.5);
    check(&map, 9.0, 0.75);
}

#[test]
fn a_score_that_ranks_backwards_gets_one_level() {
    let truth: Vec<bool> = SCORE.iter().map(|&score| score < 0.4).collect();
    let map = fit(&SCORE, &truth);
    assert_eq!(map.apply(-5.0), map.apply(5.0));
    assert!(fit_beta(&SCORE, &truth).is_none() && fit_centred_isotonic(&SCORE, &truth).is_none());
}

#[test]
fn one_class_or_one_score_gives_one_level() {
    for score in [vec![0.5; 4], vec![0.1, 0.2, 0.3, 0.4]] {
        // Platt's targets 5/6 and 1/6, squeezed between the bounds.
        check(&fit(&score, &[true; 4]), 0.2, 0.25 + (1.0 - 0.5 / 6.0 - 0.25) * 5.0 / 6.0);
        check(&fit(&score, &[false; 4]), 0.2, 0.5 / 6.0 + (0.75 - 0.5 / 6.0) / 6.0);
    }
    let halves = [true, false, true, false];
    check(&fit(&[0.0, -0.0, -0.0, 0.0], &halves), 7.0, 0.5);
}

#[test]
fn a_perfect_split_stays_finite() {
    let truth: Vec<bool> = (0..400).map(|row| row >= 200).collect();
    let score: Vec<f64> = truth.iter().map(|&truth| f64::from(truth)).collect();
    for map in all_maps(&score, &truth) {
        let (low, high) = (map.apply(0.0), map.apply(1.0));
        assert!((0.002..0.02).contains(&low) && (0.98..0.998).contains(&high), "{}: {low}, {high}", map.name());
    }
}

#[test]
fn a_saved_map_is_the_same_map() {
    let (score, truth) = insurance_like(1, 5_000);
    for calibrator in all_maps(&score, &truth).into_iter().chain([Calibrator::Identity]) {
        let text = serde_json::to_string(&calibrator).unwrap();
        assert_eq!(serde_json::from_str::<Calibrator>(&text).unwrap(), calibrator, "{text}");
        assert!(text.starts_with(&format!(r#"{{"kind":"{}""#, calibrator.name())), "{text}");
    }
}

#[test]
fn the_order_of_the_rows_does_not_matter() {
    let (score, truth) = insurance_like(2, 2_500);
    let (back, backwards): (Vec<f64>, Vec<bool>) = score.iter().copied().zip(truth.iter().copied()).rev().unzip();
    let (one, other) = (fit(&score, &truth), fit(&back, &backwards));
    assert_eq!(one.name(), other.name());
    for score in [-6.0, -3.0, 0.0, 2.0] {
        check(&one, score, other.apply(score));
    }
}
