//! Kept files whose time is over, taken away.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::blobs::Blobs;
use crate::clock::Clock;

/// How often it is looked.
const EVERY: Duration = Duration::from_mins(5);

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
