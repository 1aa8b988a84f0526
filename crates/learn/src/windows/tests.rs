use super::*;
use std::collections::VecDeque;

const DAY: i64 = 86_400_000_000;
const ALL: [WindowColumn; 10] = [
    WindowColumn { aggregate: Aggregate::Count, input: None },
    WindowColumn { aggregate: Aggregate::Count, input: Some(0) },
    WindowColumn { aggregate: Aggregate::Sum, input: Some(0) },
    WindowColumn { aggregate: Aggregate::Avg, input: Some(0) },
    WindowColumn { aggregate: Aggregate::Min, input: Some(0) },
    WindowColumn { aggregate: Aggregate::Max, input: Some(0) },
    WindowColumn { aggregate: Aggregate::Stddev, input: Some(0) },
    WindowColumn { aggregate: Aggregate::Distinct, input: Some(0) },
    WindowColumn { aggregate: Aggregate::Last, input: Some(0) },
    WindowColumn { aggregate: Aggregate::TimeSince, input: Some(0) },
];

fn group(delay: i64) -> WindowGroup {
    let columns = ALL.to_vec();
    WindowGroup { over: vec![DAY, 7 * DAY], delay, lateness: 30 * DAY, inputs: 1, columns, entries_max: ENTRIES_MAX }
}

/// What the definition says, straight from a list of all events in order.
fn by_definition(group: &WindowGroup, events: &[(i64, f64)], asking: usize) -> Vec<f64> {
    let now = events[asking].0;
    let inside = |over: i64, upto: usize| -> Vec<(i64, f64)> {
        let known = now - group.delay;
        let all = events[..upto].iter().copied();
        all.filter(|&(time, _)| time > known - over && time <= known).collect()
    };
    let mut out = Vec::new();
    for column in &group.columns {
        for &over in &group.over {
            let events = inside(over, asking + 1);
            let earlier = inside(over, asking);
            let values: Vec<f64> = events.iter().map(|event| event.1).filter(|value| !value.is_nan()).collect();
            let n = values.len() as f64;
            let sum: f64 = values.iter().sum();
            let mean = sum / n;
            let null_if_empty = |value: f64| if values.is_empty() { f64::NAN } else { value };
            out.push(match (column.aggregate, column.input) {
                (Aggregate::Count, None) => events.len() as f64,
                (Aggregate::Count, _) => n,
                (Aggregate::Sum, _) => null_if_empty(sum),
                (Aggregate::Avg, _) => mean,
                (Aggregate::Min, _) => null_if_empty(values.iter().copied().fold(f64::INFINITY, f64::min)),
                (Aggregate::Max, _) => null_if_empty(values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
                (Aggregate::Stddev, _) if values.len() < 2 => f64::NAN,
                (Aggregate::Stddev, _) => {
                    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
                }
                (Aggregate::Distinct, _) => {
                    values.iter().map(|value| value.to_bits()).collect::<std::collections::BTreeSet<_>>().len() as f64
                }
                (Aggregate::Last, _) => earlier.iter().rev().find(|e| !e.1.is_nan()).map_or(f64::NAN, |e| e.1),
                (Aggregate::TimeSince, _) => earlier
                    .iter()
                    .rev()
                    .find(|event| !event.1.is_nan() && event.1 != 0.0)
                    .map_or(f64::NAN, |event| (now - event.0) as f64 / MICROS_PER_SECOND),
            });
        }
    }
    out
}

fn assert_close(found: &[f64], expected: &[f64], what: &str) {
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        let same = (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * (1.0 + b.abs());
        assert!(same, "{what}: output {at} is {a}, by definition {b}\n{found:?}\n{expected:?}");
    }
}

/// A small reproducible stream: gaps with ties, few values with nulls and zeros.
fn stream(seed: u64, events: usize) -> Vec<(i64, f64)> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut time = 0;
    let mut out = Vec::new();
    for _ in 0..events {
        time += match next() % 5 {
            0 => 0,
            1 => DAY,
            _ => (next() % (DAY as u64 / 2)) as i64,
        };
        let value = match next() % 6 {
            0 => f64::NAN,
            1 => 0.0,
            _ => (next() % 40) as f64 / 8.0 - 1.0,
        };
        out.push((time, value));
    }
    out
}

#[test]
fn every_aggregate_equals_its_definition_on_events_in_order() {
    for seed in 0..20 {
        for delay in [0, DAY, 7 * DAY] {
            let (group, events) = (group(delay), stream(seed, 200));
            let mut state = EntityState::new(&group);
            let mut out = vec![0.0; group.outputs()];
            for (at, &(time, value)) in events.iter().enumerate() {
                state.answer(&group, time, &[value], &mut out);
                assert_close(
                    &out,
                    &by_definition(&group, &events, at),
                    &format!("seed {seed} delay {delay} event {at}"),
                );
            }
        }
    }
}

#[test]
fn a_late_event_is_answered_as_of_its_time_and_seen_by_later_ones() {
    for seed in 0..20 {
        for delay in [0, DAY] {
            let (group, events) = (group(delay), stream(seed, 120));
            let mut state = EntityState::new(&group);
            let mut out = vec![0.0; group.outputs()];
            let mut known: Vec<(i64, f64)> = Vec::new();
            // Every fifth event arrives after the two that follow it.
            let mut order: Vec<usize> = (0..events.len()).collect();
            (0..events.len() - 3).step_by(5).for_each(|at| order[at..at + 3].rotate_left(1));
            for at in order {
                let (time, value) = events[at];
                state.answer(&group, time, &[value], &mut out);
                let place = known.partition_point(|event| event.0 <= time);
                known.insert(place, (time, value));
                assert_close(
                    &out,
                    &by_definition(&group, &known, place),
                    &format!("seed {seed} delay {delay} event {at}"),
                );
            }
        }
    }
}

#[test]
fn an_amended_label_counts_as_if_it_had_always_been_there() {
    for seed in 0..20 {
        let (group, events) = (group(DAY), stream(seed, 150));
        let (mut amended, mut whole) = (EntityState::new(&group), EntityState::new(&group));
        let (mut found, mut expected) = (vec![0.0; group.outputs()], vec![0.0; group.outputs()]);
        // Labels come two events later, some after they would have been known; every third was wrong at first.
        let mut waiting = VecDeque::new();
        for (at, &(time, value)) in events.iter().enumerate() {
            // Distinct times, so that the one event that waits at a time is the one that is meant.
            let time = time + at as i64;
            amended.answer(&group, time, &[f64::NAN], &mut found);
            whole.answer(&group, time, &[value], &mut expected);
            waiting.push_back((at, time, value));
            if waiting.len() > 2 {
                let (at, time, value) = waiting.pop_front().unwrap();
                if at % 3 == 0 {
                    assert!(amended.amend(&group, time, 0, f64::NAN, 77.0));
                }
                let old = if at % 3 == 0 { 77.0 } else { f64::NAN };
                assert!(value.is_nan() || amended.amend(&group, time, 0, old, value));
                assert!(!value.is_nan() || old.is_nan() || amended.amend(&group, time, 0, old, f64::NAN));
            }
        }
        for (_, time, value) in waiting {
            amended.amend(&group, time, 0, f64::NAN, value);
        }
        let end = events.last().unwrap().0 + 2 * DAY;
        amended.answer(&group, end, &[1.0], &mut found);
        whole.answer(&group, end, &[1.0], &mut expected);
        assert_close(&found, &expected, &format!("seed {seed}"));
    }
}

#[test]
fn remembering_and_asking_together_say_what_answering_says() {
    for seed in 0..20 {
        for delay in [0, DAY] {
            let (group, events) = (group(delay), stream(seed, 120));
            let (mut told, mut asked) = (EntityState::new(&group), EntityState::new(&group));
            let (mut expected, mut found) = (vec![0.0; group.outputs()], vec![0.0; group.outputs()]);
            for (at, &(time, value)) in events.iter().enumerate() {
                // Every fifth event comes late.
                let time = if at % 5 == 4 { time - DAY / 2 } else { time } + at as i64;
                told.answer(&group, time, &[value], &mut expected);
                asked.remember(&group, time, &[value]);
            }
            let end = events.last().unwrap().0 + DAY;
            told.answer(&group, end, &[3.0], &mut expected);
            asked.remember(&group, end, &[3.0]);
            asked.ask(&group, end, &mut found);
            // `last` and `time_since` leave out the event that asks; asked again, it is there.
            for column in
                (0..ALL.len()).filter(|&at| !matches!(ALL[at].aggregate, Aggregate::Last | Aggregate::TimeSince))
            {
                let range = 2 * column..2 * column + 2;
                assert_close(&found[range.clone()], &expected[range], &format!("seed {seed} delay {delay}"));
            }
        }
    }
}

#[test]
fn sums_do_not_drift_over_a_million_events() {
    let group = WindowGroup { over: vec![1000], columns: ALL[2..4].to_vec(), lateness: 0, ..group(0) };
    let mut state = EntityState::new(&group);
    let mut out = [0.0; 2];
    for event in 0..1_000_000_i64 {
        let value = if event % 1000 == 0 { 1e12 } else { 0.1 };
        state.answer(&group, event * 500, &[value], &mut out);
    }
    assert_eq!(out, [0.2, 0.1]);
}

#[test]
fn an_entity_with_a_million_events_stays_bounded_and_nearly_exact() {
    let group = WindowGroup { over: vec![DAY, 30 * DAY], lateness: 0, entries_max: 4096, ..group(DAY) };
    let mut state = EntityState::new(&group);
    let mut out = vec![0.0; group.outputs()];
    let step = 31 * DAY / 1_000_000;
    let mut entries = 0;
    for event in 0..1_000_000_i64 {
        state.answer(&group, event * step, &[(event % 100) as f64], &mut out);
        entries = entries.max(state.entries());
    }
    assert!(entries <= 4097, "{entries} entries held");
    let (exact_day, exact_month) = ((DAY / step) as f64, (30 * DAY / step) as f64);
    assert!((out[0] - exact_day).abs() <= exact_month * 8.0 / 4096.0, "a day holds {} of {exact_day}", out[0]);
    assert!((out[1] - exact_month).abs() <= exact_month * 8.0 / 4096.0, "a month holds {} of {exact_month}", out[1]);
    assert!((out[7] - 49.5).abs() < 0.1 && out[9] == 0.0 && out[11] == 99.0, "{out:?}");
}

#[test]
fn an_entity_never_seen_has_counts_of_zero_and_nulls() {
    let group = group(DAY);
    let mut out = vec![7.0; group.outputs()];
    EntityState::new(&group).answer(&group, 5 * DAY, &[3.0], &mut out);
    for (at, column) in group.columns.iter().enumerate() {
        let counts = matches!(column.aggregate, Aggregate::Count | Aggregate::Distinct);
        assert!(if counts { out[2 * at] == 0.0 } else { out[2 * at].is_nan() }, "{column:?}: {}", out[2 * at]);
    }
}
