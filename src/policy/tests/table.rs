//! The whole policy as one table.

mod outside;
mod people;
mod practice;
mod protected;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::fixture::*;
use crate::domain::Kind;
use crate::policy::rule::RULES;
use crate::policy::*;

/// The table under construction.
#[derive(Default)]
struct Table {
    text: String,
    rows: usize,
    used: BTreeSet<&'static str>,
}

impl Table {
    fn section(&mut self, title: &str) {
        let head =
            "who | what for | what | labels | consent and circumstances | | rule | conditions";
        let line = "---|---|---|---|---|---|---|---";
        writeln!(self.text, "\n## {title}\n\n| {head} |\n|{line}|").unwrap();
    }

    fn row(&mut self, who: &str, what: &str, circumstances: &str, case: &Case) {
        let decision = case.decide();
        let purpose = case.purpose.map_or("not stated", Purpose::as_str);
        let labels = &case.item.labels;
        let mut codes: Vec<_> = vec![labels.level.as_str()];
        codes.extend(labels.sensitivities.iter().map(|one| one.as_str()));
        codes.extend(labels.part2.then_some("42CFRPart2"));
        let verdict = if decision.permits { "**yes**" } else { "no" };
        let conditions = decision.obligations.names().collect::<Vec<_>>().join(", ");
        writeln!(
            self.text,
            "| {who} | {purpose} | {what} | {} | {circumstances} | {verdict} | {} | {conditions} |",
            codes.join(" "),
            decision.rule.code
        )
        .unwrap();
        assert!(decision.rule.decides, "{} is no rule that decides", decision.rule.code);
        self.rows += 1;
        self.used.insert(decision.rule.code);
    }

    fn rules(&mut self) {
        writeln!(self.text, "\n## The rules\n\n| rule | says | source | |\n|---|---|---|---|")
            .unwrap();
        for rule in RULES {
            let kind = if rule.decides { "decides" } else { "binds people and deadlines" };
            writeln!(self.text, "| {} | {} | {} | {kind} |", rule.code, rule.says, rule.source)
                .unwrap();
        }
    }
}

fn items() -> Vec<(&'static str, Item)> {
    vec![
        ("demographics", item(Kind::Client, &["N"])),
        ("session", item(Kind::SessionLog, THERAPY)),
        ("diagnosis, alcohol", item(Kind::Diagnosis, &["R", "PSY", "BH", "SUD", "ETH", "ETHUD"])),
        ("progress note", note(NoteClass::Progress, THERAPY)),
        ("discharge summary", note(NoteClass::Discharge, THERAPY)),
        ("message", item(Kind::Message, THERAPY)),
        ("Part 2 session", item(Kind::SessionLog, PROGRAM)),
        ("Part 2 note", note(NoteClass::Progress, PROGRAM)),
        ("psychotherapy note", note(NoteClass::Psychotherapy, &["V", "PSY", "BH", "PSYTHPN"])),
        ("SUD counselling note", note(NoteClass::SudCounseling, PROGRAM)),
    ]
}

#[test]
fn the_whole_policy_is_one_table_that_a_lawyer_can_read() {
    let mut table = Table::default();
    outside::outside(&mut table);
    outside::pipeline(&mut table);
    outside::conflicts(&mut table);
    protected::part2(&mut table);
    protected::apart(&mut table);
    people::access(&mut table);
    people::proxies(&mut table);
    people::requests(&mut table);
    practice::emergencies(&mut table);
    practice::roles(&mut table);
    practice::regimes(&mut table);
    let decide = RULES.iter().filter(|rule| rule.decides).map(|rule| rule.code);
    let unseen: Vec<_> = decide.filter(|code| !table.used.contains(code)).collect();
    assert!(unseen.is_empty(), "no row shows these rules: {unseen:?}");
    assert!(table.rows >= 300, "{} rows", table.rows);
    table.rules();
    insta::assert_snapshot!("who_sees_what", table.text);
}

#[test]
fn no_two_rules_have_the_same_code() {
    let codes: BTreeSet<_> = RULES.iter().map(|rule| rule.code).collect();
    assert_eq!(codes.len(), RULES.len());
    assert!(RULES.iter().all(|rule| !rule.source.is_empty() && rule.says.ends_with('.')));
}
