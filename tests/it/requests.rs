//! Requests about records: the same over every store, by an injected clock, and by the command.

use std::path::Path;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use throughline::clock::Clock;
use throughline::domain::{IdKey, Kind, TenantId};
use throughline::error::Error;
use throughline::exchange::ingest::{BASE, Ingest};
use throughline::exchange::requests::{Asked, By, Request, Requester, Requests, Scope, Step};
use throughline::policy::request::{Event, Matter, Refusal, Regime, Standing, State};
use throughline::store::{SqliteStore, Store};

use crate::support::demo::run;
use crate::support::desk::{about, note, practice, record, rules};
use crate::support::postgres;

/// A clock that somebody sets.
struct Hand(Mutex<Timestamp>);

impl Hand {
    fn set(&self, time: &str) {
        *self.0.lock().unwrap() = time.parse().unwrap();
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

struct Office {
    requests: Requests,
    clock: Arc<Hand>,
    tenant: TenantId,
}

impl Office {
    fn new(store: Arc<dyn Store>, more: &[Value]) -> Self {
        let clock = Arc::new(Hand(Mutex::new(Timestamp::UNIX_EPOCH)));
        clock.set("2026-11-03T16:12:00Z");
        let (rules, ids) = (rules(), IdKey::new(&[7; 32]));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.ndjson");
        let lines = practice().into_iter().chain(more.iter().cloned());
        std::fs::write(&path, lines.map(|line| line.to_string() + "\n").collect::<String>())
            .unwrap();
        let ingest =
            Ingest { store: &*store, rules: &rules, ids: &ids, base: BASE, clock: &*clock };
        assert!(!ingest.files(&[path], &mut |_| {}).unwrap().needs_attention());
        let rules = Arc::new(ArcSwap::from_pointee(rules));
        let requests = Requests::new(store, rules, ids, clock.clone());
        Self { requests, clock, tenant: "hv".parse().unwrap() }
    }

    fn open(&self, asked: Asked) -> Request {
        self.requests.open(&self.tenant, asked).unwrap()
    }

    fn step(&self, id: &str, step: Step) -> Result<Request, Error> {
        self.requests.step(&self.tenant, id, step)
    }

    fn staff(&self, id: &str, event: Event) -> Result<Request, Error> {
        self.step(id, Step::new(event, By::Staff("st_2".into())))
    }
}

fn asked(matter: Matter) -> Asked {
    Asked {
        client: "cl_7".into(),
        matter,
        regime: None,
        requester: Requester { kind: "client".into(), id: Some("cl_7".into()), name: None },
        received: None,
        channel: "portal".into(),
        proof: Some("portal_session".into()),
        scope: Scope { kinds: vec!["*".into()], ..Scope::default() },
        statement: None,
        entry: None,
    }
}

fn extension(until: &str) -> Step {
    Step {
        reason: Some("The archive is being moved.".into()),
        until: Some(until.parse().unwrap()),
        ..Step::new(Event::Extend, By::Staff("st_2".into()))
    }
}

fn every_store(test: impl Fn(Arc<dyn Store>)) {
    test(Arc::new(SqliteStore::in_memory().unwrap()));
    let store = postgres::store();
    test(Arc::new(store));
}

#[test]
fn a_request_is_kept_moved_on_and_told_with_its_clock() {
    every_store(|store| {
        let office = Office::new(store, &[]);
        let opened = office.open(asked(Matter::Access));
        assert_eq!((opened.state, opened.regime.clone()), (State::Received, Regime::Hipaa));
        assert_eq!(opened.due, Some("2026-12-03".parse().unwrap()));
        office.clock.set("2026-11-20T16:00:00Z");
        office.staff(&opened.id, Event::ReviewStarted).unwrap();
        let extended = office.step(&opened.id, extension("2026-12-20")).unwrap();
        assert_eq!(extended.due, Some("2026-12-20".parse().unwrap()));
        office.clock.set("2026-12-21T08:00:00Z");
        let late = office.requests.request(&office.tenant, &opened.id).unwrap().unwrap();
        assert!(late.is_overdue(), "{:?}", late.standing);
        office.staff(&opened.id, Event::Approve).unwrap();
        let done = office.staff(&opened.id, Event::Fulfil).unwrap();
        assert!(!done.is_overdue() && done.state == State::Fulfilled);
        let steps: Vec<_> =
            done.history.iter().map(|step| (step.event, step.by.clone().unwrap())).collect();
        let by = || "staff:st_2".to_owned();
        let expected =
            [Event::ReviewStarted, Event::Extend, Event::Approve, Event::Fulfil].map(|e| (e, by()));
        assert_eq!(steps, expected);
        assert_eq!(done.history[0].at, "2026-11-20T16:00:00Z".parse().unwrap());
        assert_eq!(done.version, 5, "each step is a version, and versions stay");
    });
}

#[test]
fn what_is_owed_first_is_listed_first_and_each_client_has_their_own() {
    every_store(|store| {
        let mut other = practice()[2].clone();
        other["id"] = json!("cl_8");
        let office = Office::new(store, &[other]);
        let amendment = Asked { statement: Some("Born in May".into()), ..asked(Matter::Amendment) };
        let later = office.open(amendment);
        let letter = Asked {
            received: Some("2026-10-20T18:00:00Z".parse().unwrap()),
            client: "cl_8".into(),
            ..asked(Matter::Access)
        };
        let sooner = office.open(letter);
        let closed = office.open(asked(Matter::Access));
        office.step(&closed.id, Step::new(Event::Withdraw, By::Requester)).unwrap();
        let untimed = Asked { statement: Some("No letters".into()), ..asked(Matter::Restriction) };
        let untimed = office.open(untimed);
        let all = office.requests.all(&office.tenant).unwrap();
        let order: Vec<_> = all.iter().map(|one| one.id.clone()).collect();
        assert_eq!(order, [sooner.id, later.id, untimed.id, closed.id]);
        let own = office.requests.of_client(&office.tenant, "cl_8").unwrap();
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].due, Some("2026-11-19".parse().unwrap()), "from receipt, not from now");
        let elsewhere: TenantId = "hw".parse().unwrap();
        assert!(office.requests.all(&elsewhere).unwrap().is_empty());
        assert!(office.requests.request(&elsewhere, &all[0].id).unwrap().is_none());
    });
}

#[test]
fn what_cannot_be_done_is_refused_and_changes_nothing() {
    every_store(|store| {
        let data = json!({
            "type": "access", "regime": "hipaa", "client_id": "cl_7", "status": "in_review",
            "received_at": "2026-09-01T09:00:00-06:00",
        });
        let office =
            Office::new(store, &[about("cl_7", record("record_request", "rr_1", 1, data))]);
        let open = |asked| office.requests.open(&office.tenant, asked).unwrap_err();
        let nobody = Asked { client: "cl_none".into(), ..asked(Matter::Access) };
        assert!(matches!(open(nobody), Error::NotFound));
        assert!(matches!(open(asked(Matter::Amendment)), Error::Invalid { .. }), "says nothing");
        let long = Asked { statement: Some("x".repeat(4_001)), ..asked(Matter::Access) };
        assert!(matches!(open(long), Error::Invalid { .. }));
        let tomorrow = office.clock.now().checked_add(24.hours()).unwrap();
        let early = Asked { received: Some(tomorrow), ..asked(Matter::Access) };
        assert!(matches!(open(early), Error::Invalid { .. }));
        let scope = Scope {
            from: Some("2026-05-02".into()),
            to: Some("2026-05-01".into()),
            ..Scope::default()
        };
        assert!(matches!(open(Asked { scope, ..asked(Matter::Access) }), Error::Invalid { .. }));

        let id = office.open(asked(Matter::Access)).id;
        let refused = |step: Step| office.step(&id, step).unwrap_err();
        assert!(matches!(refused(Step::new(Event::Approve, By::Requester)), Error::Denied));
        assert!(matches!(refused(Step::new(Event::Fulfil, By::Operator)), Error::Conflict { .. }));
        let silent = Step { reason: None, ..extension("2026-12-20") };
        assert!(matches!(refused(silent), Error::Invalid { .. }), "an extension says why");
        let endless = Step { until: None, ..extension("2026-12-20") };
        assert!(matches!(refused(endless), Error::Invalid { .. }), "and by when");
        assert!(matches!(refused(extension("2027-01-03")), Error::Conflict { .. }), "too long");
        office.clock.set("2026-12-04T08:00:00Z");
        assert!(matches!(refused(extension("2027-01-02")), Error::Conflict { .. }), "on day 31");
        let same = office.requests.request(&office.tenant, &id).unwrap().unwrap();
        assert_eq!((same.state, same.version, same.history.len()), (State::Received, 1, 0));

        let theirs = office.staff("rr_1", Event::Approve).unwrap_err();
        assert!(matches!(theirs, Error::Conflict { .. }), "the platform's own is the platform's");
        let told = office.requests.request(&office.tenant, "rr_1").unwrap().unwrap();
        assert_eq!(told.due, Some("2026-10-01".parse().unwrap()), "its clock is told all the same");
    });
}

#[test]
fn waiting_for_a_proof_stops_the_clock_of_the_gdpr_and_no_other() {
    every_store(|store| {
        let office = Office::new(store, &[]);
        let european = Asked { regime: Some(Regime::Gdpr), ..asked(Matter::Access) };
        let european = office.open(european).id;
        let american = office.open(asked(Matter::Access)).id;
        for id in [&european, &american] {
            office.staff(id, Event::IdentityAsked).unwrap();
        }
        office.clock.set("2026-11-13T16:12:00Z");
        let standing =
            |id: &str| office.requests.request(&office.tenant, id).unwrap().unwrap().standing;
        assert_eq!(standing(&european), Standing::Paused);
        assert!(matches!(standing(&american), Standing::Running { days: 20, .. }));
        office.staff(&european, Event::IdentityFailed).unwrap();
        assert_eq!(standing(&european), Standing::Paused, "another proof may come");
        let proven = office.staff(&european, Event::IdentityProven).unwrap();
        assert_eq!(proven.due, Some("2026-12-14".parse().unwrap()), "ten days, and a weekend");
    });
}

#[test]
fn of_two_who_decide_at_once_one_does() {
    every_store(|store| {
        let office = Office::new(store, &[]);
        let id = office.open(asked(Matter::Access)).id;
        office.staff(&id, Event::ReviewStarted).unwrap();
        let deny = Step {
            reason: Some("It was compiled for litigation.".into()),
            ..Step::new(Event::Deny, By::Staff("st_2".into()))
        };
        let approve = Step::new(Event::Approve, By::Operator);
        let done = std::thread::scope(|scope| {
            let hands = [deny, approve].map(|step| scope.spawn(|| office.step(&id, step).is_ok()));
            hands.map(|hand| hand.join().unwrap())
        });
        assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
        let after = office.requests.request(&office.tenant, &id).unwrap().unwrap();
        assert_eq!((after.version, after.history.len()), (3, 2));
    });
}

fn about_the_note(matter: Matter) -> Asked {
    Asked {
        entry: Some("note_1".into()),
        statement: Some("I was born in May".into()),
        ..asked(matter)
    }
}

#[test]
fn a_correction_is_once_in_the_record_however_its_request_goes_on() {
    every_store(|store| {
        let office = Office::new(Arc::clone(&store), &[note(1, "progress", "Born in June")]);
        let papers = || -> Vec<Arc<throughline::domain::Record>> {
            let all = store.sources(&office.tenant, Kind::SessionNote).unwrap();
            all.into_iter().filter(|one| one.id.starts_with("tl")).collect()
        };
        let nobody = Asked { entry: Some("note_9".into()), ..about_the_note(Matter::Amendment) };
        let refused = office.requests.open(&office.tenant, nobody).unwrap_err();
        assert!(matches!(refused, Error::Invalid { .. }));
        let id = office.open(about_the_note(Matter::Amendment)).id;
        office.staff(&id, Event::ReviewStarted).unwrap();
        let part = Step {
            text: Some("Born in May.".into()),
            reason: Some("The rest was said so.".into()),
            ground: Some(Refusal::Accurate),
            ..Step::new(Event::DenyInPart, By::Staff("st_2".into()))
        };
        let unsigned = Step { by: By::Operator, ..part.clone() };
        assert!(matches!(office.step(&id, unsigned).unwrap_err(), Error::Invalid { .. }));
        let wrong = Step { ground: Some(Refusal::MustKeep), ..part.clone() };
        assert!(matches!(office.step(&id, wrong).unwrap_err(), Error::Invalid { .. }));
        assert!(papers().is_empty(), "what is refused changes nothing");
        office.step(&id, part).unwrap();
        let first = papers();
        assert_eq!(first.len(), 1);
        assert_eq!((first[0].version, &first[0].data["amends"]), (1, &json!("note_1")));
        assert_eq!(first[0].data["class"], "progress", "it is guarded as the entry is");
        let words =
            |event, by, words: &str| Step { reason: Some(words.into()), ..Step::new(event, by) };
        office.step(&id, Step::new(Event::Enclose, By::Requester)).unwrap();
        office.step(&id, words(Event::Disagree, By::Requester, "All of it is wrong")).unwrap();
        let rebuttal = words(Event::Rebut, By::Staff("st_2".into()), "We stay with it");
        office.step(&id, rebuttal.clone()).unwrap();
        assert!(matches!(office.step(&id, rebuttal).unwrap_err(), Error::Conflict { .. }));
        let all = papers();
        assert_eq!(all.len(), 2, "a correction, and a disagreement");
        let disagreement = all.iter().find(|one| one.id.starts_with("tld-")).unwrap();
        assert!(disagreement.data["sections"].to_string().contains("We stay with it"));
        let done = office.staff(&id, Event::Fulfil).unwrap();
        assert_eq!(done.state, State::Fulfilled);
    });
}

#[test]
fn nothing_is_erased_under_a_legal_hold_and_what_stays_is_named() {
    every_store(|store| {
        let hold = |version, until: Option<&str>| {
            let mut data = json!({
                "client_id": "cl_7", "reason": "litigation hold", "from": "2026-05-01",
            });
            if let Some(until) = until {
                data["to"] = json!(until);
            }
            about("cl_7", record("legal_hold", "lh_1", version, data))
        };
        let office = Office::new(store, &[hold(1, Some("2026-11-10"))]);
        let european = Asked { regime: Some(Regime::Gdpr), ..asked(Matter::Erasure) };
        let id = office.open(european).id;
        office.staff(&id, Event::ReviewStarted).unwrap();
        let held = office.staff(&id, Event::Approve).unwrap_err();
        assert!(matches!(&held, Error::Conflict { hint } if hint.contains("legal hold")), "{held}");
        office.clock.set("2026-11-11T16:00:00Z");
        let granted = office.staff(&id, Event::Approve).unwrap();
        assert!(granted.letters[0].text.contains("erased here"), "{:?}", granted.letters);
        let done = office.staff(&id, Event::Fulfil).unwrap();
        let letter = &done.letters.last().unwrap().text;
        assert!(letter.contains("These stay") && letter.contains("164.528"), "{letter}");

        let american = office.open(asked(Matter::Erasure)).id;
        office.staff(&american, Event::ReviewStarted).unwrap();
        let deny = Step {
            ground: Some(Refusal::NoSuchRight),
            reason: Some("We may not.".into()),
            ..Step::new(Event::Deny, By::Staff("st_2".into()))
        };
        let denied = office.step(&american, deny).unwrap();
        let letter = &denied.letters[0].text;
        assert!(letter.contains("gives a right to a correction, and none to an erasure"));
    });
}

/// The exit code, and what was said.
fn say(data: &Path, arguments: &[&str]) -> (i32, String) {
    let output = run(arguments, data);
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn a_letter_is_typed_in_and_answered_by_commands_that_are_written_down() {
    let data = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/solo-cbt");
    let practice = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/practice");
    let (code, said) =
        say(data.path(), &["ingest", practice.to_str().unwrap(), fixtures.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    let say = |arguments: &[&str]| say(data.path(), &[arguments, &["--tenant", "hv"]].concat());
    let (code, said) = say(&["requests", "list"]);
    assert_eq!((code, said.as_str()), (0, "no requests\n"));
    let letter = [
        "requests",
        "open",
        "--client",
        "cl_1",
        "--type",
        "amendment",
        "--proof",
        "notarized",
        "--received",
        "2026-01-31T10:00:00-07:00",
        "--statement",
        "ZZSTATEMENT is wrong",
    ];
    let (code, id) = say(&letter);
    assert_eq!(code, 0, "{id}");
    let id = id.trim();
    let (code, listed) = say(&["requests", "list"]);
    assert_eq!(code, 1, "it is overdue: {listed}");
    assert!(listed.contains("OVERDUE since 2026-04-01"), "{listed}");
    let (code, said) =
        say(&["requests", "step", id, "extend", "--reason", "Moving", "--until", "2026-05-01"]);
    assert_eq!(code, 2);
    assert!(said.contains("the term ended on 2026-04-01"), "{said}");
    for step in ["review_started", "approve", "fulfil"] {
        let (code, said) = say(&["requests", "step", id, step]);
        assert_eq!(code, 0, "{said}");
    }
    let (_, shown) = say(&["requests", "show", id, "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["state"], &shown["overdue"]), (&json!("fulfilled"), &json!(false)));
    let (code, said) = say(&["requests", "show", "tlr-none"]);
    assert_eq!(code, 2);
    assert!(said.contains("there is no request"), "{said}");
    let (_, found) = say(&["audit", "search", "--action", "request-changed"]);
    assert_eq!(found.lines().filter(|line| line.contains("request-changed")).count(), 3, "{found}");
    for text in [shown.to_string(), found, listed] {
        assert!(!text.contains("ZZSTATEMENT"), "what they wrote is in no list: {text}");
    }
}
