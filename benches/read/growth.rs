//! Whether size costs: the same requests and the same records, with a small and a large store.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use throughline::app::App;
use throughline::exchange::synth::{self, Order};

use crate::http::{Case, cost, judge, median, mint, open, serve};
use crate::load::Load;
use crate::{practice, usage};

/// Encounters in the small and in the large store.
const SIZES: [usize; 2] = [1_000, 1_000_000];
/// How much more a request may cost in the large one.
const MAY_GROW: f64 = 2.0;
/// How much slower records may be taken in there.
const MAY_SLOW: f64 = 0.7;
/// The most memory that it may take, in MB.
const MAY_HOLD: u64 = 250;
/// Clients whose records are taken in.
const CLIENTS: u64 = 40;
/// Measurements of each request, and how long each lasts.
const ROUNDS: usize = 5;
const LENGTH: Duration = Duration::from_secs(3);

/// A store of one size, served.
struct Grown {
    load: Load,
    /// Records taken in for each second of CPU.
    rate: f64,
}

/// What is asked of both.
const REQUESTS: [(&str, &str); 2] = [
    ("a read", "/fhir/Encounter/{encounter}"),
    ("a search, 20 hits of a patient", "/fhir/Encounter?patient={patient}&_count=20"),
];

/// Measures and reports.
pub(crate) fn run(out: &mut impl Write) -> io::Result<()> {
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let [small_folder, large_folder] = folders.each_ref().map(tempfile::TempDir::path);
    // The large one alone first, for its memory.
    let large = grow(out, large_folder, SIZES[1])?;
    for (_, path) in REQUESTS {
        large.cost(path, LENGTH);
    }
    let held = usage::peak_memory();
    let small = grow(out, small_folder, SIZES[0])?;
    let mut too_dear = false;
    for (name, path) in REQUESTS {
        let pair = |length| (small.cost(path, length), large.cost(path, length));
        pair(Duration::from_secs(1));
        let rounds: Vec<_> = (0..ROUNDS).map(|_| pair(LENGTH)).collect();
        let ratio = median(rounds.iter().map(|(small, large)| large / small));
        let (small, large) =
            (median(rounds.iter().map(|pair| pair.0)), median(rounds.iter().map(|pair| pair.1)));
        writeln!(
            out,
            "{name:34} {small:8.1} µs of {}, {large:.1} µs of {}, ratio {ratio:.2}, may be {MAY_GROW}",
            SIZES[0], SIZES[1]
        )?;
        too_dear |= ratio > MAY_GROW;
    }
    let ratio = large.rate / small.rate;
    writeln!(
        out,
        "records taken in {:.0} and {:.0} for each second of CPU, ratio {ratio:.2}, may be {MAY_SLOW}",
        small.rate, large.rate
    )?;
    writeln!(out, "peak memory of the large one {held} MB, may be {MAY_HOLD}")?;
    judge(too_dear || ratio < MAY_SLOW || held > MAY_HOLD)
}

impl Grown {
    /// What a request costs.
    fn cost(&self, path: &str, length: Duration) -> f64 {
        cost(&Load { path: path.to_owned(), length, ..self.load.clone() })
    }
}

fn grow(out: &mut impl Write, folder: &Path, size: usize) -> io::Result<Grown> {
    let app = open(folder, &Case::default());
    let began = Instant::now();
    practice::fill(app.store(), 0..size);
    let token = mint(&app);
    let rate = take_in(&app, folder)?;
    let bytes = folder.join("store.sqlite").metadata()?.len();
    writeln!(out, "{size} Encounters are {} MB, in {:.0?}", bytes / 1_000_000, began.elapsed())?;
    let load =
        Load { address: serve(app), path: String::new(), token, length: LENGTH, among: size };
    Ok(Grown { load, rate })
}

/// Takes in the records of a few clients; answers how many for each second of CPU.
fn take_in(app: &App, folder: &Path) -> io::Result<f64> {
    let file = folder.join("records.ndjson");
    let order = Order { clients: CLIENTS, seed: 3, tenant: practice::tenant().to_string() };
    let records = synth::write(&order, &mut std::fs::File::create(&file)?)?;
    let before = usage::cpu();
    app.take_in(&[file]).unwrap();
    let used = usage::cpu().saturating_sub(before).as_secs_f64();
    Ok(f64::from(u32::try_from(records).unwrap()) / used)
}
