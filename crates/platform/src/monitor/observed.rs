//! The rows that are watched: the published history and the decision log, each row with the features, the probability
//! and the decision that the champion gave or would have given.

use crate::PlatformError;
use crate::error::arrow_error;
use crate::inputs::features::frame_row;
use crate::inputs::history::{History, nullable, times_of};
use crate::inputs::{numbers_of, with_labels_of_both, with_made_labels};
use crate::monitor::grid::Grid;
use crate::serve::{Answerer, Decision, Event, Labels, Scored, label_cell};
use rayon::prelude::*;
use septet_domain::Domain;
use septet_learn::frame::{Column, Frame, MISSING};
use septet_tables::Engine;
use septet_tables::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
};
use septet_tables::arrow::compute::{cast, take_record_batch};
use septet_tables::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// Rows scored together by one thread.
const CHUNK_ROWS: usize = 8_192;
/// The SQL table of the rows observed.
pub const OBSERVED: &str = "observed";
/// The SQL table of one finding's time.
pub const FINDING: &str = "finding";

/// Rows of one origin, by event time.
#[derive(Clone)]
pub struct ObservedRows {
    pub times: Vec<i64>,
    /// The input's columns.
    pub events: RecordBatch,
    pub frame: Frame,
    pub probability: Vec<f64>,
    pub action: Vec<Option<String>>,
    /// Names of the rules that held, with commas between them; empty if none did.
    pub rules: Vec<String>,
    /// 1, 0, or NaN where it is not known. Of rows too young for their label too: see `Grid::is_mature`.
    pub label: Vec<f64>,
    /// What the score alone would have decided.
    pub model_action: Vec<Option<String>>,
    /// Of rows that were not let pass, in words; of others empty.
    pub reasons: Vec<String>,
    pub logged: bool,
}

impl ObservedRows {
    pub fn rows(&self) -> usize {
        self.times.len()
    }

    /// A text column of the input, for entities and groups.
    pub fn words(&self, name: &str) -> Result<StringArray, PlatformError> {
        let column = self.events.column_by_name(name).ok_or_else(|| arrow_error(format!("no column `{name}`")))?;
        Ok(cast(column, &DataType::Utf8).map_err(arrow_error)?.as_string::<i32>().clone())
    }

    pub fn take(&self, rows: &[u32]) -> Result<ObservedRows, PlatformError> {
        let at = |&row: &u32| row as usize;
        Ok(ObservedRows {
            times: rows.iter().map(|row| self.times[at(row)]).collect(),
            events: take_record_batch(&self.events, &UInt32Array::from(rows.to_vec())).map_err(arrow_error)?,
            frame: self.frame.take(rows),
            probability: rows.iter().map(|row| self.probability[at(row)]).collect(),
            action: rows.iter().map(|row| self.action[at(row)].clone()).collect(),
            rules: rows.iter().map(|row| self.rules[at(row)].clone()).collect(),
            label: rows.iter().map(|row| self.label[at(row)]).collect(),
            model_action: rows.iter().map(|row| self.model_action[at(row)].clone()).collect(),
            reasons: rows.iter().map(|row| self.reasons[at(row)].clone()).collect(),
            logged: self.logged,
        })
    }
}

/// Rows of the published history in a range, scored as the service would have; with reasons from a time on.
pub fn from_history(
    answerer: &Answerer,
    history: &History,
    rows: Range<usize>,
    reasons_from: i64,
) -> Result<ObservedRows, PlatformError> {
    let Some(frame) = answerer.inputs.frame(history, rows.clone())? else {
        return unscored(&answerer.domain, history, rows);
    };
    let events = history.batch.slice(rows.start, rows.len());
    let starts: Vec<usize> = (0..rows.len()).step_by(CHUNK_ROWS).collect();
    let scored = |&start: &usize| {
        let length = CHUNK_ROWS.min(rows.len() - start);
        let features = (start..start + length).map(|row| frame_row(&frame, row)).collect();
        let scored = answerer.decide(&events.slice(start, length), features, false)?;
        let times = &history.times[rows.start + start..];
        let decided = |(scored, &time): (Scored, &i64)| decided(answerer, scored, time >= reasons_from);
        scored.into_iter().zip(times).map(decided).collect::<Result<Vec<_>, PlatformError>>()
    };
    let scored: Vec<Vec<Decided>> = starts.par_iter().map(scored).collect::<Result<_, _>>()?;
    let label = history.label(answerer.domain.spec.model.target.get_ref())?[rows.clone()].to_vec();
    let mut part = ObservedRows {
        times: history.times[rows].to_vec(),
        events,
        frame,
        probability: Vec::new(),
        action: Vec::new(),
        rules: Vec::new(),
        label,
        model_action: Vec::new(),
        reasons: Vec::new(),
        logged: false,
    };
    for one in scored.into_iter().flatten() {
        part.probability.push(one.probability);
        part.action.push(one.action);
        part.rules.push(one.rules);
        part.model_action.push(one.model_action);
        part.reasons.push(one.reasons);
    }
    Ok(part)
}

/// Rows of a domain that answers about customers, not about them: their own numbers are what is watched for drift.
fn unscored(domain: &Domain, history: &History, rows: Range<usize>) -> Result<ObservedRows, PlatformError> {
    let count = rows.len();
    let frame = numbers_of(domain, history, rows.clone())?;
    Ok(ObservedRows {
        times: history.times[rows.clone()].to_vec(),
        events: history.batch.slice(rows.start, count),
        frame,
        probability: vec![f64::NAN; count],
        action: vec![None; count],
        rules: vec![String::new(); count],
        label: vec![f64::NAN; count],
        model_action: vec![None; count],
        reasons: vec![String::new(); count],
        logged: false,
    })
}

struct Decided {
    probability: f64,
    action: Option<String>,
    rules: String,
    model_action: Option<String>,
    reasons: String,
}

fn decided(answerer: &Answerer, scored: Scored, with_reasons: bool) -> Result<Decided, PlatformError> {
    let let_pass = match &answerer.manifest().decision {
        Some(decision) => scored.action.as_deref() == Some(decision.negative.as_str()),
        None => true,
    };
    let reasons = if with_reasons && !let_pass { answerer.reasons_in_words(&scored)? } else { String::new() };
    Ok(Decided {
        rules: answerer.rules_of(&scored).join(","),
        model_action: model_action(answerer, scored.probability),
        probability: scored.probability,
        action: scored.action,
        reasons,
    })
}

fn model_action(answerer: &Answerer, probability: f64) -> Option<String> {
    answerer.manifest().decision.as_ref().map(|decision| decision.action(probability).to_owned())
}

/// Answers of this version as they were given, with the labels told since. None without an answer.
pub fn from_log(
    answerer: &Answerer,
    logged: Vec<Decision>,
    labels: &Labels,
) -> Result<Option<ObservedRows>, PlatformError> {
    if !answerer.inputs.keeps_state() {
        return Ok(None);
    }
    let target = answerer.domain.spec.model.target.get_ref();
    let mut rows: Vec<(Event, Decision)> = Vec::new();
    for one in logged {
        let Ok(value) = serde_json::from_str(&one.input) else { continue };
        let Ok(mut event) = answerer.contract().read(&value, one.input.clone(), "") else { continue };
        for (at, column) in answerer.contract().columns.iter().enumerate().filter(|(_, column)| column.label()) {
            if let Some(text) = labels.get(&(one.key.to_string(), column.name.clone())) {
                event.cells[at] = label_cell(column, text);
            }
        }
        rows.push((event, one));
    }
    if rows.is_empty() {
        return Ok(None);
    }
    rows.sort_by_key(|(event, one)| (event.time, one.sequence));
    let events = answerer.contract().batch(&rows.iter().map(|(event, _)| event).collect::<Vec<_>>())?;
    let (_, input) = answerer.domain.spec.first_input();
    let times = times_of(&events, input.time.get_ref())?;
    let label = History::new(events.clone(), times.clone()).label(target)?;
    let features = rows.iter().map(|(_, one)| serde_json::from_str::<Vec<serde_json::Value>>(&one.features));
    let features: Vec<Vec<serde_json::Value>> = features.collect::<Result<_, _>>().map_err(arrow_error)?;
    let mut frame = Frame::default();
    for (at, feature) in answerer.manifest().features.iter().enumerate() {
        frame.push(feature.name.clone(), logged_column(&features, at, feature.kind == "number"));
    }
    let answers: Vec<serde_json::Value> =
        rows.iter().map(|(_, one)| serde_json::from_str(&format!("{}}}", one.answer)).unwrap_or_default()).collect();
    let listed = |answer: &serde_json::Value, pointer: &str, between: &str| {
        let list = answer.pointer(pointer).and_then(|list| list.as_array()).into_iter().flatten();
        let words = list.filter_map(|one| one.as_str().or_else(|| one["text"].as_str()));
        words.collect::<Vec<_>>().join(between)
    };
    Ok(Some(ObservedRows {
        times,
        events,
        frame,
        probability: rows.iter().map(|(_, one)| one.probability).collect(),
        action: rows.iter().map(|(_, one)| one.action.clone()).collect(),
        rules: answers.iter().map(|answer| listed(answer, "/decision/rules", ",")).collect(),
        model_action: rows.iter().map(|(_, one)| model_action(answerer, one.probability)).collect(),
        reasons: answers.iter().map(|answer| listed(answer, "/reasons", " ")).collect(),
        label,
        logged: true,
    }))
}

fn logged_column(rows: &[Vec<serde_json::Value>], at: usize, number: bool) -> Column {
    let value = |row: &Vec<serde_json::Value>| row.get(at).cloned().unwrap_or_default();
    if number {
        return Column::Number(rows.iter().map(|row| value(row).as_f64().unwrap_or(f64::NAN)).collect());
    }
    let mut known = std::collections::HashMap::new();
    let mut words = Vec::new();
    let codes = rows.iter().map(|row| match value(row).as_str() {
        None => MISSING,
        Some(word) => *known.entry(word.to_owned()).or_insert_with(|| {
            words.push(word.to_owned());
            words.len() as u32 - 1
        }),
    });
    let codes = codes.collect();
    Column::Category { codes, words: Arc::new(words) }
}

/// History and live rows with the labels that `label.sql` makes of both together: what was answered has its label when later
/// rows have come, by themselves or with the next run.
pub async fn with_labels_of_later_rows(
    engine: &Engine,
    domain: &Domain,
    history: History,
    live: Option<ObservedRows>,
) -> Result<(History, Option<ObservedRows>), PlatformError> {
    let known_until =
        history.times.last().copied().into_iter().chain(live.iter().filter_map(|p| p.times.last().copied()));
    let Some(known_until) = known_until.max() else { return Ok((history, live)) };
    let Some(mut live) = live else {
        return Ok((with_made_labels(engine, domain, history, known_until).await?, None));
    };
    let (_, input) = domain.spec.first_input();
    let (history, own) =
        with_labels_of_both(engine, domain, history, &live.events, input.key.get_ref(), known_until).await?;
    if let Some(own) = own {
        live.label = own.label(domain.spec.model.target.get_ref())?;
        live.events = own.batch;
    }
    Ok((history, Some(live)))
}

/// The part without the rows whose keys are in the other: what was answered is watched as it was answered.
pub fn without(part: ObservedRows, other: &ObservedRows, key: &str) -> Result<ObservedRows, PlatformError> {
    let taken: HashSet<String> = other.words(key)?.iter().flatten().map(str::to_owned).collect();
    let keys = part.words(key)?;
    let rows: Vec<u32> =
        (0..part.rows()).filter(|&row| !taken.contains(keys.value(row))).map(|row| row as u32).collect();
    if rows.len() == part.rows() { Ok(part) } else { part.take(&rows) }
}

/// Makes the rows the SQL table `observed`.
pub fn register(
    engine: &Engine,
    answerer: &Answerer,
    parts: &[ObservedRows],
    grid: &Grid,
) -> Result<(), PlatformError> {
    let batches: Vec<RecordBatch> =
        parts.iter().map(|part| table(answerer, part, grid)).collect::<Result<_, PlatformError>>()?;
    let schema = batches.first().map(RecordBatch::schema).ok_or_else(|| arrow_error("nothing is observed"))?;
    let same = |batch: RecordBatch| RecordBatch::try_new(schema.clone(), batch.columns().to_vec()).map_err(arrow_error);
    let batches = batches.into_iter().map(same).collect::<Result<Vec<_>, _>>()?;
    Ok(engine.register_batches(OBSERVED, schema.clone(), batches)?)
}

/// Makes a time the SQL table `finding`, of one row.
pub fn register_finding(engine: &Engine, grid: &Grid, windows: Range<i64>) -> Result<(), PlatformError> {
    let ends = [windows.start, windows.end].map(|window| window * grid.window);
    let columns = ends.map(|end| Arc::new(TimestampMicrosecondArray::from(vec![end])) as ArrayRef);
    let batch = RecordBatch::try_new(finding_schema(), columns.to_vec()).map_err(arrow_error)?;
    Ok(engine.register_batches(FINDING, finding_schema(), vec![batch])?)
}

/// Columns of the table `finding`.
pub fn finding_schema() -> SchemaRef {
    let fields = ["since", "until"].map(|name| Field::new(name, arrow_time(), false));
    Arc::new(Schema::new(fields.to_vec()))
}

fn table(answerer: &Answerer, part: &ObservedRows, grid: &Grid) -> Result<RecordBatch, PlatformError> {
    let mature: Vec<bool> = part.times.iter().map(|&time| grid.is_mature(time)).collect();
    let mut fields: Vec<Field> = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    let schema = part.events.schema();
    for (at, field) in schema.fields().iter().enumerate() {
        let label = answerer.contract().columns.iter().any(|column| column.name == *field.name() && column.label());
        let column = part.events.column(at);
        let column = match label {
            true => {
                septet_tables::arrow::compute::nullif(column, &BooleanArray::from_iter(mature.iter().map(|m| Some(!m))))
                    .map_err(arrow_error)?
            }
            false => column.clone(),
        };
        fields.push(field.as_ref().clone().with_nullable(true));
        columns.push(column);
    }
    for (name, column) in part.frame.names.iter().zip(&part.frame.columns) {
        if schema.index_of(name).is_err() {
            let array = feature_array(column);
            fields.push(Field::new(name, array.data_type().clone(), true));
            columns.push(array);
        }
    }
    let starts = part.times.iter().map(|&time| Some(grid.start_of(time)));
    let source = if part.logged { "log" } else { "history" };
    let own: [(&str, ArrayRef); 8] = [
        ("probability", nullable(part.probability.clone())),
        ("action", Arc::new(part.action.iter().map(Option::as_deref).collect::<StringArray>())),
        ("rules", Arc::new(part.rules.iter().map(Some).collect::<StringArray>())),
        ("model_action", Arc::new(part.model_action.iter().map(Option::as_deref).collect::<StringArray>())),
        ("reasons", Arc::new(part.reasons.iter().map(Some).collect::<StringArray>())),
        ("window_start", Arc::new(starts.collect::<TimestampMicrosecondArray>())),
        ("is_mature", Arc::new(BooleanArray::from(mature))),
        ("source", Arc::new(StringArray::from(vec![source; part.rows()]))),
    ];
    for (name, array) in own {
        fields.push(Field::new(name, array.data_type().clone(), true));
        columns.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(arrow_error)
}

fn feature_array(column: &Column) -> ArrayRef {
    match column {
        Column::Number(values) => nullable(values.clone()),
        Column::Category { codes, words } => {
            let word = |&code: &u32| (code != MISSING).then(|| words[code as usize].as_str());
            Arc::new(codes.iter().map(word).collect::<StringArray>())
        }
    }
}

/// An empty `observed` of a domain without a version, to plan watches against.
pub fn empty_schema(events: &Schema, features: &[(String, DataType)]) -> Schema {
    let own = events.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let made = features.iter().filter(|(name, _)| events.index_of(name).is_err());
    let made = made.map(|(name, kind)| Field::new(name, kind.clone(), true));
    let instant = arrow_time();
    let rest = [
        ("probability", DataType::Float64),
        ("action", DataType::Utf8),
        ("rules", DataType::Utf8),
        ("model_action", DataType::Utf8),
        ("reasons", DataType::Utf8),
        ("window_start", instant),
        ("is_mature", DataType::Boolean),
        ("source", DataType::Utf8),
    ];
    let rest = rest.map(|(name, kind)| Field::new(name, kind, true));
    Schema::new(own.chain(made).chain(rest).collect::<Vec<_>>())
}

fn arrow_time() -> DataType {
    TimestampMicrosecondArray::from(Vec::<i64>::new()).data_type().clone()
}
