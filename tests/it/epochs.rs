//! What a person takes back holds everywhere: on every replica, for pages that are under way, kept
//! pages and tokens, with Redis and without it.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use throughline::app::Config;
use throughline::config::CacheSettings;

use crate::support::charts::{
    client, diagnosis, form, guardian, holding, next, release, revoked, take_in, with,
};
use crate::support::demo::Demo;
use crate::support::postgres;
use crate::support::redis::RedisServer;
use crate::support::server::{Server, spawn_as};

/// Within what it has to hold.
const BOUND: Duration = Duration::from_secs(1);

/// Asks until the answer is one that shows nothing; answers how long that took.
async fn until_closed(server: &Server, token: &str, url: &str, since: Instant) -> Duration {
    loop {
        let answer = server.send(server.request(Method::GET, url).bearer_auth(token)).await;
        let is_closed = match answer.status.as_u16() {
            200 => !answer.text.contains(r#""resourceType":"Condition""#),
            status => matches!(status, 401 | 404),
        };
        if is_closed {
            return since.elapsed();
        }
        assert!(since.elapsed() < Duration::from_secs(5), "{url} still shows {}", answer.text);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The id of the patient of that name.
async fn patient(server: &Server, family: &str) -> String {
    let found = server.get(&format!("Patient?family={family}")).await;
    found.ids().pop().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one story, told twice")]
async fn what_is_taken_back_is_gone_from_every_replica_within_a_second_whatever_redis_does() {
    let database = postgres::shared();
    let mut redis = RedisServer::start().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let (url, at) = (database.migrated(), redis.url());
    let config = Config {
        store: postgres::settings(&url),
        cache: CacheSettings::with_redis(Some(at.clone().into())),
        ..Config::default()
    };
    let writer = spawn_as(data.clone(), config);
    let mut demo = Demo::start_beside(data.path(), &["--database-url", &url, "--redis-url", &at]);
    let said = demo.until("Ctrl-C");
    let other = said.iter().find_map(|line| line.trim().strip_prefix("FHIR base")).unwrap();
    let bases = [writer.base.clone(), other.trim().to_owned()];
    let mut lines = Vec::new();
    for state in ["up", "down"] {
        if state == "down" {
            redis.kill();
        }
        let name = |what: &str| format!("{what}{state}");
        let (one, two, child) = (name("released"), name("restricted"), name("child"));
        let consents = [&one, &two].map(|id| release(id, &format!("con_{id}"), &["diagnosis"]));
        let mother = guardian(&child, &name("Mother"));
        let mut records: Vec<Value> = Vec::new();
        for id in [&one, &two, &child] {
            let born = if *id == child { "2019-05-01" } else { "1980-03-08" };
            records.push(with(client(id, id), json!({"birth_date": born})));
            records.push(diagnosis(id, &format!("dx_{id}a"), "F41.1"));
            records.push(diagnosis(id, &format!("dx_{id}b"), "F32.1"));
        }
        records.extend([&one, &two].map(|id| form(id, &format!("con_{id}"))));
        records.extend(consents.clone());
        records.push(mother.clone());
        take_in(&writer, &records);
        let recipient = writer.of_recipient();
        let of_child = patient(&writer, &child).await;
        let party = writer.get(&format!("RelatedPerson?patient={of_child}")).await.ids().remove(0);
        let proxy = writer.of_person(&format!("RelatedPerson/{party}"), &of_child);
        let restricted = with(
            release(&two, &format!("con_no_{two}"), &["diagnosis"]),
            json!({"decision": "deny", "signed_at": "2026-11-01T00:00:00Z"}),
        );
        let barred = json!([{"kind": "no_records", "from": "2026-01-01"}]);
        let changes = [
            ("a revocation", &one, &recipient, next(revoked(consents[0].clone()), 2)),
            ("a refusal", &two, &recipient, restricted),
            (
                "a right that ended",
                &child,
                &proxy,
                next(with(mother, json!({"restrictions": barred})), 2),
            ),
        ];
        for (what, whose, token, change) in changes {
            let id = patient(&writer, whose).await;
            let mut urls = Vec::new();
            for base in &bases {
                let search = format!("{base}/Condition?patient={id}&_count=1");
                for open in [search.clone(), format!("{base}/Patient/{id}/$everything")] {
                    let answer =
                        writer.send(writer.request(Method::GET, &open).bearer_auth(token)).await;
                    assert!(!answer.ids().is_empty(), "{what}, {open}: {}", answer.text);
                    // A page under way, and what was shown before.
                    urls.extend(answer.link("next"));
                    urls.push(open);
                }
            }
            assert!(urls.len() >= 6, "{urls:?}");
            take_in(&writer, &[change]);
            let since = Instant::now();
            let mut longest = Duration::ZERO;
            for url in &urls {
                longest = longest.max(until_closed(&writer, token, url, since).await);
            }
            assert!(longest < BOUND, "{what} with Redis {state}: {longest:?}");
            lines.push(format!("{what}, Redis {state}: everywhere in {longest:?}\n"));
        }
    }
    let _ = std::io::stderr().write_all(lines.concat().as_bytes());
    let own = writer.all_of(&writer.token).await;
    assert!(holding(&own, "Patient", "childdown").starts_with("Patient/"));
    demo.stop();
}
