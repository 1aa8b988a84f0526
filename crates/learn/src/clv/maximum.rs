//! Climbs a likelihood of a few positive parameters: quasi-Newton from several starts, then Newton steps, whose matrix
//! is also the information that says how far off the parameters may be.
//!
//! Everything here works on logarithms of parameters, so that no step leaves the positive numbers.
//! Source: Nocedal & Wright 2006, ch. 6 (BFGS); Lewis & Overton 2013 (line search by bisection).

use super::compressed::Evaluation;
use super::error::ClvError;

const CLIMB_STEPS_MAX: usize = 500;
const LINE_STEPS_MAX: usize = 30;
const NEWTON_STEPS_MAX: usize = 10;
/// No logarithm moves further in one step: our choice, a factor of 7.
const STEP_MAX: f64 = 2.0;
/// A parameter beyond e^12 = 160,000 times its unit, or below the inverse, no longer describes customers who differ.
const DISTANCE_MAX: f64 = 12.0;
/// The climb ends at this slope per customer, where Newton's steps take over.
const SLOPE_PER_CUSTOMER: f64 = 1e-6;
/// Where the surface is not yet round at that slope, the climb goes on to this one.
const SLOPE_ON_RIDGE_PER_CUSTOMER: f64 = 1e-11;
/// Twice the log-likelihood still to be gained: at 1e-10 each parameter is within 1e-5 of its standard errors.
const DECREMENT_MAX: f64 = 1e-10;
/// What is accepted when rounding in a sum over very many customers forbids more: 1e-3 standard errors.
const DECREMENT_ACCEPTED: f64 = 1e-6;
/// Central differences of slopes with this step are exact to about 8 digits.
const DIFFERENCE: f64 = 1e-4;

pub(super) type Matrix<const N: usize> = [[f64; N]; N];

/// What is to be climbed, as a function of the parameters' logarithms.
pub(super) struct Surface<'a, const N: usize> {
    pub evaluate: &'a dyn Fn(&[f64; N]) -> Evaluation<N>,
    pub names: [&'static str; N],
    /// The logarithm of each parameter's unit: 0, or that of a typical time or amount.
    pub units: [f64; N],
    pub customers: f64,
}

pub(super) struct Maximum<const N: usize> {
    pub logs: [f64; N],
    pub log_likelihood: f64,
    /// The inverse of the observed information.
    pub covariance: Matrix<N>,
    pub evaluations: usize,
}

/// The highest point reached from the starts: they are tried on `pilot` (a smaller or the same surface) and the one that
/// led highest is climbed from on `full`. Where it ends without a top, there is none: a lower top elsewhere would not be
/// the likelihood's maximum. Only a start that ended in trouble with numbers gives way to the next.
pub(super) fn maximise<const N: usize>(
    pilot: &Surface<N>,
    full: &Surface<N>,
    starts: &[[f64; N]],
) -> Result<Maximum<N>, ClvError> {
    let mut paths: Vec<(f64, [f64; N])> = starts.iter().map(|&start| path(pilot, start)).collect();
    paths.sort_by(|left, right| right.0.total_cmp(&left.0));
    let mut refusal = None;
    for (_, begin) in paths {
        let mut climber = Climber::at(full, begin);
        match climber.climb(full, SLOPE_PER_CUSTOMER).and_then(|()| climber.polished(full)) {
            Err(error @ (ClvError::NotFinite { .. } | ClvError::NotConverged { .. })) => {
                refusal = refusal.or(Some(error));
            }
            decided => return decided,
        }
    }
    Err(refusal.unwrap_or(ClvError::NoCustomers))
}

/// How high a start leads on the pilot, and where to begin on the full surface: at the top, or, where the pilot has none,
/// at the start again.
fn path<const N: usize>(pilot: &Surface<N>, start: [f64; N]) -> (f64, [f64; N]) {
    let mut climber = Climber::at(pilot, start);
    match climber.climb(pilot, SLOPE_PER_CUSTOMER) {
        Ok(()) => (climber.here.log_likelihood, climber.at),
        Err(ClvError::NotFinite { .. }) => (f64::NEG_INFINITY, start),
        Err(_) => (climber.here.log_likelihood, start),
    }
}

/// A place, what is known there, and what was spent to get there.
struct Climber<const N: usize> {
    at: [f64; N],
    here: Evaluation<N>,
    evaluations: usize,
}

impl<const N: usize> Climber<N> {
    fn at(surface: &Surface<N>, at: [f64; N]) -> Climber<N> {
        Climber { at, here: (surface.evaluate)(&at), evaluations: 1 }
    }

    /// Up to where the slope per customer is small or rounding hides any further rise.
    fn climb(&mut self, surface: &Surface<N>, slope_per_customer: f64) -> Result<(), ClvError> {
        if !is_finite(&self.here) {
            return Err(ClvError::NotFinite { log_likelihood: self.here.log_likelihood });
        }
        let mut curvature = None;
        for _ in 0..CLIMB_STEPS_MAX {
            let steepest = longest(&self.here.gradient);
            if steepest <= slope_per_customer * surface.customers {
                break;
            }
            let inverse = curvature.unwrap_or_else(|| diagonal(1.0 / steepest));
            let Some((step, change)) = self.rise(surface, &inverse) else {
                // A matrix that no longer points uphill is forgotten once.
                if curvature.take().is_some() {
                    continue;
                }
                break;
            };
            surface.within(&self.at)?;
            curvature = Some(updated(inverse, &step, &change));
        }
        Ok(())
    }

    /// One step along the matrix times the slope; the step and how much the slope fell, or `None` without a rise.
    fn rise(&mut self, surface: &Surface<N>, inverse: &Matrix<N>) -> Option<([f64; N], [f64; N])> {
        let direction = bounded(times(inverse, &self.here.gradient));
        let slope = dot(&direction, &self.here.gradient);
        if slope.is_nan() || slope <= 0.0 {
            return None;
        }
        let length_max = STEP_MAX / longest(&direction);
        let (mut length, mut too_short, mut too_long) = (1.0, 0.0, f64::INFINITY);
        for _ in 0..LINE_STEPS_MAX {
            let there = std::array::from_fn(|index| self.at[index] + length * direction[index]);
            let found = (surface.evaluate)(&there);
            self.evaluations += 1;
            let rise = found.log_likelihood - self.here.log_likelihood;
            if !is_finite(&found) || rise < 1e-4 * length * slope {
                too_long = length;
            } else if 2.0 * length <= length_max && dot(&direction, &found.gradient) > 0.9 * slope {
                too_short = length;
            } else {
                let step = std::array::from_fn(|index| there[index] - self.at[index]);
                let change = std::array::from_fn(|index| self.here.gradient[index] - found.gradient[index]);
                (self.at, self.here) = (there, found);
                return Some((step, change));
            }
            length = if too_long.is_finite() { (too_short + too_long) / 2.0 } else { 2.0 * length };
        }
        None
    }

    /// Newton's steps to the top, where the information is read off.
    fn polished(mut self, surface: &Surface<N>) -> Result<Maximum<N>, ClvError> {
        let mut decrement = f64::INFINITY;
        for _ in 0..NEWTON_STEPS_MAX {
            let (covariance, step) = match self.newton_step(surface) {
                // Not at a top yet, or on a ridge that leads to one or out of bounds.
                Err(_) => {
                    self.climb(surface, SLOPE_ON_RIDGE_PER_CUSTOMER)?;
                    self.newton_step(surface)?
                }
                Ok(found) => found,
            };
            decrement = dot(&step, &self.here.gradient);
            if decrement <= DECREMENT_MAX {
                return Ok(self.maximum(covariance));
            }
            let step = bounded(step);
            let there = std::array::from_fn(|index| self.at[index] + step[index]);
            let found = (surface.evaluate)(&there);
            self.evaluations += 1;
            if !is_finite(&found) || found.log_likelihood < self.here.log_likelihood {
                // Near the top a sum's rounding is larger than the rise that is left.
                return if decrement <= DECREMENT_ACCEPTED {
                    Ok(self.maximum(covariance))
                } else {
                    Err(ClvError::NotConverged { evaluations: self.evaluations, newton_decrement: decrement })
                };
            }
            (self.at, self.here) = (there, found);
            surface.within(&self.at)?;
        }
        Err(ClvError::NotConverged { evaluations: self.evaluations, newton_decrement: decrement })
    }

    fn newton_step(&mut self, surface: &Surface<N>) -> Result<(Matrix<N>, [f64; N]), ClvError> {
        let information = information(surface, &self.at);
        self.evaluations += 2 * N;
        let flat = ClvError::NotIdentified { log_likelihood: self.here.log_likelihood };
        let covariance = cholesky(&information).map(|root| inverse_of(&root)).ok_or(flat)?;
        Ok((covariance, times(&covariance, &self.here.gradient)))
    }

    fn maximum(self, covariance: Matrix<N>) -> Maximum<N> {
        let log_likelihood = self.here.log_likelihood;
        Maximum { logs: self.at, log_likelihood, covariance, evaluations: self.evaluations }
    }
}

impl<const N: usize> Surface<'_, N> {
    fn within(&self, at: &[f64; N]) -> Result<(), ClvError> {
        match (0..N).find(|&index| (at[index] - self.units[index]).abs() > DISTANCE_MAX) {
            Some(index) => Err(ClvError::Unbounded { parameter: self.names[index], reached: at[index].exp() }),
            None => Ok(()),
        }
    }
}

/// Minus the second derivatives, from differences of slopes, made symmetric.
fn information<const N: usize>(surface: &Surface<N>, at: &[f64; N]) -> Matrix<N> {
    let slopes_at = |index: usize, step: f64| {
        let mut there = *at;
        there[index] += step;
        (surface.evaluate)(&there).gradient
    };
    let fall = |index| {
        let (before, behind) = (slopes_at(index, -DIFFERENCE), slopes_at(index, DIFFERENCE));
        std::array::from_fn(|other| (before[other] - behind[other]) / (2.0 * DIFFERENCE))
    };
    let falls: Matrix<N> = std::array::from_fn(fall);
    std::array::from_fn(|row| std::array::from_fn(|column| (falls[row][column] + falls[column][row]) / 2.0))
}

/// The BFGS update of the inverse curvature; unchanged if the slope did not fall along the step.
fn updated<const N: usize>(inverse: Matrix<N>, step: &[f64; N], change: &[f64; N]) -> Matrix<N> {
    let fall = dot(step, change);
    let length = (dot(step, step) * dot(change, change)).sqrt();
    if fall.is_nan() || fall <= 1e-10 * length {
        return inverse;
    }
    let along = times(&inverse, change);
    let weight = (1.0 + dot(change, &along) / fall) / fall;
    let entry = |row: usize, column: usize| {
        inverse[row][column] + weight * step[row] * step[column]
            - (along[row] * step[column] + step[row] * along[column]) / fall
    };
    std::array::from_fn(|row| std::array::from_fn(|column| entry(row, column)))
}

fn is_finite<const N: usize>(evaluation: &Evaluation<N>) -> bool {
    evaluation.log_likelihood.is_finite() && evaluation.gradient.iter().all(|slope| slope.is_finite())
}

/// The same direction, no component longer than [`STEP_MAX`].
fn bounded<const N: usize>(step: [f64; N]) -> [f64; N] {
    let shrink = (STEP_MAX / longest(&step)).min(1.0);
    step.map(|part| part * shrink)
}

fn longest<const N: usize>(vector: &[f64; N]) -> f64 {
    vector.iter().fold(0.0, |most, part| most.max(part.abs()))
}

fn diagonal<const N: usize>(value: f64) -> Matrix<N> {
    std::array::from_fn(|row| std::array::from_fn(|column| if row == column { value } else { 0.0 }))
}

fn dot<const N: usize>(left: &[f64; N], right: &[f64; N]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

fn times<const N: usize>(matrix: &Matrix<N>, vector: &[f64; N]) -> [f64; N] {
    std::array::from_fn(|row| dot(&matrix[row], vector))
}

/// The lower root of a symmetric matrix; `None` if it is not positive definite (to rounding) or not finite.
pub(super) fn cholesky<const N: usize>(matrix: &Matrix<N>) -> Option<Matrix<N>> {
    let mut root = diagonal(0.0);
    for row in 0..N {
        for column in 0..=row {
            let known: f64 = (0..column).map(|at| root[row][at] * root[column][at]).sum();
            let rest = matrix[row][column] - known;
            if row != column {
                root[row][column] = rest / root[column][column];
            } else if rest > 1e-12 * matrix[row][row] && rest.is_finite() {
                root[row][row] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(root)
}

/// The inverse of the matrix whose lower root is given.
fn inverse_of<const N: usize>(root: &Matrix<N>) -> Matrix<N> {
    let mut solved: Matrix<N> = diagonal(0.0);
    for row in 0..N {
        solved[row] = std::array::from_fn(|column| {
            let known: f64 = (column..row).map(|at| root[row][at] * solved[at][column]).sum();
            let unit = if row == column { 1.0 } else { 0.0 };
            if column > row { 0.0 } else { (unit - known) / root[row][row] }
        });
    }
    std::array::from_fn(|row| std::array::from_fn(|column| (0..N).map(|at| solved[at][row] * solved[at][column]).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn climb(evaluate: &dyn Fn(&[f64; 2]) -> Evaluation<2>, start: [f64; 2]) -> Result<Maximum<2>, ClvError> {
        let surface = Surface { evaluate, names: ["first", "second"], units: [0.0; 2], customers: 1.0 };
        maximise(&surface, &surface, &[start])
    }

    /// Rosenbrock's banana, upside down: its top is at (1, 1).
    fn banana(at: &[f64; 2]) -> Evaluation<2> {
        let bend = at[1] - at[0] * at[0];
        Evaluation {
            log_likelihood: -(1.0 - at[0]).powi(2) - 100.0 * bend * bend,
            gradient: [2.0 * (1.0 - at[0]) + 400.0 * at[0] * bend, -200.0 * bend],
        }
    }

    #[test]
    fn a_bent_ridge_is_climbed_to_its_top() {
        let found = climb(&banana, [-1.2, 1.0]).unwrap();
        assert!(found.logs.iter().all(|log| (log - 1.0).abs() < 1e-7), "{:?}", found.logs);
        // The inverse of [[802, -400], [-400, 200]].
        let expected = [[0.5, 1.0], [1.0, 2.005]];
        for (row, wanted) in found.covariance.iter().flatten().zip(expected.iter().flatten()) {
            assert!((row - wanted).abs() < 1e-4, "{:?}", found.covariance);
        }
    }

    #[test]
    fn a_slope_without_a_top_is_called_unbounded() {
        let rising = |at: &[f64; 2]| Evaluation {
            log_likelihood: -(-at[0]).exp() - at[1] * at[1],
            gradient: [(-at[0]).exp(), -2.0 * at[1]],
        };
        match climb(&rising, [0.0, 1.0]) {
            Err(ClvError::Unbounded { parameter: "first", .. } | ClvError::NotIdentified { .. }) => (),
            other => panic!("found {:?}", other.map(|maximum| maximum.logs)),
        }
        let steep = |at: &[f64; 2]| Evaluation { log_likelihood: at[0], gradient: [1.0, -2.0 * at[1]] };
        assert!(matches!(climb(&steep, [0.0; 2]), Err(ClvError::Unbounded { parameter: "first", .. })));
    }

    #[test]
    fn a_plain_and_a_hole_are_refused() {
        let plain = |at: &[f64; 2]| Evaluation { log_likelihood: -at[0] * at[0], gradient: [-2.0 * at[0], 0.0] };
        assert!(matches!(climb(&plain, [1.0, 1.0]), Err(ClvError::NotIdentified { .. })));
        let hole = |_: &[f64; 2]| Evaluation { log_likelihood: f64::NAN, gradient: [0.0; 2] };
        assert!(matches!(climb(&hole, [1.0, 1.0]), Err(ClvError::NotFinite { .. })));
    }
}
