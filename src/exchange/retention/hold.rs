//! Legal holds: while one is in force, nothing of a person's record is taken away. It opens nothing to
//! anybody.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Retention;
use crate::auth;
use crate::domain::{Kind, Op, Record, TenantId};
use crate::error::{Error, Result};
use crate::exchange::ingest::{BASE, Ingest, instant};
use crate::store::Write;

/// A hold, as its record says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The record's id.
    pub id: String,
    /// The platform's id of the client; everybody's record where it names none.
    pub client: Option<String>,
    /// Why.
    pub reason: String,
    /// Who set it, where that was said.
    pub by: Option<String>,
    /// From when on.
    pub from: String,
    /// Until when, if it was lifted.
    pub to: Option<String>,
    /// Who lifted it, and why.
    pub lifted: Option<(String, String)>,
    is_void: bool,
    version: u64,
    data: Value,
}

impl Hold {
    fn of(record: &Record) -> Self {
        let text = |name: &str| record.data.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            id: record.id.clone(),
            client: text("client_id"),
            reason: text("reason").unwrap_or_default(),
            by: text("by"),
            from: text("from").unwrap_or_default(),
            to: text("to"),
            lifted: text("lifted_by").zip(text("lift_reason")),
            is_void: record.op == Op::Void,
            version: record.version,
            data: record.data.clone(),
        }
    }

    /// Whether it keeps anything. One that begins later does already; one whose end cannot be read has
    /// none.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        let end = self.to.as_deref().and_then(|to| instant(to, &TimeZone::UTC));
        // A day ends everywhere a day and a half later at most.
        let slack = if self.to.as_deref().is_some_and(|to| to.len() == 10) { 36 } else { 0 };
        let end = end.map(|end| end + jiff::SignedDuration::from_hours(slack));
        !self.is_void && end.is_none_or(|end| end > now)
    }

    /// Whether it is about a client.
    pub fn is_about(&self, client: &str) -> bool {
        self.client.as_deref().is_none_or(|own| own == client)
    }
}

/// The holds of a tenant, lifted ones too.
pub(super) fn holds(write: &dyn Write, tenant: &TenantId) -> Result<Vec<Hold>> {
    let records = write.records(tenant, Kind::LegalHold)?;
    Ok(records.iter().map(|record| Hold::of(record)).collect())
}

impl Retention {
    /// The holds of a tenant, lifted ones too.
    pub fn holds(&self, tenant: &TenantId) -> Result<Vec<Hold>> {
        holds(&*self.store.write()?, tenant)
    }

    /// Sets a hold; answers its id.
    ///
    /// # Errors
    ///
    /// `Invalid` where there is no such client, or no reason.
    pub fn set_hold(
        &self,
        tenant: &TenantId,
        client: &str,
        reason: &str,
        by: &str,
    ) -> Result<String> {
        if reason.trim().is_empty() || by.trim().is_empty() {
            return Err(Error::invalid("reason", "say why, and who says so"));
        }
        let mut write = self.store.write()?;
        if write.record(tenant, Kind::Client, client)?.is_none() {
            return Err(Error::invalid(
                "client",
                "there is no such client: give the platform's id",
            ));
        }
        let id = format!("hold_{}", auth::name()?);
        let data = json!({
            "client_id": client, "reason": reason, "by": by,
            "from": format!("{:.3}", self.clock.now()),
        });
        self.put_hold(&mut *write, tenant, (&id, 1), data)?;
        write.commit()?;
        Ok(id)
    }

    /// Lifts a hold; answers it as it was.
    ///
    /// # Errors
    ///
    /// `NotFound`, and `Conflict` where it was lifted before.
    pub fn lift_hold(&self, tenant: &TenantId, id: &str, reason: &str, by: &str) -> Result<Hold> {
        if reason.trim().is_empty() || by.trim().is_empty() {
            return Err(Error::invalid("reason", "say why, and who says so"));
        }
        let now = self.clock.now();
        let mut write = self.store.write()?;
        let record = write.record(tenant, Kind::LegalHold, id)?.ok_or(Error::NotFound)?;
        let hold = Hold::of(&record);
        if !hold.is_in_force(now) {
            return Err(Error::Conflict { hint: "it was lifted before".to_owned() });
        }
        let mut data = hold.data.clone();
        let lifted =
            [("to", format!("{now:.3}")), ("lifted_by", by.into()), ("lift_reason", reason.into())];
        let whole = data.as_object_mut().ok_or_else(|| Error::broken("a hold cannot be read"))?;
        whole.extend(lifted.map(|(name, value): (&str, String)| (name.to_owned(), json!(value))));
        self.put_hold(&mut *write, tenant, (id, hold.version + 1), data)?;
        write.commit()?;
        Ok(hold)
    }

    fn put_hold(
        &self,
        write: &mut dyn Write,
        tenant: &TenantId,
        (id, version): (&str, u64),
        data: Value,
    ) -> Result<()> {
        let client = data.get("client_id").and_then(Value::as_str).map(str::to_owned);
        let clients = client.into_iter().collect();
        let key = (Kind::LegalHold, id, version);
        let record = Record::made(tenant, key, self.clock.now(), clients, data);
        let rules = self.rules.load_full();
        let (store, ids, clock) = (&*self.store, &self.ids, &*self.clock);
        let ingest = Ingest { store, rules: &rules, ids, base: BASE, clock };
        ingest.put_own(write, &record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(op: Op, data: Value) -> Hold {
        Hold::of(&Record {
            tenant: "hv".parse().unwrap(),
            kind: Kind::LegalHold,
            id: "lh_1".to_owned(),
            version: 1,
            op,
            occurred_at: None,
            recorded_at: None,
            updated_at: Timestamp::UNIX_EPOCH,
            tz: None,
            client_ids: Vec::new(),
            labels: Vec::new(),
            part2: None,
            data,
        })
    }

    #[test]
    fn a_hold_is_in_force_until_it_is_certainly_over() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let from = |more: Value| {
            let mut data = json!({ "client_id": "cl_9", "reason": "x", "from": "2026-05-01" });
            data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            data
        };
        for (what, op, more, expected) in [
            ("without an end", Op::Upsert, json!({}), true),
            ("from later on", Op::Upsert, json!({ "from": "2027-01-01" }), true),
            ("with an end to come", Op::Upsert, json!({ "to": "2026-12-01" }), true),
            ("on its last day", Op::Upsert, json!({ "to": "2026-11-28" }), true),
            ("with an end that nobody can read", Op::Upsert, json!({ "to": "soon" }), true),
            ("lifted", Op::Upsert, json!({ "to": "2026-11-28T11:59:59Z" }), false),
            ("over long ago", Op::Upsert, json!({ "to": "2026-06-01" }), false),
            ("taken back", Op::Void, json!({}), false),
        ] {
            assert_eq!(hold(op, from(more)).is_in_force(now), expected, "{what}");
        }
        assert!(hold(Op::Upsert, json!({ "reason": "all" })).is_about("anybody"));
        assert!(!hold(Op::Upsert, from(json!({}))).is_about("cl_8"));
    }
}
