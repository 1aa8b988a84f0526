//! The linear model: the baseline every other model has to beat, and the one whose reasons are exact.
//! The optimum is scikit-learn's to the sixth digit, and the same to the bit for any number of threads:
//! each sum is made by one thread in row order, and threads only share out the sums.

mod model;
mod problem;
mod solver;

#[cfg(test)]
mod tests;

pub use model::{LinearError, LinearFit, LinearModel, LinearSettings, Loss};

use crate::frame::Matrix;
use problem::Problem;
use solver::Solver;

/// The elastic net needs the Hessian, columns^2 numbers: 32 MB here.
const ELASTIC_NET_COLUMNS_MAX: usize = 2_000;

/// Fits a linear model. matrix: finite. target: one a row, 0 or 1 for logistic loss. weights: one a row, 0 or more;
/// `None` is 1 each. Newton up to 300 columns, L-BFGS beyond, coordinate descent when `l1_ratio` is above 0
/// (Friedman, Hastie & Tibshirani 2010). A penalty exists always, so separable data has an optimum too.
/// O(iterations * rows * columns^2), L-BFGS O(iterations * rows * columns).
pub fn fit(
    matrix: &Matrix,
    target: &[f64],
    weights: Option<&[f64]>,
    settings: &LinearSettings,
) -> Result<LinearFit, LinearError> {
    check_settings(settings, matrix.columns())?;
    check_rows(matrix, target, weights, settings.loss)?;
    let problem = Problem::new(matrix, target, weights, settings)?;
    let mut solver = Solver::for_problem(&problem);
    let mut point = problem.at(problem.start(), solver.wants_hessian());
    let mut iterations = 0;
    while problem.gradient_norm(&point) > settings.tolerance && iterations < settings.iterations_max {
        let direction = solver.direction(&problem, &point);
        let Some(next) = problem.step(&point, &direction, solver.wants_hessian()) else { break };
        solver.remember(&point, &next);
        point = next;
        iterations += 1;
    }
    let gradient_norm = problem.gradient_norm(&point);
    let model = LinearModel { intercept: point.theta[0], weights: point.theta[1..].to_vec() };
    Ok(LinearFit { model, iterations, converged: gradient_norm <= settings.tolerance, gradient_norm })
}

fn check_settings(settings: &LinearSettings, columns: usize) -> Result<(), LinearError> {
    let LinearSettings { c, l1_ratio, tolerance, .. } = *settings;
    if !(c > 0.0 && c.is_finite()) {
        return Err(LinearError::Setting { name: "c", value: c, range: "a number above 0" });
    }
    if !(0.0..=1.0).contains(&l1_ratio) {
        return Err(LinearError::Setting { name: "l1_ratio", value: l1_ratio, range: "0 to 1" });
    }
    if !(tolerance > 0.0 && tolerance.is_finite()) {
        return Err(LinearError::Setting { name: "tolerance", value: tolerance, range: "a number above 0" });
    }
    if l1_ratio > 0.0 && columns > ELASTIC_NET_COLUMNS_MAX {
        return Err(LinearError::TooManyColumns { found: columns, max: ELASTIC_NET_COLUMNS_MAX });
    }
    Ok(())
}

fn check_rows(matrix: &Matrix, target: &[f64], weights: Option<&[f64]>, loss: Loss) -> Result<(), LinearError> {
    let rows = matrix.rows;
    if rows == 0 {
        return Err(LinearError::NoRows);
    }
    for (what, found) in [("targets", target.len()), ("weights", weights.map_or(rows, <[f64]>::len))] {
        if found != rows {
            return Err(LinearError::Lengths { what, expected: rows, found });
        }
    }
    if let Some(at) = matrix.values.iter().position(|value| !value.is_finite()) {
        return Err(LinearError::NotFinite { column: at / rows, row: at % rows, value: matrix.values[at] });
    }
    let (fits, expected): (fn(f64) -> bool, _) = match loss {
        Loss::Logistic => (|value| value == 0.0 || value == 1.0, "logistic loss takes 0 or 1"),
        Loss::Squared => (f64::is_finite, "it must be finite"),
    };
    if let Some(row) = target.iter().position(|&value| !fits(value)) {
        return Err(LinearError::Target { row, value: target[row], expected });
    }
    let unfit = |weight: &f64| *weight < 0.0 || !weight.is_finite();
    let weights = weights.unwrap_or_default();
    match weights.iter().position(unfit) {
        Some(row) => Err(LinearError::Weight { row, value: weights[row] }),
        None => Ok(()),
    }
}
