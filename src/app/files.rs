//! Kept files: where they lie, and those whose time is over, taken away.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::auth::Keys;
use crate::blobs::{BlobKey, Blobs, Place};
use crate::clock::Clock;
use crate::config::BlobSettings;
use crate::error::Result;

/// How often it is looked.
const EVERY: Duration = Duration::from_mins(5);

/// Keeps files where the settings say.
///
/// # Errors
///
/// `Setup`, with what to put right.
pub fn open_blobs(data: &Path, settings: &BlobSettings, keys: &Keys) -> Result<Blobs> {
    let place = Place::of(settings, data);
    Blobs::open(place, BlobKey::new(keys.blob_key()))
}

/// Takes files away for ever.
pub(super) async fn sweep(blobs: Blobs, clock: Arc<dyn Clock>) {
    loop {
        match blobs.sweep(clock.now()).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "kept files are over and taken away"),
            Err(error) => tracing::warn!(cause = %error, "kept files cannot be taken away"),
        }
        sleep(EVERY).await;
    }
}
