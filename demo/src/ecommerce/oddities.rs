//! What is neither bought nor taken back by ordinary people: two nights of bots, returns of things never sold, and what
//! clerks and the bank write into the books.

use std::collections::BTreeSet;
use std::ops::Range;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::calendar::{DAYS, office_second_of};
use super::customers::{COUNTRIES, HOME, World};
use super::papers::{Article, Buyer, Kind, Line, Paper, mirror};
use super::{Purpose, random};
use crate::almanac::DAY_SECONDS;

const BOT_ORDERS: u32 = 150; // a night, in either size
const BOT_ACCOUNTS: [u32; 2] = [1, 30]; // of the first night and the second
const BOT_DAYS: [Range<u32>; 2] = [342..422, 442..522]; // spring and summer: no season hides them
const BOT_HOURS: Range<u32> = 2..5;
const BOT_CANCELLED_SHARE: f64 = 0.6;
const BOT_CANCELLED_AFTER_DAYS: Range<u32> = 1..5;

const RETURN_WITHOUT_SALE_SHARE: f64 = 0.01; // of the customers
const TEST_PAPERS: u32 = 5; // in either size, as the rest below
const TEST_MINOR: i32 = 450;
const BANK_EVERY_DAYS: u32 = 30;
const BANK_MINOR: Range<i32> = 1_500..6_000;
const BAD_DEBTS: u32 = 4;
const BAD_DEBT_MINOR: Range<i32> = 5_000..300_000;

/// Accounts that exist for one night.
pub(super) struct BotRaid {
    pub day: u32,
    /// Their numbers, on from the honest customers'.
    pub accounts: Range<u32>,
    country: u8,
}

/// First one account that orders again and again, later many that look new.
pub(super) fn bot_raids(world: &World, seed: u64) -> [BotRaid; 2] {
    let random = &mut random(seed, Purpose::Bots, 0);
    let mut next_account = world.customers.len() as u32;
    [0, 1].map(|night: usize| {
        let accounts = next_account..next_account + BOT_ACCOUNTS[night];
        next_account = accounts.end;
        BotRaid {
            day: random.random_range(BOT_DAYS[night].clone()),
            accounts,
            country: random.random_range(0..COUNTRIES.len()) as u8,
        }
    })
}

/// All of one scarce thing, in the small hours; most of it cancelled within days.
pub(super) fn bot_papers(world: &World, raid: &BotRaid, seed: u64) -> Vec<Paper> {
    let random = &mut random(seed, Purpose::Bots, raid.accounts.start);
    let price_minor = world.shelf.price_minor(world.shelf.scarce, raid.day) as i32;
    let mut papers = Vec::new();
    for turn in 0..BOT_ORDERS {
        let quantity = random.random_range(1..=2);
        let order = Paper {
            second: raid.day * DAY_SECONDS + random.random_range(BOT_HOURS.start * 3_600..BOT_HOURS.end * 3_600),
            letter: "",
            buyer: Buyer {
                customer: Some(raid.accounts.start + turn % raid.accounts.len() as u32),
                country: raid.country,
            },
            amount_minor: None,
            lines: vec![Line::new(Kind::Sale, Article::Thing(world.shelf.scarce), quantity, price_minor)],
        };
        if random.random_bool(BOT_CANCELLED_SHARE) {
            let day = raid.day + random.random_range(BOT_CANCELLED_AFTER_DAYS);
            papers.push(mirror(&order, &order.lines, office_second_of(day, random)));
        }
        papers.push(order);
    }
    papers
}

/// Bought elsewhere, or so long ago that nobody knows.
pub(super) fn returns_without_sale(world: &World, honest: &[Paper], seed: u64) -> Vec<Paper> {
    let mut returns = Vec::new();
    for (number, customer) in (0_u32..).zip(&world.customers) {
        let random = &mut random(seed, Purpose::Returns, number);
        let day = customer.order_seconds[0] / DAY_SECONDS + random.random_range(2..60);
        if !random.random_bool(RETURN_WITHOUT_SALE_SHARE) || day >= DAYS {
            continue;
        }
        let papers = honest.iter().filter(|paper| paper.buyer.customer == Some(number));
        let known: BTreeSet<Article> = papers.flat_map(|paper| paper.lines.iter().map(|line| line.article)).collect();
        let thing = world.shelf.pick(day, random);
        if !known.contains(&Article::Thing(thing)) {
            let price_minor = world.shelf.price_minor(thing, day) as i32;
            let line =
                Line::new(Kind::ReturnWithoutSale, Article::Thing(thing), -random.random_range(1..=3), price_minor);
            let buyer = Buyer { customer: Some(number), country: customer.country };
            returns.push(Paper { buyer, ..entry("C", office_second_of(day, random), line) });
        }
    }
    returns
}

/// Test orders that went live, the bank's charges, and debts written off at prices below 0.
pub(super) fn book_entries(seed: u64) -> Vec<Paper> {
    let random = &mut random(seed, Purpose::Books, 0);
    let mut papers = Vec::new();
    for _ in 0..TEST_PAPERS {
        let line = Line::new(Kind::Test, Article::Test, random.random_range(1..=10), TEST_MINOR);
        papers.push(entry("", any_office_second(random), line));
    }
    for day in (0..DAYS).filter(|day| day % BANK_EVERY_DAYS == BANK_EVERY_DAYS - 1) {
        let line = Line::new(Kind::BankCharge, Article::BankCharge, 1, random.random_range(BANK_MINOR));
        papers.push(entry("A", office_second_of(day, random), line));
    }
    for _ in 0..BAD_DEBTS {
        let line = Line::new(Kind::BadDebt, Article::BadDebt, 1, -random.random_range(BAD_DEBT_MINOR));
        papers.push(entry("A", any_office_second(random), line));
    }
    papers
}

fn any_office_second(random: &mut ChaCha8Rng) -> u32 {
    let day = random.random_range(0..DAYS);
    office_second_of(day, random)
}

/// One line, nobody's, at home.
fn entry(letter: &'static str, second: u32, line: Line) -> Paper {
    Paper { second, letter, buyer: Buyer { customer: None, country: HOME }, amount_minor: None, lines: vec![line] }
}
