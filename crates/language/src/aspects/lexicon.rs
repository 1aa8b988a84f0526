//! What is known of words and phrases before a sentence is read: what they name, what they say of it, and how they
//! were meant to be spelt. All of it stands in the tables beside this file.

use std::borrow::Cow;
use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Topic;
use crate::tokens::tokens;
use crate::vader;

/// `class<TAB>phrases`: what speaks of a topic, or of a part of one (`food.drink`).
const TERMS: &str = include_str!("terms.tsv");
/// `temperature<TAB>dishes`: how a dish is wanted, since a cold soup is bad and a cold gazpacho is not.
const DISHES: &str = include_str!("dishes.tsv");
/// Words that belong to the name of the dish after them: `lobster bisque`.
const DISH_MODIFIERS: &str = include_str!("modifiers.txt");
/// `target<TAB>valence<TAB>phrases`, see [`Opinion`]; a target with `!` is meant even where nothing names it.
const OPINIONS: &str = include_str!("opinions.tsv");
/// `valence<TAB>emoji`.
const EMOJI: &str = include_str!("opinions_emoji.tsv");
/// Emoji nobody wants to see beside a plate.
const PESTS: &str = include_str!("pests.txt");
/// Phrases that begin an ironic sentence if something bad follows; a comma stands for any punctuation.
const IRONIC_OPENERS: &str = include_str!("ironic_openers.txt");
/// What follows `the` or `ordered the` without being a dish.
const NOT_DISHES: &str = include_str!("not_dishes.txt");
/// Words that are one letter from a word of the tables and yet meant as they stand.
const COMMON_WORDS: &str = include_str!("common_words.txt");

/// Letters a word needs before its spelling is doubted: shorter ones have too many neighbours.
const TYPO_LETTERS_MIN: usize = 5;

/// What an opinion can be about: any mention, a topic, or one class of its mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    pub topic: Topic,
    /// `drink` of `food.drink`; empty for the topic as a whole.
    pub part: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Opinion {
    /// `None` fits every mention.
    pub target: Option<Class>,
    /// It speaks of its target even where no word names that: `overpriced`.
    pub implies: bool,
    /// -4 to 4, as VADER's ratings.
    pub valence: f64,
}

impl Opinion {
    pub fn of_anything(valence: f64) -> Opinion {
        Opinion { target: None, implies: false, valence }
    }

    pub fn implied(topic: Topic, valence: f64) -> Opinion {
        Opinion { target: Some(Class { topic, part: "" }), implies: true, valence }
    }

    /// How closely the opinion fits a mention: 0 any, 1 the topic, 2 its very class; `None` if it does not.
    pub fn fit(&self, class: Class) -> Option<u8> {
        match self.target {
            None => Some(0),
            Some(target) if target == class && !class.part.is_empty() => Some(2),
            Some(target) if target.topic == class.topic && target.part.is_empty() => Some(1),
            Some(_) => None,
        }
    }
}

/// What a phrase means.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Meaning {
    pub names: Option<Class>,
    pub is_dish: bool,
    pub opinions: Vec<Opinion>,
}

pub(super) struct Lexicon {
    phrases: FxHashMap<String, Meaning>,
    /// Words of the longest phrase that begins with a word.
    longest: FxHashMap<String, usize>,
    emoji: FxHashMap<char, Opinion>,
    ironic_openers: Vec<Vec<&'static str>>,
    dish_modifiers: FxHashSet<&'static str>,
    not_dishes: FxHashSet<&'static str>,
    spelling: Spelling,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::load);

pub(super) fn lexicon() -> &'static Lexicon {
    &LEXICON
}

impl Lexicon {
    fn load() -> Lexicon {
        let mut phrases: FxHashMap<String, Meaning> = FxHashMap::default();
        for (class, phrase) in rows(TERMS) {
            phrases.entry(normal(phrase)).or_default().names = Some(parse_class(class));
        }
        for (temperature, phrase) in rows(DISHES) {
            let meaning = phrases.entry(normal(phrase)).or_default();
            (meaning.names, meaning.is_dish) = (Some(Class { topic: Topic::Food, part: temperature }), true);
        }
        for (head, phrase) in rows(OPINIONS) {
            phrases.entry(normal(phrase)).or_default().opinions.push(parse_opinion(head));
        }
        let mut longest: FxHashMap<String, usize> = FxHashMap::default();
        for phrase in phrases.keys() {
            let first = phrase.split(' ').next().unwrap_or_default().to_owned();
            let words = longest.entry(first).or_default();
            *words = (*words).max(phrase.split(' ').count());
        }
        Lexicon {
            spelling: Spelling::new(phrases.keys().filter(|phrase| !phrase.contains(' '))),
            phrases,
            longest,
            emoji: load_emoji(),
            ironic_openers: IRONIC_OPENERS.lines().map(|line| line.split(' ').collect()).collect(),
            dish_modifiers: DISH_MODIFIERS.split_whitespace().collect(),
            not_dishes: NOT_DISHES.split_whitespace().collect(),
        }
    }

    /// How many words the longest phrase has that begins with a word; none begins with most words.
    pub fn longest(&self, first: &str) -> Option<usize> {
        self.longest.get(first).copied()
    }

    /// The longest phrase that begins with `words`: how many words, and what it means.
    pub fn phrase<'a>(&'a self, words: &[Cow<'_, str>]) -> Option<(usize, &'a Meaning)> {
        let phrase = |length: usize| match length {
            1 => self.phrases.get(&*words[0]),
            _ => self.phrases.get(&words[..length].join(" ")),
        };
        (1..=words.len()).rev().find_map(|length| phrase(length).map(|meaning| (length, meaning)))
    }

    pub fn emoji(&self, emoji: char) -> Option<Opinion> {
        self.emoji.get(&emoji).copied()
    }

    /// The known word that was meant, if `word` is one slip away from one.
    pub fn corrected(&self, word: &str) -> Option<&str> {
        let is_known = !is_long_enough(word)
            || self.longest.contains_key(word)
            || vader::facts(word) != vader::WordFacts::default()
            || self.dish_modifiers.contains(word)
            || self.not_dishes.contains(word);
        if is_known { None } else { self.spelling.corrected(word) }
    }

    pub fn is_dish_modifier(&self, word: &str) -> bool {
        self.dish_modifiers.contains(word)
    }

    /// Whether an unknown word could be the name of a dish.
    pub fn may_be_dish(&self, word: &str) -> bool {
        word.len() > 2
            && word.chars().all(char::is_alphabetic)
            && !self.longest.contains_key(word)
            && !self.not_dishes.contains(word)
            && !self.spelling.common.contains(word)
            && vader::facts(word) == vader::WordFacts::default()
    }

    /// Whether a sentence begins as ironic ones do; `words` may hold a comma for punctuation.
    pub fn opens_ironically(&self, words: &[&str]) -> bool {
        self.ironic_openers.iter().any(|opener| words.starts_with(opener))
    }
}

fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let row = |line: &'static str| {
        let (head, phrases) = line.rsplit_once('\t').expect("a tab, see the test of the tables");
        phrases.split(", ").map(move |phrase| (head, phrase))
    };
    table.lines().flat_map(row)
}

/// A phrase as a sentence's words would be joined.
fn normal(phrase: &str) -> String {
    let words: Vec<String> = tokens(phrase).into_iter().map(|token| token.lower.into_owned()).collect();
    words.join(" ")
}

fn parse_class(class: &'static str) -> Class {
    let (topic, part) = class.split_once('.').unwrap_or((class, ""));
    let topic = Topic::ALL.into_iter().find(|known| known.name() == topic);
    Class { topic: topic.expect("a topic's name, see the test of the tables"), part }
}

/// head: `target<TAB>valence`.
fn parse_opinion(head: &'static str) -> Opinion {
    let (target, valence) = head.split_once('\t').expect("two columns, see the test of the tables");
    let target = (target != "any").then_some(target);
    Opinion {
        target: target.map(|target| parse_class(target.trim_end_matches('!'))),
        implies: target.is_some_and(|target| target.ends_with('!')),
        valence: valence.parse().expect("a figure, see the test of the tables"),
    }
}

fn load_emoji() -> FxHashMap<char, Opinion> {
    let mut emoji = FxHashMap::default();
    for line in EMOJI.lines() {
        let (valence, signs) = line.split_once('\t').expect("two columns, see the test of the tables");
        let opinion = Opinion::of_anything(valence.parse().expect("a figure, see the test of the tables"));
        emoji.extend(signs.chars().filter(|sign| *sign != ' ').map(|sign| (sign, opinion)));
    }
    let pest = Opinion::implied(Topic::Cleanliness, -3.0);
    emoji.extend(PESTS.chars().filter(|sign| !sign.is_whitespace()).map(|sign| (sign, pest)));
    emoji
}

/// Finds the known word behind a slip of one letter: wrong, missing, added, or changed places with its neighbour.
struct Spelling {
    /// Each known word under itself and under itself less one letter: two words one slip apart share such a key.
    /// Source: Garbe 2012 (symmetric deletes).
    keys: FxHashMap<String, Vec<String>>,
    common: FxHashSet<&'static str>,
}

impl Spelling {
    fn new<'a>(known: impl Iterator<Item = &'a String>) -> Spelling {
        let mut keys: FxHashMap<String, Vec<String>> = FxHashMap::default();
        for word in known.filter(|word| is_long_enough(word)) {
            for key in spelling_keys(word) {
                keys.entry(key).or_default().push(word.clone());
            }
        }
        // The table's order must not decide between two candidates.
        keys.values_mut().for_each(|words| words.sort_unstable());
        Spelling { keys, common: COMMON_WORDS.split_whitespace().collect() }
    }

    /// Of several candidates the first by alphabet among those with the same number of letters, else among all.
    fn corrected(&self, word: &str) -> Option<&str> {
        if !is_long_enough(word) || self.common.contains(word) || !word.chars().all(char::is_alphabetic) {
            return None;
        }
        let candidates = spelling_keys(word).into_iter().filter_map(|key| self.keys.get(&key)).flatten();
        let fitting = candidates.filter(|known| is_one_slip(word, known));
        fitting.min_by_key(|known| (known.len() != word.len(), known.as_str())).map(String::as_str)
    }
}

fn is_long_enough(word: &str) -> bool {
    word.chars().nth(TYPO_LETTERS_MIN - 1).is_some()
}

fn spelling_keys(word: &str) -> Vec<String> {
    let without = |(at, letter): (usize, char)| [&word[..at], &word[at + letter.len_utf8()..]].concat();
    std::iter::once(word.to_owned()).chain(word.char_indices().map(without)).collect()
}

/// Whether two words differ by one slip. The first letter is hardly ever wrong, so it must be right or have changed
/// places.
fn is_one_slip(written: &str, known: &str) -> bool {
    let (written, known): (Vec<char>, Vec<char>) = (written.chars().collect(), known.chars().collect());
    let same = written.iter().zip(&known).take_while(|(a, b)| a == b).count();
    let (rest, known_rest) = (&written[same..], &known[same..]);
    let swapped =
        |a: &[char], b: &[char]| a.len() > 1 && b.len() > 1 && a[0] == b[1] && a[1] == b[0] && a[2..] == b[2..];
    if swapped(rest, known_rest) {
        return true;
    }
    same > 0
        && match (rest, known_rest) {
            ([_, a @ ..], [_, b @ ..]) if a == b => true,
            ([_, a @ ..], b) if a == b => true,
            (a, [_, b @ ..]) if a == b => true,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_read_whole() {
        let lexicon = lexicon();
        assert!(lexicon.phrases.len() > 1_500, "{}", lexicon.phrases.len());
        let (words, meaning) = lexicon.phrase(&["mac", "and", "cheese", "was"].map(Cow::Borrowed)).unwrap();
        assert_eq!((words, meaning.is_dish), (3, true));
        assert!(OPINIONS.lines().all(|line| line.split('\t').count() == 3));
        assert!(TERMS.lines().chain(DISHES.lines()).all(|line| line.split('\t').count() == 2));
    }

    /// Prints what `common_words.txt` must hold: the words of a dictionary that would be taken for a slip. Forms that
    /// differ by an s alone are left to be mended: `hamburgers` is a hamburger.
    #[test]
    #[ignore = "needs a dictionary, one word a line, named by SEPTET_DICTIONARY; run after changing a table"]
    fn by_hand_common_words_are_printed() {
        let path = std::env::var("SEPTET_DICTIONARY").unwrap();
        let words = std::fs::read_to_string(path).unwrap().to_lowercase();
        let lexicon = Lexicon::load();
        let mut spelling = Spelling::new(lexicon.phrases.keys().filter(|phrase| !phrase.contains(' ')));
        spelling.common.clear();
        let lexicon = Lexicon { spelling, ..lexicon };
        let is_form =
            |word: &str, known: &str| word.strip_suffix('s') == Some(known) || known.strip_suffix('s') == Some(word);
        let is_common = |word: &&str| lexicon.corrected(word).is_some_and(|known| !is_form(word, known));
        let common: std::collections::BTreeSet<&str> = words.lines().filter(is_common).collect();
        common.iter().for_each(|word| println!("{word}"));
    }

    #[test]
    fn slips_of_one_letter_are_mended_and_words_as_they_stand_are_left() {
        let check = |word: &str, expected: Option<&str>| assert_eq!(lexicon().corrected(word), expected, "{word}");
        check("delicous", Some("delicious"));
        check("satff", Some("staff"));
        check("watier", Some("waiter"));
        check("piza", None);
        check("waiter", None);
        check("table", None);
        check("xxxxxxxx", None);
    }
}
