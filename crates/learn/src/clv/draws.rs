//! Random numbers of the few distributions that these models are made of, the same on every machine.

use crate::bootstrap::SplitMix64;
pub(super) use crate::drift::sampling::{normal, unit};

/// A stream of its own for each seed and index: neighbours of either share nothing.
pub(super) fn stream(seed: u64, index: u64) -> SplitMix64 {
    let mixed = |number| SplitMix64::new(number).next_u64();
    SplitMix64::new(mixed(mixed(seed) ^ index))
}

/// A waiting time with mean 1 / rate; infinite for a rate of 0.
pub(super) fn exponential(rate: f64, random: &mut SplitMix64) -> f64 {
    let waited = -(1.0 - unit(random)).ln();
    if rate > 0.0 { waited / rate } else { f64::INFINITY }
}

/// A number of the gamma distribution with mean shape / rate; NaN unless shape is a number above 0.
/// Source: Marsaglia & Tsang 2000, with their step from shape + 1 for shapes below 1.
pub(super) fn gamma(shape: f64, rate: f64, random: &mut SplitMix64) -> f64 {
    if !(shape > 0.0 && shape.is_finite()) {
        return f64::NAN;
    }
    let boost = if shape < 1.0 { (1.0 - unit(random)).powf(1.0 / shape) } else { 1.0 };
    let third = if shape < 1.0 { shape + 2.0 / 3.0 } else { shape - 1.0 / 3.0 };
    let width = 1.0 / (9.0 * third).sqrt();
    loop {
        let bell = normal(random);
        let cube = (1.0 + width * bell).powi(3);
        if cube > 0.0 && (1.0 - unit(random)).ln() < 0.5 * bell * bell + third * (1.0 - cube + cube.ln()) {
            return boost * third * cube / rate;
        }
    }
}

/// A number of the beta distribution with mean a / (a + b).
pub(super) fn beta(a: f64, b: f64, random: &mut SplitMix64) -> f64 {
    let (left, right) = (gamma(a, 1.0, random), gamma(b, 1.0, random));
    if left + right > 0.0 {
        return left / (left + right);
    }
    // Both were too small for a double: the distribution sits in its two ends.
    if unit(random) * (a + b) < a { 1.0 } else { 0.0 }
}

/// Above this mean a rounded normal number is taken; at a spread of 32 neither rounding nor skewness shows.
const COUNTED_MEAN_MAX: f64 = 1_000.0;

/// How many events of a Poisson process happen where `mean` are expected; 0 for a mean that is no number above 0,
/// at most `u32::MAX`. O(mean), bounded.
pub(super) fn poisson(mean: f64, random: &mut SplitMix64) -> u32 {
    if mean.is_nan() || mean <= 0.0 {
        return 0;
    }
    if mean > COUNTED_MEAN_MAX {
        // Turning a float into a whole number saturates at both ends.
        return (mean + mean.sqrt() * normal(random)).round() as u32;
    }
    let (mut events, mut passed) = (0, exponential(1.0, random));
    while passed < mean {
        events += 1;
        passed += exponential(1.0, random);
    }
    events
}

/// How many tries there are up to and with the first hit; `u32::MAX` if there is hardly any chance of one.
pub(super) fn tries(chance: f64, random: &mut SplitMix64) -> u32 {
    let failed = (1.0 - unit(random)).ln() / (-chance).ln_1p();
    (failed.ceil() as u32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 200_000;

    /// Mean and variance within five standard errors or so.
    fn check(mean: f64, variance: f64, mut draw: impl FnMut(&mut SplitMix64) -> f64) {
        let mut random = stream(3, 1);
        let values: Vec<f64> = (0..DRAWS).map(|_| draw(&mut random)).collect();
        let found = values.iter().sum::<f64>() / DRAWS as f64;
        let spread = values.iter().map(|value| (value - found).powi(2)).sum::<f64>() / DRAWS as f64;
        assert!((found - mean).abs() < 5.0 * (variance / DRAWS as f64).sqrt(), "mean {found}, expected {mean}");
        assert!((spread / variance - 1.0).abs() < 0.06, "variance {spread}, expected {variance}");
    }

    #[test]
    fn means_and_variances_are_those_of_the_books() {
        check(0.0, 1.0, normal);
        check(2.0, 4.0, |random| exponential(0.5, random));
        for shape in [0.2, 1.0, 7.5] {
            check(shape / 3.0, shape / 9.0, |random| gamma(shape, 3.0, random));
        }
        check(0.25, 0.25 * 0.75 / 3.0, |random| beta(0.5, 1.5, random));
        for mean in [0.3, 40.0, 5_000.0] {
            check(mean, mean, |random| f64::from(poisson(mean, random)));
        }
        check(4.0, 0.75 / 0.0625, |random| f64::from(tries(0.25, random)));
    }

    #[test]
    fn the_ends_of_every_range_give_a_number() {
        let mut random = stream(1, 1);
        assert_eq!((poisson(0.0, &mut random), poisson(f64::NAN, &mut random)), (0, 0));
        assert_eq!((tries(1.0, &mut random), tries(0.0, &mut random)), (1, u32::MAX));
        assert_eq!(exponential(0.0, &mut random), f64::INFINITY);
        assert!((0..1_000).all(|_| (0.0..=1.0).contains(&beta(1e-9, 1e-9, &mut random))));
        assert!(gamma(0.0, 1.0, &mut random).is_nan());
    }

    #[test]
    fn neighbouring_streams_are_unrelated() {
        let mut first: Vec<u64> = (0..4).map(|at| stream(at / 2, at % 2).next_u64()).collect();
        first.dedup();
        assert_eq!(first.len(), 4);
        assert_eq!(stream(9, 9).next_u64(), stream(9, 9).next_u64());
    }
}
