//! The timeline: sessions, messages and documents, the latest first, a page at a time.
//!
//! A page ends between two instants, never within one, so that the next begins where it ended and
//! nothing is left out.

use jiff::Timestamp;
use serde_json::Value;

use super::guest::Guest;
use super::text::{list, text};
use crate::http::site::Refused;

/// How many entries a page has, but for those at the same instant as its last.
const MANY: usize = 30;
/// How many of each type are looked at for a page.
const LOOKED_AT: &str = "80";

/// What can be chosen: a type, with what it is sorted by.
const TYPES: [(&str, &str); 3] =
    [("Encounter", "date"), ("Communication", "sent"), ("DocumentReference", "date")];

/// A page of entries.
pub(super) struct Timeline {
    /// The entries.
    pub(super) entries: Vec<Entry>,
    /// Where the next page starts.
    pub(super) next: Option<Timestamp>,
}

/// One entry.
pub(super) struct Entry {
    /// When, as it is written there.
    pub(super) when: String,
    at: Timestamp,
    /// The type of the resource.
    pub(super) resource_type: &'static str,
    /// The resource.
    pub(super) resource: Value,
}

/// The entries before an instant, or the latest; of one type, or of all.
pub(super) async fn timeline(
    guest: &Guest,
    before: Option<Timestamp>,
    only: Option<&str>,
) -> Result<Timeline, Refused> {
    let mut entries: Vec<Entry> = Vec::new();
    // Where some type has more than was looked at, what is older than its last is not complete.
    let mut complete: Option<Timestamp> = None;
    for (resource_type, date) in TYPES {
        if only.is_some_and(|only| only != resource_type) {
            continue;
        }
        let sort = format!("-{date}");
        let until = before.map(|before| format!("lt{before}"));
        let mut parameters = vec![("_sort", sort.as_str()), ("_count", LOOKED_AT)];
        parameters.extend(until.as_ref().map(|until| (date, until.as_str())));
        let found = guest.search(resource_type, &parameters).await?;
        let of_type = found.resources.into_iter().filter_map(|one| entry(resource_type, one));
        let of_type: Vec<Entry> = of_type.collect();
        if found.more {
            let last = of_type.iter().map(|entry| entry.at).min();
            complete = complete.max(last);
        }
        entries.extend(of_type);
    }
    entries.retain(|entry| before.is_none_or(|before| entry.at < before));
    entries.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.resource_type.cmp(b.resource_type)));
    let mut end = entries.len().min(MANY);
    while let (Some(last), Some(next)) = (entries.get(end.wrapping_sub(1)), entries.get(end))
        && last.at == next.at
    {
        end += 1;
    }
    // Others at that instant may not have been looked at either.
    let incomplete = |entry: &Entry| complete.is_some_and(|complete| entry.at <= complete);
    let whole = entries.iter().position(incomplete).filter(|first| *first > 0);
    end = whole.map_or(end, |first| end.min(first));
    let more = entries.len() > end || complete.is_some();
    entries.truncate(end);
    let next = entries.last().filter(|_| more).map(|last| last.at);
    Ok(Timeline { entries, next })
}

fn entry(resource_type: &'static str, resource: Value) -> Option<Entry> {
    let when = match resource_type {
        "Encounter" => text(resource.get("period")?, "start")?,
        // A thread has no words of its own.
        "Communication" if list(&resource, "payload").is_empty() => return None,
        "Communication" => text(&resource, "sent")?,
        // What was replaced by a newer version is told there.
        _ if text(&resource, "status") != Some("current") => return None,
        _ => text(&resource, "date")?,
    };
    let (when, at) = (when.to_owned(), when.parse().ok()?);
    Some(Entry { when, at, resource_type, resource })
}
