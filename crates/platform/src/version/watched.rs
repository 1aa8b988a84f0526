//! How an input is counted for drift without keeping what a person wrote: free text by its length and its new words, a
//! personal word by a hash, a personal number by two digits.

use crate::values::OwnedValue;
use septet_learn::frame::{Column, MISSING};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A column of words is free text from this share of different values on. A convention of ours.
const DISTINCT_SHARE_MIN: f64 = 0.2;
/// And from this mean number of words on: shorter values are names and codes.
const WORDS_MEAN_MIN: f64 = 3.0;
/// Different words of free text that are known; of more, those of one text alone are forgotten.
const KNOWN_MAX: usize = 100_000;

/// What is counted of an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    Value,
    Hashed,
    /// Two significant digits.
    Rounded,
    Text(Vocabulary),
}

/// Hashes of the words that a free text held when it was learned from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vocabulary {
    /// Sorted.
    known: Vec<u64>,
    /// Sorted; words of one text alone: to that text they are new, or no learned text would ever hold a new word.
    #[serde(skip)]
    once: Vec<u64>,
}

impl View {
    /// `rows`: the column's rows that are learned from. `personal`: its values point at a person.
    pub fn learn<'a>(numbers: bool, words: impl Iterator<Item = Option<&'a str>>, personal: bool) -> View {
        if numbers {
            return if personal { View::Rounded } else { View::Value };
        }
        let words: Vec<&str> = words.flatten().collect();
        match (is_free_text(&words), personal) {
            (true, _) => View::Text(Vocabulary::learn(&words)),
            (false, true) => View::Hashed,
            (false, false) => View::Value,
        }
    }

    /// The same of a column, all of whose rows are learned from.
    pub fn of_column(column: &Column, personal: bool) -> View {
        match column {
            Column::Number(_) => View::learn(true, std::iter::empty(), personal),
            Column::Category { codes, words } => {
                let word = |&code: &u32| (code != MISSING).then(|| words[code as usize].as_str());
                View::learn(false, codes.iter().map(word), personal)
            }
        }
    }

    /// Names of what is counted.
    pub fn names(&self, name: &str) -> Vec<String> {
        match self {
            View::Text(_) => vec![format!("{name}: characters"), format!("{name}: share of new words")],
            _ => vec![name.to_owned()],
        }
    }

    /// What is counted of one value, in the order of the names. `learned`: it is one that the view was learned from.
    pub fn see(&self, value: &OwnedValue, learned: bool) -> Vec<OwnedValue> {
        match (self, value) {
            (View::Text(known), OwnedValue::Word(word)) => {
                known.see(word.as_deref(), learned).map(OwnedValue::Number).to_vec()
            }
            (View::Hashed, OwnedValue::Word(word)) => vec![OwnedValue::Word(word.as_deref().map(hashed))],
            (View::Rounded, OwnedValue::Number(value)) => vec![OwnedValue::Number(rounded(*value))],
            _ => vec![value.clone()],
        }
    }

    /// The same of a whole column; none where it is counted as it is.
    pub fn columns(&self, column: &Column, learned: impl Fn(usize) -> bool) -> Option<Vec<Column>> {
        match (self, column) {
            (View::Hashed, Column::Category { codes, words }) => {
                let words = words.iter().map(|word| hashed(word)).collect();
                Some(vec![Column::Category { codes: codes.clone(), words: Arc::new(words) }])
            }
            (View::Rounded, Column::Number(values)) => {
                Some(vec![Column::Number(values.iter().copied().map(rounded).collect())])
            }
            (View::Text(known), Column::Category { codes, words }) => {
                let (mut lengths, mut new) = (Vec::with_capacity(codes.len()), Vec::with_capacity(codes.len()));
                for (row, &code) in codes.iter().enumerate() {
                    let word = (code != MISSING).then(|| words[code as usize].as_str());
                    let [length, share] = known.see(word, learned(row));
                    lengths.push(length);
                    new.push(share);
                }
                Some(vec![Column::Number(lengths), Column::Number(new)])
            }
            _ => None,
        }
    }
}

impl Vocabulary {
    fn learn(texts: &[&str]) -> Vocabulary {
        let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
        for text in texts {
            let mut own: Vec<u64> = words_of(text).map(|word| hash(&word)).collect();
            own.sort_unstable();
            own.dedup();
            own.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
        }
        if counts.len() > KNOWN_MAX {
            counts.retain(|_, texts| *texts > 1);
        }
        let once = counts.iter().filter(|(_, texts)| **texts == 1).map(|(word, _)| *word).collect();
        Vocabulary { known: counts.into_keys().collect(), once }
    }

    /// Characters, and the share of words that no other text held; missing where there is no text or no word.
    fn see(&self, text: Option<&str>, learned: bool) -> [f64; 2] {
        let Some(text) = text else { return [f64::NAN; 2] };
        let (mut words, mut new) = (0_u32, 0_u32);
        for word in words_of(text) {
            let word = hash(&word);
            let known = self.known.binary_search(&word).is_ok();
            let alone = learned && self.once.binary_search(&word).is_ok();
            words += 1;
            new += u32::from(!known || alone);
        }
        let share = if words == 0 { f64::NAN } else { f64::from(new) / f64::from(words) };
        [text.chars().count() as f64, share]
    }
}

/// Whether these are sentences: mostly different, and of several words.
pub fn is_free_text(values: &[&str]) -> bool {
    if values.is_empty() {
        return false;
    }
    let different: std::collections::BTreeSet<&str> = values.iter().copied().collect();
    let words: usize = different.iter().map(|text| text.split_whitespace().count()).sum();
    different.len() as f64 > DISTINCT_SHARE_MIN * values.len() as f64
        && words as f64 >= WORDS_MEAN_MIN * different.len() as f64
}

fn words_of(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn hash(word: &str) -> u64 {
    let hash = blake3::hash(word.as_bytes());
    hash.as_bytes().iter().take(8).fold(0, |all, &byte| (all << 8) | u64::from(byte))
}

fn hashed(word: &str) -> String {
    format!("#{:016x}", hash(word))
}

fn rounded(value: f64) -> f64 {
    format!("{value:.1e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_text_is_counted_by_its_length_and_its_new_words() {
        let texts = ["the soup was cold", "the soup was hot", "a waiter was rude", "the waiter was kind"];
        let view = View::learn(false, texts.iter().map(|text| Some(*text)), false);
        assert_eq!(view.names("text"), ["text: characters", "text: share of new words"]);
        let seen = |text: &str, learned| view.see(&OwnedValue::Word(Some(text.to_owned())), learned);
        let numbers = |length, share| vec![OwnedValue::Number(length), OwnedValue::Number(share)];
        assert_eq!(seen("the soup was cold", true), numbers(17.0, 0.25), "`cold` is in no other text");
        assert_eq!(seen("The soup was GREEN!", false), numbers(19.0, 0.25));
        let kept = serde_json::to_string(&view).unwrap();
        assert!(
            texts.iter().flat_map(|text| text.split(' ')).all(|word| word.len() < 3 || !kept.contains(word)),
            "{kept}"
        );
    }

    #[test]
    fn what_points_at_a_person_is_hashed_or_rounded() {
        let names = ["ann", "bob", "ann", "ann", "bob"];
        let view = |personal| View::learn(false, names.iter().map(|name| Some(*name)), personal);
        assert_eq!((view(true), view(false)), (View::Hashed, View::Value));
        let ann = |value: &str| view(true).see(&OwnedValue::Word(Some(value.to_owned())), false);
        assert!(ann("ann") == ann("ann") && ann("ann") != ann("bob") && !format!("{:?}", ann("ann")).contains("ann"));
        let salary = View::learn(true, std::iter::empty(), true);
        assert_eq!(salary.see(&OwnedValue::Number(48_213.0), false), [OwnedValue::Number(48_000.0)]);
        assert!(matches!(salary.see(&OwnedValue::Number(f64::NAN), false)[..], [OwnedValue::Number(v)] if v.is_nan()));
    }
}
