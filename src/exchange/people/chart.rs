//! The records that somebody may open: their own, those of whom they act for, those they treat.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::{People, Person, field, is_client, is_staff, written};
use crate::domain::{FhirId, Kind, Op, Record};
use crate::error::Result;
use crate::exchange::ingest::{acts_for, clock, practice_of, term};

/// Why somebody may open a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It is their own.
    Own,
    /// They act for the client.
    Proxy,
    /// They treat the client.
    Staff,
}

/// A record that somebody may open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// The Patient.
    pub patient: FhirId,
    /// The platform's id of the client.
    pub client: String,
    /// What the client is called.
    pub name: String,
    /// Their date of birth, as precisely as it is known.
    pub born: Option<String>,
    /// Why.
    pub relation: Relation,
    /// The resource that the person is, where they open it: `RelatedPerson/ID`.
    pub fhir_user: String,
}

/// Some of the records that somebody may open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Charts {
    /// Those, by name.
    pub charts: Vec<Chart>,
    /// Whether there are more.
    pub more: bool,
}

impl People {
    /// The records that the person may open now, whose client's name has `part` in it; `most` of
    /// them at most.
    pub fn charts(&self, person: &Person, part: &str, most: usize) -> Result<Charts> {
        let mut charts: Vec<Chart> = Vec::new();
        for chart in self.all(person)? {
            if !charts.iter().any(|known| known.patient == chart.patient) {
                charts.push(chart);
            }
        }
        let part = part.trim().to_lowercase();
        charts.retain(|chart| chart.name.to_lowercase().contains(&part));
        charts.sort_by_cached_key(|chart| {
            (chart.relation != Relation::Own, chart.name.to_lowercase(), chart.patient.clone())
        });
        let more = charts.len() > most;
        charts.truncate(most);
        Ok(Charts { charts, more })
    }

    /// The record of this patient, if the person may open it now: as the user of that name, where
    /// one is given.
    pub fn chart(
        &self,
        person: &Person,
        patient: &FhirId,
        user: Option<&str>,
    ) -> Result<Option<Chart>> {
        let is_it = |chart: &Chart| {
            chart.patient == *patient && user.is_none_or(|user| chart.fhir_user == user)
        };
        Ok(self.all(person)?.into_iter().find(is_it))
    }

    fn all(&self, person: &Person) -> Result<Vec<Chart>> {
        let mut charts = self.own(person)?;
        charts.extend(self.acted_for(person)?);
        charts.extend(self.treated(person)?);
        Ok(charts)
    }

    fn own(&self, person: &Person) -> Result<Vec<Chart>> {
        let Some(id) = &person.client else { return Ok(Vec::new()) };
        let client = self.client(id)?;
        let chart = client.map(|client| {
            let user = format!("Patient/{}", self.patient(&client.id));
            self.chart_of(&client, Relation::Own, user)
        });
        Ok(chart.into_iter().collect())
    }

    fn acted_for(&self, person: &Person) -> Result<Vec<Chart>> {
        let mut charts = Vec::new();
        let (practice, rules) = (self.practice()?, self.rules.load());
        for id in &person.parties {
            let party = self.store.source(&self.tenant, Kind::RelatedParty, id)?;
            let Some(party) = party.filter(|party| party.op == Op::Upsert) else { continue };
            let Some(client) = field(&party, "client_id") else { continue };
            let Some(client) = self.client(client)? else { continue };
            if acts_for(&party, &client, practice.as_deref(), &rules.tables.law, self.clock.now()) {
                charts.push(self.chart_of(&client, Relation::Proxy, self.related(id)));
            }
        }
        Ok(charts)
    }

    pub(super) fn treated(&self, person: &Person) -> Result<Vec<Chart>> {
        let Some(id) = &person.staff else { return Ok(Vec::new()) };
        let staff = self.store.source(&self.tenant, Kind::Staff, id)?;
        if !staff.is_some_and(|staff| is_staff(&staff)) {
            return Ok(Vec::new());
        }
        let assignments =
            self.store.sources_referring(&self.tenant, Kind::Assignment, Kind::Staff, id)?;
        let (practice, now) = (self.practice()?, self.clock.now());
        let mut charts = Vec::new();
        for assignment in assignments {
            let zone = clock(&assignment, practice.as_deref()).unwrap_or(TimeZone::UTC);
            let stands = assignment.op == Op::Upsert
                && field(&assignment, "staff_id") == Some(id)
                && term(&assignment.data, &zone).is_some_and(|term| term.holds(now));
            let Some(client) = field(&assignment, "client_id").filter(|_| stands) else { continue };
            if let Some(client) = self.client(client)? {
                charts.push(self.chart_of(&client, Relation::Staff, self.practitioner(id)));
            }
        }
        Ok(charts)
    }

    pub(super) fn practice(&self) -> Result<Option<Arc<Record>>> {
        Ok(practice_of(self.store.sources(&self.tenant, Kind::Organization)?))
    }

    fn client(&self, id: &str) -> Result<Option<Arc<Record>>> {
        let client = self.store.source(&self.tenant, Kind::Client, id)?;
        Ok(client.filter(|client| is_client(client)))
    }

    fn chart_of(&self, client: &Record, relation: Relation, fhir_user: String) -> Chart {
        Chart {
            patient: self.patient(&client.id),
            client: client.id.clone(),
            name: client_name(client),
            born: field(client, "birth_date").map(str::to_owned),
            relation,
            fhir_user,
        }
    }
}

/// The name that a client goes by: the usual one with the official family name. One that they no
/// longer want is not shown.
pub(in crate::exchange) fn client_name(client: &Record) -> String {
    let names = client.data.get("names").and_then(Value::as_array);
    let used = |wanted: &str| {
        let is_it = |name: &&Value| name.get("use").and_then(Value::as_str) == Some(wanted);
        names.into_iter().flatten().find(is_it)
    };
    let (official, usual) = (used("official"), used("usual"));
    match (usual, official) {
        (Some(usual), Some(official)) if usual.get("family").is_none() => {
            let family = official.get("family").and_then(Value::as_str).unwrap_or_default();
            format!("{} {family}", written(Some(usual))).trim().to_owned()
        }
        (Some(name), _) | (None, Some(name)) => written(Some(name)),
        (None, None) => String::new(),
    }
}
