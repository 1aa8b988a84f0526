//! A kind that the tests add by this file and one line in `ALL`: one split of one number.

use super::{
    Context, Examples, Explanation, Fitted, Importances, Kind, Parameter, Parameters, Range, VersionFiles, answers_of,
};
use crate::PlatformError;
use crate::values::OwnedValue;
use crate::values::to_json;
use septet_learn::frame::{Column, Frame};
use septet_learn::measures::{Answers, Task};
use serde::{Deserialize, Serialize};

pub struct Stump;

impl Kind for Stump {
    fn name(&self) -> &'static str {
        "stump"
    }

    fn meaning(&self) -> &'static str {
        "One split of one number."
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[Parameter {
            name: "quantiles",
            range: Range::Whole(2.0, 1000.0),
            default: "20",
            meaning: "cuts that are tried of each feature",
        }]
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Label]
    }

    fn fit(&self, examples: &Examples, parameters: &Parameters) -> Result<Box<dyn Fitted>, PlatformError> {
        let truth = examples.truth();
        let quantiles = parameters.number("quantiles").unwrap_or(20.0) as usize;
        let mut best: Option<(f64, FittedStump)> = None;
        for (feature, column) in examples.frame.columns.iter().enumerate() {
            let Column::Number(values) = column else { continue };
            let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
            sorted.sort_by(f64::total_cmp);
            for at in 1..quantiles {
                let Some(&cut) = sorted.get(at * sorted.len() / quantiles) else { continue };
                let share = |above: bool| {
                    let own = values.iter().zip(&truth).filter(|(value, _)| (**value >= cut) == above);
                    let (rows, positives) =
                        own.fold((0.0, 0.0), |(n, p), (_, &t)| (n + 1.0, p + f64::from(u8::from(t))));
                    ((positives + 0.5) / (rows + 1.0), rows)
                };
                let ((low, _), (high, _)) = (share(false), share(true));
                let gain = (high - low).abs();
                if best.as_ref().is_none_or(|(known, _)| gain > *known) {
                    let odds = |share: f64| (share / (1.0 - share)).ln();
                    let inputs = examples.frame.names.len();
                    best = Some((gain, FittedStump { feature, cut, below: odds(low), above: odds(high), inputs }));
                }
            }
        }
        let none = || PlatformError::NotDetermined("no number to split".to_owned());
        best.map(|(_, fitted)| Box::new(fitted) as Box<dyn Fitted>).ok_or_else(none)
    }

    fn load(&self, files: &VersionFiles) -> Result<Box<dyn Fitted>, PlatformError> {
        Ok(Box::new(files.json::<FittedStump>("stump.json")?))
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct FittedStump {
    feature: usize,
    cut: f64,
    below: f64,
    above: f64,
    inputs: usize,
}

impl FittedStump {
    fn side(&self, value: f64) -> f64 {
        if value >= self.cut { self.above } else { self.below }
    }

    fn value(&self, row: &[OwnedValue]) -> f64 {
        match &row[self.feature] {
            OwnedValue::Number(value) => *value,
            OwnedValue::Word(_) => f64::NAN,
        }
    }
}

impl Fitted for FittedStump {
    fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, PlatformError> {
        Ok(vec![("stump.json", to_json(self)?)])
    }

    fn answers(&self, frame: &Frame, context: &Context) -> Result<Answers, PlatformError> {
        let raw = match &frame.columns[self.feature] {
            Column::Number(values) => values.iter().map(|&value| self.side(value)).collect(),
            Column::Category { codes, .. } => vec![self.below; codes.len()],
        };
        Ok(answers_of(context.task, raw))
    }

    fn score(&self, rows: &[Vec<OwnedValue>], _: bool) -> Result<Vec<(f64, Option<Explanation>)>, PlatformError> {
        Ok(rows.iter().map(|row| (self.side(self.value(row)), None)).collect())
    }

    fn explain(&self, row: &[OwnedValue]) -> Result<Explanation, PlatformError> {
        let base = (self.below + self.above) / 2.0;
        let mut contributions = vec![0.0; self.inputs];
        contributions[self.feature] = self.side(self.value(row)) - base;
        Ok(Explanation { contributions, base, terms: Vec::new() })
    }

    fn importances(&self, _: &Frame) -> Importances {
        let mut by_input = vec![0.0; self.inputs];
        by_input[self.feature] = (self.above - self.below).abs();
        Importances { by_input, of: "of the one split" }
    }
}
