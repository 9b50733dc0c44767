//! What it costs to write every read down before it is answered, against the same server that
//! writes nothing down.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use throughline::app::{App, Config};
use throughline::clock::SystemClock;
use throughline::config::AuditMode;

use crate::http::{median, mint, serve};
use crate::load::{Answered, Load};
use crate::practice;

/// Measurements of each server, taken in turn.
const ROUNDS: usize = 7;
/// How long each lasts.
const LENGTH: Duration = Duration::from_secs(3);
/// Connections that ask at the same time.
const MANY: usize = 64;
/// What of the throughput without an audit is left with one, at least.
const LEAST: f64 = 0.6;

/// Measures and reports.
pub(crate) fn run(out: &mut impl Write) -> io::Result<()> {
    // Not in memory, where a temporary folder may be: the disk is what is measured.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = format!("/fhir/Encounter/{}", practice::id(7));
    let open = |audit, name| {
        let config = Config {
            data: folder.path().join(name),
            mappings: Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"),
            audit,
            ..Config::default()
        };
        let app = App::open(&config, Arc::new(SystemClock)).unwrap();
        practice::fill(app.store(), 0..1_000);
        (mint(&app), serve(app))
    };
    let servers = [open(AuditMode::Off, "off"), open(AuditMode::Closed, "on")];
    let ask = |connections, length| -> Vec<Answered> {
        let load = |(token, address): &(String, _)| Load {
            address: *address,
            path: path.clone(),
            token: token.clone(),
            length,
            connections,
            among: 0,
        };
        servers.iter().map(|server| load(server).run_timed()).collect()
    };
    ask(MANY, Duration::from_secs(1));
    let many: Vec<_> = (0..ROUNDS).map(|_| ask(MANY, LENGTH)).collect();
    let one: Vec<_> = (0..3).map(|_| ask(1, LENGTH)).collect();
    let disk = fdatasync(folder.path())?;
    let rate = |answers: &Answered| f64::from(u32::try_from(answers.count).unwrap()) / 3.0;
    let middle = |rounds: &[Vec<Answered>], server: usize| {
        median(rounds.iter().map(|round| f64::from(u32::try_from(round[server].median).unwrap())))
    };
    let ratio = median(many.iter().map(|round| rate(&round[1]) / rate(&round[0])));
    writeln!(out, "a read that is written down, with the disk's own fdatasync at {disk:.0} µs:")?;
    for (server, name) in ["without an audit", "with it"].into_iter().enumerate() {
        let rate = median(many.iter().map(|round| rate(&round[server])));
        let (busy, idle) = (middle(&many, server), middle(&one, server));
        writeln!(
            out,
            "{name:34} {rate:8.0}/s at {MANY} connections, half within {busy:.0} µs; {idle:.0} µs \
             at one"
        )?;
    }
    let may = 2.0 * disk + 1_000.0;
    let waits = middle(&many, 1) - middle(&many, 0);
    writeln!(out, "throughput: ratio {ratio:.2}, has to be {LEAST} or more")?;
    writeln!(
        out,
        "half of the reads at one connection within {:.0} µs, and at {MANY} connections {waits:.0} \
         µs later than without: each may be {may:.0} µs",
        middle(&one, 1)
    )?;
    if ratio < LEAST || middle(&one, 1) > may {
        return Err(io::Error::other("the audit costs more than it may"));
    }
    Ok(())
}

/// What the disk takes to keep 4 KiB, at the median, in microseconds.
fn fdatasync(folder: &Path) -> io::Result<f64> {
    let mut file = File::create(folder.join("probe"))?;
    let mut times = Vec::new();
    for _ in 0..300 {
        file.write_all(&[7; 4096])?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(times.into_iter()))
}
