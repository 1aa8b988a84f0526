//! Windows as a service holds them: one state an entity, fed in order of arrival. One thread owns them, so there is
//! no lock and the order in the decision log is the order in which they changed.

use crate::PlatformError;
use crate::inputs::features::FeatureSet;
use crate::inputs::history::{History, intern, nullable};
use crate::inputs::windows::{CompiledWindow, oldest_seen};
use crate::values::OwnedValue;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::places::contract_schema;
    use crate::inputs::windows::compile_windows;
    use septet_domain::Domains;
    use septet_learn::bootstrap::SplitMix64;
    use septet_tables::arrow::array::{BooleanArray, Float64Array, StringArray, TimestampMicrosecondArray};
    use septet_tables::{Engine, EngineSettings, numbers};
    use std::sync::Arc;

    const HOUR: i64 = 3_600_000_000;

    #[derive(Clone, Copy)]
    struct Payment {
        time: i64,
        entity: u64,
        amount: f64,
        fraud: Option<bool>,
    }

    fn batch(payments: &[Payment]) -> RecordBatch {
        let domain = Domains::default().load("fraud").unwrap();
        let schema = contract_schema(domain.spec.first_input().1);
        let word = |of: fn(&Payment) -> String| -> ArrayRef {
            Arc::new(payments.iter().map(of).map(Some).collect::<StringArray>())
        };
        let columns: Vec<ArrayRef> = vec![
            word(|payment| format!("p{}", payment.time)),
            Arc::new(TimestampMicrosecondArray::from_iter_values(payments.iter().map(|payment| payment.time))),
            word(|payment| format!("c{}", payment.entity)),
            word(|payment| format!("t{}", payment.entity % 2)),
            Arc::new(Float64Array::from_iter_values(payments.iter().map(|payment| payment.amount))),
            Arc::new(payments.iter().map(|payment| payment.fraud).collect::<BooleanArray>()),
        ];
        RecordBatch::try_new(schema, columns).unwrap()
    }

    async fn windows() -> Vec<CompiledWindow> {
        let domain = Domains::default().load("fraud").unwrap();
        let settings = EngineSettings { memory_max: 1 << 28, spill_folder: std::env::temp_dir(), partitions: 1 };
        let schema = contract_schema(domain.spec.first_input().1);
        compile_windows(&Engine::new(&settings).unwrap(), &domain, &schema).await.unwrap()
    }

    /// What the states answer to a payment of each entity at one time.
    fn asked(live: &mut LiveWindows, time: i64) -> Vec<Vec<f64>> {
        let probes: Vec<Payment> = (0..4).map(|entity| Payment { time, entity, amount: 1.0, fraud: None }).collect();
        let columns = live.answer(&batch(&probes), &[time; 4], &[true; 4]).unwrap();
        columns.iter().map(|column| numbers(column).unwrap()).collect()
    }

    fn same(a: &[Vec<f64>], b: &[Vec<f64>]) -> bool {
        let equal = |a: &f64, b: &f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-9 * a.abs().max(1.0);
        a.iter().zip(b).all(|(a, b)| a.iter().zip(b).all(|(a, b)| equal(a, b)))
    }

    #[tokio::test]
    async fn late_events_and_labels_that_come_later_end_in_the_state_of_the_whole_history() {
        let windows = windows().await;
        let mut random = SplitMix64::new(11);
        for _ in 0..40 {
            let payment = |at: i64, random: &mut SplitMix64| Payment {
                time: at * HOUR + 1,
                entity: random.below(4) as u64,
                amount: random.below(1000) as f64 / 4.0,
                fraud: Some(random.below(5) == 0),
            };
            let whole: Vec<Payment> = (0..300).map(|at| payment(at * 5, &mut random)).collect();
            let now = 300 * 5 * HOUR;
            let times: Vec<i64> = whole.iter().map(|payment| payment.time).collect();
            let mut expected = LiveWindows::of_history(windows.clone(), &History::new(batch(&whole), times)).unwrap();

            // Neighbours arrive in each other's place, and no label is known at first.
            let mut arriving = whole.clone();
            for at in 0..arriving.len() - 3 {
                if random.below(4) == 0 {
                    arriving.swap(at, at + 1 + random.below(2));
                }
            }
            let unknown = |payment: &Payment| Payment { fraud: None, ..*payment };
            let mut live = LiveWindows::of_history(windows.clone(), &History::new(batch(&[]), Vec::new())).unwrap();
            for payment in &arriving {
                live.answer(&batch(&[unknown(payment)]), &[payment.time], &[false]).unwrap();
            }
            assert!(!same(&asked(&mut live, now), &asked(&mut expected, now)), "labels are missing still");
            for payment in &whole {
                live.amend(&batch(&[unknown(payment)]), &batch(&[*payment]), payment.time).unwrap();
            }
            assert!(same(&asked(&mut live, now), &asked(&mut expected, now)));
            // A correction, and its withdrawal.
            let wrong = Payment { fraud: whole[250].fraud.map(|fraud| !fraud), ..whole[250] };
            live.amend(&batch(&[whole[250]]), &batch(&[wrong]), wrong.time).unwrap();
            live.amend(&batch(&[wrong]), &batch(&[whole[250]]), wrong.time).unwrap();
            assert!(same(&asked(&mut live, now), &asked(&mut expected, now)));
        }
    }
}
