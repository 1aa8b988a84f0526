//! Sentences, and the clauses that a contrast cuts them into: in `great food but slow service` each half has its own
//! mind.

use std::ops::Range;

use crate::contrasts::{Opening, contrast, contrast_words};
use crate::quotes::{is_apostrophe, is_quotation_mark};
use crate::tokens::{Token, tokens};

/// A full stop after one of these does not end a sentence; nor does one after a single letter.
const ABBREVIATIONS: [&str; 22] = [
    "approx", "ave", "blvd", "co", "dr", "etc", "fri", "inc", "jr", "mr", "mrs", "ms", "mt", "prof", "sat", "sr", "st",
    "sun", "thurs", "tues", "vs", "wed",
];

#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// Where it stands in the text, in bytes, without the contrast word, never empty.
    pub bytes: Range<usize>,
    pub opening: Opening,
}

/// The sentences of a text, in bytes, in order, without white space around them. They end with `.`, `!`, `?` or `…`
/// before white space, with the full-width marks anywhere, and at a line's end. text: any Unicode. O(length).
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let mut end = at + character.len_utf8();
        let ends = match character {
            '\n' | '\r' | '。' | '！' | '？' | '\u{2028}' | '\u{2029}' => true,
            '.' | '!' | '?' | '…' => {
                let closes = |next: char| {
                    matches!(next, '.' | '!' | '?' | '…' | ')' | ']') || is_apostrophe(next) || is_quotation_mark(next)
                };
                while let Some((_, next)) = characters.next_if(|&(_, next)| closes(next)) {
                    end += next.len_utf8();
                }
                ends_sentence(&text[start..at], &text[at..end], &text[end..])
            }
            _ => false,
        };
        if ends {
            sentences.extend(trimmed(text, start..end));
            start = end;
        }
    }
    sentences.extend(trimmed(text, start..text.len()));
    sentences
}

/// Whether the marks end the sentence, or belong to an abbreviation, a number, a pause.
fn ends_sentence(before: &str, marks: &str, after: &str) -> bool {
    let mut following = after.chars();
    let Some(next) = following.next() else { return true };
    if !next.is_whitespace() {
        return crate::tokens::is_emoji(next);
    }
    let word = before.rsplit(|character: char| !character.is_alphanumeric()).next().unwrap_or_default();
    let is_abbreviation = word.chars().count() == 1 && word.chars().all(char::is_alphabetic)
        || ABBREVIATIONS.contains(&&*word.to_lowercase());
    let goes_on = following.find(|next| !next.is_whitespace()).is_some_and(char::is_lowercase);
    match marks {
        "." => !(is_abbreviation && word != "I"),
        _ => !(goes_on && (marks.starts_with("..") || marks.starts_with('…'))),
    }
}

/// The clauses of a sentence, in order: cut at contrasts, semicolons, colons, dashes with space around them, and at the
/// comma that ends a concession at the sentence's beginning. text: the whole; sentence: one of [`sentences`]. O(length).
pub fn clauses(text: &str, sentence: Range<usize>) -> Vec<Clause> {
    let offset = sentence.start;
    let text = &text[sentence];
    let mut clauses = clauses_of(text, &tokens(text));
    clauses.iter_mut().for_each(|clause| clause.bytes = clause.bytes.start + offset..clause.bytes.end + offset);
    clauses
}

/// The clauses of a text that is one sentence. tokens: those of the text.
pub(crate) fn clauses_of(text: &str, tokens: &[Token<'_>]) -> Vec<Clause> {
    let mut clauses = Vec::new();
    let (mut start, mut opening) = (0, Opening::Plain);
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        let after = at.checked_sub(1).map_or(0, |before| tokens[before].bytes.end);
        let gap = &text[after..token.bytes.start];
        let ends_concession = opening == Opening::Concession && gap.contains(',') && after > start;
        if let Some(mark) = gap.find(is_clause_mark).or_else(|| gap.find(" -")) {
            push(&mut clauses, text, start..after + mark, opening);
            (start, opening) = (after + mark, Opening::Plain);
        } else if ends_concession {
            push(&mut clauses, text, start..after, opening);
            (start, opening) = (after, Opening::Plain);
        }
        let words = contrast_words(text, tokens, at);
        if words > 0 {
            push(&mut clauses, text, start..token.bytes.start, opening);
            start = tokens[at + words - 1].bytes.end;
            opening = contrast(&tokens[at..]).map_or(Opening::Plain, |found| found.1);
        }
        at += words.max(1);
    }
    push(&mut clauses, text, start..text.len(), opening);
    clauses
}

fn is_clause_mark(character: char) -> bool {
    matches!(character, ';' | ':' | '—' | '–' | '(' | ')')
}

fn push(clauses: &mut Vec<Clause>, text: &str, bytes: Range<usize>, opening: Opening) {
    let bytes = trimmed_of(text, bytes, |character| {
        character.is_whitespace() || matches!(character, ',' | ';' | ':' | '—' | '–' | '(' | ')' | '-' | '.')
    });
    if text[bytes.clone()].chars().any(|character| character.is_alphanumeric() || crate::tokens::is_emoji(character)) {
        clauses.push(Clause { bytes, opening });
    }
}

fn trimmed(text: &str, bytes: Range<usize>) -> Option<Range<usize>> {
    let bytes = trimmed_of(text, bytes, char::is_whitespace);
    (!bytes.is_empty()).then_some(bytes)
}

fn trimmed_of(text: &str, bytes: Range<usize>, unwanted: impl Fn(char) -> bool) -> Range<usize> {
    let part = &text[bytes.clone()];
    let start = bytes.start + (part.len() - part.trim_start_matches(&unwanted).len());
    let kept = part.trim_matches(unwanted).len();
    start..start + kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_sentences(text: &str, expected: &[&str]) {
        let found: Vec<&str> = sentences(text).into_iter().map(|bytes| &text[bytes]).collect();
        assert_eq!(found, expected);
    }

    fn check_clauses(text: &str, expected: &[(&str, Opening)]) {
        let clauses = clauses(text, 0..text.len());
        let found: Vec<(&str, Opening)> =
            clauses.iter().map(|clause| (&text[clause.bytes.clone()], clause.opening)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn sentences_end_at_marks_and_lines_not_at_abbreviations_numbers_or_pauses() {
        check_sentences("Good. Bad!\nUgly", &["Good.", "Bad!", "Ugly"]);
        check_sentences("Mr. Chan, St. Paul: $3.50. Wow!!! ", &["Mr. Chan, St. Paul: $3.50.", "Wow!!!"]);
        check_sentences("Well... it was fine... Never again.", &["Well... it was fine...", "Never again."]);
        check_sentences("\"Loved it!\" she said. 好吃！很好", &["\"Loved it!\"", "she said.", "好吃！", "很好"]);
        check_sentences(" \n ", &[]);
    }

    #[test]
    fn clauses_are_cut_at_contrasts() {
        use Opening::{Concession, Contrast, Plain};
        check_clauses("Great food but slow service.", &[("Great food", Plain), ("slow service", Contrast)]);
        check_clauses("Although it was loud, we stayed", &[("it was loud", Concession), ("we stayed", Plain)]);
        check_clauses(
            "Cheap; the bar, on the other hand, is not",
            &[("Cheap", Plain), ("the bar", Plain), ("is not", Contrast)],
        );
        check_clauses("Fine, at least the bread", &[("Fine", Plain), ("the bread", Contrast)]);
    }

    #[test]
    fn words_that_only_look_like_contrasts_cut_nothing() {
        let whole = |text| check_clauses(text, &[(text, Opening::Plain)]);
        whole("It was anything but cheap");
        whole("We waited a while");
        whole("They have not opened yet");
        whole("Not only cheap but also good");
        whole("We waited at least 30 minutes");
    }
}
