//! The words of the pages, as data: one file a language, read into one type, so that a text that is
//! missing, or that nobody uses, is found when they are read.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Language;
use crate::error::{Error, Result};

macro_rules! texts {
    ($($table:ident : $name:ident { $($key:ident),* $(,)? })*) => {
        /// The texts of one language, a table for each page.
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(in crate::http) struct Texts {
            $(pub(in crate::http) $table: $name,)*
            /// What kinds of entries are called, by resource type.
            pub(in crate::http) kinds: BTreeMap<String, String>,
            /// What they hold, by resource type.
            pub(in crate::http) hints: BTreeMap<String, String>,
            /// Where a goal is, by FHIR's code.
            pub(in crate::http) goals: BTreeMap<String, String>,
            /// What can be asked for, by its name in records.
            pub(in crate::http) matters: BTreeMap<String, String>,
            /// What that means.
            pub(in crate::http) asks: BTreeMap<String, String>,
            /// Where a request is.
            pub(in crate::http) states: BTreeMap<String, String>,
            /// What can be done with a request, on a button.
            pub(in crate::http) acts: BTreeMap<String, String>,
            /// What was done with a request.
            pub(in crate::http) steps: BTreeMap<String, String>,
            /// Why an entry is looked at before it is given.
            pub(in crate::http) triggers: BTreeMap<String, String>,
            /// What is decided on an entry.
            pub(in crate::http) outcomes: BTreeMap<String, String>,
            /// On which ground a correction or an erasure is refused.
            pub(in crate::http) refusals: BTreeMap<String, String>,
            /// Who asks, how, and how it is known who that is.
            pub(in crate::http) channels: BTreeMap<String, String>,
            /// What can be asked for, as the practice says it.
            pub(in crate::http) cases: BTreeMap<String, String>,
            /// Where a request is, as the practice says it.
            pub(in crate::http) stages: BTreeMap<String, String>,
            /// What was done with a request, as the practice says it.
            pub(in crate::http) happened: BTreeMap<String, String>,
            /// On which ground something is withheld.
            pub(in crate::http) grounds: BTreeMap<String, String>,
            /// Forms of a copy.
            pub(in crate::http) formats: BTreeMap<String, String>,
            /// What was done with a record, by the audit's name.
            pub(in crate::http) deeds: BTreeMap<String, String>,
            /// What for, by the code of `v3-ActReason`.
            pub(in crate::http) purposes: BTreeMap<String, String>,
            /// Where a transfer of care is.
            pub(in crate::http) transfer_states: BTreeMap<String, String>,
            /// What happened to a transfer.
            pub(in crate::http) transfer_events: BTreeMap<String, String>,
            /// What can be done with a transfer, on a button.
            pub(in crate::http) transfer_acts: BTreeMap<String, String>,
            /// Why an attempt to send one did not succeed, by its stable name.
            pub(in crate::http) troubles: BTreeMap<String, String>,
            /// How urgent it is.
            pub(in crate::http) urgencies: BTreeMap<String, String>,
            /// What parts of a kind are called, by the code of the category.
            pub(in crate::http) categories: BTreeMap<String, String>,
        }

        $(
            #[derive(Debug, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(in crate::http) struct $name {
                $(pub(in crate::http) $key: String,)*
            }
        )*
    };
}

texts! {
    frame: Frame { skip, language, signed_in_as, sign_out, record, apps, footer, untitled }
    sign_in: SignIn {
        title, demo_title, demo_lede, clients, proxies, staff, proxy, signed_out_title, signed_out,
        again,
    }
    refused: Refused {
        title_expired, expired, title_forged, forged, title_sign_in, sign_in, title_undated, undated, title_unknown, unknown,
        title_unavailable, unavailable, title_busy, busy, title_forbidden, forbidden, title_request,
        request, retry, error,
    }
    pick: Pick {
        title, lede_proxy, lede_staff, born, you, search, find, none, none_proxy, more, visit_title,
        visit_lede, choose, cancel, missing,
    }
    consent: Consent {
        title, lede_self, lede_other, lede_staff, practice, kinds, kinds_lede, sensitive_title,
        sensitive_lede, parts, identity, identity_hint, refresh_title, refresh_title_online,
        refresh_no, refresh_no_hint, refresh_online, refresh_online_hint, refresh_days, refresh_year, refresh_hint, after_title, after_own, after_revoke, not_shared,
        allow, deny, nothing, dropped, only, goes_to,
    }
    apps: Apps {
        title, lede, none, since, used, never, until, sees, whose, made_by, you, somebody, stop,
        stopped_title, stopped,
    }
    portal: Portal {
        record, record_other, consents_other, plan, ask, requests, seen, consents, nav, of, proxy, others, nobody_title,
        nobody, you, somebody, session, with, minutes, cancelled, running, message, files, whole,
        document, by, read, file, too_long, back, record_lede, ask_copy, see_plan, timeline,
        filter, all, sessions, messages, documents, no_entries, earlier, name, born, next, day,
        score, meaning, of_most, trend, lower, plan_lede, no_plan, since, activities, goals,
        no_goals, goal_due, diagnoses, phq9, gad7,
    }
    asking: Asking {
        lede, wrong_title, wrong, send, back, free, what, what_hint, period, period_hint, from,
        to, format, format_both, format_both_hint, format_pdf, format_fhir, format_fhir_hint,
        format_paper, media, media_portal, media_portal_hint, media_mail, media_mail_hint, more,
        more_hint, amend, amend_hint, restrict, restrict_hint, longest,
    }
    requests: Requests {
        lede, none, ask, received, sent_title, sent, now, overdue_hint, all, asked, on, by, from,
        to, format, statement, history, arrived, until, letters, review, review_hint, withdraw,
        withdraw_hint, closed, untimed, paused, running, overdue,
    }
    seen: Seen {
        lede, log, log_hint, with_own, without_own, nobody, earlier, office, platform, system,
        by_app, refused, other, looked, accounting, accounting_hint, no_accounting, when,
        what_for, other_purpose, what, times,
    }
    consents: Consents {
        lede, in_force, none, over, change, change_hint, limit, apps, unnamed, ended, no, yes,
        signed, until, not_to, to, purpose, what, revoked,
    }
    signing: SigningTexts {
        give, title, change_title, lede, nobody_title, nobody, wrong_title, wrong, to, what,
        what_hint, until, until_hint, look, leave, plan_title, plan_lede, sees, kind, opened,
        stays, ended, nothing, closed_title, closed, sign, sign_hint, change, end_link, end_title,
        end_lede, before_title, before, end, given_title, given, over_title, over, not_title, not,
    }
    link: Link {
        title, lede, no_script, damaged, elsewhere, gone, wrong, last, failed, busy, opened, recipient,
        recipient_hint, passcode, passcode_hint, open, record, keep, save_pdf, save_page, save_data,
        private,
    }
    desk: Desk {
        nav, title, lede, none, closed, asker, platform, back, wrong_title, wrong, steps, reason,
        reason_hint, until, letters,
    }
    review: Review {
        lede, wrong_title, wrong_ground, wrong_spans, wrong_other, decided, source, source_hint, back,
        given, sentences, sentences_hint, what, ground, ground_hint, decide, release_all,
        redact_marked, entries, no_entries, entries_hint, waits, finish, finish_hint, making_title,
        making, failed_title, failed,
    }
    transfers: TransferTexts {
        title, lede, none, closed, needs, wrong_title, wrong, wrong_step, prepare, prepare_hint,
        client, receiver, reason, reason_hint, urgency, of, until, reminded, timeline, nothing_yet,
        when, platform, back, steps, text, patient, patient_hint, by_link, by_link_hint,
        handed_title, handed, link, passcode, passcode_hint, handed_back,
    }
    quarantine: Quarantine { title, lede, none, more, unknown }
    copy: Copying {
        title, ready, password, password_hint, take, fresh, check, making_title, making, look_again,
        failed_title, failed, over_title, over, wrong_title,
    }
    correction: CorrectionTexts {
        ask, about, wrong_title, wrong, disagree, disagree_lede, statement, disagree_send, enclose,
        enclose_hint, agree, agree_lede, agree_send, agree_desk, agree_desk_lede, receivers,
        received, nobody, others, others_hint, told, told_on, waits, answer, entry, entry_hint,
        entry_none, text, text_hint, ground, why, letter_to,
    }
    erasing: ErasingTexts {
        title, goes, stays, all, kept, ever, shared, sure, sure_hint, erase, held_title, held,
        by_hand_title, by_hand,
    }
    emergencies: EmergencyTexts {
        title, lede, none, more, by, shown, justified, unjustified, overdue, waits, reviewed, words,
        is_justified, is_unjustified, own, wrong_title, wrong,
    }
    letter: LetterTexts {
        title, lede, wrong_title, wrong, client, client_hint, matter, requester, name, name_hint,
        party, party_hint, received, received_hint, channel, proof, no_proof, from, to, format,
        media, any, statement, statement_hint, send,
    }
    dates: Dates { months, day }
}

/// The texts of every language.
#[derive(Debug)]
pub(in crate::http) struct Languages {
    english: Texts,
    spanish: Texts,
}

impl Languages {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// A file of this program that is not as it should be.
    pub(in crate::http) fn load() -> Result<Self> {
        Ok(Self {
            english: read(include_str!("texts/en.toml"))?,
            spanish: read(include_str!("texts/es.toml"))?,
        })
    }

    /// The texts of a language.
    pub(in crate::http) fn of(&self, language: Language) -> &Texts {
        match language {
            Language::English => &self.english,
            Language::Spanish => &self.spanish,
        }
    }
}

fn read(file: &str) -> Result<Texts> {
    toml::from_str(file).map_err(|cause| Error::broken(format_args!("the pages' texts: {cause}")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use toml::Table;

    use super::*;

    /// Every text by its key, with the names in braces that it holds.
    fn keys(file: &str) -> BTreeMap<String, BTreeSet<String>> {
        let tables: Table = toml::from_str(file).unwrap();
        let mut keys = BTreeMap::new();
        for (table, texts) in &tables {
            for (key, text) in texts.as_table().unwrap() {
                let text = text.as_str().unwrap();
                let names = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
                let names = names.map(|(name, _)| name.to_owned()).collect();
                assert!(!text.trim().is_empty(), "{table}.{key} is empty");
                keys.insert(format!("{table}.{key}"), names);
            }
        }
        keys
    }

    #[test]
    fn every_language_has_the_same_texts_with_the_same_names_in_them() {
        let english = keys(include_str!("texts/en.toml"));
        let spanish = keys(include_str!("texts/es.toml"));
        assert!(english.len() > 20);
        assert_eq!(english, spanish);
    }

    #[test]
    fn the_texts_are_those_that_the_pages_use() {
        Languages::load().unwrap();
    }
}
