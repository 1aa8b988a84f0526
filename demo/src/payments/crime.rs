//! The dishonest part: three scenarios, each filling a fixed share of the rows with its frauds.
//!
//! Incidents follow each other at even steps through the calendar, so that every stretch of a few weeks holds every
//! scenario even in the small size, and a split by time always has something to learn and something to find.
//! The constants are guesses, set so that gradient boosting on window features, allowed as many alarms as there are
//! frauds, finds about half of them in the normal size.

use std::ops::{Range, RangeInclusive};

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::world::{World, whole_minor};
use super::{Payment, Purpose, random};
use crate::almanac::{DAY_SECONDS, log_normal};

const STOLEN_AT_NIGHT_SHARE: f64 = 0.55;
const STOLEN_TRIED_FIRST_SHARE: f64 = 0.3; // thieves who try the card with a trifle first
const STOLEN_FACTOR: f64 = 3.5; // median, on the customer's usual amount
const BURST_PAYMENTS: RangeInclusive<usize> = 2..=6;
const BURST_SECONDS: Range<u32> = 1_800..14_400;

const COMPROMISED_DAYS: Range<f64> = 15.0..28.0;
const COMPROMISED_FRAUD_SHARE: Range<f64> = 0.5..0.85; // of the payments at the terminal
const COMPROMISED_FACTOR: Range<f64> = 0.6..1.0; // somewhat less than the customer would have paid

const TAKEOVER_DAYS: Range<f64> = 11.0..17.0;
const TAKEOVER_FRAUD_SHARE: f64 = 1.0 / 3.0; // of the customer's payments
const TAKEOVER_FACTOR: f64 = 4.0; // median, on what the customer would have paid

/// Incidents may begin this long before the data does: the first days are no cleaner than the rest.
const LEAD_DAYS: f64 = 10.0;
const GOLDEN_STEP: f64 = 0.618_033_988_749_894_9; // the fraction whose multiples fill 0..1 most evenly

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scenario {
    StolenCard,
    CompromisedTerminal,
    AccountTakeover,
}

impl Scenario {
    pub const ALL: [Scenario; 3] = [Scenario::StolenCard, Scenario::CompromisedTerminal, Scenario::AccountTakeover];

    pub fn name(self) -> &'static str {
        match self {
            Scenario::StolenCard => "stolen_card",
            Scenario::CompromisedTerminal => "compromised_terminal",
            Scenario::AccountTakeover => "account_takeover",
        }
    }

    /// Share of the genuine payments; 0.9 % in all, near the 0.84 % of the book's data.
    fn share(self) -> f64 {
        match self {
            Scenario::StolenCard => 0.0025,
            Scenario::CompromisedTerminal => 0.0038,
            Scenario::AccountTakeover => 0.0027,
        }
    }
}

/// One card, terminal or account in wrong hands.
#[derive(Debug)]
pub(super) struct Incident {
    pub scenario: Scenario,
    /// The number of a terminal for a compromised terminal, of a customer otherwise.
    pub entity: u32,
    /// Seconds since the start date.
    pub span: Range<u32>,
}

/// Turns some payments (sorted by time) into frauds and adds the bursts of stolen cards at the end, unsorted.
pub(super) fn commit(world: &World, payments: Vec<Payment>, seed: u64) -> (Vec<Payment>, Vec<Incident>) {
    let genuine = payments.len();
    let mut crime = Crime { world, seed, genuine, payments, incidents: Vec::new() };
    crime.compromise_terminals();
    crime.take_over_accounts();
    crime.steal_cards();
    (crime.payments, crime.incidents)
}

struct Crime<'a> {
    world: &'a World,
    seed: u64,
    /// Payments before any fraud was added.
    genuine: usize,
    payments: Vec<Payment>,
    incidents: Vec<Incident>,
}

/// What an incident does unless it is discovered first.
struct Plan {
    scenario: Scenario,
    entity: u32,
    span: Range<u32>,
    /// Chance of each payment in the span to be a fraud.
    share: f64,
    frauds_max: usize,
}

impl Crime<'_> {
    /// Copied cards are used at one terminal for weeks. Single payments look normal; only the terminal's record tells.
    fn compromise_terminals(&mut self) {
        let scenario = Scenario::CompromisedTerminal;
        let by_terminal = positions(&self.payments, self.world.terminals.len(), |payment| payment.terminal);
        let busy_mean = self.genuine / self.world.terminals.len();
        let mut calendar = Calendar::open(self, scenario);
        let mut frauds_left = self.frauds_wanted(scenario);
        for terminal in shuffled(self.world.terminals.len(), &mut calendar.random) {
            if frauds_left == 0 {
                break;
            }
            let candidates = &by_terminal[terminal as usize];
            // A quiet terminal is not worth the risk; at the busiest ones somebody would look.
            if candidates.len() < busy_mean / 2 || candidates.len() > busy_mean * 2 {
                continue;
            }
            let mut random = random(self.seed, Purpose::Compromise, terminal);
            let span = calendar.next_span(random.random_range(COMPROMISED_DAYS));
            let share = random.random_range(COMPROMISED_FRAUD_SHARE);
            let plan = Plan { scenario, entity: terminal, span, share, frauds_max: frauds_left };
            let hits = self.strike(plan, candidates, &mut random);
            frauds_left -= hits.len();
            for hit in hits {
                let amount = f64::from(self.payments[hit].amount_minor);
                self.payments[hit].amount_minor = whole_minor(amount * random.random_range(COMPROMISED_FACTOR));
            }
        }
    }

    /// Somebody else pays with the account now and then: more than its owner would, and far away.
    fn take_over_accounts(&mut self) {
        let scenario = Scenario::AccountTakeover;
        let by_customer = positions(&self.payments, self.world.customers.len(), |payment| payment.customer);
        let mut calendar = Calendar::open(self, scenario);
        let mut frauds_left = self.frauds_wanted(scenario);
        for customer in shuffled(self.world.customers.len(), &mut calendar.random) {
            if frauds_left == 0 {
                break;
            }
            let mut random = random(self.seed, Purpose::Takeover, customer);
            let span = calendar.next_span(random.random_range(TAKEOVER_DAYS));
            let plan = Plan { scenario, entity: customer, span, share: TAKEOVER_FRAUD_SHARE, frauds_max: frauds_left };
            let hits = self.strike(plan, &by_customer[customer as usize], &mut random);
            frauds_left -= hits.len();
            let home = self.world.customers[customer as usize].home;
            for hit in hits {
                let amount = f64::from(self.payments[hit].amount_minor);
                self.payments[hit].amount_minor = whole_minor(amount * log_normal(TAKEOVER_FACTOR, 0.5, &mut random));
                self.payments[hit].terminal = self.world.far_terminal(home, &mut random);
            }
        }
    }

    /// A few large payments within hours, until the card is blocked.
    fn steal_cards(&mut self) {
        let scenario = Scenario::StolenCard;
        let mut calendar = Calendar::open(self, scenario);
        let mut frauds_left = self.frauds_wanted(scenario);
        for customer in shuffled(self.world.customers.len(), &mut calendar.random) {
            if frauds_left == 0 {
                break;
            }
            let day = calendar.next_day();
            if !self.world.customers[customer as usize].active_days.contains(&day) {
                continue;
            }
            let mut random = random(self.seed, Purpose::StolenCard, customer);
            let burst = self.burst(customer, day, frauds_left, &mut random);
            frauds_left -= burst.len();
            self.payments.extend(burst);
        }
    }

    /// The burst of one stolen card, at night or else by day and far from home.
    fn burst(&mut self, customer: u32, day: u32, frauds_max: usize, random: &mut ChaCha8Rng) -> Vec<Payment> {
        let at_night = random.random_bool(STOLEN_AT_NIGHT_SHARE);
        // Hours in which the burst starts; it ends within the day.
        let (hours, far_share) = if at_night { (0..4, 0.4) } else { (9..19, 1.0) };
        let start = day * DAY_SECONDS + random.random_range(hours) * 3_600;
        let seconds = random.random_range(BURST_SECONDS);
        let tries_first = random.random_bool(STOLEN_TRIED_FIRST_SHARE);
        let home = self.world.customers[customer as usize].home;
        let count = random.random_range(BURST_PAYMENTS).min(frauds_max);
        let mut offsets: Vec<u32> = (0..count).map(|_| random.random_range(0..seconds)).collect();
        offsets.sort_unstable();
        let mut burst = Vec::new();
        for (turn, offset) in offsets.into_iter().enumerate() {
            let terminal = if random.random_bool(far_share) {
                self.world.far_terminal(home, random)
            } else {
                self.world.usual_terminal(customer, day, random)
            };
            let factor = if turn == 0 && tries_first { 0.15 } else { log_normal(STOLEN_FACTOR, 0.6, random) };
            let amount_minor = self.world.amount_minor(customer, terminal, factor, random);
            let incident = Some(self.incidents.len() as u32);
            burst.push(Payment { second: start + offset, customer, terminal, amount_minor, incident });
        }
        self.incidents.push(Incident {
            scenario: Scenario::StolenCard,
            entity: customer,
            span: start..start + seconds,
        });
        burst
    }

    fn frauds_wanted(&self, scenario: Scenario) -> usize {
        (self.genuine as f64 * scenario.share()).round() as usize
    }

    /// Marks the plan's share of the candidates (positions, oldest first) in its span and returns the marked ones.
    /// An incident that reaches its limit is discovered there and then: its span ends. One without a fraud is none.
    fn strike(&mut self, plan: Plan, candidates: &[u32], random: &mut ChaCha8Rng) -> Vec<usize> {
        let mut hits = Vec::new();
        for &candidate in candidates {
            let payment = &mut self.payments[candidate as usize];
            let open = payment.incident.is_none() && plan.span.contains(&payment.second);
            if open && hits.len() < plan.frauds_max && random.random_bool(plan.share) {
                payment.incident = Some(self.incidents.len() as u32);
                hits.push(candidate as usize);
            }
        }
        if let Some(&last) = hits.last() {
            let discovered = if hits.len() == plan.frauds_max { self.payments[last].second + 1 } else { plan.span.end };
            let span = plan.span.start..discovered;
            self.incidents.push(Incident { scenario: plan.scenario, entity: plan.entity, span });
        }
        hits
    }
}

/// When the incidents of one scenario begin.
struct Calendar {
    random: ChaCha8Rng,
    days: f64,
    turn: f64,
}

impl Calendar {
    fn open(crime: &Crime<'_>, scenario: Scenario) -> Calendar {
        let mut random = random(crime.seed, Purpose::CrimeCalendar, scenario as u32);
        let turn = random.random_range(0.0..1.0);
        Calendar { random, days: f64::from(crime.world.days), turn }
    }

    /// The next span of so many days, cut to the days of the data.
    fn next_span(&mut self, span_days: f64) -> Range<u32> {
        let start_day = self.next_turn() * (self.days + LEAD_DAYS) - LEAD_DAYS;
        let second = |day: f64| (day.clamp(0.0, self.days) * f64::from(DAY_SECONDS)) as u32;
        second(start_day)..second(start_day + span_days)
    }

    fn next_day(&mut self) -> u32 {
        (self.next_turn() * self.days) as u32
    }

    /// 0..1, evenly filled by any number of turns.
    fn next_turn(&mut self) -> f64 {
        self.turn = (self.turn + GOLDEN_STEP).fract();
        self.turn
    }
}

/// The numbers 0..count in random order: each customer or terminal is hit at most once per scenario.
fn shuffled(count: usize, random: &mut ChaCha8Rng) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..count as u32).collect();
    numbers.shuffle(random);
    numbers
}

/// For each entity the positions of its payments, oldest first.
fn positions(payments: &[Payment], entities: usize, entity: fn(&Payment) -> u32) -> Vec<Vec<u32>> {
    let mut by_entity = vec![Vec::new(); entities];
    for (position, payment) in (0_u32..).zip(payments) {
        by_entity[entity(payment) as usize].push(position);
    }
    by_entity
}
