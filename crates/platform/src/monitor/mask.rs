//! Takes what points at a person out of what a domain's own SQL gives a report: a monitoring run is stored, sent and shown.

use crate::PlatformError;
use crate::monitor::observed::ObservedRows;
use septet_domain::{ColumnType, Domain};
use std::collections::HashSet;

/// What stands in its place.
const CUT: &str = "[personal]";
/// Shorter values are found as a whole word only: "an" is a part of too much.
const PART_CHARACTERS_MIN: usize = 4;

/// Texts of personal columns that were observed.
pub struct Mask {
    words: HashSet<String>,
}

impl Mask {
    pub fn of(parts: &[ObservedRows], domain: &Domain) -> Result<Mask, PlatformError> {
        let (_, input) = domain.spec.first_input();
        let mut words = HashSet::new();
        for (name, _) in
            input.columns.iter().filter(|(_, column)| column.personal.is_some() && column.kind == ColumnType::Text)
        {
            for part in parts {
                words.extend(part.words(name.get_ref())?.iter().flatten().map(str::to_owned));
            }
        }
        words.remove("");
        Ok(Mask { words })
    }

    /// The text without such a value, whole or as one of its words. O(length).
    pub fn words(&self, text: &str) -> String {
        if self.words.contains(text) {
            return CUT.to_owned();
        }
        let bare = |word: &str| word.trim_matches(|letter: char| !letter.is_alphanumeric()).to_owned();
        let personal = |word: &&str| self.words.contains(*word) || self.words.contains(&bare(word));
        if !text.split_whitespace().any(|word| personal(&word)) {
            return text.to_owned();
        }
        let cut = |word: &str| if personal(&word) { word.replace(&bare(word), CUT) } else { word.to_owned() };
        text.split(' ').map(cut).collect::<Vec<_>>().join(" ")
    }

    /// The same, also where it is any part of the text. O(values): for a few texts.
    pub fn parts(&self, text: &str) -> String {
        let mut inside: Vec<&String> = self
            .words
            .iter()
            .filter(|word| word.len() >= PART_CHARACTERS_MIN && text.contains(word.as_str()))
            .collect();
        // The longest first: one may be a part of another.
        inside.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        let text = inside.into_iter().fold(text.to_owned(), |text, word| text.replace(word.as_str(), CUT));
        self.words(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_is_known_by_is_cut_whole_or_in_parts() {
        let mask = Mask { words: ["C17", "the soup was cold", "an"].map(str::to_owned).into() };
        for (text, in_words, in_parts) in [
            ("C17", CUT, CUT),
            ("card `C17` paid", "card `[personal]` paid", "card `[personal]` paid"),
            ("B1: the soup was cold!", "B1: the soup was cold!", "B1: [personal]!"),
            ("a plan for C171", "a plan for C171", "a plan for C171"),
        ] {
            assert_eq!((mask.words(text).as_str(), mask.parts(text).as_str()), (in_words, in_parts), "{text}");
        }
    }
}
