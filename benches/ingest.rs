//! What taking records in costs, end to end, against the floor below it: inserting the very rows
//! that came of it, ready made, in as large transactions. Prints rates, their ratio and memory.
//!
//! `cargo bench --bench ingest -- 3000` for about that many records. The ratio of CPU times holds
//! on a busy machine too; that of wall times does not.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop where it is")]

#[path = "ingest/floor.rs"]
mod floor;
#[path = "ingest/usage.rs"]
mod usage;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use throughline::clock::SystemClock;
use throughline::domain::IdKey;
use throughline::exchange::ingest::{BASE, Ingest, Progress, Report, Rules};
use throughline::exchange::synth::{self, Order};
use throughline::store::SqliteStore;

use self::usage::Usage;

/// Records where no other number is asked for.
const RECORDS: u64 = 3_000;
/// What the generator writes for each client, roughly.
const EACH: u64 = 60;
/// Up to this many records, each measurement is the best of three.
const FEW: u64 = 20_000;

fn main() -> io::Result<()> {
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let folder = tempfile::tempdir()?;
    let input = folder.path().join("records.ndjson");
    let (records, bytes) = write_input(&input, asked.unwrap_or(RECORDS))?;
    let mappings = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let rules = Rules::load(&mappings).unwrap();

    let rounds = if records <= FEW { 3 } else { 1 };
    let (mut ingest, mut floor) = (Vec::new(), Vec::new());
    let mut peak = 0;
    let mut resources = 0;
    let mut rows = 0;
    for round in 0..rounds {
        let made = folder.path().join(format!("{round}.sqlite"));
        let run = take_in(&input, &made, &rules);
        if round == 0 {
            peak = usage::peak_memory();
            resources = run.report.resources.values().sum();
            let stored: u64 = run.report.records.values().map(|of_kind| of_kind.stored).sum();
            assert_eq!(stored, records, "all of them are stored");
            assert!(!run.report.needs_attention(), "none is refused");
        }
        ingest.push(run);
        let copy = folder.path().join(format!("{round}.floor.sqlite"));
        let (cost, inserted) = floor::insert_again(&made, &copy);
        floor.push(cost);
        rows = inserted;
    }
    let ingest = ingest.into_iter().min_by(|a, b| a.whole.cpu.total_cmp(&b.whole.cpu)).unwrap();
    let floor = floor.into_iter().min_by(|a, b| a.cpu.total_cmp(&b.cpu)).unwrap();

    let out = &mut io::stdout().lock();
    writeln!(out, "{records} records ({bytes} bytes), {resources} resources, {rows} rows")?;
    let mapping = ingest.whole.since(ingest.reading);
    let lines = [
        ("ingest", ingest.whole),
        ("  reading and storing", ingest.reading),
        ("  mapping and indexing", mapping),
        ("floor", floor),
    ];
    writeln!(
        out,
        "{:24}{:>8}{:>8}{:>14}{:>14}",
        "", "CPU s", "wall s", "records/s", "resources/s"
    )?;
    for (name, cost) in lines {
        let (made, of) = (rate(records, cost.wall), rate(resources, cost.wall));
        writeln!(out, "{name:24}{:8.2}{:8.2}{made:14.0}{of:14.0}", cost.cpu, cost.wall)?;
    }
    writeln!(out, "floor / ingest, CPU     {:8.2}", floor.cpu / ingest.whole.cpu)?;
    writeln!(out, "floor / ingest, wall    {:8.2}", floor.wall / ingest.whole.wall)?;
    writeln!(out, "peak memory, MB         {:8.0}", mega(peak))
}

/// Writes the records; answers how many there are, and their bytes.
fn write_input(path: &Path, records: u64) -> io::Result<(u64, u64)> {
    let clients = records.div_ceil(EACH);
    let mut out = BufWriter::new(File::create(path)?);
    let written = synth::write(&Order { clients, seed: 1, tenant: "hv".to_owned() }, &mut out)?;
    out.flush()?;
    Ok((written, path.metadata()?.len()))
}

/// One run.
struct Run {
    report: Report,
    whole: Usage,
    reading: Usage,
}

/// Takes the records into a new store.
fn take_in(input: &Path, store: &Path, rules: &Rules) -> Run {
    let store = SqliteStore::open(store).unwrap();
    let ids = IdKey::new(&[7; 32]);
    let ingest = Ingest { store: &store, rules, ids: &ids, base: BASE, clock: &SystemClock };
    let files: [PathBuf; 1] = [input.to_owned()];
    let start = Usage::now();
    let mut read = start;
    let mut watch = |progress: Progress| {
        if matches!(progress, Progress::Reading { .. }) {
            read = Usage::now();
        }
    };
    let report = ingest.files(&files, &mut watch).unwrap();
    Run { report, whole: Usage::now().since(start), reading: read.since(start) }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn mega(kibi: u64) -> f64 {
    kibi as f64 * 1_024.0 / 1e6
}
