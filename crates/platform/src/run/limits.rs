//! Gates with a limit in the domain's `[gates]`: how well calibrated, how much is flagged, how fast. One that fails names its key.

use crate::PlatformError;
use crate::inputs::TrainingData;
use crate::inputs::features::frame_row;
use crate::registry::store::GateRecord;
use crate::values::OwnedValue;
use crate::version::{BudgetHeld, DecisionRule, Scorer};
use septet_learn::calibration::calibration_error_by_chance;
use septet_learn::measures::{Answers, CALIBRATION_BINS, Task};
use std::time::Instant;

/// Rows timed one by one for the time gates.
const TIMED_ROWS: usize = 2_000;
/// Steps of the loop that says how slow a machine is now: about as long as a prediction.
const REFERENCE_STEPS: usize = 1_000;
/// What the loop takes on the machine that the limits are meant for: two idle cores, 2026-11-28.
const REFERENCE_LOOP_US: f64 = 18.0;

pub(super) fn gate(name: &str, passed: bool, evidence: String) -> GateRecord {
    GateRecord { name: name.to_owned(), passed, evidence }
}

/// A gate with a limit of the domain's own: where it fails, it says which key to change and what it is.
pub(super) fn limited(name: &str, passed: bool, evidence: String, key: &str, limit: f64) -> GateRecord {
    let evidence = if passed { evidence } else { format!("{evidence}; to allow it: `{key}` of [gates], now {limit}") };
    gate(name, passed, evidence)
}

/// The calibration error may be as large as the domain says, or as a perfectly calibrated model's is by chance on these rows.
pub(super) fn calibration(scorer: &Scorer, answers: &[Answers], max: f64) -> Option<GateRecord> {
    if scorer.task == Task::Number {
        return None;
    }
    let error = scorer.manifest.metrics.get("calibration_error").map_or(f64::NAN, |metric| metric.value);
    let chances: Vec<&[f64]> = answers.iter().filter_map(|answers| answers.chance.as_deref()).collect();
    let by_chance = calibration_error_by_chance(&chances, CALIBRATION_BINS, scorer.manifest.seed).unwrap_or(0.0);
    Some(calibrated(error, by_chance, max))
}

fn calibrated(error: f64, by_chance: f64, max: f64) -> GateRecord {
    let evidence = format!(
        "calibration error {error:.4} on the test folds; at most {max}, or {by_chance:.4}, which a perfectly calibrated model \
         exceeds by chance once in 100 such samples"
    );
    limited("calibration", error <= max.max(by_chance), evidence, "calibration_error_max", max)
}

/// A rule that flags most rows decides nothing (a budget of 100 alerts a day on 90 payments a day, say), nor does one that flags none.
pub(super) fn decides(decision: &DecisionRule, share_max: f64) -> GateRecord {
    let flagged = decision.true_positive + decision.false_positive;
    let rows = flagged + decision.true_negative + decision.false_negative;
    let evidence = format!(
        "at the threshold {:.4} ({}), {flagged} of {rows} rows of the newest test fold get `{}`; at least 1, at most {:.0} %",
        decision.threshold,
        decision.policy,
        decision.positive,
        100.0 * share_max
    );
    if flagged == 0 {
        return gate(
            "decides",
            false,
            format!("{evidence}; to allow more: flags_per_day, costs or threshold of [decision]"),
        );
    }
    limited("decides", flagged as f64 <= share_max * rows as f64, evidence, "flagged_share_max", share_max)
}

/// Each budget on rows that its line was not drawn on: neither many more alerts than people can look at, nor far fewer.
pub(super) fn budget(decision: &DecisionRule, off_max: f64) -> Option<GateRecord> {
    let one = |held: &BudgetHeld| {
        format!(
            "{} rows at or above the line of `{}`, {:.0} are {} a day there, {:.0} to {:.0} by chance (99 of 100 samples)",
            held.flagged, held.action, held.expected, held.per_day, held.low, held.high
        )
    };
    let is_met = |held: &BudgetHeld| {
        let beyond = off_max * held.expected;
        (held.low - beyond..=held.high + beyond).contains(&(held.flagged as f64))
    };
    let evidence = decision.budgets.iter().map(one).collect::<Vec<_>>().join("; ");
    let met = decision.budgets.iter().all(is_met);
    let evidence = format!("{evidence}; at most {:.0} % off beyond that", 100.0 * off_max);
    (!decision.budgets.is_empty()).then(|| limited("budget", met, evidence, "budget_off_max", off_max))
}

pub(super) fn times(
    data: &TrainingData,
    scorer: &Scorer,
    prediction_max: f64,
    explanation_max: f64,
) -> Result<[GateRecord; 2], PlatformError> {
    let rows: Vec<Vec<OwnedValue>> =
        (0..data.frame.rows().min(TIMED_ROWS)).map(|row| frame_row(&data.frame, row)).collect();
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (mut predictions, mut explanations, mut loops) = (Vec::new(), Vec::new(), Vec::new());
    let begun = Instant::now();
    // A kind that draws futures is timed on as many rows as a second has.
    for row in rows.iter().take_while(|_| begun.elapsed().as_millis() < 300) {
        loops.push(timed_us(reference_loop).0);
        let (time, answer) = timed_us(|| Ok::<_, PlatformError>((scorer.score(row)?, scorer.outputs(row)?)));
        answer?;
        predictions.push(time);
        let (time, reasons) = timed_us(|| scorer.explain(row));
        reasons?;
        explanations.push(time);
    }
    let rows = predictions.len();
    let slower = median(&mut loops) / REFERENCE_LOOP_US;
    Ok([
        timed("prediction_time", median(&mut predictions), slower, rows, ("prediction_us_max", prediction_max)),
        timed("explanation_time", median(&mut explanations), slower, rows, ("explanation_us_max", explanation_max)),
    ])
}

/// A median time here, and how much slower than the reference machine it is here and now.
fn timed(name: &str, measured: f64, slower: f64, rows: usize, (key, max): (&str, f64)) -> GateRecord {
    let found = measured / slower;
    let evidence = format!(
        "median {found:.1} us of the reference machine ({measured:.1} us here, {slower:.1} times as slow) of {rows} rows, features \
         given; at most {max} us"
    );
    limited(name, found <= max, evidence, key, max)
}

/// How long it takes, in microseconds, and what it gives.
fn timed_us<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let made = std::hint::black_box(work());
    (start.elapsed().as_secs_f64() * 1e6, made)
}

/// Work of one kind beside which answers are timed: a busy or slow machine slows both. Logistic steps that wait for each other.
fn reference_loop() -> f64 {
    (0..REFERENCE_STEPS).fold(0.3, |value: f64, _| 1.0 / (1.0 + (1.5 - 3.0 * std::hint::black_box(value)).exp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(flagged: u64, rows: u64, held: &[(u64, f64, f64)]) -> DecisionRule {
        let budget = |&(flagged, low, high): &(u64, f64, f64)| BudgetHeld {
            action: "look".to_owned(),
            per_day: 1,
            flagged,
            expected: 91.0,
            low,
            high,
        };
        DecisionRule {
            threshold: 0.3,
            policy: "1 flagged a day, on validation".to_owned(),
            positive: "look".to_owned(),
            negative: "file".to_owned(),
            review: None,
            budgets: held.iter().map(budget).collect(),
            true_positive: flagged,
            false_positive: 0,
            true_negative: rows - flagged,
            false_negative: 0,
        }
    }

    #[test]
    fn a_decision_that_flags_nothing_or_nearly_everything_is_refused() {
        for (flagged, share_max, passes) in
            [(0, 0.5, false), (1, 0.5, true), (50, 0.5, true), (51, 0.5, false), (51, 0.6, true)]
        {
            let gate = decides(&decision(flagged, 100, &[]), share_max);
            assert_eq!(gate.passed, passes, "{}", gate.evidence);
        }
        let gate = decides(&decision(51, 100, &[]), 0.5);
        assert!(gate.evidence.ends_with("to allow it: `flagged_share_max` of [gates], now 0.5"), "{}", gate.evidence);
    }

    #[test]
    fn a_budget_missed_by_more_than_chance_is_refused_in_either_direction_and_for_either_line() {
        let met = (91, 60.0, 125.0);
        for (held, off_max, passes) in [
            (vec![met], 0.0, true),
            (vec![(3, 60.0, 125.0)], 0.0, false),
            (vec![(713, 60.0, 125.0)], 0.0, false),
            (vec![met, (3, 60.0, 125.0)], 0.0, false),
            (vec![(140, 60.0, 125.0)], 0.2, true),
        ] {
            let gate = budget(&decision(10, 100, &held), off_max).unwrap();
            assert_eq!(gate.passed, passes, "{}", gate.evidence);
            assert_eq!(gate.evidence.contains("`budget_off_max` of [gates], now 0"), !passes, "{}", gate.evidence);
        }
        assert!(budget(&decision(10, 100, &[]), 0.0).is_none(), "costs and fixed thresholds have no budget");
    }

    #[test]
    fn a_calibration_error_is_refused_beyond_the_limit_and_beyond_chance_alone() {
        for (error, by_chance, passes) in [
            (0.0215, 0.024, true),
            (0.0249, 0.024, false),
            (0.015, 0.001, true),
            (0.03, 0.001, false),
            (f64::NAN, 0.1, false),
        ] {
            let gate = calibrated(error, by_chance, 0.02);
            assert_eq!(gate.passed, passes, "{}", gate.evidence);
            assert_eq!(gate.evidence.contains("`calibration_error_max` of [gates], now 0.02"), !passes);
        }
    }

    #[test]
    fn a_machine_that_is_three_times_as_slow_is_allowed_three_times_as_long() {
        for (measured, slower, passes) in
            [(90.0, 1.0, true), (270.0, 3.0, true), (110.0, 1.0, false), (330.0, 3.0, false)]
        {
            let gate = timed("prediction_time", measured, slower, 100, ("prediction_us_max", 100.0));
            assert_eq!(gate.passed, passes, "{}", gate.evidence);
        }
    }
}
