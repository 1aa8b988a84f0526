//! Offers requests to a server on this machine at a fixed schedule, whether or not it keeps up, because a generator
//! that waits for slow replies before it asks again hides just the waiting that users would feel.
//!
//! One thread and raw sockets: what the generator needs of two shared cores is taken from the server.
#![deny(clippy::unwrap_used)]

pub mod bodies;
pub mod request;
pub mod settings;

pub mod run;

pub mod connection;
pub mod pace;
pub mod reply;

pub mod histogram;
pub mod tally;
