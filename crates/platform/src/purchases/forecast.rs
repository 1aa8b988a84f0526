//! The fitted models of buying and spending, and what they say of one customer.

use crate::PlatformError;
use crate::purchases::{Summary, UNIT_DAYS};
use septet_domain::Purchases;
use septet_learn::bootstrap::{Interval, SplitMix64};
use septet_learn::clv::bg_nbd::BgNbd;
use septet_learn::clv::fit::Fit;
use septet_learn::clv::gamma_gamma::GammaGamma;
use septet_learn::clv::history::History;
use septet_learn::clv::nbd::Nbd;
use septet_learn::clv::pareto_nbd::ParetoNbd;
use septet_learn::clv::value::{
    Horizon, NextPurchase, PurchaseModel, lifetime_value, purchase_intervals, value_intervals,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Futures drawn for a customer's intervals: they place the ends of a 95 % interval to about a tenth of its width.
const DRAWS: usize = 200;
const UNITS_PER_YEAR: f64 = 365.25 / UNIT_DAYS;

/// What was learned of buying and spending.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PurchaseModels {
    pub buying: BuyingFit,
    pub money: Fit<GammaGamma>,
    /// Days of each horizon.
    horizons: Vec<f64>,
    discount_rate: f64,
    value_months: u32,
    seed: u64,
    /// The median customer: what single numbers are compared with in reasons.
    pub typical: [f64; 4],
    /// Parameters as the doubt about them has it, in pairs: drawn when first asked for.
    #[serde(skip)]
    drawn: OnceLock<(Vec<Buying>, Vec<GammaGamma>)>,
}

/// The model that was chosen, with its doubt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum BuyingFit {
    BgNbd(Fit<BgNbd>),
    ParetoNbd(Fit<ParetoNbd>),
    /// Nobody leaves.
    Nbd(Fit<Nbd>),
}

/// One model of buying.
#[derive(Clone, Copy, Debug)]
pub enum Buying {
    BgNbd(BgNbd),
    ParetoNbd(ParetoNbd),
    Nbd(Nbd),
}

impl BuyingFit {
    pub fn name(&self) -> &'static str {
        match self {
            BuyingFit::BgNbd(_) => "bg_nbd",
            BuyingFit::ParetoNbd(_) => "pareto_nbd",
            BuyingFit::Nbd(_) => "nbd",
        }
    }

    pub fn model(&self) -> Buying {
        match self {
            BuyingFit::BgNbd(fit) => Buying::BgNbd(fit.parameters),
            BuyingFit::ParetoNbd(fit) => Buying::ParetoNbd(fit.parameters),
            BuyingFit::Nbd(fit) => Buying::Nbd(fit.parameters),
        }
    }

    fn draws(&self, seed: u64) -> Vec<Buying> {
        match self {
            BuyingFit::BgNbd(fit) => fit.draws(DRAWS, seed).into_iter().map(Buying::BgNbd).collect(),
            BuyingFit::ParetoNbd(fit) => fit.draws(DRAWS, seed).into_iter().map(Buying::ParetoNbd).collect(),
            BuyingFit::Nbd(fit) => fit.draws(DRAWS, seed).into_iter().map(Buying::Nbd).collect(),
        }
    }

    /// Parameters, each with its standard error, by the names of the papers.
    pub fn parameters(&self) -> BTreeMap<String, (f64, f64)> {
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

impl PurchaseModel for Buying {
    fn probability_alive(&self, history: &History) -> f64 {
        match self {
            Buying::BgNbd(model) => model.probability_alive(history),
            Buying::ParetoNbd(model) => model.probability_alive(history),
            Buying::Nbd(model) => model.probability_alive(history),
        }
    }

    fn expected_purchases(&self, history: &History, time: f64) -> f64 {
        match self {
            Buying::BgNbd(model) => model.expected_purchases(history, time),
            Buying::ParetoNbd(model) => model.expected_purchases(history, time),
            Buying::Nbd(model) => model.expected_purchases(history, time),
        }
    }

    fn chance_of_purchase(&self, history: &History, time: f64) -> f64 {
        match self {
            Buying::BgNbd(model) => model.chance_of_purchase(history, time),
            Buying::ParetoNbd(model) => model.chance_of_purchase(history, time),
            Buying::Nbd(model) => model.chance_of_purchase(history, time),
        }
    }

    fn next_purchase(&self, history: &History) -> NextPurchase {
        match self {
            Buying::BgNbd(model) => model.next_purchase(history),
            Buying::ParetoNbd(model) => model.next_purchase(history),
            Buying::Nbd(model) => model.next_purchase(history),
        }
    }

    fn draw_purchases(&self, history: &History, step: f64, purchases: &mut [u32], random: &mut SplitMix64) {
        match self {
            Buying::BgNbd(model) => model.draw_purchases(history, step, purchases, random),
            Buying::ParetoNbd(model) => model.draw_purchases(history, step, purchases, random),
            Buying::Nbd(model) => model.draw_purchases(history, step, purchases, random),
        }
    }
}

/// Names of what is told of a customer, in the order of [`PurchaseModels::forecast`]; rules and `answer.sql` read them.
pub fn forecast_fields(spec: &Purchases) -> Vec<String> {
    let with_ends = |name: String| [name.clone(), format!("{name}_low"), format!("{name}_high")];
    let of_horizon = |horizon: &septet_domain::Duration| {
        let ends = ["purchases", "value"].map(|what| with_ends(format!("{what}_{horizon}")));
        ends.into_iter().flatten().chain([format!("buys_{horizon}")]).collect::<Vec<_>>()
    };
    let mut names: Vec<String> = spec.horizons.iter().flat_map(of_horizon).collect();
    names.extend(with_ends("lifetime_value".to_owned()));
    names.extend(["next_purchase_chance", "next_purchase_days", "spend_expected"].map(str::to_owned));
    names
}

impl PurchaseModels {
    pub fn new(spec: &Purchases, buying: BuyingFit, money: Fit<GammaGamma>, typical: [f64; 4]) -> PurchaseModels {
        PurchaseModels {
            buying,
            money,
            horizons: spec.horizons.iter().map(|horizon| horizon.days()).collect(),
            discount_rate: spec.discount_rate,
            value_months: spec.value_months,
            seed: spec.seed,
            typical,
            drawn: OnceLock::new(),
        }
    }

    /// Log-odds that a customer is still one; NaN where the numbers are nobody's.
    pub fn raw(&self, features: [f64; 4]) -> f64 {
        let history = Summary::from_features(features).history();
        let alive = history.map(|history| self.buying.model().probability_alive(&history));
        // A customer of the first day is alive by definition, and no log-odds is infinite.
        let alive = alive.unwrap_or(f64::NAN).clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        (alive / (1.0 - alive)).ln()
    }

    /// How each number moves the log-odds, compared with the median customer's number in its place; and their log-odds.
    pub fn explain(&self, features: [f64; 4]) -> ([f64; 4], f64) {
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

    /// What is told of a customer, in the order of [`forecast_fields`]. Intervals hold 95 % of drawn futures, the doubt about
    /// the parameters with them.
    pub fn forecast(&self, summary: &Summary) -> Result<Vec<f64>, PlatformError> {
        let (history, spend) = (summary.history()?, summary.spend());
        let buying = self.buying.model();
        let money = &self.money.parameters;
        let drawn = || (self.buying.draws(self.seed), self.money.draws(DRAWS, self.seed));
        let (models, moneys) = self.drawn.get_or_init(drawn);
        let customer = [(history, spend)];
        let failed = |error: septet_learn::clv::error::ClvError| PlatformError::Training(error.to_string());
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
