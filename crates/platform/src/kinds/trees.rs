//! Gradient boosted trees by LightGBM; categories by out-of-fold target encoding.

use super::{
    Context, Examples, Explanation, Fitted, Importances, Kind, Parameter, Parameters, Range, VersionFiles, answers_of,
    by_input, encode, training_error,
};
use crate::PlatformError;
use crate::values::OwnedValue;
use crate::values::to_json;
use septet_domain::ParameterValue;
use septet_learn::encoding::{Encoder, TargetEncoding};
use septet_learn::frame::{Frame, Matrix};
use septet_learn::measures::{Answers, Task};
use septet_learn::trees::{self, Explained, Objective, Settings, TrainingSet};
use std::collections::BTreeMap;

/// Weight of the prior in a target encoding, in rows; scikit-learn's examples use the same order.
const ENCODING_SMOOTHING: f64 = 20.0;
/// Out-of-fold parts of the training span for target encodings.
const ENCODING_FOLDS: usize = 5;
/// Trees where the domain does not say: LightGBM's own default.
const TREES_DEFAULT: usize = 100;

pub struct Trees;

const fn number(name: &'static str, min: f64, max: f64, default: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, range: Range::Number(min, max), default, meaning }
}

const fn whole(name: &'static str, min: f64, max: f64, default: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, range: Range::Whole(min, max), default, meaning }
}

const fn flag(name: &'static str, default: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, range: Range::Flag, default, meaning }
}

const MANY: f64 = 1e9;

/// All but the first two go to LightGBM by its own names.
const PARAMETERS: &[Parameter] = &[
    whole("trees", 1.0, 100_000.0, "100", "trees to grow at the most"),
    whole(
        "patience",
        1.0,
        10_000.0,
        "none",
        "stop when so many trees did not improve the last fifth of the training span",
    ),
    number("learning_rate", 1e-6, 10.0, "0.1", "how much each tree counts"),
    whole("num_leaves", 2.0, 131_072.0, "31", "leaves of a tree"),
    whole("max_depth", -1.0, 1_000.0, "-1", "splits from the root to a leaf; -1: any"),
    whole("min_data_in_leaf", 0.0, MANY, "20", "rows that a leaf needs"),
    number("min_sum_hessian_in_leaf", 0.0, MANY, "0.001", "evidence that a leaf needs"),
    number("min_gain_to_split", 0.0, MANY, "0", "gain that a split needs"),
    number("lambda_l1", 0.0, MANY, "0", "penalty on absolute leaf values"),
    number("lambda_l2", 0.0, MANY, "0", "penalty on squared leaf values"),
    number("path_smooth", 0.0, MANY, "0", "how far leaves are drawn towards their parents"),
    number("max_delta_step", 0.0, MANY, "0", "largest leaf value; 0: any"),
    number("feature_fraction", 1e-6, 1.0, "1", "share of features that a tree may use"),
    number("feature_fraction_bynode", 1e-6, 1.0, "1", "share of features that a split may use"),
    number("bagging_fraction", 1e-6, 1.0, "1", "share of rows that a tree is grown on"),
    whole("bagging_freq", 0.0, MANY, "0", "trees after which rows are drawn again; 0: never"),
    number("pos_bagging_fraction", 1e-6, 1.0, "1", "share of positives that a tree is grown on"),
    number("neg_bagging_fraction", 1e-6, 1.0, "1", "share of negatives that a tree is grown on"),
    number("scale_pos_weight", 1e-6, MANY, "1", "weight of a positive"),
    whole("max_bin", 2.0, 65_535.0, "255", "bins of a feature"),
    whole("min_data_in_bin", 1.0, MANY, "3", "rows that a bin needs"),
    whole("bin_construct_sample_cnt", 1.0, MANY, "200000", "rows that bins are learned from"),
    number("monotone_penalty", 0.0, MANY, "0", "penalty on monotone splits near the root"),
    flag("boost_from_average", "true", "begin at the mean"),
    flag("is_unbalance", "false", "weigh the classes alike"),
    flag("extra_trees", "false", "thresholds at random"),
];

impl Kind for Trees {
    fn name(&self) -> &'static str {
        "trees"
    }

    fn meaning(&self) -> &'static str {
        "Gradient boosted trees (LightGBM); categories by out-of-fold target encoding. A number by squared error, or by absolute error \
         where `measure` is `mae`."
    }

    fn parameters(&self) -> &'static [Parameter] {
        PARAMETERS
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Label, Task::Number]
    }

    /// Boosting adds trees one by one: candidates that differ in their number alone share the fit of the longest.
    fn sharing_a_fit(&self, candidates: &[Parameters]) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let shares = |a: &Parameters, b: &Parameters| {
            !a.0.contains_key("patience") && a.without(&["trees"]) == b.without(&["trees"])
        };
        for (at, candidate) in candidates.iter().enumerate() {
            match groups.iter_mut().find(|group| shares(&candidates[group[0]], candidate)) {
                Some(group) => group.push(at),
                None => groups.push(vec![at]),
            }
        }
        groups.iter_mut().for_each(|group| group.sort_by_key(|&at| tree_count(&candidates[at])));
        groups
    }

    fn fit(&self, examples: &Examples, parameters: &Parameters) -> Result<Box<dyn Fitted>, PlatformError> {
        let (encoder, features) = encoded(examples)?;
        let settings = settings(examples.context, &encoder, parameters);
        let fitted = match settings.patience {
            Some(_) => fit_with_patience(&features, examples.target, &settings)?,
            None => {
                let set = TrainingSet { features: &features, target: examples.target, weight: None };
                trees::fit(set, None, &settings, &mut |_| {}).map_err(training_error)?
            }
        };
        let trees = Box::new(trees::Trees::parse(&fitted.text).map_err(training_error)?);
        Ok(Box::new(FittedTrees::new(encoder, fitted.text, trees)))
    }

    fn load(&self, files: &VersionFiles) -> Result<Box<dyn Fitted>, PlatformError> {
        let (encoder, text) = (files.json("encoder.json")?, files.text("model.txt")?);
        let trees = trees::Trees::parse(&text).map_err(|error| files.failed("model.txt", error))?;
        files.same_width(&encoder, trees.features())?;
        Ok(Box::new(FittedTrees::new(encoder, text, Box::new(trees))))
    }
}

fn tree_count(parameters: &Parameters) -> usize {
    parameters.number("trees").map_or(TREES_DEFAULT, |trees| trees as usize)
}

fn encoded(examples: &Examples) -> Result<(Encoder, Matrix), PlatformError> {
    let rows = examples.target.len();
    // Parts of the span in order of time: a row's own week never tells its category's worth.
    let parts: Vec<u32> = (0..rows).map(|at| (at * ENCODING_FOLDS / rows) as u32).collect();
    let encoding = TargetEncoding { smoothing: ENCODING_SMOOTHING };
    encoding.fit_transform(examples.frame, examples.target, &parts).map_err(training_error)
}

/// What a benchmark of the fit alone needs.
pub struct Fit {
    pub names: Vec<String>,
    pub matrix: Matrix,
    pub settings: Settings,
    /// All parameters by LightGBM's names, for the library in another language.
    pub parameters: BTreeMap<String, String>,
}

impl Fit {
    pub fn of(examples: &Examples, parameters: &Parameters, threads: usize) -> Result<Fit, PlatformError> {
        let (encoder, matrix) = encoded(examples)?;
        let settings = Settings { threads, ..settings(examples.context, &encoder, parameters) };
        let mut all = trees::all_parameters(&settings);
        all.push(("trees".to_owned(), settings.trees_max.to_string()));
        Ok(Fit { names: encoder.output_names(), matrix, settings, parameters: all.into_iter().collect() })
    }
}

/// Stops on the last fifth of the training span, which comes after the rest in time.
fn fit_with_patience(features: &Matrix, target: &[f64], settings: &Settings) -> Result<trees::Fitted, PlatformError> {
    let cut = target.len() * 4 / 5;
    let (early, late) = (part(features, 0..cut), part(features, cut..target.len()));
    let set = TrainingSet { features: &early, target: &target[..cut], weight: None };
    let later = TrainingSet { features: &late, target: &target[cut..], weight: None };
    let found = trees::fit(set, Some(later), settings, &mut |_| {}).map_err(training_error)?;
    let whole = TrainingSet { features, target, weight: None };
    let settings = Settings { trees_max: found.trees, patience: None, ..settings.clone() };
    trees::fit(whole, None, &settings, &mut |_| {}).map_err(training_error)
}

fn part(matrix: &Matrix, rows: std::ops::Range<usize>) -> Matrix {
    let mut out = Matrix::with_rows(rows.len());
    (0..matrix.columns()).for_each(|column| out.push(&matrix.column(column)[rows.clone()]));
    out
}

/// Parameters of ours are taken out; the rest go to LightGBM by its own names.
fn settings(context: &Context, encoder: &Encoder, parameters: &Parameters) -> Settings {
    let theirs = parameters.without(&["trees", "patience"]);
    let mut all: Vec<(String, String)> =
        theirs.0.iter().map(|(name, value)| (name.clone(), lightgbm_text(name, value))).collect();
    let (objective, metric) = match (context.task, context.measure.name) {
        (Task::Label, "average_precision") => (Objective::Binary, "average_precision"),
        (Task::Label, "roc_auc") => (Objective::Binary, "auc"),
        (Task::Label, _) => (Objective::Binary, "binary_logloss"),
        (_, "mae") => (Objective::AbsoluteError, "l1"),
        _ => (Objective::SquaredError, "l2"),
    };
    all.push(("metric".to_owned(), metric.to_owned()));
    Settings {
        objective,
        trees_max: tree_count(parameters),
        patience: parameters.number("patience").map(|patience| patience as usize),
        threads: 1,
        seed: context.seed,
        monotone: encoder.output_names().iter().map(|name| context.monotone.get(name).copied().unwrap_or(0)).collect(),
        parameters: all,
    }
}

/// LightGBM reads truth values as words.
fn lightgbm_text(name: &str, value: &ParameterValue) -> String {
    let is_flag = PARAMETERS.iter().any(|known| known.name == name && matches!(known.range, Range::Flag));
    match value {
        ParameterValue::Number(value) if is_flag => (*value != 0.0).to_string(),
        value => value.to_string(),
    }
}

struct FittedTrees {
    encoder: Encoder,
    /// LightGBM's own text; empty for a fit that was cut.
    text: String,
    trees: Box<trees::Trees>,
    /// For each encoded column, the input it came from.
    inputs: Vec<usize>,
    input_count: usize,
}

impl FittedTrees {
    fn new(encoder: Encoder, text: String, trees: Box<trees::Trees>) -> FittedTrees {
        let (inputs, input_count) = (encoder.output_inputs(), encoder.input_names().len());
        FittedTrees { encoder, text, trees, inputs, input_count }
    }

    fn explanations(&self, encoded: &[Vec<f64>]) -> Vec<(f64, Explanation)> {
        let columns = self.inputs.len();
        let mut moved = vec![0.0; encoded.len() * columns];
        let explained = self.trees.explain_each(&encoded.concat(), columns, &mut moved);
        let rows = explained.into_iter().zip(moved.chunks_exact(columns));
        let row = |(Explained { base, raw }, moved): (Explained, &[f64])| {
            let contributions = by_input(&self.inputs, self.input_count, moved);
            (raw, Explanation { contributions, base, terms: Vec::new() })
        };
        rows.map(row).collect()
    }
}

impl Fitted for FittedTrees {
    fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, PlatformError> {
        Ok(vec![("encoder.json", to_json(&self.encoder)?), ("model.txt", self.text.clone().into_bytes())])
    }

    fn answers(&self, frame: &Frame, context: &Context) -> Result<Answers, PlatformError> {
        let matrix = self.encoder.transform(frame).map_err(training_error)?;
        Ok(answers_of(context.task, self.trees.raw_batch(&matrix)))
    }

    fn score(
        &self,
        rows: &[Vec<OwnedValue>],
        explained: bool,
    ) -> Result<Vec<(f64, Option<Explanation>)>, PlatformError> {
        let encoded = rows.iter().map(|row| encode(&self.encoder, row)).collect::<Result<Vec<_>, _>>()?;
        if explained {
            let made = self.explanations(&encoded).into_iter();
            return Ok(made.map(|(raw, explanation)| (raw, Some(explanation))).collect());
        }
        Ok(encoded.iter().map(|row| (self.trees.raw(row), None)).collect())
    }

    fn explain(&self, row: &[OwnedValue]) -> Result<Explanation, PlatformError> {
        Ok(self.explanations(&[encode(&self.encoder, row)?]).swap_remove(0).1)
    }

    fn importances(&self, _: &Frame) -> Importances {
        let by_input = by_input(&self.inputs, self.input_count, self.trees.gain());
        Importances { by_input, of: "of the gain in training" }
    }

    fn answers_of_each(
        &self,
        candidates: &[&Parameters],
        frame: &Frame,
        context: &Context,
    ) -> Result<Vec<Answers>, PlatformError> {
        if candidates.len() == 1 {
            return Ok(vec![self.answers(frame, context)?]);
        }
        let matrix = self.encoder.transform(frame).map_err(training_error)?;
        let counts: Vec<usize> = candidates.iter().map(|candidate| tree_count(candidate)).collect();
        let raws = self.trees.raw_of_first(&matrix, &counts);
        Ok(raws.into_iter().map(|raw| answers_of(context.task, raw)).collect())
    }

    fn cut_to(&self, parameters: &Parameters) -> Result<Option<Box<dyn Fitted>>, PlatformError> {
        if parameters.0.contains_key("patience") {
            return Ok(None);
        }
        let trees = trees::Trees::parse_first(&self.text, tree_count(parameters)).map_err(training_error)?;
        Ok(Some(Box::new(FittedTrees::new(self.encoder.clone(), String::new(), Box::new(trees)))))
    }
}
