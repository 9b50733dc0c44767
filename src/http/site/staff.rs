//! The practice's desk: what its own people have to decide about records, in one place.
//!
//! A page of the desk lets a [`Member`](member::Member) in by the roles that it names, and joins the
//! way to the others by a row of [`TABS`]. Nobody meets their own record here, nor that of somebody
//! they act for: that is answered by somebody else.

mod case;
mod correction;
mod emergencies;
mod erasure;
mod letter;
mod member;
mod quarantine;
mod review;
mod transfers;
mod worklist;

pub(in crate::http) use self::case::{case, step};
pub(in crate::http) use self::emergencies::{emergencies_page as emergencies, judge};
pub(in crate::http) use self::erasure::erase;
pub(in crate::http) use self::letter::{letter, typed};
pub(in crate::http) use self::quarantine::quarantine;
pub(in crate::http) use self::review::{decide, entry, finish};
pub(in crate::http) use self::transfers::{hand_over, prepare, transfer, transfers};
pub(in crate::http) use self::worklist::desk;

use crate::http::html::Texts;
use crate::policy::Role;

/// The worklist.
pub(in crate::http) const DESK: &str = "/staff";
/// Where steps are sent.
pub(in crate::http) const STEPS: &str = "/staff/requests";

/// Where a request is typed in that came by letter.
pub(in crate::http) const LETTERS: &str = "/staff/letters";
/// Where decisions on entries are sent.
pub(in crate::http) const DECISIONS: &str = "/staff/decisions";
/// Where copies are ordered.
pub(in crate::http) const COPIES: &str = "/staff/copies";
/// Where an erasure that was granted is carried out.
pub(in crate::http) const ERASURES: &str = "/staff/erasures";
/// Accesses in an emergency.
pub(in crate::http) const EMERGENCIES: &str = "/staff/emergencies";
/// What could not be taken in.
pub(in crate::http) const QUARANTINE: &str = "/staff/quarantine";

/// Care that goes over to others.
pub(in crate::http) const TRANSFERS: &str = "/staff/transfers";
/// Where steps of a transfer are sent.
pub(in crate::http) const HANDOVERS: &str = "/staff/handovers";

/// Who works with requests about records.
const REQUESTS: &[Role] = &[Role::PrivacyOfficer, Role::Therapist, Role::Supervisor];

/// A page of the desk that others lead to.
struct Tab {
    /// Where it is.
    path: &'static str,
    /// What it is called.
    name: fn(&Texts) -> &String,
    /// Whom it is for: any of these roles.
    roles: &'static [Role],
}

/// The pages of the desk, in the order of its navigation.
const TABS: &[Tab] = &[
    Tab { path: DESK, name: |texts| &texts.desk.title, roles: REQUESTS },
    Tab { path: TRANSFERS, name: |texts| &texts.transfers.title, roles: REQUESTS },
    Tab {
        path: EMERGENCIES,
        name: |texts| &texts.emergencies.title,
        roles: &[Role::PrivacyOfficer],
    },
    Tab { path: QUARANTINE, name: |texts| &texts.quarantine.title, roles: &[Role::PrivacyOfficer] },
];
