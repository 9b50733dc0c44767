//! A file of the archive.

/// A file of the archive.
#[derive(Debug, Clone)]
pub struct File {
    /// Where it is, with `/` between folders.
    pub path: String,
    /// Its media type.
    pub media: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// How many resources, where they are what is in it.
    pub resources: Option<usize>,
}

impl File {
    pub(super) fn new(path: impl Into<String>, media: &str, bytes: Vec<u8>) -> Self {
        Self { path: path.into(), media: media.to_owned(), bytes, resources: None }
    }

    /// The record of somebody else, as it came.
    pub fn outside(number: usize, bytes: Vec<u8>) -> Self {
        Self::new(format!("outside/{number:03}.json"), "application/fhir+json", bytes)
    }

    pub(super) fn of_resources(self, resources: usize) -> Self {
        Self { resources: Some(resources), ..self }
    }
}
