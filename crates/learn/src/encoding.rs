//! Turns named columns into the numbers a model takes. All that is learned from the training rows is kept as
//! data, and a batch and a single row read the same numbers, so that a request is encoded as the training set was.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::{Column, Frame, MISSING, Matrix};

/// Each fold reads all rows of each category column once; more folds than this only cost time.
const FOLDS_MAX: usize = 100;
/// Columns that one category may become: 8 kB a row. The most frequent words stay, the others are "other".
const WORDS_PER_CATEGORY_MAX: usize = 1_000;

/// One value of a single row, in the order of [`Encoder::input_names`]. A missing number is NaN, a missing word `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowValue<'a> {
    Number(f64),
    Word(Option<&'a str>),
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EncodingError {
    #[error("column `{name}` was there in training and is not in this table, which has: {found}; add or rename it")]
    ColumnMissing { name: String, found: String },
    #[error("column `{name}` was a {expected} in training and is a {found} here; give it the type it was trained with")]
    KindDiffers { name: String, expected: &'static str, found: &'static str },
    #[error("a row of {found} values was given where the encoder was trained on {expected} columns; give one each")]
    RowWidth { expected: usize, found: usize },
    #[error("{found} {what} were given for {expected} rows; give one a row")]
    Lengths { what: &'static str, expected: usize, found: usize },
    #[error("there are no rows to learn an encoding from; check the training period and the source")]
    NoRows,
    #[error("the target of row {row} is `{value}`; leave out rows whose outcome is not known")]
    Target { row: usize, value: f64 },
    #[error("the rows lie in {found} folds; out-of-fold encoding takes 2 to {FOLDS_MAX}, so put groups together")]
    Folds { found: usize },
    #[error("smoothing is `{0}`; it is a number of rows, 0 or more")]
    Smoothing(f64),
}

/// Settings of target encoding: each category becomes the smoothed mean of the target among the rows that have it,
/// `(sum + smoothing * prior) / (count + smoothing)`. Missing counts as a word of its own; numbers pass unchanged.
/// Source: Micci-Barreca 2001, equation 7; out-of-fold as in scikit-learn's TargetEncoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetEncoding {
    /// Rows' worth of trust in the overall mean, 0 or more.
    pub smoothing: f64,
}

impl TargetEncoding {
    /// Learns from all rows; the matrix holds for each row what the rows of the *other* folds say, prior included,
    /// so that a row never sees its own target. target: finite, 0/1 or any real. folds: one id a row, any numbers,
    /// 2 to 100 of them. A word that the other folds lack gets their prior. O(columns * folds * rows).
    pub fn fit_transform(
        &self,
        frame: &Frame,
        target: &[f64],
        folds: &[u32],
    ) -> Result<(Encoder, Matrix), EncodingError> {
        let fold_ids = self.check(frame, target, folds)?;
        let fit_one = |column: &Column| match column {
            Column::Number(values) => (Coding::Number, values.clone()),
            Column::Category { codes, words } => self.fit_category(codes, words, target, folds, &fold_ids),
        };
        let fitted: Vec<(Coding, Vec<f64>)> = frame.columns.par_iter().map(fit_one).collect();
        let mut matrix = Matrix::with_rows(frame.rows());
        let mut features = Vec::with_capacity(fitted.len());
        for (name, (coding, values)) in frame.names.iter().zip(fitted) {
            matrix.push(&values);
            features.push(Feature { name: name.clone(), coding });
        }
        Ok((Encoder { features }, matrix))
    }

    /// The distinct fold ids, ascending.
    fn check(&self, frame: &Frame, target: &[f64], folds: &[u32]) -> Result<Vec<u32>, EncodingError> {
        let expected = frame.rows();
        if expected == 0 {
            return Err(EncodingError::NoRows);
        }
        for (what, found) in [("targets", target.len()), ("fold ids", folds.len())] {
            if found != expected {
                return Err(EncodingError::Lengths { what, expected, found });
            }
        }
        if !(self.smoothing >= 0.0 && self.smoothing.is_finite()) {
            return Err(EncodingError::Smoothing(self.smoothing));
        }
        if let Some(row) = target.iter().position(|value| !value.is_finite()) {
            return Err(EncodingError::Target { row, value: target[row] });
        }
        let fold_ids: BTreeSet<u32> = folds.iter().copied().collect();
        match fold_ids.len() {
            2..=FOLDS_MAX => Ok(fold_ids.into_iter().collect()),
            found => Err(EncodingError::Folds { found }),
        }
    }

    fn fit_category(
        &self,
        codes: &[u32],
        words: &[String],
        target: &[f64],
        folds: &[u32],
        fold_ids: &[u32],
    ) -> (Coding, Vec<f64>) {
        let vocabulary: Vec<String> = word_counts(codes, words).into_keys().map(str::to_owned).collect();
        let slots = slots(&vocabulary, codes, words);
        let mut encoded = vec![0.0; codes.len()];
        for &fold in fold_ids {
            // Summed anew rather than taken off the total: a subtraction would leave the row's own target in the
            // last bits, and trees do split on last bits.
            let means = self.means(&slots, vocabulary.len() + 2, target, |row| folds[row] != fold);
            for row in (0..codes.len()).filter(|&row| folds[row] == fold) {
                encoded[row] = means[slots[row]];
            }
        }
        let means = self.means(&slots, vocabulary.len() + 2, target, |_| true);
        (Coding::TargetMean { words: vocabulary, means }, encoded)
    }

    /// The smoothed mean of each slot over the rows that `counts_in` lets in; the prior where there are none.
    fn means(&self, slots: &[usize], slot_count: usize, target: &[f64], counts_in: impl Fn(usize) -> bool) -> Vec<f64> {
        let (mut sums, mut counts) = (vec![0.0; slot_count], vec![0.0; slot_count]);
        let (mut sum, mut count) = (0.0, 0.0);
        for row in (0..slots.len()).filter(|&row| counts_in(row)) {
            sums[slots[row]] += target[row];
            counts[slots[row]] += 1.0;
            sum += target[row];
            count += 1.0;
        }
        let prior = sum / count;
        let smoothed = |(&sum, &count): (&f64, &f64)| match count {
            0.0 => prior,
            _ => (sum + self.smoothing * prior) / (count + self.smoothing),
        };
        sums.iter().zip(&counts).map(smoothed).collect()
    }
}

/// Settings of the encoding for linear models: a category becomes one 0/1 column a word, numbers have their gaps
/// filled with the mean and marked, and all columns are brought to mean 0 and standard deviation 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneHot {
    /// Training rows a word needs for a column of its own; rarer words, and words met later, are "other".
    pub min_count: usize,
}

impl OneHot {
    /// Learns from all rows; encode them with [`Encoder::transform`]. A number gets a `=(missing)` column if one is
    /// missing here; a category always gets `=(other)` and `=(missing)`. Columns that are constant here encode to 0
    /// for ever. An infinite number counts as missing: no weight makes sense of it. O(values).
    pub fn fit(&self, frame: &Frame) -> Result<Encoder, EncodingError> {
        if frame.rows() == 0 {
            return Err(EncodingError::NoRows);
        }
        let fit_one = |(name, column): (&String, &Column)| Feature {
            name: name.clone(),
            coding: match column {
                Column::Number(values) => standard_number(values),
                Column::Category { codes, words } => self.indicator(codes, words),
            },
        };
        Ok(Encoder { features: frame.names.par_iter().zip(&frame.columns).map(fit_one).collect() })
    }

    fn indicator(&self, codes: &[u32], words: &[String]) -> Coding {
        let mut frequent: Vec<(&str, usize)> = word_counts(codes, words).into_iter().collect();
        frequent.retain(|&(_, count)| count >= self.min_count);
        // A stable sort: among equally frequent words the first of the alphabet stay.
        frequent.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        frequent.truncate(WORDS_PER_CATEGORY_MAX);
        let mut vocabulary: Vec<String> = frequent.into_iter().map(|(word, _)| word.to_owned()).collect();
        vocabulary.sort_unstable();

        let mut counts = vec![0; vocabulary.len() + 2];
        for slot in slots(&vocabulary, codes, words) {
            counts[slot] += 1;
        }
        let scales = counts.iter().map(|&count| Scale::of_indicator(count, codes.len())).collect();
        Coding::Indicator { words: vocabulary, scales }
    }
}

fn standard_number(values: &[f64]) -> Coding {
    let rows = values.len();
    let (sum, present) =
        values.iter().filter(|value| value.is_finite()).fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
    let fill = if present == 0 { 0.0 } else { sum / present as f64 };
    let squares: f64 = values.iter().filter(|value| value.is_finite()).map(|value| (value - fill).powi(2)).sum();
    // Filled rows lie on the mean: they add rows but no spread.
    let value = Scale::new(fill, squares / rows as f64, rows);
    let missing = (present < rows).then(|| Scale::of_indicator(rows - present, rows));
    Coding::StandardNumber { fill, value, missing }
}

/// A fitted encoding, the same for batches and single rows to the bit. Save it beside the model with serde.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encoder {
    features: Vec<Feature>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Feature {
    name: String,
    coding: Coding,
}

/// `words` are sorted by bytes. A word's slot is its place there; two more slots follow: unseen, then missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Coding {
    Number,
    StandardNumber { fill: f64, value: Scale, missing: Option<Scale> },
    TargetMean { words: Vec<String>, means: Vec<f64> },
    Indicator { words: Vec<String>, scales: Vec<Scale> },
}

impl Encoder {
    /// Encodes a table, found by column names; other columns of it are left alone. O(values), parallel by column.
    pub fn transform(&self, frame: &Frame) -> Result<Matrix, EncodingError> {
        let encode_one = |feature: &Feature| feature.column(column_named(frame, &feature.name)?);
        let encoded: Vec<Vec<Vec<f64>>> = self.features.par_iter().map(encode_one).collect::<Result<_, _>>()?;
        let mut matrix = Matrix::with_rows(frame.rows());
        for column in encoded.iter().flatten() {
            matrix.push(column);
        }
        Ok(matrix)
    }

    /// Encodes one row, given in the order of [`Encoder::input_names`]; equal to [`Encoder::transform`] to the bit.
    pub fn encode_row(&self, row: &[RowValue<'_>]) -> Result<Vec<f64>, EncodingError> {
        if row.len() != self.features.len() {
            return Err(EncodingError::RowWidth { expected: self.features.len(), found: row.len() });
        }
        let mut encoded = Vec::with_capacity(self.features.iter().map(Feature::width).sum());
        for (feature, &value) in self.features.iter().zip(row) {
            feature.value(value, &mut encoded)?;
        }
        Ok(encoded)
    }

    /// The columns it was trained on, in training order.
    pub fn input_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.features.iter().map(|feature| feature.name.as_str())
    }

    /// One name an output column: `amount`, `amount=(missing)`, `country=DE`, `country=(other)`.
    pub fn output_names(&self) -> Vec<String> {
        self.features.iter().flat_map(Feature::output_names).collect()
    }

    /// For each output column the index of the input it was made from, ascending.
    pub fn output_inputs(&self) -> Vec<usize> {
        let repeat = |(input, feature): (usize, &Feature)| std::iter::repeat_n(input, feature.width());
        self.features.iter().enumerate().flat_map(repeat).collect()
    }
}

fn column_named<'a>(frame: &'a Frame, name: &str) -> Result<&'a Column, EncodingError> {
    match frame.names.iter().position(|found| found == name) {
        Some(index) => Ok(&frame.columns[index]),
        None => Err(EncodingError::ColumnMissing { name: name.to_owned(), found: frame.names.join(", ") }),
    }
}

impl Feature {
    fn width(&self) -> usize {
        match &self.coding {
            Coding::Number | Coding::TargetMean { .. } => 1,
            Coding::StandardNumber { missing, .. } => 1 + usize::from(missing.is_some()),
            Coding::Indicator { scales, .. } => scales.len(),
        }
    }

    fn output_names(&self) -> Vec<String> {
        let name = &self.name;
        match &self.coding {
            Coding::Number | Coding::TargetMean { .. } | Coding::StandardNumber { missing: None, .. } => {
                vec![name.clone()]
            }
            Coding::StandardNumber { missing: Some(_), .. } => vec![name.clone(), format!("{name}=(missing)")],
            Coding::Indicator { words, .. } => {
                let all = words.iter().map(String::as_str).chain(["(other)", "(missing)"]);
                all.map(|word| format!("{name}={word}")).collect()
            }
        }
    }

    fn column(&self, column: &Column) -> Result<Vec<Vec<f64>>, EncodingError> {
        match (&self.coding, column) {
            (Coding::Number, Column::Number(values)) => Ok(vec![values.clone()]),
            (Coding::StandardNumber { fill, value, missing }, Column::Number(values)) => {
                let filled = values.iter().map(|&number| value.of(filled(number, *fill))).collect();
                let marks = |scale: &Scale| values.iter().map(|&number| scale.of(gap(number))).collect();
                Ok(std::iter::once(filled).chain(missing.as_ref().map(marks)).collect())
            }
            (Coding::TargetMean { words, means }, Column::Category { codes, words: theirs }) => {
                Ok(vec![slots(words, codes, theirs).into_iter().map(|slot| means[slot]).collect()])
            }
            (Coding::Indicator { words, scales }, Column::Category { codes, words: theirs }) => {
                let mut columns: Vec<Vec<f64>> = scales.iter().map(|scale| vec![scale.of(0.0); codes.len()]).collect();
                for (row, slot) in slots(words, codes, theirs).into_iter().enumerate() {
                    columns[slot][row] = scales[slot].of(1.0);
                }
                Ok(columns)
            }
            (Coding::Number | Coding::StandardNumber { .. }, Column::Category { .. }) => Err(self.kind_differs()),
            (Coding::TargetMean { .. } | Coding::Indicator { .. }, Column::Number(_)) => Err(self.kind_differs()),
        }
    }

    fn value(&self, value: RowValue<'_>, encoded: &mut Vec<f64>) -> Result<(), EncodingError> {
        match (&self.coding, value) {
            (Coding::Number, RowValue::Number(number)) => encoded.push(number),
            (Coding::StandardNumber { fill, value, missing }, RowValue::Number(number)) => {
                encoded.push(value.of(filled(number, *fill)));
                encoded.extend(missing.map(|scale| scale.of(gap(number))));
            }
            (Coding::TargetMean { words, means }, RowValue::Word(word)) => encoded.push(means[slot(words, word)]),
            (Coding::Indicator { words, scales }, RowValue::Word(word)) => {
                let lit = slot(words, word);
                encoded.extend(scales.iter().enumerate().map(|(at, scale)| scale.of(f64::from(at == lit))));
            }
            (Coding::Number | Coding::StandardNumber { .. }, RowValue::Word(_)) => return Err(self.kind_differs()),
            (Coding::TargetMean { .. } | Coding::Indicator { .. }, RowValue::Number(_)) => {
                return Err(self.kind_differs());
            }
        }
        Ok(())
    }

    fn kind_differs(&self) -> EncodingError {
        let (expected, found) = match self.coding {
            Coding::Number | Coding::StandardNumber { .. } => ("number", "category"),
            Coding::TargetMean { .. } | Coding::Indicator { .. } => ("category", "number"),
        };
        EncodingError::KindDiffers { name: self.name.clone(), expected, found }
    }
}

fn filled(number: f64, fill: f64) -> f64 {
    if number.is_finite() { number } else { fill }
}

fn gap(number: f64) -> f64 {
    f64::from(!number.is_finite())
}

/// Brings a column to mean 0 and standard deviation 1; `sd` 0 stands for a constant column.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Scale {
    mean: f64,
    sd: f64,
}

impl Scale {
    /// A variance within the rounding of its own computation is none: 0.1 summed ten times is not 1.
    /// The bound is scikit-learn's (`_is_constant_feature`; Chan, Golub & LeVeque 1983).
    fn new(mean: f64, variance: f64, rows: usize) -> Scale {
        let rounding = rows as f64 * f64::EPSILON;
        let constant = variance <= rounding * variance + (rounding * mean).powi(2);
        Scale { mean, sd: if constant { 0.0 } else { variance.sqrt() } }
    }

    /// Of a 0/1 column that is 1 in `count` of `rows` rows.
    fn of_indicator(count: usize, rows: usize) -> Scale {
        let share = count as f64 / rows as f64;
        Scale { mean: share, sd: (share * (1.0 - share)).sqrt() }
    }

    fn of(&self, number: f64) -> f64 {
        if self.sd == 0.0 { 0.0 } else { (number - self.mean) / self.sd }
    }
}

/// The words that occur in these rows (a part of a table shares the word list of the whole) and how often.
fn word_counts<'a>(codes: &[u32], words: &'a [String]) -> BTreeMap<&'a str, usize> {
    let mut counts = vec![0; words.len()];
    for &code in codes.iter().filter(|&&code| code != MISSING) {
        counts[code as usize] += 1;
    }
    let mut by_word = BTreeMap::new();
    for (word, count) in words.iter().zip(counts).filter(|&(_, count)| count > 0) {
        *by_word.entry(word.as_str()).or_insert(0) += count;
    }
    by_word
}

fn slot(vocabulary: &[String], word: Option<&str>) -> usize {
    match word {
        Some(word) => vocabulary.binary_search_by(|known| known.as_str().cmp(word)).unwrap_or(vocabulary.len()),
        None => vocabulary.len() + 1,
    }
}

/// The slot of each row. A word is looked up when first met: few rows may come with a long word list.
fn slots(vocabulary: &[String], codes: &[u32], words: &[String]) -> Vec<usize> {
    let mut slot_of_code = vec![None; words.len()];
    let mut slot_of = |&code: &u32| match code {
        MISSING => slot(vocabulary, None),
        code => {
            *slot_of_code[code as usize].get_or_insert_with(|| slot(vocabulary, Some(words[code as usize].as_str())))
        }
    };
    codes.iter().map(&mut slot_of).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

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
            let folds: Vec<u32> =
                (0..rows).map(|row| if row < 2 { row as u32 } else { draw(state) as u32 % 4 }).collect();
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
        let refuse =
            |target: &[f64], folds: &[u32]| TARGET_ENCODING.fit_transform(&payments(), target, folds).unwrap_err();
        assert_eq!(refuse(&TARGET, &[3; 10]), EncodingError::Folds { found: 1 });
        assert_eq!(refuse(&TARGET, &FOLDS[1..]), EncodingError::Lengths { what: "fold ids", expected: 10, found: 9 });
        assert!(matches!(refuse(&[f64::NAN; 10], &FOLDS), EncodingError::Target { row: 0, .. }));
        assert_eq!(OneHot { min_count: 1 }.fit(&Frame::default()).unwrap_err(), EncodingError::NoRows);
    }
}
