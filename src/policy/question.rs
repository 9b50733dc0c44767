//! What the rules are asked.

use jiff::Timestamp;

use super::actor::Actor;
use super::decision::Obligations;
use super::directive::Directive;
use super::item::Item;
use super::law::Law;
use super::patient::Patient;
use super::purpose::Purpose;
use super::words::words;

words! {
    /// Under which policy a practice lets records out.
    Regime {
        /// HIPAA, and nothing without a consent.
        OptIn = "us-hipaa-opt-in",
        /// HIPAA, and treatment, payment and operations without one.
        Tpo = "us-hipaa-tpo",
        /// The General Data Protection Regulation.
        Gdpr = "gdpr",
    }
}

words! {
    /// By which way something would be seen.
    Means {
        /// A read, a search, a page, a count.
        Query = "query",
        /// A file with many.
        Export = "export",
        /// The job that releases what is kept apart.
        Release = "release",
    }
}

/// What is to be decided.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub actor: &'a Actor,
    /// What for; nothing if they did not say.
    pub purpose: Option<Purpose>,
    /// By which way.
    pub means: Means,
    /// Whether scopes, registration and tenant cover it.
    pub covered: bool,
    /// Whose it is.
    pub patient: &'a Patient,
    /// What it is.
    pub item: &'a Item,
    /// The patient's consents; nothing if they cannot be had.
    pub directives: Option<&'a [Directive]>,
    /// The practice's policy.
    pub regime: Regime,
    /// The glass that was broken, if any.
    pub emergency: Option<&'a Emergency>,
    /// Which conditions can be met on this way.
    pub able: Obligations,
    /// When.
    pub at: Timestamp,
    /// The law.
    pub law: &'a Law,
}

/// A glass that somebody broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emergency {
    /// Why, in their own words.
    pub reason: String,
    /// Whether they proved again who they are.
    pub proven_again: bool,
    /// When.
    pub since: Timestamp,
}
