//! Diagnoses, treatment plans and goals; and lists that a practice of therapists does not keep.

use serde_json::Value;

use super::{Section, joined, table};
use crate::package::record::{Record, Resource, concept, concept_at, list, text};
use crate::package::texts::Texts;

/// Whether a diagnosis is one that somebody stands by.
pub(in crate::package) fn stands(condition: &Resource) -> bool {
    let verification = "/verificationStatus";
    !condition.is_coded(verification, "entered-in-error")
        && !condition.is_coded(verification, "refuted")
}

fn status(value: &Value, pointer: &str, texts: &Texts) -> String {
    let coded = value.pointer(pointer).map(|concept| list(concept, "/coding"));
    let code = coded.and_then(|codings| codings.first()).map(|code| text(code, "/code"));
    texts.code(code.unwrap_or_default()).to_owned()
}

/// When a diagnosis began, as far as it is known.
pub(in crate::package) fn since(condition: &Resource) -> &str {
    let times = ["/onsetDateTime", "/onsetPeriod/start", "/recordedDate"];
    let known = times.map(|pointer| condition.text(pointer));
    known.into_iter().find(|time| !time.is_empty()).unwrap_or_default()
}

pub(super) fn problems(record: &Record, texts: &Texts) -> Section {
    let words = &texts.problems;
    let mut section = Section::new("diagnoses", Some("11450-4"), &words.title);
    section.always = true;
    let columns = [
        (&*words.what, 4),
        (&*words.code, 2),
        (&*words.status, 3),
        (&*words.since, 3),
        (&*words.by, 3),
    ];
    let mut rows = table("", &columns);
    for condition in record.latest("Condition", since) {
        section.entries.push(condition.name());
        let (clinical, verified) = (
            status(&condition.value, "/clinicalStatus", texts),
            status(&condition.value, "/verificationStatus", texts),
        );
        let code = condition.text("/code/coding/0/code").to_owned();
        rows.rows.push(vec![
            concept_at(&condition.value, "/code").to_owned(),
            code,
            joined([&*clinical, &*verified], ", "),
            texts.date(since(condition)),
            condition.value.pointer("/recorder").map(|who| record.who(who)).unwrap_or_default(),
        ]);
    }
    if rows.rows.is_empty() {
        section.says(&words.empty);
    }
    section.table(rows);
    section
}

/// A list that is not kept, and a sentence that says so.
pub(super) fn nothing(
    anchor: &'static str,
    code: &'static str,
    title: &str,
    sentence: &str,
) -> Section {
    let mut section = Section::new(anchor, Some(code), title);
    section.always = true;
    section.says(sentence);
    section
}

/// The plans, the goals, and what is done.
pub(super) fn plans(record: &Record, texts: &Texts) -> [Section; 3] {
    let words = &texts.plan;
    let mut plans = Section::new("plan", Some("18776-5"), &words.title);
    let mut done = Section::new("interventions", Some("62387-6"), &words.interventions);
    let columns = [(&*words.activity, 5), (&*words.status, 2), (&*words.goal, 4)];
    for plan in record.latest("CarePlan", |plan| plan.text("/period/start")) {
        plans.entries.push(plan.name());
        plans.heading(plan.text("/title"));
        let period = texts.period(plan.text("/period/start"), plan.text("/period/end"));
        let by = plan.value.pointer("/author").map(|who| record.who(who)).unwrap_or_default();
        plans.whispers(joined([&*period, texts.code(plan.text("/status")), &*by], " · "));
        plans.says(plan.text("/description"));
        let mut rows = table(plan.text("/title"), &columns);
        for activity in plan.list("/activity") {
            let goals = list(activity, "/detail/goal").iter().filter_map(|goal| {
                Some(record.find(text(goal, "/reference"))?.text("/description/text"))
            });
            rows.rows.push(vec![
                concept_at(activity, "/detail/code").to_owned(),
                texts.code(text(activity, "/detail/status")).to_owned(),
                joined(goals, "; "),
            ]);
        }
        if !rows.rows.is_empty() {
            done.entries.push(plan.name());
        }
        done.table(rows);
    }
    [plans, goals(record, texts), done]
}

fn goals(record: &Record, texts: &Texts) -> Section {
    let words = &texts.plan;
    let mut section = Section::new("goals", Some("61146-7"), &words.goals);
    let columns = [(&*words.goal, 5), (&*words.status, 3), (&*words.due, 3), (&*words.notes, 5)];
    let mut rows = table("", &columns);
    for goal in record.latest("Goal", |goal| goal.text("/startDate")) {
        section.entries.push(goal.name());
        let achieved = goal.value.pointer("/achievementStatus").map(concept).unwrap_or_default();
        let lifecycle = texts.code(goal.text("/lifecycleStatus"));
        let notes = goal.list("/note").iter().map(|note| text(note, "/text"));
        rows.rows.push(vec![
            concept_at(&goal.value, "/description").to_owned(),
            joined([lifecycle, achieved], ", "),
            texts.date(goal.text("/target/0/dueDate")),
            joined(notes, "\n"),
        ]);
    }
    section.table(rows);
    section
}
