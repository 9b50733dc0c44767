//! Who may call: the installation's keys, and the bearer tokens signed with them.

mod keys;
mod token;

pub use keys::Keys;
pub use token::{Grant, Tokens};
