//! Models of buying: what customers will buy, learned from what they bought. BG/NBD, Pareto/NBD or NBD for how often, Gamma-Gamma
//! for the money. They learn from the histories of all keys and look at no target; what came later judges them.

use super::{
    AlsoJudged, Context, Examples, Explanation, Fitted, Importances, Kind, Parameter, Parameters, Range, VersionFiles,
};
use crate::PlatformError;
use crate::values::OwnedValue;
use crate::values::to_json;
use septet_learn::bootstrap::{Interval, SplitMix64};
use septet_learn::clv::bg_nbd::BgNbd;
use septet_learn::clv::compressed::Compressed;
use septet_learn::clv::error::ClvError;
use septet_learn::clv::fit::Fit;
use septet_learn::clv::gamma_gamma::GammaGamma;
use septet_learn::clv::history::{History, Spend};
use septet_learn::clv::nbd::Nbd;
use septet_learn::clv::pareto_nbd::ParetoNbd;
use septet_learn::clv::value::{
    Horizon, NextPurchase, PurchaseModel, lifetime_value, purchase_intervals, value_intervals,
};
use septet_learn::frame::{Column, Frame};
use septet_learn::measures::{Answers, Task};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Futures drawn for a customer's intervals: they place the ends of a 95 % interval to about a tenth of its width.
const DRAWS: usize = 200;
/// Days of the unit that models count in: the papers' week.
const UNIT_DAYS: f64 = 7.0;
const UNITS_PER_YEAR: f64 = 365.25 / UNIT_DAYS;
/// The features that a domain must give, in this order: days with a purchase after the first one, days from the first purchase to
/// the latest one, days since the first one, mean spent on a day after the first one (missing without such a day).
const FEATURES: [&str; 4] = ["repeat_purchases", "recency_days", "age_days", "spend_mean"];

pub struct Buying;

impl Kind for Buying {
    fn name(&self) -> &'static str {
        "buying"
    }

    fn meaning(&self) -> &'static str {
        "Customer lifetime value: BG/NBD (Fader, Hardie & Lee 2005), Pareto/NBD (Schmittlein, Morrison & Colombo 1987) or NBD for how \
         often, Gamma-Gamma (Fader & Hardie 2013) for the money. Needs the features `repeat_purchases`, `recency_days`, `age_days` and \
         `spend_mean`, in this order."
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter {
                name: "model",
                range: Range::Word(&["bg_nbd", "pareto_nbd", "nbd"]),
                default: "bg_nbd",
                meaning: "the model of how often; `nbd` where nobody leaves",
            },
            Parameter {
                name: "spent",
                range: Range::Label,
                default: "none",
                meaning: "the label of what was spent in the time that the target counts over: the money is then judged too",
            },
            Parameter {
                name: "discount_rate",
                range: Range::Number(0.0, 9.999),
                default: "0.1",
                meaning: "how much less money is worth a year later",
            },
            Parameter {
                name: "value_months",
                range: Range::Whole(1.0, 1200.0),
                default: "36",
                meaning: "months ahead that count towards the lifetime value",
            },
        ]
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Count]
    }

    fn learns_from_target(&self) -> bool {
        false
    }

    fn probability_of(&self) -> Option<&'static str> {
        Some("is_alive")
    }

    fn naive_lines(&self) -> &'static [&'static str] {
        &["mean_rate"]
    }

    /// Each customer's mean rate so far; of those who came on the last day: the mean of all.
    fn naive(&self, name: &str, examples: &Examples) -> Result<Option<Answers>, PlatformError> {
        if name != "mean_rate" {
            return Ok(None);
        }
        let (customers, days) = (summaries(examples.frame)?, examples.context.target_days);
        let all: f64 = customers.iter().map(|customer| f64::from(customer.frequency)).sum();
        let time: f64 = customers.iter().map(|customer| customer.age_days).sum();
        let mean = all / time.max(1.0);
        let rate = |customer: &Summary| match customer.age_days {
            0.0 => mean,
            age => f64::from(customer.frequency) / age,
        };
        let counts: Vec<f64> = customers.iter().map(|customer| rate(customer) * days).collect();
        Ok(Some(Answers { score: Some(counts.clone()), chance: None, number: Some(counts) }))
    }

    fn outputs(&self, context: &Context) -> Vec<String> {
        let with_ends = |name: String| [name.clone(), format!("{name}_low"), format!("{name}_high")];
        let of_horizon = |(horizon, _): &(String, f64)| {
            let ends = ["purchases", "value"].map(|what| with_ends(format!("{what}_{horizon}")));
            ends.into_iter().flatten().chain([format!("buys_{horizon}")]).collect::<Vec<_>>()
        };
        let mut names: Vec<String> = context.horizons.iter().flat_map(of_horizon).collect();
        names.extend(with_ends("lifetime_value".to_owned()));
        names.extend(["next_purchase_chance", "next_purchase_days", "spend_expected"].map(str::to_owned));
        names
    }

    fn fit(&self, examples: &Examples, parameters: &Parameters) -> Result<Box<dyn Fitted>, PlatformError> {
        let customers = summaries(examples.frame)?;
        let histories = customers.iter().map(Summary::history).collect::<Result<Vec<_>, _>>()?;
        let histories = Compressed::from_customers(&histories);
        let buying = match parameters.word("model").unwrap_or("bg_nbd") {
            "pareto_nbd" => ParetoNbd::fit(&histories).map(BuyingFit::ParetoNbd),
            "nbd" => Nbd::fit(&histories).map(BuyingFit::Nbd),
            _ => BgNbd::fit(&histories).map(BuyingFit::BgNbd),
        };
        let spends: Vec<Spend> = customers.iter().filter_map(Summary::spend).collect();
        Ok(Box::new(PurchaseModels {
            buying: buying.map_err(not_determined)?,
            money: GammaGamma::fit(&Compressed::from_customers(&spends)).map_err(not_determined)?,
            horizons: examples.context.horizons.iter().map(|(_, days)| *days).collect(),
            discount_rate: parameters.number("discount_rate").unwrap_or(0.1),
            value_months: parameters.number("value_months").unwrap_or(36.0) as u32,
            spent: parameters.word("spent").map(str::to_owned),
            seed: examples.context.seed,
            typical: typical(&customers),
            drawn: OnceLock::new(),
        }))
    }

    fn load(&self, files: &VersionFiles) -> Result<Box<dyn Fitted>, PlatformError> {
        Ok(Box::new(files.json::<PurchaseModels>("buying.json")?))
    }
}

/// A model that these customers do not determine: another candidate may be.
fn not_determined(error: ClvError) -> PlatformError {
    PlatformError::NotDetermined(error.to_string())
}

fn failed(error: ClvError) -> PlatformError {
    PlatformError::Training(error.to_string())
}

/// What a model sees of a customer.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Summary {
    /// Days with a purchase after the first one.
    frequency: u32,
    recency_days: f64,
    age_days: f64,
    /// Mean spent on a day after the first one; none without such a day.
    monetary: Option<f64>,
}

impl Summary {
    fn of([frequency, recency_days, age_days, monetary]: [f64; 4]) -> Summary {
        let monetary = (!monetary.is_nan()).then_some(monetary);
        Summary { frequency: frequency as u32, recency_days, age_days, monetary }
    }

    fn history(&self) -> Result<History, PlatformError> {
        History::new(self.frequency, self.recency_days / UNIT_DAYS, self.age_days / UNIT_DAYS).map_err(failed)
    }

    /// As the money's model takes it; none without a repeat purchase of known value.
    fn spend(&self) -> Option<Spend> {
        Spend::new(self.frequency, self.monetary?).ok()
    }

    fn features(&self) -> [f64; 4] {
        [f64::from(self.frequency), self.recency_days, self.age_days, self.monetary.unwrap_or(f64::NAN)]
    }
}

/// One a row of a frame with the features of [`FEATURES`].
fn summaries(frame: &Frame) -> Result<Vec<Summary>, PlatformError> {
    if frame.names.iter().map(String::as_str).ne(FEATURES) {
        let what = format!("kind `buying` needs the features {}, in this order", FEATURES.join(", "));
        return Err(PlatformError::Training(format!("{what}; features.sql gives {}", frame.names.join(", "))));
    }
    let value = |column: &Column, row: usize| match column {
        Column::Number(values) => values[row],
        Column::Category { .. } => f64::NAN,
    };
    let row = |row: usize| Summary::of(std::array::from_fn(|at| value(&frame.columns[at], row)));
    Ok((0..frame.rows()).map(row).collect())
}

/// The median of each number; of the money among those who have one.
fn typical(customers: &[Summary]) -> [f64; 4] {
    let mut columns: [Vec<f64>; 4] = Default::default();
    for customer in customers {
        let own = columns.iter_mut().zip(customer.features());
        own.filter(|(_, value)| !value.is_nan()).for_each(|(column, value)| column.push(value));
    }
    columns.map(|mut column| {
        column.sort_unstable_by(f64::total_cmp);
        column.get(column.len() / 2).copied().unwrap_or(f64::NAN)
    })
}

/// A row's four numbers; NaN for what is none.
fn four(row: &[OwnedValue]) -> [f64; 4] {
    std::array::from_fn(|at| match row.get(at) {
        Some(OwnedValue::Number(value)) => *value,
        _ => f64::NAN,
    })
}

/// What was learned of buying and spending.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct PurchaseModels {
    buying: BuyingFit,
    money: Fit<GammaGamma>,
    /// Days of each horizon.
    horizons: Vec<f64>,
    discount_rate: f64,
    value_months: u32,
    /// The label of what was spent.
    #[serde(default)]
    spent: Option<String>,
    seed: u64,
    /// The median customer: what single numbers are compared with in reasons.
    typical: [f64; 4],
    /// Parameters as the doubt about them has it, in pairs: drawn when first asked for.
    #[serde(skip)]
    drawn: OnceLock<(Vec<BuyingModel>, Vec<GammaGamma>)>,
}

/// The model that was chosen, with its doubt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
enum BuyingFit {
    BgNbd(Fit<BgNbd>),
    ParetoNbd(Fit<ParetoNbd>),
    /// Nobody leaves.
    Nbd(Fit<Nbd>),
}

/// One model of buying.
#[derive(Clone, Copy, Debug)]
enum BuyingModel {
    BgNbd(BgNbd),
    ParetoNbd(ParetoNbd),
    Nbd(Nbd),
}

impl BuyingFit {
    fn name(&self) -> &'static str {
        match self {
            BuyingFit::BgNbd(_) => "bg_nbd",
            BuyingFit::ParetoNbd(_) => "pareto_nbd",
            BuyingFit::Nbd(_) => "nbd",
        }
    }

    fn model(&self) -> BuyingModel {
        match self {
            BuyingFit::BgNbd(fit) => BuyingModel::BgNbd(fit.parameters),
            BuyingFit::ParetoNbd(fit) => BuyingModel::ParetoNbd(fit.parameters),
            BuyingFit::Nbd(fit) => BuyingModel::Nbd(fit.parameters),
        }
    }

    fn draws(&self, seed: u64) -> Vec<BuyingModel> {
        match self {
            BuyingFit::BgNbd(fit) => fit.draws(DRAWS, seed).into_iter().map(BuyingModel::BgNbd).collect(),
            BuyingFit::ParetoNbd(fit) => fit.draws(DRAWS, seed).into_iter().map(BuyingModel::ParetoNbd).collect(),
            BuyingFit::Nbd(fit) => fit.draws(DRAWS, seed).into_iter().map(BuyingModel::Nbd).collect(),
        }
    }

    /// Parameters, each with its standard error, by the names of the papers.
    fn parameters(&self) -> BTreeMap<String, (f64, f64)> {
        match self {
            BuyingFit::BgNbd(BgFit { parameters: p, standard_errors: e, .. }) => {
                named([("r", p.r, e.r), ("alpha", p.alpha, e.alpha), ("a", p.a, e.a), ("b", p.b, e.b)])
            }
            BuyingFit::ParetoNbd(ParetoFit { parameters: p, standard_errors: e, .. }) => {
                named([("r", p.r, e.r), ("alpha", p.alpha, e.alpha), ("s", p.s, e.s), ("beta", p.beta, e.beta)])
            }
            BuyingFit::Nbd(Fit { parameters: p, standard_errors: e, .. }) => {
                named([("r", p.r, e.r), ("alpha", p.alpha, e.alpha)])
            }
        }
    }
}

type BgFit = Fit<BgNbd>;
type ParetoFit = Fit<ParetoNbd>;

fn named<const N: usize>(values: [(&str, f64, f64); N]) -> BTreeMap<String, (f64, f64)> {
    values.into_iter().map(|(name, value, error)| (name.to_owned(), (value, error))).collect()
}

impl PurchaseModel for BuyingModel {
    fn probability_alive(&self, history: &History) -> f64 {
        match self {
            BuyingModel::BgNbd(model) => model.probability_alive(history),
            BuyingModel::ParetoNbd(model) => model.probability_alive(history),
            BuyingModel::Nbd(model) => model.probability_alive(history),
        }
    }

    fn expected_purchases(&self, history: &History, time: f64) -> f64 {
        match self {
            BuyingModel::BgNbd(model) => model.expected_purchases(history, time),
            BuyingModel::ParetoNbd(model) => model.expected_purchases(history, time),
            BuyingModel::Nbd(model) => model.expected_purchases(history, time),
        }
    }

    fn chance_of_purchase(&self, history: &History, time: f64) -> f64 {
        match self {
            BuyingModel::BgNbd(model) => model.chance_of_purchase(history, time),
            BuyingModel::ParetoNbd(model) => model.chance_of_purchase(history, time),
            BuyingModel::Nbd(model) => model.chance_of_purchase(history, time),
        }
    }

    fn next_purchase(&self, history: &History) -> NextPurchase {
        match self {
            BuyingModel::BgNbd(model) => model.next_purchase(history),
            BuyingModel::ParetoNbd(model) => model.next_purchase(history),
            BuyingModel::Nbd(model) => model.next_purchase(history),
        }
    }

    fn draw_purchases(&self, history: &History, step: f64, purchases: &mut [u32], random: &mut SplitMix64) {
        match self {
            BuyingModel::BgNbd(model) => model.draw_purchases(history, step, purchases, random),
            BuyingModel::ParetoNbd(model) => model.draw_purchases(history, step, purchases, random),
            BuyingModel::Nbd(model) => model.draw_purchases(history, step, purchases, random),
        }
    }
}

impl PurchaseModels {
    /// Log-odds that a customer is still one; NaN where the numbers are nobody's.
    fn raw(&self, features: [f64; 4]) -> f64 {
        let history = Summary::of(features).history();
        let alive = history.map(|history| self.buying.model().probability_alive(&history));
        // A customer of the first day is alive by definition, and no log-odds is infinite.
        let alive = alive.unwrap_or(f64::NAN).clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        (alive / (1.0 - alive)).ln()
    }

    /// How each number moves the log-odds, compared with the median customer's number in its place; and their log-odds.
    fn contributions(&self, features: [f64; 4]) -> ([f64; 4], f64) {
        let own = self.raw(features);
        let mut moved = [0.0; 4];
        for (at, moved) in moved.iter_mut().enumerate() {
            let mut other = features;
            other[at] = self.typical[at];
            // Numbers that go together stay possible.
            other[2] = other[2].max(other[1]);
            if other[0] == 0.0 || other[1] == 0.0 {
                (other[0], other[1]) = (0.0, 0.0);
            }
            let raw = self.raw(other);
            *moved = if raw.is_nan() { 0.0 } else { own - raw };
        }
        (moved, self.raw(self.typical))
    }

    /// What is told of a customer, in the order of [`Kind::outputs`]. Intervals hold 95 % of drawn futures, the doubt about
    /// the parameters with them.
    fn forecast(&self, summary: &Summary) -> Result<Vec<f64>, PlatformError> {
        let (history, spend) = (summary.history()?, summary.spend());
        let buying = self.buying.model();
        let money = &self.money.parameters;
        let drawn = || (self.buying.draws(self.seed), self.money.draws(DRAWS, self.seed));
        let (models, moneys) = self.drawn.get_or_init(drawn);
        let customer = [(history, spend)];
        let ends = |range: Option<Interval>| range.map_or([f64::NAN; 2], |range| [range.low, range.high]);
        let mut told = Vec::new();
        for days in &self.horizons {
            let time = days / UNIT_DAYS;
            // One step as long as the horizon, without a discount.
            let horizon = Horizon::new(1, 0.0, 12.0 * time).map_err(failed)?;
            told.push(buying.expected_purchases(&history, time));
            told.extend(ends(purchase_intervals(models, &[history], time, self.seed)[0]));
            told.push(lifetime_value(&buying, money, &history, spend.as_ref(), &horizon));
            told.extend(ends(value_intervals(models, moneys, &customer, &horizon, self.seed)[0]));
            told.push(buying.chance_of_purchase(&history, time));
        }
        let lifetime = Horizon::new(self.value_months, self.discount_rate, UNITS_PER_YEAR).map_err(failed)?;
        told.push(lifetime_value(&buying, money, &history, spend.as_ref(), &lifetime));
        told.extend(ends(value_intervals(models, moneys, &customer, &lifetime, self.seed)[0]));
        let next = buying.next_purchase(&history);
        told.extend([next.chance, next.median * UNIT_DAYS, money.expected_value(spend.as_ref())]);
        Ok(told)
    }
}

impl Fitted for PurchaseModels {
    fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, PlatformError> {
        Ok(vec![("buying.json", to_json(self)?)])
    }

    fn answers(&self, frame: &Frame, context: &Context) -> Result<Answers, PlatformError> {
        let (model, time) = (self.buying.model(), context.target_days / UNIT_DAYS);
        let (mut expected, mut any) = (Vec::with_capacity(frame.rows()), Vec::with_capacity(frame.rows()));
        for customer in summaries(frame)? {
            let history = customer.history()?;
            expected.push(model.expected_purchases(&history, time));
            any.push(model.chance_of_purchase(&history, time));
        }
        Ok(Answers { score: Some(any.clone()), chance: Some(any), number: Some(expected) })
    }

    fn score(&self, rows: &[Vec<OwnedValue>], _: bool) -> Result<Vec<(f64, Option<Explanation>)>, PlatformError> {
        Ok(rows.iter().map(|row| (self.raw(four(row)), None)).collect())
    }

    fn explain(&self, row: &[OwnedValue]) -> Result<Explanation, PlatformError> {
        let (moved, base) = self.contributions(four(row));
        Ok(Explanation { contributions: moved.to_vec(), base, terms: Vec::new() })
    }

    fn outputs(&self, row: &[OwnedValue]) -> Result<Vec<f64>, PlatformError> {
        self.forecast(&Summary::of(four(row)))
    }

    fn importances(&self, _: &Frame) -> Importances {
        Importances::default()
    }

    fn learned(&self) -> BTreeMap<String, f64> {
        let money = (&self.money.parameters, &self.money.standard_errors);
        let (p, e) = money;
        let money = [("p", p.p, e.p), ("q", p.q, e.q), ("gamma", p.gamma, e.gamma)];
        let money = money.into_iter().map(|(name, value, error)| (format!("gamma_gamma_{name}"), (value, error)));
        let buying = self.buying.parameters().into_iter();
        let named = buying.map(|(name, both)| (format!("{}_{name}", self.buying.name()), both)).chain(money);
        named.flat_map(|(name, (value, error))| [(name.clone(), value), (format!("{name}_error"), error)]).collect()
    }

    /// What a purchase is worth, of customers who had bought twice and bought again.
    fn also_judged(&self, examples: &Examples) -> Result<Vec<AlsoJudged>, PlatformError> {
        let Some(spent) = self.spent.as_ref().and_then(|name| examples.labels.get(name)) else { return Ok(Vec::new()) };
        let customers = summaries(examples.frame)?;
        let seen: Vec<f64> = customers.iter().filter_map(|customer| customer.monetary).collect();
        let mean = seen.iter().sum::<f64>() / seen.len().max(1) as f64;
        let rows = customers.iter().zip(spent).zip(examples.target);
        let truth = rows.map(|((customer, spent), bought)| match customer.monetary {
            Some(_) if *bought > 0.0 => spent / bought,
            _ => f64::NAN,
        });
        let own_mean = customers.iter().map(|customer| customer.monetary.unwrap_or(f64::NAN)).collect();
        let money = &self.money.parameters;
        Ok(vec![AlsoJudged {
            name: "spend_rmse".to_owned(),
            measure: "rmse",
            predicted: customers.iter().map(|customer| money.expected_value(customer.spend().as_ref())).collect(),
            truth: truth.collect(),
            baselines: vec![("mean", vec![mean; customers.len()]), ("own_mean", own_mean)],
        }])
    }
}
