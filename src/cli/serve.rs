//! `throughline serve`: the gateway, as the settings say, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::{Context, Outcome};
use crate::app::{App, Config, Listeners, ServingLock};

/// How long work on threads may go on once the server has stopped.
const GRACE: Duration = Duration::from_secs(5);

/// Serve, as the settings say
///
/// SIGTERM or SIGINT makes it stop: `/readyz` says no, the open requests are answered, and it ends
/// with exit code 0. A second signal ends it at once.
#[derive(Debug, Args)]
pub struct Serve {}

impl Serve {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let settings = &context.settings;
        crate::telemetry::raise_open_files();
        // Bound before anything is opened, so that an address in use is known at once.
        let listeners = Listeners::bind(settings)?;
        let _lock = ServingLock::take(&settings.data, &settings.store)?;
        let app = App::open(&Config::of(settings), Arc::clone(&context.clock))?;
        writeln!(context.out, "serving {}", app.base_of(&listeners.public)?)?;
        writeln!(context.out, "listening on {}", listeners.public.local_addr()?)?;
        if let Some(admin) = &listeners.admin {
            writeln!(context.out, "health and metrics on http://{}", admin.local_addr()?)?;
        }
        context.out.flush()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = runtime.block_on(until_told(&app, listeners));
        runtime.shutdown_timeout(GRACE);
        served?;
        writeln!(context.out, "stopped")?;
        Ok(Outcome::Done)
    }
}

/// Serves until a signal says to stop; another one does not wait for open requests.
async fn until_told(app: &App, listeners: Listeners) -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (tell, told) = oneshot::channel::<()>();
    let twice = async move {
        let mut tell = Some(tell);
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            match tell.take() {
                Some(first) => drop(first),
                None => return,
            }
        }
    };
    let stop = async {
        let _dropped = told.await;
    };
    tokio::select! {
        served = app.serve_on(listeners, stop) => Ok(served?),
        () = twice => anyhow::bail!("told to stop twice: open requests were cut off"),
    }
}
