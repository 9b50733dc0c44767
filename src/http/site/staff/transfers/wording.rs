//! Transfers in the words of people.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use crate::exchange::transfers::{Happened, Transfer};
use crate::http::html::{Visit, fill};
use crate::http::site::date;
use crate::policy::transfer::Event;

/// Where it is.
pub(super) fn badge(visit: &Visit, transfer: &Transfer) -> Markup {
    let word = transfer.state.as_str();
    html! {
        span.badge { (visit.texts().transfer_states.get(word).map_or(word, String::as_str)) }
    }
}

/// How urgent it is.
pub(super) fn urgency<'a>(visit: &'a Visit, word: &'a str) -> &'a str {
    visit.texts().urgencies.get(word).map_or(word, String::as_str)
}

/// What happened.
pub(super) fn event(visit: &Visit, event: Event) -> &str {
    let word = event.as_str();
    visit.texts().transfer_events.get(word).map_or(word, String::as_str)
}

/// What a person can do, on a button.
pub(super) fn act(visit: &Visit, event: Event) -> &str {
    let word = event.as_str();
    visit.texts().transfer_acts.get(word).map_or(word, String::as_str)
}

/// Why, where it is one of the names that the gateway gives; what people wrote is no such name.
pub(super) fn trouble<'a>(visit: &'a Visit, why: &str) -> Option<&'a str> {
    visit.texts().troubles.get(why).map(String::as_str)
}

/// When.
pub(super) fn when(visit: &Visit, step: &Happened) -> String {
    let day = date::day(visit, step.at);
    let time = step.at.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string();
    fill(&visit.texts().transfers.when, &[("day", &day), ("time", &time)])
}

#[cfg(test)]
mod tests {
    use crate::exchange::transfers::URGENCIES;
    use crate::http::html::{Language, Languages};
    use crate::policy::transfer::{Event, Side, State};

    #[test]
    fn every_state_step_and_act_has_its_words_in_every_language() {
        let languages = Languages::load().unwrap();
        for language in Language::ALL {
            let texts = languages.of(language);
            for state in State::ALL {
                assert!(texts.transfer_states.contains_key(state.as_str()), "{state:?}");
            }
            for event in Event::ALL {
                let word = event.as_str();
                assert!(texts.transfer_events.contains_key(word), "{word}");
                let is_act = event.may_be_said_by(Side::Practice);
                assert_eq!(texts.transfer_acts.contains_key(word), is_act, "{word}");
            }
            assert!(URGENCIES.iter().all(|word| texts.urgencies.contains_key(*word)));
        }
    }
}
