//! The whole policy as one table.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::fixture::*;
use crate::domain::Kind;
use crate::policy::rule::RULES;
use crate::policy::*;

/// The table under construction.
#[derive(Default)]
struct Table {
    text: String,
    rows: usize,
    used: BTreeSet<&'static str>,
}

impl Table {
    fn section(&mut self, title: &str) {
        let head =
            "who | what for | what | labels | consent and circumstances | | rule | conditions";
        let line = "---|---|---|---|---|---|---|---";
        writeln!(self.text, "\n## {title}\n\n| {head} |\n|{line}|").unwrap();
    }

    fn row(&mut self, who: &str, what: &str, circumstances: &str, case: &Case) {
        let decision = case.decide();
        let purpose = case.purpose.map_or("not stated", Purpose::as_str);
        let labels = &case.item.labels;
        let mut codes: Vec<_> = vec![labels.level.as_str()];
        codes.extend(labels.sensitivities.iter().map(|one| one.as_str()));
        codes.extend(labels.part2.then_some("42CFRPart2"));
        let verdict = if decision.permits { "**yes**" } else { "no" };
        let conditions = decision.obligations.names().collect::<Vec<_>>().join(", ");
        writeln!(
            self.text,
            "| {who} | {purpose} | {what} | {} | {circumstances} | {verdict} | {} | {conditions} |",
            codes.join(" "),
            decision.rule.code
        )
        .unwrap();
        assert!(decision.rule.decides, "{} is no rule that decides", decision.rule.code);
        self.rows += 1;
        self.used.insert(decision.rule.code);
    }

    fn rules(&mut self) {
        writeln!(self.text, "\n## The rules\n\n| rule | says | source | |\n|---|---|---|---|")
            .unwrap();
        for rule in RULES {
            let kind = if rule.decides { "decides" } else { "binds people and deadlines" };
            writeln!(self.text, "| {} | {} | {} | {kind} |", rule.code, rule.says, rule.source)
                .unwrap();
        }
    }
}

fn items() -> Vec<(&'static str, Item)> {
    vec![
        ("demographics", item(Kind::Client, &["N"])),
        ("session", item(Kind::SessionLog, THERAPY)),
        ("diagnosis, alcohol", item(Kind::Diagnosis, &["R", "PSY", "BH", "SUD", "ETH", "ETHUD"])),
        ("progress note", note(NoteClass::Progress, THERAPY)),
        ("discharge summary", note(NoteClass::Discharge, THERAPY)),
        ("message", item(Kind::Message, THERAPY)),
        ("Part 2 session", item(Kind::SessionLog, PROGRAM)),
        ("Part 2 note", note(NoteClass::Progress, PROGRAM)),
        ("psychotherapy note", note(NoteClass::Psychotherapy, &["V", "PSY", "BH", "PSYTHPN"])),
        ("SUD counselling note", note(NoteClass::SudCounseling, PROGRAM)),
    ]
}

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

fn outside(table: &mut Table) {
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

fn pipeline(table: &mut Table) {
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

fn conflicts(table: &mut Table) {
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

fn part2(table: &mut Table) {
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

fn apart(table: &mut Table) {
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

fn access(table: &mut Table) {
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

fn proxies(table: &mut Table) {
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

fn emergencies(table: &mut Table) {
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

fn roles(table: &mut Table) {
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

fn regimes(table: &mut Table) {
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

#[test]
fn the_whole_policy_is_one_table_that_a_lawyer_can_read() {
    let mut table = Table::default();
    outside(&mut table);
    pipeline(&mut table);
    conflicts(&mut table);
    part2(&mut table);
    apart(&mut table);
    access(&mut table);
    proxies(&mut table);
    emergencies(&mut table);
    roles(&mut table);
    regimes(&mut table);
    let decide = RULES.iter().filter(|rule| rule.decides).map(|rule| rule.code);
    let unseen: Vec<_> = decide.filter(|code| !table.used.contains(code)).collect();
    assert!(unseen.is_empty(), "no row shows these rules: {unseen:?}");
    assert!(table.rows >= 300, "{} rows", table.rows);
    table.rules();
    insta::assert_snapshot!("who_sees_what", table.text);
}

#[test]
fn no_two_rules_have_the_same_code() {
    let codes: BTreeSet<_> = RULES.iter().map(|rule| rule.code).collect();
    assert_eq!(codes.len(), RULES.len());
    assert!(RULES.iter().all(|rule| !rule.source.is_empty() && rule.says.ends_with('.')));
}
