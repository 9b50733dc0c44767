//! Settings as they are given: a TOML file, over it variables of the environment, over these flags.
//!
//! Everything that is wrong is told at once, with file and line. Values are never repeated: a
//! password that stands in the wrong place is a secret all the same.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::settings::Settings;
use super::shape::Shape;
use crate::error::{Error, Result};

/// What every variable begins with.
const PREFIX: &str = "THROUGHLINE_";
/// The most problems that are told at once.
const MOST: usize = 100;
/// How alike a known key has to be to be proposed, from 0 to 1.
const ALIKE: f64 = 0.6;
/// The place of what is missing.
const NOWHERE: Range<usize> = usize::MAX..usize::MAX;

/// Variables that had a name before their key had one.
const ALIASES: &[(&str, &str)] = &[
    ("THROUGHLINE_DATABASE_URL", "store.url"),
    ("THROUGHLINE_REDIS_URL", "cache.redis.url"),
    ("THROUGHLINE_LOG", "log.filter"),
];

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// The file, if there is one
    pub file: Option<PathBuf>,
    /// Names and values of the environment
    pub environment: Vec<(String, String)>,
    /// `KEY=VALUE` of flags
    pub set: Vec<String>,
}

/// A value that stands over the file's.
struct Over<'a> {
    /// What it is called where it was given.
    name: String,
    key: String,
    text: &'a str,
}

/// Something wrong: where in the text, and what.
struct Fault {
    at: Range<usize>,
    text: String,
}

impl Given {
    /// What the environment and these flags say over this file.
    pub fn here(file: Option<PathBuf>, set: Vec<String>) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { file, environment: std::env::vars_os().filter_map(text).collect(), set }
    }

    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// `Setup`, with a line for everything that is wrong.
    pub fn settings(&self) -> Result<Settings> {
        let text = self.text()?;
        let shape =
            Shape::of::<Settings>().ok_or_else(|| Error::broken("settings have a shape"))?;
        let over = self.over(&shape);
        let place = Place { file: self.file.as_deref(), text: &text, over: &over };
        let (parsed, errors) = DeTable::parse_recoverable(&text);
        if !errors.is_empty() {
            let fault = |error: toml::de::Error| Fault {
                at: error.span().unwrap_or(0..0),
                text: error.message().to_owned(),
            };
            return Err(place.told(errors.into_iter().map(fault).collect()));
        }
        let mut table = parsed.into_inner();
        let mut faults = Vec::new();
        strip(&mut table, &shape, &shape, &[], &mut faults);
        for (number, one) in over.iter().enumerate() {
            if let Err(problem) = one.put(&mut table, &shape, place.span(number)) {
                faults.push(Fault { at: place.span(number), text: problem });
            }
        }
        let settings = read(&mut table, &shape, &mut faults);
        let settings = settings.filter(|_| faults.is_empty());
        let Some(settings) = settings else { return Err(place.told(faults)) };
        let problems = settings.problems();
        let fault = |problem: &super::Problem| Fault {
            at: find(&table, &problem.key.split('.').collect::<Vec<_>>()).unwrap_or(NOWHERE),
            text: format!("{}: {}", problem.key, problem.hint),
        };
        let faults: Vec<_> = problems.iter().map(fault).collect();
        if faults.is_empty() { settings.with_secrets() } else { Err(place.told(faults)) }
    }

    fn text(&self) -> Result<String> {
        let Some(path) = &self.file else { return Ok(String::new()) };
        std::fs::read_to_string(path).map_err(|cause| {
            Error::Setup(format!("cannot read the settings {}: {cause}", path.display()))
        })
    }

    /// The values over the file's: variables first, flags over them.
    fn over<'a>(&'a self, shape: &Shape) -> Vec<Over<'a>> {
        let keys = shape.keys().into_iter().map(|(key, _)| key).filter(|key| !key.contains('*'));
        let aliases = ALIASES.iter().map(|(name, key)| ((*name).to_owned(), (*key).to_owned()));
        let names = aliases.chain(keys.map(|key| (variable(&key), key)));
        let mut over = Vec::new();
        for (name, key) in names {
            if let Some((_, text)) = self.environment.iter().find(|(known, _)| *known == name) {
                over.push(Over { name, key, text });
            }
        }
        for set in &self.set {
            let (key, text) = set.split_once('=').unwrap_or((set, ""));
            over.push(Over { name: "--set".to_owned(), key: key.trim().to_owned(), text });
        }
        over
    }
}

/// The variable that sets a key.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// Where a fault is, in words.
struct Place<'a> {
    file: Option<&'a Path>,
    text: &'a str,
    over: &'a [Over<'a>],
}

impl Place<'_> {
    /// The span of a value that is not in the file: beyond its end.
    fn span(&self, number: usize) -> Range<usize> {
        let start = self.text.len() + 1 + number;
        start..start + 1
    }

    fn name(&self, at: &Range<usize>) -> String {
        let beyond = at.start.checked_sub(self.text.len() + 1);
        if let Some(over) = beyond.and_then(|number| self.over.get(number)) {
            return over.name.clone();
        }
        let Some(file) = self.file else { return "settings".to_owned() };
        match self.text.get(..at.start) {
            Some(before) => format!("{}:{}", file.display(), before.matches('\n').count() + 1),
            None => file.display().to_string(),
        }
    }

    fn told(&self, mut faults: Vec<Fault>) -> Error {
        faults.sort_by_key(|fault| fault.at.start);
        let lines: Vec<_> = faults
            .iter()
            .map(|fault| format!("{}: {}", self.name(&fault.at), fault.text))
            .collect();
        Error::Setup(format!("these settings cannot be used:\n{}", lines.join("\n")))
    }
}

/// Takes out the keys that nobody knows.
fn strip(
    table: &mut DeTable<'_>,
    shape: &Shape,
    whole: &Shape,
    path: &[&str],
    faults: &mut Vec<Fault>,
) {
    let mut unknown = Vec::new();
    for (key, value) in table.iter_mut() {
        let name = key.get_ref().as_ref();
        let below = [path, &[name]].concat();
        let known = match shape {
            Shape::Table(fields) => fields.get(name),
            Shape::Named(shape) => Some(&**shape),
            _ => continue,
        };
        match (known, value.get_mut()) {
            (None, _) => {
                faults.push(Fault { at: key.span(), text: unknown_key(&below.join("."), whole) });
                unknown.push(name.to_owned());
            }
            (Some(shape), DeValue::Table(table)) => strip(table, shape, whole, &below, faults),
            (Some(Shape::List(shape)), DeValue::Array(items)) => {
                for item in items.iter_mut() {
                    if let DeValue::Table(table) = item.get_mut() {
                        strip(table, shape, whole, &below, faults);
                    }
                }
            }
            _ => {}
        }
    }
    for name in unknown {
        table.remove(name.as_str());
    }
}

/// What is said of a key that nobody knows.
fn unknown_key(key: &str, whole: &Shape) -> String {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let keys = whole.keys().into_iter().map(|(path, _)| path);
    let mut known: Vec<String> = keys.flat_map(|key| [section(&key), key]).collect();
    known.dedup();
    let first = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
    let alike = |known: &String| strsim::normalized_damerau_levenshtein(known, key);
    let by_likeness = |a: &&String, b: &&String| alike(a).total_cmp(&alike(b));
    let slip = |known: &&String| strsim::damerau_levenshtein(&last(known), &last(key)) == 1;
    let beside = known.iter().filter(|known| first(known) == first(key)).filter(slip);
    let same = known.iter().find(|known| last(known) == last(key));
    let nearest = known.iter().max_by(by_likeness).filter(|nearest| alike(nearest) >= ALIKE);
    match beside.max_by(by_likeness).or(same).or(nearest) {
        Some(nearest) => format!("unknown key `{key}`: did you mean `{nearest}`?"),
        None => format!("unknown key `{key}`: docs/throughline.toml has them all"),
    }
}

/// The table that a key is in.
fn section(key: &str) -> String {
    key.rsplit_once('.').map(|(section, _)| section.to_owned()).unwrap_or_default()
}

/// Reads what is there; what cannot be read is noted, taken out, and tried again without.
fn read(table: &mut DeTable<'_>, shape: &Shape, faults: &mut Vec<Fault>) -> Option<Settings> {
    let mut removed = BTreeSet::new();
    while faults.len() < MOST {
        let whole = Spanned::new(0..0, table.clone());
        let error = match Settings::deserialize(Deserializer::from(whole)) {
            Ok(settings) => return Some(settings),
            Err(error) => error,
        };
        let at = error.span().unwrap_or(0..0);
        let Some(path) = culprit(table, &at) else {
            faults.push(Fault { at, text: error.message().to_owned() });
            return None;
        };
        let key = path.join(".");
        let lacks = missing(error.message()).map(|field| format!("{key}.{field}"));
        if lacks.is_some_and(|lacks| removed.contains(&lacks)) {
            // It was there, and has been told.
            remove(table, &path);
            continue;
        }
        let text = match at_path(shape, &path) {
            Some(Shape::Table(_)) if missing(error.message()).is_some() => {
                format!("{key}: {}", error.message().replace("field", "key"))
            }
            shape => format!("{key} takes {}", taken(shape.unwrap_or(&Shape::Unknown))),
        };
        faults.push(Fault { at, text });
        remove(table, &path);
        removed.insert(key);
    }
    None
}

/// The key that is missing, if that is what is wrong.
fn missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

/// What a key takes, in words.
fn taken(shape: &Shape) -> String {
    match shape {
        Shape::Table(_) | Shape::Named(_) => "a table".to_owned(),
        Shape::List(item) => format!("an array, each item of which is {}", taken(item)),
        Shape::Text => "a string".to_owned(),
        Shape::Number => "a number, not negative and within its range".to_owned(),
        Shape::Flag => "true or false".to_owned(),
        Shape::Choice(words) => format!("one of {}", words.join(", ")),
        Shape::Unknown => "any value".to_owned(),
    }
}

/// An entry of a table: its path, and the spans of its key and its value.
type Entry = (Vec<String>, Range<usize>, Range<usize>);

/// The entry that a span is in: of several, the smallest.
fn culprit(table: &DeTable<'_>, at: &Range<usize>) -> Option<Vec<String>> {
    let mut entries = Vec::new();
    collect(table, &[], &mut entries);
    let is_in = |span: &Range<usize>| span.start <= at.start && at.end <= span.end;
    entries.retain(|(_, key, value)| is_in(key) || is_in(value));
    entries.sort_by_key(|(path, _, value)| (value.len(), std::cmp::Reverse(path.len())));
    entries.into_iter().next().map(|(path, ..)| path)
}

fn collect(table: &DeTable<'_>, path: &[String], entries: &mut Vec<Entry>) {
    for (key, value) in table {
        let below = [path, &[key.get_ref().to_string()]].concat();
        match value.get_ref() {
            DeValue::Table(table) => collect(table, &below, entries),
            DeValue::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    let Some(table) = item.get_ref().as_table() else { continue };
                    let within = [below.as_slice(), &[place.to_string()]].concat();
                    collect(table, &within, entries);
                    entries.push((within, item.span(), item.span()));
                }
            }
            _ => {}
        }
        entries.push((below, key.span(), value.span()));
    }
}

/// Where a key is written, or the nearest table around it.
fn find(table: &DeTable<'_>, path: &[&str]) -> Option<Range<usize>> {
    let (name, rest) = path.split_first()?;
    let (key, value) = table.get_key_value(*name)?;
    let deeper = value.get_ref().as_table().and_then(|table| find(table, rest));
    Some(deeper.unwrap_or_else(|| key.span()))
}

fn remove(table: &mut DeTable<'_>, path: &[String]) {
    let Some((name, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        table.remove(name.as_str());
        return;
    }
    match table.get_mut(name.as_str()).map(Spanned::get_mut) {
        Some(DeValue::Table(table)) => remove(table, rest),
        Some(DeValue::Array(items)) => remove_from(items, rest),
        _ => {}
    }
}

fn remove_from(items: &mut DeArray<'_>, path: &[String]) {
    let Some((place, rest)) = path.split_first() else { return };
    let place = place.parse::<usize>().ok();
    if rest.is_empty() {
        let left = items.iter().enumerate().filter(|(number, _)| Some(*number) != place);
        *items = left.map(|(_, item)| item.clone()).collect();
    } else if let Some(item) = place.and_then(|place| items.get_mut(place))
        && let DeValue::Table(table) = item.get_mut()
    {
        remove(table, rest);
    }
}

/// The shape of a key.
fn at_path<'a, S: AsRef<str>>(shape: &'a Shape, path: &[S]) -> Option<&'a Shape> {
    path.iter().try_fold(shape, |shape, name| match shape {
        Shape::Table(fields) => fields.get(name.as_ref()),
        Shape::Named(shape) | Shape::List(shape) => Some(&**shape),
        _ => None,
    })
}

impl<'a> Over<'a> {
    /// Puts the value into the table, in place of the file's.
    fn put(
        &self,
        table: &mut DeTable<'a>,
        shape: &Shape,
        at: Range<usize>,
    ) -> std::result::Result<(), String> {
        let path: Vec<&str> = self.key.split('.').collect();
        let value = match at_path(shape, &path) {
            None => return Err(unknown_key(&self.key, shape)),
            Some(shape) => {
                self.value(shape).ok_or_else(|| format!("{} takes {}", self.key, taken(shape)))?
            }
        };
        insert(table, &path, value, &at);
        Ok(())
    }

    fn value(&self, shape: &Shape) -> Option<DeValue<'a>> {
        let text = self.text;
        match shape {
            Shape::Text | Shape::Choice(_) => Some(DeValue::String(text.into())),
            Shape::List(_) if !text.trim_start().starts_with('[') => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                let items = items.map(|item| Spanned::new(0..0, DeValue::String(item.into())));
                Some(DeValue::Array(items.collect()))
            }
            Shape::List(_) | Shape::Number | Shape::Flag => {
                DeValue::parse(text.trim()).ok().map(Spanned::into_inner)
            }
            Shape::Table(_) | Shape::Named(_) | Shape::Unknown => None,
        }
    }
}

fn insert<'a>(table: &mut DeTable<'a>, path: &[&str], value: DeValue<'a>, at: &Range<usize>) {
    let Some((name, rest)) = path.split_first() else { return };
    let key = Spanned::new(at.clone(), (*name).to_owned().into());
    if rest.is_empty() {
        table.remove(*name);
        table.insert(key, Spanned::new(at.clone(), value));
        return;
    }
    if !table.get(*name).is_some_and(|value| value.get_ref().is_table()) {
        table.remove(*name);
        table.insert(key, Spanned::new(at.clone(), DeValue::Table(DeTable::new())));
    }
    if let Some(DeValue::Table(table)) = table.get_mut(*name).map(Spanned::get_mut) {
        insert(table, rest, value, at);
    }
}
