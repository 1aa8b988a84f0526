//! Whole numbers that do not fit are errors: the engine's own `+`, `-`, `*`, `<<` and `sum` wrap round and give a wrong number
//! without a word. These take their place, and an error names the expression and where it stands.

use super::checked_sum::CheckedSum;
use crate::{SqlPlace, TablesError};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Datum, PrimitiveArray};
use datafusion::arrow::compute::kernels::arity::try_binary;
use datafusion::arrow::compute::kernels::numeric::{add, mul, sub};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use datafusion::arrow::error::ArrowError;
use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::expr::{ScalarFunction, WindowFunctionDefinition};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    AggregateUDF, BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr_common::datum::apply;
use datafusion::prelude::SessionContext;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Makes every expression of a session's queries checked.
pub(super) fn register(context: &SessionContext) {
    let rewritten = context.state_ref().write().register_function_rewrite(Arc::new(Checks));
    rewritten.expect("a session takes rewrites of functions");
}

/// An expression with its checks, where it is not planned by a session.
pub(crate) fn checked(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    Ok(expression.transform_up(|expression| with_check(expression, schema))?.data)
}

#[derive(Debug)]
struct Checks;

impl FunctionRewrite for Checks {
    fn name(&self) -> &str {
        "checks"
    }

    fn rewrite(&self, expression: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        with_check(expression, schema)
    }
}

fn with_check(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::BinaryExpr(binary) => match checked_operator(&binary, schema) {
            Some(operator) => {
                let origin = Origin::of(&Expr::BinaryExpr(binary.clone()));
                let function = ScalarUDF::new_from_impl(Checked::new(operator, origin));
                let call = ScalarFunction::new_udf(Arc::new(function), vec![*binary.left, *binary.right]);
                Ok(Transformed::yes(Expr::ScalarFunction(call)))
            }
            None => Ok(Transformed::no(Expr::BinaryExpr(binary))),
        },
        Expr::AggregateFunction(ref call) if CheckedSum::replaces(&call.func) => {
            let sum = Arc::new(AggregateUDF::new_from_impl(CheckedSum::new(Origin::of(&expression))));
            let Expr::AggregateFunction(mut call) = expression else { unreachable!("matched above") };
            call.func = sum;
            Ok(Transformed::yes(Expr::AggregateFunction(call)))
        }
        Expr::WindowFunction(ref call) => match &call.fun {
            WindowFunctionDefinition::AggregateUDF(sum) if CheckedSum::replaces(sum) => {
                let sum = Arc::new(AggregateUDF::new_from_impl(CheckedSum::new(Origin::of(&expression))));
                let Expr::WindowFunction(mut call) = expression else { unreachable!("matched above") };
                call.fun = WindowFunctionDefinition::AggregateUDF(sum);
                Ok(Transformed::yes(Expr::WindowFunction(call)))
            }
            _ => Ok(Transformed::no(expression)),
        },
        other => Ok(Transformed::no(other)),
    }
}

/// The operator if it would wrap round: both sides are whole numbers.
fn checked_operator(binary: &BinaryExpr, schema: &DFSchema) -> Option<Operator> {
    let wraps = [Operator::Plus, Operator::Minus, Operator::Multiply, Operator::BitwiseShiftLeft];
    let operator = wraps.into_iter().find(|operator| *operator == binary.op)?;
    let (left, right) = (binary.left.get_type(schema).ok()?, binary.right.get_type(schema).ok()?);
    let (left, right) = BinaryTypeCoercer::new(&left, &operator, &right).get_input_types().ok()?;
    (left.is_integer() && right.is_integer()).then_some(operator)
}

/// What an expression is in the query, and where. Two are equal whatever they say: the arguments tell expressions apart.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    text: String,
    place: Option<SqlPlace>,
}

impl Origin {
    fn of(expression: &Expr) -> Origin {
        Origin { text: expression.human_display().to_string(), place: first_place(expression) }
    }

    /// `kind`: what it does not fit into.
    pub fn overflow(&self, kind: &DataType) -> DataFusionError {
        let bits = kind.primitive_width().map_or(64, |bytes| bytes * 8);
        let (found, wider) = match kind {
            DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
                (format!("more digits than {kind} has"), "DOUBLE")
            }
            _ => (format!("beyond the whole numbers of {bits} bits"), "DOUBLE or DECIMAL(38, 0)"),
        };
        let message = format!("overflow: `{}` is {found}; cast what it is made of to {wider} first", self.text);
        DataFusionError::External(Box::new(TablesError::Sql { message, place: self.place }))
    }
}

impl PartialEq for Origin {
    fn eq(&self, _: &Origin) -> bool {
        true
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Where the first column of an expression stands; the parser notes no places of others.
fn first_place(expression: &Expr) -> Option<SqlPlace> {
    let mut first: Option<SqlPlace> = None;
    let _ = expression.apply(|part| {
        if let Expr::Column(column) = part
            && let Some(span) = column.spans.first()
        {
            let place = SqlPlace { line: span.start.line as usize, column: span.start.column as usize };
            let earlier = first.is_none_or(|first| (place.line, place.column) < (first.line, first.column));
            first = if earlier { Some(place) } else { first };
        }
        Ok(TreeNodeRecursion::Continue)
    });
    first
}

/// A whole number of two, or an error.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    operator: Operator,
    origin: Origin,
    signature: Signature,
}

impl Checked {
    fn new(operator: Operator, origin: Origin) -> Checked {
        Checked { operator, origin, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.operator {
            Operator::Plus => "checked_add",
            Operator::Minus => "checked_subtract",
            Operator::Multiply => "checked_multiply",
            _ => "checked_shift_left",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = types else { return Ok(types.to_vec()) };
        let (left, right) = BinaryTypeCoercer::new(left, &self.operator, right).get_input_types()?;
        Ok(vec![left, right])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [left, right] = types else { return Ok(DataType::Int64) };
        BinaryTypeCoercer::new(left, &self.operator, right).get_result_type()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = arguments.args.as_slice() else { return Err(two_arguments()) };
        let made = match self.operator {
            Operator::Plus => apply(left, right, add),
            Operator::Minus => apply(left, right, sub),
            Operator::Multiply => apply(left, right, mul),
            _ => apply(left, right, shift_left),
        };
        made.map_err(|error| match error.find_root() {
            // The engine's own words hold the values.
            DataFusionError::ArrowError(inner, _) if matches!(**inner, ArrowError::ArithmeticOverflow(_)) => {
                self.origin.overflow(arguments.return_field.data_type())
            }
            _ => error,
        })
    }
}

fn two_arguments() -> DataFusionError {
    DataFusionError::Execution("an operator takes two arguments".to_owned())
}

fn shift_left(left: &dyn Datum, right: &dyn Datum) -> std::result::Result<ArrayRef, ArrowError> {
    let ((left, left_is_one), (right, right_is_one)) = (left.get(), right.get());
    let rows = if left_is_one { right.len() } else { left.len() };
    let spread = |array: &dyn Array, is_one: bool| {
        let places = datafusion::arrow::array::UInt32Array::from(vec![0; rows]);
        if is_one { datafusion::arrow::compute::take(array, &places, None) } else { Ok(array.slice(0, rows)) }
    };
    let (left, right) = (spread(left, left_is_one)?, spread(right, right_is_one)?);
    match left.data_type() {
        DataType::Int8 => shifted::<Int8Type>(&left, &right),
        DataType::Int16 => shifted::<Int16Type>(&left, &right),
        DataType::Int32 => shifted::<Int32Type>(&left, &right),
        DataType::UInt8 => shifted::<UInt8Type>(&left, &right),
        DataType::UInt16 => shifted::<UInt16Type>(&left, &right),
        DataType::UInt32 => shifted::<UInt32Type>(&left, &right),
        DataType::UInt64 => shifted::<UInt64Type>(&left, &right),
        _ => shifted::<Int64Type>(&left, &right),
    }
}

/// Times two as often as the right side says.
fn shifted<T: ArrowPrimitiveType>(left: &ArrayRef, right: &ArrayRef) -> std::result::Result<ArrayRef, ArrowError>
where
    T::Native: Into<i128> + TryFrom<i128>,
{
    let overflow = || ArrowError::ArithmeticOverflow(String::new());
    let shifted = |value: T::Native, by: T::Native| {
        let (value, by): (i128, i128) = (value.into(), by.into());
        let by = u32::try_from(by).ok().filter(|by| *by < 64).ok_or_else(overflow)?;
        T::Native::try_from(value << by).map_err(|_| overflow())
    };
    let made: PrimitiveArray<T> = try_binary(left.as_primitive::<T>(), right.as_primitive::<T>(), shifted)?;
    Ok(Arc::new(made))
}

#[cfg(test)]
mod tests {
    use crate::{Engine, EngineSettings, RowExpressions, SqlPlace, TablesError};
    use datafusion::arrow::array::{AsArray, Int32Array, Int64Array, RecordBatch};
    use datafusion::arrow::datatypes::Int64Type;
    use std::sync::Arc;

    fn engine(partitions: usize) -> (Engine, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let settings = EngineSettings { memory_max: 1 << 28, spill_folder: folder.path().to_owned(), partitions };
        let engine = Engine::new(&settings).unwrap();
        let batch = numbers();
        engine.register_batches("t", batch.schema(), vec![batch]).unwrap();
        (engine, folder)
    }

    fn numbers() -> RecordBatch {
        RecordBatch::try_from_iter([
            ("x", Arc::new(Int64Array::from(vec![Some(i64::MAX), Some(1), None])) as _),
            ("y", Arc::new(Int64Array::from(vec![10_000_000_000; 3])) as _),
            ("small", Arc::new(Int32Array::from(vec![2_000_000_000; 3])) as _),
        ])
        .unwrap()
    }

    /// The expression that an error names, and where it stands.
    fn named(error: TablesError) -> (String, Option<SqlPlace>) {
        let TablesError::Sql { message, place } = error else { panic!("{error}") };
        assert!(message.starts_with("overflow: `") && !message.contains("9223372036854775807 + 9"), "{message}");
        (message.split('`').nth(1).unwrap().to_owned(), place)
    }

    #[tokio::test]
    async fn what_does_not_fit_is_an_error_that_names_the_expression_and_its_place() {
        for partitions in [1, 2] {
            let (engine, _folder) = engine(partitions);
            for (sql, expression, place) in [
                ("SELECT sum(x) AS s FROM t", "sum(t.x)", Some((1, 12))),
                ("SELECT y,\n  sum(x) AS s FROM t GROUP BY y", "sum(t.x)", Some((2, 7))),
                ("SELECT sum(DISTINCT x) AS s FROM t", "sum(DISTINCT t.x)", Some((1, 21))),
                (
                    "SELECT sum(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
                    "sum(t.x)",
                    Some((1, 12)),
                ),
                ("SELECT sum(x) OVER () FROM t", "sum(t.x)", Some((1, 12))),
                ("SELECT sum(x) FILTER (WHERE y > 1) FROM t", "sum(t.x)", Some((1, 12))),
                ("SELECT y * y AS p FROM t LIMIT 1", "t.y * t.y", Some((1, 8))),
                ("SELECT y FROM t WHERE y * y > 5", "t.y * t.y", Some((1, 23))),
                ("SELECT 9223372036854775807 + 1 AS p", "9223372036854775807 + 1", None),
                ("SELECT -9223372036854775807 - x FROM t", "-9223372036854775807 - t.x", Some((1, 31))),
                ("SELECT small + small AS v FROM t", "t.small + t.small", Some((1, 8))),
                ("SELECT CAST(2000000000 AS INT) + CAST(2000000000 AS INT) AS v", "2000000000 + 2000000000", None),
                ("SELECT y << 60 FROM t", "t.y << 60", Some((1, 8))),
                ("SELECT 1 << 64", "1 << 64", None),
                ("SELECT sum(x + y) FROM t", "t.x + t.y", Some((1, 12))),
                ("SELECT a FROM (SELECT y * y AS a FROM t) ORDER BY a", "t.y * t.y", Some((1, 23))),
                ("SELECT max(CAST(y * y AS DOUBLE)) FROM t", "t.y * t.y", Some((1, 17))),
            ] {
                let (name, at) = named(engine.query(sql).await.expect_err(sql));
                let short = |text: &str| {
                    text.split(" ROWS").next().unwrap_or_default().split(" ORDER").next().unwrap_or_default().to_owned()
                };
                assert!(short(&name).starts_with(expression) || name.contains(expression), "{sql}: {name}");
                assert_eq!(at, place.map(|(line, column)| SqlPlace { line, column }), "{sql}");
            }
            let decimal = "CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0))";
            let sql = format!("SELECT sum(v) AS s FROM (SELECT {decimal} AS v UNION ALL SELECT {decimal})");
            assert!(engine.query(&sql).await.unwrap_err().to_string().contains("overflow"));
            let decimal = "CAST('60000000000000000000000000000000000000' AS DECIMAL(38,0))";
            let sql = format!(
                "SELECT k, sum(v) AS s FROM (SELECT 1 AS k, {decimal} AS v UNION ALL SELECT 1, {decimal}) GROUP BY k"
            );
            assert!(
                engine.query(&sql).await.unwrap_err().to_string().contains("overflow"),
                "fits 128 bits and no 38 digits"
            );
        }
    }

    #[tokio::test]
    async fn what_fits_is_as_it_was() {
        let (engine, _folder) = engine(1);
        for (sql, expected) in [
            ("SELECT sum(y) FROM t", Some(3e10)),
            ("SELECT sum(DISTINCT y) FROM t", Some(1e10)),
            ("SELECT sum(x) FROM t WHERE x < 0", None),
            ("SELECT sum(CAST(x AS DOUBLE)) FROM t", Some(9_223_372_036_854_775_808.0)),
            ("SELECT CAST(sum(CAST(x AS DECIMAL(38,0))) - 9223372036854775807 AS BIGINT) FROM t", Some(1.0)),
            ("SELECT x - 9223372036854775806 FROM t LIMIT 1", Some(1.0)),
            ("SELECT sum(x - x) FROM t", Some(0.0)),
            ("SELECT CAST(small AS BIGINT) + small FROM t LIMIT 1", Some(4e9)),
            ("SELECT 1 << 62", Some(4_611_686_018_427_387_904.0)),
            ("SELECT -1 << 63", Some(-9_223_372_036_854_775_808.0)),
            ("SELECT NULL + 1", None),
            ("SELECT x + NULL FROM t LIMIT 1", None),
            ("SELECT 1 + 2 * 3 - 4", Some(3.0)),
            ("SELECT 1.5 + 1", Some(2.5)),
            ("SELECT date_part('day', TIMESTAMP '2026-01-01' + INTERVAL '1 day') + 1", Some(3.0)),
        ] {
            assert_eq!(engine.number(sql).await.unwrap(), expected, "{sql}");
        }
        let (schema, _) =
            engine.query("SELECT x - 1, sum(y), sum(y) + 1 FROM t GROUP BY x ORDER BY sum(y)").await.unwrap();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["t.x - Int64(1)", "sum(t.y)", "sum(t.y) + Int64(1)"]);
        let windows = "SELECT sum(value) OVER (ORDER BY value ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM generate_series(1, 9)";
        let (_, batches) = engine.query(windows).await.unwrap();
        assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().values()[..], [1, 3, 6, 9, 12, 15, 18, 21, 24]);
    }

    #[tokio::test]
    async fn a_feature_that_overflows_is_an_error_too() {
        let (engine, _folder) = engine(1);
        let batch = numbers();
        let sql = "SELECT x - 1 AS fine,\n  y * y AS wide FROM t";
        let expressions = RowExpressions::compile(&engine, sql, "t", batch.schema()).await.unwrap();
        let (name, place) = named(expressions.evaluate(&batch).unwrap_err());
        assert_eq!((name.as_str(), place), ("t.y * t.y", Some(SqlPlace { line: 2, column: 3 })));
        let sql = "SELECT x - 1 AS fine FROM t";
        let expressions = RowExpressions::compile(&engine, sql, "t", batch.schema()).await.unwrap();
        assert_eq!(expressions.reads, [["x"]]);
        assert_eq!(expressions.evaluate(&batch).unwrap()[0].as_primitive::<Int64Type>().value(1), 0);
    }
}
