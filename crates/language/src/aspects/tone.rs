//! Whether words mean what they say: negated, overdone, in quotation marks, or ironic.

use std::ops::Range;

use super::lexicon::lexicon;
use super::reading::{Reading, Segment};
use crate::vader;

/// A negation turns an opinion round and weakens it. VADER's factor.
pub(super) const NEGATION: f64 = -0.74;
/// `too sweet`, and praise in quotation marks.
const TOO_MUCH: f64 = -1.5;
/// Words between a negation and what it negates; those that negate a whole clause reach further.
const NEGATION_REACH: usize = 5;
const FAR_NEGATION_REACH: usize = 9;
const FAR_NEGATIONS: [&str; 7] = ["neither", "never", "nobody", "none", "nor", "nothing", "noone"];
const LIKING: [&str; 5] = ["enjoy", "like", "love", "prefer", "want"];

/// An opinion's valence in its place.
pub(super) fn valence(reading: &Reading<'_>, segment: &Segment, words: &Range<usize>, valence: f64) -> f64 {
    if valence == 0.0 {
        return 0.0;
    }
    let before = words.start.checked_sub(1).filter(|before| segment.words.contains(before));
    let boost = before.map_or(0.0, |before| vader::facts(&reading.words[before]).boost);
    let mut valence = valence + boost.copysign(boost * valence);
    if valence > 0.0 && before.is_some_and(|before| reading.is_word(before, &["too"])) {
        valence = TOO_MUCH;
    }
    if valence > 0.0 && reading.is_quoted(words) {
        valence = TOO_MUCH;
    }
    if is_negated(reading, segment, words.start) { valence * NEGATION } else { valence }
}

/// Whether an odd number of negations before a word reach it.
fn is_negated(reading: &Reading<'_>, segment: &Segment, at: usize) -> bool {
    let in_phrase = |word: usize| reading.signs.iter().any(|sign| sign.words.len() > 1 && sign.words.contains(&word));
    let reaches = |word: &usize| {
        let reach = if reading.is_word(*word, &FAR_NEGATIONS) { FAR_NEGATION_REACH } else { NEGATION_REACH };
        at - word <= reach
            && !(*word + 1..at).any(|between| reading.is_word(between, &["for", "because"]))
            && !(*word + 1..=at).any(|between| reading.gap(between).contains([',', ':', '(', ')']))
    };
    let negates = |word: &usize| {
        let follows = |word: usize, next: &str| reading.is_word(word + 1, &[next]);
        match &*reading.words[*word] {
            "far" => follows(*word, "from"),
            "anything" | "nothing" if follows(*word, "but") => reading.is_word(*word, &["anything"]),
            "less" | "least" => at - word <= 2 && !reading.is_word(word.wrapping_sub(1), &["at"]),
            "not" if follows(*word, "only") || follows(*word, "just") => false,
            _ => reading.tokens[*word].negates() && !in_phrase(*word),
        }
    };
    (segment.words.start..at).filter(reaches).filter(negates).count() % 2 == 1
}

/// Whether the sentence's praise is not meant: marked so, or given away by an opening such as `oh great` with a hard
/// fact in the sentence, or by a condition such as `if you like waiting` with something bad after it.
pub(super) fn is_ironic(reading: &Reading<'_>, has_hard_fact: bool, is_bad_after: impl Fn(usize) -> bool) -> bool {
    let wishes = |at: usize| {
        reading.is_word(at, &["if"]) && reading.is_word(at + 1, &["you"]) && reading.is_word(at + 2, &LIKING)
    };
    let wish = (0..reading.words.len()).find(|&at| wishes(at));
    reading.is_marked_ironic
        || says_so(reading)
        || (has_hard_fact && lexicon().opens_ironically(&opening(reading)))
        || wish.is_some_and(|at| is_bad_after(at + 2))
}

/// `yeah right`, `oh sure`, or eyes rolled.
fn says_so(reading: &Reading<'_>) -> bool {
    let says =
        |at: usize, first: &str, second: &str| reading.is_word(at, &[first]) && reading.is_word(at + 1, &[second]);
    (0..reading.words.len())
        .any(|at| says(at, "yeah", "right") || says(at, "oh", "sure") || reading.tokens[at].lower.starts_with('🙄'))
}

/// The first four words, with a comma for any punctuation between them.
fn opening<'a>(reading: &'a Reading<'_>) -> Vec<&'a str> {
    let mut opening = Vec::new();
    for at in 0..reading.words.len().min(4) {
        if at > 0 && reading.gap(at).contains([',', ':', '.', '!', ';']) {
            opening.push(",");
        }
        opening.push(&reading.words[at]);
    }
    opening
}
