//! A chart that adds up small evidence, and how often it gives a false alarm: "one in 500 days" instead of a number of
//! sigmas that nobody can translate.
//!
//! The chart takes standardised numbers (see `season`), which the run length assumes to be independent and standard
//! normal while nothing happens. Heavy tails, neighbours that resemble each other, and a centre and spread learned from
//! little history (some hundred values are little) bring alarms sooner than it says.

use serde::{Deserialize, Serialize};

use super::special::normal_below;

/// Cells of the Markov chain, coarse and fine: the error falls with their square, so the two together tell most of what
/// is left of it. The cost is the third power.
const CELLS: [usize; 2] = [51, 101];
/// Where coarse and fine differ by more than this share, cells are too wide to believe either. Below it the result is
/// within 3 %, measured against 401 and 801 cells.
const COARSE_ERROR_MAX: f64 = 0.2;
/// A longer run is asked by mistake: 10 million windows of an hour are 1,100 years.
pub const RUN_LENGTH_MAX: f64 = 1e7;

/// Which changes alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Up,
    Down,
    Both,
}

/// A cumulative sum (Page 1954): finds a lasting shift soonest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cusum {
    pub direction: Direction,
    /// What is forgiven per number, in standard deviations: half the shift to be found.
    pub slack: f64,
    /// An alarm beyond it, in standard deviations.
    pub level: f64,
    /// The sums so far; at least 0.
    pub high: f64,
    pub low: f64,
}

impl Cusum {
    pub fn new(direction: Direction, slack: f64, level: f64) -> Cusum {
        Cusum { direction, slack, level, high: 0.0, low: 0.0 }
    }

    /// Takes the next number; whether that is an alarm. It lasts until the sums fall again. What is not finite is left
    /// out.
    pub fn see(&mut self, standardised: f64) -> bool {
        if standardised.is_finite() {
            self.high = (self.high + standardised - self.slack).max(0.0);
            self.low = (self.low - standardised - self.slack).max(0.0);
        }
        match self.direction {
            Direction::Up => self.high > self.level,
            Direction::Down => self.low > self.level,
            Direction::Both => self.high.max(self.low) > self.level,
        }
    }
}

/// The average number of values until a CUSUM alarms, if they are normal with mean `shift` and deviation 1. `None` if
/// slack or level is negative or an argument not finite. For both directions the sums' alarms are added as if one
/// never waits for the other, which is exact for a slack above 0. `None` also if the level is so high for a small
/// slack that the chain's cells are too wide. O(cells^3). Source: Brook & Evans 1972.
pub fn cusum_run_length(direction: Direction, slack: f64, level: f64, shift: f64) -> Option<f64> {
    if !(slack >= 0.0 && level >= 0.0 && (slack + level + shift).is_finite()) {
        return None;
    }
    let up = || refined(|cells| one_cusum(slack, level, shift, cells));
    let down = || refined(|cells| one_cusum(slack, level, -shift, cells));
    match direction {
        Direction::Up => up(),
        Direction::Down => down(),
        Direction::Both => Some(1.0 / (1.0 / up()? + 1.0 / down()?)),
    }
}

/// What both numbers of cells together say. Source: Richardson 1911.
fn refined(run_length_of: impl Fn(usize) -> Option<f64>) -> Option<f64> {
    let [coarse, fine] = CELLS;
    let error_ratio = (fine as f64 / coarse as f64).powi(2);
    let (rough, better) = (run_length_of(coarse)?, run_length_of(fine)?);
    let believable = (better - rough).abs() <= COARSE_ERROR_MAX * rough;
    believable.then(|| better + (better - rough) / (error_ratio - 1.0))
}

/// From 0. The lowest cell is the sum of 0 with half a cell above it.
fn one_cusum(slack: f64, level: f64, shift: f64, cells: usize) -> Option<f64> {
    // A level of 0 leaves one cell, and alarms at the first number above the slack.
    let width = 2.0 * level / (2 * cells - 1) as f64;
    let edge = |cell: usize| if cell == 0 { f64::NEG_INFINITY } else { width * (cell as f64 - 0.5) };
    let step_to = |cell: usize, from: usize| normal_below(edge(cell) - width * from as f64 + slack - shift);
    average_steps(step_to, cells)?.first().copied()
}

/// The average number of steps from each cell until the chain leaves them. `below(edge, from)`: the chance to step
/// from a cell to under the lower edge of another; the last edge is the upper end. `None` if it never leaves.
fn average_steps(below: impl Fn(usize, usize) -> f64, cells: usize) -> Option<Vec<f64>> {
    let row = |from: usize| -> Vec<f64> {
        let under: Vec<f64> = (0..=cells).map(|edge| below(edge, from)).collect();
        let stays = |cell: usize| if cell == from { 1.0 } else { 0.0 };
        (0..cells).map(|cell| stays(cell) - (under[cell + 1] - under[cell])).collect()
    };
    solve((0..cells).map(row).collect(), vec![1.0; cells])
}

/// Gaussian elimination. No row needs to be exchanged: each diagonal outweighs its row, as for every chain that leaves.
fn solve(mut rows: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    for pivot in 0..right.len() {
        let (above, below) = rows.split_at_mut(pivot + 1);
        let (pivot_row, pivot_right) = (&above[pivot], right[pivot]);
        if pivot_row[pivot] <= 0.0 || pivot_row[pivot].is_nan() {
            return None;
        }
        for (offset, row) in below.iter_mut().enumerate() {
            let factor = row[pivot] / pivot_row[pivot];
            row[pivot..].iter_mut().zip(&pivot_row[pivot..]).for_each(|(cell, above)| *cell -= factor * above);
            right[pivot + 1 + offset] -= factor * pivot_right;
        }
    }
    for pivot in (0..right.len()).rev() {
        let known: f64 = rows[pivot][pivot + 1..].iter().zip(&right[pivot + 1..]).map(|(cell, x)| cell * x).sum();
        right[pivot] = (right[pivot] - known) / rows[pivot][pivot];
    }
    right.iter().all(|steps| steps.is_finite()).then_some(right)
}

#[cfg(test)]
mod tests {
    use super::super::sampling::normal;
    use super::super::season::RobustScale;
    use super::*;
    use crate::bootstrap::SplitMix64;

    fn check(found: Option<f64>, expected: f64, tolerance: f64) {
        let found = found.unwrap();
        assert!((found / expected - 1.0).abs() < tolerance, "found {found}, expected {expected}");
    }

    /// The mean run of 4,000 charts until the first alarm.
    fn simulated(mut alarms: impl FnMut(&mut SplitMix64) -> u32) -> f64 {
        let mut random = SplitMix64::new(17);
        (0..4_000).map(|_| f64::from(alarms(&mut random))).sum::<f64>() / 4_000.0
    }

    fn run_of(mut see: impl FnMut(f64) -> bool, random: &mut SplitMix64) -> u32 {
        let mut run = 1;
        while !see(normal(random)) {
            run += 1;
        }
        run
    }

    #[test]
    fn cusum_run_lengths_are_the_published_ones() {
        // Two-sided, slack .5 (Montgomery, Statistical Quality Control, table 9.3).
        let published = [
            (4.0, 0.0, 168.0),
            (5.0, 0.0, 465.0),
            (4.0, 0.25, 74.2),
            (5.0, 0.5, 38.0),
            (4.0, 1.0, 8.38),
            (5.0, 1.0, 10.4),
            (5.0, 2.0, 4.01),
        ];
        for (level, shift, expected) in published {
            check(cusum_run_length(Direction::Both, 0.5, level, shift), expected, 0.005);
        }
        check(cusum_run_length(Direction::Up, 0.5, 4.0, 0.0), 335.4, 5e-4);
        check(cusum_run_length(Direction::Up, 0.5, 5.0, 0.0), 930.9, 5e-4);
        // A level of 0 alarms at the first number above the slack: 1 / P(z > .5).
        check(cusum_run_length(Direction::Down, 0.5, 0.0, 0.0), 3.2411, 1e-3);
    }

    #[test]
    fn a_chart_alarms_as_often_as_its_run_length_says() {
        for direction in [Direction::Up, Direction::Down, Direction::Both] {
            let found = simulated(|random| {
                let mut chart = Cusum::new(direction, 0.5, 4.0);
                run_of(|value| chart.see(value), random)
            });
            check(cusum_run_length(direction, 0.5, 4.0, 0.0), found, 0.05);
        }
    }

    #[test]
    fn a_scale_learned_from_little_history_alarms_early_more_often() {
        // A false alarm once in 200 values on average.
        let chart = Cusum::new(Direction::Both, 0.5, 4.171);
        let alarms_early = |history: usize| {
            simulated(|random| {
                let values: Vec<f64> = (0..history).map(|_| normal(random)).collect();
                let (scale, mut chart) = (RobustScale::learn(&values).unwrap(), chart);
                u32::from((0..30).any(|_| chart.see(scale.standardise(normal(random)))))
            })
        };
        let (little, much) = (alarms_early(30), alarms_early(2_000));
        // Measured: 35 % after 30 values of history, 19 % after 100, 13 % after 2,000.
        assert!(much < 0.16 && little > 1.8 * much, "30: {little}, 2,000: {much}");
    }

    #[test]
    fn a_shift_alarms_soon_and_what_is_not_finite_is_left_out() {
        let mut cusum = Cusum::new(Direction::Both, 0.5, 5.0);
        let alarms: Vec<bool> = [-2.0; 6].iter().map(|&value| cusum.see(value)).collect();
        assert_eq!(alarms, [false, false, false, true, true, true]);
        assert!(cusum.see(f64::NAN) && cusum.low == 9.0);
        assert!(!Cusum::new(Direction::Up, 0.5, 1.0).see(-100.0));
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        assert_eq!(cusum_run_length(Direction::Up, 0.5, -1.0, 0.0), None);
        assert_eq!(cusum_run_length(Direction::Up, f64::NAN, 4.0, 0.0), None);
        assert_eq!(cusum_run_length(Direction::Both, 0.0, 1_000.0, 0.0), None, "cells are too wide without slack");
    }
}
