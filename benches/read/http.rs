//! Answers over HTTP, against a bare actix route that returns the same bytes.

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
use throughline::config::{
    AuditMode, CacheSettings, ClientSettings, LimitSettings, Sources, StoreSettings,
};

use crate::load::{CONNECTIONS, Load};
use crate::postgres::{self, PostgresServer};
use crate::redis::Redis;
use crate::{practice, usage};

/// Measurements of each server, taken in turn.
const ROUNDS: usize = 5;
/// How long each lasts.
const LENGTH: Duration = Duration::from_secs(3);

/// A server to be measured.
#[derive(Default)]
pub(crate) struct Case {
    name: &'static str,
    store: StoreSettings,
    cache: CacheSettings,
    limits: LimitSettings,
    /// Whether it is written down.
    audited: bool,
    sources: Sources,
    /// The apps that may ask for tokens.
    clients: Vec<ClientSettings>,
    /// What a read may cost, in reads of the bare route.
    limit: Option<f64>,
}

impl Case {
    /// The defaults, and sources that push.
    pub(crate) fn pushed_to(sources: Sources) -> Self {
        Self { sources, ..Self::default() }
    }

    /// A server that one app is registered with, and that keeps nothing or as much as shipped.
    pub(crate) fn with_app(client: ClientSettings, keeps: bool) -> Self {
        let cache = if keeps { CacheSettings::default() } else { uncached() };
        Self { clients: vec![client], cache, ..Self::default() }
    }
}

/// Nothing is kept.
fn uncached() -> CacheSettings {
    CacheSettings { memory_mb: 0, ..CacheSettings::default() }
}

/// The servers: what is kept where, and what is limited.
fn cases(redis: Option<&Redis>, url: &str) -> Vec<Case> {
    let on = || LimitSettings { quota: 1_000_000_000, ..LimitSettings::default() };
    let case = |name| Case { name, ..Case::default() };
    let mut cases = vec![
        Case { limit: Some(4.0), ..case("found in process") },
        Case { limits: on(), ..case("… with a rate limit in process") },
        Case { audited: true, ..case("… and written down") },
    ];
    if let Some(redis) = redis {
        let both = || CacheSettings::with_redis(Some(redis.url().into()));
        let shared = || CacheSettings { memory_mb: 0, ..both() };
        cases.extend([
            Case { cache: shared(), ..case("found in Redis only") },
            Case { cache: both(), ..case("… in process, Redis behind") },
            Case { cache: both(), limits: on(), ..case("… and a shared rate limit") },
        ]);
    }
    let store = || postgres::settings(url);
    cases.extend([
        Case { store: store(), ..case("found in process, over PostgreSQL") },
        Case { store: store(), cache: uncached(), ..case("not kept, from PostgreSQL") },
    ]);
    cases
}

/// Measures reads, with everything that may be kept somewhere.
pub(crate) fn reads(out: &mut impl Write) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (redis, postgres) = (Redis::start(), PostgresServer::start());
    if redis.is_none() {
        writeln!(out, "redis-server is not installed: its figures are left out")?;
    }
    let body = Bytes::from_owner(practice::encounter(7).resource.body);
    writeln!(out, "a read of {} bytes over HTTP, 16 connections, CPU:", body.len())?;
    let path = format!("/fhir/Encounter/{}", practice::id(7));
    let cases = cases(redis.as_ref(), &postgres.migrated());
    let mut servers = vec![(serve_bare(&path, body), String::new())];
    for case in &cases {
        let app = open(folder.path(), case);
        if app.store().resource_counts().unwrap().is_empty() {
            practice::fill(app.store(), 0..1_000);
        }
        let token = mint(&app);
        servers.push((serve(app), token));
    }
    let costs = |length| -> Vec<f64> {
        let cost =
            |(address, token): &(SocketAddr, String)| cost(&load(*address, &path, token, length));
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
        writeln!(out, "{:34} {cost:8.1} µs, ratio {ratio:.2}{}", case.name, limit(case.limit))?;
        too_dear |= case.limit.is_some_and(|limit| ratio > limit);
    }
    judge(too_dear)
}

/// Fails where something costs more than it may.
pub(crate) fn judge(too_dear: bool) -> io::Result<()> {
    if too_dear {
        return Err(io::Error::other("an answer costs more than it may"));
    }
    Ok(())
}

fn limit(limit: Option<f64>) -> String {
    limit.map(|limit| format!(", may be {limit:.0}")).unwrap_or_default()
}

/// Measures answers of several resources, and of what is kept nowhere.
pub(crate) fn answers(out: &mut impl Write) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (few, many) = (practice::APART, practice::APART + 1_000_000);
    let mut servers = Vec::new();
    let postgres = PostgresServer::start();
    let stores = [StoreSettings::default(), postgres::settings(&postgres.migrated())];
    for store in stores {
        for cache in [uncached(), CacheSettings::default()] {
            let case = Case { store: store.clone(), cache, ..Case::default() };
            let app = open(folder.path(), &case);
            if app.store().resource_counts().unwrap().is_empty() {
                practice::fill(app.store(), 0..1_000);
                practice::fill_one(app.store(), few, 10);
                practice::fill_one(app.store(), many, 297);
            }
            let token = mint(&app);
            servers.push((serve(app), token));
        }
    }
    let read = format!("/fhir/Encounter/{}", practice::id(7));
    let search = format!("/fhir/Encounter?patient={}&_count=20", practice::patient(few));
    let everything = format!("/fhir/Patient/{}/$everything?_count=500", practice::patient(many));
    let rows = [
        ("a read without a cache", &read, 0, Some(7.0)),
        ("a search, 10 hits of a patient", &search, 0, Some(10.0)),
        ("everything, 300 resources, kept", &everything, 1, Some(3.0)),
        ("everything, without a cache", &everything, 0, None),
        ("PostgreSQL: a read", &read, 2, None),
        ("PostgreSQL: a search, 10 hits", &search, 2, None),
        ("PostgreSQL: everything", &everything, 2, None),
    ];
    let rows = rows.map(|(name, path, server, may)| {
        let (address, token) = servers[server].clone();
        Row { name, path: path.clone(), address, token, may }
    });
    compare(out, &rows)
}

/// An answer that is compared with a bare route.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) path: String,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    /// What it may cost, in answers of the bare route.
    pub(crate) may: Option<f64>,
}

/// Measures each answer in turn with a bare route that returns the same bytes.
pub(crate) fn compare(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    let mut too_dear = false;
    for Row { name, path, address, token, may } in rows {
        let body = Bytes::from(load(*address, path, token, LENGTH).fetch()?);
        let size = body.len();
        let route = path.split('?').next().unwrap_or_default();
        let bare = serve_bare(route, body);
        let pair = |length| {
            let cost = |address| cost(&load(address, path, token, length));
            (cost(bare), cost(*address))
        };
        pair(Duration::from_secs(1));
        let rounds: Vec<_> = (0..ROUNDS).map(|_| pair(LENGTH)).collect();
        let (bare, product) =
            (median(rounds.iter().map(|pair| pair.0)), median(rounds.iter().map(|pair| pair.1)));
        let ratio = median(rounds.iter().map(|(bare, product)| product / bare));
        writeln!(
            out,
            "{name:34} {product:8.1} µs, bare {bare:.1} µs for {size} bytes, ratio {ratio:.2}{}",
            limit(*may)
        )?;
        too_dear |= may.is_some_and(|may| ratio > may);
    }
    judge(too_dear)
}

fn load(address: SocketAddr, path: &str, token: &str, length: Duration) -> Load {
    Load {
        address,
        path: path.to_owned(),
        token: token.to_owned(),
        length,
        among: 0,
        connections: CONNECTIONS,
    }
}

/// The value in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The product on a data folder.
pub(crate) fn open(folder: &Path, case: &Case) -> App {
    let config = Config {
        data: folder.to_owned(),
        store: case.store.clone(),
        mappings: Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"),
        cache: case.cache.clone(),
        limits: case.limits.clone(),
        audit: if case.audited { AuditMode::Closed } else { AuditMode::Off },
        sources: case.sources.clone(),
        clients: case.clients.clone(),
        ..Config::default()
    };
    App::open(&config, Arc::new(SystemClock)).unwrap()
}

/// A token for everything.
pub(crate) fn mint(app: &App) -> String {
    let grant = Grant {
        tenant: practice::tenant(),
        subject: "bench".into(),
        scopes: vec!["system/*.rs".into()],
        lifetime: Duration::from_hours(1),
    };
    app.tokens().mint(&grant).unwrap()
}

/// Microseconds of CPU for each answered request: of this process, and of its stores.
pub(crate) fn cost(load: &Load) -> f64 {
    let before = usage::cpu();
    let answered = u32::try_from(load.run()).unwrap();
    usage::cpu().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(answered)
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Serves the product on a thread of its own.
pub(crate) fn serve(app: App) -> SocketAddr {
    serve_with(app, |_, _| ()).0
}

/// The same, once something was done with the product and the base that it will have.
pub(crate) fn serve_with<T>(app: App, prepare: impl FnOnce(&App, &str) -> T) -> (SocketAddr, T) {
    let (listener, address) = listener();
    let prepared = prepare(&app, &App::base(&listener).unwrap());
    thread::spawn(move || {
        actix_web::rt::System::new().block_on(app.serve(listener, pending())).unwrap();
    });
    (address, prepared)
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
