//! Rows counted into a profile's bins: small, bounded, and two tallies added are the tally of both, so every minute,
//! thread or machine can count for itself.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Rows of one column counted by a profile. Only tallies of one profile belong together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Rows per bin, in the profile's order.
    pub counts: Vec<u64>,
    /// Numbers only: per bin the sum of distances from its lower cut (below the lowest cut: to it). Empty for words.
    pub offsets: Vec<f64>,
    /// Rows without a value.
    pub missing: u64,
    /// Of value less the profile's mean: around 0 nothing is lost to rounding. 0 for words.
    pub sum: f64,
    pub sum_of_squares: f64,
}

/// Two tallies were counted by different profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DifferentBins {
    pub ours: usize,
    pub theirs: usize,
}

impl fmt::Display for DifferentBins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a tally of `{}` bins cannot be added to one of `{}`", self.theirs, self.ours)?;
        write!(formatter, ": count both with the profile of one model version")
    }
}

impl std::error::Error for DifferentBins {}

impl Tally {
    pub(super) fn of_words(bins: usize) -> Tally {
        Tally { counts: vec![0; bins], ..Tally::default() }
    }

    pub(super) fn of_numbers(bins: usize) -> Tally {
        Tally { counts: vec![0; bins], offsets: vec![0.0; bins], ..Tally::default() }
    }

    /// Rows with a value.
    pub fn present(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All rows, missing ones too.
    pub fn rows(&self) -> u64 {
        self.present() + self.missing
    }

    /// Adds the other's rows. Counts are exact in any order; sums of numbers differ by rounding with the order.
    pub fn merge(&mut self, other: &Tally) -> Result<(), DifferentBins> {
        if self.counts.len() != other.counts.len() || self.offsets.len() != other.offsets.len() {
            return Err(DifferentBins { ours: self.counts.len(), theirs: other.counts.len() });
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, other)| *count += other);
        self.offsets.iter_mut().zip(&other.offsets).for_each(|(offset, other)| *offset += other);
        self.missing += other.missing;
        self.sum += other.sum;
        self.sum_of_squares += other.sum_of_squares;
        Ok(())
    }

    /// What is left when the rows of `other`, once merged into this one, are taken out again.
    pub(super) fn without(&self, other: &Tally) -> Tally {
        let mut left = self.clone();
        left.counts.iter_mut().zip(&other.counts).for_each(|(count, other)| *count = count.saturating_sub(*other));
        left.offsets.iter_mut().zip(&other.offsets).for_each(|(offset, other)| *offset = (*offset - other).max(0.0));
        left.missing = left.missing.saturating_sub(other.missing);
        left.sum -= other.sum;
        left.sum_of_squares = (left.sum_of_squares - other.sum_of_squares).max(0.0);
        left
    }

    /// The tally with other counts for the bins; each bin's rows keep their mean.
    pub(super) fn with_counts(&self, counts: Vec<u64>, missing: u64) -> Tally {
        let kept = |now: u64, before: u64| if before == 0 { 0.0 } else { now as f64 / before as f64 };
        let shares = counts.iter().zip(&self.counts).map(|(&now, &before)| kept(now, before));
        let offsets = self.offsets.iter().zip(shares).map(|(offset, share)| offset * share).collect();
        let share = kept(counts.iter().sum(), self.present());
        Tally { counts, offsets, missing, sum: self.sum * share, sum_of_squares: self.sum_of_squares * share }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_of_different_profiles_are_refused_with_a_reason() {
        let mut ours = Tally::of_words(3);
        let refused = ours.merge(&Tally::of_words(4)).unwrap_err();
        assert_eq!(refused, DifferentBins { ours: 3, theirs: 4 });
        assert!(refused.to_string().contains("`4` bins"), "{refused}");
        assert!(ours.merge(&Tally::of_numbers(3)).is_err());
    }

    #[test]
    fn what_was_merged_can_be_taken_out_again() {
        let mut part = Tally::of_numbers(2);
        (part.counts, part.offsets, part.missing, part.sum) = (vec![3, 4], vec![1.5, 2.5], 2, 4.0);
        let mut both = part.clone();
        both.merge(&part).unwrap();
        assert_eq!((both.rows(), both.present()), (18, 14));
        assert_eq!(both.without(&part), part);
        assert_eq!(both.with_counts(vec![3, 4], 2), part);
    }
}
