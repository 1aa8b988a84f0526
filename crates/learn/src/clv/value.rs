//! What every model of purchases can say about a customer, and what that is worth in money, today.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::draws::stream;
use super::error::ClvError;
use super::gamma_gamma::GammaGamma;
use super::history::{History, Spend};
use crate::bootstrap::{INTERVAL_LEVEL, Interval, SplitMix64, interval};

/// Predictions from one customer's history. Times count from the end of the history, in its unit; a time that is not
/// finite or below 0 gives NaN.
pub trait PurchaseModel: Sync {
    /// The probability that the customer has not left for good, 0..=1.
    fn probability_alive(&self, history: &History) -> f64;

    /// The expected number of purchases in the next `time`, at least 0; whether the customer is still there is part of
    /// the expectation.
    fn expected_purchases(&self, history: &History, time: f64) -> f64;

    /// The expected number of repeat purchases by `time` of a customer who has just bought for the first time.
    fn expected_purchases_new(&self, time: f64) -> f64 {
        self.expected_purchases(&History::new_customer(), time)
    }

    /// The probability of at least one purchase in the next `time`, 0..=1.
    fn chance_of_purchase(&self, history: &History, time: f64) -> f64;

    /// When the next purchase is to be expected, and whether.
    fn next_purchase(&self, history: &History) -> NextPurchase;

    /// One possible future: how many purchases fall in each of the next steps of `step` time.
    fn draw_purchases(&self, history: &History, step: f64, purchases: &mut [u32], random: &mut SplitMix64);
}

/// The time to a customer's next purchase. It may never come, so its plain expectation is infinite: times are given on
/// the condition that it does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextPurchase {
    /// That there is a next purchase at all, 0..=1.
    pub chance: f64,
    /// Half of the next purchases come by then.
    pub median: f64,
    /// `None` if it is infinite: some of those who bought once or never again buy very rarely.
    pub mean: Option<f64>,
}

/// How far ahead money counts, and how much less it counts there. Made by [`Horizon::new`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Horizon {
    months: u32,
    month: f64,
    /// What money a month later is worth now.
    discount: f64,
}

/// A hundred years.
const MONTHS_MAX: u32 = 1_200;

impl Horizon {
    /// months: 1..=1,200. discount_yearly: above -1; 0.1 makes 110 in a year worth 100 now. time_units_per_year: how
    /// many of the histories' units of time make a year, as 365.25 for days or 365.25 / 7 for weeks.
    pub fn new(months: u32, discount_yearly: f64, time_units_per_year: f64) -> Result<Horizon, ClvError> {
        let refuse = |name, found, expected| Err(ClvError::Setting { name, found, expected });
        if !(1..=MONTHS_MAX).contains(&months) {
            return refuse("months", f64::from(months), "1 to 1200");
        }
        if !(discount_yearly > -1.0 && discount_yearly.is_finite()) {
            return refuse("discount_yearly", discount_yearly, "a number above -1");
        }
        if !(time_units_per_year > 0.0 && time_units_per_year.is_finite()) {
            return refuse("time_units_per_year", time_units_per_year, "a number above 0");
        }
        let discount = (-discount_yearly.ln_1p() / 12.0).exp();
        Ok(Horizon { months, month: time_units_per_year / 12.0, discount })
    }
}

/// The expected purchases in the horizon, each counted with what money is worth at its month's end. O(months) times an
/// expectation. The convention of whole months and their ends is that of the Python package lifetimes.
pub fn discounted_purchases(model: &impl PurchaseModel, history: &History, horizon: &Horizon) -> f64 {
    let (mut sum, mut before, mut worth) = (0.0, 0.0, 1.0);
    for month in 1..=horizon.months {
        let by_now = model.expected_purchases(history, f64::from(month) * horizon.month);
        worth *= horizon.discount;
        sum += worth * (by_now - before);
        before = by_now;
    }
    sum
}

/// The expected value of a customer's purchases in the horizon, in the currency of `spend`'s model, worth now; infinite
/// where [`GammaGamma::expected_value`] is. Multiply by the margin to get the profit. spend: `None` for a customer without
/// a purchase of known value.
pub fn lifetime_value(
    model: &impl PurchaseModel,
    money: &GammaGamma,
    history: &History,
    spend: Option<&Spend>,
    horizon: &Horizon,
) -> f64 {
    discounted_purchases(model, history, horizon) * money.expected_value(spend)
}

/// For each customer the range that holds the purchases in the next `time` with a probability of [`INTERVAL_LEVEL`].
///
/// models: draws of `Fit::draws`, so that the range holds the doubt about the parameters beside the customer's own chance;
/// one future is drawn from each. None without a model. The same seed gives the same ranges for any number of threads; a
/// customer's range depends on the position among the customers. O(customers * models), on all threads.
pub fn purchase_intervals<M: PurchaseModel>(
    models: &[M],
    customers: &[History],
    time: f64,
    seed: u64,
) -> Vec<Option<Interval>> {
    let range = |(index, history): (usize, &History)| {
        let mut random = stream(seed, index as u64);
        let draw = |model: &M| {
            let mut purchases = [0];
            model.draw_purchases(history, time, &mut purchases, &mut random);
            f64::from(purchases[0])
        };
        interval(&mut models.iter().map(draw).collect::<Vec<f64>>(), INTERVAL_LEVEL)
    };
    customers.par_iter().enumerate().map(range).collect()
}

/// For each customer the range of the discounted value of the purchases in the horizon, as [`purchase_intervals`] has it;
/// purchases and money are drawn in pairs, as many as there are of both. O(customers * pairs * months), on all threads.
pub fn value_intervals<M: PurchaseModel>(
    models: &[M],
    moneys: &[GammaGamma],
    customers: &[(History, Option<Spend>)],
    horizon: &Horizon,
    seed: u64,
) -> Vec<Option<Interval>> {
    let range = |(index, (history, spend)): (usize, &(History, Option<Spend>))| {
        let mut random = stream(seed, index as u64);
        let mut purchases = vec![0; horizon.months as usize];
        let mut draw = |(model, money): (&M, &GammaGamma)| {
            model.draw_purchases(history, horizon.month, &mut purchases, &mut random);
            let rate = money.draw_rate(spend.as_ref(), &mut random);
            let mut worth = 1.0;
            purchases.iter().fold(0.0, |sum, &purchases| {
                worth *= horizon.discount;
                sum + worth * money.draw_total(purchases, rate, &mut random)
            })
        };
        interval(&mut models.iter().zip(moneys).map(&mut draw).collect::<Vec<f64>>(), INTERVAL_LEVEL)
    };
    customers.par_iter().enumerate().map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clv::bg_nbd::BgNbd;
    use crate::clv::pareto_nbd::ParetoNbd;

    const BG: BgNbd = BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };
    const PARETO: ParetoNbd = ParetoNbd { r: 0.553, alpha: 10.578, s: 0.606, beta: 11.669 };
    const MONEY: GammaGamma = GammaGamma { p: 6.25, q: 3.74, gamma: 15.44 };

    fn weeks(months: u32, discount_yearly: f64) -> Horizon {
        Horizon::new(months, discount_yearly, 365.25 / 7.0).unwrap()
    }

    fn customer() -> History {
        History::new(2, 30.43, 38.86).unwrap()
    }

    /// Drawn futures have the expected mean, within five standard errors.
    fn check(model: &impl PurchaseModel, history: &History) {
        const FUTURES: usize = 200_000;
        let mut random = stream(4, 2);
        let (mut sum, mut squares, mut any) = (0.0, 0.0, 0.0);
        for _ in 0..FUTURES {
            let mut purchases = [0; 3];
            model.draw_purchases(history, 13.0, &mut purchases, &mut random);
            let total = f64::from(purchases.iter().sum::<u32>());
            sum += total;
            squares += total * total;
            any += f64::from(u8::from(total > 0.0));
        }
        let (mean, share) = (sum / FUTURES as f64, any / FUTURES as f64);
        let error = ((squares / FUTURES as f64 - mean * mean) / FUTURES as f64).sqrt();
        let (expected, chance) = (model.expected_purchases(history, 39.0), model.chance_of_purchase(history, 39.0));
        assert!((mean - expected).abs() < 5.0 * error, "mean {mean}, expected {expected}");
        let error = (chance * (1.0 - chance) / FUTURES as f64).sqrt();
        assert!((share - chance).abs() < 5.0 * error, "share {share}, chance {chance}");
    }

    #[test]
    fn drawn_futures_are_the_expected_ones() {
        for history in [History::new_customer(), customer(), History::new(12, 20.0, 38.86).unwrap()] {
            check(&BG, &history);
            check(&PARETO, &history);
        }
    }

    #[test]
    fn half_of_the_next_purchases_come_by_the_median() {
        let next = BG.next_purchase(&customer());
        assert!((BG.chance_of_purchase(&customer(), next.median) / next.chance - 0.5).abs() < 1e-12);
        assert!((next.mean.unwrap() - (4.414 + 38.86) / 1.243).abs() < 1e-12);
        assert_eq!(BG.next_purchase(&History::new_customer()).mean, None);
    }

    #[test]
    fn without_a_discount_months_add_up() {
        let whole = BG.expected_purchases(&customer(), 365.25 / 7.0 * 2.0);
        assert!((discounted_purchases(&BG, &customer(), &weeks(24, 0.0)) - whole).abs() < 1e-12);
        let discounted = discounted_purchases(&PARETO, &customer(), &weeks(12, 0.1));
        let (most, least) = (PARETO.expected_purchases(&customer(), 365.25 / 7.0), 1.0 / 1.1);
        assert!(discounted < most && discounted > most * least);
    }

    #[test]
    fn a_value_is_purchases_times_money() {
        let spend = Spend::new(2, 22.35).unwrap();
        let found = lifetime_value(&BG, &MONEY, &customer(), Some(&spend), &weeks(36, 0.15));
        let purchases = discounted_purchases(&BG, &customer(), &weeks(36, 0.15));
        assert!((found - purchases * MONEY.expected_value(Some(&spend))).abs() < 1e-12 && found > 0.0);
    }

    #[test]
    fn ranges_are_the_same_for_one_thread_and_three_and_hold_the_expectation() {
        let spend = Spend::new(2, 22.35).unwrap();
        let customers = vec![(customer(), Some(spend)), (History::new_customer(), None), (customer(), None)];
        let histories: Vec<History> = customers.iter().map(|(history, _)| *history).collect();
        let (models, moneys) = (vec![BG; 2_000], vec![MONEY; 2_000]);
        let on_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let values = value_intervals(&models, &moneys, &customers, &weeks(36, 0.15), 7);
                (purchase_intervals(&models, &histories, 39.0, 7), values)
            })
        };
        let (purchases, values) = on_threads(1);
        assert_eq!((&purchases, &values), (&on_threads(3).0, &on_threads(3).1));
        for (history, range) in histories.iter().zip(&purchases) {
            let expected = BG.expected_purchases(history, 39.0);
            assert!(range.is_some_and(|range| range.low <= expected && expected <= range.high), "{range:?}");
        }
        assert!(values.iter().all(|range| range.is_some_and(|range| range.low == 0.0 && range.high > 20.0)));
        assert_eq!(purchase_intervals::<BgNbd>(&[], &histories, 39.0, 7), vec![None; 3]);
    }

    #[test]
    fn a_horizon_without_sense_is_refused() {
        assert!(Horizon::new(0, 0.1, 52.0).is_err() && Horizon::new(2_000, 0.1, 52.0).is_err());
        assert!(Horizon::new(12, -1.0, 52.0).is_err() && Horizon::new(12, 0.1, 0.0).is_err());
        assert_eq!(
            Horizon::new(12, f64::NAN, 52.0).unwrap_err().to_string(),
            "`discount_yearly` is `NaN`, expected a number above -1"
        );
    }
}
