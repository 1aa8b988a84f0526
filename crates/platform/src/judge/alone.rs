//! What each input alone says of the target. One that says nearly all of it was most likely filled in after the fact: a note of the
//! clerk who handled the fraud is no way to find the next one.

use crate::PlatformError;
use crate::inputs::TrainingData;
use crate::version::Manifest;
use rayon::prelude::*;
use septet_domain::{Domain, Problem, Problems, did_you_mean};
use septet_learn::measures::Task;
use septet_learn::univariate::{HeldOut, Read, Told, Univariate, univariate};

/// Above this an input gives the target away alone. A convention of ours: honest inputs of fraud, churn and credit risk stay below
/// .95.
pub const GIVES_AWAY: f64 = 0.98;
/// And the low end of its interval must be above this: five positives may be in order by chance, twenty are not.
const SURE_FROM: f64 = 0.9;

/// Inputs by name with what each says alone on the validation folds, in the order of the features; those of which nothing can be
/// said are left out.
pub fn each_alone(data: &TrainingData) -> Vec<(String, Univariate)> {
    let told = match data.context.task {
        Task::Label => Told::RocAuc,
        Task::Number | Task::Count => Told::RankCorrelation,
    };
    let folds: Vec<HeldOut> =
        data.plan.validation.iter().map(|fold| HeldOut { learned: &fold.train, judged: &fold.test }).collect();
    let inputs = data.frame.names.par_iter().zip(&data.frame.columns);
    inputs.filter_map(|(name, column)| Some((name.clone(), univariate(column, data.target(), &folds, told)?))).collect()
}

/// Refuses an exception for an input that is not there: it would stay unnoticed when the column is renamed.
pub fn check_exceptions(domain: &Domain, inputs: &[String]) -> Result<(), PlatformError> {
    let unknown = |name: &&septet_domain::Spanned<String>| !inputs.contains(name.get_ref());
    let problem = |name: &septet_domain::Spanned<String>| Problem {
        place: domain.place("domain.toml", name.span().start),
        message: format!("may_reveal_label names `{}`, which is no input of the model", name.get_ref()),
        hint: did_you_mean(name.get_ref(), inputs.iter().map(String::as_str)),
    };
    let problems: Vec<Problem> = domain.spec.gates.may_reveal_label.iter().filter(unknown).map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(PlatformError::Domain(Problems(problems))) }
}

/// Columns beyond the contract that were taken as features, with their type and what each says alone.
pub fn beyond_contract(manifest: &Manifest) -> Vec<[String; 3]> {
    let taken = manifest.features.iter().filter(|feature| manifest.extras.contains(&feature.name));
    let alone = |name: &str| manifest.alone.iter().find(|(known, _)| known == name);
    let figures = |name: &str| alone(name).map_or_else(|| "nothing".to_owned(), |(_, found)| figures(found));
    taken.map(|feature| [feature.name.clone(), feature.kind.clone(), figures(&feature.name)]).collect()
}

pub fn gives_away(found: &Univariate) -> bool {
    found.value > GIVES_AWAY && found.low > SURE_FROM
}

/// The measure with its interval.
pub fn figures(found: &Univariate) -> String {
    let measure = match found.told {
        Told::RocAuc => "ROC AUC",
        Told::RankCorrelation => "rank correlation",
    };
    format!("{measure} {:.3} (interval {:.3} to {:.3})", found.value, found.low, found.high)
}

/// The whole sentence about one that gives the target away.
pub fn accusation(name: &str, found: &Univariate) -> String {
    let tells = match found.told {
        Told::RocAuc => "separates the label",
        Told::RankCorrelation => "orders the target",
    };
    let by = match found.read {
        Read::Order => "",
        Read::Values => ", by the mean of the target that its values had in training",
        Read::Missing => ", by being there or not",
    };
    format!("`{name}` alone {tells}: {} on {} held-out rows{by}", figures(found), found.rows)
}
