//! Customers who buy at random times, each at a rate of their own, and may leave for good at any moment: the Pareto /
//! negative binomial model. Unlike with `bg_nbd`, someone who never came back may be gone, too.
//!
//! Purchase rates follow a gamma distribution (r, alpha), rates of leaving another one (s, beta).
//! Source: Schmittlein, Morrison & Colombo 1987; the likelihood's form: Fader & Hardie 2005, "A note on deriving the
//! Pareto/NBD model", with the integral itself in place of their two hypergeometric functions (see `power_integral`).

use serde::{Deserialize, Serialize};

use super::bg_nbd::Typical;
use super::compressed::{Compressed, Counted, Evaluation, sum_of_rows};
use super::draws::{exponential, gamma, poisson, unit};
use super::error::ClvError;
use super::fit::{Fit, Parameters, fit};
use super::history::History;
use super::power_integral::PowerIntegral;
use super::special::{digamma, ln_gamma};
use super::value::{NextPurchase, PurchaseModel};
use crate::bootstrap::SplitMix64;

/// A simulated customer has no more purchases.
const PURCHASES_MAX: u32 = 10_000_000;

/// All above 0. alpha and beta are times in the unit of the histories, the rest are pure numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParetoNbd {
    pub r: f64,
    pub alpha: f64,
    pub s: f64,
    pub beta: f64,
}

impl Parameters<4> for ParetoNbd {
    const NAMES: [&'static str; 4] = ["r", "alpha", "s", "beta"];

    fn from_values([r, alpha, s, beta]: [f64; 4]) -> ParetoNbd {
        ParetoNbd { r, alpha, s, beta }
    }

    fn values(&self) -> [f64; 4] {
        [self.r, self.alpha, self.s, self.beta]
    }
}

impl ParetoNbd {
    /// The parameters of maximum likelihood. About 50 passes over the distinct customers, each of them 5 to 10 times as
    /// dear as one of `BgNbd::fit`, on all threads of the current rayon pool; the same to the bit for any number of them.
    pub fn fit(customers: &Compressed<History>) -> Result<Fit<ParetoNbd>, ClvError> {
        let Typical { age, rate } = Typical::of(customers)?;
        let start = |r: f64, s: f64, beta: f64| [r, r / rate, s, beta * age];
        let starts = [start(0.5, 0.6, 0.3), start(1.0, 1.0, 1.0), start(3.0, 0.3, 0.3), start(1.0, 3.0, 10.0)];
        fit(customers, log_likelihood, [1.0, age, 1.0, age], &starts)
    }

    /// The log-likelihood of these customers; times are densities, so it depends on their unit. O(distinct customers).
    pub fn log_likelihood(&self, customers: &Compressed<History>) -> f64 {
        log_likelihood(customers, self).log_likelihood
    }

    /// The history that a customer of this model has after `age` (finite, 0 or more), with at most 10 million purchases.
    pub fn simulate(&self, age: f64, random: &mut SplitMix64) -> History {
        let rate = gamma(self.r, self.alpha, random);
        let leaving = gamma(self.s, self.beta, random);
        let end = exponential(leaving, random).min(age);
        let (mut frequency, mut recency) = (0, 0.0);
        while frequency < PURCHASES_MAX {
            let next = recency + exponential(rate, random);
            if next > end || next.is_nan() {
                break;
            }
            (frequency, recency) = (frequency + 1, next);
        }
        History::new(frequency, recency, age).unwrap_or_else(|_| History::new_customer())
    }

    /// The rates of a customer who is still there: shape and scale of buying, shape and scale of leaving.
    fn if_alive(&self, history: &History) -> [f64; 4] {
        let frequency = f64::from(history.frequency());
        [self.r + frequency, self.alpha + history.age(), self.s, self.beta + history.age()]
    }

    /// Of the time to the next purchase of a customer who is still there: a density's integral, up to a factor whose
    /// logarithm is the second number.
    fn waiting(&self, history: &History) -> (PowerIntegral, f64) {
        let [shape, alpha, s, beta] = self.if_alive(history);
        let ln_factor = shape.ln() + shape * alpha.ln() + s * beta.ln();
        (PowerIntegral { alpha, p: shape + 1.0, beta, q: s }, ln_factor)
    }
}

impl PurchaseModel for ParetoNbd {
    fn probability_alive(&self, history: &History) -> f64 {
        1.0 / (1.0 + odds_of_gone(self, f64::from(history.frequency()), history).exp())
    }

    fn expected_purchases(&self, history: &History, time: f64) -> f64 {
        if !(time >= 0.0 && time.is_finite()) {
            return f64::NAN;
        }
        let [shape, alpha, s, beta] = self.if_alive(history);
        let length = (time / beta).ln_1p();
        // The expected time still spent as a customer; s = 1 is no exception but for the division.
        let stay = if s == 1.0 { length } else { -(-(s - 1.0) * length).exp_m1() / (s - 1.0) };
        self.probability_alive(history) * shape / alpha * beta * stay
    }

    fn chance_of_purchase(&self, history: &History, time: f64) -> f64 {
        if !(time >= 0.0 && time.is_finite()) {
            return f64::NAN;
        }
        let (waiting, ln_factor) = self.waiting(history);
        let if_alive = (ln_factor + waiting.between(0.0, time).ln_integral).exp();
        self.probability_alive(history) * if_alive.min(1.0)
    }

    fn next_purchase(&self, history: &History) -> NextPurchase {
        let [shape, alpha, s, beta] = self.if_alive(history);
        let (waiting, ln_factor) = self.waiting(history);
        let ln_ever = waiting.ln_beyond(0.0);
        let mean = (shape + s > 1.0).then(|| {
            // The mean of alpha + time, less alpha.
            let shifted = PowerIntegral { alpha, p: shape, beta, q: s }.ln_beyond(0.0);
            (shifted - ln_ever).exp() - alpha
        });
        NextPurchase {
            chance: self.probability_alive(history) * (ln_factor + ln_ever).exp().min(1.0),
            median: time_of(&waiting, ln_ever - std::f64::consts::LN_2, alpha),
            mean,
        }
    }

    fn draw_purchases(&self, history: &History, step: f64, purchases: &mut [u32], random: &mut SplitMix64) {
        let [shape, alpha, s, beta] = self.if_alive(history);
        let alive = unit(random) < self.probability_alive(history);
        let rate = gamma(shape, alpha, random);
        let mut left = if alive { exponential(gamma(s, beta, random), random) } else { 0.0 };
        for purchases in purchases {
            *purchases = poisson(rate * step.min(left), random);
            left = (left - step).max(0.0);
        }
    }
}

/// When the integral from 0 on reaches a value that it does reach; scale: a time to begin with.
fn time_of(integral: &PowerIntegral, ln_value: f64, scale: f64) -> f64 {
    let reached = |time: f64| integral.between(0.0, time).ln_integral >= ln_value;
    let (mut early, mut late) = (0.0, scale);
    while !reached(late) && late < 1e200 {
        (early, late) = (late, 2.0 * late);
    }
    while late - early > 1e-12 * late {
        let middle = early + (late - early) / 2.0;
        if reached(middle) { late = middle } else { early = middle }
    }
    late
}

/// The logarithm of the odds that a customer has left since the last purchase; minus infinity right after it.
fn odds_of_gone(model: &ParetoNbd, frequency: f64, history: &History) -> f64 {
    let gone = leaving(model, frequency).between(history.recency(), history.age()).ln_integral + model.s.ln();
    let there =
        -(model.r + frequency) * (model.alpha + history.age()).ln() - model.s * (model.beta + history.age()).ln();
    gone - there
}

/// Of the time of leaving, up to s and what all times share.
fn leaving(model: &ParetoNbd, frequency: f64) -> PowerIntegral {
    PowerIntegral { alpha: model.alpha, p: model.r + frequency, beta: model.beta, q: model.s + 1.0 }
}

fn log_likelihood(customers: &Compressed<History>, model: &ParetoNbd) -> Evaluation<4> {
    customers.sum(|frequency, rows| block(model, frequency, rows))
}

/// The log-likelihood of customers of one frequency: those still there, and those who left at any time since.
fn block(model: &ParetoNbd, frequency: f64, rows: &[Counted<History>]) -> Evaluation<4> {
    let &ParetoNbd { r, alpha, s, beta } = model;
    let shape = r + frequency;
    let (ln_alpha, ln_beta, ln_s) = (alpha.ln(), beta.ln(), s.ln());
    let shared = Evaluation {
        log_likelihood: ln_gamma(shape) - ln_gamma(r) + r * ln_alpha + s * ln_beta,
        gradient: [digamma(shape) - digamma(r) + ln_alpha, r / alpha, ln_beta, s / beta],
    };
    let leaving = leaving(model, frequency);
    sum_of_rows(rows, &shared, |customer| {
        let (alpha_now, beta_now) = (alpha + customer.age(), beta + customer.age());
        let (ln_alpha_now, ln_beta_now) = (alpha_now.ln(), beta_now.ln());
        let left = leaving.between(customer.recency(), customer.age());
        let there = -shape * ln_alpha_now - s * ln_beta_now;
        let apart = left.ln_integral + ln_s - there;
        let small = (-apart.abs()).exp();
        let gone = if apart > 0.0 { 1.0 } else { small } / (1.0 + small);
        let stayed = 1.0 - gone;
        Evaluation {
            log_likelihood: there + apart.max(0.0) + small.ln_1p(),
            gradient: [
                -stayed * ln_alpha_now - gone * left.ln_alpha_y,
                -shape * (stayed / alpha_now + gone * left.inverse_alpha_y),
                -stayed * ln_beta_now + gone * (1.0 / s - left.ln_beta_y),
                -stayed * s / beta_now - gone * (s + 1.0) * left.inverse_beta_y,
            ],
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAPER: ParetoNbd = ParetoNbd { r: 0.553, alpha: 10.578, s: 0.606, beta: 11.669 };

    fn history(frequency: u32, recency: f64, age: f64) -> History {
        History::new(frequency, recency, age).unwrap()
    }

    #[test]
    fn the_slopes_are_those_of_differences() {
        let customers = Compressed::from_customers(&[
            history(0, 0.0, 30.0),
            history(1, 0.5, 39.0),
            history(2, 30.0, 38.0),
            history(40, 20.0, 39.0),
            history(7, 12.0, 12.0),
        ]);
        for values in [PAPER.values(), [2.0, 40.0, 0.01, 0.3], [0.05, 0.2, 30.0, 90.0], [1.0, 5.0, 1.0, 5.0]] {
            let found = log_likelihood(&customers, &ParetoNbd::from_values(values));
            for (index, slope) in found.gradient.into_iter().enumerate() {
                let at = |factor: f64| {
                    let mut there = values;
                    there[index] *= factor;
                    ParetoNbd::from_values(there).log_likelihood(&customers)
                };
                let expected = (at(1.00001) - at(0.99999)) / (0.00002 * values[index]);
                assert!((slope - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{index}: {slope} {expected}");
            }
        }
    }

    #[test]
    fn longer_silence_never_makes_a_customer_more_alive() {
        for (frequency, recency) in [(0, 0.0), (1, 3.0), (5, 30.0), (300, 30.0)] {
            let alive = |silence: f64| PAPER.probability_alive(&history(frequency, recency, recency + silence));
            let values: Vec<f64> = (0..200).map(|step| alive(f64::from(step) * 0.5)).collect();
            assert_eq!(values[0], 1.0);
            assert!(values.windows(2).all(|pair| pair[1] < pair[0] || pair[0] == 0.0), "{frequency}");
            assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
        }
        assert_eq!(PAPER.probability_alive(&history(100_000, 1.0, 1e6)), 0.0);
    }

    #[test]
    fn nothing_special_happens_at_s_equal_to_1() {
        let at = |s: f64| ParetoNbd { s, ..PAPER }.expected_purchases(&history(2, 30.43, 38.86), 39.0);
        assert!((at(1.0) - (at(1.0 - 1e-7) + at(1.0 + 1e-7)) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_chances_of_a_next_purchase_fit_together() {
        for (frequency, recency, age) in [(0, 0.0, 0.0), (2, 30.43, 38.86), (9, 10.0, 38.86)] {
            let customer = history(frequency, recency, age);
            let next = PAPER.next_purchase(&customer);
            let within = |time: f64| PAPER.chance_of_purchase(&customer, time);
            assert!((within(next.median) / next.chance - 0.5).abs() < 1e-9, "{next:?}");
            assert!((within(1e12) / next.chance - 1.0).abs() < 1e-6, "{next:?}");
            assert!(within(0.0) == 0.0 && next.chance <= PAPER.probability_alive(&customer));
            // The survival function's integral, by the trapezoid rule over ln(1 + time).
            let survived = |log: f64| (1.0 - within(log.exp_m1()) / next.chance) * log.exp();
            let slow: f64 = (0..12_000).map(|step| survived((f64::from(step) + 0.5) * 1e-3) * 1e-3).sum();
            if frequency > 0 {
                assert!((next.mean.unwrap() / slow - 1.0).abs() < 1e-3, "{next:?} {slow}");
            }
        }
        assert_eq!(ParetoNbd { s: 0.2, ..PAPER }.next_purchase(&History::new_customer()).mean, None);
    }

    #[test]
    fn times_that_are_none_have_no_prediction() {
        for time in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(PAPER.expected_purchases(&History::new_customer(), time).is_nan());
            assert!(PAPER.chance_of_purchase(&History::new_customer(), time).is_nan());
        }
    }
}
