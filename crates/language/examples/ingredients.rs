//! What each ingredient of a text's row is worth: `cargo run --release --example ingredients -- FILE`, one
//! `text<TAB>label` a line. Ten folds five times over, everything but the outer split chosen inside the learning part;
//! the last line chooses the ingredients there too. In brackets the standard error over the rows, each judged five
//! times.

use septet_language::features::{TextFeatures, TextSettings};
use septet_language::sparse::{self, LogisticSettings};

const CANDIDATES: [f64; 5] = [0.3, 1.0, 3.0, 10.0, 30.0];
const REPEATS: u64 = 5;

struct Learned {
    features: TextFeatures,
    fit: sparse::LogisticFit,
    log_loss: f64,
}

fn learn(texts: &[&str], labels: &[u32], settings: TextSettings, seed: u64) -> Learned {
    let features = TextFeatures::fit(texts, settings);
    let rows = features.rows(texts);
    let plain = LogisticSettings { tolerance: 1e-5, ..LogisticSettings::default() };
    let folds = sparse::stratified_folds(labels, 5, seed);
    let losses = sparse::cross_validate(&rows, labels, 2, &folds, &CANDIDATES, &plain).expect("two classes");
    let best = sparse::best(&losses).expect("five candidates");
    let fit = sparse::fit(&rows, labels, 2, &LogisticSettings { c: best.c, ..plain }).expect("two classes");
    Learned { features, fit, log_loss: best.log_loss }
}

/// How often each row was judged rightly.
fn judge(texts: &[&str], labels: &[u32], choices: &[TextSettings]) -> Vec<u32> {
    let mut right = vec![0; texts.len()];
    for seed in 0..REPEATS {
        let folds = sparse::stratified_folds(labels, 10, seed);
        for fold in 0..10 {
            let learned: Vec<usize> = (0..texts.len()).filter(|&row| folds[row] != fold).collect();
            let its_texts: Vec<&str> = learned.iter().map(|&row| texts[row]).collect();
            let its_labels: Vec<u32> = learned.iter().map(|&row| labels[row]).collect();
            let candidates = choices.iter().map(|&settings| learn(&its_texts, &its_labels, settings, seed + 100));
            let best = candidates.min_by(|a, b| a.log_loss.total_cmp(&b.log_loss)).expect("a choice");
            for row in (0..texts.len()).filter(|&row| folds[row] == fold) {
                let raw = best.fit.model.raw(best.features.row(texts[row]).into_iter());
                right[row] += u32::from((raw[0] > 0.0) == (labels[row] == 1));
            }
        }
    }
    right
}

/// Prints the accuracy, and how far it is above that of other ingredients on the same rows: being judged on the same
/// rows, the two differ by far less than their own standard errors say.
fn report(name: &str, right: &[u32], others: &[(&str, Vec<u32>)]) {
    let share = |times: &u32| f64::from(*times) / REPEATS as f64;
    let (accuracy, error) = mean_and_error(right.iter().map(share).collect());
    print!("{name:37} accuracy {accuracy:.4} ({error:.4})");
    for (other, its_right) in others {
        let (gain, error) = mean_and_error(right.iter().zip(its_right).map(|(a, b)| share(a) - share(b)).collect());
        print!(", {gain:+.4} ({error:.4}) over {other}");
    }
    println!();
}

fn mean_and_error(values: Vec<f64>) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

fn main() {
    let path = std::env::args().nth(1).expect("a file of text<TAB>label");
    let file = std::fs::read_to_string(path).expect("a readable UTF-8 file");
    let cells = file.lines().filter_map(|line| line.rsplit_once('\t'));
    let (texts, labels): (Vec<&str>, Vec<u32>) =
        cells.map(|(text, label)| (text, label.trim().parse::<u32>().expect("0 or 1"))).unzip();
    let plain = TextSettings { negation: false, characters: None, sentiment: false, ..TextSettings::default() };
    let with = |negation, runs: bool, sentiment| TextSettings {
        negation,
        characters: runs.then_some((3, 5)),
        sentiment,
        ..plain
    };
    let choices = [
        ("words and pairs", plain),
        ("+ negation", with(true, false, false)),
        ("+ characters 3-5", with(false, true, false)),
        ("+ sentiment", with(false, false, true)),
        ("+ sentiment + negation", with(true, false, true)),
        ("+ sentiment + characters", with(false, true, true)),
        ("+ sentiment + negation + characters", with(true, true, true)),
        ("single words + sentiment", TextSettings { pairs: false, sentiment: true, ..plain }),
    ];
    let mut references = Vec::new();
    for (name, settings) in choices {
        let right = judge(&texts, &labels, &[settings]);
        report(name, &right, &references);
        if matches!(name, "words and pairs" | "+ sentiment") {
            references.push((name, right));
        }
    }
    report("ingredients chosen within", &judge(&texts, &labels, &choices.map(|choice| choice.1)), &references);
}
