//! What was made from records: replaced as a whole, with earlier versions kept, for many records at
//! once.

use std::collections::{BTreeSet, HashMap, HashSet};

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::marks;
use super::memory::Name;
use super::numbers::Numbers;
use crate::store::postgres::fault::Tried;
use crate::store::postgres::index::{self, Entry};
use crate::store::postgres::row::get;
use crate::store::postgres::session::{Param, Session};
use crate::store::{Guard, NewResource};

/// What was made from records and is not written yet.
#[derive(Default)]
pub(super) struct Projections {
    /// Records whose marks this transaction has locked.
    claimed: HashSet<Name>,
    pending: Vec<(Name, Vec<NewResource>)>,
    names: HashSet<Name>,
    places: HashSet<Place>,
}

/// A resource's tenant, type and id.
type Place = (String, String, String);

fn place(name: &Name, new: &NewResource) -> Place {
    let [tenant, ..] = name.text();
    let (resource_type, id) = (&new.resource.resource_type, new.resource.id.as_str());
    (tenant.to_owned(), resource_type.clone(), id.to_owned())
}

impl Projections {
    /// Takes up to `limit` of the marked records that nobody else is mapping.
    pub(super) fn claim(&mut self, session: &mut Session, limit: usize) -> Tried<Vec<Name>> {
        let rows = session.query(
            "SELECT tenant, kind, id FROM dirty ORDER BY tenant, kind, id LIMIT $1
             FOR UPDATE SKIP LOCKED",
            &[&i64::try_from(limit).unwrap_or(i64::MAX)],
        )?;
        let names = rows.iter().map(|row| Name::from_row(row, 0)).collect::<Tried<Vec<_>>>()?;
        self.claimed.extend(names.iter().cloned());
        Ok(names)
    }

    /// Whether what is pending has to be written before this.
    pub(super) fn collides(&self, name: &Name, resources: &[NewResource]) -> bool {
        self.names.contains(name)
            || resources.iter().any(|new| self.places.contains(&place(name, new)))
    }

    /// Replaces what was made from a record.
    pub(super) fn put(&mut self, name: Name, resources: Vec<NewResource>) {
        // Of two with the same id the last one counts.
        let mut kept: Vec<NewResource> = Vec::with_capacity(resources.len());
        for new in resources {
            if !self.places.insert(place(&name, &new)) {
                kept.retain(|other| place(&name, other) != place(&name, &new));
            }
            kept.push(new);
        }
        self.names.insert(name.clone());
        self.pending.push((name, kept));
    }

    /// Writes what is pending, and unmarks the records.
    pub(super) fn write(&mut self, session: &mut Session, numbers: &Numbers) -> Tried<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.names.clear();
        self.places.clear();
        let pending = std::mem::take(&mut self.pending);
        let unclaimed: BTreeSet<Name> = pending
            .iter()
            .filter(|(name, _)| !self.claimed.contains(name))
            .map(|(name, _)| name.clone())
            .collect();
        if !unclaimed.is_empty() {
            marks::mark(session, &unclaimed)?;
        }
        let current = Current::read(session, &pending)?;
        let change = Change::between(current, &pending);
        change.guard(session)?;
        change.take_away(session)?;
        change.insert(session, numbers)?;
        for (name, _) in &pending {
            self.claimed.remove(name);
        }
        Ok(())
    }
}

/// A current resource, as far as replacing it needs.
#[derive(Clone)]
struct Standing {
    rid: i64,
    tenant: String,
    version_id: String,
    origin: Name,
}

/// The current resources that records made, and those that have the places of new ones.
struct Current {
    by_place: HashMap<Place, Standing>,
    by_origin: HashMap<Name, Vec<Place>>,
}

const MADE: &str = "
    SELECT r.tenant, r.origin_kind, r.origin_id, r.rid, r.type, r.id, r.version_id
    FROM unnest($1::text[], $2::text[], $3::text[]) AS n (tenant, kind, id)
    JOIN resource r ON r.tenant = n.tenant AND r.origin_kind = n.kind AND r.origin_id = n.id";
const PLACED: &str = "
    SELECT r.tenant, r.origin_kind, r.origin_id, r.rid, r.type, r.id, r.version_id
    FROM unnest($1::text[], $2::text[], $3::text[]) AS n (tenant, type, id)
    JOIN resource r ON r.tenant = n.tenant AND r.type = n.type AND r.id = n.id";

impl Current {
    fn read(session: &mut Session, pending: &[(Name, Vec<NewResource>)]) -> Tried<Self> {
        let [tenants, kinds, ids] = Name::columns(pending.iter().map(|(name, _)| name));
        let made: [Param<'_>; 3] = [&tenants, &kinds, &ids];
        let new = pending.iter().flat_map(|(name, new)| new.iter().map(move |new| (name, new)));
        let new: Vec<(&Name, &NewResource)> = new.collect();
        let column = |text: fn(&NewResource) -> &str| {
            new.iter().map(|(_, new)| text(new)).collect::<Vec<_>>()
        };
        let of = new.iter().map(|(name, _)| name.text()[0]).collect::<Vec<_>>();
        let (types, ids) =
            (column(|new| &new.resource.resource_type), column(|new| new.resource.id.as_str()));
        let placed: [Param<'_>; 3] = [&of, &types, &ids];
        let answers = session.queries(&[(MADE, &made), (PLACED, &placed)])?;
        let mut current = Self { by_place: HashMap::new(), by_origin: HashMap::new() };
        for row in answers.iter().flatten() {
            current.add(row)?;
        }
        Ok(current)
    }

    fn add(&mut self, row: &Row) -> Tried<()> {
        let origin = Name::from_row(row, 0)?;
        let tenant: String = get(row, 0)?;
        let place = (tenant.clone(), get(row, 4)?, get(row, 5)?);
        let standing = Standing {
            rid: get(row, 3)?,
            tenant,
            version_id: get(row, 6)?,
            origin: origin.clone(),
        };
        if self.by_place.insert(place.clone(), standing).is_none() {
            self.by_origin.entry(origin).or_default().push(place);
        }
        Ok(())
    }
}

/// What has to be done to the tables.
struct Change<'a> {
    /// Resources that are replaced or gone, with their tenants.
    gone: (Vec<String>, Vec<i64>),
    new: Vec<(&'a Name, &'a NewResource)>,
    /// What decides about resources whose version stays.
    kept: Vec<(i64, &'a Guard)>,
    names: Vec<&'a Name>,
}

impl<'a> Change<'a> {
    /// Record by record, as if each had been written before the next.
    fn between(mut current: Current, pending: &'a [(Name, Vec<NewResource>)]) -> Self {
        let mut change = Self {
            gone: Default::default(),
            new: Vec::new(),
            kept: Vec::new(),
            names: pending.iter().map(|(name, _)| name).collect(),
        };
        for (name, resources) in pending {
            for new in resources {
                let place = place(name, new);
                if let Some(standing) = current.by_place.remove(&place) {
                    if standing.origin == *name && standing.version_id == new.resource.version_id {
                        change.kept.push((standing.rid, &new.guard));
                        continue;
                    }
                    change.remove(standing);
                }
                change.new.push((name, new));
            }
            // What the record made before and does not make now.
            for place in current.by_origin.remove(name).unwrap_or_default() {
                if let Some(standing) = current.by_place.remove(&place) {
                    change.remove(standing);
                }
            }
        }
        change
    }

    fn remove(&mut self, standing: Standing) {
        self.gone.0.push(standing.tenant);
        self.gone.1.push(standing.rid);
    }

    /// Notes what decides about resources whose version stays.
    fn guard(&self, session: &mut Session) -> Tried<()> {
        if self.kept.is_empty() {
            return Ok(());
        }
        let rids: Vec<i64> = self.kept.iter().map(|(rid, _)| *rid).collect();
        let classes: Vec<&str> = self.kept.iter().map(|(_, guard)| guard.class.as_str()).collect();
        let related: Vec<&str> =
            self.kept.iter().map(|(_, guard)| guard.related.as_str()).collect();
        let dated: Vec<i64> = self.kept.iter().map(|(_, guard)| guard.dated).collect();
        session.execute(
            "UPDATE resource r SET class = n.class, related = n.related, dated = n.dated
             FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[])
               AS n (rid, class, related, dated)
             WHERE r.rid = n.rid
               AND (r.class <> n.class OR r.related <> n.related OR r.dated <> n.dated)",
            &[&rids, &classes, &related, &dated],
        )?;
        Ok(())
    }

    /// Keeps what is replaced or gone as earlier versions, and unmarks the records.
    fn take_away(&self, session: &mut Session) -> Tried<()> {
        let [tenants, kinds, ids] = Name::columns(self.names.iter().copied());
        let marks: [Param<'_>; 3] = [&tenants, &kinds, &ids];
        let unmark: (&str, &[Param<'_>]) = (
            "DELETE FROM dirty d USING unnest($1::text[], $2::text[], $3::text[])
               AS n (tenant, kind, id)
             WHERE d.tenant = n.tenant AND d.kind = n.kind AND d.id = n.id",
            &marks,
        );
        let (gone_of, gone) = &self.gone;
        if gone.is_empty() {
            return session.queries(&[unmark]).map(drop);
        }
        let rids: [Param<'_>; 1] = [gone];
        let index = index::deletions(gone_of, gone);
        let mut statements: Vec<(&str, &[Param<'_>])> = vec![unmark, (ARCHIVE, &rids)];
        statements.extend(index.iter().map(|(text, params)| (*text, params.as_slice())));
        statements.push(("DELETE FROM resource WHERE rid = ANY($1)", &rids));
        session.queries(&statements).map(drop)
    }

    fn insert(&self, session: &mut Session, numbers: &Numbers) -> Tried<()> {
        const TEXT: Type = Type::TEXT;
        if self.new.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::with_capacity(self.new.len());
        for (name, new) in &self.new {
            rows.push(New::of(name, new, numbers.next(session)?));
        }
        forget(session, &rows)?;
        session.copy(
            "COPY resource (rid, tenant, type, id, version_id, updated, patient, origin_kind,
               origin_id, body, class, related, dated) FROM STDIN BINARY",
            &[
                Type::INT8,
                TEXT,
                TEXT,
                TEXT,
                TEXT,
                Type::INT8,
                TEXT,
                TEXT,
                TEXT,
                Type::BYTEA,
                TEXT,
                TEXT,
                Type::INT8,
            ],
            rows.iter().map(|row| -> [Param<'_>; 13] {
                let New { entry, version_id, origin: [kind, origin], body, guard } = row;
                let Entry { rid, tenant, resource_type, patient, updated, id: own, .. } = entry;
                let Guard { class, related, dated } = guard;
                [
                    rid,
                    tenant,
                    resource_type,
                    own,
                    version_id,
                    updated,
                    patient,
                    kind,
                    origin,
                    body,
                    class,
                    related,
                    dated,
                ]
            }),
        )?;
        let entries: Vec<&Entry<'_>> = rows.iter().map(|row| &row.entry).collect();
        index::insert(session, &entries)
    }
}

/// One version each; it may have been an earlier one before.
const ARCHIVE: &str = "
    INSERT INTO history
      (tenant, type, id, version_id, updated, origin_kind, origin_id, body)
    SELECT tenant, type, id, version_id, updated, origin_kind, origin_id, body
    FROM resource WHERE rid = ANY($1)
    ON CONFLICT (tenant, type, id, version_id) DO UPDATE
      SET seq = excluded.seq, updated = excluded.updated, origin_kind = excluded.origin_kind,
          origin_id = excluded.origin_id, body = excluded.body";

/// A row of a new resource.
struct New<'a> {
    entry: Entry<'a>,
    version_id: &'a str,
    origin: [&'a str; 2],
    body: &'a [u8],
    guard: &'a Guard,
}

impl<'a> New<'a> {
    fn of(name: &'a Name, new: &'a NewResource, rid: i64) -> Self {
        let [tenant, kind, id] = name.text();
        let NewResource { resource, patient, index, guard } = new;
        let entry = Entry {
            tenant,
            rid,
            resource_type: &resource.resource_type,
            patient: patient.as_ref().map_or("", |patient| patient.as_str()),
            updated: resource.last_updated.as_microsecond(),
            id: resource.id.as_str(),
            rows: index,
        };
        Self {
            entry,
            version_id: &resource.version_id,
            origin: [kind, id],
            body: &resource.body,
            guard,
        }
    }
}

/// Takes versions that come back out of the earlier ones.
fn forget(session: &mut Session, rows: &[New<'_>]) -> Tried<()> {
    session.execute(
        "DELETE FROM history h USING unnest($1::text[], $2::text[], $3::text[], $4::text[])
           AS n (tenant, type, id, version_id)
         WHERE h.tenant = n.tenant AND h.type = n.type AND h.id = n.id
           AND h.version_id = n.version_id",
        &[
            &rows.iter().map(|row| row.entry.tenant).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.entry.resource_type).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.entry.id).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.version_id).collect::<Vec<_>>(),
        ],
    )?;
    Ok(())
}
