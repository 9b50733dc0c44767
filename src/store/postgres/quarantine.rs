//! Quarantine: what could not be taken in, each once. Bodies of the isolated plane lie apart.

use tokio_postgres::Row;

use super::fault::Tried;
use super::row::{get, instant, parsed, storable};
use super::session::Session;
use crate::domain::TenantId;
use crate::store::Quarantined;

/// Held by whoever writes here until that is committed, so that two who write the same entries in
/// different orders do not wait for each other, and numbers are in the order of the commits.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7526692003)";

/// All entries without their bodies, oldest first.
pub(super) fn list(session: &mut Session) -> Tried<Vec<Quarantined>> {
    let rows = session.query(
        "SELECT number, tenant, kind, id, reason, detail, pointer, origin, received, isolated
         FROM quarantine ORDER BY number",
        &[],
    )?;
    rows.iter().map(described).collect()
}

/// One entry; its body too, unless that belongs to the isolated plane.
pub(super) fn entry(session: &mut Session, number: i64) -> Tried<Option<Quarantined>> {
    let rows = session.query(
        "SELECT number, tenant, kind, id, reason, detail, pointer, origin, received, isolated, body
         FROM quarantine WHERE number = $1",
        &[&number],
    )?;
    let entry = |row| {
        let body = get::<Option<Vec<u8>>>(row, 10)?.unwrap_or_default();
        Ok(Quarantined { body, ..described(row)? })
    };
    rows.first().map(entry).transpose()
}

/// The body of an entry of the isolated plane.
pub(super) fn isolated_body(session: &mut Session, number: i64) -> Tried<Option<Vec<u8>>> {
    let rows =
        session.query("SELECT body FROM isolated_quarantine WHERE number = $1", &[&number])?;
    rows.first().map(|row| get(row, 0)).transpose()
}

fn described(row: &Row) -> Tried<Quarantined> {
    let tenant = match get::<Option<&str>>(row, 1)? {
        None => None,
        Some(_) => Some(parsed(row, 1)?),
    };
    Ok(Quarantined {
        number: get(row, 0)?,
        tenant,
        kind: get(row, 2)?,
        id: get(row, 3)?,
        reason: get(row, 4)?,
        detail: get(row, 5)?,
        pointer: get(row, 6)?,
        origin: get(row, 7)?,
        received: instant(row, 8)?,
        isolated: get(row, 9)?,
        body: Vec::new(),
    })
}

/// A record of the general plane, and the reason of its entries that are to go.
type Refusal = ([String; 3], String);

/// What a transaction does to quarantine; it is done at its end.
#[derive(Default)]
pub(super) struct Changes {
    added: Vec<Quarantined>,
    refusals: Vec<Refusal>,
    released: Vec<i64>,
}

impl Changes {
    /// Adds an entry.
    pub(super) fn add(&mut self, entry: &Quarantined) {
        self.added.push(entry.clone());
    }

    /// Takes out the entries about a record of the general plane that have one reason.
    pub(super) fn release_refused(&mut self, key: [&str; 3], reason: &str) {
        self.added.retain(|entry| {
            let tenant = entry.tenant.as_ref().map(TenantId::as_str);
            let about = [tenant, entry.kind.as_deref(), entry.id.as_deref()];
            entry.isolated || entry.reason != reason || about != key.map(Some)
        });
        self.refusals.push((key.map(str::to_owned), reason.to_owned()));
    }

    /// Takes out an entry.
    pub(super) fn release(&mut self, number: i64) {
        self.released.push(number);
    }

    /// Whether an entry is to go.
    pub(super) fn has_released(&self, number: i64) -> bool {
        self.released.contains(&number)
    }

    /// Does what is to be done.
    pub(super) fn write(&mut self, session: &mut Session) -> Tried<()> {
        let Self { added, refusals, released } = std::mem::take(self);
        let refused = about(session, &refusals)?;
        if added.is_empty() && released.is_empty() && refused.is_empty() {
            return Ok(());
        }
        let gone: Vec<i64> = released.into_iter().chain(refused).collect();
        session.queries(&[
            (LOCK, &[]),
            ("DELETE FROM quarantine WHERE number = ANY($1)", &[&gone]),
            ("DELETE FROM isolated_quarantine WHERE number = ANY($1)", &[&gone]),
        ])?;
        if added.is_empty() { Ok(()) } else { insert(session, &added) }
    }
}

/// The numbers of the entries about records; mostly there are none.
fn about(session: &mut Session, refusals: &[Refusal]) -> Tried<Vec<i64>> {
    if refusals.is_empty() {
        return Ok(Vec::new());
    }
    let column = |position: usize| -> Vec<&str> {
        refusals.iter().filter_map(|(key, _)| key.get(position)).map(String::as_str).collect()
    };
    let reasons: Vec<&str> = refusals.iter().map(|(_, reason)| reason.as_str()).collect();
    let rows = session.query(
        "SELECT q.number FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
           AS r (tenant, kind, id, reason)
         JOIN quarantine q ON q.tenant = r.tenant AND q.kind = r.kind AND q.id = r.id
           AND q.reason = r.reason
         WHERE NOT q.isolated",
        &[&column(0), &column(1), &column(2), &reasons],
    )?;
    rows.iter().map(|row| get(row, 0)).collect()
}

/// Adds entries in their order, each unless the same content is there for the same reason.
fn insert(session: &mut Session, entries: &[Quarantined]) -> Tried<()> {
    let text = |text: &Option<String>| text.as_deref().map(|text| storable(text).into_owned());
    let of = |field: fn(&Quarantined) -> &str| {
        entries.iter().map(|entry| storable(field(entry))).collect::<Vec<_>>()
    };
    let tenants = entries.iter().map(|entry| entry.tenant.as_ref().map(TenantId::as_str));
    session.execute(
        "WITH entry AS (
           SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[],
             $6::text[], $7::text[], $8::text[], $9::bigint[], $10::boolean[], $11::bytea[])
           WITH ORDINALITY AS e (key, tenant, kind, id, reason, detail, pointer, origin, received,
             isolated, body, place)),
         added AS (
           INSERT INTO quarantine (key, tenant, kind, id, reason, detail, pointer, origin,
             received, isolated, body)
           SELECT key, tenant, kind, id, reason, detail, pointer, origin, received, isolated,
             CASE WHEN isolated THEN NULL ELSE body END
           FROM entry ORDER BY place
           ON CONFLICT (key) DO NOTHING RETURNING number, key, isolated)
         INSERT INTO isolated_quarantine (number, body)
         SELECT DISTINCT ON (a.number) a.number, e.body FROM added a JOIN entry e ON e.key = a.key
         WHERE a.isolated",
        &[
            &entries.iter().map(Quarantined::key).collect::<Vec<_>>(),
            &tenants.collect::<Vec<_>>(),
            &entries.iter().map(|entry| text(&entry.kind)).collect::<Vec<_>>(),
            &entries.iter().map(|entry| text(&entry.id)).collect::<Vec<_>>(),
            &of(|entry| &entry.reason),
            &of(|entry| &entry.detail),
            &of(|entry| &entry.pointer),
            &of(|entry| &entry.origin),
            &entries.iter().map(|entry| entry.received.as_microsecond()).collect::<Vec<_>>(),
            &entries.iter().map(|entry| entry.isolated).collect::<Vec<_>>(),
            &entries.iter().map(|entry| entry.body.as_slice()).collect::<Vec<_>>(),
        ],
    )?;
    Ok(())
}
