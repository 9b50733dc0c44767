//! `throughline token`: prints a token of the demo, alone on a line.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::{Context, Outcome};
use crate::auth::{Grant, Keys, Tokens};
use crate::domain::TenantId;

/// The tenant of the fictional practice in `fixtures/`.
pub(super) const DEMO_TENANT: &str = "hv";
/// How long a token holds unless the caller says so, in minutes.
const MINUTES: u64 = 60;

/// Print a bearer token for the demo
///
/// The token reads and searches every resource of one tenant, and is signed with the key in the
/// data folder. It is for trying things out on this machine.
#[derive(Debug, Args)]
pub struct Token {
    /// Tenant whose records the token is for
    #[arg(long, default_value = DEMO_TENANT)]
    tenant: String,
    /// How long it holds
    #[arg(long, default_value_t = MINUTES, value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: u64,
}

impl Token {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let tenant: TenantId = self.tenant.parse().map_err(|()| {
            anyhow::anyhow!("--tenant has up to 64 letters, digits, dots, hyphens and underscores")
        })?;
        anyhow::ensure!(
            context.folders.data.is_dir(),
            "there is no data folder {}: name the one that is served with --data",
            context.folders.data.display()
        );
        let keys = Keys::open(&context.folders.data)?;
        let tokens = Tokens::new(&keys, Arc::clone(&context.clock))?;
        let lifetime = Duration::from_secs(self.minutes * 60);
        writeln!(context.out, "{}", tokens.mint(&reader(tenant, lifetime))?)?;
        Ok(Outcome::Done)
    }
}

/// Somebody who may read and search everything of one tenant.
pub(super) fn reader(tenant: TenantId, lifetime: Duration) -> Grant {
    Grant { tenant, subject: "demo".to_owned(), scopes: vec!["system/*.rs".to_owned()], lifetime }
}
