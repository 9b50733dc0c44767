//! Hot reload: a folder of maps that changed is compiled, and takes the place of the old set at
//! once; one that does not compile changes nothing. Where a golden differs, whoever asks decides.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::App;
use crate::error::{Error, Result};
use crate::exchange::ingest::{Report, Rules};

/// What became of a change.
pub enum Reload {
    /// The new maps are in use, and every record is mapped by them.
    Done {
        /// What mapping the records anew did.
        report: Report,
        /// The goldens that differ, one text each; none if they hold a reload back.
        differences: Vec<String>,
    },
    /// The old maps stay; the text says what is wrong with the new ones.
    Kept(String),
    /// The new maps say the same as the old ones.
    Same,
}

/// What goldens that differ do to a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goldens {
    /// The old maps stay until the new results are accepted: for maps that others rely on.
    HoldBack,
    /// The new maps are used all the same, and the differences told: for trying things out.
    Tell,
}

/// The state of every file: when it was changed, and how long it is.
type Listing = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// Remembers what a folder looked like.
pub struct Watch {
    folder: PathBuf,
    seen: Listing,
    /// A change that may not be complete yet: it is acted upon once the folder stands still.
    pending: bool,
}

impl Watch {
    /// From now on.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), seen: list(folder), pending: false }
    }

    /// Whether the folder changed, and has stood still since the last call.
    pub fn changed(&mut self) -> bool {
        let now = list(&self.folder);
        let moves = now != self.seen;
        self.seen = now;
        let settled = self.pending && !moves;
        self.pending = moves;
        settled
    }
}

fn list(folder: &Path) -> Listing {
    let mut files = Listing::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() {
                folders.push(entry.path());
            } else {
                files.insert(entry.path(), (about.modified().ok(), about.len()));
            }
        }
    }
    files
}

impl App {
    /// Compiles the maps anew; if they are right, uses them, and maps every record by them.
    ///
    /// # Errors
    ///
    /// The store failed; what is wrong with the maps is no error but [`Reload::Kept`].
    pub fn reload(&self, goldens: Goldens) -> Result<Reload> {
        let rules = match Rules::load(&self.mappings) {
            Ok(rules) => Arc::new(rules),
            Err(Error::Setup(text)) => return Ok(Reload::Kept(text)),
            Err(other) => return Err(other),
        };
        if rules.maps.hash() == self.rules.load().maps.hash() {
            return Ok(Reload::Same);
        }
        let found = rules.maps.test().diagnostics();
        let differences: Vec<String> = found.into_iter().map(|one| one.text).collect();
        if goldens == Goldens::HoldBack && !differences.is_empty() {
            return Ok(Reload::Kept(differences.join("\n")));
        }
        // First in place, then every record marked: whatever a live source still maps by the old
        // maps is stored before the marks are set, and so is marked too.
        self.rules.store(Arc::clone(&rules));
        let report = self.ingest(&rules).reproject(None, &mut |_| ())?;
        Ok(Reload::Done { report, differences })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_once_the_folder_stands_still() {
        let folder = tempfile::tempdir().unwrap();
        let map = folder.path().join("outbound/a.fml");
        fs::create_dir(folder.path().join("outbound")).unwrap();
        fs::write(&map, "one").unwrap();
        let mut watch = Watch::new(folder.path());
        assert!(!watch.changed());
        fs::write(&map, "three").unwrap();
        assert!(!watch.changed());
        assert!(watch.changed());
        assert!(!watch.changed());
        fs::remove_file(&map).unwrap();
        assert!(!watch.changed());
        assert!(watch.changed());
    }
}
