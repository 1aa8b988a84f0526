//! The SQL engine, set up once: one partition for reproducible bytes, a memory limit honoured by spilling.

use crate::parquet::{BackgroundParquet, Written};
use crate::{TablesError, ahead, files, side_by_side};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::MemTable;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility, cast};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionConfig, SessionContext};
use futures::StreamExt;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Sorts keep this much in reserve for the merge of what they spilled; 10 MB (the engine's default) is too much
/// for small limits.
const SORT_RESERVATION_BYTES: usize = 2 << 20;

#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Memory for queries in bytes; beyond it they spill to `spill_folder`.
    pub memory_max: usize,
    pub spill_folder: PathBuf,
    /// Partitions of one query. 1 makes tables equal to the byte from run to run.
    pub partitions: usize,
}

/// A Parquet file and what is in it.
#[derive(Clone, Debug)]
pub struct TableFile {
    pub name: String,
    pub path: PathBuf,
}

pub struct Engine {
    context: SessionContext,
}

impl Engine {
    pub fn new(settings: &EngineSettings) -> Result<Engine, TablesError> {
        std::fs::create_dir_all(&settings.spill_folder)
            .map_err(|error| TablesError::io(&settings.spill_folder, error))?;
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(settings.memory_max)))
            .with_temp_file_path(&settings.spill_folder)
            .build_arc()?;
        let mut config = SessionConfig::new().with_target_partitions(settings.partitions).with_information_schema(true);
        let options = config.options_mut();
        options.sql_parser.collect_spans = true;
        options.execution.sort_spill_reservation_bytes = SORT_RESERVATION_BYTES;
        // Texts of files are views while a query runs, which copies 16 bytes where it would copy the text; ten million
        // lines were cleaned in 5.7 s instead of 6.6. What comes out is plain text again.
        options.execution.parquet.schema_force_view_types = true;
        options.sql_parser.map_string_types_to_utf8view = false;
        Ok(Engine { context: context(config, runtime, true) })
    }

    /// Makes files nameable in SQL as `'path/to/file.csv'`. For people's own queries only, never for a domain's SQL.
    pub fn with_files(self) -> Engine {
        Engine { context: files::with_files(self.context) }
    }

    /// The same engine without tables.
    pub fn beside(&self) -> Engine {
        Engine { context: context(self.context.copied_config(), self.context.runtime_env(), true) }
    }

    /// The same engine without tables, for queries of few rows: on the caller's thread alone, and run more than once.
    pub(crate) fn alone(&self) -> Engine {
        let mut config = self.context.copied_config();
        // A filter that a plan learned from one run's rows would be wrong for the next one's.
        config.options_mut().optimizer.enable_dynamic_filter_pushdown = false;
        Engine { context: context(config, self.context.runtime_env(), false) }
    }

    pub(crate) fn context(&self) -> &SessionContext {
        &self.context
    }

    pub async fn register_file(&self, table: &TableFile) -> Result<(), TablesError> {
        let name = format!("\"{}\"", table.name);
        let url = crate::named::url_of(&table.path)?;
        Ok(self.context.register_parquet(name, url.as_str(), ParquetReadOptions::default()).await?)
    }

    /// Makes batches of one schema a table.
    pub fn register_batches(
        &self,
        name: &str,
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
    ) -> Result<(), TablesError> {
        let table = MemTable::try_new(schema, vec![batches])?;
        self.context.register_table(format!("\"{name}\""), Arc::new(table))?;
        Ok(())
    }

    /// Makes a query the table of a name, which the query itself may read.
    pub async fn replace(&self, name: &str, sql: &str) -> Result<(), TablesError> {
        let view = self.select(sql).await.map_err(|error| TablesError::from_sql(error, sql))?.into_view();
        self.forget(name)?;
        self.context.register_table(format!("\"{name}\""), view)?;
        Ok(())
    }

    /// Takes a table out, if there is one of this name.
    pub fn forget(&self, name: &str) -> Result<(), TablesError> {
        self.context.deregister_table(format!("\"{name}\""))?;
        Ok(())
    }

    /// Plans without running; the plan's columns.
    pub async fn plan(&self, sql: &str) -> Result<SchemaRef, TablesError> {
        let frame = self.select(sql).await.map_err(|error| TablesError::from_sql(error, sql))?;
        Ok(Arc::new(frame.schema().as_arrow().clone()))
    }

    /// All rows of a query.
    pub async fn query(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>), TablesError> {
        let frame = self.select(sql).await.map_err(|error| TablesError::from_sql(error, sql))?;
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let batches = frame.collect().await.map_err(|error| TablesError::from_sql(error, sql))?;
        Ok((schema, batches))
    }

    /// One row, one number; none if it is null.
    pub async fn number(&self, sql: &str) -> Result<Option<f64>, TablesError> {
        let (_, batches) = self.query(sql).await?;
        let not_one = || TablesError::Sql { message: "expected one row with one number".to_owned(), place: None };
        let batch = batches.iter().find(|batch| batch.num_rows() > 0).ok_or_else(not_one)?;
        let column = batch.columns().first().filter(|_| batch.num_rows() == 1).ok_or_else(not_one)?;
        Ok(crate::expressions::numbers(column)?.first().copied().filter(|value| !value.is_nan()))
    }

    async fn select(&self, sql: &str) -> datafusion::error::Result<DataFrame> {
        let frame = self.select_views(sql).await?;
        let own = |(qualifier, field): (Option<&TableReference>, &FieldRef)| {
            let column = Expr::Column(Column::from((qualifier, field)));
            match without_views(field.data_type()) {
                plain if plain == *field.data_type() => column,
                plain => cast(column, plain).alias_qualified(qualifier.cloned(), field.name()),
            }
        };
        let columns: Vec<Expr> = frame.schema().iter().map(own).collect();
        if columns.iter().all(|column| matches!(column, Expr::Column(_))) { Ok(frame) } else { frame.select(columns) }
    }

    /// Queries only: a statement that would change something is refused when it is planned. Texts may be views.
    async fn select_views(&self, sql: &str) -> datafusion::error::Result<DataFrame> {
        let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        self.context.sql_with_options(sql, options).await
    }

    pub(crate) async fn stream(&self, sql: &str) -> Result<SendableRecordBatchStream, TablesError> {
        let frame = self.select(sql).await.map_err(|error| TablesError::from_sql(error, sql))?;
        frame.execute_stream().await.map_err(|error| TablesError::from_sql(error, sql))
    }

    /// Runs a query into a new Parquet file. If memory runs out, once more with joins that can spill.
    pub async fn write(
        &self,
        sql: &str,
        path: &Path,
        rows_done: &(dyn Fn(u64) + Sync),
    ) -> Result<Written, TablesError> {
        match self.write_once(sql, path, rows_done).await {
            Err(TablesError::Memory(_)) => {
                let state = self.context.state_ref();
                state.write().config_mut().options_mut().optimizer.prefer_hash_join = false;
                self.write_once(sql, path, rows_done).await
            }
            result => result,
        }
    }

    async fn write_once(
        &self,
        sql: &str,
        path: &Path,
        rows_done: &(dyn Fn(u64) + Sync),
    ) -> Result<Written, TablesError> {
        let frame = self.select_views(sql).await.map_err(|error| TablesError::from_sql(error, sql))?;
        let mut stream = frame.execute_stream().await.map_err(|error| TablesError::from_sql(error, sql))?;
        // Packing a table takes as long as making it: it is done beside the query.
        let file = BackgroundParquet::create(path, stream.schema())?;
        let mut rows = 0;
        while let Some(batch) = stream.next().await {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    file.abandon();
                    return Err(TablesError::from_sql(error, sql));
                }
            };
            rows += batch.num_rows() as u64;
            file.write(batch);
            rows_done(rows);
        }
        file.finish()
    }

    /// Names of the tables that a query reads, in order; tables need not exist.
    pub fn reads(&self, sql: &str) -> Result<BTreeSet<String>, TablesError> {
        let state = self.context.state();
        let statement = state.sql_to_statement(sql, &state.config_options().sql_parser.dialect);
        let statement = statement.map_err(|error| TablesError::from_sql(error, sql))?;
        let tables = state.resolve_table_references(&statement).map_err(|error| TablesError::from_sql(error, sql))?;
        Ok(tables.iter().map(|table| table.table().to_owned()).collect())
    }

    /// Plans a query that must be one projection over one table, and returns that plan.
    pub(crate) async fn projection_over(&self, sql: &str, table: &str) -> Result<LogicalPlan, TablesError> {
        let frame = self.select(sql).await.map_err(|error| TablesError::from_sql(error, sql))?;
        let plan = frame.into_unoptimized_plan();
        let LogicalPlan::Projection(projection) = &plan else {
            return Err(not_a_projection(table));
        };
        let only_reads = projection
            .input
            .exists(|node| Ok(!matches!(node, LogicalPlan::TableScan(_) | LogicalPlan::SubqueryAlias(_))))?;
        if only_reads { Err(not_a_projection(table)) } else { Ok(plan) }
    }
}

/// A query, with plain texts in what comes out.
pub(crate) async fn select_plan(engine: &Engine, sql: &str) -> datafusion::error::Result<DataFrame> {
    engine.select(sql).await
}

/// The name of a function in a plan that depends on when it is called; none without one.
pub(crate) fn not_immutable(plan: &LogicalPlan) -> datafusion::error::Result<Option<String>> {
    let mut found = None;
    plan.apply(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::ScalarFunction(call) = part
                    && call.func.signature().volatility != Volatility::Immutable
                {
                    found = Some(call.func.name().to_owned());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// The type as it is read and written outside of a running query.
pub(crate) fn without_views(kind: &DataType) -> DataType {
    let inner = |field: &FieldRef| Arc::new(field.as_ref().clone().with_data_type(without_views(field.data_type())));
    match kind {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(field) => DataType::List(inner(field)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        other => other.clone(),
    }
}

/// What a query of one partition gives to a core beside its own, see [`ahead`] and [`side_by_side`].
#[derive(Debug)]
struct SecondCore;

impl PhysicalOptimizerRule for SecondCore {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let other = |plan: Arc<dyn ExecutionPlan>| {
            let other = ahead::of_files(&plan).or_else(|| side_by_side::of_aggregate(&plan));
            Ok(other.map_or_else(|| Transformed::no(plan), Transformed::yes))
        };
        plan.transform_up(other).data()
    }

    fn name(&self) -> &str {
        "SecondCore"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn context(config: SessionConfig, runtime: Arc<RuntimeEnv>, second_core: bool) -> SessionContext {
    let mut rules = PhysicalOptimizer::new().rules;
    if second_core {
        rules.push(Arc::new(SecondCore));
    }
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_physical_optimizer_rules(rules);
    let context = SessionContext::new_with_state(state.build());
    crate::functions::register(&context);
    context
}

fn not_a_projection(table: &str) -> TablesError {
    let message =
        format!("expected one SELECT of expressions FROM {table}, without WHERE, joins, aggregates or windows");
    TablesError::Sql { message, place: Some(crate::SqlPlace { line: 1, column: 1 }) }
}
