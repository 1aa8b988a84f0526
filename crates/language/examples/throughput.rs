//! Measures texts a second on one core: `cargo run --release --example throughput -- FILE`, one text a line. Of twenty
//! passes the fastest counts: others on the machine only ever slow a pass down. `--json` after the file: VADER and aspects
//! as one object, for bench/reviews.py.

use std::time::Instant;

use septet_language::aspects::aspects;
use septet_language::features::{TextFeatures, TextSettings};
use septet_language::sparse::{self, LogisticSettings};
use septet_language::vader::vader;

const PASSES: usize = 20;

/// Seconds of the fastest pass.
fn fastest(texts: &[&str], read: impl Fn(&str) -> f64) -> f64 {
    let pass = |_| {
        let start = Instant::now();
        let sum: f64 = texts.iter().map(|text| read(text)).sum();
        assert!(sum.is_finite());
        start.elapsed().as_secs_f64()
    };
    (0..PASSES).map(pass).fold(f64::INFINITY, f64::min)
}

fn measure(name: &str, texts: &[&str], read: impl Fn(&str) -> f64) {
    let seconds = fastest(texts, read);
    let megabytes = texts.iter().map(|text| text.len() as f64).sum::<f64>() / 1e6;
    println!("{name:40} {:8.0} texts/s {:6.2} MB/s", texts.len() as f64 / seconds, megabytes / seconds);
}

fn main() {
    let path = std::env::args().nth(1).expect("a file with one text a line");
    let file = std::fs::read_to_string(path).expect("a readable UTF-8 file");
    let texts: Vec<&str> = file.split('\n').filter(|text| !text.is_empty()).collect();
    if std::env::args().nth(2).as_deref() == Some("--json") {
        let sum: f64 = texts.iter().map(|text| vader(text).compound).sum();
        let vader_seconds = fastest(&texts, |text| vader(text).compound);
        let aspects = texts.len() as f64 / fastest(&texts, |text| aspects(text).len() as f64);
        println!(
            "{{\"vader_seconds\": {vader_seconds}, \"vader_sum\": {:.4}, \"aspects_texts_per_second\": {aspects:.0}}}",
            sum
        );
        return;
    }
    // What is learned does not matter here, only how many weights there are.
    let labels: Vec<u32> = texts.iter().map(|text| u32::from(vader(text).compound > 0.0)).collect();

    measure("VADER", &texts, |text| vader(text).compound);
    measure("aspects", &texts, |text| aspects(text).len() as f64);
    let words = TextSettings { negation: false, characters: None, ..TextSettings::default() };
    for (name, settings) in
        [("words, pairs, scores: row and chance", words), ("default: row and chance", TextSettings::default())]
    {
        let features = TextFeatures::fit(&texts, settings);
        let rough = LogisticSettings { tolerance: 1e-3, ..LogisticSettings::default() };
        let model = sparse::fit(&features.rows(&texts), &labels, 2, &rough).expect("both signs are there").model;
        measure(name, &texts, |text| model.chances(features.row(text).into_iter())[1]);
    }
}
