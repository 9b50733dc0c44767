//! The pipeline: the first rule with a final answer decides.
//!
//! Deny on any doubt. Nothing here reads a clock, a store or a file.

use super::actor::{Actor, Recipient, Standing};
use super::conflict::InForce;
use super::decision::{Decision, Obligations};
use super::directive::{Directive, Form, ids};
use super::emergency;
use super::item::{Item, NoteClass, Status, transfer_to};
use super::purpose::Purpose;
use super::question::{Question, Regime};
use super::rule::{self, Rule};
use super::{access, apart, staff};
use crate::domain::Kind;

/// Decides.
pub fn decide(question: &Question<'_>) -> Decision {
    let decision = answer(question);
    if decision.permits && !question.able.include(decision.obligations) {
        return Decision::deny(rule::P0_OBLIGATION);
    }
    decision
}

fn answer(q: &Question<'_>) -> Decision {
    if let Some(rule) = never(q) {
        return Decision::deny(rule);
    }
    if *q.actor == Actor::Custodian {
        return own_use(q);
    }
    let Some(purpose) = q.purpose else { return Decision::deny(rule::P0_PURPOSE) };
    if matches!(q.item.kind, Kind::Organization | Kind::Staff) && !q.item.labels.unknown {
        return Decision::permit(rule::DIRECTORY);
    }
    let Some(directives) = q.directives else { return Decision::deny(rule::P0_STORE) };
    if let Some(rule) = undecidable(q.item) {
        return Decision::deny(rule);
    }
    let in_force = InForce::of(directives, q.patient, q.law, q.at);
    if let Some(decision) = apart::decide(q, purpose, &in_force) {
        return decision;
    }
    if is_legal(q.actor, purpose) {
        return Decision::deny(rule::P2_LEGAL);
    }
    let decision = match q.actor {
        Actor::Custodian => own_use(q),
        Actor::Patient { verified } => access::patient(q, *verified, purpose),
        Actor::Proxy(proxy) => access::proxy(q, proxy, purpose, &in_force),
        Actor::Staff(member) => staff::decide(q, member, purpose, &in_force),
        Actor::Recipient(recipient) => outside(q, recipient, purpose, &in_force),
    };
    decision.under(Obligations::REDACT.when(q.item.redacted))
}

/// What holds for everybody, the practice itself included.
fn never(q: &Question<'_>) -> Option<&'static Rule> {
    if !q.covered {
        return Some(rule::P1_SCOPE);
    }
    if q.item.note == Some(NoteClass::Supervision) {
        return Some(rule::P3_SUPERVISION);
    }
    None
}

/// The practice's own use of its own records.
fn own_use(q: &Question<'_>) -> Decision {
    match q.item {
        _ if q.purpose == Some(Purpose::Legal) => Decision::deny(rule::P2_LEGAL),
        item if item.is_psychotherapy() => Decision::deny(rule::P3_PSYCHOTHERAPY),
        item if item.is_sud_counseling() => Decision::deny(rule::P3_SUD_COUNSELING),
        _ => Decision::permit(rule::OWN_USE),
    }
}

/// Why nothing can be said about an item.
fn undecidable(item: &Item) -> Option<&'static Rule> {
    match item.status {
        Status::Void => Some(rule::P0_VOID),
        Status::Unknown => Some(rule::P0_UNKNOWN),
        Status::Draft => Some(rule::P0_DRAFT),
        Status::Final if item.labels.machine_drafted => Some(rule::P0_DRAFT),
        Status::Final if item.labels.unknown => Some(rule::P0_UNKNOWN),
        Status::Final if item.note == Some(NoteClass::Unknown) => Some(rule::P0_UNKNOWN),
        Status::Final if item.note.is_none() && item.kind == Kind::SessionNote => {
            Some(rule::P0_UNKNOWN)
        }
        Status::Final => None,
    }
}

fn is_legal(actor: &Actor, purpose: Purpose) -> bool {
    purpose == Purpose::Legal
        || matches!(actor, Actor::Recipient(recipient) if recipient.standing == Standing::Legal)
}

/// An outside recipient.
fn outside(
    q: &Question<'_>,
    recipient: &Recipient,
    purpose: Purpose,
    in_force: &InForce<'_>,
) -> Decision {
    if q.item.kind == Kind::RecordRequest {
        return Decision::deny(rule::P8_OTHERS_REQUEST);
    }
    let restrictions = in_force.restrictions(q.actor, purpose, q.item);
    if purpose.is_emergency() {
        return emergency::decide(q, !restrictions.is_empty());
    }
    if !restrictions.is_empty() {
        let rule = if q.item.labels.part2 { rule::C3_10 } else { rule::P5_RESTRICTION };
        return Decision::deny(rule).resting_on(ids(&restrictions));
    }
    if let Some(own) = in_force.iter().find(|one| is_own_form(one, q)) {
        return Decision::permit(rule::P8_OWN_FORM).resting_on([own.id.as_str()]);
    }
    if is_form(q) {
        return Decision::deny(rule::P8_OTHERS_FORM);
    }
    let is_transfer = q.item.kind == Kind::Transfer;
    if is_transfer && q.item.related != transfer_to(&recipient.client_id) {
        return Decision::deny(rule::P8_OTHERS_TRANSFER);
    }
    let mut permits = in_force.permits(q.actor, purpose, q.item);
    let mut grounds = rule::P8_PERMIT;
    if is_transfer {
        permits = whose_it_is(q, purpose, in_force);
        grounds = rule::P8_OWN_TRANSFER;
    } else if permits.is_empty() && q.item.is_demographic() {
        permits = whose_it_is(q, purpose, in_force);
        grounds = rule::P8_SUBJECT;
    }
    if q.item.labels.part2 {
        match part2(q, purpose, &permits) {
            Ok((held, by)) => {
                permits = held;
                grounds = if grounds == rule::P8_PERMIT { by } else { grounds };
            }
            Err(rule) => return Decision::deny(rule),
        }
    }
    let denies = in_force.denies(q.actor, purpose, q.item, &permits);
    if !denies.is_empty() {
        return Decision::deny(rule::P7_DENY).resting_on(ids(&denies));
    }
    if permits.is_empty() {
        return by_policy(q, recipient, purpose);
    }
    let part2 = Obligations::PART2_NOTICE.and(Obligations::CONSENT_COPY).and(Obligations::ACCOUNT);
    Decision::permit(grounds)
        .resting_on(ids(&permits))
        .under(part2.when(q.item.labels.part2))
        .under(Obligations::MINIMUM.when(purpose.is_minimised()))
}

/// Whether the item is a consent that names the actor, or its signed form.
fn is_own_form(one: &Directive, q: &Question<'_>) -> bool {
    is_of(one, q.item) && one.permits && one.names(q.actor, q.law)
}

/// Whether the item is a consent, or the signed form of one.
fn is_form(q: &Question<'_>) -> bool {
    let said = q.directives.unwrap_or_default();
    q.item.kind == Kind::Consent || said.iter().any(|one| is_of(one, q.item))
}

/// Whether the item is this consent, or its signed form.
fn is_of(one: &Directive, item: &Item) -> bool {
    let form = one.evidence.as_ref().map(|id| format!("{}/{id}", Kind::Attachment));
    match item.kind {
        Kind::Consent => item.related == format!("{}/{}", Kind::Consent, one.id),
        Kind::Attachment => Some(&item.related) == form.as_ref(),
        _ => false,
    }
}

/// The yeses by which whoever sees something of the patient may see whose it is.
fn whose_it_is<'a>(
    q: &Question<'_>,
    purpose: Purpose,
    in_force: &InForce<'a>,
) -> Vec<&'a Directive> {
    let matching = in_force.matching();
    in_force
        .iter()
        .filter(|one| !q.item.tells_of_a_program() || one.form.is_part2())
        .filter(|one| one.addresses(q.actor, purpose, matching))
        .collect()
}

/// Of these yeses those that hold Part 2 records open, and by which rule; or why none does.
fn part2<'a>(
    q: &Question<'_>,
    purpose: Purpose,
    permits: &[&'a Directive],
) -> Result<(Vec<&'a Directive>, &'static Rule), &'static Rule> {
    let for_tpo = matches!(purpose, Purpose::Treatment | Purpose::Payment | Purpose::Operations);
    let holds = |one: &&&Directive| match one.form {
        Form::Part2Tpo => for_tpo,
        Form::Part2Disclosure => true,
        _ => false,
    };
    let held: Vec<_> = permits.iter().filter(holds).copied().collect();
    if let Some(first) = held.first() {
        let by = if first.form == Form::Part2Tpo { rule::C3_2 } else { rule::C3_3 };
        return Ok((held, by));
    }
    if !permits.is_empty() {
        return Err(rule::C3_4);
    }
    let all = q.directives.unwrap_or_default();
    let lacks = |one: &&Directive| one.form.is_part2() && one.permits && !one.defects.is_empty();
    let proceedings = |one: &&Directive| one.form == Form::Part2Proceedings && one.permits;
    let passed_on = |one: &&Directive| {
        one.form.is_part2() && one.permits && !one.names(q.actor, q.law) && one.is_passed_on()
    };
    Err(match all {
        all if all.iter().any(|one| lacks(&one)) => rule::C3_8,
        all if all.iter().any(|one| proceedings(&one)) => rule::C3_6,
        all if all.iter().any(|one| passed_on(&one)) => rule::C3_13,
        _ => rule::C3_3,
    })
}

/// What the practice's policy says where the patient said nothing.
fn by_policy(q: &Question<'_>, recipient: &Recipient, purpose: Purpose) -> Decision {
    let treats = matches!(recipient.standing, Standing::Treating | Standing::Emergency);
    let pays = recipient.standing == Standing::Payer;
    match q.regime {
        Regime::OptIn => Decision::deny(rule::P9_OPT_IN),
        Regime::Gdpr => Decision::deny(rule::P9_GDPR),
        Regime::Tpo if purpose == Purpose::Treatment && treats => Decision::permit(rule::P9_TPO),
        Regime::Tpo if purpose.is_minimised() && (treats || pays) && staff::is_billed(q.item) => {
            Decision::permit(rule::P9_TPO).under(Obligations::MINIMUM)
        }
        Regime::Tpo => Decision::deny(rule::P9_TPO_OTHER),
    }
}
