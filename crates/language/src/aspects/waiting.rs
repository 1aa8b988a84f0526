//! Durations that are a wait, and whether it was a long one.

use std::borrow::Cow;

use super::Topic;
use super::lexicon::Opinion;

/// Waiting up to here is praised, from `WAIT_LONG` on blamed, from `WAIT_VERY_LONG` on strongly. Ours: about what
/// guests of a full restaurant call quick and slow.
const WAIT_SHORT_MINUTES: f64 = 10.0;
const WAIT_LONG_MINUTES: f64 = 20.0;
const WAIT_VERY_LONG_MINUTES: f64 = 30.0;
/// `another ten minutes`, however few, come on top.
const ANOTHER_WAIT: f64 = -2.0;
/// A duration is a wait only beside one of these: `we stayed for two hours` is none.
const WAITING_SIGNS: [&str; 34] = [
    "after",
    "another",
    "arrive",
    "arrived",
    "before",
    "brought",
    "came",
    "delivered",
    "delivery",
    "food",
    "get",
    "got",
    "greeted",
    "just",
    "late",
    "line",
    "order",
    "ordered",
    "queue",
    "queued",
    "ready",
    "sat",
    "seated",
    "served",
    "standing",
    "stood",
    "table",
    "take",
    "took",
    "wait",
    "waited",
    "waiting",
    "waits",
    "within",
];
/// Beside these a short wait was a quick kitchen.
const ARRIVAL_SIGNS: [&str; 13] = [
    "appeared",
    "arrive",
    "arrived",
    "brought",
    "came",
    "delivered",
    "food",
    "got",
    "only",
    "ready",
    "seated",
    "served",
    "within",
];

/// `50 minutes`, `an hour`, `half an hour` at a word of the sentence, where they are a wait: how many words, and what
/// that says of the waiting.
pub(super) fn waiting_time(words: &[Cow<'_, str>], at: usize) -> Option<(usize, Opinion)> {
    let (length, minutes) = minutes(&words[at..])?;
    let near = |signs: &[&str]| words.iter().any(|word| signs.contains(&&**word));
    if !near(&WAITING_SIGNS) {
        return None;
    }
    let is_another = words[at] == "another" || at > 0 && words[at - 1] == "another";
    let valence = match minutes {
        _ if is_another => ANOTHER_WAIT,
        WAIT_VERY_LONG_MINUTES.. => -2.5,
        WAIT_LONG_MINUTES.. => -1.5,
        ..=WAIT_SHORT_MINUTES if near(&ARRIVAL_SIGNS) => 2.0,
        _ => 0.0,
    };
    Some((length, Opinion::implied(Topic::Waiting, valence)))
}

/// The duration that begins the words: how many words, and how many minutes.
fn minutes(words: &[Cow<'_, str>]) -> Option<(usize, f64)> {
    let word = |at: usize| words.get(at).map_or("", |word| &**word);
    let unit = |at: usize| match word(at) {
        "minute" | "minutes" | "min" | "mins" => Some(1.0),
        "hour" | "hours" | "hr" | "hrs" => Some(60.0),
        _ => None,
    };
    if word(0) == "half" && matches!(word(1), "a" | "an") {
        return unit(2).map(|minutes| (3, minutes / 2.0));
    }
    let count = number(word(0))?;
    // `forty five`
    match number(word(1)).filter(|&ones| count >= 20.0 && ones < 10.0) {
        Some(ones) => unit(2).map(|minutes| (3, (count + ones) * minutes)),
        None => unit(1).map(|minutes| (2, count * minutes)),
    }
}

fn number(word: &str) -> Option<f64> {
    let words = [
        ("a", 1.0),
        ("an", 1.0),
        ("another", 1.0),
        ("one", 1.0),
        ("two", 2.0),
        ("three", 3.0),
        ("four", 4.0),
        ("five", 5.0),
        ("six", 6.0),
        ("seven", 7.0),
        ("eight", 8.0),
        ("nine", 9.0),
        ("ten", 10.0),
        ("fifteen", 15.0),
        ("twenty", 20.0),
        ("thirty", 30.0),
        ("forty", 40.0),
        ("fifty", 50.0),
        ("sixty", 60.0),
        ("ninety", 90.0),
    ];
    words.iter().find(|(name, _)| *name == word).map(|&(_, number)| number).or_else(|| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sentence: &str, expected: Option<f64>) {
        let words: Vec<Cow<'_, str>> = sentence.split(' ').map(Cow::Borrowed).collect();
        let found = (0..words.len()).find_map(|at| waiting_time(&words, at));
        assert_eq!(found.map(|(_, opinion)| opinion.valence), expected, "{sentence}");
    }

    #[test]
    fn long_waits_are_blamed_short_ones_praised_and_other_durations_left_alone() {
        check("we waited half an hour", Some(-2.5));
        check("we waited forty five minutes", Some(-2.5));
        check("it took 20 mins", Some(-1.5));
        check("food arrived within ten minutes", Some(2.0));
        check("we waited 15 minutes", Some(0.0));
        check("we sat another ten minutes", Some(-2.0));
        check("we stayed two hours", None);
    }
}
