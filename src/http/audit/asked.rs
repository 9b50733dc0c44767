//! The parameters of a search over the audit.

use jiff::Timestamp;

use crate::audit::{Action, Question};
use crate::error::Error;
use crate::fhir::search::parse::{self, DEFAULT_COUNT, MAX_COUNT, PAGE};
use crate::fhir::search::{Prefix, date};
use crate::http::call::Call;
use crate::http::parameters::Pairs;

/// The parameters that name one thing; `date` may be there twice, for both ends.
const ONCE: &[&str] = &["_id", "_count", "patient", "altid", "subtype", "outcome", PAGE];

/// What is asked for.
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) id: Option<String>,
    pub(super) page: Option<String>,
    /// The parameters without the page.
    pub(super) understood: Pairs,
}

impl Asked {
    pub(super) fn of(call: &Call, base: &str) -> Result<Self, Error> {
        parse::once(&call.parameters, ONCE)?;
        let question = Question { count: DEFAULT_COUNT, ..Question::default() };
        let mut asked = Self { question, id: None, page: None, understood: Vec::new() };
        for (name, text) in &call.parameters {
            match name.as_str() {
                PAGE => {
                    asked.page = Some(text.clone());
                    continue;
                }
                "_format" | "_pretty" => {}
                _ if asked.take(name, text, base)? => {}
                _ if call.lenient => continue,
                _ => {
                    let hint = "events are searched by patient, date, altid, subtype, outcome, \
                                _id and _count";
                    return Err(Error::not_supported(name, hint));
                }
            }
            asked.understood.push((name.clone(), text.clone()));
        }
        Ok(asked)
    }

    /// Takes a parameter; `false` where there is no such one.
    fn take(&mut self, name: &str, text: &str, base: &str) -> Result<bool, Error> {
        let question = &mut self.question;
        match name {
            "_id" => self.id = Some(text.to_owned()),
            "_count" => {
                let count = text.parse().ok().filter(|count| *count > 0);
                let hint = "_count is a number of events: 1 or more";
                let count: usize = count.ok_or_else(|| Error::invalid("_count", hint))?;
                question.count = count.min(MAX_COUNT);
            }
            "patient" => {
                let id = text.strip_prefix(base).and_then(|rest| rest.strip_prefix('/'));
                let id = id.unwrap_or(text);
                let id = id.strip_prefix("Patient/").unwrap_or(id).parse().ok();
                let hint = "patient is one reference: Patient/ID";
                question.patient = Some(id.ok_or_else(|| Error::invalid("patient", hint))?);
            }
            "date" => narrow(question, text)?,
            "altid" => question.actor = Some(code(text).to_owned()),
            "subtype" => {
                let hint = "subtype is one of the codes that the events have";
                let deed = Action::coded(code(text)).ok_or_else(|| Error::invalid(name, hint))?;
                question.action = Some(deed);
            }
            "outcome" => {
                let hint = "outcome is 0, 4, 8 or 12";
                let outcome = code(text).parse().ok().filter(|code| [0, 4, 8, 12].contains(code));
                question.outcome = Some(outcome.ok_or_else(|| Error::invalid(name, hint))?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The code of a token, with or without its system.
fn code(text: &str) -> &str {
    text.rsplit_once('|').map_or(text, |(_, code)| code)
}

/// Narrows the time by a date with its prefix.
fn narrow(question: &mut Question, text: &str) -> Result<(), Error> {
    let hint = "date is a date with eq, ge, gt, le or lt, or with no prefix";
    let wrong = || Error::invalid("date", hint);
    let (prefix, text) = parse::prefixed(text);
    // A `+` that was not escaped in the URL arrives as a space.
    let (low, high) = date::range(&text.replace(' ', "+")).ok_or_else(wrong)?;
    let instant = |micros| Timestamp::from_microsecond(micros).map_err(|_range| wrong());
    let after = |micros: i64| instant(micros.saturating_add(1));
    match prefix {
        Prefix::Eq => {
            question.since = Some(instant(low)?);
            question.until = Some(after(high)?);
        }
        Prefix::Ge => question.since = Some(instant(low)?),
        Prefix::Gt | Prefix::Sa => question.since = Some(after(high)?),
        Prefix::Le => question.until = Some(after(high)?),
        Prefix::Lt | Prefix::Eb => question.until = Some(instant(low)?),
        Prefix::Ne | Prefix::Ap => return Err(wrong()),
    }
    Ok(())
}
