//! A fitted encoding as data, and how it turns a table or one row into numbers.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::EncodingError;
use crate::frame::{Column, Frame, MISSING, Matrix};

/// One value of a single row, in the order of [`Encoder::input_names`]. A missing number is NaN, a missing word `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowValue<'a> {
    Number(f64),
    Word(Option<&'a str>),
}

/// A fitted encoding, the same for batches and single rows to the bit. Save it beside the model with serde.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encoder {
    pub(super) features: Vec<Feature>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Feature {
    pub(super) name: String,
    pub(super) coding: Coding,
}

/// `words` are sorted by bytes. A word's slot is its place there; two more slots follow: unseen, then missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Coding {
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
pub(super) struct Scale {
    mean: f64,
    sd: f64,
}

impl Scale {
    /// A variance within the rounding of its own computation is none: 0.1 summed ten times is not 1.
    /// The bound is scikit-learn's (`_is_constant_feature`; Chan, Golub & LeVeque 1983).
    pub(super) fn new(mean: f64, variance: f64, rows: usize) -> Scale {
        let rounding = rows as f64 * f64::EPSILON;
        let constant = variance <= rounding * variance + (rounding * mean).powi(2);
        Scale { mean, sd: if constant { 0.0 } else { variance.sqrt() } }
    }

    /// Of a 0/1 column that is 1 in `count` of `rows` rows.
    pub(super) fn of_indicator(count: usize, rows: usize) -> Scale {
        let share = count as f64 / rows as f64;
        Scale { mean: share, sd: (share * (1.0 - share)).sqrt() }
    }

    fn of(&self, number: f64) -> f64 {
        if self.sd == 0.0 { 0.0 } else { (number - self.mean) / self.sd }
    }
}

/// The words that occur in these rows (a part of a table shares the word list of the whole) and how often.
pub(super) fn word_counts<'a>(codes: &[u32], words: &'a [String]) -> BTreeMap<&'a str, usize> {
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
pub(super) fn slots(vocabulary: &[String], codes: &[u32], words: &[String]) -> Vec<usize> {
    let mut slot_of_code = vec![None; words.len()];
    let mut slot_of = |&code: &u32| match code {
        MISSING => slot(vocabulary, None),
        code => {
            *slot_of_code[code as usize].get_or_insert_with(|| slot(vocabulary, Some(words[code as usize].as_str())))
        }
    };
    codes.iter().map(&mut slot_of).collect()
}
