//! Windows as a service holds them: one state an entity, fed event by event in order of arrival.

use crate::PlatformError;
use crate::features::{FeatureSet, OwnedValue};
use crate::history::{History, nullable};
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
        for (window, states) in self.windows.iter().zip(&mut self.states) {
            let entity = crate::history::intern(event.column_by_name(&window.entity).expect("compiled against this schema"))?;
            let values: Vec<f64> = window.inputs(event)?.iter().map(|input| input[0]).collect();
            let state = states.entry(entity.words[0].clone()).or_insert_with(|| EntityState::new(&window.group));
            let mut out = vec![f64::NAN; window.group.outputs()];
            state.answer(&window.group, time, &values, &mut out);
            columns.extend(out.into_iter().map(|value| nullable(vec![value])));
        }
        Ok(columns)
    }
}

/// Features of the given rows as a service would have made them: every event of every entity that the rows touch
/// is fed one by one in order; the rows themselves are answered one by one.
pub fn features_online(
    history: &History,
    windows: &[CompiledWindow],
    features: &FeatureSet,
    rows: &[usize],
) -> Result<Vec<Vec<OwnedValue>>, PlatformError> {
    let Some(&last) = rows.last() else { return Ok(Vec::new()) };
    let mut touched = vec![false; last + 1];
    for window in windows {
        let entities = history.intern(&window.entity)?;
        let mut asked = vec![false; entities.words.len()];
        rows.iter().for_each(|&row| asked[entities.codes[row] as usize] = true);
        (0..=last).filter(|&row| asked[entities.codes[row] as usize]).for_each(|row| touched[row] = true);
    }
    rows.iter().for_each(|&row| touched[row] = true);
    let mut live = LiveWindows::new(windows.to_vec());
    let mut wanted = rows.iter().copied().peekable();
    let mut answers = Vec::with_capacity(rows.len());
    for row in (0..=last).filter(|&row| touched[row]) {
        let event = history.batch.slice(row, 1);
        let columns = live.answer(&event, history.times[row])?;
        if wanted.next_if_eq(&row).is_some() {
            answers.push(features.answer_row(&event, columns)?);
        }
    }
    Ok(answers)
}
