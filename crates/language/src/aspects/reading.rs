//! Reads one sentence: which of its words name something, which say something, and into which parts it falls, so that
//! each part speaks of its own.

use std::borrow::Cow;
use std::ops::Range;

use super::Topic;
use super::lexicon::{Class, Meaning, Opinion, lexicon};
use super::waiting::waiting_time;
use crate::clauses::{Clause, clauses_of};
use crate::quotes::{is_apostrophe, is_quotation_mark};
use crate::tokens::{Token, TokenKind, tokens};
use crate::vader;

/// Words that join equals, or begin a part with its own verb.
const JOINTS: [&str; 8] = ["and", "because", "or", "plus", "since", "when", "which", "who"];
/// After one of these, `the X` is something to eat.
const ORDERING: [&str; 8] = ["ordered", "tried", "try", "ordering", "order", "tasted", "devoured", "shared"];
pub(super) const ARTICLES: [&str; 9] = ["the", "a", "an", "some", "my", "our", "their", "his", "her"];
/// Between a subject and what is said of it.
pub(super) const LINKING_VERBS: [&str; 22] = [
    "are", "aren't", "arrived", "came", "come", "felt", "is", "isn't", "looked", "looks", "melted", "seemed",
    "smelled", "smells", "sounded", "tasted", "tastes", "turned", "was", "wasn't", "were", "weren't",
];

/// What is named: a topic or a dish.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mention {
    pub class: Class,
    pub dish: Option<String>,
    /// Named by a word nobody knows before `was`: only an opinion on food makes it a dish.
    pub is_guess: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sense {
    Mention(Mention),
    Opinion(Vec<Opinion>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sign {
    /// Token indices.
    pub words: Range<usize>,
    pub sense: Sense,
}

/// A part of the sentence that speaks of one thing, or of several in the same words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    /// Token indices, never empty.
    pub words: Range<usize>,
    /// Joined to the segment before by a comma or a word such as `and`.
    pub joined: bool,
}

pub(super) struct Reading<'a> {
    pub sentence: &'a str,
    /// Where the sentence begins in the text, in bytes.
    pub offset: usize,
    pub tokens: Vec<Token<'a>>,
    /// The tokens' words as they were meant: a slip of one letter is mended.
    pub words: Vec<Cow<'a, str>>,
    /// In the order of the sentence, not overlapping.
    pub signs: Vec<Sign>,
    pub segments: Vec<Segment>,
    /// The text says itself that this is not meant: `/s`.
    pub is_marked_ironic: bool,
}

impl<'a> Reading<'a> {
    pub fn new(text: &'a str, bytes: Range<usize>) -> Reading<'a> {
        let (sentence, offset) = (&text[bytes.clone()], bytes.start);
        let tokens = tokens(sentence);
        let mended = |token: &Token<'a>| match lexicon().corrected(&token.lower) {
            Some(known) => Cow::Owned(known.to_owned()),
            None => token.lower.clone(),
        };
        let words = tokens.iter().map(mended).collect();
        let is_ironic = |text: &str| text == "/s" || text.starts_with("/s ") || text.starts_with("/s\n");
        let is_marked_ironic = sentence.ends_with("/s") || is_ironic(text[bytes.end..].trim_start());
        let (signs, segments) = (Vec::new(), Vec::new());
        let mut reading = Reading { sentence, offset, tokens, words, signs, segments, is_marked_ironic };
        reading.find_signs();
        reading.guess_dishes();
        reading.cut();
        reading
    }

    /// What stands between a token and the one before it.
    pub fn gap(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.tokens[before].bytes.end);
        let end = self.tokens.get(at).map_or(self.sentence.len(), |token| token.bytes.start);
        &self.sentence[start..end]
    }

    /// The text's bytes that some tokens take.
    pub fn bytes(&self, words: &Range<usize>) -> Range<usize> {
        self.offset + self.tokens[words.start].bytes.start..self.offset + self.tokens[words.end - 1].bytes.end
    }

    pub fn is_word(&self, at: usize, words: &[&str]) -> bool {
        self.words.get(at).is_some_and(|word| words.contains(&&**word))
    }

    /// Whether the words stand in quotation marks by themselves: `the "chef"`.
    pub fn is_quoted(&self, words: &Range<usize>) -> bool {
        self.gap(words.start).ends_with(is_quotation_mark) && self.gap(words.end).starts_with(is_quotation_mark)
    }

    fn find_signs(&mut self) {
        let mut at = 0;
        while at < self.words.len() {
            let (words, senses) = self.senses_at(at);
            let range = at..at + words;
            self.signs.extend(senses.into_iter().map(|sense| Sign { words: range.clone(), sense }));
            at += words;
        }
    }

    /// How many words are taken, at least one, and what they mean.
    fn senses_at(&self, at: usize) -> (usize, Vec<Sense>) {
        if self.tokens[at].kind == TokenKind::Emoji {
            return (1, self.emoji_opinion(at).map(|opinion| Sense::Opinion(vec![opinion])).into_iter().collect());
        }
        if let Some((words, opinion)) = waiting_time(&self.words, at) {
            return (words, vec![Sense::Opinion(vec![opinion])]);
        }
        if let Some((words, mention)) = self.dish(at) {
            return (words, vec![Sense::Mention(mention)]);
        }
        if let Some((words, meaning)) = self.phrase(at) {
            let mention = meaning.names.map(|class| Mention { class, dish: None, is_guess: false });
            let mut opinions = meaning.opinions.clone();
            let is_rated = opinions.iter().any(|opinion| opinion.target.is_none() || opinion.implies);
            if !is_rated && words == 1 && !opinions.is_empty() {
                opinions.extend(self.rating(at));
            }
            let opinion = (!opinions.is_empty()).then_some(Sense::Opinion(opinions));
            return (words, mention.map(Sense::Mention).into_iter().chain(opinion).collect());
        }
        (1, self.rating(at).map(|opinion| Sense::Opinion(vec![opinion])).into_iter().collect())
    }

    /// VADER's rating of a word, for lack of a better.
    fn rating(&self, at: usize) -> Option<Opinion> {
        vader::facts(&self.words[at]).rating.map(Opinion::of_anything)
    }

    /// The phrase that begins here; no punctuation stands inside one.
    fn phrase(&self, at: usize) -> Option<(usize, &'static Meaning)> {
        let end = self.words.len().min(at + lexicon().longest(&self.words[at])?);
        let end = (at + 1..end).find(|&next| !self.touches(next)).unwrap_or(end);
        lexicon().phrase(&self.words[at..end])
    }

    /// Whether only space, a hyphen or an apostrophe parts a token from the one before.
    fn touches(&self, at: usize) -> bool {
        let joins = |sign: char| sign.is_whitespace() || matches!(sign, '-' | '/') || is_apostrophe(sign);
        self.gap(at).chars().all(joins)
    }

    /// A dish with what belongs to its name: `garlic butter shrimp`, `chicken` and `curry` side by side.
    fn dish(&self, at: usize) -> Option<(usize, Mention)> {
        let mut end = at;
        let mut class = None;
        loop {
            let phrase = (end == at || self.touches_at(end)).then(|| self.phrase_at(end)).flatten();
            match phrase.filter(|(_, meaning)| meaning.is_dish) {
                Some((words, meaning)) => (end, class) = (end + words, meaning.names),
                None if self.is_modifier(end) && (end == at || self.touches_at(end)) => end += 1,
                None => break,
            }
        }
        // Modifiers after the last dish are not its name: `the chicken Thai style`.
        while class.is_some() && end > at + 1 && self.is_modifier(end - 1) && self.dish_ends_before(at, end) {
            end -= 1;
        }
        let class = class?;
        let dish = self.words[at..end].join(" ");
        if self.touches_at(end) && self.is_word(end, &["dish", "dishes", "plate", "plates", "platter"]) {
            end += 1;
        }
        Some((end - at, Mention { class, dish: Some(dish), is_guess: false }))
    }

    fn phrase_at(&self, at: usize) -> Option<(usize, &'static Meaning)> {
        if at < self.words.len() { self.phrase(at) } else { None }
    }

    fn touches_at(&self, at: usize) -> bool {
        at < self.words.len() && self.touches(at)
    }

    fn is_modifier(&self, at: usize) -> bool {
        self.words.get(at).is_some_and(|word| lexicon().is_dish_modifier(word))
    }

    /// Whether some dish ends within `from..end` before its last word, so that this word is no part of the name.
    fn dish_ends_before(&self, from: usize, end: usize) -> bool {
        (from..end)
            .all(|start| self.phrase(start).is_none_or(|(words, meaning)| !meaning.is_dish || start + words != end))
    }

    /// An emoji by our table, else by the rated words of VADER's description of it.
    fn emoji_opinion(&self, at: usize) -> Option<Opinion> {
        let emoji = self.tokens[at].lower.chars().next()?;
        let described = || {
            let words = vader::emoji_description(emoji)?.split(' ');
            let valence: f64 = words.filter_map(|word| vader::facts(word).rating).sum();
            (valence != 0.0).then(|| Opinion::of_anything(valence))
        };
        lexicon().emoji(emoji).or_else(described)
    }

    /// Names nobody listed: `ordered the okroshka`, `the okroshka was`.
    fn guess_dishes(&mut self) {
        let mut guesses = Vec::new();
        for at in 0..self.words.len() {
            if !self.is_word(at, &ARTICLES) {
                continue;
            }
            let is_free = |word: &usize| {
                lexicon().may_be_dish(&self.tokens[*word].lower)
                    && self.touches(*word)
                    && self.words[*word] == self.tokens[*word].lower
                    && !self.is_word(*word, &LINKING_VERBS)
                    && !self.is_word(*word, &JOINTS)
            };
            let name = at + 1..at + 1 + (at + 1..self.words.len().min(at + 3)).take_while(is_free).count();
            let is_ordered = at > 0 && self.is_word(at - 1, &ORDERING);
            if !name.is_empty() && (is_ordered || self.is_word(name.end, &LINKING_VERBS)) {
                guesses.push((name, is_ordered));
            }
        }
        for (words, is_ordered) in guesses {
            let class = Class { topic: Topic::Food, part: "unknown" };
            let mention = Mention { class, dish: Some(self.words[words.clone()].join(" ")), is_guess: !is_ordered };
            let at = self.signs.partition_point(|sign| sign.words.start < words.start);
            self.signs.insert(at, Sign { words, sense: Sense::Mention(mention) });
        }
    }

    /// Cuts at contrasts, after emoji, and at commas and joints where both sides have something of their own to speak
    /// of.
    fn cut(&mut self) {
        let start = |bytes: usize| self.tokens.partition_point(|token| token.bytes.start < bytes);
        let mut segments = Vec::new();
        for Clause { bytes, opening: _ } in clauses_of(self.sentence, &self.tokens) {
            let clause = start(bytes.start)..start(bytes.end);
            let (mut begin, mut joined) = (clause.start, false);
            for at in clause.clone().skip(1) {
                if at > begin && self.is_cut(begin, at, clause.end) {
                    segments.push(Segment { words: begin..at, joined });
                    (begin, joined) = (at, true);
                }
            }
            if begin < clause.end {
                segments.push(Segment { words: begin..clause.end, joined });
            }
        }
        self.segments = segments;
    }

    fn is_cut(&self, begin: usize, at: usize, end: usize) -> bool {
        let after_emoji = self.tokens[at - 1].kind == TokenKind::Emoji && self.tokens[at].kind != TokenKind::Emoji;
        let is_joint = self.gap(at).contains([',', '&', '+']) || self.is_word(at, &JOINTS);
        if !after_emoji && !is_joint {
            return false;
        }
        let in_range = |range: Range<usize>| {
            self.signs.iter().filter(move |sign| range.start <= sign.words.start && sign.words.end <= range.end)
        };
        // A phrase across the joint, as in `mac and cheese`, is not cut.
        let is_inside = self.signs.iter().any(|sign| sign.words.start < at && at < sign.words.end);
        let right: Vec<Topic> = in_range(at..end).flat_map(topics).collect();
        let left_names = in_range(begin..at).any(|sign| matches!(sign.sense, Sense::Mention(_)));
        let left: Vec<Topic> = in_range(begin..at).flat_map(topics).collect();
        let own = left_names || !left.iter().any(|topic| right.contains(topic));
        after_emoji || (!is_inside && !left.is_empty() && !right.is_empty() && own)
    }
}

/// The topics a sign speaks of by itself.
fn topics(sign: &Sign) -> Vec<Topic> {
    match &sign.sense {
        Sense::Mention(mention) => vec![mention.class.topic],
        Sense::Opinion(opinions) => {
            let implied = opinions.iter().filter(|opinion| opinion.implies);
            implied.filter_map(|opinion| opinion.target).map(|target| target.topic).collect()
        }
    }
}
