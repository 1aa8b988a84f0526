//! Names that the product gives to columns of its own, beside those of a domain's rows. A column of the first input that bore one
//! of them would be two columns of one name wherever both stand: it is refused before anything is made from it.
//! The names are read off the tables as they are built, so that a new one is known here by itself.

use crate::PlatformError;
use crate::inputs::Inputs;
use crate::inputs::places::plan_tables;
use crate::monitor::empty_schema;
use crate::serve::columns_of_decision;
use septet_domain::{Domain, Problem, Problems};
use septet_tables::Engine;
use septet_tables::arrow::datatypes::Schema;

/// A name and what bears it.
struct OwnName {
    name: String,
    bearer: &'static str,
}

/// All names of the product's own in a domain; the engine is its caller's alone.
async fn own_names(engine: &Engine, domain: &Domain) -> Result<Vec<OwnName>, PlatformError> {
    plan_tables(engine, domain).await?;
    let inputs = Inputs::plan(engine, domain).await?;
    let windows = inputs.windows().iter().flat_map(|window| window.names.clone());
    let mut names: Vec<OwnName> = windows.map(|name| OwnName { name, bearer: "a window" }).collect();
    let of_rows = inputs.keeps_state().then_some(&inputs.names).into_iter().flatten();
    let declared = |name: &str| domain.spec.first_input().1.columns.keys().any(|known| known.get_ref() == name);
    let features = of_rows.filter(|name| !declared(name));
    names.extend(features.map(|name| OwnName { name: name.clone(), bearer: "a feature" }));
    if inputs.keeps_state() {
        let read = columns_of_decision(engine, domain, &inputs).await?;
        names.extend(read.into_iter().map(|name| OwnName { name, bearer: "a column that rules and answer.sql read" }));
    }
    let observed = empty_schema(&Schema::empty(), &[]);
    let observed = observed.fields().iter().map(|field| field.name().clone());
    names.extend(observed.map(|name| OwnName { name, bearer: "a column of the table `observed`" }));
    Ok(names)
}

/// Says so if a declared column of the first input bears a name of the product's own.
pub async fn refuse_declared(engine: &Engine, domain: &Domain) -> Result<(), PlatformError> {
    let (table, input) = domain.spec.first_input();
    for OwnName { name, bearer } in own_names(engine, domain).await? {
        if let Some((column, _)) = input.columns.iter().find(|(column, _)| *column.get_ref() == name) {
            let place = domain.place("domain.toml", column.span().start);
            let message = format!("column `{name}` of `{table}` has the name of {bearer}");
            let hint = Some("give the column another name".to_owned());
            return Err(PlatformError::Domain(Problems(vec![Problem { place, message, hint }])));
        }
    }
    Ok(())
}

/// Says so if a column that a source brought beyond the contract bears a name of the product's own.
pub async fn refuse_extras(engine: &Engine, domain: &Domain, extras: &[String]) -> Result<(), PlatformError> {
    if extras.is_empty() {
        return Ok(());
    }
    let own = own_names(engine, domain).await?;
    for extra in extras {
        if let Some(OwnName { name, bearer }) = own.iter().find(|own| own.name == *extra) {
            let (table, _) = domain.spec.first_input();
            return Err(PlatformError::usage(
                format!("the source's column `{name}`, beyond the contract of `{table}`, has the name of {bearer}"),
                format!(
                    "rename it in the layout, or leave it out: SELECT * EXCEPT (\"{name}\"), \"{name}\" AS \"{name}_given\" FROM source"
                ),
            ));
        }
    }
    Ok(())
}
