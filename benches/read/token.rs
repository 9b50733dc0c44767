//! What it costs to look at a token that was seen before, against hashing the same bytes.

use std::hint::black_box;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use throughline::app::{App, Config};
use throughline::auth::Grant;
use throughline::clock::SystemClock;

use crate::practice;

/// Looks in a round; with those every half second in which the store is asked.
const LOOKS: u32 = 400_000;
/// Rounds, of which the middle one counts.
const ROUNDS: usize = 5;
/// What a look may cost, in nanoseconds.
const MAY_NS: f64 = 3_000.0;

/// Measures and reports.
pub(crate) fn run(out: &mut impl Write) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let mappings = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let config = Config { data: folder.path().to_owned(), mappings, ..Config::default() };
    let app = App::open(&config, Arc::new(SystemClock)).unwrap();
    let grant = Grant {
        tenant: practice::tenant(),
        subject: "bench".into(),
        scopes: vec!["system/*.rs".into()],
        lifetime: std::time::Duration::from_hours(1),
    };
    let token = app.tokens().mint(&grant).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let began = Instant::now();
    runtime.block_on(app.authority().admit(&token)).unwrap();
    let first = began.elapsed();
    let looks = || {
        runtime.block_on(async {
            for _ in 0..LOOKS {
                black_box(app.authority().admit(black_box(&token)).await.unwrap());
            }
        });
    };
    let hashes = || {
        for _ in 0..LOOKS {
            black_box(digest(&SHA256, black_box(token.as_bytes())));
        }
    };
    let (look, hash) = (median(&looks), median(&hashes));
    writeln!(
        out,
        "a token seen before                {look:8.0} ns, may be {MAY_NS:.0}; its hash {hash:.0} ns; \
         the first time {:.0} µs",
        first.as_secs_f64() * 1e6
    )?;
    if look > MAY_NS {
        return Err(io::Error::other("a token costs more than it may"));
    }
    Ok(())
}

/// Nanoseconds for each of a round, in the middle of several.
fn median(round: &dyn Fn()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            round();
            began.elapsed().as_secs_f64() * 1e9 / f64::from(LOOKS)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}
