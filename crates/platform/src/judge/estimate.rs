//! Numbers that go with a score: learned on validation, judged on the test folds beside their plain mean.

use crate::PlatformError;
use crate::inputs::TrainingData;
use crate::judge::evaluation::Evaluation;
use crate::kinds::AlsoJudged;
use crate::split::Fold;
use crate::version::{Estimate, MetricValue};
use septet_domain::Domain;
use septet_learn::isotonic;
use septet_learn::measures::Answers;
use std::collections::BTreeMap;

/// The estimates of a domain, and how far each is off on the test folds: `NAME_error`, the mean absolute error.
pub fn learn(
    domain: &Domain,
    data: &TrainingData,
    evaluation: &Evaluation,
    validation: &[Answers],
    test: &[Answers],
) -> Result<(Vec<Estimate>, BTreeMap<String, MetricValue>), PlatformError> {
    let mut estimates = Vec::new();
    let mut judged: Vec<Vec<AlsoJudged>> = test.iter().map(|_| Vec::new()).collect();
    for (name, spec) in &domain.spec.estimate {
        let name = name.get_ref().clone();
        let values = data.numbers(spec.of.get_ref())?;
        let (score, value) = known(&data.plan.validation, validation, &values);
        let curve = isotonic::fit(&score, &value);
        if let Some(curve) = &curve {
            let plain = value.iter().sum::<f64>() / value.len() as f64;
            for ((fold, answers), judged) in data.plan.test.iter().zip(test).zip(&mut judged) {
                judged.push(AlsoJudged {
                    name: format!("{name}_error"),
                    measure: "mae",
                    predicted: chances(answers).iter().map(|&probability| curve.apply(probability)).collect(),
                    truth: fold.test.iter().map(|&row| values[row as usize]).collect(),
                    baselines: vec![("mean", vec![plain; fold.test.len()])],
                });
            }
        }
        estimates.push(Estimate { name, meaning: spec.meaning.clone(), curve });
    }
    Ok((estimates, evaluation.also(&judged)))
}

/// Probability and number of the rows that have the number.
fn known(folds: &[Fold], answers: &[Answers], values: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let rows = folds.iter().zip(answers).flat_map(|(fold, answers)| fold.test.iter().zip(chances(answers)));
    rows.map(|(&row, &probability)| (probability, values[row as usize])).filter(|(_, value)| !value.is_nan()).unzip()
}

fn chances(answers: &Answers) -> &[f64] {
    answers.chance.as_deref().unwrap_or_default()
}
