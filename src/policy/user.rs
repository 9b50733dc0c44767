//! Who a person is, as a resource.

use std::fmt;
use std::str::FromStr;

use crate::domain::FhirId;

/// What kind of person a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserType {
    /// The client of the practice themself.
    Patient,
    /// Somebody who works there.
    Practitioner,
    /// Somebody who acts for a client.
    RelatedPerson,
}

impl UserType {
    /// The resource type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Patient => "Patient",
            Self::Practitioner => "Practitioner",
            Self::RelatedPerson => "RelatedPerson",
        }
    }
}

/// The resource that a person is: `Patient/…`, `Practitioner/…` or `RelatedPerson/…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FhirUser {
    /// Its type.
    pub kind: UserType,
    /// Its logical id.
    pub id: FhirId,
}

impl FromStr for FhirUser {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, id) = text.split_once('/').ok_or(())?;
        let kinds = [UserType::Patient, UserType::Practitioner, UserType::RelatedPerson];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == name).ok_or(())?;
        Ok(Self { kind, id: id.parse()? })
    }
}

impl fmt::Display for FhirUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.id)
    }
}
