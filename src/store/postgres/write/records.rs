//! Record versions that are offered: what they do to the record's state, and their rows, which are
//! sent at once.

use std::sync::Arc;

use tokio_postgres::types::Type;

use super::memory::{Held, Known, Name};
use super::numbers::Numbers;
use crate::domain::{Op, Record};
use crate::error::Result;
use crate::store::postgres::fault::Tried;
use crate::store::postgres::index;
use crate::store::postgres::retained;
use crate::store::postgres::row::get;
use crate::store::postgres::session::{Param, Session};
use crate::store::record::{Key, encode, number};
use crate::store::versions::{Version, state};
use crate::store::{Accepted, Offer};

/// Rows that are not written yet.
#[derive(Default)]
pub(super) struct Records {
    sources: Vec<Source>,
    links: Vec<(Name, &'static str, String, i64)>,
    isolated: Vec<(Name, i64, [u8; 32], Vec<u8>)>,
    /// Records of which the versions up to one have become isolated.
    withdrawn: Vec<(Name, i64)>,
}

struct Source {
    name: Name,
    seq: i64,
    number: i64,
    version: Version,
    body: Arc<[u8]>,
}

impl Records {
    /// Adds a version, unless it is there, and says what that did to the state.
    pub(super) fn put(
        &mut self,
        session: &mut Session,
        numbers: &Numbers,
        known: &mut Known,
        offer: &Offer<'_>,
    ) -> Result<Accepted> {
        let Offer { record, content_hash: hash, .. } = *offer;
        let number = number(record.version)?;
        if known.purged >= Some(number) {
            return Ok(Accepted::Older);
        }
        if known.isolated.iter().any(|(isolated, _)| *isolated >= number) {
            self.keep(known, record, number, hash)?;
            return Ok(Accepted::Older);
        }
        let earlier = known.rule();
        let same = |version: &&Version| version.number == record.version;
        if earlier.iter().filter(same).any(|version| version.hash == *hash) {
            return Ok(Accepted::Unchanged);
        }
        let rival = earlier.iter().filter(same).min_by_key(|version| version.hash);
        let rival = rival.map(|version| version.hash);
        let key = Key::of(record);
        let before = known.state_before(session, key)?;
        let rival = rival.map(|hash| known.variant(session, key, record.version, hash));
        let rival = rival.transpose()?;
        self.add(numbers.next(session)?, number, known, offer)?;
        Ok(match rival {
            Some((rival, origin)) => Accepted::Conflict { before, rival: Arc::new(rival), origin },
            None if state(&known.rule()) == state(&earlier) => Accepted::Older,
            None => Accepted::Stored { before },
        })
    }

    fn add(&mut self, seq: i64, number: i64, known: &mut Known, offer: &Offer<'_>) -> Result<()> {
        let Offer { record, content_hash: hash, links, origin } = *offer;
        let version = Version {
            number: record.version,
            hash: *hash,
            void: record.op == Op::Void,
            has_data: !record.data.is_null(),
        };
        let name = Name::of(record);
        let body: Arc<[u8]> = encode(record, Some(origin))?.into();
        let mut seen = Vec::with_capacity(links.len());
        for link in links {
            if !seen.contains(&link) {
                seen.push(link);
                self.links.push((name.clone(), link.0.as_str(), link.1.clone(), seq));
            }
        }
        known.versions.push(Held { seq, version, body: Some(Arc::clone(&body)) });
        known.changed();
        self.sources.push(Source { name, seq, number, version, body });
        Ok(())
    }

    /// Keeps a version of the isolated plane; `false` if it was there.
    fn keep(
        &mut self,
        known: &mut Known,
        record: &Record,
        number: i64,
        hash: &[u8; 32],
    ) -> Result<bool> {
        if known.isolated.contains(&(number, *hash)) {
            return Ok(false);
        }
        known.isolated.push((number, *hash));
        self.isolated.push((Name::of(record), number, *hash, encode(record, None)?));
        Ok(true)
    }

    /// Keeps a version of the isolated plane, and takes what came before it out of the general
    /// one; says whether there was anything.
    pub(super) fn isolate(
        &mut self,
        known: &mut Known,
        record: &Record,
        hash: &[u8; 32],
    ) -> Result<(Accepted, bool)> {
        let number = number(record.version)?;
        if known.purged >= Some(number) {
            return Ok((Accepted::Older, false));
        }
        let floor = known.isolated.iter().map(|(version, _)| *version).max();
        if !self.keep(known, record, number, hash)? {
            return Ok((Accepted::Unchanged, false));
        }
        let leaves = |held: &Held| held.version.number <= record.version;
        let before = known.versions.len();
        for held in known.versions.iter().filter(|held| leaves(held)) {
            known.isolated.push((held.version.number.cast_signed(), held.version.hash));
        }
        known.versions.retain(|held| !leaves(held));
        known.changed();
        let moved = known.versions.len() < before;
        if moved {
            self.withdrawn.push((Name::of(record), number));
        }
        // Nothing of this plane is served, so that two contents of one version are both kept.
        let older = floor.is_some_and(|floor| floor > number);
        Ok((if older { Accepted::Older } else { Accepted::Stored { before: None } }, moved))
    }

    /// Whether something is still to be moved out of the general plane.
    pub(super) fn has_withdrawn(&self) -> bool {
        !self.withdrawn.is_empty()
    }

    /// Writes the versions and their links.
    pub(super) fn write(&mut self, session: &mut Session) -> Tried<()> {
        const TEXT: Type = Type::TEXT;
        let sources = std::mem::take(&mut self.sources);
        if !sources.is_empty() {
            let hashes: Vec<_> = sources.iter().map(|row| row.version.hash.as_slice()).collect();
            let bodies: Vec<_> = sources.iter().map(|row| &*row.body).collect();
            let texts: Vec<_> = sources.iter().map(|row| row.name.text()).collect();
            let rows = sources.iter().zip(&texts).zip(hashes.iter().zip(&bodies));
            session.copy(
                "COPY source (tenant, kind, id, version, hash, seq, void, has_data, body)
                 FROM STDIN BINARY",
                &[
                    TEXT,
                    TEXT,
                    TEXT,
                    Type::INT8,
                    Type::BYTEA,
                    Type::INT8,
                    Type::BOOL,
                    Type::BOOL,
                    Type::BYTEA,
                ],
                rows.map(|((row, [tenant, kind, id]), (hash, body))| -> [Param<'_>; 9] {
                    let Source { seq, number, version, .. } = row;
                    [tenant, kind, id, number, hash, seq, &version.void, &version.has_data, body]
                }),
            )?;
        }
        let links = std::mem::take(&mut self.links);
        if !links.is_empty() {
            let texts: Vec<_> = links.iter().map(|(name, ..)| name.text()).collect();
            session.copy(
                "COPY link (tenant, from_kind, from_id, to_kind, to_id, seq) FROM STDIN BINARY",
                &[TEXT, TEXT, TEXT, TEXT, TEXT, Type::INT8],
                links.iter().zip(&texts).map(
                    |((_, to_kind, to_id, seq), [tenant, kind, id])| -> [Param<'_>; 6] {
                        [tenant, kind, id, to_kind, to_id, seq]
                    },
                ),
            )?;
        }
        self.write_isolated(session)
    }

    fn write_isolated(&mut self, session: &mut Session) -> Tried<()> {
        let isolated = std::mem::take(&mut self.isolated);
        if isolated.is_empty() {
            return Ok(());
        }
        let [tenants, kinds, ids] = Name::columns(isolated.iter().map(|(name, ..)| name));
        session.execute(
            "INSERT INTO isolated_note (tenant, kind, id, version, hash, body)
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[],
               $6::bytea[])
             ON CONFLICT DO NOTHING",
            &[
                &tenants,
                &kinds,
                &ids,
                &isolated.iter().map(|(_, version, ..)| *version).collect::<Vec<_>>(),
                &isolated.iter().map(|(.., hash, _)| hash.as_slice()).collect::<Vec<_>>(),
                &isolated.iter().map(|(.., body)| body.as_slice()).collect::<Vec<_>>(),
            ],
        )?;
        session.execute(retained::FILE_ISOLATED, &[&tenants, &kinds, &ids]).map(drop)
    }

    /// Moves what became isolated out of the general plane, with what was made from it. Their
    /// records are marked already: nobody maps them, and what others made of them is seen here.
    pub(super) fn withdraw(&mut self, session: &mut Session) -> Tried<()> {
        std::mem::take(&mut self.withdrawn)
            .iter()
            .try_for_each(|(name, version)| withdraw(session, name, *version))
    }
}

/// Moves the versions of a record up to `version`.
fn withdraw(session: &mut Session, name: &Name, version: i64) -> Tried<()> {
    let [tenant, kind, id] = name.text();
    let versions: [Param<'_>; 4] = [&tenant, &kind, &id, &version];
    let record: [Param<'_>; 3] = [&tenant, &kind, &id];
    let (tenants, kinds, ids) = (vec![tenant], vec![kind], vec![id]);
    let filed: [Param<'_>; 3] = [&tenants, &kinds, &ids];
    let answers = session.queries(&[
        (
            "INSERT INTO isolated_note (tenant, kind, id, version, hash, body)
             SELECT tenant, kind, id, version, hash, body FROM source
             WHERE tenant = $1 AND kind = $2 AND id = $3 AND version <= $4
             ON CONFLICT DO NOTHING",
            &versions,
        ),
        (
            "DELETE FROM link WHERE tenant = $1 AND from_kind = $2 AND from_id = $3 AND seq IN
               (SELECT seq FROM source
                WHERE tenant = $1 AND kind = $2 AND id = $3 AND version <= $4)",
            &versions,
        ),
        (
            "DELETE FROM source WHERE tenant = $1 AND kind = $2 AND id = $3 AND version <= $4",
            &versions,
        ),
        (retained::FILE_ISOLATED, &filed),
        ("DELETE FROM history WHERE tenant = $1 AND origin_kind = $2 AND origin_id = $3", &record),
        (
            "DELETE FROM resource WHERE tenant = $1 AND origin_kind = $2 AND origin_id = $3
             RETURNING rid",
            &record,
        ),
    ])?;
    let rids = answers.last().into_iter().flatten().map(|row| get(row, 0));
    let rids = rids.collect::<Tried<Vec<i64>>>()?;
    let tenants = vec![tenant; rids.len()];
    let deletions = index::deletions(&tenants, &rids);
    session.queries(&deletions.each_ref().map(|(text, params)| (*text, params.as_slice())))?;
    Ok(())
}
