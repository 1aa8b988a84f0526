//! Turns named columns into the numbers a model takes. All that is learned from the training rows is kept as
//! data, and a batch and a single row read the same numbers, so that a request is encoded as the training set was.

mod encoder;
mod error;
mod one_hot;
mod target;

#[cfg(test)]
mod tests;

pub use encoder::{Encoder, RowValue};
pub use error::EncodingError;
pub use one_hot::OneHot;
pub use target::TargetEncoding;
