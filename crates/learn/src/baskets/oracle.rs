//! Holds our numbers against others': counting each itemset basket by basket, and p-values at 60 digits, which
//! `bench/baskets_oracle.py` wrote and compared with scipy.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::itemsets::{FrequentItemsets, ItemsetSettings, frequent_itemsets};
use super::lists::Baskets;
use super::overlap::Overlap;
use super::rules::{Rule, RuleSettings, association_rules};
use crate::bootstrap::SplitMix64;

const P_VALUES: &str = include_str!("overlap_expected.tsv");

#[test]
fn every_p_value_is_right_to_ten_digits() {
    let mut checked = 0;
    for line in P_VALUES.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [baskets, left, right, both] = [0, 1, 2, 3].map(|field| fields[field].parse().unwrap());
        let expected: f64 = fields[4].parse().unwrap();
        let found = Overlap { baskets, left, right, both }.p_value();
        assert!((found - expected).abs() <= 1e-10 * expected, "{line}: found {found:e}");
        checked += 1;
    }
    assert_eq!(checked, 371, "every line was looked at");
}

/// Up to 40 baskets of up to 8 of 9 items, with repetitions.
fn small_baskets() -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(0..9u32, 0..8), 1..40)
}

/// Each count by looking into each basket.
fn count(lists: &[Vec<u32>], items: &[u32]) -> u32 {
    lists.iter().filter(|list| items.iter().all(|item| list.contains(item))).count() as u32
}

/// All subsets of the nine items, by size and then in order.
fn subsets() -> Vec<Vec<u32>> {
    let of_bits = |bits: u32| (0..9).filter(|item| bits >> item & 1 == 1).collect();
    let mut subsets: Vec<Vec<u32>> = (1..512).map(of_bits).collect();
    subsets.sort_by_key(|items: &Vec<u32>| (items.len(), items.clone()));
    subsets
}

fn found_sets(found: &FrequentItemsets) -> Vec<(Vec<u32>, u32)> {
    found.all().iter().map(|itemset| (itemset.items.clone(), itemset.count)).collect()
}

/// The tail in whole numbers: ways of `both` or more among all ways.
fn tail(baskets: u32, left: u32, right: u32, both: u32) -> f64 {
    let choose = |items: u32, chosen: u32| {
        (0..chosen).fold(1u128, |ways, at| ways * u128::from(items - at) / u128::from(at + 1))
    };
    let possible = |shared: &u32| *shared <= left && *shared <= right && right - shared <= baskets - left;
    let ways = |shared: u32| choose(left, shared) * choose(baskets - left, right - shared);
    (both..=right).filter(possible).map(ways).sum::<u128>() as f64 / choose(baskets, right) as f64
}

/// Every rule that could have been tested, with its p-value where it may be kept.
fn family(
    lists: &[Vec<u32>],
    antecedent_items: usize,
    settings: &RuleSettings,
) -> BTreeMap<(Vec<u32>, u32), Option<f64>> {
    let enough = |items: &[u32]| count(lists, items) >= settings.itemsets.count_min;
    let mut family = BTreeMap::new();
    for antecedent in subsets().into_iter().filter(|items| items.len() == antecedent_items && enough(items)) {
        for consequent in (0..9).filter(|item| !antecedent.contains(item) && enough(&[*item])) {
            let both = [antecedent.as_slice(), &[consequent]].concat();
            let confidence = f64::from(count(lists, &both)) / f64::from(count(lists, &antecedent));
            let kept = enough(&both) && confidence >= settings.confidence_min;
            let p_value = kept.then(|| p_value(lists, &antecedent, consequent));
            family.insert((antecedent.clone(), consequent), p_value);
        }
    }
    family
}

/// The largest over the baskets that hold any proper part of the antecedent but one item, none among them.
fn p_value(lists: &[Vec<u32>], antecedent: &[u32], consequent: u32) -> f64 {
    let mut givens = vec![vec![]];
    if antecedent.len() == 2 {
        givens.extend(antecedent.iter().map(|&item| vec![item]));
    }
    let within = |given: Vec<u32>| {
        let lists: Vec<Vec<u32>> =
            lists.iter().filter(|list| given.iter().all(|item| list.contains(item))).cloned().collect();
        let both = [antecedent, &[consequent]].concat();
        tail(lists.len() as u32, count(&lists, antecedent), count(&lists, &[consequent]), count(&lists, &both))
    };
    givens.into_iter().map(within).fold(0.0, f64::max)
}

/// The definition: over all levels from p upwards, the expected false ones by those found.
fn q_value(p_value: f64, family: &[f64]) -> f64 {
    let found = |level: f64| family.iter().filter(|&&p_value| p_value <= level * (1.0 + 1e-9)).count() as f64;
    let levels = family.iter().filter(|&&level| level >= p_value);
    levels.map(|&level| level * family.len() as f64 / found(level)).fold(1.0, f64::min)
}

fn check_rule(rule: &Rule, lists: &[Vec<u32>]) {
    let share = |items: &[u32]| f64::from(count(lists, items)) / lists.len() as f64;
    let both = share(&[rule.antecedent.as_slice(), &[rule.consequent]].concat());
    let (antecedent, consequent) = (share(&rule.antecedent), share(&[rule.consequent]));
    let exceptions = antecedent - both;
    let conviction = (exceptions > 1e-9).then(|| antecedent * (1.0 - consequent) / exceptions);
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{rule:?}: {expected}");
    close(rule.support, both);
    close(rule.confidence, both / antecedent);
    close(rule.lift, both / antecedent / consequent);
    close(rule.leverage, both - antecedent * consequent);
    assert_eq!(rule.conviction.is_some(), conviction.is_some(), "{rule:?}");
    close(rule.conviction.unwrap_or(0.0), conviction.unwrap_or(0.0));
    close(rule.p_value, p_value(lists, &rule.antecedent, rule.consequent));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(7),
        ..ProptestConfig::default()
    })]

    #[test]
    fn itemsets_are_all_subsets_that_are_in_enough_baskets(
        lists in small_baskets(),
        count_min in 1..6u32,
        items_max in 1..6usize,
    ) {
        let settings = ItemsetSettings { support_min: 0.0, count_min, items_max, ..ItemsetSettings::default() };
        let found = frequent_itemsets(&Baskets::from_lists(&lists).unwrap(), &settings).unwrap();
        let counted = subsets().into_iter().filter(|items| items.len() <= items_max);
        let counted = counted.map(|items| { let baskets = count(&lists, &items); (items, baskets) });
        let expected: Vec<_> = counted.filter(|(_, baskets)| *baskets >= count_min).collect();
        prop_assert_eq!(found_sets(&found), expected);
    }

    #[test]
    fn rules_are_all_of_their_family_with_measures_as_defined(
        lists in small_baskets(),
        count_min in 1..4u32,
        items_max in 2..=3usize,
        confidence_min in prop::sample::select(vec![0.0, 0.3, 0.5]),
        q_max in prop::sample::select(vec![1.0, 0.5]),
    ) {
        let itemsets = ItemsetSettings { support_min: 0.0, count_min, items_max, ..ItemsetSettings::default() };
        let settings = RuleSettings { itemsets, confidence_min, q_max };
        let rules = association_rules(&Baskets::from_lists(&lists).unwrap(), &settings).unwrap();
        rules.iter().for_each(|rule| check_rule(rule, &lists));
        for antecedent_items in 1..items_max {
            let family = family(&lists, antecedent_items, &settings);
            let p_values: Vec<f64> = family.values().map(|p_value| p_value.unwrap_or(1.0)).collect();
            let found: BTreeMap<_, f64> = rules
                .iter()
                .filter(|rule| rule.antecedent.len() == antecedent_items)
                .map(|rule| ((rule.antecedent.clone(), rule.consequent), rule.q_value))
                .collect();
            for (rule, p_value) in &family {
                let expected = p_value.map(|p_value| q_value(p_value, &p_values) * (items_max - 1) as f64);
                match (found.get(rule), expected.map(|q_value| q_value.min(1.0))) {
                    (Some(q_value), Some(expected)) => {
                        prop_assert!((q_value - expected).abs() < 1e-9 && *q_value <= q_max, "{rule:?} {expected}");
                    }
                    (Some(_), None) => prop_assert!(false, "{rule:?} may not be kept"),
                    (None, Some(expected)) => prop_assert!(q_max < 1.0 && expected > q_max - 1e-9, "{rule:?} {expected}"),
                    (None, None) => {}
                }
            }
            prop_assert!(found.keys().all(|rule| family.contains_key(rule)));
        }
    }

    #[test]
    fn the_order_of_baskets_and_the_numbers_of_items_do_not_matter(lists in small_baskets(), seed: u64) {
        let itemsets = ItemsetSettings { support_min: 0.0, count_min: 1, ..ItemsetSettings::default() };
        let settings = RuleSettings { itemsets, confidence_min: 0.0, q_max: 1.0 };
        let rules = |lists: &[Vec<u32>]| association_rules(&Baskets::from_lists(lists).unwrap(), &settings).unwrap();
        let mut random = SplitMix64::new(seed);
        let mut shuffled = lists.clone();
        shuffled.iter_mut().for_each(|list| shuffle(list, &mut random));
        shuffle(&mut shuffled, &mut random);
        prop_assert_eq!(rules(&shuffled), rules(&lists));

        let mut names: Vec<u32> = (0..9).map(|item| item * 400_000_000).collect();
        shuffle(&mut names, &mut random);
        let renamed: Vec<Vec<u32>> =
            lists.iter().map(|list| list.iter().map(|&item| names[item as usize]).collect()).collect();
        let numbers = |rules: Vec<Rule>, name: &dyn Fn(u32) -> u32| -> BTreeSet<String> {
            rules.into_iter().map(|rule| {
                let antecedent: BTreeSet<u32> = rule.antecedent.iter().map(|&item| name(item)).collect();
                let consequent = name(rule.consequent);
                format!("{antecedent:?} {consequent} {:?}", Rule { antecedent: vec![], consequent: 0, ..rule })
            }).collect()
        };
        prop_assert_eq!(numbers(rules(&renamed), &|item| item), numbers(rules(&lists), &|item| names[item as usize]));
    }
}

fn shuffle<T>(values: &mut [T], random: &mut SplitMix64) {
    for end in (2..=values.len()).rev() {
        values.swap(end - 1, random.below(end));
    }
}
