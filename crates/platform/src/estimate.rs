//! Numbers that go with a score: learned on validation, judged on the test folds beside their plain mean.

use crate::PlatformError;
use crate::judge::{Exam, Scored};
use crate::split::Fold;
use crate::steps::material::Prepared;
use crate::version::MetricValue;
use septet_domain::Domain;
use septet_learn::isotonic::{self, Curve};
use septet_tables::numbers;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One `[estimate.NAME]`, learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub name: String,
    pub meaning: Option<String>,
    /// From the calibrated probability to the number's mean; none where the data had no such number.
    pub curve: Option<Curve>,
}

/// The estimates of a domain, and how far each is off on the test folds: `NAME_error`, the mean absolute error.
pub fn learn(
    domain: &Domain,
    prepared: &Prepared,
    exam: &Exam,
    validation: &[Scored],
    test: &[Scored],
) -> Result<(Vec<Estimate>, BTreeMap<String, MetricValue>), PlatformError> {
    let (mut estimates, mut metrics) = (Vec::new(), BTreeMap::new());
    for (name, spec) in &domain.spec.estimate {
        let name = name.get_ref().clone();
        let values = numbers(prepared.history.column(spec.of.get_ref())?)?;
        let (score, value) = known(&prepared.plan.validation, validation, &values);
        let curve = isotonic::fit(&score, &value);
        if let Some(curve) = &curve {
            let plain = value.iter().sum::<f64>() / value.len() as f64;
            let metric = format!("{name}_error");
            let error = error(&metric, &prepared.plan.test, exam, test, (&values, curve, plain));
            metrics.insert(metric, error);
        }
        estimates.push(Estimate { name, meaning: spec.meaning.clone(), curve });
    }
    Ok((estimates, metrics))
}

/// Probability and number of the rows that have the number.
fn known(folds: &[Fold], scored: &[Scored], values: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let rows = folds.iter().zip(scored).flat_map(|(fold, scored)| fold.test.iter().zip(&scored.probability));
    rows.map(|(&row, &probability)| (probability, values[row as usize])).filter(|(_, value)| !value.is_nan()).unzip()
}

/// The last: the number of every row, its curve, and its plain mean.
fn error(
    name: &str,
    folds: &[Fold],
    exam: &Exam,
    scored: &[Scored],
    (values, curve, plain): (&[f64], &Curve, f64),
) -> MetricValue {
    let off = |guess: &dyn Fn(f64) -> f64| -> Vec<Vec<f64>> {
        let of_fold = |(fold, scored): (&Fold, &Scored)| {
            let rows = fold.test.iter().zip(&scored.probability);
            rows.map(|(&row, &probability)| (values[row as usize] - guess(probability)).abs()).collect()
        };
        folds.iter().zip(scored).map(of_fold).collect()
    };
    let ours = off(&|probability| curve.apply(probability));
    let naive = off(&|_| plain);
    let by_fold: Vec<Option<f64>> = ours.iter().map(|fold| mean(fold, None)).collect();
    let interval = exam.interval(|rows| mean_of_folds(&ours, rows));
    let ones = vec![1; ours.iter().map(Vec::len).sum()];
    let baselines = mean_of_folds(&naive, &ones).map(|value| ("mean".to_owned(), value)).into_iter().collect();
    let value = mean_of_folds(&ours, &ones).unwrap_or(f64::NAN);
    MetricValue::beside(name, value, interval, baselines, by_fold)
}

/// The mean over the folds that have the number; `weights`: of all rows, fold after fold.
fn mean_of_folds(folds: &[Vec<f64>], weights: &[u32]) -> Option<f64> {
    let mut from = 0;
    let mut means = Vec::new();
    for fold in folds {
        means.extend(mean(fold, Some(&weights[from..from + fold.len()])));
        from += fold.len();
    }
    (!means.is_empty()).then(|| means.iter().sum::<f64>() / means.len() as f64)
}

/// The weighted mean of what is a number.
fn mean(values: &[f64], weights: Option<&[u32]>) -> Option<f64> {
    let (mut sum, mut rows) = (0.0, 0.0);
    for (at, value) in values.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
        let weight = weights.map_or(1.0, |weights| f64::from(weights[at]));
        sum += weight * value;
        rows += weight;
    }
    (rows > 0.0).then(|| sum / rows)
}
