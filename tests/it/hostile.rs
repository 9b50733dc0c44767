//! Input that is broken or malicious is answered by name, and the good lines beside it are taken.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::gateway::Gateway;

/// Each file of `fixtures/hostile`, the reasons and pointers of its refusals in their order, and
/// how many of its records are taken in.
type Row = (&'static str, &'static [(&'static str, &'static str)], u64);

const SCHEMA: &str = "schema_violation";

const FILES: &[Row] = &[
    ("blank-lines.ndjson", &[], 1),
    ("byte-order-mark.ndjson", &[], 1),
    ("depth-1000.ndjson", &[("too_deep", "*")], 1),
    (
        "duplicate-keys.ndjson",
        &[("duplicate_key", "/version"), ("duplicate_key", "/data/names/0/family")],
        0,
    ),
    ("empty.ndjson", &[], 0),
    (
        "hash-mismatch.ndjson",
        &[("hash_mismatch", "/content_hash"), ("hash_mismatch", "/content_hash")],
        0,
    ),
    ("invalid-utf8.ndjson", &[("invalid_utf8", "")], 1),
    (
        "lone-surrogates.ndjson",
        &[("lone_surrogate", "/data/names/0/family"), ("lone_surrogate", "/data/names/0/family")],
        0,
    ),
    (
        "naive-times.ndjson",
        &[
            ("ambiguous_time", "/data/starts_at"),
            ("gap_time", "/data/starts_at"),
            (SCHEMA, "/tz"),
            (SCHEMA, "/data/starts_at"),
            ("implausible_time", "/data/starts_at"),
            (SCHEMA, "/data/starts_at"),
        ],
        0,
    ),
    (
        "not-json.ndjson",
        &[
            ("malformed_json", ""),
            ("malformed_json", ""),
            (SCHEMA, ""),
            (SCHEMA, ""),
            (SCHEMA, ""),
            (SCHEMA, ""),
            ("malformed_json", ""),
        ],
        1,
    ),
    (
        "null-character.ndjson",
        &[("null_character", "/data/names/0/family"), ("null_character", "/data/names/0/family")],
        0,
    ),
    ("social-security-number.ndjson", &[("ssn_rejected", "/data/identifiers/0")], 0),
    ("truncated.ndjson", &[("truncated", "*")], 1),
    (
        "unknown-kind.ndjson",
        &[("unknown_kind", "/kind"), ("unknown_kind", "/kind"), ("unknown_kind", "/kind")],
        0,
    ),
    ("unknown-schema.ndjson", &[("unknown_schema", "/schema"), ("unknown_schema", "/schema")], 0),
    (
        "version-conflict.ndjson",
        &[("version_conflict", "/version"), ("version_conflict", "/version")],
        1,
    ),
    ("version-going-back.ndjson", &[], 2),
    (
        "wrong-types.ndjson",
        &[
            (SCHEMA, "/version"),
            (SCHEMA, "/version"),
            (SCHEMA, "/version"),
            (SCHEMA, "/version"),
            (SCHEMA, "/data"),
            (SCHEMA, "/data"),
            (SCHEMA, "/data/names"),
            (SCHEMA, "/data/names/0/family"),
            (SCHEMA, "/data/names"),
            (SCHEMA, "/labels"),
            (SCHEMA, "/part2"),
            ("unknown_time_zone", "/tz"),
            (SCHEMA, "/updated_at"),
            (SCHEMA, "/id"),
            (SCHEMA, "/op"),
            (SCHEMA, "/tenant_id"),
            (SCHEMA, "/derived"),
            (SCHEMA, "/id"),
        ],
        0,
    ),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hostile")
}

#[test]
fn every_hostile_file_is_answered_line_by_line() {
    let mut wrong = Vec::new();
    for (file, reasons, taken) in FILES {
        let gateway = Gateway::new();
        let report = gateway.ingest(&[folder().join(file)]);
        let found: Vec<_> = gateway
            .quarantine()
            .into_iter()
            .map(|e| (e.reason, e.pointer.unwrap_or_default()))
            .collect();
        let as_expected = found.len() == reasons.len()
            && found
                .iter()
                .zip(*reasons)
                .all(|((reason, pointer), (r, p))| reason == r && (*p == "*" || pointer == p));
        if !as_expected || report.taken != *taken {
            wrong.push(format!("{file}: {} taken, refused {found:?}", report.taken));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_hostile_file_has_a_row() {
    let mut files: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, FILES.iter().map(|row| row.0).collect::<Vec<_>>());
}

#[test]
fn a_line_of_ten_megabytes_is_refused_without_being_kept() {
    let gateway = Gateway::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.ndjson");
    let mut file = fs::File::create(&path).unwrap();
    let good = fs::read(self::folder().join("blank-lines.ndjson")).unwrap();
    file.write_all(br#"{"schema":"tp.record/1","x":""#).unwrap();
    file.write_all(&vec![b'a'; 10 * 1024 * 1024]).unwrap();
    file.write_all(b"\"}\n").unwrap();
    file.write_all(&good).unwrap();
    drop(file);
    let report = gateway.ingest(&[path]);
    let entries = gateway.quarantine();
    assert_eq!((report.taken, entries.len()), (1, 1));
    assert_eq!(entries[0].reason, "line_too_long");
    assert!(entries[0].detail.contains("bytes"));
    assert!(gateway.size() < 5 * 1024 * 1024, "the line is kept somewhere");
}
