//! throughline: a FHIR gateway for online therapy.
//!
//! A therapy platform hands over its records as they are; throughline maps them to FHIR R4,
//! decides who may see what under consent, and carries the record to where the client's care
//! goes on. The layers are listed in `docs/architecture.md`; imports point down only.

pub mod app;
pub mod audit;
pub mod auth;
pub mod blobs;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod error;
pub mod exchange;
pub mod fhir;
pub mod http;
pub mod limits;
pub mod mapping;
pub mod package;
pub mod partner;
pub mod platform;
pub mod policy;
pub mod smart;
pub mod store;
pub mod telemetry;

pub use error::{Error, Result};
