//! Windows as a service holds them: one state an entity, fed event by event in order of arrival.

use crate::PlatformError;
use crate::features::{FeatureSet, OwnedValue};
use crate::history::{History, intern, nullable};
use crate::replay::CompiledWindow;
use septet_learn::windows::EntityState;
use septet_tables::arrow::array::{ArrayRef, RecordBatch};
use std::collections::HashMap;

/// The live states of all windows of a domain.
pub struct LiveWindows {
    windows: Vec<CompiledWindow>,
    states: Vec<HashMap<String, EntityState>>,
}

impl LiveWindows {
    pub fn new(windows: Vec<CompiledWindow>) -> LiveWindows {
        let states = windows.iter().map(|_| HashMap::new()).collect();
        LiveWindows { windows, states }
    }

    /// Remembers one event and answers with its window columns, one array of one row each.
    pub fn answer(&mut self, event: &RecordBatch, time: i64) -> Result<Vec<ArrayRef>, PlatformError> {
        let mut columns = Vec::new();
        for at in 0..self.windows.len() {
            let window = &self.windows[at];
            let entity = intern(event.column_by_name(&window.entity).expect("compiled against this schema"))?;
            let values: Vec<f64> = window.inputs(event)?.iter().map(|input| input[0]).collect();
            let answers = self.remember(at, &entity.words[0], time, &values);
            columns.extend(answers.into_iter().map(|value| nullable(vec![value])));
        }
        Ok(columns)
    }

    fn remember(&mut self, window: usize, entity: &str, time: i64, values: &[f64]) -> Vec<f64> {
        let group = &self.windows[window].group;
        let states = &mut self.states[window];
        if !states.contains_key(entity) {
            states.insert(entity.to_owned(), EntityState::new(group));
        }
        let mut answers = vec![f64::NAN; group.outputs()];
        if let Some(state) = states.get_mut(entity) {
            state.answer(group, time, values, &mut answers);
        }
        answers
    }
}

/// Features of the given rows (rising) as a service would have made them: every event of every entity that the rows
/// touch is remembered in order, and the rows themselves are answered one by one, from a batch of one row.
pub fn features_online(
    history: &History,
    windows: &[CompiledWindow],
    features: &FeatureSet,
    rows: &[usize],
) -> Result<Vec<Vec<OwnedValue>>, PlatformError> {
    let Some(&last) = rows.last() else { return Ok(Vec::new()) };
    let past = history.batch.slice(0, last + 1);
    let mut touched = Vec::new();
    for window in windows {
        let entities = history.intern(&window.entity)?;
        let mut asked = vec![false; entities.words.len()];
        rows.iter().for_each(|&row| asked[entities.codes[row] as usize] = true);
        touched.push((entities, asked, window.inputs(&past)?));
    }
    let mut live = LiveWindows::new(windows.to_vec());
    let mut wanted = rows.iter().copied().peekable();
    let mut answers = Vec::with_capacity(rows.len());
    for row in 0..=last {
        if wanted.next_if_eq(&row).is_some() {
            let event = history.batch.slice(row, 1);
            let columns = live.answer(&event, history.times[row])?;
            answers.push(features.answer_row(&event, columns)?);
            continue;
        }
        for (window, (entities, asked, inputs)) in touched.iter().enumerate() {
            let code = entities.codes[row] as usize;
            if asked[code] {
                let values: Vec<f64> = inputs.iter().map(|input| input[row]).collect();
                live.remember(window, &entities.words[code], history.times[row], &values);
            }
        }
    }
    Ok(answers)
}
