//! What a correction, or a disagreement, leaves in the record: a `session_note` record of the gateway's
//! own that is appended to the entry, and goes wherever the entry goes.
//!
//! A paper is a function of the request and the entry, and has one name for each request, so that it is
//! there once however often it is made.

use serde_json::{Map, Value, json};

use super::kept::Kept;
use super::letter::Papers;
use super::{At, OWN};
use crate::domain::{Kind, Op, Record, TenantId};
use crate::error::{Error, Result};
use crate::store::Write;

/// What the ids of corrections begin with.
const CORRECTION: &str = "tla-";
/// What the ids of disagreements begin with.
const DISAGREEMENT: &str = "tld-";
/// What an entry is guarded by, and so what is appended to it.
const ALIKE: &[&str] = &["class", "class_text", "session_id", "service_date", "visibility"];

/// A paper.
pub(super) struct Paper {
    /// The id of its record.
    pub(super) id: String,
    /// The data of that.
    pub(super) data: Value,
}

/// The papers of a request about an entry.
pub(super) fn of(at: &At<'_>, kept: &Kept, entry: &Record) -> Result<Vec<Paper>> {
    let words = Papers::of(at.language)?;
    let name = at.request.id.strip_prefix(OWN).unwrap_or(&at.request.id);
    let asked = (words.asked.as_str(), at.request.statement.as_deref());
    let mut papers = Vec::new();
    if let Some((correction, by)) =
        kept.correction.as_ref().and_then(|one| Some((one, one.by.as_ref()?)))
    {
        let sections = [asked, (&words.correction, Some(&correction.text))];
        let what = ("correction", by.as_str(), correction.at.as_str());
        papers.push(paper(entry, format!("{CORRECTION}{name}"), what, &sections));
    }
    let refused = kept.refused.as_ref().and_then(|one| Some((one, one.by.as_ref()?)));
    if let Some((disagreement, (_, by))) = kept.disagreement.as_ref().zip(refused) {
        let denial = kept.letters.iter().rev().find(|letter| letter.kind == "denial");
        let sections = [
            asked,
            (words.answer.as_str(), denial.map(|letter| letter.text.as_str())),
            (&words.statement, disagreement.statement.as_deref()),
            (&words.rebuttal, disagreement.rebuttal.as_deref()),
        ];
        let what = ("disagreement", by.as_str(), disagreement.at.as_str());
        papers.push(paper(entry, format!("{DISAGREEMENT}{name}"), what, &sections));
    }
    Ok(papers)
}

fn paper(
    entry: &Record,
    id: String,
    (paper, by, at): (&str, &str, &str),
    sections: &[(&str, Option<&str>)],
) -> Paper {
    let section = |(at, (title, text)): (usize, &(&str, Option<&str>))| {
        let text = (*text)?;
        Some(json!({
            "key": format!("p{at}"), "title": title, "text": text, "text_format": "text",
        }))
    };
    let mut data: Map<String, Value> = ALIKE
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), entry.data.get(*name)?.clone())))
        .collect();
    let own = json!({
        "format": "narrative", "status": "addendum", "origin": "human", "separated": false,
        "amends": entry.id, "author_id": by, "signed": { "by": by, "at": at }, "locked_at": at,
        "sections": sections.iter().enumerate().filter_map(section).collect::<Vec<_>>(),
        "amendment": { "requested_by": "client_164_526", "paper": paper, "at": at },
    });
    if let Value::Object(own) = own {
        data.extend(own);
    }
    Paper { id, data: Value::Object(data) }
}

impl At<'_> {
    /// What a correction, or a disagreement, leaves in the record, as far as it is not there yet.
    pub(super) fn papers(
        &self,
        write: &dyn Write,
        tenant: &TenantId,
        kept: &Kept,
    ) -> Result<Vec<Record>> {
        let Some(entry) = &kept.entry else { return Ok(Vec::new()) };
        let entry = write.record(tenant, Kind::SessionNote, entry)?;
        let entry = entry.filter(|entry| entry.op == Op::Upsert).ok_or_else(|| {
            let hint = "the entry is not there any more: refuse the correction, or take no step";
            Error::Conflict { hint: hint.to_owned() }
        })?;
        let mut papers = Vec::new();
        for paper in of(self, kept, &entry)? {
            let known = write.record(tenant, Kind::SessionNote, &paper.id)?;
            let said = |data: &Value| data.get("sections").cloned();
            if known.as_ref().is_some_and(|known| said(&known.data) == said(&paper.data)) {
                continue;
            }
            let version = known.as_ref().map_or(0, |known| known.version).saturating_add(1);
            let key = (Kind::SessionNote, paper.id.as_str(), version);
            papers.push(Record {
                tz: self.practice.tz.clone(),
                labels: entry.labels.clone(),
                part2: entry.part2,
                ..Record::made(tenant, key, self.now, entry.client_ids.clone(), paper.data)
            });
        }
        Ok(papers)
    }
}
