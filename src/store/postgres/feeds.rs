//! Live sources: deliveries, leases and cursors. Each is one statement, so one transaction.

use jiff::Timestamp;

use super::PostgresStore;
use super::fault::{Fault, Tried};
use super::row::{get, hash, instant, maybe_instant};
use super::session::Session;
use crate::domain::SourceId;
use crate::error::Result;
use crate::store::{Delivery, Feed, Feeds, Lease};

impl Feeds for PostgresStore {
    fn delivery(&self, source: &SourceId, id: &str) -> Result<Option<Delivery>> {
        Ok(self.readers.run(|session| delivery(session, source, id))?)
    }

    fn last_delivery(&self, source: &SourceId) -> Result<Option<Timestamp>> {
        Ok(self.readers.run(|session| {
            let rows = session.query(
                "SELECT max(received) FROM delivery WHERE tenant = $1 AND source = $2",
                &[&source.tenant.as_str(), &source.name.as_str()],
            )?;
            rows.first().map_or(Ok(None), |row| maybe_instant(row, 0))
        })?)
    }

    fn keep_delivery(
        &self,
        source: &SourceId,
        delivery: &Delivery,
        forget: Timestamp,
    ) -> Result<()> {
        Ok(self.writers.run(|session| keep_delivery(session, source, delivery, forget))?)
    }

    fn take_lease(&self, source: &SourceId, lease: &Lease, now: Timestamp) -> Result<bool> {
        Ok(self.writers.run(|session| take_lease(session, source, lease, now))?)
    }

    fn free_lease(&self, source: &SourceId, holder: &str) -> Result<()> {
        Ok(self.writers.run(|session| {
            let delete = "DELETE FROM lease WHERE tenant = $1 AND source = $2 AND holder = $3";
            session.execute(delete, &[&source.tenant.as_str(), &source.name.as_str(), &holder])?;
            Ok(())
        })?)
    }

    fn lease(&self, source: &SourceId) -> Result<Option<Lease>> {
        Ok(self.readers.run(|session| {
            let rows = session.query(
                "SELECT holder, ends FROM lease WHERE tenant = $1 AND source = $2",
                &[&source.tenant.as_str(), &source.name.as_str()],
            )?;
            let lease = |row| Ok(Lease { holder: get(row, 0)?, ends: instant(row, 1)? });
            rows.first().map(lease).transpose()
        })?)
    }

    fn feed(&self, source: &SourceId) -> Result<Feed> {
        Ok(self.readers.run(|session| feed(session, source))?)
    }

    fn put_feed(&self, source: &SourceId, holder: &str, feed: &Feed) -> Result<bool> {
        Ok(self.writers.run(|session| put_feed(session, source, holder, feed))?)
    }
}

fn delivery(session: &mut Session, source: &SourceId, id: &str) -> Tried<Option<Delivery>> {
    let rows = session.query(
        "SELECT digest, received, answer FROM delivery
         WHERE tenant = $1 AND source = $2 AND id = $3",
        &[&source.tenant.as_str(), &source.name.as_str(), &id],
    )?;
    let delivery = |row| {
        Ok(Delivery {
            id: id.to_owned(),
            digest: hash(row, 0)?,
            received: instant(row, 1)?,
            answer: get(row, 2)?,
        })
    };
    rows.first().map(delivery).transpose()
}

fn keep_delivery(
    session: &mut Session,
    source: &SourceId,
    delivery: &Delivery,
    forget: Timestamp,
) -> Tried<()> {
    session.execute(
        "WITH forgotten AS (DELETE FROM delivery WHERE received < $7)
         INSERT INTO delivery (tenant, source, id, digest, received, answer)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        &[
            &source.tenant.as_str(),
            &source.name.as_str(),
            &delivery.id,
            &delivery.digest.as_slice(),
            &delivery.received.as_microsecond(),
            &delivery.answer,
            &forget.as_microsecond(),
        ],
    )?;
    Ok(())
}

fn take_lease(
    session: &mut Session,
    source: &SourceId,
    lease: &Lease,
    now: Timestamp,
) -> Tried<bool> {
    let taken = session.execute(
        "INSERT INTO lease (tenant, source, holder, ends) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant, source) DO UPDATE
         SET holder = excluded.holder, ends = excluded.ends
         WHERE lease.holder = excluded.holder OR lease.ends <= $5",
        &[
            &source.tenant.as_str(),
            &source.name.as_str(),
            &lease.holder,
            &lease.ends.as_microsecond(),
            &now.as_microsecond(),
        ],
    )?;
    Ok(taken > 0)
}

fn feed(session: &mut Session, source: &SourceId) -> Tried<Feed> {
    let rows = session.query(
        "SELECT cursor, moved, answered, failures, trouble FROM feed
         WHERE tenant = $1 AND source = $2",
        &[&source.tenant.as_str(), &source.name.as_str()],
    )?;
    let Some(row) = rows.first() else { return Ok(Feed::default()) };
    Ok(Feed {
        cursor: get(row, 0)?,
        moved: maybe_instant(row, 1)?,
        answered: maybe_instant(row, 2)?,
        failures: u32::try_from(get::<i64>(row, 3)?).map_err(Fault::broken)?,
        trouble: get(row, 4)?,
    })
}

fn put_feed(session: &mut Session, source: &SourceId, holder: &str, feed: &Feed) -> Tried<bool> {
    let put = session.execute(
        "INSERT INTO feed (tenant, source, cursor, moved, answered, failures, trouble)
         SELECT $1, $2, $4, $5, $6, $7, $8 WHERE EXISTS
           (SELECT 1 FROM lease WHERE tenant = $1 AND source = $2 AND holder = $3)
         ON CONFLICT (tenant, source) DO UPDATE SET cursor = excluded.cursor,
           moved = excluded.moved, answered = excluded.answered, failures = excluded.failures,
           trouble = excluded.trouble",
        &[
            &source.tenant.as_str(),
            &source.name.as_str(),
            &holder,
            &feed.cursor,
            &feed.moved.map(Timestamp::as_microsecond),
            &feed.answered.map(Timestamp::as_microsecond),
            &i64::from(feed.failures),
            &feed.trouble,
        ],
    )?;
    Ok(put > 0)
}
