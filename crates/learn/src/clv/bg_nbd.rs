//! Customers who buy at random times, each at a rate of their own, and may leave for good right after a repeat
//! purchase: the beta-geometric / negative binomial model.
//!
//! Rates follow a gamma distribution (r, alpha), chances of leaving a beta distribution (a, b).
//! Source: Fader, Hardie & Lee 2005, "Counting your customers the easy way".

use serde::{Deserialize, Serialize};

use super::compressed::{Compressed, Counted, Evaluation, sum_of_rows};
use super::draws::{beta, exponential, gamma, poisson, tries, unit};
use super::error::ClvError;
use super::fit::{Fit, Parameters, fit};
use super::history::History;
use super::special::{digamma, ln_gamma};
use super::value::{NextPurchase, PurchaseModel};
use crate::bootstrap::SplitMix64;

/// Beyond so many purchases in expectation, a prediction is NaN instead of taking seconds.
const PURCHASES_MAX: usize = 10_000_000;

/// All above 0. alpha is a time in the unit of the histories, the rest are pure numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BgNbd {
    pub r: f64,
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
}

impl Parameters<4> for BgNbd {
    const NAMES: [&'static str; 4] = ["r", "alpha", "a", "b"];

    fn from_values([r, alpha, a, b]: [f64; 4]) -> BgNbd {
        BgNbd { r, alpha, a, b }
    }

    fn values(&self) -> [f64; 4] {
        [self.r, self.alpha, self.a, self.b]
    }
}

impl BgNbd {
    /// The parameters of maximum likelihood. About 50 passes over the distinct customers, on all threads of the current
    /// rayon pool; the same to the bit for any number of them.
    pub fn fit(customers: &Compressed<History>) -> Result<Fit<BgNbd>, ClvError> {
        let typical = Typical::of(customers)?;
        let start = |r: f64, a: f64, b: f64| [r, r / typical.rate, a, b];
        let starts = [start(0.3, 0.8, 2.5), start(1.0, 1.0, 1.0), start(3.0, 0.2, 4.0), start(0.5, 0.1, 0.1)];
        fit(customers, log_likelihood, [1.0, typical.age, 1.0, 1.0], &starts)
    }

    /// The log-likelihood of these customers; times are densities, so it depends on their unit. O(distinct customers).
    pub fn log_likelihood(&self, customers: &Compressed<History>) -> f64 {
        log_likelihood(customers, self).log_likelihood
    }

    /// The history that a customer of this model has after `age` (finite, 0 or more), with at most 10 million purchases.
    pub fn simulate(&self, age: f64, random: &mut SplitMix64) -> History {
        let rate = gamma(self.r, self.alpha, random);
        let leaving = beta(self.a, self.b, random);
        let (mut frequency, mut recency) = (0, 0.0);
        for _ in 0..PURCHASES_MAX {
            let next = recency + exponential(rate, random);
            if next > age || next.is_nan() {
                break;
            }
            (frequency, recency) = (frequency + 1, next);
            if unit(random) < leaving {
                break;
            }
        }
        History::new(frequency, recency, age).unwrap_or_else(|_| History::new_customer())
    }

    /// The odds that a customer left at the last purchase.
    fn odds_of_gone(&self, history: &History) -> f64 {
        if history.frequency() == 0 {
            return 0.0;
        }
        let frequency = f64::from(history.frequency());
        let silence = ((self.alpha + history.age()) / (self.alpha + history.recency())).ln();
        (self.a / (self.b + frequency - 1.0)) * ((self.r + frequency) * silence).exp()
    }

    /// Purchases in `time` of a customer who is still there, with that history.
    fn expected_if_alive(&self, history: &History, time: f64) -> f64 {
        let frequency = f64::from(history.frequency());
        purchases_until_leaving(self.r + frequency, time / (self.alpha + history.age()), self.a, self.b + frequency)
    }
}

impl PurchaseModel for BgNbd {
    fn probability_alive(&self, history: &History) -> f64 {
        1.0 / (1.0 + self.odds_of_gone(history))
    }

    fn expected_purchases(&self, history: &History, time: f64) -> f64 {
        self.probability_alive(history) * self.expected_if_alive(history, time)
    }

    fn chance_of_purchase(&self, history: &History, time: f64) -> f64 {
        if !(time >= 0.0 && time.is_finite()) {
            return f64::NAN;
        }
        let shape = self.r + f64::from(history.frequency());
        self.probability_alive(history) * -(-shape * (time / (self.alpha + history.age())).ln_1p()).exp_m1()
    }

    fn next_purchase(&self, history: &History) -> NextPurchase {
        // Whoever is alive leaves only after a purchase, so the next one comes for certain.
        let shape = self.r + f64::from(history.frequency());
        let scale = self.alpha + history.age();
        NextPurchase {
            chance: self.probability_alive(history),
            median: scale * (std::f64::consts::LN_2 / shape).exp_m1(),
            mean: (shape > 1.0).then(|| scale / (shape - 1.0)),
        }
    }

    fn draw_purchases(&self, history: &History, step: f64, purchases: &mut [u32], random: &mut SplitMix64) {
        let frequency = f64::from(history.frequency());
        let alive = unit(random) < self.probability_alive(history);
        let rate = gamma(self.r + frequency, self.alpha + history.age(), random);
        let mut left = if alive { tries(beta(self.a, self.b + frequency, random), random) } else { 0 };
        for purchases in purchases {
            *purchases = poisson(rate * step, random).min(left);
            left -= *purchases;
        }
    }
}

/// What starts and limits are measured by.
pub(super) struct Typical {
    pub age: f64,
    /// Purchases per time.
    pub rate: f64,
}

impl Typical {
    /// Refuses customers from whom nothing can be learned.
    pub(super) fn of(customers: &Compressed<History>) -> Result<Typical, ClvError> {
        if customers.customers() == 0 {
            return Err(ClvError::NoCustomers);
        }
        if customers.rows().iter().all(|row| row.customer.frequency() == 0) {
            return Err(ClvError::NoRepeatPurchase { customers: customers.customers() });
        }
        let age = customers.mean(|history| history.age());
        Ok(Typical { age, rate: customers.mean(|history| f64::from(history.frequency())) / age })
    }
}

fn log_likelihood(customers: &Compressed<History>, model: &BgNbd) -> Evaluation<4> {
    customers.sum(|frequency, rows| block(model, frequency, rows))
}

/// The paper's equation (6) for customers of one frequency, so that only logarithms are left to do for each.
fn block(&BgNbd { r, alpha, a, b }: &BgNbd, frequency: f64, rows: &[Counted<History>]) -> Evaluation<4> {
    let shape = r + frequency;
    let shared = Evaluation {
        log_likelihood: ln_gamma(shape) - ln_gamma(r) + r * alpha.ln() + ln_gamma(a + b) + ln_gamma(b + frequency)
            - ln_gamma(b)
            - ln_gamma(a + b + frequency),
        gradient: [
            digamma(shape) - digamma(r) + alpha.ln(),
            r / alpha,
            digamma(a + b) - digamma(a + b + frequency),
            digamma(a + b) + digamma(b + frequency) - digamma(b) - digamma(a + b + frequency),
        ],
    };
    let (ln_odds, by_b) = ((a / (b + frequency - 1.0)).ln(), 1.0 / (b + frequency - 1.0));
    sum_of_rows(rows, &shared, |customer| {
        let (to_now, to_last) = (alpha + customer.age(), alpha + customer.recency());
        let ln_now = to_now.ln();
        let mut own = Evaluation { log_likelihood: -shape * ln_now, gradient: [-ln_now, -shape / to_now, 0.0, 0.0] };
        if frequency > 0.0 {
            // ln(e^still there + e^gone), and how much of it is gone.
            let silence = ln_now - to_last.ln();
            let apart = ln_odds + shape * silence;
            let small = (-apart.abs()).exp();
            let gone = if apart > 0.0 { 1.0 } else { small } / (1.0 + small);
            own.log_likelihood += apart.max(0.0) + small.ln_1p();
            own.gradient[0] += gone * silence;
            own.gradient[1] += gone * shape * (1.0 / to_now - 1.0 / to_last);
            own.gradient[2] = gone / a;
            own.gradient[3] = -gone * by_b;
        }
        own
    })
}

/// The expected purchases of one whose rate is gamma (shape, with the time ahead in units of its scale) and who leaves
/// after each with a chance that is beta (a, b).
///
/// The paper writes a Gauss hypergeometric function, which divides 0 by 0 at a = 1 and at a + b = 1. The same number is
/// a sum of positive terms: n purchases would come (negative binomial), of which the k-th does if the customer stayed
/// after each before. O(terms), more than shape * time.
fn purchases_until_leaving(shape: f64, time: f64, a: f64, b: f64) -> f64 {
    if !(time >= 0.0 && time.is_finite()) {
        return f64::NAN;
    }
    let share = time / (1.0 + time);
    // Weights of n = 0, 1, 2..., up to a factor that cancels.
    let (mut weight, mut weights, mut weighted) = (1.0, 1.0, 0.0);
    let (mut purchases, mut stayed) = (0.0, 1.0);
    for step in 0..PURCHASES_MAX {
        let before = step as f64;
        purchases += stayed;
        stayed *= (b + before) / (a + b + before);
        weight *= (shape + before) / (before + 1.0) * share;
        weights += weight;
        weighted += weight * purchases;
        // From here on each weight is at most this times the one before.
        let ratio = ((shape + before + 1.0) / (before + 2.0) * share).max(share);
        if ratio < 1.0 && weight * (purchases + 1.0 / (1.0 - ratio)) <= 1e-15 * (1.0 - ratio) * weighted {
            return weighted / weights;
        }
        if weight > 1e200 {
            (weight, weights, weighted) = (weight * 1e-200, weights * 1e-200, weighted * 1e-200);
        }
    }
    f64::NAN
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAPER: BgNbd = BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };

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
        for values in [PAPER.values(), [2.0, 40.0, 0.01, 0.3], [0.05, 0.2, 30.0, 90.0]] {
            let found = log_likelihood(&customers, &BgNbd::from_values(values));
            for (index, slope) in found.gradient.into_iter().enumerate() {
                let at = |factor: f64| {
                    let mut there = values;
                    there[index] *= factor;
                    BgNbd::from_values(there).log_likelihood(&customers)
                };
                let expected = (at(1.00001) - at(0.99999)) / (0.00002 * values[index]);
                assert!((slope - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{index}: {slope} {expected}");
            }
        }
    }

    #[test]
    fn longer_silence_never_makes_a_buyer_more_alive() {
        for (frequency, recency) in [(1, 3.0), (5, 30.0), (300, 30.0)] {
            let alive = |silence: f64| PAPER.probability_alive(&history(frequency, recency, recency + silence));
            let values: Vec<f64> = (0..200).map(|step| alive(f64::from(step) * 0.5)).collect();
            assert!(values.windows(2).all(|pair| pair[1] < pair[0] || pair[0] == 0.0), "{frequency}");
            assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
        }
        assert_eq!(PAPER.probability_alive(&history(0, 0.0, 1e6)), 1.0);
        assert_eq!(PAPER.probability_alive(&history(100_000, 1.0, 1e6)), 0.0);
    }

    #[test]
    fn purchases_grow_with_time_and_more_slowly_at_the_end() {
        let customer = history(2, 30.43, 38.86);
        let expected: Vec<f64> =
            (0..60).map(|month| PAPER.expected_purchases(&customer, f64::from(month) * 4.0)).collect();
        assert_eq!(expected[0], 0.0);
        assert!(expected.windows(3).all(|three| three[1] > three[0] && three[2] - three[1] < three[1] - three[0]));
        assert!(PAPER.expected_purchases(&customer, -1.0).is_nan());
        assert!(PAPER.expected_purchases(&customer, f64::INFINITY).is_nan());
    }

    #[test]
    fn nothing_special_happens_where_the_papers_formula_divides_by_zero() {
        let at = |a: f64, b: f64| BgNbd { a, b, ..PAPER }.expected_purchases(&History::new_customer(), 50.0);
        for (a, b) in [(1.0, 2.4), (0.4, 0.6)] {
            assert!((at(a, b) - (at(a - 1e-6, b) + at(a + 1e-6, b)) / 2.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_very_frequent_buyer_who_hardly_ever_leaves_goes_on_as_before() {
        let steady = BgNbd { r: 1.0, alpha: 1.0, a: 1e-9, b: 1.0 };
        let found = steady.expected_purchases(&history(20_000, 999.9, 1_000.0), 1_001.0);
        assert!((found / 20_001.0 - 1.0).abs() < 1e-6, "{found}");
    }
}
