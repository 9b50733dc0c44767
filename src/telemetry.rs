//! The log: text for people or JSON for machines, on standard error; and figures of the process.
//!
//! What never goes in: names, ids of resources, paths, query strings, tokens, bodies. A request is
//! known by its request id and by the pattern of its route.

mod process;

use std::io;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};
use crate::error::{Error, Result};

pub use self::process::{ProcessMeter, raise_open_files};

/// Starts the log of this process; a second call changes nothing.
pub fn start(log: &LogSettings) -> Result<()> {
    let filter = EnvFilter::try_new(&log.filter)
        .map_err(|cause| Error::Setup(format!("log.filter is not a log filter: {cause}")))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match log.format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    // The only cause is a log that was started before, which then stays.
    drop(started);
    Ok(())
}
