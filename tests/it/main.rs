//! The one integration-test binary: one file per feature, test names are sentences.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on should stop where it is"
)]

mod cache;
mod cases;
mod changes;
mod clients;
mod crash;
mod declared;
mod demo;
mod errors;
mod expectation;
mod fuzz;
mod gateway;
mod goldens;
mod hostile;
mod http_batch;
mod http_binary;
mod http_compartment;
mod http_cors;
mod http_everything;
mod http_formats;
mod http_gzip;
mod http_history;
mod http_methods;
mod http_property;
mod http_read;
mod http_refusals;
mod http_search;
mod http_subset;
mod ingest;
mod layers;
mod limits;
mod mapping;
mod migrate;
mod must_support;
mod openapi;
mod order;
mod postgres_faults;
mod postgres_replicas;
mod pull;
mod push;
mod push_latency;
mod redis_faults;
mod redis_topology;
mod replicas;
mod routes;
mod sentinel;
mod slow_readers;
mod store;
mod store_search;
mod support;
