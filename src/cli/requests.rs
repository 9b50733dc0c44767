//! `throughline requests`: what people ask about their records, for those who answer them.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;

use super::retention::tell;
use super::{Context, Outcome};
use crate::app::{App, Config};
use crate::audit::{Action, Actor, Event as Done};
use crate::domain::TenantId;
use crate::exchange::requests::{Asked, By, Erasures, Request, Requester, Scope, Step, Told};
use crate::policy::request::{Event, Matter, Refusal, Regime, Standing};

/// List, open and answer what people ask about their records
#[derive(Debug, Args)]
pub struct Requests {
    /// The practice, as the platform names it
    #[arg(long, global = true, value_name = "NAME")]
    tenant: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List requests, the next to be answered first
    ///
    /// The exit code is 1 if one is overdue.
    List {
        /// Also those that are closed
        #[arg(long)]
        all: bool,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show one request with all that was done
    Show {
        /// The request's id
        id: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print the letters of a request, as they are sent
    Letters {
        /// The request's id
        id: String,
    },
    /// List who has received the entry that a request is about
    Receivers {
        /// The request's id
        id: String,
    },
    /// Write down a request that came by letter or by word
    Open(Box<Opening>),
    /// Take a step with a request
    ///
    /// Steps: `identity_asked`, `identity_proven`, `identity_failed`, `review_started`, `extend`,
    /// `approve`, `deny_in_part`, `deny`, `review_requested`, `fulfil`, `withdraw`, `expire`; of a
    /// correction also `disagree`, `enclose`, `rebut`, `agree`, `notify`.
    Step(Box<Stepping>),
    /// Carry out an erasure that was granted: what no schedule keeps goes, and the letter says what stays
    ///
    /// Without `--yes` it says what would go, and changes nothing.
    Erase {
        /// The request's id
        id: String,
        /// Who answers for it
        #[arg(long, value_name = "WHO")]
        by: String,
        /// Do it
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct Opening {
    /// The platform's id of the client
    #[arg(long)]
    client: String,
    /// `access`, `portability`, `third_party_directive`, `amendment`, `accounting`, `restriction`
    /// or `erasure`
    #[arg(long = "type", value_parser = matter)]
    matter: Matter,
    /// `client`, `proxy`, `representative`, `attorney` or `insurer`
    #[arg(long, default_value = "client", value_parser = ["client", "proxy", "representative", "attorney", "insurer"])]
    requester: String,
    /// The requester's name, where it is not the client
    #[arg(long)]
    name: Option<String>,
    /// When it was received, with its offset: `2026-11-03T09:12:00-07:00`; now if left out
    #[arg(long)]
    received: Option<Timestamp>,
    /// How it came
    #[arg(long, default_value = "letter")]
    channel: String,
    /// How it is known who asks: `id_proofing_ial2`, `in_person`, `notarized` or `knowledge`
    #[arg(long, value_parser = PROOFS)]
    proof: Option<String>,
    /// `hipaa`, `part2`, `gdpr` or `state:` with a code; the practice's law if left out
    #[arg(long, value_parser = regime)]
    regime: Option<Regime>,
    /// Only entries from this day on
    #[arg(long)]
    from: Option<Date>,
    /// Only entries up to this day
    #[arg(long)]
    to: Option<Date>,
    /// `fhir_json`, `pdf`, `ccda`, `html` or `paper`
    #[arg(long, value_parser = ["fhir_json", "pdf", "ccda", "html", "paper"])]
    format: Option<String>,
    /// `portal`, `smart_health_link`, `encrypted_zip`, `direct` or `mail`
    #[arg(long, value_parser = ["portal", "smart_health_link", "encrypted_zip", "direct", "mail"])]
    media: Option<String>,
    /// What the person says, in their words
    #[arg(long)]
    statement: Option<String>,
    /// The platform's id of the note that is to be corrected
    #[arg(long)]
    entry: Option<String>,
}

#[derive(Debug, Args)]
struct Stepping {
    /// The request's id
    id: String,
    /// The step
    #[arg(value_parser = event)]
    event: Event,
    /// Why, for the person who asked; the statement or the answer, of `disagree` and `rebut`
    #[arg(long)]
    reason: Option<String>,
    /// By which day it will be answered, of an extension
    #[arg(long)]
    until: Option<Date>,
    /// How it was proven who asks
    #[arg(long, value_parser = PROOFS)]
    proof: Option<String>,
    /// On which ground a correction or an erasure is refused
    #[arg(long, value_parser = ground)]
    ground: Option<Refusal>,
    /// The platform's id of the note that is corrected
    #[arg(long)]
    entry: Option<String>,
    /// What the corrected note is to be read with
    #[arg(long)]
    text: Option<String>,
    /// The platform's id of the member of staff who signs the correction or its refusal
    #[arg(long, value_name = "STAFF")]
    author: Option<String>,
    /// Somebody who shall be told of the correction; once for each
    #[arg(long, value_name = "NAME")]
    tell: Vec<String>,
}

const PROOFS: [&str; 4] = ["id_proofing_ial2", "in_person", "notarized", "knowledge"];

fn matter(word: &str) -> Result<Matter, String> {
    let known = || Matter::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    word.parse().map_err(|()| format!("a request is one of {}", known()))
}

fn event(word: &str) -> Result<Event, String> {
    let known = || Event::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    word.parse().map_err(|()| format!("a step is one of {}", known()))
}

fn ground(word: &str) -> Result<Refusal, String> {
    let known = || Refusal::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    word.parse().map_err(|()| format!("a ground is one of {}", known()))
}

fn regime(word: &str) -> Result<Regime, String> {
    word.parse().map_err(|()| "a law is hipaa, part2, gdpr, or state: with a code".to_owned())
}

impl Requests {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let tenant = self.tenant.context("say which practice with --tenant")?;
        let tenant: TenantId = tenant
            .parse()
            .map_err(|()| anyhow::anyhow!("a practice's name has letters, digits, . _ and -"))?;
        let app = App::open(&Config::of(&context.settings), Arc::clone(&context.clock))?;
        let requests = app.requests();
        match self.command {
            Command::List { all, json } => {
                let mut found = requests.all(&tenant)?;
                found.retain(|request| all || !request.state.is_closed());
                list(&found, json, context.out)
            }
            Command::Show { id, json } => {
                let found = requests.request(&tenant, &id)?.with_context(|| missing(&id))?;
                show(&found, json, context.out)?;
                Ok(Outcome::Done)
            }
            Command::Letters { id } => {
                let found = requests.request(&tenant, &id)?.with_context(|| missing(&id))?;
                note(&app, context, &tenant, Action::Desk, &found)?;
                letters(&found, context.out)?;
                Ok(Outcome::Done)
            }
            Command::Receivers { id } => {
                let found = requests.request(&tenant, &id)?.with_context(|| missing(&id))?;
                note(&app, context, &tenant, Action::Desk, &found)?;
                for one in requests.receivers(&**app.audit().ledger(), &tenant, &found)? {
                    writeln!(context.out, "{}  {}", one.last, one.id)?;
                }
                Ok(Outcome::Done)
            }
            Command::Open(opening) => {
                let opened = requests.open(&tenant, opening.asked())?;
                note(&app, context, &tenant, Action::RequestMade, &opened)?;
                writeln!(context.out, "{}", opened.id)?;
                Ok(Outcome::Done)
            }
            Command::Erase { id, by, yes } => {
                erase(&app, &tenant, &id, yes.then_some(by), context)?;
                Ok(Outcome::Done)
            }
            Command::Step(stepping) => {
                let (id, step) = stepping.step();
                let after = requests.step(&tenant, &id, step)?;
                note(&app, context, &tenant, Action::RequestChanged, &after)?;
                show(&after, false, context.out)?;
                Ok(Outcome::Done)
            }
        }
    }
}

/// Carries out an erasure by somebody, or says what that would leave.
fn erase(
    app: &App,
    tenant: &TenantId,
    id: &str,
    by: Option<String>,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let erasures = Erasures { requests: Arc::new(app.requests()), retention: app.retention() };
    let Some(by) = by else {
        writeln!(context.out, "would erase, with --yes:")?;
        return tell(&erasures.preview(tenant, id)?, context);
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let actor = Actor { user: Some(by), ..Actor::operator() };
    let after = runtime.block_on(erasures.carry_out(tenant, id, By::Operator, actor))?;
    note(app, context, tenant, Action::RequestChanged, &after)?;
    show(&after, false, context.out)?;
    Ok(())
}

impl Opening {
    fn asked(self) -> Asked {
        let id = (self.requester == "client").then(|| self.client.clone());
        Asked {
            client: self.client,
            matter: self.matter,
            regime: self.regime,
            requester: Requester { kind: self.requester, id, name: self.name },
            received: self.received,
            channel: self.channel,
            proof: self.proof,
            scope: Scope {
                from: self.from.map(|day| day.to_string()),
                to: self.to.map(|day| day.to_string()),
                kinds: vec!["*".to_owned()],
                format: self.format,
                media: self.media,
            },
            statement: self.statement,
            entry: self.entry,
        }
    }
}

impl Stepping {
    /// The request's id, and the step.
    fn step(self) -> (String, Step) {
        let told = |name| Told { name, received_at: None, told_at: None };
        let step = Step {
            reason: self.reason,
            until: self.until,
            proof: self.proof,
            ground: self.ground,
            entry: self.entry,
            text: self.text,
            author: self.author,
            tell: self.tell.into_iter().map(told).collect(),
            ..Step::new(self.event, By::Operator)
        };
        (self.id, step)
    }
}

fn missing(id: &str) -> String {
    format!("there is no request {id}: see `throughline requests list`")
}

fn letters(request: &Request, out: &mut dyn Write) -> std::io::Result<()> {
    for (place, letter) in request.letters.iter().enumerate() {
        if place > 0 {
            writeln!(out, "\n----\n")?;
        }
        writeln!(out, "{}", letter.text)?;
    }
    Ok(())
}

/// Writes down who did what with whose request.
fn note(
    app: &App,
    context: &Context<'_>,
    tenant: &TenantId,
    action: Action,
    request: &Request,
) -> anyhow::Result<()> {
    let mut event = Done::new(action, context.clock.now(), Some(tenant), Actor::operator());
    event.about(&app.patient(tenant, &request.client));
    event.note("request", request.id.clone());
    event.note("state", request.state.as_str());
    app.audit().record_blocking(&event)?;
    Ok(())
}

fn list(found: &[Request], json: bool, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    for request in found {
        if json {
            writeln!(out, "{}", request.standing_value())?;
        } else {
            let (matter, state) = (request.matter.as_str(), request.state.as_str());
            writeln!(out, "{}  {matter:<21}  {state:<16}  {}", request.id, standing(request))?;
        }
    }
    if found.is_empty() && !json {
        writeln!(out, "no requests")?;
    }
    let is_late = found.iter().any(Request::is_overdue);
    Ok(if is_late { Outcome::Attention } else { Outcome::Done })
}

fn show(request: &Request, json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if json {
        return writeln!(out, "{}", request.standing_value());
    }
    writeln!(out, "id        {}", request.id)?;
    writeln!(out, "client    {}", request.client)?;
    writeln!(out, "type      {}", request.matter.as_str())?;
    writeln!(out, "law       {}", request.regime)?;
    writeln!(out, "received  {} by {}", request.received, request.channel)?;
    writeln!(out, "state     {}", request.state.as_str())?;
    writeln!(out, "time      {}", standing(request))?;
    for step in &request.history {
        let by = step.by.as_deref().unwrap_or("?");
        writeln!(out, "step      {} {} by {by}", step.at, step.event.as_str())?;
    }
    Ok(())
}

/// How it stands with the time, in words.
fn standing(request: &Request) -> String {
    if request.state.is_closed() {
        return "closed".to_owned();
    }
    match request.standing {
        Standing::Untimed => "no term in the law".to_owned(),
        Standing::Paused => "paused until it is known who asks".to_owned(),
        Standing::Running { due, days, remind } => {
            let remind = if remind { ", reminder due" } else { "" };
            format!("due {due}, in {days} days{remind}")
        }
        Standing::Overdue { due, days } => format!("OVERDUE since {due}, {days} days"),
    }
}
