//! The events of a domain's first input, in time order: what windows are replayed from.

use crate::PlatformError;
use crate::error::arrow_error;
use crate::values::Interned;
use septet_domain::Domain;
use septet_tables::Engine;
use septet_tables::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use septet_tables::arrow::compute::{cast, concat_batches, take_record_batch};
use septet_tables::arrow::datatypes::{DataType, Int64Type};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// All rows of the first input by event time; rows of one time stay in source order.
#[derive(Clone, Debug)]
pub struct History {
    pub batch: RecordBatch,
    /// Microseconds, rising.
    pub times: Vec<i64>,
    /// Columns that were asked for as small numbers: windows, splits and intervals ask for the same ones.
    interned: Arc<Mutex<HashMap<String, Arc<Interned>>>>,
}

impl History {
    /// `times` of the rows in microseconds, rising.
    pub fn new(batch: RecordBatch, times: Vec<i64>) -> History {
        History { batch, times, interned: Arc::default() }
    }

    /// Reads the published or just made table of the domain's first input.
    pub async fn read(engine: &Engine, domain: &Domain) -> Result<History, PlatformError> {
        let (name, _) = domain.spec.first_input();
        let (schema, batches) = engine.query(&format!("SELECT * FROM \"{name}\"")).await?;
        let batch = concat_batches(&schema, &batches).map_err(arrow_error)?;
        History::from_batch(domain, batch)
    }

    pub fn from_batch(domain: &Domain, batch: RecordBatch) -> Result<History, PlatformError> {
        let (_, input) = domain.spec.first_input();
        let times = times_of(&batch, input.time.get_ref())?;
        if times.is_sorted() {
            return Ok(History::new(batch, times));
        }
        let mut order: Vec<u32> = (0..batch.num_rows() as u32).collect();
        order.sort_by_key(|&row| times[row as usize]);
        let sorted: Vec<i64> = order.iter().map(|&row| times[row as usize]).collect();
        let batch = take_record_batch(&batch, &UInt32Array::from(order)).map_err(arrow_error)?;
        Ok(History::new(batch, sorted))
    }

    /// The first so many rows.
    pub fn until(&self, rows: usize) -> History {
        self.range(0..rows)
    }

    /// Some rows that follow each other.
    pub fn range(&self, rows: Range<usize>) -> History {
        History::new(self.batch.slice(rows.start, rows.len()), self.times[rows].to_vec())
    }

    pub fn rows(&self) -> usize {
        self.times.len()
    }

    pub fn column(&self, name: &str) -> Result<&ArrayRef, PlatformError> {
        self.batch.column_by_name(name).ok_or_else(|| arrow_error(format!("the history has no column `{name}`")))
    }

    /// A label as 1, 0 or NaN where it is not known.
    pub fn label(&self, name: &str) -> Result<Vec<f64>, PlatformError> {
        let column = cast(self.column(name)?, &DataType::Float64).map_err(arrow_error)?;
        let values = column.as_primitive::<septet_tables::arrow::datatypes::Float64Type>();
        Ok(values.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    }

    pub fn intern(&self, name: &str) -> Result<Arc<Interned>, PlatformError> {
        // Held while it is made: whoever asks for the same column waits for it instead of making it again.
        let mut interned = self.interned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = interned.get(name) {
            return Ok(known.clone());
        }
        let made = Arc::new(intern(self.column(name)?)?);
        interned.insert(name.to_owned(), made.clone());
        Ok(made)
    }
}

/// Event times of a batch in microseconds.
pub fn times_of(batch: &RecordBatch, name: &str) -> Result<Vec<i64>, PlatformError> {
    let column = batch.column_by_name(name).ok_or_else(|| arrow_error(format!("no column `{name}`")))?;
    let column = cast(column, &DataType::Int64).map_err(arrow_error)?;
    Ok(column.as_primitive::<Int64Type>().values().to_vec())
}

/// Codes in order of first appearance, so that they do not depend on hashing.
pub fn intern(column: &ArrayRef) -> Result<Interned, PlatformError> {
    let column = cast(column, &DataType::Utf8).map_err(arrow_error)?;
    let values = column.as_string::<i32>();
    let mut known: HashMap<Option<&str>, u32, foldhash::fast::FixedState> = HashMap::default();
    let mut words = Vec::new();
    let mut codes = Vec::with_capacity(values.len());
    for row in 0..values.len() {
        let word = values.is_valid(row).then(|| values.value(row));
        let code = *known.entry(word).or_insert_with(|| {
            words.push(word.unwrap_or_default().to_owned());
            words.len() as u32 - 1
        });
        codes.push(code);
    }
    Ok(Interned { codes, words })
}

/// An array of numbers whose NaNs are nulls, as SQL knows them.
pub fn nullable(values: Vec<f64>) -> ArrayRef {
    use septet_tables::arrow::array::Float64Array;
    use septet_tables::arrow::buffer::NullBuffer;
    let nulls = values
        .iter()
        .any(|value| value.is_nan())
        .then(|| values.iter().map(|value| !value.is_nan()).collect::<NullBuffer>());
    Arc::new(Float64Array::new(values.into(), nulls))
}
