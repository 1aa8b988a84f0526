//! What a review praises and what it blames: for each aspect named or implied, how it fared and the words that say so.
//! Rules and word lists, no training, so that every answer can be traced to its words.

mod judging;
mod lexicon;
mod reading;
mod tone;
mod waiting;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::TEXT_BYTES_MAX;
use crate::clauses::sentences;
use judging::{Finding, judge};
use reading::Reading;

/// From here on a polarity counts as positive, from its negative on as negative. VADER's convention.
const LABEL_MIN: f64 = 0.05;
/// Bends a sum of valences into -1..=1, as VADER does with the ratings of a text.
const BEND: f64 = 15.0;
/// Bytes of a sentence that are read as one, some 350 words: what is said of what is sought among all of them.
const SENTENCE_BYTES_MAX: usize = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    Food,
    Service,
    Price,
    Ambience,
    Cleanliness,
    Waiting,
}

impl Topic {
    pub const ALL: [Topic; 6] =
        [Topic::Food, Topic::Service, Topic::Price, Topic::Ambience, Topic::Cleanliness, Topic::Waiting];

    /// The topic in lower case, as it is serialised.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Food => "food",
            Topic::Service => "service",
            Topic::Price => "price",
            Topic::Ambience => "ambience",
            Topic::Cleanliness => "cleanliness",
            Topic::Waiting => "waiting",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    Negative,
    /// Named, and nothing said of it.
    Neutral,
    Positive,
}

/// One thing a review speaks of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aspect {
    pub aspect: Topic,
    /// The dish by name, in lower case, as written or as it was meant to be; only with [`Topic::Food`].
    pub dish: Option<String>,
    /// -1 (bad) to 1 (good).
    pub polarity: f64,
    /// Negative to -0.05, positive from 0.05.
    pub label: Label,
    /// The part of the text that says so: `text[start..end]`.
    pub quote: String,
    /// Byte offsets of the quote.
    pub start: usize,
    pub end: usize,
    /// The words that decided, in lower case and as they were meant: what is named, if it is, then what is said of it.
    pub terms: Vec<String>,
}

/// The aspects of a text in the order of the text; each aspect or dish at most once a sentence and label, and without
/// an opinion only where its sentence has none on it. text: any Unicode; beyond [`TEXT_BYTES_MAX`] cut. English.
/// O(length), and by sentence O(aspects * opinions).
pub fn aspects(text: &str) -> Vec<Aspect> {
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    let mut aspects = Vec::new();
    let mut subject = None;
    for sentence in sentences(text).into_iter().flat_map(|sentence| pieces(text, sentence)) {
        let reading = Reading::new(text, sentence);
        let (findings, last_subject) = judge(&reading, subject);
        subject = last_subject;
        let merged = merged(findings);
        let opinionated: Vec<Topic> = merged
            .iter()
            .filter(|finding| label(finding.valence) != Label::Neutral)
            .map(|finding| finding.topic)
            .collect();
        let says =
            |finding: &Finding| label(finding.valence) != Label::Neutral || !opinionated.contains(&finding.topic);
        aspects.extend(merged.into_iter().filter(says).map(|finding| aspect(text, finding)));
    }
    aspects
}

/// A sentence as it is, or what is left of it bit by bit, cut at white space where there is some.
fn pieces(text: &str, sentence: Range<usize>) -> Vec<Range<usize>> {
    let (mut pieces, mut start) = (Vec::new(), sentence.start);
    while sentence.end - start > SENTENCE_BYTES_MAX {
        let limit = text.floor_char_boundary(start + SENTENCE_BYTES_MAX);
        let space = text[start..limit].rfind(char::is_whitespace).filter(|&space| space > 0);
        let end = space.map_or(limit, |space| start + space);
        pieces.push(start..end);
        start = end;
    }
    pieces.push(start..sentence.end);
    pieces
}

fn aspect(text: &str, finding: Finding) -> Aspect {
    let Range { start, end } = finding.bytes;
    let polarity = polarity(finding.valence);
    let (aspect, dish, terms) = (finding.topic, finding.dish, finding.terms);
    Aspect {
        aspect,
        dish,
        polarity,
        label: label(finding.valence),
        quote: text[start..end].to_owned(),
        start,
        end,
        terms,
    }
}

fn polarity(valence: f64) -> f64 {
    valence / (valence * valence + BEND).sqrt()
}

fn label(valence: f64) -> Label {
    match polarity(valence) {
        LABEL_MIN.. => Label::Positive,
        low if low <= -LABEL_MIN => Label::Negative,
        _ => Label::Neutral,
    }
}

/// Findings on one thing that agree become one, whose quote spans them.
fn merged(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in findings {
        let agrees = |other: &&mut Finding| {
            (other.topic, &other.dish, label(other.valence)) == (finding.topic, &finding.dish, label(finding.valence))
        };
        match merged.iter_mut().find(agrees) {
            Some(other) => {
                other.valence += finding.valence;
                other.bytes = other.bytes.start.min(finding.bytes.start)..other.bytes.end.max(finding.bytes.end);
                let is_new = |term: &String| !other.terms.contains(term);
                let terms: Vec<String> = finding.terms.into_iter().filter(is_new).collect();
                other.terms.extend(terms);
            }
            None => merged.push(finding),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each aspect as `dish or topic, label, quote, terms`.
    fn check(text: &str, expected: &[(&str, Label, &str, &[&str])]) {
        let found = aspects(text);
        let summary: Vec<_> = found.iter().map(summarised).collect();
        let expected: Vec<_> =
            expected.iter().map(|&(name, label, quote, terms)| (name, label, quote, terms.to_vec())).collect();
        assert_eq!(summary, expected);
        assert!(found.iter().all(|aspect| text[aspect.start..aspect.end] == aspect.quote));
    }

    fn summarised(aspect: &Aspect) -> (&str, Label, &str, Vec<&str>) {
        let terms = aspect.terms.iter().map(String::as_str).collect();
        (aspect.dish.as_deref().unwrap_or(aspect.aspect.name()), aspect.label, &aspect.quote, terms)
    }

    #[test]
    fn each_aspect_quotes_its_own_part_of_the_sentence() {
        use Label::{Negative, Positive};
        check(
            "Crème! The food was great but the service was slow.",
            &[
                ("food", Positive, "The food was great", &["food", "great"]),
                ("service", Negative, "the service was slow", &["service", "slow"]),
            ],
        );
    }

    #[test]
    fn a_dish_goes_by_its_whole_name_and_a_pronoun_stands_for_it() {
        use Label::{Negative, Positive};
        check(
            "I had the lobster bisque. It was cold, not fresh. Tasty okroshka!",
            &[
                ("lobster bisque", Label::Neutral, "I had the lobster bisque", &["lobster bisque"]),
                ("lobster bisque", Negative, "It was cold, not fresh", &["cold", "not fresh"]),
                ("food", Positive, "Tasty okroshka", &["tasty"]),
            ],
        );
    }

    #[test]
    fn cold_is_what_a_beer_should_be_and_a_soup_should_not() {
        let polarity = |text| aspects(text)[0].polarity;
        assert!(polarity("The beer was cold.") > 0.3 && polarity("The soup was cold.") < -0.3);
        assert!(polarity("Quick service.") > 0.3 && polarity("Slow service.") < -0.3);
        assert_eq!(aspects("We came on a Tuesday."), []);
        assert_eq!(aspects(""), []);
    }
}
