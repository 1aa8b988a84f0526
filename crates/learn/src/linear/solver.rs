//! Which way is down: Newton, coordinate descent or L-BFGS, by the number of columns and the penalty.

use std::collections::VecDeque;

use super::problem::{Point, Problem, add_scaled, dot};

/// Up to here a Newton step, columns^2 * rows, costs less than the many passes of L-BFGS.
const NEWTON_COLUMNS_MAX: usize = 300;

/// Steps that L-BFGS remembers; 5 to 20 is the usual range (Nocedal & Wright 2006, section 7.2).
const LBFGS_STEPS: usize = 10;

/// Passes over the coordinates in one elastic-net step; the next step goes on where this one stops.
const COORDINATE_PASSES_MAX: u32 = 1_000;

/// How the next direction is found.
pub(super) enum Solver {
    Newton,
    Coordinate,
    Lbfgs(VecDeque<Step>),
}

/// A step that L-BFGS remembers.
pub(super) struct Step {
    change: Vec<f64>,
    gradient_change: Vec<f64>,
    /// Their product, above 0.
    product: f64,
}

impl Solver {
    pub(super) fn for_problem(problem: &Problem<'_>) -> Solver {
        match problem.matrix.columns() {
            _ if problem.lasso > 0.0 => Solver::Coordinate,
            ..=NEWTON_COLUMNS_MAX => Solver::Newton,
            _ => Solver::Lbfgs(VecDeque::new()),
        }
    }

    pub(super) fn wants_hessian(&self) -> bool {
        !matches!(self, Solver::Lbfgs(_))
    }

    pub(super) fn direction(&self, problem: &Problem<'_>, point: &Point) -> Vec<f64> {
        match self {
            Solver::Newton => newton_direction(point),
            Solver::Coordinate => coordinate_direction(problem, point),
            Solver::Lbfgs(steps) => lbfgs_direction(problem, &point.gradient, steps),
        }
    }

    pub(super) fn remember(&mut self, point: &Point, next: &Point) {
        let Solver::Lbfgs(steps) = self else { return };
        let change = add_scaled(&next.theta, -1.0, &point.theta);
        let gradient_change = add_scaled(&next.gradient, -1.0, &point.gradient);
        let product = dot(&change, &gradient_change);
        // Convex, so the product is positive; at the rounding of the gradients it is noise and must not be learned.
        let lengths = (dot(&change, &change) * dot(&gradient_change, &gradient_change)).sqrt();
        if product > f64::EPSILON * lengths {
            steps.push_back(Step { change, gradient_change, product });
            while steps.len() > LBFGS_STEPS {
                steps.pop_front();
            }
        }
    }
}

/// Solves `hessian * direction = -gradient`. Columns that are collinear under a faint penalty get a damped step, with
/// the diagonal raised by as little as makes the factors exist; no step at all ends the search.
fn newton_direction(point: &Point) -> Vec<f64> {
    let down: Vec<f64> = point.gradient.iter().map(|slope| -slope).collect();
    let dampings = [0.0, 1e-12, 1e-9, 1e-6, 1e-3];
    let damped = |&damping: &f64| cholesky(&point.hessian, down.len(), damping).map(|lower| solve(&lower, &down));
    dampings.iter().find_map(damped).unwrap_or_else(|| vec![0.0; down.len()])
}

/// The lower triangle whose square is `matrix` with its diagonal raised by the share `damping`; `None` if a pivot is
/// lost in rounding. O(size^3 / 6).
fn cholesky(matrix: &[f64], size: usize, damping: f64) -> Option<Vec<f64>> {
    let mut lower = vec![0.0; size * size];
    for row in 0..size {
        let (above, line) = lower.split_at_mut(row * size);
        for column in 0..row {
            let other = &above[column * size..][..=column];
            line[column] = (matrix[row * size + column] - dot(&line[..column], &other[..column])) / other[column];
        }
        let diagonal = matrix[row * size + row] * (1.0 + damping);
        let pivot = diagonal - dot(&line[..row], &line[..row]);
        if pivot.is_nan() || pivot <= size as f64 * f64::EPSILON * diagonal {
            return None;
        }
        line[row] = pivot.sqrt();
    }
    Some(lower)
}

/// Solves `lower * lower^T * x = right`.
fn solve(lower: &[f64], right: &[f64]) -> Vec<f64> {
    let size = right.len();
    let mut solution = right.to_vec();
    for row in 0..size {
        let line = &lower[row * size..][..=row];
        solution[row] = (solution[row] - dot(&line[..row], &solution[..row])) / line[row];
    }
    for row in (0..size).rev() {
        let line = &lower[row * size..][..=row];
        solution[row] /= line[row];
        let solved = solution[row];
        solution[..row].iter_mut().zip(line).for_each(|(value, factor)| *value -= factor * solved);
    }
    solution
}

/// Walks to the optimum of the quadratic at `point` plus the lasso, one coordinate at a time; a thousand times closer
/// than `point` is close enough, as the quadratic is only as good as that.
fn coordinate_direction(problem: &Problem<'_>, point: &Point) -> Vec<f64> {
    let size = point.theta.len();
    let (mut theta, mut gradient) = (point.theta.clone(), point.gradient.clone());
    let enough = 1e-3 * problem.gradient_norm(point);
    for _ in 0..COORDINATE_PASSES_MAX {
        let mut moved_max: f64 = 0.0;
        for index in 0..size {
            let line = &point.hessian[index * size..][..size];
            let curvature = line[index];
            if curvature == 0.0 {
                continue; // A column of zeros: its weight stays 0.
            }
            let wanted = shrink(theta[index] * curvature - gradient[index], problem.lasso_of(index)) / curvature;
            let change = wanted - theta[index];
            theta[index] = wanted;
            gradient.iter_mut().zip(line).for_each(|(slope, bend)| *slope += change * bend);
            moved_max = moved_max.max((change * curvature).abs() / problem.scales[index]);
        }
        if moved_max <= enough {
            break;
        }
    }
    add_scaled(&theta, -1.0, &point.theta)
}

/// Nearer to 0 by `by`, and 0 within it.
fn shrink(value: f64, by: f64) -> f64 {
    if value.abs() <= by { 0.0 } else { value - by * value.signum() }
}

/// The two loops of Nocedal & Wright 2006, algorithm 7.4. The first guess of the Hessian is its diagonal at the
/// largest curvature, which makes the path free of the columns' units.
fn lbfgs_direction(problem: &Problem<'_>, gradient: &[f64], steps: &VecDeque<Step>) -> Vec<f64> {
    let diagonal = |scale: &f64| problem.loss.curvature_max() * scale * scale + problem.ridge;
    let guess: Vec<f64> = problem.scales.iter().map(diagonal).collect();
    let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut shares = Vec::with_capacity(steps.len());
    for step in steps.iter().rev() {
        let share = dot(&step.change, &direction) / step.product;
        direction = add_scaled(&direction, -share, &step.gradient_change);
        shares.push(share);
    }
    let stretch = steps.back().map_or(1.0, |step| {
        let bends = step.gradient_change.iter().zip(&guess);
        step.product / bends.map(|(change, guess)| change * change / guess).sum::<f64>()
    });
    direction.iter_mut().zip(&guess).for_each(|(part, guess)| *part *= stretch / guess);
    for (step, share) in steps.iter().zip(shares.into_iter().rev()) {
        let back = dot(&step.gradient_change, &direction) / step.product;
        direction = add_scaled(&direction, share - back, &step.change);
    }
    direction
}
