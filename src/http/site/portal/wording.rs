//! Requests in the words of people: what is asked for, where it is, by when.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::exchange::requests::Request;
use crate::http::html::{Visit, fill};
use crate::http::site::{Refused, date, decide};
use crate::policy::request::{Event, Matter, Standing, State};

/// A day, written out.
pub(in crate::http::site) fn day(visit: &Visit, day: Date) -> String {
    date::partial(visit, &day.to_string())
}

/// What is asked for.
pub(in crate::http::site) fn matter(visit: &Visit, matter: Matter) -> &str {
    let word = matter.as_str();
    visit.texts().matters.get(word).map_or(word, String::as_str)
}

/// Where it is.
pub(in crate::http::site) fn state(visit: &Visit, state: State) -> &str {
    let word = state.as_str();
    visit.texts().states.get(word).map_or(word, String::as_str)
}

/// What was done.
pub(in crate::http::site) fn event(visit: &Visit, event: Event) -> &str {
    let word = event.as_str();
    visit.texts().steps.get(word).map_or(word, String::as_str)
}

/// By when it is answered.
pub(in crate::http::site) fn standing(visit: &Visit, request: &Request) -> String {
    let texts = &visit.texts().requests;
    if request.state.is_closed() {
        return texts.closed.clone();
    }
    match request.standing {
        Standing::Untimed => texts.untimed.clone(),
        Standing::Paused => texts.paused.clone(),
        Standing::Running { due, days, .. } => {
            let (due, days) = (day(visit, due), days.to_string());
            fill(&texts.running, &[("date", &due), ("days", &days)])
        }
        Standing::Overdue { due, .. } => fill(&texts.overdue, &[("date", &day(visit, due))]),
    }
}

/// What is asked for, as the practice says it.
pub(in crate::http::site) fn case(visit: &Visit, matter: Matter) -> &str {
    let word = matter.as_str();
    visit.texts().cases.get(word).map_or(word, String::as_str)
}

/// Where it is, as the practice says it.
pub(in crate::http::site) fn stage(visit: &Visit, state: State) -> &str {
    let word = state.as_str();
    visit.texts().stages.get(word).map_or(word, String::as_str)
}

/// What was done, as the practice says it.
pub(in crate::http::site) fn happened(visit: &Visit, event: Event) -> &str {
    let word = event.as_str();
    visit.texts().happened.get(word).map_or(word, String::as_str)
}

/// What an app, or a system of the practice, is called.
pub(in crate::http::site) async fn recipient(visit: &Visit, id: &str) -> Result<String, Refused> {
    let texts = &visit.texts().seen;
    if id == "operator" {
        return Ok(texts.office.clone());
    }
    if id.starts_with("source:") {
        return Ok(texts.platform.clone());
    }
    let name = id.to_owned();
    let known = decide(visit, move |authority| authority.clients().get(&name)).await?;
    Ok(known.map_or_else(|| texts.system.clone(), |client| client.name))
}

/// The day of an instant.
pub(in crate::http::site) fn on(visit: &Visit, at: Timestamp) -> String {
    date::day(visit, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::html::{Language, Languages};
    use crate::policy::request::Refusal;

    #[test]
    fn every_request_state_and_step_has_its_words_in_every_language() {
        let languages = Languages::load().unwrap();
        for language in Language::ALL {
            let texts = languages.of(language);
            for one in Matter::ALL {
                assert!(texts.matters.contains_key(one.as_str()), "{one:?}");
                assert!(texts.asks.contains_key(one.as_str()), "{one:?}");
                assert!(texts.cases.contains_key(one.as_str()), "{one:?}");
            }
            for one in State::ALL {
                assert!(texts.states.contains_key(one.as_str()), "{one:?}");
                assert!(texts.stages.contains_key(one.as_str()), "{one:?}");
            }
            for one in Event::ALL {
                assert!(texts.steps.contains_key(one.as_str()), "{one:?}");
                assert!(texts.acts.contains_key(one.as_str()), "{one:?}");
                assert!(texts.happened.contains_key(one.as_str()), "{one:?}");
            }
            for one in Refusal::ALL {
                assert!(texts.refusals.contains_key(one.as_str()), "{one:?}");
            }
        }
    }
}
