//! Words that turn the sense: contrasts, which set what follows against what was said, and how far a negation reaches.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::tokens::{Token, TokenKind};

/// A phrase, and how the clause after it stands to the one before.
type Contrast = (&'static [&'static str], Opening);

/// Words and phrases that set what follows against what was said; longer ones before those they begin with.
const CONTRASTS: [Contrast; 27] = [
    (&["on", "the", "other", "hand"], Opening::Contrast),
    (&["on", "the", "flip", "side"], Opening::Contrast),
    (&["with", "the", "exception", "of"], Opening::Contrast),
    (&["in", "spite", "of"], Opening::Concession),
    (&["at", "least"], Opening::Contrast),
    (&["then", "again"], Opening::Contrast),
    (&["even", "though"], Opening::Concession),
    (&["even", "if"], Opening::Concession),
    (&["except", "that"], Opening::Contrast),
    (&["except", "for"], Opening::Contrast),
    (&["apart", "from"], Opening::Concession),
    (&["aside", "from"], Opening::Concession),
    (&["but", "then"], Opening::Contrast),
    (&["and", "yet"], Opening::Contrast),
    (&["but"], Opening::Contrast),
    (&["however"], Opening::Contrast),
    (&["although"], Opening::Concession),
    (&["altho"], Opening::Concession),
    (&["though"], Opening::Concession),
    (&["yet"], Opening::Contrast),
    (&["while"], Opening::Concession),
    (&["whilst"], Opening::Concession),
    (&["whereas"], Opening::Concession),
    (&["except"], Opening::Contrast),
    (&["despite"], Opening::Concession),
    (&["nevertheless"], Opening::Contrast),
    (&["nonetheless"], Opening::Contrast),
];

/// Most words begin none of them: comparing with all was a tenth of reading a sentence.
static BY_FIRST_WORD: LazyLock<FxHashMap<&str, Vec<Contrast>>> = LazyLock::new(|| {
    let mut by_first: FxHashMap<&str, Vec<Contrast>> = FxHashMap::default();
    CONTRASTS.iter().for_each(|&(words, opening)| by_first.entry(words[0]).or_default().push((words, opening)));
    by_first
});

/// How a clause stands to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It begins the sentence, or only goes on: a semicolon, a dash.
    Plain,
    /// `but`, `however`, `yet`, `except`: it speaks against what stands before.
    Contrast,
    /// `although`, `while`, `despite`: it admits something against what stands beside it.
    Concession,
}

/// Which tokens stand under a negation: from the word after the negating one to the next punctuation mark or contrast
/// (`not good, but cheap`: only `good`). One per token. text: the one the tokens were read from.
/// Source: Das & Chen 2001, Pang et al. 2002.
pub fn negated(text: &str, tokens: &[Token<'_>]) -> Vec<bool> {
    let mut negated = Vec::with_capacity(tokens.len());
    let mut under = false;
    for (at, token) in tokens.iter().enumerate() {
        let gap = at.checked_sub(1).map_or("", |before| &text[tokens[before].bytes.end..token.bytes.start]);
        let ends = gap.contains(['.', ',', ';', ':', '!', '?', '(', ')', '\n', '…', '—']);
        under &= !ends && token.kind != TokenKind::Emoji && contrast_words(text, tokens, at) == 0;
        negated.push(under);
        // `not only good` says that it is good.
        let is_only = tokens.get(at + 1).is_some_and(|next| matches!(&*next.lower, "only" | "just"));
        under |= token.negates() && !is_only;
    }
    negated
}

/// How many tokens from `at` on are a contrast; 0 if they are none. text: what the tokens were read from.
pub(crate) fn contrast_words(text: &str, tokens: &[Token<'_>], at: usize) -> usize {
    let Some((words, _)) = contrast(&tokens[at..]) else { return 0 };
    let before = at.checked_sub(1).map_or("", |before| &*tokens[before].lower);
    let next = tokens.get(at + words).map_or("", |next| &*next.lower);
    let stands = match &*tokens[at].lower {
        // `nothing but praise`, `anything but cheap`, `couldn't help but smile`, `not only cheap but also good`.
        "but" => !matches!(before, "nothing" | "anything" | "all" | "help") && next != "also",
        // `not open yet`, `as yet`; `and yet` and a comma before it are contrasts.
        "yet" => !next.is_empty() && before != "as" && !tokens[..at].iter().rev().take(4).any(Token::negates),
        // `a while`, `once in a while`, `worth your while`.
        "while" => !matches!(before, "a" | "the" | "your" | "my" | "our" | "quite" | "long"),
        // `the least at least`; `at least 30 minutes` is a number's, not a contrast.
        "at" => {
            tokens.get(at + words).is_some_and(|next| next.kind == TokenKind::Word) && follows_comma(text, tokens, at)
        }
        _ => true,
    };
    if stands { words } else { 0 }
}

fn follows_comma(text: &str, tokens: &[Token<'_>], at: usize) -> bool {
    at > 0 && text[tokens[at - 1].bytes.end..tokens[at].bytes.start].contains(',')
}

pub(crate) fn contrast(tokens: &[Token<'_>]) -> Option<(usize, Opening)> {
    let fits = |words: &[&str]| {
        words.len() <= tokens.len() && words.iter().zip(tokens).all(|(word, token)| token.lower == **word)
    };
    let begun = BY_FIRST_WORD.get(&*tokens.first()?.lower)?;
    begun.iter().find(|(words, _)| fits(words)).map(|&(words, opening)| (words.len(), opening))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::{for_each_gram, tokens};

    fn grams(text: &str, negation: bool) -> Vec<String> {
        let tokens = tokens(text);
        let scope = negation.then(|| negated(text, &tokens));
        let mut grams = Vec::new();
        for_each_gram(&tokens, true, scope.as_deref(), |gram| grams.push(gram.to_owned()));
        grams
    }

    #[test]
    fn negation_reaches_to_the_next_mark_or_contrast() {
        let expected = ["not", "not_good", "not not_good", "but", "not_good but", "cheap", "but cheap"];
        assert_eq!(grams("not good but cheap", true), expected);
        assert_eq!(
            grams("Isn't good, cheap", true),
            ["isn't", "not_good", "isn't not_good", "cheap", "not_good cheap"]
        );
        assert_eq!(grams("not only good", true), ["not", "only", "not only", "good", "only good"]);
        assert_eq!(grams("not good", false), ["not", "good", "not good"]);
    }
}
