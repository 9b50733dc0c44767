//! A file that holds a secret alone, so that the secret is in no file of settings.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::error::{Error, Result};

/// Reads it; a line end after the secret is no part of it. Nobody but its owner and group may be
/// able to read it.
pub(super) fn read(path: &Path) -> Result<String> {
    let wrong = |what: &str| Error::Setup(format!("the secret {}: {what}", path.display()));
    let about = fs::metadata(path).map_err(|cause| wrong(&cause.to_string()))?;
    if about.permissions().mode() & 0o007 != 0 {
        return Err(wrong("everybody can read it: chmod 600 it"));
    }
    let text = fs::read_to_string(path).map_err(|cause| wrong(&cause.to_string()))?;
    let text = text.trim_end().to_owned();
    if text.is_empty() { Err(wrong("it is empty")) } else { Ok(text) }
}
