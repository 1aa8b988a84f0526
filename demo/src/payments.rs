//! Card payments of a small country: people with habits, and three kinds of fraud that hide among them.
//!
//! The idea (customers and terminals on a map, fraud by scenario) follows the simulator that the book "Reproducible
//! Machine Learning for Credit Card Fraud Detection" describes; habits, scenarios and numbers here are our own.
//! Genuine oddities (trips, big purchases, night owls) and frauds that look ordinary keep perfect scores out of reach.

mod crime;
mod world;

use std::io::{self, BufWriter, Write};

use rand_chacha::ChaCha8Rng;

use crate::almanac::{distinct, stream, timestamp};
use crate::{DemoSummary, NamedCount, Progress, Size};
use crime::{Incident, Scenario};
use world::World;

const PROGRESS_ROWS: usize = 16_384; // some 25 calls for the normal size

/// Days, customers and terminals are in proportion, so that an entity lives the same life in either size.
struct Extent {
    days: u32,
    customers: u32,
    terminals: u32,
    rows_about: u64,
}

impl Size {
    fn extent(self) -> Extent {
        match self {
            Size::Small => Extent { days: 90, customers: 340, terminals: 270, rows_about: 40_000 },
            Size::Normal => Extent { days: 120, customers: 2_500, terminals: 2_000, rows_about: 400_000 },
        }
    }
}

/// Writes the payments as CSV: `payment_id,paid_at,customer_id,terminal_id,amount,is_fraud`.
pub(crate) fn write(out: &mut dyn Write, size: Size, seed: u64, progress: Progress<'_>) -> io::Result<DemoSummary> {
    let rows_about = size.extent().rows_about;
    progress(0, rows_about);
    let ledger = Ledger::simulate(&size.extent(), seed);
    let mut out = BufWriter::new(out);
    writeln!(out, "payment_id,paid_at,customer_id,terminal_id,amount,is_fraud")?;
    for (position, payment) in ledger.payments.iter().enumerate() {
        if position > 0 && position % PROGRESS_ROWS == 0 {
            progress(position as u64, rows_about.max(position as u64));
        }
        writeln!(
            out,
            "{},{},C{:06},T{:06},{}.{:02},{}",
            payment_id(position),
            timestamp(payment.second),
            payment.customer,
            payment.terminal,
            payment.amount_minor / 100,
            payment.amount_minor % 100,
            payment.incident.is_some(),
        )?;
    }
    out.flush()?;
    let rows = ledger.payments.len() as u64;
    progress(rows, rows);
    Ok(ledger.summary())
}

/// Writes one line per fraud: `payment_id,scenario,entity_id,span_from,span_until`. The span is when the card,
/// terminal or account was in wrong hands, its end not included.
pub(crate) fn write_truth(out: &mut dyn Write, size: Size, seed: u64) -> io::Result<()> {
    let ledger = Ledger::simulate(&size.extent(), seed);
    let mut out = BufWriter::new(out);
    writeln!(out, "payment_id,scenario,entity_id,span_from,span_until")?;
    for (position, payment) in ledger.payments.iter().enumerate() {
        let Some(incident) = payment.incident.map(|index| &ledger.incidents[index as usize]) else { continue };
        let letter = match incident.scenario {
            Scenario::CompromisedTerminal => 'T',
            Scenario::StolenCard | Scenario::AccountTakeover => 'C',
        };
        writeln!(
            out,
            "{},{},{letter}{:06},{},{}",
            payment_id(position),
            incident.scenario.name(),
            incident.entity,
            timestamp(incident.span.start),
            timestamp(incident.span.end),
        )?;
    }
    out.flush()
}

/// All payments, oldest first, and the incidents that their frauds belong to.
struct Ledger {
    payments: Vec<Payment>,
    incidents: Vec<Incident>,
}

/// One payment. Customer and terminal number from 0, in the order in which the world drew them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Payment {
    /// Seconds since the start date.
    second: u32,
    customer: u32,
    terminal: u32,
    amount_minor: u32,
    /// Position in the incidents, for a fraud.
    incident: Option<u32>,
}

impl Ledger {
    fn simulate(extent: &Extent, seed: u64) -> Ledger {
        let world = World::draw(extent, seed);
        let mut payments = world.genuine_payments(seed);
        payments.sort_unstable();
        let (mut payments, incidents) = crime::commit(&world, payments, seed);
        // The order is total, so payments within one second cannot trade places between runs.
        payments.sort_unstable();
        Ledger { payments, incidents }
    }

    fn summary(&self) -> DemoSummary {
        let count = |scenario: Option<Scenario>| {
            let incidents = self.payments.iter().filter_map(|payment| payment.incident);
            let scenarios = incidents.map(|index| self.incidents[index as usize].scenario);
            scenarios.filter(|found| scenario.is_none_or(|wanted| wanted == *found)).count() as u64
        };
        let mut labels = vec![NamedCount { name: "fraud", count: count(None) }];
        for scenario in Scenario::ALL {
            labels.push(NamedCount { name: scenario.name(), count: count(Some(scenario)) });
        }
        DemoSummary {
            rows: self.payments.len() as u64,
            entities: vec![
                NamedCount { name: "customers", count: distinct(self.payments.iter().map(|payment| payment.customer)) },
                NamedCount { name: "terminals", count: distinct(self.payments.iter().map(|payment| payment.terminal)) },
            ],
            labels,
        }
    }
}

/// Numbered by time, so that the id of a payment says nothing about its label.
fn payment_id(position: usize) -> String {
    format!("P{:08}", position + 1)
}

/// What a run of random numbers is for. Each entity has a run of its own for each purpose, so that one more draw
/// for one customer leaves everybody else as they were.
#[derive(Clone, Copy)]
enum Purpose {
    Terminal,
    Customer,
    Spending,
    Compromise,
    Takeover,
    StolenCard,
    CrimeCalendar,
}

fn random(seed: u64, purpose: Purpose, entity: u32) -> ChaCha8Rng {
    stream(seed, purpose as u64, entity)
}
