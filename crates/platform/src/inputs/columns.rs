//! Cells as Arrow arrays and back.

use super::cells::{Cell, EventColumn};
use crate::PlatformError;
use crate::error::arrow_error;
use septet_domain::ColumnType;
use septet_tables::arrow::array::{
    ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use septet_tables::arrow::compute::{CastOptions, cast, cast_with_options};
use septet_tables::arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use std::sync::Arc;

impl EventColumn {
    /// The column with some of its values replaced; none stays as it is.
    pub fn replaced(&self, array: &ArrayRef, values: &[Option<Cell>]) -> Result<ArrayRef, PlatformError> {
        let own = self.cells_of(array)?;
        self.array(own.iter().zip(values).map(|(own, new)| new.as_ref().unwrap_or(own)))
    }

    pub(super) fn cells_of(&self, array: &ArrayRef) -> Result<Vec<Cell>, PlatformError> {
        let as_type = |kind: DataType| cast(array, &kind).map_err(arrow_error);
        let or_null = |cell: Option<Cell>| cell.unwrap_or(Cell::Null);
        Ok(match self.kind {
            ColumnType::Number => as_type(DataType::Float64)?
                .as_primitive::<Float64Type>()
                .iter()
                .map(|v| or_null(v.map(Cell::Number)))
                .collect(),
            ColumnType::Integer => as_type(DataType::Int64)?
                .as_primitive::<Int64Type>()
                .iter()
                .map(|v| or_null(v.map(Cell::Integer)))
                .collect(),
            ColumnType::Bool => {
                as_type(DataType::Boolean)?.as_boolean().iter().map(|v| or_null(v.map(Cell::Truth))).collect()
            }
            ColumnType::Timestamp => {
                let times = as_type(DataType::Timestamp(TimeUnit::Microsecond, None))?;
                times.as_primitive::<TimestampMicrosecondType>().iter().map(|v| or_null(v.map(Cell::Time))).collect()
            }
            ColumnType::Text => {
                let text = |text: Option<&str>| or_null(text.map(|text| Cell::Text(text.to_owned())));
                as_type(DataType::Utf8)?.as_string::<i32>().iter().map(text).collect()
            }
        })
    }

    pub(super) fn array<'a>(&self, cells: impl Iterator<Item = &'a Cell>) -> Result<ArrayRef, PlatformError> {
        let array: ArrayRef = match self.kind {
            ColumnType::Number => Arc::new(
                cells
                    .map(|cell| if let Cell::Number(value) = cell { Some(*value) } else { None })
                    .collect::<Float64Array>(),
            ),
            ColumnType::Integer => Arc::new(
                cells
                    .map(|cell| if let Cell::Integer(value) = cell { Some(*value) } else { None })
                    .collect::<Int64Array>(),
            ),
            ColumnType::Bool => Arc::new(
                cells
                    .map(|cell| if let Cell::Truth(value) = cell { Some(*value) } else { None })
                    .collect::<BooleanArray>(),
            ),
            ColumnType::Timestamp => Arc::new(
                cells
                    .map(|cell| if let Cell::Time(value) = cell { Some(*value) } else { None })
                    .collect::<TimestampMicrosecondArray>(),
            ),
            ColumnType::Text => Arc::new(
                cells
                    .map(|cell| if let Cell::Text(text) = cell { Some(text.as_str()) } else { None })
                    .collect::<StringArray>(),
            ),
        };
        if *array.data_type() == self.data_type {
            return Ok(array);
        }
        // A table of an earlier program may have a narrower type: a value that it does not hold is no null.
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(&array, &self.data_type, &options).map_err(arrow_error)
    }
}

/// What the type of a column beyond the contract is called.
pub(super) fn kind_of(data_type: &DataType) -> ColumnType {
    match data_type {
        DataType::Boolean => ColumnType::Bool,
        kind if kind.is_integer() => ColumnType::Integer,
        kind if kind.is_numeric() => ColumnType::Number,
        DataType::Timestamp(
            TimeUnit::Microsecond | TimeUnit::Millisecond | TimeUnit::Nanosecond | TimeUnit::Second,
            _,
        ) => ColumnType::Timestamp,
        _ => ColumnType::Text,
    }
}
