//! What rules and `answer.sql` read and say: their columns, and both compiled.

use crate::PlatformError;
use crate::error::arrow_error;
use crate::inputs::Inputs;
use crate::inputs::features::is_text;
use crate::inputs::places::{at_file, at_offset};
use crate::kinds;
use crate::serve::lookup::Lookups;
use septet_domain::Domain;
use septet_learn::measures::Task;
use septet_tables::arrow::array::{Array, ArrayRef, AsArray};
use septet_tables::arrow::compute::cast;
use septet_tables::arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use septet_tables::{Engine, RowExpressions};
use serde_json::Value;
use std::sync::Arc;

/// The columns after the request's and the features' own in what rules and `answer.sql` read: what is served, and what is done.
const PROBABILITY: &str = "probability";
const PREDICTED: &str = "predicted";
const ACTION: &str = "action";

/// Columns that rules and `answer.sql` read: the request's, the features that are not among them, look-ups, the model's outputs,
/// the estimates, what is served, the action.
pub(super) fn decision_schema(
    domain: &Domain,
    inputs: &Inputs,
    lookups: &Lookups,
    outputs: &[String],
    task: Task,
) -> SchemaRef {
    let contract = &inputs.contract;
    let own = contract.columns.iter().zip(contract.schema().fields()).filter(|(column, _)| !column.label());
    let own = own.map(|(_, field)| field.as_ref().clone());
    let made = inputs.names.iter().zip(&inputs.types);
    let made = made
        .filter(|(name, _)| contract.schema().index_of(name).is_err())
        .map(|(name, kind)| Field::new(name, if is_text(kind) { DataType::Utf8 } else { DataType::Float64 }, true));
    let estimates = domain.spec.estimate.keys().map(|name| Field::new(name.get_ref(), DataType::Float64, true));
    let served = if task == Task::Number { PREDICTED } else { PROBABILITY };
    let decided = [Field::new(served, DataType::Float64, true), Field::new(ACTION, DataType::Utf8, true)];
    let told = outputs.iter().map(|name| Field::new(name, DataType::Float64, true));
    let beside = lookups.fields().chain(told);
    Arc::new(Schema::new(own.chain(made).chain(beside).chain(estimates).chain(decided).collect::<Vec<_>>()))
}

pub(super) async fn compile_rules(
    engine: &Engine,
    domain: &Domain,
    schema: &SchemaRef,
) -> Result<Option<RowExpressions>, PlatformError> {
    let table = Inputs::answer_table(domain);
    if domain.spec.rule.is_empty() {
        return Ok(None);
    }
    // Each by itself first, so that an error names its place.
    for rule in &domain.spec.rule {
        let sql = format!("SELECT ({}) AS held FROM \"{table}\"", rule.when.get_ref());
        let compiled = RowExpressions::compile(engine, &sql, table, schema.clone()).await;
        let kind = compiled.map_err(|error| at_offset(domain, rule.when.span().start, error))?.types[0].clone();
        if kind != DataType::Boolean {
            let message = format!("`when` is a {kind}; expected a condition");
            let error = septet_tables::TablesError::Sql { message, place: None };
            return Err(at_offset(domain, rule.when.span().start, error));
        }
    }
    let conditions: Vec<String> =
        domain.spec.rule.iter().enumerate().map(|(at, rule)| format!("({}) AS r{at}", rule.when.get_ref())).collect();
    let sql = format!("SELECT {} FROM \"{table}\"", conditions.join(", "));
    Ok(Some(RowExpressions::compile(engine, &sql, table, schema.clone()).await?))
}

pub(super) async fn compile_answer(
    engine: &Engine,
    domain: &Domain,
    schema: &SchemaRef,
) -> Result<Option<RowExpressions>, PlatformError> {
    const FILE: &str = "answer.sql";
    let table = Inputs::answer_table(domain);
    let Some(sql) = domain.files.get(FILE) else { return Ok(None) };
    let compiled = RowExpressions::compile(engine, sql, table, schema.clone()).await;
    compiled.map(Some).map_err(|error| at_file(domain, FILE, error))
}

/// Names of the columns that rules and `answer.sql` read beside the request's own.
pub async fn columns_of_decision(
    engine: &Engine,
    domain: &Domain,
    inputs: &Inputs,
) -> Result<Vec<String>, PlatformError> {
    let schema = planned_schema(engine, domain, inputs).await?;
    let own = inputs.contract.columns.iter().filter(|column| !column.label()).count();
    Ok(schema.fields().iter().skip(own).map(|field| field.name().clone()).collect())
}

/// Plans rules and `answer.sql` of a domain that has no version yet: features are taken for numbers.
pub async fn check_decision(engine: &Engine, domain: &Domain, inputs: &Inputs) -> Result<(), PlatformError> {
    let schema = planned_schema(engine, domain, inputs).await?;
    compile_rules(engine, domain, &schema).await?;
    compile_answer(engine, domain, &schema).await?;
    Ok(())
}

async fn planned_schema(engine: &Engine, domain: &Domain, inputs: &Inputs) -> Result<SchemaRef, PlatformError> {
    let context = crate::inputs::training::context(domain)?;
    let choices = domain.spec.model.kinds();
    let kinds = choices.iter().filter_map(|choice| kinds::find(choice.kind.get_ref()));
    let mut outputs: Vec<String> = kinds.flat_map(|kind| kind.outputs(&context)).collect();
    outputs.dedup();
    let lookups = Lookups::load(engine, domain, &inputs.contract).await?;
    Ok(decision_schema(domain, inputs, &lookups, &outputs, context.task))
}

/// One value of a column as JSON.
pub(super) fn json_of(column: &ArrayRef, row: usize) -> Result<Value, PlatformError> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    // A cast to what it is already would copy the column's description for each value.
    let as_type = |kind: &DataType| match column.data_type() == kind {
        true => Ok(column.clone()),
        false => cast(column, kind).map_err(arrow_error),
    };
    Ok(match column.data_type() {
        DataType::Boolean => Value::from(column.as_boolean().value(row)),
        DataType::List(_) => {
            let (values, ends) = (column.as_list::<i32>().values(), column.as_list::<i32>().value_offsets());
            let own = ends[row] as usize..ends[row + 1] as usize;
            own.map(|at| json_of(values, at)).collect::<Result<Vec<_>, _>>()?.into()
        }
        DataType::Struct(fields) => {
            let own = column.as_struct();
            let field = |(field, column): (&Arc<Field>, &ArrayRef)| Ok((field.name().clone(), json_of(column, row)?));
            Value::Object(fields.iter().zip(own.columns()).map(field).collect::<Result<_, PlatformError>>()?)
        }
        kind if kind.is_integer() => Value::from(as_type(&DataType::Int64)?.as_primitive::<Int64Type>().value(row)),
        kind if kind.is_numeric() => Value::from(as_type(&DataType::Float64)?.as_primitive::<Float64Type>().value(row)),
        _ => Value::from(as_type(&DataType::Utf8)?.as_string::<i32>().value(row)),
    })
}
