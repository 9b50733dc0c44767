//! `throughline link`: links to encrypted copies of records.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::SignedDuration;

use super::package::Copy;
use super::token::DEMO_TENANT;
use super::{Context, Outcome};
use crate::app::{open_blobs, open_ledger, open_store};
use crate::audit::{Action, Actor, Audit, Event};
use crate::auth::{self, Keys, Notary};
use crate::config::AuditMode;
use crate::domain::{FhirId, TenantId};
use crate::exchange::links::{HealthLinks, Named, NewLink, files, joined, passcode, qr};
use crate::policy::Mandate;
use crate::store::{Link as Row, Store};

/// How long what runs beside may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Make links to encrypted copies of records, and take them back
///
/// A link is a SMART Health Link. Whoever has it opens the copy in a browser or in a program for such
/// links; each opening asks again whether consent still gives what is in it.
#[derive(Debug, Args)]
pub struct Link {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a link to a copy of a patient's record
    ///
    /// The link and its passcode are printed this once: neither is kept. Send them by two ways.
    Create(Box<Create>),
    /// List links, newest first
    List {
        /// Tenant whose links
        #[arg(long, default_value = DEMO_TENANT, value_parser = super::audit::tenant)]
        tenant: TenantId,
        /// Only those to this patient's record
        #[arg(long, value_name = "ID", value_parser = super::audit::patient)]
        patient: Option<FhirId>,
        /// How many at most
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Take a link back at once; its copy is taken away
    Revoke {
        /// The link's name, as `link list` says it
        name: String,
        /// Tenant whose link it is
        #[arg(long, default_value = DEMO_TENANT, value_parser = super::audit::tenant)]
        tenant: TenantId,
    },
}

#[derive(Debug, Args)]
struct Create {
    #[command(flatten)]
    copy: Copy,
    /// What the link says that it holds; whoever sees the link reads it
    #[arg(long, value_name = "TEXT", default_value = "Health record")]
    label: String,
    /// How many days it can be opened
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=365))]
    days: u16,
    /// How often it can be opened
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    views: Option<u32>,
    /// Take the passcode from this file, and do not make one up
    #[arg(long, value_name = "FILE", conflicts_with_all = ["no_passcode", "direct"])]
    passcode_file: Option<PathBuf>,
    /// Make a link that opens without a passcode
    #[arg(long)]
    no_passcode: bool,
    /// Make a link of one file that is fetched at once (flag U), without a passcode
    #[arg(long)]
    direct: bool,
    /// Write the link as a QR code here, an SVG picture
    #[arg(long, value_name = "FILE")]
    qr: Option<PathBuf>,
}

impl Link {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let done = runtime.block_on(self.command.run(context));
        runtime.shutdown_timeout(GRACE);
        done
    }
}

/// What the subcommands need.
struct Desk {
    store: Arc<dyn Store>,
    audit: Audit,
    links: HealthLinks,
}

impl Desk {
    fn open(context: &Context<'_>) -> anyhow::Result<Self> {
        let (data, settings) = (&context.folders.data, &context.store);
        let keys = Keys::open(data)?;
        let store = open_store(data, settings, &keys.id_key())?;
        let ledger = open_ledger(data, settings)?;
        let clock = Arc::clone(&context.clock);
        let audit = Audit::start(ledger, Notary::new(&keys)?, clock, AuditMode::Closed)?;
        let blobs = open_blobs(data, &context.settings.blobs, &keys)?;
        let links = HealthLinks::new(Arc::clone(&store), blobs, Arc::clone(&context.clock));
        Ok(Self { store, audit, links })
    }
}

impl Command {
    async fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let desk = Desk::open(context)?;
        match self {
            Self::Create(create) => create.run(&desk, context).await,
            Self::List { tenant, patient, limit } => {
                for link in desk.links.list(&tenant, patient.as_ref(), limit).await? {
                    line(&link, context)?;
                }
                Ok(Outcome::Done)
            }
            Self::Revoke { name, tenant } => {
                let found = desk.links.find(&tenant, &name).await?;
                let is_revoked = desk.links.revoke(&tenant, &name).await?;
                let Some(link) = found.filter(|_| is_revoked) else {
                    anyhow::bail!("no link of this name can be taken back: see `link list`");
                };
                let now = context.clock.now();
                let mut event =
                    Event::new(Action::LinkRevoked, now, Some(&tenant), Actor::operator());
                event.about(&link.patient);
                event.note("link", &link.name);
                desk.audit.record(event).await?;
                writeln!(context.out, "taken back; opened {} times before", link.opened)?;
                Ok(Outcome::Done)
            }
        }
    }
}

impl Create {
    async fn run(&self, desk: &Desk, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let made = self.copy.make(context, &*desk.store, &desk.audit)?;
        let now = context.clock.now();
        let both = files(&made.package, &self.label, now)?;
        let files = if self.direct { vec![joined(&both)?] } else { both.to_vec() };
        let passcode = self.passcode()?;
        let mandate = Mandate::of(&made.principal, &auth::name()?, None);
        let new = NewLink {
            origin: &origin(context)?,
            tenant: &self.copy.tenant,
            patient: &self.copy.patient,
            mandate: &mandate,
            label: &self.label,
            passcode: passcode.as_deref(),
            expires: now.checked_add(SignedDuration::from_hours(24 * i64::from(self.days)))?,
            views: self.views,
            is_direct: self.direct,
            files,
            names: &Named::of(&made.pieces),
        };
        let link = desk.links.make(new).await?;
        let mut event = self.copy.event(Action::LinkMade, "link create", context);
        event.note("link", &link.name);
        if let Err(unwritten) = desk.audit.record(event).await {
            // What is not written down is not handed over.
            desk.links.revoke(&self.copy.tenant, &link.name).await?;
            return Err(unwritten.into());
        }
        if let Some(path) = &self.qr {
            fs::write(path, qr(&link.viewer)?).with_context(|| {
                format!("{} cannot be written: give another file with --qr", path.display())
            })?;
        }
        let out = &mut context.out;
        writeln!(out, "name      {}", link.name)?;
        writeln!(out, "link      {}", link.link)?;
        writeln!(out, "browser   {}", link.viewer)?;
        if let Some(passcode) = passcode {
            writeln!(out, "passcode  {passcode}")?;
        }
        writeln!(out, "until     {:.0}", link.expires)?;
        Ok(Outcome::Done)
    }

    /// The passcode that was given, or one that is made up.
    fn passcode(&self) -> anyhow::Result<Option<String>> {
        if self.no_passcode || self.direct {
            return Ok(None);
        }
        let Some(path) = &self.passcode_file else { return Ok(Some(passcode()?)) };
        let text = fs::read_to_string(path).with_context(|| {
            format!("{} cannot be read: give a file with the passcode", path.display())
        })?;
        Ok(Some(text.trim().to_owned()))
    }
}

/// Where the server is.
pub(super) fn origin(context: &Context<'_>) -> anyhow::Result<String> {
    let server = &context.settings.server;
    let base = server.base_url.clone().unwrap_or_else(|| {
        let scheme = if context.settings.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", server.listen)
    });
    let url = url::Url::parse(&base).context("server.base_url is no URL")?;
    Ok(url.origin().ascii_serialization())
}

fn line(link: &Row, context: &mut Context<'_>) -> anyhow::Result<()> {
    let state = link.state(context.clock.now()).as_str();
    let out = &mut context.out;
    write!(out, "{}  {state}  Patient/{}  for {}", link.name, link.patient, link.client)?;
    write!(out, "  made {:.0}  until {:.0}  opened {}", link.made, link.expires, link.opened)?;
    if let Some(views) = link.views {
        write!(out, " of {views}")?;
    }
    if let Some((last, opener)) = link.last.zip(link.opener.as_ref()) {
        write!(out, "  last {last:.0} by {opener:?}")?;
    }
    writeln!(out)?;
    Ok(())
}
