//! What to offer next to someone who has these items: what the surest rule about them says.

use std::cmp::Ordering;

use super::rules::Rule;

/// An item that is not in the basket, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion<'a> {
    pub item: u32,
    /// The rule of highest confidence whose antecedent is in the basket and whose consequent is the item.
    pub rule: &'a Rule,
}

/// At most `count` items, the surest first: by the confidence of their best rule, then its lift, its support, and the
/// smaller item. Of two rules for one item the same decides, then the place in `rules`.
///
/// basket: items in any order, of one basket or of all that a customer has; items that no rule knows do not matter.
/// Fewer than `count` if fewer rules apply. O(rules * log basket + n log n) for n rules that apply.
pub fn next_items<'a>(rules: &'a [Rule], basket: &[u32], count: usize) -> Vec<Suggestion<'a>> {
    let mut items = basket.to_vec();
    items.sort_unstable();
    let has = |item: &u32| items.binary_search(item).is_ok();
    let applies = |rule: &&Rule| !has(&rule.consequent) && rule.antecedent.iter().all(has);
    let mut matching: Vec<&Rule> = rules.iter().filter(applies).collect();
    // Stable: rules that tie in all keep their place.
    matching.sort_by(|left, right| left.consequent.cmp(&right.consequent).then(surer_first(left, right)));
    matching.dedup_by_key(|rule| rule.consequent);
    matching.sort_by(|left, right| surer_first(left, right).then(left.consequent.cmp(&right.consequent)));
    matching.truncate(count);
    matching.into_iter().map(|rule| Suggestion { item: rule.consequent, rule }).collect()
}

fn surer_first(left: &Rule, right: &Rule) -> Ordering {
    let values = |rule: &Rule| [rule.confidence, rule.lift, rule.support];
    let pairs = values(left).into_iter().zip(values(right));
    pairs.map(|(left, right)| right.total_cmp(&left)).fold(Ordering::Equal, Ordering::then)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baskets::rules::RuleCounts;

    fn rule(antecedent: &[u32], consequent: u32, confidence: f64, lift: f64) -> Rule {
        let counts = RuleCounts { baskets: 100, antecedent: 10, consequent: 10, both: 5 };
        let (support, leverage, conviction, p_value, q_value) = (0.05, 0.04, Some(1.8), 1e-6, 1e-4);
        let antecedent = antecedent.to_vec();
        Rule { antecedent, consequent, counts, support, confidence, lift, leverage, conviction, p_value, q_value }
    }

    fn check(rules: &[Rule], basket: &[u32], count: usize, expected: &[u32]) {
        let found: Vec<u32> = next_items(rules, basket, count).iter().map(|suggestion| suggestion.item).collect();
        assert_eq!(found, expected, "{basket:?}");
    }

    #[test]
    fn the_surest_rule_about_what_is_there_comes_first() {
        let rules =
            [rule(&[1], 5, 0.2, 9.0), rule(&[1, 2], 6, 0.4, 2.0), rule(&[2], 5, 0.3, 1.5), rule(&[3], 7, 0.9, 2.0)];
        check(&rules, &[2, 1, 2], 9, &[6, 5]);
        check(&rules, &[1], 9, &[5]);
        check(&rules, &[1, 2, 3], 2, &[7, 6]);
        check(&rules, &[1, 2, 3], 0, &[]);
        assert_eq!(next_items(&rules, &[1, 2], 2)[1].rule, &rules[2], "the surer of the two rules for 5");
    }

    #[test]
    fn what_the_basket_has_is_not_suggested() {
        let rules = [rule(&[1], 5, 0.2, 9.0), rule(&[5], 1, 0.4, 2.0)];
        check(&rules, &[1, 5], 9, &[]);
        check(&rules, &[], 9, &[]);
        check(&[], &[1], 9, &[]);
    }

    #[test]
    fn ties_go_by_lift_and_then_to_the_smaller_item() {
        let rules = [rule(&[1], 8, 0.3, 2.0), rule(&[1], 6, 0.3, 2.0), rule(&[1], 9, 0.3, 2.5)];
        check(&rules, &[1], 3, &[9, 6, 8]);
    }
}
