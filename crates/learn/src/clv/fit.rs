//! What a fit hands over, the same for all three models: parameters, how far they may be off, and draws of that doubt.

use serde::{Deserialize, Serialize};

use super::compressed::{Compressed, Customer, Evaluation};
use super::draws::{normal, stream};
use super::error::ClvError;
use super::maximum::{Maximum, Surface, cholesky, maximise};

/// So many distinct customers are enough to tell good starts from bad ones: our choice.
const PILOT_ROWS_MAX: usize = 10_000;

/// Draws of parameters: more only cost time.
const DRAWS_MAX: usize = 1_000_000;

/// A model's parameters, all above 0, as an array and back.
pub trait Parameters<const N: usize>: Copy {
    const NAMES: [&'static str; N];
    fn from_values(values: [f64; N]) -> Self;
    fn values(&self) -> [f64; N];
}

/// A model at the maximum of its likelihood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit<P> {
    pub parameters: P,
    /// Asymptotic, in the parameters' units: from the observed information of the logarithms (delta method).
    pub standard_errors: P,
    pub log_likelihood: f64,
    pub customers: u64,
    /// How often the likelihood was computed on all customers.
    pub evaluations: usize,
    /// Of the parameters' logarithms, in the parameters' order.
    log_covariance: Vec<Vec<f64>>,
}

impl<P> Fit<P> {
    /// Parameters as the customers leave them open: drawn from the normal distribution of their logarithms around the
    /// maximum. The same seed gives the same draws, more draws begin with the same ones. At most a million.
    pub fn draws<const N: usize>(&self, draws: usize, seed: u64) -> Vec<P>
    where
        P: Parameters<N>,
    {
        let entry = |row: usize, column: usize| self.log_covariance.get(row).and_then(|row| row.get(column)).copied();
        let covariance =
            std::array::from_fn(|row| std::array::from_fn(|column| entry(row, column).unwrap_or(f64::NAN)));
        // A fit that was stored with a broken matrix has no doubt to draw from.
        let Some(root) = cholesky::<N>(&covariance) else { return Vec::new() };
        let centre = self.parameters.values();
        let draw = |number: usize| {
            let mut random = stream(seed, number as u64);
            let normals: [f64; N] = std::array::from_fn(|_| normal(&mut random));
            P::from_values(std::array::from_fn(|row| {
                let off: f64 = root[row].iter().zip(normals).map(|(root, normal)| root * normal).sum();
                centre[row] * off.exp()
            }))
        };
        (0..draws.min(DRAWS_MAX)).map(draw).collect()
    }
}

/// Maximum likelihood from `starts`. units: each parameter's unit, 1 or a typical time or amount of these customers.
pub(super) fn fit<C: Customer, P: Parameters<N>, const N: usize>(
    customers: &Compressed<C>,
    likelihood: impl Fn(&Compressed<C>, &P) -> Evaluation<N>,
    units: [f64; N],
    starts: &[[f64; N]],
) -> Result<Fit<P>, ClvError> {
    let pilot = customers.thinned(PILOT_ROWS_MAX);
    let at = |customers: &Compressed<C>, logs: &[f64; N]| {
        let parameters = logs.map(f64::exp);
        likelihood(customers, &P::from_values(parameters)).by_logs(&parameters)
    };
    let (pilot_at, full_at) = (|logs: &[f64; N]| at(&pilot, logs), |logs: &[f64; N]| at(customers, logs));
    let units = units.map(f64::ln);
    let surface = |evaluate, customers| Surface { evaluate, names: P::NAMES, units, customers };
    let pilot_surface = surface(&pilot_at as &dyn Fn(&[f64; N]) -> Evaluation<N>, pilot.customers() as f64);
    let full_surface = surface(&full_at, customers.customers() as f64);
    let starts: Vec<[f64; N]> = starts.iter().map(|start| start.map(f64::ln)).collect();
    Ok(fit_of(maximise(&pilot_surface, &full_surface, &starts)?, customers.customers()))
}

fn fit_of<P: Parameters<N>, const N: usize>(maximum: Maximum<N>, customers: u64) -> Fit<P> {
    let values = maximum.logs.map(f64::exp);
    let error = |index: usize| values[index] * maximum.covariance[index][index].sqrt();
    Fit {
        parameters: P::from_values(values),
        standard_errors: P::from_values(std::array::from_fn(error)),
        log_likelihood: maximum.log_likelihood,
        customers,
        evaluations: maximum.evaluations,
        log_covariance: maximum.covariance.iter().map(|row| row.to_vec()).collect(),
    }
}
