//! Sessions, appointments and messages.

use super::{Section, joined, table};
use crate::package::record::{Record, Resource, concept, concept_at, instant, list, text};
use crate::package::texts::{Texts, fill};

pub(super) fn sessions(record: &Record, texts: &Texts) -> Section {
    let words = &texts.sessions;
    let mut section = Section::new("sessions", Some("46240-8"), &words.title);
    let columns = [
        (&*words.when, 5),
        (&*words.what, 5),
        (&*words.with, 4),
        (&*words.minutes, 2),
        (&*words.status, 3),
    ];
    let mut rows = table(&words.caption, &columns);
    for session in record.latest("Encounter", |session| session.text("/period/start")) {
        section.entries.push(session.name());
        let who = session.list("/participant").iter().filter_map(|part| part.get("individual"));
        let who: Vec<String> = who.map(|who| record.who(who)).collect();
        let length = session.value.pointer("/length/value");
        rows.rows.push(vec![
            texts.period(session.text("/period/start"), session.text("/period/end")),
            session.list("/type").first().map(concept).unwrap_or_default().to_owned(),
            joined(who.iter().map(String::as_str), ", "),
            length.map(ToString::to_string).unwrap_or_default(),
            texts.code(session.text("/status")).to_owned(),
        ]);
    }
    section.table(rows);
    let columns = [(&*words.from, 3), (&*words.to, 3), (&*words.with, 4), (&*words.status, 3)];
    let mut rows = table(&words.episodes, &columns);
    for episode in record.latest("EpisodeOfCare", |episode| episode.text("/period/start")) {
        section.entries.push(episode.name());
        rows.rows.push(vec![
            texts.date(episode.text("/period/start")),
            texts.date(episode.text("/period/end")),
            episode.value.pointer("/careManager").map(|who| record.who(who)).unwrap_or_default(),
            texts.code(episode.text("/status")).to_owned(),
        ]);
    }
    section.table(rows);
    section
}

pub(super) fn appointments(record: &Record, texts: &Texts) -> Section {
    let words = &texts.appointments;
    let mut section = Section::new("appointments", None, &words.title);
    let columns = [(&*words.when, 5), (&*words.what, 5), (&*words.status, 3)];
    let mut rows = table(&words.caption, &columns);
    for appointment in record.latest("Appointment", |one| one.text("/start")) {
        section.entries.push(appointment.name());
        rows.rows.push(vec![
            texts.period(appointment.text("/start"), appointment.text("/end")),
            appointment.list("/serviceType").first().map(concept).unwrap_or_default().to_owned(),
            texts.code(appointment.text("/status")).to_owned(),
        ]);
    }
    section.table(rows);
    section
}

/// The messages, thread by thread, the latest thread first; within one they are in order.
pub(super) fn messages(record: &Record, texts: &Texts) -> Section {
    let words = &texts.messages;
    let mut section = Section::new("messages", None, &words.title);
    let all = record.latest("Communication", |message| message.text("/sent"));
    let thread = |message: &Resource| message.text("/partOf/0/reference").to_owned();
    let mut threads: Vec<(String, Vec<&Resource>)> = Vec::new();
    for message in &all {
        section.entries.push(message.name());
        // What holds others together is no message itself.
        if message.list("/payload").is_empty() && message.text("/sent").is_empty() {
            continue;
        }
        let of = thread(message);
        match threads.iter_mut().find(|(known, _)| *known == of && !of.is_empty()) {
            Some((_, messages)) => messages.push(message),
            None => threads.push((of, vec![message])),
        }
    }
    for (of, mut messages) in threads {
        let topic = record.find(&of).map(|thread| concept_at(&thread.value, "/topic"));
        messages.sort_by(|a, b| instant(a.text("/sent")).cmp(&instant(b.text("/sent"))));
        let first = messages.first().map(|message| message.text("/sent")).unwrap_or_default();
        let day = texts.date(first.get(..10).unwrap_or(first));
        section.heading(topic.filter(|topic| !topic.is_empty()).unwrap_or(&day));
        for message in messages {
            one(&mut section, record, message, texts);
        }
    }
    section
}

fn one(section: &mut Section, record: &Record, message: &Resource, texts: &Texts) {
    let words = &texts.messages;
    let from = message.value.pointer("/sender").map(|who| record.who(who)).unwrap_or_default();
    let to = record.whos(message.list("/recipient"));
    let both = if from.is_empty() || to.is_empty() {
        joined([&*from, &*to], " · ")
    } else {
        fill(&words.to, &[("from", &from), ("to", &to)])
    };
    let status = message.text("/status");
    let status = match status {
        "completed" => "",
        "not-done" => &words.not_delivered,
        other => texts.code(other),
    };
    let sent = texts.date(message.text("/sent"));
    section.whispers(joined([&*sent, &*both, status], " · "));
    let payload = message.list("/payload");
    for part in payload {
        section.says(text(part, "/contentString").trim_end());
        let file = part.get("contentAttachment");
        let named = file.map(|file| text(file, "/title")).or_else(|| {
            let document = record.find(text(part, "/contentReference/reference"))?;
            list(&document.value, "/content")
                .first()
                .map(|content| text(content, "/attachment/title"))
        });
        if let Some(name) = named {
            section.says(fill(&words.attached, &[("file", name)]));
        }
    }
    if payload.is_empty() {
        section.says(&words.no_text);
    }
}
