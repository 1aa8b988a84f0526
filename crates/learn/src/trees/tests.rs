use super::explain::explain_slowly;
use super::lightgbm::predict_with_library;
use super::*;
use crate::frame::Matrix;

/// Six features with ties, missing values and an interaction; a fifth of the labels are noise.
fn example(rows: usize, seed: u64) -> (Matrix, Vec<f64>) {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64
    };
    let mut columns = vec![Vec::new(); 6];
    let mut target = Vec::with_capacity(rows);
    for _ in 0..rows {
        let row: Vec<f64> =
            (0..6).map(|at| if at == 3 { (next() * 5.0).floor() } else { next() * 10.0 - 3.0 }).collect();
        let signal = row[0] > 2.0 && row[1] < 4.0 || row[3] == 2.0 && row[4] > 0.0;
        target.push(f64::from(u8::from(if next() < 0.2 { next() < 0.5 } else { signal })));
        for (at, &value) in row.iter().enumerate() {
            columns[at].push(if at < 2 && next() < 0.1 { f64::NAN } else { value });
        }
    }
    let mut features = Matrix::with_rows(rows);
    columns.iter().for_each(|column| features.push(column));
    (features, target)
}

fn settings(parameters: &[(&str, &str)]) -> Settings {
    let parameters = parameters.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Settings { parameters, ..Settings::default() }
}

fn fit_example(rows: usize, settings: &Settings) -> (Matrix, Fitted) {
    let (features, target) = example(rows, 7);
    let set = TrainingSet { features: &features, target: &target, weight: None };
    let fitted = fit(set, None, settings, &mut |_| {}).unwrap();
    (features, fitted)
}

fn row_of(features: &Matrix, at: usize) -> Vec<f64> {
    let mut row = vec![0.0; features.columns()];
    features.row_into(at, &mut row);
    row
}

fn explain_one(trees: &Trees, row: &[f64], contributions: &mut [f64]) -> Explained {
    trees.explain_each(row, row.len(), contributions)[0]
}

#[test]
fn scores_equal_lightgbm_to_the_bit() {
    for parameters in
        [vec![("num_leaves", "31")], vec![("num_leaves", "4"), ("max_depth", "2")], vec![("num_leaves", "255")]]
    {
        let (features, fitted) = fit_example(4000, &settings(&parameters));
        let expected = predict_with_library(&fitted.text, &features, false);
        assert_eq!(Trees::parse(&fitted.text).unwrap().raw_batch(&features), expected, "{parameters:?}");
    }
}

#[test]
fn reasons_equal_lightgbm_and_the_general_recursion() {
    // 255 leaves go by the recursion, 31 by a table a leaf, 8 and fewer by tables of the halves, balanced or not.
    for (leaves, depth) in [("31", "9"), ("255", "9"), ("8", "3"), ("8", "9"), ("3", "9"), ("2", "9")] {
        let (features, fitted) = fit_example(2000, &settings(&[("num_leaves", leaves), ("max_depth", depth)]));
        let expected = predict_with_library(&fitted.text, &features, true);
        let trees = Trees::parse(&fitted.text).unwrap();
        let (mut found, mut slow) = (vec![0.0; 6], vec![0.0; 6]);
        let rows: Vec<f64> = (0..features.rows).flat_map(|at| row_of(&features, at)).collect();
        let mut all = vec![f64::NAN; rows.len()];
        let together = trees.explain_each(&rows, 6, &mut all);
        for at in 0..features.rows {
            let row = row_of(&features, at);
            let Explained { base, raw } = explain_one(&trees, &row, &mut found);
            assert_eq!(raw.to_bits(), trees.raw(&row).to_bits());
            assert_eq!((together[at].raw, &all[at * 6..][..6]), (raw, found.as_slice()), "as among others, to the bit");
            explain_slowly(&trees.trees, &row, &mut slow);
            for feature in 0..6 {
                assert!((found[feature] - expected[at * 7 + feature]).abs() < 1e-12, "row {at} feature {feature}");
                assert!((found[feature] - slow[feature]).abs() < 1e-12);
            }
            assert!((base - expected[at * 7 + 6]).abs() < 1e-12);
            assert!((found.iter().sum::<f64>() + base - trees.raw(&row)).abs() < 1e-10);
        }
    }
}

#[test]
fn a_model_without_a_split_has_no_reasons() {
    let (features, fitted) = fit_example(500, &settings(&[("min_data_in_leaf", "400")]));
    let trees = Trees::parse(&fitted.text).unwrap();
    let mut found = vec![1.0; 6];
    let Explained { base, raw } = explain_one(&trees, &row_of(&features, 0), &mut found);
    assert_eq!((raw, found), (trees.raw(&row_of(&features, 0)), vec![0.0; 6]));
    assert!((raw - base).abs() < 1e-12);
}

#[test]
fn two_fits_with_one_seed_agree_to_the_byte() {
    let settings = Settings { threads: 2, ..settings(&[("feature_fraction", "0.5")]) };
    assert_eq!(fit_example(3000, &settings).1.text, fit_example(3000, &settings).1.text);
}

#[test]
fn the_first_trees_of_a_long_fit_are_the_short_fit() {
    let of = |trees_max| fit_example(2000, &Settings { trees_max, ..settings(&[("feature_fraction", "0.7")]) });
    let ((features, long), (_, short)) = (of(60), of(25));
    let first = Trees::parse_first(&long.text, 25).unwrap();
    assert_eq!(
        (first.len(), first.raw_batch(&features)),
        (25, Trees::parse(&short.text).unwrap().raw_batch(&features))
    );
}

#[test]
fn a_monotone_feature_never_lowers_the_score() {
    let monotone = Settings { monotone: vec![1, 0, 0, 0, 0, 0], ..Settings::default() };
    let (features, fitted) = fit_example(3000, &monotone);
    let trees = Trees::parse(&fitted.text).unwrap();
    for at in 0..200 {
        let mut row = row_of(&features, at);
        let mut before = f64::NEG_INFINITY;
        for step in 0..40 {
            row[0] = -4.0 + 0.3 * f64::from(step);
            let score = trees.raw(&row);
            assert!(score >= before);
            before = score;
        }
    }
}

#[test]
fn patience_keeps_the_trees_up_to_the_best_on_later_rows() {
    let ((features, target), (later, later_target)) = (example(2000, 7), example(2000, 8));
    let set = TrainingSet { features: &features, target: &target, weight: None };
    let validation = TrainingSet { features: &later, target: &later_target, weight: None };
    let settings = Settings { trees_max: 500, patience: Some(10), ..settings(&[("metric", "average_precision")]) };
    let fitted = fit(set, Some(validation), &settings, &mut |_| {}).unwrap();
    assert!(fitted.trees < 490, "{} trees", fitted.trees);
    assert_eq!(Trees::parse(&fitted.text).unwrap().len(), fitted.trees);
}

#[test]
fn a_broken_model_text_is_an_error_and_never_a_panic() {
    let (_, fitted) = fit_example(500, &settings(&[("num_leaves", "8")]));
    assert!(Trees::parse("").is_err());
    for (from, to) in
        [("left_child=", "left_child=7 "), ("split_feature=", "split_feature=99 "), ("leaf_value=", "leaf_value=x ")]
    {
        assert!(Trees::parse(&fitted.text.replacen(from, to, 1)).is_err(), "{from}");
    }
    let loop_back = fitted.text.replacen("right_child=1", "right_child=0", 1);
    assert!(loop_back == fitted.text || Trees::parse(&loop_back).is_err());
}

#[test]
fn one_class_is_refused_with_the_counts() {
    let (features, _) = example(10, 1);
    let target = [0.0; 10];
    let set = TrainingSet { features: &features, target: &target, weight: None };
    let error = fit(set, None, &Settings::default(), &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "training needs rows of both classes; found 0 positives among 10 rows");
}
