//! The practice itself: emergencies, roles, and the regimes of policy.

use super::{Table, items};
use crate::domain::Kind;
use crate::policy::tests::fixture::*;
use crate::policy::*;

pub(super) fn emergencies(table: &mut Table) {
    table.section("Emergencies");
    let glass = || Emergency {
        reason: "Unresponsive in our emergency room".to_owned(),
        proven_again: true,
        since: instant("2026-11-27T11:50:00Z"),
    };
    let ask =
        |actor| Case { emergency: Some(glass()), ..Case::new().by(actor, Purpose::BreakGlass) };
    let er = || recipient(Standing::Emergency);
    let recent = |kind, codes| Item { for_emergencies: true, ..item(kind, codes) };
    let needed = || item(Kind::Client, &["N"]);
    for (what, item) in items() {
        table.row("emergency room", what, "glass broken", &ask(er()).about(item));
    }
    table.row(
        "emergency room",
        "active diagnosis",
        "glass broken",
        &ask(er()).about(recent(Kind::Diagnosis, THERAPY)),
    );
    table.row(
        "emergency room",
        "active Part 2 diagnosis",
        "glass broken",
        &ask(er()).about(recent(Kind::Diagnosis, PROGRAM)),
    );
    table.row(
        "emergency room",
        "late session",
        "a no to all",
        &ask(er()).about(recent(Kind::SessionLog, THERAPY)).with(&[no(Form::Release)]),
    );
    table.row(
        "emergency room",
        "late session",
        "an agreed restriction",
        &ask(er()).about(recent(Kind::SessionLog, THERAPY)).with(&[no(Form::Restriction)]),
    );
    table.row(
        "emergency room",
        "treatment plan",
        "glass broken",
        &ask(er()).about(item(Kind::TreatmentPlan, THERAPY)),
    );
    table.row(
        "therapist",
        "active diagnosis",
        "glass broken, not assigned",
        &ask(Actor::Staff(Staff { assigned: false, ..staff(Role::Therapist) }))
            .about(recent(Kind::Diagnosis, THERAPY)),
    );
    table.row(
        "biller",
        "demographics",
        "glass broken",
        &ask(Actor::Staff(staff(Role::Biller))).about(needed()),
    );
    table.row(
        "treating practice",
        "demographics",
        "not registered for emergencies",
        &ask(recipient(Standing::Treating)).about(needed()),
    );
    let mut case = ask(er()).about(needed());
    case.emergency = None;
    table.row("emergency room", "demographics", "no reason given", &case);
    case.emergency = Some(Emergency { reason: "Need it".to_owned(), ..glass() });
    table.row("emergency room", "demographics", "a reason of 7 characters", &case);
    case.emergency = Some(Emergency { proven_again: false, ..glass() });
    table.row("emergency room", "demographics", "no second proof", &case);
    case.emergency = Some(Emergency { since: instant("2026-11-27T10:59:00Z"), ..glass() });
    table.row("emergency room", "demographics", "61 minutes ago", &case);
    case.emergency = Some(glass());
    table.row("emergency room", "demographics", "as an export", &case.clone().via(Means::Export));
    table.row(
        "emergency room",
        "demographics",
        "ETREAT",
        &case.by(er(), Purpose::EmergencyTreatment),
    );
}

pub(super) fn roles(table: &mut Table) {
    table.section("The practice's staff");
    let mut things = items();
    things.push(("appointment", item(Kind::Appointment, THERAPY)));
    things.push(("consent", item(Kind::Consent, THERAPY)));
    let purposes = [
        (Role::Therapist, Purpose::Treatment),
        (Role::Supervisor, Purpose::Treatment),
        (Role::Admin, Purpose::Operations),
        (Role::Biller, Purpose::Payment),
        (Role::PrivacyOfficer, Purpose::PatientRequest),
        (Role::PrivacyOfficer, Purpose::Operations),
    ];
    for (role, purpose) in purposes {
        for (what, item) in things.clone() {
            let case = Case::new().by(Actor::Staff(staff(role)), purpose).about(item);
            table.row(role.as_str(), what, "assigned, where it matters", &case);
        }
    }
    let ask = |member| Case::new().by(Actor::Staff(member), Purpose::Treatment);
    table.row(
        "therapist",
        "session",
        "not assigned",
        &ask(Staff { assigned: false, ..staff(Role::Therapist) }),
    );
    table.row(
        "therapist",
        "session",
        "their own record",
        &ask(Staff { own_chart: true, ..staff(Role::Therapist) }),
    );
    let named = Party {
        kind: PartyKind::Person,
        id: Some("st_2".to_owned()),
        name: "Marisol Ruiz".to_owned(),
        npi: None,
        clients: vec![],
    };
    let restriction = Directive { parties: vec![named], ..no(Form::Restriction) };
    table.row(
        "therapist",
        "session",
        "an agreed restriction names them",
        &ask(staff(Role::Therapist)).with(&[restriction]),
    );
}

pub(super) fn regimes(table: &mut Table) {
    table.section("The practice's policy, where the patient said nothing");
    for regime in Regime::ALL {
        for standing in [Standing::Treating, Standing::Payer, Standing::Other] {
            for purpose in [
                Purpose::Treatment,
                Purpose::Payment,
                Purpose::Operations,
                Purpose::CareManagement,
                Purpose::Research,
            ] {
                for (what, item) in [
                    ("session", item(Kind::SessionLog, THERAPY)),
                    ("progress note", note(NoteClass::Progress, THERAPY)),
                ] {
                    let case =
                        Case::new().about(item).by(recipient(standing), purpose).under(*regime);
                    table.row(standing.as_str(), what, regime.as_str(), &case);
                }
            }
        }
    }
}
