//! Where files lie: a folder, or a bucket of an S3-compatible service.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use url::Url;

use crate::config::{BlobSettings, BucketSettings};
use crate::error::{Error, Result};

/// The folder in the data folder.
const FOLDER: &str = "blobs";

/// How much is handed to a folder at once: each open file holds as much, and as much again that is on
/// its way.
const FOLDER_PART: usize = 512 * 1024;
/// The same for a bucket: the least that S3 takes as a part.
const BUCKET_PART: usize = 5 * 1024 * 1024;

/// Where files lie.
#[derive(Debug, Clone)]
pub enum Place {
    /// A folder of this machine, or one that replicas share.
    Folder(PathBuf),
    /// A bucket.
    Bucket(Box<BucketSettings>),
}

impl Place {
    /// The place that the settings name; without any, a folder in the data folder.
    pub fn of(settings: &BlobSettings, data: &Path) -> Self {
        match (&settings.bucket, &settings.folder) {
            (Some(bucket), _) => Self::Bucket(Box::new(bucket.clone())),
            (None, Some(folder)) => Self::Folder(folder.clone()),
            (None, None) => Self::Folder(data.join(FOLDER)),
        }
    }

    pub(super) fn open(&self) -> Result<Arc<dyn ObjectStore>> {
        match self {
            Self::Folder(path) => folder(path),
            Self::Bucket(settings) => bucket(settings),
        }
    }

    /// How much is handed over at once.
    pub(super) fn part(&self) -> usize {
        match self {
            Self::Folder(_) => FOLDER_PART,
            Self::Bucket(_) => BUCKET_PART,
        }
    }

    /// Takes away what somebody began to write to a folder before then and did not finish. A bucket
    /// has a rule of its own for that.
    pub(super) fn sweep(&self, before: Timestamp) -> Result<()> {
        let Self::Folder(path) = self else { return Ok(()) };
        let before = SystemTime::from(before);
        for entry in fs::read_dir(path).map_err(Error::internal)? {
            let entry = entry.map_err(Error::internal)?;
            let is_unfinished = entry.file_name().to_string_lossy().contains('#');
            let is_old = entry
                .metadata()
                .and_then(|about| about.modified())
                .is_ok_and(|modified| modified < before);
            if is_unfinished && is_old {
                fs::remove_file(entry.path()).map_err(Error::internal)?;
            }
        }
        Ok(())
    }
}

fn folder(path: &Path) -> Result<Arc<dyn ObjectStore>> {
    let unusable = |cause: &dyn std::fmt::Display| {
        Error::Setup(format!(
            "the folder {} cannot be used for files ({cause}): make it writable, or name another \
             with blobs.folder",
            path.display()
        ))
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|cause| unusable(&cause))?;
    let opened = LocalFileSystem::new_with_prefix(path).map_err(|cause| unusable(&cause))?;
    Ok(Arc::new(opened.with_fsync(true)))
}

fn bucket(settings: &BucketSettings) -> Result<Arc<dyn ObjectStore>> {
    let wrong = |what: &str| Error::Setup(format!("blobs.bucket: {what}"));
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path);
        text.map(|text| text.trim().to_owned())
            .map_err(|cause| wrong(&format!("{} cannot be read: {cause}", path.display())))
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&settings.name)
        .with_region(&settings.region)
        .with_access_key_id(read(&settings.access_key_file)?)
        .with_secret_access_key(read(&settings.secret_key_file)?);
    if let Some(endpoint) = &settings.endpoint {
        let url: Url = endpoint.parse().map_err(|_unread| wrong("endpoint is no URL"))?;
        if url.scheme() != "https" && !settings.is_loopback() {
            return Err(wrong("endpoint is an https URL, or one of this machine"));
        }
        builder = builder.with_endpoint(endpoint).with_allow_http(url.scheme() == "http");
    }
    let store = builder.build();
    let store = store.map_err(|_unsaid| wrong("the service cannot be spoken to as it is set"))?;
    Ok(match settings.prefix.trim_matches('/') {
        "" => Arc::new(store),
        prefix => Arc::new(PrefixStore::new(store, prefix)),
    })
}
