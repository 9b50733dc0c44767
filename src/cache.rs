//! The cache port: resource bytes by key, encrypted where they leave the process.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A boxed future, so that the port can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Bytes by key. A cache that is down misses; it never fails a request.
pub trait Cache: Send + Sync {
    /// The bytes under `key`, if they are there and intact.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Option<Arc<[u8]>>>;
    /// Keeps bytes under `key` for a while.
    fn put<'a>(&'a self, key: &'a str, value: Arc<[u8]>) -> BoxFuture<'a, ()>;
}
