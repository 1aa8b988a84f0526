//! The rising steps closest to the truth, and the slopes that they become when each is one knot.

/// Rows of neighbouring scores that share a probability.
struct Block {
    score_sum: f64,
    positives: u64,
    rows: u64,
}

impl Block {
    fn share(&self) -> f64 {
        self.positives as f64 / self.rows as f64
    }

    /// With half a row more of either class: never 0 or 1.
    fn cautious_share(&self) -> f64 {
        (self.positives as f64 + 0.5) / (self.rows as f64 + 1.0)
    }

    fn centre(&self) -> f64 {
        self.score_sum / self.rows as f64
    }

    /// Compared as fractions, so no rounding decides which rows are pooled.
    fn is_at_least(&self, next: &Block) -> bool {
        u128::from(self.positives) * u128::from(next.rows) >= u128::from(next.positives) * u128::from(self.rows)
    }

    fn absorb(&mut self, previous: &Block) {
        self.score_sum += previous.score_sum;
        self.positives += previous.positives;
        self.rows += previous.rows;
    }
}

/// Mean score and share of positives of each level, both strictly ascending; fewer than two if there are no two levels.
pub(super) fn knots(score: &[f64], truth: &[bool]) -> Vec<(f64, f64)> {
    let mut blocks = pool_adjacent_violators(score, truth);
    // Half a row more of either class may carry an outermost level beyond its neighbour: the two are then one.
    while blocks.len() > 1 && blocks[0].cautious_share() >= cautious_or_plain(&blocks, 1) {
        let first = blocks.remove(0);
        blocks[0].absorb(&first);
    }
    while blocks.len() > 1 && blocks[blocks.len() - 1].cautious_share() <= cautious_or_plain(&blocks, blocks.len() - 2)
    {
        let Some(last) = blocks.pop() else { break };
        let end = blocks.len() - 1;
        blocks[end].absorb(&last);
    }
    (0..blocks.len()).map(|at| (blocks[at].centre(), cautious_or_plain(&blocks, at))).collect()
}

fn cautious_or_plain(blocks: &[Block], at: usize) -> f64 {
    let outermost = at == 0 || at + 1 == blocks.len();
    if outermost { blocks[at].cautious_share() } else { blocks[at].share() }
}

fn pool_adjacent_violators(score: &[f64], truth: &[bool]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for mut block in one_block_a_score(score, truth) {
        while let Some(previous) = blocks.pop_if(|previous| previous.is_at_least(&block)) {
            block.absorb(&previous);
        }
        blocks.push(block);
    }
    blocks
}

fn one_block_a_score(score: &[f64], truth: &[bool]) -> Vec<Block> {
    // Adding 0.0 turns -0.0 into 0.0: equal scores must be neighbours with one name.
    let mut rows: Vec<(f64, bool)> = score.iter().zip(truth).map(|(&score, &truth)| (score + 0.0, truth)).collect();
    rows.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    let tied = rows.chunk_by(|left, right| left.0 == right.0);
    tied.map(|rows| Block {
        score_sum: rows[0].0 * rows.len() as f64,
        positives: rows.iter().filter(|row| row.1).count() as u64,
        rows: rows.len() as u64,
    })
    .collect()
}

/// A line through the knots beside a score, or through the outermost one with the given slope. Knots strictly ascending, at least
/// one.
pub(super) fn between(knots: &[f64], becomes: &[f64], slope: f64, score: f64) -> f64 {
    let right = knots.partition_point(|&knot| knot <= score);
    let last = knots.len() - 1;
    match right {
        0 => becomes[0] - slope * (knots[0] - score),
        right if right > last => becomes[last] + slope * (score - knots[last]),
        right => {
            let left = right - 1;
            let part = (score - knots[left]) / (knots[right] - knots[left]);
            // Rounding may overshoot by one bit, and a map that steps back would swap two alerts.
            (becomes[left] + (becomes[right] - becomes[left]) * part).min(becomes[right])
        }
    }
}
