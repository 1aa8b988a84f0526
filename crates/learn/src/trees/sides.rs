//! The sides that a row takes at the nodes of many small trees, all at once: for each feature one search among its
//! thresholds, then one pass over machine words, instead of a comparison a node. Method: Lucchese et al. 2015 (QuickScorer).

use super::tree::{Node, Tree};

const WORD_BITS: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Sides {
    words: usize,
    bits: usize,
    /// The nodes that were placed, with their bits, until all are.
    placed: Vec<(Node, usize)>,
    features: Vec<FeatureSides>,
    /// For each feature and each interval between its thresholds, then for a missing value: which nodes go left.
    left: Vec<u64>,
}

#[derive(Debug)]
struct FeatureSides {
    feature: usize,
    /// Rising, each once.
    thresholds: Vec<f64>,
    /// Where its rows of `left` begin.
    start: usize,
}

impl Sides {
    /// An upper bound of the machine words that trees will take.
    pub fn room<'a>(trees: impl Iterator<Item = &'a Tree>) -> usize {
        let nodes: usize = trees.map(|tree| tree.nodes.len()).sum();
        // At most three intervals a node; it may stand in both halves, and each half may leave a part of a word free.
        3 * nodes * (2 * nodes).div_ceil(WORD_BITS / 2)
    }

    /// Gives nodes of one tree, at most 32, neighbouring bits: the word and the first bit in it.
    pub fn place(&mut self, nodes: impl ExactSizeIterator<Item = Node>) -> (u32, u8) {
        if self.bits % WORD_BITS + nodes.len() > WORD_BITS {
            self.bits = self.bits.next_multiple_of(WORD_BITS);
        }
        let first = self.bits;
        self.bits += nodes.len();
        self.placed.extend(nodes.zip(first..));
        ((first / WORD_BITS) as u32, (first % WORD_BITS) as u8)
    }

    /// After the last node was placed.
    pub fn finish(&mut self) {
        self.words = self.bits.div_ceil(WORD_BITS);
        let mut placed = std::mem::take(&mut self.placed);
        placed.sort_by_key(|(node, _)| node.feature);
        for nodes in placed.chunk_by(|(a, _), (b, _)| a.feature == b.feature) {
            let mut thresholds: Vec<f64> = nodes.iter().map(|(node, _)| node.threshold).collect();
            thresholds.sort_by(f64::total_cmp);
            thresholds.dedup();
            let start = self.left.len();
            // A value of each interval: the threshold that ends it; beyond the last; missing.
            let values = thresholds.iter().copied().chain([f64::INFINITY, f64::NAN]);
            for value in values {
                let row = self.left.len();
                self.left.resize(row + self.words, 0);
                for (_, bit) in nodes.iter().filter(|(node, _)| node.goes_left(value)) {
                    self.left[row + bit / WORD_BITS] |= 1 << (bit % WORD_BITS);
                }
            }
            self.features.push(FeatureSides { feature: usize::from(nodes[0].0.feature), thresholds, start });
        }
    }

    /// Machine words of one row.
    pub fn words(&self) -> usize {
        self.words.max(1)
    }

    /// For rows of `columns` numbers, one after the other, [`Sides::words`] each: 1 for left, 0 for right, at the bits where
    /// the nodes were placed.
    pub fn of(&self, rows: &[f64], columns: usize) -> Vec<u64> {
        let mut sides = vec![0; rows.len() / columns * self.words()];
        for FeatureSides { feature, thresholds, start } in &self.features {
            for (row, sides) in rows.chunks_exact(columns).zip(sides.chunks_exact_mut(self.words())) {
                let value = row[*feature];
                let interval = match value.is_nan() {
                    true => thresholds.len() + 1,
                    false => thresholds.partition_point(|threshold| *threshold < value),
                };
                let left = &self.left[start + interval * self.words..][..self.words];
                sides.iter_mut().zip(left).for_each(|(sides, left)| *sides |= left);
            }
        }
        sides
    }
}
