//! Whether an archive is what its list says: each file there once, of the very bytes that were listed,
//! and nothing besides.
//!
//! An archive comes from anywhere, so what it says of itself is not believed: names are compared with
//! the list and never used as paths, and no more is unpacked of a file than the list says that it has.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};

use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;
use zip::ZipArchive;

use super::manifest::{FILE, FORM};
use crate::error::{Error, Result};

/// The longest list that is read, in bytes.
const LONGEST_LIST: u64 = 16 * 1024 * 1024;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The bytes of the list: what the signature is over.
    pub manifest: Vec<u8>,
    /// How many files were as listed.
    pub good: usize,
    /// What is not as listed, with the name in the archive.
    pub faults: Vec<Fault>,
}

/// Something that is not as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub path: String,
    /// What: `missing`, `twice`, `not_listed`, `other_length`, `other_bytes`, `unreadable`.
    pub what: &'static str,
}

#[derive(Deserialize)]
struct List {
    form: String,
    files: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    path: String,
    bytes: u64,
    sha256: String,
}

/// Compares an archive with its list.
///
/// # Errors
///
/// `Invalid` for what is no such archive: no ZIP, without a list, or with one of another form.
pub fn check(zip: &[u8]) -> Result<Checked> {
    let wrong = |hint: &str| Error::invalid("archive", hint);
    let mut archive = ZipArchive::new(Cursor::new(zip))
        .map_err(|_zip| wrong("this is no ZIP archive, or a part of it is missing"))?;
    let no_list = || wrong("there is no manifest.json in it that can be read");
    let at = archive.index_for_name(FILE).ok_or_else(no_list)?;
    let manifest = unpacked(&mut archive, at, LONGEST_LIST).ok_or_else(no_list)?;
    let list: List = serde_json::from_slice(&manifest).map_err(|_json| no_list())?;
    if list.form != FORM {
        return Err(wrong("its manifest.json is of a form that this program does not know"));
    }
    let mut listed: BTreeMap<&str, &Listed> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut fault = |path: &str, what| faults.push(Fault { path: path.to_owned(), what });
    for one in &list.files {
        if listed.insert(&one.path, one).is_some() || one.path == FILE {
            fault(&one.path, "twice");
        }
    }
    let names: Vec<Option<String>> = (0..archive.len())
        .map(|at| {
            let file = archive.by_index_raw(at).ok()?;
            file.name().ok().map(std::borrow::Cow::into_owned)
        })
        .collect();
    let mut seen = BTreeSet::new();
    let mut good = 0;
    for (at, name) in names.iter().enumerate() {
        let Some(name) = name else {
            fault("?", "unreadable");
            continue;
        };
        if !seen.insert(name.as_str()) {
            fault(name, "twice");
        } else if let Some(one) = listed.get(name.as_str()) {
            match differs(&mut archive, at, one) {
                Some(what) => fault(name, what),
                None => good += 1,
            }
        } else if name != FILE {
            fault(name, "not_listed");
        }
    }
    for path in listed.keys().filter(|path| !seen.contains(*path)) {
        fault(path, "missing");
    }
    Ok(Checked { manifest, good, faults })
}

/// In what a file is not as listed.
fn differs(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    at: usize,
    listed: &Listed,
) -> Option<&'static str> {
    let Some(bytes) = unpacked(archive, at, listed.bytes) else { return Some("unreadable") };
    if u64::try_from(bytes.len()).ok() != Some(listed.bytes) {
        return Some("other_length");
    }
    let is_same = hex::encode(digest(&SHA256, &bytes)) == listed.sha256;
    (!is_same).then_some("other_bytes")
}

/// The bytes of a file, and one more than `most` at the most.
fn unpacked(archive: &mut ZipArchive<Cursor<&[u8]>>, at: usize, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = archive.by_index(at).ok()?;
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::json;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, bytes) in files {
            archive.start_file(*path, SimpleFileOptions::default()).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    fn list(files: &[(&str, &[u8])]) -> Vec<u8> {
        let listed = |(path, bytes): &(&str, &[u8])| json!({ "path": path, "bytes": bytes.len(), "sha256": hex::encode(digest(&SHA256, bytes)) });
        let files: Vec<_> = files.iter().map(listed).collect();
        json!({ "form": FORM, "files": files }).to_string().into_bytes()
    }

    fn faults(listed: &[(&str, &[u8])], there: &[(&str, &[u8])]) -> Vec<(String, &'static str)> {
        let list = list(listed);
        let files = std::iter::once((FILE, list.as_slice())).chain(there.iter().copied());
        let files: Vec<(&str, &[u8])> = files.collect();
        let found = check(&archive(&files)).unwrap();
        assert_eq!(found.manifest, list);
        found.faults.into_iter().map(|fault| (fault.path, fault.what)).collect()
    }

    #[test]
    fn what_is_not_as_listed_is_told_file_by_file() {
        let [a, b] = [("a", "one"), ("../b", "two")].map(|(name, text)| (name, text.as_bytes()));
        assert!(faults(&[a, b], &[a, b]).is_empty());
        let found = |listed: &[_], there: &[_]| faults(listed, there);
        let long = vec![0; 1_000_000];
        let one = |path: &str, what| vec![(path.to_owned(), what)];
        assert_eq!(found(&[a, b], &[a]), one("../b", "missing"));
        assert_eq!(found(&[a], &[a, b]), one("../b", "not_listed"));
        assert_eq!(found(&[a], &[("a", b"onE")]), one("a", "other_bytes"));
        assert_eq!(found(&[a], &[("a", b"on")]), one("a", "other_length"));
        // Of what is longer than listed no more is unpacked.
        assert_eq!(found(&[a], &[("a", long.as_slice())]), one("a", "other_length"));
        assert_eq!(found(&[a, a], &[a]), one("a", "twice"));
    }

    #[test]
    fn what_is_no_such_archive_is_refused() {
        for bytes in [
            b"PK".to_vec(),
            archive(&[("a", b"one")]),
            archive(&[(FILE, b"{}")]),
            archive(&[(FILE, br#"{"form":"other/1","files":[]}"#)]),
        ] {
            assert!(matches!(check(&bytes), Err(Error::Invalid { .. })));
        }
        let whole = archive(&[(FILE, &list(&[]))]);
        assert!(check(&whole).is_ok());
        assert!(check(&whole[..whole.len() - 4]).is_err());
    }
}
