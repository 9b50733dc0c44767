//! Jobs: leases, steps and parts.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::PostgresStore;
use super::fault::{Fault, Tried};
use super::row::{get, instant, maybe_instant, parsed};
use super::session::{Param, Session};
use crate::error::Result;
use crate::store::jobs::JOB;
use crate::store::{Job, JobEnd, JobFilter, JobPart, JobState, JobStep, Jobs, Lease, NewJob};

/// Keeps others from adding jobs of a client while its open ones are counted.
const COUNTING: &str = "SELECT pg_advisory_xact_lock(752669206, hashtext($1))";

impl Jobs for PostgresStore {
    fn put_job(&self, job: &NewJob, most: u32) -> Result<bool> {
        Ok(self.writers.run(|session| {
            session.batch("BEGIN")?;
            let put = put(session, job, most);
            session.batch(if put.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
            put
        })?)
    }

    fn job(&self, id: &str) -> Result<Option<Job>> {
        Ok(self.readers.run(|session| {
            let select = format!("SELECT {JOB} FROM job j WHERE j.id = $1");
            session.query(&select, &[&id])?.first().map(job).transpose()
        })?)
    }

    fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>> {
        Ok(self.readers.run(|session| {
            let select = format!(
                "SELECT {JOB} FROM job j
                 WHERE ($1::text IS NULL OR j.kind = $1) AND ($2::text IS NULL OR j.state = $2)
                 ORDER BY j.made DESC, j.id LIMIT $3"
            );
            let state = filter.state.map(JobState::as_str);
            let rows = session.query(&select, &[&filter.kind, &state, &i64::from(filter.limit)])?;
            rows.iter().map(job).collect()
        })?)
    }

    fn lease_job(&self, kind: &str, lease: &Lease, now: Timestamp) -> Result<Option<Job>> {
        Ok(self.writers.run(|session| {
            let update = format!(
                "UPDATE job j SET holder = $3, held = $4, attempts = j.attempts + 1
                 WHERE j.id = (SELECT d.id FROM job d WHERE d.state = 'open' AND d.kind = $1
                   AND d.due <= $2 AND d.held <= $2 AND d.expires > $2
                   ORDER BY d.due, d.id LIMIT 1 FOR UPDATE SKIP LOCKED)
                 RETURNING {JOB}"
            );
            let (now, ends) = (now.as_microsecond(), lease.ends.as_microsecond());
            session
                .query(&update, &[&kind, &now, &lease.holder, &ends])?
                .first()
                .map(job)
                .transpose()
        })?)
    }

    fn hold_job(&self, id: &str, lease: &Lease) -> Result<bool> {
        self.changed(
            "UPDATE job SET held = $3 WHERE id = $1 AND holder = $2 AND state = 'open'",
            &[&id, &lease.holder, &lease.ends.as_microsecond()],
        )
    }

    fn move_job(&self, id: &str, holder: &str, step: &JobStep) -> Result<bool> {
        Ok(self.writers.run(|session| {
            session.batch("BEGIN")?;
            let moved = advance(session, id, holder, step);
            session.batch(if moved.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
            moved
        })?)
    }

    fn retry_job(&self, id: &str, holder: &str, due: Timestamp, trouble: &str) -> Result<bool> {
        self.changed(
            "UPDATE job SET due = $3, trouble = $4, held = 0
             WHERE id = $1 AND holder = $2 AND state = 'open'",
            &[&id, &holder, &due.as_microsecond(), &trouble],
        )
    }

    fn end_job(&self, id: &str, holder: &str, end: &JobEnd) -> Result<bool> {
        self.changed(
            "UPDATE job SET state = $3, trouble = $4, ended = $5, expires = $6, held = 0
             WHERE id = $1 AND holder = $2 AND state = 'open'",
            &[
                &id,
                &holder,
                &end.state.as_str(),
                &end.trouble,
                &end.at.as_microsecond(),
                &end.expires.as_microsecond(),
            ],
        )
    }

    fn free_job(&self, id: &str, holder: &str) -> Result<()> {
        self.changed("UPDATE job SET held = 0 WHERE id = $1 AND holder = $2", &[&id, &holder])
            .map(drop)
    }

    fn cancel_job(&self, id: &str, now: Timestamp) -> Result<bool> {
        self.changed(
            "UPDATE job SET state = 'cancelled', ended = $2, expires = $2
             WHERE id = $1 AND state <> 'cancelled'",
            &[&id, &now.as_microsecond()],
        )
    }

    fn job_parts(&self, id: &str) -> Result<Vec<JobPart>> {
        Ok(self.readers.run(|session| {
            let select = "SELECT number, body FROM job_part WHERE job = $1 ORDER BY number";
            let part = |row| Ok(JobPart { number: small(row, 0)?, body: get(row, 1)? });
            session.query(select, &[&id])?.iter().map(part).collect()
        })?)
    }

    fn over_jobs(&self, now: Timestamp, limit: u32) -> Result<Vec<Job>> {
        Ok(self.readers.run(|session| {
            let select = format!(
                "SELECT {JOB} FROM job j WHERE j.expires <= $1 AND j.held <= $1
                 ORDER BY j.expires LIMIT $2"
            );
            let rows = session.query(&select, &[&now.as_microsecond(), &i64::from(limit)])?;
            rows.iter().map(job).collect()
        })?)
    }

    fn drop_job(&self, id: &str) -> Result<()> {
        self.changed(
            "WITH parts AS (DELETE FROM job_part WHERE job = $1) DELETE FROM job WHERE id = $1",
            &[&id],
        )
        .map(drop)
    }
}

impl PostgresStore {
    /// Runs one statement; answers whether it changed anything.
    fn changed(&self, statement: &str, params: &[Param<'_>]) -> Result<bool> {
        Ok(self.writers.run(|session| Ok(session.execute(statement, params)? > 0))?)
    }
}

pub(super) fn put(session: &mut Session, job: &NewJob, most: u32) -> Tried<bool> {
    session.query(COUNTING, &[&job.client])?;
    let put = session.execute(
        "INSERT INTO job (id, tenant, kind, client, mandate, task, made, due, expires)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 WHERE
           (SELECT count(*) FROM job WHERE tenant = $2 AND client = $4 AND kind = $3
            AND state = 'open') < $10",
        &[
            &job.id,
            &job.tenant.as_str(),
            &job.kind,
            &job.client,
            &job.mandate,
            &job.task,
            &job.made.as_microsecond(),
            &job.due.as_microsecond(),
            &job.expires.as_microsecond(),
            &i64::from(most),
        ],
    )?;
    Ok(put > 0)
}

fn advance(session: &mut Session, id: &str, holder: &str, step: &JobStep) -> Tried<bool> {
    let moved = session.execute(
        "UPDATE job SET place = $3, progress = $4, attempts = 0, trouble = NULL
         WHERE id = $1 AND holder = $2 AND state = 'open'",
        &[&id, &holder, &step.place, &step.progress],
    )?;
    if moved == 0 {
        return Ok(false);
    }
    for part in &step.parts {
        session.execute(
            "INSERT INTO job_part (job, number, body) VALUES ($1, $2, $3)
             ON CONFLICT (job, number) DO UPDATE SET body = excluded.body",
            &[&id, &i64::from(part.number), &part.body],
        )?;
    }
    Ok(true)
}

/// A column of a small number.
fn small(row: &Row, column: usize) -> Tried<u32> {
    u32::try_from(get::<i64>(row, column)?).map_err(Fault::broken)
}

fn job(row: &Row) -> Tried<Job> {
    let holder: String = get(row, 15)?;
    let ends = instant(row, 16)?;
    Ok(Job {
        new: NewJob {
            id: get(row, 0)?,
            tenant: parsed(row, 1)?,
            kind: get(row, 2)?,
            client: get(row, 3)?,
            mandate: get(row, 4)?,
            task: get(row, 5)?,
            made: instant(row, 11)?,
            due: instant(row, 12)?,
            expires: instant(row, 14)?,
        },
        place: get(row, 6)?,
        progress: get(row, 7)?,
        state: parsed(row, 8)?,
        attempts: small(row, 9)?,
        trouble: get(row, 10)?,
        ended: maybe_instant(row, 13)?,
        lease: (!holder.is_empty()).then_some(Lease { holder, ends }),
    })
}
