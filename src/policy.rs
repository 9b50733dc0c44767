//! Who may see what. Pure: no I/O, no clock of its own.

mod permit;

pub use permit::{Action, Permit, Principal};
