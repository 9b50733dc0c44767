//! What a transaction knows of source records: their versions, and the states these make.
//!
//! It knows nothing from before the transaction: another replica may have written since.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio_postgres::Row;

use crate::domain::{Kind, Record, TenantId};
use crate::error::Result;
use crate::store::postgres::fault::{Fault, Tried};
use crate::store::postgres::row::{get, hash};
use crate::store::postgres::session::Session;
use crate::store::record::{Key, decode, inherit, origin};
use crate::store::versions::{Version, state};

/// A record's key, kept; ordered as the tables order it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name {
    tenant: TenantId,
    /// Of a [`Kind`], whose own order is another.
    kind: &'static str,
    id: String,
}

impl Name {
    pub(super) fn new(tenant: &TenantId, kind: Kind, id: &str) -> Self {
        Self { tenant: tenant.clone(), kind: kind.as_str(), id: id.to_owned() }
    }

    pub(super) fn of(record: &Record) -> Self {
        Self::new(&record.tenant, record.kind, &record.id)
    }

    /// From columns of text.
    pub(super) fn from_row(row: &Row, first: usize) -> Tried<Self> {
        let unknown = || Fault::broken("a column holds what was never written");
        let tenant = get::<&str>(row, first)?.parse().map_err(|()| unknown())?;
        let kind = get::<&str>(row, first + 1)?.parse::<Kind>().map_err(|()| unknown())?;
        Ok(Self { tenant, kind: kind.as_str(), id: get(row, first + 2)? })
    }

    pub(super) fn key(&self) -> Tried<Key<'_>> {
        let kind = self.kind.parse().map_err(|()| Fault::broken("a kind that is none"))?;
        Ok(Key { tenant: &self.tenant, kind, id: &self.id })
    }

    /// As the port has it.
    pub(super) fn into_parts(self) -> Tried<(TenantId, Kind, String)> {
        let kind = self.key()?.kind;
        Ok((self.tenant, kind, self.id))
    }

    pub(super) fn text(&self) -> [&str; 3] {
        [self.tenant.as_str(), self.kind, &self.id]
    }

    /// Arrays of the columns of many names.
    pub(super) fn columns<'n>(names: impl IntoIterator<Item = &'n Self>) -> [Vec<&'n str>; 3] {
        let mut columns = [Vec::new(), Vec::new(), Vec::new()];
        for name in names {
            for (column, text) in columns.iter_mut().zip(name.text()) {
                column.push(text);
            }
        }
        columns
    }
}

/// One version of a record.
pub(super) struct Held {
    pub(super) seq: i64,
    pub(super) version: Version,
    /// Its bytes, where they were needed or written here.
    pub(super) body: Option<Arc<[u8]>>,
}

/// What is known of one record.
#[derive(Default)]
pub(super) struct Known {
    pub(super) versions: Vec<Held>,
    /// The versions of the isolated plane.
    pub(super) isolated: Vec<(i64, [u8; 32])>,
    /// The highest version that was taken away for good.
    pub(super) purged: Option<i64>,
    /// Whether the isolated plane was asked.
    asked_isolated: bool,
    /// The state, once it was asked for: the record, and the rows that it was made from.
    state: Answered,
}

type State = (Arc<Record>, Vec<i64>);

/// Whether the state is worked out.
#[derive(Default)]
enum Answered {
    #[default]
    NotYet,
    As(Option<State>),
}

impl Known {
    /// The rule's view of the versions.
    pub(super) fn rule(&self) -> Vec<Version> {
        self.versions.iter().map(|held| held.version).collect()
    }

    /// The positions of the versions that make the state: of the head, and of the data it keeps.
    fn standing(&self) -> Option<(usize, Option<usize>)> {
        let state = state(&self.rule())?;
        Some((state.head, state.data.filter(|data| *data != state.head)))
    }

    /// To be worked out again.
    pub(super) fn changed(&mut self) {
        self.state = Answered::NotYet;
    }

    fn is_without_bytes(&self) -> bool {
        let lacks =
            |position: usize| self.versions.get(position).is_some_and(|held| held.body.is_none());
        matches!(self.state, Answered::NotYet)
            && self.standing().is_some_and(|(head, data)| lacks(head) || data.is_some_and(lacks))
    }

    /// The state, whose bytes are there.
    fn state(&mut self, key: Key<'_>) -> Result<Option<State>> {
        if let Answered::As(state) = &self.state {
            return Ok(state.clone());
        }
        let Some((head, data)) = self.standing() else { return Ok(None) };
        let (seq, mut record) = self.decode(key, head)?;
        let mut seqs = vec![seq];
        if let Some(data) = data {
            let (seq, earlier) = self.decode(key, data)?;
            seqs.push(seq);
            inherit(&mut record, earlier);
        }
        let state = Some((Arc::new(record), seqs));
        self.state = Answered::As(state.clone());
        Ok(state)
    }

    /// The state as it is, before another version comes.
    pub(super) fn state_before(
        &mut self,
        session: &mut Session,
        key: Key<'_>,
    ) -> Result<Option<Arc<Record>>> {
        if self.is_without_bytes() {
            self.fetch(session, key)?;
        }
        Ok(self.state(key)?.map(|(record, _)| record))
    }

    /// One content of one version, and where it came from.
    pub(super) fn variant(
        &mut self,
        session: &mut Session,
        key: Key<'_>,
        number: u64,
        hash: [u8; 32],
    ) -> Result<(Record, Option<String>)> {
        let is_it = |held: &Held| held.version.number == number && held.version.hash == hash;
        if self.versions.iter().any(|held| is_it(held) && held.body.is_none()) {
            self.fetch(session, key)?;
        }
        let position = self.versions.iter().position(is_it).unwrap_or_default();
        let (_, record) = self.decode(key, position)?;
        let held = self.versions.get(position).and_then(|held| held.body.as_deref());
        Ok((record, held.map(origin).transpose()?.flatten()))
    }

    /// Reads the bytes of the versions that were not written here.
    fn fetch(&mut self, session: &mut Session, key: Key<'_>) -> Tried<()> {
        let [tenant, kind, id] = key.columns();
        let rows = session.query(
            "SELECT seq, body FROM source WHERE tenant = $1 AND kind = $2 AND id = $3",
            &[&tenant, &kind, &id],
        )?;
        for row in &rows {
            let seq: i64 = get(row, 0)?;
            if let Some(held) = self.versions.iter_mut().find(|held| held.seq == seq) {
                held.body = Some(Arc::from(get::<&[u8]>(row, 1)?));
            }
        }
        Ok(())
    }

    /// The record as one version has it, whose bytes are there.
    fn decode(&self, key: Key<'_>, position: usize) -> Result<(i64, Record)> {
        let held = self.versions.get(position);
        let body = held.and_then(|held| Some((held, held.body.as_deref()?)));
        let (held, body) = body.ok_or_else(|| Fault::broken("a version without its bytes"))?;
        Ok((held.seq, decode(key, held.version.number, body)?))
    }
}

/// The records that the transaction knows.
#[derive(Default)]
pub(super) struct Memory(HashMap<Name, Known>);

impl Memory {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Reads the versions of records that are not known yet: to be offered new ones, or with their
    /// bytes, to be read.
    pub(super) fn learn(
        &mut self,
        session: &mut Session,
        names: impl Iterator<Item = Name>,
        to_offer: bool,
    ) -> Tried<()> {
        let knows = |known: Option<&Known>| {
            known.is_some_and(|known| {
                if to_offer { known.asked_isolated } else { !known.is_without_bytes() }
            })
        };
        let unknown: HashSet<Name> = names.filter(|name| !knows(self.0.get(name))).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<Name> = unknown.into_iter().collect();
        let [tenants, kinds, ids] = Name::columns(&unknown);
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&tenants, &kinds, &ids];
        if to_offer {
            let mut answers =
                session.queries(&[(VERSIONS, &params), (ISOLATED, &params), (PURGED, &params)])?;
            let (purged, isolated, versions) = (answers.pop(), answers.pop(), answers.pop());
            self.add(&unknown, &versions.unwrap_or_default(), false)?;
            self.add_isolated(&unknown, &isolated.unwrap_or_default())?;
            self.add_purged(&unknown, &purged.unwrap_or_default())
        } else {
            let versions = session.query(BODIES, &params)?;
            self.add(&unknown, &versions, true)
        }
    }

    fn add(&mut self, names: &[Name], rows: &[Row], with_bytes: bool) -> Tried<()> {
        let mut read: HashMap<&Name, Vec<Held>> = HashMap::new();
        for row in rows {
            let held = read.entry(nth(names, row)?).or_default();
            held.push(held_in(row, with_bytes)?);
        }
        for name in names {
            let known = self.0.entry(name.clone()).or_default();
            let here = std::mem::take(&mut known.versions);
            known.versions = read.remove(name).unwrap_or_default();
            // What was written here may not have been sent yet.
            let unsent = |held: &Held| known.versions.iter().all(|other| other.seq != held.seq);
            let unsent: Vec<Held> = here.into_iter().filter(unsent).collect();
            known.versions.extend(unsent);
            known.state = Answered::NotYet;
        }
        Ok(())
    }

    fn add_isolated(&mut self, names: &[Name], rows: &[Row]) -> Tried<()> {
        for name in names {
            self.0.entry(name.clone()).or_default().asked_isolated = true;
        }
        for row in rows {
            if let Some(known) = self.0.get_mut(nth(names, row)?) {
                known.isolated.push((get(row, 1)?, hash(row, 2)?));
            }
        }
        Ok(())
    }

    fn add_purged(&mut self, names: &[Name], rows: &[Row]) -> Tried<()> {
        for row in rows {
            if let Some(known) = self.0.get_mut(nth(names, row)?) {
                known.purged = Some(get(row, 1)?);
            }
        }
        Ok(())
    }

    /// What is known of a record that is offered.
    pub(super) fn offered(&mut self, session: &mut Session, name: &Name) -> Tried<&mut Known> {
        self.learn(session, std::iter::once(name.clone()), true)?;
        Ok(self.0.entry(name.clone()).or_default())
    }

    /// The state of a record.
    pub(super) fn state(
        &mut self,
        session: &mut Session,
        name: &Name,
    ) -> Result<Option<Arc<Record>>> {
        self.learn(session, std::iter::once(name.clone()), false)?;
        self.known_state(name).map(|state| state.map(|(record, _)| record))
    }

    fn known_state(&mut self, name: &Name) -> Result<Option<State>> {
        let key = name.key()?;
        self.0.get_mut(name).map_or(Ok(None), |known| known.state(key))
    }

    /// The states of the records of a kind that refer to another, in order of their ids.
    pub(super) fn referring(
        &mut self,
        session: &mut Session,
        tenant: &TenantId,
        kind: Kind,
        (to, id): (Kind, &str),
    ) -> Result<Vec<Arc<Record>>> {
        let rows = session.query(
            "SELECT from_id, array_agg(seq) FROM link
             WHERE tenant = $1 AND to_kind = $2 AND to_id = $3 AND from_kind = $4
             GROUP BY from_id ORDER BY from_id",
            &[&tenant.as_str(), &to.as_str(), &id, &kind.as_str()],
        );
        let mut links: Vec<(Name, Vec<i64>)> = Vec::new();
        for row in rows? {
            links.push((Name::new(tenant, kind, get(&row, 0)?), get(&row, 1)?));
        }
        self.learn(session, links.iter().map(|(name, _)| name.clone()), false)?;
        let mut records = Vec::with_capacity(links.len());
        for (name, seqs) in &links {
            if let Some((record, stands_on)) = self.known_state(name)?
                && stands_on.iter().any(|seq| seqs.contains(seq))
            {
                records.push(record);
            }
        }
        Ok(records)
    }

    /// The states of the records of a kind, in order of their ids.
    pub(super) fn of_kind(
        &mut self,
        session: &mut Session,
        tenant: &TenantId,
        kind: Kind,
    ) -> Result<Vec<Arc<Record>>> {
        let rows = session.query(
            "SELECT DISTINCT id FROM source WHERE tenant = $1 AND kind = $2 ORDER BY id",
            &[&tenant.as_str(), &kind.as_str()],
        )?;
        let mut names = Vec::with_capacity(rows.len());
        for row in &rows {
            names.push(Name::new(tenant, kind, get(row, 0)?));
        }
        self.learn(session, names.iter().cloned(), false)?;
        let mut records = Vec::with_capacity(names.len());
        for name in &names {
            records.extend(self.known_state(name)?.map(|(record, _)| record));
        }
        Ok(records)
    }
}

/// The versions of records, without their bytes.
const VERSIONS: &str = "
    SELECT n.place, s.seq, s.version, s.hash, s.void, s.has_data
    FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS n (tenant, kind, id, place)
    JOIN source s ON s.tenant = n.tenant AND s.kind = n.kind AND s.id = n.id";
/// The versions of records, with their bytes.
const BODIES: &str = "
    SELECT n.place, s.seq, s.version, s.hash, s.void, s.has_data, s.body
    FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS n (tenant, kind, id, place)
    JOIN source s ON s.tenant = n.tenant AND s.kind = n.kind AND s.id = n.id";
/// What the isolated plane has of records, without their bytes.
const ISOLATED: &str = "
    SELECT n.place, i.version, i.hash
    FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS n (tenant, kind, id, place)
    JOIN isolated_note i ON i.tenant = n.tenant AND i.kind = n.kind AND i.id = n.id";

/// Up to which versions records were taken away for good.
const PURGED: &str = "
    SELECT n.place, p.version
    FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS n (tenant, kind, id, place)
    JOIN purged p ON p.tenant = n.tenant AND p.kind = n.kind AND p.id = n.id";

/// The name that a row's first column counts to, from 1.
fn nth<'n>(names: &'n [Name], row: &Row) -> Tried<&'n Name> {
    let place: i64 = get(row, 0)?;
    let name = usize::try_from(place - 1).ok().and_then(|place| names.get(place));
    name.ok_or_else(|| Fault::broken("a row about a record that was not asked for"))
}

fn held_in(row: &Row, with_bytes: bool) -> Tried<Held> {
    let version = Version {
        number: crate::store::postgres::row::count(row, 2)?,
        hash: hash(row, 3)?,
        void: get(row, 4)?,
        has_data: get(row, 5)?,
    };
    let body = if with_bytes { Some(Arc::from(get::<&[u8]>(row, 6)?)) } else { None };
    Ok(Held { seq: get(row, 1)?, version, body })
}
