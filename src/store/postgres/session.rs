//! One connection, driven by the thread that uses it, with a bound on every wait.
//!
//! ## Why
//! Time limits of the server's own end a statement that takes too long, but not the wait for a
//! server that is stopped or cut off. So the driver is polled here, next to a clock.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Row, Statement};

use super::address::Address;
use super::engine::Engine;
use super::fault::{Fault, Tried};

/// Statements kept prepared; searches have as many shapes as people think of.
const STATEMENTS: usize = 256;
/// What the server may take longer than its own time limit, on the way to us.
const GRACE: Duration = Duration::from_secs(2);

/// The bound on work that takes as long as it takes.
const PATIENCE: Duration = Duration::from_hours(24);

/// A value that is bound to a statement.
pub(super) type Param<'a> = &'a (dyn ToSql + Sync);
type Carrier = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>;
type Answer<T> = Result<T, tokio_postgres::Error>;

/// The limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) statement: Duration,
    pub(super) lock: Duration,
    pub(super) read_only: bool,
}

/// A connection.
pub(super) struct Session {
    engine: Arc<Engine>,
    /// Carries the bytes; `None` once the connection has ended.
    carrier: Option<Carrier>,
    client: Client,
    statements: HashMap<Box<str>, Statement>,
    limit: Duration,
}

impl Session {
    /// Connects.
    pub(super) fn open(engine: &Arc<Engine>, address: &Address, limits: Limits) -> Tried<Self> {
        let mut config = address.config.clone();
        config.connect_timeout(limits.connect);
        let connecting = async {
            if let Some(tls) = &address.tls {
                let (client, connection) = config.connect(tls.clone()).await?;
                Ok((client, Box::pin(connection) as Carrier))
            } else {
                let (client, connection) = config.connect(NoTls).await?;
                Ok((client, Box::pin(connection) as Carrier))
            }
        };
        let connected: Answer<_> = engine.wait(limits.connect, connecting)?;
        let (client, carrier) = connected?;
        let (statements, limit) = (HashMap::new(), limits.connect);
        let mut session =
            Self { engine: Arc::clone(engine), carrier: Some(carrier), client, statements, limit };
        session.batch(&set_up(limits))?;
        session.limit = limits.statement.max(limits.lock) + GRACE;
        Ok(session)
    }

    /// Whether it can still be used.
    pub(super) fn is_alive(&self) -> bool {
        self.carrier.is_some() && !self.client.is_closed()
    }

    /// Gives up statements' time limit, for work that takes as long as it takes.
    pub(super) fn without_limit(&mut self) -> Tried<()> {
        self.batch("SET statement_timeout = 0")?;
        self.limit = PATIENCE;
        Ok(())
    }

    /// Runs statements without values.
    pub(super) fn batch(&mut self, text: &str) -> Tried<()> {
        let Self { engine, carrier, client, limit, .. } = self;
        wait(engine, carrier, *limit, client.batch_execute(text))
    }

    /// The rows of a query.
    pub(super) fn query(&mut self, text: &str, params: &[Param<'_>]) -> Tried<Vec<Row>> {
        let statement = self.prepare(text)?;
        let Self { engine, carrier, client, limit, .. } = self;
        wait(engine, carrier, *limit, client.query(&statement, params))
    }

    /// The rows of several queries, all sent at once; each sees what those before it did.
    pub(super) fn queries(&mut self, all: &[(&str, &[Param<'_>])]) -> Tried<Vec<Vec<Row>>> {
        let mut prepared = Vec::with_capacity(all.len());
        for (text, params) in all {
            prepared.push((self.prepare(text)?, *params));
        }
        let Self { engine, carrier, client, limit, .. } = self;
        let answers = prepared.iter().map(|(statement, params)| client.query(statement, params));
        wait(engine, carrier, *limit, try_join_all(answers))
    }

    /// Runs a statement; answers the number of rows it concerned.
    pub(super) fn execute(&mut self, text: &str, params: &[Param<'_>]) -> Tried<u64> {
        let statement = self.prepare(text)?;
        let Self { engine, carrier, client, limit, .. } = self;
        wait(engine, carrier, *limit, client.execute(&statement, params))
    }

    /// Runs a statement that takes as long as it takes, within a transaction.
    pub(super) fn execute_patiently(&mut self, text: &str, params: &[Param<'_>]) -> Tried<u64> {
        self.batch("SET LOCAL statement_timeout = 0")?;
        let limit = std::mem::replace(&mut self.limit, PATIENCE);
        let answer = self.execute(text, params);
        self.limit = limit;
        answer
    }

    /// Adds rows to a table at once; `text` is a `COPY … FROM STDIN BINARY`.
    pub(super) fn copy<'r, const N: usize>(
        &mut self,
        text: &str,
        types: &[Type; N],
        rows: impl Iterator<Item = [Param<'r>; N]>,
    ) -> Tried<()> {
        let statement = self.prepare(text)?;
        let Self { engine, carrier, client, limit, .. } = self;
        let copying = async {
            let sink = client.copy_in(&statement).await?;
            let mut writer = pin!(BinaryCopyInWriter::new(sink, types));
            for row in rows {
                writer.as_mut().write(&row).await?;
            }
            writer.finish().await.map(drop)
        };
        wait(engine, carrier, *limit, copying)
    }

    fn prepare(&mut self, text: &str) -> Tried<Statement> {
        if let Some(statement) = self.statements.get(text) {
            return Ok(statement.clone());
        }
        let Self { engine, carrier, client, limit, statements } = self;
        let statement = wait(engine, carrier, *limit, client.prepare(text))?;
        if statements.len() >= STATEMENTS {
            statements.clear();
        }
        statements.insert(text.into(), statement.clone());
        Ok(statement)
    }
}

/// What a new connection is told first.
fn set_up(limits: Limits) -> String {
    let Limits { statement, lock, read_only, .. } = limits;
    let (statement, lock) = (statement.as_millis(), lock.as_millis());
    // A transaction that nobody carries on must not keep its locks.
    let idle = statement.saturating_mul(4);
    format!(
        "SET statement_timeout = {statement}; SET lock_timeout = {lock};
         SET idle_in_transaction_session_timeout = {idle};
         SET default_transaction_read_only = {};
         SET client_min_messages = error; SET jit = off;
         SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off",
        if read_only { "on" } else { "off" },
    )
}

/// Works until there is an answer, or for as long as `limit`; after that the connection is dead.
fn wait<T>(
    engine: &Engine,
    carrier: &mut Option<Carrier>,
    limit: Duration,
    work: impl Future<Output = Answer<T>>,
) -> Tried<T> {
    let mut work = pin!(work);
    let both = poll_fn(|context| {
        let ended = carrier.as_mut().map(|carrier| carrier.as_mut().poll(context));
        if let Some(Poll::Ready(ended)) = ended {
            *carrier = None;
            if let Err(error) = ended {
                return Poll::Ready(Err(error));
            }
        }
        work.as_mut().poll(context)
    });
    let answer = engine.wait(limit, both).and_then(|answer| answer.map_err(Fault::from));
    if answer.as_ref().is_err_and(Fault::is_lost) {
        *carrier = None;
    }
    answer
}
