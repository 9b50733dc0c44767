//! A real browser: the scripts of `tests/browser`, which drive Debian's Chromium.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Where the scripts' packages are; they have to be there.
pub(crate) fn tools() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/node_modules");
    for package in [
        "playwright-core",
        "axe-core",
        "fhirclient",
        "oidc-provider",
        "jose",
        "s3rver",
        "kill-the-clipboard",
    ] {
        let hint = "is not installed: tests/run does it";
        assert!(tools.join(package).exists(), "the npm package {package} {hint}");
    }
    tools
}

/// Runs a script with settings, and answers what it saw.
pub(crate) fn drive(script: &str, settings: &Value) -> Value {
    tools();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(script);
    let output =
        Command::new("node").arg(path).env("BROWSER_TEST", settings.to_string()).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout), String::from_utf8(output.stderr));
    let (out, err) = (out.unwrap(), err.unwrap());
    assert!(output.status.success(), "{script}:\n{out}\n{err}");
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}

/// A port that was free a moment ago, for an app whose address has to be known beforehand.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
