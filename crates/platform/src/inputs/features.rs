//! The model's inputs: row expressions over an event, its windows and what the source brought beyond the
//! contract. Compiled once; evaluated on a batch when training and on one row when answering.

use super::history::{History, intern, nullable};
use super::screening::personal_kind;
use crate::PlatformError;
use crate::error::arrow_error;
use crate::values::OwnedValue;
use crate::version::watched::is_free_text;
use rayon::prelude::*;
use septet_domain::{Column as ContractColumn, ColumnType, Domain};
use septet_learn::frame::{Column, Frame, MISSING};
use septet_tables::arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use septet_tables::arrow::compute::concat;
use septet_tables::arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use septet_tables::{Engine, RowExpressions, TablesError, numbers};
use std::ops::Range;
use std::sync::Arc;

/// Rows evaluated together by one thread.
const CHUNK_ROWS: usize = 16_384;
/// Extra columns with a larger share of distinct values are identifiers, not features.
const IDENTIFIER_SHARE: f64 = 0.9;

/// `features.sql`, compiled.
#[derive(Clone, Debug)]
pub struct FeatureSet {
    pub names: Vec<String>,
    expressions: RowExpressions,
    /// Columns of the input that an expression may read: no labels, nothing that reveals one.
    inputs: Vec<usize>,
    /// What each window column is where its aggregate is null.
    empties: Vec<Option<f64>>,
}

impl FeatureSet {
    /// `schema`: the first input's columns as they were extracted; `windows`: names of the window columns;
    /// `extras`: columns beyond the contract that become features by themselves.
    pub async fn compile(
        engine: &Engine,
        domain: &Domain,
        schema: &SchemaRef,
        windows: &[String],
        extras: &[String],
    ) -> Result<FeatureSet, PlatformError> {
        let (table, input) = domain.spec.first_input();
        let tells = |name: &str| {
            let tells = |column: &ContractColumn| column.label || column.reveals.is_some();
            input.columns.iter().any(|(known, column)| known.get_ref() == name && tells(column))
        };
        let inputs: Vec<usize> = (0..schema.fields().len()).filter(|&at| !tells(schema.field(at).name())).collect();
        let own = inputs.iter().map(|&at| schema.field(at).clone());
        let empty = |name: &String| domain.spec.window_column(name).and_then(|(column, _)| column.empty);
        let empties = windows.iter().map(empty).collect();
        let windows = windows.iter().map(|name| Field::new(name, DataType::Float64, true));
        let schema = Arc::new(Schema::new(own.chain(windows).collect::<Vec<_>>()));
        let sql = with_more_columns(&domain.files["features.sql"], extras);
        let expressions = RowExpressions::compile(engine, &sql, table, schema).await?;
        let strange = expressions.names.iter().zip(&expressions.types).find(|(_, kind)| !is_feature_type(kind));
        if let Some((name, kind)) = strange {
            let message = format!("feature `{name}` is a {kind}; expected a number, a truth value or a text");
            return Err(TablesError::Sql { message, place: None }.into());
        }
        Ok(FeatureSet { names: expressions.names.clone(), expressions, inputs, empties })
    }

    fn row_batch(&self, events: &RecordBatch, windows: Vec<ArrayRef>) -> Result<RecordBatch, PlatformError> {
        let own = self.inputs.iter().map(|&at| events.column(at).clone());
        let windows = windows.into_iter().zip(&self.empties).map(|(column, empty)| filled(column, *empty));
        RecordBatch::try_new(self.expressions.schema().clone(), own.chain(windows).collect()).map_err(arrow_error)
    }

    /// The features of a range of a history's rows, with the window columns of these rows.
    pub fn frame(
        &self,
        history: &History,
        windows: &[(String, Vec<f64>)],
        rows: Range<usize>,
    ) -> Result<Frame, PlatformError> {
        let starts: Vec<usize> = rows.clone().step_by(CHUNK_ROWS).collect();
        let chunk = |&start: &usize| {
            let length = CHUNK_ROWS.min(rows.end - start);
            let own = start - rows.start..start - rows.start + length;
            let windows = windows.iter().map(|(_, values)| nullable(values[own.clone()].to_vec())).collect();
            let batch = self.row_batch(&history.batch.slice(start, length), windows)?;
            Ok::<_, PlatformError>(self.expressions.evaluate(&batch)?)
        };
        let chunks: Vec<Vec<ArrayRef>> = starts.par_iter().map(chunk).collect::<Result<_, _>>()?;
        let mut frame = Frame::default();
        for (at, name) in self.names.iter().enumerate() {
            let parts: Vec<&dyn Array> = chunks.iter().map(|columns| columns[at].as_ref()).collect();
            let column = if parts.is_empty() { continue } else { concat(&parts).map_err(arrow_error)? };
            frame.push(name.clone(), frame_column(&column)?);
        }
        Ok(frame)
    }

    /// The features of a few events, one list an event, with their window columns.
    pub fn answer(&self, events: &RecordBatch, windows: Vec<ArrayRef>) -> Result<Vec<Vec<OwnedValue>>, PlatformError> {
        let columns = self.expressions.evaluate(&self.row_batch(events, windows)?)?;
        let mut rows = vec![Vec::with_capacity(columns.len()); events.num_rows()];
        for column in &columns {
            rows.iter_mut().zip(values_of(column)?).for_each(|(row, value)| row.push(value));
        }
        Ok(rows)
    }

    pub fn types(&self) -> &[DataType] {
        &self.expressions.types
    }

    /// Of each feature, whether its values point at a person: a text made of a personal column, a number made of a personal number.
    pub fn personal(&self, domain: &Domain) -> Vec<bool> {
        let (_, input) = domain.spec.first_input();
        let points = |column: &str, text: bool| {
            let mut columns = input.columns.iter().filter(|(name, _)| name.get_ref() == column);
            columns.any(|(_, column)| column.personal.is_some() && (text || column.kind != ColumnType::Text))
        };
        let features = self.reads().iter().zip(self.types());
        features.map(|(reads, kind)| reads.iter().any(|column| points(column, is_text(kind)))).collect()
    }

    /// For each feature the columns that its expression reads.
    pub fn reads(&self) -> &[Vec<String>] {
        &self.expressions.reads
    }
}

/// A window column with `empty` in the place of nulls.
fn filled(column: ArrayRef, empty: Option<f64>) -> ArrayRef {
    let Some(empty) = empty else { return column };
    let values = column.as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(empty));
    Arc::new(Float64Array::from_iter_values(values))
}

/// The same of a series, whose texts may be made of any column of its rows.
pub(super) fn personal_of_series(domain: &Domain, types: &[DataType]) -> Vec<bool> {
    let mut columns = domain.spec.input.values().flat_map(|input| input.columns.values());
    let personal = columns.any(|column| column.personal.is_some());
    types.iter().map(|kind| personal && is_text(kind)).collect()
}

/// Values of a frame's row, as a service would hold them.
pub fn frame_row(frame: &Frame, row: usize) -> Vec<OwnedValue> {
    let value = |column: &Column| match column {
        Column::Number(values) => OwnedValue::Number(values[row]),
        Column::Category { codes, words } => {
            OwnedValue::Word((codes[row] != MISSING).then(|| words[codes[row] as usize].clone()))
        }
    };
    frame.columns.iter().map(value).collect()
}

/// Values of `part` that are not those of `whole` from row `first` on; missing equals missing.
pub fn differing_values(part: &Frame, whole: &Frame, first: usize) -> usize {
    let differing = |(part, whole): (&Column, &Column)| match (part, whole) {
        (Column::Number(part), Column::Number(whole)) => {
            part.iter().zip(&whole[first..]).filter(|(a, b)| a != b && !(a.is_nan() && b.is_nan())).count()
        }
        (Column::Category { codes, words }, Column::Category { codes: whole_codes, words: whole_words }) => {
            let word = |code: u32, words: &Arc<Vec<String>>| (code != MISSING).then(|| words[code as usize].clone());
            let pairs = codes.iter().zip(&whole_codes[first..]);
            pairs.filter(|(a, b)| word(**a, words) != word(**b, whole_words)).count()
        }
        _ => part.len(),
    };
    part.columns.iter().zip(&whole.columns).map(differing).sum()
}

pub(super) fn is_feature_type(kind: &DataType) -> bool {
    kind.is_numeric()
        || matches!(
            kind,
            DataType::Boolean | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null
        )
}

pub fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

pub(super) fn values_of(column: &ArrayRef) -> Result<Vec<OwnedValue>, PlatformError> {
    if !is_text(column.data_type()) {
        return Ok(numbers(column)?.into_iter().map(OwnedValue::Number).collect());
    }
    let column = septet_tables::arrow::compute::cast(column, &DataType::Utf8).map_err(arrow_error)?;
    Ok(column.as_string::<i32>().iter().map(|word| OwnedValue::Word(word.map(str::to_owned))).collect())
}

pub(super) fn frame_column(column: &ArrayRef) -> Result<Column, PlatformError> {
    if !is_text(column.data_type()) {
        return Ok(Column::Number(numbers(column)?));
    }
    let interned = intern(column)?;
    let codes = (0..column.len()).map(|row| if column.is_null(row) { MISSING } else { interned.codes[row] }).collect();
    Ok(Column::Category { codes, words: Arc::new(interned.words) })
}

/// The SELECT with more columns before its FROM.
pub(super) fn with_more_columns(sql: &str, extras: &[String]) -> String {
    let list: String = extras.iter().map(|name| format!(", \"{}\"", name.replace('"', "\"\""))).collect();
    match septet_tables::top_level_from(&sql.to_ascii_uppercase()) {
        Some(at) if !extras.is_empty() => format!("{}{list}\n{}", sql[..at].trim_end(), &sql[at..]),
        _ => sql.to_owned(),
    }
}

/// Columns beyond the contract: which are features, and which are not, with why.
#[derive(Debug, Default)]
pub struct Beyond {
    pub taken: Vec<String>,
    pub left_out: Vec<(String, String)>,
}

/// Which columns beyond the contract describe a row: constants and identifiers do not, nor do times.
pub fn telling_extras(history: &History, extras: &[String]) -> Result<Beyond, PlatformError> {
    let mut beyond = Beyond::default();
    for name in extras {
        match no_feature(history, name, history.column(name)?)? {
            Some(why) => beyond.left_out.push((name.clone(), why)),
            None => beyond.taken.push(name.clone()),
        }
    }
    Ok(beyond)
}

/// Why a column is no feature; none if it is one. No value of it is told.
fn no_feature(history: &History, name: &str, column: &ArrayRef) -> Result<Option<String>, PlatformError> {
    let declare = "declare it in [input] to use it";
    if matches!(column.data_type(), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64) {
        return Ok(Some("a time: features.sql can make a feature of it".to_owned()));
    }
    let values = values_of(column)?;
    if let Some(kind) =
        personal_kind(name, distinct(&values).iter().map(String::as_str), *column.data_type() == DataType::Boolean)
    {
        return Ok(Some(format!("personal, it seems to hold {kind}: {declare}")));
    }
    let different = intern(column)?.words.len();
    let share = different as f64 / history.rows().max(1) as f64;
    let is_text = is_text(column.data_type());
    let texts: Vec<&str> = values.iter().filter_map(word).collect();
    Ok(match different {
        0 | 1 => Some("it does not vary".to_owned()),
        _ if is_text && is_free_text(&texts) => Some(format!("personal, it seems to hold free text: {declare}")),
        count if is_text && share > IDENTIFIER_SHARE => {
            Some(format!("an identifier: {count} different texts in {} rows", history.rows()))
        }
        _ => None,
    })
}

/// The different values as a person would write them, in order.
fn distinct(values: &[OwnedValue]) -> std::collections::BTreeSet<String> {
    let written = |value: &OwnedValue| match value {
        OwnedValue::Number(number) => number.is_finite().then(|| number.to_string()),
        OwnedValue::Word(word) => word.clone(),
    };
    values.iter().filter_map(written).collect()
}

fn word(value: &OwnedValue) -> Option<&str> {
    match value {
        OwnedValue::Number(_) => None,
        OwnedValue::Word(word) => word.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_without_a_value_is_what_the_domain_says_and_null_where_it_says_nothing() {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.5), None]));
        assert_eq!(
            filled(column.clone(), Some(0.0)).as_primitive::<Float64Type>(),
            &Float64Array::from(vec![0.5, 0.0])
        );
        assert_eq!(filled(column.clone(), None).as_ref(), column.as_ref());
    }
}
