//! Who is a member of a CareTeam, and when: what a caseload is made of.

use super::value::{add, references};
use crate::fhir::search::node::Node;
use crate::fhir::search::{IndexRow, date};

/// The number under which the members of a CareTeam are in the index: a reference to the member, and
/// a quantity whose unit's code is that reference and whose range is the time of the membership, in
/// microseconds since 1970. It is no search parameter.
pub const MEMBER: u16 = 0xE001;

/// The members of a team, each with the time of the membership. Who is one for a time that cannot be
/// told is none.
pub(super) fn members(team: &Node<'_>, rows: &mut Vec<IndexRow>) {
    for participant in team.get("participant").map_or(&[][..], Node::items) {
        let Some((low, high)) = membership(participant.get("period")) else { continue };
        let mut found = Vec::new();
        if let Some(member) = participant.get("member") {
            references(MEMBER, &["Practitioner"], member, &mut found);
        }
        for row in found {
            if let IndexRow::Reference { target, .. } = &row {
                let (system, unit) = (String::new(), String::new());
                let code = target.clone();
                add(rows, IndexRow::Quantity { param: MEMBER, low, high, system, code, unit });
            }
            add(rows, row);
        }
    }
}

/// From when until when somebody is a member: always, where the team does not say.
#[expect(clippy::cast_precision_loss, reason = "microseconds are whole in it until the year 2255")]
fn membership(period: Option<&Node<'_>>) -> Option<(f64, f64)> {
    let end = |name: &str| match period.and_then(|period| period.get(name)) {
        None => Some(None),
        Some(Node::Text(text)) => date::range(text).map(Some),
        Some(_) => None,
    };
    let low = end("start")?.map_or(f64::NEG_INFINITY, |(first, _)| first as f64);
    let high = end("end")?.map_or(f64::INFINITY, |(_, last)| last as f64);
    Some((low, high))
}
