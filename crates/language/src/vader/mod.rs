//! VADER scores a sentence from rated words and a handful of rules about the words before them: no training, and the
//! same answer for ever. Every figure is that of the Python reference, vaderSentiment 3.3.2, oddities included, because
//! people compare with published VADER scores.
//! Source: Hutto & Gilbert 2014, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text".

mod words;

use std::borrow::Cow;
use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

pub(crate) use words::{WordFacts, emoji_description, facts, lower_case};

// The weights of the rules, measured with raters. Source: Hutto & Gilbert 2014.
/// A word in capitals among others that are not.
const CAPITALS: f64 = 0.733;
/// A negation before a rated word turns it round and weakens it.
const NEGATION: f64 = -0.74;
/// `never so` and `never this` strengthen.
const NEVER_SO: f64 = 1.25;
/// What is left of a degree adverb's boost one, two and three words before the rated word.
const DISTANCE_SHARE: [f64; 3] = [1.0, 0.95, 0.9];
const BEFORE_BUT: f64 = 0.5;
const AFTER_BUT: f64 = 1.5;
const EXCLAMATION: f64 = 0.292;
const EXCLAMATIONS_MAX: usize = 4;
const QUESTION: f64 = 0.18;
const QUESTIONS_MANY: f64 = 0.96;
/// Bends the sum of ratings into -1..=1; about the largest sum expected.
const BEND: f64 = 15.0;

/// Phrases whose rating is not that of their words.
const PHRASES: [(&[&str], f64); 8] = [
    (&["the", "shit"], 3.0),
    (&["the", "bomb"], 3.0),
    (&["bad", "ass"], 1.5),
    (&["bus", "stop"], 0.0),
    (&["yeah", "right"], -2.0),
    (&["kiss", "of", "death"], -1.5),
    (&["to", "die", "for"], 3.0),
    (&["beating", "heart"], 3.5),
];
/// Pairs that weaken as one degree adverb does.
const WEAKENING_PAIRS: [[&str; 2]; 3] = [["just", "enough"], ["kind", "of"], ["sort", "of"]];
const WEAKENING_PAIR: f64 = -0.293;

/// The four scores of a text. A text without a word has 0 in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sentiment {
    /// Share of the text that is negative, 0..=1, three decimals. The three shares add up to 1 but for rounding.
    pub negative: f64,
    /// Share that is neither, 0..=1, three decimals.
    pub neutral: f64,
    /// Share that is positive, 0..=1, three decimals.
    pub positive: f64,
    /// All in one, -1 (most negative) to 1, four decimals. By convention positive from 0.05, negative to -0.05.
    pub compound: f64,
}

/// Scores a text; made for a sentence or a tweet. text: any Unicode. O(words), with `but` in it O(words log words).
pub fn vader(text: &str) -> Sentiment {
    let text = describe_emoji(text);
    let words: Vec<Word<'_>> = split_words(&text).map(Word::new).collect();
    if words.is_empty() {
        return Sentiment::default();
    }
    let capitals = words.iter().filter(|word| word.capitals).count();
    let some_capitals = 0 < capitals && capitals < words.len();
    let mut ratings: Vec<f64> = (0..words.len()).map(|at| rate(&words, at, some_capitals)).collect();
    if let Some(at) = words.iter().position(|word| word.lower == "but") {
        shift_to_what_follows(&mut ratings, at);
    }
    summarise(&ratings, punctuation_emphasis(&text))
}

/// Writes each emoji's description in its place, set off by a space from what stands before.
fn describe_emoji(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut described = String::with_capacity(text.len() + 32);
    let mut after_space = true;
    for character in text.chars() {
        match emoji_description(character) {
            Some(description) => {
                described.push_str(if after_space { "" } else { " " });
                described.push_str(description);
                after_space = false;
            }
            None => {
                described.push(character);
                after_space = character == ' ';
            }
        }
    }
    Cow::Owned(described)
}

/// Python's `str.split()`: its white space includes four control characters that Unicode's does not.
fn split_words(text: &str) -> impl Iterator<Item = &str> {
    let is_space = |character: char| character.is_whitespace() || ('\x1c'..='\x1f').contains(&character);
    text.split(is_space).filter(|word| !word.is_empty())
}

struct Word<'a> {
    lower: Cow<'a, str>,
    rating: Option<f64>,
    boost: f64,
    negates: bool,
    capitals: bool,
}

impl Word<'_> {
    fn new(written: &str) -> Word<'_> {
        let bare = written.trim_matches(|character: char| character.is_ascii_punctuation());
        // What is left of `:)` or `:D` would be too short to be a word: it is kept as an emoticon.
        let is_short = bare.len() <= 8 && bare.chars().nth(2).is_none();
        let kept = if is_short { written } else { bare };
        let lower = lower_case(kept);
        let known = facts(&lower);
        let negates = known.negates || (lower.contains('\'') && lower.contains("n't"));
        Word { rating: known.rating, boost: known.boost, negates, capitals: is_in_capitals(kept), lower }
    }

    fn is(&self, word: &str) -> bool {
        self.lower == word
    }

    fn is_any(&self, words: [&str; 2]) -> bool {
        words.contains(&&*self.lower)
    }
}

/// Python's `str.isupper()`: a cased character, and none in lower or title case.
fn is_in_capitals(word: &str) -> bool {
    let is_title = |character| {
        matches!(character, '\u{1c5}' | '\u{1c8}' | '\u{1cb}' | '\u{1f2}' | '\u{1f88}'..='\u{1f8f}'
            | '\u{1f98}'..='\u{1f9f}' | '\u{1fa8}'..='\u{1faf}' | '\u{1fbc}' | '\u{1fcc}' | '\u{1ffc}')
    };
    let mut capitals = false;
    for character in word.chars() {
        if character.is_lowercase() || is_title(character) {
            return false;
        }
        capitals |= character.is_uppercase();
    }
    capitals
}

/// The rating of one word in its sentence; 0 for a word without one.
fn rate(words: &[Word<'_>], at: usize, some_capitals: bool) -> f64 {
    let word = &words[at];
    let next = words.get(at + 1);
    let is_pair = word.is("kind") && next.is_some_and(|next| next.is("of"));
    let Some(own) = word.rating.filter(|_| word.boost == 0.0 && !is_pair) else { return 0.0 };

    let mut rating = own;
    if word.is("no") && next.is_some_and(|next| next.rating.is_some()) {
        rating = 0.0;
    }
    if follows_no(&words[..at]) {
        rating = own * NEGATION;
    }
    if word.capitals && some_capitals {
        rating += CAPITALS.copysign(sign(rating));
    }
    for distance in 1..=at.min(3) {
        let modifier = &words[at - distance];
        if modifier.rating.is_none() {
            rating += boost(modifier, rating, some_capitals) * DISTANCE_SHARE[distance - 1];
            rating *= negation(words, at, distance);
            if distance == 3 {
                rating = rate_phrase(rating, words, at);
            }
        }
    }
    if follows_least(&words[..at]) { rating * NEGATION } else { rating }
}

/// The reference treats a rating of 0 as negative here.
fn sign(rating: f64) -> f64 {
    if rating > 0.0 { 1.0 } else { -1.0 }
}

/// `no good`, `no such good`, `no bad or good`.
fn follows_no(before: &[Word<'_>]) -> bool {
    match before {
        [.., last] if last.is("no") => true,
        [.., last, _] if last.is("no") => true,
        [.., last, _, joint] => last.is("no") && joint.is_any(["or", "nor"]),
        _ => false,
    }
}

/// `least` negates, but for `at least` and `very least`.
fn follows_least(before: &[Word<'_>]) -> bool {
    match before {
        [.., earlier, last] => last.is("least") && last.rating.is_none() && !earlier.is_any(["at", "very"]),
        [last] => last.is("least") && last.rating.is_none(),
        [] => false,
    }
}

/// What a degree adverb adds; away from 0 if it strengthens.
fn boost(modifier: &Word<'_>, rating: f64, some_capitals: bool) -> f64 {
    if modifier.boost == 0.0 {
        return 0.0;
    }
    let boost = if rating < 0.0 { -modifier.boost } else { modifier.boost };
    if modifier.capitals && some_capitals { boost + CAPITALS.copysign(sign(rating)) } else { boost }
}

/// The factor that the word `distance` (1 to 3) before a rated one puts on it.
fn negation(words: &[Word<'_>], at: usize, distance: usize) -> f64 {
    let negation = &words[at - distance];
    let between = &words[at - distance + 1..at];
    let is_so = |word: &Word<'_>| word.is_any(["so", "this"]);
    let strengthens = match between {
        [] => false,
        [only] => negation.is("never") && is_so(only),
        // The reference's `and` binds closer than its `or`: three words back, `so` alone is enough.
        [first, .., last] => (negation.is("never") && is_so(first)) || is_so(last),
    };
    if strengthens {
        return NEVER_SO;
    }
    let beyond_doubt = negation.is("without") && between.iter().any(|word| word.is("doubt"));
    if negation.negates && !beyond_doubt { NEGATION } else { 1.0 }
}

/// Looks for a phrase around the word. Asked only where three words stand before it, as in the reference.
fn rate_phrase(rating: f64, words: &[Word<'_>], at: usize) -> f64 {
    let phrase = |from: usize, to: usize| {
        let found = words.get(from..=to)?;
        let says = |phrase: &&(&[&str], f64)| {
            phrase.0.len() == found.len() && phrase.0.iter().zip(found).all(|(expected, word)| word.is(expected))
        };
        PHRASES.iter().find(says).map(|&(_, rating)| rating)
    };
    let before = [(at - 1, at), (at - 2, at), (at - 2, at - 1), (at - 3, at - 1), (at - 3, at - 2)];
    let before = before.into_iter().find_map(|(from, to)| phrase(from, to));
    let after = phrase(at, at + 2).or_else(|| phrase(at, at + 1));
    let rating = after.or(before).unwrap_or(rating);

    let weakens =
        |from: usize| WEAKENING_PAIRS.iter().any(|[first, second]| words[from].is(first) && words[from + 1].is(second));
    [at - 3, at - 2].into_iter().filter(|&from| weakens(from)).fold(rating, |rating, _| rating + WEAKENING_PAIR)
}

/// What follows `but` counts more. The reference looks a rating up by its value, so of equal ratings it changes the
/// first it finds, sometimes several times; published scores have that in them.
fn shift_to_what_follows(ratings: &mut [f64], but: usize) {
    // Where each value stands: a search from the front would take time with the square of the length. Adding 0 makes
    // -0 the 0 that it equals.
    let key = |rating: f64| (rating + 0.0).to_bits();
    let mut places: FxHashMap<u64, BTreeSet<usize>> = FxHashMap::default();
    for (at, &rating) in ratings.iter().enumerate() {
        places.entry(key(rating)).or_default().insert(at);
    }
    for at in 0..ratings.len() {
        let rating = ratings[at];
        let equals = places.entry(key(rating)).or_default();
        let first = equals.first().copied().unwrap_or(at);
        if rating == 0.0 || first == but {
            continue;
        }
        equals.remove(&first);
        ratings[first] = rating * if first < but { BEFORE_BUT } else { AFTER_BUT };
        places.entry(key(ratings[first])).or_default().insert(first);
    }
}

fn punctuation_emphasis(text: &str) -> f64 {
    let count = |mark: u8| text.bytes().filter(|&byte| byte == mark).count();
    let questions = match count(b'?') {
        0 | 1 => 0.0,
        few @ (2 | 3) => few as f64 * QUESTION,
        _ => QUESTIONS_MANY,
    };
    count(b'!').min(EXCLAMATIONS_MAX) as f64 * EXCLAMATION + questions
}

fn summarise(ratings: &[f64], emphasis: f64) -> Sentiment {
    // A plain sum in order: another order would differ in the fourth decimal now and then.
    let mut sum: f64 = ratings.iter().fold(0.0, |sum, rating| sum + rating);
    if sum != 0.0 {
        sum += emphasis.copysign(sum);
    }
    let (mut positive, mut negative, mut neutral) = (0.0, 0.0, 0.0);
    for &rating in ratings {
        // One is added because a neutral word counts one.
        if rating > 0.0 {
            positive += rating + 1.0;
        } else if rating < 0.0 {
            negative += 1.0 - rating;
        } else {
            neutral += 1.0;
        }
    }
    if positive > negative {
        positive += emphasis;
    } else if positive < negative {
        negative += emphasis;
    }
    let total = positive + negative + neutral;
    let share = |part: f64| round(part / total, 1e3);
    let compound = (sum / (sum * sum + BEND).sqrt()).clamp(-1.0, 1.0);
    Sentiment {
        negative: share(negative),
        neutral: share(neutral),
        positive: share(positive),
        compound: round(compound, 1e4),
    }
}

/// Python's `round`: to the decimal nearest to the exact binary value, which multiplying first can miss at a half.
fn round(value: f64, scale: f64) -> f64 {
    let scaled = value * scale;
    let from_half = ((scaled - scaled.floor()) - 0.5).abs();
    if from_half > 1e-6 {
        return scaled.round() / scale;
    }
    let decimals = if scale == 1e3 { 3 } else { 4 };
    format!("{value:.decimals$}").parse().expect("a number just written")
}
