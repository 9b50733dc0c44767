//! The one integration-test binary: one file per feature, test names are sentences.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on should stop where it is"
)]

mod cache;
mod cases;
mod clients;
mod crash;
mod demo;
mod errors;
mod expectation;
mod gateway;
mod goldens;
mod hostile;
mod http_read;
mod http_refusals;
mod http_search;
mod ingest;
mod layers;
mod mapping;
mod order;
mod pull;
mod push;
mod routes;
mod sentinel;
mod store;
mod support;
