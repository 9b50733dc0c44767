//! `throughline clients`: which apps and systems may ask for tokens.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};

use super::{Context, Outcome};
use crate::app::open_store;
use crate::auth::Keys;
use crate::config::{ClientAuth, ClientSettings};
use crate::smart::{Client, Clients as Register, Proof};

/// Look after the apps and systems that may ask for tokens
///
/// They are kept in the store. Clients of the configuration file are changed there.
#[derive(Debug, Args)]
pub struct Clients {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Register a client; a symmetric one is given a secret, which is shown once
    Add(Add),
    /// List the clients
    List,
    /// Show what was registered for a client; never a secret
    Show {
        /// The client's id
        id: String,
    },
    /// Take all rights from a client: its tokens end within a second
    Disable {
        /// The client's id
        id: String,
        /// Give them back instead
        #[arg(long)]
        undo: bool,
    },
    /// Give a client a new secret, or other keys
    Rotate {
        /// The client's id
        id: String,
        /// End the old secret at once; otherwise it is good until the next rotation
        #[arg(long)]
        now: bool,
        /// File with a JSON Web Key Set, for an asymmetric client
        #[arg(long, value_name = "FILE", conflicts_with = "jwks_url")]
        jwks: Option<PathBuf>,
        /// Where the key set is, for an asymmetric client
        #[arg(long, value_name = "URL")]
        jwks_url: Option<String>,
    },
}

/// How a client proves that it is itself.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// An app in a browser or on a phone, protected by PKCE
    Public,
    /// With a secret
    Symmetric,
    /// With a signature
    Asymmetric,
}

#[derive(Debug, Args)]
struct Add {
    /// Its id: letters, digits, dots, hyphens and underscores
    id: String,
    /// The tenant whose records it is for
    #[arg(long)]
    tenant: String,
    /// Its name, as people are shown it
    #[arg(long)]
    name: String,
    /// How it proves that it is itself
    #[arg(long)]
    auth: Kind,
    /// Where people are sent back to; may be given several times
    #[arg(long = "redirect-uri", value_name = "URL")]
    redirect_uris: Vec<String>,
    /// Where the app is launched from the platform
    #[arg(long, value_name = "URL")]
    launch_url: Option<String>,
    /// The scopes that it may ask for, separated by spaces
    #[arg(long)]
    scopes: String,
    /// File with its JSON Web Key Set
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_url")]
    jwks: Option<PathBuf>,
    /// Where its key set is
    #[arg(long, value_name = "URL")]
    jwks_url: Option<String>,
    /// What its `id_token`s are signed with
    #[arg(long, default_value = "RS256")]
    id_token_alg: String,
}

impl Clients {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let keys = Keys::open(&context.folders.data)?;
        let store = open_store(&context.folders.data, &context.store, &keys.id_key())?;
        let register = Register::new(&context.settings.clients, Arc::clone(&store))?;
        match self.command {
            Command::Add(add) => add.run(&register, context)?,
            Command::List => {
                for (client, _) in register.all()? {
                    list(&client, context)?;
                }
            }
            Command::Show { id } => {
                let shown = ClientSettings { secret_hashes: Vec::new(), ..register.stored(&id)? };
                writeln!(context.out, "{}", serde_json::to_string_pretty(&shown)?)?;
            }
            Command::Disable { id, undo } => {
                register.disable(&id, !undo)?;
                let done = if undo { "has its rights again" } else { "may do nothing any more" };
                writeln!(context.out, "{id} {done}")?;
            }
            Command::Rotate { id, now, jwks, jwks_url } => {
                if jwks.is_some() || jwks_url.is_some() {
                    register.rotate_keys(&id, key_set(jwks)?, jwks_url)?;
                    writeln!(context.out, "{id} has other keys")?;
                } else {
                    let secret = register.rotate_secret(&id, !now)?;
                    writeln!(context.out, "{secret}")?;
                }
            }
        }
        Ok(Outcome::Done)
    }
}

impl Add {
    fn run(self, register: &Register, context: &mut Context<'_>) -> anyhow::Result<()> {
        let auth = match self.auth {
            Kind::Public => ClientAuth::Public,
            Kind::Symmetric => ClientAuth::Symmetric,
            Kind::Asymmetric => ClientAuth::Asymmetric,
        };
        let settings = ClientSettings {
            id: self.id,
            tenant: self.tenant,
            name: self.name,
            auth,
            redirect_uris: self.redirect_uris,
            launch_url: self.launch_url,
            scopes: self.scopes,
            secret_hashes: Vec::new(),
            jwks: key_set(self.jwks)?,
            jwks_url: self.jwks_url,
            id_token_alg: self.id_token_alg,
            disabled: false,
        };
        match register.add(settings)? {
            Some(secret) => writeln!(context.out, "{secret}")?,
            None => writeln!(context.out, "added")?,
        }
        Ok(())
    }
}

fn key_set(file: Option<PathBuf>) -> anyhow::Result<Option<String>> {
    let Some(file) = file else { return Ok(None) };
    let set = std::fs::read_to_string(&file);
    set.map(Some).map_err(|cause| anyhow::anyhow!("{}: {cause}", file.display()))
}

fn list(client: &Client, context: &mut Context<'_>) -> std::io::Result<()> {
    let auth = match client.proof {
        Proof::Public => "public",
        Proof::Secret(_) => "symmetric",
        Proof::Keys(_) | Proof::KeysAt(_) => "asymmetric",
    };
    let state = if client.is_disabled { "  DISABLED" } else { "" };
    let Client { id, tenant, name, .. } = client;
    writeln!(context.out, "{id}  tenant {tenant}  {auth}  {name}{state}")
}
