//! What is kept apart: psychotherapy notes (45 CFR 164.501) and SUD counselling notes (42 CFR
//! 2.11). They exist for no general path; the release job is their only way out.

use super::actor::{Actor, Role};
use super::conflict::InForce;
use super::decision::{Decision, Obligations};
use super::directive::{Directive, Form, ids};
use super::item::NoteClass;
use super::purpose::Purpose;
use super::question::{Means, Question, Regime};
use super::rule::{self, Rule};

/// Decides about what is kept apart; nothing about anything else.
pub(super) fn decide(
    q: &Question<'_>,
    purpose: Purpose,
    in_force: &InForce<'_>,
) -> Option<Decision> {
    if q.item.is_sud_counseling() {
        return Some(counseling(q, purpose, in_force));
    }
    q.item.is_psychotherapy().then(|| psychotherapy(q, purpose, in_force))
}

fn psychotherapy(q: &Question<'_>, purpose: Purpose, in_force: &InForce<'_>) -> Decision {
    let by_job = q.means == Means::Release;
    match q.actor {
        _ if purpose.is_emergency() => Decision::deny(rule::C2_8),
        _ if purpose == Purpose::Legal => Decision::deny(rule::C2_4),
        Actor::Patient { .. } | Actor::Proxy(_) if !by_job => Decision::deny(rule::C1_2),
        _ if !by_job => Decision::deny(rule::P3_PSYCHOTHERAPY),
        Actor::Custodian => Decision::deny(rule::P3_PSYCHOTHERAPY),
        // Labelled as one, and not kept apart as one: nobody can say what it is.
        _ if q.item.note != Some(NoteClass::Psychotherapy) => {
            Decision::deny(rule::P3_PSYCHOTHERAPY)
        }
        Actor::Patient { verified: true } if purpose == Purpose::PatientRequest => patient(q),
        Actor::Patient { .. } | Actor::Proxy(_) => Decision::deny(rule::C1_2),
        Actor::Staff(member) => match member.role {
            Role::Therapist if member.assigned && !member.own_chart => {
                Decision::permit(rule::C2_1).under(Obligations::AUDIT_APART)
            }
            Role::Supervisor => Decision::deny(rule::C2_3),
            _ => Decision::deny(rule::C2_2),
        },
        Actor::Recipient(_) => released(q, purpose, in_force, Form::Psychotherapy, rule::C2_2, {
            let other_forms = |one: &Directive| {
                one.permits && one.form != Form::Psychotherapy && one.lists_notes(q.item)
            };
            if q.directives.unwrap_or_default().iter().any(other_forms) {
                rule::C2_6
            } else if purpose.is_minimised() {
                rule::C2_5
            } else {
                rule::C2_2
            }
        }),
    }
}

/// The patient's own: where the law knows no exception, or its author decides so.
fn patient(q: &Question<'_>) -> Decision {
    match (q.regime, q.item.withheld) {
        (Regime::Gdpr, None) => Decision::permit(rule::C2_GDPR).under(Obligations::AUDIT_APART),
        (_, None) if q.item.of_record => {
            Decision::permit(rule::C2_7).under(Obligations::AUDIT_APART)
        }
        _ => Decision::deny(rule::C1_2),
    }
}

fn counseling(q: &Question<'_>, purpose: Purpose, in_force: &InForce<'_>) -> Decision {
    if q.means != Means::Release || !matches!(q.actor, Actor::Recipient(_)) {
        return Decision::deny(rule::P3_SUD_COUNSELING);
    }
    let part2 = Obligations::PART2_NOTICE.and(Obligations::CONSENT_COPY).and(Obligations::ACCOUNT);
    match purpose {
        purpose if purpose.is_emergency() => Decision::deny(rule::P3_SUD_COUNSELING),
        Purpose::Legal => Decision::deny(rule::P2_LEGAL),
        purpose => {
            let form = Form::Part2Counseling;
            let decision = released(q, purpose, in_force, form, rule::C3_5, rule::C3_5);
            let permits = decision.permits;
            decision.under(part2.when(permits))
        }
    }
}

/// By a consent of the one right form, and not against any other.
fn released(
    q: &Question<'_>,
    purpose: Purpose,
    in_force: &InForce<'_>,
    form: Form,
    by: &'static Rule,
    otherwise: &'static Rule,
) -> Decision {
    let matching = in_force.matching();
    let permits: Vec<_> = in_force
        .iter()
        .filter(|one| one.form == form && one.covers(q.actor, purpose, q.item, matching))
        .collect();
    let denies = in_force.denies(q.actor, purpose, q.item, &permits);
    if !denies.is_empty() {
        return Decision::deny(rule::P7_DENY).resting_on(ids(&denies));
    }
    if permits.is_empty() {
        return Decision::deny(otherwise);
    }
    Decision::permit(by).resting_on(ids(&permits)).under(Obligations::AUDIT_APART)
}
