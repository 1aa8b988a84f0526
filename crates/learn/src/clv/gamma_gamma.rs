//! What a customer's purchases are worth, when few of them have been seen: the customer's mean, drawn towards everyone's.
//!
//! Purchase values follow a gamma distribution (p, nu), each customer's nu another one (q, gamma); how often someone
//! buys must not depend on it. Source: Fader, Hardie & Lee 2005, "RFM and CLV"; Fader & Hardie 2013, "The gamma-gamma
//! model of monetary value".

use serde::{Deserialize, Serialize};

use super::compressed::{Compressed, Counted, Evaluation, sum_of_rows};
use super::draws::gamma as draw_gamma;
use super::error::ClvError;
use super::fit::{Fit, Parameters, fit};
use super::history::Spend;
use super::special::{digamma, ln_gamma};
use crate::bootstrap::SplitMix64;

/// All above 0. gamma is an amount in the currency of the spends, p and q are pure numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GammaGamma {
    pub p: f64,
    pub q: f64,
    pub gamma: f64,
}

impl Parameters<3> for GammaGamma {
    const NAMES: [&'static str; 3] = ["p", "q", "gamma"];

    fn from_values([p, q, gamma]: [f64; 3]) -> GammaGamma {
        GammaGamma { p, q, gamma }
    }

    fn values(&self) -> [f64; 3] {
        [self.p, self.q, self.gamma]
    }
}

impl GammaGamma {
    /// The parameters of maximum likelihood, of customers with at least one purchase of known value. About 40 passes
    /// over the distinct customers, on all threads of the current rayon pool; the same to the bit for any number of them.
    pub fn fit(customers: &Compressed<Spend>) -> Result<Fit<GammaGamma>, ClvError> {
        if customers.customers() == 0 {
            return Err(ClvError::NoCustomers);
        }
        let mean = customers.mean(|spend| spend.mean_value());
        let start = |p: f64, q: f64| [p, q, mean * (q - 1.0) / p];
        let starts = [start(6.0, 4.0), start(1.0, 2.0), start(2.0, 10.0), start(30.0, 3.0)];
        fit(customers, log_likelihood, [1.0, 1.0, mean], &starts)
    }

    /// The log-likelihood of these customers; it depends on the currency. O(distinct customers).
    pub fn log_likelihood(&self, customers: &Compressed<Spend>) -> f64 {
        log_likelihood(customers, self).log_likelihood
    }

    /// The expected mean value of the customer's purchases; `None` is a customer without any. Infinite if even the
    /// expectation is (p * purchases + q <= 1).
    pub fn expected_value(&self, spend: Option<&Spend>) -> f64 {
        let (purchases, total) = totals(spend);
        let shape = self.p * purchases + self.q;
        if shape > 1.0 { self.p * (self.gamma + total) / (shape - 1.0) } else { f64::INFINITY }
    }

    /// How dear a customer with that past may turn out to be: a draw of nu, the rate of the purchases' values.
    pub(super) fn draw_rate(&self, spend: Option<&Spend>, random: &mut SplitMix64) -> f64 {
        let (purchases, total) = totals(spend);
        draw_gamma(self.p * purchases + self.q, self.gamma + total, random)
    }

    /// A draw of the value of so many purchases of a customer whose rate was drawn.
    pub(super) fn draw_total(&self, purchases: u32, rate: f64, random: &mut SplitMix64) -> f64 {
        if purchases == 0 { 0.0 } else { draw_gamma(self.p * f64::from(purchases), rate, random) }
    }

    /// What a customer of this model spent on average over `frequency` purchases, at least 1.
    pub fn simulate(&self, frequency: u32, random: &mut SplitMix64) -> Result<Spend, ClvError> {
        let rate = self.draw_rate(None, random);
        Spend::new(frequency, self.draw_total(frequency, rate, random) / f64::from(frequency))
    }
}

fn totals(spend: Option<&Spend>) -> (f64, f64) {
    let purchases = spend.map_or(0.0, |spend| f64::from(spend.frequency()));
    (purchases, spend.map_or(0.0, |spend| purchases * spend.mean_value()))
}

fn log_likelihood(customers: &Compressed<Spend>, model: &GammaGamma) -> Evaluation<3> {
    customers.sum(|frequency, rows| block(model, frequency, rows))
}

/// Equation (1a) of the note of 2013 for customers of one frequency.
fn block(&GammaGamma { p, q, gamma }: &GammaGamma, frequency: f64, rows: &[Counted<Spend>]) -> Evaluation<3> {
    let (shape, whole) = (p * frequency, p * frequency + q);
    let shared = Evaluation {
        log_likelihood: ln_gamma(whole) - ln_gamma(shape) - ln_gamma(q) + q * gamma.ln(),
        gradient: [frequency * (digamma(whole) - digamma(shape)), digamma(whole) - digamma(q) + gamma.ln(), q / gamma],
    };
    sum_of_rows(rows, &shared, |customer| {
        let mean = customer.mean_value();
        let total = frequency * mean;
        let (ln_total, ln_scale) = (total.ln(), (gamma + total).ln());
        Evaluation {
            log_likelihood: shape * ln_total - mean.ln() - whole * ln_scale,
            gradient: [frequency * (ln_total - ln_scale), -ln_scale, -whole / (gamma + total)],
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAPER: GammaGamma = GammaGamma { p: 6.25, q: 3.74, gamma: 15.44 };

    #[test]
    fn the_slopes_are_those_of_differences() {
        let spend = |frequency, mean| Spend::new(frequency, mean).unwrap();
        let customers = Compressed::from_customers(&[spend(1, 0.5), spend(3, 35.0), spend(50, 1e4)]);
        for values in [PAPER.values(), [0.3, 0.4, 200.0], [80.0, 1.5, 0.01]] {
            let found = log_likelihood(&customers, &GammaGamma::from_values(values));
            for (index, slope) in found.gradient.into_iter().enumerate() {
                let at = |factor: f64| {
                    let mut there = values;
                    there[index] *= factor;
                    GammaGamma::from_values(there).log_likelihood(&customers)
                };
                let expected = (at(1.00001) - at(0.99999)) / (0.00002 * values[index]);
                assert!((slope - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{index}: {slope} {expected}");
            }
        }
    }

    #[test]
    fn an_expected_value_lies_between_the_own_mean_and_everyones() {
        let everyone = PAPER.expected_value(None);
        assert!((everyone - 6.25 * 15.44 / 2.74).abs() < 1e-12);
        let after = |purchases| PAPER.expected_value(Some(&Spend::new(purchases, 100.0).unwrap()));
        assert!(everyone < after(1) && after(1) < after(2) && after(2) < after(1_000) && after(1_000) < 100.0);
    }

    #[test]
    fn an_expectation_that_does_not_exist_is_infinite() {
        assert_eq!(GammaGamma { q: 0.9, ..PAPER }.expected_value(None), f64::INFINITY);
        assert!(PAPER.simulate(0, &mut SplitMix64::new(1)).is_err());
    }

    #[test]
    fn nobody_is_no_one_to_learn_from() {
        assert_eq!(GammaGamma::fit(&Compressed::from_customers(&[])), Err(ClvError::NoCustomers));
    }
}
