//! The settings of live sources: the platforms that records come from, by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The sources by name. A name is 1 to 64 of `a-z 0-9 _ -`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sources(pub BTreeMap<String, SourceSettings>);

/// One platform, and the ways its records come.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// The tenant whose records it may send; those of any other are rejected
    pub tenant: String,
    /// The platform sends records to `POST /platform/records`
    #[serde(default)]
    pub push: Option<PushSettings>,
    /// The gateway asks the platform for records, page by page
    #[serde(default)]
    pub pull: Option<PullSettings>,
    /// The gateway reads files that are put into a folder
    #[serde(default)]
    pub folder: Option<FolderSettings>,
}

/// How a platform pushes.
#[derive(Debug, Clone, Serialize, Deserialize)]
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

/// How a platform is asked for records.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullSettings {
    /// The page endpoint: https, or http on this machine
    pub url: String,
    /// File with the bearer token that the platform gave out
    #[serde(default)]
    pub bearer_file: Option<PathBuf>,
    /// File with the secret that requests are signed with, instead of a token
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// PEM file with the authorities that TLS trusts, instead of those of the machine
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The pause once everything is read, in seconds
    #[serde(default = "every_s")]
    pub every_s: u64,
    /// How many records a page is asked to have
    #[serde(default = "limit")]
    pub limit: u32,
    /// How long a whole page may take, in seconds
    #[serde(default = "timeout_s")]
    pub timeout_s: u64,
}

/// Which folder is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderSettings {
    /// The folder; its files are read in the order of their names, each once
    pub path: PathBuf,
    /// The pause once everything is read, in seconds
    #[serde(default = "every_s")]
    pub every_s: u64,
}

impl Sources {
    /// One source that pushes with the secret in a file.
    pub fn of_one_sender(name: &str, tenant: &str, secret: PathBuf) -> Self {
        let push = PushSettings {
            secret_files: vec![secret],
            at_once: at_once(),
            max_body_mb: max_body_mb(),
        };
        let tenant = tenant.to_owned();
        let settings = SourceSettings { tenant, push: Some(push), pull: None, folder: None };
        Self(BTreeMap::from([(name.to_owned(), settings)]))
    }
}

fn at_once() -> usize {
    4
}

fn max_body_mb() -> u64 {
    16
}

fn every_s() -> u64 {
    5
}

fn limit() -> u32 {
    500
}

fn timeout_s() -> u64 {
    60
}
