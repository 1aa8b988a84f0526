//! Sums that events enter and leave: in twice the usual precision, because a running sum that
//! subtracts would otherwise drift away from the sum of what is in the window.

use std::collections::VecDeque;

/// A number in two parts, `high + low`, about 106 bits. Source: Knuth's TwoSum, Dekker 1971.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Double {
    high: f64,
    low: f64,
}

impl Double {
    pub fn of_square(value: f64) -> Double {
        let high = value * value;
        Double { high, low: value.mul_add(value, -high) }
    }

    pub fn plus(self, other: Double) -> Double {
        let sum = self.high + other.high;
        let back = sum - self.high;
        let error = (self.high - (sum - back)) + (other.high - back);
        let low = error + self.low + other.low;
        let high = sum + low;
        Double { high, low: low - (high - sum) }
    }

    pub fn minus(self, other: Double) -> Double {
        self.plus(Double { high: -other.high, low: -other.low })
    }

    pub fn value(self) -> f64 {
        self.high + self.low
    }

    fn squared_over(self, divisor: f64) -> Double {
        let square = Double::of_square(self.high);
        let square = Double { high: square.high, low: square.low + 2.0 * self.high * self.low };
        let high = square.high / divisor;
        Double { high, low: ((-high).mul_add(divisor, square.high) + square.low) / divisor }
    }
}

impl From<f64> for Double {
    fn from(value: f64) -> Double {
        Double { high: value, low: 0.0 }
    }
}

/// What one or several events say of one input.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    pub count: u64,
    pub sum: Double,
    pub squares: Double,
    pub min: f64,
    pub max: f64,
    /// The latest value that is not null.
    pub last: f64,
}

impl Summary {
    pub const EMPTY: Summary = Summary {
        count: 0,
        sum: Double { high: 0.0, low: 0.0 },
        squares: Double { high: 0.0, low: 0.0 },
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        last: f64::NAN,
    };

    /// Squares cost as much as all the rest: they are left at 0 where no column asks for a deviation.
    pub fn of(value: f64, with_squares: bool) -> Summary {
        if value.is_nan() {
            return Summary::EMPTY;
        }
        let squares = if with_squares { Double::of_square(value) } else { Double::default() };
        Summary { count: 1, sum: value.into(), squares, min: value, max: value, last: value }
    }

    /// Both together; `later` comes after `self` in time.
    pub fn and(self, later: Summary) -> Summary {
        Summary {
            count: self.count + later.count,
            sum: self.sum.plus(later.sum),
            squares: self.squares.plus(later.squares),
            min: self.min.min(later.min),
            max: self.max.max(later.max),
            last: if later.count > 0 { later.last } else { self.last },
        }
    }
}

/// Count, sum and sum of squares of what is in a window now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Running {
    pub count: u64,
    sum: Double,
    squares: Double,
}

impl Running {
    pub fn add(&mut self, entry: &Summary) {
        self.count += entry.count;
        self.sum = self.sum.plus(entry.sum);
        if entry.squares.high != 0.0 {
            self.squares = self.squares.plus(entry.squares);
        }
    }

    pub fn remove(&mut self, entry: &Summary) {
        self.count -= entry.count;
        if self.count == 0 {
            // An empty window holds no rounding of what once was in it.
            *self = Running::default();
        } else {
            self.sum = self.sum.minus(entry.sum);
            if entry.squares.high != 0.0 {
                self.squares = self.squares.minus(entry.squares);
            }
        }
    }

    pub fn sum(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.sum.value() }
    }

    pub fn avg(&self) -> f64 {
        self.sum() / self.count as f64
    }

    pub fn stddev(&self) -> f64 {
        if self.count < 2 {
            return f64::NAN;
        }
        let count = self.count as f64;
        let spread = self.squares.minus(self.sum.squared_over(count)).value();
        // Below the rounding of the squares themselves it is 0: equal values have no spread.
        if spread <= self.squares.value() * 1e-28 { 0.0 } else { (spread / (count - 1.0)).sqrt() }
    }
}

/// The largest (or smallest) of a sliding window in amortised O(1): values that a later one exceeds
/// can never be the answer and are dropped.
#[derive(Clone, Debug, Default)]
pub struct Extreme {
    /// (sequence number, value), values falling (rising).
    candidates: VecDeque<(u64, f64)>,
}

impl Extreme {
    pub fn add(&mut self, sequence: u64, value: f64, largest: bool) {
        while self.candidates.back().is_some_and(|&(_, last)| if largest { last <= value } else { last >= value }) {
            self.candidates.pop_back();
        }
        self.candidates.push_back((sequence, value));
    }

    /// Forgets everything before `sequence`.
    pub fn forget_before(&mut self, sequence: u64) {
        while self.candidates.front().is_some_and(|&(first, _)| first < sequence) {
            self.candidates.pop_front();
        }
    }

    pub fn value(&self) -> f64 {
        self.candidates.front().map_or(f64::NAN, |&(_, value)| value)
    }

    pub fn clear(&mut self) {
        self.candidates.clear();
    }
}
