//! Published tables served by key: what is known of an entity today, for rules and answers. Loaded with a version, so that both
//! change together.

use crate::PlatformError;
use crate::error::arrow_error;
use crate::inputs::contract::EventContract;
use crate::inputs::places::at_offset;
use septet_domain::{Domain, Lookup, Problem, Problems, Spanned, did_you_mean};
use septet_tables::arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use septet_tables::arrow::compute::{cast, concat_batches, take};
use septet_tables::arrow::datatypes::{DataType, Field};
use septet_tables::{Engine, TablesError};
use std::collections::HashMap;

/// All look-ups of a domain.
pub struct Lookups(Vec<Served>);

/// One table, by key.
struct Served {
    name: String,
    /// Place of the request's column.
    by: usize,
    rows: RecordBatch,
    /// Key to row.
    places: HashMap<String, u32, foldhash::fast::RandomState>,
}

impl Lookups {
    /// Reads the tables, which the engine knows.
    pub async fn load(engine: &Engine, domain: &Domain, contract: &EventContract) -> Result<Lookups, PlatformError> {
        let mut all = Vec::new();
        for (name, lookup) in &domain.spec.lookup {
            all.push(served(engine, domain, contract, name, lookup).await?);
        }
        Ok(Lookups(all))
    }

    /// What they add to a request: each column of each table as NAME_COLUMN.
    pub fn fields(&self) -> impl Iterator<Item = Field> + use<'_> {
        self.0.iter().flat_map(|served| {
            let schema = served.rows.schema();
            let named = |field: &Field| {
                Field::new(format!("{}_{}", served.name, field.name()), field.data_type().clone(), true)
            };
            schema.fields().iter().map(|field| named(field)).collect::<Vec<_>>()
        })
    }

    /// Their values for some requests, one row each; null where the key is unknown.
    pub fn columns(&self, events: &RecordBatch) -> Result<Vec<ArrayRef>, PlatformError> {
        let mut columns = Vec::new();
        for served in &self.0 {
            let keys = cast(events.column(served.by), &DataType::Utf8).map_err(arrow_error)?;
            let place = |key: Option<&str>| key.and_then(|key| served.places.get(key)).copied();
            let places: UInt32Array = keys.as_string::<i32>().iter().map(place).collect();
            for column in served.rows.columns() {
                columns.push(take(column, &places, None).map_err(arrow_error)?);
            }
        }
        Ok(columns)
    }
}

async fn served(
    engine: &Engine,
    domain: &Domain,
    contract: &EventContract,
    name: &Spanned<String>,
    lookup: &Lookup,
) -> Result<Served, PlatformError> {
    let wrong = |offset: usize, message: String| at_offset(domain, offset, TablesError::Sql { message, place: None });
    let by = contract.columns.iter().position(|column| column.name == *lookup.by.get_ref());
    let by = by.ok_or_else(|| {
        let message = format!("`{}` is not a column of a request", lookup.by.get_ref());
        let hint = did_you_mean(lookup.by.get_ref(), contract.field_names());
        PlatformError::Domain(Problems(vec![Problem {
            place: domain.place("domain.toml", lookup.by.span().start),
            message,
            hint,
        }]))
    })?;
    let sql = format!("SELECT * FROM \"{}\"", lookup.table.get_ref());
    let (schema, batches) =
        engine.query(&sql).await.map_err(|error| at_offset(domain, lookup.table.span().start, error))?;
    let rows = concat_batches(&schema, &batches).map_err(arrow_error)?;
    let keys = rows.column_by_name(&lookup.key).ok_or_else(|| {
        wrong(lookup.table.span().start, format!("table `{}` has no column `{}`", lookup.table.get_ref(), lookup.key))
    })?;
    let keys = cast(keys, &DataType::Utf8).map_err(arrow_error)?;
    let mut places = HashMap::default();
    for (row, key) in keys.as_string::<i32>().iter().enumerate() {
        let Some(key) = key else { continue };
        if places.insert(key.to_owned(), row as u32).is_some() {
            // The key may name a person: it is not repeated here.
            let message = format!(
                "row {row} of table `{}` repeats a key; `{}` must be unique",
                lookup.table.get_ref(),
                lookup.key
            );
            return Err(wrong(lookup.table.span().start, message));
        }
    }
    Ok(Served { name: name.get_ref().clone(), by, rows, places })
}
