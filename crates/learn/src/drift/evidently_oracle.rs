//! Holds our numbers against Evidently's own, on columns that `bench/drift_oracle.py` and this file make from the same formulas.

use super::evidently::{Column, ColumnDrift, Method, column_drift, dataset_drift, drift_by, present};
use super::sampling::unit;
use crate::bootstrap::SplitMix64;

const EXPECTED: &str = include_str!("evidently_expected.tsv");
const TOLERANCE: f64 = 1e-6;
const CASES: [(&str, [usize; 2]); 4] =
    [("big", [100_000, 100_000]), ("small", [800, 650]), ("equal", [800, 800]), ("lopsided", [900, 12_000])];
const NAMES: [&str; 17] = [
    "normal",
    "shifted",
    "skewed",
    "wide",
    "few",
    "counts",
    "ties",
    "gaps",
    "flag",
    "constant",
    "replaced",
    "tiny",
    "word_2",
    "word_5",
    "word_300",
    "word_same",
    "word_gaps",
];

enum Made {
    Numbers(Vec<f64>),
    Words(Vec<Option<String>>),
}

/// Thirteen draws a row: twelve for a bell, one for choices.
fn number(index: usize, now: bool, bell: f64, unit: f64) -> f64 {
    let missing = if now { 0.2 } else { 0.1 };
    let either = |then: f64, current: f64| if now { current } else { then };
    match index {
        1 => bell + either(0.0, 0.15),
        2 => 1.0 / (1.0 - 0.999 * unit) * either(1.0, 1.2),
        3 => bell * bell * bell,
        4 => (if now { unit * unit } else { unit } * 4.0).floor(),
        5 => (unit * unit * either(30.0, 33.0)).floor(),
        6 if unit < either(0.6, 0.5) => 0.0,
        6 => (bell * 10.0).floor() / 10.0,
        7 if unit < missing => f64::NAN,
        7 if unit < missing + 0.01 => f64::INFINITY,
        8 => f64::from(u8::from(unit < either(0.3, 0.32))),
        9 => 5.0,
        10 => either(5.0, 6.0),
        11 => bell * 0.00001 + either(0.0, 0.00002),
        _ => bell,
    }
}

fn word(index: usize, now: bool, unit: f64) -> Option<String> {
    let either = |then: f64, current: f64| if now { current } else { then };
    let level = match index {
        12 => (unit + either(0.4, 0.43)).floor(),
        13 => (either(1.0, 0.97) * unit * 5.0).floor(),
        14 => (unit * unit * either(300.0, 310.0)).floor(),
        16 if unit < either(0.1, 0.2) => return None,
        16 => (unit * 4.0).floor(),
        _ => 0.0,
    };
    Some(format!("level_{level}"))
}

fn make(case: usize, index: usize, part: usize, rows: usize) -> Made {
    let mut random = SplitMix64::new((100_000 * case + 10 * index + part) as u64);
    let mut draw = || {
        let bell = (0..12).fold(0.0, |sum, _| sum + unit(&mut random)) - 6.0;
        (bell, unit(&mut random))
    };
    if NAMES[index].starts_with("word") {
        Made::Words((0..rows).map(|_| word(index, part == 1, draw().1)).collect())
    } else {
        let row = |(bell, unit)| number(index, part == 1, bell, unit);
        Made::Numbers((0..rows).map(|_| row(draw())).collect())
    }
}

fn drift(made: &[Made; 2], method: Option<Method>) -> Option<ColumnDrift> {
    let compare = |reference, current| match method {
        Some(method) => drift_by(method, &present(reference), &present(current)),
        None => column_drift(reference, current),
    };
    match made {
        [Made::Numbers(reference), Made::Numbers(current)] => {
            compare(Column::Numbers(reference), Column::Numbers(current))
        }
        [Made::Words(reference), Made::Words(current)] => {
            let reference: Vec<Option<&str>> = reference.iter().map(Option::as_deref).collect();
            let current: Vec<Option<&str>> = current.iter().map(Option::as_deref).collect();
            compare(Column::Words(&reference), Column::Words(&current))
        }
        _ => None,
    }
}

fn method(name: &str) -> Method {
    match name {
        "ks" => Method::KolmogorovSmirnov,
        "chisquare" => Method::ChiSquare,
        "z" => Method::ZTest,
        "wasserstein" => Method::Wasserstein,
        "jensenshannon" => Method::JensenShannon,
        other => panic!("the oracle names `{other}`"),
    }
}

/// Held relatively, since an absolute 1e-6 would let any small p-value pass; only Evidently's z test loses what is
/// below 1e-16, because it subtracts from 1.
fn agree(found: f64, expected: f64, method: &str) -> bool {
    let lost = if method == "z" { 1e-15 } else { 1e-300 };
    (found - expected).abs() <= TOLERANCE * expected.abs() + lost
}

#[test]
fn every_number_is_evidentlys() {
    let lines: Vec<Vec<&str>> =
        EXPECTED.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect()).collect();
    let mut checked = 0;
    for (case, (case_name, rows)) in CASES.into_iter().enumerate() {
        let mut chosen = Vec::new();
        for (index, name) in NAMES.into_iter().enumerate() {
            let made = [make(case, index, 0, rows[0]), make(case, index, 1, rows[1])];
            for line in lines.iter().filter(|line| line[0] == case_name && line[1] == name) {
                let asked = (line[2] == "asked").then(|| method(line[3]));
                let found = drift(&made, asked);
                checked += 1;
                if line[4] == "nan" {
                    assert_eq!(found, None, "{line:?}");
                    continue;
                }
                let found = found.unwrap_or_else(|| panic!("no drift for {line:?}"));
                assert!(agree(found.score, line[4].parse().unwrap(), line[3]), "{line:?}: found {}", found.score);
                assert_eq!((found.method, found.level), (method(line[3]), line[5].parse().unwrap()), "{line:?}");
                assert_eq!(found.drifted, line[6] == "true", "{line:?}");
                chosen.extend(asked.is_none().then_some(found));
            }
        }
        let line = lines.iter().find(|line| line[0] == case_name && line[1] == "*").unwrap();
        let found = dataset_drift(&chosen);
        assert!(agree(found.share, line[4].parse().unwrap(), "share") && found.columns_drifted.to_string() == line[6]);
        checked += 1;
    }
    assert_eq!(checked, lines.len(), "every line was looked at");
}
