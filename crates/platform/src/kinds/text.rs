//! Logistic regression on texts: their words, pairs and runs of letters, each with a weight, beside the numbers of the row.

use super::{
    Context, Examples, Explanation, Fitted, Importances, Kind, Parameter, Parameters, Range, TermContribution,
    VersionFiles, answers_of, by_input, encode, training_error,
};
use crate::PlatformError;
use crate::values::OwnedValue;
use crate::values::to_json;
use septet_language::features::{GramKind, RunToken, Runs, TextFeatures, TextSettings};
use septet_language::sparse::{self, LogisticModel, LogisticSettings, SparseRows};
use septet_learn::encoding::{Encoder, OneHot};
use septet_learn::frame::{Column, Frame, MISSING, Matrix};
use septet_learn::measures::{Answers, Task};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
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

pub struct Text;

const fn flag(name: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, range: Range::Flag, default: "true", meaning }
}

impl Kind for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn meaning(&self) -> &'static str {
        "Logistic regression on the words, pairs and runs of letters of every text feature, VADER's scores and the numbers."
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter { name: "c", range: Range::Number(1e-9, 1e9), default: "10", meaning: "inverse penalty" },
            Parameter {
                name: "documents_min",
                range: Range::Whole(1.0, 1e9),
                default: "2",
                meaning: "texts that a word needs in training; with 1 the model keeps what a single person wrote",
            },
            Parameter {
                name: "grams_max",
                range: Range::Whole(1.0, 1e9),
                default: "200000",
                meaning: "words and pairs, and runs of letters, at the most: the most frequent",
            },
            const { flag("pairs", "pairs of neighbouring words") },
            const { flag("negation", "a word after a negation is another word") },
            const { flag("characters", "runs of letters") },
            const { flag("sentiment", "VADER's scores") },
        ]
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Label]
    }

    fn fit(&self, examples: &Examples, parameters: &Parameters) -> Result<Box<dyn Fitted>, PlatformError> {
        // Texts are no categories: the encoder is for the numbers.
        let encoder = OneHot { min_count: usize::MAX }.fit(examples.frame).map_err(training_error)?;
        let matrix = encoder.transform(examples.frame).map_err(training_error)?;
        let model = TextModel::fit(examples.frame, &matrix, &examples.truth(), parameters)?;
        Ok(Box::new(FittedText { encoder, model }))
    }

    fn load(&self, files: &VersionFiles) -> Result<Box<dyn Fitted>, PlatformError> {
        Ok(Box::new(FittedText { encoder: files.json("encoder.json")?, model: files.json("text.json")? }))
    }
}

/// The encoder of the numbers, and the model of texts and numbers.
struct FittedText {
    encoder: Encoder,
    model: TextModel,
}

impl FittedText {
    fn explanation(&self, explained: TextExplained) -> Explanation {
        let TextExplained { terms, numbers, base, .. } = explained;
        let inputs = self.encoder.input_names().len();
        let mut contributions = by_input(&self.encoder.output_inputs(), inputs, &numbers);
        terms.iter().for_each(|one| contributions[one.input] += one.contribution);
        Explanation { contributions, base, terms }
    }
}

impl Fitted for FittedText {
    fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, PlatformError> {
        Ok(vec![("encoder.json", to_json(&self.encoder)?), ("text.json", to_json(&self.model)?)])
    }

    fn answers(&self, frame: &Frame, context: &Context) -> Result<Answers, PlatformError> {
        let matrix = self.encoder.transform(frame).map_err(training_error)?;
        Ok(answers_of(context.task, self.model.raw_batch(frame, &matrix)))
    }

    fn score(
        &self,
        rows: &[Vec<OwnedValue>],
        explained: bool,
    ) -> Result<Vec<(f64, Option<Explanation>)>, PlatformError> {
        let one = |row: &Vec<OwnedValue>| {
            let encoded = encode(&self.encoder, row)?;
            let text_of = |input: usize| text_of(row, input);
            Ok(match explained {
                true => {
                    let explained = self.model.explain(&text_of, &encoded);
                    (explained.raw, Some(self.explanation(explained)))
                }
                false => (self.model.raw(&text_of, &encoded), None),
            })
        };
        rows.iter().map(one).collect()
    }

    fn explain(&self, row: &[OwnedValue]) -> Result<Explanation, PlatformError> {
        let encoded = encode(&self.encoder, row)?;
        Ok(self.explanation(self.model.explain(&|input| text_of(row, input), &encoded)))
    }

    fn importances(&self, frame: &Frame) -> Importances {
        let (texts, numbers) = self.model.mean_contributions(frame, self.encoder.output_names().len());
        let mut sums = vec![0.0; self.encoder.input_names().len()];
        texts.into_iter().for_each(|(input, value)| sums[input] += value);
        for (&input, value) in self.encoder.output_inputs().iter().zip(numbers) {
            sums[input] += value;
        }
        let of = "of the mean absolute contribution to the log-odds";
        Importances { by_input: sums, of }
    }
}

/// A text among a row's values; empty if it is missing.
fn text_of(row: &[OwnedValue], input: usize) -> &str {
    match row.get(input) {
        Some(OwnedValue::Word(Some(text))) => text,
        _ => "",
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct TextModel {
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

/// One row's log-odds and their parts.
struct TextExplained {
    pub raw: f64,
    pub terms: Vec<TermContribution>,
    pub numbers: Vec<f64>,
    pub base: f64,
}

impl TextModel {
    /// Every category of the frame is a text; `matrix` holds its numbers, encoded.
    pub fn fit(
        frame: &Frame,
        matrix: &Matrix,
        truth: &[bool],
        parameters: &Parameters,
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
        let c = parameters.number("c").unwrap_or(LogisticSettings::default().c);
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
        let (mut cells, mut terms, mut offset) = (Vec::new(), Vec::new(), 0);
        for text in &self.texts {
            let (row, runs) = text.features.row_with_runs(text_of(text.input));
            terms.extend(self.terms_of(text, offset, &row, &runs));
            cells.extend(row.into_iter().map(|(column, value)| (column + offset, value)));
            offset += text.features.width() as u32;
        }
        let numbers = encoded.iter().enumerate();
        cells.extend(
            numbers.clone().filter(|(_, value)| **value != 0.0).map(|(at, &value)| (at as u32 + offset, value)),
        );
        let raw = self.model.raw(cells.into_iter()).first().copied().unwrap_or(f64::NAN);
        let numbers = numbers.map(|(at, value)| value * self.weight(offset as usize + at)).collect();
        TextExplained { raw, terms, numbers, base: self.model.intercepts.first().copied().unwrap_or(0.0) }
    }

    /// What the terms of one text contribute. `row`: columns ascending, words first. A run of letters that several words have is shared among them.
    fn terms_of(&self, text: &TextInput, offset: u32, row: &[(u32, f64)], runs: &Runs) -> Vec<TermContribution> {
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
        let one = |(term, contribution): (&Arc<str>, f64)| TermContribution {
            input: text.input,
            term: term.clone(),
            contribution,
        };
        all.map(one).collect()
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

/// A word of one text alone is often a name, and a model's files are no place for it.
const DOCUMENTS_MIN: f64 = 2.0;

fn text_settings(parameters: &Parameters) -> TextSettings {
    let usual = TextSettings::default();
    let flag = |name: &str, usual: bool| parameters.flag(name).unwrap_or(usual);
    let count = |name: &str, usual: f64| parameters.number(name).unwrap_or(usual).max(1.0);
    TextSettings {
        pairs: flag("pairs", usual.pairs),
        negation: flag("negation", usual.negation),
        characters: usual.characters.filter(|_| flag("characters", true)),
        sentiment: flag("sentiment", usual.sentiment),
        documents_min: count("documents_min", DOCUMENTS_MIN) as u32,
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
        let model = TextModel::fit(&frame, &matrix, &truth, &Parameters::default()).unwrap();
        let raw = |text: &'static str| model.raw(&move |_| text, &[]);
        assert!(raw("what a rude waiter") > 0.0 && raw("great food") < 0.0);
        let text = "rude but great";
        let TextExplained { terms, numbers, base, .. } = model.explain(&move |_| text, &[]);
        let rude = terms.iter().find(|one| &*one.term == "rude").unwrap();
        assert!(rude.contribution > 0.0 && numbers.is_empty());
        let sum = base + terms.iter().map(|one| one.contribution).sum::<f64>();
        assert!((sum - raw(text)).abs() < 1e-12);
        assert_eq!(model.raw_batch(&frame, &matrix)[1], raw("slow and rude service"));
    }

    #[test]
    fn it_comes_back_from_json_to_the_bit_and_a_frame_without_text_is_refused() {
        let (frame, matrix, truth) = reviews();
        let model = TextModel::fit(
            &frame,
            &matrix,
            &truth,
            &Parameters([("c".to_owned(), septet_domain::ParameterValue::Number(3.0))].into()),
        )
        .unwrap();
        let again: TextModel = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        assert_eq!(again.raw_batch(&frame, &matrix), model.raw_batch(&frame, &matrix));
        let mut numbers = Frame::default();
        numbers.push("stars", Column::Number(vec![1.0, 2.0]));
        let error =
            TextModel::fit(&numbers, &Matrix::with_rows(2), &[true, false], &Parameters::default()).unwrap_err();
        assert!(error.to_string().contains("needs a text"), "{error}");
    }
}
