//! Exact SHAP values of trees in microseconds: why a decision fell must be answered with the decision.
//!
//! A leaf's contribution depends only on which of the features on its path the row agrees with: at
//! most 2^m patterns for m features. All are worked out when the model is loaded; a row then costs
//! a few comparisons and m additions a leaf. A small tree is tabulated by the halves below its root: two look-ups a tree.
//! Method: Yang 2021 (Fast TreeSHAP v2), for path-dependent SHAP (Lundberg et al. 2020). Trees too large for tables are
//! explained by the general recursion.

use super::sides::Sides;
use super::tree::{LEAF, Tree};

/// Nodes of a tree whose decisions fit one machine word.
const NODES_MAX: usize = 64;
/// Features on one path: 2^8 patterns of 8 numbers are 16 kB a leaf.
const PATH_FEATURES_MAX: usize = 8;
/// Nodes of a tree whose halves have a row for every pattern of their decisions and the root's: with 7 nodes mostly twice
/// 16 rows of 4 numbers, 1 kB. A table of the whole tree has 7 kB, and a hundred of them lie outside of a core's cache.
const SMALL_NODES_MAX: usize = 7;
/// All tables of one model together, in numbers: 128 MB.
const TABLE_MAX: usize = 1 << 24;

#[derive(Debug)]
pub(super) struct Explainer {
    base: f64,
    /// The halves of all small trees.
    halves: Vec<HalfPlan>,
    sides: Sides,
    /// Each other tree by its place; no plan where it is too large.
    others: Vec<(usize, Option<Vec<LeafPlan>>)>,
    table: Vec<f64>,
}

/// How the leaves on one side of a root are explained together. Everything in one place: it is read for every answer.
#[derive(Clone, Copy, Debug, Default)]
struct HalfPlan {
    /// Where the sides taken at the nodes on the way to any of the leaves are among those of all.
    word: u32,
    shift: u8,
    node_count: u8,
    feature_count: u8,
    features: [u16; SMALL_NODES_MAX],
    /// `table + pattern * (features + 1) + feature`; last of a pattern is the value of the leaf that a row with it falls
    /// into, 0 if that is one of the other half.
    table: u32,
}

/// How one leaf is explained.
#[derive(Debug)]
struct LeafPlan {
    steps: Vec<Step>,
    /// Where the leaf's patterns begin in the table: `table + pattern * steps + step`.
    table: u32,
}

/// One feature on the path to a leaf.
#[derive(Debug)]
struct Step {
    feature: u16,
    /// The nodes on the path that split on the feature, and the sides they must choose, as bits.
    nodes: u64,
    sides: u64,
}

impl Explainer {
    pub fn new(trees: &[Tree]) -> Explainer {
        let base = trees.iter().map(expected).sum();
        let (halves, others, table) = (Vec::new(), Vec::new(), Vec::new());
        let mut explainer = Explainer { base, halves, sides: Sides::default(), others, table };
        // A tree without a split has nothing to explain.
        let is_small = |tree: &&Tree| tree.leaves.len() > 1 && tree.nodes.len() <= SMALL_NODES_MAX;
        let room: usize = trees.iter().filter(is_small).map(|tree| (tree.nodes.len() + 1) << tree.nodes.len()).sum();
        let by_halves = room <= TABLE_MAX && Sides::room(trees.iter().filter(is_small)) <= TABLE_MAX;
        for (at, tree) in trees.iter().enumerate() {
            let paths = paths(tree);
            if by_halves && is_small(&tree) {
                let (left, right) = paths.into_iter().partition::<Vec<_>, _>(Path::starts_left);
                [left, right].iter().for_each(|paths| explainer.tabulate_half(tree, paths));
                continue;
            }
            let features = paths.iter().map(|path| path.steps.len()).max().unwrap_or(0);
            let room: usize = paths.iter().map(|path| path.steps.len() << path.steps.len().min(16)).sum();
            let fits = tree.nodes.len() <= NODES_MAX && features <= PATH_FEATURES_MAX;
            let plan = (fits && explainer.table.len() + room <= TABLE_MAX).then(|| explainer.tabulate(paths));
            explainer.others.push((at, plan));
        }
        explainer.sides.finish();
        explainer
    }

    /// Paths: at least one, of a small tree.
    fn tabulate_half(&mut self, tree: &Tree, paths: &[Path]) {
        let on_the_way = paths.iter().flat_map(|path| &path.steps).fold(0, |nodes, step| nodes | step.nodes);
        let nodes: Vec<usize> = (0..tree.nodes.len()).filter(|node| on_the_way >> node & 1 == 1).collect();
        let mut features: Vec<u16> = paths.iter().flat_map(|path| path.steps.iter().map(|step| step.feature)).collect();
        features.sort_unstable();
        features.dedup();
        let (word, shift) = self.sides.place(nodes.iter().map(|&node| tree.nodes[node]));
        let table = self.table.len() as u32;
        let (node_count, feature_count) = (nodes.len() as u8, features.len() as u8);
        let mut half = HalfPlan { word, shift, node_count, feature_count, features: [0; SMALL_NODES_MAX], table };
        half.features[..features.len()].copy_from_slice(&features);
        let width = features.len() + 1;
        self.table.resize(self.table.len() + (width << nodes.len()), 0.0);
        for path in paths {
            let mut contributions = Vec::new();
            (0..1 << path.steps.len()).for_each(|pattern| path.write_contributions(pattern, &mut contributions));
            for half_pattern in 0..1_usize << nodes.len() {
                let side = |(at, node): (usize, &usize)| (half_pattern as u64 >> at & 1) << node;
                let pattern = pattern_of(&path.steps, nodes.iter().enumerate().map(side).sum());
                let row = table as usize + half_pattern * width;
                for (step, value) in path.steps.iter().zip(&contributions[pattern * path.steps.len()..]) {
                    let place = features.binary_search(&step.feature).expect("collected above");
                    self.table[row + place] += value;
                }
                if pattern + 1 == 1 << path.steps.len() {
                    self.table[row + features.len()] = path.value;
                }
            }
        }
        self.halves.push(half);
    }

    fn tabulate(&mut self, paths: Vec<Path>) -> Vec<LeafPlan> {
        let mut plans = Vec::with_capacity(paths.len());
        for path in paths {
            let table = self.table.len() as u32;
            for pattern in 0..1_usize << path.steps.len() {
                path.write_contributions(pattern, &mut self.table);
            }
            plans.push(LeafPlan { steps: path.steps, table });
        }
        plans
    }

    /// Rows and their contributions one after the other, `columns` numbers each; tree by tree, so that a tree's tables are
    /// fetched once for all rows. Returns the base, and the sums of the trees if all of them are small: then they come with
    /// the contributions.
    pub fn explain(
        &self,
        trees: &[Tree],
        rows: &[f64],
        columns: usize,
        contributions: &mut [f64],
    ) -> (f64, Option<Vec<f64>>) {
        contributions.fill(0.0);
        let sides = self.sides.of(rows, columns);
        let mut raws = vec![0.0; rows.len() / columns];
        for half in &self.halves {
            let sides = sides.chunks_exact(self.sides.words());
            let rows = sides.zip(contributions.chunks_exact_mut(columns)).zip(&mut raws);
            for ((sides, contributions), raw) in rows {
                // Of the two halves one says 0. Added in the order of the trees, as the evaluator does.
                *raw += half.explain(&self.table, sides, contributions);
            }
        }
        let mut path = Vec::new();
        for (at, plan) in &self.others {
            for (row, contributions) in rows.chunks_exact(columns).zip(contributions.chunks_exact_mut(columns)) {
                match plan {
                    Some(leaves) => self.explain_by_leaves(&trees[*at], leaves, row, contributions),
                    None => explain_by_recursion(&trees[*at], row, contributions, &mut path),
                }
            }
        }
        (self.base, self.others.is_empty().then_some(raws))
    }

    fn explain_by_leaves(&self, tree: &Tree, leaves: &[LeafPlan], row: &[f64], contributions: &mut [f64]) {
        let mut sides = 0_u64;
        for (at, node) in tree.nodes.iter().enumerate() {
            sides |= (node.side(row) as u64) << at;
        }
        for leaf in leaves {
            let pattern = pattern_of(&leaf.steps, sides);
            let start = leaf.table as usize + pattern * leaf.steps.len();
            let values = &self.table[start..start + leaf.steps.len()];
            for (step, value) in leaf.steps.iter().zip(values) {
                contributions[step.feature as usize] += value;
            }
        }
    }
}

impl HalfPlan {
    /// Returns the value of the row's leaf, if it is in this half.
    fn explain(&self, table: &[f64], sides: &[u64], contributions: &mut [f64]) -> f64 {
        let pattern = sides[self.word as usize] >> self.shift & ((1 << self.node_count) - 1);
        let count = usize::from(self.feature_count);
        let start = self.table as usize + pattern as usize * (count + 1);
        let values = &table[start..=start + count];
        for (&feature, value) in self.features[..count].iter().zip(values) {
            contributions[usize::from(feature)] += value;
        }
        values[count]
    }
}

/// Which of a path's features agree with the sides that a row takes, as bits.
fn pattern_of(steps: &[Step], sides: u64) -> usize {
    let agrees = |(at, step): (usize, &Step)| usize::from((sides ^ step.sides) & step.nodes == 0) << at;
    steps.iter().enumerate().map(agrees).sum()
}

/// The mean of a tree over its training rows.
fn expected(tree: &Tree) -> f64 {
    let total: f64 = tree.leaf_rows.iter().sum();
    tree.leaves.iter().zip(&tree.leaf_rows).map(|(value, rows)| value * rows / total).sum()
}

fn rows_at(tree: &Tree, child: u16) -> f64 {
    if child & LEAF == 0 { tree.node_rows[child as usize] } else { tree.leaf_rows[(child & !LEAF) as usize] }
}

/// From the root to one leaf: each feature once, with the share of training rows that go this way at its splits.
#[derive(Clone)]
struct Path {
    steps: Vec<Step>,
    shares: Vec<f64>,
    value: f64,
}

impl Clone for Step {
    fn clone(&self) -> Step {
        Step { ..*self }
    }
}

fn paths(tree: &Tree) -> Vec<Path> {
    let mut out = Vec::with_capacity(tree.leaves.len());
    if tree.leaves.len() > 1 {
        descend(tree, 0, Path { steps: Vec::new(), shares: Vec::new(), value: 0.0 }, &mut out);
    }
    out
}

fn descend(tree: &Tree, at: u16, mut path: Path, out: &mut Vec<Path>) {
    if at & LEAF != 0 {
        path.value = tree.leaves[(at & !LEAF) as usize];
        return out.push(path);
    }
    let node = &tree.nodes[at as usize];
    for (side, &child) in node.children.iter().enumerate() {
        let mut path = path.clone();
        let step = path.steps.iter().position(|step| step.feature == node.feature).unwrap_or_else(|| {
            path.steps.push(Step { feature: node.feature, nodes: 0, sides: 0 });
            path.shares.push(1.0);
            path.steps.len() - 1
        });
        // Trees of more nodes than bits never use these masks.
        path.steps[step].nodes |= 1_u64.checked_shl(at.into()).unwrap_or(0);
        path.steps[step].sides |= (side as u64).checked_shl(at.into()).unwrap_or(0);
        path.shares[step] *= rows_at(tree, child) / tree.node_rows[at as usize];
        descend(tree, child, path, out);
    }
}

impl Path {
    /// Whether it leaves the root to the left; of a tree with a root.
    fn starts_left(&self) -> bool {
        self.steps[0].sides & 1 == 1
    }

    /// Appends what each feature of the path contributes when the row agrees with those in `pattern`.
    fn write_contributions(&self, pattern: usize, out: &mut Vec<f64>) {
        let agrees = |at: usize| pattern >> at & 1 == 1;
        let count = self.steps.len();
        for own in 0..count {
            // Of the others, those that disagree must be left out of the coalition, at their share; those that
            // agree are in or out: elementary symmetric sums over how many are in.
            let mut by_size = vec![0.0; count];
            by_size[0] = 1.0;
            for other in (0..count).filter(|&other| other != own) {
                let (inside, outside) = (f64::from(agrees(other)), self.shares[other]);
                for size in (0..count).rev() {
                    let with = if size > 0 { by_size[size - 1] * inside } else { 0.0 };
                    by_size[size] = by_size[size] * outside + with;
                }
            }
            let weighted: f64 = by_size.iter().enumerate().map(|(size, sum)| sum * coalition_weight(size, count)).sum();
            out.push(self.value * (f64::from(agrees(own)) - self.shares[own]) * weighted);
        }
    }
}

/// Shapley's weight of a coalition: size! (count - 1 - size)! / count!.
fn coalition_weight(size: usize, count: usize) -> f64 {
    let mut weight = 1.0 / count as f64;
    for at in 0..size {
        weight *= (at + 1) as f64 / (count - 1 - at) as f64;
    }
    weight
}

/// One feature on the way down, as the general algorithm extends and unwinds it.
#[derive(Clone, Copy, Default)]
struct Element {
    feature: Option<u16>,
    /// Share of training rows, and whether (1 or 0) the row itself, that go this way.
    share: f64,
    agrees: f64,
    weight: f64,
}

fn explain_by_recursion(tree: &Tree, row: &[f64], contributions: &mut [f64], path: &mut Vec<Element>) {
    path.clear();
    let root = Element { feature: None, share: 1.0, agrees: 1.0, weight: 0.0 };
    recurse(tree, row, contributions, path, 0, root);
}

fn recurse(tree: &Tree, row: &[f64], contributions: &mut [f64], path: &mut Vec<Element>, at: u16, element: Element) {
    extend(path, element);
    if at & LEAF != 0 {
        let value = tree.leaves[(at & !LEAF) as usize];
        for place in 1..path.len() {
            let Element { feature, share, agrees, .. } = path[place];
            let feature = feature.expect("only the root has none");
            contributions[feature as usize] += unwound_weight(path, place) * (agrees - share) * value;
        }
        return;
    }
    let node = &tree.nodes[at as usize];
    let side = node.side(row);
    let mut before = Element { share: 1.0, agrees: 1.0, ..Element::default() };
    if let Some(place) = (1..path.len()).find(|&place| path[place].feature == Some(node.feature)) {
        before = path[place];
        unwind(path, place);
    }
    for (child, agrees) in [(node.children[side], before.agrees), (node.children[1 - side], 0.0)] {
        let share = before.share * rows_at(tree, child) / tree.node_rows[at as usize];
        let saved = path.clone();
        recurse(
            tree,
            row,
            contributions,
            path,
            child,
            Element { feature: Some(node.feature), share, agrees, weight: 0.0 },
        );
        *path = saved;
    }
}

fn extend(path: &mut Vec<Element>, element: Element) {
    let depth = path.len();
    path.push(Element { weight: if depth == 0 { 1.0 } else { 0.0 }, ..element });
    let size = (depth + 1) as f64;
    for at in (0..depth).rev() {
        path[at + 1].weight += element.agrees * path[at].weight * (at + 1) as f64 / size;
        path[at].weight *= element.share * (depth - at) as f64 / size;
    }
}

fn unwind(path: &mut Vec<Element>, place: usize) {
    let depth = path.len() - 1;
    let Element { share, agrees, .. } = path[place];
    let (mut next, size) = (path[depth].weight, (depth + 1) as f64);
    for at in (0..depth).rev() {
        if agrees != 0.0 {
            let weight = path[at].weight;
            path[at].weight = next * size / ((at + 1) as f64 * agrees);
            next = weight - path[at].weight * share * (depth - at) as f64 / size;
        } else {
            path[at].weight = path[at].weight * size / (share * (depth - at) as f64);
        }
    }
    for at in place..depth {
        path[at] = Element { weight: path[at].weight, ..path[at + 1] };
    }
    path.pop();
}

fn unwound_weight(path: &[Element], place: usize) -> f64 {
    let depth = path.len() - 1;
    let Element { share, agrees, .. } = path[place];
    let (mut next, mut sum, size) = (path[depth].weight, 0.0, (depth + 1) as f64);
    for at in (0..depth).rev() {
        if agrees != 0.0 {
            let weight = next * size / ((at + 1) as f64 * agrees);
            sum += weight;
            next = path[at].weight - weight * share * (depth - at) as f64 / size;
        } else if share != 0.0 {
            sum += path[at].weight / share / ((depth - at) as f64 / size);
        }
    }
    sum
}

#[cfg(test)]
pub(super) fn explain_slowly(trees: &[Tree], row: &[f64], contributions: &mut [f64]) {
    contributions.fill(0.0);
    for tree in trees {
        explain_by_recursion(tree, row, contributions, &mut Vec::new());
    }
}
