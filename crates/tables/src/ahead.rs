//! Files are unpacked ahead of the query that reads them, by a task of their own: one partition keeps tables equal to the
//! byte, and one core beside it need not stand idle. Batches come in the order and sizes in which they would anyway.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

/// Batches of some thousand rows that wait for the query.
const BATCHES_AHEAD_MAX: usize = 2;

/// Puts a [`ReadAhead`] above every scan of files.
#[derive(Debug)]
pub(crate) struct ReadFilesAhead;

impl PhysicalOptimizerRule for ReadFilesAhead {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let above = |plan: Arc<dyn ExecutionPlan>| {
            let scan = plan.downcast_ref::<DataSourceExec>();
            let reads_files = scan.is_some_and(|scan| scan.data_source().downcast_ref::<FileScanConfig>().is_some());
            Ok(match reads_files {
                true => Transformed::yes(Arc::new(ReadAhead { input: plan }) as Arc<dyn ExecutionPlan>),
                false => Transformed::no(plan),
            })
        };
        plan.transform_up(above).data()
    }

    fn name(&self) -> &str {
        "ReadFilesAhead"
    }

    fn schema_check(&self) -> bool {
        true
    }
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
        let (mut batches, schema) = (self.input.execute(partition, context)?, self.schema());
        let mut ahead = RecordBatchReceiverStream::builder(schema.clone(), BATCHES_AHEAD_MAX);
        let begin = async move {
            let to = ahead.tx();
            ahead.spawn(async move {
                while let Some(batch) = batches.next().await {
                    // Nobody waits any more: the query has ended.
                    if to.send(batch).await.is_err() {
                        break;
                    }
                }
                Ok(())
            });
            ahead.build()
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::once(begin).flatten())))
    }
}
