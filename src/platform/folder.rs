//! A source that is a folder: files that are put there one after the other.
//!
//! The cursor is the name of the last file that was read, so names have to rise (a date or a number
//! does). A file appears whole: it is written under a name that starts with a dot, or elsewhere on
//! the same disk, and then renamed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use futures_util::stream;

use super::source::Asked;
use super::{Coding, Limits, Page, Source, Spool, Trouble};

/// The most bytes of a file, packed and unpacked.
const MOST: u64 = 1024 * 1024 * 1024;
/// What is read at once, in bytes.
const CHUNK: usize = 64 * 1024;
/// The endings of the files that are read, and whether they are packed and an array.
const ENDINGS: &[(&str, Coding, bool)] = &[
    (".ndjson", Coding::Identity, false),
    (".ndjson.gz", Coding::Gzip, false),
    (".json", Coding::Identity, true),
    (".json.gz", Coding::Gzip, true),
];

/// A folder of files.
pub struct FolderSource {
    folder: PathBuf,
    spool: PathBuf,
}

impl FolderSource {
    /// The files of `folder`; a large one is kept in `spool` while it is read.
    pub fn new(folder: PathBuf, spool: PathBuf) -> Self {
        Self { folder, spool }
    }

    async fn next(&self, cursor: Option<&str>) -> Result<Page, Trouble> {
        let Some((name, coding, is_array)) = after(&self.folder, cursor)? else {
            return Ok(Page { body: None, is_array: false, next: None });
        };
        let file = File::open(self.folder.join(&name)).map_err(|_gone| Trouble::Unreachable)?;
        let limits = Limits { sent: MOST, plain: MOST, lines: MOST };
        let spool = Spool::new(&self.spool, coding, limits);
        let body = Some(spool.receive(stream::iter(Chunks(file))).await?);
        Ok(Page { body, is_array, next: Some(name) })
    }
}

impl Source for FolderSource {
    fn page<'a>(&'a self, cursor: Option<&'a str>, _limit: u32) -> Asked<'a> {
        Box::pin(self.next(cursor))
    }
}

/// The first file after the one of this name.
fn after(folder: &Path, cursor: Option<&str>) -> Result<Option<(String, Coding, bool)>, Trouble> {
    let mut first: Option<(String, Coding, bool)> = None;
    for entry in fs::read_dir(folder).map_err(|_unreadable| Trouble::Unreachable)? {
        let entry = entry.map_err(|_unreadable| Trouble::Unreachable)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let ending = ENDINGS.iter().find(|(ending, ..)| name.ends_with(ending));
        let Some((_, coding, is_array)) = ending else { continue };
        let is_next = !name.starts_with('.')
            && cursor.is_none_or(|cursor| name.as_str() > cursor)
            && first.as_ref().is_none_or(|(first, ..)| name < *first);
        if is_next && entry.path().is_file() {
            first = Some((name, *coding, *is_array));
        }
    }
    Ok(first)
}

/// A file, chunk by chunk.
struct Chunks(File);

impl Iterator for Chunks {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        use io::Read;
        let mut chunk = Vec::with_capacity(CHUNK);
        match (&mut self.0).take(CHUNK as u64).read_to_end(&mut chunk) {
            Ok(0) => None,
            Ok(_) => Some(Ok(chunk)),
            Err(cause) => Some(Err(cause)),
        }
    }
}
