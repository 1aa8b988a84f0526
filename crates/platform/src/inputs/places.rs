//! Where in a domain's files an engine's error stands, and in which order its tables are made.

use crate::PlatformError;
use septet_domain::{Domain, Input, Place, Problem, Problems};
use septet_tables::arrow::datatypes::{Field, Schema, SchemaRef};
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

/// Makes a domain's tables known to an engine, without rows.
pub async fn plan_tables(engine: &Engine, domain: &Domain) -> Result<(), PlatformError> {
    for (name, input) in &domain.spec.input {
        engine.register_batches(name, contract_schema(input), vec![])?;
    }
    for table in table_order(engine, domain)? {
        let file = format!("tables/{table}.sql");
        let schema = engine.plan(&domain.files[&file]).await.map_err(|error| at_file(domain, &file, error))?;
        engine.register_batches(&table, schema, vec![])?;
    }
    Ok(())
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

pub fn at_offset(domain: &Domain, offset: usize, error: TablesError) -> PlatformError {
    let TablesError::Sql { message, .. } = error else { return error.into() };
    let place = domain.place("domain.toml", offset);
    PlatformError::Domain(Problems(vec![Problem { place, message, hint: None }]))
}

/// Tables that are needed to make some: the wanted ones and all that they read.
pub fn tables_behind(engine: &Engine, domain: &Domain, wanted: &[String]) -> Result<Vec<String>, PlatformError> {
    let order = table_order(engine, domain)?;
    let mut needed: BTreeSet<String> = wanted.iter().cloned().collect();
    for name in order.iter().rev().filter(|name| domain.files.contains_key(&format!("tables/{name}.sql"))) {
        if needed.contains(name) {
            needed.extend(engine.reads(&domain.files[&format!("tables/{name}.sql")])?);
        }
    }
    Ok(order.into_iter().filter(|name| needed.contains(name)).collect())
}
