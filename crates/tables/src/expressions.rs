//! Row expressions: one SELECT compiled once, evaluated on a batch when training and on one row when
//! answering, so that there is one definition of a feature.

use crate::functions::checked;
use crate::{Engine, TablesError};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use std::sync::Arc;

/// Expressions over one table's columns, ready to run. Cheap to share between threads.
#[derive(Clone, Debug)]
pub struct RowExpressions {
    pub names: Vec<String>,
    pub types: Vec<DataType>,
    /// For each expression the columns it reads, in order of name.
    pub reads: Vec<Vec<String>>,
    expressions: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
}

impl RowExpressions {
    /// Compiles `SELECT expression AS name, ... FROM table` over the given columns.
    pub async fn compile(
        engine: &Engine,
        sql: &str,
        table: &str,
        schema: SchemaRef,
    ) -> Result<RowExpressions, TablesError> {
        // Beside the caller's tables, not among them: one may have the same name.
        let engine = engine.beside();
        engine.register_batches(table, schema.clone(), vec![])?;
        let plan = engine.projection_over(sql, table).await?;
        RowExpressions::from_plan(&engine, sql, plan, schema)
    }

    fn from_plan(
        engine: &Engine,
        sql: &str,
        plan: LogicalPlan,
        schema: SchemaRef,
    ) -> Result<RowExpressions, TablesError> {
        let LogicalPlan::Projection(projection) = plan else {
            unreachable!("projection_over returns projections only")
        };
        let input: &DFSchema = projection.input.schema();
        let state = engine.context().state();
        let options = Arc::new(state.config_options().as_ref().clone());
        let simplify =
            SimplifyContext::builder().with_schema(projection.input.schema().clone()).with_config_options(options);
        let simplifier = ExprSimplifier::new(simplify.build());
        let mut compiled =
            RowExpressions { names: Vec::new(), types: Vec::new(), reads: Vec::new(), expressions: Vec::new(), schema };
        for (expression, field) in projection.expr.iter().zip(projection.schema.fields()) {
            refuse_volatile(expression)?;
            let physical = checked(expression.clone().unalias(), input)
                .and_then(|expression| simplifier.coerce(expression, input))
                .and_then(|expression| simplifier.simplify(expression))
                .and_then(|expression| state.create_physical_expr(expression, input))
                .map_err(|error| TablesError::from_sql(error, sql))?;
            let mut reads: Vec<String> =
                expression.column_refs().into_iter().map(|column| column.name.clone()).collect();
            reads.sort();
            compiled.reads.push(reads);
            compiled.types.push(physical.data_type(&compiled.schema)?);
            compiled.names.push(field.name().clone());
            compiled.expressions.push(physical);
        }
        Ok(compiled)
    }

    /// The columns that the expressions read from.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// One array an expression, as long as the batch. The batch has the columns of [`RowExpressions::schema`].
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, TablesError> {
        let rows = batch.num_rows();
        let one =
            |expression: &Arc<dyn PhysicalExpr>| Ok::<_, TablesError>(expression.evaluate(batch)?.into_array(rows)?);
        self.expressions.iter().map(one).collect()
    }
}

/// A feature that depends on when it is computed cannot be the same in training and in service.
fn refuse_volatile(expression: &Expr) -> Result<(), TablesError> {
    let mut found = None;
    expression.apply(|node| {
        if let Expr::ScalarFunction(call) = node
            && call.func.signature().volatility != Volatility::Immutable
        {
            found = Some(call.func.name().to_owned());
        }
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    })?;
    match found {
        Some(name) => {
            let message = format!("`{name}()` depends on when it is called; use the event's own time");
            Err(TablesError::Sql { message, place: None })
        }
        None => Ok(()),
    }
}

/// A numeric, boolean or time column as numbers: NaN for null, 1 and 0 for true and false, microseconds for times.
pub fn numbers(column: &ArrayRef) -> Result<Vec<f64>, TablesError> {
    let column = match column.data_type() {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            cast(column, &DataType::Int64).map_err(engine_error)?
        }
        _ => column.clone(),
    };
    let column = cast(&column, &DataType::Float64).map_err(engine_error)?;
    let values = column.as_primitive::<Float64Type>();
    if values.null_count() == 0 {
        return Ok(values.values().to_vec());
    }
    Ok(values.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

fn engine_error(error: impl std::fmt::Display) -> TablesError {
    TablesError::Engine(error.to_string())
}
