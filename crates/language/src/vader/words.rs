//! What VADER knows of a word before it sees the sentence: its rating, whether it strengthens or negates.
//! The figures are those of vaderSentiment 3.3.2 (MIT, see LICENSE beside this file); entries its rules can never
//! look up (with a space or a capital, emoji of several code points) are left out.

use std::borrow::Cow;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// One `word<TAB>mean rating` a line; ten people rated each word from -4 to 4.
const RATINGS: &str = include_str!("ratings.tsv");
/// One `emoji<TAB>description` a line.
const EMOJI: &str = include_str!("emoji.tsv");

/// What a degree adverb adds to the strength of the rated word after it. Source: Hutto & Gilbert 2014.
const BOOST: f64 = 0.293;

const STRENGTHENING: &str = "absolutely amazingly awfully completely considerable considerably decidedly deeply effing \
    enormous enormously entirely especially exceptional exceptionally extreme extremely fabulously flippin flipping \
    frackin fracking frickin fricking friggin frigging fuckin fucking fuggin fugging fully greatly hella highly hugely \
    incredible incredibly intensely major majorly more most particularly purely quite really remarkably so \
    substantially thoroughly total totally tremendous tremendously uber unbelievably unusually utter utterly very";

/// The reference's pairs such as `kind of` are in the rules: no single word looks like them.
const WEAKENING: &str = "almost barely hardly kind-of kinda kindof less little marginal marginally occasional \
    occasionally partly scarce scarcely slight slightly somewhat sort-of sorta sortof";

/// Words with `n't` negate without being listed.
const NEGATING: &str = "aint arent cannot cant couldnt darent despite didnt doesnt dont hadnt hasnt havent isnt \
    mightnt mustnt neednt neither never none nope nor not nothing nowhere oughtnt rarely seldom shant shouldnt uh-uh \
    uhuh wasnt werent without wont wouldnt";

/// What is known of a lower-cased word.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct WordFacts {
    /// Mean rating, -4 (very negative) to 4.
    pub rating: Option<f64>,
    /// Added to the strength of a rated word after it; 0 for most words.
    pub boost: f64,
    pub negates: bool,
}

static FACTS: LazyLock<FxHashMap<&'static str, WordFacts>> = LazyLock::new(|| {
    let mut facts: FxHashMap<&'static str, WordFacts> = FxHashMap::default();
    for line in RATINGS.lines() {
        let (word, rating) = line.split_once('\t').expect("two columns, see the test of the tables");
        facts.entry(word).or_default().rating = Some(rating.parse().expect("a figure, see the test of the tables"));
    }
    for (words, boost) in [(STRENGTHENING, BOOST), (WEAKENING, -BOOST)] {
        words.split_whitespace().for_each(|word| facts.entry(word).or_default().boost = boost);
    }
    NEGATING.split_whitespace().for_each(|word| facts.entry(word).or_default().negates = true);
    facts
});

static DESCRIPTIONS: LazyLock<FxHashMap<char, &'static str>> = LazyLock::new(|| {
    let row = |line: &'static str| {
        let (emoji, description) = line.split_once('\t').expect("two columns, see the test of the tables");
        (emoji.chars().next().expect("one emoji, see the test of the tables"), description)
    };
    EMOJI.lines().map(row).collect()
});

/// What is known of a word. lower: in lower case, as [`lower_case`] gives it. O(length).
pub(crate) fn facts(lower: &str) -> WordFacts {
    FACTS.get(lower).copied().unwrap_or_default()
}

/// The description of an emoji of one code point: `😀` is `grinning face`.
pub(crate) fn emoji_description(emoji: char) -> Option<&'static str> {
    // The table's first emoji beyond ASCII is `©`; most characters of most texts need no look-up.
    if emoji.is_ascii() { None } else { DESCRIPTIONS.get(&emoji).copied() }
}

/// Lower case without a copy where there is nothing to change.
pub(crate) fn lower_case(text: &str) -> Cow<'_, str> {
    let unchanged = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if unchanged { Cow::Borrowed(text) } else { Cow::Owned(text.to_lowercase()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_hold_what_the_reference_holds() {
        assert_eq!((RATINGS.lines().count(), EMOJI.lines().count()), (7_488, 1_212));
        assert_eq!(facts("great").rating, Some(3.1));
        assert_eq!(facts("catastrophic").rating, Some(-2.2));
        assert_eq!(facts("very").boost, 0.293);
        assert_eq!(facts("barely").boost, -0.293);
        assert!(facts("seldom").negates && !facts("table").negates);
        assert_eq!(emoji_description('\u{1F600}'), Some("grinning face"));
        assert_eq!(emoji_description('e'), None);
    }
}
