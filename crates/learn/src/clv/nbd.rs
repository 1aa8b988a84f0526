//! Customers who buy at rates of their own and never leave: what BG/NBD and Pareto/NBD become where nothing says that anybody
//! left. Then their likelihood rises without end towards a chance of leaving of 0, and this is the model that it rises to.
//!
//! Source: Ehrenberg 1959 (the negative binomial distribution of purchases).

use serde::{Deserialize, Serialize};

use super::bg_nbd::Typical;
use super::compressed::{Compressed, Counted, Evaluation, sum_of_rows};
use super::draws::{gamma, poisson};
use super::error::ClvError;
use super::fit::{Fit, Parameters, fit};
use super::history::History;
use super::special::{digamma, ln_gamma};
use super::value::{NextPurchase, PurchaseModel};
use crate::bootstrap::SplitMix64;

/// Rates are gamma distributed with shape `r` and rate `alpha`, in the unit of the histories' time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nbd {
    pub r: f64,
    pub alpha: f64,
}

impl Parameters<2> for Nbd {
    const NAMES: [&'static str; 2] = ["r", "alpha"];

    fn from_values([r, alpha]: [f64; 2]) -> Nbd {
        Nbd { r, alpha }
    }

    fn values(&self) -> [f64; 2] {
        [self.r, self.alpha]
    }
}

impl Nbd {
    /// The parameters of maximum likelihood, as [`super::bg_nbd::BgNbd::fit`] has them.
    pub fn fit(customers: &Compressed<History>) -> Result<Fit<Nbd>, ClvError> {
        let typical = Typical::of(customers)?;
        let start = |r: f64| [r, r / typical.rate];
        fit(customers, log_likelihood, [1.0, typical.age], &[start(0.3), start(1.0), start(3.0)])
    }

    /// Shape and rate of one customer's purchase rate, after what was seen.
    fn seen(&self, history: &History) -> (f64, f64) {
        (self.r + f64::from(history.frequency()), self.alpha + history.age())
    }
}

impl PurchaseModel for Nbd {
    fn probability_alive(&self, _: &History) -> f64 {
        1.0
    }

    fn expected_purchases(&self, history: &History, time: f64) -> f64 {
        let (shape, rate) = self.seen(history);
        if time >= 0.0 && time.is_finite() { shape * time / rate } else { f64::NAN }
    }

    fn chance_of_purchase(&self, history: &History, time: f64) -> f64 {
        let (shape, rate) = self.seen(history);
        if time >= 0.0 && time.is_finite() { -(-shape * (time / rate).ln_1p()).exp_m1() } else { f64::NAN }
    }

    fn next_purchase(&self, history: &History) -> NextPurchase {
        let (shape, rate) = self.seen(history);
        NextPurchase {
            chance: 1.0,
            median: rate * (std::f64::consts::LN_2 / shape).exp_m1(),
            mean: (shape > 1.0).then(|| rate / (shape - 1.0)),
        }
    }

    fn draw_purchases(&self, history: &History, step: f64, purchases: &mut [u32], random: &mut SplitMix64) {
        let (shape, rate) = self.seen(history);
        let rate = gamma(shape, rate, random);
        purchases.iter_mut().for_each(|purchases| *purchases = poisson(rate * step, random));
    }
}

fn log_likelihood(customers: &Compressed<History>, model: &Nbd) -> Evaluation<2> {
    customers.sum(|frequency, rows| block(model, frequency, rows))
}

/// Customers of one frequency. The times of purchases say nothing beyond their number.
fn block(&Nbd { r, alpha }: &Nbd, frequency: f64, rows: &[Counted<History>]) -> Evaluation<2> {
    let shape = r + frequency;
    let shared = Evaluation {
        log_likelihood: ln_gamma(shape) - ln_gamma(r) + r * alpha.ln(),
        gradient: [digamma(shape) - digamma(r) + alpha.ln(), r / alpha],
    };
    sum_of_rows(rows, &shared, |customer| {
        let to_now = alpha + customer.age();
        let ln_now = to_now.ln();
        Evaluation { log_likelihood: -shape * ln_now, gradient: [-ln_now, -shape / to_now] }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clv::bg_nbd::BgNbd;
    use crate::clv::draws::stream;

    const MODEL: Nbd = Nbd { r: 0.385, alpha: 12.07 };

    #[test]
    fn it_is_what_bg_nbd_becomes_when_nobody_leaves() {
        let loyal = BgNbd { r: MODEL.r, alpha: MODEL.alpha, a: 1e-9, b: 1.0 };
        let history = History::new(2, 30.43, 38.86).unwrap();
        for time in [0.0, 13.0, 39.0, 400.0] {
            let (own, limit) = (MODEL.expected_purchases(&history, time), loyal.expected_purchases(&history, time));
            assert!((own - limit).abs() < 1e-6 * (1.0 + own), "{time}: {own} and {limit}");
            let chances = [MODEL.chance_of_purchase(&history, time), loyal.chance_of_purchase(&history, time)];
            assert!((chances[0] - chances[1]).abs() < 1e-6, "{time}: {chances:?}");
        }
        assert_eq!(MODEL.probability_alive(&history), 1.0);
        assert!(MODEL.expected_purchases(&history, f64::NAN).is_nan());
    }

    #[test]
    fn customers_who_never_leave_give_back_their_parameters_where_bg_nbd_finds_none() {
        let (truth, mut random) = (Nbd { r: 0.8, alpha: 9.0 }, stream(3, 1));
        let simulated: Vec<History> = (0..4_000)
            .map(|at| {
                let age = 20.0 + f64::from(at % 40);
                let rate = gamma(truth.r, truth.alpha, &mut random);
                let mut times: Vec<f64> = Vec::new();
                let mut time = super::super::draws::exponential(rate, &mut random);
                while time < age {
                    times.push(time);
                    time += super::super::draws::exponential(rate, &mut random);
                }
                History::new(times.len() as u32, times.last().copied().unwrap_or(0.0), age).unwrap()
            })
            .collect();
        let customers = Compressed::from_customers(&simulated);
        let found = Nbd::fit(&customers).unwrap();
        let off = |found: f64, truth: f64, error: f64| (found - truth).abs() / error;
        assert!(off(found.parameters.r, truth.r, found.standard_errors.r) < 4.0, "{found:?}");
        assert!(off(found.parameters.alpha, truth.alpha, found.standard_errors.alpha) < 4.0, "{found:?}");
        assert!(matches!(BgNbd::fit(&customers), Err(ClvError::Unbounded { .. })), "nobody left");
    }
}
