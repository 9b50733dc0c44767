//! The signing keys, looked at again while the server runs, so that a rotation needs no restart.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::{Keys, Tokens};
use crate::error::Error;

/// How often the file is looked at: much oftener than a new key is published ahead.
const EVERY: Duration = Duration::from_mins(1);

/// Goes on with the keys that are in the file, for as long as it is polled.
pub(super) async fn renew(data: PathBuf, tokens: Arc<Tokens>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let data = data.clone();
        let read = tokio::task::spawn_blocking(move || Keys::open(&data)).await;
        let renewed = read.map_err(Error::internal).and_then(|keys| tokens.renew(&keys?));
        if let Err(failure) = renewed {
            tracing::warn!(cause = %failure, "the signing keys could not be read again");
        }
    }
}
