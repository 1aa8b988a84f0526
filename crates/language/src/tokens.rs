//! Words as reviewers write them: `don't` is one word, `10/10` one number, a family emoji one sign. Every token knows
//! where it stands in the original text, so that an answer can quote it.

use std::borrow::Cow;

use std::ops::Range;

use crate::quotes::{is_apostrophe, plain_quotes};

/// Words that turn round what follows them. Words with `n't` do so without being listed. Ours, after VADER's list, less
/// those that weaken rather than negate; `hardly any meat` is read as no meat.
const NEGATING: [&str; 24] = [
    "aint", "barely", "cannot", "cant", "couldnt", "didnt", "doesnt", "dont", "hardly", "havent", "isnt", "lack",
    "lacked", "lacks", "neither", "never", "no", "nobody", "nor", "not", "nothing", "wasnt", "without", "wouldnt",
];

/// What a word under a negation is marked with.
pub(crate) const NEGATED: &str = "not_";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Letters and digits that begin with a letter, or mix both (`7pm`); apostrophes inside are kept.
    Word,
    /// Digits, with one of `. , : /` between two of them: `3.50`, `1,200`, `10/10`.
    Number,
    /// An emoji with its modifiers and all that is joined to it.
    Emoji,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Token<'a> {
    /// In lower case, with `'` for every sign that means it.
    pub lower: Cow<'a, str>,
    pub kind: TokenKind,
    /// Where it stands in the text, in bytes; always on character boundaries.
    pub bytes: Range<usize>,
    /// Where it stands in the text, in characters (Unicode scalar values).
    pub characters: Range<usize>,
}

impl Token<'_> {
    /// True for a word that negates what follows.
    pub fn negates(&self) -> bool {
        NEGATING.binary_search(&&*self.lower).is_ok() || self.lower.ends_with("n't")
    }
}

/// The tokens of a text, in order; punctuation and white space are left out. text: any Unicode. O(length).
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::with_capacity(text.len() / 5);
    let mut cursor = Cursor { text, byte: 0, character: 0 };
    while let Some(first) = cursor.peek(0) {
        let (byte, character) = (cursor.byte, cursor.character);
        let Some(kind) = cursor.token(first) else {
            cursor.step(first);
            continue;
        };
        let bytes = byte..cursor.byte;
        let lower = lower_case(&text[bytes.clone()]);
        tokens.push(Token { lower, kind, bytes, characters: character..cursor.character });
    }
    tokens
}

/// Where the reading has come to.
struct Cursor<'a> {
    text: &'a str,
    byte: usize,
    character: usize,
}

impl Cursor<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.text[self.byte..].chars().nth(ahead)
    }

    fn step(&mut self, character: char) {
        self.byte += character.len_utf8();
        self.character += 1;
    }

    fn step_while(&mut self, fits: impl Fn(char) -> bool) {
        while let Some(next) = self.peek(0).filter(|&next| fits(next)) {
            self.step(next);
        }
    }

    /// Reads the token that begins here, if one does.
    fn token(&mut self, first: char) -> Option<TokenKind> {
        if first.is_ascii_digit() {
            Some(self.number_or_word())
        } else if is_word_character(first) && !is_mark(first) {
            self.word();
            Some(TokenKind::Word)
        } else if is_emoji(first) {
            self.emoji(first);
            Some(TokenKind::Emoji)
        } else {
            None
        }
    }

    fn number_or_word(&mut self) -> TokenKind {
        self.step_while(|next| next.is_ascii_digit());
        while let (Some('.' | ',' | ':' | '/'), Some('0'..='9')) = (self.peek(0), self.peek(1)) {
            self.step('.');
            self.step_while(|next| next.is_ascii_digit());
        }
        if !self.peek(0).is_some_and(is_word_character) {
            return TokenKind::Number;
        }
        self.word();
        TokenKind::Word
    }

    fn word(&mut self) {
        loop {
            self.step_while(is_word_character);
            match (self.peek(0), self.peek(1)) {
                (Some(sign), Some(next)) if is_apostrophe(sign) && is_word_character(next) => self.step(sign),
                _ => return,
            }
        }
    }

    fn emoji(&mut self, first: char) {
        self.step(first);
        if is_flag_letter(first) {
            if let Some(second) = self.peek(0).filter(|&second| is_flag_letter(second)) {
                self.step(second);
            }
            return;
        }
        self.step_while(is_emoji_modifier);
        while let (Some('\u{200d}'), Some(joined)) = (self.peek(0), self.peek(1)) {
            if !is_emoji(joined) {
                return;
            }
            self.step('\u{200d}');
            self.step(joined);
            self.step_while(is_emoji_modifier);
        }
    }
}

fn is_word_character(character: char) -> bool {
    // One apostrophe counts as a letter in Unicode; at a word's end it is a quotation mark like the others.
    (character.is_alphanumeric() || character == '_' || is_mark(character)) && !is_apostrophe(character)
}

/// Accents written as characters of their own, which must not cut a word in two.
fn is_mark(character: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&character)
}

/// Signs that are shown as pictures. Source: Unicode 16, emoji-data.txt; whole blocks where nearly all are emoji.
pub(crate) fn is_emoji(character: char) -> bool {
    matches!(character, '\u{203c}' | '\u{2049}' | '\u{231a}' | '\u{231b}' | '\u{23e9}'..='\u{23fa}'
        | '\u{2600}'..='\u{27bf}' | '\u{2b1b}' | '\u{2b1c}' | '\u{2b50}' | '\u{2b55}' | '\u{3030}' | '\u{303d}'
        | '\u{1f000}'..='\u{1f0ff}' | '\u{1f170}'..='\u{1f251}' | '\u{1f300}'..='\u{1faff}')
}

fn is_flag_letter(character: char) -> bool {
    ('\u{1f1e6}'..='\u{1f1ff}').contains(&character)
}

/// Presentation, skin and tag signs that belong to the emoji before them.
fn is_emoji_modifier(character: char) -> bool {
    matches!(character, '\u{fe0e}' | '\u{fe0f}' | '\u{20e3}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
}

fn lower_case(written: &str) -> Cow<'_, str> {
    let lower = crate::vader::lower_case(written);
    match plain_quotes(&lower) {
        Cow::Owned(plain) => Cow::Owned(plain),
        Cow::Borrowed(_) => lower,
    }
}

/// Words (`good`) and, with `pairs`, neighbours (`not good`), in order. With `negated`, one per token, a word under a
/// negation is marked: `not_good`. Calls `each` with every gram, so that nothing is kept that is only counted.
pub fn for_each_gram(tokens: &[Token<'_>], pairs: bool, negated: Option<&[bool]>, mut each: impl FnMut(&str)) {
    let (mut pair, mut before) = (String::new(), 0);
    for (at, token) in tokens.iter().enumerate() {
        // `pair` ends with the last token's word, from `before` on; this one is written behind it.
        pair.drain(..before);
        let joint = pair.len();
        if at > 0 {
            pair.push(' ');
        }
        before = pair.len();
        if negated.is_some_and(|negated| negated[at]) {
            pair.push_str(NEGATED);
        }
        pair.push_str(&token.lower);
        each(&pair[before..]);
        if pairs && joint > 0 {
            each(&pair);
        }
    }
}

/// Runs of `lengths` characters within a token, with a space put at both of its ends: `_fo foo ood od_`, which forgives
/// typos. A token shorter than the run gives itself once. Source: scikit-learn's `char_wb`.
pub fn character_grams(token: &str, lengths: Range<usize>, mut each: impl FnMut(&str)) {
    let padded = [" ", token, " "].concat();
    let starts: Vec<usize> = match padded.is_ascii() {
        true => Vec::new(),
        false => padded.char_indices().map(|(start, _)| start).chain([padded.len()]).collect(),
    };
    // Of characters of one byte the place is the number.
    let start = |at: usize| starts.get(at).copied().unwrap_or(at);
    let characters = if starts.is_empty() { padded.len() } else { starts.len() - 1 };
    for length in lengths.filter(|&length| length > 0) {
        if length >= characters {
            return each(&padded);
        }
        (0..=characters - length).for_each(|at| each(&padded[start(at)..start(at + length)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found = tokens(text);
        let lower: Vec<&str> = found.iter().map(|token| &*token.lower).collect();
        assert_eq!(lower, expected, "{text:?}");
    }

    #[test]
    fn the_negating_words_are_in_the_order_the_search_needs() {
        assert!(NEGATING.is_sorted());
    }

    #[test]
    fn apostrophes_numbers_accents_and_emoji_stay_whole() {
        check("Don’t go, the waiters' room isn't open", &["don't", "go", "the", "waiters", "room", "isn't", "open"]);
        check("10/10, $3.50 at 7pm. 1,200!", &["10/10", "3.50", "at", "7pm", "1,200"]);
        check("cafe\u{301} Crème-brûlée", &["cafe\u{301}", "crème", "brûlée"]);
        check("ok👍🏽👨‍👩‍👧🇫🇷!", &["ok", "👍🏽", "👨‍👩‍👧", "🇫🇷"]);
        check(" \u{300}' ’’ -- ", &[]);
    }

    #[test]
    fn a_token_says_where_it_stands_in_bytes_and_in_characters() {
        let text = "Crème 👍 Brûlée";
        let last = tokens(text).pop().unwrap();
        assert_eq!((&text[last.bytes.clone()], last.characters), ("Brûlée", 8..14));
    }

    #[test]
    fn character_grams_are_padded_and_stay_within_a_word() {
        let collect = |text: &str, lengths| {
            let mut grams = Vec::new();
            character_grams(text, lengths, |gram| grams.push(gram.to_owned()));
            grams
        };
        assert_eq!(collect("food", 3..4), [" fo", "foo", "ood", "od "]);
        assert_eq!(collect("é", 3..4), [" é "]);
        assert_eq!(collect("a", 3..6), [" a "]);
    }
}
