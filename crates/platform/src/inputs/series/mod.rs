//! The second way that features are had: the feature query over one key's rows up to a moment, looked up by the key or sent with
//! the request. Training runs it over the rows of all keys at once.

mod request;

pub use request::{SeriesRequest, as_sent, request};

use super::cells::{Cell, EventColumn, Violation, escaped};
use super::features::{frame_column, is_feature_type, is_text, values_of, with_more_columns};
use super::history::times_of;
use super::places::{at_file, at_offset, contract_schema};
use super::series_rows::RowsOf;
use crate::PlatformError;
use crate::error::arrow_error;
use crate::registry::clock::instant_text;
use crate::values::OwnedValue;
use septet_domain::{Column, ColumnType, Domain, GivenFeature, Personal, Series, Spanned};
use septet_learn::frame::Frame;
use septet_tables::arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
};
use septet_tables::arrow::compute::{cast, concat_batches, take_record_batch};
use septet_tables::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use septet_tables::{Engine, KeptQuery, NewestRows, RowExpressions, TablesError, arrow_type};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// The column of the moment asked about, beside the rows' own.
const AS_OF: &str = "as_of";
/// The column of the moment at which a label is known.
const UNTIL: &str = "until";
const LABELS: &str = "label.sql";
const FEATURES: &str = "features.sql";

/// The rows of all keys, by key and time.
#[derive(Debug)]
pub struct SeriesRows {
    /// The columns but the key, as requests may send them.
    pub columns: Vec<EventColumn>,
    /// Ascending.
    pub keys: Vec<String>,
    /// Rows of each key.
    ranges: Vec<Range<usize>>,
    places: HashMap<String, usize>,
    batch: RecordBatch,
    at: Vec<i64>,
    /// The time of the newest row of the domain's first input, of a series or not.
    pub end: i64,
}

/// The key, its moment and how many of its rows were known then.
#[derive(Clone, Copy, Debug)]
struct Cut {
    key: usize,
    as_of: i64,
    until: i64,
    rows: usize,
}

impl SeriesRows {
    /// Reads the rows; the engine knows the domain's tables.
    pub async fn read(engine: &Engine, domain: &Domain, spec: &Spanned<Series>) -> Result<SeriesRows, PlatformError> {
        let series = spec.get_ref();
        let place = |error: TablesError| at_offset(domain, series.rows.span().start, error);
        let (table, key, at) =
            (quoted(series.rows.get_ref()), quoted(series.key.get_ref()), quoted(series.at.get_ref()));
        let found = engine.plan(&format!("SELECT * FROM {table}")).await.map_err(place)?;
        let columns = columns_of(domain, series, &found)?;
        // Rows of one time stand in the order of their other columns, as those of a request do.
        let others = columns.iter().map(|column| quoted(&column.name)).filter(|name| *name != at);
        let order: Vec<String> =
            [key.clone(), at.clone()].into_iter().chain(others).map(|name| format!("{name} ASC NULLS LAST")).collect();
        let list: Vec<String> =
            [key.clone()].into_iter().chain(columns.iter().map(|column| quoted(&column.name))).collect();
        let sql = format!(
            "SELECT {} FROM {table} WHERE {key} IS NOT NULL AND {at} IS NOT NULL ORDER BY {}",
            list.join(", "),
            order.join(", ")
        );
        let (read, batches) = engine.query(&sql).await.map_err(place)?;
        let batch = concat_batches(&read, &batches).map_err(arrow_error)?;
        let schema = rows_schema(series, &columns);
        let typed = batch.columns().iter().zip(schema.fields());
        let typed = typed.map(|(column, field)| cast(column, field.data_type()).map_err(arrow_error));
        let batch = RecordBatch::try_new(schema.clone(), typed.collect::<Result<Vec<_>, _>>()?).map_err(arrow_error)?;
        SeriesRows::of(columns, batch, series, newest(engine, domain).await?)
    }

    fn of(
        columns: Vec<EventColumn>,
        batch: RecordBatch,
        series: &Series,
        end: i64,
    ) -> Result<SeriesRows, PlatformError> {
        let at = times_of(&batch, series.at.get_ref())?;
        let names = batch.column(0).as_string::<i32>();
        let (mut keys, mut ranges) = (Vec::new(), Vec::<Range<usize>>::new());
        for (row, name) in names.iter().enumerate() {
            let name = name.unwrap_or_default();
            match ranges.last_mut().filter(|_| keys.last().is_some_and(|last: &String| last == name)) {
                Some(own) => own.end = row + 1,
                None => {
                    keys.push(name.to_owned());
                    ranges.push(row..row + 1);
                }
            }
        }
        let places = keys.iter().cloned().enumerate().map(|(at, key)| (key, at)).collect();
        Ok(SeriesRows { columns, keys, ranges, places, batch, at, end })
    }

    /// Nobody, for a plan without data.
    fn empty(columns: Vec<EventColumn>, series: &Series) -> Result<SeriesRows, PlatformError> {
        let schema = rows_schema(series, &columns);
        SeriesRows::of(columns, RecordBatch::new_empty(schema), series, 0)
    }

    pub fn place(&self, key: &str) -> Option<usize> {
        self.places.get(key).copied()
    }

    pub fn holds(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    /// Each key that had a row by its moment.
    fn cut(&self, as_of: i64) -> Vec<Cut> {
        let one = |key: usize| {
            let rows = self.at[self.ranges[key].clone()].partition_point(|&at| at <= as_of);
            Cut { key, as_of, until: as_of, rows }
        };
        (0..self.keys.len()).map(one).filter(|cut| cut.rows > 0).collect()
    }

    /// The rows known at each cut (or, for labels, all that the rows hold until a time), with the moment beside them.
    fn batch_of(&self, cuts: &[Cut], known_until: Option<i64>, rows_max: usize) -> Result<RecordBatch, PlatformError> {
        let (mut rows, mut as_of, mut until) = (Vec::new(), Vec::new(), Vec::new());
        for cut in cuts {
            let all = self.ranges[cut.key].clone();
            let end = match known_until {
                Some(time) => all.start + self.at[all.clone()].partition_point(|&at| at <= time),
                None => all.start + cut.rows,
            };
            let start = if known_until.is_some() { all.start } else { all.start.max(end.saturating_sub(rows_max)) };
            rows.extend(start as u32..end as u32);
            as_of.resize(rows.len(), cut.as_of);
            until.resize(rows.len(), cut.until);
        }
        let taken = take_record_batch(&self.batch, &UInt32Array::from(rows)).map_err(arrow_error)?;
        with_moments(&taken, as_of, known_until.map(|_| until))
    }
}

/// The rows with the moment, and for labels with the end of their time.
fn with_moments(rows: &RecordBatch, as_of: Vec<i64>, until: Option<Vec<i64>>) -> Result<RecordBatch, PlatformError> {
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(TimestampMicrosecondArray::from(as_of)));
    let labels = until.is_some();
    columns.extend(until.map(|until| Arc::new(TimestampMicrosecondArray::from(until)) as ArrayRef));
    RecordBatch::try_new(moments_schema(&rows.schema(), labels), columns).map_err(arrow_error)
}

fn moments_schema(rows: &SchemaRef, labels: bool) -> SchemaRef {
    let time = arrow_type(ColumnType::Timestamp);
    let mut fields: Vec<Field> = rows.fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new(AS_OF, time.clone(), true));
    if labels {
        fields.push(Field::new(UNTIL, time, true));
    }
    Arc::new(Schema::new(fields))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn newest_sql(domain: &Domain) -> String {
    let (table, input) = domain.spec.first_input();
    format!("SELECT max({}) AS at FROM {}", quoted(input.time.get_ref()), quoted(table))
}

async fn newest(engine: &Engine, domain: &Domain) -> Result<i64, PlatformError> {
    let (_, batches) = engine.query(&newest_sql(domain)).await?;
    let times = batches.first().map(|batch| times_of(batch, "at")).transpose()?.unwrap_or_default();
    let empty = || PlatformError::Training(format!("table `{}` has no row", domain.spec.first_input().0));
    match batches.first().is_some_and(|batch| batch.num_rows() == 1 && batch.column(0).is_valid(0)) {
        true => times.first().copied().ok_or_else(empty),
        false => Err(empty()),
    }
}

/// The columns of a row but the key: their types as the table has them, and what `[series.columns]` says.
fn columns_of(domain: &Domain, series: &Series, table: &SchemaRef) -> Result<Vec<EventColumn>, PlatformError> {
    let wrong = |name: &Spanned<String>| {
        let known = table.fields().iter().map(|field| field.name().as_str());
        let hint = septet_domain::did_you_mean(name.get_ref(), known).map(|hint| format!("; {hint}"));
        let message =
            format!("table `{}` has no column `{}`{}", series.rows.get_ref(), name.get_ref(), hint.unwrap_or_default());
        at_offset(domain, name.span().start, TablesError::Sql { message, place: None })
    };
    let missing = |name: &&Spanned<String>| table.index_of(name.get_ref()).is_err();
    if let Some(name) = [&series.key, &series.at].into_iter().chain(series.columns.keys()).find(missing) {
        return Err(wrong(name));
    }
    let declared = |name: &str| series.columns.iter().find(|(known, _)| known.get_ref() == name).map(|(_, spec)| spec);
    let own = table.fields().iter().filter(|field| field.name() != series.key.get_ref());
    let column = |field: &Arc<Field>| {
        let is_time = field.name() == series.at.get_ref();
        let kind = match field.data_type() {
            DataType::Date32 | DataType::Date64 => ColumnType::Timestamp,
            kind => super::columns::kind_of(kind),
        };
        let spec = declared(field.name());
        let column = Column {
            required: is_time || spec.is_some_and(|spec| spec.required),
            meaning: spec.and_then(|spec| spec.meaning.clone()),
            unit: spec.and_then(|spec| spec.unit.clone()),
            min: spec.and_then(|spec| spec.min),
            max: spec.and_then(|spec| spec.max),
            ..Column::of_type(if is_time { ColumnType::Timestamp } else { kind })
        };
        EventColumn::new(field.name().clone(), column)
    };
    Ok(own.map(column).collect())
}

fn rows_schema(series: &Series, columns: &[EventColumn]) -> SchemaRef {
    let key = Field::new(series.key.get_ref(), DataType::Utf8, true);
    let own = columns.iter().map(|column| Field::new(&column.name, arrow_type(column.kind), true));
    Arc::new(Schema::new([key].into_iter().chain(own).collect::<Vec<_>>()))
}

/// `features.sql` over the rows of a key, compiled, and the rows that are looked up.
#[derive(Debug)]
pub struct SeriesInputs {
    rows: Arc<SeriesRows>,
    query: KeptQuery,
    /// Places of the features in the query's output.
    places: Vec<usize>,
    pub names: Vec<String>,
    pub types: Vec<DataType>,
    /// Place of the row's time in the query's output; none where a key has one row.
    at: Option<usize>,
    rows_max: usize,
    key: String,
    at_name: String,
}

impl SeriesInputs {
    pub async fn load(engine: &Engine, domain: &Domain, spec: &Spanned<Series>) -> Result<SeriesInputs, PlatformError> {
        let rows = SeriesRows::read(engine, domain, spec).await?;
        SeriesInputs::compile(engine, domain, spec.get_ref(), Arc::new(rows)).await
    }

    /// The same over no rows, to see whether a domain's SQL is sound.
    pub async fn plan(engine: &Engine, domain: &Domain, spec: &Spanned<Series>) -> Result<SeriesInputs, PlatformError> {
        let series = spec.get_ref();
        let table = match domain.spec.input.get(series.rows.get_ref()) {
            Some(input) => contract_schema(input),
            None => engine.plan(&format!("SELECT * FROM {}", quoted(series.rows.get_ref()))).await?,
        };
        let columns = columns_of(domain, series, &table)?;
        let rows = Arc::new(SeriesRows::empty(columns, series)?);
        let made = SeriesInputs::compile(engine, domain, series, rows).await?;
        label_query(engine, domain, series, &made.rows.batch.schema()).await?;
        let strange = series
            .given
            .values()
            .find(|given| !made.names.contains(given.feature.get_ref()))
            .map(|given| &given.feature);
        if let Some(name) = strange {
            let message = format!("`{}` is not a column of {FEATURES}", name.get_ref());
            return Err(at_offset(domain, name.span().start, TablesError::Sql { message, place: None }));
        }
        Ok(made)
    }

    async fn compile(
        engine: &Engine,
        domain: &Domain,
        series: &Series,
        rows: Arc<SeriesRows>,
    ) -> Result<SeriesInputs, PlatformError> {
        let (key, at) = (series.key.get_ref().clone(), series.at.get_ref().clone());
        let hidden = if series.one_row { vec![key.clone()] } else { vec![key.clone(), at.clone()] };
        let sql = with_more_columns(&domain.files[FEATURES], &hidden);
        let schema = moments_schema(&rows.batch.schema(), false);
        let query = KeptQuery::compile(engine, &sql, series.rows.get_ref(), schema).await;
        let query = query.map_err(|error| at_file(domain, FEATURES, error))?;
        let count = query.names.len().saturating_sub(hidden.len());
        let strange = query.names[..count].iter().zip(&query.types).find(|(_, kind)| !is_feature_type(kind));
        if let Some((name, kind)) = strange {
            let message = format!("feature `{name}` is a {kind}; expected a number, a truth value or a text");
            return Err(at_file(domain, FEATURES, TablesError::Sql { message, place: None }));
        }
        Ok(SeriesInputs {
            places: (0..count).collect(),
            names: query.names[..count].to_vec(),
            types: query.types[..count].to_vec(),
            at: (!series.one_row).then_some(count + 1),
            rows_max: series.rows_max,
            rows,
            query,
            key,
            at_name: at,
        })
    }

    /// Newest rows of a key that a request may have.
    pub fn rows_max(&self) -> usize {
        self.rows_max
    }

    pub fn rows(&self) -> &Arc<SeriesRows> {
        &self.rows
    }

    /// The features of one key as of a moment; none where it had no row, or none that counts, by then.
    pub fn look_up(&self, key: &str, as_of: i64) -> Result<Option<Vec<OwnedValue>>, PlatformError> {
        let Some(&place) = self.rows.places.get(key) else { return Ok(None) };
        let rows = self.rows.at[self.rows.ranges[place].clone()].partition_point(|&at| at <= as_of);
        let cut = Cut { key: place, as_of, until: as_of, rows };
        self.newest_of(self.rows.batch_of(&[cut], None, self.rows_max)?)
    }

    /// The features of rows that were sent, as of a moment.
    fn of_sent(&self, sent: &RecordBatch, as_of: i64) -> Result<Option<Vec<OwnedValue>>, PlatformError> {
        let key: ArrayRef = Arc::new(StringArray::from(vec![""; sent.num_rows()]));
        let columns = [key].into_iter().chain(sent.columns().iter().cloned()).collect();
        let rows = RecordBatch::try_new(self.rows.batch.schema(), columns).map_err(arrow_error)?;
        let at = times_of(&rows, &self.at_name)?;
        let known = at.partition_point(|&at| at <= as_of);
        let first = known.saturating_sub(self.rows_max);
        let moments = vec![as_of; known - first];
        self.newest_of(with_moments(&rows.slice(first, known - first), moments, None)?)
    }

    /// The newest rows of one key that decide its newest row; all where the query does not say.
    fn deciding(&self, rows: RecordBatch) -> RecordBatch {
        let in_order = |newest: &&NewestRows| newest.by.as_ref().is_none_or(|by| *by == self.at_name);
        let newest = self.query.newest_rows().filter(|_| self.at.is_some()).filter(in_order);
        let count = newest.map_or(rows.num_rows(), |newest| newest.count.min(rows.num_rows()));
        rows.slice(rows.num_rows() - count, count)
    }

    fn newest_of(&self, rows: RecordBatch) -> Result<Option<Vec<OwnedValue>>, PlatformError> {
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        let out = self.query.run(self.deciding(rows))?;
        let newest = match self.at {
            None => (0..out.num_rows()).next(),
            Some(at) => {
                let times = times_of(&out, out.schema().field(at).name())?;
                (0..out.num_rows()).max_by_key(|&row| times[row])
            }
        };
        let Some(row) = newest else { return Ok(None) };
        let value = |&place: &usize| values_of(&out.column(place).slice(row, 1)).map(|mut values| values.remove(0));
        self.places.iter().map(value).collect::<Result<_, _>>().map(Some)
    }

    /// The features of every key (of every row, where a key has several) as of a moment: rows by key, then time.
    pub fn all(&self, as_of: i64) -> Result<SeriesExamples, PlatformError> {
        let cuts = self.rows.cut(as_of);
        // A row of many is made of the rows before it, of which a look-up has as many as `rows_max`: the gates say if more count.
        let rows_max = if self.at.is_some() { usize::MAX } else { self.rows_max };
        let out = self.query.run(self.rows.batch_of(&cuts, None, rows_max)?)?;
        let places = key_places(&self.rows, &out, &self.key, self.at)?;
        let order: Vec<u32> = places.values().copied().collect();
        let taken = take_record_batch(&out, &UInt32Array::from(order)).map_err(arrow_error)?;
        let mut frame = Frame::default();
        for (name, &place) in self.names.iter().zip(&self.places) {
            frame.push(name.clone(), frame_column(taken.column(place))?);
        }
        let time = |at: i64| if self.at.is_some() { at } else { as_of };
        let (keys, times): (Vec<usize>, Vec<i64>) = places.keys().map(|&(key, at)| (key, time(at))).unzip();
        let names = keys.iter().map(|&key| self.rows.keys[key].clone()).collect();
        Ok(SeriesExamples { keys, names, times, frame })
    }
}

/// For each key (and time, where there are several) its row of a query's output.
fn key_places(
    rows: &SeriesRows,
    out: &RecordBatch,
    key: &str,
    at: Option<usize>,
) -> Result<BTreeMap<(usize, i64), u32>, PlatformError> {
    let keys = out.column_by_name(key).ok_or_else(|| arrow_error(format!("the query gives no `{key}`")))?;
    let keys = cast(keys, &DataType::Utf8).map_err(arrow_error)?;
    let times = at.map(|at| times_of(out, out.schema().field(at).name())).transpose()?;
    let mut places = BTreeMap::new();
    for (row, key) in keys.as_string::<i32>().iter().enumerate() {
        let Some(&place) = key.and_then(|key| rows.places.get(key)) else { continue };
        let time = times.as_ref().map_or(0, |times| times[row]);
        if places.insert((place, time), row as u32).is_some() {
            let what = match at {
                None => "a query of a series with one_row = true gives two rows for one key: GROUP BY the key",
                Some(_) => "two rows of one key have the same time",
            };
            return Err(PlatformError::Training(what.to_owned()));
        }
    }
    Ok(places)
}

/// Features of keys, one row each.
#[derive(Debug, Default)]
pub struct SeriesExamples {
    /// Place of each row's key among all keys, and its name.
    pub keys: Vec<usize>,
    pub names: Vec<String>,
    pub times: Vec<i64>,
    pub frame: Frame,
}

/// `label.sql`, compiled.
pub struct SeriesLabels {
    query: KeptQuery,
    rows: Arc<SeriesRows>,
    key: String,
    at: Option<usize>,
    /// Name and, in microseconds, how long it takes until it is known.
    names: Vec<(String, i64)>,
}

async fn label_query(
    engine: &Engine,
    domain: &Domain,
    series: &Series,
    rows: &SchemaRef,
) -> Result<KeptQuery, PlatformError> {
    let (key, at) = (series.key.get_ref().clone(), series.at.get_ref().clone());
    let hidden = if series.one_row { vec![key] } else { vec![key, at] };
    let sql = with_more_columns(&domain.files[LABELS], &hidden);
    let query = KeptQuery::compile(engine, &sql, series.rows.get_ref(), moments_schema(rows, true)).await;
    let query = query.map_err(|error| at_file(domain, LABELS, error))?;
    if let Some(name) = series.labels.keys().find(|name| !query.names.contains(name.get_ref())) {
        let message = format!("{LABELS} gives no column `{}`", name.get_ref());
        return Err(at_offset(domain, name.span().start, TablesError::Sql { message, place: None }));
    }
    Ok(query)
}

impl SeriesLabels {
    pub async fn compile(
        engine: &Engine,
        domain: &Domain,
        spec: &Spanned<Series>,
        rows: Arc<SeriesRows>,
    ) -> Result<SeriesLabels, PlatformError> {
        let series = spec.get_ref();
        let query = label_query(engine, domain, series, &rows.batch.schema()).await?;
        let at = (!series.one_row).then(|| query.names.len() - 1);
        let names = series.labels.iter().map(|(name, label)| (name.get_ref().clone(), label.known_after.micros()));
        Ok(SeriesLabels { names: names.collect(), key: series.key.get_ref().clone(), query, rows, at })
    }

    /// Name and, in microseconds, how long it takes until it is known.
    pub fn names(&self) -> &[(String, i64)] {
        &self.names
    }

    /// The labels of every key as of a moment, from rows known by another: by name, one value for each of `keys`, NaN for none.
    /// `length`: how long after the moment labels count, in microseconds.
    pub fn of_moment(
        &self,
        examples: &SeriesExamples,
        moment: Option<i64>,
        length: i64,
        known_until: i64,
    ) -> Result<BTreeMap<String, Vec<f64>>, PlatformError> {
        let as_of = moment.unwrap_or(known_until);
        // Of keys without a row by the moment too: what came later is theirs.
        let cut = |key: usize| Cut { key, as_of, until: as_of.saturating_add(length), rows: 0 };
        let cuts: Vec<Cut> = (0..self.rows.keys.len()).map(cut).collect();
        let rows = self.rows.batch_of(&cuts, Some(known_until), usize::MAX)?;
        let out = self.query.run(rows)?;
        let places = key_places(&self.rows, &out, &self.key, self.at)?;
        let mut labels = BTreeMap::new();
        for (name, known_after) in &self.names {
            let column = out.column_by_name(name).ok_or_else(|| arrow_error(format!("{LABELS} gives no `{name}`")))?;
            let values = septet_tables::numbers(column)?;
            let value = |(&key, &time): (&usize, &i64)| {
                // A label that is not known yet is none.
                let known = self.at.is_none() || time.saturating_add(*known_after) <= known_until;
                let place = (key, if self.at.is_some() { time } else { 0 });
                places.get(&place).filter(|_| known).map_or(f64::NAN, |&row| values[row as usize])
            };
            labels.insert(name.clone(), examples.keys.iter().zip(&examples.times).map(value).collect());
        }
        Ok(labels)
    }
}
