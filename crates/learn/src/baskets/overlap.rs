//! How surprising it is that two things share so many baskets, if each had drawn its own by lot: Fisher's exact test.
//!
//! Logarithms of factorials of a million differ by less than their own rounding, so probabilities are put together
//! from deviations instead: 10 digits and more, for any counts. Source: Loader 2000, as in R's dhyper.

use std::f64::consts::PI;

/// Of `baskets`, `left` hold one thing, `right` another, and `both` hold the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    pub baskets: u32,
    pub left: u32,
    pub right: u32,
    pub both: u32,
}

impl Overlap {
    /// The chance of `both` or more shared baskets, given the three other counts. 0..=1, 0 below 1e-308; left and
    /// right can be exchanged to the bit. `left`, `right` <= `baskets`; `both` <= `left`, `right`.
    /// Cost: one step per possible count between `both` and 9 standard deviations further out.
    pub(super) fn p_value(self) -> f64 {
        let draws = Draws::new(self);
        if self.both <= draws.lowest() {
            return 1.0;
        }
        let expected = f64::from(draws.small) * f64::from(draws.large) / f64::from(draws.baskets);
        // The smaller tail is the one that is summed up: nothing cancels in it.
        let p_value = if f64::from(self.both) > expected {
            draws.at_least(self.both)
        } else {
            1.0 - draws.at_most(self.both - 1)
        };
        p_value.clamp(0.0, 1.0)
    }
}

/// The hypergeometric distribution: of `baskets`, `small` are marked and `large` drawn, or the other way round.
#[derive(Clone, Copy)]
struct Draws {
    baskets: u32,
    small: u32,
    large: u32,
}

impl Draws {
    fn new(overlap: Overlap) -> Draws {
        let (left, right) = (overlap.left, overlap.right);
        Draws { baskets: overlap.baskets, small: left.min(right), large: left.max(right) }
    }

    /// The least that can be shared.
    fn lowest(&self) -> u32 {
        self.small.saturating_sub(self.baskets - self.large)
    }

    /// How much likelier `both` + 1 are than `both`.
    fn ratio_up(&self, both: u32) -> f64 {
        let left_out = f64::from(self.baskets - self.large) - f64::from(self.small) + f64::from(both);
        f64::from(self.small - both) * f64::from(self.large - both) / ((f64::from(both) + 1.0) * (left_out + 1.0))
    }

    fn at_least(&self, both: u32) -> f64 {
        let ratios = (both..self.small).map(|count| self.ratio_up(count));
        self.probability(both) * sum_of_products(ratios)
    }

    fn at_most(&self, both: u32) -> f64 {
        let ratios = (self.lowest()..both).rev().map(|count| 1.0 / self.ratio_up(count));
        self.probability(both) * sum_of_products(ratios)
    }

    /// The chance of exactly `both`, which can be shared.
    fn probability(&self, both: u32) -> f64 {
        let [baskets, small, large, both] = [self.baskets, self.small, self.large, both].map(f64::from);
        if self.large == self.baskets || self.small == 0 {
            return 1.0;
        }
        let (share, other_share) = (large / baskets, (baskets - large) / baskets);
        let marked = ln_binomial(both, small, share, other_share);
        let unmarked = ln_binomial(large - both, baskets - small, share, other_share);
        (marked + unmarked - ln_binomial(large, baskets, share, other_share)).exp()
    }
}

/// 1 + r1 + r1 * r2 + .., until nothing is added any more; the ratios fall.
fn sum_of_products(ratios: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut product) = (1.0, 1.0);
    for ratio in ratios {
        product *= ratio;
        sum += product;
        if product < sum * 1e-17 {
            break;
        }
    }
    sum
}

/// The logarithm of the chance of `hits` in `trials`, each with chance `share` = 1 - `other_share`, neither being 0.
fn ln_binomial(hits: f64, trials: f64, share: f64, other_share: f64) -> f64 {
    let misses = trials - hits;
    if hits == 0.0 {
        return -deviance(trials, trials * other_share) - trials * share;
    }
    if misses == 0.0 {
        return -deviance(trials, trials * share) - trials * other_share;
    }
    let errors = stirling_error(trials) - stirling_error(hits) - stirling_error(misses);
    let spread = (2.0 * PI * hits).ln() + (-hits / trials).ln_1p();
    errors - deviance(hits, trials * share) - deviance(misses, trials * other_share) - 0.5 * spread
}

/// found * ln(found / expected) + expected - found, without cancellation where the two are close; both above 0.
fn deviance(found: f64, expected: f64) -> f64 {
    let (difference, sum) = (found - expected, found + expected);
    if difference.abs() >= 0.1 * sum {
        return found * (found / expected).ln() - difference;
    }
    let (step, mut odd) = ((difference / sum).powi(2), 1.0);
    let (mut term, mut total) = (2.0 * found * difference / sum, difference * difference / sum);
    // Each term is a hundredth of the one before or less.
    for _ in 0..10 {
        term *= step;
        odd += 2.0;
        total += term / odd;
    }
    total
}

/// What Stirling's formula leaves out of the logarithm of a whole number's factorial.
fn stirling_error(number: f64) -> f64 {
    if number <= 15.0 {
        // Up to 15! a factorial is exact in a double.
        let factorial: f64 = (2..=number as u32).map(f64::from).product();
        return if number == 0.0 {
            0.0
        } else {
            (factorial / (2.0 * PI * number).sqrt()).ln() - number * (number.ln() - 1.0)
        };
    }
    let square = 1.0 / (number * number);
    (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0)))) / number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p_value(baskets: u32, left: u32, right: u32, both: u32) -> f64 {
        Overlap { baskets, left, right, both }.p_value()
    }

    #[test]
    fn small_tables_can_be_done_by_hand() {
        // The lady tasting tea: 3 or 4 of 4 cups right are 17 of 70 ways.
        let check = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        check(p_value(8, 4, 4, 4), 1.0 / 70.0);
        check(p_value(8, 4, 4, 3), 17.0 / 70.0);
        check(p_value(8, 4, 4, 1), 69.0 / 70.0);
        check(p_value(2, 1, 1, 1), 0.5);
    }

    #[test]
    fn what_cannot_be_otherwise_is_no_surprise() {
        for (baskets, left, right, both) in [(9, 9, 4, 4), (9, 0, 4, 0), (9, 7, 6, 4), (9, 9, 9, 9), (0, 0, 0, 0)] {
            assert_eq!(p_value(baskets, left, right, both), 1.0);
        }
        assert_eq!(p_value(u32::MAX, u32::MAX, u32::MAX, u32::MAX), 1.0);
    }

    #[test]
    fn the_two_sides_can_be_exchanged_to_the_bit() {
        for both in 0..=40 {
            assert_eq!(p_value(1_000, 40, 300, both).to_bits(), p_value(1_000, 300, 40, both).to_bits());
        }
    }

    #[test]
    fn one_more_shared_basket_is_never_less_surprising() {
        for (baskets, left, right) in [(60, 20, 30), (5_000, 400, 700), (100_000, 300, 50)] {
            let tails: Vec<f64> = (0..=left.min(right)).map(|both| p_value(baskets, left, right, both)).collect();
            assert!(tails.windows(2).all(|pair| pair[0] >= pair[1]), "{baskets} {left} {right}: {tails:?}");
        }
    }

    #[test]
    fn a_surprise_beyond_all_doubles_is_zero() {
        assert_eq!(p_value(1_000_000, 10_000, 10_000, 5_000), 0.0);
    }
}
