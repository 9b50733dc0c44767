//! The files of an export: one open for each type, and beside it the names of what is in it.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::runtime::Handle;

use crate::blobs::{BlobWriter, Blobs};
use crate::domain::FhirId;
use crate::error::{Error, Result};
use crate::fhir::r4::Elements;
use crate::fhir::subset::View;
use crate::store::{Exported, JobPart, Removed};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// Resources.
    Output,
    /// What went wrong, or was ignored, as outcomes.
    Error,
    /// What is there no more, as transactions that delete it.
    Deleted,
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// What it holds.
    pub kind: FileKind,
    /// The type of its lines.
    pub of: String,
    /// The name of its bytes.
    pub blob: String,
    /// The name of the file with the names of its resources.
    pub names: Option<String>,
    /// How many lines it has.
    pub count: u64,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// Whether some of it are Part 2 records.
    #[serde(default)]
    pub part2: bool,
}

impl File {
    /// The file that a part is.
    pub fn read(part: &JobPart) -> Result<Self> {
        serde_json::from_slice(&part.body).map_err(Error::internal)
    }

    pub(super) fn part(&self, number: u32) -> Result<JobPart> {
        Ok(JobPart { number, body: serde_json::to_vec(self).map_err(Error::internal)? })
    }
}

/// The one kind of file with what is gone.
const DELETED: (FileKind, &str) = (FileKind::Deleted, "Bundle");
/// How a Part 2 record is marked among the names.
const PART2: &str = "part2";

/// The name of a resource in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its id.
    pub id: FhirId,
    /// Its version; in a file of what is gone, which names all types, its type.
    pub version: String,
    /// Whose it is.
    pub patient: Option<FhirId>,
    /// Whether it is a Part 2 record.
    pub part2: bool,
}

/// The names of the resources in a file; `None` if they are not kept any more.
pub async fn lines(blobs: &Blobs, names: &str, now: Timestamp) -> Result<Option<Vec<Line>>> {
    let Some(stream) = blobs.read(names, now).await? else { return Ok(None) };
    let pieces: Vec<_> = stream.try_collect().await?;
    let whole = pieces.concat();
    let broken = || Error::broken("the names of a file cannot be read");
    let text = std::str::from_utf8(&whole).map_err(|_bytes| broken())?;
    let line = |line: &str| {
        let mut words = line.split(' ');
        let id = words.next()?.parse().ok()?;
        let version = words.next()?.to_owned();
        let patient = match words.next()? {
            "" => None,
            patient => Some(patient.parse().ok()?),
        };
        let part2 = words.next() == Some(PART2);
        Some(Line { id, version, patient, part2 })
    };
    text.lines().map(line).collect::<Option<Vec<_>>>().map(Some).ok_or_else(broken)
}

/// A file that is being written.
struct Open {
    bytes: BlobWriter,
    names: Option<BlobWriter>,
    /// What is not handed over yet.
    text: Vec<u8>,
    listed: Vec<u8>,
    count: u64,
    part2: bool,
}

/// The open files.
pub(super) struct Files<'a> {
    blobs: &'a Blobs,
    handle: &'a Handle,
    expires: Timestamp,
    views: Vec<(&'static str, View)>,
    table: Elements,
    open: BTreeMap<(FileKind, String), Open>,
}

impl<'a> Files<'a> {
    pub(super) fn new(
        blobs: &'a Blobs,
        handle: &'a Handle,
        expires: Timestamp,
        views: Vec<(&'static str, View)>,
    ) -> Self {
        Self { blobs, handle, expires, views, table: Elements::new(), open: BTreeMap::new() }
    }

    /// The number of lines of the longest.
    pub(super) fn longest(&self) -> u64 {
        self.open.values().map(|open| open.count).max().unwrap_or_default()
    }

    /// Adds resources.
    pub(super) fn add(&mut self, found: &[Exported]) -> Result<()> {
        for Exported { resource, patient } in found {
            let name = resource.resource_type.as_str();
            let view = self.views.iter().find(|(known, _)| *known == name);
            let shown = view.map(|(_, view)| view.of(&self.table, name, &resource.body));
            let open = file(
                &mut self.open,
                self.blobs,
                self.handle,
                self.expires,
                (FileKind::Output, name),
            )?;
            open.text.extend_from_slice(shown.as_deref().unwrap_or(&resource.body));
            open.text.push(b'\n');
            let is_part2 = !resource.shown.basis.is_empty();
            let words = [resource.id.as_str(), &resource.version_id, patient, PART2];
            let words = words.iter().take(if is_part2 { 4 } else { 3 });
            for (place, word) in words.enumerate() {
                open.listed.extend_from_slice(if place > 0 { b" " } else { b"" });
                open.listed.extend_from_slice(word.as_bytes());
            }
            open.listed.push(b'\n');
            open.part2 |= is_part2;
            open.count += 1;
        }
        self.hand_over()
    }

    /// Adds an OperationOutcome.
    pub(super) fn error(&mut self, outcome: &[u8]) -> Result<()> {
        self.other(FileKind::Error, "OperationOutcome", outcome)
    }

    /// Adds a transaction that deletes these. Among the names, the type stands in the version's place.
    pub(super) fn deleted(&mut self, gone: &[Removed]) -> Result<()> {
        let entry = |one: &Removed| {
            let url = format!("{}/{}", one.resource_type, one.id);
            json!({ "request": { "method": "DELETE", "url": url } })
        };
        let entries: Vec<_> = gone.iter().map(entry).collect();
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
        let open = file(&mut self.open, self.blobs, self.handle, self.expires, DELETED)?;
        open.text.extend_from_slice(bundle.to_string().as_bytes());
        open.text.push(b'\n');
        for Removed { resource_type, id, patient } in gone {
            open.listed.extend_from_slice(format!("{id} {resource_type} {patient}\n").as_bytes());
        }
        open.count += 1;
        self.hand_over()
    }

    fn other(&mut self, kind: FileKind, of: &str, line: &[u8]) -> Result<()> {
        let key = (kind, of.to_owned());
        if !self.open.contains_key(&key) {
            let bytes = self.handle.block_on(self.blobs.create(self.expires))?;
            let (text, listed) = (Vec::new(), Vec::new());
            self.open.insert(
                key.clone(),
                Open { bytes, names: None, text, listed, count: 0, part2: false },
            );
        }
        if let Some(open) = self.open.get_mut(&key) {
            open.text.extend_from_slice(line);
            open.text.push(b'\n');
            open.count += 1;
        }
        self.hand_over()
    }

    fn hand_over(&mut self) -> Result<()> {
        for open in self.open.values_mut().filter(|open| !open.text.is_empty()) {
            self.handle.block_on(open.bytes.write(&open.text))?;
            open.text.clear();
            if let Some(names) = &mut open.names {
                self.handle.block_on(names.write(&open.listed))?;
                open.listed.clear();
            }
        }
        Ok(())
    }

    /// Ends the open files.
    pub(super) fn end(&mut self) -> Result<Vec<File>> {
        let mut files = Vec::new();
        for ((kind, of), open) in std::mem::take(&mut self.open) {
            let (blob, bytes) = self.handle.block_on(open.bytes.finish())?;
            let names = open.names.map(|names| self.handle.block_on(names.finish())).transpose()?;
            let names = names.map(|(name, _)| name);
            let (count, part2) = (open.count, open.part2);
            files.push(File { kind, of, blob, names, count, bytes, part2 });
        }
        Ok(files)
    }
}

/// The open file of a type.
fn file<'o>(
    all: &'o mut BTreeMap<(FileKind, String), Open>,
    blobs: &Blobs,
    handle: &Handle,
    expires: Timestamp,
    (kind, name): (FileKind, &str),
) -> Result<&'o mut Open> {
    match all.entry((kind, name.to_owned())) {
        std::collections::btree_map::Entry::Occupied(open) => Ok(open.into_mut()),
        std::collections::btree_map::Entry::Vacant(place) => {
            let bytes = handle.block_on(blobs.create(expires))?;
            let names = Some(handle.block_on(blobs.create(expires))?);
            let (text, listed) = (Vec::new(), Vec::new());
            Ok(place.insert(Open { bytes, names, text, listed, count: 0, part2: false }))
        }
    }
}
