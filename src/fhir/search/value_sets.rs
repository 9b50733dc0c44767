//! The value sets that `:in` and `:not-in` may name
//! (<https://hl7.org/fhir/R4/search.html#modifiers>).

use std::collections::HashMap;

/// Codes by the canonical URL of their value set, with and without its version.
#[derive(Debug, Clone, Default)]
pub struct ValueSets {
    codes: HashMap<String, Vec<(Option<String>, String)>>,
}

impl ValueSets {
    /// Adds a value set: its URL, its version, and its codes, each with its system if it has one.
    pub fn add(&mut self, url: &str, version: Option<&str>, codes: Vec<(Option<String>, String)>) {
        if let Some(version) = version {
            self.codes.insert(format!("{url}|{version}"), codes.clone());
        }
        self.codes.insert(url.to_owned(), codes);
    }

    /// The codes of a value set; `None` where it is not known.
    pub fn codes(&self, url: &str) -> Option<&[(Option<String>, String)]> {
        self.codes.get(url).map(Vec::as_slice)
    }
}
