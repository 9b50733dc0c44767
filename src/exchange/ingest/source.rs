//! Finds the files to read, and opens them.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::lines::Layout;
use crate::error::{Error, Result};

/// A file of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// How records follow each other in it.
    pub layout: Layout,
    /// Whether it is compressed.
    pub gzip: bool,
    /// Its size on disk in bytes.
    pub size: u64,
}

/// The files below `paths`, each folder in the order of its names.
///
/// In a folder only files of a known ending are taken, and links to folders are not followed; a
/// file that is named has to have a known ending.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    for path in paths {
        let about = fs::metadata(path).map_err(|error| cannot_read(path, &error))?;
        if about.is_dir() {
            folder(path, &mut found)?;
        } else {
            let source = Source::of(path, about.len()).ok_or_else(|| {
                Error::Setup(format!(
                    "cannot tell what {} holds: name it .ndjson, .jsonl or .json, with .gz if \
                     it is compressed",
                    path.display()
                ))
            })?;
            found.push(source);
        }
    }
    Ok(found)
}

fn folder(path: &Path, found: &mut Vec<Source>) -> Result<()> {
    let failed = |error: io::Error| cannot_read(path, &error);
    let mut entries =
        fs::read_dir(path).map_err(failed)?.collect::<io::Result<Vec<_>>>().map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        if kind.is_dir() {
            folder(&path, found)?;
        } else if let Ok(about) = fs::metadata(&path)
            && about.is_file()
        {
            found.extend(Source::of(&path, about.len()));
        }
    }
    Ok(())
}

fn cannot_read(path: &Path, error: &io::Error) -> Error {
    Error::Setup(format!("cannot read {}: {error}", path.display()))
}

impl Source {
    /// The file at `path`, if its name says what it holds.
    fn of(path: &Path, size: u64) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let (plain, gzip) = match name.strip_suffix(".gz") {
            Some(plain) => (plain, true),
            None => (name.as_str(), false),
        };
        let layout = match plain.rsplit_once('.')?.1 {
            "ndjson" | "jsonl" => Layout::Lines,
            "json" => Layout::Json,
            _ => return None,
        };
        Some(Self { path: path.to_owned(), layout, gzip, size })
    }

    /// Opens the file; `read` counts the bytes taken from the disk.
    pub(crate) fn open(&self, read: &Arc<AtomicU64>) -> Result<Box<dyn BufRead + Send>> {
        let file = File::open(&self.path).map_err(|error| cannot_read(&self.path, &error))?;
        let counted = BufReader::with_capacity(BUFFER, Counted { file, read: read.clone() });
        if self.gzip {
            Ok(Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(counted))))
        } else {
            Ok(Box::new(counted))
        }
    }
}

/// The size of a read buffer in bytes.
const BUFFER: usize = 64 * 1024;

struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
