//! Baskets as one list of small numbers, because a million small vectors cost more than what is in them.

use super::error::BasketError;

/// Baskets and entries are counted in 4 bytes, which halves the memory of everything that is counted; the largest
/// number means "none" in the tree.
const COUNT_MAX: usize = u32::MAX as usize - 1;

/// Baskets, each with its distinct items in ascending order. An item is any number; an empty basket is a basket.
#[derive(Clone, Debug, PartialEq)]
pub struct Baskets {
    /// The distinct items, ascending; everywhere else an item is its place in here.
    names: Vec<u32>,
    /// Basket `b` holds `places[ends[b - 1]..ends[b]]`.
    ends: Vec<usize>,
    places: Vec<u32>,
}

impl Baskets {
    /// Lists of items in any order; an item that a list names twice counts once. O(n log n) for n entries.
    pub fn from_lists(lists: &[Vec<u32>]) -> Result<Baskets, BasketError> {
        let entries = lists.iter().map(Vec::len).fold(0usize, usize::saturating_add);
        Baskets::collect(lists.iter().map(Vec::as_slice), lists.len(), entries)
    }

    fn collect<'a>(
        lists: impl Iterator<Item = &'a [u32]> + Clone,
        baskets: usize,
        entries: usize,
    ) -> Result<Baskets, BasketError> {
        for (what, found) in [("baskets", baskets), ("entries of baskets", entries)] {
            if found > COUNT_MAX {
                return Err(BasketError::TooMany { what, found, max: COUNT_MAX });
            }
        }
        let mut names = Vec::with_capacity(entries);
        lists.clone().for_each(|list| names.extend_from_slice(list));
        names.sort_unstable();
        names.dedup();
        names.shrink_to_fit();
        let (mut ends, mut places) = (Vec::with_capacity(baskets), Vec::with_capacity(entries));
        let mut basket = Vec::new();
        for list in lists {
            basket.clear();
            basket.extend(list.iter().map(|item| names.partition_point(|name| name < item) as u32));
            basket.sort_unstable();
            basket.dedup();
            places.extend_from_slice(&basket);
            ends.push(places.len());
        }
        Ok(Baskets { names, ends, places })
    }

    /// How many baskets there are, empty ones among them.
    pub fn count(&self) -> u32 {
        self.ends.len() as u32
    }

    /// The distinct items, ascending.
    pub(super) fn names(&self) -> &[u32] {
        &self.names
    }

    /// The entries of all baskets, each as its place in [`Baskets::names`].
    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    /// Each basket's entries, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.places[start..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_counts_once_in_a_basket_and_an_empty_basket_is_one() {
        let lists = [vec![7, 3, 7], vec![], vec![u32::MAX, 3]];
        let baskets = Baskets::from_lists(&lists).unwrap();
        assert_eq!(baskets.count(), 3);
        assert_eq!(baskets.names(), [3, 7, u32::MAX]);
        assert_eq!(baskets.iter().collect::<Vec<_>>(), [&[0, 1][..], &[], &[0, 2]]);
    }

    #[test]
    fn more_than_can_be_counted_is_an_error() {
        let check = |baskets, entries, expected: &str| {
            let error = Baskets::collect(std::iter::empty(), baskets, entries).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        let rest = "at most `4294967294` can be counted: take a sample or a shorter time";
        check(COUNT_MAX + 1, 0, &format!("there are `4294967295` baskets, {rest}"));
        check(1, usize::MAX, &format!("there are `18446744073709551615` entries of baskets, {rest}"));
    }
}
