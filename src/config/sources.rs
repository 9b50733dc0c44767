//! The settings of live sources: the platforms that records come from, by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// The sources by name. A name is 1 to 64 of `a-z 0-9 _ -`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Sources(pub BTreeMap<String, SourceSettings>);

/// One platform, and the ways its records come.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// The tenant whose records it may send; those of any other are rejected
    pub tenant: String,
    /// The platform sends records to `POST /platform/records`
    #[serde(default)]
    pub push: Option<PushSettings>,
}

/// How a platform pushes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushSettings {
    /// Files with its secrets, one each; any of them is good, so that one can follow another
    pub secret_files: Vec<PathBuf>,
    /// Its deliveries at once
    #[serde(default = "at_once")]
    pub at_once: usize,
    /// The most bytes of a body as it is sent, in MiB; unpacked it may have eight times as many
    #[serde(default = "max_body_mb")]
    pub max_body_mb: u64,
}

impl Sources {
    /// One source that pushes with the secret in a file.
    pub fn of_one_sender(name: &str, tenant: &str, secret: PathBuf) -> Self {
        let push = PushSettings {
            secret_files: vec![secret],
            at_once: at_once(),
            max_body_mb: max_body_mb(),
        };
        let settings = SourceSettings { tenant: tenant.to_owned(), push: Some(push) };
        Self(BTreeMap::from([(name.to_owned(), settings)]))
    }
}

fn at_once() -> usize {
    4
}

fn max_body_mb() -> u64 {
    16
}
