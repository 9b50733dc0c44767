//! Who may call: the installation's keys, the tokens signed with them, what others show us, and the
//! provider by whom people sign in.

mod assertion;
mod guard;
mod key_sets;
mod keys;
mod login;
mod notary;
mod ring;
mod secret;
mod token;

pub use assertion::{Assertion, SKEW_S};
pub use guard::Guard;
pub use key_sets::KeySets;
pub use keys::Keys;
pub use login::{Attempt, Departure, Identity, Provider, Return};
pub use notary::{Notary, signer};
pub use ring::{AFTER_S, AHEAD_S, Ring, RingKey, Signing};
pub use secret::{SecretHash, digest, name, same, secret};
pub use token::{Grant, Tokens, Verified};
