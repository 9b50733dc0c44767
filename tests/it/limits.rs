//! Rate limits: each client has its quota, on all replicas together where they share a Redis.

use std::sync::Arc;

use reqwest::Method;
use throughline::config::{CacheSettings, LimitSettings, RedisSettings};

use crate::support::redis::RedisServer;
use crate::support::server::{Answer, Server, spawn, spawn_limited};

/// A quota of 20 units, which flow back so slowly that none comes back during a test.
fn limits() -> LimitSettings {
    LimitSettings { quota: 20, address_quota: 3, window_s: 36_000, ..LimitSettings::default() }
}

fn server(limits: LimitSettings) -> Server {
    spawn_limited(Arc::new(tempfile::tempdir().unwrap()), CacheSettings::default(), limits)
}

fn fields(answer: &Answer) -> (&str, &str) {
    (answer.header("ratelimit-policy"), answer.header("ratelimit"))
}

#[tokio::test]
async fn a_client_that_asks_for_more_than_its_quota_is_told_to_wait() {
    let server = server(limits());
    for left in (0..4).map(|asked| 15 - 5 * asked) {
        let answer = server.get("Patient").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let (policy, rest) = fields(&answer);
        assert_eq!(policy, r#""client";q=20;w=36000"#);
        assert!(rest.starts_with(&format!(r#""client";r={left};t="#)), "a search costs 5: {rest}");
    }
    let refused = server.get("Patient/none").await;
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1_700..=1_800).contains(&seconds), "one unit in half an hour: {seconds}");
    assert!(fields(&refused).1.starts_with(r#""client";r=0;t="#));
    let (status, code, text) = refused.refusal();
    assert_eq!((status, code.as_str()), (429, "throttled"));
    assert!(text.contains("quota") && text.contains("seconds"), "{text}");
    assert_eq!(refused.header("cache-control"), "no-store");
    let allowed = r#"rate_limit_requests_total{scope="process",outcome="allowed"}"#;
    let limited = r#"rate_limit_requests_total{scope="process",outcome="limited"}"#;
    assert_eq!((server.metric(allowed), server.metric(limited)), (4, 1));
}

#[tokio::test]
async fn a_client_can_have_a_quota_of_its_own_and_another_tenant_has_another_account() {
    let mut limits = limits();
    limits.clients.insert("test".to_owned(), 2);
    let server = server(limits);
    for status in [404, 404, 429] {
        assert_eq!(server.get("Patient/none").await.status, status);
    }
    let token = server.token_for("other", &["system/*.rs"]);
    let request = server.request(Method::GET, "Patient/none").bearer_auth(token);
    assert_eq!(server.send(request).await.status, 404);
}

#[tokio::test]
async fn whoever_has_no_good_token_is_limited_by_address() {
    let server = server(limits());
    let metadata = server.send(server.request(Method::GET, "metadata")).await;
    assert_eq!(metadata.status, 200);
    assert_eq!(fields(&metadata).0, r#""address";q=3;w=36000"#);
    for status in [401, 401, 429, 429] {
        let request = server.request(Method::GET, "Patient/p1").bearer_auth("guessed");
        assert_eq!(server.send(request).await.refusal().0, status);
    }
    assert_eq!(server.get("Patient/none").await.status, 404, "a good token is not held up by it");
}

#[tokio::test]
async fn without_limits_nothing_is_counted_or_said() {
    let server = spawn();
    for _ in 0..30 {
        let answer = server.get("Patient").await;
        assert_eq!((answer.status.as_u16(), fields(&answer)), (200, ("", "")));
    }
}

#[tokio::test]
async fn replicas_count_together_and_each_for_itself_while_redis_is_down() {
    let mut redis = RedisServer::start().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let cache = CacheSettings::with_redis(Some(redis.url().into()));
    let replica = || spawn_limited(data.clone(), cache.clone(), limits());
    let (one, other) = (replica(), replica());
    let mut allowed = 0;
    for number in 0..30 {
        let server = if number % 3 == 0 { &one } else { &other };
        allowed += u32::from(server.get("Patient/none").await.status == 404);
    }
    assert_eq!(allowed, 20, "one quota for both");
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis.connect()).unwrap();
    let keys: Vec<_> = keys.iter().filter(|key| key.contains(":limit:")).collect();
    assert_eq!(keys.len(), 1);
    assert!(!keys[0].contains("test") && !keys[0].contains("hv"), "{keys:?}");
    let left: i64 = redis::cmd("PTTL").arg(keys[0]).query(&mut redis.connect()).unwrap();
    assert!((1..=36_001_000).contains(&left), "it expires: {left}");
    redis.kill();
    // What Redis said last holds until it is over; a client that it said nothing about is new.
    assert_eq!(one.get("Patient/none").await.status, 429);
    let token = one.token_for("other", &["system/*.rs"]);
    for server in [&one, &other] {
        for status in [200, 200, 200, 200, 429] {
            let request = server.request(Method::GET, "Patient").bearer_auth(&token);
            assert_eq!(server.send(request).await.status, status, "each has a quota");
        }
        let process = r#"rate_limit_requests_total{scope="process",outcome="limited"}"#;
        assert_eq!(server.metric(process), 1);
    }
}

#[tokio::test]
async fn a_quota_that_somebody_put_into_redis_does_not_lock_a_client_out_for_ever() {
    let redis = RedisServer::start().await;
    let settings = CacheSettings {
        redis: Some(RedisSettings::at(redis.url().into())),
        ..CacheSettings::default()
    };
    let limits = LimitSettings { window_s: 2, ..limits() };
    let server = spawn_limited(Arc::new(tempfile::tempdir().unwrap()), settings, limits);
    assert_eq!(server.get("Patient/none").await.status, 404);
    let mut connection = redis.connect();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*:limit:*").query(&mut connection).unwrap();
    for (planted, status) in [("9999999999999999", 429), ("not a number", 404)] {
        redis::cmd("SET").arg(&keys[0]).arg(planted).exec(&mut connection).unwrap();
        let answer = server.get("Patient/none").await;
        assert_eq!(answer.status, status, "{planted}");
        if status == 429 {
            let wait: u64 = answer.header("retry-after").parse().unwrap();
            assert!(wait <= 2, "{wait}");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }
}
