//! Which items make another one likelier, and which of these rules are more than the luck of a long search.

use std::cmp::Ordering;

use super::discovery::q_values;
use super::error::BasketError;
use super::itemsets::{FrequentItemsets, Itemset, ItemsetSettings, frequent_itemsets};
use super::lists::Baskets;
use super::overlap::Overlap;

/// Which rules are looked for and which are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RuleSettings {
    /// items_max: 2 for antecedents of one item, 3 for those of one or two.
    pub itemsets: ItemsetSettings,
    /// The smallest confidence, 0..=1.
    pub confidence_min: f64,
    /// The largest q-value, 0..=1. 1 keeps every rule, of which most may be chance.
    pub q_max: f64,
}

impl Default for RuleSettings {
    /// Conventions: a rule that is right once in ten is worth a suggestion; one false rule in twenty can be borne.
    fn default() -> RuleSettings {
        RuleSettings { itemsets: ItemsetSettings::default(), confidence_min: 0.1, q_max: 0.05 }
    }
}

impl RuleSettings {
    fn check(&self) -> Result<(), BasketError> {
        let wrong = |name, found, expected| Err(BasketError::Setting { name, found, expected });
        if !(2..=3).contains(&self.itemsets.items_max) {
            return wrong("items_max", self.itemsets.items_max as f64, "2 or 3 items in a rule");
        }
        if !(0.0..=1.0).contains(&self.confidence_min) {
            return wrong("confidence_min", self.confidence_min, "a share of 0..=1");
        }
        if !(0.0..=1.0).contains(&self.q_max) {
            return wrong("q_max", self.q_max, "a share of 0..=1");
        }
        Ok(())
    }
}

/// In how many of all baskets the parts of a rule are; `both` is antecedent and consequent together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleCounts {
    pub baskets: u32,
    pub antecedent: u32,
    pub consequent: u32,
    pub both: u32,
}

/// Who has the antecedent also has the consequent, more often than others do.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// One or two items, ascending.
    pub antecedent: Vec<u32>,
    pub consequent: u32,
    pub counts: RuleCounts,
    /// The share of all baskets that hold both.
    pub support: f64,
    /// The share of the antecedent's baskets that hold the consequent too.
    pub confidence: f64,
    /// Confidence by the consequent's share of all baskets: 1 if the two are independent.
    pub lift: f64,
    /// Support less what it would be if the two were independent, -0.25..=0.25.
    pub leverage: f64,
    /// How much rarer the antecedent is without the consequent than if the two were independent; none where it never
    /// is, which others write as infinite.
    pub conviction: Option<f64>,
    /// The chance of counts like these if the rule were not better than each of its sub-rules, the empty one among
    /// them; 0 below 1e-308.
    pub p_value: f64,
    /// The share of false rules among those that are at least as sure, see [`association_rules`].
    pub q_value: f64,
}

/// Rules of which at most a share of `q_max` is false on average, by falling lift, then support, then items.
///
/// A rule is false if the antecedent makes the consequent no likelier, or if one of two antecedent items adds nothing
/// to the other ("unproductive", Webb 2007). Its p-value is the largest of one-sided Fisher tests: antecedent against
/// consequent in all baskets, and for two items each against the consequent in the baskets of the other.
///
/// The hypotheses: each itemset of one item that is in enough baskets as antecedent, with each other such item as
/// consequent, are one family; each such itemset of two items, with each third such item, another. What enters depends
/// on counts that the tests hold fixed, never on the one they judge: the hypotheses whose rule is in too few baskets, or
/// below `confidence_min`, count with p = 1. q-values are Benjamini-Hochberg's in the family (see `discovery.rs`), times
/// the number of families (Webb 2008), so that the promise holds for all rules together and pairs do not pay for the
/// many triples. Proven for independent or positively dependent tests and a family of fixed size; for items that replace
/// each other, and for the second family, whose size is counted in the baskets, shown by simulation (`chance.rs`).
///
/// What the promise leaves out: baskets count as alike and independent, which those of one customer are not, nor large
/// and small ones. Where sizes differ much, being in a large basket is a common cause of all items. Measured on
/// 2026-11-25 (`bench/baskets_shuffled.py`, 19,960 invoices of 1 to 1,110 items): with items shuffled among invoices, so
/// that no rule is true, 8,468 of 8,468 passed; 1 of 14 after leaving out invoices of more than 40 items, where the real
/// ones keep 1,190 of 1,481.
///
/// Cost: [`frequent_itemsets`], and two tests for a pair or nine for a triple. The same for any order of the baskets.
/// Source: Agrawal, Imielinski & Swami 1993; Brin et al. 1997 (lift, conviction).
pub fn association_rules(baskets: &Baskets, settings: &RuleSettings) -> Result<Vec<Rule>, BasketError> {
    settings.check()?;
    let itemsets = frequent_itemsets(baskets, &settings.itemsets)?;
    let families = settings.itemsets.items_max - 1;
    let mut rules = Vec::new();
    for antecedent_items in 1..=families {
        let candidates = candidates(&itemsets, antecedent_items, settings.confidence_min);
        let p_values: Vec<f64> = candidates.iter().map(|candidate| candidate.p_value).collect();
        let q_values = q_values(&p_values, family(&itemsets, antecedent_items));
        for (candidate, q_value) in candidates.iter().zip(q_values) {
            let q_value = (q_value * families as f64).min(1.0);
            if q_value <= settings.q_max {
                rules.push(candidate.rule(q_value));
            }
        }
    }
    rules.sort_unstable_by(by_lift);
    Ok(rules)
}

/// How many rules with an antecedent of this size could have been tested.
fn family(itemsets: &FrequentItemsets, antecedent_items: usize) -> u64 {
    let items = itemsets.of_size(1).len() as u64;
    itemsets.of_size(antecedent_items).len() as u64 * items.saturating_sub(antecedent_items as u64)
}

/// A rule before it is known how many others there are.
struct Candidate<'a> {
    itemset: &'a Itemset,
    consequent: u32,
    counts: RuleCounts,
    p_value: f64,
}

fn candidates(itemsets: &FrequentItemsets, antecedent_items: usize, confidence_min: f64) -> Vec<Candidate<'_>> {
    let mut candidates = Vec::new();
    for itemset in itemsets.of_size(antecedent_items + 1) {
        for &consequent in &itemset.items {
            let antecedent = without(&itemset.items, consequent);
            let counts = RuleCounts {
                baskets: itemsets.baskets(),
                antecedent: count_of_part(itemsets, &antecedent),
                consequent: count_of_part(itemsets, &[consequent]),
                both: itemset.count,
            };
            if counts.confidence() >= confidence_min {
                let p_value = p_value(itemsets, &antecedent, consequent, &counts);
                candidates.push(Candidate { itemset, consequent, counts, p_value });
            }
        }
    }
    candidates
}

fn without(items: &[u32], left_out: u32) -> Vec<u32> {
    items.iter().copied().filter(|&item| item != left_out).collect()
}

fn count_of_part(itemsets: &FrequentItemsets, items: &[u32]) -> u32 {
    itemsets.count_of(items).expect("a part of an itemset is in at least as many baskets")
}

/// The largest of the tests against the empty rule and against each rule that has one antecedent item less.
fn p_value(itemsets: &FrequentItemsets, antecedent: &[u32], consequent: u32, counts: &RuleCounts) -> f64 {
    let RuleCounts { baskets, antecedent: left, consequent: right, both } = *counts;
    let mut largest = Overlap { baskets, left, right, both }.p_value();
    if antecedent.len() > 1 {
        for &added in antecedent {
            let rest = without(antecedent, added);
            let mut rest_and_consequent = [rest.as_slice(), &[consequent]].concat();
            rest_and_consequent.sort_unstable();
            let baskets = count_of_part(itemsets, &rest);
            let right = count_of_part(itemsets, &rest_and_consequent);
            largest = largest.max(Overlap { baskets, left, right, both }.p_value());
        }
    }
    largest
}

impl Candidate<'_> {
    fn rule(&self, q_value: f64) -> Rule {
        Rule {
            antecedent: without(&self.itemset.items, self.consequent),
            consequent: self.consequent,
            counts: self.counts,
            support: self.counts.support(),
            confidence: self.counts.confidence(),
            lift: self.counts.lift(),
            leverage: self.counts.leverage(),
            conviction: self.counts.conviction(),
            p_value: self.p_value,
            q_value,
        }
    }
}

// Products of two counts are rounded once in each place, so that two rules of one pair tie to the bit.
impl RuleCounts {
    fn support(&self) -> f64 {
        f64::from(self.both) / f64::from(self.baskets)
    }

    fn confidence(&self) -> f64 {
        f64::from(self.both) / f64::from(self.antecedent)
    }

    fn lift(&self) -> f64 {
        f64::from(self.both) * f64::from(self.baskets) / (f64::from(self.antecedent) * f64::from(self.consequent))
    }

    fn leverage(&self) -> f64 {
        let share = |count| f64::from(count) / f64::from(self.baskets);
        self.support() - share(self.antecedent) * share(self.consequent)
    }

    fn conviction(&self) -> Option<f64> {
        let without_consequent = f64::from(self.antecedent - self.both);
        let others = f64::from(self.baskets - self.consequent) / f64::from(self.baskets);
        (without_consequent > 0.0).then(|| f64::from(self.antecedent) * others / without_consequent)
    }
}

/// The order of rules: falling lift, falling support, then items.
fn by_lift(left: &Rule, right: &Rule) -> Ordering {
    let values = right.lift.total_cmp(&left.lift).then(right.support.total_cmp(&left.support));
    let sizes = left.antecedent.len().cmp(&right.antecedent.len());
    let items = left.antecedent.cmp(&right.antecedent).then(left.consequent.cmp(&right.consequent));
    values.then(sizes).then(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 100 baskets, how many hold what.
    fn counts(antecedent: u32, consequent: u32, both: u32) -> RuleCounts {
        RuleCounts { baskets: 100, antecedent, consequent, both }
    }

    #[test]
    fn measures_are_those_of_the_books() {
        let found = counts(40, 25, 20);
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        close(found.support(), 0.2);
        close(found.confidence(), 0.5);
        close(found.lift(), 2.0);
        close(found.leverage(), 0.1);
        close(found.conviction().unwrap(), 1.5);
        close(counts(40, 25, 10).lift(), 1.0);
        close(counts(40, 25, 10).conviction().unwrap(), 1.0);
        assert_eq!(counts(20, 25, 20).conviction(), None, "the rule has no exception");
    }

    #[test]
    fn settings_out_of_range_are_errors() {
        let baskets = Baskets::from_lists(&[vec![1, 2]]).unwrap();
        let check = |settings: RuleSettings, expected: &str| {
            assert_eq!(association_rules(&baskets, &settings).unwrap_err().to_string(), expected);
        };
        let usual = RuleSettings::default();
        let of_items = |items_max| ItemsetSettings { items_max, ..usual.itemsets };
        check(RuleSettings { itemsets: of_items(1), ..usual }, "`items_max` is `1`, expected 2 or 3 items in a rule");
        check(RuleSettings { itemsets: of_items(4), ..usual }, "`items_max` is `4`, expected 2 or 3 items in a rule");
        check(RuleSettings { confidence_min: -0.1, ..usual }, "`confidence_min` is `-0.1`, expected a share of 0..=1");
        check(RuleSettings { q_max: f64::NAN, ..usual }, "`q_max` is `NaN`, expected a share of 0..=1");
    }

    #[test]
    fn rules_of_equal_lift_come_by_support_and_then_by_items() {
        let rule = |antecedent: &[u32], consequent, counts: RuleCounts| {
            let itemset = Itemset { items: [antecedent, &[consequent]].concat(), count: counts.both };
            Candidate { itemset: &itemset, consequent, counts, p_value: 0.0 }.rule(0.0)
        };
        let mut rules = [
            rule(&[4], 5, counts(40, 25, 10)),
            rule(&[1, 2], 9, counts(20, 20, 8)),
            rule(&[3], 1, counts(20, 20, 8)),
            rule(&[1], 3, counts(20, 20, 8)),
            rule(&[8], 7, counts(40, 25, 20)),
        ];
        rules.sort_unstable_by(by_lift);
        let order: Vec<u32> = rules.iter().map(|rule| rule.antecedent[0]).collect();
        assert_eq!(order, [8, 1, 3, 1, 4]);
        assert_eq!(rules[3].antecedent, [1, 2]);
    }
}
