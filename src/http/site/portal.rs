//! The portal: what is kept about somebody, shown to them, and what they can ask about it.
//!
//! Every page reads under a permit of the person at the browser, as their own app would, and the gate
//! writes down what it showed. What they may not see looks like what is not there.

mod ask;
mod consents;
mod entry;
mod graph;
mod guest;
mod plan;
mod reader;
mod record;
mod requests;
mod seen;
mod text;
mod timeline;
pub(super) mod wording;

pub(in crate::http) use self::ask::{ask, asked};
pub(in crate::http) use self::consents::consents;
pub(in crate::http) use self::entry::{message, note};
pub(in crate::http) use self::plan::plan;
pub(in crate::http) use self::record::record;
pub(in crate::http) use self::requests::{change, request, requests};
pub(in crate::http) use self::seen::seen;

/// The record.
pub(in crate::http) const PORTAL: &str = "/portal";
/// The plan, the goals and the scores.
pub(in crate::http) const PLAN: &str = "/portal/plan";
/// Where something is asked for.
pub(in crate::http) const ASK: &str = "/portal/ask";
/// What was asked for.
pub(in crate::http) const REQUESTS: &str = "/portal/requests";
/// Who has seen the record.
pub(in crate::http) const SEEN: &str = "/portal/seen";
/// The consents.
pub(in crate::http) const CONSENTS: &str = "/portal/consents";
/// A whole message.
pub(in crate::http) const MESSAGES: &str = "/portal/messages";
/// A whole document.
pub(in crate::http) const NOTES: &str = "/portal/notes";
