//! The linear model: the baseline every other model has to beat, and the one whose reasons are exact.
//! The optimum is scikit-learn's to the sixth digit, and the same to the bit for any number of threads:
//! each sum is made by one thread in row order, and threads only share out the sums.

use std::collections::VecDeque;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::Matrix;

/// Up to here a Newton step, columns^2 * rows, costs less than the many passes of L-BFGS.
const NEWTON_COLUMNS_MAX: usize = 300;
/// The elastic net needs the Hessian, columns^2 numbers: 32 MB here.
const ELASTIC_NET_COLUMNS_MAX: usize = 2_000;
/// Rows worked on at once: 4 kB a column, nine of which fit in the first cache.
const BLOCK_ROWS: usize = 512;
/// Columns whose Hessian rows are made together, so that a block of another column is read once for all of them.
const BLOCK_COLUMNS: usize = 8;
/// Steps that L-BFGS remembers; 5 to 20 is the usual range (Nocedal & Wright 2006, section 7.2).
const LBFGS_STEPS: usize = 10;
/// What is lost in the sum of an objective, as a share of it: 1,000 additions and as many again, with room to spare.
const ROUNDING: f64 = 100.0 * f64::EPSILON;
/// Halvings of a step before giving up: 2^-40 of a step moves nothing that matters.
const HALVINGS_MAX: u32 = 40;
/// Passes over the coordinates in one elastic-net step; the next step goes on where this one stops.
const COORDINATE_PASSES_MAX: u32 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// For a target of 0 or 1; the model's raw score is the log-odds of 1.
    Logistic,
    /// Half the squared error, for any real target; the raw score is the prediction. Ridge has alpha = 1 / c.
    Squared,
}

/// What is minimised: `c * sum(weight * loss) + l1_ratio * |w|_1 + (1 - l1_ratio) / 2 * |w|^2`, intercept free, as in
/// scikit-learn's LogisticRegression. The penalty asks for columns of like scale: standardise first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearSettings {
    pub loss: Loss,
    /// Trust in the data over the penalty, above 0.
    pub c: f64,
    /// 0 is ridge, 1 is lasso, between is elastic net.
    pub l1_ratio: f64,
    /// Converged when no component of the gradient of (objective / c / sum of weights), each divided by its column's
    /// root mean square, exceeds this. Free of units; with the elastic net the smallest subgradient counts.
    pub tolerance: f64,
    /// Newton takes about 10, L-BFGS hundreds.
    pub iterations_max: u32,
}

impl Default for LinearSettings {
    fn default() -> Self {
        // c = 1 is scikit-learn's default. The tolerance leaves six good digits even where the penalty alone holds a
        // weight (collinear columns), and is a million times the rounding of the sums.
        LinearSettings { loss: Loss::Logistic, c: 1.0, l1_ratio: 0.0, tolerance: 1e-10, iterations_max: 1_000 }
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LinearError {
    #[error("there are no rows to fit a linear model to; check the training period and the source")]
    NoRows,
    #[error("{found} {what} were given for {expected} rows; give one a row")]
    Lengths { what: &'static str, expected: usize, found: usize },
    #[error("column {column} holds `{value}` at row {row}; a linear model takes finite numbers, so fill gaps first")]
    NotFinite { column: usize, row: usize, value: f64 },
    #[error("the target of row {row} is `{value}`; {expected}")]
    Target { row: usize, value: f64, expected: &'static str },
    #[error("the weight of row {row} is `{value}`; weights are finite, 0 or more, and not all 0")]
    Weight { row: usize, value: f64 },
    #[error("all rows with weight have the same target; two outcomes are needed to tell them apart")]
    OneClass,
    #[error("`{name}` is `{value}`; it is {range}")]
    Setting { name: &'static str, value: f64, range: &'static str },
    #[error("{found} columns with l1_ratio above 0, {max} at most; set l1_ratio = 0 or give fewer columns")]
    TooManyColumns { found: usize, max: usize },
}

/// A fitted linear model: `intercept + sum(weight * value)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearModel {
    pub intercept: f64,
    /// One a column.
    pub weights: Vec<f64>,
}

impl LinearModel {
    /// The raw score of each row: log-odds, or the prediction itself under squared loss. NaN in, NaN out.
    /// Panics if the matrix has rows and another number of columns. O(values), parallel.
    pub fn predict_raw(&self, matrix: &Matrix) -> Vec<f64> {
        assert!(matrix.rows == 0 || matrix.columns() == self.weights.len(), "one weight a column");
        let mut raw = vec![self.intercept; matrix.rows];
        raw.par_chunks_mut(BLOCK_ROWS).enumerate().for_each(|(block, raw)| {
            for (column, weight) in self.weights.iter().enumerate() {
                let values = &matrix.column(column)[block * BLOCK_ROWS..][..raw.len()];
                raw.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
            }
        });
        raw
    }

    /// The raw score of one row, equal to [`LinearModel::predict_raw`] to the bit: both add in column order.
    pub fn raw_row(&self, row: &[f64]) -> f64 {
        assert_eq!(row.len(), self.weights.len(), "one weight a value");
        self.weights.iter().zip(row).fold(self.intercept, |sum, (weight, value)| sum + weight * value)
    }

    /// What each value adds to the raw score over an average row: `weight * (value - mean)`. The exact SHAP values
    /// of a linear model whose columns are independent (Lundberg & Lee 2017, corollary 1).
    pub fn contributions(&self, row: &[f64], means: &[f64]) -> Vec<f64> {
        assert!(row.len() == self.weights.len() && means.len() == row.len(), "one mean and one weight a value");
        self.weights.iter().zip(row.iter().zip(means)).map(|(weight, (value, mean))| weight * (value - mean)).collect()
    }
}

/// The model with how the search for it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearFit {
    pub model: LinearModel,
    pub iterations: u32,
    pub converged: bool,
    /// In the units of [`LinearSettings::tolerance`].
    pub gradient_norm: f64,
}

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

/// The objective divided by `c` and by the sum of the weights, so that its size does not hang on the number of rows.
struct Problem<'a> {
    matrix: &'a Matrix,
    target: &'a [f64],
    /// Weights that sum to 1.
    shares: Vec<f64>,
    loss: Loss,
    ridge: f64,
    lasso: f64,
    /// The intercept's column.
    ones: Vec<f64>,
    /// Root mean square of each column, the intercept's first; 1 for a column of zeros.
    scales: Vec<f64>,
}

/// A place on the way down. `theta` is the intercept, then the weights; `gradient` leaves out the lasso term.
struct Point {
    theta: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    /// Symmetric, row after row; empty for L-BFGS.
    hessian: Vec<f64>,
}

impl<'a> Problem<'a> {
    fn new(
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
    fn start(&self) -> Vec<f64> {
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

    fn at(&self, theta: Vec<f64>, wants_hessian: bool) -> Point {
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
    fn gradient_norm(&self, point: &Point) -> f64 {
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

    fn lasso_of(&self, index: usize) -> f64 {
        if index == 0 { 0.0 } else { self.lasso }
    }

    /// Halves the step until the objective falls by a ten-thousandth of what the slope promises (Armijo). Near the
    /// optimum the fall is lost in rounding; a step that rises by no more than that is taken.
    fn step(&self, point: &Point, direction: &[f64], wants_hessian: bool) -> Option<Point> {
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

    fn curvature_max(self) -> f64 {
        match self {
            Loss::Logistic => 0.25,
            Loss::Squared => 1.0,
        }
    }
}

/// How the next direction is found.
enum Solver {
    Newton,
    Coordinate,
    Lbfgs(VecDeque<Step>),
}

/// A step that L-BFGS remembers.
struct Step {
    change: Vec<f64>,
    gradient_change: Vec<f64>,
    /// Their product, above 0.
    product: f64,
}

impl Solver {
    fn for_problem(problem: &Problem<'_>) -> Solver {
        match problem.matrix.columns() {
            _ if problem.lasso > 0.0 => Solver::Coordinate,
            ..=NEWTON_COLUMNS_MAX => Solver::Newton,
            _ => Solver::Lbfgs(VecDeque::new()),
        }
    }

    fn wants_hessian(&self) -> bool {
        !matches!(self, Solver::Lbfgs(_))
    }

    fn direction(&self, problem: &Problem<'_>, point: &Point) -> Vec<f64> {
        match self {
            Solver::Newton => newton_direction(point),
            Solver::Coordinate => coordinate_direction(problem, point),
            Solver::Lbfgs(steps) => lbfgs_direction(problem, &point.gradient, steps),
        }
    }

    fn remember(&mut self, point: &Point, next: &Point) {
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

/// Eight sums side by side, which the compiler can keep in vector registers; the order is fixed.
fn dot(left: &[f64], right: &[f64]) -> f64 {
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

fn add_scaled(base: &[f64], factor: f64, change: &[f64]) -> Vec<f64> {
    base.iter().zip(change).map(|(base, change)| base + factor * change).collect()
}

fn absolute_sum(values: &[f64]) -> f64 {
    values.iter().map(|value| value.abs()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected numbers were printed by scikit-learn 1.9.1 (numpy 2) over the rows of `rows` below, in Python
    //   x = [[((i*7 + j*13 + i*i*(j+1)) % 17) / 4 - 2 for j in range(p)] for i in range(40)]
    //   real = [((i*i*3 + i*5) % 11) / 2 for i in range(40)]; y = [r < 2.5 for r in real]; w = [1 + i % 3 ...]
    // with LogisticRegression(C, solver="newton-cholesky", tol=1e-12), for l1_ratio above 0 solver="saga", tol=1e-14.
    fn rows(rows: usize, columns: usize) -> (Matrix, Vec<f64>) {
        let mut matrix = Matrix::with_rows(rows);
        for j in 0..columns {
            let value = |i: usize| ((i * 7 + j * 13 + i * i * (j + 1)) % 17) as f64 / 4.0 - 2.0;
            matrix.push(&(0..rows).map(value).collect::<Vec<f64>>());
        }
        (matrix, (0..rows).map(|i| ((i * i * 3 + i * 5) % 11) as f64 / 2.0).collect())
    }

    fn binary(real: &[f64]) -> Vec<f64> {
        real.iter().map(|&value| f64::from(value < 2.5)).collect()
    }

    fn logistic(c: f64, l1_ratio: f64) -> LinearSettings {
        LinearSettings { c, l1_ratio, ..LinearSettings::default() }
    }

    fn squared(c: f64, l1_ratio: f64) -> LinearSettings {
        LinearSettings { loss: Loss::Squared, ..logistic(c, l1_ratio) }
    }

    /// expected: the intercept, then three weights.
    fn check(settings: LinearSettings, weights: Option<&[f64]>, expected: [f64; 4], tolerance: f64) {
        let (matrix, real) = rows(40, 3);
        let target = if settings.loss == Loss::Logistic { binary(&real) } else { real };
        let fitted = fit(&matrix, &target, weights, &settings).unwrap();
        assert!(fitted.converged, "{fitted:?}");
        let found = [&[fitted.model.intercept], fitted.model.weights.as_slice()].concat();
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= tolerance, "{settings:?}: {fitted:?}, expected {expected}");
        }
    }

    fn uneven_weights(rows: usize) -> Vec<f64> {
        (0..rows).map(|i| (1 + i % 3) as f64).collect()
    }

    #[test]
    fn ridge_logistic_weights_equal_those_of_scikit_learn() {
        let weights = uneven_weights(40);
        // class_weight="balanced": 22 rows are of class 1, 18 of class 0.
        let balance = |&label: &f64| if label == 1.0 { 40.0 / 44.0 } else { 40.0 / 36.0 };
        let balanced: Vec<f64> = binary(&rows(40, 3).1).iter().map(balance).collect();
        let plain = [0.013351986573814884, -0.011210600535545, -0.4770232714205994, -0.11261874233479026];
        let weighted = [0.04868754514109563, 0.08579196482467988, -0.45324656642730027, -0.2809119364067333];
        let even = [-0.19863393395282927, -0.02595814200080373, -0.5332406604887376, -0.10656751730068609];
        check(logistic(1.0, 0.0), None, plain, 1e-9);
        check(logistic(0.1, 0.0), Some(&weights), weighted, 1e-9);
        check(logistic(1000.0, 0.0), Some(&balanced), even, 1e-9);
    }

    #[test]
    fn elastic_net_weights_equal_those_of_saga_and_its_zeros_are_exact() {
        let weights = uneven_weights(40);
        check(logistic(0.2, 0.5), None, [0.1375208640150307, 0.0, -0.24382086362121042, 0.0], 1e-7);
        let weighted = [0.022200556967788648, 0.0, -0.5388830738760657, -0.26439353694947293];
        check(logistic(0.3, 1.0), Some(&weights), weighted, 1e-7);
        let (matrix, real) = rows(40, 3);
        assert_eq!(fit(&matrix, &binary(&real), None, &logistic(0.2, 0.5)).unwrap().model.weights[0], 0.0);
    }

    #[test]
    fn squared_loss_equals_ridge_and_elastic_net_regression() {
        let ridge = [2.1647630453316893, -0.10103676464406662, 0.36070148562661425, 0.32609769888210816];
        check(squared(0.5, 0.0), Some(&uneven_weights(40)), ridge, 1e-9); // Ridge(alpha=2)
        let net = [2.0504408037191264, 0.0, 0.14444785172073352, 0.05831452162599943];
        check(squared(0.1, 0.5), None, net, 1e-9); // ElasticNet(alpha=1/(40*.1), l1_ratio=.5)
    }

    #[test]
    fn beyond_three_hundred_columns_lbfgs_finds_the_same_optimum() {
        let (matrix, real) = rows(40, 310);
        let fitted = fit(&matrix, &binary(&real), None, &logistic(0.5, 0.0)).unwrap();
        assert!(fitted.converged, "{} iterations, {}", fitted.iterations, fitted.gradient_norm);
        let weights = &fitted.model.weights;
        let found = [fitted.model.intercept, weights[0], weights[155], weights[309], dot(weights, weights)];
        let expected = [
            -0.04764803319556607,
            -0.00921523920098557,
            -0.002380022328733376,
            -0.03346294854465804,
            0.31203673011676136,
        ];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-8, "{found} for {expected}");
        }
    }

    #[test]
    fn separable_data_has_an_optimum() {
        let (matrix, _) = rows(40, 3);
        let target: Vec<f64> = matrix.column(0).iter().map(|&value| f64::from(value > 0.0)).collect();
        let fitted = fit(&matrix, &target, None, &logistic(1e4, 0.0)).unwrap();
        assert!(fitted.converged, "{fitted:?}");
        let expected = [23.04639869155316, 8.071532334382207, -3.6526238207888246];
        for (found, expected) in fitted.model.weights.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
        }
    }

    #[test]
    fn equal_and_constant_columns_share_a_weight_and_get_none() {
        let (three, real) = rows(40, 3);
        let mut matrix = Matrix::with_rows(40);
        for column in [three.column(1), three.column(1), &[0.0; 40], &[7.0; 40]] {
            matrix.push(column);
        }
        for settings in [logistic(1e9, 0.0), logistic(1.0, 0.5)] {
            let fitted = fit(&matrix, &binary(&real), None, &settings).unwrap();
            let weights = &fitted.model.weights;
            assert!(fitted.converged && weights[0] != 0.0 && weights[2] == 0.0, "{fitted:?}");
            assert!((weights[0] - weights[1]).abs() < 1e-5, "{fitted:?}");
        }
    }

    #[test]
    fn a_weight_of_two_counts_as_the_row_twice() {
        let (matrix, real) = rows(40, 3);
        let mut twice = Matrix::with_rows(80);
        (0..3).for_each(|column| twice.push(&[matrix.column(column), matrix.column(column)].concat()));
        let target = binary(&real);
        let doubled = fit(&twice, &[&target[..], &target[..]].concat(), None, &logistic(1.0, 0.0)).unwrap().model;
        let weighted = fit(&matrix, &target, Some(&[2.0; 40]), &logistic(1.0, 0.0)).unwrap().model;
        let difference = add_scaled(&doubled.weights, -1.0, &weighted.weights);
        assert!(absolute_sum(&difference) < 1e-10, "{doubled:?} {weighted:?}");
    }

    #[test]
    fn one_row_scores_as_in_a_batch_to_the_bit_also_when_read_back() {
        let (matrix, real) = rows(2_500, 7);
        let model = fit(&matrix, &binary(&real), None, &logistic(1.0, 0.0)).unwrap().model;
        let read_back: LinearModel = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        let mut row = vec![0.0; 7];
        for (index, raw) in model.predict_raw(&matrix).into_iter().enumerate() {
            matrix.row_into(index, &mut row);
            assert_eq!(raw.to_bits(), read_back.raw_row(&row).to_bits());
        }
    }

    #[test]
    fn one_thread_and_three_agree_to_the_bit() {
        for (row_count, columns, l1_ratio) in [(5_000, 9, 0.0), (5_000, 9, 0.5), (1_100, 301, 0.0)] {
            let (matrix, real) = rows(row_count, columns);
            let with_threads = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| fit(&matrix, &binary(&real), None, &logistic(0.01, l1_ratio)).unwrap())
            };
            let (one, three) = (with_threads(1), with_threads(3));
            assert!(one.converged, "{} {}", one.iterations, one.gradient_norm);
            assert_eq!(one, three);
        }
    }

    #[test]
    fn contributions_lead_from_the_average_row_to_the_score() {
        let model = LinearModel { intercept: 0.5, weights: vec![2.0, -1.0] };
        let (row, means) = ([3.0, 4.0], [1.0, 6.0]);
        assert_eq!(model.contributions(&row, &means), [4.0, 2.0]);
        assert_eq!(model.raw_row(&means) + 6.0, model.raw_row(&row));
    }

    // Not from saga: its stopping rule looks at the weights only, and leaves the intercept too early when all are 0.
    #[test]
    fn a_penalty_above_all_slopes_leaves_the_log_odds_of_the_share() {
        let log_odds = (22.0_f64 / 18.0).ln();
        check(logistic(0.1, 1.0), None, [log_odds, 0.0, 0.0, 0.0], 1e-12);
    }

    #[test]
    fn no_columns_leave_the_log_odds_of_the_share() {
        let fitted = fit(&Matrix::with_rows(4), &[1.0, 0.0, 0.0, 0.0], None, &LinearSettings::default()).unwrap();
        assert!(fitted.converged && (fitted.model.intercept - (1.0_f64 / 3.0).ln()).abs() < 1e-12);
    }

    #[test]
    fn a_class_of_next_to_no_weight_and_an_overflow_are_not_called_converged_by_accident() {
        let (matrix, real) = rows(40, 3);
        let target = binary(&real);
        let faint: Vec<f64> = target.iter().map(|&value| if value == 1.0 { 1.0 } else { 1e-30 }).collect();
        assert!(fit(&matrix, &target, Some(&faint), &LinearSettings::default()).unwrap().model.intercept > 20.0);
        let mut huge = matrix.clone();
        huge.values[0] = 1e300;
        assert!(!fit(&huge, &target, None, &squared(1.0, 0.0)).unwrap().converged);
    }

    #[test]
    fn what_cannot_be_fitted_is_named() {
        let (matrix, real) = rows(40, 3);
        let target = binary(&real);
        let refuse = |matrix: &Matrix, target: &[f64], weights: Option<&[f64]>, settings| {
            fit(matrix, target, weights, &settings).unwrap_err()
        };
        let plain = LinearSettings::default();
        assert_eq!(refuse(&Matrix::with_rows(0), &[], None, plain), LinearError::NoRows);
        assert_eq!(refuse(&matrix, &[1.0; 40], None, plain), LinearError::OneClass);
        assert_eq!(refuse(&matrix, &target, Some(&target), plain), LinearError::OneClass);
        assert!(matches!(refuse(&matrix, &real, None, plain), LinearError::Target { row: 1, .. }));
        assert!(matches!(refuse(&matrix, &target[1..], None, plain), LinearError::Lengths { found: 39, .. }));
        assert!(matches!(refuse(&matrix, &target, Some(&[-1.0; 40]), plain), LinearError::Weight { row: 0, .. }));
        assert!(matches!(refuse(&matrix, &target, None, logistic(0.0, 0.0)), LinearError::Setting { name: "c", .. }));
        let mut with_gap = matrix.clone();
        with_gap.values[45] = f64::NAN;
        let gap = refuse(&with_gap, &target, None, plain);
        assert!(matches!(gap, LinearError::NotFinite { column: 1, row: 5, .. }), "{gap}");
    }
}
