//! What replicas keep for a moment, and forget when one of them tells that something changed.

use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use throughline::cache::{CacheSecret, Changes, Fresh, RedisLink, Scope};
use throughline::config::RedisSettings;

use crate::support::redis::RedisServer;

/// A replica that keeps what it read of the one thing that there is.
struct Replica {
    changes: Changes,
    kept: Fresh<&'static str, u64>,
    scope: Scope,
    stored: Arc<AtomicU64>,
}

impl Replica {
    fn start(url: &str, stored: &Arc<AtomicU64>) -> Self {
        let link = RedisLink::open(&RedisSettings::at(url.to_owned().into())).unwrap();
        let changes = Changes::new(Some(link), &CacheSecret::new([7; 32])).unwrap();
        let listening = changes.clone();
        tokio::spawn(async move { listening.listen().await });
        let patient = "patient".parse().unwrap();
        let scope = changes.scope(&"hv".parse().unwrap(), Some(&patient));
        let kept = Fresh::new(changes.clone(), 100);
        Self { changes, kept, scope, stored: stored.clone() }
    }

    fn read(&self) -> u64 {
        let store = || Ok::<_, Infallible>(self.stored.load(Ordering::Acquire));
        self.kept.get_or_make("key", &self.scope, store).unwrap()
    }

    fn write(&self, value: u64) {
        self.stored.store(value, Ordering::Release);
        self.changes.tell(&self.scope);
    }
}

/// How long it takes, at most, until one replica reads what the other wrote.
async fn longest(writer: &Replica, reader: &Replica, changes: u64) -> Duration {
    let mut longest = Duration::ZERO;
    for _ in 0..changes {
        let value = reader.read() + 1;
        // So that what is kept is of any age.
        tokio::time::sleep(Duration::from_millis(37 * value % 200)).await;
        reader.read();
        let changed = Instant::now();
        writer.write(value);
        assert_eq!(writer.read(), value, "who writes sees it at once");
        while reader.read() != value {
            assert!(changed.elapsed() < Duration::from_secs(1), "longer than promised");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        longest = longest.max(changed.elapsed());
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_one_replica_is_known_to_the_others_within_a_second_whatever_redis_does() {
    let mut redis = RedisServer::start().await;
    let stored = Arc::new(AtomicU64::new(0));
    let (writer, reader) =
        (Replica::start(&redis.url(), &stored), Replica::start(&redis.url(), &stored));
    let subscribers = |redis: &RedisServer| {
        let mut channels = redis::cmd("PUBSUB");
        let channels: Vec<String> = channels.arg("CHANNELS").query(&mut redis.connect()).unwrap();
        let mut count = redis::cmd("PUBSUB");
        let count: Vec<(String, usize)> =
            count.arg("NUMSUB").arg(channels).query(&mut redis.connect()).unwrap();
        count.first().map_or(0, |(_, subscribers)| *subscribers)
    };
    redis.wait_until(|redis| subscribers(redis) == 2).await;
    // The first trip makes the connection.
    writer.write(1);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let told = longest(&writer, &reader, 20).await;
    redis.pause();
    let paused = longest(&writer, &reader, 5).await;
    redis.kill();
    let down = longest(&writer, &reader, 5).await;
    assert!(redis.start_again().await);
    redis.wait_until(|redis| subscribers(redis) == 2).await;
    let line = format!("known after: Redis up {told:?}, paused {paused:?}, down {down:?}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    assert!(told < paused.max(down), "messages are faster than age");
}
