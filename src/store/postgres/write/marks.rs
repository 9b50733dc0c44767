//! What is to be marked for mapping, sent at once.

use std::collections::{BTreeMap, BTreeSet};

use super::memory::Name;
use crate::domain::Kind;
use crate::store::postgres::fault::Tried;
use crate::store::postgres::session::{Param, Session};

/// Marks that are not written yet.
#[derive(Default)]
pub(super) struct Marks {
    records: BTreeSet<Name>,
    /// Those that refer to a record, by their kinds.
    referring: BTreeMap<Name, BTreeSet<&'static str>>,
    kinds: BTreeSet<&'static str>,
}

impl Marks {
    /// Marks a record.
    pub(super) fn mark(&mut self, name: Name) {
        self.records.insert(name);
    }

    /// Marks the records of `kinds` that refer, or once referred, to another.
    pub(super) fn mark_referring(&mut self, to: Name, kinds: &[Kind]) {
        if !kinds.is_empty() {
            self.referring.entry(to).or_default().extend(kinds.iter().map(|kind| kind.as_str()));
        }
    }

    /// Marks all records of some kinds.
    pub(super) fn mark_kinds(&mut self, kinds: &[Kind]) {
        self.kinds.extend(kinds.iter().map(|kind| kind.as_str()));
    }

    /// Writes the marks. One that is there is written again: that waits for whoever maps the
    /// record, and keeps others from beginning to.
    pub(super) fn write(&mut self, session: &mut Session) -> Tried<()> {
        let Self { records, referring, kinds } = std::mem::take(self);
        if !records.is_empty() {
            mark(session, &records)?;
        }
        if !referring.is_empty() {
            let [tenants, to_kinds, to_ids] = Name::columns(referring.keys());
            let of_kinds =
                referring.values().map(|kinds| kinds.iter().copied().collect::<Vec<_>>().join(","));
            let of_kinds: Vec<String> = of_kinds.collect();
            let params: [Param<'_>; 4] = [&tenants, &to_kinds, &to_ids, &of_kinds];
            session.execute(
                "INSERT INTO dirty (tenant, kind, id)
                 SELECT DISTINCT l.tenant, l.from_kind, l.from_id
                 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                   AS t (tenant, kind, id, kinds)
                 JOIN link l ON l.tenant = t.tenant AND l.to_kind = t.kind AND l.to_id = t.id
                   AND l.from_kind = ANY(string_to_array(t.kinds, ','))
                 ORDER BY 1, 2, 3
                 ON CONFLICT (tenant, kind, id) DO UPDATE SET kind = excluded.kind",
                &params,
            )?;
        }
        if !kinds.is_empty() {
            // There may be millions of them.
            let kinds: Vec<&str> = kinds.into_iter().collect();
            session.execute_patiently(
                "INSERT INTO dirty (tenant, kind, id)
                 SELECT DISTINCT tenant, kind, id FROM source WHERE kind = ANY($1)
                 ORDER BY 1, 2, 3
                 ON CONFLICT (tenant, kind, id) DO UPDATE SET kind = excluded.kind",
                &[&kinds],
            )?;
        }
        Ok(())
    }
}

/// Marks records, and so locks their marks until the end of the transaction.
pub(super) fn mark(session: &mut Session, names: &BTreeSet<Name>) -> Tried<()> {
    let [tenants, kinds, ids] = Name::columns(names);
    session.execute(
        "INSERT INTO dirty (tenant, kind, id)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
         ON CONFLICT (tenant, kind, id) DO UPDATE SET kind = excluded.kind",
        &[&tenants, &kinds, &ids],
    )?;
    Ok(())
}
