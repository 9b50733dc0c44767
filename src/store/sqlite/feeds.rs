//! Live sources: deliveries, leases and cursors.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::read::{instant, maybe_instant};
use crate::domain::SourceId;
use crate::error::Result;
use crate::store::{Delivery, Feed, Feeds, Lease};

impl Feeds for SqliteStore {
    fn delivery(&self, source: &SourceId, id: &str) -> Result<Option<Delivery>> {
        self.readers.take()?.run(|connection| delivery(connection, source, id))
    }

    fn last_delivery(&self, source: &SourceId) -> Result<Option<Timestamp>> {
        self.readers.take()?.run(|connection| last_delivery(connection, source))
    }

    fn keep_delivery(
        &self,
        source: &SourceId,
        delivery: &Delivery,
        forget: Timestamp,
    ) -> Result<()> {
        self.writer().run(|connection| keep_delivery(connection, source, delivery, forget))
    }

    fn take_lease(&self, source: &SourceId, lease: &Lease, now: Timestamp) -> Result<bool> {
        self.writer().run(|connection| take_lease(connection, source, lease, now))
    }

    fn free_lease(&self, source: &SourceId, holder: &str) -> Result<()> {
        self.writer().run(|connection| free_lease(connection, source, holder))
    }

    fn lease(&self, source: &SourceId) -> Result<Option<Lease>> {
        self.readers.take()?.run(|connection| lease(connection, source))
    }

    fn feed(&self, source: &SourceId) -> Result<Feed> {
        self.readers.take()?.run(|connection| feed(connection, source))
    }

    fn put_feed(&self, source: &SourceId, holder: &str, feed: &Feed) -> Result<bool> {
        self.writer().run(|connection| put_feed(connection, source, holder, feed))
    }
}

fn columns(source: &SourceId) -> [&str; 2] {
    [source.tenant.as_str(), source.name.as_str()]
}

fn delivery(
    connection: &Connection,
    source: &SourceId,
    id: &str,
) -> rusqlite::Result<Option<Delivery>> {
    let [tenant, name] = columns(source);
    connection
        .prepare_cached(
            "SELECT digest, received, answer FROM delivery
             WHERE tenant = ?1 AND source = ?2 AND id = ?3",
        )?
        .query_row([tenant, name, id], |row| {
            Ok(Delivery {
                id: id.to_owned(),
                digest: row.get(0)?,
                received: instant(row, 1)?,
                answer: row.get(2)?,
            })
        })
        .optional()
}

fn last_delivery(
    connection: &Connection,
    source: &SourceId,
) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT max(received) FROM delivery WHERE tenant = ?1 AND source = ?2")?
        .query_row(columns(source), |row| maybe_instant(row, 0))
}

fn keep_delivery(
    connection: &Connection,
    source: &SourceId,
    delivery: &Delivery,
    forget: Timestamp,
) -> rusqlite::Result<()> {
    let [tenant, name] = columns(source);
    let transaction = connection.unchecked_transaction()?;
    transaction
        .prepare_cached(
            "INSERT INTO delivery (tenant, source, id, digest, received, answer)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            tenant,
            name,
            delivery.id,
            delivery.digest,
            delivery.received.as_microsecond(),
            delivery.answer
        ])?;
    transaction
        .prepare_cached("DELETE FROM delivery WHERE received < ?1")?
        .execute([forget.as_microsecond()])?;
    transaction.commit()
}

fn take_lease(
    connection: &Connection,
    source: &SourceId,
    lease: &Lease,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let [tenant, name] = columns(source);
    let taken = connection
        .prepare_cached(
            "INSERT INTO lease (tenant, source, holder, ends) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET holder = excluded.holder, ends = excluded.ends
             WHERE lease.holder = excluded.holder OR lease.ends <= ?5",
        )?
        .execute(params![
            tenant,
            name,
            lease.holder,
            lease.ends.as_microsecond(),
            now.as_microsecond()
        ])?;
    Ok(taken > 0)
}

fn free_lease(connection: &Connection, source: &SourceId, holder: &str) -> rusqlite::Result<()> {
    let [tenant, name] = columns(source);
    connection
        .prepare_cached("DELETE FROM lease WHERE tenant = ?1 AND source = ?2 AND holder = ?3")?
        .execute([tenant, name, holder])?;
    Ok(())
}

fn lease(connection: &Connection, source: &SourceId) -> rusqlite::Result<Option<Lease>> {
    connection
        .prepare_cached("SELECT holder, ends FROM lease WHERE tenant = ?1 AND source = ?2")?
        .query_row(columns(source), |row| Ok(Lease { holder: row.get(0)?, ends: instant(row, 1)? }))
        .optional()
}

fn feed(connection: &Connection, source: &SourceId) -> rusqlite::Result<Feed> {
    let found = connection
        .prepare_cached(
            "SELECT cursor, moved, answered, failures, trouble FROM feed
             WHERE tenant = ?1 AND source = ?2",
        )?
        .query_row(columns(source), |row| {
            Ok(Feed {
                cursor: row.get(0)?,
                moved: maybe_instant(row, 1)?,
                answered: maybe_instant(row, 2)?,
                failures: row.get(3)?,
                trouble: row.get(4)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn put_feed(
    connection: &Connection,
    source: &SourceId,
    holder: &str,
    feed: &Feed,
) -> rusqlite::Result<bool> {
    let [tenant, name] = columns(source);
    let put = connection
        .prepare_cached(
            "INSERT INTO feed (tenant, source, cursor, moved, answered, failures, trouble)
             SELECT ?1, ?2, ?4, ?5, ?6, ?7, ?8 WHERE EXISTS
               (SELECT 1 FROM lease WHERE tenant = ?1 AND source = ?2 AND holder = ?3)
             ON CONFLICT DO UPDATE SET cursor = excluded.cursor, moved = excluded.moved,
               answered = excluded.answered, failures = excluded.failures,
               trouble = excluded.trouble",
        )?
        .execute(params![
            tenant,
            name,
            holder,
            feed.cursor,
            feed.moved.map(Timestamp::as_microsecond),
            feed.answered.map(Timestamp::as_microsecond),
            feed.failures,
            feed.trouble
        ])?;
    Ok(put > 0)
}
