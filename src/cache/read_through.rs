//! Reading through the caches: memory, then the one that replicas share, then the store.

use std::sync::Arc;

use super::flight::Flights;
use super::meter::{CacheMeter, Layer, Lookup};
use super::{Cache, CacheKey, MemoryCache};
use crate::error::{Error, Result};

/// The caches in front of a store.
#[derive(Clone)]
pub struct ReadThrough {
    memory: MemoryCache,
    shared: Option<Arc<dyn Cache>>,
    flights: Arc<Flights>,
    meter: CacheMeter,
}

/// Why a load brought no value.
enum Empty {
    Gone,
    Failed(Error),
}

impl ReadThrough {
    /// Memory alone, or memory in front of a cache that replicas share.
    pub fn new(memory: MemoryCache, shared: Option<Arc<dyn Cache>>, meter: CacheMeter) -> Self {
        Self { memory, shared, flights: Arc::default(), meter }
    }

    /// The bytes under `key`, from wherever they are found first; of many requests at the same
    /// time, one goes further than memory.
    ///
    /// `load` must answer the very version that the key names, or `None` if it is gone; then what
    /// comes out is what the store would have answered. Only its errors are errors.
    pub async fn get_or_load(
        &self,
        key: &CacheKey,
        load: impl Future<Output = Result<Option<Arc<[u8]>>>>,
    ) -> Result<Option<Arc<[u8]>>> {
        if let Some(value) = self.memory.find(key) {
            self.meter.looked(Layer::Memory, Lookup::Hit);
            self.meter.read(Layer::Memory, value.len());
            return Ok(Some(value));
        }
        self.meter.looked(Layer::Memory, Lookup::Miss);
        match self.flights.join(key, self.fetch(key, load)).await {
            Ok(landed) => {
                if landed.is_shared {
                    self.meter.shared();
                }
                Ok(Some(landed.value))
            }
            Err(Empty::Gone) => Ok(None),
            Err(Empty::Failed(error)) => Err(error),
        }
    }

    /// What is behind memory.
    async fn fetch(
        &self,
        key: &CacheKey,
        load: impl Future<Output = Result<Option<Arc<[u8]>>>>,
    ) -> std::result::Result<Arc<[u8]>, Empty> {
        if let Some(shared) = &self.shared
            && let Some(value) = shared.get(key).await
        {
            self.keep(key, &value);
            return Ok(value);
        }
        let value = load.await.map_err(Empty::Failed)?.ok_or(Empty::Gone)?;
        self.meter.loaded();
        self.keep(key, &value);
        if let Some(shared) = &self.shared {
            shared.put(key, value.clone()).await;
        }
        Ok(value)
    }

    fn keep(&self, key: &CacheKey, value: &Arc<[u8]>) {
        self.meter.written(Layer::Memory, value.len());
        self.memory.keep(key, value.clone());
    }
}
