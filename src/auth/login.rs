//! Who somebody is: the platform's OpenID provider says so (OpenID Connect Core 1.0).
//!
//! This knows the protocol only. Which record belongs to a person is for `exchange::people`.

mod claims;
mod http;
mod provider;

pub use self::claims::Identity;
pub use self::provider::{Attempt, Departure, Provider, Return};
