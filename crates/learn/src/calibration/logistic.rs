//! Logistic regression on a few columns by Newton's method: the fit behind the smooth maps.

use super::logistic;

/// Lin, Lin & Weng 2007 allow 100 steps; on standardised columns a handful is used.
const NEWTON_STEPS_MAX: usize = 100;
/// Mean gradient at which Newton's method stops: far below what changes a probability that is shown.
const NEWTON_GRADIENT_MIN: f64 = 1e-12;
/// Keeps the Hessian invertible if all values of a column are equal. Source: Lin, Lin & Weng 2007.
const NEWTON_RIDGE: f64 = 1e-12;
/// Shortest step that is tried. Source: Lin, Lin & Weng 2007.
const NEWTON_STEP_MIN: f64 = 1e-10;

/// Weights of the columns and the intercept, of standardised columns while they are sought.
#[derive(Clone, Copy)]
struct Plane<const D: usize> {
    weights: [f64; D],
    intercept: f64,
}

/// The weights of the columns and the intercept of least log loss. rows: finite; targets: 0..=1, one a row, at least one.
/// O(rows) a step.
pub(super) fn fit_logistic<const D: usize>(rows: &[[f64; D]], targets: &[f64]) -> ([f64; D], f64) {
    assert_eq!(rows.len(), targets.len(), "a target for each row");
    // Standardised, so that margins, log-odds and tiny probabilities meet the same tolerances.
    let count = rows.len() as f64;
    let centre: [f64; D] = std::array::from_fn(|column| rows.iter().map(|row| row[column]).sum::<f64>() / count);
    let scale: [f64; D] = std::array::from_fn(|column| {
        let squares = rows.iter().map(|row| (row[column] - centre[column]).powi(2)).sum::<f64>();
        let spread = (squares / count).sqrt();
        if spread > 0.0 { spread } else { 1.0 }
    });
    let standard = |row: &[f64; D]| std::array::from_fn(|column| (row[column] - centre[column]) / scale[column]);
    let points: Vec<([f64; D], f64)> = rows.iter().map(standard).zip(targets.iter().copied()).collect();
    let found = newton(&points);
    let weights: [f64; D] = std::array::from_fn(|column| found.weights[column] / scale[column]);
    let moved: f64 = weights.iter().zip(&centre).map(|(weight, centre)| weight * centre).sum();
    (weights, found.intercept - moved)
}

impl<const D: usize> Plane<D> {
    fn margin(&self, row: &[f64; D]) -> f64 {
        self.weights.iter().zip(row).map(|(weight, value)| weight * value).sum::<f64>() + self.intercept
    }

    fn moved(&self, direction: &Plane<D>, step: f64) -> Plane<D> {
        Plane {
            weights: std::array::from_fn(|column| self.weights[column] + step * direction.weights[column]),
            intercept: self.intercept + step * direction.intercept,
        }
    }

    /// Mean log loss against targets within 0 and 1, written so that no large margin overflows.
    fn log_loss(&self, points: &[([f64; D], f64)]) -> f64 {
        let loss = |(row, target): &([f64; D], f64)| {
            let margin = self.margin(row);
            margin.max(0.0) - target * margin + (-margin.abs()).exp().ln_1p()
        };
        points.iter().map(loss).sum::<f64>() / points.len() as f64
    }
}

fn newton<const D: usize>(points: &[([f64; D], f64)]) -> Plane<D> {
    let mut plane = Plane { weights: [0.0; D], intercept: 0.0 };
    for _ in 0..NEWTON_STEPS_MAX {
        let better = newton_direction(points, &plane).and_then(|direction| better_along(points, &plane, &direction));
        let Some(next) = better else { break };
        plane = next;
    }
    plane
}

/// The full step if it helps, else the longest of its halves that does.
fn better_along<const D: usize>(
    points: &[([f64; D], f64)],
    plane: &Plane<D>,
    direction: &Plane<D>,
) -> Option<Plane<D>> {
    let loss = plane.log_loss(points);
    let mut step = 1.0;
    while step >= NEWTON_STEP_MIN {
        let next = plane.moved(direction, step);
        if next.log_loss(points) < loss {
            return Some(next);
        }
        step /= 2.0;
    }
    None
}

/// The full step from here, `None` if the plane cannot get better.
fn newton_direction<const D: usize>(points: &[([f64; D], f64)], plane: &Plane<D>) -> Option<Plane<D>> {
    let count = points.len() as f64;
    // The last row and column are the intercept's.
    let mut hessian = vec![vec![0.0; D + 1]; D + 1];
    let mut gradient = vec![0.0; D + 1];
    for (row, target) in points {
        let probability = logistic(plane.margin(row));
        let (error, variance) = ((probability - target) / count, probability * (1.0 - probability) / count);
        let values = || row.iter().chain(&[1.0]);
        for ((line, part), value) in hessian.iter_mut().zip(&mut gradient).zip(values()) {
            *part += error * value;
            line.iter_mut().zip(values()).for_each(|(cell, other)| *cell += variance * value * other);
        }
    }
    if gradient.iter().all(|part| part.abs() < NEWTON_GRADIENT_MIN) {
        return None;
    }
    hessian.iter_mut().enumerate().for_each(|(at, line)| line[at] += NEWTON_RIDGE);
    let step = solved(hessian, gradient.into_iter().map(|part| -part).collect())?;
    Some(Plane { weights: std::array::from_fn(|column| step[column]), intercept: step[D] })
}

/// Solves a small symmetric system by elimination; the pivots of a positive definite one need no exchange.
fn solved(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    for pivot in 0..size {
        let (above, below) = matrix.split_at_mut(pivot + 1);
        let from = &above[pivot];
        if from[pivot] <= 0.0 || !from[pivot].is_finite() {
            return None;
        }
        for (at, row) in below.iter_mut().enumerate() {
            let factor = row[pivot] / from[pivot];
            row.iter_mut().zip(from).skip(pivot).for_each(|(value, from)| *value -= factor * from);
            right[pivot + 1 + at] -= factor * right[pivot];
        }
    }
    for pivot in (0..size).rev() {
        let known: f64 = (pivot + 1..size).map(|column| matrix[pivot][column] * right[column]).sum();
        right[pivot] = (right[pivot] - known) / matrix[pivot][pivot];
    }
    Some(right)
}
