//! `throughline demo`: ingests `fixtures/`, and serves it on loopback.

mod welcome;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{Context, Outcome};
use crate::Error;
use crate::app::{App, Config, Goldens, Reload, ServingLock, Watch};
use crate::auth::Keys;
use crate::cli::token::DEMO_TENANT;
use crate::config::{
    Auditing, CacheSettings, ClientAuth, ClientSettings, DemoAccount, LoginSettings, Part, Serving,
    Sources,
};
use crate::platform::Secret;

/// Folders of `fixtures/` that are for tests alone: broken input, and single cases.
const NOT_SHOWN: &[&str] = &["cases", "hostile", "sentinel"];
/// How often the maps are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// The source that may push to the demo, and the file in the data folder with its secret.
const SENDER: &str = "demo";
const SECRET_FILE: &str = "push-secret";
/// What the pages call the practice.
const PRACTICE: &str = "Harborview Teletherapy";
/// The people of the fixtures whom one may be: three clients, a mother, three therapists.
const PEOPLE: &[(Part, &str)] = &[
    (Part::Client, "cl_1"),
    (Part::Client, "cl_60"),
    (Part::Client, "cl_7"),
    (Part::Proxy, "rp_15"),
    (Part::Staff, "st_2"),
    (Part::Staff, "st_3"),
    (Part::Staff, "st_4"),
];
/// How long a mapping run may go on once the server has stopped.
const GRACE: Duration = Duration::from_secs(5);

/// Serve the fictional practice of fixtures/ on this machine
///
/// Takes the records in, serves them as FHIR on loopback, and prints what to try. The maps are
/// watched: a change is served at once, or refused with a reason. Ctrl-C stops it.
#[derive(Debug, Args)]
pub struct Demo {
    #[command(flatten)]
    serving: Serving,
    #[command(flatten)]
    auditing: Auditing,
    /// Folder of the source records
    #[arg(long, value_name = "DIR", default_value = "fixtures")]
    fixtures: PathBuf,
    /// Keep serving the old maps while goldens differ, as where others rely on the maps
    #[arg(long)]
    hold_back: bool,
}

impl Demo {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let listener = listen(self.serving.loopback()?)?;
        let sources = sources(&self.fixtures)?;
        let _lock = ServingLock::take(&context.folders.data, &context.store)?;
        let sender = sender(&context.folders.data)?;
        let config = Config {
            data: context.folders.data.clone(),
            store: context.store.clone(),
            mappings: context.folders.mappings.clone(),
            cache: CacheSettings::with_redis(self.serving.redis_url),
            sources: sender,
            login: Some(LoginSettings::of_demo(DEMO_TENANT, PRACTICE, accounts())),
            clients: vec![recipient()],
            audit: self.auditing.audit,
            ..Config::default()
        };
        writeln!(context.err, "taking in {} …", self.fixtures.display())?;
        // Watched from before they are read, so that no change is missed.
        let watched = Watch::new(&config.mappings);
        let app = Arc::new(App::open(&config, Arc::clone(&context.clock))?);
        let report = app.take_in(&sources)?;
        welcome::write(&app, &config, &App::base(&listener)?, &report, &mut context.out)?;
        context.out.flush()?;
        let goldens = if self.hold_back { Goldens::HoldBack } else { Goldens::Tell };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = runtime.block_on(serve(&app, listener, (watched, goldens), &mut context.out));
        runtime.shutdown_timeout(GRACE);
        served?;
        writeln!(context.out, "stopped")?;
        Ok(Outcome::Done)
    }
}

/// The people whom one may be in the demo.
fn accounts() -> Vec<DemoAccount> {
    let account =
        |(part, record): &(Part, &str)| DemoAccount { part: *part, record: (*record).to_owned() };
    PEOPLE.iter().map(account).collect()
}

/// The practice that the fixtures' consents name: at the portal, one more can be given to it.
fn recipient() -> ClientSettings {
    ClientSettings {
        id: "ehr-frfm".to_owned(),
        tenant: DEMO_TENANT.to_owned(),
        name: "Front Range Family Medicine".to_owned(),
        auth: ClientAuth::Asymmetric,
        redirect_uris: Vec::new(),
        launch_url: None,
        scopes: "system/*.rs".to_owned(),
        secret_hashes: Vec::new(),
        // No key: nobody can be it here.
        jwks: Some(r#"{"keys":[]}"#.to_owned()),
        jwks_url: None,
        id_token_alg: "RS256".to_owned(),
        purpose: Some("TREAT".to_owned()),
        own: false,
        disabled: false,
    }
}

/// A source that pushes to the demo, with a secret that is made at first use.
fn sender(data: &Path) -> crate::Result<Sources> {
    // The keys make the folder.
    Keys::open(data)?;
    let secret = data.join(SECRET_FILE);
    if !secret.exists() {
        Secret::make(&secret)?;
    }
    Ok(Sources::of_one_sender(SENDER, DEMO_TENANT, secret))
}

/// Binds the port before anything else is done, so that one in use is known at once.
fn listen(address: SocketAddr) -> crate::Result<TcpListener> {
    TcpListener::bind(address).map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => Error::Setup(format!(
            "port {} is in use: give another one with --port, or 0 for any that is free",
            address.port()
        )),
        _ => Error::Setup(format!("cannot listen on {address}: {cause}; give another --port")),
    })
}

/// The families of the fixtures that are shown.
fn sources(fixtures: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fixtures.read_dir().with_context(|| {
        format!("no source records at {}: give their folder with --fixtures", fixtures.display())
    })?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let is_shown = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        path.is_dir() && !NOT_SHOWN.contains(&name)
    };
    let mut shown: Vec<_> = paths.into_iter().filter(is_shown).collect();
    shown.sort();
    Ok(shown)
}

/// Serves and watches until somebody wants it to stop.
async fn serve(
    app: &Arc<App>,
    listener: TcpListener,
    reloads: (Watch, Goldens),
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::select! {
        served = app.serve(listener, stop) => Ok(served?),
        watched = watch(app, reloads, out) => watched,
    }
}

/// Serves changed maps, and says on the terminal what became of them.
async fn watch(
    app: &Arc<App>,
    (mut watch, goldens): (Watch, Goldens),
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        if watch.changed() {
            let reloading = Arc::clone(app);
            let task = tokio::task::spawn_blocking(move || reloading.reload(goldens));
            say(task.await?, out)?;
            out.flush()?;
        }
    }
}

fn say(reload: crate::Result<Reload>, out: &mut dyn Write) -> io::Result<()> {
    match reload {
        Ok(Reload::Done { report, differences }) => {
            write!(out, "mappings reloaded: {} records mapped anew", report.mapped)?;
            let refused: u64 = report.quarantined.values().sum();
            if refused > 0 {
                write!(out, ", {refused} refused by a map: `throughline quarantine list`")?;
            }
            if !differences.is_empty() {
                write!(out, ", {} goldens differ: `throughline map test`", differences.len())?;
            }
            writeln!(out)
        }
        Ok(Reload::Kept(text)) => {
            writeln!(out, "mappings not reloaded, still serving the old set: {text}")
        }
        Ok(Reload::Same) => Ok(()),
        Err(failure) => writeln!(out, "mappings not reloaded: {failure}"),
    }
}
