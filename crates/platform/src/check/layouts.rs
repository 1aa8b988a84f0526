//! Whether each layout is a SELECT that delivers what the contract requires, as far as that can be told without its source.

use crate::PlatformError;
use crate::inputs::places::at_file;
use septet_domain::{Domain, Input, Place, Problem, Problems, did_you_mean};
use septet_tables::{Engine, TextFormat};

pub async fn check(engine: &Engine, domain: &Domain) -> Result<(), PlatformError> {
    for (name, layout) in &domain.spec.layout {
        if let Err(what) = TextFormat::from_layout(layout) {
            let section = format!("[layout.{name}]");
            let offset = domain.files["domain.toml"].find(&section).unwrap_or(0);
            let place = domain.place("domain.toml", offset);
            let problem = Problem { place, message: format!("{section} {what}"), hint: None };
            return Err(PlatformError::Domain(Problems(vec![problem])));
        }
    }
    for (name, sql) in domain.files_in("sources", ".sql") {
        let file = format!("sources/{name}.sql");
        let Some((table, input)) = input_of(domain, name) else {
            let names = domain.spec.input.keys().map(String::as_str);
            let of = name.rsplit_once('.').map_or("", |(_, of)| of);
            let message = format!("`{of}` is no input; a layout is LAYOUT.sql, or LAYOUT.INPUT.sql for further inputs");
            return Err(problem(domain, &file, message, did_you_mean(of, names)));
        };
        let delivered = engine.plan_of_unknown(sql).await.map_err(|error| at_file(domain, &file, error))?;
        let Some(delivered) = delivered else { continue };
        let missing = input.columns.iter().find(|(column, spec)| {
            spec.required && !spec.label && !delivered.iter().any(|name| name == column.get_ref())
        });
        if let Some((column, _)) = missing {
            let column = column.get_ref();
            let message = format!("column `{column}` of `{table}` is required and this SELECT does not deliver it");
            let hint = did_you_mean(column, delivered.iter().map(String::as_str));
            return Err(problem(domain, &file, message, hint));
        }
    }
    Ok(())
}

/// The input that a layout's file is for: `LAYOUT.sql` is the first one's, `LAYOUT.INPUT.sql` another's.
fn input_of<'a>(domain: &'a Domain, name: &str) -> Option<(&'a str, &'a Input)> {
    match name.rsplit_once('.') {
        None => Some(domain.spec.first_input()).map(|(name, input)| (name.as_str(), input)),
        Some((_, of)) => domain.spec.input.get_key_value(of).map(|(name, input)| (name.as_str(), input)),
    }
}

fn problem(domain: &Domain, file: &str, message: String, hint: Option<String>) -> PlatformError {
    let place = Place::start_of(&domain.path_of(file));
    PlatformError::Domain(Problems(vec![Problem { place, message, hint }]))
}
