//! Serving: the listeners, what answers on them, and how it ends without cutting anybody off.

use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App as Service, HttpServer, web};
use prometheus_client::registry::Registry;
use socket2::SockRef;
use tokio::time::sleep;

use super::App;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::exchange::ingest::MAPPED_BY;
use crate::http::tls::{Certificate, Look};
use crate::http::{self, Door, Health, Ports, State};
use crate::telemetry::ProcessMeter;

/// What the names of what we count begin with.
const PREFIX: &str = "throughline";
/// Connections that operators have open at once, at most.
const ADMIN_CONNECTIONS: usize = 64;

/// Where requests arrive.
pub struct Listeners {
    /// Those of clients.
    pub public: TcpListener,
    /// Those of operators.
    pub admin: Option<TcpListener>,
}

impl Listeners {
    /// Listens where the settings say.
    ///
    /// # Errors
    ///
    /// `Setup`: an address that cannot be had.
    pub fn bind(settings: &Settings) -> Result<Self> {
        let public = settings.server.address().map(|address| bind("server.listen", address));
        let public = public.ok_or_else(|| Error::broken("settings without an address"))??;
        let admin = settings.admin.address().map(|address| bind("admin.listen", address));
        Ok(Self { public, admin: admin.transpose()? })
    }

    /// The listener of clients alone.
    pub fn public(public: TcpListener) -> Self {
        Self { public, admin: None }
    }
}

fn bind(key: &str, address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .map_err(|cause| Error::Setup(format!("cannot listen on {address} ({key}): {cause}")))
}

impl App {
    /// The URL of the FHIR base: the one that is set, or that of the listener.
    pub fn base_of(&self, listener: &TcpListener) -> Result<String> {
        let base = Self::base(listener)?;
        let base = if self.tls.is_some() { base.replacen("http", "https", 1) } else { base };
        Ok(self.server.base_url.clone().unwrap_or(base))
    }

    /// Serves on one listener until `stop` is done, and then until the open requests are answered.
    pub async fn serve(&self, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<()> {
        self.serve_on(Listeners::public(listener), stop).await
    }

    /// Serves until `stop` is done. Then `/readyz` says no while requests are still taken, so that
    /// whoever sends them can learn of it; then nobody is let in any more, and what is open is
    /// answered; and at last the live sources end.
    pub async fn serve_on(&self, on: Listeners, stop: impl Future<Output = ()>) -> Result<()> {
        let rules = Arc::clone(&self.rules);
        let health = Health::new(Arc::clone(&self.store), self.redis.clone(), rules);
        let certificate = self.tls.as_ref().map(Certificate::read).transpose()?;
        let server = self.public(on.public, certificate.as_ref())?;
        let admin = on.admin.map(|listener| self.admin(listener, health.clone())).transpose()?;
        let admin_handle = admin.as_ref().map(Server::handle);
        let mut admin = pin!(async {
            match admin {
                Some(server) => server.await,
                None => std::future::pending().await,
            }
        });
        self.mark_if_maps_changed()?;
        let attending = self.attend();
        let served = tokio::select! {
            served = self.public_until(server, &health, stop) => served,
            failed = &mut admin => failed.map_err(Error::internal),
            () = renew(certificate) => Ok(()),
        };
        drop(attending);
        let retired = self.retire();
        if let Some(traces) = self.traces.clone() {
            web::block(move || traces.close()).await.map_err(Error::internal)?;
        }
        if let Some(handle) = admin_handle {
            let (ended, ()) = tokio::join!(admin, handle.stop(false));
            ended.map_err(Error::internal)?;
        }
        served.and(retired)
    }

    /// Marks every record where other maps than those in use have mapped them; whoever attends to
    /// the marks maps them anew while requests are answered.
    fn mark_if_maps_changed(&self) -> Result<()> {
        let rules = self.rules.load();
        let (hash, mapped_by) = (rules.maps.hash(), self.store.fact(MAPPED_BY)?);
        if mapped_by.as_deref() == Some(hash) {
            return Ok(());
        }
        let has_records = !self.store.record_counts()?.is_empty();
        let mut write = self.store.write()?;
        if has_records {
            self.ingest(&rules).take_charge(&mut *write)?;
        } else {
            write.set_fact(MAPPED_BY, hash)?;
        }
        write.commit()
    }

    /// Runs the server of clients to its end.
    async fn public_until(
        &self,
        server: Server,
        health: &Health,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        let handle = server.handle();
        let mut running = pin!(server);
        let told = async {
            stop.await;
            health.stopping();
            sleep(self.server.drain_wait()).await;
        };
        let served = tokio::select! {
            served = &mut running => served,
            () = told => {
                let (served, ()) = tokio::join!(running, handle.stop(true));
                served
            }
        };
        served.map_err(Error::internal)
    }

    fn public(&self, listener: TcpListener, certificate: Option<&Certificate>) -> Result<Server> {
        let settings = &self.server;
        let address = listener.local_addr().map_err(Error::internal)?;
        let is_exposed = certificate.is_none() && !address.ip().is_loopback();
        let base = self.base_of(&listener)?;
        self.authority.open_at(&base);
        let ports = Ports {
            sign_in: self.sign_in(&base)?,
            requests: Arc::new(self.requests()),
            signing: Arc::new(self.signing()),
            retention: self.retention(),
            transfers: self.transfers().clone(),
            practice: self.login.as_ref().and_then(|login| login.practice.clone()),
            store: Arc::clone(&self.store),
            cache: self.cache(),
            limits: self.limits.clone(),
            authority: Arc::clone(&self.authority),
            rules: Arc::clone(&self.rules),
            cors: self.cors.clone(),
            pushes: Arc::clone(&self.pushes),
            workshop: Arc::clone(&self.workshop),
            blobs: self.blobs.clone(),
            links: self.links.clone(),
            bulk: self.bulk.clone(),
            door: Door::new(settings, is_exposed),
            meter: self.requests.clone(),
            traces: self.traces.clone(),
            audit: Arc::clone(&self.audit),
            clock: Arc::clone(&self.clock),
        };
        let state = web::Data::new(State::new(ports, &self.keys, base)?);
        // Connections inherit it: the kernel ends one whose peer leaves what was sent unread.
        let unread = Some(Duration::from_secs(settings.unread_timeout_s));
        SockRef::from(&listener).set_tcp_user_timeout(unread).map_err(Error::internal)?;
        let factory = move || {
            Service::new().wrap(from_fn(http::gate)).configure(http::configure(state.clone()))
        };
        let workers = self.workers();
        let meter = self.requests.clone();
        let server = HttpServer::new(factory)
            .workers(workers)
            .max_connections(settings.max_connections.div_ceil(workers))
            .keep_alive(Duration::from_secs(settings.keep_alive_s))
            .client_request_timeout(Duration::from_secs(settings.head_timeout_s))
            .tls_handshake_timeout(Duration::from_secs(settings.head_timeout_s))
            .shutdown_timeout(settings.drain_timeout_s)
            .on_connect(move |_, connection| {
                connection.insert(meter.connected());
            })
            .disable_signals();
        let server = match certificate {
            Some(certificate) => server.listen_rustls_0_23(listener, certificate.config()?),
            None => server.listen(listener),
        };
        Ok(server.map_err(Error::internal)?.run())
    }

    fn admin(&self, listener: TcpListener, health: Health) -> Result<Server> {
        let mut registry = Registry::default();
        ProcessMeter::start(&*self.clock).register(&mut registry);
        self.register(registry.sub_registry_with_prefix(PREFIX));
        let registry = Arc::new(registry);
        let factory = move || {
            let routes = http::configure_admin(health.clone(), Arc::clone(&registry));
            Service::new().configure(routes)
        };
        let server = HttpServer::new(factory)
            .workers(1)
            .max_connections(ADMIN_CONNECTIONS)
            .disable_signals()
            .listen(listener);
        Ok(server.map_err(Error::internal)?.run())
    }

    /// Threads that serve.
    fn workers(&self) -> usize {
        match self.server.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            workers => workers,
        }
    }
}

/// Looks after the certificate, for ever.
async fn renew(certificate: Option<Certificate>) {
    let Some(certificate) = certificate else { return std::future::pending().await };
    loop {
        sleep(certificate.look_every()).await;
        let looking = certificate.clone();
        match web::block(move || looking.look()).await {
            Ok(Look::Same) | Err(_) => {}
            Ok(Look::Renewed) => tracing::info!("a new certificate is shown from now on"),
            Ok(Look::Kept(cause)) => {
                tracing::error!(cause, "the old certificate goes on: the new one cannot be used");
            }
        }
    }
}
