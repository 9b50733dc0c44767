//! Where files are kept that are too long for the store.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::problems::Problems;

/// Where files are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlobSettings {
    /// A folder; replicas share one
    pub folder: Option<PathBuf>,
    /// A bucket of an S3-compatible service, in place of a folder
    pub bucket: Option<BucketSettings>,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketSettings {
    /// Its name
    pub name: String,
    /// Its region
    pub region: String,
    /// The service, where it is not Amazon's
    #[serde(default)]
    pub endpoint: Option<String>,
    /// What the names of our files begin with
    #[serde(default)]
    pub prefix: String,
    /// The file with the id of the access key
    pub access_key_file: PathBuf,
    /// The file with the access key
    pub secret_key_file: PathBuf,
}

impl BlobSettings {
    /// Says what is wrong.
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.folder.is_some() && self.bucket.is_some() {
            problems.add("blobs.folder", "give either folder or bucket");
        }
        let Some(bucket) = &self.bucket else { return };
        let is_safe = |url: Url| url.scheme() == "https" || bucket.is_loopback();
        let endpoint = bucket.endpoint.as_ref().map(|endpoint| endpoint.parse::<Url>());
        if endpoint.is_some_and(|url| !url.is_ok_and(is_safe)) {
            problems.add("blobs.bucket.endpoint", "give an https URL, or one of this machine");
        }
    }
}

impl BucketSettings {
    /// Whether the service is on this machine.
    pub fn is_loopback(&self) -> bool {
        let url = self.endpoint.as_ref().and_then(|endpoint| endpoint.parse::<Url>().ok());
        match url.as_ref().and_then(Url::host) {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }
}
