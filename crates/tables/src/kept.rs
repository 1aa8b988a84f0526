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
use std::sync::{Arc, Mutex, PoisonError};

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
        let batches = futures::executor::block_on(collect(plan, self.context.clone()));
        self.rows.put(RecordBatch::new_empty(self.input.clone()));
        concat_batches(&self.output, &batches?).map_err(|error| TablesError::Engine(error.to_string()))
    }
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
