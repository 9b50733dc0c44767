//! What replicas share in Redis or Valkey. Resources in it are sealed (`seal.rs`), and their names
//! say nothing. Whatever Redis does, the answers are the same.

mod breaker;
mod fault;
mod link;
mod once;
mod servers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::error::Unspecified;
use tokio::sync::Semaphore;

use self::breaker::{Admission, Breaker};
use super::seal::{CacheSecret, Seal};
use super::{BoxFuture, Cache, CacheKey};

pub use self::fault::{Fault, FaultCounts};
pub use self::link::RedisLink;
pub use self::once::RedisOnce;

/// Larger values stay in the store.
const LARGEST: usize = 1024 * 1024;
/// The most that is read of a value, sealed; what is longer was not put by us.
const MOST_READ: usize = LARGEST + 64;
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
    /// Bytes of the values found, sealed.
    pub bytes_read: u64,
    /// Bytes of the values put, sealed.
    pub bytes_written: u64,
}

#[derive(Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    refused: AtomicU64,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
}

fn add(counter: &AtomicU64, number: usize) {
    counter.fetch_add(number as u64, Ordering::Relaxed);
}

/// A cache in Redis.
#[derive(Clone)]
pub struct RedisCache {
    inner: Arc<Inner>,
}

struct Inner {
    link: RedisLink,
    seal: Seal,
    lifetime: Duration,
    /// Open while Redis has no memory left: then nothing is put, and reads go on.
    room: Breaker,
    puts: Arc<Semaphore>,
    counters: Counters,
}

impl RedisCache {
    /// A cache over a link, whose entries live for `lifetime`.
    pub fn new(link: RedisLink, secret: &CacheSecret, lifetime: Duration) -> Self {
        Self {
            inner: Arc::new(Inner {
                link,
                seal: Seal::new(secret),
                lifetime,
                room: Breaker::new(Instant::now()),
                puts: Arc::new(Semaphore::new(PUTS)),
                counters: Counters::default(),
            }),
        }
    }

    /// What became of what was asked of Redis.
    pub fn counts(&self) -> RedisCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { hits, misses, refused, bytes_read, bytes_written } = &self.inner.counters;
        RedisCounts {
            hits: read(hits),
            misses: read(misses),
            refused: read(refused),
            bytes_read: read(bytes_read),
            bytes_written: read(bytes_written),
        }
    }
}

impl Inner {
    async fn get(&self, key: &CacheKey) -> Option<Arc<[u8]>> {
        let name = self.seal.name(key).ok()?;
        // Not GET: whoever can write to Redis could make us read half a gigabyte.
        let mut command = redis::cmd("GETRANGE");
        command.arg(name).arg(0).arg(MOST_READ);
        let mut sealed: Vec<u8> = self.link.ask(&command).await.ok()?;
        if sealed.is_empty() {
            add(&self.counters.misses, 1);
            return None;
        }
        add(&self.counters.bytes_read, sealed.len());
        let opened = self.seal.open(key, &mut sealed);
        add(if opened.is_ok() { &self.counters.hits } else { &self.counters.refused }, 1);
        opened.ok()
    }

    async fn put(&self, name: String, sealed: Vec<u8>) {
        let bytes = sealed.len();
        let mut command = redis::cmd("SET");
        command.arg(name).arg(sealed).arg("PX").arg(px(self.lifetime));
        match self.link.ask::<()>(&command).await {
            Ok(()) => {
                add(&self.counters.bytes_written, bytes);
                self.room.recover();
            }
            Err(Fault::Full) => self.room.fail_again(Instant::now()),
            Err(_) => {}
        }
    }

    fn sealed(
        &self,
        key: &CacheKey,
        value: &[u8],
    ) -> std::result::Result<(String, Vec<u8>), Unspecified> {
        Ok((self.seal.name(key)?, self.seal.seal(key, value)?))
    }

    /// Whether a value may be put now.
    fn has_room(&self, value: &[u8]) -> bool {
        value.len() <= LARGEST
            && self.link.is_up()
            && self.room.admit(Instant::now()) != Admission::Skip
    }
}

/// A lifetime in Redis's milliseconds, within what it takes.
fn px(lifetime: Duration) -> u64 {
    u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 50)
}

impl Cache for RedisCache {
    fn get<'a>(&'a self, key: &'a CacheKey) -> BoxFuture<'a, Option<Arc<[u8]>>> {
        Box::pin(self.inner.get(key))
    }

    /// Puts aside of the request.
    fn put<'a>(&'a self, key: &'a CacheKey, value: Arc<[u8]>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if !self.inner.has_room(&value) {
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
