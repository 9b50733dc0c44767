//! What happens to an answer whose audit event cannot be written.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// What happens to an answer whose event cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AuditMode {
    /// It does not leave: the request is answered 503.
    #[default]
    Closed,
    /// It leaves; the event is kept in memory and written later, and what is lost is counted.
    Open,
    /// Nothing is written at all. There is no flag or setting for it: it is what the benchmark
    /// compares with.
    #[serde(skip)]
    #[value(skip)]
    Off,
}

/// The flag of the subcommands that serve.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Auditing {
    /// What happens to an answer whose audit event cannot be written: `closed` holds it back,
    /// `open` lets it leave and writes the event later
    #[arg(long, value_name = "MODE", env = "THROUGHLINE_AUDIT", default_value = "closed")]
    pub audit: AuditMode,
}
