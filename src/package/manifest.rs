//! The list of what is in an archive: each file with its hash, how much there is of what, which
//! notices go along, and what no copy has.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::policy::notice;

use super::file::File;
use super::record::text;
use super::{Copy, Held, sections};

/// The form of archive and list.
pub const FORM: &str = "throughline-package/1";
/// Its name in the archive.
pub(super) const FILE: &str = "manifest.json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    form: &'static str,
    made: String,
    made_by: String,
    purpose: &'static str,
    language: &'static str,
    fhir_version: &'static str,
    base: &'a str,
    patient: String,
    custodian: &'a str,
    mappings: Vec<&'a str>,
    resources: BTreeMap<&'a str, usize>,
    files: Vec<Listed<'a>>,
    notices: Vec<Notice>,
    not_included: NotIncluded<'a>,
    #[serde(skip_serializing_if = "<[Held]>::is_empty")]
    withheld: &'a [Held],
}

#[derive(Serialize)]
struct Listed<'a> {
    path: &'a str,
    media: &'a str,
    bytes: usize,
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<usize>,
}

#[derive(Serialize)]
struct Notice {
    rule: &'static str,
    version: &'static str,
    text: &'static str,
}

#[derive(Serialize)]
struct NotIncluded<'a> {
    statement: &'a str,
    reasons: Vec<String>,
}

/// The list, as JSON.
pub(super) fn manifest(copy: &Copy<'_>, files: &[File]) -> Result<Vec<u8>> {
    let record = copy.record;
    let mut resources: BTreeMap<&str, usize> = BTreeMap::new();
    let mut mappings: Vec<&str> = Vec::new();
    for resource in record.all.values() {
        *resources.entry(&*resource.piece.resource_type).or_default() += 1;
        let tags = resource.list("/meta/tag").iter();
        let tags = tags.filter(|tag| text(tag, "/system").ends_with("/CodeSystem/mapping"));
        mappings.extend(tags.map(|tag| text(tag, "/code")));
    }
    mappings.sort_unstable();
    mappings.dedup();
    let notice = Notice { rule: "42 CFR 2.32", version: notice::VERSION, text: notice::STATEMENT };
    let manifest = Manifest {
        form: FORM,
        made: copy.instant(),
        made_by: format!("throughline {}", env!("CARGO_PKG_VERSION")),
        purpose: copy.options.purpose.as_str(),
        language: copy.options.language.tag(),
        fhir_version: "4.0.1",
        base: &copy.options.base,
        patient: record.patient.name(),
        custodian: copy.practice(),
        mappings,
        resources,
        files: files.iter().map(listed).collect(),
        notices: copy.marks.part2.then_some(notice).into_iter().collect(),
        not_included: NotIncluded {
            statement: &copy.texts.left_out.lede,
            reasons: sections::left_out_list(copy.texts),
        },
        withheld: copy.beside.held,
    };
    let mut out = serde_json::to_vec_pretty(&manifest).map_err(Error::internal)?;
    out.push(b'\n');
    Ok(out)
}

fn listed(file: &File) -> Listed<'_> {
    Listed {
        path: &file.path,
        media: &file.media,
        bytes: file.bytes.len(),
        sha256: hex::encode(digest(&SHA256, &file.bytes)),
        resources: file.resources,
    }
}
