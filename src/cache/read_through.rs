//! Reading through the caches: memory, then the shared one, then the store.

use std::sync::Arc;

use super::{Cache, CacheKey, MemoryCache};
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
        load: impl FnOnce() -> Result<Option<Arc<[u8]>>>,
    ) -> Result<Option<Arc<[u8]>>> {
        if let Some(value) = self.memory.find(key) {
            return Ok(Some(value));
        }
        if let Some(shared) = &self.shared
            && let Some(value) = shared.get(key).await
        {
            self.memory.keep(key, value.clone());
            return Ok(Some(value));
        }
        let loaded = load()?;
        if let Some(value) = &loaded {
            self.memory.keep(key, value.clone());
            if let Some(shared) = &self.shared {
                shared.put(key, value.clone()).await;
            }
        }
        Ok(loaded)
    }
}
