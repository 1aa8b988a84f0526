//! No text whatever makes anything panic, and every offset lies between two characters.

use septet_language::aspects::aspects;
use septet_language::clauses::{clauses, sentences};
use septet_language::features::{TextFeatures, TextSettings};
use septet_language::tokens::tokens;
use septet_language::vader::vader;

/// Characters and words that have broken text code before: marks without a base, joiners without a side, letters that
/// change length in lower case, half flags, controls, direction marks, private use, the last of them all.
const NASTY: &[&str] = &[
    "\u{0}",
    "\u{1c}",
    "\u{85}",
    "\u{a0}",
    "\u{ad}",
    "\u{130}",
    "\u{131}",
    "\u{149}",
    "\u{1c5}",
    "\u{300}",
    "\u{345}",
    "Σ",
    "\u{3c2}",
    "\u{587}",
    "\u{5d0}",
    "\u{600}",
    "\u{e33}",
    "\u{1e9e}",
    "\u{1f88}",
    "\u{200b}",
    "\u{200d}",
    "\u{200e}",
    "\u{202e}",
    "\u{2028}",
    "\u{2029}",
    "\u{20e3}",
    "\u{2764}",
    "\u{3000}",
    "\u{ac00}",
    "\u{e000}",
    "\u{fb01}",
    "\u{fe0f}",
    "\u{feff}",
    "\u{fffd}",
    "\u{1f1e6}",
    "\u{1f1fa}",
    "\u{1f3fb}",
    "\u{1f468}",
    "\u{1f644}",
    "\u{1fab3}",
    "\u{e0061}",
    "\u{e007f}",
    "\u{10ffff}",
    "'",
    "’",
    "\"",
    "“",
    "”",
    "-",
    "—",
    ".",
    "...",
    "…",
    ",",
    ";",
    ":",
    "(",
    ")",
    "!",
    "?",
    "/",
    "/s",
    "&",
    "$",
    "#",
    "@",
    "_",
    "0",
    "9.",
    "1,",
    "10/",
    "½",
    "٣",
    " ",
    " ",
    " ",
    "\n",
    "\r\n",
    "\t",
];
const WORDS: &[&str] = &[
    "the",
    "steak",
    "was",
    "not",
    "good",
    "but",
    "BUT",
    "service",
    "slow",
    "and",
    "yet",
    "while",
    "at",
    "least",
    "on",
    "other",
    "hand",
    "half",
    "an",
    "hour",
    "90",
    "minutes",
    "wait",
    "ordered",
    "if",
    "you",
    "like",
    "than",
    "better",
    "yeah",
    "right",
    "no",
    "never",
    "so",
    "kind",
    "of",
    "too",
    "delicous",
    "tiramsu",
    "ordered the okroshka",
    "nothing",
    "far",
    "from",
    "i",
    "it",
];

/// Fixed for ever by these lines. Source: Steele, Lea & Flood 2014 (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.below(40) {
            match self.below(5) {
                0 | 1 => text.push_str(NASTY[self.below(NASTY.len())]),
                2 => text.extend(char::from_u32(self.below(0x11_0000) as u32)),
                _ => {
                    text.push_str(WORDS[self.below(WORDS.len())]);
                    text.push_str(if self.below(8) == 0 { "" } else { " " });
                }
            }
        }
        text
    }
}

fn check(text: &str) {
    let scores = vader(text);
    let shares = [scores.negative, scores.neutral, scores.positive];
    assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)) && scores.compound.abs() <= 1.0, "{text:?}");
    let mut end = (0, 0);
    for token in tokens(text) {
        assert!(end.0 <= token.bytes.start && end.1 <= token.characters.start && !token.bytes.is_empty(), "{text:?}");
        assert_eq!(text[token.bytes.clone()].chars().count(), token.characters.len(), "{text:?}");
        end = (token.bytes.end, token.characters.end);
    }
    for sentence in sentences(text) {
        assert!(!text[sentence.clone()].trim().is_empty(), "{text:?}");
        for clause in clauses(text, sentence.clone()) {
            let is_inside = sentence.start <= clause.bytes.start && clause.bytes.end <= sentence.end;
            assert!(is_inside && !text[clause.bytes].is_empty(), "{text:?}");
        }
    }
    for aspect in aspects(text) {
        assert_eq!(text[aspect.start..aspect.end], aspect.quote, "{text:?}");
        assert!(aspect.polarity.abs() <= 1.0 && !aspect.terms.is_empty(), "{text:?}: {aspect:?}");
    }
}

#[test]
fn any_text_is_read_without_a_panic() {
    let mut random = Random(2014);
    let texts: Vec<String> = (0..20_000).map(|_| random.text()).collect();
    texts.iter().for_each(|text| check(text));
    let texts: Vec<&str> = texts.iter().take(1_000).map(String::as_str).collect();
    let features = TextFeatures::fit(&texts, TextSettings::default());
    for text in texts {
        let row = features.row(text);
        assert!(row.is_sorted_by(|a, b| a.0 < b.0) && row.iter().all(|(_, value)| value.is_finite()), "{text:?}");
    }
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let long = "The steak was not good 👨‍👩‍👧. ".repeat(5_000);
    check(&format!("é{long}"));
    assert!(!aspects(&long).is_empty());
    // One sentence without an end, and one without a space: the time must not grow with the square of the length.
    check(&"good, steak and bad service, ".repeat(3_000));
    check(&"delicious👍".repeat(8_000));
}

#[test]
fn every_apostrophe_and_quotation_mark_is_read_as_the_plain_one() {
    let plain = "The soup wasn't good, I don't like the 'waiter' and I'd rather not say \"yum\". It's Bob's 'idea.'  They can't!";
    let read = |text: &str| {
        let tokens = tokens(text);
        let negated = septet_language::contrasts::negated(text, &tokens);
        let words: Vec<(String, _)> =
            tokens.iter().map(|token| (token.lower.to_string(), token.characters.clone())).collect();
        let said: Vec<_> =
            aspects(text).into_iter().map(|one| (one.aspect, one.dish, one.polarity, one.label)).collect();
        let features = TextFeatures::fit(&[plain], TextSettings::default());
        (words, negated, said, sentences(text).len(), features.row(text))
    };
    let expected = read(plain);
    assert!(expected.2.len() >= 2, "{:?}", expected.2);
    for sign in septet_language::quotes::APOSTROPHES {
        assert_eq!(read(&plain.replace('\'', &sign.to_string())), expected, "{sign}");
    }
    for sign in septet_language::quotes::QUOTATION_MARKS {
        assert_eq!(read(&plain.replace('"', &sign.to_string())), expected, "{sign}");
    }
}
