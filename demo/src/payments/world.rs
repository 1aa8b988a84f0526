//! The honest part: who lives where, what they can afford, when and where they pay.
//!
//! No number here is measured; each is a guess at an ordinary town, chosen so that habits differ between people
//! more than within one person. That difference is what a customer's own history can teach.

use std::ops::Range;

use rand::RngExt;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand_chacha::ChaCha8Rng;
use rand_distr::Poisson;

use super::{Extent, Payment, Purpose, random};
use crate::almanac::{DAY_SECONDS, log_normal};

const MAP_SIDE: f64 = 100.0;
const TERMINALS_IN_REACH: f64 = 12.0; // on average; sets the radius, so a sparser map gives wider circles
const START_WEEKDAY: u32 = 3; // 2026-01-01 is a Thursday; Monday is 0
const GROWTH_PER_DAY: f64 = 0.0008; // about 10 % over 120 days
const AMOUNT_MINOR: Range<f64> = 50.0..500_000.0; // half a unit, and a card's limit

const JOINS_LATE_SHARE: f64 = 0.15;
const LEAVES_SHARE: f64 = 0.08;
const NIGHT_OWL_SHARE: f64 = 0.06;
const TRIP_EVERY_DAYS: u32 = 250;
const ELSEWHERE_SHARE: f64 = 0.02; // payments anywhere on the map: a day out, or by mail
const BIG_PURCHASE_SHARE: f64 = 0.01;

/// Everybody and everything that exists.
pub(super) struct World {
    pub days: u32,
    pub terminals: Vec<Terminal>,
    pub customers: Vec<Customer>,
}

#[derive(Clone, Copy)]
pub(super) struct Spot {
    x: f64,
    y: f64,
}

pub(super) struct Terminal {
    spot: Spot,
    attraction: f64,
    price_level: f64,
}

pub(super) struct Customer {
    pub home: Spot,
    /// From joining to leaving.
    pub active_days: Range<u32>,
    /// The median, before the terminal's price level.
    amount_minor: f64,
    /// Standard deviation of the logarithm.
    amount_spread: f64,
    payments_per_day: f64,
    weekday_weights: [f64; 7],
    workday_hours: WeightedIndex<f64>,
    weekend_hours: WeightedIndex<f64>,
    around_home: Neighbourhood,
    trip: Option<Trip>,
}

/// Days spent elsewhere: genuine, and to a model much like an account takeover.
struct Trip {
    days: Range<u32>,
    around: Neighbourhood,
}

/// The terminals within somebody's reach and how often each is chosen.
struct Neighbourhood {
    terminals: Vec<u32>,
    choice: WeightedIndex<f64>,
}

impl World {
    pub fn draw(extent: &Extent, seed: u64) -> World {
        let terminals: Vec<Terminal> =
            (0..extent.terminals).map(|number| Terminal::draw(&mut random(seed, Purpose::Terminal, number))).collect();
        let customers = (0..extent.customers)
            .map(|number| Customer::draw(extent.days, &terminals, &mut random(seed, Purpose::Customer, number)))
            .collect();
        World { days: extent.days, terminals, customers }
    }

    /// What everybody pays honestly, customer by customer.
    pub fn genuine_payments(&self, seed: u64) -> Vec<Payment> {
        let mut payments = Vec::new();
        for (number, customer) in (0_u32..).zip(&self.customers) {
            let random = &mut random(seed, Purpose::Spending, number);
            for day in customer.active_days.clone() {
                for _ in 0..customer.payments_on(day, random) {
                    payments.push(self.genuine_payment(number, day, random));
                }
            }
        }
        payments
    }

    fn genuine_payment(&self, number: u32, day: u32, random: &mut ChaCha8Rng) -> Payment {
        let customer = &self.customers[number as usize];
        let hours = if weekday(day) >= 5 { &customer.weekend_hours } else { &customer.workday_hours };
        let hour = hours.sample(random) as u32;
        let terminal = if random.random_bool(ELSEWHERE_SHARE) {
            random.random_range(0..self.terminals.len() as u32)
        } else {
            customer.neighbourhood(day).pick(random)
        };
        let occasion = if random.random_bool(BIG_PURCHASE_SHARE) { log_normal(4.0, 0.4, random) } else { 1.0 };
        Payment {
            second: day * DAY_SECONDS + hour * 3_600 + random.random_range(0..3_600),
            customer: number,
            terminal,
            amount_minor: self.amount_minor(number, terminal, occasion, random),
            incident: None,
        }
    }

    /// What this customer would spend at this terminal, `factor` times over.
    pub fn amount_minor(&self, customer: u32, terminal: u32, factor: f64, random: &mut ChaCha8Rng) -> u32 {
        let customer = &self.customers[customer as usize];
        let usual = customer.amount_minor * self.terminals[terminal as usize].price_level;
        whole_minor(log_normal(usual * factor, customer.amount_spread, random))
    }

    /// A terminal where this customer would usually pay on that day.
    pub fn usual_terminal(&self, customer: u32, day: u32, random: &mut ChaCha8Rng) -> u32 {
        self.customers[customer as usize].neighbourhood(day).pick(random)
    }

    /// A terminal far from `home`: the farthest of four drawn at random, so far but seldom at the map's very edge.
    pub fn far_terminal(&self, home: Spot, random: &mut ChaCha8Rng) -> u32 {
        let mut farthest = (0.0, 0);
        for _ in 0..4 {
            let terminal = random.random_range(0..self.terminals.len() as u32);
            let distance = home.distance(self.terminals[terminal as usize].spot);
            if distance >= farthest.0 {
                farthest = (distance, terminal);
            }
        }
        farthest.1
    }
}

impl Terminal {
    fn draw(random: &mut ChaCha8Rng) -> Terminal {
        Terminal {
            spot: Spot::draw(random),
            attraction: log_normal(1.0, 0.6, random),
            price_level: log_normal(1.0, 0.35, random),
        }
    }
}

impl Customer {
    fn draw(days: u32, terminals: &[Terminal], random: &mut ChaCha8Rng) -> Customer {
        let home = Spot::draw(random);
        let joins = if random.random_bool(JOINS_LATE_SHARE) { random.random_range(0..days) } else { 0 };
        let leaves = if random.random_bool(LEAVES_SHARE) { random.random_range(joins..days) + 1 } else { days };
        let weekly = [0.95, 0.95, 1.0, 1.05, 1.25, 1.3, 0.75];
        let night_owl = random.random_bool(NIGHT_OWL_SHARE);
        let trip_day = random.random_range(0..TRIP_EVERY_DAYS);
        Customer {
            home,
            active_days: joins..leaves,
            amount_minor: log_normal(2_800.0, 0.55, random),
            amount_spread: random.random_range(0.3..0.65),
            payments_per_day: log_normal(1.1, 0.6, random),
            weekday_weights: weekly.map(|weight| weight * log_normal(1.0, 0.2, random)),
            workday_hours: hours([8.0, 12.5, 18.0], night_owl, random),
            weekend_hours: hours([10.5, 14.0, 19.5], night_owl, random),
            around_home: Neighbourhood::around(home, terminals, random),
            trip: (trip_day < days).then(|| Trip {
                days: trip_day..trip_day + random.random_range(3..12),
                around: Neighbourhood::around(Spot::draw(random), terminals, random),
            }),
        }
    }

    fn payments_on(&self, day: u32, random: &mut ChaCha8Rng) -> u32 {
        let growth = 1.0 + GROWTH_PER_DAY * f64::from(day);
        let mean = self.payments_per_day * self.weekday_weights[weekday(day) as usize] * growth;
        Poisson::new(mean).expect("a product of positive numbers, each far below a million").sample(random) as u32
    }

    fn neighbourhood(&self, day: u32) -> &Neighbourhood {
        match &self.trip {
            Some(trip) if trip.days.contains(&day) => &trip.around,
            _ => &self.around_home,
        }
    }
}

impl Neighbourhood {
    /// Nearer, more attractive and favourite terminals weigh more; the nearest one is always in reach.
    fn around(spot: Spot, terminals: &[Terminal], random: &mut ChaCha8Rng) -> Neighbourhood {
        let average =
            (TERMINALS_IN_REACH * MAP_SIDE * MAP_SIDE / (std::f64::consts::PI * terminals.len() as f64)).sqrt();
        let radius = average * random.random_range(0.7..1.3);
        let distances: Vec<f64> = terminals.iter().map(|terminal| spot.distance(terminal.spot)).collect();
        let nearest = distances.iter().copied().fold(f64::INFINITY, f64::min);
        let (mut within, mut weights) = (Vec::new(), Vec::new());
        for (number, distance) in (0_u32..).zip(distances) {
            if distance <= radius.max(nearest) {
                let favour = log_normal(1.0, 1.0, random);
                within.push(number);
                weights.push(favour * terminals[number as usize].attraction * (-2.0 * distance / average).exp());
            }
        }
        let choice = WeightedIndex::new(weights).expect("the nearest terminal is in, and every weight is positive");
        Neighbourhood { terminals: within, choice }
    }

    fn pick(&self, random: &mut ChaCha8Rng) -> u32 {
        self.terminals[self.choice.sample(random)]
    }
}

impl Spot {
    fn draw(random: &mut ChaCha8Rng) -> Spot {
        Spot { x: random.random_range(0.0..MAP_SIDE), y: random.random_range(0.0..MAP_SIDE) }
    }

    fn distance(self, other: Spot) -> f64 {
        ((self.x - other.x).powi(2) + (self.y - other.y).powi(2)).sqrt()
    }
}

/// A person's own rhythm: three peaks of the day, moved and weighted per person, over a thin night.
fn hours(peaks: [f64; 3], night_owl: bool, random: &mut ChaCha8Rng) -> WeightedIndex<f64> {
    let mut weights = [0.006; 24];
    for peak in peaks {
        let centre: f64 = peak + random.random_range(-1.0..1.0);
        let height = log_normal(1.0, 0.6, random);
        for (hour, weight) in weights.iter_mut().enumerate() {
            *weight += height * (-((hour as f64 + 0.5 - centre) / 1.8).powi(2) / 2.0).exp();
        }
    }
    if night_owl {
        for hour in [22, 23, 0, 1, 2, 3] {
            weights[hour] += 0.35;
        }
    }
    WeightedIndex::new(weights).expect("24 positive weights")
}

/// Monday is 0.
fn weekday(day: u32) -> u32 {
    (START_WEEKDAY + day) % 7
}

/// Rounded and held within what a card can pay.
pub(super) fn whole_minor(amount: f64) -> u32 {
    amount.round().clamp(AMOUNT_MINOR.start, AMOUNT_MINOR.end) as u32
}
