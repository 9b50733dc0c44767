//! Who may see what. Pure: no I/O, no clock of its own.

mod clause;
mod permit;
mod principal;
mod scope;

pub use clause::{Clause, OUTSIDE, Reach};
pub use permit::{Action, Permit};
pub use principal::{FhirUser, Principal, UserType};
pub use scope::{Form, Level, Plain, ResourceScope, Rights, Scope, Scopes};
