//! Whose record somebody chose for an app, and which session, until they decide.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::SignIn;
use crate::auth::digest;
use crate::domain::FhirId;
use crate::error::{Error, Result};

/// The kind of the rows.
const CHOICE: &str = "choice";
/// How long somebody may take to decide.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);

/// What somebody chose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Whose record.
    pub patient: Option<FhirId>,
    /// Which session.
    pub encounter: Option<FhirId>,
}

/// As it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    patient: Option<String>,
    encounter: Option<String>,
}

impl SignIn {
    /// Remembers what somebody chose with this browser for this request.
    pub fn choose(&self, browser: &str, request: &str, choice: &Choice) -> Result<()> {
        let text = |id: &Option<FhirId>| id.as_ref().map(ToString::to_string);
        let kept = Kept { patient: text(&choice.patient), encounter: text(&choice.encounter) };
        let body = serde_json::to_vec(&kept).map_err(Error::internal)?;
        self.keep(CHOICE, &name(browser, request), String::new(), body, PATIENCE)
    }

    /// What they chose.
    pub fn chosen(&self, browser: &str, request: &str) -> Result<Choice> {
        let digest = digest(&name(browser, request));
        let Some(row) = self.store.handle(CHOICE, &digest, self.clock.now())? else {
            return Ok(Choice::default());
        };
        let kept: Kept = serde_json::from_slice(&row.body).map_err(Error::internal)?;
        let id = |text: Option<String>| text.and_then(|text| text.parse().ok());
        Ok(Choice { patient: id(kept.patient), encounter: id(kept.encounter) })
    }
}

/// The browser's cookie is a part of it, so that what one person chose is no other's.
fn name(browser: &str, request: &str) -> String {
    format!("{browser}\u{1f}{request}")
}
