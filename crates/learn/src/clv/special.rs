//! The slope of the logarithm of the gamma function, beside that logarithm, to about 13 digits.

pub(super) use crate::drift::special::ln_gamma;

/// The slope of [`ln_gamma`]; `value` > 0. Source: the same series' derivative, DLMF 5.11.2.
pub(super) fn digamma(value: f64) -> f64 {
    let (mut shifted, mut shift) = (value, 0.0);
    while shifted < 10.0 {
        shift += 1.0 / shifted;
        shifted += 1.0;
    }
    let square = 1.0 / (shifted * shifted);
    let series = square
        * (1.0 / 12.0 - square * (1.0 / 120.0 - square * (1.0 / 252.0 - square * (1.0 / 240.0 - square / 132.0))));
    shifted.ln() - 0.5 / shifted - series - shift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-12 * expected.abs(), "found {found:e}, expected {expected:e}");
    }

    #[test]
    fn both_agree_with_scipy() {
        // scipy.special.gammaln and digamma
        check(ln_gamma(1e-3), 6.907_178_885_383_853);
        check(ln_gamma(11.0).exp(), 3_628_800.0);
        check(digamma(1e-3), -1_000.575_571_931_810_3);
        check(digamma(1.0), -0.577_215_664_901_532_9);
        check(digamma(7.3), 1.917_820_335_637_986);
        check(digamma(1e6), 13.815_510_057_964_19);
    }
}
