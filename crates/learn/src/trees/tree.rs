//! One tree as the evaluator and the explainer read it.

pub(super) const LEAF: u16 = 0x8000;
pub(super) const MISSING_GOES_LEFT: u16 = 1;

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Node {
    pub threshold: f64,
    pub feature: u16,
    pub(super) flags: u16,
    /// Right and left: an index into the tree's nodes, or a leaf's with [`LEAF`] set.
    pub children: [u16; 2],
}

#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub nodes: Vec<Node>,
    pub leaves: Vec<f64>,
    /// Training rows that came through each node and each leaf.
    pub node_rows: Vec<f64>,
    pub leaf_rows: Vec<f64>,
}

impl Node {
    /// 1 for left, 0 for right.
    #[inline(always)]
    pub fn side(&self, row: &[f64]) -> usize {
        usize::from(self.goes_left(row[self.feature as usize]))
    }

    #[inline(always)]
    pub fn goes_left(&self, value: f64) -> bool {
        (value <= self.threshold) | (value.is_nan() & (self.flags & MISSING_GOES_LEFT != 0))
    }
}
