//! What a platform's launch names: its records, as the resources they are.

use serde::Deserialize;

use super::{Chart, Op, People, Person, is_client, is_staff};
use crate::domain::{FhirId, Kind};
use crate::error::Result;

/// Who launches an app, by the platform's id of their record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum User {
    /// A member of staff.
    Staff(String),
    /// A client.
    Client(String),
    /// Somebody who acts for a client.
    RelatedParty(String),
}

impl People {
    /// The Patient of a client who is there.
    pub fn patient_of(&self, client: &str) -> Result<Option<FhirId>> {
        let found = self.store.source(&self.tenant, Kind::Client, client)?;
        Ok(found.filter(|client| is_client(client)).map(|client| self.patient(&client.id)))
    }

    /// The Encounter of a client's session that is there.
    pub fn encounter_of(&self, session: &str, client: &str) -> Result<Option<FhirId>> {
        let found = self.store.source(&self.tenant, Kind::SessionLog, session)?;
        let stands = found.is_some_and(|log| {
            log.op == Op::Upsert && log.client_ids.iter().any(|id| id == client)
        });
        Ok(stands.then(|| self.ids.part(Kind::SessionLog, session, client)))
    }

    /// The resource that a user is: `Practitioner/ID`.
    pub fn user(&self, user: &User) -> Result<Option<String>> {
        let source = |kind, id: &str| self.store.source(&self.tenant, kind, id);
        Ok(match user {
            User::Staff(id) => source(Kind::Staff, id)?
                .filter(|staff| is_staff(staff))
                .map(|_| self.practitioner(id)),
            User::Client(id) => {
                let client = source(Kind::Client, id)?.filter(|client| is_client(client));
                client.map(|_| format!("Patient/{}", self.patient(id)))
            }
            User::RelatedParty(id) => {
                let party = source(Kind::RelatedParty, id)?.filter(|party| party.op == Op::Upsert);
                party.map(|_| self.related(id))
            }
        })
    }

    /// The record of a person as whom they open a chart that is another's.
    pub fn party_of(&self, person: &Person, chart: &Chart) -> Option<String> {
        let mut parties = person.parties.iter();
        parties.find(|id| self.related(id) == chart.fhir_user).cloned()
    }

    /// The Patient that somebody is themself.
    pub fn own_patient(&self, person: &Person) -> Option<FhirId> {
        person.client.as_deref().map(|client| self.patient(client))
    }
}
