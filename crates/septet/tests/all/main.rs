//! The program as its users run it: one binary, real files, real servers.

mod bodies;
mod canary;
mod cases;
mod crash;
mod document;
mod domains;
mod handbook;
mod http;
mod machine;
mod newcomer;
mod pipeline;
mod reviews;
mod router;
mod serving;
mod shop;
mod sources;
mod watching;
