//! Who may call: the installation's keys, and the bearer tokens signed with them.

mod keys;
mod notary;
mod token;

pub use keys::Keys;
pub use notary::Notary;
pub use token::{Grant, Tokens};
