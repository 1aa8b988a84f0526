//! The papers that rows come from: sales with all that clings to them (postage, samples, lines typed in twice) and
//! cancellations that mirror a sale, in part or as a whole.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::basket::Item;
use super::calendar::{DAYS, office_second_of};
use super::customers::HOME;
use super::shelf::Shelf;
use crate::almanac::{DAY_SECONDS, log_normal};

const POSTAGE_MINOR: i32 = 895;
const POSTAGE_FREE_MINOR: f64 = 6_000.0; // orders of that much are sent abroad at no charge
const SAMPLE_SHARE: f64 = 0.012; // of the orders: one thing for nothing
const TWICE_SHARE: f64 = 0.005; // of the lines sold
const UNDESCRIBED_SHARE: f64 = 0.003; // of all lines

const CANCELLED_SHARE: f64 = 0.062; // of the orders; some come too late to be in the data
const WHOLLY_SHARE: f64 = 0.25; // of the cancellations
const CANCELLED_AFTER_DAYS: f64 = 5.0; // the median

/// One invoice, cancellation or adjustment: what was written down at one moment.
#[derive(Debug, Clone)]
pub(super) struct Paper {
    /// Seconds since the first midnight.
    pub second: u32,
    /// Before the number: nothing for a sale, `C` for what comes back, `A` for an adjustment of the books.
    pub letter: &'static str,
    pub buyer: Buyer,
    /// What an honest order was to cost.
    pub amount_minor: Option<f64>,
    /// One at least.
    pub lines: Vec<Line>,
}

/// Whose paper it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buyer {
    /// `None` for a guest, or where nobody bought.
    pub customer: Option<u32>,
    /// Position in `COUNTRIES`.
    pub country: u8,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub kind: Kind,
    pub article: Article,
    pub described: bool,
    pub quantity: i32,
    pub price_minor: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Article {
    Thing(u16),
    Postage,
    Test,
    BankCharge,
    BadDebt,
}

/// Why a line is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sale,
    Cancellation,
    ReturnWithoutSale,
    Duplicate,
    Postage,
    Sample,
    Test,
    BankCharge,
    BadDebt,
}

impl Kind {
    pub const ALL: [Kind; 9] = [
        Kind::Sale,
        Kind::Cancellation,
        Kind::ReturnWithoutSale,
        Kind::Duplicate,
        Kind::Postage,
        Kind::Sample,
        Kind::Test,
        Kind::BankCharge,
        Kind::BadDebt,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Sale => "sale",
            Kind::Cancellation => "cancellation",
            Kind::ReturnWithoutSale => "return_without_sale",
            Kind::Duplicate => "duplicate",
            Kind::Postage => "postage",
            Kind::Sample => "sample",
            Kind::Test => "test",
            Kind::BankCharge => "bank_charge",
            Kind::BadDebt => "bad_debt",
        }
    }
}

impl Line {
    pub fn new(kind: Kind, article: Article, quantity: i32, price_minor: i32) -> Line {
        Line { kind, article, described: true, quantity, price_minor }
    }

    fn of(item: &Item) -> Line {
        Line::new(Kind::Sale, Article::Thing(item.thing), item.quantity as i32, item.price_minor as i32)
    }
}

pub(super) fn sale(
    second: u32,
    buyer: Buyer,
    amount_minor: f64,
    items: &[Item],
    shelf: &Shelf,
    random: &mut ChaCha8Rng,
) -> Paper {
    let mut lines: Vec<Line> = items.iter().map(Line::of).collect();
    if random.random_bool(SAMPLE_SHARE) {
        let thing = shelf.pick(second / DAY_SECONDS, random);
        lines.push(Line::new(Kind::Sample, Article::Thing(thing), 1, 0));
    }
    if buyer.country != HOME && amount_minor < POSTAGE_FREE_MINOR {
        lines.push(Line::new(Kind::Postage, Article::Postage, 1, POSTAGE_MINOR));
    }
    let mut order = Paper { second, letter: "", buyer, amount_minor: Some(amount_minor), lines };
    order.forget_descriptions(random);
    order.type_some_twice(random);
    order
}

/// What some take back days later, at the price they paid; all of it or some of the lines in part.
pub(super) fn cancellation(order: &Paper, random: &mut ChaCha8Rng) -> Option<Paper> {
    if !random.random_bool(CANCELLED_SHARE) {
        return None;
    }
    let days = log_normal(CANCELLED_AFTER_DAYS, 0.8, random).ceil().min(f64::from(DAYS)) as u32;
    let mut lines: Vec<Line> = order.lines.iter().filter(|line| line.kind == Kind::Sale).copied().collect();
    if !random.random_bool(WHOLLY_SHARE) {
        lines.shuffle(random);
        lines.truncate(random.random_range(1..=lines.len().div_ceil(2)));
        for line in &mut lines {
            line.quantity = random.random_range(1..=line.quantity);
        }
    }
    let cancellation = mirror(order, &lines, office_second_of(order.second / DAY_SECONDS + days, random));
    Some(cancellation).filter(|paper| paper.second < DAYS * DAY_SECONDS)
}

/// The order's lines with quantities below 0.
pub(super) fn mirror(order: &Paper, lines: &[Line], second: u32) -> Paper {
    let back = |line: &Line| Line { kind: Kind::Cancellation, quantity: -line.quantity, ..*line };
    let lines = lines.iter().map(back).collect();
    Paper { second, letter: "C", buyer: order.buyer, amount_minor: None, lines }
}

impl Paper {
    fn forget_descriptions(&mut self, random: &mut ChaCha8Rng) {
        for line in &mut self.lines {
            line.described = !random.random_bool(UNDESCRIBED_SHARE);
        }
    }

    /// A line typed in twice stands behind the first, alike in everything.
    fn type_some_twice(&mut self, random: &mut ChaCha8Rng) {
        let mut lines = Vec::with_capacity(self.lines.len());
        for &line in &self.lines {
            lines.push(line);
            if line.kind == Kind::Sale && random.random_bool(TWICE_SHARE) {
                lines.push(Line { kind: Kind::Duplicate, ..line });
            }
        }
        self.lines = lines;
    }
}
