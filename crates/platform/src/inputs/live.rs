//! Windows as a service holds them: one state an entity, fed in order of arrival. One thread owns them, so there is
//! no lock and the order in the decision log is the order in which they changed.

use crate::PlatformError;
use crate::inputs::features::{FeatureSet, OwnedValue};
use crate::inputs::history::{History, intern, nullable};
use crate::inputs::windows::{CompiledWindow, oldest_seen};
use rayon::prelude::*;
use septet_learn::windows::{EntityState, replay_states};
use septet_tables::arrow::array::{ArrayRef, RecordBatch};
use std::collections::HashMap;

type States = HashMap<String, EntityState, foldhash::fast::FixedState>;

/// The live states of all windows of a domain.
pub struct LiveWindows {
    windows: Vec<CompiledWindow>,
    states: Vec<States>,
}

impl LiveWindows {
    /// The states that a history leaves. Entities are rebuilt side by side.
    pub fn of_history(windows: Vec<CompiledWindow>, history: &History) -> Result<LiveWindows, PlatformError> {
        let rebuilt = |window: &CompiledWindow| {
            let entities = history.intern(&window.entity)?;
            let inputs = window.inputs(&history.batch)?;
            let states = replay_states(&window.group, &entities.codes, entities.words.len(), &history.times, &inputs);
            Ok::<_, PlatformError>(entities.words.iter().cloned().zip(states).collect::<States>())
        };
        let states = windows.par_iter().map(rebuilt).collect::<Result<_, _>>()?;
        Ok(LiveWindows { windows, states })
    }

    /// No windows: requests of this domain change no state.
    pub fn none() -> LiveWindows {
        LiveWindows { windows: Vec::new(), states: Vec::new() }
    }

    /// Entities held, for gauges.
    pub fn entities(&self) -> usize {
        self.states.iter().map(States::len).sum()
    }

    /// Forgets entities whose newest event no window reaches any more.
    pub fn forget_idle(&mut self, newest: i64) {
        for (window, states) in self.windows.iter().zip(&mut self.states) {
            let until = newest - window.group.horizon();
            states.retain(|_, state| state.clock() > until);
        }
    }

    /// Remembers the events in order and answers each with its window columns, as arrays of one row an event. An event
    /// that `known` says is there already is answered and not counted again.
    pub fn answer(
        &mut self,
        events: &RecordBatch,
        times: &[i64],
        known: &[bool],
    ) -> Result<Vec<ArrayRef>, PlatformError> {
        let mut columns = Vec::new();
        for (window, states) in self.windows.iter().zip(&mut self.states) {
            let width = window.group.outputs();
            let mut answers = vec![f64::NAN; width * times.len()];
            for_each_event(window, states, events, |row, state, values| {
                let out = &mut answers[row * width..][..width];
                match known[row] {
                    true => state.ask(&window.group, times[row], out),
                    false => state.answer(&window.group, times[row], values, out),
                }
            })?;
            let column = |at: usize| nullable(answers.iter().skip(at).step_by(width).copied().collect());
            columns.extend((0..width).map(column));
        }
        Ok(columns)
    }

    /// Remembers the events in order.
    pub fn remember(&mut self, events: &RecordBatch, times: &[i64]) -> Result<(), PlatformError> {
        for (window, states) in self.windows.iter().zip(&mut self.states) {
            for_each_event(window, states, events, |row, state, values| {
                state.remember(&window.group, times[row], values)
            })?;
        }
        Ok(())
    }

    /// The event of one row became another: a label arrived or was corrected. `before` and `after` are the whole row.
    pub fn amend(&mut self, before: &RecordBatch, after: &RecordBatch, time: i64) -> Result<(), PlatformError> {
        for (window, states) in self.windows.iter().zip(&mut self.states) {
            let old: Vec<f64> = window.inputs(before)?.iter().map(|input| input[0]).collect();
            for_each_event(window, states, after, |_, state, new| {
                for (input, (&old, &new)) in old.iter().zip(new).enumerate() {
                    if old != new && !(old.is_nan() && new.is_nan()) {
                        state.amend(&window.group, time, input, old, new);
                    }
                }
            })?;
        }
        Ok(())
    }
}

/// Calls `act` with each event's row, its entity's state and its input values.
fn for_each_event(
    window: &CompiledWindow,
    states: &mut States,
    events: &RecordBatch,
    mut act: impl FnMut(usize, &mut EntityState, &[f64]),
) -> Result<(), PlatformError> {
    let entities = intern(events.column_by_name(&window.entity).expect("compiled against this schema"))?;
    let inputs = window.inputs(events)?;
    let mut values = vec![f64::NAN; inputs.len()];
    for (row, &code) in entities.codes.iter().enumerate() {
        let entity = &entities.words[code as usize];
        values.iter_mut().zip(&inputs).for_each(|(value, input)| *value = input[row]);
        if !states.contains_key(entity) {
            states.insert(entity.clone(), EntityState::new(&window.group));
        }
        if let Some(state) = states.get_mut(entity) {
            act(row, state, &values);
        }
    }
    Ok(())
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
    let first = rows[0];
    // As a service is rebuilt: what is too old for every window is not replayed.
    let from = oldest_seen(history, windows, first);
    let mut live = LiveWindows::of_history(windows.to_vec(), &history.range(from..first))?;
    let mut answers = Vec::with_capacity(rows.len());
    let mut wanted = rows.iter().copied().peekable();
    for row in first..=last {
        let (event, time) = (history.batch.slice(row, 1), &history.times[row..=row]);
        match wanted.next_if_eq(&row) {
            Some(_) => {
                let columns = live.answer(&event, time, &[false])?;
                answers.extend(features.answer(&event, columns)?);
            }
            None => live.remember(&event, time)?,
        }
    }
    Ok(answers)
}
