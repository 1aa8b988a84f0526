//! Categories as columns of 0 and 1, and numbers of one scale, for linear models.

use rayon::prelude::*;

use super::encoder::{Coding, Encoder, Feature, Scale, slots, word_counts};
use super::error::EncodingError;
use crate::frame::{Column, Frame};

/// Columns that one category may become: 8 kB a row. The most frequent words stay, the others are "other".
const WORDS_PER_CATEGORY_MAX: usize = 1_000;

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
