//! What reading costs: `cargo bench --bench read`, or `-- http`, `-- answers`, `-- app`, `-- audit`, `-- token`,
//! `-- points`, `-- permit`, `-- export`, `-- push` and `-- growth` for one part. `growth` makes a store of 7 GB in `TMPDIR`, and takes ten
//! minutes.
//!
//! Ratios are against a baseline measured in the same run; times are of this machine.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark that cannot go on should stop where it is"
)]

mod app;
mod audit;
mod export;
mod growth;
mod http;
mod load;
mod permit;
mod points;
#[path = "../../tests/it/support/postgres.rs"]
#[expect(dead_code, reason = "tests ask more of it")]
mod postgres;
mod practice;
mod push;
mod redis;
mod token;
mod usage;

use std::io::{self, Write};

fn main() -> io::Result<()> {
    let out = &mut io::stdout().lock();
    if let Some(load) = load::Load::asked_for() {
        let answered = load.make();
        return writeln!(out, "{} {}", answered.count, answered.median);
    }
    if is_wanted("http") {
        http::reads(out)?;
    }
    if is_wanted("answers") {
        http::answers(out)?;
    }
    if is_wanted("app") {
        app::run(out)?;
    }
    if is_wanted("token") {
        token::run(out)?;
    }
    if is_wanted("audit") {
        audit::run(out)?;
    }
    if is_wanted("points") {
        points::run(out)?;
    }
    if is_wanted("permit") {
        permit::run(out)?;
    }
    if is_wanted("export") {
        export::run(out)?;
    }
    if is_wanted("push") {
        push::run(out)?;
    }
    if is_wanted("growth") {
        growth::run(out)?;
    }
    out.flush()
}

/// Whether a part was asked for, by its name or by asking for none.
fn is_wanted(part: &str) -> bool {
    let named: Vec<String> =
        std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    named.is_empty() || named.iter().any(|name| name == part)
}
