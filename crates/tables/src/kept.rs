//! A query over one table that is planned once and run again and again on other rows: planning costs milliseconds, which a
//! request does not have.

use crate::engine::{not_immutable, select_plan};
use crate::{Engine, TablesError};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
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
    rows: Arc<Slot>,
    context: Arc<TaskContext>,
    alone: Mutex<()>,
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
        let context = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await.map_err(place)?;
        let output = plan.schema();
        Ok(KeptQuery {
            names: output.fields().iter().map(|field| field.name().clone()).collect(),
            types: output.fields().iter().map(|field| field.data_type().clone()).collect(),
            keeps_state: keeps_state(&plan),
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

    /// A figure, not a test: `cargo test -p septet-tables --release -- --ignored --nocapture by_hand`.
    #[tokio::test]
    #[ignore = "prints a time"]
    async fn by_hand_how_long_a_look_up_takes() {
        let begin = Instant::now();
        let query = query().await;
        let planned = begin.elapsed();
        let mut times: Vec<_> = (0..1000)
            .map(|at| {
                let rows = bars(at, 300);
                let begin = Instant::now();
                query.run(rows).unwrap();
                begin.elapsed()
            })
            .collect();
        times.sort();
        println!("planned in {planned:?}; 300 rows, 20 windows: median {:?}, 99th {:?}", times[500], times[990]);
    }
}
