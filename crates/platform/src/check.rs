//! Whether a domain is sound: its model is one that can be learned, and every SQL text plans against the contract.

mod layouts;

use crate::PlatformError;
use crate::cases;
use crate::inputs::Inputs;
use crate::inputs::places::{at_file, at_offset, contract_schema, plan_tables};
use crate::inputs::training;
use crate::judge::{baselines, choose};
use crate::kinds;
use crate::own_names::refuse_declared;
use crate::run::table_tests::plan_tests;
use septet_domain::{Domain, KindChoice, ParameterValue, Problem, Problems, Spanned, did_you_mean};
use septet_learn::measures;
use septet_tables::arrow::datatypes::{DataType, SchemaRef};
use septet_tables::{Engine, TablesError};

/// Plans everything that a domain says in SQL, and runs nothing.
pub async fn check_domain(engine: &Engine, domain: &Domain) -> Result<(), PlatformError> {
    check_model(domain)?;
    plan_tables(engine, domain).await?;
    plan_tests(engine, domain).await?;
    let inputs = Inputs::plan(engine, domain).await?;
    refuse_declared(&engine.beside(), domain).await?;
    crate::serve::check_decision(engine, domain, &inputs).await?;
    check_watches(engine, domain, &inputs).await?;
    cases::check(domain, &inputs)?;
    layouts::check(engine, domain).await?;
    let strange = domain.spec.features.keys().find(|name| !inputs.names.contains(name.get_ref()));
    if let Some(name) = strange {
        let hint = did_you_mean(name.get_ref(), inputs.names.iter().map(String::as_str));
        let message = format!("`{}` of [features] is not a column of features.sql", name.get_ref());
        return Err(problem(domain, name.span().start, message, hint));
    }
    Ok(())
}

fn problem(domain: &Domain, offset: usize, message: String, hint: Option<String>) -> PlatformError {
    let place = domain.place("domain.toml", offset);
    PlatformError::Domain(Problems(vec![Problem { place, message, hint }]))
}

/// Says so unless the kinds, their parameters, the measure and the baselines are known and fit what is predicted. A run asks too:
/// a misspelt parameter must not train on its default.
pub fn check_model(domain: &Domain) -> Result<(), PlatformError> {
    let model = &domain.spec.model;
    for choice in model.kinds() {
        check_kind(domain, &choice)?;
    }
    let wrong = |name: &Spanned<String>, what: String, known: &[&str]| {
        let hint = did_you_mean(name.get_ref(), known.iter().copied());
        Err(problem(domain, name.span().start, format!("{what}; expected one of {}", known.join(", ")), hint))
    };
    let task =
        training::task(domain).map_err(|error| problem(domain, model.target.span().start, error.to_string(), None))?;
    let known: Vec<&str> = measures::of_task(task).map(|measure| measure.name).collect();
    let measure = &model.measure;
    if !known.contains(&measure.get_ref().as_str()) {
        return wrong(measure, format!("`{}` does not measure a {}", measure.get_ref(), task.name()), &known);
    }
    let kinds = choose::kinds_of(domain);
    let known = baselines::names(task, &kinds);
    for name in &model.baselines {
        if !baselines::is_known(name.get_ref(), task, &kinds) {
            return wrong(name, format!("`{}` is no baseline of a {}", name.get_ref(), task.name()), &known);
        }
        if baselines::LINES.iter().any(|(line, of, _)| *line == "last_value" && line == name.get_ref() && *of == task)
            && model.entity.is_none()
        {
            let message =
                "`last_value` needs [model] entity, the column whose earlier rows it is taken from".to_owned();
            return Err(problem(domain, name.span().start, message, None));
        }
    }
    if domain.spec.decision.is_some() && task != measures::Task::Label {
        let offset = domain.files["domain.toml"].find("[decision]").unwrap_or(0);
        let message =
            format!("[decision] turns a probability into an action; `{}` is a {}", model.target.get_ref(), task.name());
        return Err(problem(domain, offset, message, Some("decide by a [[rule]] on the answer".to_owned())));
    }
    Ok(())
}

fn check_kind(domain: &Domain, choice: &KindChoice) -> Result<(), PlatformError> {
    let name = choice.kind.get_ref();
    let Some(kind) = kinds::find(name) else {
        let known: Vec<&str> = kinds::ALL.iter().map(|kind| kind.name()).collect();
        let hint = did_you_mean(name, known.iter().copied());
        let message = format!("there is no kind `{name}`; expected one of {}", known.join(", "));
        return Err(problem(domain, choice.kind.span().start, message, hint));
    };
    let labels: Vec<&str> = domain.spec.labels().iter().map(|label| label.name).collect();
    let check = |name: &Spanned<String>, value: &ParameterValue, at: usize| match kinds::wrong_parameter(
        kind,
        name.get_ref(),
        value,
        &labels,
    ) {
        Some((message, hint)) => Err(problem(domain, at, message, hint)),
        None => Ok(()),
    };
    for (name, value) in choice.parameters {
        check(name, value.get_ref(), name.span().start)?;
    }
    for (name, values) in choice.search {
        if values.get_ref().is_empty() {
            return Err(problem(domain, name.span().start, format!("`{}` has no value to try", name.get_ref()), None));
        }
        for value in values.get_ref() {
            check(name, value, name.span().start)?;
        }
    }
    Ok(())
}

/// Plans what is watched, against a table `observed` without rows, and reads the schedule.
async fn check_watches(engine: &Engine, domain: &Domain, inputs: &Inputs) -> Result<(), PlatformError> {
    let schema: SchemaRef = contract_schema(domain.spec.first_input().1);
    let kind = |kind: &DataType| if *kind == DataType::Utf8 { DataType::Utf8 } else { DataType::Float64 };
    let answered = inputs.keeps_state();
    let made = inputs.names.iter().cloned().zip(inputs.types.iter().map(kind)).filter(|_| answered);
    let made: Vec<(String, DataType)> = made.collect();
    let observed = std::sync::Arc::new(crate::monitor::empty_schema(&schema, &made));
    engine.register_batches(crate::monitor::OBSERVED, observed, vec![])?;
    engine.register_batches(crate::monitor::FINDING, crate::monitor::finding_schema(), vec![])?;
    for watch in &domain.spec.watch {
        let (sql, offset) = watch.get_ref().query();
        let plan = engine.plan(&sql).await.map_err(|error| at_offset(domain, offset, error))?;
        let series = plan.index_of("at").is_ok() && plan.index_of("value").is_ok();
        if !series && (plan.fields().len() != 1 || watch.get_ref().band.is_some()) {
            let message = "expected one number, or a series with the columns `at` and `value` (which a band needs)";
            let error = TablesError::Sql { message: message.to_owned(), place: None };
            return Err(at_offset(domain, offset, error));
        }
        if let Some(sql) = &watch.get_ref().examples {
            engine.plan(sql.get_ref()).await.map_err(|error| at_offset(domain, sql.span().start, error))?;
        }
    }
    for (name, sql) in domain.files_in("monitor", ".sql") {
        let file = format!("monitor/{name}.sql");
        engine.plan(sql).await.map_err(|error| at_file(domain, &file, error))?;
    }
    let offset = domain.files["domain.toml"].find("schedule").unwrap_or(0);
    crate::monitor::schedule(domain).map(drop).map_err(|message| {
        at_offset(domain, offset, TablesError::Sql { message: format!("schedule: {message}"), place: None })
    })
}
