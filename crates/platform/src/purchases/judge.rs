//! How well purchases of the held-out time were told, beside naive lines: customers are split by person into those that the
//! model is chosen on and those that it is judged on.

use crate::PlatformError;
use crate::judge::{CALIBRATION_BINS, REPLICATES, resampled};
use crate::purchases::UNIT_DAYS;
use crate::purchases::book::{Book, Summary};
use crate::purchases::forecast::Buying;
use crate::version::MetricValue;
use septet_learn::bootstrap::grouped_intervals;
use septet_learn::clv::gamma_gamma::GammaGamma;
use septet_learn::clv::value::PurchaseModel;
use septet_learn::metrics::{Losses, Ranking};
use std::collections::BTreeMap;

/// The measure that models are chosen by.
pub const CHOSEN: &str = "purchases_rmse";

/// What is known of a customer at the cut, and what they did afterwards.
pub struct Examined {
    pub summary: Summary,
    /// Purchases in as long a time before the cut as the held-out time is.
    pub last_period: u32,
    pub bought: u32,
    pub spent: f64,
    /// Chosen on, or judged on.
    pub chooses: bool,
}

/// The customers known at `cut`, in the book's order.
pub fn examine(book: &Book, cut: i32) -> Vec<Examined> {
    let length = book.end - cut;
    let one = |customer: usize| {
        let summary = book.summary(customer, cut)?;
        let (bought, spent) = book.bought(customer, cut, book.end);
        let last_period = book.bought_as_of(customer, cut - length, cut, cut).0;
        // By name, so that a customer more changes nobody's side.
        let chooses = blake3::hash(book.customers[customer].as_bytes()).as_bytes()[0] & 1 == 0;
        Some(Examined { summary, last_period, bought, spent, chooses })
    };
    (0..book.customers.len()).filter_map(one).collect()
}

/// What somebody expects of each customer.
pub struct Expected {
    pub name: String,
    pub purchases: Vec<f64>,
    /// Chance of a purchase at all; none where only an order is given.
    pub buys: Option<Vec<f64>>,
}

impl Expected {
    pub fn of_model(name: &str, model: &Buying, customers: &[&Examined], days: f64) -> Result<Expected, PlatformError> {
        let time = days / UNIT_DAYS;
        let (mut purchases, mut buys) = (Vec::new(), Vec::new());
        for customer in customers {
            let history = customer.summary.history()?;
            purchases.push(model.expected_purchases(&history, time));
            buys.push(model.chance_of_purchase(&history, time));
        }
        Ok(Expected { name: name.to_owned(), purchases, buys: Some(buys) })
    }
}

/// The naive lines: each customer's mean rate so far (of those who came on the last day: the mean of all), and what they bought
/// in the last period of equal length once more.
pub fn naive(customers: &[&Examined], days: f64) -> [Expected; 2] {
    let all: f64 = customers.iter().map(|customer| f64::from(customer.summary.frequency)).sum();
    let time: f64 = customers.iter().map(|customer| customer.summary.age).sum();
    let mean = all / time.max(1.0);
    let rate = |customer: &&Examined| match customer.summary.age {
        0.0 => mean,
        age => f64::from(customer.summary.frequency) / age,
    };
    [
        Expected {
            name: "mean_rate".to_owned(),
            purchases: customers.iter().map(|customer| rate(customer) * days).collect(),
            buys: None,
        },
        Expected {
            name: "last_period".to_owned(),
            purchases: customers.iter().map(|customer| f64::from(customer.last_period)).collect(),
            buys: None,
        },
    ]
}

pub fn rmse(expected: &[f64], customers: &[&Examined], weight: &[u32]) -> Option<f64> {
    let (mut sum, mut rows) = (0.0, 0.0);
    for ((expected, customer), &weight) in expected.iter().zip(customers).zip(weight) {
        sum += f64::from(weight) * (expected - f64::from(customer.bought)).powi(2);
        rows += f64::from(weight);
    }
    (rows > 0.0).then(|| (sum / rows).sqrt())
}

/// How far the sum of all customers is off, as a share of what was bought.
fn total_error(expected: &[f64], customers: &[&Examined], weight: &[u32]) -> Option<f64> {
    let told: f64 = expected.iter().zip(weight).map(|(expected, &weight)| expected * f64::from(weight)).sum();
    let bought = customers.iter().zip(weight).map(|(customer, &weight)| f64::from(customer.bought * weight));
    let bought: f64 = bought.sum();
    (bought > 0.0).then(|| (told / bought - 1.0).abs())
}

/// Of expected purchases and how many times each customer counts.
type CountMeasure = fn(&[f64], &[&Examined], &[u32]) -> Option<f64>;
type RankMeasure = fn(&Ranking, &[bool], &[u32]) -> Option<f64>;

/// What the held-out time says of a model.
pub struct Verdict {
    /// Each beside its naive lines.
    pub metrics: BTreeMap<String, MetricValue>,
    /// The interval of our advantage over each naive line in [`CHOSEN`].
    pub advantage: BTreeMap<String, Option<(f64, f64)>>,
}

/// Every metric beside its naive lines.
pub fn judge(ours: &Expected, naive: &[Expected], customers: &[&Examined], money: &GammaGamma, seed: u64) -> Verdict {
    let resampled = Resampled { groups: (0..customers.len() as u32).collect(), seed };
    let ones = vec![1; customers.len()];
    let mut metrics = BTreeMap::new();
    let counts: [(&str, CountMeasure); 2] = [(CHOSEN, rmse), ("purchases_total_error", total_error)];
    for (name, measure) in counts {
        let of = |expected: &Expected| measure(&expected.purchases, customers, &ones);
        let baselines = naive.iter().filter_map(|line| Some((line.name.clone(), of(line)?))).collect();
        let interval = resampled.interval(&|rows: &[u32]| measure(&ours.purchases, customers, rows));
        metrics.insert(name.to_owned(), metric(name, of(ours), interval, baselines));
    }
    if let Some(buys) = &ours.buys {
        metrics.extend(ranked(buys, naive, customers, &resampled));
    }
    metrics.extend(spending(money, customers, &resampled));
    let differences = |rows: &[u32], _: &[u32]| -> Vec<Option<f64>> {
        let own = rmse(&ours.purchases, customers, rows);
        naive.iter().map(|line| Some(rmse(&line.purchases, customers, rows)? - own?)).collect()
    };
    let intervals = grouped_intervals(&resampled.groups, customers.len(), REPLICATES, seed, differences);
    let advantage = naive
        .iter()
        .zip(intervals)
        .map(|(line, interval)| (line.name.clone(), interval.map(|interval| (interval.low, interval.high))));
    Verdict { metrics, advantage: advantage.collect() }
}

/// Customers drawn again, each by themselves.
struct Resampled {
    groups: Vec<u32>,
    seed: u64,
}

impl Resampled {
    /// The range of a number, given how many times each customer counts.
    fn interval(&self, number: &(dyn Fn(&[u32]) -> Option<f64> + Sync)) -> Option<(f64, f64)> {
        resampled(&self.groups, self.groups.len(), self.seed, number)
    }
}

/// Who will buy at all: the chance as a score and as a probability.
fn ranked(
    buys: &[f64],
    naive: &[Expected],
    customers: &[&Examined],
    resampled: &Resampled,
) -> Vec<(String, MetricValue)> {
    let truth: Vec<bool> = customers.iter().map(|customer| customer.bought > 0).collect();
    let ones = vec![1; customers.len()];
    let own = Ranking::new(buys);
    let lines: Vec<(&String, Ranking)> = naive.iter().map(|line| (&line.name, Ranking::new(&line.purchases))).collect();
    let mut metrics = Vec::new();
    let measures: [(&str, RankMeasure); 2] =
        [("roc_auc", Ranking::roc_auc), ("average_precision", Ranking::average_precision)];
    for (name, measure) in measures {
        let baselines =
            lines.iter().filter_map(|(line, ranking)| Some(((*line).clone(), measure(ranking, &truth, &ones)?)));
        let interval = resampled.interval(&|rows: &[u32]| measure(&own, &truth, rows));
        metrics.push((name.to_owned(), metric(name, measure(&own, &truth, &ones), interval, baselines.collect())));
    }
    let share = truth.iter().filter(|bought| **bought).count() as f64 / truth.len().max(1) as f64;
    let (own_losses, prior) =
        (Losses::squared(buys, &truth), Losses::squared(&vec![share; truth.len()], &truth).mean(&ones));
    let baselines = prior.map(|prior| ("prior".to_owned(), prior)).into_iter().collect();
    let interval = resampled.interval(&|rows: &[u32]| own_losses.mean(rows));
    metrics.push(("brier".to_owned(), metric("brier", own_losses.mean(&ones), interval, baselines)));
    let error = own.calibration_error(&truth, &ones, CALIBRATION_BINS);
    let name = "calibration_error";
    metrics.push((name.to_owned(), metric(name, error, None, BTreeMap::new())));
    metrics
}

/// What a purchase is worth, of customers who had bought twice and bought again.
fn spending(money: &GammaGamma, customers: &[&Examined], resampled: &Resampled) -> Vec<(String, MetricValue)> {
    let seen: Vec<f64> = customers.iter().filter_map(|customer| customer.summary.monetary).collect();
    let mean = seen.iter().sum::<f64>() / seen.len().max(1) as f64;
    let off = |guess: &dyn Fn(&Examined) -> Option<f64>| -> Vec<Option<f64>> {
        let one = |customer: &&Examined| {
            customer.summary.monetary.filter(|_| customer.bought > 0)?;
            Some((guess(customer)? - customer.spent / f64::from(customer.bought)).powi(2))
        };
        customers.iter().map(one).collect()
    };
    let ours = off(&|customer| Some(money.expected_value(customer.summary.spend().as_ref())));
    let lines = [("mean", off(&|_| Some(mean))), ("own_mean", off(&|customer| customer.summary.monetary))];
    let root = |squares: &[Option<f64>], weight: &[u32]| {
        let (mut sum, mut rows) = (0.0, 0.0);
        for (square, &weight) in squares.iter().zip(weight).filter_map(|(square, weight)| Some(((*square)?, weight))) {
            sum += f64::from(weight) * square;
            rows += f64::from(weight);
        }
        (rows > 0.0).then(|| (sum / rows).sqrt())
    };
    let ones = vec![1; customers.len()];
    let baselines =
        lines.iter().filter_map(|(name, squares)| Some(((*name).to_owned(), root(squares, &ones)?))).collect();
    let interval = resampled.interval(&|rows: &[u32]| root(&ours, rows));
    vec![("spend_rmse".to_owned(), metric("spend_rmse", root(&ours, &ones), interval, baselines))]
}

/// Judged once: the one test fold is the held-out time.
fn metric(
    name: &str,
    value: Option<f64>,
    interval: Option<(f64, f64)>,
    baselines: BTreeMap<String, f64>,
) -> MetricValue {
    MetricValue::beside(name, value.unwrap_or(f64::NAN), interval, baselines, vec![value])
}
