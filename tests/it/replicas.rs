//! Several processes on one store and one Redis: what one commits, the others serve.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use throughline::config::CacheSettings;

use crate::support::demo::Demo;
use crate::support::redis::RedisServer;
use crate::support::server::{Server, TENANT, spawn_on};

/// What a resource is after so many changes.
fn store(server: &Server, version: u32) {
    let patient = json!({
        "resourceType": "Patient", "id": "replicated",
        "meta": {"versionId": format!("{version}-aa"), "lastUpdated": "2026-11-01T10:00:00Z"},
        "name": [{"family": format!("Okafor {version}")}]
    });
    server.store(TENANT, "cl_replicated", &[patient]);
}

/// The base of a demo that has started.
fn base(demo: &mut Demo) -> String {
    let said = demo.until("Ctrl-C");
    let base = said.iter().find_map(|line| line.trim().strip_prefix("FHIR base"));
    base.unwrap().trim().to_owned()
}

async fn version_at(base: &str, server: &Server) -> String {
    let request = server.ask(Method::GET, &format!("{base}/Patient/replicated"));
    let answer = server.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let patient = answer.json();
    let version = patient["meta"]["versionId"].as_str().unwrap().strip_suffix("-aa").unwrap();
    assert_eq!(patient["name"][0]["family"], format!("Okafor {version}"), "one version's bytes");
    version.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_commits_is_what_every_other_serves_next_whatever_redis_does() {
    let mut redis = RedisServer::start().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let url = redis.url();
    let mut demo = Demo::start_beside(data.path(), &["--redis-url", &url]);
    let first = base(&mut demo);
    let writer = spawn_on(data.clone(), CacheSettings::with_redis(Some(url.into())));
    let bases = [first, writer.base.clone()];
    let (mut version, mut lines) = (0, Vec::new());
    for state in ["up", "paused", "down"] {
        match state {
            "paused" => redis.pause(),
            "down" => redis.kill(),
            _ => {}
        }
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            version += 1;
            store(&writer, version);
            let committed = Instant::now();
            // Twice, so that what is kept of this version is there when the next one comes.
            for base in bases.iter().chain(&bases) {
                assert_eq!(
                    version_at(base, &writer).await,
                    version.to_string(),
                    "Redis is {state}"
                );
            }
            longest = longest.max(committed.elapsed() / 4);
        }
        lines.push(format!("Redis {state}: served at the first request, in {longest:?} at most"));
    }
    let _ = std::io::stderr().write_all(lines.join("\n").as_bytes());
    demo.stop();
}

#[tokio::test]
async fn what_one_replica_read_the_other_finds_in_redis() {
    let redis = RedisServer::start().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let cache = CacheSettings::with_redis(Some(redis.url().into()));
    let (one, other) = (spawn_on(data.clone(), cache.clone()), spawn_on(data.clone(), cache));
    store(&one, 1);
    assert_eq!(version_at(&one.base, &one).await, "1");
    redis.wait_until(|redis| !redis.dump().is_empty()).await;
    assert_eq!(version_at(&other.base, &other).await, "1");
    let count =
        |server: &Server, labels: &str| server.metric(&format!("cache_lookups_total{{{labels}}}"));
    let hits = r#"layer="redis",outcome="hit""#;
    assert_eq!((count(&one, hits), count(&other, hits)), (0, 1));
    assert_eq!((one.metric("cache_loads_total"), other.metric("cache_loads_total")), (1, 0));
    assert_eq!(version_at(&other.base, &other).await, "1");
    assert_eq!(count(&other, r#"layer="memory",outcome="hit""#), 1, "and keeps it in process");
}
