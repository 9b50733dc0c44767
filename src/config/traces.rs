//! The settings of traces: where spans go, and how many requests have one.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::problems::Problems;
use super::secret_file;
use crate::error::Result;

/// Where spans go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TraceSettings {
    /// The collector's URL for traces, OTLP over HTTP; without one there are no traces
    pub endpoint: Option<String>,
    /// File with a bearer token that the collector asks for
    pub bearer_file: Option<PathBuf>,
    /// What this server is called in traces
    pub service_name: String,
    /// Of requests whose caller has not decided, the part that is traced, 0 to 1
    pub sampled: f64,
    /// The longest wait for the collector, in seconds
    pub timeout_s: u64,
}

impl Default for TraceSettings {
    fn default() -> Self {
        Self {
            endpoint: None,
            bearer_file: None,
            service_name: "throughline".to_owned(),
            sampled: 0.1,
            timeout_s: 10,
        }
    }
}

impl TraceSettings {
    /// The token that the collector asks for, if it asks for one.
    ///
    /// # Errors
    ///
    /// `Setup`: its file cannot be used.
    pub fn bearer(&self) -> Result<Option<String>> {
        self.bearer_file.as_deref().map(secret_file::read).transpose()
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        let is_url = |endpoint: &String| {
            Url::parse(endpoint).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        };
        if !self.endpoint.as_ref().is_none_or(is_url) {
            let hint = "give a URL, such as http://127.0.0.1:4318/v1/traces";
            problems.add("traces.endpoint", hint);
        }
        if !(0.0..=1.0).contains(&self.sampled) {
            problems.add("traces.sampled", "give a number from 0 to 1");
        }
        if !(1..=60).contains(&self.timeout_s) {
            problems.add("traces.timeout_s", "give a number from 1 to 60");
        }
    }
}
