//! Who may call: the installation's keys, the tokens signed with them, and what others show us.

mod assertion;
mod guard;
mod key_sets;
mod keys;
mod notary;
mod ring;
mod secret;
mod token;

pub use assertion::{Assertion, SKEW_S};
pub use guard::Guard;
pub use key_sets::KeySets;
pub use keys::Keys;
pub use notary::Notary;
pub use ring::{AFTER_S, AHEAD_S, Ring, RingKey, Signing};
pub use secret::{SecretHash, digest, name, same, secret};
pub use token::{Grant, Tokens, Verified};
