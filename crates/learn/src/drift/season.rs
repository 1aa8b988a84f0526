//! What is usual at this hour of the week: a Sunday night is compared with Sunday nights. Medians throughout, because
//! history holds the very outages and feasts that an average would learn as usual.

use serde::{Deserialize, Serialize};

/// Turns a median distance from the median into a standard deviation, for normal numbers.
const MEDIAN_DEVIATION_TO_SPREAD: f64 = 1.482_602_218_505_602;
/// The same for the mean distance from the median: the root of pi / 2.
const MEAN_DISTANCE_TO_SPREAD: f64 = 1.253_314_137_315_500_3;
/// The common spread counts as much as this many values of a slot: our choice, about two months of weeks.
const COMMON_VALUES: f64 = 8.0;

/// Every hour of a leap year: a finer season has no history to learn from.
pub const SLOTS_MAX: usize = 8_784;

/// Where a number usually is and how far from there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustScale {
    pub centre: f64,
    /// In the place of a standard deviation; above 0.
    pub spread: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    pub low: f64,
    pub high: f64,
}

/// A scale for each slot of a season: 7 weekdays, 168 hours of a week.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Season {
    slots: Vec<RobustScale>,
}

/// A number and the slot it fell into.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slotted {
    pub slot: usize,
    pub value: f64,
}

impl RobustScale {
    /// By median and median distance from it; where more than half of the values are equal by the mean distance.
    /// `None` if there is no finite value or all are equal: then nothing can be called far. O(n log n).
    /// Source: Rousseeuw & Croux 1993.
    pub fn learn(history: &[f64]) -> Option<RobustScale> {
        let centre = median(history)?;
        let spread = spread(history, centre);
        (spread > 0.0 && spread.is_finite()).then_some(RobustScale { centre, spread })
    }

    /// How many spreads a value is above the centre.
    pub fn standardise(&self, value: f64) -> f64 {
        (value - self.centre) / self.spread
    }
}

impl Season {
    /// history: any order; slots beyond `slots` and values that are not finite are left out. A slot's centre is its own
    /// median. Its spread is that of its own values and its two neighbours' around their centres (the first and the
    /// last slot are neighbours), mixed with the one common to all slots, and wider by the error of the median, so
    /// that a slot of few values does not alarm too easily. A slot without values gets the scale of all. `None` if the
    /// values do not vary at all or there are more than [`SLOTS_MAX`] slots. Numbers whose noise grows with their level (counts, amounts) are best given as roots
    /// or logarithms. O(n log n).
    pub fn learn(history: &[Slotted], slots: usize) -> Option<Season> {
        if slots > SLOTS_MAX {
            return None;
        }
        let mut by_slot = vec![Vec::new(); slots];
        for one in history.iter().filter(|one| one.value.is_finite()) {
            if let Some(values) = by_slot.get_mut(one.slot) {
                values.push(one.value);
            }
        }
        let all = RobustScale::learn(&by_slot.concat())?;
        let rests: Vec<Vec<f64>> = by_slot.iter().map(|values| rests(values)).collect();
        let common = spread(&rests.concat(), 0.0);
        let common = if common > 0.0 { common } else { all.spread };
        let scale = |(slot, values): (usize, &Vec<f64>)| {
            let Some(centre) = median(values) else { return all };
            // With one or two slots a neighbour is met twice and must count once.
            let around = std::collections::BTreeSet::from([(slot + slots - 1) % slots, slot, (slot + 1) % slots]);
            let near: Vec<f64> = around.into_iter().flat_map(|slot| &rests[slot]).copied().collect();
            let (count, own) = (near.len() as f64, spread(&near, 0.0));
            let mixed = (count * own * own + COMMON_VALUES * common * common) / (count + COMMON_VALUES);
            // A median of n normal values has a variance of pi / (2 n) of theirs.
            let of_median = std::f64::consts::PI / (2.0 * values.len() as f64);
            RobustScale { centre, spread: (mixed * (1.0 + of_median)).sqrt() }
        };
        Some(Season { slots: by_slot.iter().enumerate().map(scale).collect() })
    }

    /// How many spreads the value is above what is usual in its slot; `None` for a slot that the season lacks.
    pub fn standardise(&self, at: Slotted) -> Option<f64> {
        Some(self.slots.get(at.slot)?.standardise(at.value))
    }

    /// The range of `spreads` spreads on both sides of a slot's centre, to draw.
    pub fn band(&self, slot: usize, spreads: f64) -> Option<Band> {
        let scale = self.slots.get(slot)?;
        Some(Band { low: scale.centre - spreads * scale.spread, high: scale.centre + spreads * scale.spread })
    }
}

/// The values less their median, which were nearer to it than to the true centre: widened to make up for that. Of a
/// single value nothing is left.
fn rests(values: &[f64]) -> Vec<f64> {
    let (count, centre) = (values.len() as f64, median(values).unwrap_or(0.0));
    if values.len() < 2 {
        return Vec::new();
    }
    values.iter().map(|value| (value - centre) * (count / (count - 1.0)).sqrt()).collect()
}

/// Of the finite values; `None` without one.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let above = *sorted.get(half)?;
    if sorted.len() % 2 == 1 { Some(above) } else { Some(sorted[half - 1] / 2.0 + above / 2.0) }
}

fn spread(values: &[f64], centre: f64) -> f64 {
    let distances: Vec<f64> =
        values.iter().filter(|value| value.is_finite()).map(|value| (value - centre).abs()).collect();
    let by_median = MEDIAN_DEVIATION_TO_SPREAD * median(&distances).unwrap_or(0.0);
    if by_median > 0.0 {
        return by_median;
    }
    MEAN_DISTANCE_TO_SPREAD * distances.iter().sum::<f64>() / distances.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::sampling::normal;
    use super::*;
    use crate::bootstrap::SplitMix64;

    /// Requests an hour: busy at noon, quiet at night, and the noise grows with the level.
    fn usual(hour_of_week: usize) -> f64 {
        let hour = (hour_of_week % 24) as f64;
        let weekend = if hour_of_week >= 120 { 0.5 } else { 1.0 };
        weekend * (200.0 - 15.0 * (hour - 12.0).abs())
    }

    fn hours(weeks: usize, random: &mut SplitMix64) -> Vec<Slotted> {
        let hour = |hour: usize| {
            let slot = hour % 168;
            Slotted { slot, value: usual(slot) * (1.0 + 0.05 * normal(random)) }
        };
        (0..168 * weeks).map(hour).collect()
    }

    #[test]
    fn for_normal_numbers_the_robust_scale_is_the_usual_one_and_outages_do_not_move_it() {
        let mut random = SplitMix64::new(1);
        let mut history: Vec<f64> = (0..10_000).map(|_| 5.0 + 2.0 * normal(&mut random)).collect();
        history.extend([1e9; 100]);
        let scale = RobustScale::learn(&history).unwrap();
        assert!((scale.centre - 5.0).abs() < 0.06 && (scale.spread - 2.0).abs() < 0.08, "{scale:?}");
        assert_eq!(scale.standardise(scale.centre + 3.0 * scale.spread), 3.0);
    }

    #[test]
    fn a_number_that_seldom_moves_still_has_a_spread_and_one_that_never_does_has_none() {
        let scale = RobustScale::learn(&[1.0, 1.0, 1.0, 1.0, 3.0, f64::NAN]).unwrap();
        assert!(scale.spread > 0.4 && scale.spread < 0.6, "{scale:?}");
        assert_eq!((RobustScale::learn(&[1.0, 1.0]), RobustScale::learn(&[])), (None, None));
        assert_eq!((Season::learn(&[], 7), Season::learn(&[], usize::MAX)), (None, None));
    }

    #[test]
    fn a_band_of_three_spreads_holds_quiet_hours_of_the_weeks_to_come() {
        let mut random = SplitMix64::new(2);
        let season = Season::learn(&hours(12, &mut random), 168).unwrap();
        let live = hours(12, &mut random);
        let outside = live.iter().filter(|&&hour| season.standardise(hour).unwrap().abs() > 3.0).count();
        assert!((outside as f64) < 0.02 * live.len() as f64, "{outside} of {}", live.len());
    }

    #[test]
    fn a_noon_like_a_night_is_far_although_nights_are_usual() {
        let season = Season::learn(&hours(8, &mut SplitMix64::new(3)), 168).unwrap();
        let night_at_noon = Slotted { slot: 12, value: usual(0) };
        assert!(season.standardise(night_at_noon).unwrap() < -8.0);
        assert!(season.standardise(Slotted { slot: 0, value: usual(0) }).unwrap().abs() < 2.0);
        let band = season.band(12, 3.0).unwrap();
        assert!(band.low < usual(12) && usual(12) < band.high && band.low > usual(0), "{band:?}");
        assert_eq!((season.band(168, 3.0), season.standardise(Slotted { slot: 168, value: 0.0 })), (None, None));
    }

    #[test]
    fn a_slot_never_seen_has_the_scale_of_all() {
        let history: Vec<Slotted> = (0..100).map(|row| Slotted { slot: 0, value: f64::from(row % 10) }).collect();
        let season = Season::learn(&history, 2).unwrap();
        let all = RobustScale::learn(&history.iter().map(|one| one.value).collect::<Vec<f64>>()).unwrap();
        assert_eq!(season.standardise(Slotted { slot: 1, value: 20.0 }), Some(all.standardise(20.0)));
    }
}
