//! What a read costs: `cargo bench --bench read`.
//!
//! Ratios are against a baseline measured in the same run; times are of this machine.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on should stop where it is"
)]

mod http;
mod load;
mod points;
mod practice;
mod redis;

use std::io::{self, Write};

fn main() -> io::Result<()> {
    let out = &mut io::stdout().lock();
    if let Some(load) = load::Load::asked_for() {
        return writeln!(out, "{}", load.make());
    }
    http::run(out)?;
    points::run(out)?;
    out.flush()
}
