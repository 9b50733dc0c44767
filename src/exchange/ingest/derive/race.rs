//! Race and ethnicity as US Core wants them: OMB categories, and always a text.
//! Categories: OMB Statistical Policy Directive 15 (1997), as in US Core 6.1.0.

use serde_json::{Map, Value};

/// The OMB categories of race in CDCREC.
const RACES: [(&str, &str); 5] = [
    ("1002-5", "American Indian or Alaska Native"),
    ("2028-9", "Asian"),
    ("2054-5", "Black or African American"),
    ("2076-8", "Native Hawaiian or Other Pacific Islander"),
    ("2106-3", "White"),
];

/// The OMB categories of ethnicity in CDCREC.
const ETHNICITIES: [(&str, &str); 2] =
    [("2135-2", "Hispanic or Latino"), ("2186-5", "Not Hispanic or Latino")];

/// The ways not to say. They stay text: what asks for the OMB categories has no code for them
/// before US Core 6, and a text is right in every version.
const NOT_SAID: [(&str, &str); 2] = [("declined", "Declined to answer"), ("unknown", "Unknown")];

/// Race, or nothing where the client's record says nothing.
pub(super) fn race<'a>(given: impl Iterator<Item = &'a str>) -> Option<Value> {
    let given: Vec<&str> = given.collect();
    if given.is_empty() {
        return None;
    }
    let categories: Vec<&str> =
        given.iter().copied().filter(|code| known(&RACES, code).is_some()).collect();
    let texts: Vec<&str> = given.iter().map(|code| text(&RACES, code)).collect();
    let mut race = Map::new();
    if !categories.is_empty() {
        race.insert("categories".to_owned(), categories.into());
    }
    race.insert("text".to_owned(), texts.join(", ").into());
    Some(race.into())
}

/// Ethnicity.
pub(super) fn ethnicity(given: &str) -> Value {
    let mut ethnicity = Map::new();
    if known(&ETHNICITIES, given).is_some() {
        ethnicity.insert("category".to_owned(), given.into());
    }
    ethnicity.insert("text".to_owned(), text(&ETHNICITIES, given).into());
    ethnicity.into()
}

fn text<'a>(table: &[(&'static str, &'static str)], code: &'a str) -> &'a str {
    known(table, code).or_else(|| known(&NOT_SAID, code)).unwrap_or(code)
}

fn known(table: &[(&'static str, &'static str)], code: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ethnicity, race};

    #[test]
    fn a_code_outside_the_categories_is_text_only() {
        let given = ["2106-3", "1586-7"];
        let race = race(given.into_iter()).unwrap();
        assert_eq!(race, json!({ "categories": ["2106-3"], "text": "White, 1586-7" }));
        assert_eq!(ethnicity("2137-8"), json!({ "text": "2137-8" }));
    }

    #[test]
    fn a_client_who_declined_is_not_one_who_was_not_asked() {
        assert_eq!(race(std::iter::empty()), None);
        let declined = json!({ "text": "Declined to answer" });
        assert_eq!(race(std::iter::once("declined")), Some(declined));
    }
}
