//! Whatever happens to Redis, every read is answered, with the current version, and soon.

use std::sync::Arc;
use std::time::Duration;

use throughline::config::{CacheSettings, RedisSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::readers::Readers;
use crate::support::redis::RedisServer;
use crate::support::server::spawn_on;

/// A server that keeps nothing in process, so that every read asks Redis.
fn readers_over(redis: RedisSettings) -> Readers {
    let settings = CacheSettings { memory_mb: 0, redis: Some(redis), ..CacheSettings::default() };
    Readers::start(spawn_on(Arc::new(tempfile::tempdir().unwrap()), settings))
}

fn readers_at(url: String) -> Readers {
    readers_over(RedisSettings::at(url.into()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_and_comes_back_costs_no_answer() {
    let mut redis = RedisServer::start().await;
    let readers = readers_at(redis.url());
    for _ in 0..2 {
        readers.until_redis_is_used().await;
        redis.kill();
        readers.go_on(200).await;
        assert!(redis.start_again().await);
    }
    readers.until_redis_is_used().await;
    readers.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_paused_does_not_hold_reads_up() {
    let redis = RedisServer::start().await;
    let readers = readers_at(redis.url());
    readers.until_redis_is_used().await;
    redis.pause();
    readers.go_on(500).await;
    assert!(readers.faults("timeout") >= 1);
    assert_eq!(readers.server().metric("redis_up"), 0);
    assert!(readers.faults("skipped") > 100, "it is waited for now and then only");
    redis.resume();
    readers.until_redis_is_used().await;
    assert_eq!(readers.server().metric("redis_up"), 1);
    readers.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_full_is_still_read_and_written_to_once_there_is_room() {
    let redis = RedisServer::start().await;
    let readers = readers_at(redis.url());
    readers.until_redis_is_used().await;
    let limit = |bytes: &str| {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("maxmemory").arg(bytes).exec(&mut redis.connect()).unwrap();
    };
    limit("1");
    readers.until("Redis says that it is full", || readers.faults("full") >= 1).await;
    let (refused, misses) = (readers.faults("full"), misses(&readers));
    readers.go_on(500).await;
    let (refused, misses) = (readers.faults("full") - refused, self::misses(&readers) - misses);
    assert!(refused < misses / 2, "{misses} misses, but {refused} puts that cannot succeed");
    assert_eq!(readers.server().metric("redis_up"), 1, "what is there is still read");
    limit("0");
    readers.until_redis_is_used().await;
    readers.end().await;
}

fn misses(readers: &Readers) -> u64 {
    readers.server().metric(r#"cache_lookups_total{layer="redis",outcome="miss"}"#)
}

/// Passes on what comes from `from`, half a second later.
async fn late(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_slow_is_left_alone() {
    let redis = RedisServer::start().await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, behind) = (format!("redis://{}", proxy.local_addr().unwrap()), redis.address());
    tokio::spawn(async move {
        while let Ok((client, _)) = proxy.accept().await {
            let Ok(server) = TcpStream::connect(&behind).await else { continue };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(late(from_client, to_server));
            tokio::spawn(late(from_server, to_client));
        }
    });
    let readers = readers_at(url);
    readers.go_on(500).await;
    assert!(readers.faults("timeout") >= 1);
    assert!(readers.faults("skipped") > 400, "trials are not the requests' business");
    assert_eq!(readers.hits(), 0);
    readers.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_costs_no_answer_and_the_right_one_is_read_from_a_file() {
    let redis = RedisServer::start_with(&["--requirepass", "right"]).await;
    let readers = readers_at(format!("redis://:wrong@{}", redis.address()));
    readers.go_on(100).await;
    assert!(readers.faults("refused") >= 1);
    assert_eq!(readers.hits(), 0);
    readers.end().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "right\n").unwrap();
    let readers = readers_over(RedisSettings {
        password_file: Some(file.path().to_owned()),
        ..RedisSettings::at(redis.url().into())
    });
    readers.until_redis_is_used().await;
    readers.end().await;
}
