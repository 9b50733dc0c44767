//! The values of search parameters: alternatives, escapes, tokens.

use crate::error::{Error, Result};
use crate::fhir::search::{Operand, TextMatch, text as normal};

/// The alternatives of a value: split at commas that are not escaped. The escapes stay.
pub(super) fn alternatives(value: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut escaped = false;
    for c in value.chars() {
        if c == ',' && !escaped {
            all.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(last) = all.last_mut() {
            last.push(c);
        }
    }
    all.retain(|one| !one.is_empty());
    all
}

/// Takes the backslashes off `\,`, `\|`, `\$` and `\\`.
fn plain(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut escaped = false;
    for c in value.chars() {
        if escaped || c != '\\' {
            out.push(c);
            escaped = false;
        } else {
            escaped = true;
        }
    }
    out
}

/// `code`, `system|code`, `|code` or `system|`.
pub(super) fn token(value: &str) -> Operand {
    let mut escaped = false;
    let bar = value.find(|c| {
        let here = c == '|' && !escaped;
        escaped = c == '\\' && !escaped;
        here
    });
    match bar.and_then(|at| value.split_at_checked(at)) {
        None => Operand::Token { system: None, code: Some(plain(value)) },
        Some((system, rest)) => {
            let code = plain(rest.strip_prefix('|').unwrap_or(rest));
            let code = (!code.is_empty()).then_some(code);
            Operand::Token { system: Some(plain(system)), code }
        }
    }
}

/// Text to start with.
pub(super) fn text(name: &str, value: &str) -> Result<Operand> {
    let prefix = normal::normalise(&plain(value));
    if prefix.is_empty() {
        return Err(Error::invalid(name, "the parameter has no text to look for"));
    }
    Ok(Operand::Text { how: TextMatch::Starts, value: prefix })
}

/// Whether `text` could be a logical id.
pub(super) fn is_id(text: &str) -> bool {
    text.parse::<crate::domain::FhirId>().is_ok()
}
