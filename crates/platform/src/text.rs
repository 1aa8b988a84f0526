//! A model of texts: their words, pairs and runs of letters, each with a weight, beside the numbers of the row.

use crate::PlatformError;
use septet_language::features::{GramKind, RunToken, Runs, TextFeatures, TextSettings};
use septet_language::sparse::{self, LogisticModel, LogisticSettings, SparseRows};
use septet_learn::frame::{Column, Frame, MISSING, Matrix};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Instant;
use tracing::debug;

/// As scikit-learn stops by default: later digits of the weights cost more rounds than they are worth.
const TOLERANCE: f64 = 1e-4;

thread_local! {
    /// For each column of runs of letters: how often it is in the text, and what each time gives. Cleared after use: a search
    /// for each of some hundred runs cost more than all else of an explanation.
    static SHARES: RefCell<Vec<(f64, f64)>> = const { RefCell::new(Vec::new()) };
}

/// What the scores of VADER are told as.
static SENTIMENT: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("its sentiment"));

/// Rows that importances are taken from.
const IMPORTANCE_ROWS: usize = 2_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TextModel {
    texts: Vec<TextInput>,
    /// Columns: those of each text one after the other, then the encoded numbers.
    model: LogisticModel,
}

/// A text among the inputs.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct TextInput {
    /// Its place among the model's inputs.
    input: usize,
    features: TextFeatures,
}

/// What one word, or a kind of thing that no word names, gave to the log-odds.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Place of the text among the inputs.
    pub input: usize,
    pub words: Arc<str>,
    pub contribution: f64,
}

/// One row's log-odds and their parts.
pub struct TextExplained {
    pub raw: f64,
    pub said: Vec<Said>,
    pub numbers: Vec<f64>,
    pub base: f64,
}

impl TextModel {
    /// Every category of the frame is a text; `matrix` holds its numbers, encoded. Parameters: `c` (inverse penalty),
    /// `documents_min`, `grams_max`, and as 0 or 1 `pairs`, `negation`, `characters`, `sentiment`.
    pub fn fit(
        frame: &Frame,
        matrix: &Matrix,
        truth: &[bool],
        parameters: &BTreeMap<String, f64>,
    ) -> Result<TextModel, PlatformError> {
        let start = Instant::now();
        let settings = text_settings(parameters);
        let learn = |(input, column): (usize, &Column)| match column {
            Column::Number(_) => None,
            Column::Category { .. } => {
                let texts: Vec<&str> = (0..frame.rows()).map(|row| text_at(column, row)).collect();
                Some(TextInput { input, features: TextFeatures::fit(&texts, settings) })
            }
        };
        let texts: Vec<TextInput> = frame.columns.iter().enumerate().filter_map(learn).collect();
        if texts.is_empty() {
            let what = "kind `text` needs a text among the columns of features.sql".to_owned();
            return Err(PlatformError::Training(what));
        }
        let width = texts.iter().map(|text| text.features.width()).sum::<usize>() + matrix.columns();
        let mut unfitted =
            TextModel { texts, model: LogisticModel { classes: 2, intercepts: vec![], weights: vec![] } };
        let mut rows = SparseRows::new(width);
        unfitted.each_row(frame, matrix, |cells| rows.push(&cells));
        let labels: Vec<u32> = truth.iter().map(|&positive| u32::from(positive)).collect();
        let c = parameters.get("c").copied().unwrap_or(LogisticSettings::default().c);
        let settings = LogisticSettings { c, tolerance: TOLERANCE, ..LogisticSettings::default() };
        let read_ms = start.elapsed().as_millis() as u64;
        let fitted = sparse::fit(&rows, &labels, 2, &settings);
        let fitted = fitted.map_err(|error| PlatformError::Training(error.to_string()))?;
        let fit_ms = start.elapsed().as_millis() as u64 - read_ms;
        debug!(rows = rows.len(), columns = width, iterations = fitted.iterations, read_ms, fit_ms, "a fit of texts");
        unfitted.model = fitted.model;
        Ok(unfitted)
    }

    fn each_row(&self, frame: &Frame, matrix: &Matrix, mut act: impl FnMut(Vec<(u32, f64)>)) {
        let mut encoded = vec![0.0; matrix.columns()];
        for row in 0..frame.rows() {
            matrix.row_into(row, &mut encoded);
            act(self.cells(&|input| text_at(&frame.columns[input], row), &encoded));
        }
    }

    /// (column, value) of one row.
    fn cells<'a>(&self, text_of: &dyn Fn(usize) -> &'a str, encoded: &[f64]) -> Vec<(u32, f64)> {
        let (mut cells, mut offset) = (Vec::new(), 0);
        for text in &self.texts {
            cells.extend(text.features.row(text_of(text.input)).into_iter().map(|(column, v)| (column + offset, v)));
            offset += text.features.width() as u32;
        }
        let numbers = encoded.iter().enumerate().filter(|(_, value)| **value != 0.0);
        cells.extend(numbers.map(|(column, &value)| (column as u32 + offset, value)));
        cells
    }

    /// Log-odds of one row.
    pub fn raw<'a>(&self, text_of: &dyn Fn(usize) -> &'a str, encoded: &[f64]) -> f64 {
        self.model.raw(self.cells(text_of, encoded).into_iter()).first().copied().unwrap_or(f64::NAN)
    }

    /// Log-odds of every row.
    pub fn raw_batch(&self, frame: &Frame, matrix: &Matrix) -> Vec<f64> {
        let mut raw = Vec::with_capacity(frame.rows());
        let first = |cells: Vec<(u32, f64)>| self.model.raw(cells.into_iter()).first().copied().unwrap_or(f64::NAN);
        self.each_row(frame, matrix, |cells| raw.push(first(cells)));
        raw
    }

    /// Log-odds of one row, and what gave them: each word and pair with what its letters gave beside it, what VADER's scores
    /// gave, and the encoded numbers' own contributions, in their order. The intercept is the base that all add up from.
    pub fn explain<'a>(&self, text_of: &dyn Fn(usize) -> &'a str, encoded: &[f64]) -> TextExplained {
        let (mut cells, mut said, mut offset) = (Vec::new(), Vec::new(), 0);
        for text in &self.texts {
            let (row, runs) = text.features.row_with_runs(text_of(text.input));
            said.extend(self.said_in(text, offset, &row, &runs));
            cells.extend(row.into_iter().map(|(column, value)| (column + offset, value)));
            offset += text.features.width() as u32;
        }
        let numbers = encoded.iter().enumerate();
        cells.extend(
            numbers.clone().filter(|(_, value)| **value != 0.0).map(|(at, &value)| (at as u32 + offset, value)),
        );
        let raw = self.model.raw(cells.into_iter()).first().copied().unwrap_or(f64::NAN);
        let numbers = numbers.map(|(at, value)| value * self.weight(offset as usize + at)).collect();
        TextExplained { raw, said, numbers, base: self.model.intercepts.first().copied().unwrap_or(0.0) }
    }

    /// Of one text; `row`: columns ascending, words first. A run of letters that several words have is shared among them.
    fn said_in(&self, text: &TextInput, offset: u32, row: &[(u32, f64)], runs: &Runs) -> Vec<Said> {
        let given = |&(column, value): &(u32, f64)| value * self.weight((column + offset) as usize);
        let kind = |column: u32| text.features.kind(column as usize);
        let gram = |column: u32| text.features.gram(column as usize).expect("read by these features");
        let words = row.partition_point(|(column, _)| kind(*column) == GramKind::Words);
        let letters = words + row[words..].partition_point(|(column, _)| kind(*column) == GramKind::Letters);
        let mut by_word: Vec<f64> = row[..words].iter().map(given).collect();
        let mut others: Vec<(&Arc<str>, f64)> = vec![(&SENTIMENT, row[letters..].iter().map(given).sum())];
        SHARES.with_borrow_mut(|shares| {
            shares.resize(shares.len().max(text.features.width()), (0.0, 0.0));
            runs.columns.iter().for_each(|&column| shares[column as usize].0 += 1.0);
            for cell in &row[words..letters] {
                let (times, share) = &mut shares[cell.0 as usize];
                *share = given(cell) / *times;
            }
            let mut start = 0;
            for (token, end) in &runs.tokens {
                let own: f64 = runs.columns[start..*end].iter().map(|&column| shares[column as usize].1).sum();
                start = *end;
                let (column, name) = match token {
                    RunToken::Known(column) => (*column, gram(*column)),
                    RunToken::Unknown(word) => (u32::MAX, word),
                };
                match row[..words].binary_search_by_key(&column, |(known, _)| *known) {
                    Ok(at) => by_word[at] += own,
                    Err(_) => match others.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, sum)) => *sum += own,
                        None => others.push((name, own)),
                    },
                }
            }
            runs.columns.iter().for_each(|&column| shares[column as usize] = (0.0, 0.0));
        });
        let named = row[..words].iter().map(|(column, _)| gram(*column));
        let all = named.zip(by_word).chain(others).filter(|(_, given)| *given != 0.0);
        all.map(|(words, contribution)| Said { input: text.input, words: words.clone(), contribution }).collect()
    }

    /// How much each text moves the log-odds on average over some rows, and the weight of each encoded number.
    pub fn mean_contributions(&self, frame: &Frame, numbers: usize) -> (Vec<(usize, f64)>, Vec<f64>) {
        let (mut by_text, mut offset) = (Vec::new(), 0);
        let apart = (frame.rows() / IMPORTANCE_ROWS).max(1);
        for text in &self.texts {
            let rows: Vec<usize> = (0..frame.rows()).step_by(apart).collect();
            let moved = |&row: &usize| {
                let cells = text.features.row(text_at(&frame.columns[text.input], row));
                cells.iter().map(|&(column, value)| value * self.weight(offset + column as usize)).sum::<f64>().abs()
            };
            by_text.push((text.input, rows.iter().map(moved).sum::<f64>() / rows.len().max(1) as f64));
            offset += text.features.width();
        }
        (by_text, (0..numbers).map(|at| self.weight(offset + at).abs()).collect())
    }

    fn weight(&self, column: usize) -> f64 {
        self.model.weights.get(column).copied().unwrap_or(0.0)
    }
}

fn text_at(column: &Column, row: usize) -> &str {
    match column {
        Column::Category { codes, words } if codes[row] != MISSING => words[codes[row] as usize].as_str(),
        _ => "",
    }
}

fn text_settings(parameters: &BTreeMap<String, f64>) -> TextSettings {
    let usual = TextSettings::default();
    let flag = |name: &str, usual: bool| parameters.get(name).map_or(usual, |value| *value != 0.0);
    let count = |name: &str, usual: f64| parameters.get(name).copied().unwrap_or(usual).max(1.0);
    TextSettings {
        pairs: flag("pairs", usual.pairs),
        negation: flag("negation", usual.negation),
        characters: usual.characters.filter(|_| flag("characters", true)),
        sentiment: flag("sentiment", usual.sentiment),
        documents_min: count("documents_min", f64::from(usual.documents_min)) as u32,
        grams_max: count("grams_max", usual.grams_max as f64) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reviews() -> (Frame, Matrix, Vec<bool>) {
        let said =
            ["the food was great", "slow and rude service", "great place, lovely food", "rude waiter, cold food"];
        let words: Vec<String> = said.iter().map(|text| (*text).to_owned()).collect();
        let codes: Vec<u32> = (0..200).map(|row| row % 4).collect();
        let truth = codes.iter().map(|code| code % 2 == 1).collect();
        let mut frame = Frame::default();
        frame.push("text", Column::Category { codes, words: Arc::new(words) });
        (frame, Matrix::with_rows(200), truth)
    }

    #[test]
    fn words_that_go_with_complaints_weigh_for_them_and_all_parts_add_up() {
        let (frame, matrix, truth) = reviews();
        let model = TextModel::fit(&frame, &matrix, &truth, &BTreeMap::new()).unwrap();
        let raw = |text: &'static str| model.raw(&move |_| text, &[]);
        assert!(raw("what a rude waiter") > 0.0 && raw("great food") < 0.0);
        let text = "rude but great";
        let TextExplained { said, numbers, base, .. } = model.explain(&move |_| text, &[]);
        let rude = said.iter().find(|one| &*one.words == "rude").unwrap();
        assert!(rude.contribution > 0.0 && numbers.is_empty());
        let sum = base + said.iter().map(|one| one.contribution).sum::<f64>();
        assert!((sum - raw(text)).abs() < 1e-12);
        assert_eq!(model.raw_batch(&frame, &matrix)[1], raw("slow and rude service"));
    }

    #[test]
    fn it_comes_back_from_json_to_the_bit_and_a_frame_without_text_is_refused() {
        let (frame, matrix, truth) = reviews();
        let model = TextModel::fit(&frame, &matrix, &truth, &BTreeMap::from([("c".to_owned(), 3.0)])).unwrap();
        let again: TextModel = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        assert_eq!(again.raw_batch(&frame, &matrix), model.raw_batch(&frame, &matrix));
        let mut numbers = Frame::default();
        numbers.push("stars", Column::Number(vec![1.0, 2.0]));
        let error = TextModel::fit(&numbers, &Matrix::with_rows(2), &[true, false], &BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("needs a text"), "{error}");
    }
}
