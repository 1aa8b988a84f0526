//! Model kinds: how something is learned. One file a kind, one line in [`ALL`]; nothing outside this folder names one.

mod buying;
mod linear;
mod parameters;
#[cfg(test)]
mod stump;
mod text;
mod trees;

pub use parameters::{Parameter, Parameters, Range};

use crate::PlatformError;
use crate::values::OwnedValue;
use septet_learn::encoding::{Encoder, RowValue};
use septet_learn::frame::Frame;
use septet_learn::measures::{Answers, Measure, Task};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Every kind, in the order of the reference page.
pub const ALL: &[&dyn Kind] = &[
    &trees::Trees,
    &linear::Linear,
    &text::Text,
    &buying::Buying,
    #[cfg(test)]
    &stump::Stump,
];

/// What a model kind says of itself.
pub trait Kind: Sync {
    /// Its name in `domain.toml`.
    fn name(&self) -> &'static str;
    /// What it learns and from what, in a sentence.
    fn meaning(&self) -> &'static str;
    /// What it can be told; anything else is refused.
    fn parameters(&self) -> &'static [Parameter];
    /// What it can predict, the most likely first.
    fn tasks(&self) -> &'static [Task];

    /// Whether it learns from the target. One that does not learns from the inputs of all rows, and is fitted once more on the
    /// newest ones when it is chosen.
    fn learns_from_target(&self) -> bool {
        true
    }

    /// What else it answers with, by the names that rules and `answer.sql` read.
    fn outputs(&self, _: &Context) -> Vec<String> {
        Vec::new()
    }

    /// What its probability is of, where that is not the target.
    fn probability_of(&self) -> Option<&'static str> {
        None
    }

    /// Naive lines that only this kind knows how to draw from its features, by name.
    fn naive_lines(&self) -> &'static [&'static str] {
        &[]
    }

    /// The answers of one of them; none if it is not its own.
    fn naive(&self, _: &str, _: &Examples) -> Result<Option<Answers>, PlatformError> {
        Ok(None)
    }

    /// Indices of candidates that one fit can serve, the candidate that is fitted last; each alone unless the kind says more.
    fn sharing_a_fit(&self, candidates: &[Parameters]) -> Vec<Vec<usize>> {
        (0..candidates.len()).map(|at| vec![at]).collect()
    }

    fn fit(&self, examples: &Examples, parameters: &Parameters) -> Result<Box<dyn Fitted>, PlatformError>;

    fn load(&self, files: &VersionFiles) -> Result<Box<dyn Fitted>, PlatformError>;
}

/// What a kind learned.
pub trait Fitted: Send + Sync {
    /// Files of the version's folder and their bytes: all that loading needs.
    fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, PlatformError>;

    /// Answers to every row of a frame. `context` as in the fit.
    fn answers(&self, frame: &Frame, context: &Context) -> Result<Answers, PlatformError>;

    /// The raw score of each row: log-odds of a label, else the number itself. `explained`: an explanation is kept where it comes
    /// with the score; else it is made when it is asked for.
    fn score(
        &self,
        rows: &[Vec<OwnedValue>],
        explained: bool,
    ) -> Result<Vec<(f64, Option<Explanation>)>, PlatformError>;

    /// What each input contributed to a row's raw score.
    fn explain(&self, row: &[OwnedValue]) -> Result<Explanation, PlatformError>;

    /// The values of [`Kind::outputs`]; NaN for none.
    fn outputs(&self, _: &[OwnedValue]) -> Result<Vec<f64>, PlatformError> {
        Ok(Vec::new())
    }

    /// How much each input moves the score over the rows of a frame; one a feature.
    fn importances(&self, frame: &Frame) -> Importances;

    /// Answers of each of the candidates that share this fit, see [`Kind::sharing_a_fit`].
    fn answers_of_each(
        &self,
        _candidates: &[&Parameters],
        frame: &Frame,
        context: &Context,
    ) -> Result<Vec<Answers>, PlatformError> {
        Ok(vec![self.answers(frame, context)?])
    }

    /// What another candidate that shares this fit would have learned; none where only a fit of its own can say.
    fn cut_to(&self, _: &Parameters) -> Result<Option<Box<dyn Fitted>>, PlatformError> {
        Ok(None)
    }

    /// Learned numbers that a reader of the report wants to see, with their standard errors as `NAME_error`.
    fn learned(&self) -> BTreeMap<String, f64> {
        BTreeMap::new()
    }

    /// Further numbers that it answers with, beside what came true.
    fn also_judged(&self, _: &Examples) -> Result<Vec<AlsoJudged>, PlatformError> {
        Ok(Vec::new())
    }
}

/// What all fits and answers of one domain share.
pub struct Context {
    pub task: Task,
    pub seed: u64,
    /// What candidates are chosen by.
    pub measure: &'static Measure,
    /// The score may only rise (1) or only fall (-1) with these features.
    pub monotone: BTreeMap<String, i8>,
    /// How far ahead kinds of counts tell, in the domain's own words and in days.
    pub horizons: Vec<(String, f64)>,
    /// The time that the target of a count counts over, in days.
    pub target_days: f64,
}

/// Rows to learn from.
pub struct Examples<'a> {
    pub frame: &'a Frame,
    /// What is predicted, one a row: 0 or 1 for a label. NaN where it is not known.
    pub target: &'a [f64],
    /// All labels of the rows by name.
    pub labels: &'a BTreeMap<String, Vec<f64>>,
    pub context: &'a Context,
}

impl Examples<'_> {
    /// The target as truth values.
    pub fn truth(&self) -> Vec<bool> {
        self.target.iter().map(|&value| value == 1.0).collect()
    }
}

/// Numbers beside what came true, judged by a measure: see [`Fitted::also_judged`].
pub struct AlsoJudged {
    pub name: String,
    pub measure: &'static str,
    pub predicted: Vec<f64>,
    /// NaN for rows that do not count.
    pub truth: Vec<f64>,
    pub baselines: Vec<(&'static str, Vec<f64>)>,
}

/// What each input contributed to a row's raw score, and the base that all add up from.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// One a feature.
    pub contributions: Vec<f64>,
    pub base: f64,
    /// Parts of a text and how much each weighed; empty for kinds that read no texts.
    pub terms: Vec<TermContribution>,
}

/// What one term of a text, or a group without a term (its sentiment), contributed to the raw score.
#[derive(Clone, Debug, PartialEq)]
pub struct TermContribution {
    /// Place of the text among the features.
    pub input: usize,
    pub term: Arc<str>,
    pub contribution: f64,
}

/// How much each input moves the score.
#[derive(Clone, Debug, Default)]
pub struct Importances {
    /// One a feature, 0 or more, in any unit; empty if the kind knows none.
    pub by_input: Vec<f64>,
    /// What they are shares of: "of the gain in training".
    pub of: &'static str,
}

/// The files of a version's folder.
pub struct VersionFiles<'a> {
    folder: &'a Path,
}

impl<'a> VersionFiles<'a> {
    pub fn new(folder: &'a Path) -> VersionFiles<'a> {
        VersionFiles { folder }
    }

    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, PlatformError> {
        std::fs::read(self.folder.join(name)).map_err(|error| self.failed(name, error))
    }

    pub fn text(&self, name: &str) -> Result<String, PlatformError> {
        String::from_utf8(self.bytes(name)?).map_err(|error| self.failed(name, error))
    }

    pub fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, PlatformError> {
        serde_json::from_slice(&self.bytes(name)?).map_err(|error| self.failed(name, error))
    }

    pub fn failed(&self, name: &str, error: impl std::fmt::Display) -> PlatformError {
        let version = self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        PlatformError::Version { version, reason: format!("{name}: {error}") }
    }

    /// An encoder and a model are from one fit only if their widths agree.
    pub fn same_width(&self, encoder: &Encoder, model: usize) -> Result<(), PlatformError> {
        let made = encoder.output_names().len();
        match made == model {
            true => Ok(()),
            false => {
                Err(self.failed("encoder.json", format!("its encoder makes {made} columns, its model takes {model}")))
            }
        }
    }
}

/// One fit of boosted trees with all that it is made from, for a benchmark beside the library in another language.
pub use trees::Fit as TreeFit;

/// See [`TreeFit`]. `threads` of the fit.
pub fn tree_fit(examples: &Examples, parameters: &Parameters, threads: usize) -> Result<TreeFit, PlatformError> {
    TreeFit::of(examples, parameters, threads)
}

/// The kind of a name.
pub fn find(name: &str) -> Option<&'static dyn Kind> {
    ALL.iter().copied().find(|kind| kind.name() == name)
}

/// Says what is wrong with a parameter of a kind, with a hint; none if nothing is. `labels`: names of the domain's labels.
pub fn wrong_parameter(
    kind: &dyn Kind,
    name: &str,
    value: &septet_domain::ParameterValue,
    labels: &[&str],
) -> Option<(String, Option<String>)> {
    parameters::wrong(kind.parameters(), kind.name(), name, value, labels)
}

/// The page `docs/reference/kinds.md`.
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "# Model kinds\n\nGenerated by `septet reference kinds`; do not edit. `[model.parameters]` fixes parameters, `[model.search]` \
         gives values to try; a parameter that a kind does not have is refused.\n",
    );
    for kind in ALL.iter().filter(|kind| kind.name() != "stump") {
        let tasks: Vec<&str> = kind.tasks().iter().map(|task| task.name()).collect();
        page += &format!("\n## {}\n\n{}\n\nPredicts: {}.\n", kind.name(), kind.meaning(), tasks.join(", "));
        page += "\n| parameter | range | default | meaning |\n|---|---|---|---|\n";
        for one in kind.parameters() {
            page += &format!("| `{}` | {} | {} | {} |\n", one.name, one.range, one.default, one.meaning);
        }
    }
    page
}

fn training_error(error: impl std::fmt::Display) -> PlatformError {
    PlatformError::Training(error.to_string())
}

fn encode(encoder: &Encoder, row: &[OwnedValue]) -> Result<Vec<f64>, PlatformError> {
    let values: Vec<RowValue> = row.iter().map(OwnedValue::as_row_value).collect();
    encoder.encode_row(&values).map_err(training_error)
}

/// Values of encoded columns summed by the input that each came from.
fn by_input(encoder_inputs: &[usize], inputs: usize, columns: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; inputs];
    for (value, &input) in columns.iter().zip(encoder_inputs) {
        sums[input] += value;
    }
    sums
}

/// What a raw score says: the log-odds of a label, or the number itself.
fn answers_of(task: Task, raw: Vec<f64>) -> Answers {
    match task {
        Task::Label => Answers { score: Some(raw), ..Answers::default() },
        Task::Number | Task::Count => Answers { number: Some(raw), ..Answers::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_each_of_its_parameters_has_a_name_of_its_own_and_a_meaning() {
        for (at, kind) in ALL.iter().enumerate() {
            assert!(ALL[at + 1..].iter().all(|other| other.name() != kind.name()) && !kind.tasks().is_empty());
            for (at, one) in kind.parameters().iter().enumerate() {
                let again = kind.parameters()[at + 1..].iter().any(|other| other.name == one.name);
                assert!(!again && !one.meaning.is_empty(), "{} of {}", one.name, kind.name());
            }
        }
    }

    #[test]
    fn the_reference_page_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/kinds.md");
        let current = reference_markdown();
        if std::env::var_os("SEPTET_UPDATE").is_some() {
            std::fs::write(&path, &current).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == current, "docs/reference/kinds.md is stale: SEPTET_UPDATE=1 cargo test -p septet-platform");
    }
}
