//! Holds VADER to the scores that the Python reference gave.

use septet_language::vader::{Sentiment, vader};

use crate::real_data;

/// Panics at the first text whose scores differ; returns how many there were. columns: where the four scores begin,
/// negative, neutral, positive, compound; the text is the last column.
fn check<'a>(lines: impl Iterator<Item = &'a str>, columns: usize) -> usize {
    let mut texts = 0;
    for line in lines {
        let cells: Vec<&str> = line.splitn(columns + 5, '\t').collect();
        let score = |at: usize| cells[columns + at].parse().unwrap();
        let expected = Sentiment { negative: score(0), neutral: score(1), positive: score(2), compound: score(3) };
        assert_eq!(vader(cells[columns + 4]), expected, "{:?}", cells[columns + 4]);
        texts += 1;
    }
    texts
}

#[test]
#[ignore = "reads ../shared/data"]
fn every_public_sentence_has_the_scores_of_the_reference() {
    let Some(text) = real_data::read("restaurant/vader_expected.tsv.gz") else { return };
    assert_eq!(check(text.lines().skip(1), 2), 18_513);
}

/// Texts drawn at random from rated words, negations, phrases, capitals, emoji and rare white space.
#[test]
fn nasty_texts_have_the_scores_of_the_reference() {
    let lines = include_str!("../../cases/vader.tsv").split_terminator('\n');
    assert_eq!(check(lines, 0), 300);
}
