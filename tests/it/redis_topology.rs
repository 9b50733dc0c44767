//! Redis behind Sentinels, as a Cluster, and behind TLS.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use throughline::config::{CacheSettings, RedisSettings};

use crate::support::readers::Readers;
use crate::support::redis::{MASTER, RedisServer};
use crate::support::server::spawn_on;

/// A server that keeps nothing in process, so that every read asks Redis.
fn readers_over(redis: RedisSettings) -> Readers {
    let settings = CacheSettings { memory_mb: 0, redis: Some(redis), ..CacheSettings::default() };
    Readers::start(spawn_on(Arc::new(tempfile::tempdir().unwrap()), settings))
}

/// The addresses of servers, as in a URL.
fn addresses(servers: &[RedisServer]) -> String {
    servers.iter().map(RedisServer::address).collect::<Vec<_>>().join(",")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cache_follows_the_master_that_sentinels_name() {
    let mut master = RedisServer::start().await;
    let port = master.port().to_string();
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &port]).await;
    replica
        .wait_until(|replica| {
            let mut info = redis::cmd("INFO");
            let info: String = info.arg("replication").query(&mut replica.connect()).unwrap();
            info.contains("master_link_status:up")
        })
        .await;
    let mut sentinels: Vec<RedisServer> = Vec::new();
    for _ in 0..3 {
        sentinels.push(RedisServer::start_sentinel(&master).await);
    }
    for sentinel in &sentinels {
        sentinel.wait_until(|sentinel| knows(sentinel, "num-slaves", 1)).await;
        sentinel.wait_until(|sentinel| knows(sentinel, "num-other-sentinels", 2)).await;
    }
    let url = format!("redis+sentinel://{}/{MASTER}", addresses(&sentinels));
    let readers = readers_over(RedisSettings::at(url.into()));
    readers.until_redis_is_used().await;
    // One that is gone is not needed to find the master.
    sentinels[0].kill();
    master.kill();
    readers.go_on(200).await;
    readers.until_redis_is_used().await;
    let keys: usize = redis::cmd("DBSIZE").query(&mut replica.connect()).unwrap();
    assert!(keys > 0, "the replica is the master now");
    readers.end().await;
}

/// Whether a Sentinel knows so many of something about the master.
fn knows(sentinel: &RedisServer, what: &str, number: usize) -> bool {
    let mut ask = redis::cmd("SENTINEL");
    let about: std::collections::HashMap<String, String> =
        ask.arg("MASTER").arg(MASTER).query(&mut sentinel.connect()).unwrap();
    about.get(what).is_some_and(|found| *found == number.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_of_a_cluster_are_one_cache() {
    let mut nodes = RedisServer::start_cluster(3).await;
    // The others are found through the first.
    let url = format!("redis+cluster://{}", nodes[0].address());
    let readers = readers_over(RedisSettings::at(url.into()));
    readers.until_redis_is_used().await;
    for node in &nodes {
        node.wait_until(|node| {
            redis::cmd("DBSIZE").query::<usize>(&mut node.connect()).unwrap() > 0
        })
        .await;
    }
    nodes[1].kill();
    readers.go_on(300).await;
    assert!(nodes[1].start_again().await);
    readers.until_redis_is_used().await;
    readers.end().await;
}

/// Makes an authority and a certificate for 127.0.0.1 in a folder; false without `openssl`.
fn certify(folder: &Path) -> bool {
    let steps = [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test \
         -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem",
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=redis \
         -keyout redis.key -out redis.csr",
        "x509 -req -in redis.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
         -extfile names -out redis.pem",
    ];
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1").unwrap();
    steps.iter().all(|step| {
        let arguments = step.split_whitespace();
        let made = Command::new("openssl").args(arguments).current_dir(folder).output();
        made.is_ok_and(|made| made.status.success())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_used_with_a_trusted_authority_only() {
    let folder = tempfile::tempdir().unwrap();
    assert!(certify(folder.path()), "openssl is missing: tests/run installs it");
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let (key, certificate, authority) = (file("redis.key"), file("redis.pem"), file("ca.pem"));
    let options = [
        ["--tls-port", &port],
        ["--tls-key-file", &key],
        ["--tls-cert-file", &certificate],
        ["--tls-ca-cert-file", &authority],
        ["--tls-auth-clients", "no"],
    ];
    let _redis = RedisServer::start_with(options.as_flattened()).await;
    let settings = RedisSettings::at(format!("rediss://127.0.0.1:{port}").into());
    let readers = readers_over(settings.clone());
    readers.go_on(100).await;
    assert!(readers.faults("unreachable") >= 1, "nobody vouches for it");
    assert_eq!(readers.hits(), 0);
    readers.end().await;
    let trusting = RedisSettings { ca_file: Some(authority.into()), ..settings };
    let readers = readers_over(trusting);
    readers.until_redis_is_used().await;
    readers.end().await;
}
