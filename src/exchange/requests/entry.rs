//! The entries of a record that somebody has to look at before a copy is given: each as it was
//! written, as it would be given, and with what was decided on it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Requests;
use super::answer::{covers, practice_principal};
use super::kept::Stretch;
use super::request::{Decision, Request};
use crate::domain::{Coding, FhirId, Kind, Op, Record, TenantId};
use crate::error::{Error, Result};
use crate::exchange::ingest::allow::guard;
use crate::exchange::ingest::note_text;
use crate::package::Piece;
use crate::policy::request::{Outcome, Trigger};
use crate::policy::{Action, Item, Permit};
use crate::store::StoredResource;

/// A passage of an entry as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Its heading.
    pub title: String,
    /// What it says, in order.
    pub runs: Vec<Run>,
}

/// A stretch of a passage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The words.
    pub text: String,
    /// Whether whoever wrote it has marked it as about another person.
    pub is_other: bool,
}

/// An entry that somebody has to look at.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The platform's kind of its record.
    pub kind: Kind,
    /// The id of that.
    pub id: String,
    /// The version of that.
    pub version: u64,
    /// What it is called.
    pub title: String,
    /// The `staff` record of who wrote it.
    pub author: Option<String>,
    /// Why it is looked at.
    pub trigger: Trigger,
    /// As it was written.
    pub source: Vec<Passage>,
    /// As it would be given: without what is marked as about another person.
    pub text: String,
    /// The same with that.
    pub(super) full: String,
    /// Whether there is something so marked.
    pub has_others: bool,
    /// What was decided on it, as far as that still counts.
    pub decision: Option<Decision>,
    pub(super) document: Piece,
    pub(super) binary: Piece,
}

impl Entry {
    /// The sentences of its text, of which each can be left out.
    pub fn sentences(&self) -> Vec<(Stretch, String)> {
        sentences(&self.text)
    }

    /// The resources that it is: type, id and version.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &FhirId, &str)> {
        let pieces = [&self.document, &self.binary].into_iter();
        pieces.map(|one| (one.resource_type.as_str(), &one.id, one.version.as_str()))
    }

    /// Whether it is made from this record.
    pub fn is(&self, kind: &str, id: &str) -> bool {
        self.kind.as_str() == kind && self.id == id
    }
}

impl Requests {
    /// The entries that somebody has to look at before a copy is given; none of a request for
    /// anything else.
    pub fn entries(&self, tenant: &TenantId, request: &Request) -> Result<Vec<Entry>> {
        if !request.is_for_a_copy() {
            return Ok(Vec::new());
        }
        let records = self.store.sources_referring(
            tenant,
            Kind::SessionNote,
            Kind::Client,
            &request.client,
        )?;
        let mut entries = Vec::new();
        for record in records {
            let is_theirs = record.op == Op::Upsert
                && record.client_ids.as_slice() == std::slice::from_ref(&request.client);
            if is_theirs {
                entries.extend(self.entry(tenant, request, &record)?);
            }
        }
        entries.sort_by(|a, b| a.title.cmp(&b.title).then_with(|| a.id.cmp(&b.id)));
        Ok(entries)
    }

    fn entry(
        &self,
        tenant: &TenantId,
        request: &Request,
        record: &Record,
    ) -> Result<Option<Entry>> {
        let (now, practice) = (self.clock.now(), self.practice(tenant)?);
        let ids = self.ids.tenant(tenant);
        let principal = practice_principal(tenant);
        let read = |name: &'static str, id| {
            let permit = Permit::decide(&principal, Action::Read, name)?;
            self.store.read(&permit, &id)
        };
        let document = read("DocumentReference", ids.id(Kind::SessionNote, &record.id))?;
        let binary = read("Binary", ids.part(Kind::SessionNote, &record.id, "text"))?;
        let Some((document, binary)) = document.zip(binary) else { return Ok(None) };
        let shown: Value = serde_json::from_slice(&document.body).map_err(Error::internal)?;
        if !covers(request, "DocumentReference", &shown) {
            return Ok(None);
        }
        let class = guard(record, &labels(&shown), &practice.zone).class;
        let Some(item) = Item::of_class(&class) else { return Ok(None) };
        let Some(trigger) = Trigger::of(&item, request.is_by_another(), now) else {
            return Ok(None);
        };
        let title = shown.pointer("/content/0/attachment/title").and_then(Value::as_str);
        let title = title.unwrap_or_default().to_owned();
        let mut open = record.data.clone();
        if let Some(open) = open.as_object_mut() {
            open.remove("third_party_spans");
        }
        let spans = list(&record.data, "third_party_spans");
        Ok(Some(Entry {
            kind: record.kind,
            id: record.id.clone(),
            version: record.version,
            author: text(&record.data, "author_id").map(str::to_owned),
            trigger,
            source: list(&record.data, "sections").iter().map(|one| passage(one, spans)).collect(),
            text: decoded(&binary)?,
            full: note_text(&open, &title, &self.rules.load().tables),
            has_others: !spans.is_empty(),
            decision: standing(request, record),
            document: piece(document),
            binary: piece(binary),
            title,
        }))
    }
}

/// The last decision on this version. One that the person asked to have reviewed counts no more.
fn standing(request: &Request, record: &Record) -> Option<Decision> {
    let of_it = |one: &&Decision| {
        one.kind == record.kind.as_str()
            && one.id == record.id
            && one.version == Some(record.version)
    };
    let last = request.decisions.iter().rev().find(of_it)?;
    let is_reviewed = last.outcome != Outcome::Release
        && last.reason.is_some_and(crate::policy::request::Reason::is_reviewable)
        && last.round < request.round();
    (!is_reviewed).then(|| last.clone())
}

fn labels(resource: &Value) -> Vec<Coding> {
    let codings = resource.pointer("/meta/security").and_then(Value::as_array);
    let part = |coding: &Value, name| text(coding, name).unwrap_or_default().to_owned();
    codings
        .into_iter()
        .flatten()
        .map(|coding| Coding { system: part(coding, "system"), code: part(coding, "code") })
        .collect()
}

/// A section with the stretches that are about others. One that cannot be told from where to where
/// it goes is shown as reaching to the end.
fn passage(section: &Value, spans: &[Value]) -> Passage {
    let key = text(section, "key");
    let title = text(section, "title").or(key).unwrap_or_default();
    let name = |span: &&Value| {
        let named = text(span, "section");
        named.is_some() && (named == key || named == text(section, "title"))
    };
    let at = |span: &Value, name: &str| {
        span.get(name).and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok())
    };
    let ranges: Vec<(usize, usize)> = spans
        .iter()
        .filter(name)
        .map(|span| (at(span, "start").unwrap_or(0), at(span, "end").unwrap_or(usize::MAX)))
        .map(|(start, end)| (start, if end > start { end } else { usize::MAX }))
        .collect();
    let mut runs: Vec<Run> = Vec::new();
    for (i, c) in text(section, "text").unwrap_or_default().chars().enumerate() {
        let is_other = ranges.iter().any(|(start, end)| (*start..*end).contains(&i));
        match runs.last_mut().filter(|run| run.is_other == is_other) {
            Some(run) => run.text.push(c),
            None => runs.push(Run { text: c.to_string(), is_other }),
        }
    }
    Passage { title: title.to_owned(), runs }
}

/// The sentences of a text, each with where it is, in Unicode scalars. A line's end ends one too.
fn sentences(text: &str) -> Vec<(Stretch, String)> {
    let mut found = Vec::new();
    let (mut start, mut words) = (0, String::new());
    let mut chars = text.chars().enumerate().peekable();
    while let Some((i, c)) = chars.next() {
        words.push(c);
        let next = chars.peek().map(|(_, next)| *next);
        let is_end = matches!(c, '.' | '!' | '?' | '…') && next.is_none_or(char::is_whitespace);
        if is_end || c == '\n' || next.is_none() {
            let stretch = Stretch { start, end: i + 1 };
            let said = std::mem::take(&mut words);
            if !said.trim().is_empty() {
                found.push((stretch, said.trim().to_owned()));
            }
            start = i + 1;
        }
    }
    found
}

fn decoded(binary: &StoredResource) -> Result<String> {
    let value: Value = serde_json::from_slice(&binary.body).map_err(Error::internal)?;
    let bytes = STANDARD.decode(text(&value, "data").unwrap_or_default());
    String::from_utf8(bytes.map_err(Error::internal)?).map_err(Error::internal)
}

fn piece(stored: StoredResource) -> Piece {
    Piece {
        resource_type: stored.resource_type,
        id: stored.id,
        version: stored.version_id,
        body: stored.body,
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn sentences_end_with_their_marks_and_with_lines() {
        let said: Vec<String> =
            sentences("Progress note\n\nData\nSleeps 7.5 hours. Dr. said: “ok?” Fine!\n")
                .into_iter()
                .map(|(_, said)| said)
                .collect();
        assert_eq!(
            said,
            ["Progress note", "Data", "Sleeps 7.5 hours.", "Dr.", "said: “ok?” Fine!"]
        );
    }

    #[test]
    fn what_is_about_others_is_told_from_the_rest() {
        let section = json!({"key": "d", "title": "Data", "text": "With Jonas today."});
        let spans = [
            json!({"section": "d", "start": 5, "end": 10}),
            json!({"section": "p", "start": 0, "end": 3}),
        ];
        let found = passage(&section, &spans);
        let runs: Vec<_> = found.runs.iter().map(|run| (run.text.as_str(), run.is_other)).collect();
        assert_eq!(runs, [("With ", false), ("Jonas", true), (" today.", false)]);
    }

    proptest! {
        #[test]
        fn sentences_are_in_the_text_where_they_say(text in "[a-zé .!?\n]{0,80}") {
            let chars: Vec<char> = text.chars().collect();
            let mut last = 0;
            for (stretch, said) in sentences(&text) {
                prop_assert!(stretch.start >= last && stretch.end > stretch.start);
                last = stretch.end;
                let there: String = chars[stretch.start..stretch.end].iter().collect();
                prop_assert_eq!(there.trim(), said);
            }
        }
    }
}
