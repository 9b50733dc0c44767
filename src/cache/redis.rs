//! What replicas share in Redis or Valkey. Resources in it are sealed (`seal.rs`), and their names
//! say nothing. Whatever Redis does, the answers are the same.

mod breaker;
mod changes;
mod fault;
mod link;
mod meter;
mod once;
mod servers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::error::Unspecified;
use tokio::sync::Semaphore;

use self::breaker::{Admission, Breaker};
use super::meter::{CacheMeter, Layer, Lookup};
use super::seal::{CacheSecret, Seal};
use super::{BoxFuture, Cache, CacheKey};

pub use self::fault::Fault;
pub use self::link::RedisLink;
pub use self::once::RedisOnce;

/// Larger values stay in the store.
const LARGEST: usize = 1024 * 1024;
/// The most that is read of a value, sealed; what is longer was not put by us.
const MOST_READ: usize = LARGEST + 64;
/// Values on their way to Redis; beyond that they are not put.
const PUTS: usize = 256;

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
    meter: CacheMeter,
}

impl RedisCache {
    /// A cache over a link, whose entries live for `lifetime`.
    pub fn new(
        link: RedisLink,
        secret: &CacheSecret,
        lifetime: Duration,
        meter: CacheMeter,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                link,
                seal: Seal::new(secret),
                lifetime,
                room: Breaker::new(Instant::now()),
                puts: Arc::new(Semaphore::new(PUTS)),
                meter,
            }),
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
            self.meter.looked(Layer::Redis, Lookup::Miss);
            return None;
        }
        self.meter.read(Layer::Redis, sealed.len());
        let opened = self.seal.open(key, &mut sealed);
        let lookup = if opened.is_ok() { Lookup::Hit } else { Lookup::Refused };
        self.meter.looked(Layer::Redis, lookup);
        opened.ok()
    }

    async fn put(&self, name: String, sealed: Vec<u8>) {
        let bytes = sealed.len();
        let mut command = redis::cmd("SET");
        command.arg(name).arg(sealed).arg("PX").arg(px(self.lifetime));
        match self.link.ask::<()>(&command).await {
            Ok(()) => {
                self.meter.written(Layer::Redis, bytes);
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
