//! A whole history through the state that serves, entity by entity and entities in parallel.

use super::group::WindowGroup;
use super::state::EntityState;
use rayon::prelude::*;

/// Events handed to one thread at a time, at the least.
const EVENTS_PER_TASK: usize = 20_000;
/// Rows put back in order by one thread at a time: their columns fit the cache.
const ROWS_PER_TASK: usize = 16_384;

/// Answers for every event: one column an output of the group, NaN for null. `entity` (below `entities`) and `times`
/// (microseconds, rising) are one a row; `inputs` holds one list a row each. Equal for any number of threads.
pub fn replay_events(
    group: &WindowGroup,
    entity: &[u32],
    entities: usize,
    times: &[i64],
    inputs: &[Vec<f64>],
) -> Vec<Vec<f64>> {
    let (order, starts) = by_entity(entity, entities);
    let width = group.outputs();
    let mut answers = vec![0.0_f64; order.len() * width];
    tasks(&starts, &mut answers, width).into_par_iter().for_each(|(entities, answers)| {
        let mut answers = answers.chunks_exact_mut(width);
        let mut values = vec![f64::NAN; inputs.len()];
        let (mut own_times, mut own_inputs) = (Vec::new(), vec![Vec::new(); inputs.len()]);
        for entity in entities {
            let rows = &order[starts[entity]..starts[entity + 1]];
            // An entity's rows lie far apart: fetched in loops of their own, many are on their way at once.
            gather(times, rows, &mut own_times);
            inputs.iter().zip(&mut own_inputs).for_each(|(input, own)| gather(input, rows, own));
            let mut state = EntityState::new(group);
            for (at, &time) in own_times.iter().enumerate() {
                values.iter_mut().zip(&own_inputs).for_each(|(slot, own)| *slot = own[at]);
                let out = answers.next().expect("one answer an event");
                state.answer(group, time, &values, out);
            }
        }
    });
    by_row(&answers, &order, width)
}

/// The state that each entity's events leave, in the order of the entities' numbers; arguments as for
/// [`replay_events`]. Equal for any number of threads.
pub fn replay_states(
    group: &WindowGroup,
    entity: &[u32],
    entities: usize,
    times: &[i64],
    inputs: &[Vec<f64>],
) -> Vec<EntityState> {
    let (order, starts) = by_entity(entity, entities);
    let state_of = |entity: usize| {
        let mut state = EntityState::new(group);
        let mut values = vec![f64::NAN; inputs.len()];
        for &row in &order[starts[entity]..starts[entity + 1]] {
            values.iter_mut().zip(inputs).for_each(|(value, input)| *value = input[row as usize]);
            state.remember(group, times[row as usize], &values);
        }
        state
    };
    (0..entities).into_par_iter().map(state_of).collect()
}

fn gather<T: Copy>(from: &[T], rows: &[u32], into: &mut Vec<T>) {
    into.clear();
    into.extend(rows.iter().map(|&row| from[row as usize]));
}

/// Answers in entity order as columns in row order. A row's answers lie together: each is looked for once.
fn by_row(answers: &[f64], order: &[u32], width: usize) -> Vec<Vec<f64>> {
    let mut place_of = vec![0_u32; order.len()];
    for (place, &row) in order.iter().enumerate() {
        place_of[row as usize] = place as u32;
    }
    let mut columns = vec![vec![0.0; order.len()]; width];
    let mut parts: Vec<Vec<&mut [f64]>> = place_of.chunks(ROWS_PER_TASK).map(|_| Vec::with_capacity(width)).collect();
    for column in &mut columns {
        parts.iter_mut().zip(column.chunks_mut(ROWS_PER_TASK)).for_each(|(part, slots)| part.push(slots));
    }
    parts.into_par_iter().zip(place_of.par_chunks(ROWS_PER_TASK)).for_each(|(mut part, places)| {
        for (row, &place) in places.iter().enumerate() {
            let own = &answers[place as usize * width..][..width];
            part.iter_mut().zip(own).for_each(|(slots, &value)| slots[row] = value);
        }
    });
    columns
}

/// Rows grouped by entity, in time order within each, and where each entity's rows begin. O(rows).
fn by_entity(codes: &[u32], entities: usize) -> (Vec<u32>, Vec<usize>) {
    let mut starts = vec![0; entities + 1];
    for &code in codes {
        starts[code as usize + 1] += 1;
    }
    for entity in 0..entities {
        starts[entity + 1] += starts[entity];
    }
    let mut next = starts.clone();
    let mut order = vec![0; codes.len()];
    for (row, &code) in codes.iter().enumerate() {
        order[next[code as usize]] = row as u32;
        next[code as usize] += 1;
    }
    (order, starts)
}

/// Runs of entities with about equal work, each with its own part of the answers.
fn tasks<'a>(
    starts: &[usize],
    mut answers: &'a mut [f64],
    width: usize,
) -> Vec<(std::ops::Range<usize>, &'a mut [f64])> {
    let mut tasks = Vec::new();
    let (mut first, entities) = (0, starts.len() - 1);
    for entity in 0..entities {
        let events = starts[entity + 1] - starts[first];
        if events >= EVENTS_PER_TASK || entity + 1 == entities {
            let (own, rest) = answers.split_at_mut(events * width);
            tasks.push((first..entity + 1, own));
            answers = rest;
            first = entity + 1;
        }
    }
    tasks
}
