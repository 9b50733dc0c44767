//! What a member of staff does for the practice now, and whose records are not theirs to decide on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde_json::Value;

use super::chart::client_name;
use super::{People, Person, field, is_client, is_staff, written};
use crate::domain::{FhirId, Kind, Op, Record};
use crate::error::Result;
use crate::exchange::ingest::{clock, term};
use crate::policy::Role;

/// A licence that is still a trainee's.
const TRAINEE: &str = "intern";

/// What somebody does for the practice now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duties {
    /// Their `staff` record.
    pub staff: String,
    /// The resource that they are: `Practitioner/ID`.
    pub user: String,
    /// Their roles.
    pub roles: BTreeSet<Role>,
    /// Whether they may judge as a licensed professional (45 CFR 164.524(a)(3)).
    pub is_licensed: bool,
}

/// Somebody by the platform's id, and what they are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The platform's id.
    pub id: String,
    /// What they are called.
    pub name: String,
}

/// People by the resources that they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Members of staff, by `Practitioner/ID`.
    pub staff: BTreeMap<String, Known>,
    /// Clients, by the id of their Patient.
    pub patients: BTreeMap<String, Known>,
}

impl People {
    /// Who the members of staff and the patients of these names are, as far as they are there.
    pub fn known(&self, wanted: &[(String, String)]) -> Result<Names> {
        let (staff, patients): (BTreeSet<&str>, BTreeSet<&str>) =
            wanted.iter().map(|(user, patient)| (user.as_str(), patient.as_str())).unzip();
        let mut names = Names::default();
        if wanted.is_empty() {
            return Ok(names);
        }
        for one in self.store.sources(&self.tenant, Kind::Staff)? {
            let user = self.practitioner(&one.id);
            if staff.contains(user.as_str()) {
                let known = Known { id: one.id.clone(), name: written(one.data.get("name")) };
                names.staff.insert(user, known);
            }
        }
        for one in self.store.sources(&self.tenant, Kind::Client)? {
            let patient = self.patient(&one.id);
            if patients.contains(patient.as_str()) {
                let known = Known { id: one.id.clone(), name: client_name(&one) };
                names.patients.insert(patient.as_str().to_owned(), known);
            }
        }
        Ok(names)
    }

    /// What a person does for the practice now; nothing of one who is not on its staff.
    pub fn duties(&self, person: &Person) -> Result<Option<Duties>> {
        let Some(id) = &person.staff else { return Ok(None) };
        let staff = self.store.source(&self.tenant, Kind::Staff, id)?;
        let Some(staff) = staff.filter(|staff| is_staff(staff)) else { return Ok(None) };
        let (practice, now) = (self.practice()?, self.clock.now());
        let zone = clock(&staff, practice.as_deref()).unwrap_or(TimeZone::UTC);
        let holds = |part: &&Value| term(part, &zone).is_some_and(|term| term.holds(now));
        let roles = list(&staff, "roles").filter(holds);
        let roles = roles.filter_map(|role| role.get("role")?.as_str()?.parse().ok()).collect();
        let is_licensed = list(&staff, "licenses").any(|license| {
            license.get("type").and_then(Value::as_str).is_some_and(|kind| kind != TRAINEE)
                && license.get("valid").is_some_and(|valid| holds(&valid))
        });
        Ok(Some(Duties { staff: id.clone(), user: self.practitioner(id), roles, is_licensed }))
    }

    /// The clients whose records a person does not decide on at the practice's desk: their own, those of
    /// whom they act for or are a relation of, and all who are the same person as one of these by merges.
    pub fn close_to(&self, person: &Person) -> Result<BTreeSet<String>> {
        let mut close: BTreeSet<String> =
            person.client.iter().chain(&person.merged).cloned().collect();
        for party in &person.parties {
            let party = self.store.source(&self.tenant, Kind::RelatedParty, party)?;
            let party = party.filter(|party| party.op == Op::Upsert);
            close.extend(party.and_then(|party| field(&party, "client_id").map(str::to_owned)));
        }
        let mut waiting: Vec<String> = close.iter().cloned().collect();
        while let Some(one) = waiting.pop() {
            for other in self.merged_with(&one)? {
                if close.insert(other.clone()) {
                    waiting.push(other);
                }
            }
        }
        Ok(close)
    }

    /// Those into whom a client was merged, or who were merged into them.
    fn merged_with(&self, client: &str) -> Result<Vec<String>> {
        let own = self.store.source(&self.tenant, Kind::Client, client)?;
        let into = own.as_ref().and_then(|own| field(own, "merged_into")).map(str::to_owned);
        let others =
            self.store.sources_referring(&self.tenant, Kind::Client, Kind::Client, client)?;
        let from = others.iter().filter(|other| field(other, "merged_into") == Some(client));
        Ok(into.into_iter().chain(from.map(|other| other.id.clone())).collect())
    }

    /// The clients whom a member of staff treats now.
    pub fn clients_of(&self, person: &Person) -> Result<BTreeSet<String>> {
        Ok(self.treated(person)?.into_iter().map(|chart| chart.client).collect())
    }

    /// What a client is called, and the Patient that they are; nothing of one who is not there.
    pub fn named(&self, client: &str) -> Result<(String, Option<FhirId>)> {
        let found = self.store.source(&self.tenant, Kind::Client, client)?;
        let found = found.filter(|client| is_client(client));
        let name = found.as_deref().map(client_name).unwrap_or_default();
        Ok((name, found.map(|client| self.patient(&client.id))))
    }
}

fn list<'a>(record: &'a Record, name: &str) -> impl Iterator<Item = &'a Value> {
    record.data.get(name).and_then(Value::as_array).into_iter().flatten()
}
