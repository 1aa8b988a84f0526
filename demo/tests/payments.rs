//! What everybody else may rely on in the demo payments, checked on the written bytes alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use septet_demo::{DemoSummary, Size, demo_source};

const SEEDS: [u64; 5] = [42, 1, 2, 3, 20_260_101];

#[derive(Clone)]
struct Row {
    payment: String,
    paid_at: String,
    customer: String,
    terminal: String,
    amount: f64,
    is_fraud: bool,
}

struct Truth {
    payment: String,
    scenario: String,
    entity: String,
    from: String,
    until: String,
}

fn csv(size: Size, seed: u64) -> (String, DemoSummary) {
    let mut bytes = Vec::new();
    let source = demo_source("payments").expect("listed");
    let summary = (source.write)(&mut bytes, size, seed, &mut |_, _| ()).expect("a vector takes every byte");
    (String::from_utf8(bytes).expect("text"), summary)
}

fn rows(csv: &str) -> Vec<Row> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [payment, paid_at, customer, terminal, amount, is_fraud] = fields[..] else { panic!("six fields: {line}") };
        Row {
            payment: payment.into(),
            paid_at: paid_at.into(),
            customer: customer.into(),
            terminal: terminal.into(),
            amount: amount.parse().expect("a number"),
            is_fraud: is_fraud.parse().expect("true or false"),
        }
    };
    csv.lines().skip(1).map(row).collect()
}

fn truths(size: Size, seed: u64) -> Vec<Truth> {
    let mut bytes = Vec::new();
    (demo_source("payments").expect("listed").write_truth)(&mut bytes, size, seed).expect("a vector takes every byte");
    let text = String::from_utf8(bytes).expect("text");
    assert_eq!(text.lines().next(), Some("payment_id,scenario,entity_id,span_from,span_until"));
    let truth = |line: &str| {
        let fields: Vec<String> = line.split(',').map(String::from).collect();
        let [payment, scenario, entity, from, until] = fields.try_into().expect("five fields");
        Truth { payment, scenario, entity, from, until }
    };
    text.lines().skip(1).map(truth).collect()
}

#[test]
fn an_unknown_name_finds_no_source() {
    assert!(demo_source("Payments").is_none());
    assert_eq!(demo_source("payments").map(|source| source.name), Some("payments"));
}

#[test]
fn two_runs_with_one_seed_give_equal_bytes() {
    assert!(csv(Size::Small, 42) == csv(Size::Small, 42));
}

// A change of the maker, or of a crate that it draws with, shows here; then every figure quoted from the data is stale.
#[test]
fn seed_42_still_gives_the_rows_it_gave() {
    let (csv, summary) = csv(Size::Small, 42);
    assert_eq!(csv.lines().nth(1), Some("P00000001,2026-01-01 03:05:15,C000337,T000234,604.19,true"));
    assert_eq!(csv.lines().nth(3), Some("P00000003,2026-01-01 03:19:20,C000048,T000132,22.52,false"));
    assert_eq!((summary.rows, csv.len()), (37_961, 2_199_944));
}

#[test]
fn another_seed_gives_other_bytes() {
    assert!(csv(Size::Small, 42).0 != csv(Size::Small, 43).0);
}

#[test]
fn the_csv_has_the_promised_columns_and_shapes() {
    let (csv, _) = csv(Size::Small, 42);
    assert_eq!(csv.lines().next(), Some("payment_id,paid_at,customer_id,terminal_id,amount,is_fraud"));
    let shape = |line: &str| line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    for line in csv.lines().skip(1) {
        let (fixed, rest) = line.split_at("P00000001,2026-01-01 00:00:00,C000000,T000000,".len());
        assert_eq!(shape(fixed), "P00000000,0000-00-00 00:00:00,C000000,T000000,", "{line}");
        let (amount, label) = rest.split_once(',').expect("amount and label");
        assert!(shape(amount).trim_start_matches('0') == ".00", "{line}");
        assert!(label == "true" || label == "false", "{line}");
    }
}

#[test]
fn rows_are_sorted_by_time_within_the_promised_days() {
    for (size, end) in [(Size::Small, "2026-04-01 00:00:00"), (Size::Normal, "2026-05-01 00:00:00")] {
        let rows = rows(&csv(size, 42).0);
        assert!(rows.is_sorted_by(|left, right| left.paid_at <= right.paid_at));
        assert!(rows[0].paid_at.starts_with("2026-01-01 "));
        assert!(rows[rows.len() - 1].paid_at.as_str() < end);
    }
}

#[test]
fn every_payment_id_is_unique() {
    let rows = rows(&csv(Size::Normal, 42).0);
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.payment.as_str()).collect();
    assert_eq!(ids.len(), rows.len());
}

#[test]
fn rows_and_shares_lie_in_the_stated_bands_for_five_seeds() {
    for seed in SEEDS {
        check_bands(Size::Small, seed, 35_000..45_000);
    }
    check_bands(Size::Normal, 42, 380_000..420_000);
}

fn check_bands(size: Size, seed: u64, rows: Range<u64>) {
    let (_, summary) = csv(size, seed);
    assert!(rows.contains(&summary.rows), "{seed}: {summary:?}");
    let bands = [
        ("fraud", 0.008..0.010),
        ("stolen_card", 0.0023..0.0027),
        ("compromised_terminal", 0.0035..0.0040),
        ("account_takeover", 0.0025..0.0029),
    ];
    for (label, band) in bands {
        assert!(summary.share(label).is_some_and(|share| band.contains(&share)), "{seed} {label}: {summary:?}");
    }
}

#[test]
fn the_summary_counts_what_the_csv_holds() {
    let (csv, summary) = csv(Size::Small, 42);
    let rows = rows(&csv);
    let distinct = |key: fn(&Row) -> &String| rows.iter().map(key).collect::<BTreeSet<_>>().len() as u64;
    assert_eq!(summary.rows, rows.len() as u64);
    assert_eq!(summary.count("customers"), Some(distinct(|row| &row.customer)));
    assert_eq!(summary.count("terminals"), Some(distinct(|row| &row.terminal)));
    assert_eq!(summary.count("fraud"), Some(rows.iter().filter(|row| row.is_fraud).count() as u64));
    assert_eq!(summary.count("refund"), None);
}

#[test]
fn the_truth_names_exactly_the_frauds_of_the_csv() {
    let (csv, summary) = csv(Size::Small, 42);
    let frauds: Vec<String> = rows(&csv).into_iter().filter(|row| row.is_fraud).map(|row| row.payment).collect();
    let truths = truths(Size::Small, 42);
    assert_eq!(truths.iter().map(|truth| truth.payment.clone()).collect::<Vec<_>>(), frauds);
    for label in &summary.labels[1..] {
        let count = truths.iter().filter(|truth| truth.scenario == label.name).count() as u64;
        assert_eq!(count, label.count, "{}", label.name);
    }
}

#[test]
fn every_fraud_lies_in_its_incident_and_at_its_entity() {
    for seed in SEEDS {
        let rows = rows(&csv(Size::Small, seed).0);
        let by_id: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.payment.as_str(), row)).collect();
        for truth in truths(Size::Small, seed) {
            let row = by_id[truth.payment.as_str()];
            assert!(truth.from <= row.paid_at && row.paid_at < truth.until, "{seed} {}", truth.payment);
            let entity = if truth.scenario == "compromised_terminal" { &row.terminal } else { &row.customer };
            assert_eq!(&truth.entity, entity, "{seed} {}", truth.payment);
        }
    }
}

#[test]
fn every_scenario_strikes_in_every_half_month() {
    let rows = rows(&csv(Size::Small, 42).0);
    let by_id: BTreeMap<&str, &str> = rows.iter().map(|row| (row.payment.as_str(), row.paid_at.as_str())).collect();
    let mut seen = BTreeSet::new();
    for truth in truths(Size::Small, 42) {
        let paid_at = by_id[truth.payment.as_str()];
        seen.insert((truth.scenario, &paid_at[..7], &paid_at[8..10] > "15"));
    }
    let (scenarios, months, halves) = (3, 3, 2);
    assert_eq!(seen.len(), scenarios * months * halves, "{seen:?}");
}

#[test]
fn a_limit_on_the_amount_alone_misses_most_frauds() {
    let rows = rows(&csv(Size::Normal, 42).0);
    let mut genuine: Vec<f64> = rows.iter().filter(|row| !row.is_fraud).map(|row| row.amount).collect();
    genuine.sort_unstable_by(f64::total_cmp);
    let limit = genuine[genuine.len() * 99 / 100];
    let frauds: Vec<f64> = rows.iter().filter(|row| row.is_fraud).map(|row| row.amount).collect();
    let above = frauds.iter().filter(|amount| **amount > limit).count();
    assert!(above * 2 < frauds.len() && above * 20 > frauds.len(), "{above} of {}", frauds.len());
}

#[test]
fn nights_are_rare_and_fridays_busier_than_sundays() {
    let rows = rows(&csv(Size::Normal, 42).0);
    let night = rows.iter().filter(|row| &row.paid_at[11..13] < "06").count() as f64 / rows.len() as f64;
    assert!((0.005..0.05).contains(&night), "{night}");
    let on = |day: &str| rows.iter().filter(|row| row.paid_at.starts_with(day)).count();
    assert!(on("2026-02-06") > on("2026-02-08")); // a Friday and its Sunday
}

#[test]
fn progress_never_runs_backwards_and_ends_at_the_number_of_rows() {
    let mut calls = Vec::new();
    let source = demo_source("payments").expect("listed");
    let summary = (source.write)(&mut std::io::sink(), Size::Small, 42, &mut |done, total| calls.push((done, total)))
        .expect("a sink takes every byte");
    assert!(calls.is_sorted_by_key(|call| call.0));
    assert!(calls.iter().all(|(done, total)| done <= total));
    assert_eq!(calls.last(), Some(&(summary.rows, summary.rows)));
}
