//! Goes down to the optimum by L-BFGS, which learns how the objective bends from the steps it has made.

use std::collections::VecDeque;

use super::SparseRows;
use super::model::{LogisticFit, LogisticModel, LogisticSettings, logistic, softmax};

/// Steps that L-BFGS remembers; 5 to 20 is the usual range (Nocedal & Wright 2006, section 7.2).
const LBFGS_STEPS: usize = 10;
/// Halvings of a step before giving up: 2^-40 of a step moves nothing that matters.
const HALVINGS_MAX: i32 = 40;
/// What is lost in the sum of an objective, as a share of it: 1,000 additions and as many again, with room to spare.
const ROUNDING: f64 = 100.0 * f64::EPSILON;

/// Searches from `start` on. The arguments have been checked.
pub(super) fn search(
    rows: &SparseRows,
    labels: &[u32],
    settings: &LogisticSettings,
    start: LogisticModel,
) -> LogisticFit {
    // Not f64::max, which would drop a NaN and call an overflow converged.
    let larger = |norm: f64, part: &f64| if part.abs() > norm || part.is_nan() { part.abs() } else { norm };
    let norm = |point: &Point| point.gradient.iter().fold(0.0, larger);
    let mut point = evaluate(rows, labels, settings.c, start);
    let mut steps = VecDeque::new();
    let mut iterations = 0;
    while norm(&point) > settings.tolerance && iterations < settings.iterations_max {
        let direction = direction(&steps, &point.gradient);
        let Some((next, change)) = step(rows, labels, settings.c, &point, &direction) else { break };
        remember(&mut steps, change, &point, &next);
        point = next;
        iterations += 1;
    }
    let gradient_norm = norm(&point);
    LogisticFit { model: point.model, iterations, converged: gradient_norm <= settings.tolerance, gradient_norm }
}

/// A place on the way down: the objective divided by `c` and the number of rows, so that its size hangs on neither.
struct Point {
    model: LogisticModel,
    value: f64,
    /// Intercepts, then weights.
    gradient: Vec<f64>,
}

/// A step that L-BFGS remembers.
struct Step {
    change: Vec<f64>,
    gradient_change: Vec<f64>,
    /// Their product, above 0.
    product: f64,
}

fn evaluate(rows: &SparseRows, labels: &[u32], c: f64, model: LogisticModel) -> Point {
    let outputs = model.intercepts.len();
    let share = 1.0 / rows.len() as f64;
    let ridge = share / c;
    let mut gradient = vec![0.0; outputs + model.weights.len()];
    let (intercept_slopes, weight_slopes) = gradient.split_at_mut(outputs);
    weight_slopes.iter_mut().zip(&model.weights).for_each(|(slope, weight)| *slope = ridge * weight);
    let mut value = ridge / 2.0 * dot(&model.weights, &model.weights);
    if outputs == 1 {
        add_two_class_rows(rows, labels, &model, &mut value, &mut intercept_slopes[0], weight_slopes);
        return Point { model, value, gradient };
    }
    let mut scores = vec![0.0; outputs];
    for (row, &label) in labels.iter().enumerate() {
        scores.copy_from_slice(&model.intercepts);
        model.add_raw(rows.row(row), &mut scores);
        value += share * loss_and_slopes(&mut scores, label as usize);
        scores.iter_mut().for_each(|slope| *slope *= share);
        intercept_slopes.iter_mut().zip(&scores).for_each(|(sum, slope)| *sum += slope);
        for (column, value) in rows.row(row) {
            let sums = &mut weight_slopes[column as usize * outputs..][..outputs];
            sums.iter_mut().zip(&scores).for_each(|(sum, slope)| *sum += slope * value);
        }
    }
    Point { model, value, gradient }
}

/// Loss and slopes of all rows where one output says it all: most models are of two classes, and most of a fit is here.
fn add_two_class_rows(
    rows: &SparseRows,
    labels: &[u32],
    model: &LogisticModel,
    value: &mut f64,
    intercept_slope: &mut f64,
    weight_slopes: &mut [f64],
) {
    let share = 1.0 / rows.len() as f64;
    for (row, &label) in labels.iter().enumerate() {
        let (columns, values) = rows.cells(row);
        let products = columns.iter().zip(values).map(|(&column, value)| model.weights[column as usize] * value);
        let mut score = [model.intercepts[0] + products.sum::<f64>()];
        *value += share * loss_and_slopes(&mut score, label as usize);
        let slope = share * score[0];
        *intercept_slope += slope;
        columns.iter().zip(values).for_each(|(&column, value)| weight_slopes[column as usize] += slope * value);
    }
}

/// The log-loss of one row; turns its raw scores into the slopes of that loss.
fn loss_and_slopes(scores: &mut [f64], label: usize) -> f64 {
    if let [raw] = scores {
        // exp(-|raw|) never overflows, and the loss of a well-placed row keeps all its digits.
        let target = label as f64;
        let loss = raw.max(0.0) - target * *raw + (-raw.abs()).exp().ln_1p();
        *raw = logistic(*raw) - target;
        return loss;
    }
    let own = scores[label];
    let log_total = softmax(scores);
    scores[label] -= 1.0;
    log_total - own
}

/// Down the slope as the remembered steps bend it. Source: Nocedal & Wright 2006, algorithm 7.4.
fn direction(steps: &VecDeque<Step>, gradient: &[f64]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut lengths = vec![0.0; steps.len()];
    for (step, length) in steps.iter().zip(&mut lengths).rev() {
        *length = dot(&step.change, &direction) / step.product;
        add_scaled(&mut direction, -*length, &step.gradient_change);
    }
    let scale = match steps.back() {
        Some(last) => last.product / dot(&last.gradient_change, &last.gradient_change),
        // The loss bends by a quarter at most where rows have length 1: a first step in units of that.
        None => 4.0,
    };
    direction.iter_mut().for_each(|part| *part *= scale);
    for (step, length) in steps.iter().zip(&lengths) {
        let back = dot(&step.gradient_change, &direction) / step.product;
        add_scaled(&mut direction, length - back, &step.change);
    }
    direction
}

/// Halves the step until the objective falls by a ten-thousandth of what the slope promises (Armijo). Near the optimum
/// the fall is lost in rounding; a step that rises by no more than that is taken. Returns the change with the place.
fn step(rows: &SparseRows, labels: &[u32], c: f64, point: &Point, direction: &[f64]) -> Option<(Point, Vec<f64>)> {
    let promised = dot(&point.gradient, direction);
    let rounding = ROUNDING * point.value.abs();
    let try_length = |halvings: i32| {
        let length = 0.5_f64.powi(halvings);
        let change: Vec<f64> = direction.iter().map(|part| part * length).collect();
        let mut model = point.model.clone();
        model.parameters().zip(&change).for_each(|(parameter, change)| *parameter += change);
        let next = evaluate(rows, labels, c, model);
        (next.value <= point.value + 1e-4 * length * promised + rounding).then_some((next, change))
    };
    (0..HALVINGS_MAX).find_map(try_length)
}

fn remember(steps: &mut VecDeque<Step>, change: Vec<f64>, before: &Point, after: &Point) {
    let gradient_change: Vec<f64> = after.gradient.iter().zip(&before.gradient).map(|(a, b)| a - b).collect();
    let product = dot(&change, &gradient_change);
    // A convex objective bends up; what does not is rounding, and would spoil the next direction.
    if product > f64::EPSILON * dot(&gradient_change, &gradient_change) {
        steps.push_back(Step { change, gradient_change, product });
    }
    if steps.len() > LBFGS_STEPS {
        steps.pop_front();
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four sums beside each other: one alone waits for each addition to end.
    let mut sums = [0.0; 4];
    let (a_blocks, b_blocks) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a_blocks.remainder().iter().zip(b_blocks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_blocks.zip(b_blocks) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}

fn add_scaled(to: &mut [f64], scale: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += scale * what);
}
