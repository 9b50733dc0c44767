//! Patients themselves, and who acts for them.

use super::{Table, items};
use crate::domain::Kind;
use crate::policy::tests::fixture::*;
use crate::policy::*;

pub(super) fn access(table: &mut Table) {
    table.section("The patient");
    let ask = || Case::new().by(Actor::Patient { verified: true }, Purpose::PatientRequest);
    for (what, item) in items() {
        table.row("patient", what, "verified", &ask().about(item));
    }
    let unverified = Actor::Patient { verified: false };
    table.row(
        "patient",
        "session",
        "not verified",
        &Case::new().by(unverified, Purpose::PatientRequest),
    );
    table.row(
        "patient",
        "session",
        "another purpose",
        &ask().by(Actor::Patient { verified: true }, Purpose::Treatment),
    );
    for ground in Ground::ALL {
        let withheld = Some(Withheld { ground: *ground, until: None });
        let item = Item { withheld, ..note(NoteClass::Progress, THERAPY) };
        table.row(
            "patient",
            "progress note",
            &format!("withheld: {}", ground.as_str()),
            &ask().about(item),
        );
    }
    let ended =
        Some(Withheld { ground: Ground::Endangers, until: Some(instant("2026-10-01T00:00:00Z")) });
    table.row(
        "patient",
        "progress note",
        "was withheld until October",
        &ask().about(Item { withheld: ended, ..note(NoteClass::Progress, THERAPY) }),
    );
    table.row(
        "patient",
        "progress note",
        "under review",
        &ask().about(note(NoteClass::Progress, &["R", "PSY", "NOPAT"])),
    );
    let aside = Item { of_record: false, ..item(Kind::Message, THERAPY) };
    table.row("patient", "automated reminder", "no record of care", &ask().about(aside.clone()));
    table.row(
        "patient",
        "automated reminder",
        "policy GDPR",
        &ask().about(aside).under(Regime::Gdpr),
    );
}

/// Who, under which circumstances, with which rights, and for whom.
type Row<'a> = (&'a str, &'a str, Proxy, Patient);

pub(super) fn proxies(table: &mut Table) {
    table.section("Those who act for the patient");
    let purpose = Purpose::FamilyRequest;
    let guardian = || proxy(AuthorityKind::LegalGuardian, Powers::All);
    let (young, old, grown) = (|| child("2018-01-01"), || child("2012-01-01"), adult);
    let things = || {
        [
            ("appointment", item(Kind::Appointment, THERAPY)),
            ("session", item(Kind::SessionLog, THERAPY)),
            ("progress note", note(NoteClass::Progress, THERAPY)),
            ("Part 2 session", item(Kind::SessionLog, PROGRAM)),
            ("session, abuse", item(Kind::SessionLog, &["R", "PSY", "SDV", "VIO"])),
        ]
    };
    let mut alone = old();
    alone.consented_alone = true;
    let mut free = old();
    free.emancipated = true;
    let mut dead = adult();
    dead.died = Some(instant("2020-01-01T00:00:00Z"));
    let mut long_dead = adult();
    long_dead.died = Some(instant("1960-01-01T00:00:00Z"));
    let barred = |kind| {
        let restriction = Restriction { kind, term: Term::default() };
        Proxy { restrictions: vec![restriction], ..guardian() }
    };
    let unproven = Proxy {
        authorities: vec![Authority { evidenced: false, ..guardian().authorities[0].clone() }],
        ..guardian()
    };
    let illinois = Patient { jurisdiction: "US-IL".to_owned(), ..old() };
    let rows: Vec<Row<'_>> = vec![
        ("parent", "patient of 8", guardian(), young()),
        ("parent", "patient of 14, law silent", guardian(), old()),
        ("parent", "patient of 14, law prohibits", guardian(), illinois),
        ("parent", "patient of 14 who consented alone", guardian(), alone),
        ("parent", "patient of 14, emancipated", guardian(), free),
        ("parent", "patient is of age", guardian(), grown()),
        ("parent", "only the year of birth, 2008, is known", guardian(), child("2008")),
        (
            "parent, appointments and bills",
            "patient of 8",
            proxy(AuthorityKind::LegalGuardian, Powers::Scheduling),
            young(),
        ),
        (
            "parent, reach unknown",
            "patient of 8",
            proxy(AuthorityKind::LegalGuardian, Powers::Unknown),
            young(),
        ),
        ("parent, no evidence", "patient of 8", unproven, young()),
        ("parent, no records", "patient of 8", barred(RestrictionKind::NoRecords), young()),
        ("parent, custody order", "patient of 8", barred(RestrictionKind::CustodyOrder), young()),
        ("power of attorney", "adult", proxy(AuthorityKind::PowerOfAttorney, Powers::All), grown()),
        ("executor", "died in 2020", proxy(AuthorityKind::CourtOrder, Powers::All), dead.clone()),
        ("executor", "died in 1960", proxy(AuthorityKind::CourtOrder, Powers::All), long_dead),
        (
            "power of attorney",
            "died in 2020",
            proxy(AuthorityKind::PowerOfAttorney, Powers::All),
            dead,
        ),
        ("spouse", "no authority", proxy(AuthorityKind::None, Powers::All), grown()),
    ];
    for (who, circumstances, somebody, patient) in rows {
        for (what, item) in things() {
            let case = Case::new()
                .by(Actor::Proxy(somebody.clone()), purpose)
                .about(item)
                .of(patient.clone());
            table.row(who, what, circumstances, &case);
        }
    }
    let party = Party {
        kind: PartyKind::Person,
        id: Some("rp_6".to_owned()),
        name: "Ifeoma Okafor".to_owned(),
        npi: None,
        clients: vec![],
    };
    let chosen =
        Directive { parties: vec![party], purposes: [purpose].into(), ..yes(Form::ProxyAccess) };
    let spouse = || Actor::Proxy(proxy(AuthorityKind::None, Powers::All));
    let case = Case::new().by(spouse(), purpose).with(&[chosen]);
    table.row("spouse", "session", "the patient chose them", &case);
    let harm = Item { withheld_from_proxies: true, ..note(NoteClass::Progress, THERAPY) };
    table.row(
        "parent",
        "progress note",
        "a professional fears harm",
        &Case::new().by(Actor::Proxy(guardian()), purpose).about(harm).of(young()),
    );
}

/// What people ask about a record: who sees that they did.
pub(super) fn requests(table: &mut Table) {
    table.section("Requests about a record");
    let by = |who: Asker<'_>, labels| {
        let item = Item { related: requested_by(who), ..item(Kind::RecordRequest, labels) };
        Case::new().about(item).of(child("2018-01-01"))
    };
    let patient = || Actor::Patient { verified: true };
    let parent = || Actor::Proxy(proxy(AuthorityKind::LegalGuardian, Powers::All));
    let all = [yes(Form::Release), yes(Form::Part2Tpo)];
    let somebody: [(&str, Actor, Purpose); 7] = [
        ("patient", patient(), Purpose::PatientRequest),
        ("parent", parent(), Purpose::FamilyRequest),
        ("treating practice", recipient(Standing::Treating), Purpose::Treatment),
        ("payer", recipient(Standing::Payer), Purpose::Payment),
        ("emergency room", recipient(Standing::Emergency), Purpose::EmergencyTreatment),
        ("therapist", Actor::Staff(staff(Role::Therapist)), Purpose::Treatment),
        ("privacy_officer", Actor::Staff(staff(Role::PrivacyOfficer)), Purpose::Operations),
    ];
    for (who, actor, purpose) in somebody {
        for (what, requester) in [
            ("what the patient asked", Asker::Patient),
            ("what this parent asked", Asker::Party("rp_6")),
            ("what the other parent asked", Asker::Party("rp_7")),
            ("what an attorney asked", Asker::Another),
        ] {
            let case = by(requester, THERAPY).with(&all).by(actor.clone(), purpose);
            table.row(who, what, "release, all", &case);
        }
    }
    let of_program = by(Asker::Party("rp_6"), PROGRAM).by(parent(), Purpose::FamilyRequest);
    table.row("parent", "what this parent asked", "of a program", &of_program);
}
