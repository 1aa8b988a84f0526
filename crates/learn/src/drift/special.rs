//! The few special functions behind the p-values, to about 12 digits: enough for any decision, and no dependency.

/// The logarithm of the gamma function; `value` > 0. Source: Stirling's series after a shift to 10 and above.
pub(crate) fn ln_gamma(value: f64) -> f64 {
    let (mut shifted, mut shift) = (value, 0.0);
    while shifted < 10.0 {
        shift += shifted.ln();
        shifted += 1.0;
    }
    let inverse = 1.0 / shifted;
    let square = inverse * inverse;
    let series = inverse
        * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0))));
    (shifted - 0.5) * shifted.ln() - shifted + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - shift
}

/// The logarithm of `items` choose `chosen`; `chosen <= items`.
pub(super) fn ln_choose(items: f64, chosen: f64) -> f64 {
    ln_gamma(items + 1.0) - ln_gamma(chosen + 1.0) - ln_gamma(items - chosen + 1.0)
}

/// The share of a gamma distribution of `shape` > 0 above `value` >= 0. 0..=1; no cancellation far out.
/// Source: DLMF 8.7.1 (series) and 8.9.2 (continued fraction), switched at shape + 1.
pub(super) fn gamma_above(shape: f64, value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    if value.is_infinite() {
        return 0.0;
    }
    let scale = (shape * value.ln() - value - ln_gamma(shape)).exp();
    if value < shape + 1.0 { 1.0 - scale * series_below(shape, value) } else { scale * fraction_above(shape, value) }
}

/// The share of a chi-square distribution above `value`.
pub(super) fn chi_square_above(value: f64, degrees_of_freedom: f64) -> f64 {
    gamma_above(degrees_of_freedom / 2.0, value / 2.0)
}

/// The share of a standard normal distribution further from 0 than `distance`, on both sides.
pub(super) fn normal_beyond(distance: f64) -> f64 {
    gamma_above(0.5, distance * distance / 2.0)
}

/// The share of a standard normal distribution below `value`.
pub(super) fn normal_below(value: f64) -> f64 {
    let beyond = normal_beyond(value) / 2.0;
    if value > 0.0 { 1.0 - beyond } else { beyond }
}

// Both loops shrink by a fixed factor per step; the limit only ends them if the arguments are not numbers.
const STEPS_MAX: usize = 100_000;

fn series_below(shape: f64, value: f64) -> f64 {
    let (mut term, mut sum, mut step) = (1.0 / shape, 1.0 / shape, shape);
    for _ in 0..STEPS_MAX {
        step += 1.0;
        term *= value / step;
        sum += term;
        if term < sum * 1e-16 {
            break;
        }
    }
    sum
}

/// Lentz's evaluation, which needs no start from the far end.
fn fraction_above(shape: f64, value: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut denominator = value + 1.0 - shape;
    let (mut ratio, mut inverse) = (1.0 / TINY, 1.0 / denominator);
    let mut result = inverse;
    for step in 1..STEPS_MAX {
        let step = step as f64;
        let numerator = -step * (step - shape);
        denominator += 2.0;
        inverse = 1.0 / nonzero(numerator * inverse + denominator, TINY);
        ratio = nonzero(denominator + numerator / ratio, TINY);
        result *= ratio * inverse;
        if (ratio * inverse - 1.0).abs() < 1e-15 {
            break;
        }
    }
    result
}

fn nonzero(value: f64, tiny: f64) -> f64 {
    if value.abs() < tiny { tiny } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-11 * expected.abs(), "found {found:e}, expected {expected:e}");
    }

    #[test]
    fn the_gamma_function_is_the_factorial() {
        check(ln_gamma(1e-3), 6.907_178_885_383_853); // scipy.special.gammaln
        check(ln_gamma(11.0).exp(), 3_628_800.0);
        check(ln_choose(50.0, 3.0).exp(), 19_600.0);
    }

    #[test]
    fn tails_agree_with_scipy_even_far_out() {
        // scipy.stats.chi2.sf and 2 * scipy.stats.norm.sf
        check(chi_square_above(3.841_458_820_694_124, 1.0), 0.05);
        check(chi_square_above(350.0, 299.0), 0.022_512_232_894_667_028);
        check(chi_square_above(900.0, 4.0), 1.665_941_263_887_761_6e-193);
        check(normal_beyond(10.0), 1.523_970_604_832_094e-23);
        check(normal_below(-1.0), 0.158_655_253_931_457_05);
        assert_eq!((normal_below(40.0), normal_below(f64::NEG_INFINITY)), (1.0, 0.0));
        assert_eq!((gamma_above(2.0, 0.0), gamma_above(2.0, f64::INFINITY)), (1.0, 0.0));
    }
}
