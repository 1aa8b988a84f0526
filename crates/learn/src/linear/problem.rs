//! The objective: its value, slope and curvature at a place, and how far a step may go.

use rayon::prelude::*;

use super::model::{BLOCK_ROWS, LinearError, LinearModel, LinearSettings, Loss};
use crate::frame::Matrix;

/// Columns whose Hessian rows are made together, so that a block of another column is read once for all of them.
const BLOCK_COLUMNS: usize = 8;

/// What is lost in the sum of an objective, as a share of it: 1,000 additions and as many again, with room to spare.
const ROUNDING: f64 = 100.0 * f64::EPSILON;

/// Halvings of a step before giving up: 2^-40 of a step moves nothing that matters.
const HALVINGS_MAX: u32 = 40;

/// The objective divided by `c` and by the sum of the weights, so that its size does not hang on the number of rows.
pub(super) struct Problem<'a> {
    pub(super) matrix: &'a Matrix,
    target: &'a [f64],
    /// Weights that sum to 1.
    shares: Vec<f64>,
    pub(super) loss: Loss,
    pub(super) ridge: f64,
    pub(super) lasso: f64,
    /// The intercept's column.
    ones: Vec<f64>,
    /// Root mean square of each column, the intercept's first; 1 for a column of zeros.
    pub(super) scales: Vec<f64>,
}

/// A place on the way down. `theta` is the intercept, then the weights; `gradient` leaves out the lasso term.
pub(super) struct Point {
    pub(super) theta: Vec<f64>,
    value: f64,
    pub(super) gradient: Vec<f64>,
    /// Symmetric, row after row; empty for L-BFGS.
    pub(super) hessian: Vec<f64>,
}

impl<'a> Problem<'a> {
    pub(super) fn new(
        matrix: &'a Matrix,
        target: &'a [f64],
        weights: Option<&[f64]>,
        settings: &LinearSettings,
    ) -> Result<Problem<'a>, LinearError> {
        let ones = vec![1.0; matrix.rows];
        let weights = weights.unwrap_or(&ones);
        let total: f64 = weights.iter().sum();
        let weighs = |value: f64| target.iter().zip(weights).any(|(&found, &weight)| found == value && weight > 0.0);
        if total == 0.0 {
            return Err(LinearError::Weight { row: 0, value: 0.0 });
        }
        if settings.loss == Loss::Logistic && !(weighs(0.0) && weighs(1.0)) {
            return Err(LinearError::OneClass);
        }
        let shares = weights.iter().map(|weight| weight / total).collect();
        let strength = 1.0 / (settings.c * total);
        let (ridge, lasso) = (strength * (1.0 - settings.l1_ratio), strength * settings.l1_ratio);
        let mut problem =
            Problem { matrix, target, shares, loss: settings.loss, ridge, lasso, ones, scales: Vec::new() };
        problem.scales = (0..=matrix.columns()).into_par_iter().map(|index| problem.root_mean_square(index)).collect();
        Ok(problem)
    }

    /// Column 0 is the intercept's.
    fn column(&self, index: usize) -> &[f64] {
        if index == 0 { &self.ones } else { self.matrix.column(index - 1) }
    }

    fn root_mean_square(&self, index: usize) -> f64 {
        let square: f64 = self.column(index).iter().zip(&self.shares).map(|(value, share)| share * value * value).sum();
        if square > 0.0 { square.sqrt() } else { 1.0 }
    }

    /// No weights, and the intercept that is best then.
    pub(super) fn start(&self) -> Vec<f64> {
        let mean = dot(self.target, &self.shares);
        // Only a place to start from; with a weight of next to nothing a share of 1 must not become infinite odds.
        let share = mean.clamp(1e-12, 1.0 - 1e-12);
        let mut theta = vec![0.0; self.scales.len()];
        theta[0] = match self.loss {
            Loss::Logistic => (share / (1.0 - share)).ln(),
            Loss::Squared => mean,
        };
        theta
    }

    pub(super) fn at(&self, theta: Vec<f64>, wants_hessian: bool) -> Point {
        let model = LinearModel { intercept: theta[0], weights: theta[1..].to_vec() };
        let raw = model.predict_raw(self.matrix);
        let row_terms = |row: usize| self.loss.terms(raw[row], self.target[row]).map(|term| term * self.shares[row]);
        let terms: Vec<[f64; 3]> = (0..raw.len()).into_par_iter().map(row_terms).collect();

        // Sums of blocks lose fewer digits than one long sum, and the search compares nearly equal values.
        let data_loss: f64 = terms.chunks(BLOCK_ROWS).map(|block| block.iter().map(|term| term[0]).sum::<f64>()).sum();
        let penalty =
            self.ridge / 2.0 * dot(&model.weights, &model.weights) + self.lasso * absolute_sum(&model.weights);
        let slopes: Vec<f64> = terms.iter().map(|term| term[1]).collect();
        let mut gradient: Vec<f64> =
            (0..theta.len()).into_par_iter().map(|index| dot(self.column(index), &slopes)).collect();
        gradient[1..].iter_mut().zip(&model.weights).for_each(|(slope, weight)| *slope += self.ridge * weight);
        let curvatures: Vec<f64> = terms.iter().map(|term| term[2]).collect();
        let hessian = if wants_hessian { self.hessian(&curvatures) } else { Vec::new() };
        Point { theta, value: data_loss + penalty, gradient, hessian }
    }

    /// Each task makes a few lines of the lower triangle, block of rows after block, so that no sum is shared.
    fn hessian(&self, curvatures: &[f64]) -> Vec<f64> {
        let size = self.scales.len();
        let mut hessian = vec![0.0; size * size];
        hessian.par_chunks_mut(BLOCK_COLUMNS * size).enumerate().for_each(|(task, lines)| {
            let columns = task * BLOCK_COLUMNS..task * BLOCK_COLUMNS + lines.len() / size;
            for start in (0..curvatures.len()).step_by(BLOCK_ROWS) {
                let block = start..curvatures.len().min(start + BLOCK_ROWS);
                let bend = |index| multiply(&self.column(index)[block.clone()], &curvatures[block.clone()]);
                let bent: Vec<Vec<f64>> = columns.clone().map(bend).collect();
                for other in 0..columns.end {
                    let values = &self.column(other)[block.clone()];
                    lines.chunks_exact_mut(size).zip(&bent).for_each(|(line, bent)| line[other] += dot(values, bent));
                }
            }
        });
        for index in 0..size {
            hessian[index * size + index] += if index == 0 { 0.0 } else { self.ridge };
            (0..index).for_each(|other| hessian[other * size + index] = hessian[index * size + other]);
        }
        hessian
    }

    /// The largest component of the smallest subgradient, each over its column's scale.
    pub(super) fn gradient_norm(&self, point: &Point) -> f64 {
        let component = |(index, &slope): (usize, &f64)| {
            let lasso = self.lasso_of(index);
            let least = match point.theta[index] {
                0.0 => (slope.abs() - lasso).max(0.0),
                weight => slope + lasso * weight.signum(),
            };
            least.abs() / self.scales[index]
        };
        // Not f64::max, which would drop a NaN and call an overflow converged.
        point
            .gradient
            .iter()
            .enumerate()
            .map(component)
            .fold(0.0, |norm, part| if part > norm || part.is_nan() { part } else { norm })
    }

    pub(super) fn lasso_of(&self, index: usize) -> f64 {
        if index == 0 { 0.0 } else { self.lasso }
    }

    /// Halves the step until the objective falls by a ten-thousandth of what the slope promises (Armijo). Near the
    /// optimum the fall is lost in rounding; a step that rises by no more than that is taken.
    pub(super) fn step(&self, point: &Point, direction: &[f64], wants_hessian: bool) -> Option<Point> {
        if direction.iter().all(|&part| part == 0.0) {
            return None;
        }
        let moved = |length: f64| add_scaled(&point.theta, length, direction);
        let lasso_change = self.lasso * (absolute_sum(&moved(1.0)[1..]) - absolute_sum(&point.theta[1..]));
        let promised = dot(&point.gradient, direction) + lasso_change;
        let rounding = ROUNDING * point.value.abs();
        let mut lengths = (0..HALVINGS_MAX).map(|halvings| 0.5_f64.powi(halvings as i32));
        let try_length = |length| {
            let next = self.at(moved(length), wants_hessian);
            (next.value <= point.value + 1e-4 * length * promised + rounding).then_some(next)
        };
        lengths.find_map(try_length)
    }
}

impl Loss {
    /// Loss, slope and curvature by the raw score.
    fn terms(self, raw: f64, target: f64) -> [f64; 3] {
        match self {
            Loss::Logistic => {
                // exp(-|raw|) never overflows, and the loss of a well-placed row keeps all its digits.
                let small = (-raw.abs()).exp();
                let chance = if raw >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) };
                let loss = raw.max(0.0) - target * raw + small.ln_1p();
                [loss, chance - target, small / ((1.0 + small) * (1.0 + small))]
            }
            Loss::Squared => [(raw - target) * (raw - target) / 2.0, raw - target, 1.0],
        }
    }

    pub(super) fn curvature_max(self) -> f64 {
        match self {
            Loss::Logistic => 0.25,
            Loss::Squared => 1.0,
        }
    }
}

/// Eight sums side by side, which the compiler can keep in vector registers; the order is fixed.
pub(super) fn dot(left: &[f64], right: &[f64]) -> f64 {
    let ((lefts, left_rest), (rights, right_rest)) = (left.as_chunks::<8>(), right.as_chunks::<8>());
    let mut lanes = [0.0; 8];
    for (left, right) in lefts.iter().zip(rights) {
        for lane in 0..8 {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    lanes.iter().sum::<f64>() + rest
}

fn multiply(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter().zip(right).map(|(left, right)| left * right).collect()
}

pub(super) fn add_scaled(base: &[f64], factor: f64, change: &[f64]) -> Vec<f64> {
    base.iter().zip(change).map(|(base, change)| base + factor * change).collect()
}

pub(super) fn absolute_sum(values: &[f64]) -> f64 {
    values.iter().map(|value| value.abs()).sum()
}
