//! From a text to the row of numbers that a text model learns from: weighted words, pairs and runs of characters, and
//! the scores of VADER, which knows words that no training text held.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::TEXT_BYTES_MAX;
use crate::sparse::SparseRows;
use crate::tokens::{Token, for_each_character_gram, for_each_gram, negated, tokens};
use crate::vader::vader;

/// The names of VADER's columns, the last of every row.
const SENTIMENT_NAMES: [&str; 4] =
    ["sentiment negative", "sentiment neutral", "sentiment positive", "sentiment compound"];
/// The runs of letters of a text that are known, token after token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runs {
    /// Each as often as it is in the text.
    pub columns: Vec<u32>,
    /// For each token that has any: what it is, and where its runs end in `columns`.
    pub tokens: Vec<(RunToken, usize)>,
}

/// A token as a word of the vocabulary, by its column, or in lower case.
#[derive(Clone, Debug, PartialEq)]
pub enum RunToken {
    Known(u32),
    Unknown(Arc<str>),
}

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

/// What a column counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GramKind {
    /// A word or a pair.
    Words,
    /// A run of characters.
    Letters,
    /// A score of VADER.
    Sentiment,
}

/// What was learned from texts: which grams there are and what each is worth. Serialised as lists in the order of the
/// columns, so equal texts give equal bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "FittedFeatures", into = "FittedFeatures")]
pub struct TextFeatures {
    settings: TextSettings,
    words: Vocabulary,
    characters: Vocabulary,
}

impl TextFeatures {
    /// Learns the grams and their weights. The same texts in any order give the same features. O(length).
    pub fn fit(texts: &[&str], settings: TextSettings) -> TextFeatures {
        let (mut words, mut characters) = (DocumentCounts::default(), DocumentCounts::default());
        for text in texts {
            let text = shortened(text);
            let tokens = tokens(text);
            words.next_text();
            for_each_word_gram(text, &tokens, &settings, |gram| words.count(gram));
            characters.next_text();
            for_each_run(&tokens, &settings, |_, gram| characters.count(gram));
        }
        TextFeatures { settings, words: words.vocabulary(&settings), characters: characters.vocabulary(&settings) }
    }

    /// Number of columns: words and pairs, then runs of characters, then the four scores.
    pub fn width(&self) -> usize {
        self.words.grams.len() + self.characters.grams.len() + if self.settings.sentiment { 4 } else { 0 }
    }

    /// The row of a text: (column, value), columns ascending. Weights of each kind of gram have length 1 together; a
    /// gram that was not there when learning counts nothing. text: any Unicode; beyond [`TEXT_BYTES_MAX`] cut.
    pub fn row(&self, text: &str) -> Vec<(u32, f64)> {
        self.read(text, |_, _| {})
    }

    /// The row of a text, and the runs of letters behind it.
    pub fn row_with_runs(&self, text: &str) -> (Vec<(u32, f64)>, Runs) {
        let mut runs = Runs { columns: Vec::with_capacity(3 * shortened(text).len()), tokens: Vec::new() };
        let mut last = None;
        let offset = self.words.grams.len() as u32;
        let row = self.read(text, |token, column| {
            runs.columns.push(column + offset);
            let end = runs.columns.len();
            match runs.tokens.last_mut().filter(|_| last == Some(token.bytes.start)) {
                Some((_, known_end)) => *known_end = end,
                None => {
                    let known = self.words.column(&token.lower).map(RunToken::Known);
                    let token_is = known.unwrap_or_else(|| RunToken::Unknown(Arc::from(&*token.lower)));
                    runs.tokens.push((token_is, end));
                }
            }
            last = Some(token.bytes.start);
        });
        (row, runs)
    }

    /// `run` is called with each run of letters that is known: its token and its column among the runs.
    fn read(&self, text: &str, mut run: impl FnMut(&Token<'_>, u32)) -> Vec<(u32, f64)> {
        let text = shortened(text);
        let tokens = tokens(text);
        let mut found = Vec::with_capacity(3 * text.len());
        for_each_word_gram(text, &tokens, &self.settings, |gram| found.extend(self.words.column(gram)));
        // Three runs a letter, nearly all of them in the text once.
        let mut row = Vec::with_capacity(found.len() + 3 * text.len() + 4);
        self.words.weigh(&mut found, 0, &mut row);
        let offset = self.words.grams.len() as u32;
        found.clear();
        for_each_run(&tokens, &self.settings, |token, gram| {
            if let Some(column) = self.characters.column(gram) {
                found.push(column);
                run(&tokens[token], column);
            }
        });
        self.characters.weigh(&mut found, offset, &mut row);
        if self.settings.sentiment {
            let scores = vader(text);
            let offset = offset + self.characters.grams.len() as u32;
            let scores = [scores.negative, scores.neutral, scores.positive, scores.compound];
            row.extend((offset..).zip(scores).filter(|&(_, score)| score != 0.0));
        }
        row
    }

    /// The rows of many texts, in their order.
    pub fn rows(&self, texts: &[&str]) -> SparseRows {
        let mut rows = SparseRows::new(self.width());
        texts.iter().for_each(|text| rows.push(&self.row(text)));
        rows
    }

    /// Which kind of thing a column stands for.
    pub fn kind(&self, column: usize) -> GramKind {
        match column {
            column if column < self.words.grams.len() => GramKind::Words,
            column if column < self.words.grams.len() + self.characters.grams.len() => GramKind::Letters,
            _ => GramKind::Sentiment,
        }
    }

    /// What a column stands for: the gram (`not good`, or ` goo` for a run), or `sentiment compound` and so on; `None`
    /// beyond the last column.
    pub fn name(&self, column: usize) -> Option<&str> {
        let grams = self.words.grams.len() + self.characters.grams.len();
        let scores = if self.settings.sentiment { &SENTIMENT_NAMES[..] } else { &[] };
        self.gram(column).map(|gram| &**gram).or_else(|| scores.get(column.checked_sub(grams)?).copied())
    }

    /// The gram that a column stands for; `None` for scores and beyond the last column.
    pub fn gram(&self, column: usize) -> Option<&Arc<str>> {
        self.words.grams.iter().chain(&self.characters.grams).nth(column).map(|gram| &gram.text)
    }
}

fn for_each_word_gram(text: &str, tokens: &[Token<'_>], settings: &TextSettings, each: impl FnMut(&str)) {
    let negated = settings.negation.then(|| negated(text, tokens));
    for_each_gram(tokens, settings.pairs, negated.as_deref(), each);
}

fn for_each_run(tokens: &[Token<'_>], settings: &TextSettings, each: impl FnMut(usize, &str)) {
    if let Some((shortest, longest)) = settings.characters {
        for_each_character_gram(tokens, shortest..longest.saturating_add(1), each);
    }
}

/// The text up to the limit, cut between characters.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

#[derive(Clone, Debug, PartialEq)]
struct Gram {
    /// Shared with whoever tells it.
    text: Arc<str>,
    /// Inverse document frequency, `ln((1 + texts) / (1 + texts with it)) + 1`: 1 for a gram in all texts, more for
    /// rarer ones. scikit-learn's smoothed form.
    idf: f64,
}

/// Grams by alphabet, and the way back.
#[derive(Clone, Debug, Default, PartialEq)]
struct Vocabulary {
    grams: Vec<Gram>,
    /// Columns of grams short enough to be one number, as nearly all runs of letters are: no text need be compared.
    short: FxHashMap<u64, u32>,
    long: FxHashMap<Arc<str>, u32>,
}

/// A gram of at most seven bytes as a number: the bytes and their count.
fn packed(gram: &str) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..gram.len()).filter(|_| gram.len() < 8)?.copy_from_slice(gram.as_bytes());
    bytes[7] = gram.len() as u8;
    Some(u64::from_le_bytes(bytes))
}

impl Vocabulary {
    fn new(grams: Vec<Gram>) -> Vocabulary {
        let (mut short, mut long) = (FxHashMap::default(), FxHashMap::default());
        for (gram, column) in grams.iter().zip(0..) {
            match packed(&gram.text) {
                Some(number) => short.insert(number, column),
                None => long.insert(gram.text.clone(), column),
            };
        }
        Vocabulary { grams, short, long }
    }

    fn column(&self, gram: &str) -> Option<u32> {
        packed(gram).map_or_else(|| self.long.get(gram), |number| self.short.get(&number)).copied()
    }

    /// Adds (column, weight) for the columns found, one each, to the row: `(1 + ln(times)) * idf`, then length 1.
    fn weigh(&self, found: &mut [u32], offset: u32, row: &mut Vec<(u32, f64)>) {
        found.sort_unstable();
        let start = row.len();
        for times in found.chunk_by(|a, b| a == b) {
            let tf = if times.len() == 1 { 1.0 } else { 1.0 + (times.len() as f64).ln() };
            row.push((offset + times[0], tf * self.grams[times[0] as usize].idf));
        }
        let length = row[start..].iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        row[start..].iter_mut().for_each(|(_, weight)| *weight /= length);
    }
}

/// In how many texts each gram is.
#[derive(Default)]
struct DocumentCounts {
    texts: u32,
    /// The count, and the last text that was counted: a gram counts once a text.
    counts: FxHashMap<String, (u32, u32)>,
}

impl DocumentCounts {
    fn next_text(&mut self) {
        self.texts += 1;
    }

    fn count(&mut self, gram: &str) {
        match self.counts.get_mut(gram) {
            Some((_, last)) if *last == self.texts => {}
            Some((count, last)) => (*count, *last) = (*count + 1, self.texts),
            None => drop(self.counts.insert(gram.to_owned(), (1, self.texts))),
        }
    }

    fn vocabulary(self, settings: &TextSettings) -> Vocabulary {
        let counts = self.counts.into_iter().map(|(gram, (count, _))| (gram, count));
        let mut kept: Vec<(String, u32)> = counts.filter(|&(_, count)| count >= settings.documents_min).collect();
        kept.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        kept.truncate(settings.grams_max);
        kept.sort_unstable();
        let idf = |count: u32| ((1.0 + f64::from(self.texts)) / (1.0 + f64::from(count))).ln() + 1.0;
        Vocabulary::new(kept.into_iter().map(|(text, count)| Gram { text: text.into(), idf: idf(count) }).collect())
    }
}

/// How features are written down.
#[derive(Serialize, Deserialize)]
struct FittedFeatures {
    settings: TextSettings,
    words: Vec<FittedGram>,
    characters: Vec<FittedGram>,
}

#[derive(Serialize, Deserialize)]
struct FittedGram {
    text: String,
    idf: f64,
}

impl From<Gram> for FittedGram {
    fn from(gram: Gram) -> FittedGram {
        FittedGram { text: gram.text.as_ref().to_owned(), idf: gram.idf }
    }
}

impl From<FittedGram> for Gram {
    fn from(gram: FittedGram) -> Gram {
        Gram { text: gram.text.into(), idf: gram.idf }
    }
}

impl From<TextFeatures> for FittedFeatures {
    fn from(features: TextFeatures) -> FittedFeatures {
        let TextFeatures { settings, words, characters } = features;
        let fitted = |grams: Vec<Gram>| grams.into_iter().map(FittedGram::from).collect();
        FittedFeatures { settings, words: fitted(words.grams), characters: fitted(characters.grams) }
    }
}

impl From<FittedFeatures> for TextFeatures {
    fn from(fitted: FittedFeatures) -> TextFeatures {
        let FittedFeatures { settings, words, characters } = fitted;
        let vocabulary = |grams: Vec<FittedGram>| Vocabulary::new(grams.into_iter().map(Gram::from).collect());
        TextFeatures { settings, words: vocabulary(words), characters: vocabulary(characters) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: TextSettings = TextSettings {
        pairs: false,
        negation: false,
        characters: None,
        sentiment: false,
        documents_min: 1,
        grams_max: 1_000,
    };

    fn check(texts: &[&str], settings: TextSettings, text: &str, expected: &[(&str, f64)]) {
        let features = TextFeatures::fit(texts, settings);
        let row = features.row(text);
        let found: Vec<(&str, f64)> =
            row.iter().map(|&(column, value)| (features.name(column as usize).unwrap(), value)).collect();
        let near = |(found, expected): (&(&str, f64), &(&str, f64))| {
            found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-8
        };
        assert!(found.len() == expected.len() && found.iter().zip(expected).all(near), "{found:?}");
    }

    #[test]
    fn weights_are_those_of_scikit_learn() {
        // TfidfVectorizer(sublinear_tf=True).fit(["good food", "bad food"]).transform(["good good food"])
        check(&["good food", "bad food"], PLAIN, "good good food", &[("food", 0.387_411_33), ("good", 0.921_906_97)]);
    }

    #[test]
    fn pairs_runs_and_scores_stand_beside_each_other() {
        let half = 0.5_f64.sqrt();
        let settings = TextSettings { characters: Some((3, 3)), sentiment: true, ..PLAIN };
        let scores = [("sentiment positive", 1.0), ("sentiment compound", 0.4404)];
        check(
            &["good"],
            settings,
            "good",
            &[("good", 1.0), (" go", 0.5), ("goo", 0.5), ("od ", 0.5), ("ood", 0.5), scores[0], scores[1]],
        );
        let settings = TextSettings { pairs: true, negation: true, ..PLAIN };
        check(&["not good", "so bad"], settings, "not bad", &[("not", 1.0)]);
        check(
            &["not good"],
            TextSettings { negation: true, ..PLAIN },
            "not good",
            &[("not", half), ("not_good", half)],
        );
    }

    #[test]
    fn rare_grams_go_and_of_equals_the_first_by_alphabet_stays() {
        let texts = ["a b", "b c", "c d"];
        let names = |settings| {
            let features = TextFeatures::fit(&texts, settings);
            (0..features.width()).map(|column| features.name(column).unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(TextSettings { documents_min: 2, ..PLAIN }), ["b", "c"]);
        assert_eq!(names(TextSettings { grams_max: 3, ..PLAIN }), ["a", "b", "c"]);
    }

    #[test]
    fn texts_in_another_order_and_a_round_trip_give_the_same_bytes() {
        let settings = TextSettings { characters: Some((2, 4)), ..TextSettings::default() };
        let features = TextFeatures::fit(&["good food", "not good", "bad"], settings);
        let written = serde_json::to_string(&features).unwrap();
        let shuffled = TextFeatures::fit(&["bad", "good food", "not good"], settings);
        assert_eq!(serde_json::to_string(&shuffled).unwrap(), written);
        assert_eq!(serde_json::from_str::<TextFeatures>(&written).unwrap(), features);
    }

    #[test]
    fn a_text_without_a_known_word_is_an_empty_row() {
        let features = TextFeatures::fit(&["good"], PLAIN);
        assert_eq!(features.row("quite unknown"), []);
        assert_eq!(TextFeatures::fit(&[], TextSettings::default()).width(), 4);
        assert_eq!(features.name(1), None);
    }
}
