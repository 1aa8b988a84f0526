//! Who buys when and for how much: BG/NBD for the days, Gamma-Gamma for the money, each customer's draws independent of
//! the other's and of each other.
//!
//! Sources: Fader, Hardie & Lee 2005 ("Counting your customers the easy way"); Fader & Hardie 2013 ("The Gamma-Gamma
//! model of monetary value"). As in the former, nobody leaves before the first repeat order. The parameters are guesses
//! at a shop where most come once or twice.
//!
//! The models count days, so a second order of one day goes to the next day without one; none is lost, and the gaps after
//! it run on from where it was. At these rates that moves 1 to 2 % of the repeat orders.

use rand::RngExt;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Exp1, Gamma, Poisson};

use super::basket::fill;
use super::calendar::{Clock, DAYS, busyness};
use super::papers::{Buyer, Paper, cancellation, sale};
use super::shelf::Shelf;
use super::{Extent, PurchaseTruth, Purpose, SpendingTruth, random};
use crate::almanac::{DAY_SECONDS, log_normal};

pub(super) const PURCHASES: PurchaseTruth = PurchaseTruth { r: 0.5, alpha_weeks: 6.0, a: 0.8, b: 2.8 };
pub(super) const SPENDING: SpendingTruth = SpendingTruth { p: 6.0, q: 4.0, gamma: 20.0 };
const MINOR: f64 = 100.0; // parts of the currency unit that the money's parameters are in

const GUEST_MEDIAN_MINOR: f64 = 2_800.0;
const GUEST_SPREAD: f64 = 0.6;
pub(super) const COUNTRIES: [(&str, f64); 8] = [
    ("United Kingdom", 0.64),
    ("Germany", 0.09),
    ("France", 0.08),
    ("Ireland", 0.05),
    ("Netherlands", 0.05),
    ("Spain", 0.03),
    ("Belgium", 0.03),
    ("Switzerland", 0.03),
];

pub(super) const HOME: u8 = 0; // where the shop is

/// Everybody and everything that exists.
pub(super) struct World {
    pub shelf: Shelf,
    pub customers: Vec<Customer>,
    clock: Clock,
    countries: WeightedIndex<f64>,
    guest_orders_per_quiet_day: f64,
}

pub(super) struct Customer {
    pub orders_per_week: f64,
    /// The chance to leave for good after a repeat order.
    pub leaving: f64,
    /// In the long run, for one order.
    pub spend_mean_minor: f64,
    /// Oldest first, one at least, one a day at most; seconds since the first midnight.
    pub order_seconds: Vec<u32>,
    /// Whether the last order was the last for good.
    pub left: bool,
    pub country: u8,
}

impl World {
    pub fn draw(extent: &Extent, seed: u64) -> World {
        let clock = Clock::new();
        let countries = WeightedIndex::new(COUNTRIES.map(|(_, weight)| weight)).expect("each is above 0");
        let first_days = WeightedIndex::new((0..DAYS).map(busyness)).expect("each is above 0");
        let customer = |number| {
            let random = &mut random(seed, Purpose::Customer, number);
            let born_day = first_days.sample(random) as f64 + random.random_range(0.0..1.0);
            Customer::draw(born_day, &clock, countries.sample(random) as u8, random)
        };
        World {
            shelf: Shelf::draw(seed),
            customers: (0..extent.customers).map(customer).collect(),
            clock,
            countries,
            guest_orders_per_quiet_day: extent.guest_orders_per_quiet_day,
        }
    }

    /// What honest people order, and take back, customer by customer and then day by day for the guests.
    pub fn honest_papers(&self, seed: u64) -> Vec<Paper> {
        let mut papers = Vec::new();
        for (number, customer) in (0_u32..).zip(&self.customers) {
            let amounts = &mut random(seed, Purpose::Amounts, number);
            let orders = &mut random(seed, Purpose::Orders, number);
            let regrets = &mut random(seed, Purpose::Regrets, number);
            let buyer = Buyer { customer: Some(number), country: customer.country };
            for &second in &customer.order_seconds {
                let amount_minor = customer.next_amount_minor(amounts);
                let items = fill(&self.shelf, second / DAY_SECONDS, amount_minor, orders);
                let order = sale(second, buyer, amount_minor, &items, &self.shelf, orders);
                papers.extend(cancellation(&order, regrets));
                papers.push(order);
            }
        }
        for day in 0..DAYS {
            self.guest_papers(day, seed, &mut papers);
        }
        papers
    }

    fn guest_papers(&self, day: u32, seed: u64, papers: &mut Vec<Paper>) {
        let orders = &mut random(seed, Purpose::Guests, day);
        let regrets = &mut random(seed, Purpose::GuestRegrets, day);
        let mean = self.guest_orders_per_quiet_day * busyness(day);
        let count = Poisson::new(mean).expect("positive, and far below a million").sample(orders) as u32;
        for _ in 0..count {
            let second = self.clock.second_of(day, orders);
            let buyer = Buyer { customer: None, country: self.countries.sample(orders) as u8 };
            let amount_minor = log_normal(GUEST_MEDIAN_MINOR, GUEST_SPREAD, orders);
            let items = fill(&self.shelf, day, amount_minor, orders);
            let order = sale(second, buyer, amount_minor, &items, &self.shelf, orders);
            papers.extend(cancellation(&order, regrets));
            papers.push(order);
        }
    }
}

impl Customer {
    /// `born_day` is the moment of the first order, in days since the first midnight.
    fn draw(born_day: f64, clock: &Clock, country: u8, random: &mut ChaCha8Rng) -> Customer {
        let PurchaseTruth { r, alpha_weeks, a, b } = PURCHASES;
        let SpendingTruth { p, q, gamma } = SPENDING;
        let orders_per_week = Gamma::new(r, 1.0 / alpha_weeks).expect("both above 0").sample(random);
        let leaving = Beta::new(a, b).expect("both above 0").sample(random);
        // By the paper, one order is Gamma(p, rate nu), and nu of a customer Gamma(q, rate gamma).
        let nu = Gamma::new(q, 1.0 / gamma).expect("both above 0").sample(random);
        let mut customer = Customer {
            orders_per_week,
            leaving,
            spend_mean_minor: p / nu * MINOR,
            order_seconds: vec![clock.second_of(born_day as u32, random)],
            left: false,
            country,
        };
        customer.live(born_day, clock, random);
        customer
    }

    fn live(&mut self, born_day: f64, clock: &Clock, random: &mut ChaCha8Rng) {
        let (mut moment, mut day) = (born_day, born_day as u32);
        while !self.left {
            let gap_weeks: f64 = Distribution::<f64>::sample(&Exp1, random) / self.orders_per_week;
            moment += 7.0 * gap_weeks;
            day = (moment as u32).max(day + 1);
            if day >= DAYS {
                return;
            }
            self.order_seconds.push(clock.second_of(day, random));
            self.left = random.random_bool(self.leaving);
        }
    }

    fn next_amount_minor(&self, random: &mut ChaCha8Rng) -> f64 {
        let share_of_mean: f64 = Gamma::new(SPENDING.p, 1.0 / SPENDING.p).expect("both above 0").sample(random);
        self.spend_mean_minor * share_of_mean
    }
}
