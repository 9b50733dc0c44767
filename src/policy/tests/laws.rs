//! Laws that hold for every question: more protection never reveals more.

use proptest::prelude::*;
use proptest::sample::select;

use super::fixture::*;
use crate::domain::Kind;
use crate::policy::*;

const CODES: &[&str] = &[
    "N",
    "R",
    "V",
    "PSY",
    "BH",
    "MH",
    "SUD",
    "ETH",
    "ETHUD",
    "OPIOIDUD",
    "HIV",
    "SDV",
    "VIO",
    "ADOL",
    "PSYTHPN",
    "42CFRPart2",
    "NOPAT",
    "AIAST",
    "XYZ",
];

fn some_item() -> impl Strategy<Value = (Item, Vec<&'static str>)> {
    let kinds = select(vec![
        Kind::Client,
        Kind::SessionLog,
        Kind::Diagnosis,
        Kind::Message,
        Kind::Appointment,
        Kind::TreatmentPlan,
        Kind::SessionNote,
        Kind::RelatedParty,
        Kind::Consent,
    ]);
    let codes = proptest::sample::subsequence(CODES, 0..5);
    let facts = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (kinds, select(NoteClass::ALL), select(Status::ALL), codes, facts).prop_map(
        |(kind, class, status, codes, (dated, withheld, proxies, recent))| {
            let made = item(kind, &codes);
            let withheld = withheld.then_some(Withheld { ground: Ground::Endangers, until: None });
            let item = Item {
                note: (kind == Kind::SessionNote).then_some(class),
                status: if status == Status::Void { Status::Final } else { status },
                dated: made.dated.filter(|_| dated),
                withheld,
                withheld_from_proxies: proxies,
                for_emergencies: recent,
                ..made
            };
            (item, codes)
        },
    )
}

fn some_scope() -> impl Strategy<Value = Matter> {
    let kinds = proptest::option::of(proptest::sample::subsequence(Kind::ALL, 1..6));
    let notes = proptest::option::of(proptest::sample::subsequence(NoteClass::ALL, 1..3));
    let set = || {
        let levels = proptest::option::of(select(Confidentiality::ALL));
        (levels, proptest::sample::subsequence(Sensitivity::ALL, 0..4)).prop_map(
            |(level, sensitivities)| LabelSet {
                level,
                sensitivities: sensitivities.into_iter().collect(),
            },
        )
    };
    let some_set = proptest::option::of(set());
    (kinds, notes, some_set, set(), any::<bool>(), 0..8u8).prop_map(
        |(kinds, notes, included, excluded, dated, unknown)| Matter {
            kinds: kinds.map(|kinds| kinds.into_iter().collect()),
            notes: notes.map(|notes| notes.into_iter().collect()),
            dated: if dated {
                Term { from: Some(instant("2026-08-01T00:00:00Z")), until: None }
            } else {
                Term::default()
            },
            included,
            excluded: if unknown < 4 { LabelSet::default() } else { excluded },
            unknown: unknown == 0,
            ..Matter::default()
        },
    )
}

fn some_directive() -> impl Strategy<Value = Directive> {
    let forms = select(Form::ALL);
    let states = select(State::ALL);
    let purposes = proptest::sample::subsequence(Purpose::ALL, 0..5);
    let names = 0..4u8;
    (forms, any::<bool>(), states, purposes, names, some_scope(), 1..9i8, 0..9u8).prop_map(
        |(form, permits, state, purposes, names, scope, month, odd)| {
            let spouse = Party {
                kind: PartyKind::Person,
                id: Some("rp_6".to_owned()),
                clients: vec![],
                ..party()
            };
            Directive {
                id: format!("con_{month}_{odd}"),
                permits,
                // Mostly as it should be, so that something is open at all.
                state: if odd > 3 { State::Active } else { state },
                purposes: purposes.into_iter().collect(),
                parties: match names {
                    0 => vec![],
                    1 => vec![class_of_recipients("My treating providers")],
                    2 => vec![spouse],
                    _ => vec![party()],
                },
                scope,
                signed: Some(instant(&format!("2026-{month:02}-01T00:00:00Z"))),
                defects: (odd == 1).then_some(Defect::Evidence).into_iter().collect(),
                signer: if odd == 2 { Signer::Guardian } else { Signer::Client },
                term: Term::default(),
                ..yes(form)
            }
        },
    )
}

fn some_actor() -> impl Strategy<Value = Actor> {
    let proxies = (select(AuthorityKind::ALL), select(Powers::ALL))
        .prop_map(|(kind, reach)| Actor::Proxy(proxy(kind, reach)));
    prop_oneof![
        4 => select(Standing::ALL).prop_map(recipient),
        2 => select(Role::ALL).prop_map(|role| Actor::Staff(staff(role))),
        1 => any::<bool>().prop_map(|verified| Actor::Patient { verified }),
        3 => proxies,
        1 => Just(Actor::Custodian),
    ]
}

fn some_case() -> impl Strategy<Value = (Case, Vec<&'static str>)> {
    let directives = proptest::collection::vec(some_directive(), 0..4);
    let patients = select(vec![adult(), child("2018-01-01"), child("2012-06-01"), child("2008")]);
    let ways = (select(Means::ALL), select(Regime::ALL), any::<bool>());
    (some_actor(), select(Purpose::ALL), some_item(), directives, patients, ways).prop_map(
        |(actor, purpose, (item, codes), directives, patient, (means, regime, broken))| {
            let reason = "Unresponsive in our emergency room".to_owned();
            let emergency = broken.then(|| Emergency { reason, proven_again: true, since: now() });
            let case = Case { emergency, ..Case::new() };
            let case = case.by(actor, purpose).about(item).with(&directives).of(patient);
            (case.via(means).under(regime), codes)
        },
    )
}

fn never_more(before: &Case, after: &Case) -> Result<(), TestCaseError> {
    let (before, after) = (before.decide(), after.decide());
    prop_assert!(
        before.permits || !after.permits,
        "{} said no, and {} says yes",
        before.rule.code,
        after.rule.code
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_no_more_never_reveals_more((case, _) in some_case(), deny in some_directive()) {
        let mut after = case.clone();
        let deny = Directive { id: "new".to_owned(), permits: false, ..deny };
        after.directives.as_mut().unwrap().push(deny);
        never_more(&case, &after)?;
    }

    #[test]
    fn a_label_more_never_reveals_more((case, codes) in some_case(), code in select(CODES)) {
        let mut after = case.clone();
        // Without any level it is the highest already.
        let level = (!codes.iter().any(|code| ["N", "R", "V"].contains(code))).then_some("N");
        let before: Vec<_> = codes.iter().copied().chain(level).collect();
        let with: Vec<_> = before.iter().copied().chain([code]).collect();
        let mut case = case;
        case.item.labels = labels(&before);
        after.item.labels = labels(&with);
        never_more(&case, &after)?;
    }

    #[test]
    fn a_restriction_of_a_proxy_never_reveals_more(
        (case, _) in some_case(),
        kind in select(RestrictionKind::ALL),
    ) {
        let mut after = case.clone();
        if let Actor::Proxy(proxy) = &mut after.actor {
            proxy.restrictions.push(Restriction { kind, term: Term::default() });
        }
        never_more(&case, &after)?;
    }

    #[test]
    fn a_decision_to_withhold_never_reveals_more((case, _) in some_case()) {
        let mut after = case.clone();
        after.item.withheld = Some(Withheld { ground: Ground::Unstated, until: None });
        after.item.withheld_from_proxies = true;
        never_more(&case, &after)?;
    }

    #[test]
    fn a_purpose_not_stated_or_another_reach_never_reveals_more((case, _) in some_case()) {
        let unstated = Case { purpose: None, ..case.clone() };
        if case.actor != Actor::Custodian {
            prop_assert!(!unstated.decide().permits || case.decide().permits);
        }
        let uncovered = Case { covered: false, ..case.clone() };
        prop_assert!(!uncovered.decide().permits);
        let mut after = case.clone();
        match &mut after.actor {
            Actor::Proxy(proxy) => proxy.authorities.clear(),
            Actor::Staff(member) => member.assigned = false,
            Actor::Patient { verified } => *verified = false,
            Actor::Recipient(recipient) if recipient.standing != Standing::Legal => {
                recipient.standing = Standing::Other;
            }
            Actor::Recipient(_) | Actor::Custodian => {}
        }
        never_more(&case, &after)?;
    }

    #[test]
    fn fewer_purposes_or_people_in_a_yes_never_reveal_more((case, _) in some_case(), which in 0..4usize) {
        let mut after = case.clone();
        let directives = after.directives.as_mut().unwrap();
        if let Some(one) = directives.get_mut(which).filter(|one| one.permits) {
            one.purposes.pop_first();
            one.parties.pop();
            never_more(&case, &after)?;
        }
    }

    #[test]
    fn psychotherapy_notes_exist_for_no_general_path((case, _) in some_case(), export in any::<bool>()) {
        let means = if export { Means::Export } else { Means::Query };
        for class in [NoteClass::Psychotherapy, NoteClass::SudCounseling, NoteClass::Supervision] {
            let case = case.clone().about(note(class, THERAPY)).via(means);
            prop_assert!(!case.decide().permits);
        }
    }

    #[test]
    fn what_leaves_under_part_2_carries_the_notice((case, _) in some_case()) {
        let mut case = case;
        case.item.labels.part2 = true;
        let decision = case.decide();
        if decision.permits && matches!(case.actor, Actor::Recipient(_))
            && !case.purpose.is_some_and(Purpose::is_emergency)
            && case.item.note != Some(NoteClass::Psychotherapy)
            && !case.item.is_psychotherapy()
            && decision.rule.code != "directory" && decision.rule.code != "P8-own-form"
        {
            prop_assert!(decision.obligations.include(Obligations::PART2_NOTICE));
        }
    }
}
