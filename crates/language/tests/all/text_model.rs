//! Holds the text features and the sparse learner to what they reach on real reviews.

use septet_language::features::{TextFeatures, TextSettings};
use septet_language::sparse::{self, LogisticModel, LogisticSettings};

use crate::real_data;

/// A model as it would be trained: penalty by cross-validation within the rows given.
fn learn(texts: &[&str], labels: &[u32], settings: TextSettings) -> (TextFeatures, LogisticModel) {
    let features = TextFeatures::fit(texts, settings);
    let rows = features.rows(texts);
    let plain = LogisticSettings { tolerance: 1e-5, ..LogisticSettings::default() };
    let folds = sparse::stratified_folds(labels, 3, 17);
    let losses = sparse::cross_validate(&rows, labels, 2, &folds, &[3.0, 10.0, 30.0], &plain).unwrap();
    let settings = LogisticSettings { c: sparse::best(&losses).unwrap().c, ..plain };
    (features, sparse::fit(&rows, labels, 2, &settings).unwrap().model)
}

/// Share of rows judged rightly by the model of the other nine folds.
fn accuracy(texts: &[&str], labels: &[u32], settings: TextSettings) -> f64 {
    let folds = sparse::stratified_folds(labels, 10, 0);
    let mut right = 0;
    for fold in 0..10 {
        let (judged, learned): (Vec<usize>, Vec<usize>) = (0..texts.len()).partition(|&row| folds[row] == fold);
        let its_texts: Vec<&str> = learned.iter().map(|&row| texts[row]).collect();
        let its_labels: Vec<u32> = learned.iter().map(|&row| labels[row]).collect();
        let (features, model) = learn(&its_texts, &its_labels, settings);
        let is_right = |&&row: &&usize| {
            let chances = model.chances(features.row(texts[row]).into_iter());
            (chances[1] > 0.5) == (labels[row] == 1)
        };
        right += judged.iter().filter(is_right).count();
    }
    right as f64 / texts.len() as f64
}

#[test]
fn reviews_are_told_apart_as_well_as_was_measured() {
    let Some(reviews) = real_data::read("restaurant/yelp_labelled.txt") else { return };
    let cells = reviews.lines().map(|line| line.rsplit_once('\t').unwrap());
    let (texts, labels): (Vec<&str>, Vec<u32>) =
        cells.map(|(text, label)| (text, label.parse::<u32>().unwrap())).unzip();
    assert_eq!(texts.len(), 1_000);

    let words_and_scores = TextSettings { negation: false, characters: None, ..TextSettings::default() };
    let words = TextSettings { sentiment: false, ..words_and_scores };
    let [words, words_and_scores, default] =
        [words, words_and_scores, TextSettings::default()].map(|settings| accuracy(&texts, &labels, settings));
    println!("accuracy: words {words:.3}, with scores {words_and_scores:.3}, default {default:.3}");
    assert!(words >= 0.815, "words and pairs alone reached .826 over five repeats: {words}");
    assert!(words_and_scores >= 0.845, "with VADER's scores they reached .864: {words_and_scores}");
    assert!(default >= 0.865, "with negation and runs of characters .883: {default}");
}
