//! The cache in Redis or Valkey, shared by replicas. Everything in it is sealed (`seal.rs`).
//!
//! Redis is never waited for longer than [`PATIENCE`], and after one failure not at all until a
//! trial aside of the requests has succeeded; meanwhile every get misses and every put does
//! nothing. Values are put aside of the requests too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use aws_lc_rs::error::Unspecified;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client, RedisError, SetExpiry, SetOptions};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::breaker::{Admission, Breaker};
use super::seal::{CacheSecret, Seal};
use super::{BoxFuture, Cache, CacheKey};
use crate::error::{Error, Result};

/// The longest wait for an answer or a connection.
const PATIENCE: Duration = Duration::from_millis(100);
/// Larger values stay in the store.
const LARGEST: usize = 1024 * 1024;
/// Values on their way to Redis; beyond that they are not put.
const PUTS: usize = 256;

/// What became of what was asked of Redis, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RedisCounts {
    /// Values found and opened.
    pub hits: u64,
    /// Values that were not there.
    pub misses: u64,
    /// Values that did not open: changed, cut, moved, or written by another installation.
    pub refused: u64,
    /// Commands that failed or took too long.
    pub failures: u64,
    /// Requests that went on without Redis because it is down.
    pub skipped: u64,
}

#[derive(Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    refused: AtomicU64,
    failures: AtomicU64,
    skipped: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A cache in Redis.
#[derive(Clone)]
pub struct RedisCache {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    /// Made anew at every trial: a manager whose first connection was refused for another reason
    /// than the network (Redis still loading its data, say) would not try again.
    connection: ArcSwap<ConnectionManager>,
    seal: Seal,
    lifetime: Duration,
    breaker: Breaker,
    puts: Arc<Semaphore>,
    counters: Counters,
}

impl RedisCache {
    /// A cache in the Redis at `url`, whose entries live for `lifetime`. It connects when it is
    /// first used, and must be made inside a Tokio runtime.
    pub fn new(url: &str, secret: &CacheSecret, lifetime: Duration) -> Result<Self> {
        // The cause is left out: it may repeat the URL, which may hold a password.
        let unusable = |_cause: RedisError| {
            Error::Setup("the Redis URL cannot be used; give redis://HOST:PORT/DB".to_owned())
        };
        let client = Client::open(url).map_err(unusable)?;
        let connection = connect(&client).map_err(unusable)?;
        Ok(Self {
            inner: Arc::new(Inner {
                client,
                connection: ArcSwap::from_pointee(connection),
                seal: Seal::new(secret),
                lifetime,
                breaker: Breaker::new(Instant::now()),
                puts: Arc::new(Semaphore::new(PUTS)),
                counters: Counters::default(),
            }),
        })
    }

    /// What became of what was asked of Redis.
    pub fn counts(&self) -> RedisCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { hits, misses, refused, failures, skipped } = &self.inner.counters;
        RedisCounts {
            hits: read(hits),
            misses: read(misses),
            refused: read(refused),
            failures: read(failures),
            skipped: read(skipped),
        }
    }

    /// Whether Redis is to be asked now.
    fn admitted(&self) -> bool {
        match self.inner.breaker.admit(Instant::now()) {
            Admission::Ask => return true,
            Admission::Skip => {}
            Admission::Try => {
                let inner = self.inner.clone();
                tokio::spawn(async move { inner.try_again().await });
            }
        }
        count(&self.inner.counters.skipped);
        false
    }
}

/// A connection that is made when it is first used.
fn connect(client: &Client) -> redis::RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

impl Inner {
    /// Asks Redis for something; if it does not answer in time, requests go on without it.
    async fn ask<T>(&self, answer: impl Future<Output = redis::RedisResult<T>>) -> Option<T> {
        let answer = self.answered(answer).await;
        if answer.is_none() {
            self.breaker.fail(Instant::now());
        }
        answer
    }

    /// An answer, if it comes in time.
    async fn answered<T>(&self, answer: impl Future<Output = redis::RedisResult<T>>) -> Option<T> {
        if let Ok(Ok(answer)) = timeout(PATIENCE, answer).await {
            return Some(answer);
        }
        count(&self.counters.failures);
        None
    }

    async fn get(&self, key: &CacheKey) -> Option<Arc<[u8]>> {
        let name = self.seal.name(key).ok()?;
        let mut connection = ConnectionManager::clone(&self.connection.load());
        let sealed: Option<Vec<u8>> = self.ask(connection.get(name)).await?;
        let Some(mut sealed) = sealed else {
            count(&self.counters.misses);
            return None;
        };
        let opened = self.seal.open(key, &mut sealed);
        count(if opened.is_ok() { &self.counters.hits } else { &self.counters.refused });
        opened.ok()
    }

    async fn put(&self, name: String, sealed: Vec<u8>) {
        let mut connection = ConnectionManager::clone(&self.connection.load());
        let lifetime = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX).max(1);
        let options = SetOptions::default().with_expiration(SetExpiry::PX(lifetime));
        let _: Option<()> = self.ask(connection.set_options(name, sealed, options)).await;
    }

    fn sealed(
        &self,
        key: &CacheKey,
        value: &[u8],
    ) -> std::result::Result<(String, Vec<u8>), Unspecified> {
        Ok((self.seal.name(key)?, self.seal.seal(key, value)?))
    }

    /// Tries a new connection; if it answers, requests use it again.
    async fn try_again(&self) {
        let Ok(mut connection) = connect(&self.client) else { return };
        let answer: Option<String> = self.answered(connection.ping()).await;
        if answer.is_some() {
            self.connection.store(Arc::new(connection));
            self.breaker.recover();
        } else {
            self.breaker.fail_again(Instant::now());
        }
    }
}

impl Cache for RedisCache {
    fn get<'a>(&'a self, key: &'a CacheKey) -> BoxFuture<'a, Option<Arc<[u8]>>> {
        Box::pin(async move { if self.admitted() { self.inner.get(key).await } else { None } })
    }

    fn put<'a>(&'a self, key: &'a CacheKey, value: Arc<[u8]>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if value.len() > LARGEST || !self.admitted() {
                return;
            }
            let Ok(turn) = self.inner.puts.clone().try_acquire_owned() else { return };
            let Ok((name, sealed)) = self.inner.sealed(key, &value) else { return };
            let inner = self.inner.clone();
            tokio::spawn(async move {
                inner.put(name, sealed).await;
                drop(turn);
            });
        })
    }
}
