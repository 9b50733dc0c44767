//! Access by the patient, and by those who act for them.

use super::actor::{Authority, AuthorityKind, Powers, Proxy};
use super::conflict::InForce;
use super::decision::Decision;
use super::directive::ids;
use super::item::{Asker, Ground, requested_by};
use super::label::Sensitivity;
use super::law::Parents;
use super::patient::Majority;
use super::purpose::Purpose;
use super::question::{Question, Regime};
use super::rule::{self, Rule};
use crate::domain::Kind;

/// The patient.
pub(super) fn patient(q: &Question<'_>, verified: bool, purpose: Purpose) -> Decision {
    if !verified {
        return Decision::deny(rule::C1_10);
    }
    if purpose != Purpose::PatientRequest {
        return Decision::deny(rule::P0_PURPOSE);
    }
    if is_of_others(q, Asker::Patient) {
        return Decision::deny(rule::P8_OTHERS_REQUEST);
    }
    match withheld(q) {
        Some(rule) => Decision::deny(rule),
        None if q.item.labels.part2 => Decision::permit(rule::C1_14),
        None => Decision::permit(rule::C1_1),
    }
}

/// Whether the item is a request that somebody else made: what they wrote, and what was written to them.
fn is_of_others(q: &Question<'_>, who: Asker<'_>) -> bool {
    q.item.kind == Kind::RecordRequest && q.item.related != requested_by(who)
}

/// Why something is withheld from the patient.
fn withheld(q: &Question<'_>) -> Option<&'static Rule> {
    let item = q.item;
    if !item.of_record && q.regime != Regime::Gdpr {
        return Some(rule::C1_16);
    }
    if item.labels.under_review {
        return Some(rule::C1_REVIEW);
    }
    let withheld = item.withheld.filter(|one| one.until.is_none_or(|until| q.at < until))?;
    Some(match withheld.ground {
        Ground::Litigation => rule::C1_3,
        Ground::ConfidentialSource => rule::C1_4,
        Ground::Endangers => rule::C1_5,
        Ground::HarmsAnother => rule::C1_6,
        // No ground against the patient themself, but not one that can be overruled here.
        Ground::HarmByRepresentative | Ground::Unstated => rule::C1_REVIEW,
    })
}

/// Somebody who acts for the patient.
pub(super) fn proxy(
    q: &Question<'_>,
    proxy: &Proxy,
    purpose: Purpose,
    in_force: &InForce<'_>,
) -> Decision {
    if !matches!(purpose, Purpose::FamilyRequest | Purpose::PatientRequest) {
        return Decision::deny(rule::P0_PURPOSE);
    }
    let barred = proxy.restrictions.iter().any(|restriction| restriction.term.holds(q.at));
    if barred {
        return Decision::deny(rule::C4_8);
    }
    if is_of_others(q, Asker::Party(&proxy.id)) {
        return Decision::deny(rule::P8_OTHERS_REQUEST);
    }
    let restrictions = in_force.restrictions(q.actor, purpose, q.item);
    if !restrictions.is_empty() {
        return Decision::deny(rule::P5_RESTRICTION).resting_on(ids(&restrictions));
    }
    if let Some(rule) = harmful(q) {
        return Decision::deny(rule);
    }
    if let Some(rule) = withheld(q) {
        return Decision::deny(rule);
    }
    let permits = in_force.permits(q.actor, purpose, q.item);
    let denies = in_force.denies(q.actor, purpose, q.item, &permits);
    if !denies.is_empty() {
        return Decision::deny(rule::P7_DENY).resting_on(ids(&denies));
    }
    if !permits.is_empty() {
        return Decision::permit(rule::C4_14).resting_on(ids(&permits));
    }
    by_authority(q, proxy)
}

/// Why something would do harm in the hands of whoever acts for the patient.
fn harmful(q: &Question<'_>) -> Option<&'static Rule> {
    let item = q.item;
    let violence = [Sensitivity::DomesticViolence, Sensitivity::Violence];
    if violence.iter().any(|one| item.labels.has(*one)) {
        return Some(rule::C4_7);
    }
    (item.withheld_from_proxies).then_some(rule::C1_7)
}

/// The best that any of the authorities opens, or the last reason why none does.
fn by_authority(q: &Question<'_>, proxy: &Proxy) -> Decision {
    let mut reason = rule::C4_12;
    for authority in proxy.authorities.iter().filter(|one| one.evidenced && one.term.holds(q.at)) {
        match opens(q, authority) {
            Ok(rule) => return Decision::permit(rule),
            Err(rule) => reason = rule,
        }
    }
    Decision::deny(reason)
}

fn opens(q: &Question<'_>, authority: &Authority) -> Result<&'static Rule, &'static Rule> {
    if q.patient.died.is_some_and(|died| died <= q.at) {
        return of_the_deceased(q, authority);
    }
    let rule = match authority.kind {
        AuthorityKind::None => return Err(rule::C4_12),
        AuthorityKind::LegalGuardian => of_a_minor(q)?,
        AuthorityKind::PowerOfAttorney | AuthorityKind::CourtOrder => rule::C4_11,
    };
    reaches(q, authority.powers).map(|()| rule)
}

/// Whether an authority reaches an item.
fn reaches(q: &Question<'_>, powers: Powers) -> Result<(), &'static Rule> {
    match powers {
        Powers::All | Powers::Clinical => Ok(()),
        Powers::Scheduling if is_scheduling(q) => Ok(()),
        Powers::Scheduling => Err(rule::C4_13),
        Powers::Unknown => Err(rule::C4_12),
    }
}

fn is_scheduling(q: &Question<'_>) -> bool {
    q.item.kind == Kind::Appointment || q.item.is_demographic()
}

/// A parent or guardian of a minor.
fn of_a_minor(q: &Question<'_>) -> Result<&'static Rule, &'static Rule> {
    let patient = q.patient;
    if patient.majority(q.law, q.at) != Majority::Minor || patient.emancipated {
        return Err(rule::C4_6);
    }
    let law = q.law.of(&patient.jurisdiction);
    let alone = q.item.labels.has(Sensitivity::Adolescent) || patient.consented_alone;
    let of_age =
        |from: Option<i16>| from.is_some_and(|age| patient.reached(age, q.at) != Some(false));
    if q.item.labels.part2 && (alone || of_age(law.substance_use_alone_from)) {
        return Err(rule::C4_4);
    }
    if is_scheduling(q) && !alone {
        return Ok(rule::C4_1);
    }
    if alone || patient.decides_alone {
        return Err(rule::C4_2);
    }
    if of_age(law.consents_alone_from) && law.parents != Parents::Permitted {
        return Err(rule::C4_3);
    }
    Ok(rule::C4_1)
}

/// An executor.
fn of_the_deceased(q: &Question<'_>, by: &Authority) -> Result<&'static Rule, &'static Rule> {
    let protected = q.patient.died.is_some_and(|died| {
        let died = died.to_zoned(q.patient.zone.clone()).date();
        let now = q.at.to_zoned(q.patient.zone.clone()).date();
        now.year() - died.year() < q.law.years_after_death
    });
    if by.kind == AuthorityKind::CourtOrder && protected {
        return reaches(q, by.powers).map(|()| rule::C4_10);
    }
    Err(rule::C4_12)
}
