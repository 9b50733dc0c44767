//! A cached read over HTTP, against a bare actix route that returns the same bytes.

use std::future::pending;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::web::{self, Bytes};
use actix_web::{App as Service, HttpResponse, HttpServer};
use throughline::app::{App, Config};
use throughline::auth::Grant;
use throughline::clock::SystemClock;

use crate::load::Load;
use crate::practice;

/// Measurements of each server, taken in turn.
const ROUNDS: usize = 5;
/// How long each lasts.
const LENGTH: Duration = Duration::from_secs(3);
/// What a cached read may cost, in reads of the bare route.
const LIMIT: f64 = 5.0;

/// Measures and reports.
pub(crate) fn run(out: &mut impl Write) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let config = Config {
        data: folder.path().to_owned(),
        // Nothing is mapped here: what is read was put into the store.
        mappings: folder.path().to_owned(),
        redis_url: None,
        sources: throughline::config::Sources::default(),
    };
    let app = App::open(&config, Arc::new(SystemClock)).unwrap();
    practice::fill(app.store(), 0..1_000);
    let token = app
        .tokens()
        .mint(&Grant {
            tenant: practice::tenant(),
            subject: "bench".into(),
            scopes: vec!["system/*.rs".into()],
            lifetime: Duration::from_hours(1),
        })
        .unwrap();
    let body = Bytes::from_owner(practice::encounter(7).resource.body);
    writeln!(out, "a read of {} bytes over HTTP, 16 connections:", body.len())?;
    let path = format!("/fhir/Encounter/{}", practice::id(7));
    let load = |address| Load { address, path: path.clone(), token: token.clone(), length: LENGTH };
    let (bare, product) = (load(serve_bare(&path, body)), load(serve(app)));
    for server in [&bare, &product] {
        Load {
            length: Duration::from_secs(1),
            path: path.clone(),
            token: token.clone(),
            ..*server
        }
        .run();
    }
    let mut costs: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (cost(&bare), cost(&product))).collect();
    costs.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
    let (bare, product) = costs.get(ROUNDS / 2).copied().unwrap_or_default();
    let ratio = product / bare;
    writeln!(out, "bare route                               {bare:10.1} µs of CPU")?;
    writeln!(out, "cached read                              {product:10.1} µs of CPU")?;
    writeln!(out, "ratio {ratio:.2}, may be {LIMIT:.0}")?;
    if ratio > LIMIT {
        return Err(io::Error::other("a cached read costs more than it may"));
    }
    Ok(())
}

/// Microseconds of this process's CPU for each answered request.
fn cost(load: &Load) -> f64 {
    let before = cpu();
    let answered = u32::try_from(load.run()).unwrap();
    cpu().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(answered)
}

/// The CPU that this process has used (`man 5 proc`: utime and stime, in hundredths of a second).
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
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
fn serve(app: App) -> SocketAddr {
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
