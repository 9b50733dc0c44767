//! The cache port: resource bytes by key, encrypted where they leave the process.
//!
//! A key names one version of one resource under one map set, so that what is found under it can
//! never be outdated; whether that version is the current one is asked of the store first.

mod changes;
mod flight;
mod fresh;
mod key;
mod memory;
mod meter;
mod once;
mod read_through;
mod redis;
mod seal;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use self::changes::{Changes, Epoch, Scope};
pub use self::fresh::{Fresh, Making};
pub use self::key::CacheKey;
pub use self::memory::MemoryCache;
pub use self::meter::{CacheMeter, Layer, Lookup};
pub use self::once::{MemoryOnce, Once};
pub use self::read_through::ReadThrough;
pub use self::redis::{Fault, RedisCache, RedisLink, RedisOnce};
pub use self::seal::CacheSecret;

/// A boxed future, so that the port can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Bytes by key. A cache that is down misses; it never fails a request.
pub trait Cache: Send + Sync {
    /// The bytes under `key`, if they are there and intact.
    fn get<'a>(&'a self, key: &'a CacheKey) -> BoxFuture<'a, Option<Arc<[u8]>>>;
    /// Keeps bytes under `key` for a while; whether that worked is nobody's business.
    fn put<'a>(&'a self, key: &'a CacheKey, value: Arc<[u8]>) -> BoxFuture<'a, ()>;
}
