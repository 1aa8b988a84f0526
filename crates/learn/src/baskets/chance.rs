//! Holds the promise about false rules against baskets of which it is known what is true, drawn many times.

use super::itemsets::ItemsetSettings;
use super::lists::Baskets;
use super::rules::{Rule, RuleSettings, association_rules};
use crate::bootstrap::SplitMix64;

/// So that 3 standard errors of a share of .05 are .02.
const RUNS: u64 = 1_000;

/// Three standard errors above .05.
const SHARE_MAX: f64 = 0.071;

fn settings(count_min: u32, items_max: usize) -> RuleSettings {
    let itemsets = ItemsetSettings { support_min: 0.0, count_min, items_max, ..ItemsetSettings::default() };
    RuleSettings { itemsets, confidence_min: 0.0, q_max: 0.05 }
}

fn rules(lists: &[Vec<u32>], settings: &RuleSettings) -> Vec<Rule> {
    association_rules(&Baskets::from_lists(lists).unwrap(), settings).unwrap()
}

/// True in `percent` of draws.
fn happens(percent: usize, random: &mut SplitMix64) -> bool {
    random.below(100) < percent
}

/// Each of `items` in `percent` of the baskets, whatever else is in them.
fn independent(items: u32, percent: usize, random: &mut SplitMix64) -> Vec<u32> {
    (0..items).filter(|_| happens(percent, random)).collect()
}

/// One of each five items that replace each other.
fn replacing(random: &mut SplitMix64) -> Vec<u32> {
    (0..5).map(|group| 5 * group + random.below(5) as u32).collect()
}

/// In what share of the runs the drawn baskets have any rule, which would be false.
fn share_of_runs_with_a_rule(
    baskets: usize,
    settings: &RuleSettings,
    basket: impl Fn(&mut SplitMix64) -> Vec<u32>,
) -> f64 {
    let has_rule = |seed: &u64| {
        let mut random = SplitMix64::new(*seed);
        let lists: Vec<Vec<u32>> = (0..baskets).map(|_| basket(&mut random)).collect();
        !rules(&lists, settings).is_empty()
    };
    (0..RUNS).filter(has_rule).count() as f64 / RUNS as f64
}

#[test]
fn independent_items_have_a_rule_in_one_run_of_twenty() {
    let share = share_of_runs_with_a_rule(400, &settings(5, 2), |random| independent(12, 30, random));
    assert!((0.02..SHARE_MAX).contains(&share), "found {share}");
}

#[test]
fn independent_items_have_no_more_rules_with_longer_antecedents() {
    let share = share_of_runs_with_a_rule(400, &settings(5, 3), |random| independent(10, 35, random));
    assert!((0.005..SHARE_MAX).contains(&share), "found {share}");
}

#[test]
fn a_support_that_only_lucky_pairs_reach_does_not_break_the_promise() {
    // 5 baskets are expected to hold a pair, 12 are asked for: all pairs that are looked at are the lucky ones.
    let share = share_of_runs_with_a_rule(500, &settings(12, 2), |random| independent(20, 10, random));
    assert!((0.01..SHARE_MAX).contains(&share), "found {share}");
}

#[test]
fn items_that_replace_each_other_do_not_break_the_promise() {
    for items_max in [2, 3] {
        let share = share_of_runs_with_a_rule(400, &settings(3, items_max), replacing);
        assert!((0.005..SHARE_MAX).contains(&share), "found {share} at {items_max} items");
    }
}

/// Ten pairs in one basket of five each, of which one item brings the other along in 35 % and else comes in 15 %.
fn with_ten_pairs(random: &mut SplitMix64) -> Vec<u32> {
    let mut basket = Vec::new();
    for pair in 0..10 {
        let first = happens(20, random);
        let second = happens(if first { 35 } else { 15 }, random);
        basket.extend([(first, 2 * pair), (second, 2 * pair + 1)].iter().filter(|item| item.0).map(|item| item.1));
    }
    basket
}

#[test]
fn among_true_rules_at_most_one_of_twenty_is_false_on_average() {
    let (runs, mut false_shares, mut found) = (300, 0.0, 0);
    let is_true = |rule: &&Rule| rule.antecedent.len() == 1 && rule.antecedent[0] / 2 == rule.consequent / 2;
    for seed in 0..runs {
        let mut random = SplitMix64::new(seed);
        let lists: Vec<Vec<u32>> = (0..500).map(|_| with_ten_pairs(&mut random)).collect();
        let rules = rules(&lists, &settings(5, 3));
        let true_rules = rules.iter().filter(is_true).count();
        false_shares += (rules.len() - true_rules) as f64 / rules.len().max(1) as f64;
        found += true_rules;
    }
    let false_share = false_shares / f64::from(runs as u32);
    assert!(false_share < 0.05, "found {false_share}");
    let found_share = found as f64 / (20 * runs) as f64;
    assert!(found_share > 0.5, "{found_share} of the true rules were found");
}

/// What half of all customers are makes eight items more frequent, and shows as item 99.
fn with_common_cause(random: &mut SplitMix64) -> Vec<u32> {
    let caused = happens(50, random);
    let mut basket = independent(8, if caused { 50 } else { 15 }, random);
    basket.extend(caused.then_some(99));
    basket
}

#[test]
fn what_a_common_cause_explains_is_not_explained_by_one_of_its_other_effects() {
    let (runs, mut false_shares) = (300, 0.0);
    for seed in 0..runs {
        let mut random = SplitMix64::new(seed);
        let lists: Vec<Vec<u32>> = (0..600).map(|_| with_common_cause(&mut random)).collect();
        let found = rules(&lists, &settings(5, 3));
        let of_two: Vec<&Rule> = found.iter().filter(|rule| rule.antecedent.len() == 2).collect();
        // Given the cause, its effects are independent of each other.
        let wrong = of_two.iter().filter(|rule| rule.antecedent.contains(&99)).count();
        false_shares += wrong as f64 / of_two.len().max(1) as f64;
    }
    let false_share = false_shares / f64::from(runs as u32);
    assert!(false_share < 0.05, "found {false_share}");
}

#[test]
fn a_few_huge_baskets_break_the_promise_and_leaving_them_out_restores_it() {
    // One basket in twenty is a reseller's; no item has to do with another in either kind.
    let mixed = |random: &mut SplitMix64| {
        let percent = if happens(5, random) { 80 } else { 15 };
        independent(20, percent, random)
    };
    let (mut with_rules, mut with_rules_of_small) = (0, 0);
    for seed in 0..100 {
        let mut random = SplitMix64::new(seed);
        let mut lists: Vec<Vec<u32>> = (0..1_000).map(|_| mixed(&mut random)).collect();
        with_rules += u32::from(!rules(&lists, &settings(5, 2)).is_empty());
        lists.retain(|list| list.len() <= 9);
        with_rules_of_small += u32::from(!rules(&lists, &settings(5, 2)).is_empty());
    }
    assert_eq!(with_rules, 100);
    // 5 % of 100 and three standard errors.
    assert!(with_rules_of_small <= 11, "in {with_rules_of_small} of 100 runs");
}

#[test]
fn a_pair_that_belongs_together_is_found_and_nothing_else() {
    let mut random = SplitMix64::new(3);
    let with_pair = |random: &mut SplitMix64| {
        let mut basket = independent(40, 10, random);
        // 4 baskets of 100 hold both, besides the 1 that chance would bring.
        basket.extend(if happens(4, random) { [7, 23].as_slice() } else { &[] });
        basket
    };
    let lists: Vec<Vec<u32>> = (0..1_000).map(|_| with_pair(&mut random)).collect();
    let found = rules(&lists, &settings(5, 3));
    let pairs: Vec<(&[u32], u32)> = found.iter().map(|rule| (rule.antecedent.as_slice(), rule.consequent)).collect();
    assert_eq!(pairs, [(&[7][..], 23), (&[23], 7)]);
}

#[test]
fn what_takes_two_items_is_found_with_both() {
    // 8 comes in 60 % of the baskets that hold 1 and 2, in 10 % of all others.
    let mut random = SplitMix64::new(4);
    let with_triple = |random: &mut SplitMix64| {
        let mut basket = independent(8, 30, random);
        let percent = if basket.contains(&1) && basket.contains(&2) { 60 } else { 10 };
        basket.extend(happens(percent, random).then_some(8));
        basket
    };
    let lists: Vec<Vec<u32>> = (0..2_000).map(|_| with_triple(&mut random)).collect();
    let found = rules(&lists, &settings(5, 3));
    assert!(found.iter().any(|rule| rule.antecedent == [1, 2] && rule.consequent == 8), "{found:?}");
}

#[test]
fn an_item_that_adds_nothing_is_left_out_of_the_antecedent() {
    // Half of the baskets with 1 hold 8, whether or not 2 is there.
    let with_needless = |random: &mut SplitMix64| {
        let mut basket = independent(8, 30, random);
        let percent = if basket.contains(&1) { 50 } else { 10 };
        basket.extend(happens(percent, random).then_some(8));
        basket
    };
    let mut runs_with_needless = 0;
    for seed in 0..200 {
        let mut random = SplitMix64::new(seed);
        let lists: Vec<Vec<u32>> = (0..1_000).map(|_| with_needless(&mut random)).collect();
        let found = rules(&lists, &settings(5, 3));
        assert!(found.iter().any(|rule| rule.antecedent == [1] && rule.consequent == 8));
        runs_with_needless += u32::from(found.iter().any(|rule| rule.antecedent.len() == 2));
    }
    // 5 % of 200 and three standard errors.
    assert!(runs_with_needless <= 19, "in {runs_with_needless} of 200 runs");
}
