//! Turns a score into a probability that can be believed, because a model ranks rows well long before its
//! numbers mean what they say, and people set thresholds and costs on the numbers. A calibrator never undoes the ranking: it is
//! strictly increasing, so that two rows with different scores are served two numbers.

mod centred;
mod interval;
mod logistic;
mod noise;

pub use interval::{LEVEL as INTERVAL_LEVEL, ProbabilityInterval};
pub use noise::calibration_error_by_chance;

use crate::bootstrap::SplitMix64;
use logistic::fit_logistic;
use serde::{Deserialize, Serialize};

/// Rows of the rarer class from which the three numbers of a beta map are worth their freedom: ten for each. A convention:
/// Peduzzi et al. 1996.
pub const BETA_EVENTS_MIN: usize = 30;
/// Rows of the rarer class from which a centred isotonic map is; a convention too: with fewer, its steps rest on a handful each.
pub const CENTRED_EVENTS_MIN: usize = 100;

/// Parts that the maps are compared on, each by a fit on the others.
const PARTS: usize = 5;
/// Deals them; any number does.
const SHUFFLE_SEED: u64 = 5;
/// How far an uncalibrated probability stays from 0 and 1: no more than keeps it off them.
const MARGIN: f64 = f64::EPSILON;

/// What the evidence can bear: no probability is served at or beyond these.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    pub low: f64,
    pub high: f64,
}

/// A fitted map from log-odds to probability, strictly increasing as far as floating point can tell (a score that ranks
/// backwards gets one level instead).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Calibrator {
    /// The log-odds are taken at their word.
    Identity,
    /// Log-odds become `slope * log_odds + intercept`; slope >= 0.
    Platt { slope: f64, intercept: f64, bounds: Bounds },
    /// With `s` the probability that the log-odds stand for, they become `low * ln(s) - high * ln(1 - s) + intercept`; both
    /// above 0.
    Beta { low: f64, high: f64, intercept: f64, bounds: Bounds },
    /// Knots of log-odds and what they become, joined by straight lines and continued with `slope`. Both lists strictly
    /// ascending, of one length, never empty; slope > 0.
    CentredIsotonic { log_odds: Vec<f64>, becomes: Vec<f64>, slope: f64, bounds: Bounds },
}

impl Calibrator {
    /// The probability of finite log-odds, strictly within 0 and 1 and within the bounds of a fitted map. O(log knots).
    pub fn apply(&self, log_odds: f64) -> f64 {
        match self {
            Calibrator::Identity => logistic(log_odds).clamp(MARGIN, 1.0 - MARGIN),
            Calibrator::Platt { slope, intercept, bounds } => bounds.squeeze(slope * log_odds + intercept),
            Calibrator::Beta { low, high, intercept, bounds } => {
                let [of_low, of_high] = beta_terms(log_odds);
                bounds.squeeze(low * of_low + high * of_high + intercept)
            }
            Calibrator::CentredIsotonic { log_odds: knots, becomes, slope, bounds } => {
                bounds.squeeze(centred::between(knots, becomes, *slope, log_odds))
            }
        }
    }

    /// Its name in documents, which is that of its `kind`.
    pub fn name(&self) -> &'static str {
        match self {
            Calibrator::Identity => "identity",
            Calibrator::Platt { .. } => "platt",
            Calibrator::Beta { .. } => "beta",
            Calibrator::CentredIsotonic { .. } => "centred_isotonic",
        }
    }
}

impl Bounds {
    /// Half a row of the other class in as many rows as there were, and two more: a thousand rows without a single positive say
    /// that the next is rarely one, not that it never is. The prior of half a row is Jeffreys'.
    fn of(truth: &[bool]) -> Bounds {
        let positives = truth.iter().filter(|&&truth| truth).count();
        let half_in = |rows: usize| 0.5 / (rows as f64 + 2.0);
        Bounds { low: half_in(truth.len() - positives), high: 1.0 - half_in(positives) }
    }

    /// Log-odds as a probability between the bounds: it nears them and rises on all the way.
    fn squeeze(&self, log_odds: f64) -> f64 {
        self.low + (self.high - self.low) * logistic(log_odds)
    }

    /// The log-odds that are squeezed to a probability strictly between the bounds.
    fn stretched(&self, probability: f64) -> f64 {
        ((probability - self.low) / (self.high - probability)).ln()
    }
}

/// Ways to calibrate, the simplest first.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Family {
    Platt,
    Beta,
    Centred,
}

impl Family {
    const ALL: [Family; 3] = [Family::Platt, Family::Beta, Family::Centred];

    fn events_min(self) -> usize {
        match self {
            Family::Platt => 0,
            Family::Beta => BETA_EVENTS_MIN,
            Family::Centred => CENTRED_EVENTS_MIN,
        }
    }

    /// `None` where the rows do not determine a strictly increasing map of this family.
    fn fit(self, log_odds: &[f64], truth: &[bool]) -> Option<Calibrator> {
        match self {
            Family::Platt => Some(fit_platt(log_odds, truth)),
            Family::Beta => fit_beta(log_odds, truth),
            Family::Centred => fit_centred_isotonic(log_odds, truth),
        }
    }
}

/// The map that new rows like these would be served best by: of those that the rarer class can carry (see
/// [`BETA_EVENTS_MIN`] and [`CENTRED_EVENTS_MIN`]), the simplest whose log loss on rows it was not fitted on is as low as the
/// least but for chance. log_odds: finite, higher = more likely; truth: same length (panics if not). The rows should not
/// be those that trained the model: there its scores are too sure. Identity without rows. O(n log n).
pub fn fit(log_odds: &[f64], truth: &[bool]) -> Calibrator {
    assert_eq!(log_odds.len(), truth.len(), "a truth for each score");
    if log_odds.is_empty() {
        return Calibrator::Identity;
    }
    let positives = truth.iter().filter(|&&truth| truth).count();
    let events = positives.min(truth.len() - positives);
    let able = Family::ALL.into_iter().filter(|family| events >= family.events_min());
    let judged: Vec<(Family, Vec<f64>)> =
        able.filter_map(|family| Some((family, losses_on_unseen_rows(family, log_odds, truth)?))).collect();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let least = judged.iter().min_by(|a, b| mean(&a.1).total_cmp(&mean(&b.1)));
    let near = |losses: &[f64]| least.is_none_or(|(_, least)| is_no_worse_but_for_chance(losses, least));
    let chosen = judged.iter().filter(|(_, losses)| near(losses));
    let mut fitted = chosen.filter_map(|(family, _)| family.fit(log_odds, truth));
    fitted.next().unwrap_or_else(|| fit_platt(log_odds, truth))
}

/// The log loss of each row under a map of the other parts' rows. Parts are dealt at random, always the same for the same rows in
/// any order: dealt by rank, each part would repeat the chances of the others, and the freest map would win by them.
fn losses_on_unseen_rows(family: Family, log_odds: &[f64], truth: &[bool]) -> Option<Vec<f64>> {
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_unstable_by(|&a, &b| log_odds[a].total_cmp(&log_odds[b]).then(truth[a].cmp(&truth[b])));
    let mut random = SplitMix64::new(SHUFFLE_SEED);
    (1..order.len()).rev().for_each(|at| order.swap(at, random.below(at + 1)));
    let mut losses = vec![0.0; truth.len()];
    for part in 0..PARTS {
        let others = order.iter().enumerate().filter(|(at, _)| at % PARTS != part).map(|(_, &row)| row);
        let (scores, truths): (Vec<f64>, Vec<bool>) = others.map(|row| (log_odds[row], truth[row])).unzip();
        let map = family.fit(&scores, &truths)?;
        for &row in order.iter().skip(part).step_by(PARTS) {
            let probability = map.apply(log_odds[row]);
            losses[row] = -(if truth[row] { probability } else { 1.0 - probability }).ln();
        }
    }
    Some(losses)
}

/// Whether the mean of the paired differences is at most two standard errors: of equals the simpler is kept.
fn is_no_worse_but_for_chance(losses: &[f64], least: &[f64]) -> bool {
    let rows = losses.len() as f64;
    let differences = || losses.iter().zip(least).map(|(loss, least)| loss - least);
    let mean = differences().sum::<f64>() / rows;
    let variance = differences().map(|difference| (difference - mean).powi(2)).sum::<f64>() / rows;
    mean <= 2.0 * (variance / rows).sqrt()
}

/// A straight line through the log-odds, its targets drawn a little from 0 and 1 so that a perfect split stays finite.
/// A line that would fall is laid level: scores that rank backwards carry no probability, and turning them round
/// would swap every alert. Identity without rows. Arguments as in [`fit`]. O(n) a Newton step.
/// Source: Platt 1999; targets and step as in Lin, Lin & Weng 2007.
pub fn fit_platt(log_odds: &[f64], truth: &[bool]) -> Calibrator {
    if log_odds.is_empty() {
        return Calibrator::Identity;
    }
    let bounds = Bounds::of(truth);
    let targets = targets(truth);
    let rows: Vec<[f64; 1]> = log_odds.iter().map(|&log_odds| [log_odds]).collect();
    let ([slope], intercept) = fit_logistic(&rows, &targets);
    if slope > 0.0 {
        return Calibrator::Platt { slope, intercept, bounds };
    }
    let mean = targets.iter().sum::<f64>() / targets.len() as f64;
    Calibrator::Platt { slope: 0.0, intercept: (mean / (1.0 - mean)).ln(), bounds }
}

/// A beta map: it may bend at one half, so that both ends have a steepness of their own. `None` where one of them would not rise
/// (a line is then all that the rows bear). Arguments as in [`fit`]. O(n) a Newton step. Source: Kull, Silva Filho & Flach 2017.
pub fn fit_beta(log_odds: &[f64], truth: &[bool]) -> Option<Calibrator> {
    let rows: Vec<[f64; 2]> = log_odds.iter().map(|&log_odds| beta_terms(log_odds)).collect();
    let ([low, high], intercept) = fit_logistic(&rows, &targets(truth));
    let bounds = Bounds::of(truth);
    (low > 0.0 && high > 0.0).then_some(Calibrator::Beta { low, high, intercept, bounds })
}

/// Centred isotonic regression: each level of the rising steps closest to the truth is one knot at the mean score of its rows,
/// so that a level becomes a slope; the outermost levels, which may hold one class alone, are given half a row of each. Joined in
/// log-odds, and continued with Platt's slope where no knot is. `None` without two levels or a rising slope. Arguments as in
/// [`fit`]. O(n log n). Source: Oron & Flournoy 2017; Ayer et al. 1955.
pub fn fit_centred_isotonic(log_odds: &[f64], truth: &[bool]) -> Option<Calibrator> {
    let Calibrator::Platt { slope, bounds, .. } = fit_platt(log_odds, truth) else { return None };
    let knots = centred::knots(log_odds, truth);
    if knots.len() < 2 || slope <= 0.0 {
        return None;
    }
    let (log_odds, becomes) = knots.into_iter().map(|(score, share)| (score, bounds.stretched(share))).unzip();
    Some(Calibrator::CentredIsotonic { log_odds, becomes, slope, bounds })
}

/// Platt's targets: the mean of each class with one row more of either class.
fn targets(truth: &[bool]) -> Vec<f64> {
    let positives = truth.iter().filter(|&&truth| truth).count() as f64;
    let negatives = truth.len() as f64 - positives;
    let (of_negative, of_positive) = (1.0 / (negatives + 2.0), (positives + 1.0) / (positives + 2.0));
    truth.iter().map(|&truth| if truth { of_positive } else { of_negative }).collect()
}

/// `ln(s)` and `-ln(1 - s)` of the probability `s` that log-odds stand for, without rounding it to 0 or 1. Both rise.
fn beta_terms(log_odds: f64) -> [f64; 2] {
    let softplus = |value: f64| value.max(0.0) + (-value.abs()).exp().ln_1p();
    [-softplus(-log_odds), softplus(log_odds)]
}

fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

#[cfg(test)]
mod tests;
