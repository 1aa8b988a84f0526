//! What a column looked like in training, small enough to keep with the model: the bins that live rows are counted
//! into, one row at a time and without keeping any.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tally::Tally;

/// Finer bins add noise to every statistic; 64 of equal count still tell a shift of 2 % of the rows. A convention.
pub const NUMBER_BINS_MAX: usize = 64;
/// Words with a bin of their own.
pub const WORDS_MAX: usize = 200;
/// Rarer words whose hashes are kept, so that a word never seen in training can be told from them: 80 kB. A column
/// with more distinct words is an identifier or free text, where a new word means nothing.
pub const RARE_WORDS_MAX: usize = 10_000;

/// A column of either kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Profile {
    Numbers(NumberProfile),
    Words(WordProfile),
}

/// A column of numbers in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberProfile {
    /// Ascending. Bin 0 is below the first cut, bin i holds what is at or above cut i - 1 and below cut i, the last
    /// bin is above the range. A frequent value has a bin from itself to the next number that a double can hold, so
    /// JSON must carry every digit (serde_json: `float_roundtrip`).
    pub cuts: Vec<f64>,
    pub lowest: f64,
    pub highest: f64,
    pub mean: f64,
    /// Population form.
    pub deviation: f64,
    pub median: f64,
    /// The median distance from the median, not scaled.
    pub median_deviation: f64,
    pub training: Tally,
}

/// A column of words in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordProfile {
    /// Those with a bin of their own, sorted. After their bins come one for rarer words and one for unseen words.
    pub words: Vec<String>,
    /// Sorted hashes of the rarer words; `None` if they were too many, and every other word counts as rare.
    pub rare: Option<Vec<u64>>,
    pub training: Tally,
}

impl Profile {
    pub fn training(&self) -> &Tally {
        match self {
            Profile::Numbers(numbers) => &numbers.training,
            Profile::Words(words) => &words.training,
        }
    }
}

impl NumberProfile {
    /// values: training rows in any order; NaN and infinities count as missing. bins: wished for, at most
    /// [`NUMBER_BINS_MAX`], about equally full; each value that would fill one alone gets its own, and then the gap
    /// after it is a bin too (at most twice `bins` in all). `None` without a finite value. O(n log n).
    pub fn learn(values: &[f64], bins: usize) -> Option<NumberProfile> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (lowest, highest) = (*sorted.first()?, *sorted.last()?);
        let mean = sorted.iter().map(|value| value / sorted.len() as f64).sum::<f64>();
        let square = sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / sorted.len() as f64;
        let median = middle(&sorted);
        let cuts = cuts(&sorted, bins.clamp(1, NUMBER_BINS_MAX));
        let mut distances: Vec<f64> = sorted.iter().map(|value| (value - median).abs()).collect();
        distances.sort_unstable_by(f64::total_cmp);
        let training = Tally::of_numbers(cuts.len() + 1);
        let (deviation, median_deviation) = (square.sqrt(), middle(&distances));
        let mut profile = NumberProfile { cuts, lowest, highest, mean, deviation, median, median_deviation, training };
        let mut training = profile.tally();
        values.iter().for_each(|&value| profile.add(&mut training, value));
        profile.training = training;
        Some(profile)
    }

    /// An empty tally of this profile's bins.
    pub fn tally(&self) -> Tally {
        Tally::of_numbers(self.cuts.len() + 1)
    }

    /// Counts one row. A tally of another profile is left as it is. O(log bins).
    pub fn add(&self, tally: &mut Tally, value: f64) {
        if !value.is_finite() {
            tally.missing += 1;
            return;
        }
        let bin = self.cuts.partition_point(|cut| *cut <= value);
        let cut = self.cuts.get(bin.saturating_sub(1)).copied().unwrap_or(value);
        let (Some(count), Some(offset)) = (tally.counts.get_mut(bin), tally.offsets.get_mut(bin)) else {
            return;
        };
        *count += 1;
        *offset += (value - cut).abs();
        tally.sum += value - self.mean;
        tally.sum_of_squares += (value - self.mean).powi(2);
    }

    /// The mean of a tally's values; `None` if it has none.
    pub fn mean_of(&self, tally: &Tally) -> Option<f64> {
        (tally.present() > 0).then(|| self.mean + tally.sum / tally.present() as f64)
    }

    /// The share of a tally's values outside the range of training, 0..=1; `None` if it has none.
    pub fn share_outside(&self, tally: &Tally) -> Option<f64> {
        let outside = tally.counts.first()? + tally.counts.last()?;
        (tally.present() > 0).then(|| outside as f64 / tally.present() as f64)
    }
}

impl WordProfile {
    /// words: training rows, `None` where missing. top: words that get a bin, at most [`WORDS_MAX`], the most
    /// frequent ones, of equals the first in the alphabet. Empty input gives a profile to which every word is
    /// unseen. O(n log distinct).
    pub fn learn(words: &[Option<&str>], top: usize) -> WordProfile {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        words.iter().flatten().for_each(|word| *counts.entry(word).or_default() += 1);
        let mut ranked: Vec<(&str, u64)> = counts.into_iter().collect();
        // A stable sort of words in the alphabet's order.
        ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let rest = ranked.split_off(top.min(WORDS_MAX).min(ranked.len()));
        let mut kept: Vec<String> = ranked.into_iter().map(|(word, _)| word.to_owned()).collect();
        kept.sort_unstable();
        let rare = (rest.len() <= RARE_WORDS_MAX).then(|| {
            let mut hashes: Vec<u64> = rest.iter().map(|(word, _)| hash(word)).collect();
            hashes.sort_unstable();
            hashes
        });
        let mut profile = WordProfile { words: kept, rare, training: Tally::default() };
        let mut training = profile.tally();
        words.iter().for_each(|word| profile.add(&mut training, *word));
        profile.training = training;
        profile
    }

    /// An empty tally of this profile's bins.
    pub fn tally(&self) -> Tally {
        Tally::of_words(self.words.len() + 2)
    }

    /// Counts one row. A tally of another profile is left as it is. O(log words).
    pub fn add(&self, tally: &mut Tally, word: Option<&str>) {
        let Some(word) = word else {
            tally.missing += 1;
            return;
        };
        let seen = || self.rare.as_ref().is_none_or(|hashes| hashes.binary_search(&hash(word)).is_ok());
        let bin = match self.words.binary_search_by(|other| other.as_str().cmp(word)) {
            Ok(bin) => bin,
            Err(_) if seen() => self.words.len(),
            Err(_) => self.words.len() + 1,
        };
        if let Some(count) = tally.counts.get_mut(bin) {
            *count += 1;
        }
    }

    /// The share of a tally's words that training never saw, 0..=1; `None` if it has none.
    pub fn share_unseen(&self, tally: &Tally) -> Option<f64> {
        let unseen = *tally.counts.last()?;
        (tally.present() > 0).then(|| unseen as f64 / tally.present() as f64)
    }
}

/// Values as frequent as a bin is full are cut out; the others are cut where equally many rows have passed.
fn cuts(sorted: &[f64], bins: usize) -> Vec<f64> {
    let full = sorted.len().div_ceil(bins).max(2);
    let runs = || sorted.chunk_by(|left, right| left == right);
    let frequent = runs().filter(|run| run.len() >= full);
    let mut cuts: Vec<f64> = frequent.flat_map(|run| [run[0], run[0].next_up()]).collect();
    let points = cuts.len() / 2;
    let rest: Vec<f64> = runs().filter(|run| run.len() < full).flatten().copied().collect();
    let quantiles = bins.saturating_sub(points).max(1);
    cuts.extend((1..quantiles).filter_map(|cut| rest.get(rest.len() * cut / quantiles)).copied());
    cuts.extend(sorted.first());
    cuts.extend(sorted.last().map(|highest| highest.next_up()));
    // Adding 0 turns -0 into 0: both are one value and must be one cut.
    cuts.iter_mut().for_each(|cut| *cut += 0.0);
    cuts.sort_unstable_by(f64::total_cmp);
    cuts.dedup();
    cuts
}

/// The median of sorted values, 0 if there are none; between two it is their mean.
fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match (sorted.len() % 2, sorted.get(half.saturating_sub(1)), sorted.get(half)) {
        (0, Some(below), Some(above)) => below / 2.0 + above / 2.0,
        (_, _, Some(value)) => *value,
        _ => 0.0,
    }
}

/// The same on every machine and in every version. Source: FNV-1a, 64 bits. Of 10,000 words two collide once in
/// 400 billion profiles.
fn hash(word: &str) -> u64 {
    word.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::super::sampling::{normal, unit};
    use super::*;
    use crate::bootstrap::SplitMix64;

    fn zero_inflated(rows: usize) -> Vec<f64> {
        let mut random = SplitMix64::new(4);
        let mut value = || if unit(&mut random) < 0.4 { 0.0 } else { 50.0 + 10.0 * normal(&mut random) };
        (0..rows).map(|_| value()).collect()
    }

    #[test]
    fn bins_are_about_equally_full_and_a_frequent_value_has_its_own() {
        let profile = NumberProfile::learn(&zero_inflated(10_000), 64).unwrap();
        let counts = &profile.training.counts;
        let zeros = profile.cuts.iter().position(|cut| *cut == 0.0).unwrap() + 1;
        assert!((3_800..4_200).contains(&counts[zeros]), "{}", counts[zeros]);
        let others: Vec<u64> = counts.iter().copied().filter(|&count| count > 0 && count < 3_000).collect();
        assert!(others.len() >= 62 && others.iter().all(|count| (80..=120).contains(count)), "{others:?}");
        assert_eq!((counts[0], counts[counts.len() - 1], profile.training.rows()), (0, 0, 10_000));
        assert!(counts.len() <= 2 * NUMBER_BINS_MAX + 2);
    }

    #[test]
    fn whole_numbers_get_one_bin_each_and_what_lies_between_is_new() {
        let values: Vec<f64> = (0..1_000).map(|row| f64::from(row % 10)).collect();
        let profile = NumberProfile::learn(&values, 64).unwrap();
        let mut tally = profile.tally();
        profile.add(&mut tally, 2.5);
        let bin = tally.counts.iter().position(|&count| count == 1).unwrap();
        assert_eq!(profile.training.counts[bin], 0);
        assert_eq!(profile.training.counts.iter().filter(|&&count| count == 100).count(), 10);
    }

    #[test]
    fn the_summary_is_the_textbooks() {
        let profile = NumberProfile::learn(&[4.0, f64::NAN, 1.0, 2.0, 9.0, f64::INFINITY], 4).unwrap();
        assert_eq!((profile.lowest, profile.highest, profile.mean), (1.0, 9.0, 4.0));
        assert_eq!((profile.median, profile.median_deviation, profile.training.missing), (3.0, 1.5, 2));
        assert!((profile.deviation - 9.5f64.sqrt()).abs() < 1e-12);
        assert_eq!(profile.mean_of(&profile.training), Some(4.0));
        assert_eq!(NumberProfile::learn(&[f64::NAN], 4), None);
    }

    #[test]
    fn rows_outside_the_range_of_training_are_counted_as_such() {
        let profile = NumberProfile::learn(&zero_inflated(1_000), 64).unwrap();
        let mut tally = profile.tally();
        [profile.lowest, profile.highest, -1e9, 1e300].iter().for_each(|&value| profile.add(&mut tally, value));
        profile.add(&mut tally, f64::NAN);
        assert_eq!((profile.share_outside(&tally), tally.missing, tally.rows()), (Some(0.5), 1, 5));
        assert_eq!(profile.share_outside(&profile.tally()), None);
    }

    #[test]
    fn counted_apart_and_merged_is_counted_together() {
        let values = zero_inflated(5_000);
        let profile = NumberProfile::learn(&values, 32).unwrap();
        let mut merged = profile.tally();
        for part in values.chunks(700) {
            let mut tally = profile.tally();
            part.iter().for_each(|&value| profile.add(&mut tally, value));
            merged.merge(&tally).unwrap();
        }
        assert_eq!(merged.counts, profile.training.counts);
        assert!((merged.sum_of_squares / profile.training.sum_of_squares - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_word_is_known_rare_or_unseen() {
        let words = [Some("b"), Some("a"), Some("b"), Some("c"), None, Some("d"), Some("c"), Some("a")];
        let profile = WordProfile::learn(&words, 2);
        assert_eq!(profile.words, ["a", "b"]);
        assert_eq!((&profile.training.counts[..], profile.training.missing), (&[2, 2, 3, 0][..], 1));
        let mut tally = profile.tally();
        [Some("d"), Some("e"), Some(""), None].iter().for_each(|word| profile.add(&mut tally, *word));
        assert_eq!((tally.counts.as_slice(), tally.missing), (&[0, 0, 1, 2][..], 1));
        assert_eq!(profile.share_unseen(&tally), Some(2.0 / 3.0));
    }

    #[test]
    fn an_identifier_has_no_unseen_words() {
        let names: Vec<String> = (0..11_000).map(|row| format!("customer {row}")).collect();
        let words: Vec<Option<&str>> = names.iter().map(|name| Some(name.as_str())).collect();
        let profile = WordProfile::learn(&words, WORDS_MAX);
        let mut tally = profile.tally();
        profile.add(&mut tally, Some("customer 99999"));
        assert_eq!((profile.rare.is_none(), profile.share_unseen(&tally)), (true, Some(0.0)));
    }

    #[test]
    fn profiles_come_back_from_json_to_the_bit() {
        let numbers = Profile::Numbers(NumberProfile::learn(&zero_inflated(2_000), 64).unwrap());
        let words = Profile::Words(WordProfile::learn(&[Some("a"), None, Some("b")], 1));
        for profile in [numbers, words] {
            let text = serde_json::to_string(&profile).unwrap();
            assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), profile);
        }
    }
}
