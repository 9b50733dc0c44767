//! The report of a run as text for people.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::exchange::ingest::{Finding, Report};

/// Findings that are listed one by one; `--json` has all of them.
const LISTED: usize = 20;

/// Writes a report.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    records(report, out)?;
    let resources: u64 = report.resources.values().sum();
    writeln!(out, "{} records mapped to {resources} resources", report.mapped)?;
    for (name, count) in &report.resources {
        writeln!(out, "  {name:<24}{count:>10}")?;
    }
    findings("warnings", &report.warnings, out)?;
    findings("fields not carried over", &report.losses, out)?;
    if report.needs_attention() {
        let total: u64 = report.quarantined.values().sum();
        writeln!(out, "{total} to quarantine; `throughline quarantine list` says where and why")?;
        for (reason, count) in &report.quarantined {
            writeln!(out, "  {reason:<24}{count:>10}")?;
        }
    }
    Ok(())
}

fn records(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.records.is_empty() {
        return Ok(());
    }
    if report.files > 0 {
        let plural = if report.files == 1 { "" } else { "s" };
        writeln!(out, "{} file{plural} read", report.files)?;
    }
    writeln!(
        out,
        "  {:<24}{:>10}{:>10}{:>10}{:>12}",
        "records", "stored", "unchanged", "older", "quarantined"
    )?;
    for (kind, counts) in &report.records {
        write!(
            out,
            "  {kind:<24}{:>10}{:>10}{:>10}{:>12}",
            counts.stored, counts.unchanged, counts.older, counts.quarantined
        )?;
        if counts.not_mapped > 0 {
            write!(out, "  not mapped")?;
        }
        if counts.isolated > 0 {
            write!(out, "  {} kept apart", counts.isolated)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn findings(title: &str, findings: &BTreeMap<Finding, u64>, out: &mut dyn Write) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let total: u64 = findings.values().sum();
    writeln!(out, "{total} {title}")?;
    let mut most: Vec<_> = findings.iter().collect();
    most.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (Finding { kind, pointer, reason }, count) in most.iter().take(LISTED) {
        writeln!(out, "  {reason:<24}{count:>10}  {kind} {pointer}")?;
    }
    if most.len() > LISTED {
        writeln!(out, "  … and {} more; --json lists them all", most.len() - LISTED)?;
    }
    Ok(())
}
