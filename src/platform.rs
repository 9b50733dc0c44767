//! The platform port: how a platform's records reach the gateway, and how each side knows the
//! other. What is in them is not its business.

mod body;
mod secret;
mod signature;

pub use self::body::{Body, Coding, Fault, Limits, Spool};
pub use self::secret::Secret;
pub use self::signature::{Message, SKEW};
