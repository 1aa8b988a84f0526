//! Files are unpacked ahead of the query that reads them, by a task of their own: one partition keeps tables equal to the
//! byte, and one core beside it need not stand idle. Batches come in the order and sizes in which they would anyway.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

/// Batches of some thousand rows that wait for the query.
const BATCHES_AHEAD_MAX: usize = 2;

/// A scan of files with a [`ReadAhead`] above it.
pub(crate) fn of_files(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    plan.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()?;
    Some(Arc::new(ReadAhead { input: plan.clone() }))
}

/// What a task of its own takes from a stream before it is asked for. `ended` gets the stream when it is at its end, or
/// nobody waits for it any more.
pub(crate) fn taken_ahead(
    mut batches: SendableRecordBatchStream,
    batches_max: usize,
    ended: impl FnOnce(SendableRecordBatchStream) + Send + 'static,
) -> SendableRecordBatchStream {
    let mut ahead = RecordBatchReceiverStream::builder(batches.schema(), batches_max);
    let to = ahead.tx();
    ahead.spawn(async move {
        while let Some(batch) = batches.next().await {
            if to.send(batch).await.is_err() {
                break;
            }
        }
        ended(batches);
        Ok(())
    });
    ahead.build()
}

#[derive(Debug)]
struct ReadAhead {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for ReadAhead {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "ReadAhead: batches={BATCHES_AHEAD_MAX}")
    }
}

impl ExecutionPlan for ReadAhead {
    fn name(&self) -> &str {
        "ReadAhead"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(ReadAhead { input: children.swap_remove(0) }))
    }

    /// Begins when the first batch is asked for, not before: a join tells the scan of its other side what it need not
    /// read, and batches would hang on who was faster.
    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (batches, schema) = (self.input.execute(partition, context)?, self.schema());
        let begin = async move { taken_ahead(batches, BATCHES_AHEAD_MAX, drop) };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::once(begin).flatten())))
    }
}
