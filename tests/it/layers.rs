//! The layers of `docs/architecture.md`: imports point down only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Module → height. A module may import modules that are lower, and modules of its own name.
const LAYERS: &[(&str, u8)] = &[
    ("main", 10),
    ("cli", 9),
    ("app", 8),
    ("http", 7),
    ("exchange", 6),
    ("smart", 6),
    ("audit", 5),
    ("limits", 5),
    ("partner", 5),
    ("store", 4),
    ("cache", 4),
    ("blobs", 4),
    ("auth", 4),
    ("platform", 4),
    ("package", 4),
    ("policy", 3),
    ("mapping", 3),
    ("fhir", 2),
    ("domain", 1),
    ("config", 1),
    ("telemetry", 2),
    ("clock", 0),
    ("error", 0),
];

/// Crates that only some paths may name, so that an adapter stays behind its port.
const CONFINED: &[(&str, &[&str])] = &[
    ("rusqlite", &["store/"]),
    ("redis::", &["cache.rs", "cache/redis.rs", "cache/redis/", "limits/shared.rs"]),
    ("object_store", &["blobs.rs", "blobs/"]),
    ("openidconnect", &["auth/login.rs", "auth/login/"]),
    ("maud", &["http/html.rs", "http/html/", "http/site.rs", "http/site/", "package/page.rs"]),
    ("paper::", &["package/"]),
    ("actix_web", &["http.rs", "http/", "app/serve.rs"]),
    ("fhir_codec", &["fhir.rs", "fhir/"]),
    ("fhir_sdk", &["fhir.rs", "fhir/"]),
    ("fml_model", &["mapping.rs", "mapping/"]),
    ("fml_syntax", &["mapping.rs", "mapping/"]),
    ("fml_check", &["mapping.rs", "mapping/"]),
    ("anyhow::", &["cli.rs", "cli/", "main.rs"]),
    // The notes that are kept apart are read by the job that releases them, and by nothing else.
    ("dyn Apart", &["app/storage.rs", "exchange/release.rs"]),
    ("open_apart", &["app.rs", "app/storage.rs", "cli/release_note.rs"]),
];

/// What the rules may not touch: they are pure.
const PURE: &[(&str, &[&str])] = &[
    ("mapping", &["tokio", "crate::store", "crate::http", "crate::cache", "Timestamp::now"]),
    ("package", &["tokio", "crate::store", "crate::http", "std::fs", "Timestamp::now"]),
    ("policy", &["tokio", "crate::store", "crate::http", "crate::cache", "Timestamp::now"]),
];

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn module(name: &str) -> &str {
    name.split(['/', '.']).next().unwrap()
}

fn height(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, height)| *height)
}

/// The lines that count: code, not comments, and not the tests at a file's end.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line))
}

/// The modules that a line names after `crate::`; a `use crate::{…}` of several would hide them, and
/// is refused.
fn imported(line: &str) -> Vec<&str> {
    line.split("crate::")
        .skip(1)
        .flat_map(|rest| {
            assert!(!rest.starts_with('{'), "one `use` for each module: {line}");
            rest.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).take(1)
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_module_has_a_place_in_the_layers() {
    let homeless: Vec<_> = sources()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name != "lib.rs" && height(module(name)).is_none())
        .collect();
    assert!(homeless.is_empty(), "give these a layer: {homeless:?}");
}

#[test]
fn imports_point_down_only() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let Some(here) = height(module(&name)) else { continue };
        for (number, line) in code(&text) {
            for target in imported(line) {
                let allowed =
                    target == module(&name) || height(target).is_none_or(|there| there < here);
                if !allowed {
                    wrong.push(format!("src/{name}:{number}: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports that point up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn adapters_stay_behind_their_ports() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        for (number, line) in code(&text) {
            for (crate_name, homes) in CONFINED {
                if line.contains(crate_name) && !homes.iter().any(|home| name.starts_with(home)) {
                    wrong.push(format!("src/{name}:{number}: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "crates named outside their place:\n{}", wrong.join("\n"));
}

#[test]
fn the_rules_are_pure() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        for (pure, forbidden) in PURE {
            if module(&name) != *pure {
                continue;
            }
            for (number, line) in code(&text) {
                if forbidden.iter().any(|word| line.contains(word)) {
                    wrong.push(format!("src/{name}:{number}: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "impure rules:\n{}", wrong.join("\n"));
}

/// The files of the rules that a file of theirs names, those through whose names it does included.
fn rules_named(text: &str, shown_by: &BTreeMap<String, String>) -> BTreeSet<String> {
    let lines: Vec<&str> = code(text).map(|(_, line)| line).collect();
    let lines = lines.join("\n");
    let mut named = BTreeSet::new();
    for path in lines.split("super::").skip(1) {
        let names = match path.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap().split(',').collect(),
            None => vec![path],
        };
        for name in names {
            let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
            let name: String = name.trim().chars().take_while(|c| is_of_name(*c)).collect();
            named.insert(shown_by.get(&name).cloned().unwrap_or(name));
        }
    }
    named
}

#[test]
fn the_rules_stand_on_each_other_without_a_circle() {
    let all = sources();
    let root = &all.iter().find(|(name, _)| name == "policy.rs").unwrap().1;
    let mut shown_by = BTreeMap::new();
    for line in root.split(';').filter_map(|line| line.trim().strip_prefix("pub use ")) {
        let (file, names) = line.split_once("::").unwrap();
        for name in names.trim_matches(['{', '}']).split(',') {
            let name = name.split(" as ").last().unwrap().trim();
            shown_by.insert(name.to_owned(), file.to_owned());
        }
    }
    let mut left: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, text) in &all {
        let Some(file) = name.strip_prefix("policy/").and_then(|name| name.strip_suffix(".rs"))
        else {
            continue;
        };
        if !file.contains('/') && file != "tests" {
            let mut named = rules_named(text, &shown_by);
            named.remove(file);
            left.insert(file.to_owned(), named);
        }
    }
    assert!(left.len() > 20 && left["decide"].contains("question"), "{left:?}");
    loop {
        let files: BTreeSet<String> = left.keys().cloned().collect();
        let is_bottom = |named: &BTreeSet<String>| named.is_disjoint(&files);
        let bottom: Vec<String> = left
            .iter()
            .filter(|(_, named)| is_bottom(named))
            .map(|(file, _)| file.clone())
            .collect();
        if bottom.is_empty() {
            break;
        }
        for file in &bottom {
            left.remove(file);
        }
    }
    assert!(left.is_empty(), "these stand on each other: {left:?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(name, _)| name)
        .collect();
    assert!(silent.is_empty(), "files without a `//!` opening: {silent:?}");
}

#[test]
fn a_test_of_the_tests_finds_an_upward_import() {
    assert_eq!(imported("use crate::http::Handler;"), ["http"]);
    assert_eq!(imported("    crate::store::open(crate::domain::x)"), ["store", "domain"]);
    assert!(height("http") > height("store"));
}
