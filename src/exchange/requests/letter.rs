//! Letters to whoever asked, from templates: one file a language, read into one type.
//!
//! A denial says its basis, the right to a review where the law gives one, and where to complain (45
//! CFR 164.524(d)(2), 164.526(d)(1); GDPR Art. 12(4)); an extension its reason and its day (45 CFR
//! 164.524(b)(2)(iii)). Each also says what no copy has, so that this says nothing about anybody.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::At;
use super::kept::{Kept, Letter, Told};
use super::step::Step;
use crate::error::{Error, Result};
use crate::exchange::retention::Survivors;
use crate::package::Language;
use crate::policy::request::{Event, Matter, Outcome, Reason, Regime};

/// The templates of a language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Templates {
    dear: String,
    asked: String,
    extension: String,
    granted: String,
    denied_in_part: String,
    denied: String,
    why: String,
    redacted: String,
    left_out: String,
    review: String,
    no_review: String,
    disagree: String,
    complaint_hipaa: String,
    complaint_gdpr: String,
    apart: String,
    amended: String,
    tell: String,
    tell_all: String,
    refused: String,
    rebuttal: String,
    by_hand: String,
    erased: String,
    gone: String,
    kept: String,
    kept_ever: String,
    kept_shared: String,
    notice: String,
    notice_dear: String,
    notice_text: String,
    closing: String,
    months: String,
    day: String,
    /// What was asked for.
    matters: BTreeMap<String, String>,
    /// What is kept, by the kind of record.
    kinds: BTreeMap<String, String>,
    /// Grounds.
    grounds: BTreeMap<String, String>,
    /// Grounds on which a correction or an erasure is refused.
    refusals: BTreeMap<String, String>,
    papers: Papers,
}

/// The headings of what goes into the record.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Papers {
    pub(super) asked: String,
    pub(super) correction: String,
    pub(super) answer: String,
    pub(super) statement: String,
    pub(super) rebuttal: String,
}

impl Papers {
    /// Those of a language.
    pub(super) fn of(language: Language) -> Result<Self> {
        Ok(Templates::of(language)?.papers)
    }
}

impl Templates {
    fn of(language: Language) -> Result<Self> {
        let file = match language {
            Language::English => include_str!("letter/en.toml"),
            Language::Spanish => include_str!("letter/es.toml"),
        };
        toml::from_str(file).map_err(|cause| Error::broken(format_args!("the letters: {cause}")))
    }

    fn day(&self, day: jiff::civil::Date) -> String {
        let month = usize::try_from(day.month() - 1).ok();
        let month = month.and_then(|at| self.months.split(' ').nth(at)).unwrap_or_default();
        let (number, year) = (day.day().to_string(), day.year().to_string());
        fill(&self.day, &[("day", &number), ("month", month), ("year", &year)])
    }
}

/// What an outcome with a ground means, in a language.
pub(super) fn statement(language: Language, outcome: Outcome, reason: Reason) -> Result<String> {
    let templates = Templates::of(language)?;
    let ground = templates.grounds.get(reason.as_str()).cloned().unwrap_or_default();
    let frame = match outcome {
        Outcome::Redact => &templates.redacted,
        Outcome::Release | Outcome::Deny => &templates.left_out,
    };
    Ok(fill(frame, &[("ground", &ground), ("rule", reason.source())]))
}

/// The letter that goes with a step, if one does.
pub(super) fn of(at: &At<'_>, step: &Step) -> Result<Option<Letter>> {
    let request = &at.request;
    let kind = match step.event {
        Event::Extend => "extension",
        Event::Approve => "granted",
        Event::DenyInPart | Event::Deny => "denial",
        Event::Rebut => "rebuttal",
        Event::Fulfil if request.matter == Matter::Erasure => "erased",
        _ => return Ok(None),
    };
    let language = step.erased.as_ref().map_or(at.language, |erased| erased.language);
    let templates = Templates::of(language)?;
    let matter = request.matter.as_str();
    let name = request.requester.as_ref().and_then(|one| one.name.clone()).unwrap_or_default();
    let (received, today) = (templates.day(request.received_on), at.today());
    let until = step.until.map(|until| templates.day(until)).unwrap_or_default();
    let values = [
        ("name", name.as_str()),
        ("date", &received),
        ("matter", templates.matters.get(matter).map_or(matter, String::as_str)),
        ("reason", step.words()),
        ("text", step.text.as_deref().map(str::trim).unwrap_or_default()),
        ("until", &until),
        ("practice", &at.practice.name),
        ("today", &templates.day(today)),
    ];
    let main = match step.event {
        Event::Extend => &templates.extension,
        Event::Approve => &templates.granted,
        Event::DenyInPart => &templates.denied_in_part,
        Event::Rebut => &templates.rebuttal,
        Event::Fulfil => &templates.erased,
        _ => &templates.denied,
    };
    let mut parts = vec![&templates.dear, &templates.asked, main];
    if matches!(step.event, Event::Approve | Event::DenyInPart) {
        parts.extend(granted(at, step, &templates));
    }
    // Where entries were decided on, their grounds are said one by one.
    let is_said = !step.words().is_empty() && at.held().is_empty();
    parts.extend((is_said && kind == "denial").then_some(&templates.why));
    let mut said: Vec<String> = parts.into_iter().map(|part| fill(part, &values)).collect();
    if kind == "denial" {
        said.extend(denial(at, step, &templates)?);
    }
    if let Some(erased) = &step.erased {
        said.extend(stays(&erased.survivors, &templates));
    }
    if request.is_for_a_copy() && kind != "extension" {
        said.push(templates.apart.clone());
    }
    said.push(fill(&templates.closing, &values));
    Ok(Some(at.letter(kind, None, language, &said)))
}

/// What is said of a correction or an erasure that is granted.
fn granted<'a>(at: &At<'_>, step: &Step, templates: &'a Templates) -> Vec<&'a String> {
    let is_written = step.text.as_deref().is_some_and(|text| !text.trim().is_empty());
    match at.request.matter {
        Matter::Amendment if is_written => vec![
            &templates.amended,
            match at.request.regime {
                Regime::Gdpr => &templates.tell_all,
                Regime::Hipaa | Regime::Part2 | Regime::State(_) => &templates.tell,
            },
        ],
        Matter::Erasure => vec![&templates.by_hand],
        _ => Vec::new(),
    }
}

/// What went, and what stays: for how long, and by which law.
fn stays(survivors: &Survivors, templates: &Templates) -> Vec<String> {
    let mut said = vec![fill(&templates.gone, &[("count", &survivors.records.to_string())])];
    for kept in &survivors.kept {
        let kind = kept.kind.as_str();
        let until = kept.until.map(|day| templates.day(day));
        let values = [
            ("kind", templates.kinds.get(kind).map_or(kind, String::as_str)),
            ("count", &kept.count.to_string()),
            ("until", until.as_deref().unwrap_or_default()),
            ("source", kept.source.as_str()),
        ];
        said.push(fill(until.as_ref().map_or(&templates.kept_ever, |_| &templates.kept), &values));
    }
    if survivors.shared > 0 {
        let count = survivors.shared.to_string();
        said.push(fill(&templates.kept_shared, &[("count", &count)]));
    }
    said
}

/// The letters to those who are told of a correction (45 CFR 164.526(c)(3); GDPR Art. 19).
pub(super) fn notices(at: &At<'_>, step: &Step, kept: &Kept) -> Result<Vec<Letter>> {
    let Some(correction) = kept.correction.as_ref().filter(|_| step.event == Event::Agree) else {
        return Ok(Vec::new());
    };
    let templates = Templates::of(at.language)?;
    let letter = |told: &Told| {
        let received = told.received_at.as_deref().and_then(|day| day.get(..10)?.parse().ok());
        let received: Option<String> = received.map(|day| templates.day(day));
        let values = [
            ("to", told.name.as_str()),
            ("client", at.name.as_str()),
            ("date", received.as_deref().unwrap_or_default()),
            ("text", correction.text.as_str()),
            ("practice", at.practice.name.as_str()),
            ("today", &templates.day(at.today())),
        ];
        let main = received.as_ref().map_or(&templates.notice, |_| &templates.notice_text);
        let parts = [&templates.notice_dear, main, &templates.closing];
        let said: Vec<String> = parts.into_iter().map(|part| fill(part, &values)).collect();
        at.letter("notice", Some(told.name.clone()), at.language, &said)
    };
    Ok(kept.told.iter().map(letter).collect())
}

impl At<'_> {
    fn letter(
        &self,
        kind: &str,
        to: Option<String>,
        language: Language,
        said: &[String],
    ) -> Letter {
        Letter {
            kind: kind.to_owned(),
            to,
            language: language.tag().to_owned(),
            at: self.practice.moment(self.now),
            text: said.join("\n\n"),
        }
    }
}

/// What is said of a denial: the grounds, what the person may do, and where to complain.
fn denial(at: &At<'_>, step: &Step, templates: &Templates) -> Result<Vec<String>> {
    let request = &at.request;
    let mut said = Vec::new();
    let grounds: BTreeSet<(Outcome, Reason)> =
        at.held().into_iter().filter_map(|one| Some((one.outcome, one.reason?))).collect();
    for (outcome, reason) in &grounds {
        said.push(statement(at.language, *outcome, *reason)?);
    }
    if let Some(ground) = step.ground {
        let words = templates.refusals.get(ground.as_str()).cloned().unwrap_or_default();
        let values = [("ground", words.as_str()), ("rule", ground.source(&request.regime))];
        said.push(fill(&templates.refused, &values));
    }
    let is_reviewable = grounds.iter().any(|(_, reason)| reason.is_reviewable());
    if request.matter == Matter::Amendment && step.ground.is_some() {
        said.push(templates.disagree.clone());
    } else if is_reviewable {
        said.push(templates.review.clone());
    } else if !grounds.is_empty() {
        said.push(templates.no_review.clone());
    }
    said.push(match request.regime {
        Regime::Gdpr => templates.complaint_gdpr.clone(),
        Regime::Hipaa | Regime::Part2 | Regime::State(_) => templates.complaint_hipaa.clone(),
    });
    Ok(said)
}

fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else { break };
        let value = values.iter().find(|(known, _)| *known == name);
        out.push_str(value.map_or("", |(_, value)| value));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Kind;
    use crate::policy::request::Refusal;

    #[test]
    fn every_matter_and_every_ground_has_its_words_in_every_language() {
        for language in [Language::English, Language::Spanish] {
            let templates = Templates::of(language).unwrap();
            assert_eq!(templates.months.split(' ').count(), 12);
            assert!(Matter::ALL.iter().all(|one| templates.matters.contains_key(one.as_str())));
            assert!(Kind::ALL.iter().all(|one| templates.kinds.contains_key(one.as_str())));
            assert!(Reason::ALL.iter().all(|one| templates.grounds.contains_key(one.as_str())));
            assert!(Refusal::ALL.iter().all(|one| templates.refusals.contains_key(one.as_str())));
        }
    }

    #[test]
    fn what_somebody_wrote_is_no_template() {
        assert_eq!(fill("Why: {reason}.", &[("reason", "{name} {")]), "Why: {name} {.");
    }
}
