//! The use cases: what the gateway does with records and resources.

pub mod gather;
pub mod ingest;
pub mod people;
pub mod pull;
pub mod push;
pub mod reception;
pub mod sign_in;
pub mod synth;
