//! Recipients outside: consents, the order of the tests, and which of two consents holds.

use super::{Table, items};
use crate::domain::Kind;
use crate::policy::tests::fixture::*;
use crate::policy::*;

fn consents() -> Vec<(&'static str, Vec<Directive>)> {
    let release = || yes(Form::Release);
    let revoked = Revocation { at: instant("2026-10-01T00:00:00Z"), extent: Extent::All };
    let ended = Term { until: Some(instant("2026-10-01T00:00:00Z")), ..release().term };
    let diagnoses = Matter { kinds: Some([Kind::Diagnosis].into()), ..Matter::default() };
    vec![
        ("none", vec![]),
        ("release, all", vec![release()]),
        ("release, diagnoses only", vec![Directive { scope: diagnoses, ..release() }]),
        ("release, revoked", vec![Directive { revocations: vec![revoked], ..release() }]),
        ("release, ended", vec![Directive { term: ended, ..release() }]),
        (
            "release, then a no to all",
            vec![
                release(),
                Directive { signed: Some(instant("2026-05-01T00:00:00Z")), ..no(Form::Release) },
            ],
        ),
        ("Part 2 TPO", vec![yes(Form::Part2Tpo)]),
    ]
}

pub(super) fn outside(table: &mut Table) {
    table.section("Outside recipients, by consent (policy: opt-in)");
    let purposes = [Purpose::Treatment, Purpose::Payment];
    for (consent, directives) in consents() {
        for (what, item) in items() {
            for purpose in purposes {
                let case = Case::new().about(item.clone()).with(&directives);
                let case = case.by(recipient(Standing::Treating), purpose);
                table.row("treating practice", what, consent, &case);
            }
        }
    }
    for (what, item) in items() {
        let case = Case::new().about(item).with(&[yes(Form::Release)]);
        let legal = case.clone().by(recipient(Standing::Legal), Purpose::Treatment);
        table.row("attorney", what, "release, all", &legal);
        let legal = case.clone().by(recipient(Standing::Treating), Purpose::Legal);
        table.row("treating practice", what, "release, all", &legal);
        table.row("treating practice", what, "release, all", &Case { purpose: None, ..case });
    }
}

/// Care that goes over: to the one who asks, and to another.
fn transfers(table: &mut Table) {
    let (who, to_it) = ("treating practice", "the transfer to it");
    let to = |client, labels| Item { related: transfer_to(client), ..item(Kind::Transfer, labels) };
    let narrow = Matter { kinds: Some([Kind::Diagnosis].into()), ..Matter::default() };
    let narrow = Directive { scope: narrow, ..yes(Form::Release) };
    let own = || Case::new().about(to("ehr-frfm", THERAPY));
    table.row(who, to_it, "release, diagnoses only", &own().with(&[narrow]));
    table.row(who, to_it, "none", &own());
    let others = Case::new().about(to("ehr-other", THERAPY)).with(&[yes(Form::Release)]);
    table.row(who, "a transfer to another", "release, all", &others);
    let of_program = || Case::new().about(to("ehr-frfm", PROGRAM));
    table.row(who, to_it, "release, all", &of_program().with(&[yes(Form::Release)]));
    table.row(who, to_it, "Part 2 TPO", &of_program().with(&[yes(Form::Part2Tpo)]));
}

pub(super) fn pipeline(table: &mut Table) {
    table.section("The order of the tests");
    let release = || vec![yes(Form::Release)];
    let open = || Case::new().with(&release());
    let who = "treating practice";
    let with_status = |status| {
        let item = Item { status, ..item(Kind::SessionLog, THERAPY) };
        open().about(item)
    };
    table.row(who, "session", "entered in error", &with_status(Status::Void));
    table.row(who, "session", "a draft", &with_status(Status::Draft));
    table.row(who, "session", "a status that is not known", &with_status(Status::Unknown));
    let drafted = open().about(note(NoteClass::Progress, &["R", "PSY", "AIAST"]));
    table.row(who, "note by a machine", "not attested", &drafted);
    let strange = open().about(item(Kind::SessionLog, &["R", "PSY", "XYZ"]));
    table.row(who, "session", "a label that is not known", &strange);
    table.row(
        who,
        "note",
        "a class that is not known",
        &open().about(note(NoteClass::Unknown, THERAPY)),
    );
    let down = Case { directives: None, ..Case::new() };
    table.row(who, "session", "consents out of reach", &down);
    table.row(who, "session", "scopes do not cover it", &Case { covered: false, ..open() });
    let unable = Case {
        able: Obligations::NONE,
        ..open().by(recipient(Standing::Treating), Purpose::Payment)
    };
    table.row(who, "session", "the way cannot show the minimum only", &unable);
    table.row(
        who,
        "supervision note",
        "release, all",
        &open().about(note(NoteClass::Supervision, THERAPY)),
    );
    table.row(who, "practitioner", "none", &Case::new().about(item(Kind::Staff, &["N"])));
    let restriction = Directive { form: Form::Restriction, ..no(Form::Restriction) };
    let restricted = [yes(Form::Release), restriction];
    table.row(who, "session", "release, and an agreed restriction", &Case::new().with(&restricted));
    let part2 = Case::new().with(&restricted).about(item(Kind::SessionLog, PROGRAM));
    table.row(who, "Part 2 session", "an agreed restriction", &part2);
    let own = Item { related: "consent/con_1".to_owned(), ..item(Kind::Consent, THERAPY) };
    table.row(who, "the consent that names it", "release", &open().about(own));
    let other = Item { related: "consent/con_2".to_owned(), ..item(Kind::Consent, THERAPY) };
    let narrow = Matter { kinds: Some([Kind::Diagnosis].into()), ..Matter::default() };
    let narrow = Directive { scope: narrow, ..yes(Form::Release) };
    table.row(
        who,
        "another consent",
        "release, diagnoses only",
        &Case::new().with(&[narrow]).about(other),
    );
    let other = Item { related: "consent/con_2".to_owned(), ..item(Kind::Consent, THERAPY) };
    table.row(who, "another consent", "release, all", &open().about(other));
    transfers(table);
    let blotted = Item { redacted: true, ..note(NoteClass::Progress, THERAPY) };
    table.row(who, "note about two people", "release, all", &open().about(blotted));
    table.row(
        "the practice",
        "session",
        "own use",
        &Case::new().by(Actor::Custodian, Purpose::Operations),
    );
    for (what, item) in items() {
        let case = Case::new().by(Actor::Custodian, Purpose::Treatment).about(item);
        table.row("the practice", what, "own use", &case);
    }
    table.row(
        "the practice",
        "session",
        "own use",
        &Case::new().by(Actor::Custodian, Purpose::Legal),
    );
}

pub(super) fn conflicts(table: &mut Table) {
    table.section("Several consents");
    let who = "treating practice";
    let later = |mut one: Directive| {
        one.signed = Some(instant("2026-06-01T00:00:00Z"));
        one.id = "con_2".to_owned();
        one
    };
    let row = |table: &mut Table, circumstances, directives: &[Directive]| {
        table.row(who, "session", circumstances, &Case::new().with(directives));
    };
    row(
        table,
        "a no to all, and a later yes to this recipient",
        &[no(Form::Release), later(yes(Form::Release))],
    );
    row(table, "a yes, and a later no to all", &[yes(Form::Release), later(no(Form::Release))]);
    row(table, "a yes and a no of the same instant", &[yes(Form::Release), no(Form::Release)]);
    let named = Directive { parties: vec![party()], ..no(Form::Release) };
    row(
        table,
        "a no to this recipient, and a later yes to it",
        &[named, later(yes(Form::Release))],
    );
    let defective = Directive { defects: [Defect::Evidence].into(), ..no(Form::Release) };
    row(table, "a no without evidence", &[defective]);
    let defective = Directive { defects: [Defect::Evidence].into(), ..yes(Form::Release) };
    row(table, "a yes without evidence", &[defective]);
    let replaced = Directive {
        supersedes: Some("con_1".to_owned()),
        scope: Matter { kinds: Some([Kind::Diagnosis].into()), ..Matter::default() },
        ..later(yes(Form::Release))
    };
    row(
        table,
        "a yes to all, replaced by one to diagnoses",
        &[yes(Form::Release), replaced.clone()],
    );
    let draft = Directive { state: State::Inert, ..replaced };
    row(table, "a yes to all, to be replaced by a draft", &[yes(Form::Release), draft]);
    let generic = Directive {
        parties: vec![Party {
            kind: PartyKind::Organization,
            id: None,
            name: "County Health".to_owned(),
            npi: None,
            clients: vec![],
        }],
        ..yes(Form::Release)
    };
    row(table, "a yes to “County Health”", &[generic]);
    let class = Directive {
        parties: vec![class_of_recipients("My treating providers")],
        ..yes(Form::Release)
    };
    row(table, "a yes to “my treating providers”", &[class]);
    let other =
        Party { name: "Somebody Else".to_owned(), clients: vec!["other".to_owned()], ..party() };
    let here = Directive {
        scope: Matter { kinds: Some([Kind::Diagnosis].into()), ..Matter::default() },
        ..yes(Form::Release)
    };
    row(
        table,
        "a yes to diagnoses, and one to all for somebody else",
        &[here, later(Directive { parties: vec![other], ..yes(Form::Release) })],
    );
}
