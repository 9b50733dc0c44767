//! The cache in this process: bounded by bytes and by age.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache as Moka;

use super::CacheKey;

/// What an entry costs beside its key and value, roughly.
const OVERHEAD: usize = 128;

/// A cache in this process's memory.
#[derive(Clone)]
pub struct MemoryCache {
    entries: Moka<CacheKey, Arc<[u8]>>,
}

impl MemoryCache {
    /// A cache of at most `bytes` whose entries live for `age`.
    pub fn new(bytes: u64, age: Duration) -> Self {
        let weigh = |key: &CacheKey, value: &Arc<[u8]>| {
            u32::try_from(key.as_str().len() + value.len() + OVERHEAD).unwrap_or(u32::MAX)
        };
        let entries = Moka::builder().max_capacity(bytes).weigher(weigh).time_to_live(age).build();
        Self { entries }
    }

    /// The bytes under `key`.
    pub fn find(&self, key: &CacheKey) -> Option<Arc<[u8]>> {
        self.entries.get(key)
    }

    /// Keeps bytes under `key`.
    pub fn keep(&self, key: &CacheKey, value: Arc<[u8]>) {
        self.entries.insert(key.clone(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(version: &str) -> CacheKey {
        CacheKey::new(&"hv".parse().unwrap(), "Patient", &"p".parse().unwrap(), version, "maps")
    }

    #[test]
    fn it_keeps_within_its_bytes() {
        let cache = MemoryCache::new(100_000, Duration::from_mins(1));
        for version in 0..1_000 {
            cache.keep(&key(&version.to_string()), Arc::from(vec![0_u8; 1_000]));
        }
        cache.entries.run_pending_tasks();
        assert!(cache.entries.weighted_size() <= 100_000);
        assert!(cache.entries.entry_count() > 50, "what fits is kept");
    }

    #[test]
    fn what_is_too_old_is_gone() {
        let cache = MemoryCache::new(100_000, Duration::ZERO);
        cache.keep(&key("1"), Arc::from(*b"{}"));
        assert_eq!(cache.find(&key("1")), None);
    }
}
