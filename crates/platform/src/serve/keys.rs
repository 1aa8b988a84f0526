//! Which keys the log may hold, in a fixed amount of memory: a look at one cache line instead of one into the log for each
//! new event. A Bloom filter in blocks: it never forgets a key; now and then it takes a new one for known, and the log is asked.
//! Method: Putze, Sanders & Singler 2009.

use std::collections::HashSet;
use std::hash::BuildHasher;

/// Hashes of keys: two are taken for one in about one of 10^19 pairs.
pub type Keys = HashSet<u64, foldhash::fast::FixedState>;

pub fn key_hash(key: &str) -> u64 {
    foldhash::quality::FixedState::with_seed(1).hash_one(key)
}

/// 2^18 blocks of a cache line: 16 MB. After 10 million keys it errs once in a hundred, after 50 million once in three.
const BLOCKS: usize = 1 << 18;
const BLOCK_WORDS: usize = 8;
/// Bits of a block that stand for one key.
const BITS: u32 = 4;

#[derive(Clone)]
#[repr(align(64))]
struct Block([u64; BLOCK_WORDS]);

pub struct KeyFilter {
    blocks: Vec<Block>,
}

impl Default for KeyFilter {
    fn default() -> KeyFilter {
        KeyFilter { blocks: vec![Block([0; BLOCK_WORDS]); BLOCKS] }
    }
}

impl KeyFilter {
    /// Holds nothing and never will.
    pub fn none() -> KeyFilter {
        KeyFilter { blocks: Vec::new() }
    }

    /// `hash`: 64 random bits of a key.
    pub fn insert(&mut self, hash: u64) {
        if let Some(Block(words)) = self.blocks.get_mut(block_of(hash)) {
            bits_of(hash).for_each(|(word, bit)| words[word] |= bit);
        }
    }

    /// True for every key that was put in, and for few others.
    pub fn may_hold(&self, hash: u64) -> bool {
        self.blocks
            .get(block_of(hash))
            .is_some_and(|Block(words)| bits_of(hash).all(|(word, bit)| words[word] & bit != 0))
    }
}

fn block_of(hash: u64) -> usize {
    (hash >> 46) as usize
}

/// Words and bits from the lower 36 bits of the hash, which do not choose the block.
fn bits_of(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..BITS).map(move |at| (hash >> (9 * at)) as usize & 511).map(|place| (place >> 6, 1 << (place & 63)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_learn::bootstrap::SplitMix64;

    #[test]
    fn no_key_is_forgotten_and_few_are_taken_for_known() {
        let (mut filter, mut random) = (KeyFilter::default(), SplitMix64::new(3));
        let keys: Vec<u64> = (0..2_000_000).map(|_| random.next_u64()).collect();
        keys.iter().for_each(|&key| filter.insert(key));
        assert!(keys.iter().all(|&key| filter.may_hold(key)));
        let mistaken = (0..1_000_000).filter(|_| filter.may_hold(random.next_u64())).count();
        assert!((1..1_000).contains(&mistaken), "{mistaken} of a million");
        assert!(!KeyFilter::none().may_hold(keys[0]));
    }
}
