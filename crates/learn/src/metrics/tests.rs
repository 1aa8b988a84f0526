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
        let copies = rows.entity.iter().flat_map(|&entity| (0..times[entity as usize]).map(move |copy| (entity, copy)));
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
