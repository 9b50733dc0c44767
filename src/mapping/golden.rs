//! Goldens: what each map is known to make of given records.
//!
//! `tests/<map>/<case>.in.json` is a view, `.out.json` the resource, `.issues.json` the losses or
//! the refusal that are expected. `tests/<map>/blessed.json` remembers under which version of the
//! map each result was accepted, so that a change of output without a change of version shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use serde_json::{Value, json};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::{MapSet, Outcome, Refusal, Scratch};

/// What a golden test found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Case {
    /// The map.
    pub map: String,
    /// The case.
    pub case: String,
    /// What is wrong; nothing if it passed.
    pub problem: Option<String>,
}

/// What all golden tests found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Every case.
    pub cases: Vec<Case>,
}

impl Report {
    /// How many cases failed.
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|case| case.problem.is_some()).count()
    }

    /// The cases that failed, as diagnostics. Goldens are synthetic: their content may be shown.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut diagnostics = Diagnostics::default();
        for case in &self.cases {
            if let Some(problem) = &case.problem {
                let path = format!("tests/{}/{}", case.map, case.case);
                diagnostics.file("MAP400", &path, problem.clone());
            }
        }
        diagnostics.finish()
    }
}

/// What accepting new results does with a version that did not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// A changed result needs a new version.
    Enforced,
    /// The map has not been released yet.
    Unreleased,
}

/// Under which version a result was accepted, and its digest.
type Blessed = BTreeMap<String, (String, String)>;

/// One result as it is kept.
struct Made {
    out: Option<String>,
    issues: Option<Value>,
}

impl Made {
    fn new(result: Result<Outcome, Refusal>, out: Vec<u8>) -> Self {
        match result {
            Ok(outcome) => Self {
                out: String::from_utf8(out).ok(),
                issues: (!outcome.losses.is_empty()).then(|| json!({"losses": outcome.losses})),
            },
            Err(refusal) => Self {
                out: None,
                issues: Some(
                    json!({"refusal": {"code": refusal.code, "pointer": refusal.pointer}}),
                ),
            },
        }
    }

    fn digest(&self) -> String {
        let text = format!("{:?}{:?}", self.out, self.issues.as_ref().map(Value::to_string));
        hex::encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
    }
}

impl MapSet {
    /// Runs the goldens.
    pub fn test(&self) -> Report {
        self.goldens(|golden: &Golden<'_>, made: &Made| golden.problem(made))
    }

    /// Runs the goldens and accepts what they give.
    pub fn bless(&self, versions: Versions) -> Report {
        self.goldens(|golden, made| golden.bless(made, versions))
    }

    fn goldens(&self, judge: impl Fn(&Golden<'_>, &Made) -> Option<String>) -> Report {
        let mut report = Report::default();
        let mut scratch = Scratch::default();
        for (map, folder) in folders(&self.folder.join("tests")) {
            let Some(plan) = self.plan(&map) else {
                let problem = Some("there is no such map".to_owned());
                report.cases.push(Case { map, case: String::new(), problem });
                continue;
            };
            for case in cases(&folder) {
                let golden = Golden { folder: &folder, case: &case, version: &plan.version };
                let problem = match fs::read(golden.path("in")) {
                    Ok(input) => {
                        let mut out = Vec::new();
                        let result = self.run(&map, &input, &mut scratch, &mut out);
                        judge(&golden, &Made::new(result, out))
                    }
                    Err(error) => Some(format!("cannot be read: {error}")),
                };
                report.cases.push(Case { map: map.clone(), case, problem });
            }
        }
        report
    }
}

fn folders(tests: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(tests).into_iter().flatten().flatten();
    let mut folders: Vec<(String, PathBuf)> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .collect();
    folders.sort();
    folders
}

fn cases(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut cases: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".in.json").map(str::to_owned)).collect();
    cases.sort();
    cases
}

struct Golden<'a> {
    folder: &'a Path,
    case: &'a str,
    version: &'a str,
}

impl Golden<'_> {
    fn path(&self, what: &str) -> PathBuf {
        self.folder.join(format!("{}.{what}.json", self.case))
    }

    fn read(&self, what: &str) -> Option<String> {
        fs::read_to_string(self.path(what)).ok()
    }

    fn blessed(&self) -> Blessed {
        let text = fs::read_to_string(self.folder.join("blessed.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// What differs from what was accepted.
    fn problem(&self, made: &Made) -> Option<String> {
        if let Some((version, digest)) = self.blessed().get(self.case)
            && version == self.version
            && *digest != made.digest()
        {
            return Some(format!("the result changed, and the map's version is still {version}"));
        }
        let expected = self.read("out").map(|text| compact(&text));
        if expected.as_deref() != made.out.as_deref() {
            let expected = expected.unwrap_or_default();
            let made = made.out.clone().unwrap_or_default();
            return Some(difference(&expected, &made));
        }
        let expected: Option<Value> =
            self.read("issues").and_then(|t| serde_json::from_str(&t).ok());
        (expected != made.issues).then(|| {
            let text = |issues: &Option<Value>| {
                issues.as_ref().map_or("none".to_owned(), Value::to_string)
            };
            format!("issues: expected {}, got {}", text(&expected), text(&made.issues))
        })
    }

    /// Accepts a result; answers why not.
    fn bless(&self, made: &Made, versions: Versions) -> Option<String> {
        let mut blessed = self.blessed();
        let digest = made.digest();
        let before = blessed.get(self.case);
        let same_version = before.is_some_and(|(version, _)| version == self.version);
        let same_result = before.is_some_and(|(_, before)| *before == digest);
        if same_version && !same_result && versions == Versions::Enforced {
            return Some(format!(
                "the result changed: raise the map's version above {} first",
                self.version
            ));
        }
        blessed.insert(self.case.to_owned(), (self.version.to_owned(), digest));
        let issues = made.issues.as_ref().map(Value::to_string);
        let blessed = json!(blessed).to_string();
        self.write("out", made.out.as_deref())
            .and_then(|()| self.write("issues", issues.as_deref()))
            .and_then(|()| fs::write(self.folder.join("blessed.json"), pretty(&blessed)))
            .err()
            .map(|error| format!("cannot be written: {error}"))
    }

    fn write(&self, what: &str, json: Option<&str>) -> std::io::Result<()> {
        let path = self.path(what);
        match json {
            Some(json) => fs::write(path, pretty(json)),
            None if path.exists() => fs::remove_file(path),
            None => Ok(()),
        }
    }
}

/// Where two texts begin to differ.
fn difference(expected: &str, made: &str) -> String {
    let same = expected.bytes().zip(made.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| -> String {
        let from = same.saturating_sub(40);
        let bytes = text.as_bytes().get(from..(same + 60).min(text.len())).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    };
    format!("expected …{}…, got …{}…", around(expected), around(made))
}

/// JSON without the blanks between its tokens; numbers and order stay as they are.
pub(crate) fn compact(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in json.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            quoted = c == '"';
        }
        text.push(c);
    }
    text
}

/// JSON with one member or item on a line; numbers and order stay as they are.
pub fn pretty(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_usize);
    let mut previous = ' ';
    for c in compact(json).chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            text.push(c);
            previous = if quoted { 'x' } else { '"' };
            continue;
        }
        let line = |text: &mut String, depth: usize| {
            text.push('\n');
            text.push_str(&"  ".repeat(depth));
        };
        let closes = matches!(c, '}' | ']');
        depth -= usize::from(closes && depth > 0);
        if (closes && !matches!(previous, '{' | '['))
            || (!closes && matches!(previous, '{' | '[' | ','))
        {
            line(&mut text, depth);
        }
        text.push(c);
        if c == ':' {
            text.push(' ');
        }
        depth += usize::from(matches!(c, '{' | '['));
        quoted = c == '"';
        previous = c;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretty_and_compact_keep_numbers_order_and_strings() {
        let json = r#"{"b":1.10,"a":[{"x":"a \" {,}"},[],{}],"c":true}"#;
        assert_eq!(compact(&pretty(json)), json);
        assert!(pretty(json).contains("\n  \"b\": 1.10,\n"));
    }
}
