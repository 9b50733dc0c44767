//! Many requests for one value that no cache has: one of them loads it, the others wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::CacheKey;

/// A value on its way.
type Cell = Arc<OnceCell<Arc<[u8]>>>;

/// The loads that are going on.
#[derive(Default)]
pub(super) struct Flights {
    going: Mutex<HashMap<CacheKey, Cell>>,
}

/// What a request that took part learned.
pub(super) struct Landed {
    pub(super) value: Arc<[u8]>,
    /// Whether another request did the work.
    pub(super) is_shared: bool,
}

impl Flights {
    /// The value, from `load` or from the `load` of another request for the same key.
    ///
    /// Only values are shared: a load that fails, finds nothing or is given up lets the next one
    /// that waits try its own.
    pub(super) async fn join<E>(
        &self,
        key: &CacheKey,
        load: impl Future<Output = Result<Arc<[u8]>, E>>,
    ) -> Result<Landed, E> {
        let seat = self.board(key);
        let mut is_shared = true;
        let load = async {
            is_shared = false;
            load.await
        };
        let value = seat.cell.get_or_try_init(|| load).await?.clone();
        Ok(Landed { value, is_shared })
    }

    fn board<'a>(&'a self, key: &'a CacheKey) -> Seat<'a> {
        let cell = self.lock().entry(key.clone()).or_default().clone();
        Seat { flights: self, key, cell }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, Cell>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request's part in a load; the last one that leaves clears up.
struct Seat<'a> {
    flights: &'a Flights,
    key: &'a CacheKey,
    cell: Cell,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut going = self.flights.lock();
        // One count is the map's, the other this seat's; seats are taken under the same lock.
        if Arc::strong_count(&self.cell) == 2 {
            going.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;

    fn key(version: &str) -> CacheKey {
        CacheKey::new(&"hv".parse().unwrap(), "Patient", &"p".parse().unwrap(), version, "maps")
    }

    #[tokio::test]
    async fn many_requests_make_one_load_and_nothing_stays_behind() {
        let (flights, loads) = (Flights::default(), AtomicUsize::new(0));
        let (one, other) = (key("1"), key("2"));
        let load = || async {
            loads.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<Arc<[u8]>, ()>(Arc::from(*b"{}"))
        };
        let landed = join_all(
            (0..100).map(|n| flights.join(if n % 2 == 0 { &one } else { &other }, load())),
        )
        .await;
        assert_eq!(loads.load(Ordering::Relaxed), 2);
        assert_eq!(landed.iter().filter(|landed| landed.as_ref().unwrap().is_shared).count(), 98);
        assert!(flights.lock().is_empty());
    }

    #[tokio::test]
    async fn a_load_that_fails_or_is_given_up_lets_the_next_one_try() {
        let (flights, key) = (Flights::default(), key("1"));
        let given_up = flights.join(&key, std::future::pending::<Result<Arc<[u8]>, ()>>());
        assert!(tokio::time::timeout(Duration::from_millis(5), given_up).await.is_err());
        let fails = flights.join(&key, async { Err(()) });
        let works = flights.join(&key, async { Ok::<Arc<[u8]>, ()>(Arc::from(*b"{}")) });
        let (failed, worked) = tokio::join!(fails, works);
        assert!(failed.is_err());
        assert!(!worked.unwrap().is_shared);
        assert!(flights.lock().is_empty());
    }
}
