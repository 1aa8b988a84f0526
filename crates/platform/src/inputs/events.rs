//! The first way that features are had, for training: a row of the first input, its windows and its labels, some of which are
//! made from later rows by `label.sql`.

use super::history::{History, nullable};
use super::places::{at_file, contract_schema};
use crate::PlatformError;
use crate::error::arrow_error;
use septet_domain::{Column, Domain};
use septet_tables::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use septet_tables::arrow::compute::{cast, concat_batches, take_record_batch};
use septet_tables::arrow::datatypes::{DataType, Schema};
use septet_tables::{Engine, TablesError, numbers};
use std::collections::HashMap;
use std::sync::Arc;

const LABELS: &str = "label.sql";

/// Labels that `label.sql` makes, with how long each takes until it is known, in microseconds.
pub fn made_labels(domain: &Domain) -> Vec<(&str, &Column, i64)> {
    let (_, input) = domain.spec.first_input();
    let made = input.columns.iter().filter(|(_, column)| column.from.is_some());
    made.map(|(name, column)| (name.get_ref().as_str(), column, column.known_after.unwrap_or_default().micros()))
        .collect()
}

/// Plans `label.sql` of a domain without data.
pub async fn plan_labels(engine: &Engine, domain: &Domain) -> Result<(), PlatformError> {
    let made = made_labels(domain);
    if made.is_empty() {
        return Ok(());
    }
    let (table, input) = domain.spec.first_input();
    let alone = engine.beside();
    alone.register_batches(table, contract_schema(input), vec![])?;
    let sql = &domain.files[LABELS];
    let schema = alone.plan(sql).await.map_err(|error| at_file(domain, LABELS, error))?;
    let wanted = made.iter().map(|(name, ..)| *name).chain([input.key.get_ref().as_str()]);
    for name in wanted {
        if schema.index_of(name).is_err() {
            let message = format!("gives no column `{name}`; it needs the key and each label made from later rows");
            return Err(at_file(domain, LABELS, TablesError::Sql { message, place: None }));
        }
    }
    Ok(())
}

/// The history with the labels that `label.sql` makes of it. A label that is not known at `known_until` is none.
pub async fn with_made_labels(
    engine: &Engine,
    domain: &Domain,
    history: History,
    known_until: i64,
) -> Result<History, PlatformError> {
    let made = made_labels(domain);
    if made.is_empty() || history.rows() == 0 {
        return Ok(history);
    }
    let (table, input) = domain.spec.first_input();
    let alone = engine.beside();
    alone.register_batches(table, history.batch.schema(), vec![history.batch.clone()])?;
    let (schema, batches) = alone.query(&domain.files[LABELS]).await.map_err(|error| at_file(domain, LABELS, error))?;
    let key_at = schema.index_of(input.key.get_ref()).map_err(arrow_error)?;
    let text = |column: &ArrayRef| cast(column, &DataType::Utf8).map_err(arrow_error);
    let mut by_key: HashMap<String, Vec<f64>, foldhash::fast::FixedState> = HashMap::default();
    for batch in &batches {
        let keys = text(batch.column(key_at))?;
        let labels = made.iter().map(|(name, ..)| {
            let column = batch.column_by_name(name);
            numbers(column.ok_or_else(|| arrow_error(format!("{LABELS} gives no `{name}`")))?).map_err(Into::into)
        });
        let labels: Vec<Vec<f64>> = labels.collect::<Result<_, PlatformError>>()?;
        for (row, key) in keys.as_string::<i32>().iter().enumerate().filter_map(|(row, key)| Some((row, key?))) {
            let values = labels.iter().map(|column| column[row]).collect();
            if by_key.insert(key.to_owned(), values).is_some() {
                return Err(PlatformError::Training(format!(
                    "{LABELS} gives two rows for one `{}`",
                    input.key.get_ref()
                )));
            }
        }
    }
    let keys = text(history.column(input.key.get_ref())?)?;
    let keys = keys.as_string::<i32>();
    let mut columns = history.batch.columns().to_vec();
    for (at, (name, _, known_after)) in made.iter().enumerate() {
        let label = |row: usize| {
            let known = history.times[row].saturating_add(*known_after) <= known_until;
            by_key.get(keys.value(row)).filter(|_| known).map_or(f64::NAN, |values| values[at])
        };
        let values = nullable((0..history.rows()).map(label).collect());
        let place = history.batch.schema().index_of(name).map_err(arrow_error)?;
        columns[place] = cast(&values, columns[place].data_type()).map_err(arrow_error)?;
    }
    let fields = history
        .batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect::<Vec<_>>();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(arrow_error)?;
    Ok(History::new(batch, history.times))
}

/// The same over the history and rows that came since (a batch of the contract's columns); a row of both counts once.
pub async fn with_labels_of_both(
    engine: &Engine,
    domain: &Domain,
    history: History,
    since: &RecordBatch,
    key: &str,
    known_until: i64,
) -> Result<(History, Option<History>), PlatformError> {
    if made_labels(domain).is_empty() {
        return Ok((history, None));
    }
    let text = |batch: &RecordBatch| {
        let column = batch.column_by_name(key).ok_or_else(|| arrow_error(format!("no column `{key}`")))?;
        Ok::<_, PlatformError>(cast(column, &DataType::Utf8).map_err(arrow_error)?.as_string::<i32>().clone())
    };
    let (old, new) = (text(&history.batch)?, text(since)?);
    let known: std::collections::HashSet<&str> = old.iter().flatten().collect();
    let fresh: Vec<u32> = (0..new.len() as u32).filter(|&row| !known.contains(new.value(row as usize))).collect();
    let schema = history.batch.schema();
    let columns = schema.fields().iter().map(|field| {
        let column = since.column_by_name(field.name()).ok_or_else(|| arrow_error(format!("no `{}`", field.name())))?;
        cast(column, field.data_type()).map_err(arrow_error)
    });
    let loose = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
    let loose = Arc::new(Schema::new(loose));
    let since = RecordBatch::try_new(loose.clone(), columns.collect::<Result<Vec<_>, _>>()?).map_err(arrow_error)?;
    let fresh = UInt32Array::from(fresh);
    let fresh = take_record_batch(&since, &fresh).map_err(arrow_error)?;
    let before = RecordBatch::try_new(loose.clone(), history.batch.columns().to_vec()).map_err(arrow_error)?;
    let both = concat_batches(&loose, [&before, &fresh]).map_err(arrow_error)?;
    let both = with_made_labels(engine, domain, History::from_batch(domain, both)?, known_until).await?;
    // Each row's place among both, to give the labels back in the order that they came in.
    let all = text(&both.batch)?;
    let places: HashMap<&str, u32> = all.iter().enumerate().filter_map(|(at, key)| Some((key?, at as u32))).collect();
    let pick = |keys: &StringArray, times: Vec<i64>| {
        let rows: UInt32Array = keys.iter().map(|key| key.and_then(|key| places.get(key)).copied()).collect();
        Ok::<_, PlatformError>(History::new(take_record_batch(&both.batch, &rows).map_err(arrow_error)?, times))
    };
    let times = super::history::times_of(&since, domain.spec.first_input().1.time.get_ref())?;
    Ok((pick(&old, history.times.clone())?, Some(pick(&new, times)?)))
}
