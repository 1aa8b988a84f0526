//! From probabilities to actions: where the lines are drawn, on validation rows alone.

use crate::inputs::TrainingData;
use crate::split::DAY;
use crate::version::DecisionRule;
use septet_domain::Decision;
use septet_learn::measures::Answers;
use septet_learn::metrics::Confusion;
use std::collections::BTreeMap;

/// Rows that lines are drawn on.
struct Validated {
    /// Fold and day, then probabilities.
    days: BTreeMap<(usize, i64), Vec<f64>>,
    /// Probability and whether it came true, fold after fold.
    rows: Vec<(f64, bool)>,
}

/// The lines of a domain's decision, and what the first of them would have done on the newest test fold.
pub fn decide(decision: &Decision, data: &TrainingData, validation: &[Answers], newest: &Answers) -> DecisionRule {
    let validated = Validated::new(data, validation);
    let (threshold, policy) = if let Some(threshold) = decision.threshold {
        (threshold, "fixed".to_owned())
    } else if let Some(per_day) = decision.flags_per_day {
        (validated.budget(per_day as usize), format!("{per_day} flagged a day, on validation"))
    } else {
        let (missed, false_alarm) = decision.costs.map_or((1.0, 1.0), |costs| (costs.missed, costs.false_alarm));
        let policy = format!("least cost on validation (missed {missed}, false alarm {false_alarm})");
        (least_cost(validated.rows.clone(), missed, false_alarm), policy)
    };
    let review = decision.review.as_ref().map(|review| {
        let line = review.threshold.unwrap_or_else(|| validated.budget(review.flags_per_day.unwrap_or(1) as usize));
        (line.min(threshold), review.action.clone())
    });
    let truth: Vec<bool> = data.plan.test[0].test.iter().map(|&row| data.target()[row as usize] == 1.0).collect();
    let probability = newest.chance.as_deref().unwrap_or_default();
    let found = Confusion::at_threshold(probability, &truth, &vec![1; truth.len()], threshold);
    DecisionRule {
        threshold,
        policy,
        positive: decision.positive.clone(),
        negative: decision.negative.clone(),
        review,
        true_positive: found.true_positive,
        false_positive: found.false_positive,
        true_negative: found.true_negative,
        false_negative: found.false_negative,
    }
}

impl Validated {
    fn new(data: &TrainingData, validation: &[Answers]) -> Validated {
        let mut made = Validated { days: BTreeMap::new(), rows: Vec::new() };
        for (at, (fold, answers)) in data.plan.validation.iter().zip(validation).enumerate() {
            for (&row, &probability) in fold.test.iter().zip(answers.chance.as_deref().unwrap_or_default()) {
                let day = data.times[row as usize].div_euclid(DAY);
                made.days.entry((at, day)).or_default().push(probability);
                made.rows.push((probability, data.target()[row as usize] == 1.0));
            }
        }
        made
    }

    fn budget(&self, per_day: usize) -> f64 {
        budget_threshold(self.days.values().cloned(), per_day)
    }
}

/// The median over days of the score of the day's last row within the budget.
fn budget_threshold(days: impl Iterator<Item = Vec<f64>>, per_day: usize) -> f64 {
    let mut last: Vec<f64> = days
        .map(|mut scores| {
            scores.sort_by(|a, b| b.total_cmp(a));
            within_budget(&scores, per_day)
        })
        .collect();
    last.sort_by(f64::total_cmp);
    last.get(last.len() / 2).copied().unwrap_or(1.0)
}

/// The lowest score at or above which lie at most `per_day` of the scores (falling): equal scores are all in or all out.
fn within_budget(scores: &[f64], per_day: usize) -> f64 {
    let Some(&first_out) = scores.get(per_day) else { return scores.last().copied().unwrap_or(1.0) };
    let inside = scores[..per_day].iter().rev().find(|&&score| score > first_out);
    // Even the highest score is too frequent: the line lies just above it.
    inside.copied().unwrap_or_else(|| first_out.next_up())
}

/// The score at or above which flagging costs least; 1 where flagging nothing does.
fn least_cost(mut scores: Vec<(f64, bool)>, missed: f64, false_alarm: f64) -> f64 {
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut cost = missed * scores.iter().filter(|(_, positive)| *positive).count() as f64;
    let (mut best, mut threshold) = (cost, 1.0);
    for (at, &(score, positive)) in scores.iter().enumerate() {
        cost += if positive { -missed } else { false_alarm };
        let last_of_its_score = scores.get(at + 1).is_none_or(|next| next.0 < score);
        if last_of_its_score && cost < best {
            (best, threshold) = (cost, score);
        }
    }
    threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_are_all_within_a_budget_or_all_beyond_it() {
        for (scores, per_day, expected) in [
            (vec![0.9, 0.8, 0.7], 2, 0.8),
            // The second and third are equal: taking both would be three.
            (vec![0.9, 0.8, 0.8], 2, 0.9),
            // All are equal: none can be taken.
            (vec![0.5, 0.5, 0.5], 2, 0.5_f64.next_up()),
            // Fewer than the budget: all of them.
            (vec![0.9, 0.1], 5, 0.1),
            (vec![], 5, 1.0),
        ] {
            let line = within_budget(&scores, per_day);
            assert_eq!(line, expected, "{scores:?} with {per_day}");
            assert!(scores.iter().filter(|score| **score >= line).count() <= per_day);
        }
    }

    #[test]
    fn a_budget_is_the_median_day_and_no_day_at_all_flags_nothing() {
        let days = [vec![0.9, 0.2], vec![0.6, 0.5], vec![0.8, 0.1]];
        assert_eq!(budget_threshold(days.into_iter(), 1), 0.8);
        assert_eq!(budget_threshold(std::iter::empty(), 1), 1.0);
    }

    #[test]
    fn the_least_cost_never_parts_rows_of_one_score() {
        let rows = [(0.9, true), (0.6, false), (0.6, true), (0.6, true), (0.2, false)];
        for (missed, false_alarm, expected) in [(1.0, 1.0, 0.6), (1.0, 10.0, 0.9), (0.0, 1.0, 1.0), (10.0, 0.0, 0.6)] {
            assert_eq!(least_cost(rows.to_vec(), missed, false_alarm), expected, "{missed} and {false_alarm}");
        }
        assert_eq!(least_cost(Vec::new(), 1.0, 1.0), 1.0);
    }
}
