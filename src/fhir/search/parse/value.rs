//! The values of search parameters: alternatives, escapes, prefixes and their forms.

use crate::error::{Error, Result};
use crate::fhir::search::{Operand, Prefix, TextMatch, UriMatch, date as dates, text as normal};

/// The alternatives of a value: split at commas that are not escaped. The escapes stay.
pub(super) fn alternatives(value: &str) -> Vec<String> {
    let mut all = parts(value, ',');
    all.retain(|one| !one.is_empty());
    all
}

/// The parts of a value between separators that are not escaped. The escapes stay.
pub(super) fn parts(value: &str, separator: char) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut escaped = false;
    for c in value.chars() {
        if c == separator && !escaped {
            all.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(last) = all.last_mut() {
            last.push(c);
        }
    }
    all
}

/// Whether a value ends with a backslash that has nothing behind it to escape.
pub(super) fn is_cut_off(value: &str) -> bool {
    value.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

/// Takes the backslashes off `\,`, `\|`, `\$` and `\\`.
pub(super) fn plain(value: &str) -> String {
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

/// The ids of `_id`.
pub(super) fn ids(value: &str) -> Vec<String> {
    alternatives(value).iter().map(|one| plain(one)).collect()
}

/// `code`, `system|code`, `|code` or `system|`.
pub(super) fn token(name: &str, value: &str) -> Result<Operand> {
    let mut parts = parts(value, '|').into_iter();
    let first = parts.next().unwrap_or_default();
    let rest: Vec<String> = parts.collect();
    if rest.is_empty() {
        return Ok(Operand::Token { system: None, code: Some(plain(&first)) });
    }
    let (system, code) = (plain(&first), plain(&rest.join("|")));
    if system.is_empty() && code.is_empty() {
        let hint = "neither system nor code: write code, system|code, |code or system|";
        return Err(Error::invalid(name, hint));
    }
    Ok(Operand::Token { system: Some(system), code: (!code.is_empty()).then_some(code) })
}

/// `system|code|value`: the type of an identifier, and the identifier.
pub(super) fn of_type(name: &str, value: &str) -> Result<Operand> {
    let parts: Vec<String> = parts(value, '|').iter().map(|part| plain(part)).collect();
    match parts.as_slice() {
        [system, code, value] if [system, code, value].iter().all(|part| !part.is_empty()) => {
            let system = Some(format!("{system}|{code}"));
            Ok(Operand::Token { system, code: Some(value.clone()) })
        }
        _ => Err(Error::invalid(name, "write system|code|value, the type's system and code first")),
    }
}

/// Text to look for.
pub(super) fn text(name: &str, how: TextMatch, value: &str) -> Result<Operand> {
    let exact = plain(value);
    let normal = normal::normalise(&exact);
    if normal.is_empty() {
        return Err(Error::invalid(name, "the parameter has no text to look for"));
    }
    let value = if how == TextMatch::Exact { exact } else { normal };
    Ok(Operand::Text { how, value })
}

/// A URI.
pub(super) fn uri(how: UriMatch, value: &str) -> Operand {
    Operand::Uri { how, value: plain(value) }
}

/// A date with a prefix.
pub(super) fn date(name: &str, value: &str) -> Result<Operand> {
    let (prefix, date) = prefixed(value);
    // A `+` that was not escaped in the URL arrives as a space.
    let (low, high) = dates::range(&date.replace(' ', "+")).ok_or_else(|| {
        Error::invalid(
            name,
            "not a FHIR date: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+hh:mm",
        )
    })?;
    Ok(Operand::Date { prefix, low, high })
}

/// `number`, `number|system|code` or `number||code`, with a prefix.
pub(super) fn quantity(name: &str, value: &str) -> Result<Operand> {
    let refused =
        || Error::invalid(name, "not a quantity: number, number|system|code or number||code");
    let all = parts(value, '|');
    let (number, system, code) = match all.as_slice() {
        [number] => (number, "", ""),
        [number, system, code] if !code.is_empty() => (number, system.as_str(), code.as_str()),
        _ => return Err(refused()),
    };
    let (prefix, number) = prefixed(number);
    let (middle, half) = decimal(number).ok_or_else(refused)?;
    // Only equality looks at how precisely the number was written.
    let half = match prefix {
        Prefix::Eq | Prefix::Ne => half,
        Prefix::Ap => half.max(middle.abs() / 10.0),
        _ => 0.0,
    };
    let given = |text: &str| (!text.is_empty()).then(|| plain(text));
    Ok(Operand::Quantity {
        prefix,
        low: middle - half,
        high: middle + half,
        system: given(system),
        code: given(code),
    })
}

/// A decimal, and half a unit of its last digit.
fn decimal(text: &str) -> Option<(f64, f64)> {
    let written = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let value: f64 = text.chars().all(written).then(|| text.parse().ok())??;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let digits = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let digits = i32::try_from(digits).ok()?;
    let half = 0.5 * 10_f64.powi(exponent.checked_sub(digits)?);
    (value.is_finite() && half.is_finite()).then_some((value, half))
}

/// A value's prefix, and the rest.
pub fn prefixed(text: &str) -> (Prefix, &str) {
    const PREFIXES: &[(&str, Prefix)] = &[
        ("eq", Prefix::Eq),
        ("ne", Prefix::Ne),
        ("gt", Prefix::Gt),
        ("lt", Prefix::Lt),
        ("ge", Prefix::Ge),
        ("le", Prefix::Le),
        ("sa", Prefix::Sa),
        ("eb", Prefix::Eb),
        ("ap", Prefix::Ap),
    ];
    PREFIXES
        .iter()
        .find_map(|(name, prefix)| Some((*prefix, text.strip_prefix(name)?)))
        .unwrap_or((Prefix::Eq, text))
}

/// Whether `text` could be a logical id.
pub(super) fn is_id(text: &str) -> bool {
    text.parse::<crate::domain::FhirId>().is_ok()
}
