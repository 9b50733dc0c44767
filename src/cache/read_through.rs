//! Reading through the caches: memory, then the one that replicas share, then the store.

use std::future::ready;
use std::sync::Arc;

use super::{BoxFuture, Cache, CacheKey, MemoryCache};
use crate::error::Result;

/// The caches in front of a store.
#[derive(Clone)]
pub struct ReadThrough {
    memory: MemoryCache,
    shared: Option<Arc<dyn Cache>>,
}

impl ReadThrough {
    /// Memory alone, or memory in front of a cache that replicas share.
    pub fn new(memory: MemoryCache, shared: Option<Arc<dyn Cache>>) -> Self {
        Self { memory, shared }
    }

    /// The bytes under `key`, from wherever they are found first.
    ///
    /// `load` must answer the very version that the key names, or `None` if it is gone; then what
    /// comes out is what the store would have answered. Only its errors are errors.
    pub async fn get_or_load(
        &self,
        key: &CacheKey,
        load: impl Future<Output = Result<Option<Arc<[u8]>>>>,
    ) -> Result<Option<Arc<[u8]>>> {
        if let Some(value) = self.get(key).await {
            return Ok(Some(value));
        }
        let loaded = load.await?;
        if let Some(value) = &loaded {
            self.put(key, value.clone()).await;
        }
        Ok(loaded)
    }
}

impl Cache for ReadThrough {
    fn get<'a>(&'a self, key: &'a CacheKey) -> BoxFuture<'a, Option<Arc<[u8]>>> {
        let found = self.memory.find(key);
        match &self.shared {
            Some(shared) if found.is_none() => Box::pin(async move {
                let value = shared.get(key).await?;
                self.memory.keep(key, value.clone());
                Some(value)
            }),
            _ => Box::pin(ready(found)),
        }
    }

    fn put<'a>(&'a self, key: &'a CacheKey, value: Arc<[u8]>) -> BoxFuture<'a, ()> {
        self.memory.keep(key, value.clone());
        match &self.shared {
            Some(shared) => shared.put(key, value),
            None => Box::pin(ready(())),
        }
    }
}
