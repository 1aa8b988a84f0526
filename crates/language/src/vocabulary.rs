//! The grams that are known, found by number: each token is looked up once, and its pair with the token before and its
//! runs of letters follow from that.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::tokens::{NEGATED, Token, character_grams};

/// What a row is made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextSettings {
    /// Neighbouring words beside single ones.
    pub pairs: bool,
    /// Words under a negation become words of their own: `not_good`.
    pub negation: bool,
    /// Shortest and longest run of characters; none without it.
    pub characters: Option<(usize, usize)>,
    /// The four scores of VADER.
    pub sentiment: bool,
    /// A gram in fewer texts than this is left out; 1 keeps all.
    pub documents_min: u32,
    /// Of each kind, words and runs, at most this many grams are kept: those in most texts, of equals the first by
    /// alphabet.
    pub grams_max: usize,
}

impl TextSettings {
    pub fn run_lengths(&self) -> Option<Range<usize>> {
        self.characters.map(|(shortest, longest)| shortest..longest.saturating_add(1))
    }
}

impl Default for TextSettings {
    fn default() -> Self {
        // What was best on 1,000 Yelp sentences, see the examples. 200,000 grams are about 20 MB.
        TextSettings {
            pairs: true,
            negation: true,
            characters: Some((3, 5)),
            sentiment: true,
            documents_min: 1,
            grams_max: 200_000,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gram {
    /// Shared with whoever tells it.
    pub text: Arc<str>,
    /// Inverse document frequency, `ln((1 + texts) / (1 + texts with it)) + 1`: 1 for a gram in all texts, more for
    /// rarer ones. scikit-learn's smoothed form.
    pub idf: f64,
}

/// A token that is part of a known word or pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Known {
    /// As it stands, and under a negation. A word's number is its column; a part of pairs alone has one beyond them.
    forms: [Option<u32>; 2],
    /// Where its runs of letters are in `Vocabulary::runs_of_known`.
    runs: (u32, u32),
}

/// Words and pairs by alphabet, which are the first columns, and runs of letters by alphabet, which are the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Vocabulary {
    pub words: Vec<Gram>,
    pub runs: Vec<Gram>,
    known: FxHashMap<Arc<str>, Known>,
    /// The column of two forms, one behind the other.
    pairs: FxHashMap<(u32, u32), u32>,
    runs_of_known: Vec<u32>,
    /// Columns of runs short enough to be one number, as nearly all are: no text need be compared.
    short: FxHashMap<u64, u32>,
    long: FxHashMap<Arc<str>, u32>,
}

impl Vocabulary {
    pub fn new(words: Vec<Gram>, runs: Vec<Gram>, settings: &TextSettings) -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        for (gram, column) in runs.iter().zip(words.len() as u32..) {
            match packed(&gram.text) {
                Some(number) => vocabulary.short.insert(number, column),
                None => vocabulary.long.insert(gram.text.clone(), column),
            };
        }
        let mut forms: FxHashMap<&str, u32> = FxHashMap::default();
        let singles = words.iter().zip(0..).filter(|(gram, _)| !gram.text.contains(' '));
        forms.extend(singles.map(|(gram, column)| (&*gram.text, column)));
        let mut next = words.len() as u32;
        for (gram, column) in words.iter().zip(0..) {
            let Some((first, second)) = gram.text.split_once(' ') else { continue };
            let mut number = |form| {
                *forms.entry(form).or_insert_with(|| {
                    next += 1;
                    next - 1
                })
            };
            let pair = (number(first), number(second));
            vocabulary.pairs.insert(pair, column);
        }
        // By alphabet, so that equal grams give equal tables.
        let mut forms: Vec<(&str, u32)> = forms.into_iter().collect();
        forms.sort_unstable();
        for (form, number) in forms {
            vocabulary.know(form, 0, number, settings);
            if let Some(word) = form.strip_prefix(NEGATED) {
                vocabulary.know(word, 1, number, settings);
            }
        }
        Vocabulary { words, runs, ..vocabulary }
    }

    /// Notes a form of a token.
    fn know(&mut self, token: &str, form: usize, number: u32, settings: &TextSettings) {
        if !self.known.contains_key(token) {
            let start = self.runs_of_known.len() as u32;
            let mut runs = std::mem::take(&mut self.runs_of_known);
            self.each_run_of(token, settings, |column| runs.push(column));
            self.runs_of_known = runs;
            let runs = (start, self.runs_of_known.len() as u32);
            self.known.insert(token.into(), Known { forms: [None; 2], runs });
        }
        if let Some(known) = self.known.get_mut(token) {
            known.forms[form] = Some(number);
        }
    }

    pub fn known(&self, token: &Token<'_>) -> Option<Known> {
        self.known.get(&*token.lower).copied()
    }

    /// The column of a word by itself, if it has one.
    pub fn word(&self, known: Option<Known>) -> Option<u32> {
        known?.forms[0].filter(|&number| (number as usize) < self.words.len())
    }

    /// Calls `each` with the column of every known word and pair of neighbours, in order. negated: as many as tokens.
    pub fn each_word(&self, tokens: &[Option<Known>], negated: Option<&[bool]>, mut each: impl FnMut(u32)) {
        let mut before = None;
        for (at, known) in tokens.iter().enumerate() {
            let form = usize::from(negated.is_some_and(|negated| negated[at]));
            let number = known.and_then(|known| known.forms[form]);
            number.filter(|&number| (number as usize) < self.words.len()).into_iter().for_each(&mut each);
            if let (Some(first), Some(second)) = (before, number) {
                self.pairs.get(&(first, second)).copied().into_iter().for_each(&mut each);
            }
            before = number;
        }
    }

    /// Adds the columns of a token's known runs, each as often as it is in it.
    pub fn add_runs(&self, token: &Token<'_>, known: Option<Known>, settings: &TextSettings, to: &mut Vec<u32>) {
        match known {
            Some(Known { runs: (start, end), .. }) => {
                to.extend_from_slice(&self.runs_of_known[start as usize..end as usize]);
            }
            None => self.each_run_of(&token.lower, settings, |column| to.push(column)),
        }
    }

    fn each_run_of(&self, token: &str, settings: &TextSettings, mut each: impl FnMut(u32)) {
        let Some(lengths) = settings.run_lengths() else { return };
        character_grams(token, lengths, |gram| {
            let column = packed(gram).map_or_else(|| self.long.get(gram), |number| self.short.get(&number));
            column.copied().into_iter().for_each(&mut each);
        });
    }
}

/// A gram of at most seven bytes as a number: the bytes and their count.
fn packed(gram: &str) -> Option<u64> {
    let number = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    (gram.len() < 8).then(|| gram.as_bytes().iter().fold(gram.len() as u64, number))
}

/// Adds (column, weight) for the columns found, one each, to the row: `(1 + ln(times)) * idf`, then length 1. grams: the
/// kind that the columns are of; offset: its first column.
pub(crate) fn weigh(grams: &[Gram], offset: usize, mut found: Vec<u32>, row: &mut Vec<(u32, f64)>) {
    found.sort_unstable();
    let start = row.len();
    for times in found.chunk_by(|a, b| a == b) {
        let tf = if times.len() == 1 { 1.0 } else { 1.0 + (times.len() as f64).ln() };
        row.push((times[0], tf * grams[times[0] as usize - offset].idf));
    }
    let length = row[start..].iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
    row[start..].iter_mut().for_each(|(_, weight)| *weight /= length);
}
