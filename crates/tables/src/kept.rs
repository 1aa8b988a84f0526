//! A query over one table that is planned once and run again and again on other rows: planning costs milliseconds, which a
//! request does not have.

use crate::engine::{not_immutable, select_plan};
use crate::{Engine, TablesError};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, collect};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::runtime::{Builder, Runtime};

/// A planned query. Runs one at a time.
pub struct KeptQuery {
    pub names: Vec<String>,
    pub types: Vec<DataType>,
    /// The rows that it reads.
    input: SchemaRef,
    output: SchemaRef,
    plan: Arc<dyn ExecutionPlan>,
    /// Joins keep a side in memory: such a plan is made fresh before each run.
    keeps_state: bool,
    newest: Option<NewestRows>,
    rows: Arc<Slot>,
    context: Arc<TaskContext>,
    alone: Mutex<()>,
}

/// How many of the newest rows decide the newest row of a query's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestRows {
    pub count: usize,
    /// The column that all windows go by, from old to new; none where there is no window.
    pub by: Option<String>,
}

impl std::fmt::Debug for KeptQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptQuery").field("names", &self.names).finish_non_exhaustive()
    }
}

impl KeptQuery {
    /// Plans a SELECT over the table `table` of the given columns. It may aggregate and use window functions, and reads no other
    /// table; a function that depends on when it is called is refused.
    pub async fn compile(engine: &Engine, sql: &str, table: &str, input: SchemaRef) -> Result<KeptQuery, TablesError> {
        let engine = engine.alone();
        let rows = Arc::new(Slot { schema: input.clone(), batch: Mutex::new(RecordBatch::new_empty(input.clone())) });
        let provider = StreamingTable::try_new(input.clone(), vec![rows.clone()])?;
        engine.context().register_table(format!("\"{table}\""), Arc::new(provider))?;
        let place = |error| TablesError::from_sql(error, sql);
        let frame = select_plan(&engine, sql).await.map_err(place)?;
        if let Some(name) = not_immutable(frame.logical_plan())? {
            let message = format!("`{name}()` depends on when it is called; use the row's own time or `as_of`");
            return Err(TablesError::Sql { message, place: None });
        }
        let newest = newest_rows(frame.logical_plan());
        let context = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await.map_err(place)?;
        let output = plan.schema();
        Ok(KeptQuery {
            names: output.fields().iter().map(|field| field.name().clone()).collect(),
            types: output.fields().iter().map(|field| field.data_type().clone()).collect(),
            keeps_state: keeps_state(&plan),
            newest,
            input,
            output,
            plan,
            rows,
            context,
            alone: Mutex::new(()),
        })
    }

    /// The columns of the rows that it reads.
    pub fn input(&self) -> &SchemaRef {
        &self.input
    }

    /// How many of the newest rows decide the newest row of the output; none where that cannot be told from the query.
    pub fn newest_rows(&self) -> Option<&NewestRows> {
        self.newest.as_ref()
    }

    /// The query over these rows, as one batch. Blocks.
    pub fn run(&self, rows: RecordBatch) -> Result<RecordBatch, TablesError> {
        let _alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        self.rows.put(rows);
        let plan = if self.keeps_state { reset_plan_states(self.plan.clone())? } else { self.plan.clone() };
        // Sorts and windows of the engine start tasks: they must not wait for the thread that waits for them.
        let _tasks = tasks().enter();
        // Called within a task, its budget would end here and never be given anew: the query would wait for ever.
        let made = tokio::task::unconstrained(collect(plan, self.context.clone()));
        let batches = futures::executor::block_on(made);
        self.rows.put(RecordBatch::new_empty(self.input.clone()));
        concat_batches(&self.output, &batches?).map_err(|error| TablesError::Engine(error.to_string()))
    }
}

/// Expressions of a row, and windows of so many rows before it, one upon the other: their widths add up.
fn newest_rows(plan: &LogicalPlan) -> Option<NewestRows> {
    let asks_elsewhere = |expression: &Expr| {
        let found = |inner: &Expr| Ok(matches!(inner, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)));
        expression.exists(found).unwrap_or(true)
    };
    match plan {
        LogicalPlan::TableScan(scan) if scan.filters.is_empty() && scan.fetch.is_none() => {
            Some(NewestRows { count: 1, by: None })
        }
        LogicalPlan::SubqueryAlias(alias) => newest_rows(&alias.input),
        LogicalPlan::Projection(projection) if !projection.expr.iter().any(asks_elsewhere) => {
            newest_rows(&projection.input)
        }
        LogicalPlan::Window(window) => {
            let below = newest_rows(&window.input)?;
            let (mut before, mut by) = (0, below.by);
            for expression in &window.window_expr {
                let Expr::WindowFunction(function) = expression else { return None };
                let (rows, column) = rows_before(function)?;
                if by.get_or_insert_with(|| column.clone()) != &column {
                    return None;
                }
                before = before.max(rows);
            }
            Some(NewestRows { count: below.count + before, by })
        }
        _ => None,
    }
}

/// Rows before its own that a window function reads, and the column that they are in order of.
fn rows_before(function: &WindowFunction) -> Option<(usize, String)> {
    let parameters = &function.params;
    let [order] = parameters.order_by.as_slice() else { return None };
    let Expr::Column(column) = &order.expr else { return None };
    if !order.asc {
        return None;
    }
    let whole = |value: &ScalarValue| match value {
        ScalarValue::UInt64(Some(rows)) => usize::try_from(*rows).ok(),
        ScalarValue::Int64(Some(rows)) => usize::try_from(*rows).ok(),
        _ => None,
    };
    let frame = &parameters.window_frame;
    let rows = match &function.fun {
        WindowFunctionDefinition::WindowUDF(own) if own.name() == "lag" => match parameters.args.get(1) {
            None => 1,
            Some(Expr::Literal(offset, _)) => whole(offset)?,
            Some(_) => return None,
        },
        WindowFunctionDefinition::AggregateUDF(_) if frame.units == WindowFrameUnits::Rows => {
            let ends = matches!(frame.end_bound, WindowFrameBound::CurrentRow | WindowFrameBound::Preceding(_));
            match &frame.start_bound {
                WindowFrameBound::Preceding(rows) if ends => whole(rows)?,
                WindowFrameBound::CurrentRow if ends => 0,
                _ => return None,
            }
        }
        _ => return None,
    };
    Some((rows, column.name.clone()))
}

/// What the engine's tasks run on while a query is waited for.
fn tasks() -> &'static Runtime {
    static TASKS: OnceLock<Runtime> = OnceLock::new();
    TASKS.get_or_init(|| {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("queries").build();
        runtime.expect("a thread can be started")
    })
}

fn keeps_state(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let own = ["Join", "Subquery", "Recursive"].iter().any(|word| plan.name().contains(word));
    own || plan.children().into_iter().any(keeps_state)
}

/// The rows that the next run reads.
struct Slot {
    schema: SchemaRef,
    batch: Mutex<RecordBatch>,
}

impl Slot {
    fn put(&self, rows: RecordBatch) {
        *self.batch.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Slot")
    }
}

impl PartitionStream for Slot {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), futures::stream::iter([Ok(batch)])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EngineSettings;
    use datafusion::arrow::array::{AsArray, Float64Array, StringArray, TimestampMicrosecondArray};
    use datafusion::arrow::datatypes::{Field, Float64Type, Schema, TimeUnit};
    use std::time::Instant;

    fn bars(first: i64, rows: usize) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("symbol", DataType::Utf8, false),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), false),
            Field::new("close", DataType::Float64, false),
        ]);
        let times = (0..rows as i64).map(|at| (first + at) * 86_400_000_000);
        let closes = (0..rows as i64).map(|at| 100.0 + ((first + at) as f64 / 7.0).sin());
        RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(StringArray::from(vec!["A"; rows])),
                Arc::new(TimestampMicrosecondArray::from_iter_values(times)),
                Arc::new(Float64Array::from_iter_values(closes)),
            ],
        )
        .unwrap()
    }

    /// Twenty window functions over the newest rows.
    fn indicators() -> String {
        let mean = |rows: usize| {
            format!(
                "avg(close) OVER (PARTITION BY symbol ORDER BY at ROWS BETWEEN {rows} PRECEDING AND CURRENT ROW) AS m{rows}"
            )
        };
        let functions: Vec<String> = (1..=20).map(mean).collect();
        format!("SELECT {}, at FROM bars", functions.join(", "))
    }

    async fn query() -> KeptQuery {
        let settings = EngineSettings { memory_max: 1 << 28, spill_folder: std::env::temp_dir(), partitions: 1 };
        let engine = Engine::new(&settings).unwrap();
        KeptQuery::compile(&engine, &indicators(), "bars", bars(0, 0).schema()).await.unwrap()
    }

    #[tokio::test]
    async fn each_run_sees_its_own_rows_alone() {
        let query = query().await;
        for (first, rows) in [(0, 300), (5000, 40), (0, 0), (0, 300), (9, 1)] {
            let out = query.run(bars(first, rows)).unwrap();
            assert_eq!(out.num_rows(), rows);
            if rows > 1 {
                let (close, mean) = (bars(first, rows), out.column(0).as_primitive::<Float64Type>().clone());
                let close = close.column(2).as_primitive::<Float64Type>().clone();
                let expected = (close.value(rows - 1) + close.value(rows - 2)) / 2.0;
                assert!((mean.value(rows - 1) - expected).abs() < 1e-9, "{first} {rows}");
            }
        }
    }

    #[tokio::test]
    async fn a_task_may_ask_as_often_as_it_likes() {
        let query = query().await;
        for at in 0..400 {
            assert_eq!(query.run(bars(at, 30)).unwrap().num_rows(), 30);
        }
    }

    #[tokio::test]
    async fn the_newest_row_is_decided_by_as_many_rows_as_the_windows_say() {
        let settings = EngineSettings { memory_max: 1 << 28, spill_folder: std::env::temp_dir(), partitions: 1 };
        let engine = Engine::new(&settings).unwrap();
        let over = "OVER (PARTITION BY symbol ORDER BY at ROWS BETWEEN";
        for (sql, expected) in [
            ("SELECT close * 2 AS x FROM bars".to_owned(), Some(1)),
            (format!("SELECT avg(close) {over} 9 PRECEDING AND CURRENT ROW) AS x FROM bars"), Some(10)),
            ("SELECT close / lag(close, 5) OVER (PARTITION BY symbol ORDER BY at) AS x FROM bars".to_owned(), Some(6)),
            (
                format!(
                    "WITH a AS (SELECT symbol, at, avg(close) {over} 3 PRECEDING AND CURRENT ROW) AS m FROM bars)
                     SELECT max(m) {over} 4 PRECEDING AND 1 PRECEDING) AS x FROM a"
                ),
                Some(8),
            ),
            (format!("SELECT avg(close) {over} UNBOUNDED PRECEDING AND CURRENT ROW) AS x FROM bars"), None),
            (format!("SELECT avg(close) {over} 1 PRECEDING AND 1 FOLLOWING) AS x FROM bars"), None),
            (
                "SELECT avg(close) OVER (ORDER BY at DESC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS x FROM bars"
                    .to_owned(),
                None,
            ),
            ("SELECT row_number() OVER (ORDER BY at) AS x FROM bars".to_owned(), None),
            ("SELECT (SELECT max(close) FROM bars) AS x FROM bars".to_owned(), None),
            ("SELECT avg(close) AS x FROM bars".to_owned(), None),
            (format!("SELECT avg(close) {over} 3 PRECEDING AND CURRENT ROW) AS x FROM bars WHERE close > 100"), None),
        ] {
            let query = KeptQuery::compile(&engine, &sql, "bars", bars(0, 0).schema()).await.unwrap();
            assert_eq!(query.newest_rows().map(|newest| newest.count), expected, "{sql}");
            let Some(count) = expected else { continue };
            let last = |rows: RecordBatch| {
                let out = query.run(rows).unwrap();
                out.column(0).as_primitive::<Float64Type>().value(out.num_rows() - 1)
            };
            let (all, some) = (last(bars(0, 300)), last(bars(300 - count as i64, count)));
            assert!((all - some).abs() < 1e-9, "{sql}: {all} {some}");
            if count > 1 {
                assert!(
                    (all - last(bars(301 - count as i64, count - 1))).abs() > 1e-9 || !all.is_finite(),
                    "no row too many: {sql}"
                );
            }
        }
    }

    /// A figure, not a test: `cargo test -p septet-tables --release -- --ignored --nocapture by_hand`.
    #[tokio::test]
    #[ignore = "prints a time"]
    async fn by_hand_how_long_a_look_up_takes() {
        let begin = Instant::now();
        let query = query().await;
        let planned = begin.elapsed();
        for whole in [true, false] {
            let mut times: Vec<_> = (0..1000)
                .map(|at| {
                    let (all, count) = (bars(at, 300), query.newest_rows().map_or(300, |newest| newest.count));
                    let begin = Instant::now();
                    query.run(if whole { all } else { all.slice(300 - count, count) }).unwrap();
                    begin.elapsed()
                })
                .collect();
            times.sort();
            println!(
                "planned in {planned:?}; 300 rows ({whole}), 20 windows: median {:?}, 99th {:?}",
                times[500], times[990]
            );
        }
    }
}
