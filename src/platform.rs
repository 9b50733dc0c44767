//! The platform port: how a platform's records reach the gateway, and how each side knows the
//! other. What is in them is not its business.

mod body;
mod folder;
mod http;
mod secret;
mod signature;
mod source;

pub use self::body::{Body, Coding, Fault, Limits, Spool};
pub use self::folder::FolderSource;
pub use self::http::{Credential, Endpoint, HttpSource};
pub use self::secret::Secret;
pub use self::signature::{Message, SKEW};
pub use self::source::{Asked, Page, Source, Trouble};
