//! Who may call: the installation's keys, the bearer tokens signed with them, and the provider by
//! whom people sign in.

mod keys;
mod login;
mod token;

pub use keys::Keys;
pub use login::{Attempt, Departure, Identity, Provider, Return};
pub use token::{Grant, Tokens};
