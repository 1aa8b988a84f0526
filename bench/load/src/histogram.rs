//! Times in buckets that widen with the time, because millions of latencies cannot be kept and sorted, while an
//! average over them says nothing about the slow ones.

use std::time::Duration;

/// Buckets per doubling: a bucket is at most 1/128 of its values wide, so its middle is off by at most 0.4 %.
const STEPS: u64 = 128;
const STEPS_BITS: u32 = STEPS.trailing_zeros();
/// Longer times (18 minutes) count as this long; a run is shorter.
const NANOSECONDS_MAX: u64 = (1 << 40) - 1;

/// Durations, counted. Quantiles are within 0.4 % (exact below 256 ns), mean and maximum exact.
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum_nanoseconds: u128,
    max_nanoseconds: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; bucket(NANOSECONDS_MAX) + 1], count: 0, sum_nanoseconds: 0, max_nanoseconds: 0 }
    }
}

impl Histogram {
    pub fn add(&mut self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(NANOSECONDS_MAX).min(NANOSECONDS_MAX);
        self.counts[bucket(nanoseconds)] += 1;
        self.count += 1;
        self.sum_nanoseconds += u128::from(nanoseconds);
        self.max_nanoseconds = self.max_nanoseconds.max(nanoseconds);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The smallest time that at least `share` (0..=1) of all times do not exceed (nearest rank). 0 if there are none.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = ((share * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        Duration::from_nanos(found.map_or(0, middle).min(self.max_nanoseconds))
    }

    pub fn mean(&self) -> Duration {
        let mean = self.sum_nanoseconds.checked_div(u128::from(self.count)).unwrap_or(0);
        Duration::from_nanos(mean as u64)
    }

    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max_nanoseconds)
    }
}

/// Below 2 * STEPS a bucket a nanosecond; above, STEPS buckets from each power of two to the next.
fn bucket(nanoseconds: u64) -> usize {
    let doublings = (nanoseconds | STEPS).ilog2() - STEPS_BITS;
    (u64::from(doublings) * STEPS + (nanoseconds >> doublings)) as usize
}

fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return bucket;
    }
    let doublings = bucket / STEPS - 1;
    let low = (bucket - doublings * STEPS) << doublings;
    low + (1 << doublings) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: [f64; 6] = [0.001, 0.5, 0.9, 0.99, 0.999, 1.0];

    fn check(times: impl Iterator<Item = u64>) {
        let mut sorted: Vec<u64> = times.collect();
        let mut histogram = Histogram::default();
        sorted.iter().for_each(|&time| histogram.add(Duration::from_nanos(time)));
        sorted.sort_unstable();
        for share in SHARES {
            let exact = sorted[((share * sorted.len() as f64).ceil() as usize).max(1) - 1] as f64;
            let found = histogram.quantile(share).as_nanos() as f64;
            assert!((found - exact).abs() <= 0.01 * exact, "quantile {share}: {found} for {exact}");
        }
        let sum: u128 = sorted.iter().map(|&time| u128::from(time)).sum();
        assert_eq!(histogram.mean().as_nanos(), sum / sorted.len() as u128);
        assert_eq!(histogram.max().as_nanos() as u64, sorted[sorted.len() - 1]);
    }

    /// Xorshift: reproducible and good enough to spread times.
    fn random(seed: u64) -> impl Iterator<Item = u64> {
        std::iter::successors(Some(seed), |&state| {
            let state = state ^ (state << 13);
            let state = state ^ (state >> 7);
            Some(state ^ (state << 17))
        })
    }

    #[test]
    fn quantiles_are_within_a_hundredth_of_sorted_values() {
        check(random(1).take(100_000).map(|number| number % 1_000_000));
        check(random(2).take(100_000).map(|number| (number % 1_000_000_000).pow(2) / 1_000_000_000));
        check(random(3).take(50_000).map(|number| 1 << (number % 39)));
        check(0..1_000);
        check(std::iter::once(777_777_777));
    }

    #[test]
    fn every_bucket_holds_its_own_middle_and_the_next_one_begins_where_it_ends() {
        for index in 0..bucket(NANOSECONDS_MAX) {
            assert_eq!(bucket(middle(index)), index);
            assert!(middle(index) < middle(index + 1));
        }
    }

    #[test]
    fn no_times_and_endless_times_are_no_panic() {
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
        assert_eq!(Histogram::default().mean(), Duration::ZERO);
        let mut histogram = Histogram::default();
        histogram.add(Duration::MAX);
        assert_eq!(histogram.max(), Duration::from_nanos(NANOSECONDS_MAX));
        assert!(histogram.quantile(0.5) > Duration::from_secs(1_000));
    }
}
