//! Laws of what may be seen, over HTTP, for any practice: a no, a label or a restriction more never
//! shows anybody more, and a narrower purpose, recipient or token never shows more than the wider one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use throughline::config::Sources;
use throughline::policy::{Purpose, Under};

use crate::support::charts::{
    EHR, client, diagnosis, form, guardian, next, note, release, session, staff, take_in, with,
};
use crate::support::server::{Server, spawn_with};

/// How many practices are tried, and how many clients each has.
const PRACTICES: u32 = 4;
const CLIENTS: usize = 8;

const KINDS: &[&str] = &["diagnosis", "session_note", "session_log", "client", "related_party"];
const PURPOSES: &[&str] = &["treat", "pay", "operations"];

/// What one client is like, and what happens then.
#[derive(Debug, Clone)]
struct Chart {
    is_child: bool,
    code: &'static str,
    kinds: Vec<&'static str>,
    purposes: Vec<&'static str>,
    change: Change,
}

/// Something after which nobody may see more than before.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// A consent that says no to these kinds is signed.
    No(&'static str),
    /// A record gets a label more.
    Label(&'static str, &'static str),
    /// The guardian is barred.
    Bar(&'static str),
    /// What was permitted is taken back.
    TakeBack,
    /// It is for one purpose less.
    Purpose,
    /// It is for somebody else.
    Recipient,
    /// The note is withheld from the client, or from proxies.
    Withhold(&'static str),
    /// The diagnosis turns out to be a Part 2 record.
    Part2,
}

fn some_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        select(KINDS).prop_map(Change::No),
        (select(&["dx", "note"][..]), select(&["R", "V", "SUD", "HIV", "PSY"][..]))
            .prop_map(|(of, code)| Change::Label(of, code)),
        select(&["no_contact", "no_records", "custody_order"][..]).prop_map(Change::Bar),
        Just(Change::TakeBack),
        Just(Change::Purpose),
        Just(Change::Recipient),
        select(&["client", "proxies"][..]).prop_map(Change::Withhold),
        Just(Change::Part2),
    ]
}

fn some_chart() -> impl Strategy<Value = Chart> {
    (
        any::<bool>(),
        select(&["F41.1", "F10.20"][..]),
        subsequence(KINDS, 1..=KINDS.len()),
        subsequence(PURPOSES, 1..=PURPOSES.len()),
        some_change(),
    )
        .prop_map(|(is_child, code, kinds, purposes, change)| Chart {
            is_child,
            code,
            kinds,
            purposes,
            change,
        })
}

impl Chart {
    fn records(&self, number: usize) -> Vec<Value> {
        let of = |name: &str| format!("{name}_{number}");
        let who = of("cl");
        let mut person = client(&who, &format!("Family{number}"));
        if self.is_child {
            person["data"]["birth_date"] = json!("2016-05-01");
        }
        let permit =
            with(release(&who, &of("con"), &self.kinds), json!({"purposes": self.purposes}));
        vec![
            person,
            guardian(&who, &of("Kin")),
            diagnosis(&who, &of("dx"), self.code),
            session(&[&who], &of("ses")),
            note(&who, &of("note"), "progress", "signed"),
            form(&who, &of("con")),
            permit,
            form(&who, &of("no")),
            self.no(number, "draft"),
        ]
    }

    /// The consent that says no.
    fn no(&self, number: usize, status: &str) -> Value {
        let kinds: &[&str] = if let Change::No(kind) = &self.change { &[kind] } else { KINDS };
        let no = release(&format!("cl_{number}"), &format!("no_{number}"), kinds);
        with(no, json!({"decision": "deny", "status": status, "purposes": PURPOSES}))
    }

    /// The record that changes, as it is afterwards.
    fn changed(&self, number: usize) -> Value {
        let of = |name: &str| format!("{name}_{number}");
        let find = |id: &str| {
            let found = self.records(number).into_iter().find(|record| record["id"] == id);
            next(found.unwrap(), 2)
        };
        match self.change {
            Change::No(_) => next(self.no(number, "active"), 2),
            Change::Label(name, code) => {
                let mut record = find(&of(name));
                let system = if ["R", "V"].contains(&code) { "Confidentiality" } else { "ActCode" };
                let system = format!("http://terminology.hl7.org/CodeSystem/v3-{system}");
                record["labels"] = json!([{"system": system, "code": code}]);
                record
            }
            Change::Bar(kind) => {
                let barred = json!({"restrictions": [{"kind": kind, "from": "2020-01-01"}]});
                with(find(&of("Kin")), barred)
            }
            Change::TakeBack => {
                let at = "2026-03-01T00:00:00Z";
                let back =
                    json!({"status": "revoked", "revocations": [{"at": at, "scope": "all"}]});
                with(find(&of("con")), back)
            }
            Change::Purpose => with(find(&of("con")), json!({"purposes": &self.purposes[1..]})),
            Change::Recipient => {
                let other = json!([{"kind": "org", "name": "Else", "fhir_client_ids": ["else"]}]);
                with(find(&of("con")), json!({"recipients": other}))
            }
            Change::Withhold(from) => {
                let mut who = json!({"client": "full", "proxies": "inherit"});
                who[from] = json!("withheld");
                with(find(&of("note")), json!({"visibility": who}))
            }
            Change::Part2 => {
                let mut record = find(&of("dx"));
                record["part2"] = json!(true);
                record
            }
        }
    }
}

type Found = BTreeMap<String, Value>;

/// Everybody outside who may ask, with what each finds.
async fn everybody(server: &Server) -> BTreeMap<String, Found> {
    let mut seen = BTreeMap::new();
    for purpose in [Purpose::Treatment, Purpose::Payment, Purpose::Operations] {
        let token = server.looking(Under::of_client(EHR, Some(purpose)), "system/*.rs", None);
        seen.insert(format!("the app for {}", purpose.as_str()), server.all_of(&token).await);
    }
    let own = server.all_of(&server.token).await;
    for (key, resource) in &own {
        let about = match key.split('/').next() {
            Some("Patient") => key.clone(),
            Some("RelatedPerson") => resource["patient"]["reference"].as_str().unwrap().to_owned(),
            _ => continue,
        };
        let token = server.of_person(key, &about);
        seen.insert(format!("{key} about {about}"), server.all_of(&token).await);
    }
    seen
}

/// The texts of a resource, but for those that say how sensitive it is and since when it is so.
fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let told = |name: &&String| !["meta", "securityLabel"].contains(&name.as_str());
            members.iter().filter(|(name, _)| told(name)).for_each(|(_, one)| texts(one, found));
        }
        Value::Array(items) => items.iter().for_each(|one| texts(one, found)),
        Value::Null => {}
        leaf => drop(found.insert(leaf.to_string())),
    }
}

/// What somebody sees of `narrow` that they do not see of `wide`.
fn more(narrow: &Found, wide: &Found) -> Vec<String> {
    // A consent tells of itself that it was changed, and so does what tells where it came from.
    let is_asked = |key: &str| !key.starts_with("Consent/") && !key.starts_with("Provenance/");
    let mut more = Vec::new();
    for (key, resource) in narrow.iter().filter(|(key, _)| is_asked(key)) {
        let Some(known) = wide.get(key) else {
            more.push(key.clone());
            continue;
        };
        let (mut now, mut then) = (BTreeSet::new(), BTreeSet::new());
        texts(resource, &mut now);
        texts(known, &mut then);
        more.extend(now.difference(&then).map(|text| format!("{text} in {key}")));
    }
    more
}

/// Runs a law over some practices.
fn over_practices(law: &impl AsyncFn(&Server, &[Chart]) -> Result<(), TestCaseError>) {
    let mut runner = TestRunner::new(Config {
        cases: PRACTICES,
        max_shrink_iters: 20,
        failure_persistence: None,
        ..Config::default()
    });
    let charts = proptest::collection::vec(some_chart(), CLIENTS);
    let told = runner.run(&charts, |charts| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let server = spawn_with(|_| Sources::default());
        let mut records = staff();
        records.extend(charts.iter().enumerate().flat_map(|(n, chart)| chart.records(n)));
        take_in(&server, &records);
        runtime.block_on(law(&server, &charts))
    });
    told.unwrap();
}

#[test]
fn a_no_a_label_or_a_restriction_more_never_shows_anybody_more() {
    let (mut less, mut sees) = (0, 0);
    let counts = std::cell::RefCell::new((&mut less, &mut sees));
    over_practices(&async |server, charts| {
        let before = everybody(server).await;
        let changes: Vec<Value> =
            charts.iter().enumerate().map(|(number, chart)| chart.changed(number)).collect();
        take_in(server, &changes);
        let after = everybody(server).await;
        for (who, then) in &before {
            let nothing = Found::new();
            let now = after.get(who).unwrap_or(&nothing);
            let more = more(now, then);
            prop_assert!(more.is_empty(), "{who} sees more: {more:?}");
            let mut counts = counts.borrow_mut();
            *counts.0 += usize::from(now.len() < then.len());
            *counts.1 += then.len();
        }
        let new: Vec<_> = after.keys().filter(|who| !before.contains_key(*who)).collect();
        prop_assert!(new.is_empty(), "{new:?}");
        Ok(())
    });
    assert!(less > 0 && sees > 100, "the changes took something away: {less} times of {sees}");
}

#[test]
fn a_narrower_token_never_shows_more_than_the_wider_one() {
    over_practices(&async |server, _| {
        let own = server.all_of(&server.token).await;
        let patients: Vec<&String> = own.keys().filter(|key| key.starts_with("Patient/")).collect();
        for purpose in [Purpose::Treatment, Purpose::Payment, Purpose::Operations] {
            let under = Under::of_client(EHR, Some(purpose));
            let wide = server.looking(under.clone(), "system/*.rs", None);
            let wide = server.all_of(&wide).await;
            prop_assert!(more(&wide, &own).is_empty(), "the practice sees all of it");
            let mut narrower = vec![
                server.looking(Under::of_client(EHR, None), "system/*.rs", None),
                server.looking(Under::of_client("else", Some(purpose)), "system/*.rs", None),
                server.looking(under.clone(), "system/Condition.rs", None),
            ];
            for patient in patients.iter().take(2) {
                let id = patient.strip_prefix("Patient/");
                let one = Under { patient: id.map(|id| id.parse().unwrap()), ..under.clone() };
                narrower.push(server.looking(one, "system/*.rs", None));
                narrower.push(server.looking(under.clone(), "patient/*.rs", id));
            }
            for (number, token) in narrower.iter().enumerate() {
                let narrow = server.all_of(token).await;
                let more = more(&narrow, &wide);
                prop_assert!(more.is_empty(), "the {number}. token sees more: {more:?}");
            }
        }
        Ok(())
    });
}
