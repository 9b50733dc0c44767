//! A scope about resources: whose, of which type, what may be done, and which of them.

use std::fmt;

use super::rights::{Form, Rights};
use super::{AUDIT_EVENT, BUNDLE};
use crate::fhir::search::param::{self, SearchType};
use crate::fhir::search::parse::{self, Setting};
use crate::fhir::search::{Condition, Operand, Test, ValueSets};

/// The type of what people sign.
const CONSENT: &str = "Consent";
/// The type of what they ask.
const TASK: &str = "Task";

/// Whose records a scope is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// `patient/`: those of the one patient in context.
    Patient,
    /// `user/`: those that the person may see.
    User,
    /// `system/`: those that the client may see without a person.
    System,
}

impl Level {
    /// The word before the slash.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::User => "user",
            Self::System => "system",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Patient, Self::User, Self::System].into_iter().find(|level| level.as_str() == text)
    }
}

/// A scope such as `patient/Observation.rs?category=…|survey`.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceScope {
    /// Whose records.
    pub level: Level,
    /// Of which type; every type that is served where there is none.
    pub resource_type: Option<&'static str>,
    /// What may be done.
    pub rights: Rights,
    /// How it was written.
    pub form: Form,
    filters: Vec<Filter>,
}

/// One parameter of a scope's query: the resources must meet it.
#[derive(Debug, Clone, PartialEq)]
struct Filter {
    name: String,
    value: String,
    /// As it was written.
    text: String,
    condition: Condition,
}

impl ResourceScope {
    /// Reads a scope.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (head, query) = match text.split_once('?') {
            Some((head, query)) => (head, Some(query)),
            None => (text, None),
        };
        let (level, rest) = head.split_once('/')?;
        let (name, rights) = rest.rsplit_once('.')?;
        let resource_type = match name {
            "*" => None,
            _ => Some(named(name)?),
        };
        let (rights, form) = Rights::parse(rights)?;
        let mut scope =
            Self { level: Level::parse(level)?, resource_type, rights, form, filters: Vec::new() };
        if let Some(query) = query {
            let kind = resource_type.and_then(param::search_type)?;
            let filters = query.split('&').map(|pair| Filter::parse(kind, pair));
            scope.filters = filters.collect::<Option<_>>()?;
            if form == Form::V1 {
                return None;
            }
        }
        Some(scope)
    }

    /// The parameters that narrow it, decoded: name and value.
    pub fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.filters.iter().map(|filter| (filter.name.as_str(), filter.value.as_str()))
    }

    /// What a resource must meet.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.filters.iter().map(|filter| &filter.condition)
    }

    /// Whether it is about resources of that type.
    pub fn is_about(&self, resource_type: &str) -> bool {
        self.resource_type.is_none_or(|own| own == resource_type)
    }

    /// The same for one type and only for resources that meet one more parameter, such as
    /// `category` and `system|code`; `None` where the type has no such parameter.
    pub fn narrowed(&self, resource_type: &str, name: &str, value: &str) -> Option<Self> {
        if !self.is_about(resource_type) {
            return None;
        }
        let kind = param::search_type(resource_type)?;
        let mut narrowed = Self { resource_type: Some(kind.name), form: Form::V2, ..self.clone() };
        narrowed.filters.push(Filter::parse(kind, &format!("{name}={}", encoded(value)))?);
        Some(narrowed)
    }

    /// The same for one of the types that it is about.
    pub fn of_type(&self, resource_type: &str) -> Option<Self> {
        let known = named(resource_type)?;
        self.is_about(known).then(|| Self { resource_type: Some(known), ..self.clone() })
    }

    /// What this server offers of it: to read; of a patient's consents also to give and to change
    /// them, and of their requests to make them, where the scope names these; and a system sends
    /// Bundles, which are kept aside.
    pub(super) fn offered(&self) -> Option<Self> {
        let is_sending = self.level == Level::System && self.resource_type == Some(BUNDLE);
        self.with(match () {
            () if is_sending => Rights::CREATE,
            () if self.is_of_all(CONSENT) => Rights::OFFERED.or(Rights::SIGNED),
            () if self.is_of_all(TASK) => Rights::OFFERED.or(Rights::CREATE),
            () => Rights::OFFERED,
        })
    }

    /// Whether it is about all resources of that type of the patient in context, and names it.
    pub(in crate::policy) fn is_of_all(&self, resource_type: &str) -> bool {
        self.level == Level::Patient
            && self.resource_type == Some(resource_type)
            && self.filters.is_empty()
    }

    /// What of it is about reading.
    pub fn reading(&self) -> Option<Self> {
        self.with(Rights::OFFERED)
    }

    /// What of it is about giving and changing consents.
    pub fn signing(&self) -> Option<Self> {
        self.with(Rights::SIGNED).filter(|scope| scope.is_of_all(CONSENT))
    }

    /// What of it is about asking for something about the record.
    pub fn asking(&self) -> Option<Self> {
        self.with(Rights::CREATE).filter(|scope| scope.is_of_all(TASK))
    }

    /// The same with no more than these rights.
    pub(super) fn with(&self, rights: Rights) -> Option<Self> {
        Some(Self { rights: self.rights.and(rights)?, ..self.clone() })
    }

    /// Whether every resource that `other` is about is one that this is about, rights aside.
    pub(super) fn embraces(&self, other: &Self) -> bool {
        let is_type = self.resource_type.is_none() || self.resource_type == other.resource_type;
        let is_part = |filter: &Filter| {
            other.filters.iter().any(|theirs| theirs.condition == filter.condition)
        };
        self.level == other.level && is_type && self.filters.iter().all(is_part)
    }

    /// What both are about.
    pub(super) fn shared(&self, other: &Self) -> Option<Self> {
        if self.level != other.level {
            return None;
        }
        let resource_type = match (self.resource_type, other.resource_type) {
            (own, None) => own,
            (None, theirs) => theirs,
            (own, theirs) if own == theirs => own,
            _ => return None,
        };
        let mut shared = Self { resource_type, ..self.with(other.rights)? };
        for filter in &other.filters {
            if !shared.filters.iter().any(|own| own.condition == filter.condition) {
                shared.filters.push(filter.clone());
                shared.form = Form::V2;
            }
        }
        Some(shared)
    }
}

impl fmt::Display for ResourceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.", self.level.as_str(), self.resource_type.unwrap_or("*"))?;
        self.rights.write(self.form, f)?;
        for (position, filter) in self.filters.iter().enumerate() {
            write!(f, "{}{}", if position == 0 { '?' } else { '&' }, filter.text)?;
        }
        Ok(())
    }
}

impl Filter {
    /// A parameter that compares codes, without a modifier: whoever reads the scope can tell what it
    /// means, and so can the store.
    fn parse(kind: &'static SearchType, pair: &str) -> Option<Self> {
        let (name, value) = pair.split_once('=')?;
        let value = decoded(value)?;
        let value_sets = ValueSets::default();
        let setting =
            Setting { resource_type: kind, base: "", value_sets: &value_sets, lenient: false };
        let search = parse::parse(setting, vec![(name.to_owned(), value.clone())]).ok()?;
        let [condition] = search.query.conditions.as_slice() else { return None };
        let is_code = |operand: &Operand| matches!(operand, Operand::Token { .. });
        match condition {
            Condition::Param { test: Test::Any(any_of), .. }
                if !name.contains([':', '.']) && any_of.iter().all(is_code) =>
            {
                let (name, condition) = (name.to_owned(), condition.clone());
                Some(Self { name, value, text: pair.to_owned(), condition })
            }
            _ => None,
        }
    }
}

/// A type that a scope may name.
fn named(name: &str) -> Option<&'static str> {
    param::served().chain([AUDIT_EVENT, BUNDLE]).find(|known| *known == name)
}

/// Text without its escapes.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Text with escapes for what would end a parameter or a scope.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/|,".contains(&byte);
    let escape = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(escape).collect()
}
