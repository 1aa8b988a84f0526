//! Which items are together in enough baskets, found by FP-growth: no set is counted that was never bought.

use super::error::BasketError;
use super::lists::Baskets;
use super::tree::{Paths, Tree};

/// Each size is one level of recursion with a tree of its own; more than 16 items together nobody reads.
const ITEMS_MAX: usize = 16;

/// Which itemsets are looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ItemsetSettings {
    /// The share of all baskets, empty ones among them, that an itemset must be in, 0..=1.
    pub support_min: f64,
    /// The number of baskets that it must be in whatever the share, 1 or more.
    pub count_min: u32,
    /// The size of the largest itemsets, 1..=16.
    pub items_max: usize,
    /// More itemsets than this are an error; each takes some 50 bytes.
    pub itemsets_max: usize,
}

impl Default for ItemsetSettings {
    /// Conventions: 1 % is where most textbooks start, 5 the least that a 2 x 2 table is read from. A quarter of a
    /// million itemsets are more than anyone reads, and 175 megabytes while rules are made of them.
    fn default() -> ItemsetSettings {
        ItemsetSettings { support_min: 0.01, count_min: 5, items_max: 3, itemsets_max: 250_000 }
    }
}

impl ItemsetSettings {
    pub(super) fn check(&self) -> Result<(), BasketError> {
        let wrong = |name, found, expected| Err(BasketError::Setting { name, found, expected });
        if !(0.0..=1.0).contains(&self.support_min) {
            return wrong("support_min", self.support_min, "a share of 0..=1");
        }
        if self.count_min == 0 {
            return wrong("count_min", 0.0, "1 basket or more");
        }
        if !(1..=ITEMS_MAX).contains(&self.items_max) {
            return wrong("items_max", self.items_max as f64, "1..=16 items");
        }
        Ok(())
    }

    /// The smallest count whose share of the baskets, as a double, is not below `support_min`.
    fn count_min_among(&self, baskets: u32) -> u32 {
        let enough = |count: f64| count / f64::from(baskets) >= self.support_min;
        // The product may round to either side of a whole number: 0.01 * 700 is 7.000000000000001.
        let near = (self.support_min * f64::from(baskets)).ceil();
        let count = if enough(near - 1.0) { near - 1.0 } else { near };
        self.count_min.max(count as u32)
    }
}

/// Items, ascending and distinct, and in how many baskets all of them are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Itemset {
    pub items: Vec<u32>,
    pub count: u32,
}

/// Every itemset that is in enough baskets, in order of size and then of items.
#[derive(Clone, Debug, PartialEq)]
pub struct FrequentItemsets {
    baskets: u32,
    itemsets: Vec<Itemset>,
    /// Itemsets of `size` items are `itemsets[starts[size - 1]..starts[size]]`.
    starts: Vec<usize>,
}

impl FrequentItemsets {
    /// The number of baskets that were looked at.
    pub fn baskets(&self) -> u32 {
        self.baskets
    }

    pub fn all(&self) -> &[Itemset] {
        &self.itemsets
    }

    /// Those of `size` items, ascending; none for a size that was not looked for.
    pub fn of_size(&self, size: usize) -> &[Itemset] {
        match (size.checked_sub(1).and_then(|below| self.starts.get(below)), self.starts.get(size)) {
            (Some(&start), Some(&end)) => &self.itemsets[start..end],
            _ => &[],
        }
    }

    /// In how many baskets these items (ascending, distinct) are, if that is enough. O(log n).
    pub fn count_of(&self, items: &[u32]) -> Option<u32> {
        let itemsets = self.of_size(items.len());
        let place = itemsets.binary_search_by(|itemset| itemset.items.as_slice().cmp(items)).ok()?;
        Some(itemsets[place].count)
    }
}

/// All itemsets of 1..=items_max items that are in enough baskets; the same for any order of the baskets.
///
/// Cost: for n entries, n log n to build the tree and n times the length of a basket to go through it, and as much again
/// for each frequent itemset's own baskets. Memory: some 25 bytes an entry, the baskets' own among them, and 64 an itemset.
/// Source: Han, Pei & Yin 2000.
pub fn frequent_itemsets(baskets: &Baskets, settings: &ItemsetSettings) -> Result<FrequentItemsets, BasketError> {
    settings.check()?;
    if baskets.count() == 0 {
        return Err(BasketError::NoBaskets);
    }
    let count_min = settings.count_min_among(baskets.count());
    let ranked = ranked_items(baskets, count_min);
    let mut growth = Growth { settings, count_min, found: Vec::new(), suffix: Vec::new(), paths: Paths::default() };
    for &(place, count) in &ranked {
        growth.keep(baskets.names()[place as usize], count)?;
    }
    if settings.items_max > 1 {
        let items: Vec<u32> = ranked.iter().map(|&(place, _)| baskets.names()[place as usize]).collect();
        growth.grow(&whole_tree(baskets, &ranked), &items)?;
    }
    Ok(in_order(growth.found, baskets.count(), settings.items_max))
}

/// Place and count of each item that is in enough baskets, the most frequent first.
fn ranked_items(baskets: &Baskets, count_min: u32) -> Vec<(u32, u32)> {
    let mut counts = vec![0u32; baskets.names().len()];
    baskets.places().iter().for_each(|&place| counts[place as usize] += 1);
    let mut ranked: Vec<(u32, u32)> = (0..).zip(counts).filter(|&(_, count)| count >= count_min).collect();
    ranked.sort_unstable_by_key(|&(place, count)| (std::cmp::Reverse(count), place));
    ranked
}

fn whole_tree(baskets: &Baskets, ranked: &[(u32, u32)]) -> Tree {
    let mut ranks = vec![u32::MAX; baskets.names().len()];
    (0..).zip(ranked).for_each(|(rank, &(place, _))| ranks[place as usize] = rank);
    let (mut paths, mut basket) = (Paths::default(), Vec::new());
    for places in baskets.iter() {
        basket.clear();
        basket.extend(places.iter().map(|&place| ranks[place as usize]).filter(|&rank| rank != u32::MAX));
        basket.sort_unstable();
        paths.push(basket.iter().copied(), 1);
    }
    Tree::new(&mut paths, ranked.len())
}

/// What is found on the way, from the rarest item of a set to its more frequent ones.
struct Growth<'a> {
    settings: &'a ItemsetSettings,
    count_min: u32,
    found: Vec<Itemset>,
    /// The items that the current tree is given.
    suffix: Vec<u32>,
    /// Room for the paths of the next tree.
    paths: Paths,
}

impl Growth<'_> {
    /// Finds what grows by an item of the tree and at least one more. items: the item of each rank of the tree.
    fn grow(&mut self, tree: &Tree, items: &[u32]) -> Result<(), BasketError> {
        let mut counts = Vec::new();
        for rank in 0..tree.ranks() {
            tree.counts_with(rank, &mut counts);
            self.suffix.push(items[rank]);
            let mut kept = Vec::new();
            for (other, &count) in (0..).zip(&counts) {
                if count >= self.count_min {
                    self.keep(items[other as usize], count)?;
                    kept.push(other);
                }
            }
            if kept.len() > 1 && self.suffix.len() + 2 <= self.settings.items_max {
                let kept_items: Vec<u32> = kept.iter().map(|&other| items[other as usize]).collect();
                let given = tree.given(rank, &kept, &mut self.paths);
                self.grow(&given, &kept_items)?;
            }
            self.suffix.pop();
        }
        Ok(())
    }

    fn keep(&mut self, item: u32, count: u32) -> Result<(), BasketError> {
        if self.found.len() >= self.settings.itemsets_max {
            return Err(BasketError::TooManyItemsets {
                itemsets_max: self.settings.itemsets_max,
                count_min: self.count_min,
                support_min: self.settings.support_min,
            });
        }
        let mut items = Vec::with_capacity(self.suffix.len() + 1);
        items.extend_from_slice(&self.suffix);
        items.push(item);
        items.sort_unstable();
        self.found.push(Itemset { items, count });
        Ok(())
    }
}

fn in_order(mut itemsets: Vec<Itemset>, baskets: u32, items_max: usize) -> FrequentItemsets {
    itemsets.sort_unstable_by(|left, right| (left.items.len(), &left.items).cmp(&(right.items.len(), &right.items)));
    let up_to = |size| itemsets.partition_point(|itemset| itemset.items.len() <= size);
    let starts = (0..=items_max).map(up_to).collect();
    FrequentItemsets { baskets, itemsets, starts }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(lists: &[Vec<u32>], settings: &ItemsetSettings) -> Result<FrequentItemsets, BasketError> {
        frequent_itemsets(&Baskets::from_lists(lists).unwrap(), settings)
    }

    /// All that is in one basket or more.
    fn everything() -> ItemsetSettings {
        ItemsetSettings { support_min: 0.0, count_min: 1, ..ItemsetSettings::default() }
    }

    #[test]
    fn a_share_that_is_a_whole_number_of_baskets_needs_just_that_number() {
        let needed = |support_min, baskets| {
            ItemsetSettings { support_min, count_min: 5, ..ItemsetSettings::default() }.count_min_among(baskets)
        };
        assert_eq!(needed(0.01, 700), 7, "0.01 * 700 is above 7 as a double");
        assert_eq!(needed(0.01, 701), 8);
        assert_eq!(needed(0.01, 10), 5, "the number of baskets is the larger one");
        assert_eq!(needed(0.0, 10), 5);
        assert_eq!(needed(1.0, u32::MAX), u32::MAX);
    }

    #[test]
    fn every_share_needs_the_smallest_count_that_reaches_it() {
        for baskets in 1..200u32 {
            for count in 1..=baskets {
                let support_min = f64::from(count) / f64::from(baskets);
                let settings = ItemsetSettings { support_min, count_min: 1, ..ItemsetSettings::default() };
                assert_eq!(settings.count_min_among(baskets), count, "of {baskets}");
            }
        }
    }

    #[test]
    fn a_basket_of_many_items_gives_its_small_sets_alone() {
        let found = find(&[(0..30).collect()], &everything()).unwrap();
        let sizes: Vec<usize> = (0..5).map(|size| found.of_size(size).len()).collect();
        assert_eq!(sizes, [0, 30, 435, 4_060, 0]);
        assert_eq!(found.count_of(&[3, 7, 29]), Some(1));
        assert_eq!(found.count_of(&[3, 30]), None);
        assert_eq!(found.count_of(&[]), None);
    }

    #[test]
    fn too_many_itemsets_are_an_error_that_says_what_to_raise() {
        let lists = [(0..30).collect()];
        let exactly = ItemsetSettings { itemsets_max: 30 + 435 + 4_060, ..everything() };
        assert!(find(&lists, &exactly).is_ok());
        let error = find(&lists, &ItemsetSettings { itemsets_max: 4_524, ..exactly }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "more than `4524` itemsets are in `1` baskets or more: raise support_min (now `0`), or raise itemsets_max \
             if there is the memory"
        );
    }

    #[test]
    fn settings_out_of_range_and_no_baskets_are_errors() {
        let check = |settings: ItemsetSettings, expected: &str| {
            assert_eq!(find(&[vec![1]], &settings).unwrap_err().to_string(), expected);
        };
        let usual = ItemsetSettings::default();
        check(ItemsetSettings { support_min: 1.5, ..usual }, "`support_min` is `1.5`, expected a share of 0..=1");
        check(ItemsetSettings { support_min: f64::NAN, ..usual }, "`support_min` is `NaN`, expected a share of 0..=1");
        check(ItemsetSettings { count_min: 0, ..usual }, "`count_min` is `0`, expected 1 basket or more");
        check(ItemsetSettings { items_max: 0, ..usual }, "`items_max` is `0`, expected 1..=16 items");
        check(ItemsetSettings { items_max: 17, ..usual }, "`items_max` is `17`, expected 1..=16 items");
        assert_eq!(find(&[], &usual), Err(BasketError::NoBaskets));
        assert_eq!(find(&[vec![], vec![]], &everything()).unwrap().all(), []);
    }
}
