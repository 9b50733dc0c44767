//! The caches: what is in Redis says nothing, and whatever Redis does, every answer is right.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::Commands;
use throughline::cache::{
    Cache, CacheKey, CacheMeter, CacheSecret, Fault, Layer, Lookup, MemoryCache, Once, ReadThrough,
    RedisCache, RedisLink, RedisOnce,
};
use throughline::config::RedisSettings;
use throughline::{Error, Result};

use crate::support::redis::RedisServer;

const LIFETIME: Duration = Duration::from_mins(1);

fn key(id: usize) -> CacheKey {
    let id = format!("SENTINEL-id-{id}").parse().unwrap();
    CacheKey::new(&"SENTINEL-hv".parse().unwrap(), "Encounter", &id, "1-SENTINEL", "SENTINEL")
}

fn body(id: usize) -> Arc<[u8]> {
    Arc::from(format!(r#"{{"id":"{id}","text":"SENTINEL {}"}}"#, "é".repeat(id % 700)).as_bytes())
}

fn load(id: usize) -> impl Future<Output = Result<Option<Arc<[u8]>>>> {
    std::future::ready(Ok(Some(body(id))))
}

fn link_to(url: &str) -> RedisLink {
    RedisLink::open(&RedisSettings::at(url.to_owned().into())).unwrap()
}

fn secret() -> CacheSecret {
    CacheSecret::new([7; 32])
}

/// A cache in Redis, and what it counts.
struct Shared {
    link: RedisLink,
    cache: RedisCache,
    meter: CacheMeter,
}

impl Shared {
    fn at(url: &str) -> Self {
        Self::of(url, &secret())
    }

    fn of(url: &str, secret: &CacheSecret) -> Self {
        let (link, meter) = (link_to(url), CacheMeter::default());
        let cache = RedisCache::new(link.clone(), secret, LIFETIME, meter.clone());
        Self { link, cache, meter }
    }

    /// Redis with nothing in front of it, so that every read asks it.
    fn reads(&self) -> ReadThrough {
        let memory = MemoryCache::new(0, Duration::ZERO);
        ReadThrough::new(memory, Some(Arc::new(self.cache.clone())), self.meter.clone())
    }

    fn count(&self, lookup: Lookup) -> u64 {
        self.meter.lookups(Layer::Redis, lookup)
    }
}

/// Reads entries until they are in Redis; putting happens aside of the reads.
async fn fill(server: &RedisServer, reads: &ReadThrough, entries: usize) -> redis::Connection {
    for id in 0..entries {
        reads.get_or_load(&key(id), load(id)).await.unwrap();
    }
    let mut connection = server.connect();
    while redis::cmd("DBSIZE").query::<usize>(&mut connection).unwrap() < entries {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    connection
}

fn names(connection: &mut redis::Connection) -> Vec<String> {
    connection.keys("*").unwrap()
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[tokio::test]
async fn nothing_in_redis_can_be_read_and_all_of_it_expires() {
    let server = RedisServer::start().await;
    let shared = Shared::at(&server.url());
    let mut connection = fill(&server, &shared.reads(), 50).await;
    let names = names(&mut connection);
    assert_eq!(names.len(), 50);
    for name in names {
        let value: Vec<u8> = connection.get(&name).unwrap();
        for marker in ["SENTINEL", "Encounter", "text"] {
            assert!(!contains(name.as_bytes(), marker) && !contains(&value, marker), "{marker}");
        }
        let left: i64 = connection.pttl(&name).unwrap();
        assert!((1..=60_000).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn what_was_changed_in_redis_is_ignored_and_counted() {
    let server = RedisServer::start().await;
    let shared = Shared::at(&server.url());
    let reads = shared.reads();
    let mut connection = fill(&server, &reads, 7).await;
    let names = names(&mut connection);
    let values: Vec<Vec<u8>> = names.iter().map(|name| connection.get(name).unwrap()).collect();
    let mut flipped = values[0].clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut next_format = values[3].clone();
    next_format[0] += 1;
    let huge = vec![1; 8 * 1024 * 1024];
    let half = &values[2][..values[2].len() / 2];
    let planted: [&[u8]; 6] = [&flipped, &values[0], half, &next_format, br#"{"id":"0"}"#, &huge];
    for (name, value) in names.iter().zip(planted) {
        let _: () = connection.set(name, value).unwrap();
    }
    let _: () = connection.del(&names[6]).unwrap();
    let _: () = connection.rpush(&names[6], "of another type").unwrap();
    let read = shared.meter.bytes_read(Layer::Redis);
    for id in 0..7 {
        assert_eq!(shared.cache.get(&key(id)).await, None);
    }
    assert_eq!(shared.count(Lookup::Refused), 6);
    assert_eq!(shared.link.faults(Fault::WrongType), 1);
    let read = shared.meter.bytes_read(Layer::Redis) - read;
    assert!(read < 2 * 1024 * 1024, "not all of the huge one: {read}");
    assert!(shared.link.is_up(), "Redis goes on being asked");
    for id in 0..7 {
        assert_eq!(reads.get_or_load(&key(id), load(id)).await.unwrap(), Some(body(id)));
    }
}

#[tokio::test]
async fn another_installation_reads_nothing() {
    let server = RedisServer::start().await;
    let _connection = fill(&server, &Shared::at(&server.url()).reads(), 3).await;
    let other = Shared::of(&server.url(), &CacheSecret::new([8; 32]));
    for id in 0..3 {
        assert_eq!(other.cache.get(&key(id)).await, None);
    }
    assert_eq!(other.count(Lookup::Miss), 3, "not even the names are the same");
}

/// Reads at random until told to stop; answers the longest that a read took.
async fn reader(reads: ReadThrough, seed: usize, stop: Arc<AtomicBool>) -> Duration {
    let mut id = seed;
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        id = (id * 31 + 17) % 997;
        let started = Instant::now();
        let answer = reads.get_or_load(&key(id), load(id)).await;
        longest = longest.max(started.elapsed());
        assert_eq!(answer.unwrap(), Some(body(id)), "every answer is right");
        tokio::task::yield_now().await;
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_killed_and_restarted_under_load_costs_no_answer() {
    let mut server = RedisServer::start().await;
    let shared = Shared::at(&server.url());
    let hits = || shared.count(Lookup::Hit);
    let skips = || shared.link.faults(Fault::Skipped);
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> =
        (0..8).map(|seed| tokio::spawn(reader(shared.reads(), seed, stop.clone()))).collect();
    let pause = |millis| tokio::time::sleep(Duration::from_millis(millis));
    for _ in 0..2 {
        let before = hits();
        let deadline = Instant::now() + Duration::from_secs(20);
        while hits() < before + 500 {
            assert!(Instant::now() < deadline, "hits do not come back: {}", hits());
            pause(20).await;
        }
        let skipped = skips();
        server.kill();
        pause(700).await;
        assert!(skips() > skipped + 1_000, "reads go on without Redis");
        assert!(server.start_again().await);
    }
    let before = hits();
    pause(3_000).await;
    assert!(hits() > before, "{before}");
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        let longest = reader.await.unwrap();
        assert!(longest < Duration::from_secs(2), "a read took {longest:?}");
    }
}

#[tokio::test]
async fn a_redis_that_never_answers_is_waited_for_once() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let shared = Shared::at(&format!("redis://{}", silent.local_addr().unwrap()));
    let reads = shared.reads();
    let started = Instant::now();
    for id in 0..200 {
        assert_eq!(reads.get_or_load(&key(id), load(id)).await.unwrap(), Some(body(id)));
    }
    let faults = |fault| shared.link.faults(fault);
    let (timeouts, skips) = (faults(Fault::Timeout), faults(Fault::Skipped));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(timeouts >= 1 && skips >= 199, "{timeouts} {skips}");
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_repeating_it() {
    let refused = RedisLink::open(&RedisSettings::at("redis//:secret@host".to_owned().into()));
    let Err(Error::Setup(advice)) = refused.map(|_| ()) else {
        unreachable!("the URL is not one");
    };
    assert!(advice.contains("redis://HOST:PORT") && !advice.contains("secret"));
}

#[tokio::test]
async fn memory_answers_before_anything_else_is_asked() {
    let meter = CacheMeter::default();
    let reads = ReadThrough::new(MemoryCache::new(1_000_000, LIFETIME), None, meter.clone());
    let loads = AtomicU64::new(0);
    for _ in 0..3 {
        let load = async {
            loads.fetch_add(1, Ordering::Relaxed);
            Ok(Some(body(1)))
        };
        assert_eq!(reads.get_or_load(&key(1), load).await.unwrap(), Some(body(1)));
    }
    assert_eq!((loads.into_inner(), meter.loads()), (1, 1));
    assert_eq!(meter.lookups(Layer::Memory, Lookup::Hit), 2);
    let absent = reads.get_or_load(&key(2), async { Ok(None) }).await.unwrap();
    assert_eq!(absent, None);
    let failed = reads.get_or_load(&key(2), async { Err(Error::NotFound) }).await;
    assert!(matches!(failed, Err(Error::NotFound)), "absence is not kept");
}

#[tokio::test]
async fn what_may_be_used_once_is_first_in_one_replica_only() {
    let mut server = RedisServer::start().await;
    let guard = || RedisOnce::new(link_to(&server.url()), &secret()).unwrap();
    let (one, other) = (guard(), guard());
    let keep = Duration::from_millis(300);
    let at_once = futures_util::future::join_all((0..50).map(|number| {
        let guard = if number % 2 == 0 { &one } else { &other };
        guard.first(&[1; 32], keep)
    }));
    let firsts = at_once.await.into_iter().filter(|first| *first.as_ref().unwrap()).count();
    assert_eq!(firsts, 1);
    assert!(one.first(&[2; 32], keep).await.unwrap(), "another key is another matter");
    tokio::time::sleep(keep + Duration::from_millis(50)).await;
    assert!(other.first(&[1; 32], keep).await.unwrap(), "its time is over");
    let names = names(&mut server.connect());
    assert!(names.iter().all(|name| !contains(name.as_bytes(), "AQEBAQEB")), "{names:?}");
    server.kill();
    for _ in 0..3 {
        let unknown = one.first(&[3; 32], keep).await;
        assert!(matches!(unknown, Err(Error::Unavailable(_))), "never first without Redis");
    }
}

#[tokio::test]
async fn many_misses_at_once_make_one_load() {
    let server = RedisServer::start().await;
    let shared = Shared::at(&server.url());
    let reads = shared.reads();
    let loads = AtomicU64::new(0);
    let load = async || {
        loads.fetch_add(1, Ordering::Relaxed);
        Ok(Some(body(1)))
    };
    let one = key(1);
    let all = futures_util::future::join_all((0..100).map(|_| reads.get_or_load(&one, load())));
    for answer in all.await {
        assert_eq!(answer.unwrap(), Some(body(1)));
    }
    assert_eq!((loads.into_inner(), shared.meter.joined()), (1, 99));
    assert_eq!(shared.count(Lookup::Miss), 1, "Redis is asked once too");
}
