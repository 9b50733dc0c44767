//! Exports, each question in one snapshot.

use super::PostgresStore;
use super::search::in_snapshot;
use crate::domain::FhirId;
use crate::error::Result;
use crate::policy::Permit;
use crate::store::{Export, Exported, Exports, Removed, sql};

impl Exports for PostgresStore {
    fn window(&self, permit: &Permit, after: &str, rows: u32) -> Result<Option<String>> {
        self.readers.run(|session| {
            in_snapshot(session, |reading| sql::window(reading, permit, after, rows))
        })?
    }

    fn export(&self, permit: &Permit, scope: &Export) -> Result<Vec<Exported>> {
        self.readers
            .run(|session| in_snapshot(session, |reading| sql::export(reading, permit, scope)))?
    }

    fn removed(&self, permit: &Permit, scope: &Export) -> Result<Vec<Removed>> {
        self.readers
            .run(|session| in_snapshot(session, |reading| sql::removed(reading, permit, scope)))?
    }

    fn still(&self, permit: &Permit, ids: &[FhirId]) -> Result<usize> {
        self.readers
            .run(|session| in_snapshot(session, |reading| sql::still(reading, permit, ids)))?
    }

    fn roster(&self, permit: &Permit) -> Result<Vec<FhirId>> {
        self.readers.run(|session| in_snapshot(session, |reading| sql::roster(reading, permit)))?
    }
}
