//! The one integration-test binary: one file per feature, test names are sentences.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on should stop where it is"
)]

mod attacks;
mod audit;
mod audit_crash;
mod audit_ledger;
mod auth_refusals;
mod birthday;
mod blobs;
mod bounds;
mod bulk;
mod cache;
mod cases;
mod changes;
mod clients;
mod consents;
mod crash;
mod declared;
mod demo;
mod disk_full;

mod epochs;
mod errors;
mod expectation;
mod explain;
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
mod http_summary;
mod ingest;
mod jobs;
mod layers;
mod limits;
mod mapping;
mod migrate;
mod must_support;
mod obligations;
mod openapi;
mod order;
mod package;
mod pages;
mod pages_browser;
mod pages_launch;
mod pages_sign_in;
mod path_matrix;
mod portal;
mod portal_browser;
mod portal_desk;
mod postgres_faults;
mod postgres_replicas;

mod privacy_cases;
mod pull;
mod push;
mod push_latency;
mod redis_faults;
mod redis_topology;
mod release;
mod replicas;
mod requests;
mod routes;
mod sentinel;
mod serve;
mod settings;
mod slow_readers;
mod smart_authorize;
mod smart_clients;
mod smart_commands;
mod smart_keys;
mod smart_laws;
mod smart_scopes;
mod smart_token;
mod store;
mod store_authority;
mod store_directory;
mod store_jobs;
mod store_search;
mod support;
mod traces;
mod transfers;
