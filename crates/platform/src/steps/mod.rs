//! The steps of a run, in order. Each reads what the steps before it left and leaves something whole.

pub mod extract;
pub mod health;
pub mod load;
pub mod material;
pub mod train;
pub mod transform;
pub mod validate;
