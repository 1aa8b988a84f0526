//! Windows of a whole history, made by replaying it through the state that serves, entity by entity.

use crate::PlatformError;
use crate::error::arrow_error;
use crate::inputs::history::{History, intern};
use rayon::prelude::*;
use septet_domain::{Domain, Duration, Window, WindowExpression, WindowFunction};
use septet_learn::windows::{Aggregate, ENTRIES_MAX, WindowColumn, WindowGroup, replay_events, word_value};
use septet_tables::arrow::array::{ArrayRef, RecordBatch};
use septet_tables::arrow::datatypes::{DataType, SchemaRef};
use septet_tables::{Engine, RowExpressions};
use std::ops::Range;

/// Larger than any amount, count or microsecond: 106 bits still hold the millionths beside it.
const WINDOW_VALUE_MAX: f64 = 1e24;

/// One `[[window]]`, compiled: what it asks of an event and what it answers with.
#[derive(Clone, Debug)]
pub struct CompiledWindow {
    pub entity: String,
    pub group: WindowGroup,
    /// Output columns, in the order of the group's answers.
    pub names: Vec<String>,
    arguments: Option<RowExpressions>,
}

/// Compiles every `[[window]]` of a domain against its first input's columns.
pub async fn compile_windows(
    engine: &Engine,
    domain: &Domain,
    schema: &SchemaRef,
) -> Result<Vec<CompiledWindow>, PlatformError> {
    let (table, _) = domain.spec.first_input();
    let mut compiled = Vec::new();
    for window in &domain.spec.window {
        compiled.push(compile_window(engine, window.get_ref(), table, schema).await?);
    }
    Ok(compiled)
}

async fn compile_window(
    engine: &Engine,
    window: &Window,
    table: &str,
    schema: &SchemaRef,
) -> Result<CompiledWindow, PlatformError> {
    let mut arguments: Vec<String> = Vec::new();
    let mut columns = Vec::new();
    for column in window.columns.values() {
        let expression = WindowExpression::parse(&column.get_ref().is).map_err(arrow_error)?;
        let input = expression.argument.map(|argument| {
            arguments.iter().position(|known| *known == argument).unwrap_or_else(|| {
                arguments.push(argument);
                arguments.len() - 1
            })
        });
        columns.push(WindowColumn { aggregate: aggregate(expression.function), input });
    }
    let group = WindowGroup {
        over: window.over.iter().map(|over| over.micros()).collect(),
        delay: window.delay.micros(),
        lateness: Duration::from_days(1).micros(),
        inputs: arguments.len(),
        columns,
        entries_max: ENTRIES_MAX,
    };
    let arguments = match arguments.is_empty() {
        true => None,
        false => {
            let list: Vec<String> =
                arguments.iter().enumerate().map(|(at, argument)| format!("{argument} AS x{at}")).collect();
            let sql = format!("SELECT {} FROM \"{table}\"", list.join(", "));
            Some(RowExpressions::compile(engine, &sql, table, schema.clone()).await?)
        }
    };
    Ok(CompiledWindow { entity: window.entity.get_ref().clone(), group, names: window.output_names(), arguments })
}

fn aggregate(function: WindowFunction) -> Aggregate {
    match function {
        WindowFunction::Count => Aggregate::Count,
        WindowFunction::Sum => Aggregate::Sum,
        WindowFunction::Avg => Aggregate::Avg,
        WindowFunction::Min => Aggregate::Min,
        WindowFunction::Max => Aggregate::Max,
        WindowFunction::Stddev => Aggregate::Stddev,
        WindowFunction::Distinct => Aggregate::Distinct,
        WindowFunction::Last => Aggregate::Last,
        WindowFunction::TimeSince => Aggregate::TimeSince,
    }
}

impl CompiledWindow {
    /// What each event brings, one list an input; NaN for null, words as numbers that stand for them.
    pub fn inputs(&self, batch: &RecordBatch) -> Result<Vec<Vec<f64>>, PlatformError> {
        let Some(arguments) = &self.arguments else { return Ok(Vec::new()) };
        arguments.evaluate(batch)?.iter().map(input_values).collect()
    }
}

fn input_values(column: &ArrayRef) -> Result<Vec<f64>, PlatformError> {
    if !matches!(column.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
        // One infinity, or two numbers that sum to one, would leave a running sum without a value until the window is empty,
        // and a number far beyond all others would swallow their digits: such a value counts as null.
        let finite = |value: f64| if value.abs() <= WINDOW_VALUE_MAX { value } else { f64::NAN };
        return Ok(septet_tables::numbers(column)?.into_iter().map(finite).collect());
    }
    let interned = intern(column)?;
    let values: Vec<f64> =
        interned.words.iter().map(|word| if word.is_empty() { f64::NAN } else { word_value(word) }).collect();
    Ok(interned.codes.iter().map(|&code| values[code as usize]).collect())
}

/// The first row of the history that windows of row `first` and later ones can see.
pub fn oldest_seen(history: &History, windows: &[CompiledWindow], first: usize) -> usize {
    let Some(&time) = history.times.get(first) else { return first };
    let horizon = windows.iter().map(|window| window.group.horizon()).max().unwrap_or(0);
    let unseen = time.saturating_sub(horizon);
    history.times.partition_point(|&time| time <= unseen).min(first)
}

/// Window columns of some rows: `(name, one value a row)`, NaN for null. What is too old for every window is not replayed,
/// as a service is rebuilt. Deterministic for any number of threads.
pub fn replay(
    history: &History,
    windows: &[CompiledWindow],
    rows: Range<usize>,
) -> Result<Vec<(String, Vec<f64>)>, PlatformError> {
    let from = oldest_seen(history, windows, rows.start);
    let seen = history.range(from..rows.end);
    let one = |window: &CompiledWindow| replay_one(&seen, window, rows.start - from);
    let columns: Vec<_> = windows.par_iter().map(one).collect::<Result<_, PlatformError>>()?;
    Ok(columns.into_iter().flatten().collect())
}

/// The columns of the rows from `first` on.
fn replay_one(
    history: &History,
    window: &CompiledWindow,
    first: usize,
) -> Result<Vec<(String, Vec<f64>)>, PlatformError> {
    let entities = history.intern(&window.entity)?;
    let inputs = window.inputs(&history.batch)?;
    let mut columns = replay_events(&window.group, &entities.codes, entities.words.len(), &history.times, &inputs);
    columns.iter_mut().for_each(|column| drop(column.drain(..first)));
    Ok(window.names.iter().cloned().zip(columns).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_learn::bootstrap::SplitMix64;
    use septet_tables::EngineSettings;
    use septet_tables::arrow::array::{BooleanArray, Float64Array, StringArray, TimestampMicrosecondArray};
    use std::sync::Arc;

    const HOUR: i64 = 3_600_000_000;

    /// Payments of few cards and terminals over a hundred days, amounts with digits that sums could lose.
    fn payments(domain: &Domain, rows: usize) -> History {
        let mut random = SplitMix64::new(11);
        let mut time = 0;
        let times: Vec<i64> = (0..rows)
            .map(|_| {
                time += random.below(2) as i64 * random.below(96 * 2) as i64 * HOUR / 96;
                time
            })
            .collect();
        let mut words = |kind: &str, count: usize| -> ArrayRef {
            Arc::new((0..rows).map(|_| Some(format!("{kind}{}", random.below(count)))).collect::<StringArray>())
        };
        let (cards, terminals) = (words("c", 7), words("t", 5));
        let amounts: Vec<f64> = (0..rows).map(|_| random.below(1 << 40) as f64 / 1e7 + 0.1).collect();
        let keys = (0..rows).map(|row| Some(row.to_string())).collect::<StringArray>();
        let frauds = (0..rows).map(|_| Some(random.below(9) == 0)).collect::<BooleanArray>();
        let (_, input) = domain.spec.first_input();
        let schema = crate::inputs::places::contract_schema(input);
        let column = |name: &str| -> ArrayRef {
            match name {
                "payment_id" => Arc::new(keys.clone()),
                "paid_at" => Arc::new(TimestampMicrosecondArray::from(times.clone())),
                "customer_id" => cards.clone(),
                "terminal_id" => terminals.clone(),
                "amount" => Arc::new(Float64Array::from(amounts.clone())),
                "is_fraud" => Arc::new(frauds.clone()),
                other => panic!("fraud has a new column `{other}`"),
            }
        };
        let columns = schema.fields().iter().map(|field| column(field.name())).collect();
        History::from_batch(domain, RecordBatch::try_new(schema, columns).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn what_is_too_old_for_every_window_changes_no_bit_of_what_comes_later() {
        let domain = septet_domain::Domains::default().load("fraud").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let settings = EngineSettings { memory_max: 1 << 28, spill_folder: folder.path().to_owned(), partitions: 1 };
        let engine = Engine::new(&settings).unwrap();
        let history = payments(&domain, 4_000);
        let windows = compile_windows(&engine, &domain, &history.batch.schema()).await.unwrap();
        let whole = replay(&history, &windows, 0..history.rows()).unwrap();
        for first in [1, 1_000, 3_000, 3_999] {
            let from = oldest_seen(&history, &windows, first);
            assert!(first < 3_000 || from > 0, "something is left out");
            let part = replay(&history, &windows, first..history.rows()).unwrap();
            for ((name, whole), (_, part)) in whole.iter().zip(&part) {
                let same = whole[first..].iter().zip(part).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same && part.len() == history.rows() - first, "{name} from row {first}");
            }
        }
    }
}
