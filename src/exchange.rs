//! The use cases: what the gateway does with records and resources.

pub mod bulk;
pub mod ingest;
pub mod jobs;
pub mod people;
pub mod pull;
pub mod push;
pub mod reception;
pub mod requests;
pub mod sign_in;
pub mod synth;
