//! From impressions to a text: clauses about one aspect each, joined by `and` where they agree and by a contrast where
//! they do not, in the guest's own spelling.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};

use super::words::*;
use super::world::Aspect;

/// From here on an impression is strong, below the other it is neither good nor bad.
const STRONG: f64 = 0.65;
const FAINT: f64 = 0.2;
const CLAUSES_MAX: usize = 6;
const PRESENT_SHARE: f64 = 0.2; // of the texts: the food is, not was
const JOINED_SHARE: f64 = 0.5;
const OPENER_SHARE: f64 = 0.3;
const CLOSER_SHARE: f64 = 0.4;
const VERY_SHARE: f64 = 0.3;
const EMOJI_ALONE_SHARE: f64 = 0.7; // at the end; else after a sentence

/// How one guest writes, whatever about.
pub(super) struct Voice {
    /// Beyond the first.
    clauses_mean: f64,
    /// Of the words.
    typo_share: f64,
    /// Of the texts.
    emoji_share: f64,
    /// Of the strong sentences.
    shout_share: f64,
    /// Of the complaints.
    sarcasm_share: f64,
    no_capitals: bool,
    no_apostrophes: bool,
}

impl Voice {
    pub fn draw(random: &mut ChaCha8Rng) -> Voice {
        Voice {
            clauses_mean: random.random_range(0.4..3.2),
            typo_share: if random.random_bool(0.3) { random.random_range(0.01..0.06) } else { 0.0015 },
            emoji_share: if random.random_bool(0.2) { random.random_range(0.2..0.7) } else { 0.0 },
            shout_share: random.random_range(0.0..0.7),
            sarcasm_share: if random.random_bool(0.12) { random.random_range(0.1..0.5) } else { 0.0 },
            no_capitals: random.random_bool(0.12),
            no_apostrophes: random.random_bool(0.15),
        }
    }

    /// How many clauses the next text has, 1..=6.
    pub fn clauses(&self, random: &mut ChaCha8Rng) -> usize {
        let beyond = Poisson::new(self.clauses_mean).expect("above 0 and small").sample(random);
        (1 + beyond as usize).min(CLAUSES_MAX)
    }
}

/// One thing said of one aspect.
struct Clause {
    text: String,
    /// -2..=2: how the guest feels about it, whatever the words say.
    tone: i8,
    sarcastic: bool,
}

/// The text of a review, in one line, and whether some of it is sarcasm. `points`: what it is about, at least one.
pub(super) fn write_text(
    voice: &Voice,
    points: &[(Aspect, f64)],
    stars: u8,
    menu: &'static [Noun],
    random: &mut ChaCha8Rng,
) -> (String, bool) {
    let mut scene = Scene { menu, present: random.random_bool(PRESENT_SHARE), eaten: Vec::new() };
    let clauses: Vec<Clause> = points.iter().map(|point| scene.clause(voice, *point, random)).collect();
    let sarcastic = clauses.iter().any(|clause| clause.sarcastic);
    let mut sentences = Vec::new();
    if random.random_bool(OPENER_SHARE) {
        sentences.push(capitalised(&scene.filled(OPENERS.choose(random).expect("some"), random)) + ".");
    }
    sentences.extend(joined(clauses, voice, random));
    if random.random_bool(CLOSER_SHARE) {
        let closer = CLOSERS[usize::from(stars) - 1].choose(random).expect("some");
        let tone = if stars == 1 || stars == 5 { 2 } else { 0 };
        sentences.push(format!("{closer}{}", full_stop(tone, voice, random)));
    }
    if random.random_bool(voice.emoji_share) {
        add_emoji(&mut sentences, stars, random);
    }
    (spelled(&sentences.join(" "), voice, random), sarcastic)
}

/// What the clauses of one text share.
struct Scene {
    menu: &'static [Noun],
    present: bool,
    /// Dishes named so far: nobody praises and damns one dish in one text.
    eaten: Vec<Noun>,
}

impl Scene {
    fn clause(&mut self, voice: &Voice, (aspect, impression): (Aspect, f64), random: &mut ChaCha8Rng) -> Clause {
        let wording = wording(aspect);
        let sarcastic = impression < -FAINT && random.random_bool(voice.sarcasm_share);
        if sarcastic {
            let text = self.filled(wording.sarcasm.choose(random).expect("some"), random);
            return Clause { text: text + SARCASM_MARKS.choose(random).expect("some"), tone: -2, sarcastic };
        }
        let subject = self.subject(aspect, wording, random);
        let form: f64 = random.random();
        let is_whole = random.random_bool(0.35);
        let (tone, text) = match impression {
            STRONG.. if is_whole => (2, whole(wording.praise, random)),
            STRONG.. => (2, self.statement(subject, wording.great, 0.0, random)),
            FAINT.. if is_whole && form < 0.5 => (1, whole(wording.praise, random)),
            FAINT.. if is_whole => (1, self.denial(subject, wording.denied_blame, random)),
            FAINT.. => (1, self.statement(subject, wording.good, VERY_SHARE, random)),
            even if even > -FAINT => (0, self.half_hearted(subject, wording, form, random)),
            bad if bad > -STRONG => match form {
                ..0.3 => (-1, self.denial(subject, wording.denied_praise, random)),
                ..0.55 => (-1, whole(wording.complaint, random)),
                _ => (-1, self.statement(subject, wording.bad, VERY_SHARE, random)),
            },
            _ if is_whole => (-2, whole(wording.complaint, random)),
            _ => (-2, self.statement(subject, wording.awful, 0.0, random)),
        };
        Clause { text: self.filled(&text, random), tone, sarcastic }
    }

    /// Of food, half of the time a dish of the place that was not named before.
    fn subject(&mut self, aspect: Aspect, wording: &Wording, random: &mut ChaCha8Rng) -> (String, bool) {
        if aspect == Aspect::Food && random.random_bool(0.6) {
            let dish = self.dish(random);
            let article = if random.random_bool(0.75) { "the" } else { "my" };
            return (format!("{article} {}", dish.name), dish.plural);
        }
        let subject = wording.subjects.choose(random).expect("some");
        (subject.name.to_owned(), subject.plural)
    }

    fn dish(&mut self, random: &mut ChaCha8Rng) -> Noun {
        let fresh: Vec<Noun> = self.menu.iter().copied().filter(|dish| !self.eaten.contains(dish)).collect();
        let dish = *fresh.choose(random).unwrap_or(&self.menu[0]);
        self.eaten.push(dish);
        dish
    }

    /// `the food was very tasty`
    fn statement(&self, (name, plural): (String, bool), words: &[&str], very: f64, random: &mut ChaCha8Rng) -> String {
        let word = words.choose(random).expect("some");
        // Two degrees on one word (`really too salty`, `so the worst`) nobody writes.
        let plain = !word.contains(' ');
        let very = if plain && random.random_bool(very) { VERY.choose(random).expect("some") } else { "" };
        format!("{name} {} {very}{word}", self.verb(plural))
    }

    /// `the food wasn't fresh`, `not bad at all`
    fn denial(&self, (name, plural): (String, bool), words: &[&str], random: &mut ChaCha8Rng) -> String {
        let word = words.choose(random).expect("some");
        let verb = self.verb(plural);
        match random.random_range(0..4) {
            0 => format!("{name} {verb} not {word}"),
            1 => format!("{name} {verb} not {word} at all"),
            2 => format!("I wouldn't call {name} {word}"),
            _ => format!("{name} {verb}n't {word}"),
        }
    }

    /// Neither good nor bad, or both at once.
    fn half_hearted(&self, subject: (String, bool), wording: &Wording, form: f64, random: &mut ChaCha8Rng) -> String {
        let fair = wording.fair.choose(random).expect("some");
        let good = wording.good.choose(random).expect("some");
        let bad = wording.bad.choose(random).expect("some");
        let (name, plural) = subject;
        match form {
            ..0.6 => format!("{name} {} {fair}", self.verb(plural)),
            ..0.8 => format!("{name} {} {good} last time but {bad} today", if plural { "were" } else { "was" }),
            _ => format!("{name} could be better"),
        }
    }

    fn verb(&self, plural: bool) -> &'static str {
        match (self.present, plural) {
            (true, true) => "are",
            (true, false) => "is",
            (false, true) => "were",
            (false, false) => "was",
        }
    }

    /// The words in braces filled in.
    fn filled(&mut self, text: &str, random: &mut ChaCha8Rng) -> String {
        let mut filled = text.to_owned();
        if filled.contains("{dish}") {
            filled = filled.replace("{dish}", self.dish(random).name);
        }
        let places = [
            ("{drink}", DRINKS),
            ("{person}", PERSONS),
            ("{long}", LONG_MINUTES),
            ("{short}", SHORT_MINUTES),
            ("{weekday}", WEEKDAYS),
            ("{company}", COMPANY),
        ];
        for (place, words) in places {
            if filled.contains(place) {
                filled = filled.replace(place, words.choose(random).expect("some"));
            }
        }
        filled
    }
}

fn whole(clauses: &[&str], random: &mut ChaCha8Rng) -> String {
    clauses.choose(random).map(|clause| (*clause).to_owned()).expect("some")
}

/// Clauses to sentences of one or two. Sarcasm stands by itself.
fn joined(clauses: Vec<Clause>, voice: &Voice, random: &mut ChaCha8Rng) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut rest = clauses.into_iter().peekable();
    while let Some(first) = rest.next() {
        if first.sarcastic {
            sentences.push(first.text);
            continue;
        }
        let fits = |next: &Clause| !next.sarcastic && random.random_bool(JOINED_SHARE);
        let Some(second) = rest.next_if(fits) else {
            let stop = full_stop(first.tone, voice, random);
            sentences.push(capitalised(&first.text) + stop);
            continue;
        };
        let stop = full_stop(second.tone, voice, random);
        let disagree = first.tone.signum() != second.tone.signum();
        let sentence = match random.random_range(0..10) {
            0 | 1 if disagree => format!("Although {}, {}", first.text, second.text),
            _ if disagree => format!("{}{}{}", first.text, CONTRASTS.choose(random).expect("some"), second.text),
            0..3 => format!("{}, {}", first.text, second.text),
            _ => format!("{} and {}", first.text, second.text),
        };
        sentences.push(capitalised(&sentence) + stop);
    }
    sentences
}

fn full_stop(tone: i8, voice: &Voice, random: &mut ChaCha8Rng) -> &'static str {
    if tone.abs() == 2 && random.random_bool(voice.shout_share) {
        return if random.random_bool(0.3) { "!!!" } else { "!" };
    }
    if random.random_bool(0.03) { "..." } else { "." }
}

fn add_emoji(sentences: &mut Vec<String>, stars: u8, random: &mut ChaCha8Rng) {
    let all = match stars {
        ..=2 => SAD_EMOJI,
        3 => EVEN_EMOJI,
        _ => GLAD_EMOJI,
    };
    let emoji = all.choose(random).expect("some");
    let count = if random.random_bool(0.25) { 3 } else { 1 };
    if random.random_bool(EMOJI_ALONE_SHARE) {
        sentences.push(emoji.repeat(count));
    } else {
        let at = random.random_range(0..sentences.len());
        sentences[at].push(' ');
        sentences[at].push_str(&emoji.repeat(count));
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// As the guest spells: habits first, then slips.
fn spelled(text: &str, voice: &Voice, random: &mut ChaCha8Rng) -> String {
    let mut text = text.to_owned();
    if voice.no_capitals {
        text = text.to_lowercase();
    }
    if voice.no_apostrophes {
        text = text.replace('\'', "");
    }
    let slip = |word: &str| if random.random_bool(voice.typo_share) { mistyped(word, random) } else { word.to_owned() };
    text.split(' ').map(slip).collect::<Vec<_>>().join(" ")
}

/// Two letters swapped, one left out or one doubled, never the first; words below five letters stand as they are.
fn mistyped(word: &str, random: &mut ChaCha8Rng) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() < 5 || !letters.iter().all(char::is_ascii_alphabetic) {
        return word.to_owned();
    }
    let at = random.random_range(1..letters.len() - 1);
    match random.random_range(0..3) {
        0 => letters.swap(at, at + 1),
        1 => drop(letters.remove(at)),
        _ => letters.insert(at, letters[at]),
    }
    letters.into_iter().collect()
}
