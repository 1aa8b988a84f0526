//! From probabilities to actions: where the lines are drawn, on validation rows alone, and whether they hold on rows that came
//! later.
//!
//! A row is flagged when its probability is at or above the line. A line lies halfway between two different probabilities, so that
//! equal ones are all flagged or none, and no last bit of a number decides.

use crate::inputs::TrainingData;
use crate::split::{DAY, Fold};
use crate::version::{BudgetHeld, DecisionRule};
use septet_domain::{Costs, Decision};
use septet_learn::measures::Answers;
use septet_learn::metrics::Confusion;

/// Standard deviations that hold 99 of 100 samples: a gate that cries once in a hundred runs is still listened to.
const DEVIATIONS: f64 = 2.576;
/// Days from which the spread of their counts says whether flagged rows come in bursts; our choice.
const DAYS_MIN: usize = 5;

/// Rows of validation folds, with what came true.
struct Validated {
    /// Probability and truth, fold after fold.
    rows: Vec<(f64, bool)>,
    /// For each row a day, counted from its fold's first row over all folds: none is cut by midnight.
    days: Vec<usize>,
    /// Days of all folds.
    day_count: usize,
    /// Rows that come in a day, whether or not they are in a fold.
    rows_per_day: f64,
}

/// The lines of a domain's decision, and what they would have done on the newest test fold.
pub fn decide(decision: &Decision, data: &TrainingData, validation: &[Answers], newest: &Answers) -> DecisionRule {
    let validated = Validated::new(data, validation);
    let (threshold, policy) = if let Some(threshold) = decision.threshold {
        (threshold, "fixed".to_owned())
    } else if let Some(per_day) = decision.flags_per_day {
        (validated.budget(per_day), format!("{per_day} flagged a day, on validation"))
    } else {
        let costs = decision.costs.unwrap_or(Costs { missed: 1.0, false_alarm: 1.0 });
        let policy = format!("least cost on validation (missed {}, false alarm {})", costs.missed, costs.false_alarm);
        (least_cost(&validated.rows, costs), policy)
    };
    let review = decision.review.as_ref().map(|review| {
        let line = review.threshold.unwrap_or_else(|| validated.budget(review.flags_per_day.unwrap_or(1)));
        (line.min(threshold), review.action.clone())
    });
    let fold = &data.plan.test[0];
    let probability = newest.chance.as_deref().unwrap_or_default();
    let days_of_newest = fold.test.len() as f64 / rows_per_day(&data.times, std::slice::from_ref(fold));
    let held = |per_day: u32, action: &str, line: f64| {
        validated.held(per_day, action, line, probability, f64::from(per_day) * days_of_newest)
    };
    let first = decision.flags_per_day.map(|per_day| held(per_day, &decision.positive, threshold));
    let second = decision.review.as_ref().and_then(|review| Some((review, review.flags_per_day?)));
    let second = second.zip(review.as_ref()).map(|((spec, per_day), (line, _))| held(per_day, &spec.action, *line));
    let truth: Vec<bool> = fold.test.iter().map(|&row| data.target()[row as usize] == 1.0).collect();
    let found = Confusion::at_threshold(probability, &truth, &vec![1; truth.len()], threshold);
    DecisionRule {
        threshold,
        policy,
        positive: decision.positive.clone(),
        negative: decision.negative.clone(),
        review,
        budgets: first.into_iter().chain(second).collect(),
        true_positive: found.true_positive,
        false_positive: found.false_positive,
        true_negative: found.true_negative,
        false_negative: found.false_negative,
    }
}

impl Validated {
    fn new(data: &TrainingData, validation: &[Answers]) -> Validated {
        let folds = &data.plan.validation;
        let rows_per_day = rows_per_day(&data.times, folds);
        let mut made = Validated { rows: vec![], days: vec![], day_count: 0, rows_per_day };
        for (fold, answers) in folds.iter().zip(validation) {
            let time = |row: u32| data.times[row as usize];
            let Some((first, last)) = ends(&data.times, fold) else { continue };
            let days = (((last - first) as f64 / DAY as f64).round() as usize).max(1);
            for (&row, &probability) in fold.test.iter().zip(answers.chance.as_deref().unwrap_or_default()) {
                made.rows.push((probability, data.target()[row as usize] == 1.0));
                made.days.push(made.day_count + (((time(row) - first) / DAY) as usize).min(days - 1));
            }
            made.day_count += days;
        }
        made
    }

    /// The line above which, of all rows that come in a day, so many lie. Validation rows may be a part of a day's rows only, so
    /// the share of rows counts and not their number.
    fn budget(&self, per_day: u32) -> f64 {
        let probabilities = self.rows.iter().map(|row| row.0).collect();
        budget_line(probabilities, f64::from(per_day) / self.rows_per_day)
    }

    fn held(&self, per_day: u32, action: &str, line: f64, newest: &[f64], expected: f64) -> BudgetHeld {
        let is_flagged = |probability: f64| probability >= line;
        let flagged = newest.iter().filter(|probability| is_flagged(**probability)).count() as u64;
        let mut drawn_on = 0;
        let mut by_day = vec![0; self.day_count];
        for (_, &day) in self.rows.iter().zip(&self.days).filter(|(row, _)| is_flagged(row.0)) {
            by_day[day] += 1;
            drawn_on += 1;
        }
        let (low, high) = range_by_chance(expected, drawn_on, bursts(&by_day));
        BudgetHeld { action: action.to_owned(), per_day, flagged, expected, low, high }
    }
}

/// Rows that come in a day in the time of some folds, in one of them or not. Rows of less than a day count as a day's.
fn rows_per_day(times: &[i64], folds: &[Fold]) -> f64 {
    let mut spans: Vec<(i64, i64)> = folds.iter().filter_map(|fold| ends(times, fold)).collect();
    spans.sort_unstable();
    spans.dedup_by(|next, kept| {
        let overlap = next.0 <= kept.1;
        kept.1 = if overlap { kept.1.max(next.1) } else { kept.1 };
        overlap
    });
    let count = |&(first, last): &(i64, i64)| {
        times.partition_point(|&time| time <= last) - times.partition_point(|&time| time < first)
    };
    let rows: usize = spans.iter().map(count).sum();
    let days = spans.iter().map(|(first, last)| (last - first) as f64).sum::<f64>() / DAY as f64;
    // Between n rows lie n - 1 times.
    let between = (rows - spans.len().min(rows)) as f64;
    if days < 1.0 { rows as f64 } else { between / days }
}

/// First and last time of a fold's test rows.
fn ends(times: &[i64], fold: &Fold) -> Option<(i64, i64)> {
    let own = || fold.test.iter().map(|&row| times[row as usize]);
    Some((own().min()?, own().max()?))
}

/// The line at or above which a share of the probabilities lies, as near as ties allow and at least one of them; of two lines
/// equally near, the one that flags fewer. 1 without probabilities.
fn budget_line(mut probabilities: Vec<f64>, share: f64) -> f64 {
    probabilities.sort_unstable_by(|a, b| b.total_cmp(a));
    let wanted = (share * probabilities.len() as f64).clamp(0.0, probabilities.len() as f64);
    let off = |flagged: usize| (flagged as f64 - wanted).abs();
    let nearest = cuts(&probabilities).min_by(|&a, &b| off(a).total_cmp(&off(b)));
    nearest.map_or(1.0, |flagged| line_below(&probabilities, flagged))
}

/// How many rows can be flagged, from one tie to all: equal probabilities (falling) are never parted.
fn cuts(falling: &[f64]) -> impl Iterator<Item = usize> {
    (1..=falling.len()).filter(|&at| at == falling.len() || falling[at] < falling[at - 1])
}

/// Halfway between the last probability that is flagged and the first that is not; below the last one halfway to 0.
fn line_below(falling: &[f64], flagged: usize) -> f64 {
    let (inside, outside) = (falling[flagged - 1], falling.get(flagged).copied().unwrap_or(0.0));
    let middle = outside + (inside - outside) / 2.0;
    // Neighbours in floating point have nothing between them.
    if middle > outside { middle } else { inside }
}

/// The line of least cost. A calibrated probability says it by itself: flag where missing costs more than alarming (Elkan 2001).
/// That line is kept unless the validation rows cost less at another one by more than chance: the cheapest line of a few dozen
/// positives is mostly luck.
fn least_cost(rows: &[(f64, bool)], costs: Costs) -> f64 {
    let both = costs.missed + costs.false_alarm;
    let by_probability = if both > 0.0 { costs.false_alarm / both } else { 1.0 };
    let on_rows = cheapest(rows.to_vec(), costs);
    let cost = |row: &(f64, bool), line: f64| match (row.0 >= line, row.1) {
        (false, true) => costs.missed,
        (true, false) => costs.false_alarm,
        _ => 0.0,
    };
    let saved: Vec<f64> = rows.iter().map(|row| cost(row, by_probability) - cost(row, on_rows)).collect();
    let mean = saved.iter().sum::<f64>() / saved.len().max(1) as f64;
    let variance = saved.iter().map(|saved| (saved - mean).powi(2)).sum::<f64>() / saved.len().max(1) as f64;
    let by_chance = DEVIATIONS * (variance / saved.len().max(1) as f64).sqrt();
    if mean > by_chance { on_rows } else { by_probability }
}

/// The line at or above which flagging costs least on some rows; 1 where flagging nothing does.
fn cheapest(mut rows: Vec<(f64, bool)>, costs: Costs) -> f64 {
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let falling: Vec<f64> = rows.iter().map(|row| row.0).collect();
    let mut saved = vec![0.0];
    for &(_, positive) in &rows {
        saved.push(saved[saved.len() - 1] + if positive { costs.missed } else { -costs.false_alarm });
    }
    let best = cuts(&falling).max_by(|&a, &b| saved[a].total_cmp(&saved[b]).then(b.cmp(&a)));
    best.filter(|&flagged| saved[flagged] > 0.0).map_or(1.0, |flagged| line_below(&falling, flagged))
}

/// How much more the counts of days vary than independent rows would: 1 or more.
fn bursts(by_day: &[u64]) -> f64 {
    if by_day.len() < DAYS_MIN {
        return 1.0;
    }
    let days = by_day.len() as f64;
    let mean = by_day.iter().sum::<u64>() as f64 / days;
    let variance = by_day.iter().map(|&count| (count as f64 - mean).powi(2)).sum::<f64>() / (days - 1.0);
    if mean > 0.0 { (variance / mean).max(1.0) } else { 1.0 }
}

/// Where a count that is expected lies but for chance, of which there is some in the rows counted and some in those that the line
/// was drawn on. Steadied by the square root, where the spread of a count does not depend on its size. Source: Anscombe 1948.
fn range_by_chance(expected: f64, drawn_on: u64, bursts: f64) -> (f64, f64) {
    let from_line = expected / drawn_on.max(1) as f64;
    let root = (expected + 0.375).sqrt();
    let reach = DEVIATIONS / 2.0 * (bursts * (1.0 + from_line)).sqrt();
    let back = |root: f64| (root.max(0.0).powi(2) - 0.375).max(0.0);
    (back(root - reach), back(root + reach))
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_learn::bootstrap::SplitMix64;
    use septet_learn::calibration;

    #[test]
    fn a_budget_is_met_as_nearly_as_equal_probabilities_allow() {
        for (probabilities, share, flagged) in [
            (vec![0.9, 0.8, 0.7, 0.6], 0.5, 2),
            // The second and third are equal: one is nearer to two than three.
            (vec![0.9, 0.8, 0.8, 0.1], 0.5, 1),
            (vec![0.9, 0.8, 0.8, 0.1], 0.7, 3),
            // All are equal: all or nothing, and nothing is no decision.
            (vec![0.5, 0.5, 0.5], 0.1, 3),
            // More than there are: all of them.
            (vec![0.9, 0.1], 5.0, 2),
            (vec![0.9, 0.1], 0.0, 1),
            (vec![], 0.5, 0),
        ] {
            let line = budget_line(probabilities.clone(), share);
            let found = probabilities.iter().filter(|probability| **probability >= line).count();
            assert_eq!(found, flagged, "{probabilities:?} with {share}: {line}");
        }
    }

    #[test]
    fn no_last_bit_of_a_probability_decides() {
        let top = 0.985_018_726_591_760_3_f64;
        let line = budget_line(vec![top, top, 0.5, 0.2], 0.5);
        assert!(top > line + 0.1 && line > 0.5 + 0.1, "halfway: {line}");
        let neighbours = [0.5_f64.next_up(), 0.5];
        assert_eq!(budget_line(neighbours.to_vec(), 0.5), neighbours[0]);
    }

    #[test]
    fn a_day_has_as_many_rows_as_come_in_it_whichever_fold_holds_them() {
        let times: Vec<i64> = (0..1_000).map(|row| row * DAY / 10).collect();
        let fold = |rows: Vec<u32>| Fold { test: rows, ..Fold::default() };
        let close = |folds: &[Fold]| (rows_per_day(&times, folds) - 10.0).abs() < 0.3;
        assert!(close(&[fold((100..200).collect()), fold((500..900).collect())]), "by time");
        let dealt = |part: usize| fold((part as u32..1_000).step_by(5).collect());
        assert!(close(&[dealt(0), dealt(1), dealt(2)]), "each fold holds every fifth row of the same days");
        assert_eq!(rows_per_day(&[7; 50], &[fold((0..20).collect())]), 50.0);
    }

    #[test]
    fn the_least_cost_is_where_the_probability_says_unless_the_rows_say_otherwise() {
        let costs = |missed: f64, false_alarm: f64| Costs { missed, false_alarm };
        let few = [(0.9, true), (0.6, false), (0.6, true), (0.6, true), (0.2, false)];
        assert_eq!(least_cost(&few, costs(1.0, 1.0)), 0.5);
        assert_eq!(least_cost(&few, costs(900.0, 100.0)), 0.1);
        // A thousand rows that are promised .2 and come true half of the time.
        let many: Vec<(f64, bool)> = (0..1_000).map(|row| (0.2, row % 2 == 0)).collect();
        assert_eq!(least_cost(&many, costs(3.0, 1.0)), 0.25 - 0.15);
        assert_eq!(least_cost(&[], costs(1.0, 1.0)), 0.5);
    }

    #[test]
    fn the_cheapest_line_never_parts_rows_of_one_probability() {
        let rows = [(0.9, true), (0.6, false), (0.6, true), (0.6, true), (0.2, false)];
        for (missed, false_alarm, expected) in [(1.0, 1.0, 0.4), (1.0, 10.0, 0.75), (0.0, 1.0, 1.0), (10.0, 0.0, 0.4)] {
            let found = cheapest(rows.to_vec(), Costs { missed, false_alarm });
            assert!((found - expected).abs() < 1e-12, "{missed} and {false_alarm}: {found}");
        }
        assert_eq!(cheapest(Vec::new(), Costs { missed: 1.0, false_alarm: 1.0 }), 1.0);
    }

    /// Claims of some days: time in days, log-odds, truth. About 17 a day, one in twenty a fraud, as at an insurer.
    fn claims(seed: u64, days: u64) -> Vec<(i64, f64, bool)> {
        let mut random = SplitMix64::new(seed);
        let mut all = Vec::new();
        for day in 0..days {
            for _ in 0..12 + random.below(11) {
                let normal =
                    (-2.0 * random.unit().max(1e-300).ln()).sqrt() * (std::f64::consts::TAU * random.unit()).cos();
                let score = -3.4 + 1.5 * normal;
                let probability = 0.002 + 0.6 / (1.0 + (0.1 - 0.85 * score).exp());
                all.push((day as i64, score, random.unit() < probability));
            }
        }
        all
    }

    /// Probabilities of a quarter that validates, and of one that follows it.
    fn quarters(seed: u64) -> (Validated, Vec<f64>) {
        let (past, next) = (claims(2 * seed, 91), claims(2 * seed + 1, 91));
        let (score, truth): (Vec<f64>, Vec<bool>) = past.iter().map(|row| (row.1, row.2)).unzip();
        let map = calibration::fit(&score, &truth);
        let validated = Validated {
            rows: past.iter().map(|row| (map.apply(row.1), row.2)).collect(),
            days: past.iter().map(|row| row.0 as usize).collect(),
            day_count: 91,
            rows_per_day: past.len() as f64 / 91.0,
        };
        (validated, next.iter().map(|row| map.apply(row.1)).collect())
    }

    #[test]
    fn a_budget_of_one_a_day_is_met_in_nine_of_ten_quarters_and_a_tenth_or_tenfold_of_it_is_not() {
        let (mut met, mut flagged) = (0, Vec::new());
        for seed in 0..20 {
            let (validated, next) = quarters(seed);
            let held = validated.held(1, "look", validated.budget(1), &next, 91.0);
            met += u32::from((held.low..=held.high).contains(&(held.flagged as f64)));
            flagged.push(held.flagged);
            for wrong in [validated.budget(10), budget_line(validated.rows.iter().map(|row| row.0).collect(), 0.005)] {
                let held = validated.held(1, "look", wrong, &next, 91.0);
                assert!(!(held.low..=held.high).contains(&(held.flagged as f64)), "{held:?}");
            }
        }
        println!("flagged in quarters of 91 days: {flagged:?}, within chance in {met} of 20");
        assert!(met >= 18, "{flagged:?}");
    }

    #[test]
    fn half_the_cost_of_a_miss_flags_fewer_rows_and_not_none() {
        for seed in 0..20 {
            let (validated, next) = quarters(seed);
            let flagged = |missed: f64| {
                let line = least_cost(&validated.rows, Costs { missed, false_alarm: 150.0 });
                next.iter().filter(|probability| **probability >= line).count() as f64 / next.len() as f64
            };
            // The staircase flagged 68 % and 0.2 %.
            let (more, fewer) = (flagged(2_000.0), flagged(1_000.0));
            assert!(0.02 < fewer && fewer < more && more < 0.5, "{more} and {fewer}");
        }
    }

    #[test]
    fn counts_that_come_in_bursts_stray_further() {
        assert_eq!(bursts(&[3, 3, 3]), 1.0, "too few days to tell");
        assert!(bursts(&[0, 0, 30, 0, 0, 0]) > 20.0);
        assert!(bursts(&[5, 4, 6, 5, 5, 5]) == 1.0);
        let (narrow, wide) = (range_by_chance(100.0, 100, 1.0), range_by_chance(100.0, 100, 4.0));
        assert!(wide.0 < narrow.0 && narrow.1 < wide.1);
        assert_eq!(range_by_chance(0.5, 10, 1.0).0, 0.0);
    }
}
