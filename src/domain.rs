//! The vocabulary: tenants, record kinds, source records and the ids of the resources made of them.
//! Nothing here does I/O.

mod id;
mod kind;
mod record;
mod source;
mod wording;

pub use id::{FhirId, IdKey, TenantId, TenantIds};
pub use kind::Kind;
pub use record::{Coding, Op, Record};
pub use source::{SourceId, SourceName};
pub use wording::fill;
