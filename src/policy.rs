//! Who may see what. Pure: no I/O, no clock of its own.

mod audit;
mod permit;

pub use audit::{AUDIT_EVENT, AuditPermit, Reach};
pub use permit::{Action, Permit, Principal};
