//! Promises of the order lines: bytes, shapes, shares, the laws of buying and spending, and stories that can be found.
//! Whether an estimator finds the parameters is tested where the estimators are.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

use septet_demo::{
    BotNight, DemoSummary, EcommerceTruth, PriceRise, PurchaseTruth, Size, SpendingTruth, demo_source, ecommerce_truth,
};

const SEEDS: [u64; 5] = [42, 1, 2, 3, 20_260_101];
const ADDED_UP: [&str; 9] = [
    "sale",
    "cancellation",
    "return_without_sale",
    "duplicate",
    "postage",
    "sample",
    "test",
    "bank_charge",
    "bad_debt",
];

#[derive(Clone, PartialEq)]
struct Row {
    line: String,
    invoice: String,
    sku: String,
    description: String,
    quantity: i64,
    ordered_at: String,
    price_minor: i64,
    customer: String,
    country: String,
}

/// One line of the truth file.
struct Life {
    customer: String,
    born: String,
    died: String,
    lambda: f64,
    p: f64,
    mean_spend: f64,
}

/// The normal size with seed 42, made once for all tests that look at it.
struct Normal {
    rows: Vec<Row>,
    lives: Vec<Life>,
    truth: EcommerceTruth,
}

static NORMAL: LazyLock<Normal> = LazyLock::new(|| Normal {
    rows: rows(&csv(Size::Normal, 42).0),
    lives: lives(&truth_csv(Size::Normal, 42)),
    truth: ecommerce_truth(Size::Normal, 42),
});

fn csv(size: Size, seed: u64) -> (String, DemoSummary) {
    let mut bytes = Vec::new();
    let source = demo_source("order_lines").expect("listed");
    let summary = (source.write)(&mut bytes, size, seed, &mut |_, _| ()).expect("a vector takes every byte");
    (String::from_utf8(bytes).expect("text"), summary)
}

fn truth_csv(size: Size, seed: u64) -> String {
    let mut bytes = Vec::new();
    let source = demo_source("order_lines").expect("listed");
    (source.write_truth)(&mut bytes, size, seed).expect("a vector takes every byte");
    String::from_utf8(bytes).expect("text")
}

/// `L0000001,500001,TOY011,RED SPOT SKITTLES,2,2025-07-01 10:44:52,2.45,K00001,France`
fn row(text: &str) -> Row {
    let fields: Vec<&str> = text.split(',').collect();
    let [line, invoice, sku, description, quantity, ordered_at, price, customer, country] = fields[..] else {
        panic!("{text}")
    };
    Row {
        line: line.into(),
        invoice: invoice.into(),
        sku: sku.into(),
        description: description.into(),
        quantity: quantity.parse().expect("a whole number"),
        ordered_at: ordered_at.into(),
        price_minor: price.replace('.', "").parse().expect("two decimals"),
        customer: customer.into(),
        country: country.into(),
    }
}

fn rows(csv: &str) -> Vec<Row> {
    csv.lines().skip(1).map(row).collect()
}

fn lives(csv: &str) -> Vec<Life> {
    let life = |text: &str| {
        let fields: Vec<&str> = text.split(',').collect();
        let [customer, born, died, lambda, p, mean_spend] = fields[..] else { panic!("{text}") };
        let number = |text: &str| text.parse().expect("a number");
        Life {
            customer: customer.into(),
            born: born.into(),
            died: died.into(),
            lambda: number(lambda),
            p: number(p),
            mean_spend: number(mean_spend),
        }
    };
    csv.lines().skip(1).map(life).collect()
}

/// Days since 2025-01-01.
fn day(timestamp: &str) -> u32 {
    const BEFORE_MONTH: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let number = |range: Range<usize>| timestamp[range].parse::<u32>().expect("digits");
    365 * (number(0..4) - 2025) + BEFORE_MONTH[number(5..7) as usize - 1] + number(8..10) - 1
}

/// The end of the data: 2027-01-01.
const END_DAY: u32 = 638;

/// Lines of things sold, without what was typed in twice.
fn sales(rows: &[Row]) -> Vec<&Row> {
    let mut sales: Vec<&Row> = Vec::new();
    for row in rows {
        let sold = row.invoice.starts_with('5') && row.price_minor > 0 && !["POST", "TEST001"].contains(&&*row.sku);
        if sold && !sales.last().is_some_and(|last| is_typed_twice(last, row)) {
            sales.push(row);
        }
    }
    sales
}

fn is_typed_twice(first: &Row, second: &Row) -> bool {
    *first == Row { line: first.line.clone(), description: first.description.clone(), ..second.clone() }
}

/// By customer (guests left out) the days with an order and what the things of the day cost.
fn amounts<'a>(sales: &[&'a Row]) -> BTreeMap<&'a str, BTreeMap<u32, i64>> {
    let mut amounts: BTreeMap<&str, BTreeMap<u32, i64>> = BTreeMap::new();
    for row in sales.iter().filter(|row| !row.customer.is_empty()) {
        *amounts.entry(&row.customer).or_default().entry(day(&row.ordered_at)).or_default() +=
            row.quantity * row.price_minor;
    }
    amounts
}

fn bots(nights: &[BotNight]) -> BTreeSet<&str> {
    nights.iter().flat_map(|night| &night.customer_ids).map(String::as_str).collect()
}

fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = numbers.fold((0.0, 0.0), |(count, sum), number| (count + 1.0, sum + number));
    sum / count
}

#[test]
fn two_runs_with_one_seed_give_equal_bytes() {
    assert!(csv(Size::Small, 42) == csv(Size::Small, 42));
    assert!(truth_csv(Size::Small, 42) == truth_csv(Size::Small, 42));
    assert!(ecommerce_truth(Size::Small, 42) == ecommerce_truth(Size::Small, 42));
}

#[test]
fn another_seed_gives_other_bytes() {
    assert!(csv(Size::Small, 42).0 != csv(Size::Small, 43).0);
}

// A change of the maker, or of a crate that it draws with, shows here; then every figure quoted from the data is stale.
#[test]
fn seed_42_still_gives_the_rows_it_gave() {
    let (csv, summary) = csv(Size::Small, 42);
    let fifteenth = "L0000015,500006,FRA022,RAINBOW WALL CLOCK,5,2025-04-03 10:44:14,6.55,K00001,Netherlands";
    assert_eq!(csv.lines().nth(15), Some(fifteenth));
    assert_eq!((summary.rows, csv.len()), (20_502, 1_810_604));
}

#[test]
fn the_csv_has_the_promised_columns_and_shapes() {
    let (csv, _) = csv(Size::Small, 42);
    let header = "line_id,invoice_id,sku,description,quantity,ordered_at,unit_price,customer_id,country";
    assert_eq!(csv.lines().next(), Some(header));
    let shape = |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    for row in rows(&csv) {
        assert_eq!(shape(&format!("{},{}", row.line, row.ordered_at)), "L0000000,0000-00-00 00:00:00");
        assert!(["000000", "C000000", "A000000"].contains(&&*shape(&row.invoice)), "{}", row.invoice);
        assert!(["", "K00000"].contains(&&*shape(&row.customer)), "{}", row.customer);
        assert_eq!(row.quantity < 0, row.invoice.starts_with('C'), "{}", row.line);
        assert!(row.quantity != 0 && !row.country.is_empty());
    }
}

#[test]
fn rows_are_sorted_by_time_from_the_end_of_march_2025_to_that_of_september_2026() {
    for rows in [&rows(&csv(Size::Small, 42).0), &NORMAL.rows] {
        assert!(rows.is_sorted_by(|left, right| left.ordered_at <= right.ordered_at && left.line < right.line));
        assert!(rows[0].ordered_at.starts_with("2025-0"));
        assert!(rows.last().is_some_and(|row| row.ordered_at.starts_with("2026-09-30 ")));
    }
}

#[test]
fn rows_and_shares_lie_in_the_stated_bands_for_five_seeds() {
    for seed in SEEDS {
        check_bands(Size::Small, seed, 17_000..25_000, 1_331);
    }
    check_bands(Size::Normal, 42, 300_000..400_000, 22_031);
}

fn check_bands(size: Size, seed: u64, rows: Range<u64>, customers: u64) {
    let (_, summary) = csv(size, seed);
    assert!(rows.contains(&summary.rows), "{seed}: {summary:?}");
    assert_eq!(summary.count("customers"), Some(customers));
    assert_eq!(ADDED_UP.iter().filter_map(|kind| summary.count(kind)).sum::<u64>(), summary.rows);
    assert_eq!([summary.count("bank_charge"), summary.count("bad_debt")], [Some(18), Some(4)]);
    let bands = [
        ("cancellation", 0.02..0.06),
        ("duplicate", 0.003..0.007),
        ("postage", 0.05..0.1),
        ("sample", 0.001..0.005),
        ("guest", 0.14..0.26),
        ("without_description", 0.001..0.005),
    ];
    for (label, band) in bands {
        assert!(summary.share(label).is_some_and(|share| band.contains(&share)), "{seed} {label}: {summary:?}");
    }
}

#[test]
fn the_summary_counts_what_the_csv_holds() {
    let (csv, summary) = csv(Size::Small, 42);
    let rows = rows(&csv);
    let distinct =
        |key: fn(&Row) -> &String| rows.iter().map(key).filter(|key| !key.is_empty()).collect::<BTreeSet<_>>();
    let count = |of: &dyn Fn(&Row) -> bool| Some(rows.iter().filter(|row| of(row)).count() as u64);
    assert_eq!(summary.rows, rows.len() as u64);
    assert_eq!(summary.count("customers"), Some(distinct(|row| &row.customer).len() as u64));
    assert_eq!(summary.count("skus"), Some(distinct(|row| &row.sku).len() as u64));
    assert_eq!(summary.count("invoices"), Some(distinct(|row| &row.invoice).len() as u64));
    for (label, sku) in [("postage", "POST"), ("test", "TEST001"), ("bank_charge", "BANK"), ("bad_debt", "DEBT")] {
        assert_eq!(summary.count(label), count(&|row| row.sku == sku));
    }
    let back = ["cancellation", "return_without_sale"].map(|label| summary.count(label).unwrap_or(0));
    assert_eq!(Some(back.iter().sum()), count(&|row| row.quantity < 0));
    assert_eq!(summary.count("sample"), count(&|row| row.price_minor == 0));
    assert_eq!(summary.count("bad_debt"), count(&|row| row.price_minor < 0));
    assert_eq!(summary.count("without_description"), count(&|row| row.description.is_empty()));
    assert_eq!(summary.count("sale"), Some(sales(&rows).len() as u64));
    let twice = rows.windows(2).filter(|pair| is_typed_twice(&pair[0], &pair[1])).count();
    assert_eq!(summary.count("duplicate"), Some(twice as u64));
    assert_eq!(ecommerce_truth(Size::Small, 42).rows_by_kind[..], summary.labels[..ADDED_UP.len()]);
}

#[test]
fn what_comes_back_was_sold_before_at_that_price_but_for_the_returns_without_a_sale() {
    for seed in SEEDS {
        let (csv, summary) = csv(Size::Small, seed);
        let mut sold: BTreeMap<(String, String, i64), i64> = BTreeMap::new();
        let mut never_sold = 0;
        for row in rows(&csv) {
            let left = sold.entry((row.customer, row.sku, row.price_minor)).or_default();
            *left += row.quantity;
            if *left < 0 {
                (never_sold, *left) = (never_sold + 1, 0);
            }
        }
        assert_eq!(Some(never_sold), summary.count("return_without_sale"), "{seed}");
        assert!((3..30).contains(&never_sold), "{seed}: {never_sold}");
    }
}

#[test]
fn six_of_a_hundred_orders_are_cancelled_most_of_them_in_part() {
    let bots = bots(&NORMAL.truth.bot_nights);
    let honest = NORMAL.rows.iter().filter(|row| !bots.contains(&*row.customer));
    let (mut orders, mut cancelled) = (BTreeMap::new(), BTreeMap::new());
    for row in honest {
        let of = if row.quantity < 0 { &mut cancelled } else { &mut orders };
        *of.entry(&row.invoice).or_insert(0) += 1;
    }
    let share = cancelled.len() as f64 / orders.len() as f64;
    assert!((0.055..0.065).contains(&share), "{share}");
    let lines = |of: BTreeMap<&String, i32>| mean(of.into_values().map(f64::from));
    assert!(lines(cancelled) < 0.7 * lines(orders));
}

#[test]
fn nobody_but_bots_orders_twice_on_one_day() {
    let bots = bots(&NORMAL.truth.bot_nights);
    let mut invoices: BTreeMap<(&str, u32), &str> = BTreeMap::new();
    for row in sales(&NORMAL.rows).into_iter().filter(|row| !row.customer.is_empty() && !bots.contains(&*row.customer))
    {
        let first = *invoices.entry((&row.customer, day(&row.ordered_at))).or_insert(&row.invoice);
        assert_eq!(first, row.invoice, "{}", row.customer);
    }
}

#[test]
fn rates_chances_of_leaving_and_spending_have_the_means_of_their_laws() {
    let Normal { lives, truth, .. } = &*NORMAL;
    let (PurchaseTruth { r, alpha_weeks, a, b }, SpendingTruth { p, q, gamma }) = (truth.purchases, truth.spending);
    let near = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 0.03, "{found} {expected}");
    assert_eq!(lives.len(), 22_000);
    near(mean(lives.iter().map(|life| life.lambda)), r / alpha_weeks);
    near(mean(lives.iter().map(|life| life.p)), a / (a + b));
    near(mean(lives.iter().map(|life| life.mean_spend)), p * gamma / (q - 1.0));
}

#[test]
fn as_many_buy_but_once_as_the_law_of_their_rates_says() {
    let Normal { rows, lives, truth } = &*NORMAL;
    let PurchaseTruth { r, alpha_weeks, .. } = truth.purchases;
    let sales = sales(rows);
    let amounts = amounts(&sales);
    let once = mean(lives.iter().map(|life| f64::from(u8::from(amounts[&*life.customer].len() == 1))));
    let weeks = |life: &Life| f64::from(END_DAY - day(&life.born)) / 7.0;
    let expected = mean(lives.iter().map(|life| (alpha_weeks / (alpha_weeks + weeks(life))).powf(r)));
    assert!((once - expected).abs() < 0.01, "{once} {expected}");
}

#[test]
fn of_those_who_came_back_as_many_leave_at_once_as_the_law_of_leaving_says() {
    let Normal { rows, lives, truth } = &*NORMAL;
    let PurchaseTruth { a, b, .. } = truth.purchases;
    let sales = sales(rows);
    let amounts = amounts(&sales);
    let orders = |life: &&Life| amounts[&*life.customer].len();
    assert!(lives.iter().all(|life| life.died.is_empty() || life.died > life.born));
    let back = lives.iter().filter(|life| orders(life) > 1);
    let left_at_once = mean(back.map(|life| f64::from(u8::from(orders(&life) == 2 && !life.died.is_empty()))));
    assert!((left_at_once - a / (a + b)).abs() < 0.01, "{left_at_once}");
}

#[test]
fn what_customers_spend_agrees_with_their_means_however_often_they_come() {
    let Normal { rows, lives, truth } = &*NORMAL;
    let sales = sales(rows);
    let amounts = amounts(&sales);
    for orders in [1..2, 2..5, 5..1_000] {
        let some = lives.iter().filter(|life| orders.contains(&amounts[&*life.customer].len()));
        let ratio =
            |life: &Life| mean(amounts[&*life.customer].values().map(|minor| *minor as f64 / 100.0)) / life.mean_spend;
        let ratio = mean(some.map(ratio));
        assert!((ratio - 1.0).abs() < 0.02, "{orders:?}: {ratio}");
    }
    assert!((0.001..0.015).contains(&truth.amount_error), "{}", truth.amount_error);
}

#[test]
fn guests_and_first_orders_come_with_the_season_and_repeat_orders_at_the_rates_of_who_is_there() {
    let Normal { rows, lives, .. } = &*NORMAL;
    let born: BTreeMap<&str, u32> = lives.iter().map(|life| (&*life.customer, day(&life.born))).collect();
    let orders: BTreeMap<&str, (&str, u32)> =
        sales(rows).iter().map(|row| (&*row.invoice, (&*row.customer, day(&row.ordered_at)))).collect();
    // Before, around and after the peak: guests and first orders per day, repeat orders against the expected.
    let months = [250..280, 320..350, 353..365].map(|days: Range<u32>| {
        let (mut guests, mut firsts, mut repeats) = (0.0, 0.0, 0.0);
        for (customer, day) in orders.values().filter(|(_, day)| days.contains(day)) {
            match born.get(customer) {
                Some(born) if born == day => firsts += 1.0,
                Some(_) => repeats += 1.0,
                None => guests += f64::from(u8::from(customer.is_empty())),
            }
        }
        let days_there = |life: &Life| {
            let gone = if life.died.is_empty() { END_DAY } else { day(&life.died) };
            f64::from(gone.min(days.end).saturating_sub(days.start.max(day(&life.born))))
        };
        let expected: f64 = lives.iter().map(|life| life.lambda / 7.0 * days_there(life)).sum();
        (guests / days.len() as f64, firsts / days.len() as f64, repeats / expected)
    });
    let [before, peak, after] = months;
    assert!(peak.0 > 1.6 * before.0 && peak.0 > 1.6 * after.0, "guests {months:?}");
    assert!(peak.1 > 1.6 * before.1 && peak.1 > 1.6 * after.1, "first orders {months:?}");
    assert!(months.iter().all(|month| (0.95..1.05).contains(&month.2)), "repeat orders {months:?}");
}

#[test]
fn skus_that_belong_together_are_bought_together_far_more_often_than_chance() {
    let Normal { rows, truth, .. } = &*NORMAL;
    let mut baskets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in sales(rows) {
        baskets.entry(&row.invoice).or_default().insert(&row.sku);
    }
    let lift = |left: &str, right: &str| {
        let share = |skus: &[&str]| {
            mean(baskets.values().map(|basket| f64::from(u8::from(skus.iter().all(|sku| basket.contains(sku))))))
        };
        share(&[left, right]) / share(&[left]) / share(&[right])
    };
    let together = &truth.bought_together;
    assert_eq!(together.len(), 12);
    assert!(together.iter().all(|skus| (2..=3).contains(&skus.len())));
    assert_eq!(together.iter().flatten().collect::<BTreeSet<_>>().len(), together.iter().flatten().count());
    for skus in together {
        for pair in skus.windows(2) {
            assert!(lift(&pair[0], &pair[1]) > 4.0, "{pair:?}: {}", lift(&pair[0], &pair[1]));
        }
    }
    let apart = mean(together.windows(2).map(|skus| lift(&skus[0][0], &skus[1][0])));
    assert!((0.5..1.5).contains(&apart), "{apart}");
}

#[test]
fn prices_stand_still_but_for_the_rise() {
    for seed in SEEDS {
        check_prices(&rows(&csv(Size::Small, seed).0), &ecommerce_truth(Size::Small, seed).price_rise);
    }
    check_prices(&NORMAL.rows, &NORMAL.truth.price_rise);
}

fn check_prices(rows: &[Row], rise: &PriceRise) {
    let mut prices: BTreeMap<(&str, bool), BTreeSet<i64>> = BTreeMap::new();
    for row in sales(rows) {
        let dearer = rise.skus.contains(&row.sku) && row.ordered_at >= rise.since;
        prices.entry((&row.sku, dearer)).or_default().insert(row.price_minor);
    }
    assert_eq!(rise.skus.len(), 25);
    assert!(prices.values().all(|prices| prices.len() == 1));
    let price = |sku: &str, dearer| prices.get(&(sku, dearer)).and_then(BTreeSet::first).map(|minor| *minor as f64);
    let both = |sku: &String| Some((price(sku, false)?, price(sku, true)?));
    let moves: Vec<(f64, f64)> = rise.skus.iter().filter_map(both).collect();
    assert!(moves.len() > 20, "a thing that nobody bought shows no price");
    assert!(moves.iter().all(|(before, after)| (after - before * rise.factor).abs() <= 0.5), "{moves:?}");
}

#[test]
fn what_costs_more_sells_a_little_less_than_the_rest() {
    let Normal { rows, truth, .. } = &*NORMAL;
    let rise = &truth.price_rise;
    let sales = sales(rows);
    let near: Vec<&&Row> = sales.iter().filter(|row| day(&row.ordered_at).abs_diff(day(&rise.since)) <= 90).collect();
    let pieces = |dearer: bool, after: bool| {
        let wanted = |row: &&&&Row| rise.skus.contains(&row.sku) == dearer && (row.ordered_at >= rise.since) == after;
        near.iter().filter(wanted).map(|row| row.quantity as f64).sum::<f64>()
    };
    let against_the_rest = pieces(true, true) / pieces(true, false) / (pieces(false, true) / pieces(false, false));
    assert!((0.75..0.9).contains(&against_the_rest), "{against_the_rest}");
}

#[test]
fn two_nights_of_bots_stand_out_by_hour_sku_and_accounts_and_most_is_cancelled() {
    for seed in SEEDS {
        let rows = rows(&csv(Size::Small, seed).0);
        let nights = ecommerce_truth(Size::Small, seed).bot_nights;
        assert_eq!(nights.iter().map(|night| night.customer_ids.len()).collect::<Vec<_>>(), [1, 30]);
        for night in &nights {
            let of_bots: Vec<&Row> = rows.iter().filter(|row| night.customer_ids.contains(&row.customer)).collect();
            let (orders, cancelled): (Vec<&Row>, Vec<&Row>) = of_bots.into_iter().partition(|row| row.quantity > 0);
            assert_eq!(orders.iter().map(|row| row.invoice.clone()).collect::<Vec<_>>(), night.invoice_ids);
            assert_eq!(orders.len(), 150);
            assert!((70..110).contains(&cancelled.len()), "{seed}: {}", cancelled.len());
            let small_hours = |row: &&Row| {
                row.ordered_at[..10] == night.since[..10] && ("02"..="04").contains(&&row.ordered_at[11..13])
            };
            assert!(orders.iter().all(|row| row.sku == night.sku && small_hours(row)));
            let usual = rows.iter().filter(|row| row.sku == night.sku && row.quantity > 0).count() - 300;
            assert!(usual < 150, "{seed}: {usual} in all other days");
        }
    }
}

#[test]
fn the_truth_file_tells_of_every_customer_but_the_bots_in_the_order_of_arrival() {
    let (rows, truth_csv) = (rows(&csv(Size::Small, 42).0), truth_csv(Size::Small, 42));
    assert_eq!(truth_csv.lines().next(), Some("customer_id,born,died,lambda,p,mean_spend"));
    let nights = ecommerce_truth(Size::Small, 42).bot_nights;
    let bots = bots(&nights);
    let mut days: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.quantity > 0 && !row.customer.is_empty() && !bots.contains(&*row.customer))
    {
        days.entry(&row.customer).or_default().push(&row.ordered_at);
    }
    let lives = lives(&truth_csv);
    assert!(lives.is_sorted_by(|left, right| left.customer < right.customer && left.born <= right.born));
    assert_eq!(lives.len(), days.len());
    for life in &lives {
        let days = &days[&*life.customer];
        assert_eq!(Some(&&*life.born), days.first());
        assert!(life.died.is_empty() || Some(&&*life.died) == days.last());
    }
}

#[test]
fn progress_never_runs_backwards_and_ends_at_the_number_of_rows() {
    let mut calls = Vec::new();
    let source = demo_source("order_lines").expect("listed");
    let summary = (source.write)(&mut std::io::sink(), Size::Normal, 42, &mut |done, total| calls.push((done, total)))
        .expect("a sink takes every byte");
    assert!(calls.is_sorted_by_key(|call| call.0));
    assert!(calls.iter().all(|(done, total)| done <= total));
    assert_eq!(calls.last(), Some(&(summary.rows, summary.rows)));
}
