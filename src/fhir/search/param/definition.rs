//! What HL7 says about search parameters, as far as the table is held against it: the canonical URL,
//! the kind and the expression of each that R4 and US Core define for a served type.
//!
//! `definitions.txt` is made by `mappings/r4/parameters.py`.

const DEFINITIONS: &str = include_str!("definitions.txt");

/// One definition, for one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The type, or `Resource` for those of every type.
    pub resource_type: &'static str,
    /// Its name in the query string.
    pub code: &'static str,
    /// FHIR's code of its kind, such as `token`.
    pub kind: &'static str,
    /// Its canonical URL.
    pub url: &'static str,
    /// The FHIRPath expression, as far as it is of this type; `-` where there is none.
    pub expression: &'static str,
}

/// All definitions.
pub fn all() -> impl Iterator<Item = Definition> {
    DEFINITIONS.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut words = line.splitn(5, ' ');
        Some(Definition {
            resource_type: words.next()?,
            code: words.next()?,
            kind: words.next()?,
            url: words.next()?,
            expression: words.next()?,
        })
    })
}

/// The definition of a parameter of a type.
pub fn of(resource_type: &str, code: &str) -> Option<Definition> {
    let owner = if code.starts_with('_') { "Resource" } else { resource_type };
    all().find(|known| known.resource_type == owner && known.code == code)
}
