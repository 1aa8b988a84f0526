//! The mean of a number given a score, as a curve that only rises or only falls: what is known of the two is their order.

use serde::{Deserialize, Serialize};

/// Knots joined by straight lines, level outside them. `score` strictly ascending; both of one length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    pub score: Vec<f64>,
    pub mean: Vec<f64>,
}

/// Rows of neighbouring scores that share a mean.
struct Block {
    low: f64,
    high: f64,
    sum: f64,
    rows: f64,
}

impl Block {
    fn mean(&self) -> f64 {
        self.sum / self.rows
    }
}

impl Curve {
    /// The mean at a finite score. O(log knots).
    pub fn apply(&self, score: f64) -> f64 {
        let after = self.score.partition_point(|&knot| knot <= score);
        match after {
            0 => self.mean[0],
            end if end == self.score.len() => self.mean[end - 1],
            after => {
                let (from, to) = (self.score[after - 1], self.score[after]);
                let part = (score - from) / (to - from);
                self.mean[after - 1] + (self.mean[after] - self.mean[after - 1]) * part
            }
        }
    }
}

/// The curve closest to the values in squares, rising if score and value rise together over all rows, else falling.
/// score, value: finite, of one length (panics if not); equal scores are one observation of their mean. `None` without rows.
/// Agrees with scikit-learn's `IsotonicRegression(increasing="auto", out_of_bounds="clip")` but for how it chooses the
/// direction (ours: the sign of the covariance). O(n log n). Source: Ayer et al. 1955.
pub fn fit(score: &[f64], value: &[f64]) -> Option<Curve> {
    assert_eq!(score.len(), value.len(), "a value for each score");
    let sign = if covariance(score, value) >= 0.0 { 1.0 } else { -1.0 };
    // Adding 0.0 turns -0.0 into 0.0: equal scores must be neighbours with one name.
    let mut rows: Vec<(f64, f64)> = score.iter().zip(value).map(|(&score, &value)| (score + 0.0, value)).collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut blocks: Vec<Block> = Vec::new();
    for tied in rows.chunk_by(|a, b| a.0 == b.0) {
        let sum = tied.iter().map(|row| sign * row.1).sum();
        let mut block = Block { low: tied[0].0, high: tied[0].0, sum, rows: tied.len() as f64 };
        while let Some(previous) = blocks.pop_if(|previous| previous.mean() >= block.mean()) {
            block.low = previous.low;
            block.sum += previous.sum;
            block.rows += previous.rows;
        }
        blocks.push(block);
    }
    let mut curve = Curve { score: Vec::new(), mean: Vec::new() };
    for block in &blocks {
        let ends = if block.low < block.high { vec![block.low, block.high] } else { vec![block.low] };
        curve.mean.extend(ends.iter().map(|_| sign * block.mean()));
        curve.score.extend(ends);
    }
    (!blocks.is_empty()).then_some(curve)
}

fn covariance(score: &[f64], value: &[f64]) -> f64 {
    let rows = score.len().max(1) as f64;
    let (a, b) = (score.iter().sum::<f64>() / rows, value.iter().sum::<f64>() / rows);
    score.iter().zip(value).map(|(score, value)| (score - a) * (value - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_scikit_learn() {
        // IsotonicRegression(out_of_bounds="clip").fit([1,2,3,4,5,6], [1,3,2,4,3.5,6]).predict([0, 1, 2.5, 3.5, 5.5, 9])
        let curve = fit(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[1.0, 3.0, 2.0, 4.0, 3.5, 6.0]).unwrap();
        let found = [0.0, 1.0, 2.5, 3.5, 5.5, 9.0].map(|score| curve.apply(score));
        assert_eq!(found, [1.0, 1.0, 2.5, 3.125, 4.875, 6.0]);
    }

    #[test]
    fn a_falling_curve_is_the_rising_one_of_the_negated_values() {
        let (score, value) = ([0.1, 0.2, 0.2, 0.7, 0.9], [5.0, 5.0, 3.0, 4.5, 1.0]);
        let falling = fit(&score, &value).unwrap();
        let rising = fit(&score, &value.map(|value| -value)).unwrap();
        assert_eq!(falling.score, rising.score);
        assert!(falling.mean.iter().zip(&rising.mean).all(|(a, b)| *a == -b));
        assert!(falling.mean.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter_and_one_row_is_a_level() {
        let (score, value) = ([3.0, 1.0, 2.0, 1.0], [3.0, 1.5, 1.0, 2.5]);
        let (back, values): (Vec<f64>, Vec<f64>) = score.into_iter().zip(value).rev().unzip();
        assert_eq!(fit(&score, &value), fit(&back, &values));
        assert_eq!(fit(&[0.5], &[4.0]).unwrap().apply(9.0), 4.0);
        assert_eq!(fit(&[], &[]), None);
    }
}
