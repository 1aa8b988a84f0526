//! Logistic and ridge regression on standardised inputs, categories one-hot: the baseline that others have to beat.

use super::{
    Context, Examples, Explanation, Fitted, Importances, Kind, Parameter, Parameters, Range, VersionFiles, answers_of,
    by_input, encode, training_error,
};
use crate::PlatformError;
use crate::values::OwnedValue;
use crate::values::to_json;
use septet_learn::encoding::{Encoder, OneHot};
use septet_learn::frame::Frame;
use septet_learn::linear::{self, LinearModel, LinearSettings, Loss};
use septet_learn::measures::{Answers, Task};

/// Rows a word needs in training for a column of its own.
const ONE_HOT_ROWS_MIN: usize = 20;

pub struct Linear;

impl Kind for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn meaning(&self) -> &'static str {
        "Logistic regression for a label, ridge regression for a number; inputs standardised, categories one-hot."
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter { name: "c", range: Range::Number(1e-9, 1e9), default: "1", meaning: "inverse penalty" },
            Parameter {
                name: "l1_ratio",
                range: Range::Number(0.0, 1.0),
                default: "0",
                meaning: "0 is ridge, 1 is lasso, between is elastic net",
            },
        ]
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Label, Task::Number]
    }

    fn fit(&self, examples: &Examples, parameters: &Parameters) -> Result<Box<dyn Fitted>, PlatformError> {
        let encoder = OneHot { min_count: ONE_HOT_ROWS_MIN }.fit(examples.frame).map_err(training_error)?;
        let matrix = encoder.transform(examples.frame).map_err(training_error)?;
        let settings = LinearSettings {
            loss: if examples.context.task == Task::Label { Loss::Logistic } else { Loss::Squared },
            c: parameters.number("c").unwrap_or(1.0),
            l1_ratio: parameters.number("l1_ratio").unwrap_or(0.0),
            ..LinearSettings::default()
        };
        let fit = linear::fit(&matrix, examples.target, None, &settings).map_err(training_error)?;
        Ok(Box::new(FittedLinear { encoder, model: fit.model }))
    }

    fn load(&self, files: &VersionFiles) -> Result<Box<dyn Fitted>, PlatformError> {
        let fitted = FittedLinear { encoder: files.json("encoder.json")?, model: files.json("linear.json")? };
        files.same_width(&fitted.encoder, fitted.model.weights.len())?;
        Ok(Box::new(fitted))
    }
}

struct FittedLinear {
    encoder: Encoder,
    model: LinearModel,
}

impl FittedLinear {
    fn inputs(&self) -> usize {
        self.encoder.input_names().len()
    }
}

impl Fitted for FittedLinear {
    fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, PlatformError> {
        Ok(vec![("encoder.json", to_json(&self.encoder)?), ("linear.json", to_json(&self.model)?)])
    }

    fn answers(&self, frame: &Frame, context: &Context) -> Result<Answers, PlatformError> {
        let matrix = self.encoder.transform(frame).map_err(training_error)?;
        Ok(answers_of(context.task, self.model.predict_raw(&matrix)))
    }

    fn score(&self, rows: &[Vec<OwnedValue>], _: bool) -> Result<Vec<(f64, Option<Explanation>)>, PlatformError> {
        rows.iter().map(|row| Ok((self.model.raw_row(&encode(&self.encoder, row)?), None))).collect()
    }

    fn explain(&self, row: &[OwnedValue]) -> Result<Explanation, PlatformError> {
        let encoded = encode(&self.encoder, row)?;
        // Encoded columns are standardised: their training means are 0.
        let columns = self.model.contributions(&encoded, &vec![0.0; encoded.len()]);
        let contributions = by_input(&self.encoder.output_inputs(), self.inputs(), &columns);
        Ok(Explanation { contributions, base: self.model.intercept, terms: Vec::new() })
    }

    fn importances(&self, _: &Frame) -> Importances {
        let weights: Vec<f64> = self.model.weights.iter().map(|weight| weight.abs()).collect();
        let by_input = by_input(&self.encoder.output_inputs(), self.inputs(), &weights);
        Importances { by_input, of: "of the absolute standardised weights" }
    }
}
