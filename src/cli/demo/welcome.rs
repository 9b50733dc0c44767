//! What the demo says when it is ready: where it is, and three things to try.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::app::{App, Config};
use crate::cli::token::{DEMO_TENANT, reader};
use crate::exchange::ingest::Report;

/// How long the printed token holds.
const LIFETIME: Duration = Duration::from_hours(12);
/// The file in the data folder that curl takes the token from.
const HEADER_FILE: &str = "authorization";
/// A line of a map that everybody can find, and what to put in its place.
const EDIT: (&str, &str, &str) =
    ("outbound/client-care-team.fml", "'Care team'", "'Team around the client'");

/// Writes it.
pub(super) fn write(
    app: &App,
    config: &Config,
    base: &str,
    report: &Report,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let tenant = DEMO_TENANT.parse().map_err(|()| anyhow::anyhow!("the demo has no tenant"))?;
    let token = app.tokens().mint(&reader(tenant, LIFETIME))?;
    let header = header_file(&config.data, &token)
        .with_context(|| format!("cannot write to {}", config.data.display()))?;
    let header = quoted(&header);
    let (map, from, to) = EDIT;
    let map = quoted(&config.mappings.canonicalize()?.join(map));
    let counts = app.store().resource_counts()?;
    let resources: u64 = counts.iter().map(|(_, count)| count).sum();
    let records: u64 = app.store().record_counts()?.iter().map(|(_, count)| count).sum();
    writeln!(out, "throughline serves a fictional therapy practice")?;
    writeln!(out, "  {records} source records as {resources} FHIR resources:")?;
    for (resource_type, count) in &counts {
        writeln!(out, "    {count:>6}  {resource_type}")?;
    }
    let refused: u64 = report.quarantined.values().sum();
    if refused > 0 {
        writeln!(out, "  {refused} in quarantine: `throughline quarantine list` says why")?;
    }
    writeln!(out, "\n  FHIR base  {base}")?;
    let portal = base.replace(crate::http::FHIR, "/portal");
    writeln!(out, "  pages      {portal} (choose whom to be; there is no password)")?;
    writeln!(out, "  metadata   {base}/metadata (needs no token)")?;
    writeln!(out, "  token      {token}")?;
    writeln!(out, "             holds for 12 hours; curl reads it from {header}")?;
    let secret = quoted(&config.data.canonicalize()?.join(super::SECRET_FILE));
    let push = base.replace(crate::http::FHIR, "/platform/records");
    writeln!(out, "  push       {push}, as source `{}`", super::SENDER)?;
    writeln!(out, "             the secret is in {secret}; docs/platform.md says how to sign\n")?;
    writeln!(out, "Try, in another terminal:\n")?;
    let curl = format!("curl -sS -H @{header}");
    let read = example(app)?;
    writeln!(out, "  # read one resource\n  {curl} '{base}/{read}'\n")?;
    writeln!(
        out,
        "  # search: finished sessions of October 2026, with who made the record\n  {curl} \
         '{base}/Encounter?status=finished&date=2026-10&_count=5&_revinclude=Provenance:target'\n"
    )?;
    writeln!(
        out,
        "  # change a map, and see it served\n  sed -i \"s/{from}/{to}/\" {map} && sleep 5 && \
         {curl} '{base}/CareTeam?_count=1'\n"
    )?;
    writeln!(out, "Ctrl-C stops it.")?;
    Ok(())
}

/// A resource that is there: the practice.
fn example(app: &App) -> anyhow::Result<String> {
    use crate::fhir::search::Query;
    use crate::policy::{Action, Permit, Principal};
    let tenant = DEMO_TENANT.parse().map_err(|()| anyhow::anyhow!("the demo has no tenant"))?;
    let principal = Arc::new(Principal::new(tenant, "demo", "system/*.s"));
    for resource_type in ["Encounter", "Organization"] {
        let permit = Permit::decide(&principal, Action::Search, resource_type)?;
        let page = app.store().search(&permit, &Query { count: 1, ..Query::default() })?;
        if let Some(first) = page.matches.first() {
            return Ok(format!("{resource_type}/{}", first.id));
        }
    }
    Ok("metadata".to_owned())
}

/// Writes a header field for `curl -H @FILE`, so that no token shows in a list of processes.
fn header_file(data: &Path, token: &str) -> io::Result<PathBuf> {
    let path = data.canonicalize()?.join(HEADER_FILE);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    writeln!(file, "Authorization: Bearer {token}")?;
    Ok(path)
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b'-');
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
