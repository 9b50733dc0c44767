//! Exports, each question in one snapshot.

use super::SqliteStore;
use super::search::Reading;
use crate::domain::FhirId;
use crate::error::Result;
use crate::policy::Permit;
use crate::store::{Export, Exported, Exports, Removed, sql};

impl Exports for SqliteStore {
    fn window(&self, permit: &Permit, after: &str, rows: u32) -> Result<Option<String>> {
        self.readers.take()?.snapshot(|reading| sql::window(&Reading(reading), permit, after, rows))
    }

    fn export(&self, permit: &Permit, scope: &Export) -> Result<Vec<Exported>> {
        self.readers.take()?.snapshot(|reading| sql::export(&Reading(reading), permit, scope))
    }

    fn removed(&self, permit: &Permit, scope: &Export) -> Result<Vec<Removed>> {
        self.readers.take()?.snapshot(|reading| sql::removed(&Reading(reading), permit, scope))
    }

    fn still(&self, permit: &Permit, ids: &[FhirId]) -> Result<usize> {
        self.readers.take()?.snapshot(|reading| sql::still(&Reading(reading), permit, ids))
    }

    fn roster(&self, permit: &Permit) -> Result<Vec<FhirId>> {
        self.readers.take()?.snapshot(|reading| sql::roster(&Reading(reading), permit))
    }
}
