//! Baskets that begin alike share their beginning, so that counting passes over it once: the tree of FP-growth.
//!
//! Items are ranks here, 0 the most frequent, and paths go from the root by rising rank: the more an item is shared,
//! the nearer to the root it stands. Source: Han, Pei & Yin 2000.

/// The root's number; it holds no item.
const ROOT: u32 = 0;

/// Baskets or parts of them, each with its rising ranks and how often it was there.
#[derive(Default)]
pub(super) struct Paths {
    ranks: Vec<u32>,
    paths: Vec<Path>,
}

/// `ranks[start..end]`, `count` times.
#[derive(Clone, Copy)]
struct Path {
    start: u32,
    end: u32,
    count: u32,
}

impl Paths {
    /// Adds a path of rising ranks. `Baskets` has made sure that 4 bytes count the ranks of all paths.
    pub(super) fn push(&mut self, ranks: impl Iterator<Item = u32>, count: u32) {
        let start = self.ranks.len() as u32;
        self.ranks.extend(ranks);
        let end = self.ranks.len() as u32;
        if end > start {
            self.paths.push(Path { start, end, count });
        }
    }

    /// Adds a path of which the ranks come falling, as on the way to the root.
    fn push_falling(&mut self, ranks: impl Iterator<Item = u32>, count: u32) {
        let start = self.ranks.len();
        self.push(ranks, count);
        self.ranks[start..].reverse();
    }

    fn clear(&mut self) {
        self.ranks.clear();
        self.paths.clear();
    }

    /// Equal beginnings side by side. Which of two equal paths comes first does not show.
    fn sort(&mut self) {
        let ranks = &self.ranks;
        let of = |path: &Path| &ranks[path.start as usize..path.end as usize];
        self.paths.sort_unstable_by(|left, right| of(left).cmp(of(right)));
    }
}

#[derive(Clone, Copy)]
struct Node {
    rank: u32,
    parent: u32,
}

/// 16 bytes a node, of which there are at most as many as entries in the paths.
pub(super) struct Tree {
    /// A parent stands before its children.
    nodes: Vec<Node>,
    counts: Vec<u32>,
    /// The nodes of rank `r` are `by_rank[starts[r]..starts[r + 1]]`.
    starts: Vec<u32>,
    by_rank: Vec<u32>,
}

impl Tree {
    /// Ranks in `paths` are below `ranks`. The paths' order changes. O(n log n) for n entries.
    pub(super) fn new(paths: &mut Paths, ranks: usize) -> Tree {
        paths.sort();
        let root = Node { rank: u32::MAX, parent: ROOT };
        let mut tree = Tree { nodes: vec![root], counts: vec![0], starts: Vec::new(), by_rank: Vec::new() };
        // The nodes from the root to the last one added.
        let mut spine: Vec<u32> = Vec::new();
        for path in &paths.paths {
            let ranks = &paths.ranks[path.start as usize..path.end as usize];
            let same = |(node, rank): &(&u32, &u32)| tree.nodes[**node as usize].rank == **rank;
            let shared = spine.iter().zip(ranks).take_while(same).count();
            spine.truncate(shared);
            spine.iter().for_each(|&node| tree.counts[node as usize] += path.count);
            for &rank in &ranks[shared..] {
                let parent = spine.last().copied().unwrap_or(ROOT);
                spine.push(tree.nodes.len() as u32);
                tree.nodes.push(Node { rank, parent });
                tree.counts.push(path.count);
            }
        }
        tree.list_by_rank(ranks);
        tree
    }

    fn list_by_rank(&mut self, ranks: usize) {
        let mut ends = vec![0u32; ranks + 1];
        self.nodes[1..].iter().for_each(|node| ends[node.rank as usize + 1] += 1);
        for rank in 0..ranks {
            ends[rank + 1] += ends[rank];
        }
        self.starts = ends.clone();
        self.by_rank = vec![0; self.nodes.len() - 1];
        for (number, node) in self.nodes.iter().enumerate().skip(1) {
            let place = &mut ends[node.rank as usize];
            self.by_rank[*place as usize] = number as u32;
            *place += 1;
        }
    }

    pub(super) fn ranks(&self) -> usize {
        self.starts.len() - 1
    }

    fn nodes_of(&self, rank: usize) -> &[u32] {
        &self.by_rank[self.starts[rank] as usize..self.starts[rank + 1] as usize]
    }

    /// The ranks above a node, falling.
    fn above(&self, node: u32) -> impl Iterator<Item = u32> {
        let mut at = self.nodes[node as usize].parent;
        std::iter::from_fn(move || {
            let found = self.nodes[at as usize];
            at = found.parent;
            (found.rank != u32::MAX).then_some(found.rank)
        })
    }

    /// In how many baskets each lower rank is together with `rank`; one count per rank below it.
    pub(super) fn counts_with(&self, rank: usize, counts: &mut Vec<u32>) {
        counts.clear();
        counts.resize(rank, 0);
        for &node in self.nodes_of(rank) {
            self.above(node).for_each(|other| counts[other as usize] += self.counts[node as usize]);
        }
    }

    /// The tree of what is together with `rank`, of the ranks in `kept` alone (ascending), which are 0, 1, .. in it.
    /// paths: room to work in, of any content.
    pub(super) fn given(&self, rank: usize, kept: &[u32], paths: &mut Paths) -> Tree {
        let mut new_ranks = vec![u32::MAX; rank];
        kept.iter().enumerate().for_each(|(new, &old)| new_ranks[old as usize] = new as u32);
        paths.clear();
        for &node in self.nodes_of(rank) {
            let ranks = self.above(node).map(|old| new_ranks[old as usize]).filter(|&new| new != u32::MAX);
            paths.push_falling(ranks, self.counts[node as usize]);
        }
        Tree::new(paths, kept.len())
    }
}
