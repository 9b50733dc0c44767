//! What the search index depends on beside the resources: when it changes, the index of a store
//! has to be made anew.

use aws_lc_rs::digest::{SHA256, digest};

use super::param::{COMMON, TYPES};

/// The form of the index rows. It goes up when the same resource and the same parameters give
/// other rows than before.
const FORM: u32 = 5;

/// SHA-256, in hex, of the form of the rows and the table of parameters.
pub fn fingerprint() -> String {
    hex::encode(digest(&SHA256, format!("{FORM} {COMMON:?} {TYPES:?}").as_bytes()))
}
