//! `throughline jobs`: what is being done beside the requests.

use clap::{Args, Subcommand};

use super::{Context, Outcome};
use crate::app::open_store;
use crate::auth::Keys;
use crate::store::{Job, JobFilter, JobState, Store};

/// Look after what is done beside the requests, such as exports
#[derive(Debug, Args)]
pub struct Jobs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the jobs, newest first
    List {
        /// Only those of this kind
        #[arg(long)]
        kind: Option<String>,
        /// Only those that stand so: open, done, failed or cancelled
        #[arg(long, value_parser = state)]
        state: Option<JobState>,
        /// How many at most
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one job, and how far it has come
    ///
    /// The exit code is 1 if it has failed.
    Show {
        /// The job's name
        id: String,
    },
    /// Stop a job, or take back what it did: its files are taken away
    Cancel {
        /// The job's name
        id: String,
    },
}

fn state(text: &str) -> Result<JobState, String> {
    text.parse().map_err(|()| "say open, done, failed or cancelled".to_owned())
}

impl Jobs {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let keys = Keys::open(&context.folders.data)?;
        let store = open_store(&context.folders.data, &context.store, &keys.id_key())?;
        match self.command {
            Command::List { kind, state, limit } => {
                for job in store.jobs(&JobFilter { kind, state, limit })? {
                    line(&job, context)?;
                }
                Ok(Outcome::Done)
            }
            Command::Show { id } => show(&*store, &id, context),
            Command::Cancel { id } => {
                if !store.cancel_job(&id, context.clock.now())? {
                    anyhow::bail!(
                        "no job of this name can be stopped: see `throughline jobs list`"
                    );
                }
                writeln!(context.out, "stopped; a server that runs takes away what it left")?;
                Ok(Outcome::Done)
            }
        }
    }
}

/// How a job stands, in a word: an open one waits or is worked on.
fn standing(job: &Job, context: &Context<'_>) -> &'static str {
    let now = context.clock.now();
    let is_held = job.lease.as_ref().is_some_and(|lease| lease.ends > now);
    match job.state {
        JobState::Open if is_held => "working",
        JobState::Open => "waiting",
        other => other.as_str(),
    }
}

fn line(job: &Job, context: &mut Context<'_>) -> anyhow::Result<()> {
    let standing = standing(job, context);
    let new = &job.new;
    write!(context.out, "{}  {}  tenant {}", new.id, new.kind, new.tenant)?;
    write!(context.out, "  client {}  made {:.0}  {standing}", new.client, new.made)?;
    for (name, text) in [("", Some(&job.progress)), ("TROUBLE ", job.trouble.as_ref())] {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            write!(context.out, "  {name}{text}")?;
        }
    }
    writeln!(context.out)?;
    Ok(())
}

fn show(store: &dyn Store, id: &str, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
    let Some(job) = store.job(id)? else {
        anyhow::bail!("there is no job of this name: see `throughline jobs list`");
    };
    line(&job, context)?;
    let parts = store.job_parts(id)?.len();
    writeln!(context.out, "finished parts  {parts}")?;
    writeln!(context.out, "attempts        {}", job.attempts)?;
    if let Some(ended) = job.ended {
        writeln!(context.out, "ended           {ended:.0}")?;
    }
    writeln!(context.out, "forgotten       {:.0}", job.new.expires)?;
    Ok(if job.state == JobState::Failed { Outcome::Attention } else { Outcome::Done })
}
