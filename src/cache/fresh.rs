//! What is worked out again and again, and may be at most half a second old: decisions, say.
//!
//! An entry counts while nothing in its scope is known to have changed, and for half a second at most.
//! So a change that another replica made is heard of in milliseconds where Redis passes it on, and
//! takes effect within half a second where the message is lost or Redis is down. Age counts from
//! before the value was worked out, so that a slow store does not stretch it.

use std::hash::Hash;
use std::time::{Duration, Instant};

use moka::sync::Cache as Moka;

use super::changes::{Changes, Epoch, Scope};

/// The greatest age of an entry.
const AGE: Duration = Duration::from_millis(500);

#[derive(Clone)]
struct Entry<V> {
    value: V,
    making: Making,
}

/// The moment when a value began to be worked out.
#[derive(Debug, Clone, Copy)]
pub struct Making {
    epoch: Epoch,
    began: Instant,
}

/// Values by key, each fresh.
pub struct Fresh<K, V> {
    changes: Changes,
    entries: Moka<K, Entry<V>>,
}

impl<K, V> Fresh<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// At most so many entries, which heed these changes.
    pub fn new(changes: Changes, most: u64) -> Self {
        Self { changes, entries: Moka::builder().max_capacity(most).time_to_live(AGE).build() }
    }

    /// The value under `key`, or what `make` makes of the store now. Only its errors are errors;
    /// they are not kept.
    pub fn get_or_make<E>(
        &self,
        key: K,
        scope: &Scope,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        if let Some(value) = self.get(&key, scope) {
            return Ok(value);
        }
        let making = self.begin(scope);
        let value = make()?;
        self.keep(key, making, value.clone());
        Ok(value)
    }

    /// The value under `key`, if there is one that counts.
    pub fn get(&self, key: &K, scope: &Scope) -> Option<V> {
        let now = self.begin(scope);
        let is_fresh = |entry: &Entry<V>| {
            entry.making.epoch == now.epoch && now.began - entry.making.began < AGE
        };
        self.entries.get(key).filter(is_fresh).map(|entry| entry.value)
    }

    /// To be called before a value is worked out that is kept later.
    pub fn begin(&self, scope: &Scope) -> Making {
        Making { epoch: self.changes.epoch(scope), began: Instant::now() }
    }

    /// Keeps a value that was worked out from that moment on.
    pub fn keep(&self, key: K, making: Making, value: V) {
        self.entries.insert(key, Entry { value, making });
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::cache::CacheSecret;

    #[test]
    fn a_value_is_made_again_after_a_change_in_its_scope_even_one_during_the_making() {
        let changes = Changes::new(None, &CacheSecret::new([7; 32])).unwrap();
        let scope = changes.scope(&"hv".parse().unwrap(), None);
        let fresh = Fresh::new(changes.clone(), 10);
        let get = |make: &dyn Fn() -> u32| {
            fresh.get_or_make("key", &scope, || Ok::<_, Infallible>(make())).unwrap()
        };
        assert_eq!(get(&|| 1), 1);
        assert_eq!(get(&|| 2), 1, "kept");
        changes.tell(&scope);
        let overtaken = || {
            changes.tell(&scope);
            3
        };
        assert_eq!(get(&overtaken), 3);
        assert_eq!(get(&|| 4), 4, "what changed while it was made is not kept");
    }
}
