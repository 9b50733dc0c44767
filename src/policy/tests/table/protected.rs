//! What the law protects more: Part 2 records, and notes that are kept apart.

use super::Table;
use crate::domain::Kind;
use crate::policy::tests::fixture::*;
use crate::policy::*;

pub(super) fn part2(table: &mut Table) {
    table.section("42 CFR Part 2");
    let who = "treating practice";
    let ask = |directives: &[Directive]| {
        Case::new().about(item(Kind::Diagnosis, PROGRAM)).with(directives)
    };
    let row = |table: &mut Table, circumstances, case: Case| {
        table.row(who, "Part 2 diagnosis", circumstances, &case);
    };
    row(table, "none", ask(&[]));
    row(table, "TPO, names the recipient", ask(&[yes(Form::Part2Tpo)]));
    let recip = || recipient(Standing::Treating);
    let wide = |form| Directive { purposes: Purpose::ALL.iter().copied().collect(), ..yes(form) };
    for purpose in Purpose::ALL.iter().copied().filter(|one| !one.is_emergency()) {
        row(table, "TPO, whatever it lists", ask(&[wide(Form::Part2Tpo)]).by(recip(), purpose));
        row(
            table,
            "a disclosure, for all it lists",
            ask(&[wide(Form::Part2Disclosure)]).by(recip(), purpose),
        );
    }
    row(table, "a general release", ask(&[yes(Form::Release)]));
    let lacking = Directive { defects: [Defect::Statement].into(), ..yes(Form::Part2Tpo) };
    row(table, "TPO without the statements of 2024", ask(&[lacking]));
    row(table, "proceedings", ask(&[yes(Form::Part2Proceedings)]));
    let intermediary =
        Party { kind: PartyKind::Intermediary, clients: vec!["hie".to_owned()], ..party() };
    let passed = Directive { parties: vec![intermediary], ..yes(Form::Part2Tpo) };
    row(table, "TPO to an intermediary alone", ask(&[passed]));
    let class = Directive {
        parties: vec![class_of_recipients("My treating providers")],
        ..yes(Form::Part2Tpo)
    };
    row(table, "TPO to “my treating providers”", ask(&[class]));
    row(table, "none, policy TPO", ask(&[]).under(Regime::Tpo));
    let demographic = Case::new().about(item(Kind::Client, &["R", "SUD", "ETH", "42CFRPart2"]));
    table.row(
        who,
        "demographics of a program",
        "a general release",
        &demographic.clone().with(&[yes(Form::Release)]),
    );
    table.row(who, "demographics of a program", "TPO", &demographic.with(&[yes(Form::Part2Tpo)]));
}

pub(super) fn apart(table: &mut Table) {
    table.section("Psychotherapy and counselling notes, by the release job");
    let psy = || note(NoteClass::Psychotherapy, &["V", "PSY", "BH", "PSYTHPN"]);
    let ask = |actor, purpose| Case::new().about(psy()).by(actor, purpose).via(Means::Release);
    let practice = || recipient(Standing::Treating);
    let what = "psychotherapy note";
    let auth = yes(Form::Psychotherapy);
    let mut roi = yes(Form::Release);
    roi.scope.notes = Some([NoteClass::Psychotherapy, NoteClass::Progress].into());
    table.row(
        "treating practice",
        what,
        "authorization",
        &ask(practice(), Purpose::Treatment).with(std::slice::from_ref(&auth)),
    );
    table.row("treating practice", what, "none", &ask(practice(), Purpose::Treatment));
    table.row(
        "treating practice",
        what,
        "authorization and a no",
        &ask(practice(), Purpose::Treatment).with(&[auth.clone(), no(Form::Psychotherapy)]),
    );
    table.row(
        "treating practice",
        what,
        "release that lists them",
        &ask(practice(), Purpose::Treatment).with(&[roi.clone()]),
    );
    table.row(
        "treating practice",
        "progress note",
        "release that lists both",
        &ask(practice(), Purpose::Treatment).about(note(NoteClass::Progress, THERAPY)).with(&[roi]),
    );
    table.row("payer", what, "none", &ask(recipient(Standing::Payer), Purpose::Payment));
    table.row(
        "payer",
        what,
        "authorization",
        &ask(recipient(Standing::Payer), Purpose::Payment).with(&[auth.clone()]),
    );
    table.row(
        "treating practice",
        what,
        "authorization, proceedings",
        &ask(practice(), Purpose::Legal).with(&[auth.clone()]),
    );
    table.row(
        "treating practice",
        what,
        "authorization, emergency",
        &ask(practice(), Purpose::BreakGlass).with(&[auth]),
    );
    table.row(
        "its author",
        what,
        "treats the patient",
        &ask(Actor::Staff(staff(Role::Therapist)), Purpose::Treatment),
    );
    let stranger = Staff { assigned: false, ..staff(Role::Therapist) };
    table.row(
        "another therapist",
        what,
        "inside the practice",
        &ask(Actor::Staff(stranger), Purpose::Treatment),
    );
    table.row(
        "supervisor",
        what,
        "training",
        &ask(Actor::Staff(staff(Role::Supervisor)), Purpose::Treatment),
    );
    let patient = || Actor::Patient { verified: true };
    table.row("patient", what, "the author decided to", &ask(patient(), Purpose::PatientRequest));
    let kept = Item { of_record: false, ..psy() };
    table.row(
        "patient",
        what,
        "the author decided nothing",
        &ask(patient(), Purpose::PatientRequest).about(kept.clone()),
    );
    table.row(
        "patient",
        what,
        "policy GDPR",
        &ask(patient(), Purpose::PatientRequest).about(kept).under(Regime::Gdpr),
    );
    table.row(
        "patient",
        what,
        "by the API",
        &ask(patient(), Purpose::PatientRequest).via(Means::Query),
    );
    table.row("the practice", what, "own use", &ask(Actor::Custodian, Purpose::Treatment));
    let sud = || note(NoteClass::SudCounseling, PROGRAM);
    let what = "SUD counselling note";
    let ask = |form| Case::new().about(sud()).with(&[yes(form)]).via(Means::Release);
    table.row("treating practice", what, "consent for such notes", &ask(Form::Part2Counseling));
    table.row("treating practice", what, "Part 2 TPO", &ask(Form::Part2Tpo));
    table.row(
        "treating practice",
        what,
        "authorization for psychotherapy notes",
        &ask(Form::Psychotherapy),
    );
    table.row(
        "treating practice",
        "Part 2 note",
        "consent for counselling notes",
        &ask(Form::Part2Counseling).about(note(NoteClass::Progress, PROGRAM)),
    );
}
