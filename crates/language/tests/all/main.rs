//! What needs data from outside the crate: the reference's scores, the hand-written cases, real reviews.
#![allow(clippy::unwrap_used)]

mod aspects;
mod real_data;
mod text_model;
mod unicode;
mod vader;
