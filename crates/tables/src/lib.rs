//! The only crate that names DataFusion. Sources come in, the contract is kept, SQL makes tables,
//! Parquet goes out; what breaks the contract goes to quarantine with its reason.
#![deny(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ahead;
mod contract;
mod engine;
mod error;
mod expressions;
mod extract;
mod files;
mod functions;
mod guess;
mod json_row;
mod kept;
mod location;
mod named;
mod output;
mod parquet;
mod parts;
mod postgres;
mod quarantine;
mod reader;
mod reading;
mod reference;
mod select_list;
mod side_by_side;
mod survey;
mod values;

pub use contract::{arrow_type, instant, integer, number, truth};
pub use datafusion::arrow;
pub use engine::{Engine, EngineSettings, TableFile};
pub use error::{SqlPlace, TablesError};
pub use expressions::{RowExpressions, numbers};
pub use extract::{ExtractReport, ExtractRequest, Reading, extract, top_level_from};
pub use kept::{KeptQuery, NewestRows};
pub use location::{Location, local_files, redacted};
pub use output::{Format, print};
pub use parquet::{Written, batch_bytes, file_fingerprint, read_batch, write_batch};
pub use quarantine::{QuarantineRow, Reason};
pub use reader::{Delimiter, Encoding, TextFormat};
pub use reading::exact_number;
pub use reference::reference_markdown;
pub use survey::{ColumnSurvey, Days, Survey, Written as WrittenAs, passes_luhn, survey};
pub use values::{Fault, KEY_CHARACTERS_MAX, TEXT_CHARACTERS_MAX, expected, number_fault, text_fault, whole};

/// Hidden columns that carry a row's place through a layout's SELECT.
pub const SOURCE_COLUMN: &str = "_source";
pub const ROW_COLUMN: &str = "_row";

#[cfg(test)]
mod tests;
