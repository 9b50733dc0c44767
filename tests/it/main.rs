//! The one integration-test binary: one file per feature, test names are sentences.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod cache;
mod demo;
mod errors;
mod http_read;
mod http_refusals;
mod http_search;
mod layers;
mod mapping;
mod routes;
mod store;
mod support;
