//! Cases that break naive implementations: people, consents, instants.

use super::fixture::*;
use crate::domain::Kind;
use crate::policy::*;

#[test]
fn a_revocation_counts_from_its_very_instant_on() {
    let at = instant("2026-11-01T10:00:00.500Z");
    let revoked = Directive {
        revocations: vec![Revocation { at, extent: Extent::All }],
        state: State::Revoked,
        ..yes(Form::Release)
    };
    let ask = |at| Case::new().with(std::slice::from_ref(&revoked)).at(at).decide().permits;
    assert!(ask("2026-11-01T10:00:00.499Z"));
    assert!(!ask("2026-11-01T10:00:00.500Z"));
    assert!(!ask("2026-11-01T10:00:00.501Z"));
}

#[test]
fn a_revocation_of_a_kind_leaves_the_rest() {
    let at = instant("2026-11-01T10:00:00Z");
    let extent = Extent::Kinds([Kind::Message].into());
    let consent = Directive { revocations: vec![Revocation { at, extent }], ..yes(Form::Release) };
    let ask = |kind| Case::new().with(std::slice::from_ref(&consent)).about(item(kind, THERAPY));
    assert!(ask(Kind::SessionLog).decide().permits);
    assert!(!ask(Kind::Message).decide().permits);
}

#[test]
fn a_revocation_that_cannot_be_understood_takes_back_a_yes_and_not_a_no() {
    let at = instant("2026-11-01T10:00:00Z");
    let revoked = |one: Directive| Directive {
        revocations: vec![Revocation { at, extent: Extent::Unknown }],
        ..one
    };
    assert!(!Case::new().with(&[revoked(yes(Form::Release))]).decide().permits);
    let both = [yes(Form::Release), revoked(no(Form::Release))];
    assert!(!Case::new().with(&both).decide().permits);
}

#[test]
fn one_recipients_consent_does_not_widen_anothers() {
    let diagnoses = Matter { kinds: Some([Kind::Diagnosis].into()), ..Matter::default() };
    let here = Directive { scope: diagnoses, ..yes(Form::Release) };
    let other = Party { clients: vec!["other".to_owned()], name: "Other".to_owned(), ..party() };
    let there = Directive { id: "con_2".to_owned(), parties: vec![other], ..yes(Form::Release) };
    let both = [here, there];
    assert!(!Case::new().with(&both).decide().permits);
    assert!(Case::new().with(&both).about(item(Kind::Diagnosis, THERAPY)).decide().permits);
}

#[test]
fn an_older_consent_does_not_come_back_when_its_successor_is_revoked() {
    let successor = Directive {
        id: "con_2".to_owned(),
        supersedes: Some("con_1".to_owned()),
        state: State::Revoked,
        ..yes(Form::Release)
    };
    assert!(!Case::new().with(&[yes(Form::Release), successor]).decide().permits);
}

#[test]
fn consents_that_replace_each_other_in_a_circle_open_nothing() {
    let after = |id: &str, of: &str| Directive {
        id: id.to_owned(),
        supersedes: Some(of.to_owned()),
        ..yes(Form::Release)
    };
    assert!(!Case::new().with(&[after("a", "b"), after("b", "a")]).decide().permits);
    let deny = Directive { permits: false, parties: vec![], ..after("b", "a") };
    let open = Directive { id: "c".to_owned(), ..yes(Form::Release) };
    assert!(!Case::new().with(&[after("a", "b"), deny, open]).decide().permits);
}

#[test]
fn an_agreed_restriction_is_not_replaced_by_a_release() {
    let restriction = Directive { id: "r".to_owned(), ..no(Form::Restriction) };
    let release = Directive { supersedes: Some("r".to_owned()), ..yes(Form::Release) };
    assert_eq!(Case::new().with(&[restriction, release]).decide().rule, rule::P5_RESTRICTION);
}

#[test]
fn a_consent_says_until_the_end_of_what_it_says() {
    let until = Some(instant("2026-11-04T00:00:00Z"));
    let term = Term { until, ..yes(Form::Release).term };
    let consent = Directive { term, ..yes(Form::Release) };
    let ask = |at| Case::new().with(std::slice::from_ref(&consent)).at(at).decide().permits;
    assert!(ask("2026-11-03T23:59:59Z") && !ask("2026-11-04T00:00:00Z"));
    assert!(!ask("2026-02-28T23:59:59Z"), "not before it begins");
}

#[test]
fn what_was_done_outside_of_the_period_stays_closed() {
    let dated = Term { from: Some(instant("2026-01-01T00:00:00Z")), until: None };
    let scope = Matter { dated, ..Matter::default() };
    let consent = Directive { scope, ..yes(Form::Release) };
    let ask = |dated: Option<&str>| {
        let item = Item { dated: dated.map(instant), ..item(Kind::SessionLog, THERAPY) };
        Case::new().with(std::slice::from_ref(&consent)).about(item).decide().permits
    };
    assert!(ask(Some("2026-01-01T00:00:00Z")));
    assert!(!ask(Some("2025-12-31T23:59:59Z")));
    assert!(!ask(None), "what has no date is not known to be inside");
}

#[test]
fn a_consent_to_sessions_and_a_discharge_summary_opens_no_progress_note() {
    let scope = Matter {
        kinds: Some([Kind::SessionLog, Kind::Diagnosis].into()),
        notes: Some([NoteClass::Discharge].into()),
        ..Matter::default()
    };
    let ask = |item| {
        let consent = Directive { scope: scope.clone(), ..yes(Form::Release) };
        Case::new().with(&[consent]).about(item).decide().permits
    };
    assert!(ask(item(Kind::SessionLog, THERAPY)));
    assert!(ask(note(NoteClass::Discharge, THERAPY)));
    assert!(!ask(note(NoteClass::Progress, THERAPY)));
    assert!(!ask(item(Kind::Message, THERAPY)));
    assert!(ask(item(Kind::Client, &["N"])), "whose it is");
}

#[test]
fn the_published_example_of_normal_plus_mental_health_opens_that_and_no_more() {
    let set = LabelSet {
        level: Some(Confidentiality::Normal),
        sensitivities: [Sensitivity::Psychiatry].into(),
    };
    let scope = Matter { included: Some(set), ..Matter::default() };
    let consent = Directive { scope, ..yes(Form::Release) };
    let ask = |codes| {
        let item = item(Kind::Diagnosis, codes);
        Case::new().with(std::slice::from_ref(&consent)).about(item).decide().permits
    };
    assert!(ask(&["N"]) && ask(&["R", "PSY"]) && ask(&["R", "BH"]));
    assert!(!ask(&["R", "PSY", "SUD"]) && !ask(&["R", "HIV"]) && !ask(&["V", "PSY"]));
}

#[test]
fn what_a_guardian_signed_lapses_at_midnight_of_the_birthday() {
    let zone = jiff::tz::TimeZone::get("America/Denver").unwrap();
    let patient = Patient { born: Born::read("2008-11-28"), zone, ..adult() };
    let consent = Directive { signer: Signer::Guardian, ..yes(Form::Release) };
    let guardian = Actor::Proxy(proxy(AuthorityKind::LegalGuardian, Powers::All));
    let release = Case::new().of(patient.clone()).with(&[consent]);
    // Midnight in Denver is seven o'clock in the morning, UTC.
    assert!(release.clone().at("2026-11-28T06:59:59Z").decide().permits);
    assert!(!release.at("2026-11-28T07:00:00Z").decide().permits);
    let view = Case::new().of(patient).by(guardian, Purpose::FamilyRequest);
    let view = view.about(item(Kind::Appointment, &["N"]));
    assert!(view.clone().at("2026-11-28T06:59:59Z").decide().permits);
    assert_eq!(view.at("2026-11-28T07:00:00Z").decide().rule, rule::C4_6);
}

#[test]
fn who_was_born_on_29_february_is_of_age_on_1_march() {
    let patient = child("2008-02-29");
    let law = Law::shipped();
    let majority = |at| patient.majority(&law, instant(at));
    assert_eq!(majority("2026-02-28T23:59:59Z"), Majority::Minor);
    assert_eq!(majority("2026-03-01T00:00:00Z"), Majority::Adult);
}

#[test]
fn of_whom_only_the_year_of_birth_is_known_is_neither() {
    let patient = child("2008");
    let law = Law::shipped();
    let majority = |at| patient.majority(&law, instant(at));
    assert_eq!(majority("2025-12-31T23:59:59Z"), Majority::Minor);
    assert_eq!(majority("2026-06-01T00:00:00Z"), Majority::Unsure);
    assert_eq!(majority("2026-12-31T00:00:00Z"), Majority::Adult);
    let guardian = Actor::Proxy(proxy(AuthorityKind::LegalGuardian, Powers::All));
    let ask = Case::new().of(patient.clone()).by(guardian, Purpose::FamilyRequest);
    assert!(!ask.decide().permits);
    let signed = Directive { signer: Signer::Guardian, ..yes(Form::Release) };
    assert!(!Case::new().of(patient).with(&[signed]).decide().permits);
}

#[test]
fn a_guardian_signs_for_nothing_that_the_minor_consented_to_alone() {
    let signed = Directive { signer: Signer::Guardian, ..yes(Form::Release) };
    let ask = |codes| {
        let item = item(Kind::SessionLog, codes);
        let case = Case::new().of(child("2012-01-01")).about(item);
        case.with(std::slice::from_ref(&signed)).decide().permits
    };
    assert!(ask(THERAPY));
    assert!(!ask(&["R", "PSY", "BH", "ADOL"]));
}

#[test]
fn a_father_who_must_not_see_records_is_refused_although_a_guardian() {
    let term = Term { from: Some(instant("2025-02-01T00:00:00Z")), until: None };
    let restriction = Restriction { kind: RestrictionKind::NoRecords, term };
    let father = Proxy {
        restrictions: vec![restriction],
        ..proxy(AuthorityKind::LegalGuardian, Powers::All)
    };
    let case = Case::new().of(child("2018-01-01")).about(item(Kind::Appointment, &["N"]));
    let ask = |who: Proxy| case.clone().by(Actor::Proxy(who), Purpose::FamilyRequest).decide();
    assert_eq!(ask(father.clone()).rule, rule::C4_8);
    assert!(ask(Proxy { restrictions: vec![], ..father }).permits);
}

#[test]
fn a_name_is_matched_only_where_it_is_one_and_nothing_better_was_registered() {
    let by_name = |name: &str| {
        let party = Party { name: name.to_owned(), clients: vec![], ..party() };
        let consent = Directive { parties: vec![party], ..yes(Form::Release) };
        Case::new().with(&[consent]).decide().permits
    };
    assert!(by_name("front range  FAMILY medicine"));
    assert!(!by_name("Front Range Family Medicine West"));
    assert!(!by_name("County Health"));
    let other_app = Party { clients: vec!["ehr-other".to_owned()], ..party() };
    let consent = Directive { parties: vec![other_app], ..yes(Form::Release) };
    assert!(!Case::new().with(&[consent]).decide().permits, "the same name, another app");
}

#[test]
fn a_release_for_telehealth_or_treatment_lets_nothing_out() {
    assert!(!Case::new().with(&[yes(Form::Other)]).decide().permits);
    let refused = [yes(Form::Release), no(Form::Other)];
    assert!(Case::new().with(&refused).decide().permits, "nor does refusing it close anything");
}
