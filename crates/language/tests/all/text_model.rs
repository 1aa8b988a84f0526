//! Holds the text features and the sparse learner to what they reach on real reviews.

use septet_language::features::{TextFeatures, TextSettings};
use septet_language::sparse::{self, LogisticModel, LogisticSettings};

use crate::real_data;

/// A model with its penalty chosen by cross-validation within the rows given.
fn learn(texts: &[&str], labels: &[u32], settings: TextSettings) -> (TextFeatures, LogisticModel) {
    let features = TextFeatures::fit(texts, settings);
    let fit = |rows: &[usize], c: f64| {
        let settings = LogisticSettings { c, tolerance: 1e-5, ..LogisticSettings::default() };
        sparse::fit(&features.rows(&pick(texts, rows)), &pick(labels, rows), 2, &settings).unwrap().model
    };
    let folds = stratified_folds(labels, 3, 17);
    let log_loss = |c: f64| -> f64 {
        let of_fold = |fold| {
            let (judged, learned) = parted(&folds, fold);
            let model = fit(&learned, c);
            let loss = |row: usize| -model.chances(features.row(texts[row]).into_iter())[labels[row] as usize].ln();
            judged.into_iter().map(loss).sum::<f64>()
        };
        (0..3).map(of_fold).sum()
    };
    let losses = [3.0, 10.0, 30.0].map(|c| (log_loss(c), c));
    let (_, best) = losses.into_iter().min_by(|left, right| left.0.total_cmp(&right.0)).unwrap();
    let all: Vec<usize> = (0..texts.len()).collect();
    let model = fit(&all, best);
    (features, model)
}

/// Share of rows judged rightly by the model of the other nine folds.
fn accuracy(texts: &[&str], labels: &[u32], settings: TextSettings) -> f64 {
    let folds = stratified_folds(labels, 10, 0);
    let mut right = 0;
    for fold in 0..10 {
        let (judged, learned) = parted(&folds, fold);
        let (features, model) = learn(&pick(texts, &learned), &pick(labels, &learned), settings);
        let is_right = |&&row: &&usize| {
            let chances = model.chances(features.row(texts[row]).into_iter());
            (chances[1] > 0.5) == (labels[row] == 1)
        };
        right += judged.iter().filter(is_right).count();
    }
    right as f64 / texts.len() as f64
}

/// Deals the rows of each class out to folds by turns, in an order drawn with the seed. Returns each row's fold.
fn stratified_folds(labels: &[u32], folds: u32, seed: u64) -> Vec<u32> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|&row| (labels[row], mix(seed ^ mix(row as u64))));
    let mut fold_of = vec![0; labels.len()];
    order.iter().zip((0..folds).cycle()).for_each(|(&row, fold)| fold_of[row] = fold);
    fold_of
}

/// Scatters numbers that follow each other. Source: Steele, Lea & Flood 2014 (SplitMix64).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// The rows of a fold, and the others.
fn parted(folds: &[u32], fold: u32) -> (Vec<usize>, Vec<usize>) {
    (0..folds.len()).partition(|&row| folds[row] == fold)
}

fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|&row| values[row]).collect()
}

#[test]
#[ignore = "reads ../shared/data"]
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
