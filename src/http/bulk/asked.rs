//! The parameters of an export, from a URL or from a `Parameters` resource.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::FhirId;
use crate::error::{Error, Result};
use crate::exchange::bulk::{Ask, Level, Narrow};
use crate::fhir::search::{param, parse};
use crate::http::disclosure::Disclosure;
use crate::http::history::range;
use crate::http::parameters::Pairs;
use crate::policy::{Action, Permit, Principal};

/// The names of the one format that there is.
const FORMATS: [&str; 3] = ["application/fhir+ndjson", "application/ndjson", "ndjson"];
/// How many patients may be named.
const MAX_PATIENTS: usize = 1_000;

/// What is known of a request beside its parameters.
pub(super) struct Setting<'a> {
    pub(super) level: Level,
    pub(super) is_posted: bool,
    pub(super) is_lenient: bool,
    pub(super) principal: &'a Arc<Principal>,
    /// As the manifest repeats it.
    pub(super) request: String,
}

/// What is asked for, and by which parameters.
pub(super) struct Asked {
    pub(super) ask: Ask,
    pub(super) names: Disclosure,
}

impl Asked {
    pub(super) fn of(setting: &Setting<'_>, given: &Pairs) -> Result<Self> {
        let mut ask = Ask {
            level: setting.level,
            types: Vec::new(),
            since: None,
            until: None,
            elements: Vec::new(),
            patients: Vec::new(),
            filters: Vec::new(),
            request: setting.request.clone(),
            ignored: Vec::new(),
        };
        parse::once(given, &["_since", "_until", "_outputFormat"])?;
        for (name, value) in given {
            take(&mut ask, setting, name, value)?;
        }
        let reached = |name: &&str| {
            Permit::decide(setting.principal, Action::Search, (*name).to_owned()).is_ok()
        };
        if ask.types.is_empty() {
            let all = param::TYPES.iter().map(|known| known.name).filter(reached);
            ask.types = all.map(str::to_owned).collect();
        }
        if ask.types.is_empty() || !ask.types.iter().all(|name| reached(&name.as_str())) {
            return Err(Error::Denied);
        }
        let names = Disclosure::default().asked_by(given);
        Ok(Self { ask, names })
    }
}

fn take(ask: &mut Ask, setting: &Setting<'_>, name: &str, value: &str) -> Result<()> {
    match name {
        "_outputFormat" => {
            // A `+` that was not escaped in the URL arrives as a space.
            let format = value.replace("fhir ndjson", "fhir+ndjson");
            if !FORMATS.contains(&format.as_str()) {
                let hint = "the one format is application/fhir+ndjson";
                return Err(Error::not_supported(name, hint));
            }
        }
        "_since" => ask.since = Some(instant(name, value)?),
        "_until" => ask.until = Some(instant(name, value)?),
        "_type" => {
            for of in value.split(',').map(str::trim) {
                let is_known = param::TYPES.iter().any(|known| known.name == of);
                if !is_known && setting.is_lenient {
                    ask.ignored.push("a type of _type is not exported and was left out".to_owned());
                } else if !is_known {
                    let hint = "name types that /fhir/metadata says can be searched; what a Binary \
                                holds is read by its address";
                    return Err(Error::not_supported(name, hint));
                } else if !ask.types.iter().any(|known| known == of) {
                    ask.types.push(of.to_owned());
                }
            }
        }
        "_elements" => {
            for element in value.split(',').map(str::trim) {
                let of = element.split_once('.').map(|(of, _)| of.to_owned());
                let element = element.split_once('.').map_or(element, |(_, element)| element);
                ask.elements.push((of, element.to_owned()));
            }
        }
        "_typeFilter" => {
            let (of, query) = value.split_once('?').ok_or_else(|| {
                Error::invalid(name, "a filter is Type?parameter=value; repeat it for several")
            })?;
            ask.filters.push(Narrow { of: of.to_owned(), query: query.to_owned() });
        }
        "patient" => patient(ask, setting, value)?,
        "_format" => {}
        _ if setting.is_lenient => {
            ask.ignored.push("a parameter is not known here and was ignored".to_owned());
        }
        "includeAssociatedData" => {
            let hint = "the server picks no associated data: Provenance comes as a type of its own";
            return Err(Error::not_supported(name, hint));
        }
        _ => {
            let hint = "an export takes _since, _until, _type, _typeFilter, _elements, patient and \
                        _outputFormat; Prefer: handling=lenient ignores others";
            return Err(Error::not_supported(name, hint));
        }
    }
    Ok(())
}

fn patient(ask: &mut Ask, setting: &Setting<'_>, value: &str) -> Result<()> {
    if !setting.is_posted || setting.level == Level::System {
        let hint = "name patients in the Parameters of a POST to Patient/$export or Group's";
        return Err(Error::not_supported("patient", hint));
    }
    let id = value.strip_prefix("Patient/").unwrap_or(value);
    let id: FhirId =
        id.parse().map_err(|()| Error::invalid("patient", "a patient is Patient/ and its id"))?;
    if ask.patients.len() == MAX_PATIENTS {
        return Err(Error::invalid("patient", "name up to 1000 patients in one export"));
    }
    let id = id.to_string();
    if !ask.patients.contains(&id) {
        ask.patients.push(id);
    }
    Ok(())
}

fn instant(name: &str, text: &str) -> Result<Timestamp> {
    let (low, _) = range(name, text)?;
    Timestamp::from_microsecond(low)
        .map_err(|_range| Error::invalid(name, "not an instant of ours"))
}
