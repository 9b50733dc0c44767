//! Jobs: leases, steps and parts.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteStore;
use super::read::{instant, maybe_instant, parsed};
use crate::error::Result;
use crate::store::jobs::JOB;
use crate::store::{Job, JobEnd, JobFilter, JobPart, JobState, JobStep, Jobs, Lease, NewJob};

impl Jobs for SqliteStore {
    fn put_job(&self, job: &NewJob, most: u32) -> Result<bool> {
        self.writer().run(|connection| put(connection, job, most))
    }

    fn job(&self, id: &str) -> Result<Option<Job>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(&format!("SELECT {JOB} FROM job j WHERE j.id = ?1"))?
                .query_row([id], job)
                .optional()
        })
    }

    fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {JOB} FROM job j
                     WHERE (?1 IS NULL OR j.kind = ?1) AND (?2 IS NULL OR j.state = ?2)
                     ORDER BY j.made DESC, j.id LIMIT ?3"
                ))?
                .query_map(
                    params![filter.kind, filter.state.map(JobState::as_str), filter.limit],
                    job,
                )?
                .collect()
        })
    }

    fn lease_job(&self, kind: &str, lease: &Lease, now: Timestamp) -> Result<Option<Job>> {
        let is_due = self.readers.take()?.run(|connection| is_due(connection, kind, now))?;
        if !is_due {
            return Ok(None);
        }
        self.writer().run(|connection| take(connection, kind, lease, now))
    }

    fn hold_job(&self, id: &str, lease: &Lease) -> Result<bool> {
        self.changed(
            "UPDATE job SET held = ?3 WHERE id = ?1 AND holder = ?2 AND state = 'open'",
            params![id, lease.holder, lease.ends.as_microsecond()],
        )
    }

    fn move_job(&self, id: &str, holder: &str, step: &JobStep) -> Result<bool> {
        self.writer().run(|connection| advance(connection, id, holder, step))
    }

    fn retry_job(&self, id: &str, holder: &str, due: Timestamp, trouble: &str) -> Result<bool> {
        self.changed(
            "UPDATE job SET due = ?3, trouble = ?4, held = 0
             WHERE id = ?1 AND holder = ?2 AND state = 'open'",
            params![id, holder, due.as_microsecond(), trouble],
        )
    }

    fn end_job(&self, id: &str, holder: &str, end: &JobEnd) -> Result<bool> {
        self.changed(
            "UPDATE job SET state = ?3, trouble = ?4, ended = ?5, expires = ?6, held = 0
             WHERE id = ?1 AND holder = ?2 AND state = 'open'",
            params![
                id,
                holder,
                end.state.as_str(),
                end.trouble,
                end.at.as_microsecond(),
                end.expires.as_microsecond()
            ],
        )
    }

    fn free_job(&self, id: &str, holder: &str) -> Result<()> {
        self.changed("UPDATE job SET held = 0 WHERE id = ?1 AND holder = ?2", params![id, holder])
            .map(drop)
    }

    fn cancel_job(&self, id: &str, now: Timestamp) -> Result<bool> {
        self.changed(
            "UPDATE job SET state = 'cancelled', ended = ?2, expires = ?2
             WHERE id = ?1 AND state <> 'cancelled'",
            params![id, now.as_microsecond()],
        )
    }

    fn job_parts(&self, id: &str) -> Result<Vec<JobPart>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached("SELECT number, body FROM job_part WHERE job = ?1 ORDER BY number")?
                .query_map([id], |row| Ok(JobPart { number: row.get(0)?, body: row.get(1)? }))?
                .collect()
        })
    }

    fn over_jobs(&self, now: Timestamp, limit: u32) -> Result<Vec<Job>> {
        self.readers.take()?.run(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {JOB} FROM job j WHERE j.expires <= ?1 AND j.held <= ?1
                     ORDER BY j.expires LIMIT ?2"
                ))?
                .query_map(params![now.as_microsecond(), limit], job)?
                .collect()
        })
    }

    fn drop_job(&self, id: &str) -> Result<()> {
        self.writer().run(|connection| {
            let transaction = connection.unchecked_transaction()?;
            transaction.prepare_cached("DELETE FROM job_part WHERE job = ?1")?.execute([id])?;
            transaction.prepare_cached("DELETE FROM job WHERE id = ?1")?.execute([id])?;
            transaction.commit()
        })
    }
}

impl SqliteStore {
    /// Runs one statement; answers whether it changed anything.
    fn changed(&self, statement: &str, params: &[&dyn rusqlite::ToSql]) -> Result<bool> {
        self.writer().run(|connection| {
            connection.prepare_cached(statement)?.execute(params).map(|rows| rows > 0)
        })
    }
}

pub(super) fn put(connection: &Connection, job: &NewJob, most: u32) -> rusqlite::Result<bool> {
    let put = connection
        .prepare_cached(
            "INSERT INTO job (id, tenant, kind, client, mandate, task, made, due, expires)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE
               (SELECT count(*) FROM job WHERE tenant = ?2 AND client = ?4 AND kind = ?3
                AND state = 'open') < ?10",
        )?
        .execute(params![
            job.id,
            job.tenant.as_str(),
            job.kind,
            job.client,
            job.mandate,
            job.task,
            job.made.as_microsecond(),
            job.due.as_microsecond(),
            job.expires.as_microsecond(),
            most
        ])?;
    Ok(put > 0)
}

/// Whether there is anything to be taken; asked first, so that asking holds no writer up.
fn is_due(connection: &Connection, kind: &str, now: Timestamp) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM job WHERE state = 'open' AND kind = ?1 AND due <= ?2
             AND held <= ?2 AND expires > ?2)",
        )?
        .query_row(params![kind, now.as_microsecond()], |row| row.get(0))
}

fn take(
    connection: &Connection,
    kind: &str,
    lease: &Lease,
    now: Timestamp,
) -> rusqlite::Result<Option<Job>> {
    connection
        .prepare_cached(&format!(
            "UPDATE job AS j SET holder = ?3, held = ?4, attempts = attempts + 1
             WHERE id = (SELECT id FROM job WHERE state = 'open' AND kind = ?1 AND due <= ?2
               AND held <= ?2 AND expires > ?2 ORDER BY due, id LIMIT 1)
             RETURNING {}",
            JOB.replace("j.", "")
        ))?
        .query_row(
            params![kind, now.as_microsecond(), lease.holder, lease.ends.as_microsecond()],
            job,
        )
        .optional()
}

fn advance(
    connection: &Connection,
    id: &str,
    holder: &str,
    step: &JobStep,
) -> rusqlite::Result<bool> {
    let transaction = connection.unchecked_transaction()?;
    let moved = transaction
        .prepare_cached(
            "UPDATE job SET place = ?3, progress = ?4, attempts = 0, trouble = NULL
             WHERE id = ?1 AND holder = ?2 AND state = 'open'",
        )?
        .execute(params![id, holder, step.place, step.progress])?;
    if moved == 0 {
        return Ok(false);
    }
    for part in &step.parts {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO job_part VALUES (?1, ?2, ?3)")?
            .execute(params![id, part.number, part.body])?;
    }
    transaction.commit()?;
    Ok(true)
}

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    let holder: String = row.get(15)?;
    let ends = instant(row, 16)?;
    Ok(Job {
        new: NewJob {
            id: row.get(0)?,
            tenant: parsed(row, 1)?,
            kind: row.get(2)?,
            client: row.get(3)?,
            mandate: row.get(4)?,
            task: row.get(5)?,
            made: instant(row, 11)?,
            due: instant(row, 12)?,
            expires: instant(row, 14)?,
        },
        place: row.get(6)?,
        progress: row.get(7)?,
        state: parsed(row, 8)?,
        attempts: row.get(9)?,
        trouble: row.get(10)?,
        ended: maybe_instant(row, 13)?,
        lease: (!holder.is_empty()).then_some(Lease { holder, ends }),
    })
}
