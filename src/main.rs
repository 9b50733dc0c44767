//! The `throughline` command: arguments in, exit code out; everything else is in the library.

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    throughline::cli::run(std::env::args_os(), &mut io::stdout(), &mut io::stderr())
}
