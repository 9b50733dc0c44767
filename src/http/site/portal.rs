//! The portal: what is kept about somebody, shown to them, and what they can ask about it.
//!
//! Every page reads under a permit of the person at the browser, as their own app would, and the gate
//! writes down what it showed. What they may not see looks like what is not there.

mod ask;
mod consents;
mod copy;
pub(super) mod correction;
mod entry;
mod graph;
mod guest;
mod plan;
mod reader;
mod record;
pub(super) mod requests;
mod seen;
mod text;
mod timeline;
pub(super) mod wording;

pub(in crate::http) use self::ask::{ask, asked};
pub(in crate::http) use self::consents::{
    consents, end as consent_end, ending as consent_ending, form as consent_form,
    plan as consent_plan, sign as consent_sign,
};
pub(in crate::http) use self::copy::copy;
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
/// Where a copy is taken from.
pub(in crate::http) const COPY: &str = "/portal/copy";
/// Who has seen the record.
pub(in crate::http) const SEEN: &str = "/portal/seen";
/// The consents.
pub(in crate::http) const CONSENTS: &str = "/portal/consents";
/// Where one is given, or changed.
pub(in crate::http) const CONSENT_FORM: &str = "/portal/consents/give";
/// What that would change.
pub(in crate::http) const CONSENT_PLAN: &str = "/portal/consents/plan";
/// Where it is signed.
pub(in crate::http) const CONSENT_SIGN: &str = "/portal/consents/sign";
/// Where one is taken back.
pub(in crate::http) const CONSENT_END: &str = "/portal/consents/end";
/// A whole message.
pub(in crate::http) const MESSAGES: &str = "/portal/messages";
/// A whole document.
pub(in crate::http) const NOTES: &str = "/portal/notes";
