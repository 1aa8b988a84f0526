//! A version with the windows that history and log leave: at start, when another champion takes over, and to make a logged
//! answer again.

use crate::PlatformError;
use crate::error::arrow_error;
use crate::inputs::contract::{Cell, Event, EventColumn};
use crate::inputs::history::{History, times_of};
use crate::inputs::live::LiveWindows;
use crate::inputs::windows::oldest_seen;
use crate::serve::answerer::Answerer;
use crate::serve::keys::{KeyFilter, Keys, key_hash};
use crate::serve::log::DecisionLog;
use crate::serve::log_rows::LoggedEvent;
use crate::serve::shared::ServiceOptions;
use septet_tables::arrow::array::{AsArray, RecordBatch};
use septet_tables::arrow::datatypes::{DataType, Schema};
use septet_tables::{Engine, EngineSettings};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// A version with its windows, rebuilt up to a place in the log.
pub struct Loaded {
    pub answerer: Arc<Answerer>,
    pub live: LiveWindows,
    /// Hashes of the keys that the published history holds.
    pub history_keys: Arc<Keys>,
    /// Keys that the log holds.
    pub logged_keys: KeyFilter,
    pub sequence: i64,
}

/// Latest values (JSON) of labels told, by key and label.
pub type Labels = HashMap<(String, String), String>;

pub fn tables(options: &ServiceOptions) -> Result<Engine, PlatformError> {
    let (memory_max, spill_folder) = (options.memory_max, options.home.spill_folder());
    Ok(Engine::new(&EngineSettings { memory_max, spill_folder, partitions: 1 })?)
}

/// A version and the history it is to be answered from.
pub struct Rebuilding<'a> {
    pub options: &'a ServiceOptions,
    pub version: &'a str,
    pub run_id: &'a str,
    pub number: u64,
}

impl Rebuilding<'_> {
    /// The version with windows as the published history leaves them; labels told since take the place of its own.
    pub async fn loaded_from_history(
        &self,
        labels: &Labels,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<Loaded, PlatformError> {
        let engine = tables(self.options)?;
        say("loading the champion");
        let options = self.options;
        let name = options.domain.name();
        let answerer = Answerer::load(&options.home, &engine, name, self.version, self.run_id, self.number).await?;
        if !answerer.inputs.keeps_state() {
            // Everything that an answer needs is looked up: nothing changes with it.
            let live = LiveWindows::none();
            let (history_keys, logged_keys) = (Arc::default(), KeyFilter::none());
            return Ok(Loaded { answerer: Arc::new(answerer), live, history_keys, logged_keys, sequence: 0 });
        }
        say("reading the published history");
        let history = History::read(&engine, &answerer.domain).await?;
        let (_, input) = answerer.domain.spec.first_input();
        let keys = septet_tables::arrow::compute::cast(history.column(input.key.get_ref())?, &DataType::Utf8);
        let keys = keys.map_err(arrow_error)?;
        let keys = keys.as_string::<i32>();
        let history_keys: Keys = keys.iter().flatten().map(key_hash).collect();
        let first = oldest_seen(&history, answerer.inputs.windows(), history.rows().saturating_sub(1));
        let rows = history.rows() - first;
        let recent = history.range(first..history.rows());
        let recent = with_labels(&answerer, recent, labels)?;
        say(&format!("rebuilding windows from {rows} events of the published history"));
        let live = answerer.inputs.state_of(&recent)?;
        let (history_keys, logged_keys) = (Arc::new(history_keys), KeyFilter::default());
        Ok(Loaded { answerer: Arc::new(answerer), live, history_keys, logged_keys, sequence: 0 })
    }
}

/// The history with labels told since in the place of its own.
pub fn with_labels(answerer: &Answerer, history: History, labels: &Labels) -> Result<History, PlatformError> {
    if labels.is_empty() {
        return Ok(history);
    }
    let contract = answerer.contract();
    let key = &contract.columns[contract.key].name;
    let keys = history.intern(key)?;
    let mut columns = history.batch.columns().to_vec();
    for (at, column) in contract.columns.iter().enumerate().filter(|(_, column)| column.label()) {
        let told = |row: usize| labels.get(&(keys.words[keys.codes[row] as usize].clone(), column.name.clone()));
        let told: Vec<Option<Cell>> =
            (0..history.rows()).map(|row| told(row).map(|text| label_cell(column, text))).collect();
        if told.iter().any(Option::is_some) {
            columns[at] = column.replaced(&columns[at], &told)?;
        }
    }
    let fields =
        history.batch.schema().fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(arrow_error)?;
    Ok(History::new(batch, history.times))
}

/// Counts what was answered after the place up to which the windows were rebuilt. Feedback waits meanwhile.
pub fn catch_up(loaded: &mut Loaded, log: &DecisionLog) -> Result<(), PlatformError> {
    // Feedback waited while the windows were rebuilt: no event since has a label.
    count_logged(loaded, log, log.last_sequence()?, &Labels::default())
}

/// Counts the answers after `loaded.sequence` until `upto` that the history does not hold, with the labels given.
pub fn count_logged(loaded: &mut Loaded, log: &DecisionLog, upto: i64, labels: &Labels) -> Result<(), PlatformError> {
    let (answerer, keys) = (loaded.answerer.clone(), loaded.history_keys.clone());
    // A key that was made for its request never comes twice.
    if !answerer.inputs.keeps_state() {
        loaded.sequence = upto;
        return Ok(());
    }
    let (_, input) = answerer.domain.spec.first_input();
    log.scan(loaded.sequence, upto, &mut |logged| {
        logged.iter().for_each(|one| loaded.logged_keys.insert(key_hash(&one.key)));
        // Without windows there is nothing to count in.
        if answerer.inputs.windows().is_empty() {
            return Ok(());
        }
        let events: Vec<Event> = logged.iter().filter_map(|one| logged_event(&answerer, one, labels, &keys)).collect();
        let batch = answerer.contract().batch(&events.iter().collect::<Vec<_>>())?;
        loaded.live.remember(&batch, &times_of(&batch, input.time.get_ref())?)
    })?;
    loaded.sequence = upto;
    Ok(())
}

/// A logged event with the labels told since; none if the history holds it, or if a contract that became stricter since
/// refuses what was once answered.
fn logged_event(answerer: &Answerer, logged: &LoggedEvent, labels: &Labels, history_keys: &Keys) -> Option<Event> {
    if history_keys.contains(&key_hash(&logged.key)) {
        return None;
    }
    let value: Value = serde_json::from_str(&logged.input).ok()?;
    let mut event = answerer.contract().read(&value, logged.input.clone(), "").ok()?;
    for (at, column) in answerer.contract().columns.iter().enumerate().filter(|(_, column)| column.label()) {
        if let Some(text) = labels.get(&(logged.key.clone(), column.name.clone())) {
            event.cells[at] = label_cell(column, text);
        }
    }
    Some(event)
}

/// A label as it stands in the log.
pub fn label_cell(column: &EventColumn, text: &str) -> Cell {
    let value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    if value.is_null() { Cell::Null } else { column.cell(&value).unwrap_or(Cell::Null) }
}
