//! The grams that are known, found by number: each token is looked up once, and its pair with the token before and its
//! runs of letters follow from that.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::features::TextSettings;
use crate::tokens::{NEGATED, Token, character_grams};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::TextFeatures;
    use crate::tokens::{for_each_gram, negated, tokens};
    use proptest::prelude::*;

    /// What the tables find is what comparing every gram of the text with every known one finds.
    fn check(learned: &[&str], text: &str) {
        let settings = TextSettings { characters: Some((2, 9)), ..TextSettings::default() };
        let features = TextFeatures::fit(learned, settings);
        let column = |gram: &str, words: bool| {
            let of_kind = |column: &usize| (features.kind(*column) == crate::features::GramKind::Words) == words;
            (0..features.width()).filter(of_kind).find(|&column| features.name(column) == Some(gram))
        };
        let tokens = tokens(text);
        let mut expected = Vec::new();
        for_each_gram(&tokens, true, Some(&negated(text, &tokens)), |gram| expected.extend(column(gram, true)));
        for token in &tokens {
            character_grams(&token.lower, 2..10, |gram| expected.extend(column(gram, false)));
        }
        expected.sort_unstable();
        expected.dedup();
        let is_gram = |column: &usize| features.kind(*column) != crate::features::GramKind::Sentiment;
        let row = features.row(text);
        let found: Vec<usize> = row.iter().map(|(column, _)| *column as usize).filter(is_gram).collect();
        assert_eq!(found, expected, "{text:?} after {learned:?}");
    }

    #[test]
    fn a_word_written_like_a_mark_of_negation_is_told_from_none() {
        // `not_good` of the text is the same gram as `good` under a negation, and so is its pair.
        check(&["not good food", "so not_good food"], "this is not_good food, not good food");
        check(&["no not_good"], "not not_good");
    }

    proptest! {
        #[test]
        fn the_tables_find_what_a_comparison_of_all_grams_finds(
            learned in proptest::collection::vec("(not|no|good|not_good|crème|a|b|👍|, |but| ){1,12}", 1..4),
            text in "(not|no|good|not_good|crème|a|b|x|👍|, |but| ){0,14}",
        ) {
            check(&learned.iter().map(String::as_str).collect::<Vec<_>>(), &text);
        }
    }
}
