//! What looking under consents costs, beside the practice's own look at the same records: 100,000
//! patients, each with three consents to three recipients.

use std::hint::black_box;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use throughline::domain::Kind;
use throughline::fhir::search::param::search_type;
use throughline::fhir::search::{Condition, Operand, Query, Test};
use throughline::policy::{Action, Grantee, Obligations, Permit, Principal, Purpose, Under};
use throughline::store::{Allowed, SqliteStore, Store};

use crate::practice::{self, EACH};
use crate::usage;

/// Patients in the store.
const PATIENTS: usize = 100_000;
/// Those to whom each of them released something.
pub(crate) const RECIPIENTS: [&str; 3] = ["ehr-one", "ehr-two", "ehr-three"];
/// What they released.
const CLASSES: [&str; 3] = ["client", "session", "diagnosis"];
/// What a read may cost more, in microseconds of CPU.
const READ: f64 = 15.0;
/// What a search may cost more, in parts of itself.
const SEARCH: f64 = 0.25;

/// Measures and reports.
pub(crate) fn run(out: &mut impl Write) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(&folder.path().join("store.sqlite")).unwrap();
    fill(&store);
    writeln!(out, "under consents, {PATIENTS} patients with {} each:", RECIPIENTS.len())?;
    let mut over = Vec::new();
    let (own, theirs) = (own(Action::Read), theirs(Action::Read));
    let read = |permit: &Permit, sample: usize| {
        black_box(store.read(permit, &practice::id(number(sample))).unwrap().unwrap());
    };
    let [plain, under] =
        compare(20_000, |sample| read(&own, sample), |sample| read(&theirs, sample));
    writeln!(out, "{:44} {plain:8.1} µs, {:.1} more (may be {READ})", "a read", under - plain)?;
    if under - plain > READ {
        over.push("a read".to_owned());
    }
    for (name, rounds, conditions) in searches() {
        let (own, theirs) = (self::own(Action::Search), self::theirs(Action::Search));
        let search = |permit: &Permit, sample: usize| {
            let query = Query { conditions: conditions(sample), count: 20, ..Query::default() };
            black_box(store.search(permit, &query).unwrap());
        };
        let [plain, under] =
            compare(rounds, |sample| search(&own, sample), |sample| search(&theirs, sample));
        let more = under / plain - 1.0;
        writeln!(
            out,
            "{name:44} {plain:8.1} µs, {under:.1} under consents: {:.0} % more (may be {:.0})",
            more * 100.0,
            SEARCH * 100.0
        )?;
        if more > SEARCH {
            over.push(name.to_owned());
        }
    }
    if over.is_empty() {
        return Ok(());
    }
    Err(io::Error::other(format!("more than it may cost: {}", over.join(", "))))
}

/// The conditions of a numbered sample.
type Conditions = Box<dyn Fn(usize) -> Vec<Condition>>;

fn searches() -> Vec<(&'static str, usize, Conditions)> {
    let patient = |sample: usize| {
        let targets = vec![format!("Patient/{}", practice::patient(number(sample)))];
        is("patient", Operand::Reference { targets })
    };
    let finished = || is("status", Operand::Token { system: None, code: Some("finished".into()) });
    vec![
        ("a search by patient", 20_000, Box::new(move |at| vec![patient(at)])),
        (
            "a search by patient and status",
            20_000,
            Box::new(move |at| vec![patient(at), finished()]),
        ),
        ("a search over all, 20 and how many", 300, Box::new(move |_| vec![finished()])),
    ]
}

fn is(name: &str, operand: Operand) -> Condition {
    let (param, _) = search_type("Encounter").unwrap().param(name).unwrap();
    Condition::Param { param, test: Test::Any(vec![operand]) }
}

/// The number of the one Encounter of a patient.
fn number(sample: usize) -> usize {
    practice::spread(sample, PATIENTS) * EACH
}

fn own(action: Action) -> Permit {
    practice::permit(action)
}

fn theirs(action: Action) -> Permit {
    let under = Under {
        at: Some(Timestamp::from_second(1_790_000_000).unwrap()),
        able: Obligations::OF_FHIR,
        ..Under::of_client(RECIPIENTS[1], Some(Purpose::Treatment))
    };
    let principal = Principal {
        under: Some(under),
        ..Principal::new(practice::tenant(), RECIPIENTS[1], "system/*.rs")
    };
    Permit::decide(&Arc::new(principal), action, "Encounter").unwrap()
}

fn fill(store: &dyn Store) {
    let tenant = practice::tenant();
    practice::fill_staff(store);
    for first in (0..PATIENTS).step_by(500) {
        let mut write = store.write().unwrap();
        for sample in first..first + 500 {
            let number = sample * EACH;
            let mut made = [practice::encounter(number), practice::person(number)];
            for (new, class) in made.iter_mut().zip(["session", "client"]) {
                class.clone_into(&mut new.guard.class);
            }
            let patient = practice::patient(number);
            let origin = format!("ses_{number}");
            write.put_projection(&tenant, Kind::SessionLog, &origin, made.into()).unwrap();
            write.put_allowed(&tenant, &patient, &allowed()).unwrap();
        }
        write.commit().unwrap();
    }
}

/// What a patient released.
pub(crate) fn allowed() -> Vec<Allowed> {
    let who = RECIPIENTS.iter().map(|who| Grantee::of_recipient(who, Purpose::Treatment));
    who.flat_map(|who| given_to(&who)).collect()
}

/// All classes, for ever, for one.
pub(crate) fn given_to(who: &Grantee) -> Vec<Allowed> {
    CLASSES.iter().map(|class| Allowed::always(who, class)).collect()
}

/// What each of two takes of the CPU, in microseconds: the median of five rounds, taken in turn.
fn compare(count: usize, one: impl Fn(usize), other: impl Fn(usize)) -> [f64; 2] {
    let took = |action: &dyn Fn(usize), first: usize| {
        let (cpu, began) = (usage::cpu(), Instant::now());
        (first..first + count).for_each(action);
        let cpu = usage::cpu().saturating_sub(cpu);
        // Short rounds are told better by the clock.
        let spent = if cpu < Duration::from_millis(200) { began.elapsed() } else { cpu };
        spent.as_secs_f64() * 1e6 / f64::from(u32::try_from(count).unwrap())
    };
    let mut rounds: Vec<[f64; 2]> =
        (0..5).map(|round| [took(&one, round * count), took(&other, round * count)]).collect();
    let mut middle = |place: usize| {
        rounds.sort_by(|a, b| a[place].total_cmp(&b[place]));
        rounds[2][place]
    };
    [middle(0), middle(1)]
}
