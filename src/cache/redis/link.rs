//! The connection to Redis that everything shared goes over.
//!
//! It is made when it is first needed. Redis is never waited for longer than the settings say, and
//! after one failure not at all until a trial aside of the requests has made a new connection; the
//! trial asks Sentinels and a Cluster anew who is in charge.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use prometheus_client::registry::Registry;
use redis::aio::PubSub;
use redis::{Cmd, FromRedisValue, RedisResult};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::breaker::{Admission, Breaker};
use super::fault::Fault;
use super::meter::{LinkMeter, Up};
use super::servers::{Line, Servers};
use crate::config::RedisSettings;
use crate::error;

/// The longest that a trial aside of the requests goes on.
const TRIAL: Duration = Duration::from_secs(2);

/// A connection to Redis, made anew when it breaks.
#[derive(Clone)]
pub struct RedisLink {
    inner: Arc<Inner>,
}

struct Inner {
    servers: Servers,
    patience: Duration,
    line: ArcSwapOption<Line>,
    /// Set once the first connection was tried.
    tried: OnceCell<()>,
    breaker: Breaker,
    meter: LinkMeter,
}

impl RedisLink {
    /// A link to what the settings name. It connects when it is first used, inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// `Setup`: the settings cannot be used.
    pub fn open(settings: &RedisSettings) -> error::Result<Self> {
        Ok(Self {
            inner: Arc::new(Inner {
                servers: Servers::new(settings)?,
                patience: Duration::from_millis(settings.timeout_ms),
                line: ArcSwapOption::empty(),
                tried: OnceCell::new(),
                breaker: Breaker::new(Instant::now()),
                meter: LinkMeter::default(),
            }),
        })
    }

    /// Names what the link counts to a registry.
    pub fn register(&self, registry: &mut Registry) {
        self.inner.meter.register(registry);
        registry.register_collector(Box::new(Up(self.clone())));
    }

    /// How often Redis gave no answer for that reason.
    pub fn faults(&self, fault: Fault) -> u64 {
        self.inner.meter.faults(fault)
    }

    /// Whether Redis answers, as far as is known.
    pub fn is_up(&self) -> bool {
        self.inner.breaker.is_closed()
    }

    /// Asks Redis for something.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Fault> {
        let answer = self.answer(command).await;
        if let Err(fault) = &answer {
            self.inner.meter.failed(*fault);
        }
        answer
    }

    async fn answer<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Fault> {
        let inner = &self.inner;
        inner.tried.get_or_init(|| inner.connect(inner.patience)).await;
        let mut line = self.line().ok_or(Fault::Skipped)?;
        let asked = Instant::now();
        let answer = within(inner.patience, command.query_async(&mut line)).await;
        inner.meter.took(asked.elapsed());
        if answer.as_ref().is_err_and(|fault| !fault.is_of_the_command()) {
            inner.breaker.fail(Instant::now());
        }
        answer
    }

    /// A connection of its own for messages.
    pub(super) async fn subscriber(&self) -> Result<PubSub, Fault> {
        within(TRIAL, self.inner.servers.subscriber()).await
    }

    /// What a connection for messages answers, if it does in time.
    pub(super) async fn in_time<T>(
        &self,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Fault> {
        within(TRIAL, answer).await
    }

    /// The connection, if Redis is to be asked now.
    fn line(&self) -> Option<Line> {
        match self.inner.breaker.admit(Instant::now()) {
            Admission::Ask => return self.inner.line.load().as_deref().cloned(),
            Admission::Skip => {}
            Admission::Try => {
                let inner = self.inner.clone();
                tokio::spawn(async move { inner.connect(TRIAL).await });
            }
        }
        None
    }
}

impl Inner {
    /// Tries a new connection; if it answers, requests use it from now on.
    async fn connect(&self, limit: Duration) {
        let connected = async {
            let mut line = within(limit, self.servers.connect(self.patience)).await?;
            // Connecting may take long; an answer may not, or every request would wait for it.
            let ping = redis::cmd("PING");
            within(self.patience, ping.query_async::<()>(&mut line)).await?;
            Ok(line)
        };
        match connected.await {
            Ok(line) => {
                self.line.store(Some(Arc::new(line)));
                self.breaker.recover();
            }
            Err(fault) => {
                self.meter.failed(fault);
                self.breaker.fail_again(Instant::now());
            }
        }
    }
}

/// What comes in time.
async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = RedisResult<T>>,
) -> Result<T, Fault> {
    match timeout(limit, answer).await {
        Ok(answer) => answer.map_err(|error| Fault::of(&error)),
        Err(_elapsed) => Err(Fault::Timeout),
    }
}
