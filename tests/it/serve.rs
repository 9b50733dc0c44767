//! Serving as operators do it: addresses, certificates, health, metrics, and the way it ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::postgres;
use crate::support::served::{Served, command, settled};

const OUTCOME: &str = "OperationOutcome";

/// Opens a connection and sends a part of a request.
fn begin(served: &Served, part: &str) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(part.as_bytes()).unwrap();
    stream
}

/// A search by form whose body of 10 bytes is to follow.
fn half(token: &str) -> String {
    format!(
        "POST /fhir/Patient/_search HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\n"
    )
}

fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A connection that is cut has said what it had to say.
    let _cut = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let mut openssl = Command::new("openssl");
    openssl.current_dir(folder).args(arguments).stdin(Stdio::null());
    let output = openssl.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Makes a certificate for 127.0.0.1 that signs itself.
fn certificate(folder: &Path, certificate: &str, key: &str) {
    let made = openssl(
        folder,
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=throughline test",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-out",
            certificate,
            "-keyout",
            key,
        ],
    );
    assert!(folder.join(certificate).exists(), "{made}");
}

#[tokio::test]
async fn the_base_is_the_one_that_is_set_whatever_a_request_says() {
    let served = Served::start("[server]\nbase_url = 'https://fhir.example.org/r4/fhir'\n");
    assert_eq!(served.base, "https://fhir.example.org/r4/fhir");
    let token = served.token();
    let request = served.get("Patient?_count=1").bearer_auth(&token);
    let request = request.header("Host", "evil.example").header("X-Forwarded-Host", "evil.example");
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let link = answer["link"][0]["url"].as_str().unwrap();
    assert!(link.starts_with("https://fhir.example.org/r4/fhir/Patient?"), "{link}");
    let request = served.get("metadata").header("Host", "evil.example");
    let text = request.send().await.unwrap().text().await.unwrap();
    assert!(text.contains("https://fhir.example.org/r4/fhir") && !text.contains("evil.example"));
}

#[tokio::test]
async fn plain_http_is_refused_where_other_machines_reach_it() {
    let folder = settled("[server]\nlisten = '0.0.0.0:0'\nbase_url = 'https://a.example/fhir'\n");
    let output = command(folder.path(), &["serve"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("throughline.toml:4: server.listen: plain HTTP is for this machine alone"),
        "{said}"
    );
}

#[tokio::test]
async fn behind_a_proxy_nobody_else_may_ask_and_the_caller_is_whom_it_names() {
    let settings = |proxies: &str| {
        format!(
            "[server]\nlisten = '0.0.0.0:0'\nbase_url = 'https://a.example/fhir'\n\
             trusted_proxies = [{proxies}]\n[limits]\naddress_quota = 2\n"
        )
    };
    let port =
        |served: &Served| format!("http://127.0.0.1:{}/fhir/metadata", served.address.port());
    let served = Served::start(&settings("'192.0.2.0/24'"));
    let answer = served.client.get(port(&served)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().await.unwrap().contains(OUTCOME));

    let served = Served::start(&settings("'127.0.0.1'"));
    let ask = async |caller: &str| {
        let request = served.client.get(port(&served)).header("X-Forwarded-For", caller);
        request.send().await.unwrap().status().as_u16()
    };
    for (caller, expected) in [
        ("198.51.100.1", 200),
        ("198.51.100.1", 200),
        ("198.51.100.1", 429),
        ("198.51.100.9, 198.51.100.1", 429),
        ("198.51.100.2", 200),
    ] {
        assert_eq!(ask(caller).await, expected, "{caller}");
    }
}

#[tokio::test]
async fn the_caller_is_not_whom_a_stranger_names() {
    let served = Served::start("[limits]\naddress_quota = 2\n");
    let mut statuses = Vec::new();
    for caller in ["198.51.100.1", "198.51.100.2", "198.51.100.3"] {
        let request = served.get("metadata").header("X-Forwarded-For", caller);
        statuses.push(request.send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
}

/// The certificate that a new connection is shown, as PEM, and the version of TLS.
fn shown(served: &Served, version: &str) -> (String, bool) {
    let (address, folder) = (served.address.to_string(), served.folder.path());
    let said = openssl(folder, &["s_client", "-connect", &address, version, "-showcerts"]);
    let pem = said.split("-----BEGIN CERTIFICATE-----").nth(1).unwrap_or_default();
    let pem = pem.split("-----END").next().unwrap().trim().to_owned();
    (pem, said.contains("Cipher is ") && !said.contains("Cipher is (NONE)"))
}

#[tokio::test]
async fn a_certificate_is_shown_and_a_new_one_takes_its_place_without_a_restart() {
    let folder = settled(
        "[server]\nbase_url = 'https://127.0.0.1/fhir'\n\
         [tls]\ncertificate_file = 'tls.crt'\nkey_file = 'tls.key'\nlook_every_s = 1\n",
    );
    certificate(folder.path(), "tls.crt", "tls.key");
    certificate(folder.path(), "new.crt", "new.key");
    let mut serve = command(folder.path(), &["serve"]);
    serve.env("THROUGHLINE_LOG", "info");
    let mut served = Served::run(folder, serve);
    let pem = |name: &str| std::fs::read_to_string(served.folder.path().join(name)).unwrap();
    let (old, new) = (pem("tls.crt"), pem("new.crt"));
    assert!(old.contains(&shown(&served, "-tls1_3").0));
    assert!(shown(&served, "-tls1_2").1 && shown(&served, "-tls1_3").1);
    assert!(!shown(&served, "-tls1_1").1);

    let root = |pem: &str| reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let client = |pem: &str| {
        let builder = Client::builder().no_proxy().tls_certs_only([root(pem)]);
        builder.timeout(Duration::from_secs(10)).build().unwrap()
    };
    let url = format!("https://{}/fhir/metadata", served.address);
    let before = client(&old);
    assert_eq!(before.get(&url).send().await.unwrap().status(), 200);
    let plain = served.get("metadata").send().await;
    assert!(plain.is_err(), "plain HTTP on a TLS port");

    // The key of the new one comes later: until then the pair does not fit, and the old one goes on.
    let put = |from: &str, to: &str| {
        std::fs::copy(served.folder.path().join(from), served.folder.path().join(to)).unwrap()
    };
    put("new.crt", "tls.crt");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(old.contains(&shown(&served, "-tls1_3").0));
    put("new.key", "tls.key");
    let began = Instant::now();
    while !new.contains(&shown(&served, "-tls1_3").0) {
        assert!(began.elapsed() < Duration::from_secs(10), "the new certificate is not shown");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(client(&new).get(&url).send().await.unwrap().status(), 200);
    assert!(client(&old).get(&url).send().await.is_err());
    assert_eq!(before.get(&url).send().await.unwrap().status(), 200, "open connections go on");
    served.signal(Signal::KILL);
    let (_, _, log) = served.ended().await;
    assert!(log.contains("it is not the key of the certificate"), "{log}");
    assert!(log.contains("a new certificate is shown"), "{log}");
}

#[tokio::test]
async fn health_is_told_in_words() {
    let served = Served::start("");
    assert_eq!(served.ask("/livez").await, (200, "alive\n".to_owned()));
    let (status, text) = served.ask("/readyz").await;
    assert_eq!(status, 200, "{text}");
    for line in [
        "ready",
        "ok server: taking requests",
        "ok store: answers",
        "ok maps: set ",
        "ok cache: in process",
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line} in {text}");
    }
    assert_eq!(served.get("../readyz").send().await.unwrap().status(), 401, "not for clients");
    // Another version has migrated the store: this server goes on until it is replaced.
    let store = Connection::open(served.folder.path().join("data/store.sqlite")).unwrap();
    store.pragma_update(None, "user_version", 0).unwrap();
    let (status, text) = served.ask("/readyz").await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("ok store: answers; it has the migrations of another version"), "{text}");
    store.execute_batch("DROP TABLE fact").unwrap();
    let (status, text) = served.ask("/readyz").await;
    assert_eq!(status, 503);
    assert!(text.starts_with("not ready\n"), "{text}");
    assert!(text.contains("NOT store: does not answer; the log says why"), "{text}");
    assert!(!text.contains("fact"), "{text}");
}

#[tokio::test]
async fn a_database_that_is_gone_makes_the_server_not_ready_until_it_is_back() {
    let mut database = postgres::PostgresServer::start();
    let url = database.migrated();
    let folder = settled("");
    let mut serve = command(folder.path(), &["serve"]);
    serve.env("THROUGHLINE_STORE_URL", &url).env("THROUGHLINE_STORE_CONNECT_TIMEOUT_S", "1");
    let served = Served::run(folder, serve);
    assert_eq!(served.ask("/readyz").await.0, 200);
    database.kill();
    let (status, text) = served.ask("/readyz").await;
    assert_eq!(status, 503);
    assert!(text.contains("NOT store: does not answer"), "{text}");
    assert!(!text.contains("postgres") && !text.contains("127.0.0.1"), "{text}");
    assert_eq!(served.ask("/livez").await.0, 200);
    database.start_again();
    assert_eq!(served.ask("/readyz").await.0, 200);
}

#[tokio::test]
async fn metrics_count_by_the_pattern_of_the_route() {
    let served = Served::start("");
    let token = served.token();
    for path in [
        "Patient/s3cret-id",
        "Patient/s3cret-other",
        "Patient?name=s3cret",
        "metadata",
        "a/b/c/d/e",
    ] {
        served.get(path).bearer_auth(&token).send().await.unwrap();
    }
    let (status, text) = served.ask("/metrics").await;
    assert_eq!(status, 200);
    assert!(text.ends_with("# EOF\n"), "{text}");
    for line in [
        r#"throughline_http_requests_total{route="/fhir/{type}/{id}",method="GET",status="404"} 2"#,
        r#"throughline_http_requests_total{route="/fhir/{type}",method="GET",status="200"} 1"#,
        r#"throughline_http_requests_total{route="/fhir/metadata",method="GET",status="200"} 1"#,
        r#"throughline_http_requests_total{route="none",method="GET",status="404"} 1"#,
        r#"throughline_http_request_duration_seconds_count{route="/fhir/{type}/{id}",method="GET"} 2"#,
        "throughline_http_requests_open 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    for name in [
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "process_start_time_seconds ",
        "throughline_cache_loads_total ",
    ] {
        assert!(text.lines().any(|found| found.starts_with(name)), "{name} in {text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
    assert!(served.metric("process_resident_memory_bytes ").await.unwrap() > 1e6);
}

#[tokio::test]
async fn told_to_stop_it_says_so_and_answers_what_is_open() {
    let mut served = Served::start("[server]\ndrain_wait_s = 2\ndrain_timeout_s = 20\n");
    let token = served.token();
    let mut open = begin(&served, &half(&token));
    served.metric_becomes("throughline_http_requests_open ", 1.0).await;
    served.signal(Signal::TERM);
    let told = Instant::now();
    loop {
        let (status, text) = served.ask("/readyz").await;
        if status == 503 {
            assert!(text.contains("NOT server: stopping"), "{text}");
            break;
        }
        assert!(told.elapsed() < Duration::from_secs(1), "{text}");
    }
    let answer = served.get("metadata").send().await.unwrap();
    assert_eq!(answer.status(), 200, "requests are still taken while others learn of it");
    tokio::time::sleep(Duration::from_secs(3).saturating_sub(told.elapsed())).await;
    assert!(TcpStream::connect(served.address).is_err(), "nobody is let in any more");
    assert!(served.child.try_wait().unwrap().is_none(), "a request is open");
    open.write_all(b"_summary=a").unwrap();
    let answer = rest(open);
    assert!(answer.starts_with("HTTP/1.1 400 "), "it is answered: {answer}");
    assert!(answer.contains(OUTCOME));
    let (status, out, _) = served.ended().await;
    assert!(status.success());
    assert_eq!(out, "stopped");
}

#[tokio::test]
async fn a_request_that_does_not_end_holds_nothing_up_for_longer_than_is_set() {
    let settings = "[server]\ndrain_wait_s = 0\ndrain_timeout_s = 1\nbody_timeout_s = 60\n";
    let mut served = Served::start(settings);
    let token = served.token();
    let _open = begin(&served, &half(&token));
    served.metric_becomes("throughline_http_requests_open ", 1.0).await;
    let told = Instant::now();
    served.signal(Signal::TERM);
    let (status, ..) = served.ended().await;
    assert!(status.success());
    assert!(told.elapsed() < Duration::from_secs(8), "{:?}", told.elapsed());
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let mut served = Served::start("[server]\ndrain_wait_s = 600\n");
    served.signal(Signal::INT);
    while served.ask("/readyz").await.0 == 200 {}
    served.signal(Signal::TERM);
    let told = Instant::now();
    let (status, _, err) = served.ended().await;
    assert_eq!(status.code(), Some(2));
    assert!(told.elapsed() < Duration::from_secs(8));
    assert!(err.contains("told to stop twice"), "{err}");
}

#[tokio::test]
async fn an_address_in_use_is_told_with_its_key() {
    let served = Served::start("");
    let listen = format!("server.listen={}", served.address);
    let output = command(served.folder.path(), &["serve", "--set", &listen]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("(server.listen)"), "{said}");
}

#[tokio::test]
async fn records_that_other_maps_have_mapped_are_mapped_anew() {
    let folder = settled("");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/practice");
    let practice = fixtures.to_str().unwrap();
    let taken = command(folder.path(), &["ingest", practice]).output().unwrap();
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    let store = Connection::open(folder.path().join("data/store.sqlite")).unwrap();
    store.execute("INSERT OR REPLACE INTO fact VALUES ('mapped-by', 'other')", []).unwrap();
    let marks =
        || -> i64 { store.query_row("SELECT count(*) FROM dirty", [], |row| row.get(0)).unwrap() };
    let by = || -> String {
        let sql = "SELECT value FROM fact WHERE name = 'mapped-by'";
        store.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    store.execute("DELETE FROM resource WHERE type = 'Organization'", []).unwrap();
    let served = Served::run(folder, {
        let folder = store.path().map(Path::new).unwrap().parent().unwrap().parent().unwrap();
        command(folder, &["serve"])
    });
    let token = served.token();
    let began = Instant::now();
    loop {
        let request = served.get("Organization?_summary=count").bearer_auth(&token);
        let bundle: Value = request.send().await.unwrap().json().await.unwrap();
        if bundle["total"].as_u64().unwrap() > 0 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "nothing is mapped anew");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_ne!(by(), "other");
    while marks() > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
