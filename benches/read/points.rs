//! Point reads and searches in the store, against the same statement on a bare connection.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use throughline::fhir::search::param::search_type;
use throughline::fhir::search::{Condition, Operand, Prefix, Query, Test};
use throughline::policy::Action;
use throughline::store::{Everything, SqliteStore, Store};

use crate::practice::{self, EACH};

/// Encounters in the store.
const SIZE: usize = 100_000;
/// Samples of each measurement, if there is time for them.
const SAMPLES: usize = 2_000;
/// The longest that a measurement goes on.
const LONGEST: Duration = Duration::from_secs(3);

/// The conditions of a numbered sample.
type Conditions<'a> = Box<dyn Fn(usize) -> Vec<Condition> + 'a>;

/// Measures and reports.
pub(crate) fn run(out: &mut impl Write) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store.sqlite");
    let store = SqliteStore::open(&path).unwrap();
    let started = Instant::now();
    practice::fill(&store, 0..SIZE);
    let rate = f64::from(u32::try_from(SIZE).unwrap()) / started.elapsed().as_secs_f64();
    writeln!(out, "{SIZE} Encounters put into a store: {rate:.0} a second")?;
    let bare = Connection::open(&path).unwrap();
    let permit = practice::permit(Action::Read);
    let baseline = median(|sample| {
        let mut select = bare
            .prepare_cached("SELECT body FROM resource WHERE tenant = ? AND type = ? AND id = ?")
            .unwrap();
        let id = practice::id(spread(sample));
        let key = [permit.tenant().as_str(), "Encounter", id.as_str()];
        select.query_row(key, |row| row.get::<_, Vec<u8>>(0)).unwrap()
    });
    report(out, "point read, bare connection", baseline, None)?;
    let read =
        median(|sample| store.read(&permit, &practice::id(spread(sample))).unwrap().unwrap());
    report(out, "point read", read, Some(baseline))?;
    let head =
        median(|sample| store.head(&permit, &practice::id(spread(sample))).unwrap().unwrap());
    report(out, "version of a resource", head, Some(baseline))?;
    searches(out, &store, baseline)
}

fn searches(out: &mut impl Write, store: &SqliteStore, baseline: Duration) -> io::Result<()> {
    let permit = practice::permit(Action::Search);
    let patient = |sample: usize| Operand::Reference {
        targets: vec![format!("Patient/{}", practice::id(10_000_000 + spread(sample) / EACH))],
    };
    let first = 1_750_000_000_000_000;
    let since = |sample: usize| {
        // Half of the patient's Encounters.
        let middle = i64::try_from(spread(sample) / EACH * EACH + EACH / 2).unwrap_or_default();
        let low = first + middle * 3_600_000_000;
        Operand::Date { prefix: Prefix::Ge, low, high: low }
    };
    let finished = || Operand::Token { system: None, code: Some("finished".into()) };
    let searches: [(&str, usize, Conditions<'_>); 4] = [
        ("patient, a page of 20", 20, Box::new(|at| vec![is("patient", patient(at))])),
        (
            "patient and date, all 25",
            50,
            Box::new(|at| vec![is("patient", patient(at)), is("date", since(at))]),
        ),
        (
            "patient, date and status, all 25",
            50,
            Box::new(|at| {
                vec![is("patient", patient(at)), is("date", since(at)), is("status", finished())]
            }),
        ),
        ("status, 20 of all, with the total", 20, Box::new(|_| vec![is("status", finished())])),
    ];
    for (name, count, conditions) in searches {
        let time = median(|sample| {
            let query = Query { conditions: conditions(sample), count, ..Query::default() };
            store.search(&permit, &query).unwrap()
        });
        report(out, name, time, Some(baseline))?;
    }
    practice::fill_one(store, practice::APART, 297);
    let scope = Everything {
        patient: practice::patient(practice::APART),
        types: Vec::new(),
        since: None,
        count: 500,
        after: None,
    };
    let time = median(|_| store.everything(&permit, &scope).unwrap());
    report(out, "everything, 300 resources", time, Some(baseline))
}

fn is(name: &str, operand: Operand) -> Condition {
    let (param, _) = search_type("Encounter").unwrap().param(name).unwrap();
    Condition::Param { param, test: Test::Any(vec![operand]) }
}

fn spread(sample: usize) -> usize {
    practice::spread(sample, SIZE)
}

fn median<T>(mut action: impl FnMut(usize) -> T) -> Duration {
    let began = Instant::now();
    let mut times: Vec<Duration> = (0..SAMPLES)
        .take_while(|_| began.elapsed() < LONGEST)
        .map(|sample| {
            let started = Instant::now();
            black_box(action(sample));
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn report(
    out: &mut impl Write,
    name: &str,
    time: Duration,
    baseline: Option<Duration>,
) -> io::Result<()> {
    let micros = time.as_secs_f64() * 1e6;
    match baseline {
        Some(baseline) => {
            let ratio = time.as_secs_f64() / baseline.as_secs_f64();
            writeln!(out, "{name:40} {micros:10.1} µs  {ratio:8.2} of a bare point read")
        }
        None => writeln!(out, "{name:40} {micros:10.1} µs"),
    }
}
