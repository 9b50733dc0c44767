//! The caches: what is in Redis says nothing, and whatever Redis does, every answer is right.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::Commands;
use throughline::cache::{Cache, CacheKey, CacheSecret, MemoryCache, ReadThrough, RedisCache};
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

async fn load(id: usize) -> Result<Option<Arc<[u8]>>> {
    Ok(Some(body(id)))
}

fn cache_at(url: &str) -> RedisCache {
    RedisCache::new(url, &CacheSecret::new([7; 32]), LIFETIME).unwrap()
}

/// Redis with nothing in front of it, so that every read asks it.
fn through(cache: &RedisCache) -> ReadThrough {
    ReadThrough::new(MemoryCache::new(0, Duration::ZERO), Some(Arc::new(cache.clone())))
}

fn connect(server: &RedisServer) -> redis::Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

/// Reads entries until they are in Redis; putting happens aside of the reads.
async fn fill(server: &RedisServer, reads: &ReadThrough, entries: usize) -> redis::Connection {
    for id in 0..entries {
        reads.get_or_load(&key(id), load(id)).await.unwrap();
    }
    let mut connection = connect(server);
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
    let Some(server) = RedisServer::start().await else { return };
    let cache = cache_at(&server.url());
    let mut connection = fill(&server, &through(&cache), 50).await;
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
    let Some(server) = RedisServer::start().await else { return };
    let cache = cache_at(&server.url());
    let reads = through(&cache);
    let mut connection = fill(&server, &reads, 5).await;
    let names = names(&mut connection);
    let values: Vec<Vec<u8>> = names.iter().map(|name| connection.get(name).unwrap()).collect();
    let mut flipped = values[0].clone();
    *flipped.last_mut().unwrap() ^= 1;
    let planted: [&[u8]; 5] =
        [&flipped, &values[0], &values[2][..values[2].len() / 2], br#"{"id":"0"}"#, b""];
    for (name, value) in names.iter().zip(planted) {
        let _: () = connection.set(name, value).unwrap();
    }
    let before = cache.counts();
    for id in 0..5 {
        assert_eq!(cache.get(&key(id)).await, None);
    }
    assert_eq!(cache.counts().refused, before.refused + 5);
    for id in 0..5 {
        assert_eq!(reads.get_or_load(&key(id), load(id)).await.unwrap(), Some(body(id)));
    }
}

#[tokio::test]
async fn another_installation_reads_nothing() {
    let Some(server) = RedisServer::start().await else { return };
    let _connection = fill(&server, &through(&cache_at(&server.url())), 3).await;
    let other = RedisCache::new(&server.url(), &CacheSecret::new([8; 32]), LIFETIME).unwrap();
    for id in 0..3 {
        assert_eq!(other.get(&key(id)).await, None);
    }
    assert_eq!(other.counts().misses, 3, "not even the names are the same");
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
    let Some(mut server) = RedisServer::start().await else { return };
    let cache = cache_at(&server.url());
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> =
        (0..8).map(|seed| tokio::spawn(reader(through(&cache), seed, stop.clone()))).collect();
    let pause = |millis| tokio::time::sleep(Duration::from_millis(millis));
    for _ in 0..2 {
        let hits = cache.counts().hits;
        let deadline = Instant::now() + Duration::from_secs(20);
        while cache.counts().hits < hits + 500 {
            assert!(Instant::now() < deadline, "hits do not come back: {:?}", cache.counts());
            pause(20).await;
        }
        let skipped = cache.counts().skipped;
        server.kill();
        pause(700).await;
        assert!(cache.counts().skipped > skipped + 1_000, "reads go on without Redis");
        assert!(server.start_again().await);
    }
    let hits = cache.counts().hits;
    pause(3_000).await;
    assert!(cache.counts().hits > hits, "{:?}", cache.counts());
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        let longest = reader.await.unwrap();
        assert!(longest < Duration::from_secs(2), "a read took {longest:?}");
    }
}

#[tokio::test]
async fn a_redis_that_never_answers_is_waited_for_once() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let cache = cache_at(&format!("redis://{}", silent.local_addr().unwrap()));
    let reads = through(&cache);
    let started = Instant::now();
    for id in 0..200 {
        assert_eq!(reads.get_or_load(&key(id), load(id)).await.unwrap(), Some(body(id)));
    }
    let counts = cache.counts();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(counts.failures >= 1 && counts.skipped >= 199, "{counts:?}");
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_repeating_it() {
    let refused = RedisCache::new("redis//:secret@host", &CacheSecret::new([7; 32]), LIFETIME);
    let Err(Error::Setup(advice)) = refused.map(|_| ()) else {
        unreachable!("the URL is not one");
    };
    assert!(advice.contains("redis://HOST:PORT") && !advice.contains("secret"));
}

#[tokio::test]
async fn memory_answers_before_anything_else_is_asked() {
    let reads = ReadThrough::new(MemoryCache::new(1_000_000, LIFETIME), None);
    let loads = AtomicU64::new(0);
    for _ in 0..3 {
        let load = async {
            loads.fetch_add(1, Ordering::Relaxed);
            Ok(Some(body(1)))
        };
        assert_eq!(reads.get_or_load(&key(1), load).await.unwrap(), Some(body(1)));
    }
    assert_eq!(loads.into_inner(), 1);
    let absent = reads.get_or_load(&key(2), async { Ok(None) }).await.unwrap();
    assert_eq!(absent, None);
    let failed = reads.get_or_load(&key(2), async { Err(Error::NotFound) }).await;
    assert!(matches!(failed, Err(Error::NotFound)), "absence is not kept");
}
