//! The settings of the log.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// A level, or `target=level` pairs separated by commas
    pub filter: String,
    /// Format of the log, which goes to standard error
    pub format: LogFormat,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { filter: "warn".to_owned(), format: LogFormat::Text }
    }
}

/// The flags of the log, which count before the settings file.
#[derive(Debug, Clone, Default, Args)]
pub struct Logging {
    /// Format of the log, which goes to standard error [default: text]
    #[arg(long, global = true, env = "THROUGHLINE_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// What is logged: a level, or `target=level` pairs separated by commas [default: warn]
    #[arg(long, global = true, env = "THROUGHLINE_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}
