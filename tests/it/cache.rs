//! The caches: what is in Redis says nothing, and whatever Redis does, every answer is right.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::Commands;
use throughline::cache::{
    Cache, CacheKey, CacheSecret, Fault, MemoryCache, Once, ReadThrough, RedisCache, RedisLink,
    RedisOnce,
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

fn load(id: usize) -> impl Fn() -> Result<Option<Arc<[u8]>>> {
    move || Ok(Some(body(id)))
}

fn link_to(url: &str) -> RedisLink {
    RedisLink::open(&RedisSettings::at(url.to_owned().into())).unwrap()
}

fn secret() -> CacheSecret {
    CacheSecret::new([7; 32])
}

fn cache_over(link: &RedisLink) -> RedisCache {
    RedisCache::new(link.clone(), &secret(), LIFETIME)
}

fn cache_at(url: &str) -> RedisCache {
    cache_over(&link_to(url))
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
    let huge = vec![1; 8 * 1024 * 1024];
    let planted: [&[u8]; 5] =
        [&flipped, &values[0], &values[2][..values[2].len() / 2], br#"{"id":"0"}"#, &huge];
    for (name, value) in names.iter().zip(planted) {
        let _: () = connection.set(name, value).unwrap();
    }
    let before = cache.counts();
    for id in 0..5 {
        assert_eq!(cache.get(&key(id)).await, None);
    }
    let counts = cache.counts();
    assert_eq!(counts.refused, before.refused + 5);
    assert!(counts.bytes_read < before.bytes_read + 2 * 1024 * 1024, "not all of the huge one");
    for id in 0..5 {
        assert_eq!(reads.get_or_load(&key(id), load(id)).await.unwrap(), Some(body(id)));
    }
}

#[tokio::test]
async fn another_installation_reads_nothing() {
    let Some(server) = RedisServer::start().await else { return };
    let _connection = fill(&server, &through(&cache_at(&server.url())), 3).await;
    let other = RedisCache::new(link_to(&server.url()), &CacheSecret::new([8; 32]), LIFETIME);
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
    let link = link_to(&server.url());
    let cache = cache_over(&link);
    let skips = || link.faults().of(Fault::Skipped);
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
        let skipped = skips();
        server.kill();
        pause(700).await;
        assert!(skips() > skipped + 1_000, "reads go on without Redis");
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
    let link = link_to(&format!("redis://{}", silent.local_addr().unwrap()));
    let reads = through(&cache_over(&link));
    let started = Instant::now();
    for id in 0..200 {
        assert_eq!(reads.get_or_load(&key(id), load(id)).await.unwrap(), Some(body(id)));
    }
    let (timeouts, skips) = (link.faults().of(Fault::Timeout), link.faults().of(Fault::Skipped));
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
    let reads = ReadThrough::new(MemoryCache::new(1_000_000, LIFETIME), None);
    let loads = AtomicU64::new(0);
    for _ in 0..3 {
        let load = || {
            loads.fetch_add(1, Ordering::Relaxed);
            Ok(Some(body(1)))
        };
        assert_eq!(reads.get_or_load(&key(1), load).await.unwrap(), Some(body(1)));
    }
    assert_eq!(loads.into_inner(), 1);
    let absent = reads.get_or_load(&key(2), || Ok(None)).await.unwrap();
    assert_eq!(absent, None);
    let failed = reads.get_or_load(&key(2), || Err(Error::NotFound)).await;
    assert!(matches!(failed, Err(Error::NotFound)), "absence is not kept");
}

#[tokio::test]
async fn what_may_be_used_once_is_first_in_one_replica_only() {
    let Some(mut server) = RedisServer::start().await else { return };
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
    let names = names(&mut connect(&server));
    assert!(names.iter().all(|name| !contains(name.as_bytes(), "AQEBAQEB")), "{names:?}");
    server.kill();
    for _ in 0..3 {
        let unknown = one.first(&[3; 32], keep).await;
        assert!(matches!(unknown, Err(Error::Unavailable)), "never first without Redis");
    }
}
