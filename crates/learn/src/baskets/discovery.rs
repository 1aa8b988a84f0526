//! Keeps the share of false rules small, because a search through a million of them finds some at any level.

/// For each p-value the smallest share of false discoveries at which it would still be one (Benjamini-Hochberg).
///
/// family: how many hypotheses could have been tested, at least `p_values.len()`; those not listed count as p = 1.
/// p_values: 0..=1. Ties share a value. O(n log n).
///
/// Not Benjamini-Yekutieli, which holds under any dependence but asks p-values to be smaller by ln(family) + 0.58,
/// often 12 times. What breaks Benjamini-Hochberg is evidence for one rule that is evidence against another, as with
/// items that replace each other; `chance.rs` measures such baskets, and the promise holds there.
/// Source: Benjamini & Hochberg 1995.
pub(super) fn q_values(p_values: &[f64], family: u64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_unstable_by(|&left, &right| p_values[left].total_cmp(&p_values[right]));
    let (mut q_values, mut smallest) = (vec![1.0; p_values.len()], 1.0f64);
    for (place, &hypothesis) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_values[hypothesis] * family as f64 / (place + 1) as f64);
        q_values[hypothesis] = smallest;
    }
    q_values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_values_are_those_of_r() {
        // p.adjust(c(.01, .04, .03, .005, .5), "BH"), and with n = 20
        let p_values = [0.01, 0.04, 0.03, 0.005, 0.5];
        let check = |family, expected: [f64; 5]| {
            let found = q_values(&p_values, family);
            assert!(found.iter().zip(expected).all(|(left, right)| (left - right).abs() < 1e-15), "{found:?}");
        };
        check(5, [0.025, 0.05, 0.05, 0.025, 0.5]);
        check(20, [0.1, 0.2, 0.2, 0.1, 1.0]);
        assert!(q_values(&[], 7).is_empty());
    }

    #[test]
    fn hypotheses_that_are_not_listed_count_as_certainly_true() {
        let listed = q_values(&[0.001, 0.2, 1.0, 1.0, 1.0, 1.0], 6);
        assert_eq!(q_values(&[0.001, 0.2], 6), listed[..2]);
    }
}
