//! How often the largest gap between two samples of one distribution is as wide as the one seen: counted path by path
//! for small samples, and from the distribution of one sample's gap for large ones.

use std::f64::consts::PI;

use super::special::{ln_choose, ln_gamma};

/// The chance that the empirical distributions of two samples of `longer` and `shorter` rows differ somewhere by
/// `gap / (longer * shorter)` or more; no ties are assumed, so with ties the chance is overstated. 0..=1; `gap` of 0
/// gives 1. Memory: shorter. Cost: O(longer * shorter * gap's share). Source: Hodges 1958, as a share of paths that
/// touched the bounds, which has no cancellation.
pub(super) fn two_sample_tail(longer: u64, shorter: u64, gap: u64) -> f64 {
    let divisor = greatest_common_divisor(longer, shorter);
    let (step_long, step_short) = ((longer / divisor) as i64, (shorter / divisor) as i64);
    let bound = (gap / divisor) as i64;
    if bound == 0 {
        return 1.0;
    }
    // The share of paths to (x, y) that touched the bounds; a point outside is touched by definition.
    let mut touched = vec![1.0f64; shorter as usize + 1];
    for x in 0..=longer as i64 {
        let lowest = ((x * step_short - bound).div_euclid(step_long) + 1).max(0);
        let highest = (x * step_short + bound - 1).div_euclid(step_long).min(shorter as i64);
        let mut before = if lowest == 0 { 0.0 } else { 1.0 };
        for y in lowest..=highest {
            let from_left = touched[y as usize] * x as f64 + before * y as f64;
            before = if x + y == 0 { 0.0 } else { from_left / (x + y) as f64 };
            touched[y as usize] = before;
        }
    }
    touched[shorter as usize]
}

/// The chance that one sample of `rows` >= 1 rows leaves its continuous distribution by `gap` or more. 0..=1.
/// Exact where that is cheap, else within 1e-6. Source: Simard & L'Ecuyer 2011, whose choice of formula by region
/// scipy's `kstwo` follows too.
pub(super) fn one_sample_tail(rows: u64, gap: f64) -> f64 {
    let count = rows as f64;
    let gap_rows = count * gap;
    let squared = gap_rows * gap;
    if gap_rows <= 0.5 {
        return 1.0;
    }
    // Beyond 370 the chance is below 1e-308.
    if gap >= 1.0 || (rows > 140 && squared >= 370.0) {
        return 0.0;
    }
    if gap_rows <= 1.0 {
        return 1.0 - (ln_gamma(count + 1.0) - count * count.ln() + count * (2.0 * gap_rows - 1.0).ln()).exp();
    }
    let both_sides_at_once_are_rare = squared >= if rows > 140 { 2.2 } else { 4.0 };
    if gap >= 0.5 || both_sides_at_once_are_rare {
        return (2.0 * one_sided_tail(rows, gap)).min(1.0);
    }
    let inside = if rows <= 140 || (rows <= 100_000 && count * gap.powf(1.5) <= 1.4) {
        durbin(rows, gap)
    } else {
        pelz_good(count, gap)
    };
    (1.0 - inside).clamp(0.0, 1.0)
}

/// The chance that the sample is above by `gap` or more. O(rows). Source: Birnbaum & Tingey 1951.
fn one_sided_tail(rows: u64, gap: f64) -> f64 {
    let count = rows as f64;
    let term = |below: u64| {
        let share = below as f64 / count;
        let rest = 1.0 - gap - share;
        if rest <= 0.0 {
            // At the far end 0^0 counts as 1 and every other power of 0 as nothing.
            return if below == rows { gap * (gap + share).powf(count - 1.0) } else { 0.0 };
        }
        let logarithm = ln_choose(count, below as f64)
            + (below as f64 - 1.0) * (gap + share).ln()
            + (count - below as f64) * rest.ln();
        gap * logarithm.exp()
    };
    let last = (count * (1.0 - gap)).floor() as u64;
    (0..=last).map(term).sum::<f64>().clamp(0.0, 1.0)
}

/// The chance to stay inside, exactly. O(m^3 log rows) for m = 2 * rows * gap. Source: Marsaglia, Tsang & Wang 2003.
fn durbin(rows: u64, gap: f64) -> f64 {
    let count = rows as f64;
    let half = (count * gap).ceil() as usize;
    let matrix = durbin_matrix(half, half as f64 - count * gap);
    let (power, power_of_two) = matrix.power(rows, half - 1);
    let centre = power.at(half - 1, half - 1);
    // rows! / rows^rows, with the matrix's scale, in logarithms: neither fits a double.
    let logarithm = centre.ln() + f64::from(power_of_two) * 2f64.ln() + ln_gamma(count + 1.0) - count * count.ln();
    logarithm.exp().clamp(0.0, 1.0)
}

fn durbin_matrix(half: usize, rest: f64) -> Square {
    let size = 2 * half - 1;
    let mut inverse_factorial = vec![1.0; size + 1];
    for order in 1..=size {
        inverse_factorial[order] = inverse_factorial[order - 1] / order as f64;
    }
    let mut matrix = Square { size, cells: vec![0.0; size * size] };
    for row in 0..size {
        for column in 0..size.min(row + 2) {
            let order = row + 1 - column;
            matrix.cells[row * size + column] = inverse_factorial[order];
        }
    }
    for (order, factor) in inverse_factorial.iter().enumerate().take(size).skip(1) {
        let edge = (1.0 - rest.powi(order as i32)) * factor;
        matrix.cells[(order - 1) * size] = edge;
        matrix.cells[(size - 1) * size + size - order] = edge;
    }
    let corner = 1.0 - 2.0 * rest.powi(size as i32) + (2.0 * rest - 1.0).max(0.0).powi(size as i32);
    matrix.cells[(size - 1) * size] = corner * inverse_factorial[size];
    matrix
}

#[derive(Clone)]
struct Square {
    size: usize,
    cells: Vec<f64>,
}

impl Square {
    fn at(&self, row: usize, column: usize) -> f64 {
        self.cells[row * self.size + column]
    }

    fn times(&self, other: &Square) -> Square {
        let mut cells = vec![0.0; self.cells.len()];
        for (row, result) in self.cells.chunks_exact(self.size).zip(cells.chunks_exact_mut(self.size)) {
            for (&factor, from) in row.iter().zip(other.cells.chunks_exact(self.size)) {
                result.iter_mut().zip(from).for_each(|(cell, &value)| *cell += factor * value);
            }
        }
        Square { size: self.size, cells }
    }

    /// The matrix multiplied by itself, and the power of two that the result still has to be multiplied by: the cell
    /// at `centre` of the diagonal is kept small enough for a double.
    fn power(&self, exponent: u64, centre: usize) -> (Square, i32) {
        let mut result = Square { size: self.size, cells: vec![0.0; self.cells.len()] };
        (0..self.size).for_each(|row| result.cells[row * self.size + row] = 1.0);
        let (mut base, mut left) = (self.clone(), exponent);
        let (mut result_scale, mut base_scale) = (0, 0);
        while left > 0 {
            if left % 2 == 1 {
                result = result.times(&base);
                result_scale += base_scale + result.rescale(centre);
            }
            base = base.times(&base);
            base_scale = 2 * base_scale + base.rescale(centre);
            left /= 2;
        }
        (result, result_scale)
    }

    fn rescale(&mut self, centre: usize) -> i32 {
        const STEP: i32 = 256;
        if self.at(centre, centre) < 2f64.powi(STEP) {
            return 0;
        }
        self.cells.iter_mut().for_each(|cell| *cell *= 2f64.powi(-STEP));
        STEP
    }
}

/// The chance to stay inside, for many rows. Source: Pelz & Good 1976, four terms.
fn pelz_good(rows: f64, gap: f64) -> f64 {
    let z = rows.sqrt() * gap;
    let z2 = z * z;
    let (z4, z6) = (z2 * z2, z2 * z2 * z2);
    let pi2 = PI * PI;
    let root = (2.0 * PI).sqrt();
    let (mut odd, mut whole) = ([0.0; 4], [0.0; 2]);
    let terms = (16.0 * z / PI).ceil() as i32 + 1;
    for term in 1..=terms {
        let m2 = f64::from(2 * term - 1).powi(2);
        let p = pi2 * m2;
        let weight = (-p / (8.0 * z2)).exp();
        odd[0] += weight;
        odd[1] += weight * (p / 4.0 - z2);
        odd[2] += weight * (6.0 * z6 + 2.0 * z4 + (2.0 * z4 - 5.0 * z2) * p / 4.0 + (1.0 - 2.0 * z2) * p * p / 16.0);
        let cubic = (5.0 - 30.0 * z2) * p * p * p / 64.0 + (212.0 * z4 - 60.0 * z2) * p * p / 16.0;
        odd[3] += weight * (cubic + (135.0 * z4 - 96.0 * z6) * p / 4.0 - 30.0 * z6 - 90.0 * z4 * z4);
        let k2 = f64::from(term).powi(2);
        let weight = (-pi2 * k2 / (2.0 * z2)).exp();
        whole[0] += weight * k2;
        whole[1] += weight * k2 * (3.0 * z2 - pi2 * k2);
    }
    let first = root / z * odd[0];
    let second = root / (6.0 * z4) * odd[1];
    let third = root / (72.0 * z6 * z) * odd[2] - pi2 * root / (36.0 * z2 * z) * whole[0];
    let fourth = root / (6480.0 * z6 * z4) * odd[3] + pi2 * root / (216.0 * z6) * whole[1];
    first + second / rows.sqrt() + third / rows + fourth / (rows * rows.sqrt())
}

pub(super) fn greatest_common_divisor(mut left: u64, mut right: u64) -> u64 {
    while right > 0 {
        (left, right) = (right, left % right);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_one_sample_agrees_with_scipy_in_every_region() {
        // scipy.stats.kstwo.sf(gap, rows), scipy 1.17.1
        let expected = [
            (1, 0.7, 0.6),
            (2, 0.3, 0.98),
            (5, 0.15, 0.9988),
            (5, 0.5, 0.112),
            (5, 0.9, 2e-5),
            (20, 0.22, 0.248_650_736_784_455_15),
            (100, 0.05, 0.953_215_971_063_572_5),
            (100, 0.08, 0.518_219_364_548_067_2),
            (100, 0.15, 0.019_839_242_125_643_017),
            (100, 0.3, 1.771_986_989_266_291_7e-8),
            (700, 0.6, 1.695_812_466_889_493e-241),
            (837, 0.02, 0.884_425_101_044_845),
            (837, 0.04, 0.133_658_631_747_996_64),
            (837, 0.05, 0.029_409_843_229_903_587),
            (837, 0.1, 9.718_474_600_266_59e-8),
            (3_000, 0.01, 0.922_085_502_287_938_6),
            (50_000, 0.003, 0.757_900_044_348_714_7),
            (50_000, 0.0065, 0.029_123_491_051_929_684),
            (50_000, 0.0067, 0.022_363_069_377_216_67),
            (50_000, 0.02, 8.355_878_735_420_47e-18),
            (200_000, 0.001, 0.988_150_020_885_572_9),
        ];
        for (rows, gap, expected) in expected {
            let found = one_sample_tail(rows, gap);
            assert!((found / expected - 1.0).abs() < 1e-8, "{rows} {gap}: found {found:e}, expected {expected:e}");
        }
        assert_eq!((one_sample_tail(10, 0.0), one_sample_tail(10, 1.0)), (1.0, 0.0));
    }

    #[test]
    fn small_samples_are_counted_path_by_path() {
        // Of the 6 ways to mix 2 and 2 rows, 2 keep each sample together (gap 1) and 6 have a gap of a half.
        assert!((two_sample_tail(2, 2, 4) - 2.0 / 6.0).abs() < 1e-15);
        assert!((two_sample_tail(2, 2, 2) - 1.0).abs() < 1e-15);
        assert_eq!(two_sample_tail(3, 2, 0), 1.0);
        // Only the two orders that keep the samples apart have a gap of 1: 2 of C(5, 2) = 10.
        assert!((two_sample_tail(3, 2, 6) - 0.2).abs() < 1e-15);
        // scipy.stats.ks_2samp(method="exact") of samples with these gaps
        let expected = [
            (30, 20, 200, 0.119_012_884_675_169_54),
            (30, 20, 340, 0.000_503_316_329_651_574_8),
            (97, 53, 1_500, 0.004_324_715_157_295_465_5),
            (97, 53, 900, 0.210_824_380_434_057_1),
            (1_000, 1_000, 60_000, 0.054_626_665_107_015_26),
            (5_000, 3_001, 620_000, 0.003_192_726_350_511_066_2),
            (10_000, 9_999, 2_100_000, 0.023_797_332_459_577_044),
            (1_200, 1, 700, 0.834_304_746_044_962_3),
        ];
        for (longer, shorter, gap, expected) in expected {
            let found = two_sample_tail(longer, shorter, gap);
            assert!((found / expected - 1.0).abs() < 1e-9, "{longer} {shorter} {gap}: found {found:e}");
        }
    }
}
