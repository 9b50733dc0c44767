//! Whether somebody may act for a client (45 CFR 164.502(g)): a right with evidence, in force, that
//! reaches the record, and nothing against it. Where it cannot be told, they may not.

use jiff::civil::Date;
use serde_json::Value;

use super::chart::is_in_force;

/// The age from which nobody is the guardian of somebody by being their parent.
const MAJORITY: i16 = 18;

/// Whether the `related_party` may act for the client on that day.
pub(super) fn may_act(party: &Value, client: &Value, today: Date) -> bool {
    let against = list(party, "restrictions").iter().any(|restriction| {
        matches!(text(restriction, "kind"), Some("no_records" | "no_contact" | "custody_order"))
            && is_in_force(restriction, today)
    });
    !against && list(party, "authority").iter().any(|right| reaches(right, client, today))
}

fn reaches(right: &Value, client: &Value, today: Date) -> bool {
    let outlasts_majority = match text(right, "type") {
        Some("legal_guardian") => false,
        Some("healthcare_poa" | "court_order") => true,
        _ => return false,
    };
    text(right, "evidence_ref").is_some()
        && matches!(text(right, "scope"), None | Some("all" | "clinical"))
        && is_in_force(right, today)
        && (outlasts_majority || is_minor(client, today))
}

/// Whether the client is certainly a minor for whom a guardian decides. Who is emancipated, or
/// consented to the therapy by themself, decides for themself.
fn is_minor(client: &Value, today: Date) -> bool {
    let minor = client.get("minor");
    let emancipated = minor.and_then(|minor| minor.get("emancipated")).and_then(Value::as_bool);
    let decides = minor.and_then(|minor| text(minor, "consent_capacity")) == Some("self");
    let is_dead = client.get("deceased").is_some_and(|dead| *dead != Value::Bool(false));
    if emancipated == Some(true) || decides || is_dead || client.get("deceased_on").is_some() {
        return false;
    }
    text(client, "birth_date").and_then(first_day).is_some_and(|born| {
        let year = born.year().saturating_add(MAJORITY);
        let birthday = Date::new(year, born.month(), born.day())
            .or_else(|_leap_day| Date::new(year, born.month().saturating_add(1), 1));
        birthday.is_ok_and(|birthday| today < birthday)
    })
}

/// The first day that a date of birth may mean: `YYYY`, `YYYY-MM` or a day.
fn first_day(born: &str) -> Option<Date> {
    let mut parts = born.split('-').map(|part| part.parse::<i16>().ok());
    let year = parts.next()??;
    let mut next = || parts.next().map_or(Some(1), |part| part.and_then(|p| i8::try_from(p).ok()));
    Date::new(year, next()?, next()?).ok()
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    #[test]
    fn who_may_act_for_whom_is_a_table() {
        let today = date(2026, 11, 27);
        let right = |kind: &str, scope: &str| json!({ "type": kind, "scope": scope, "evidence_ref": "att_1", "from": "2009-03-08" });
        let born = |birth: &str| json!({ "birth_date": birth });
        let minor = born("2009-03-08");
        let alone = json!({ "birth_date": "2009-03-08", "minor": { "consent_capacity": "self" } });
        let none = json!([]);
        let barred = json!([{ "kind": "no_records", "from": "2025-02-01" }]);
        let ended = json!([{ "kind": "no_records", "from": "2025-02-01", "to": "2026-11-26" }]);
        let custody = json!([{ "kind": "custody_order", "from": "2025-02-01" }]);
        let no_evidence = json!({ "type": "legal_guardian", "scope": "all" });
        let later = json!({ "type": "court_order", "evidence_ref": "a", "from": "2026-11-28" });
        let over = json!({ "type": "court_order", "evidence_ref": "a", "to": "2026-11-26" });
        for (name, right, against, client, expected) in [
            ("a parent", right("legal_guardian", "all"), &none, &minor, true),
            ("a parent for care", right("legal_guardian", "clinical"), &none, &minor, true),
            (
                "appointments only",
                right("legal_guardian", "scheduling_billing"),
                &none,
                &minor,
                false,
            ),
            ("without evidence", no_evidence, &none, &minor, false),
            ("no right", right("none", "all"), &none, &minor, false),
            ("an unknown right", right("friend", "all"), &none, &minor, false),
            ("barred from records", right("legal_guardian", "all"), &barred, &minor, false),
            ("a bar that is over", right("legal_guardian", "all"), &ended, &minor, true),
            ("a custody order", right("court_order", "all"), &custody, &minor, false),
            ("of age today", right("legal_guardian", "all"), &none, &born("2008-11-27"), false),
            ("of age tomorrow", right("legal_guardian", "all"), &none, &born("2008-11-28"), true),
            ("maybe of age", right("legal_guardian", "all"), &none, &born("2008"), false),
            ("not born on a day", right("legal_guardian", "all"), &none, &json!({}), false),
            ("one who consented alone", right("legal_guardian", "all"), &none, &alone, false),
            ("an adult's attorney", right("healthcare_poa", "all"), &none, &born("1950"), true),
            ("not yet", later, &none, &minor, false),
            ("no longer", over, &none, &minor, false),
        ] {
            let party = json!({ "authority": [right], "restrictions": against });
            assert_eq!(may_act(&party, client, today), expected, "{name}");
        }
    }
}
