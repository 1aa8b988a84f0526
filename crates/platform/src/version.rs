//! A version: everything needed to answer and to repeat it, as a folder of data. Loading executes nothing.

use crate::PlatformError;
use crate::estimate::Estimate;
use crate::features::{OwnedValue, frame_row};
use crate::judge::larger_is_better;
use crate::purchases::{PurchaseModels, Summary};
use crate::text::{Said, TextExplained, TextModel};
use septet_learn::calibration::Calibrator;
use septet_learn::encoding::{Encoder, RowValue};
use septet_learn::frame::{Frame, Matrix};
use septet_learn::linear::LinearModel;
use septet_learn::trees::{Explained, Trees};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Raised when a reader of today could not read a version of tomorrow.
pub const FORMAT: u32 = 1;

/// `manifest.json`: what a version is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub domain: String,
    pub version: String,
    pub title: String,
    pub question: String,
    pub kind: String,
    pub target: String,
    pub layout: String,
    pub simulated: bool,
    pub seed: u64,
    pub code_version: String,
    pub domain_fingerprint: String,
    pub data_fingerprint: String,
    pub data_rows: u64,
    pub data_from: String,
    pub data_until: String,
    /// End of the newest test fold, microseconds since 1970: what comes later the version has never been held against.
    #[serde(default)]
    pub judged_until: Option<i64>,
    /// First and last moment that the version kept was fitted on: what it says of those rows is no answer to new ones.
    #[serde(default)]
    pub fitted_on: Option<(i64, i64)>,
    /// The model's inputs, in order: name and `number` or `category`.
    pub features: Vec<FeatureSchema>,
    /// Columns beyond the contract among them.
    pub extras: Vec<String>,
    pub parameters: BTreeMap<String, f64>,
    pub candidates: Vec<Candidate>,
    pub calibrator: Calibrator,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub estimates: Vec<Estimate>,
    pub decision: Option<DecisionRule>,
    pub folds: Vec<FoldSummary>,
    pub metrics: BTreeMap<String, MetricValue>,
    /// Our advantage over each baseline in the metric of choice: the interval of the difference.
    pub advantage: BTreeMap<String, Option<(f64, f64)>>,
    /// Share of each input in what moves the score, largest first.
    pub importances: Vec<(String, f64)>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct FeatureSchema {
    pub name: String,
    pub kind: String,
    pub meaning: Option<String>,
    pub unit: Option<String>,
}

/// A combination of parameters, and what it reached on the validation folds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Candidate {
    pub parameters: BTreeMap<String, f64>,
    pub validation: f64,
    pub by_fold: Vec<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecisionRule {
    pub threshold: f64,
    pub policy: String,
    pub positive: String,
    pub negative: String,
    /// Probability of the second, lower line, and the action between the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<(f64, String)>,
    /// On the newest test fold.
    pub true_positive: u64,
    pub false_positive: u64,
    pub true_negative: u64,
    pub false_negative: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FoldSummary {
    pub part: String,
    pub title: String,
    pub train_rows: usize,
    pub train_positives: usize,
    pub test_rows: usize,
    pub test_positives: usize,
}

/// A metric: the mean over the test folds, its interval, and the best of the baselines.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MetricValue {
    pub value: f64,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub baseline: Option<f64>,
    pub baseline_name: Option<String>,
    pub baselines: BTreeMap<String, f64>,
    /// None where a fold has too little to tell.
    pub by_fold: Vec<Option<f64>>,
}

impl MetricValue {
    /// A value beside the baselines' values; which of them is best hangs on the metric.
    pub fn beside(
        name: &str,
        value: f64,
        interval: Option<(f64, f64)>,
        baselines: BTreeMap<String, f64>,
        by_fold: Vec<Option<f64>>,
    ) -> MetricValue {
        let worse_first = |a: &(&String, &f64), b: &(&String, &f64)| match larger_is_better(name) {
            true => a.1.total_cmp(b.1),
            false => b.1.total_cmp(a.1),
        };
        let best = baselines.iter().max_by(worse_first).map(|(other, value)| (other.clone(), *value));
        MetricValue {
            value,
            low: interval.map(|interval| interval.0),
            high: interval.map(|interval| interval.1),
            baseline: best.as_ref().map(|best| best.1),
            baseline_name: best.map(|best| best.0),
            baselines,
            by_fold,
        }
    }
}

/// What was learned.
#[derive(Debug)]
pub enum Model {
    Trees { text: String, trees: Box<Trees> },
    Linear(LinearModel),
    Text(Box<TextModel>),
    Purchases(Box<PurchaseModels>),
}

impl Model {
    /// Of one row: its values, and what the encoder made of them.
    pub fn raw(&self, row: &[OwnedValue], encoded: &[f64]) -> f64 {
        match self {
            Model::Trees { trees, .. } => trees.raw(encoded),
            Model::Linear(model) => model.raw_row(encoded),
            Model::Text(model) => model.raw(&|input| text_of(row, input), encoded),
            Model::Purchases(models) => models.raw(four(row)),
        }
    }

    /// Of every row of a frame, and what the encoder made of it.
    pub fn raw_batch(&self, frame: &Frame, matrix: &Matrix) -> Vec<f64> {
        match self {
            Model::Trees { trees, .. } => trees.raw_batch(matrix),
            Model::Linear(model) => model.predict_raw(matrix),
            Model::Text(model) => model.raw_batch(frame, matrix),
            Model::Purchases(models) => (0..frame.rows()).map(|row| models.raw(four(&frame_row(frame, row)))).collect(),
        }
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Model::Trees { .. } => "trees",
            Model::Linear(_) => "linear",
            Model::Text(_) => "text",
            Model::Purchases(_) => "clv",
        }
    }

    /// The file in the version's folder, and its bytes.
    pub fn file(&self) -> Result<(&'static str, Vec<u8>), PlatformError> {
        match self {
            Model::Trees { text, .. } => Ok(("model.txt", text.clone().into_bytes())),
            Model::Linear(model) => Ok(("linear.json", to_json(model)?)),
            Model::Text(model) => Ok(("text.json", to_json(model)?)),
            Model::Purchases(models) => Ok(("clv.json", to_json(models)?)),
        }
    }
}

pub fn to_json(value: &impl Serialize) -> Result<Vec<u8>, PlatformError> {
    serde_json::to_vec_pretty(value).map_err(|error| PlatformError::Training(error.to_string()))
}

impl DecisionRule {
    /// What is done at a probability.
    pub fn action(&self, probability: f64) -> &str {
        match &self.review {
            _ if probability >= self.threshold => &self.positive,
            Some((line, action)) if probability >= *line => action,
            _ => &self.negative,
        }
    }
}

/// The answer to one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Log-odds before calibration.
    pub raw: f64,
    pub probability: f64,
}

/// A loaded version, ready to answer.
pub struct Scorer {
    pub manifest: Manifest,
    encoder: Encoder,
    model: Model,
    /// For each encoded column, the input it came from.
    inputs: Vec<usize>,
}

impl Scorer {
    pub fn new(manifest: Manifest, encoder: Encoder, model: Model) -> Scorer {
        let inputs = encoder.output_inputs();
        Scorer { manifest, encoder, model, inputs }
    }

    pub fn load(folder: &Path) -> Result<Scorer, PlatformError> {
        let version = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let failed = |reason: String| PlatformError::Version { version: version.clone(), reason };
        let read = |name: &str| std::fs::read(folder.join(name)).map_err(|error| failed(format!("{name}: {error}")));
        let manifest: Manifest = serde_json::from_slice(&read("manifest.json")?)
            .map_err(|error| failed(format!("manifest.json: {error}")))?;
        if manifest.format != FORMAT {
            return Err(failed(format!("its format is {}, this program reads {FORMAT}", manifest.format)));
        }
        let encoder: Encoder =
            serde_json::from_slice(&read("encoder.json")?).map_err(|error| failed(format!("encoder.json: {error}")))?;
        let model = match manifest.kind.as_str() {
            "trees" => {
                let text = String::from_utf8(read("model.txt")?).map_err(|error| failed(error.to_string()))?;
                let trees = Box::new(Trees::parse(&text).map_err(|error| failed(error.to_string()))?);
                Model::Trees { text, trees }
            }
            "linear" => {
                Model::Linear(serde_json::from_slice(&read("linear.json")?).map_err(|error| failed(error.to_string()))?)
            }
            "text" => Model::Text(Box::new(
                serde_json::from_slice(&read("text.json")?).map_err(|error| failed(error.to_string()))?,
            )),
            "clv" => Model::Purchases(Box::new(
                serde_json::from_slice(&read("clv.json")?).map_err(|error| failed(error.to_string()))?,
            )),
            kind => return Err(failed(format!("its kind `{kind}` is not known"))),
        };
        let (names, width) = (
            encoder.output_names(),
            match &model {
                Model::Trees { trees, .. } => trees.features(),
                Model::Linear(model) => model.weights.len(),
                // The numbers of a text model stand behind the words; purchases are read as they are.
                Model::Text(_) | Model::Purchases(_) => encoder.output_names().len(),
            },
        );
        if names.len() != width {
            return Err(failed(format!("its encoder makes {} columns, its model takes {width}", names.len())));
        }
        Ok(Scorer::new(manifest, encoder, model))
    }

    fn encode(&self, row: &[OwnedValue]) -> Result<Vec<f64>, PlatformError> {
        let values: Vec<RowValue> = row.iter().map(OwnedValue::as_row_value).collect();
        self.encoder.encode_row(&values).map_err(|error| PlatformError::Training(error.to_string()))
    }

    /// Scores one row of features, in the manifest's order.
    pub fn score(&self, row: &[OwnedValue]) -> Result<Score, PlatformError> {
        Ok(self.calibrated(self.model.raw(row, &self.encode(row)?)))
    }

    /// Scores some rows. `explained`: an explanation is kept where it comes with the score; else it is made when it is asked for.
    pub fn score_each(
        &self,
        rows: &[Vec<OwnedValue>],
        explained: bool,
    ) -> Result<Vec<(Score, Option<Explanation>)>, PlatformError> {
        let encoded = || rows.iter().map(|row| self.encode(row)).collect::<Result<Vec<_>, _>>();
        let made: Vec<(f64, Explanation)> = match &self.model {
            Model::Text(model) if explained => {
                let explain = |(row, encoded): (&Vec<OwnedValue>, &Vec<f64>)| {
                    let explained = model.explain(&|input| text_of(row, input), encoded);
                    (explained.raw, self.of_text(explained))
                };
                rows.iter().zip(&encoded()?).map(explain).collect()
            }
            Model::Trees { trees, .. } if explained => self.of_trees(trees, &encoded()?),
            _ => return rows.iter().map(|row| Ok((self.score(row)?, None))).collect(),
        };
        Ok(made.into_iter().map(|(raw, explanation)| (self.calibrated(raw), Some(explanation))).collect())
    }

    fn calibrated(&self, raw: f64) -> Score {
        Score { raw, probability: self.manifest.calibrator.apply(sigmoid(raw)) }
    }

    /// What each input contributed to the log-odds.
    pub fn explain(&self, row: &[OwnedValue]) -> Result<Explanation, PlatformError> {
        let encoded = self.encode(row)?;
        let (contributions, base) = match &self.model {
            Model::Trees { trees, .. } => return Ok(self.of_trees(trees, &[encoded]).swap_remove(0).1),
            Model::Text(model) => return Ok(self.of_text(model.explain(&|input| text_of(row, input), &encoded))),
            // Encoded columns are standardised: their training means are 0.
            Model::Linear(model) => {
                (self.by_input(&model.contributions(&encoded, &vec![0.0; encoded.len()])), model.intercept)
            }
            Model::Purchases(models) => {
                let (moved, base) = models.explain(four(row));
                (moved.to_vec(), base)
            }
        };
        Ok(Explanation { contributions, base, said: Vec::new() })
    }

    fn of_trees(&self, trees: &Trees, encoded: &[Vec<f64>]) -> Vec<(f64, Explanation)> {
        let columns = self.inputs.len();
        let mut moved = vec![0.0; encoded.len() * columns];
        let explained = trees.explain_each(&encoded.concat(), columns, &mut moved);
        let rows = explained.into_iter().zip(moved.chunks_exact(columns));
        let row = |(Explained { base, raw }, moved): (Explained, &[f64])| {
            (raw, Explanation { contributions: self.by_input(moved), base, said: Vec::new() })
        };
        rows.map(row).collect()
    }

    /// What is told of a customer, in the order of `purchases::forecast_fields`; nothing by other kinds.
    pub fn forecast(&self, summary: &Summary) -> Result<Vec<f64>, PlatformError> {
        match &self.model {
            Model::Purchases(models) => models.forecast(summary),
            Model::Trees { .. } | Model::Linear(_) | Model::Text(_) => Ok(Vec::new()),
        }
    }

    fn of_text(&self, explained: TextExplained) -> Explanation {
        let TextExplained { said, numbers, base, .. } = explained;
        let mut contributions = self.by_input(&numbers);
        said.iter().for_each(|one| contributions[one.input] += one.contribution);
        Explanation { contributions, base, said }
    }

    fn by_input(&self, columns: &[f64]) -> Vec<f64> {
        let mut contributions = vec![0.0; self.manifest.features.len()];
        for (value, &input) in columns.iter().zip(&self.inputs) {
            contributions[input] += value;
        }
        contributions
    }
}

/// What each input contributed to a row's log-odds, and the base that all add up from.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub contributions: Vec<f64>,
    pub base: f64,
    /// What was said in the row's texts and how much it weighed; empty for models that read no texts.
    pub said: Vec<Said>,
}

/// A row's first four numbers; NaN for what is none.
fn four(row: &[OwnedValue]) -> [f64; 4] {
    std::array::from_fn(|at| match row.get(at) {
        Some(OwnedValue::Number(value)) => *value,
        _ => f64::NAN,
    })
}

/// A text among a row's values; empty if it is missing.
fn text_of(row: &[OwnedValue], input: usize) -> &str {
    match row.get(input) {
        Some(OwnedValue::Word(Some(text))) => text,
        _ => "",
    }
}

pub fn sigmoid(raw: f64) -> f64 {
    1.0 / (1.0 + (-raw).exp())
}
