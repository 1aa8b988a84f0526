//! Gives each opinion of a sentence to what it is about, turned round where it is negated, and turns praise into blame
//! where the sentence is not meant as it says.

use std::ops::Range;

use super::Topic;
use super::lexicon::{Class, Opinion};
use super::reading::{ARTICLES, LINKING_VERBS, Mention, Reading, Segment, Sense};
use super::tone::{NEGATION, is_ironic, valence};

/// From here on, an opinion made for its target is bad enough to unmask praise beside it as irony.
const HARD_FACT: f64 = -1.4;
/// Words between a quality and the thing it is put before: `great little wine list`.
const ATTRIBUTE_REACH: usize = 3;
const PREPOSITIONS: [&str; 15] =
    ["after", "as", "at", "by", "for", "from", "in", "inside", "near", "of", "on", "outside", "to", "under", "with"];
/// What these say is about what follows: `I recommend the halibut`.
const OBJECT_VERBS: [&str; 17] = [
    "adore",
    "adored",
    "crave",
    "dislike",
    "disliked",
    "enjoy",
    "enjoyed",
    "hate",
    "hated",
    "like",
    "liked",
    "love",
    "loved",
    "loves",
    "recommend",
    "recommended",
    "try",
];
const PRONOUNS: [&str; 10] = ["he", "it", "it's", "she", "that", "these", "they", "this", "those", "which"];
const SPEAKERS: [&str; 4] = ["i", "i'm", "we", "we're"];
const OBJECTS: [&str; 6] = ["her", "him", "it", "that", "them", "this"];
const BARE_DENIALS: [&str; 7] = ["aren't", "didn't", "isn't", "not", "wasn't", "weren't", "don't"];

/// What a sentence says of one thing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub topic: Topic,
    pub dish: Option<String>,
    /// Sum of the opinions, each -4 to 4.
    pub valence: f64,
    pub terms: Vec<String>,
    /// Of the text.
    pub bytes: Range<usize>,
}

/// A finding in the making.
#[derive(Clone, Debug)]
struct Draft {
    mention: Mention,
    segment: usize,
    /// Token indices of what is named (empty if only implied) and of what is said.
    words: Vec<Range<usize>>,
    positive: f64,
    negative: f64,
    /// The part of both that would fit any other thing as well.
    general: f64,
    /// Something was said that is made for it.
    is_specific: bool,
    has_hard_fact: bool,
}

impl Draft {
    fn new(mention: Mention, segment: usize, words: Vec<Range<usize>>) -> Draft {
        let (positive, negative, general) = (0.0, 0.0, 0.0);
        Draft { mention, segment, words, positive, negative, general, is_specific: false, has_hard_fact: false }
    }

    fn valence(&self) -> f64 {
        self.positive + self.negative
    }

    fn add(&mut self, opinion: Opinion, valence: f64, words: Range<usize>) {
        if valence > 0.0 {
            self.positive += valence
        } else {
            self.negative += valence
        }
        if opinion.target.is_some() {
            self.is_specific = true;
            self.has_hard_fact |= valence <= HARD_FACT;
        } else {
            self.general += valence;
        }
        if valence != 0.0 {
            self.words.push(words);
        }
    }
}

/// The findings of a sentence in its order, and what a pronoun in the next sentence would stand for. subject: the same
/// from the sentence before.
pub(super) fn judge(reading: &Reading<'_>, subject: Option<Mention>) -> (Vec<Finding>, Option<Mention>) {
    let starts_with_pronoun = reading.is_word(0, &PRONOUNS);
    let carried = subject.clone().filter(|_| starts_with_pronoun).into_iter().collect();
    let mut judge = Judge { reading, drafts: Vec::new(), carried, pending: Vec::new() };
    for (at, segment) in reading.segments.iter().enumerate() {
        judge.segment(at, segment);
    }
    judge.share_between_joined_segments();
    judge.see_through_irony();
    let next_subject = judge.drafts.iter().map(|draft| draft.mention.clone()).find(|mention| !mention.is_guess);
    (judge.findings(), next_subject.or(subject))
}

struct Judge<'a> {
    reading: &'a Reading<'a>,
    drafts: Vec<Draft>,
    /// What the last segment that named something named, the subject first.
    carried: Vec<Mention>,
    /// General opinions before anything was named.
    pending: Vec<(Opinion, f64, Range<usize>)>,
}

impl Judge<'_> {
    fn segment(&mut self, at: usize, segment: &Segment) {
        let reading = self.reading;
        let compared =
            (segment.words.clone()).find(|&word| is_comparing_than(reading, word)).unwrap_or(segment.words.end);
        let signs = reading.signs.iter().filter(|sign| {
            segment.words.start <= sign.words.start
                && sign.words.end <= segment.words.end
                && sign.words.start <= compared
        });
        let first = self.drafts.len();
        for sign in signs.clone() {
            if let Sense::Mention(mention) = &sign.sense {
                self.drafts.push(Draft::new(mention.clone(), at, vec![sign.words.clone()]));
            }
        }
        for sign in signs {
            if let Sense::Opinion(opinions) = &sign.sense {
                self.place(at, first, segment, &sign.words, opinions);
            }
        }
        self.settle(first, segment);
    }

    /// Gives an opinion to the nearest thing it can be about.
    fn place(&mut self, at: usize, first: usize, segment: &Segment, words: &Range<usize>, opinions: &[Opinion]) {
        let valence = |opinion: &Opinion| valence(self.reading, segment, words, opinion.valence);
        if let Some((draft, opinion)) = self.best_mention(first, words, opinions) {
            let valence = valence(&opinion);
            self.drafts[draft].add(opinion, valence, words.clone());
        } else if let Some((mention, opinion)) = self.best_carried(segment, opinions) {
            let valence = valence(&opinion);
            if valence != 0.0 {
                self.draft_of(mention, at).add(opinion, valence, words.clone());
            }
        } else if let Some(&opinion) = opinions.iter().find(|opinion| opinion.implies && opinion.valence != 0.0) {
            let valence = valence(&opinion);
            let class = opinion.target.unwrap_or(Class { topic: Topic::Food, part: "" });
            self.draft_of(Mention { class, dish: None, is_guess: false }, at).add(opinion, valence, words.clone());
        } else if let Some(&opinion) = opinions.iter().find(|opinion| opinion.target.is_none()) {
            let is_of_speaker = self.speaks_of_the_speaker(segment);
            if self.drafts.is_empty() && !is_of_speaker {
                self.pending.push((opinion, valence(&opinion), words.clone()));
            }
        }
    }

    /// The draft of this segment that the opinion is about, and in which sense.
    fn best_mention(&self, first: usize, words: &Range<usize>, opinions: &[Opinion]) -> Option<(usize, Opinion)> {
        let order = self.order_of_mentions(first, words);
        let named = order.iter().copied().filter(|&draft| !self.drafts[draft].mention.is_guess);
        let fitting = |draft: usize| {
            let Mention { class, is_guess, .. } = self.drafts[draft].mention;
            closest(opinions, class).filter(|opinion| !is_guess || opinion.target.is_some()).map(|found| (draft, found))
        };
        // `friendly atmosphere`, `exquisite service`: said of a person or a place, it is about that, whatever it is
        // usually said of.
        let attribute = || {
            let draft = named.clone().next()?;
            let of_its_own = |opinion: &&Opinion| {
                let topic = opinion.target.map(|target| target.topic);
                opinion.implies && matches!(topic, Some(Topic::Food | Topic::Service | Topic::Ambience))
            };
            let opinion = opinions.iter().find(of_its_own)?;
            let class = self.drafts[draft].mention.class;
            // But a slow kitchen does not spoil the room.
            let fits = class.topic == Topic::Service || (class.topic == Topic::Ambience && opinion.valence > 0.0);
            fits.then_some((draft, Opinion::of_anything(opinion.valence)))
        };
        order.iter().copied().find_map(fitting).or_else(attribute)
    }

    /// The drafts of the segment, likeliest first: what the words are put before, then the subject before them, then
    /// what hangs on a preposition, then what follows.
    fn order_of_mentions(&self, first: usize, words: &Range<usize>) -> Vec<usize> {
        let reading = self.reading;
        let rank = |draft: &usize| {
            // A thing only implied has no place of its own; the opinion that implied it has.
            let named = &self.drafts[*draft].words[0];
            if named.start >= words.end {
                let between = words.end..named.start;
                let is_object = between.len() <= ATTRIBUTE_REACH && reading.is_word(words.end - 1, &OBJECT_VERBS);
                let is_attribute = between.len() <= ATTRIBUTE_REACH
                    && !between
                        .clone()
                        .any(|word| reading.is_word(word, &LINKING_VERBS) || reading.is_word(word, &ARTICLES))
                    && !reading.gap(named.start).contains([',', ':']);
                (if is_attribute || is_object { 0 } else { 3 }, named.start - words.end)
            } else {
                let distance = words.start.saturating_sub(named.end);
                (if follows_preposition(reading, named.start) { 2 } else { 1 }, distance)
            }
        };
        let has_place = |draft: &usize| !self.drafts[*draft].words.is_empty();
        let mut order: Vec<usize> = (first..self.drafts.len()).filter(has_place).collect();
        order.sort_by_key(rank);
        order
    }

    /// What was named before and the opinion fits; a general one only if the segment goes on about it.
    fn best_carried(&self, segment: &Segment, opinions: &[Opinion]) -> Option<(Mention, Opinion)> {
        let goes_on = !self.speaks_of_the_speaker(segment);
        let fitting = |mention: &Mention| {
            let opinion = closest(opinions, mention.class)?;
            (goes_on || opinion.target.is_some()).then(|| (mention.clone(), opinion))
        };
        self.carried.iter().filter(|mention| !mention.is_guess).find_map(fitting)
    }

    /// `we were happy`, but not `we loved it`.
    fn speaks_of_the_speaker(&self, segment: &Segment) -> bool {
        let has = |words: &[&str]| segment.words.clone().any(|word| self.reading.is_word(word, words));
        has(&SPEAKERS) && !has(&OBJECTS)
    }

    /// The draft of a thing that this segment does not name.
    fn draft_of(&mut self, mention: Mention, segment: usize) -> &mut Draft {
        let same = |draft: &Draft| draft.segment == segment && draft.mention == mention;
        let at = self.drafts.iter().position(same).unwrap_or_else(|| {
            self.drafts.push(Draft::new(mention, segment, Vec::new()));
            self.drafts.len() - 1
        });
        &mut self.drafts[at]
    }

    /// Ends a segment: what waited for a name, a bare denial, and what the next segment may go on about.
    fn settle(&mut self, first: usize, segment: &Segment) {
        let Some(subject) = (first..self.drafts.len()).find(|&draft| !self.drafts[draft].mention.is_guess) else {
            return;
        };
        let pending = std::mem::take(&mut self.pending);
        if self.drafts[subject].valence() == 0.0 {
            pending.into_iter().for_each(|(opinion, valence, words)| self.drafts[subject].add(opinion, valence, words));
        }
        // `the nachos are good, the guacamole is not`
        let last = segment.words.end - 1;
        let is_denial = self.reading.is_word(last, &BARE_DENIALS) && self.drafts[subject].valence() == 0.0;
        if let Some(before) = first.checked_sub(1).filter(|_| is_denial) {
            let valence = self.drafts[before].valence() * NEGATION;
            self.drafts[subject].add(Opinion::of_anything(valence), valence, last..last + 1);
        }
        self.carried = self.drafts[first..].iter().map(|draft| draft.mention.clone()).collect();
    }

    /// `the wine and the service were great`, `delicious pizza and pasta`: what has no opinion of its own shares a
    /// general one.
    fn share_between_joined_segments(&mut self) {
        for right in (1..self.reading.segments.len()).rev().filter(|&right| self.reading.segments[right].joined) {
            self.share(right, right - 1);
        }
        for right in (1..self.reading.segments.len()).filter(|&right| self.reading.segments[right].joined) {
            self.share(right - 1, right);
        }
    }

    fn share(&mut self, from: usize, to: usize) {
        let words = self.reading.segments[to].words.clone();
        let is_verb = |word: usize| {
            self.reading.is_word(word, &LINKING_VERBS)
                || self.reading.is_word(word, &SPEAKERS)
                || self.reading.is_word(word, &PRONOUNS)
        };
        let is_bare = words.len() <= 5 && !words.clone().any(is_verb);
        let Some(given) = self.drafts.iter().find(|draft| draft.segment == from && draft.valence() != 0.0) else {
            return;
        };
        let (topic, all, general) = (given.mention.class.topic, given.valence(), given.general);
        let said = given.words.last().cloned().unwrap_or(words.clone());
        if is_bare && self.drafts.iter().filter(|draft| draft.segment == to).all(|draft| draft.valence() == 0.0) {
            for draft in self.drafts.iter_mut().filter(|draft| draft.segment == to && !draft.mention.is_guess) {
                let valence = if draft.mention.class.topic == topic { all } else { general };
                draft.add(Opinion::of_anything(valence), valence, said.clone());
            }
        }
    }

    /// Praise that is not meant becomes blame, and a long wait is not praised at all.
    fn see_through_irony(&mut self) {
        let is_long_wait = |draft: &Draft| draft.mention.class.topic == Topic::Waiting && draft.has_hard_fact;
        self.drafts.iter_mut().filter(|draft| is_long_wait(draft)).for_each(|draft| draft.positive = 0.0);
        let has_hard_fact = self.drafts.iter().any(|draft| draft.has_hard_fact);
        let is_bad_after = |word: usize| {
            let is_after = |draft: &Draft| draft.words.iter().any(|words| words.start > word);
            self.drafts.iter().any(|draft| draft.negative < 0.0 && is_after(draft))
        };
        if is_ironic(self.reading, has_hard_fact, is_bad_after) {
            for draft in &mut self.drafts {
                if draft.negative == 0.0 && draft.positive > 0.0 {
                    draft.negative = -draft.positive;
                }
                draft.positive = 0.0;
            }
        }
    }

    fn findings(self) -> Vec<Finding> {
        let reading = self.reading;
        let kept = self.drafts.into_iter().filter(|draft| !draft.mention.is_guess || draft.is_specific);
        let finding = |draft: Draft| Finding {
            topic: draft.mention.class.topic,
            valence: draft.valence(),
            terms: draft.words.iter().map(|words| reading.words[words.clone()].join(" ")).collect(),
            bytes: reading.bytes(&reading.segments[draft.segment].words),
            dish: draft.mention.dish,
        };
        kept.map(finding).collect()
    }
}

/// The opinion that fits a mention most closely, the first of equals.
fn closest(opinions: &[Opinion], class: Class) -> Option<Opinion> {
    let fits = opinions.iter().filter_map(|opinion| opinion.fit(class).map(|fit| (fit, *opinion)));
    fits.rev().max_by_key(|(fit, _)| *fit).map(|(_, opinion)| opinion)
}

/// `than` sets the rest of the segment beside, which is then not what is spoken of; `more than generous` does not.
fn is_comparing_than(reading: &Reading<'_>, word: usize) -> bool {
    reading.is_word(word, &["than"]) && !reading.is_word(word.wrapping_sub(1), &["more", "less", "rather", "other"])
}

fn follows_preposition(reading: &Reading<'_>, at: usize) -> bool {
    let is = |back: usize, words: &[&str]| at.checked_sub(back).is_some_and(|before| reading.is_word(before, words));
    is(1, &PREPOSITIONS) || (is(1, &ARTICLES) && is(2, &PREPOSITIONS))
}
