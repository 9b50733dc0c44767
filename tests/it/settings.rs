//! The settings file: the sample has every key and says what holds, and what is wrong is told whole.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use throughline::config::{Given, Settings, Shape, variable};

/// What the text above a key says where its line is an example.
const NO_DEFAULT: &str = "No default";

/// A line of the sample that sets a key.
struct Line {
    number: usize,
    table: String,
    key: String,
    is_example: bool,
}

fn sample() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/throughline.toml");
    fs::read_to_string(path).unwrap()
}

/// A line without the `#` before a key or a table.
fn bare(line: &str) -> &str {
    let rest = line.strip_prefix('#').unwrap_or(line);
    if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[' || c == '"') {
        rest
    } else {
        line
    }
}

fn lines(sample: &str) -> Vec<Line> {
    let (mut found, mut table, mut said) = (Vec::new(), String::new(), String::new());
    for (number, line) in sample.lines().enumerate() {
        let text = bare(line);
        if text.starts_with('[') {
            text.trim_matches(['[', ']']).clone_into(&mut table);
            said.clear();
        } else if text.starts_with('#') {
            said.push_str(text);
        } else if let Some((key, _)) = text.split_once(" = ") {
            let (table, key) = (table.clone(), key.to_owned());
            found.push(Line { number, table, key, is_example: said.contains(NO_DEFAULT) });
            said.clear();
        } else {
            assert!(text.is_empty(), "line {}: {text}", number + 1);
            said.clear();
        }
    }
    found
}

/// The sample with these lines in force, and the tables around them.
fn with(sample: &str, chosen: &dyn Fn(usize) -> bool) -> String {
    let (mut text, mut table) = (Vec::new(), String::new());
    for line in lines(sample).iter().filter(|line| chosen(line.number)) {
        if line.table != table {
            table.clone_from(&line.table);
            let header = [format!("[{table}]"), format!("[[{table}]]")];
            text.extend(
                header.into_iter().filter(|header| sample.lines().any(|l| bare(l) == *header)),
            );
        }
        text.push(bare(sample.lines().nth(line.number).unwrap()).to_owned());
    }
    text.join("\n")
}

fn read(text: &str) -> String {
    let settings: Settings =
        toml::from_str(text).unwrap_or_else(|wrong| unreachable!("{text}\n{wrong}"));
    format!("{settings:?}")
}

#[test]
fn the_sample_has_exactly_the_keys_that_are_known() {
    let sample = sample();
    let known: BTreeSet<String> =
        Shape::of::<Settings>().unwrap().keys().into_iter().map(|(key, _)| key).collect();
    let shown: Vec<String> = lines(&sample)
        .iter()
        .map(|line| match line.table.as_str() {
            "" => line.key.clone(),
            "limits.clients" => "limits.clients.*".to_owned(),
            table @ ("auth.issuers" | "clients" | "receivers") => format!("{table}.*.{}", line.key),
            table => format!("{}.{}", table.replace("sources.example", "sources.*"), line.key),
        })
        .collect();
    let once: BTreeSet<String> = shown.iter().cloned().collect();
    assert_eq!(shown.len(), once.len(), "a key is there twice");
    assert_eq!(once, known);
}

#[test]
fn the_sample_says_what_holds_without_a_line() {
    let sample = sample();
    let lines = lines(&sample);
    let examples: BTreeSet<usize> =
        lines.iter().filter(|line| line.is_example).map(|line| line.number).collect();
    let without = read(&with(&sample, &|number| examples.contains(&number)));
    for line in &lines {
        let with =
            read(&with(&sample, &|number| examples.contains(&number) || number == line.number));
        assert_eq!(with, without, "line {}: {} has another default", line.number + 1, line.key);
        let required = matches!(
            line.table.as_str(),
            "tls" | "cache.redis" | "auth.issuers" | "clients" | "blobs.bucket" | "receivers"
        ) || line.table.starts_with("sources")
            || line.table.starts_with("login");
        if line.is_example && !required {
            let alone = read(&self::with(&sample, &|number| number == line.number));
            assert_ne!(alone, read(""), "line {}: {} has a default", line.number + 1, line.key);
        }
    }
    let given = Given { file: None, ..Given::default() };
    let defaults = given.settings().unwrap();
    assert_eq!(read(&sample), format!("{defaults:?}"), "the sample as it is changes nothing");
}

#[test]
fn every_key_has_a_variable_of_its_own() {
    let shape = Shape::of::<Settings>().unwrap();
    let keys = shape.keys();
    let variables: BTreeSet<String> = keys.iter().map(|(key, _)| variable(key)).collect();
    assert_eq!(variables.len(), keys.len());
}

fn file(text: &str) -> (TempDir, Given) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("throughline.toml");
    fs::write(&path, text).unwrap();
    let given = Given { file: Some(path), ..Given::default() };
    (folder, given)
}

/// What is said of settings that cannot be used, without the folder's name.
fn told(given: &Given) -> Vec<String> {
    let text = given.settings().unwrap_err().to_string();
    let folder = given.file.as_ref().map(|file| file.parent().unwrap().display().to_string());
    let text = text.replace(&format!("{}/", folder.unwrap_or_default()), "");
    text.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_line() {
    let text = "\
[server]
lisen = '127.0.0.1:1'
listen = '0.0.0.0:8080'
workers = 'many'
readers = 4

[store]
reader = 3
writers = -1

[sources.a]
tennant = 'hv'

[sources.b.pull]
url = 'https://s3cret.example/records'
every_s = 's3cret'

[colours]
red = 1

[log]
format = 's3cret'

[[clients]]
id = 'a'
tenant = 'hv'
name = 'A'
auth = 's3cret'
scope = 'x'
";
    let (_folder, given) = file(text);
    let told = told(&given);
    let expected = [
        "throughline.toml:2: unknown key `server.lisen`: did you mean `server.listen`?",
        "throughline.toml:4: server.workers takes a number, not negative and within its range",
        "throughline.toml:5: unknown key `server.readers`: did you mean `store.readers`?",
        "throughline.toml:8: unknown key `store.reader`: did you mean `store.readers`?",
        "throughline.toml:9: store.writers takes a number, not negative and within its range",
        "throughline.toml:11: sources.a: missing key `tenant`",
        "throughline.toml:12: unknown key `sources.a.tennant`: did you mean `sources.*.tenant`?",
        "throughline.toml:14: sources.b: missing key `tenant`",
        "throughline.toml:16: sources.b.pull.every_s takes a number, not negative and within its range",
        "throughline.toml:18: unknown key `colours`: docs/throughline.toml has them all",
        "throughline.toml:22: log.format takes one of text, json",
        "throughline.toml:28: clients.0.auth takes one of public, symmetric, asymmetric",
        "throughline.toml:29: unknown key `clients.scope`: did you mean `clients.*.scopes`?",
    ];
    assert_eq!(told, expected);
    assert!(!told.concat().contains("s3cret"));
}

#[test]
fn settings_that_do_not_go_together_are_refused_with_the_line_of_their_key() {
    let text = "\
[server]
listen = '0.0.0.0:8080'
trusted_proxies = []
max_requests = 0

[store]
url = 'postgres://u:s3cret@h/d'
url_file = '/nowhere'

[traces]
endpoint = 'collector'
sampled = 2.0
";
    let (_folder, given) = file(text);
    let told = told(&given);
    for (line, key) in [
        (1, "server.base_url"),
        (2, "server.listen"),
        (4, "server.max_requests"),
        (8, "store.url_file"),
        (11, "traces.endpoint"),
        (12, "traces.sampled"),
    ] {
        let start = format!("throughline.toml:{line}: {key}: ");
        assert!(told.iter().any(|one| one.starts_with(&start)), "{start} in {told:#?}");
    }
    assert_eq!(told.len(), 6);
    assert!(!told.concat().contains("s3cret"));
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_lines() {
    let (_folder, given) = file("[server\nlisten = \n[store]\nreaders = = 3\n");
    let told = told(&given);
    assert!(told.len() > 1, "{told:?}");
    assert!(told[0].starts_with("throughline.toml:1: "), "{told:?}");
}

#[test]
fn a_variable_counts_before_the_file_and_a_flag_before_both() {
    let (_folder, mut given) =
        file("[server]\nworkers = 1\nmax_requests = 1\nmax_url_bytes = 300\n");
    let environment = [
        ("THROUGHLINE_SERVER_WORKERS", "2"),
        ("THROUGHLINE_SERVER_MAX_REQUESTS", "2"),
        ("THROUGHLINE_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1"),
        ("THROUGHLINE_CORS_ORIGINS", r#"["https://a.example"]"#),
        ("THROUGHLINE_REDIS_URL", "redis://127.0.0.1"),
        ("THROUGHLINE_LOG_FORMAT", "json"),
        ("THROUGHLINE_SERVICE_HOST", "10.0.0.1"),
    ];
    given.environment =
        environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    given.set = vec!["server.workers=3".into(), "limits.clients.app=7".into()];
    let settings = given.settings().unwrap();
    assert_eq!(settings.server.workers, 3);
    assert_eq!(settings.server.max_requests, 2);
    assert_eq!(settings.server.max_url_bytes, 300);
    assert_eq!(settings.server.trusted_proxies, ["10.0.0.0/8", "192.0.2.1"]);
    assert_eq!(settings.cors.origins, ["https://a.example"]);
    assert_eq!(settings.limits.clients["app"], 7);
    assert!(settings.cache.redis.is_some());
}

#[test]
fn what_is_wrong_in_variables_and_flags_is_told_by_their_names() {
    let (_folder, mut given) = file("");
    given.environment = vec![("THROUGHLINE_STORE_READERS".into(), "s3cret".into())];
    given.set = vec!["server.lisen=1".into(), "server.listen=s3cret".into()];
    let told = told(&given);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("THROUGHLINE_STORE_READERS: store.readers takes a number"));
    assert!(told[1].starts_with("--set: unknown key `server.lisen`"), "{told:?}");
    given.environment.clear();
    given.set.remove(0);
    let told = self::told(&given);
    assert!(told[0].starts_with("--set: server.listen: give an address"), "{told:?}");
    assert!(!told.concat().contains("s3cret"));
}

#[test]
fn a_secret_lies_in_a_file_that_others_cannot_read() {
    let (folder, mut given) = file("");
    let secret = folder.path().join("url");
    fs::write(&secret, "postgres://u:s3cret@h/d\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    given.set = vec![format!("store.url_file={}", secret.display())];
    let refused = given.settings().unwrap_err().to_string();
    assert!(refused.contains("chmod 600") && !refused.contains("s3cret"), "{refused}");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).unwrap();
    let settings = given.settings().unwrap();
    assert_eq!(settings.store.url.as_ref().unwrap().reveal(), "postgres://u:s3cret@h/d");
    let shown = settings.shown().unwrap();
    assert!(shown.contains("(not shown)") && !shown.contains("s3cret"), "{shown}");
    assert!(!format!("{settings:?}").contains("s3cret"));
}

fn config(arguments: &[&str], folder: &Path) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    let output = command.current_dir(folder).arg("config").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn config_check_and_show_say_what_holds() {
    let (folder, _) = file("[log]\nfilter = 'info'\n[cache.redis]\nurl = 'redis://:s3cret@h'\n");
    let (code, out, _) = config(&["check", "--config", "throughline.toml"], folder.path());
    assert_eq!((code, out.as_str()), (0, "the settings are good\n"));
    let (code, out, _) = config(&["show", "--config", "throughline.toml"], folder.path());
    assert_eq!(code, 0);
    assert!(out.contains("filter = \"info\"") && out.contains("quota = 0"), "{out}");
    assert!(!out.contains("s3cret"), "{out}");
    let wrong = ["check", "--config", "throughline.toml", "--set", "server.port=1"];
    let (code, _, err) = config(&wrong, folder.path());
    assert_eq!(code, 2);
    assert!(err.contains("--set: unknown key `server.port`"), "{err}");
    let (code, _, err) = config(&["check", "--config", "nowhere.toml"], folder.path());
    assert_eq!(code, 2);
    assert!(err.contains("cannot read the settings nowhere.toml"), "{err}");
    let certificate = ["check", "--set", "tls.certificate_file=a", "--set", "tls.key_file=b"];
    let (code, _, err) = config(&certificate, folder.path());
    assert_eq!(code, 2);
    assert!(err.contains("cannot read a:"), "{err}");
}
