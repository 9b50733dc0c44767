//! The resources themselves: all in one Bundle, and by type as NDJSON.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::fhir::document::{About, Kind, bundle};

use super::document::Entry;
use super::file::File;
use super::{Copy, labels, uuid};

/// One Bundle with all resources.
pub(super) fn bundle_of(copy: &Copy<'_>, entries: &[Entry<'_>]) -> Result<File> {
    let at = copy.instant();
    let uuid = uuid("collection", copy.record, &at);
    let labels = labels(&copy.marks);
    let about = About { uuid: &uuid, profile: &[], labels: &labels, timestamp: &at };
    let base = &copy.options.base;
    let urls: Vec<String> = entries.iter().map(|(name, _)| format!("{base}/{name}")).collect();
    let all = urls.iter().zip(entries).map(|(url, (_, body))| (url.as_str(), &**body));
    let bytes = bundle(Kind::Collection, &about, all)?;
    Ok(File::new("bundle.json", "application/fhir+json", bytes).of_resources(entries.len()))
}

/// A file for each type, with a resource a line.
pub(super) fn lines(entries: &[Entry<'_>]) -> Vec<File> {
    let mut types: BTreeMap<&str, Vec<&[u8]>> = BTreeMap::new();
    for (name, body) in entries {
        let (resource_type, _) = name.split_once('/').unwrap_or((name, ""));
        types.entry(resource_type).or_default().push(body);
    }
    let file = |(resource_type, bodies): (&str, Vec<&[u8]>)| {
        let mut lines = Vec::with_capacity(bodies.iter().map(|body| body.len() + 1).sum());
        for body in &bodies {
            // A line end within a resource is between its members, where it means nothing.
            lines.extend(body.iter().filter(|byte| !matches!(byte, b'\n' | b'\r')));
            lines.push(b'\n');
        }
        let path = format!("ndjson/{resource_type}.ndjson");
        File::new(path, "application/fhir+ndjson", lines).of_resources(bodies.len())
    };
    types.into_iter().map(file).collect()
}
