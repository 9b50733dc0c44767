//! How long an answer takes says nothing about what is withheld.
//!
//! What is withheld and what never was are asked for in pairs, one right after the other and in an
//! order that chance decides, over one connection. Of each pair the difference counts, so that a
//! machine that is slow for a while is slow for both. Wilcoxon's signed-rank test says whether the
//! differences lean to one side: it looks at ranks, and not at how large an outlier is. A lean is
//! believed when it is found twice, on the same side, each with |z| over [`SURE`]; by chance that
//! happens to one run in some hundred million. The same test has to find the difference between
//! what is there and what never was, or it would find nothing.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use throughline::config::Sources;
use throughline::domain::Kind;

use crate::support::charts::{client, diagnosis, form, holding, note, release, staff, take_in};
use crate::support::server::{Server, spawn_with};

/// Tries of each kind of question, half of them about what is withheld.
const TRIES: usize = 2_000;

/// How far from nothing the test's statistic has to be: one in ten thousand by chance.
const SURE: f64 = 3.9;

/// How many are withheld, and how many never were; one alone could be slow for a reason of its own.
const PEOPLE: usize = 5;

/// Numbers that look like chance, and are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(limit)).unwrap()
    }

    fn one_of<'a>(&mut self, paths: &'a [String]) -> &'a str {
        &paths[self.below(u32::try_from(paths.len()).unwrap()) as usize]
    }
}

/// A practice of which one client released diagnoses, and the others nothing.
struct Clock {
    server: Server,
    token: String,
    chance: Chance,
}

/// The paths of a question, about some that are asked in turn with others.
struct Question {
    name: &'static str,
    about: Vec<String>,
    never: Vec<String>,
}

impl Clock {
    async fn took(&self, path: &str, status: u16) -> Duration {
        let request = self.server.request(Method::GET, path).bearer_auth(&self.token);
        let start = Instant::now();
        let answer = request.send().await.unwrap();
        let found = answer.status().as_u16();
        answer.bytes().await.unwrap();
        let took = start.elapsed();
        assert_eq!(found, status, "{path}");
        took
    }

    /// The statistic of the signed ranks of the differences: how many standard deviations they lean,
    /// to the slow side of what is there if it is above nothing. And the middle difference.
    async fn lean(&mut self, question: &Question, statuses: [u16; 2]) -> (f64, f64) {
        let mut differences = Vec::with_capacity(TRIES / 2);
        for _ in 0..TRIES / 2 {
            let about = self.chance.one_of(&question.about);
            let never = self.chance.one_of(&question.never);
            let (there, not) = if self.chance.below(2) == 0 {
                let there = self.took(about, statuses[0]).await;
                (there, self.took(never, statuses[1]).await)
            } else {
                let not = self.took(never, statuses[1]).await;
                (self.took(about, statuses[0]).await, not)
            };
            differences.push(there.as_secs_f64() - not.as_secs_f64());
        }
        let z = signed_ranks(&differences);
        differences.sort_by(f64::total_cmp);
        (z, differences[differences.len() / 2] * 1e6)
    }
}

/// Wilcoxon's statistic, as a normal deviate.
fn signed_ranks(differences: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let mut sum = 0.0;
    let mut squares = 0.0;
    let mut before = 0.0;
    // those that are alike share the middle of their ranks
    for alike in sorted.chunk_by(|a, b| a.abs().total_cmp(&b.abs()).is_eq()) {
        let count = f64::from(u32::try_from(alike.len()).unwrap());
        let rank = before + f64::midpoint(count, 1.0);
        sum += alike.iter().map(|difference| rank * difference.signum()).sum::<f64>();
        squares += count * rank * rank;
        before += count;
    }
    if squares > 0.0 { sum / squares.sqrt() } else { 0.0 }
}

#[test]
fn the_test_finds_a_lean_and_nothing_where_there_is_none() {
    let mut chance = Chance(7);
    let noise: Vec<f64> = (0..1_000).map(|_| f64::from(chance.below(2_001)) - 1_000.0).collect();
    assert!(signed_ranks(&noise).abs() < SURE);
    let leaning: Vec<f64> = noise.iter().map(|d| d + 150.0).collect();
    assert!(signed_ranks(&leaning) > SURE);
    let other: Vec<f64> = leaning.iter().map(|d| -d).collect();
    assert!((signed_ranks(&leaning) + signed_ranks(&other)).abs() < 1e-9);
    assert!(signed_ranks(&[0.0, 1.0, -1.0]).abs() < 1e-9);
}

fn records() -> Vec<Value> {
    let mut all = staff();
    all.extend([client("open", "Open"), diagnosis("open", "dx_open", "F41.1")]);
    all.extend([form("open", "con_1"), release("open", "con_1", &["diagnosis"])]);
    for number in 0..PEOPLE {
        let id = format!("cl_{number}");
        all.push(client(&id, &format!("Silent{number}")));
        all.push(diagnosis(&id, &format!("dx_{number}"), "F32.1"));
        all.push(note(&id, &format!("note_{number}"), "progress", "signed"));
    }
    all
}

#[tokio::test]
async fn no_answer_takes_longer_for_what_is_withheld_than_for_what_never_was() {
    let server = spawn_with(|_| Sources::default());
    take_in(&server, &records());
    let own = server.all_of(&server.token).await;
    let ids = server.app.keys().id_key().tenant(&"hv".parse().unwrap());
    let is_of = |name: &str, key: &&String| key.starts_with(&format!("{name}/"));
    let silent = ids.id(Kind::Diagnosis, "dx_open").to_string();
    let conditions: Vec<&String> =
        own.keys().filter(|key| is_of("Condition", key) && !key.ends_with(&silent)).collect();
    let released = holding(&own, "Patient", "Open");
    let is_withheld = |document: &Value| document["subject"]["reference"] != released.as_str();
    let binaries: Vec<String> = own
        .iter()
        .filter(|(key, document)| is_of("DocumentReference", key) && is_withheld(document))
        .flat_map(|(_, document)| crate::cases::urls(document))
        .collect();
    assert_eq!((conditions.len(), binaries.len()), (PEOPLE, PEOPLE));
    let nobody = |name: &str| -> Vec<String> {
        let id = |n| ids.id(Kind::Diagnosis, &format!("no_{n}"));
        (0..PEOPLE).map(|n| format!("{name}/{}", id(n))).collect()
    };
    let by_id = |key: &str| format!("Condition?_id={}", key.rsplit('/').next().unwrap());
    let versioned = |key: &str, all: &Value| {
        format!("{key}/_history/{}", all["meta"]["versionId"].as_str().unwrap())
    };
    let of_nobody = |key: String| versioned(&key, &own[conditions[0]]);
    let never = nobody("Condition");
    let there = vec![holding(&own, "Condition", "F41.1")];
    let open = Question { name: "what is there", about: there, never: never.clone() };
    let about = conditions.iter().map(|key| (*key).clone()).collect();
    let questions = [
        Question { name: "read", about, never },
        Question {
            name: "vread",
            about: conditions.iter().map(|key| versioned(key, &own[*key])).collect(),
            never: nobody("Condition").into_iter().map(of_nobody).collect(),
        },
        Question {
            name: "search",
            about: conditions.iter().map(|key| by_id(key)).collect(),
            never: nobody("Condition").iter().map(|key| by_id(key)).collect(),
        },
        Question { name: "Binary", about: binaries, never: nobody("Binary") },
    ];
    let chance = Chance(0x2545_f491_4f6c_dd1d);
    let mut clock = Clock { token: server.of_recipient(), server, chance };
    let (z, middle) = clock.lean(&open, [200, 404]).await;
    assert!(z > SURE, "{}: {z:.1}, {middle:.0} µs: the test finds no difference at all", open.name);
    let mut told = vec![format!("{}: z {z:.1}, {middle:.1} µs", open.name)];
    for question in &questions {
        let status = if question.name == "search" { 200 } else { 404 };
        let (z, middle) = clock.lean(question, [status; 2]).await;
        told.push(format!("{}: z {z:.1}, {middle:.1} µs", question.name));
        if z.abs() <= SURE {
            continue;
        }
        let (again, middle) = clock.lean(question, [status; 2]).await;
        told.push(format!("{} again: z {again:.1}, {middle:.1} µs", question.name));
        let believed = again.abs() > SURE && z.signum() == again.signum();
        assert!(!believed, "what is withheld takes another time: {}", told.join("; "));
    }
}

/// A Bundle about somebody, which is another each time.
fn sent(identifier: &Value, family: &str, number: usize) -> String {
    json!({ "resourceType": "Bundle", "type": "collection", "entry": [{ "resource": {
        "resourceType": "Patient", "identifier": [identifier], "birthDate": "1980-03-08",
        "name": [{ "family": family, "given": [format!("Ada {number:06}")] }] } }] })
    .to_string()
}

/// How long it takes until a Bundle is taken.
async fn taken(server: &Server, token: &str, body: String) -> f64 {
    let request = server.request(Method::POST, "Bundle").bearer_auth(token);
    let request = request.header("content-type", "application/fhir+json").body(body);
    let start = Instant::now();
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    answer.bytes().await.unwrap();
    let took = start.elapsed();
    assert_eq!(status, 202);
    took.as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_about_a_client_is_taken_as_fast_as_one_about_nobody() {
    let server = spawn_with(|_| Sources::default());
    take_in(&server, &records());
    let own = server.all_of(&server.token).await;
    let known: Vec<(Value, String)> = (0..PEOPLE)
        .map(|number| {
            let family = format!("Silent{number}");
            (own[&holding(&own, "Patient", &family)]["identifier"][0].clone(), family)
        })
        .collect();
    let token = server.token_for("hv", &["system/Bundle.c"]);
    let (mut chance, mut number) = (Chance(0x9e37_79b9_7f4a_7c15), 0);
    let mut leans = Vec::new();
    while leans.len() < 2 {
        let mut differences = Vec::new();
        for _ in 0..TRIES / 4 {
            let (identifier, family) =
                &known[chance.below(u32::try_from(PEOPLE).unwrap()) as usize];
            let mut nobody = identifier.clone();
            nobody["value"] = json!(identifier["value"].as_str().unwrap().replace("cl_", "no_"));
            number += 1;
            let about = sent(identifier, family, number);
            let never = sent(&nobody, family, number);
            let (there, not) = if chance.below(2) == 0 {
                let there = taken(&server, &token, about).await;
                (there, taken(&server, &token, never).await)
            } else {
                let not = taken(&server, &token, never).await;
                (taken(&server, &token, about).await, not)
            };
            differences.push(there - not);
        }
        leans.push(signed_ranks(&differences));
        if leans.last().is_some_and(|z| z.abs() <= SURE) {
            return;
        }
    }
    assert!(leans[0].signum() != leans[1].signum(), "it tells who is a client: {leans:?}");
}
