//! The use cases: what the gateway does with records and resources.

pub mod bulk;
pub mod consents;
pub mod emergency;
pub mod explain;
pub mod gather;
pub mod ingest;
pub mod jobs;
pub mod links;
pub mod people;
pub mod pull;
pub mod push;
pub mod receiving;
pub mod reception;
pub mod release;
pub mod requests;
pub mod retention;
pub mod sign_in;
pub mod signing;
pub mod synth;
pub mod transfers;
