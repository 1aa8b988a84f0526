//! Large aggregates are counted as two halves, each with its own groups and its own core. Groups never mix, so each is
//! added up in the order of its rows as before, and the halves come one after the other: equal rows give equal bytes,
//! whoever was faster and however many cores there are.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::metrics::Time;
use datafusion::physical_plan::repartition::BatchPartitioner;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{Stream, StreamExt, TryStreamExt};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::ahead::taken_ahead;

/// A number of its own and not that of the cores: it decides the order of the groups.
const HALVES: usize = 2;
/// An input of fewer rows is counted in one piece, its groups in the order in which they first come.
const ROWS_MIN: usize = 100_000;
/// Batches of some thousand rows that wait for a half, or for whoever reads its groups.
const BATCHES_WAITING_MAX: usize = 2;

/// A [`SideBySide`] for a grouped aggregate of one partition.
pub(crate) fn of_aggregate(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let aggregate = plan.downcast_ref::<AggregateExec>()?;
    let fits = *aggregate.mode() == AggregateMode::Single
        && aggregate.group_expr().is_single()
        && !aggregate.group_expr().expr().is_empty()
        && aggregate.limit_options().is_none()
        && *aggregate.input_order_mode() == InputOrderMode::Linear
        && aggregate.input().properties().output_partitioning().partition_count() == 1;
    fits.then(|| Arc::new(SideBySide { aggregate: Arc::new(aggregate.clone()) }) as Arc<dyn ExecutionPlan>)
}

#[derive(Debug)]
struct SideBySide {
    aggregate: Arc<AggregateExec>,
}

impl DisplayAs for SideBySide {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "SideBySide: halves={HALVES}, ")?;
        self.aggregate.fmt_as(kind, f)
    }
}

impl ExecutionPlan for SideBySide {
    fn name(&self) -> &str {
        "SideBySide"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.aggregate.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![self.aggregate.input()]
    }

    fn apply_expressions(
        &self,
        act: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.aggregate.apply_expressions(act)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(SideBySide { aggregate: Arc::new(with_input(&self.aggregate, children)?) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.aggregate.input().execute(partition, context.clone())?;
        let groups = run(self.aggregate.clone(), input, context);
        Ok(stream(self.schema(), futures::stream::once(groups).try_flatten()))
    }
}

fn with_input(aggregate: &Arc<AggregateExec>, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<AggregateExec> {
    let other =
        aggregate.clone().replace_children(inputs, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))?;
    let other = other.downcast_ref::<AggregateExec>().cloned();
    other.ok_or_else(|| DataFusionError::Internal("an aggregate became something else".to_owned()))
}

/// Reads until it is known whether the input is large.
async fn run(
    aggregate: Arc<AggregateExec>,
    mut input: SendableRecordBatchStream,
    context: Arc<TaskContext>,
) -> Result<SendableRecordBatchStream> {
    let (mut read, mut rows) = (Vec::new(), 0);
    while rows < ROWS_MIN {
        let Some(batch) = input.try_next().await? else {
            let all = stream(input.schema(), futures::stream::iter(read.into_iter().map(Ok)));
            return with_input(&aggregate, vec![over(vec![all])?])?.execute(0, context);
        };
        rows += batch.num_rows();
        read.push(batch);
    }
    let schema = input.schema();
    let all = stream(schema, futures::stream::iter(read.into_iter().map(Ok)).chain(input));
    in_halves(&aggregate, all, context)
}

fn in_halves(
    aggregate: &AggregateExec,
    input: SendableRecordBatchStream,
    context: Arc<TaskContext>,
) -> Result<SendableRecordBatchStream> {
    let (feeder, rows) = split(aggregate, input)?;
    let halves = AggregateExec::try_new(
        AggregateMode::SinglePartitioned,
        aggregate.group_expr().clone(),
        aggregate.aggr_expr().to_vec(),
        aggregate.filter_expr().to_vec(),
        over(rows)?,
        aggregate.input_schema(),
    )?;
    // All begin before any of them ends, and none goes before all are read: how much memory each may take until it must
    // spill hangs on how many there are, and where it spills must not hang on who is faster.
    let begun = (0..HALVES).map(|half| halves.execute(half, context.clone())).collect::<Result<Vec<_>>>()?;
    let ended = Arc::new(Mutex::new(Vec::new()));
    let groups: Vec<_> = begun
        .into_iter()
        .map(|half| {
            let ended = ended.clone();
            let hold = move |half| ended.lock().unwrap_or_else(PoisonError::into_inner).push(half);
            taken_ahead(half, BATCHES_WAITING_MAX, hold)
        })
        .collect();
    let groups = futures::stream::iter(groups).flatten();
    let held = groups.inspect(move |_| {
        let _ = (&feeder, &ended);
    });
    Ok(stream(aggregate.schema(), held))
}

/// What a half is told: rows, or that there are no more. A channel that closes before has lost its sender.
type Rows = Option<Result<RecordBatch>>;

/// The rows of each half, by the hash of their group, in their order; and the task that deals them out until it is dropped.
fn split(
    aggregate: &AggregateExec,
    mut input: SendableRecordBatchStream,
) -> Result<(SpawnedTask<()>, Vec<SendableRecordBatchStream>)> {
    let by = aggregate.group_expr().input_exprs();
    let mut partitioner = BatchPartitioner::new_hash_partitioner(by, HALVES, Time::new())?;
    let schema = input.schema();
    let (to, from): (Vec<Sender<Rows>>, Vec<_>) = (0..HALVES).map(|_| channel(BATCHES_WAITING_MAX)).unzip();
    let feeder = SpawnedTask::spawn(async move {
        while let Some(batch) = input.next().await {
            match batch.and_then(|batch| partitioner.partition_iter(batch)?.collect::<Result<Vec<_>>>()) {
                Ok(parts) => {
                    for (half, rows) in parts {
                        // A half that takes no more has met an error, which it tells in its turn: the others go on.
                        let _ = to[half].send(Some(Ok(rows))).await;
                    }
                }
                Err(error) => {
                    let _ = to[0].send(Some(Err(error))).await;
                    break;
                }
            }
            if to.iter().all(Sender::is_closed) {
                break;
            }
        }
        for to in to {
            let _ = to.send(None).await;
        }
    });
    Ok((feeder, from.into_iter().map(|rows| stream(schema.clone(), received(rows))).collect()))
}

fn received(rows: Receiver<Rows>) -> impl Stream<Item = Result<RecordBatch>> + Send {
    let lost = || DataFusionError::Internal("the rows of an aggregate ended early".to_owned());
    futures::stream::unfold(Some(rows), move |rows| async move {
        let mut rows = rows?;
        match rows.recv().await {
            Some(Some(batch)) => Some((batch, Some(rows))),
            Some(None) => None,
            None => Some((Err(lost()), None)),
        }
    })
}

fn stream(
    schema: SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
) -> SendableRecordBatchStream {
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

/// A plan of one partition a stream, to be executed once.
fn over(streams: Vec<SendableRecordBatchStream>) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = streams[0].schema();
    let once = |rows: SendableRecordBatchStream| {
        Arc::new(Once { schema: rows.schema(), rows: Mutex::new(Some(rows)) }) as Arc<dyn PartitionStream>
    };
    let streams = streams.into_iter().map(once).collect();
    Ok(Arc::new(StreamingTableExec::try_new(schema, streams, None, [], false, None)?))
}

struct Once {
    schema: SchemaRef,
    rows: Mutex<Option<SendableRecordBatchStream>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner).take();
        let again = || DataFusionError::Internal("the rows of an aggregate were asked for twice".to_owned());
        rows.unwrap_or_else(|| stream(self.schema.clone(), futures::stream::iter([Err(again())])))
    }
}
