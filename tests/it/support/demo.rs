//! The demo as a process of its own, with maps of its own.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use tempfile::TempDir;

use super::postgres;

pub(crate) fn throughline(arguments: &[&str], data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).arg("--data").arg(data);
    if let Some(url) = postgres::of_folder(data) {
        command.env("THROUGHLINE_DATABASE_URL", url);
    }
    command
}

pub(crate) fn run(arguments: &[&str], data: &Path) -> Output {
    throughline(arguments, data).output().unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// A running demo with maps of its own.
pub(crate) struct Demo {
    pub(crate) child: Child,
    pub(crate) lines: Lines<BufReader<ChildStdout>>,
    pub(crate) folder: TempDir,
}

impl Demo {
    pub(crate) fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self::start_on(&data, folder, more)
    }

    /// A demo on a data folder that others use too.
    pub(crate) fn start_beside(data: &Path, more: &[&str]) -> Self {
        Self::start_on(data, tempfile::tempdir().unwrap(), more)
    }

    fn start_on(data: &Path, folder: TempDir, more: &[&str]) -> Self {
        let mappings = folder.path().join("mappings");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"), &mappings);
        let mut child = throughline(&["demo", "--port", "0"], data)
            .arg("--mappings")
            .arg(&mappings)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, folder }
    }

    /// The lines up to the first that begins with `end`, which is the last of them.
    pub(crate) fn until(&mut self, end: &str) -> Vec<String> {
        let mut seen = Vec::new();
        for line in self.lines.by_ref() {
            seen.push(line.unwrap());
            if seen.last().unwrap().starts_with(end) {
                return seen;
            }
        }
        unreachable!("the demo ended before it said {end:?}: {seen:?}");
    }

    pub(crate) fn stop(mut self) -> Vec<String> {
        let stopped = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(stopped.success());
        let said = self.until("stopped");
        assert!(self.child.wait().unwrap().success());
        said
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // A demo that was stopped is gone already.
        let killed = self.child.kill();
        drop(killed);
    }
}
