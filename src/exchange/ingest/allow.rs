//! What a patient's consents allow, worked out when something changes and kept as rows.
//!
//! The rules decide ([`crate::policy::decide`]); here they are asked ahead of time, for every
//! grantee whom the patient's records name, every class of record that the patient has, and every
//! stretch of time between two instants at which an answer could change. A query only looks the
//! answers up, so that nobody has to be trusted to filter.

mod compile;
mod consent;
mod guard;
mod people;

pub(crate) use self::compile::{Around, Case, OUTSIDE, allowed};
pub(crate) use self::guard::{dated, guard};
pub(crate) use self::people::acts_for;
pub(crate) use super::term::zone;

pub(in crate::exchange) use super::term::instant;
use super::term::{date, midnight};
