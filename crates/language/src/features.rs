//! From a text to the row of numbers that a text model learns from: weighted words, pairs and runs of characters, and
//! the scores of VADER, which knows words that no training text held.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::TEXT_BYTES_MAX;
use crate::contrasts::negated;
use crate::quotes::plain_quotes;
use crate::sparse::SparseRows;
use crate::tokens::{Token, character_grams, for_each_gram, tokens};
use crate::vader::vader;
use crate::vocabulary::{Gram, Known, Vocabulary, weigh};

pub use crate::vocabulary::TextSettings;

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
    vocabulary: Vocabulary,
}

/// A text as it was read.
struct Read<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    /// One a token.
    known: Vec<Option<Known>>,
    /// Columns of the runs of letters, token after token.
    runs: Vec<u32>,
    /// Where each token's runs end.
    ends: Vec<usize>,
}

impl TextFeatures {
    /// Learns the grams and their weights. The same texts in any order give the same features. O(length).
    pub fn fit(texts: &[&str], settings: TextSettings) -> TextFeatures {
        let (mut words, mut runs) = (DocumentCounts::default(), DocumentCounts::default());
        for text in texts {
            let text = shortened(text);
            let tokens = tokens(text);
            let negated = settings.negation.then(|| negated(text, &tokens));
            words.next_text();
            for_each_gram(&tokens, settings.pairs, negated.as_deref(), |gram| words.count(gram));
            runs.next_text();
            if let Some(lengths) = settings.run_lengths() {
                tokens.iter().for_each(|token| character_grams(&token.lower, lengths.clone(), |run| runs.count(run)));
            }
        }
        TextFeatures { settings, vocabulary: Vocabulary::new(words.grams(&settings), runs.grams(&settings), &settings) }
    }

    /// Number of columns: words and pairs, then runs of characters, then the four scores.
    pub fn width(&self) -> usize {
        self.grams() + if self.settings.sentiment { 4 } else { 0 }
    }

    /// Number of columns that are not scores.
    fn grams(&self) -> usize {
        self.vocabulary.words.len() + self.vocabulary.runs.len()
    }

    /// The row of a text: (column, value), columns ascending. Weights of each kind of gram have length 1 together; a
    /// gram that was not there when learning counts nothing. text: any Unicode; beyond [`TEXT_BYTES_MAX`] cut.
    pub fn row(&self, text: &str) -> Vec<(u32, f64)> {
        let mut read = self.read(text);
        let runs = std::mem::take(&mut read.runs);
        self.weighed(&read, runs)
    }

    /// The row of a text, and the runs of letters behind it.
    pub fn row_with_runs(&self, text: &str) -> (Vec<(u32, f64)>, Runs) {
        let read = self.read(text);
        let row = self.weighed(&read, read.runs.clone());
        let mut tokens = Vec::with_capacity(read.tokens.len());
        let mut start = 0;
        for ((token, known), end) in read.tokens.iter().zip(read.known).zip(read.ends) {
            if end > start {
                let known = self.vocabulary.word(known).map(RunToken::Known);
                tokens.push((known.unwrap_or_else(|| RunToken::Unknown(Arc::from(&*token.lower))), end));
            }
            start = end;
        }
        (row, Runs { columns: read.runs, tokens })
    }

    fn read<'a>(&self, text: &'a str) -> Read<'a> {
        let text = shortened(text);
        let tokens = tokens(text);
        let known: Vec<Option<Known>> = tokens.iter().map(|token| self.vocabulary.known(token)).collect();
        // Three runs a letter.
        let (mut runs, mut ends) = (Vec::with_capacity(3 * text.len()), Vec::with_capacity(tokens.len()));
        for (token, known) in tokens.iter().zip(&known) {
            self.vocabulary.add_runs(token, *known, &self.settings, &mut runs);
            ends.push(runs.len());
        }
        Read { text, tokens, known, runs, ends }
    }

    /// runs: those that were read.
    fn weighed(&self, read: &Read<'_>, runs: Vec<u32>) -> Vec<(u32, f64)> {
        let Vocabulary { words, runs: known_runs, .. } = &self.vocabulary;
        let negated = self.settings.negation.then(|| negated(read.text, &read.tokens));
        let mut found = Vec::with_capacity(2 * read.tokens.len());
        self.vocabulary.each_word(&read.known, negated.as_deref(), |column| found.push(column));
        let mut row = Vec::with_capacity(found.len() + runs.len() + SENTIMENT_NAMES.len());
        weigh(words, 0, found, &mut row);
        weigh(known_runs, words.len(), runs, &mut row);
        if self.settings.sentiment {
            let scores = vader(&plain_quotes(read.text));
            let scores = [scores.negative, scores.neutral, scores.positive, scores.compound];
            row.extend((self.grams() as u32..).zip(scores).filter(|&(_, score)| score != 0.0));
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
            column if column < self.vocabulary.words.len() => GramKind::Words,
            column if column < self.grams() => GramKind::Letters,
            _ => GramKind::Sentiment,
        }
    }

    /// What a column stands for: the gram (`not good`, or ` goo` for a run), or `sentiment compound` and so on; `None`
    /// beyond the last column.
    pub fn name(&self, column: usize) -> Option<&str> {
        let scores = if self.settings.sentiment { &SENTIMENT_NAMES[..] } else { &[] };
        self.gram(column).map(|gram| &**gram).or_else(|| scores.get(column.checked_sub(self.grams())?).copied())
    }

    /// The gram that a column stands for; `None` for scores and beyond the last column.
    pub fn gram(&self, column: usize) -> Option<&Arc<str>> {
        let Vocabulary { words, runs, .. } = &self.vocabulary;
        words.get(column).or_else(|| runs.get(column.checked_sub(words.len())?)).map(|gram| &gram.text)
    }
}

/// The text up to the limit, cut between characters.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
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

    /// By alphabet.
    fn grams(self, settings: &TextSettings) -> Vec<Gram> {
        let counts = self.counts.into_iter().map(|(gram, (count, _))| (gram, count));
        let mut kept: Vec<(String, u32)> = counts.filter(|&(_, count)| count >= settings.documents_min).collect();
        kept.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        kept.truncate(settings.grams_max);
        kept.sort_unstable();
        let idf = |count: u32| ((1.0 + f64::from(self.texts)) / (1.0 + f64::from(count))).ln() + 1.0;
        kept.into_iter().map(|(text, count)| Gram { text: text.into(), idf: idf(count) }).collect()
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
        let TextFeatures { settings, vocabulary: Vocabulary { words, runs, .. } } = features;
        let fitted = |grams: Vec<Gram>| grams.into_iter().map(FittedGram::from).collect();
        FittedFeatures { settings, words: fitted(words), characters: fitted(runs) }
    }
}

impl From<FittedFeatures> for TextFeatures {
    fn from(fitted: FittedFeatures) -> TextFeatures {
        let FittedFeatures { settings, words, characters } = fitted;
        let grams = |grams: Vec<FittedGram>| grams.into_iter().map(Gram::from).collect();
        TextFeatures { settings, vocabulary: Vocabulary::new(grams(words), grams(characters), &settings) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    /// What the tables find is what comparing every gram of the text with every known one finds.
    fn check_tables(learned: &[&str], text: &str) {
        let settings = TextSettings { characters: Some((2, 9)), ..TextSettings::default() };
        let features = TextFeatures::fit(learned, settings);
        let column = |gram: &str, words: bool| {
            let of_kind = |column: &usize| (features.kind(*column) == GramKind::Words) == words;
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
        let is_gram = |column: &usize| features.kind(*column) != GramKind::Sentiment;
        let row = features.row(text);
        let found: Vec<usize> = row.iter().map(|(column, _)| *column as usize).filter(is_gram).collect();
        assert_eq!(found, expected, "{text:?} after {learned:?}");
    }

    #[test]
    fn a_word_written_like_a_mark_of_negation_is_told_from_none() {
        // `not_good` of the text is the same gram as `good` under a negation, and so is its pair.
        check_tables(&["not good food", "so not_good food"], "this is not_good food, not good food");
        check_tables(&["no not_good"], "not not_good");
    }

    proptest! {
        #[test]
        fn the_tables_find_what_a_comparison_of_all_grams_finds(
            learned in proptest::collection::vec("(not|no|good|not_good|crème|a|b|👍|, |but| ){1,12}", 1..4),
            text in "(not|no|good|not_good|crème|a|b|x|👍|, |but| ){0,14}",
        ) {
            check_tables(&learned.iter().map(String::as_str).collect::<Vec<_>>(), &text);
        }
    }
}
