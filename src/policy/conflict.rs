//! What several consents say together.
//!
//! Chains first: of consents that replace each other the newest valid one counts. What is not in
//! force is left out, save that a no is kept although it has defects. A consent matches where all
//! of its criteria do. A no prevails over a yes, unless the yes names this very recipient, the no
//! does not, the yes is later, and the no is no agreed restriction. Yeses add up, each within its
//! own limits. IHE PCF 1.1 leaves this to the policy of the domain; LEAP-CDS and others let the
//! newest win, which a practice cannot defend.

use jiff::Timestamp;

use super::actor::Actor;
use super::directive::{Directive, Form, Matching, State};
use super::item::Item;
use super::law::Law;
use super::patient::Patient;
use super::purpose::Purpose;

/// The consents of a patient that are in force at an instant.
pub(super) struct InForce<'a> {
    directives: Vec<&'a Directive>,
    law: &'a Law,
    at: Timestamp,
}

impl<'a> InForce<'a> {
    pub(super) fn of(all: &'a [Directive], patient: &Patient, law: &'a Law, at: Timestamp) -> Self {
        let counts =
            |one: &&Directive| one.is_in_force(patient, law, at) && !is_superseded(one, all);
        Self { directives: all.iter().filter(counts).collect(), law, at }
    }

    pub(super) fn matching(&self) -> Matching<'a> {
        Matching { law: self.law, at: self.at }
    }

    /// Each consent in force.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a Directive> {
        self.directives.iter().copied()
    }

    /// The yeses that reach the item.
    pub(super) fn permits(
        &self,
        who: &Actor,
        what_for: Purpose,
        item: &Item,
    ) -> Vec<&'a Directive> {
        let matching = self.matching();
        self.iter().filter(|one| one.permits(who, what_for, item, matching)).collect()
    }

    /// The agreed restrictions that reach the item.
    pub(super) fn restrictions(
        &self,
        who: &Actor,
        what_for: Purpose,
        item: &Item,
    ) -> Vec<&'a Directive> {
        let matching = self.matching();
        let is_one = |one: &&Directive| {
            one.form == Form::Restriction && one.denies(who, what_for, item, matching)
        };
        self.iter().filter(is_one).collect()
    }

    /// The noes that reach the item and that none of these yeses prevails over.
    pub(super) fn denies(
        &self,
        who: &Actor,
        what_for: Purpose,
        item: &Item,
        permits: &[&Directive],
    ) -> Vec<&'a Directive> {
        let matching = self.matching();
        let prevails = |deny: &Directive| {
            let is_later = |permit: &&&Directive| permit.signed > deny.signed;
            deny.form != Form::Restriction
                && deny.signed.is_some()
                && !deny.is_specific(who, self.law)
                && permits.iter().filter(is_later).any(|permit| permit.is_specific(who, self.law))
        };
        self.iter()
            .filter(|one| one.denies(who, what_for, item, matching) && !prevails(one))
            .collect()
    }
}

/// Whether another consent has replaced this one. Where that cannot be told, a yes has been.
fn is_superseded(one: &Directive, all: &[Directive]) -> bool {
    let replaces = |newer: &&Directive| {
        let counts = newer.is_valid() || (one.permits && newer.state == State::Unknown);
        let same_strength = one.form != Form::Restriction || newer.form == Form::Restriction;
        counts && same_strength && leads_to(newer, one, all)
    };
    // In a circle nobody can say which is the newer: a no stays.
    all.iter().filter(replaces).any(|newer| one.permits || !leads_to(one, newer, all))
}

/// Whether a chain of replacements leads from one to the other.
fn leads_to(from: &Directive, to: &Directive, all: &[Directive]) -> bool {
    let mut next = from.supersedes.as_deref();
    for _ in 0..all.len() {
        match next {
            Some(id) if id == to.id => return true,
            Some(id) => {
                let found = all.iter().find(|one| one.id == id);
                next = found.and_then(|one| one.supersedes.as_deref());
            }
            None => return false,
        }
    }
    false
}
