use std::sync::Arc;

use super::*;
use crate::frame::{Column, Frame, MISSING};

fn category(values: &[Option<&str>]) -> Column {
    let words: Vec<String> = values.iter().flatten().map(|word| word.to_string()).collect();
    let code = |value: &Option<&str>| match value {
        Some(word) => words.iter().position(|known| known == word).unwrap() as u32,
        None => MISSING,
    };
    Column::Category { codes: values.iter().map(code).collect(), words: Arc::new(words.clone()) }
}

const COUNTRIES: [Option<&str>; 10] =
    [Some("DE"), Some("FR"), Some("DE"), None, Some("IT"), Some("FR"), Some("DE"), Some("DE"), None, Some("FR")];
const AMOUNTS: [f64; 10] = [1.5, f64::NAN, 3.0, 0.25, f64::NAN, 7.0, -2.0, 4.0, 1.0, 0.0];
const TARGET: [f64; 10] = [1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0];
const FOLDS: [u32; 10] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2];
const TARGET_ENCODING: TargetEncoding = TargetEncoding { smoothing: 2.5 };

fn payments() -> Frame {
    let mut frame = Frame::default();
    frame.push("amount", Column::Number(AMOUNTS.to_vec()));
    frame.push("country", category(&COUNTRIES));
    frame
}

fn row(index: usize) -> [RowValue<'static>; 2] {
    [RowValue::Number(AMOUNTS[index]), RowValue::Word(COUNTRIES[index])]
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found} for {expected}");
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

// scikit-learn 1.9.1: TargetEncoder(smooth=2.5, target_type="continuous"), None written as "<missing>"; out of
// fold: fitted on the rows of the other folds by hand, as its own folds are drawn at random.
#[test]
fn target_means_equal_those_of_scikit_learn() {
    let (encoder, training) = TARGET_ENCODING.fit_transform(&payments(), &TARGET, &FOLDS).unwrap();
    let out_of_fold = [
        0.5396825396825397,
        0.5396825396825397,
        0.5396825396825397,
        0.6938775510204082,
        0.5714285714285714,
        0.31746031746031744,
        0.8148148148148148,
        0.8148148148148148,
        0.47619047619047616,
        0.5925925925925926,
    ];
    assert_close(training.column(1), &out_of_fold);
    let whole = encoder.transform(&payments()).unwrap();
    let (german, french, missing) = (0.6923076923076923, 0.45454545454545453, 0.5555555555555556);
    let in_full = [german, french, german, missing, 0.7142857142857143, french, german, german, missing, french];
    assert_close(whole.column(1), &in_full);
    assert_eq!(bits(whole.column(0)), bits(&AMOUNTS));
    assert_eq!(
        (encoder.output_names(), encoder.output_inputs()),
        (vec!["amount".into(), "country".into()], vec![0, 1])
    );
}

#[test]
fn an_unseen_word_equals_the_prior() {
    let (encoder, _) = TARGET_ENCODING.fit_transform(&payments(), &TARGET, &FOLDS).unwrap();
    let unseen = encoder.encode_row(&[RowValue::Number(1.0), RowValue::Word(Some("AT"))]).unwrap();
    assert_eq!(unseen, [1.0, TARGET.iter().sum::<f64>() / 10.0]);
    let without_smoothing = TargetEncoding { smoothing: 0.0 };
    let (_, training) = without_smoothing.fit_transform(&payments(), &TARGET, &FOLDS).unwrap();
    // Italy occurs in fold 1 only, so the other folds know just their mean.
    assert_eq!(training.column(1)[4], 4.0 / 7.0);
}

/// SplitMix64, so that the property below needs no crate.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 33
}

#[test]
fn a_rows_own_target_never_changes_its_own_encoding() {
    let state = &mut 7;
    for _ in 0..200 {
        let rows = 5 + draw(state) as usize % 40;
        let choices = [Some("a"), Some("b"), Some("c"), None];
        let words: Vec<Option<&str>> = (0..rows).map(|_| choices[draw(state) as usize % 4]).collect();
        let folds: Vec<u32> = (0..rows).map(|row| if row < 2 { row as u32 } else { draw(state) as u32 % 4 }).collect();
        let mut target: Vec<f64> = (0..rows).map(|_| draw(state) as f64 / 1e7).collect();
        let mut frame = Frame::default();
        frame.push("word", category(&words));
        let before = TARGET_ENCODING.fit_transform(&frame, &target, &folds).unwrap().1;
        let row = draw(state) as usize % rows;
        target[row] = draw(state) as f64;
        let after = TARGET_ENCODING.fit_transform(&frame, &target, &folds).unwrap().1;
        for other in (0..rows).filter(|&other| folds[other] == folds[row]) {
            assert_eq!(before.values[other].to_bits(), after.values[other].to_bits());
        }
    }
}

// scikit-learn 1.9.1: make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()) for the number, and
// StandardScaler over the four 0/1 columns DE, FR, IT (the rare word) and missing.
#[test]
fn one_hot_columns_equal_those_of_scikit_learn() {
    let encoder = OneHot { min_count: 3 }.fit(&payments()).unwrap();
    let matrix = encoder.transform(&payments()).unwrap();
    let names = ["amount", "amount=(missing)", "country=DE", "country=FR", "country=(other)", "country=(missing)"];
    assert_eq!(encoder.output_names(), names);
    assert_eq!(encoder.output_inputs(), [0, 0, 1, 1, 1, 1]);
    let amounts = [
        -0.14776619755898945,
        0.0,
        0.4970317554256918,
        -0.6850978250462239,
        0.0,
        2.216492963384842,
        -1.6522947545232456,
        0.9268970574154792,
        -0.3626988485538832,
        -0.7925641505436707,
    ];
    assert_close(matrix.column(0), &amounts);
    let first_rows = |column: usize| &matrix.column(column)[..5];
    assert_close(first_rows(1), &[-0.5, 2.0, -0.5, -0.5, 2.0]);
    let (german, others) = (1.224744871391589, -0.816496580927726);
    assert_close(first_rows(2), &[german, others, german, others, others]);
    let (french, others) = (1.5275252316519463, -0.6546536707079771);
    assert_close(first_rows(3), &[others, french, others, others, others]);
    assert_close(first_rows(4), &[-1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0, 3.0]);
    assert_close(first_rows(5), &[-0.5, -0.5, -0.5, 2.0, -0.5]);
}

#[test]
fn an_unseen_word_is_other_and_an_infinite_number_is_missing() {
    let encoder = OneHot { min_count: 3 }.fit(&payments()).unwrap();
    let unseen = encoder.encode_row(&[RowValue::Number(f64::INFINITY), RowValue::Word(Some("AT"))]).unwrap();
    let italian_without_amount = encoder.encode_row(&row(4)).unwrap();
    assert_eq!(unseen, italian_without_amount);
}

#[test]
fn a_constant_column_encodes_to_zero_for_ever() {
    let mut frame = Frame::default();
    frame.push("rate", Column::Number(vec![0.1; 10]));
    frame.push("all_missing", Column::Number(vec![f64::NAN; 10]));
    frame.push("currency", category(&[Some("EUR"); 10]));
    let encoder = OneHot { min_count: 1 }.fit(&frame).unwrap();
    let row = [RowValue::Number(5.0), RowValue::Number(5.0), RowValue::Word(None)];
    assert_eq!(encoder.encode_row(&row).unwrap(), [0.0; 6]);
    assert!(encoder.transform(&frame).unwrap().values.iter().all(|&value| value == 0.0));
}

#[test]
fn one_row_is_encoded_as_in_a_batch_to_the_bit_also_when_read_back() {
    let (target_encoder, _) = TARGET_ENCODING.fit_transform(&payments(), &TARGET, &FOLDS).unwrap();
    for encoder in [target_encoder, OneHot { min_count: 2 }.fit(&payments()).unwrap()] {
        let batch = encoder.transform(&payments()).unwrap();
        let text = serde_json::to_string(&encoder).unwrap();
        let read_back: Encoder = serde_json::from_str(&text).unwrap();
        let mut expected = vec![0.0; batch.columns()];
        for index in 0..batch.rows {
            batch.row_into(index, &mut expected);
            assert_eq!(bits(&read_back.encode_row(&row(index)).unwrap()), bits(&expected));
        }
    }
}

#[test]
fn the_word_list_of_a_table_does_not_matter_only_its_words() {
    let frame = payments();
    let late_rows = frame.take(&[6, 7, 8, 9]); // Its list still holds Italy.
    let encoder = OneHot { min_count: 1 }.fit(&late_rows).unwrap();
    assert!(!encoder.output_names().contains(&"country=IT".to_string()));
    let whole = encoder.transform(&frame).unwrap();
    let words_in_other_order = category(&[Some("FR"), Some("IT"), Some("DE"), None]);
    let mut reordered = Frame::default();
    reordered.push("country", words_in_other_order);
    reordered.push("amount", Column::Number(vec![0.0, f64::NAN, 3.0, 0.25]));
    let encoded = encoder.transform(&reordered).unwrap();
    for (column, (here, there)) in [(0, (9, 0)), (1, (2, 2)), (2, (4, 1)), (3, (3, 3))] {
        assert_eq!(whole.column(column)[here].to_bits(), encoded.column(column)[there].to_bits());
    }
}

#[test]
fn a_changed_table_is_refused_by_the_name_of_the_column() {
    let encoder = OneHot { min_count: 1 }.fit(&payments()).unwrap();
    let mut renamed = payments();
    renamed.names[1] = "land".into();
    let missing = encoder.transform(&renamed).unwrap_err();
    assert_eq!(missing, EncodingError::ColumnMissing { name: "country".into(), found: "amount, land".into() });
    let mut retyped = payments();
    retyped.columns.swap(0, 1);
    let differs = EncodingError::KindDiffers { name: "amount".into(), expected: "number", found: "category" };
    assert_eq!(encoder.transform(&retyped).unwrap_err(), differs);
    assert_eq!(encoder.encode_row(&[RowValue::Word(None), RowValue::Word(None)]).unwrap_err(), differs);
    let short = encoder.encode_row(&[RowValue::Number(1.0)]).unwrap_err();
    assert_eq!(short, EncodingError::RowWidth { expected: 2, found: 1 });
}

#[test]
fn training_rows_without_targets_or_folds_are_refused() {
    let refuse = |target: &[f64], folds: &[u32]| TARGET_ENCODING.fit_transform(&payments(), target, folds).unwrap_err();
    assert_eq!(refuse(&TARGET, &[3; 10]), EncodingError::Folds { found: 1 });
    assert_eq!(refuse(&TARGET, &FOLDS[1..]), EncodingError::Lengths { what: "fold ids", expected: 10, found: 9 });
    assert!(matches!(refuse(&[f64::NAN; 10], &FOLDS), EncodingError::Target { row: 0, .. }));
    assert_eq!(OneHot { min_count: 1 }.fit(&Frame::default()).unwrap_err(), EncodingError::NoRows);
}
