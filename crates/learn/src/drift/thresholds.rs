//! Limits that are learned from quiet time instead of taken from a book: what counts as far depends on how many rows
//! there are, how rows of one day resemble each other and how Sundays differ from Mondays. All of that is in the
//! training period's own windows, so a window of live rows is compared with them.

use serde::{Deserialize, Serialize};

use super::profile::Profile;
use super::sampling::thin;
use super::statistics::Statistic;
use super::tally::Tally;
use crate::bootstrap::SplitMix64;
use std::ops::Range;

/// With fewer windows the windows of training say too little about the next one: our choice, two weeks of days.
pub const WINDOWS_MIN: usize = 14;
/// More resamples than this only repeat the same windows.
const REPLICATES_MAX: usize = 10_000;
/// The resampled values above which the tail is fitted: a tenth, as Knijnenburg et al. 2009 have it at the most.
const TAIL_SHARE: f64 = 0.1;
/// Resampled values kept below the tail: half a percent apart, and 4 kB of JSON for each statistic of a column.
const VALUES_KEPT: usize = 200;
/// A tail is held to be at least so heavy: some weeks of windows that resemble each other never show the worst, and an
/// exponential tail would be sure of what it has not seen. Our choice.
const SHAPE_MIN: f64 = 0.15;
/// Share of the windows on each side of a stretch that are left out of its reference, because they resemble it more than
/// windows long past resemble a live one (a mean over 30 days moves slowly).
const MARGIN: usize = 4;
/// A heavier tail than this has no variance, and is then more likely a bad fit. Our choice.
const SHAPE_MAX: f64 = 0.5;

/// What is asked of a window before it alarms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmRule {
    /// A window with fewer rows is not judged.
    pub rows_min: u64,
    /// A q-value at or below it is suspicious: the share of false ones among the suspicious features, at most.
    pub q_max: f64,
    /// So many suspicious windows in a row are an alarm.
    pub windows: u32,
}

impl Default for AlarmRule {
    /// Conventions of ours: few rows make every estimate of a share useless, and two windows forgive one odd day.
    fn default() -> AlarmRule {
        AlarmRule { rows_min: 200, q_max: 0.05, windows: 2 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not judged; neither ends nor prolongs a streak.
    TooFewRows,
    Quiet,
    /// Suspicious for fewer windows in a row than the rule asks for.
    Suspicious,
    Drifting,
}

/// How many windows in a row a feature has been suspicious.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    pub windows: u32,
}

impl Streak {
    /// Takes the next window's rows and q-value; a NaN is not suspicious.
    pub fn see(&mut self, rule: &AlarmRule, rows: u64, q_value: f64) -> Verdict {
        if rows < rule.rows_min {
            return Verdict::TooFewRows;
        }
        if q_value > rule.q_max || q_value.is_nan() {
            self.windows = 0;
            return Verdict::Quiet;
        }
        self.windows = self.windows.saturating_add(1);
        if self.windows >= rule.windows { Verdict::Drifting } else { Verdict::Suspicious }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuietSettings {
    /// Rows of a window to come. Missing ones count.
    pub rows: u64,
    /// Resamples; 500 to 2,000 are of use, at most [`REPLICATES_MAX`] are made.
    pub replicates: usize,
    pub seed: u64,
}

/// What a statistic does without drift, for windows of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quiet {
    pub statistic: Statistic,
    /// Of the windows it was learned for.
    pub rows: u64,
    /// Resampled values, ascending, evenly thinned out to at most [`VALUES_KEPT`].
    values: Vec<f64>,
    tail: Tail,
}

/// A generalized Pareto tail from `start` on; a shape of 0 is an exponential one, a scale of 0 no tail at all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Tail {
    start: f64,
    scale: f64,
    shape: f64,
    /// Of the resamples, and the window itself as one more, that lie above `start`.
    share: f64,
}

/// Learns, for each statistic of the column, what it does between training and windows of `settings.rows` rows while
/// nothing drifts. windows: tallies of equal stretches of training time (days, hours), oldest first.
///
/// A replicate takes a stretch of neighbouring windows from a random place, as many as hold the rows (at most half of
/// all), thins it to the rows without replacement, and compares it with all windows outside the stretch, as a live
/// window is with training. So neighbouring windows stay together, seasons and days of odd customers with them.
/// Empty with fewer than [`WINDOWS_MIN`] windows with rows, or without rows or replicates; a statistic that most
/// replicates lack is left out. O(replicates * (bins + windows)). Deterministic.
/// Source: Politis, Romano & Wolf 1999 (subsampling of neighbouring blocks).
pub fn learn_quiet(profile: &Profile, windows: &[Tally], settings: &QuietSettings) -> Vec<Quiet> {
    learn_quiet_of_slots(profile, windows, &vec![0; windows.len()], settings)
}

/// The same where a window is compared with the windows of its own slots only (weekdays, hours of the week): so is each
/// replicate. slots: one for each window. Replicates with nothing left to compare with are left out.
pub fn learn_quiet_of_slots(
    profile: &Profile,
    windows: &[Tally],
    slots: &[usize],
    settings: &QuietSettings,
) -> Vec<Quiet> {
    let bins = profile.training().counts.len();
    let whole = |(one, _): &(&Tally, &usize)| one.rows() > 0 && one.counts.len() == bins;
    let (windows, slots): (Vec<&Tally>, Vec<usize>) = windows.iter().zip(slots).filter(whole).unzip();
    let seasonal = slots.iter().any(|slot| Some(slot) != slots.first());
    if windows.len() < WINDOWS_MIN || settings.rows == 0 {
        return Vec::new();
    }
    let all = merged(&windows);
    let mut random = SplitMix64::new(settings.seed);
    let statistics = Statistic::of_kind(profile);
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); statistics.len()];
    let replicates = settings.replicates.min(REPLICATES_MAX);
    for _ in 0..replicates {
        let (near, stretch) = stretch(&windows, settings.rows, random.below(windows.len()));
        let current = thinned(&merged(&windows[stretch.clone()]), settings.rows, &mut random);
        let reference = match seasonal {
            false => all.without(&merged(&windows[near])),
            true => {
                let alike = |at: &usize| !near.contains(at) && slots[stretch.clone()].contains(&slots[*at]);
                merged(&(0..windows.len()).filter(alike).map(|at| windows[at]).collect::<Vec<_>>())
            }
        };
        if reference.rows() == 0 {
            continue;
        }
        for (statistic, values) in statistics.iter().zip(&mut values) {
            values.extend(statistic.value(profile, &reference, &current).filter(|value| value.is_finite()));
        }
    }
    let learned = statistics.iter().zip(values).filter(|(_, values)| 2 * values.len() > replicates);
    learned.map(|(&statistic, values)| Quiet::new(statistic, settings.rows, values)).collect()
}

impl Quiet {
    fn new(statistic: Statistic, rows: u64, mut values: Vec<f64>) -> Quiet {
        values.sort_unstable_by(f64::total_cmp);
        let tail = Tail::fit(&values);
        let apart = values.len().div_ceil(VALUES_KEPT).max(1);
        let values = values.into_iter().skip(apart / 2).step_by(apart).collect();
        Quiet { statistic, rows, values, tail }
    }

    /// How often a window without drift shows this value or a higher one: the share of resamples that do, counting the
    /// window itself as one more. Above the tail's start the share that lies there times the fitted tail, so that a
    /// p-value can be smaller than one in all resamples. Never 0; falls as `observed` rises; 1 for NaN.
    pub fn p_value(&self, observed: f64) -> f64 {
        if observed.is_nan() {
            return 1.0;
        }
        if observed > self.tail.start {
            return (self.tail.share * self.tail.above(observed)).max(f64::MIN_POSITIVE);
        }
        let below = self.values.partition_point(|value| *value < observed);
        let as_high = (self.values.len() - below + 1) as f64 / (self.values.len() + 1) as f64;
        as_high.max(self.tail.share)
    }

    /// The value that windows without drift pass with this probability: where to draw a line in a chart. `p_value` of
    /// it is `probability`, as closely as the resamples allow; `None` if no value is that rare (a statistic that never
    /// moved, or a probability of 0).
    pub fn value_at(&self, probability: f64) -> Option<f64> {
        let (mut low, mut high) = (0.0, self.tail.start.max(1e-9));
        while self.p_value(high) > probability && high < 1e12 {
            high *= 2.0;
        }
        for _ in 0..100 {
            let middle = (low + high) / 2.0;
            if self.p_value(middle) > probability { low = middle } else { high = middle }
        }
        (self.p_value(high) <= probability).then_some(high)
    }
}

impl Tail {
    /// By probability-weighted moments of what exceeds the highest [`TAIL_SHARE`]. A tail that ends is not believed
    /// (its shape is held at [`SHAPE_MIN`]): a few windows do not prove that nothing worse can come. Source: Hosking & Wallis 1987.
    fn fit(sorted: &[f64]) -> Tail {
        let first = sorted.len() - (sorted.len() as f64 * TAIL_SHARE) as usize;
        let start = first.checked_sub(1).and_then(|last| sorted.get(last)).copied().unwrap_or(0.0);
        let share = (sorted.iter().filter(|value| **value > start).count() + 1) as f64 / (sorted.len() + 1) as f64;
        let excesses: Vec<f64> = sorted.iter().skip(first).map(|value| value - start).collect();
        let count = excesses.len() as f64;
        if count < 2.0 {
            return Tail { start, scale: 0.0, shape: 0.0, share };
        }
        let mean = excesses.iter().sum::<f64>() / count;
        let weigh = |(rank, excess): (usize, &f64)| excess * (count - 1.0 - rank as f64) / (count - 1.0);
        let weighted = excesses.iter().enumerate().map(weigh).sum::<f64>() / count;
        let shape = 2.0 - mean / (mean - 2.0 * weighted);
        let shape = if shape.is_finite() { shape.clamp(SHAPE_MIN, SHAPE_MAX) } else { SHAPE_MIN };
        Tail { start, scale: mean * (1.0 - shape), shape, share }
    }

    /// The share of the tail above `value`.
    fn above(&self, value: f64) -> f64 {
        if self.scale <= 0.0 {
            return 1.0;
        }
        let excess = (value - self.start) / self.scale;
        if self.shape < 1e-6 { (-excess).exp() } else { (1.0 + self.shape * excess).powf(-1.0 / self.shape) }
    }
}

/// The q-value of each p-value, in their order: the share of false ones if this and all smaller ones are called drift.
/// NaN counts as 1. O(n log n). Source: Benjamini & Hochberg 1995; holds for features that rise and fall together.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let known = |feature: &usize| if p_values[*feature].is_nan() { 1.0 } else { p_values[*feature] };
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|left, right| known(left).total_cmp(&known(right)));
    let (mut q_values, mut smallest) = (vec![1.0; p_values.len()], 1.0f64);
    for (rank, feature) in order.iter().enumerate().rev() {
        smallest = smallest.min(known(feature) * p_values.len() as f64 / (rank + 1) as f64);
        q_values[*feature] = smallest;
    }
    q_values
}

/// Places of the windows from `start` on that hold the rows (at the end of time it grows backwards), and before it those with
/// their neighbours on both sides.
fn stretch(windows: &[&Tally], rows: u64, start: usize) -> (Range<usize>, Range<usize>) {
    let (mut from, mut to, mut held) = (start, start, 0);
    while held < rows && to - from < windows.len() / 2 {
        let next = if to < windows.len() {
            to += 1;
            to - 1
        } else {
            from -= 1;
            from
        };
        held += windows[next].rows();
    }
    let margin = windows.len() / MARGIN;
    let near = from.saturating_sub(margin)..(to + margin).min(windows.len());
    // Something must be left to compare with.
    let near = if near.len() * 4 > windows.len() * 3 { from..to } else { near };
    (near, from..to)
}

fn merged(windows: &[&Tally]) -> Tally {
    let mut all = windows.first().map_or_else(Tally::default, |first| (*first).clone());
    for window in windows.iter().skip(1) {
        // All have the profile's bins: `learn_quiet` leaves out others.
        let _same_bins = all.merge(window);
    }
    all
}

/// `rows` of the tally's rows, missing ones among them; all if there are fewer.
fn thinned(tally: &Tally, rows: u64, random: &mut SplitMix64) -> Tally {
    let mut counts = tally.counts.clone();
    counts.push(tally.missing);
    let mut drawn = thin(&counts, rows, random);
    let missing = drawn.pop().unwrap_or(0);
    tally.with_counts(drawn, missing)
}

#[cfg(test)]
mod tests {
    use super::super::profile::NumberProfile;
    use super::super::sampling::normal;
    use super::*;

    const DAY_ROWS: usize = 1_000;

    /// A day's rows: Sundays differ, every day has a mood of its own, and `shift` is the drift.
    fn day(number: usize, shift: f64, random: &mut SplitMix64) -> Vec<f64> {
        let sunday = if number % 7 == 6 { 0.5 } else { 0.0 };
        let mood = 0.1 * normal(random);
        (0..DAY_ROWS).map(|_| normal(random) + sunday + mood + shift).collect()
    }

    fn trained(days: usize, random: &mut SplitMix64) -> (NumberProfile, Vec<Tally>) {
        let days: Vec<Vec<f64>> = (0..days).map(|number| day(number, 0.0, random)).collect();
        let profile = NumberProfile::learn(&days.concat(), 32).unwrap();
        let windows = days.iter().map(|values| tallied(&profile, values)).collect();
        (profile, windows)
    }

    fn tallied(profile: &NumberProfile, values: &[f64]) -> Tally {
        let mut tally = profile.tally();
        values.iter().for_each(|&value| profile.add(&mut tally, value));
        tally
    }

    fn settings(rows: usize) -> QuietSettings {
        QuietSettings { rows: rows as u64, replicates: 1_000, seed: 3 }
    }

    /// p-values of each statistic over days to come.
    fn p_values_of_days(rows: usize, shift: f64) -> Vec<(Statistic, Vec<f64>)> {
        let mut random = SplitMix64::new(11);
        let (profile, windows) = trained(182, &mut random);
        let kept = Profile::Numbers(profile.clone());
        let quiet = learn_quiet(&kept, &windows, &settings(rows));
        let live: Vec<Tally> =
            (0..1_000).map(|number| tallied(&profile, &day(number, shift, &mut random)[..rows])).collect();
        let p_value = |quiet: &Quiet, tally: &Tally| {
            quiet.p_value(quiet.statistic.value(&kept, &profile.training, tally).unwrap_or(f64::NAN))
        };
        let of = |quiet: &Quiet| (quiet.statistic, live.iter().map(|tally| p_value(quiet, tally)).collect());
        quiet.iter().map(of).collect()
    }

    fn share_at_or_below(p_values: &[f64], level: f64) -> f64 {
        p_values.iter().filter(|&&found| found <= level).count() as f64 / p_values.len() as f64
    }

    #[test]
    fn among_like_weekdays_a_sunday_is_quiet_and_a_sunday_like_a_monday_is_not() {
        let mut random = SplitMix64::new(5);
        let mut weekly = |number: usize, as_day: usize| -> Vec<f64> {
            let level = if as_day % 7 == 6 { 5.0 } else { 0.0 };
            day(number % 7, 0.0, &mut random).into_iter().map(|value| value + level).collect()
        };
        let days: Vec<Vec<f64>> = (0..56).map(|number| weekly(number, number)).collect();
        let profile = NumberProfile::learn(&days.concat(), 32).unwrap();
        let windows: Vec<Tally> = days.iter().map(|values| tallied(&profile, values)).collect();
        let slots: Vec<usize> = (0..56).map(|number| number % 7).collect();
        let kept = Profile::Numbers(profile.clone());
        let alike: Vec<&Tally> = windows.iter().skip(6).step_by(7).collect();
        let (alike, quiet) = (merged(&alike), learn_quiet_of_slots(&kept, &windows, &slots, &settings(DAY_ROWS)));
        let mut least = |as_day: usize| {
            let live = tallied(&profile, &weekly(6, as_day));
            let p_value = |one: &Quiet| one.p_value(one.statistic.value(&kept, &alike, &live).unwrap_or(f64::NAN));
            quiet.iter().map(p_value).fold(1.0, f64::min)
        };
        assert!(!quiet.is_empty());
        let (sunday, like_monday) = (least(6), least(0));
        assert!(sunday > 0.01 && like_monday < 0.001, "{sunday} and {like_monday}");
    }

    #[test]
    fn a_thousand_quiet_days_alarm_about_as_often_as_agreed_although_sundays_differ() {
        for rows in [DAY_ROWS, 300] {
            for (statistic, found) in p_values_of_days(rows, 0.0) {
                if statistic == Statistic::Missing {
                    continue;
                }
                let (at_5, at_1) = (share_at_or_below(&found, 0.05), share_at_or_below(&found, 0.01));
                assert!((0.02..=0.08).contains(&at_5), "{statistic:?} of {rows}: {at_5} at .05");
                assert!(at_1 <= 0.025, "{statistic:?} of {rows}: {at_1} at .01");
                assert!(share_at_or_below(&found, 0.001) <= 0.006, "{statistic:?} of {rows} at .001");
            }
        }
    }

    #[test]
    fn a_shift_beyond_what_sundays_do_is_seen_with_a_small_p_value() {
        for (statistic, found) in p_values_of_days(DAY_ROWS, 1.0) {
            if statistic != Statistic::Missing {
                let share = share_at_or_below(&found, 0.01);
                assert!(share > 0.98, "{statistic:?}: {share}");
            }
        }
    }

    #[test]
    fn the_customary_chi_square_test_would_page_all_the_time_on_the_same_days() {
        let mut random = SplitMix64::new(11);
        let (profile, _) = trained(182, &mut random);
        let naive = |number| {
            let tally = tallied(&profile, &day(number, 0.0, &mut random));
            super::super::statistics::chi_square(&profile.training, &tally).unwrap().p_value
        };
        let found: Vec<f64> = (0..200).map(naive).collect();
        let share = share_at_or_below(&found, 0.05);
        // 43 % are measured: the test takes a day's mood and every Sunday for drift.
        assert!(share > 0.35, "{share}");
    }

    #[test]
    fn fewer_rows_make_the_limits_wider() {
        let mut random = SplitMix64::new(5);
        let (profile, windows) = trained(30, &mut random);
        let profile = Profile::Numbers(profile);
        let limit = |rows| learn_quiet(&profile, &windows, &settings(rows))[0].value_at(0.01).unwrap();
        assert!(limit(200) > 1.2 * limit(1_000) && limit(1_000) > limit(5_000), "{} {}", limit(200), limit(1_000));
    }

    #[test]
    fn the_tail_goes_on_beyond_the_resamples_and_is_never_surer_than_an_exponential_one() {
        let values: Vec<f64> = (0..1_000).map(|rank| -((f64::from(rank) + 0.5) / 1_000.0).ln()).collect();
        let quiet = Quiet::new(Statistic::Psi, 100, values);
        for observed in [0.5, 2.0, 4.0, 12.0] {
            let ratio = quiet.p_value(observed).ln() / -observed;
            assert!((0.6..1.1).contains(&ratio), "{observed}: {}", quiet.p_value(observed));
        }
        assert!((quiet.p_value(quiet.value_at(1e-4).unwrap()) / 1e-4 - 1.0).abs() < 1e-6);
        let mut before = 1.0;
        for step in 0..2_000 {
            let found = quiet.p_value(f64::from(step) * 0.01);
            assert!(found <= before && found > 0.0, "{step}: {found} after {before}");
            before = found;
        }
    }

    #[test]
    fn a_heavy_tail_is_continued_as_a_heavy_one() {
        // A generalized Pareto tail of shape .3: p = (1 + .3 x)^(-1 / .3).
        let value = |p_value: f64| (p_value.powf(-0.3) - 1.0) / 0.3;
        let values = (0..2_000).map(|rank| value((f64::from(rank) + 0.5) / 2_000.0)).collect();
        let quiet = Quiet::new(Statistic::Psi, 100, values);
        assert!((quiet.tail.shape - 0.3).abs() < 0.05, "{:?}", quiet.tail);
        for expected in [0.2, 0.05, 0.001, 1e-5] {
            let found = quiet.p_value(value(expected));
            assert!((found.ln() / expected.ln() - 1.0).abs() < 0.05, "found {found}, expected {expected}");
        }
    }

    #[test]
    fn a_statistic_that_never_moved_cannot_have_a_tiny_p_value() {
        let quiet = Quiet::new(Statistic::Missing, 100, vec![0.0; 99]);
        assert_eq!((quiet.p_value(0.0), quiet.p_value(5.0), quiet.p_value(f64::NAN)), (1.0, 0.01, 1.0));
        assert_eq!(quiet.value_at(0.001), None);
    }

    #[test]
    fn too_short_a_quiet_time_teaches_nothing() {
        let mut random = SplitMix64::new(5);
        let (profile, windows) = trained(30, &mut random);
        let profile = Profile::Numbers(profile);
        assert!(learn_quiet(&profile, &windows[..WINDOWS_MIN - 1], &settings(200)).is_empty());
        assert!(learn_quiet(&profile, &windows, &settings(0)).is_empty());
        assert!(learn_quiet(&profile, &[Tally::default(), Tally::default()], &settings(10)).is_empty());
        let longer_than_all = learn_quiet(&profile, &windows, &settings(1_000_000));
        assert_eq!(longer_than_all, learn_quiet(&profile, &windows, &settings(1_000_000)), "same seed, same bits");
    }

    #[test]
    fn q_values_are_those_of_r() {
        // p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.5), "BH")
        let found = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005, 0.5]);
        for (found, expected) in found.iter().zip([0.025, 0.05, 0.05, 0.025, 0.5]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        assert_eq!(benjamini_hochberg(&[f64::NAN, 0.5]), [1.0, 1.0]);
        assert!(benjamini_hochberg(&[]).is_empty());
    }

    #[test]
    fn only_a_lasting_suspicion_is_an_alarm() {
        let (rule, mut streak) = (AlarmRule::default(), Streak::default());
        let windows = [(500, 0.01), (500, 0.2), (500, 0.05), (100, 0.9), (500, 0.001), (500, f64::NAN)];
        let found = windows.map(|(rows, q_value)| streak.see(&rule, rows, q_value));
        use Verdict::{Drifting, Quiet, Suspicious, TooFewRows};
        assert_eq!(found, [Suspicious, Quiet, Suspicious, TooFewRows, Drifting, Quiet]);
    }
}
