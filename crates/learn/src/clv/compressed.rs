//! Customers with equal numbers counted together, because a likelihood only asks how many there are of each: a million
//! customers whose times are whole days are often a tenth as many rows.

use std::cmp::Ordering;
use std::ops::Range;

use rayon::prelude::*;

/// So many rows are summed up in one go; the sums are then added in order. Our choice: large enough to share among
/// threads without loss, and fixed, so that the result does not depend on their number.
const BLOCK_ROWS_MAX: usize = 4_096;

/// What can be compressed.
pub trait Customer: Copy + Send + Sync {
    fn frequency(&self) -> u32;
    /// A total order, by frequency first; equal means interchangeable.
    fn order(&self, other: &Self) -> Ordering;
}

/// A customer and how many there are with the same numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counted<C> {
    pub customer: C,
    pub count: u64,
}

/// Distinct customers in their order, each with its count of 1 or more.
#[derive(Clone, Debug)]
pub struct Compressed<C> {
    rows: Vec<Counted<C>>,
    blocks: Vec<Range<usize>>,
    customers: u64,
}

/// A log-likelihood and its slope by each parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Evaluation<const N: usize> {
    pub log_likelihood: f64,
    pub gradient: [f64; N],
}

impl<const N: usize> Evaluation<N> {
    pub(super) const ZERO: Evaluation<N> = Evaluation { log_likelihood: 0.0, gradient: [0.0; N] };

    /// Adds `times` of another one.
    pub(super) fn add(&mut self, other: &Evaluation<N>, times: f64) {
        self.log_likelihood += times * other.log_likelihood;
        self.gradient.iter_mut().zip(other.gradient).for_each(|(sum, slope)| *sum += times * slope);
    }

    /// The same with slopes by the parameters' logarithms.
    pub(super) fn by_logs(mut self, parameters: &[f64; N]) -> Evaluation<N> {
        self.gradient.iter_mut().zip(parameters).for_each(|(slope, parameter)| *slope *= parameter);
        self
    }
}

/// The sum over rows of `own`, each as often as it counts, and of what each customer of the block shares.
pub(super) fn sum_of_rows<C, const N: usize>(
    rows: &[Counted<C>],
    shared: &Evaluation<N>,
    own: impl Fn(&C) -> Evaluation<N>,
) -> Evaluation<N> {
    let (mut sum, mut customers) = (Evaluation::ZERO, 0.0);
    for row in rows {
        sum.add(&own(&row.customer), row.count as f64);
        customers += row.count as f64;
    }
    sum.add(shared, customers);
    sum
}

impl<C: Customer> Compressed<C> {
    /// Customers in any order, each counting once. O(n log n), on all threads.
    pub fn from_customers(customers: &[C]) -> Compressed<C> {
        Compressed::from_counted(customers.iter().map(|&customer| Counted { customer, count: 1 }).collect())
    }

    /// Rows in any order, equal ones added up and those with a count of 0 left out. O(n log n), on all threads.
    pub fn from_counted(mut rows: Vec<Counted<C>>) -> Compressed<C> {
        rows.retain(|row| row.count > 0);
        rows.par_sort_unstable_by(|left, right| left.customer.order(&right.customer));
        rows.dedup_by(|next, kept| {
            let equal = next.customer.order(&kept.customer).is_eq();
            if equal {
                kept.count = kept.count.saturating_add(next.count);
            }
            equal
        });
        let customers = rows.iter().fold(0u64, |sum, row| sum.saturating_add(row.count));
        Compressed { blocks: blocks(&rows), rows, customers }
    }

    pub fn rows(&self) -> &[Counted<C>] {
        &self.rows
    }

    pub fn customers(&self) -> u64 {
        self.customers
    }

    /// The mean over customers; NaN if there are none. O(rows).
    pub(super) fn mean(&self, value: impl Fn(&C) -> f64) -> f64 {
        self.rows.iter().map(|row| row.count as f64 * value(&row.customer)).sum::<f64>() / self.customers as f64
    }

    /// Every so many rows, so that about `rows_max` are left. Good for a first look only: counts are not evened out.
    pub(super) fn thinned(&self, rows_max: usize) -> Compressed<C> {
        let step = self.rows.len().div_ceil(rows_max.max(1)).max(1);
        Compressed::from_counted(self.rows.iter().copied().step_by(step).collect())
    }

    /// The sum over blocks of rows with one frequency each; the same to the bit for any number of threads.
    pub(super) fn sum<const N: usize>(
        &self,
        block_sum: impl Fn(f64, &[Counted<C>]) -> Evaluation<N> + Sync,
    ) -> Evaluation<N> {
        let sum_of = |block: &Range<usize>| {
            let rows = &self.rows[block.clone()];
            rows.first().map_or(Evaluation::ZERO, |row| block_sum(f64::from(row.customer.frequency()), rows))
        };
        let sums: Vec<Evaluation<N>> = self.blocks.par_iter().map(sum_of).collect();
        sums.iter().fold(Evaluation::ZERO, |mut total, sum| {
            total.add(sum, 1.0);
            total
        })
    }
}

fn blocks<C: Customer>(rows: &[Counted<C>]) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        match blocks.last_mut() {
            Some(block)
                if block.len() < BLOCK_ROWS_MAX
                    && rows[block.start].customer.frequency() == row.customer.frequency() =>
            {
                block.end = at + 1;
            }
            _ => blocks.push(at..at + 1),
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clv::history::Spend;

    fn spends(numbers: &[(u32, f64)]) -> Vec<Spend> {
        numbers.iter().map(|&(frequency, mean)| Spend::new(frequency, mean).unwrap()).collect()
    }

    #[test]
    fn equal_customers_become_one_row_in_any_order() {
        let found = Compressed::from_customers(&spends(&[(2, 5.0), (1, 7.0), (2, 5.0), (2, 4.0), (1, 7.0), (2, 5.0)]));
        let counts: Vec<u64> = found.rows().iter().map(|row| row.count).collect();
        assert_eq!((counts, found.customers()), (vec![2, 1, 3], 6));
        let again = Compressed::from_counted([found.rows(), found.rows()].concat());
        assert_eq!((again.rows().len(), again.customers()), (3, 12));
    }

    #[test]
    fn rows_without_customers_are_left_out() {
        let none = Counted { customer: Spend::new(1, 1.0).unwrap(), count: 0 };
        let found = Compressed::from_counted(vec![none]);
        assert!(found.rows().is_empty() && found.customers() == 0 && found.mean(|_| 1.0).is_nan());
        assert_eq!(found.sum(|_, _| Evaluation::<1>::ZERO), Evaluation::ZERO);
    }

    #[test]
    fn blocks_hold_one_frequency_and_every_row_once() {
        let customers: Vec<Spend> =
            (0..30_000u32).map(|at| Spend::new(1 + at % 3 + at / 15_000, 1.0 + f64::from(at)).unwrap()).collect();
        let found = Compressed::from_customers(&customers);
        let mut next = 0;
        for block in &found.blocks {
            assert!(block.start == next && block.len() <= BLOCK_ROWS_MAX);
            assert!(
                found.rows[block.clone()]
                    .windows(2)
                    .all(|pair| { pair[0].customer.frequency() == pair[1].customer.frequency() })
            );
            next = block.end;
        }
        assert_eq!(next, found.rows.len());
        assert!(found.thinned(1_000).rows().len() <= 1_000);
    }
}
