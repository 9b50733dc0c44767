//! Records a second through the mapping engine, text to text on one core, against a mapper of the
//! same session log written by hand with serde, and with the maps that the product comes with. Prints
//! rates and their ratio.
//!
//! `cargo bench --bench mapping`
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop where it is")]

#[path = "mapping/by_hand.rs"]
mod by_hand;

use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use throughline::mapping::{MapSet, Scratch};

/// Each measurement is the best of this many rounds: the machine may be busy with other things.
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(250);

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/maps");
    let set = MapSet::load(&folder).ok().unwrap();
    let load = Instant::now();
    let product = MapSet::load(&root.join("mappings")).ok().unwrap();
    let load = load.elapsed();
    let input = |path: &str| {
        let text = std::fs::read_to_string(folder.join("tests").join(path)).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap().to_string()
    };
    let session = input("session-log-encounter/clock_change.in.json");
    let note = input("session-note-document-reference/signed.in.json");

    let mut scratch = Scratch::default();
    let mut out = Vec::new();
    let mut engine = |map: &str, record: &str| {
        out.clear();
        set.run(map, record.as_bytes(), &mut scratch, &mut out).unwrap();
        out.clone()
    };
    let (made, by_hand) = (engine("session-log-encounter", &session), by_hand::encounter(&session));
    assert_eq!(String::from_utf8(made), String::from_utf8(by_hand), "the two make the same");

    let mut out = Vec::new();
    let mut run = |map: &str, record: &str| {
        rate(|| {
            out.clear();
            black_box(set.run(map, black_box(record.as_bytes()), &mut scratch, &mut out)).unwrap();
        })
    };
    let encounter = run("session-log-encounter", &session);
    let document = run("session-note-document-reference", &note);
    let shipped = std::fs::read_to_string(
        root.join("mappings/tests/session-log-encounter/group_member.in.json"),
    );
    let shipped = shipped.unwrap();
    let whole = rate(|| {
        out.clear();
        let record = black_box(shipped.as_bytes());
        black_box(product.run("session-log-encounter", record, &mut scratch, &mut out)).unwrap();
    });
    let hand = rate(|| {
        black_box(by_hand::encounter(black_box(&session)));
    });
    let mut print = std::io::stdout().lock();
    writeln!(
        print,
        "load of the {} maps       {:8.1} ms",
        product.maps().len(),
        load.as_secs_f64() * 1e3
    )
    .unwrap();
    writeln!(print, "session_log → Encounter   {encounter:8.0} /s").unwrap();
    writeln!(print, "  the same by hand        {hand:8.0} /s").unwrap();
    writeln!(print, "  engine / by hand        {:8.2}", encounter / hand).unwrap();
    writeln!(print, "  by the product's map    {whole:8.0} /s").unwrap();
    writeln!(print, "note → DocumentReference  {document:8.0} /s").unwrap();
}

/// How many times a second.
fn rate(mut work: impl FnMut()) -> f64 {
    let mut best: f64 = 0.0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut count = 0_u32;
        while start.elapsed() < ROUND {
            for _ in 0..100 {
                work();
            }
            count += 100;
        }
        best = best.max(f64::from(count) / start.elapsed().as_secs_f64());
    }
    best
}
