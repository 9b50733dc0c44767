//! Reads over HTTP, against a bare actix route that returns the same bytes.

use std::future::pending;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::web::{self, Bytes};
use actix_web::{App as Service, HttpResponse, HttpServer};
use throughline::app::{App, Config};
use throughline::auth::Grant;
use throughline::clock::SystemClock;
use throughline::config::{AuditMode, CacheSettings, LimitSettings};

use crate::load::{CONNECTIONS, Load};
use crate::practice;
use crate::redis::Redis;

/// Measurements of each server, taken in turn.
const ROUNDS: usize = 5;
/// How long each lasts.
const LENGTH: Duration = Duration::from_secs(3);

/// A server to be measured.
struct Case {
    name: &'static str,
    cache: CacheSettings,
    limits: LimitSettings,
    audit: AuditMode,
    /// What a read may cost, in reads of the bare route.
    limit: Option<f64>,
}

/// The servers: what is kept where, and what is limited.
fn cases(redis: Option<&Redis>) -> Vec<Case> {
    let off = LimitSettings::default;
    let on = || LimitSettings { quota: 1_000_000_000, ..off() };
    let kept = CacheSettings::default;
    let case =
        |name, cache, limits, limit| Case { name, cache, limits, audit: AuditMode::Off, limit };
    let audited = Case { audit: AuditMode::Closed, ..case("… and audited", kept(), off(), None) };
    let mut cases = vec![
        case("found in process", kept(), off(), Some(4.0)),
        case("… with a rate limit in process", kept(), on(), None),
        audited,
    ];
    if let Some(redis) = redis {
        let both = || CacheSettings::with_redis(Some(redis.url().into()));
        let shared = || CacheSettings { memory_mb: 0, ..both() };
        cases.extend([
            case("found in Redis only", shared(), off(), None),
            case("… in process, Redis behind", both(), off(), None),
            case("… and a shared rate limit", both(), on(), None),
        ]);
    }
    cases
}

/// Measures and reports.
pub(crate) fn run(out: &mut impl Write) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let redis = Redis::start();
    if redis.is_none() {
        writeln!(out, "redis-server is not installed: its figures are left out")?;
    }
    let body = Bytes::from_owner(practice::encounter(7).resource.body);
    writeln!(out, "a read of {} bytes over HTTP, 16 connections, CPU:", body.len())?;
    let path = format!("/fhir/Encounter/{}", practice::id(7));
    let cases = cases(redis.as_ref());
    let (mut token, mut servers) = (String::new(), vec![serve_bare(&path, body)]);
    for case in &cases {
        let app = open(folder.path(), case);
        if token.is_empty() {
            practice::fill(app.store(), 0..1_000);
            token = mint(&app);
        }
        servers.push(serve(app));
    }
    let costs = |length| -> Vec<f64> {
        let cost = |address: &SocketAddr| {
            let (path, token) = (path.clone(), token.clone());
            let connections = CONNECTIONS;
            cost(&Load { address: *address, path, token, length, connections }, redis.as_ref())
        };
        servers.iter().map(cost).collect()
    };
    costs(Duration::from_secs(1));
    let rounds: Vec<Vec<f64>> = (0..ROUNDS).map(|_| costs(LENGTH)).collect();
    let bare = median(rounds.iter().map(|costs| costs[0]));
    writeln!(out, "{:34} {bare:8.1} µs", "bare route")?;
    let mut too_dear = false;
    for (number, case) in (1..).zip(&cases) {
        let cost = median(rounds.iter().map(|costs| costs[number]));
        let ratio = median(rounds.iter().map(|costs| costs[number] / costs[0]));
        let may = case.limit.map(|limit| format!(", may be {limit:.0}")).unwrap_or_default();
        writeln!(out, "{:34} {cost:8.1} µs, ratio {ratio:.2}{may}", case.name)?;
        too_dear |= case.limit.is_some_and(|limit| ratio > limit);
    }
    judge(too_dear)
}

fn judge(too_dear: bool) -> io::Result<()> {
    if too_dear {
        return Err(io::Error::other("an answer costs more than it may"));
    }
    Ok(())
}

/// Measures answers other than a cached read, each against a bare route with the same bytes.
pub(crate) fn answers(out: &mut impl Write) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let nothing = CacheSettings { memory_mb: 0, ..CacheSettings::default() };
    let (limits, audit) = (LimitSettings::default(), AuditMode::Off);
    let case = Case { name: "uncached", cache: nothing, limits, audit, limit: None };
    let app = open(folder.path(), &case);
    let token = mint(&app);
    practice::fill(app.store(), 0..1_000);
    let (few, many) = (practice::APART, practice::APART + 1_000_000);
    practice::fill_one(app.store(), few, 10);
    practice::fill_one(app.store(), many, 299);
    let address = serve(app);
    let read = format!("/fhir/Encounter/{}", practice::id(7));
    let search = format!("/fhir/Encounter?patient={}&_count=20", practice::patient(few));
    let everything = format!("/fhir/Patient/{}/$everything?_count=500", practice::patient(many));
    let mut too_dear = false;
    for (name, path, may) in [
        ("a read without a cache", read, 7.0),
        ("a search, 10 hits of a patient", search, 10.0),
        ("everything, 300 resources", everything, 3.0),
    ] {
        let load = |address, length| Load {
            address,
            path: path.clone(),
            token: token.clone(),
            length,
            connections: CONNECTIONS,
        };
        let body = Bytes::from(load(address, LENGTH).fetch()?);
        let size = body.len();
        let route = path.split('?').next().unwrap_or_default();
        let bare = serve_bare(route, body);
        let pair = |length| (cost(&load(bare, length), None), cost(&load(address, length), None));
        pair(Duration::from_secs(1));
        let rounds: Vec<_> = (0..ROUNDS).map(|_| pair(LENGTH)).collect();
        let (bare, product) =
            (median(rounds.iter().map(|pair| pair.0)), median(rounds.iter().map(|pair| pair.1)));
        let ratio = median(rounds.iter().map(|(bare, product)| product / bare));
        writeln!(
            out,
            "{name:34} {product:8.1} µs, bare {bare:.1} µs for {size} bytes, ratio {ratio:.2}, may be \
             {may:.0}"
        )?;
        too_dear |= ratio > may;
    }
    judge(too_dear)
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn open(folder: &Path, case: &Case) -> App {
    let config = Config {
        data: folder.to_owned(),
        mappings: Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"),
        cache: case.cache.clone(),
        limits: case.limits.clone(),
        audit: case.audit,
        ..Config::default()
    };
    App::open(&config, Arc::new(SystemClock)).unwrap()
}

pub(crate) fn mint(app: &App) -> String {
    let grant = Grant {
        tenant: practice::tenant(),
        subject: "bench".into(),
        scopes: vec!["system/*.rs".into()],
        lifetime: Duration::from_hours(1),
    };
    app.tokens().mint(&grant).unwrap()
}

/// Microseconds of CPU for each answered request: of this process, and of Redis.
fn cost(load: &Load, redis: Option<&Redis>) -> f64 {
    let used = || cpu("self") + redis.map(|redis| cpu(&redis.id())).unwrap_or_default();
    let before = used();
    let answered = u32::try_from(load.run()).unwrap();
    used().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(answered)
}

/// The CPU that a process has used (`man 5 proc`: utime and stime, in hundredths of a second).
fn cpu(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let fields = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Serves the product on a thread of its own.
pub(crate) fn serve(app: App) -> SocketAddr {
    let (listener, address) = listener();
    thread::spawn(move || {
        actix_web::rt::System::new().block_on(app.serve(listener, pending())).unwrap();
    });
    address
}

/// Serves the same bytes from a bare route.
fn serve_bare(path: &str, body: Bytes) -> SocketAddr {
    let (listener, address) = listener();
    let path = path.to_owned();
    thread::spawn(move || {
        let service = move || {
            let body = body.clone();
            let answer = move || {
                let body = body.clone();
                async { HttpResponse::Ok().content_type("application/fhir+json").body(body) }
            };
            Service::new().route(&path, web::get().to(answer))
        };
        let server = HttpServer::new(service).disable_signals().listen(listener).unwrap().run();
        actix_web::rt::System::new().block_on(server).unwrap();
    });
    address
}
