//! What a domain means to the engine: the order of its tables, and that every SQL text plans against the contract.

use crate::PlatformError;
use crate::features::FeatureSet;
use crate::replay::compile_windows;
use septet_domain::{Domain, Input, Place, Problem, Problems};
use septet_tables::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use septet_tables::{Engine, TablesError, arrow_type};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The columns that an extract delivers when a source brings nothing beyond the contract.
pub fn contract_schema(input: &Input) -> SchemaRef {
    let field = |(name, column): (&septet_domain::Spanned<String>, &septet_domain::Column)| {
        Field::new(name.get_ref(), arrow_type(column.kind), !column.required)
    };
    Arc::new(Schema::new(input.columns.iter().map(field).collect::<Vec<_>>()))
}

/// Names of the domain's tables, each after those it reads. A cycle is an error that names it.
pub fn table_order(engine: &Engine, domain: &Domain) -> Result<Vec<String>, PlatformError> {
    let mut reads: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, sql) in domain.files_in("tables", ".sql") {
        let found = engine.reads(sql).map_err(|error| at_file(domain, &format!("tables/{name}.sql"), error))?;
        reads.insert(name.to_owned(), found);
    }
    let mut order: Vec<String> = Vec::new();
    while order.len() < reads.len() {
        let ready = reads.iter().find(|(name, reads_of)| {
            !order.contains(name) && reads_of.iter().all(|read| !reads.contains_key(read) || order.contains(read))
        });
        match ready {
            Some((name, _)) => order.push(name.clone()),
            None => return Err(cycle(domain, &reads, &order)),
        }
    }
    Ok(order)
}

fn cycle(domain: &Domain, reads: &BTreeMap<String, BTreeSet<String>>, done: &[String]) -> PlatformError {
    let waiting = |name: &&String| reads.contains_key(*name) && !done.contains(name);
    let mut path: Vec<&String> = Vec::new();
    let mut at = reads.keys().find(|name| !done.contains(name)).expect("a table waits, or there is no cycle");
    while !path.contains(&at) {
        path.push(at);
        at = reads[at].iter().find(waiting).expect("a table that waits, waits for one that waits");
    }
    let first = path.iter().position(|name| *name == at).unwrap_or(0);
    let names: Vec<&str> = path[first..].iter().chain([&at]).map(|name| name.as_str()).collect();
    let place = Place::start_of(&domain.path_of(&format!("tables/{at}.sql")));
    let message = format!("tables read each other in a circle: {}", names.join(" -> "));
    PlatformError::Domain(Problems(vec![Problem { place, message, hint: None }]))
}

/// An engine's error, with the domain's file and the place in it.
pub fn at_file(domain: &Domain, file: &str, error: TablesError) -> PlatformError {
    let TablesError::Sql { message, place } = error else { return error.into() };
    let at = place.map_or((1, 1), |place| (place.line, place.column));
    // A layout of a person's own is a path already.
    let file = if domain.files.contains_key(file) { domain.path_of(file) } else { file.to_owned() };
    let place = Place { file, line: at.0, column: at.1 };
    PlatformError::Domain(Problems(vec![Problem { place, message, hint: None }]))
}

/// Plans everything that a domain says in SQL, and runs nothing.
pub async fn check_domain(engine: &Engine, domain: &Domain) -> Result<(), PlatformError> {
    for (name, input) in &domain.spec.input {
        engine.register_batches(name, contract_schema(input), vec![])?;
    }
    for table in table_order(engine, domain)? {
        let file = format!("tables/{table}.sql");
        let schema = engine.plan(&domain.files[&file]).await.map_err(|error| at_file(domain, &file, error))?;
        engine.register_batches(&table, schema, vec![])?;
    }
    let (_, input) = domain.spec.input.first().expect("checked: a domain has an input");
    let schema = contract_schema(input);
    let windows = compile_windows(engine, domain, &schema).await.map_err(|error| in_windows(domain, error))?;
    let names: Vec<String> = windows.iter().flat_map(|window| window.names.clone()).collect();
    if let Some(spec) = &domain.spec.purchases {
        return check_purchases(engine, domain, spec, &schema).await;
    }
    let features = FeatureSet::compile(engine, domain, &schema, &names, &[]).await;
    let features = features.map_err(|error| match error {
        PlatformError::Tables(error) => at_file(domain, "features.sql", error),
        other => other,
    })?;
    crate::serve::check_decision(engine, domain, &schema, &features).await?;
    check_watches(engine, domain, &schema, &features).await?;
    let strange = domain.spec.feature.keys().find(|name| !features.names.contains(name.get_ref()));
    if let Some(name) = strange {
        let hint = septet_domain::did_you_mean(name.get_ref(), features.names.iter().map(String::as_str));
        let message = format!("[feature.{}] is not a column of features.sql", name.get_ref());
        let place = domain.place("domain.toml", name.span().start);
        return Err(PlatformError::Domain(Problems(vec![Problem { place, message, hint }])));
    }
    Ok(())
}

/// Plans what a domain of purchases says: the columns of its table, the answer, what is watched.
async fn check_purchases(
    engine: &Engine,
    domain: &Domain,
    spec: &septet_domain::Purchases,
    schema: &SchemaRef,
) -> Result<(), PlatformError> {
    let table = engine.plan(&format!("SELECT * FROM \"{}\"", spec.table.get_ref())).await?;
    let strange =
        [&spec.customer, &spec.at, &spec.order, &spec.value].into_iter().find(|name| table.index_of(name.get_ref()).is_err());
    if let Some(column) = strange {
        let known = table.fields().iter().map(|field| field.name().as_str());
        let hint = septet_domain::did_you_mean(column.get_ref(), known);
        let message = format!("table `{}` has no column `{}`", spec.table.get_ref(), column.get_ref());
        let place = domain.place("domain.toml", column.span().start);
        return Err(PlatformError::Domain(Problems(vec![Problem { place, message, hint }])));
    }
    let features = FeatureSet::named(&crate::purchases::FEATURES.map(|(name, ..)| name.to_owned()));
    crate::serve::check_decision(engine, domain, schema, &features).await?;
    check_watches(engine, domain, schema, &FeatureSet::named(&[])).await
}

/// Plans what is watched, against a table `observed` without rows, and reads the schedule.
async fn check_watches(
    engine: &Engine,
    domain: &Domain,
    schema: &SchemaRef,
    features: &FeatureSet,
) -> Result<(), PlatformError> {
    let kind = |kind: &DataType| if *kind == DataType::Utf8 { DataType::Utf8 } else { DataType::Float64 };
    let made: Vec<(String, DataType)> = features.names.iter().cloned().zip(features.types().iter().map(kind)).collect();
    let observed = std::sync::Arc::new(crate::monitor::empty_schema(schema, &made));
    engine.register_batches(crate::monitor::OBSERVED, observed, vec![])?;
    engine.register_batches(crate::monitor::FINDING, crate::monitor::finding_schema(), vec![])?;
    for watch in &domain.spec.watch {
        let sql = &watch.get_ref().sql;
        let plan = engine.plan(sql.get_ref()).await.map_err(|error| at_offset(domain, sql.span().start, error))?;
        let series = plan.index_of("at").is_ok() && plan.index_of("value").is_ok();
        if !series && (plan.fields().len() != 1 || watch.get_ref().band.is_some()) {
            let message = "expected one number, or a series with the columns `at` and `value` (which a band needs)";
            let error = TablesError::Sql { message: message.to_owned(), place: None };
            return Err(at_offset(domain, sql.span().start, error));
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

pub fn at_offset(domain: &Domain, offset: usize, error: TablesError) -> PlatformError {
    let TablesError::Sql { message, .. } = error else { return error.into() };
    let place = domain.place("domain.toml", offset);
    PlatformError::Domain(Problems(vec![Problem { place, message, hint: None }]))
}

fn in_windows(domain: &Domain, error: PlatformError) -> PlatformError {
    let offset = domain.spec.window.first().map_or(0, |window| window.span().start);
    match error {
        PlatformError::Tables(error) => at_offset(domain, offset, error),
        other => other,
    }
}
