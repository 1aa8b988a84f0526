//! Order lines of a young gift and household shop: eighteen months of customers who come, buy and leave by a law whose
//! parameters are known, so that what estimates them can be judged.
//!
//! Nothing is measured; every number is a guess at a small shop. Beside the law lie the things that order files are full
//! of: guests, seasons, cancellations, a price rise, bots, lines typed in twice, lines that are no sale at all.
//! To find the parameters again, count the days with a sale for each customer whether or not it was cancelled later,
//! and for the money leave out postage, samples and duplicates.

mod basket;
mod calendar;
mod customers;
mod oddities;
mod papers;
mod shelf;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};

use rand_chacha::ChaCha8Rng;

use crate::almanac::{DAY_SECONDS, stream};
use crate::{DemoSummary, NamedCount, Progress, Size};
use calendar::written;
use customers::{COUNTRIES, PURCHASES, SPENDING, World};
use oddities::{BotRaid, book_entries, bot_papers, bot_raids, returns_without_sale};
use papers::{Article, Kind, Line, Paper};
use shelf::{RISE_FACTOR, RISE_PICKS_FACTOR};

const PROGRESS_ROWS: usize = 16_384; // some 20 calls for the normal size
const FIRST_NUMBER: usize = 500_001; // of the papers: a shop that has been there for a while

/// Customers and guests are in proportion, so that a customer lives the same life in either size.
struct Extent {
    customers: u32,
    guest_orders_per_quiet_day: f64,
    rows_about: u64,
}

impl Size {
    fn orders(self) -> Extent {
        match self {
            Size::Small => Extent { customers: 1_300, guest_orders_per_quiet_day: 1.2, rows_about: 20_000 },
            Size::Normal => Extent { customers: 22_000, guest_orders_per_quiet_day: 20.0, rows_about: 330_000 },
        }
    }
}

/// What must be found in the order lines.
#[derive(Debug, Clone, PartialEq)]
pub struct EcommerceTruth {
    pub purchases: PurchaseTruth,
    pub spending: SpendingTruth,
    /// Mean distance of an order's lines from the amount that was drawn for it, as a share of the mean amount.
    pub amount_error: f64,
    pub price_rise: PriceRise,
    /// In the order of time.
    pub bot_nights: Vec<BotNight>,
    /// Skus bought together far more often than by chance, two or three each; no sku is in two.
    pub bought_together: Vec<Vec<String>>,
    /// Rows by why they are there; they add up to all rows.
    pub rows_by_kind: Vec<NamedCount>,
}

/// BG/NBD: order rates are Gamma(r, rate alpha), chances of leaving after a repeat order Beta(a, b).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PurchaseTruth {
    pub r: f64,
    pub alpha_weeks: f64,
    pub a: f64,
    pub b: f64,
}

/// Gamma-Gamma: an order's amount is Gamma(p, rate nu), nu of a customer Gamma(q, rate gamma); often gamma is named v.
/// In the unit of `unit_price`. The mean of all customers is `p * gamma / (q - 1)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpendingTruth {
    pub p: f64,
    pub q: f64,
    pub gamma: f64,
}

/// From one day on, some things cost more.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceRise {
    /// The first midnight of the new prices, as in the rows.
    pub since: String,
    /// All things of one group.
    pub skus: Vec<String>,
    /// On the price, up to rounding.
    pub factor: f64,
    /// On how often they come to mind. As the money stays what it was, fewer of those picks fit in: in all, they sell
    /// some 10 % fewer lines, and 10 % fewer pieces in each.
    pub picks_factor: f64,
}

/// Many orders of one thing in the small hours, most cancelled within days.
#[derive(Debug, Clone, PartialEq)]
pub struct BotNight {
    /// The midnight before, as in the rows; all orders lie within that day.
    pub since: String,
    pub sku: String,
    /// They order nothing else, and at no other time.
    pub customer_ids: Vec<String>,
    /// The orders, without the cancellations.
    pub invoice_ids: Vec<String>,
}

/// The truth about the rows that `write` makes of the same size and seed.
pub fn truth(size: Size, seed: u64) -> EcommerceTruth {
    let book = Book::simulate(&size.orders(), seed);
    let shelf = &book.world.shelf;
    let sku = |thing: u16| shelf.things[thing as usize].code.clone();
    EcommerceTruth {
        purchases: PURCHASES,
        spending: SPENDING,
        amount_error: book.amount_error(),
        price_rise: PriceRise {
            since: written(shelf.rise_day * DAY_SECONDS),
            skus: shelf.risen.clone().map(sku).collect(),
            factor: RISE_FACTOR,
            picks_factor: RISE_PICKS_FACTOR,
        },
        bot_nights: book.raids.iter().map(|raid| book.bot_night(raid)).collect(),
        bought_together: shelf.bundles.iter().map(|things| things.iter().copied().map(sku).collect()).collect(),
        rows_by_kind: book.rows_by_kind(),
    }
}

/// Writes the lines as CSV: `line_id,invoice_id,sku,description,quantity,ordered_at,unit_price,customer_id,country`.
/// A guest's line has no customer, a few have no description; what comes back has a quantity below 0.
pub(crate) fn write(out: &mut dyn Write, size: Size, seed: u64, progress: Progress<'_>) -> io::Result<DemoSummary> {
    let extent = size.orders();
    progress(0, extent.rows_about);
    let book = Book::simulate(&extent, seed);
    let customer_numbers = book.customer_numbers();
    let mut out = BufWriter::new(out);
    writeln!(out, "line_id,invoice_id,sku,description,quantity,ordered_at,unit_price,customer_id,country")?;
    for (row, (position, paper, line)) in book.lines().enumerate() {
        if row > 0 && row % PROGRESS_ROWS == 0 {
            progress(row as u64, extent.rows_about.max(row as u64));
        }
        let (sku, description) = book.names(line.article);
        writeln!(
            out,
            "L{:07},{},{sku},{},{},{},{},{},{}",
            row + 1,
            invoice_id(position, paper),
            if line.described { description } else { "" },
            line.quantity,
            written(paper.second),
            decimal(f64::from(line.price_minor)),
            paper.buyer.customer.map(|number| customer_id(customer_numbers[&number])).unwrap_or_default(),
            COUNTRIES[paper.buyer.country as usize].0,
        )?;
    }
    out.flush()?;
    let summary = book.summary();
    progress(summary.rows, summary.rows);
    Ok(summary)
}

/// Writes one line for each honest customer: `customer_id,born,died,lambda,p,mean_spend`. Born is the first order; died
/// the last, empty for who was still there at the end; lambda is orders per week, p the chance of leaving after a
/// repeat order, mean spend that of one order in the long run.
pub(crate) fn write_truth(out: &mut dyn Write, size: Size, seed: u64) -> io::Result<()> {
    let book = Book::simulate(&size.orders(), seed);
    let mut out = BufWriter::new(out);
    writeln!(out, "customer_id,born,died,lambda,p,mean_spend")?;
    let mut lives: Vec<(usize, u32)> =
        book.customer_numbers().into_iter().map(|(customer, number)| (number, customer)).collect();
    lives.sort_unstable();
    for (number, customer) in lives {
        // Bots have numbers beyond the customers and no life of their own.
        let Some(customer) = book.world.customers.get(customer as usize) else { continue };
        let [.., last] = customer.order_seconds[..] else { continue };
        writeln!(
            out,
            "{},{},{},{:.6},{:.6},{}",
            customer_id(number),
            written(customer.order_seconds[0]),
            if customer.left { written(last) } else { String::new() },
            customer.orders_per_week,
            customer.leaving,
            decimal(customer.spend_mean_minor),
        )?;
    }
    out.flush()
}

/// Everybody, and all papers, oldest first.
struct Book {
    world: World,
    raids: [BotRaid; 2],
    papers: Vec<Paper>,
}

impl Book {
    fn simulate(extent: &Extent, seed: u64) -> Book {
        let world = World::draw(extent, seed);
        let raids = bot_raids(&world, seed);
        let mut papers = world.honest_papers(seed);
        papers.extend(returns_without_sale(&world, &papers, seed));
        papers.extend(raids.iter().flat_map(|raid| bot_papers(&world, raid, seed)));
        papers.extend(book_entries(seed));
        // Stable, so papers of one second stay in the order in which they were made.
        papers.sort_by_key(|paper| paper.second);
        Book { world, raids, papers }
    }

    /// Each line with its paper and the paper's position.
    fn lines(&self) -> impl Iterator<Item = (usize, &Paper, &Line)> {
        let papers = self.papers.iter().enumerate();
        papers.flat_map(|(position, paper)| paper.lines.iter().map(move |line| (position, paper, line)))
    }

    /// Numbers from 1 in the order of the first paper, so that a customer's id says nothing but how new the customer is.
    fn customer_numbers(&self) -> BTreeMap<u32, usize> {
        let mut numbers = BTreeMap::new();
        for customer in self.papers.iter().filter_map(|paper| paper.buyer.customer) {
            let next = numbers.len() + 1;
            numbers.entry(customer).or_insert(next);
        }
        numbers
    }

    /// Sku and description.
    fn names(&self, article: Article) -> (&str, &str) {
        match article {
            Article::Thing(thing) => {
                let thing = &self.world.shelf.things[thing as usize];
                (&thing.code, &thing.description)
            }
            Article::Postage => ("POST", "POSTAGE"),
            Article::Test => ("TEST001", "TEST PRODUCT - DO NOT SHIP"),
            Article::BankCharge => ("BANK", "BANK CHARGES"),
            Article::BadDebt => ("DEBT", "ADJUST BAD DEBT"),
        }
    }

    fn amount_error(&self) -> f64 {
        let (mut error, mut all) = (0.0, 0.0);
        for paper in &self.papers {
            let Some(amount_minor) = paper.amount_minor else { continue };
            let sold = paper.lines.iter().filter(|line| line.kind == Kind::Sale);
            let sold_minor: f64 = sold.map(|line| f64::from(line.quantity) * f64::from(line.price_minor)).sum();
            error += (sold_minor - amount_minor).abs();
            all += amount_minor;
        }
        error / all
    }

    fn bot_night(&self, raid: &BotRaid) -> BotNight {
        let numbers = self.customer_numbers();
        let mut accounts: Vec<usize> = raid.accounts.clone().map(|account| numbers[&account]).collect();
        accounts.sort_unstable();
        let of_raid = |paper: &Paper| paper.buyer.customer.is_some_and(|customer| raid.accounts.contains(&customer));
        let orders = self.papers.iter().enumerate().filter(|(_, paper)| of_raid(paper) && paper.letter.is_empty());
        BotNight {
            since: written(raid.day * DAY_SECONDS),
            sku: self.world.shelf.things[self.world.shelf.scarce as usize].code.clone(),
            customer_ids: accounts.into_iter().map(customer_id).collect(),
            invoice_ids: orders.map(|(position, paper)| invoice_id(position, paper)).collect(),
        }
    }

    fn rows_by_kind(&self) -> Vec<NamedCount> {
        let count = |kind: Kind| self.lines().filter(|(_, _, line)| line.kind == kind).count() as u64;
        Kind::ALL.map(|kind| NamedCount { name: kind.name(), count: count(kind) }).into()
    }

    /// Labels: the kinds add up to the rows; `guest` (sold without a customer), `bot` (sold or taken back) and
    /// `without_description` are counted beside them.
    fn summary(&self) -> DemoSummary {
        let beside = |told: &dyn Fn(&Paper, &Line) -> bool| {
            self.lines().filter(|(_, paper, line)| told(paper, line)).count() as u64
        };
        let bots = self.world.customers.len() as u32..;
        let is_bot = |paper: &Paper, _: &Line| paper.buyer.customer.is_some_and(|customer| bots.contains(&customer));
        let is_guest = |paper: &Paper, line: &Line| line.kind == Kind::Sale && paper.buyer.customer.is_none();
        let mut labels = self.rows_by_kind();
        labels.extend([
            NamedCount { name: "guest", count: beside(&is_guest) },
            NamedCount { name: "bot", count: beside(&is_bot) },
            NamedCount { name: "without_description", count: beside(&|_, line| !line.described) },
        ]);
        let skus = self.lines().map(|(_, _, line)| line.article).collect::<BTreeSet<_>>().len() as u64;
        DemoSummary {
            rows: self.lines().count() as u64,
            entities: vec![
                NamedCount { name: "customers", count: self.customer_numbers().len() as u64 },
                NamedCount { name: "skus", count: skus },
                NamedCount { name: "invoices", count: self.papers.len() as u64 },
            ],
            labels,
        }
    }
}

/// Numbered by time, so that nothing but the letter tells a paper's story.
fn invoice_id(position: usize, paper: &Paper) -> String {
    format!("{}{}", paper.letter, FIRST_NUMBER + position)
}

fn customer_id(number: usize) -> String {
    format!("K{number:05}")
}

/// Hundredths as `-12.50`.
fn decimal(minor: f64) -> String {
    format!("{:.2}", minor / 100.0)
}

/// What a run of random numbers is for. Each entity has a run of its own for each purpose, so that one more draw
/// for one customer leaves everybody else as they were.
#[derive(Clone, Copy)]
enum Purpose {
    Shelf,
    Customer,
    Amounts,
    Orders,
    Regrets,
    Guests,
    GuestRegrets,
    Returns,
    Bots,
    Books,
}

fn random(seed: u64, purpose: Purpose, entity: u32) -> ChaCha8Rng {
    stream(seed, purpose as u64, entity)
}
