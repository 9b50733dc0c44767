//! Asks the rules ahead of time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::consent::{self, Setting};
use super::people;
use crate::domain::{Kind, Op, Record, TenantIds};
use crate::exchange::ingest::derive::Neighbours;
use crate::policy::{
    Actor, Asker, Confidentiality, Decision, Defect, Directive, Emergency, Grantee, Item, Labels,
    Law, Means, Obligations, Patient, Proxy, Purpose, Question, Recipient, Regime, Signer,
    Standing, State, decide, requested_by, signs_alone, signs_for, transfer_to,
};
use crate::store::{Allowed, Guard};

/// What outside recipients may ask for.
pub(crate) const OUTSIDE: [Purpose; 5] = [
    Purpose::Treatment,
    Purpose::Payment,
    Purpose::Operations,
    Purpose::CareManagement,
    Purpose::Research,
];

/// The conditions of a release that some way out can meet. Rows say which there are, and a way that
/// cannot meet them does not see what they allow.
const ABLE: Obligations = Obligations::OF_FHIR.and(Obligations::ACCOUNT);

/// What is around a client.
pub(crate) struct Around<'a> {
    /// The other records.
    pub(crate) neighbours: &'a dyn Neighbours,
    /// The maker of ids.
    pub(crate) ids: &'a TenantIds,
    /// The law.
    pub(crate) law: &'a Law,
    /// Now.
    pub(crate) now: Timestamp,
}

/// The rows of a client, who has records of these classes.
pub(crate) fn allowed(client: &Record, classes: &[String], around: &Around<'_>) -> Vec<Allowed> {
    if client.op != Op::Upsert || !client.data.is_object() || classes.is_empty() {
        return Vec::new();
    }
    let case = Case::of(client, around);
    let items: Vec<_> =
        classes.iter().filter_map(|class| Some((class, Item::of_class(class)?))).collect();
    let chart = Chart {
        times: times(&case, &items, around),
        dates: dates(&case.directives),
        places: places(&case, &items),
        items,
        ids: around.ids,
        case: &case,
    };
    let mut rows = chart.rows(&Grantee::of_patient(), &Actor::Patient { verified: true });
    for (id, proxy) in &case.proxies {
        let grantee = Grantee::of_proxy(&around.ids.id(Kind::RelatedParty, id));
        rows.extend(chart.rows(&grantee, &Actor::Proxy(proxy.clone())));
    }
    let clients: BTreeSet<&str> = case.clients().collect();
    for client_id in clients {
        let recipient = Actor::Recipient(Recipient {
            client_id: client_id.to_owned(),
            name: String::new(),
            npi: None,
            standing: Standing::Other,
        });
        for purpose in OUTSIDE {
            rows.extend(chart.rows(&Grantee::of_recipient(client_id, purpose), &recipient));
        }
    }
    rows
}

fn directives(client: &Record, zone: &TimeZone, around: &Around<'_>) -> Vec<Directive> {
    let setting =
        Setting { neighbours: around.neighbours, law: around.law, zone, client: &client.id };
    // Consents of a record that was merged into this one: a no still counts, a yes has to be
    // given anew.
    let merged = around.neighbours.referring(Kind::Client, Kind::Client, &client.id);
    let merged = merged.iter().filter(|other| {
        other.data.get("merged_into").and_then(|id| id.as_str()) == Some(client.id.as_str())
    });
    let ids = std::iter::once(client.id.as_str()).chain(merged.map(|other| other.id.as_str()));
    let records: BTreeMap<String, _> = ids
        .flat_map(|id| around.neighbours.referring(Kind::Consent, Kind::Client, id))
        .map(|record| (record.id.clone(), record))
        .collect();
    records.values().filter_map(|record| consent::directive(record, &setting)).collect()
}

fn proxies(client: &Record, zone: &TimeZone, around: &Around<'_>) -> Vec<(String, Proxy)> {
    let parties = around.neighbours.referring(Kind::RelatedParty, Kind::Client, &client.id);
    let own = parties.iter().filter(|party| {
        party.data.get("client_id").and_then(|id| id.as_str()) == Some(client.id.as_str())
    });
    own.filter_map(|party| Some((party.id.clone(), people::proxy(party, zone)?))).collect()
}

/// The instants from now on at which an answer may change, the first of which is long ago.
fn times(case: &Case<'_>, items: &[(&String, Item)], around: &Around<'_>) -> Vec<Timestamp> {
    let Case { patient, directives, proxies, .. } = case;
    let law = around.law.of(&patient.jurisdiction);
    let ages = [Some(law.majority), law.consents_alone_from, law.substance_use_alone_from];
    let birthdays = ages.into_iter().flatten().filter_map(|age| patient.birthday(age));
    let mut times: BTreeSet<Timestamp> =
        birthdays.flat_map(|(first, last)| [first, last]).collect();
    for one in directives {
        times.extend(one.term.ends());
        times.extend(one.revocations.iter().map(|revocation| revocation.at));
    }
    for (_, proxy) in proxies {
        times.extend(proxy.authorities.iter().flat_map(|one| one.term.ends()));
        times.extend(proxy.restrictions.iter().flat_map(|one| one.term.ends()));
    }
    times.extend(items.iter().filter_map(|(_, item)| item.withheld?.until));
    // Fifty years after death is not so far that nobody will ever be asked.
    if let Some(died) = patient.died {
        let day = died.to_zoned(patient.zone.clone()).date();
        let year = day.year().saturating_add(around.law.years_after_death);
        let new_year = jiff::civil::Date::new(year, 1, 1).ok();
        times.extend(new_year.and_then(|day| super::midnight(day, &patient.zone)));
    }
    times.retain(|at| *at > around.now);
    std::iter::once(around.now).chain(times).collect()
}

/// The dates at which the answer about a record may change.
fn dates(directives: &[Directive]) -> Vec<Timestamp> {
    let all: BTreeSet<_> = directives.iter().flat_map(|one| one.scope.dated.ends()).collect();
    all.into_iter().collect()
}

/// The sessions and plans that are named, the consents themselves with their forms, those to whom care
/// may go over, and those who ask for the client.
fn places(case: &Case<'_>, items: &[(&String, Item)]) -> Vec<String> {
    let is_handed_over = items.iter().any(|(_, item)| item.kind == Kind::Transfer);
    let to = case.clients().filter(|_| is_handed_over).map(transfer_to);
    let is_asked = items.iter().any(|(_, item)| item.kind == Kind::RecordRequest);
    let askers = case.proxies().map(Asker::Party).chain([Asker::Patient]);
    let by = askers.filter(|_| is_asked).map(requested_by);
    let own = |one: &Directive| {
        let form = one.evidence.as_ref().map(|id| format!("{}/{id}", Kind::Attachment));
        std::iter::once(format!("{}/{}", Kind::Consent, one.id)).chain(form)
    };
    let said = case.directives.iter();
    let all =
        said.flat_map(|one| one.scope.related.iter().cloned().chain(own(one))).chain(to).chain(by);
    all.collect::<BTreeSet<_>>().into_iter().collect()
}

/// What decides about a client's record: who they are, what they said, and who acts for them.
pub(crate) struct Case<'a> {
    patient: Patient,
    directives: Vec<Directive>,
    proxies: Vec<(String, Proxy)>,
    regime: Regime,
    law: &'a Law,
}

impl<'a> Case<'a> {
    /// The case of a client.
    pub(crate) fn of(client: &Record, around: &Around<'a>) -> Self {
        let practice = around.neighbours.organization();
        let patient = people::patient(client, practice.as_deref());
        Self {
            directives: directives(client, &patient.zone, around),
            proxies: proxies(client, &patient.zone, around),
            regime: people::regime(&patient),
            law: around.law,
            patient,
        }
    }

    /// The case if this consent were signed now, with its evidence; nothing if it is none.
    pub(crate) fn signing(mut self, planned: &Record, around: &Around<'_>) -> Option<Self> {
        let mut directive = self.planned(planned, around)?;
        directive.signed = Some(around.now);
        directive.signer = Signer::Client;
        self.directives.push(directive);
        Some(self)
    }

    /// The case without one of its consents.
    pub(crate) fn without(mut self, consent: &str) -> Self {
        self.directives.retain(|one| one.id != consent);
        self
    }

    /// A consent as it would be once it is signed, with its evidence; nothing if it is none.
    pub(crate) fn planned(&self, planned: &Record, around: &Around<'_>) -> Option<Directive> {
        let client = planned.client_ids.first()?;
        let zone = &self.patient.zone;
        let setting = Setting { neighbours: around.neighbours, law: around.law, zone, client };
        let mut directive = consent::directive(planned, &setting)?;
        directive.state = State::Active;
        for missing in [Defect::Signature, Defect::Writing, Defect::Evidence] {
            directive.defects.remove(&missing);
        }
        Some(directive)
    }

    /// As what the patient signs, and whether that is enough for a yes; a no they always say.
    pub(crate) fn signer(&self, permits: bool, at: Timestamp) -> Option<Signer> {
        let alone = signs_alone(&self.patient, self.law, at);
        let alive = self.patient.died.is_none();
        (if permits { alone } else { alive }).then_some(Signer::Client)
    }

    /// As what somebody signs for the patient, if they may.
    pub(crate) fn signer_for(&self, party: &str, at: Timestamp) -> Option<Signer> {
        let proxy = self.proxy(party)?;
        let session = Item::new(Kind::SessionLog, Labels::of_level(Confidentiality::Restricted));
        let actor = Actor::Proxy(proxy.clone());
        let decision = self.decide(&actor, Purpose::FamilyRequest, &session, at);
        signs_for(&self.patient, &proxy, &decision, at)
    }

    /// Who acts for the client, by the platform's ids.
    pub(crate) fn proxies(&self) -> impl Iterator<Item = &str> {
        self.proxies.iter().map(|(id, _)| id.as_str())
    }

    /// One of those.
    pub(crate) fn proxy(&self, id: &str) -> Option<Proxy> {
        self.proxies.iter().find(|(known, _)| known == id).map(|(_, proxy)| proxy.clone())
    }

    /// The `client_id`s that consents name.
    pub(crate) fn clients(&self) -> impl Iterator<Item = &str> {
        self.directives.iter().flat_map(Directive::clients)
    }

    /// The zone of the practice.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.patient.zone
    }

    /// Asks the rules about an item, to be seen by a query.
    pub(crate) fn decide(
        &self,
        actor: &Actor,
        purpose: Purpose,
        item: &Item,
        at: Timestamp,
    ) -> Decision {
        self.ask(actor, purpose, item, at, (Means::Query, ABLE))
    }

    /// Asks the rules about a note that is kept apart, to be released by the one job that does.
    pub(crate) fn release(
        &self,
        actor: &Actor,
        purpose: Purpose,
        item: &Item,
        at: Timestamp,
    ) -> Decision {
        let able = ABLE.and(Obligations::AUDIT_APART);
        self.ask(actor, purpose, item, at, (Means::Release, able))
    }

    /// Asks the rules about an item for somebody who broke a glass, on a way that writes each use down,
    /// alerts, and has it reviewed.
    pub(crate) fn in_emergency(
        &self,
        actor: &Actor,
        purpose: Purpose,
        item: &Item,
        glass: &Emergency,
        at: Timestamp,
    ) -> Decision {
        let watched = Obligations::ALERT
            .and(Obligations::REVIEW)
            .and(Obligations::WATERMARK)
            .and(Obligations::NO_FURTHER_USE)
            .and(Obligations::RECORD_EMERGENCY);
        let able = ABLE.and(watched);
        decide(&Question {
            emergency: Some(glass),
            able,
            ..self.question(actor, purpose, item, at, Means::Query)
        })
    }

    fn ask(
        &self,
        actor: &Actor,
        purpose: Purpose,
        item: &Item,
        at: Timestamp,
        (means, able): (Means, Obligations),
    ) -> Decision {
        decide(&Question { able, ..self.question(actor, purpose, item, at, means) })
    }

    fn question<'q>(
        &'q self,
        actor: &'q Actor,
        purpose: Purpose,
        item: &'q Item,
        at: Timestamp,
        means: Means,
    ) -> Question<'q> {
        Question {
            actor,
            purpose: Some(purpose),
            means,
            // Scopes, registration and tenant are tested beside, by the permit.
            covered: true,
            patient: &self.patient,
            item,
            directives: Some(&self.directives),
            regime: self.regime,
            emergency: None,
            able: Obligations::NONE,
            at,
            law: self.law,
        }
    }
}

/// A client's record, to be asked about.
struct Chart<'a> {
    case: &'a Case<'a>,
    items: Vec<(&'a String, Item)>,
    times: Vec<Timestamp>,
    dates: Vec<Timestamp>,
    places: Vec<String>,
    ids: &'a TenantIds,
}

impl Chart<'_> {
    /// What a grantee may see.
    fn rows(&self, grantee: &Grantee, actor: &Actor) -> Vec<Allowed> {
        let mut rows = Vec::new();
        for (class, item) in &self.items {
            let anywhere = Item { related: String::new(), ..item.clone() };
            let except = self.except();
            self.dated_rows(grantee, actor, &anywhere, &mut |window| {
                rows.push(window.row(grantee, class, "*", &except));
            });
            for place in self.places.iter().filter(|place| fits(item, place)) {
                let there = Item { related: place.clone(), ..item.clone() };
                self.dated_rows(grantee, actor, &there, &mut |window| {
                    rows.push(window.row(grantee, class, place, ""));
                });
            }
        }
        rows
    }

    /// The places that have rows of their own.
    fn except(&self) -> String {
        if self.places.is_empty() {
            return String::new();
        }
        format!("|{}|", self.places.join("|"))
    }

    /// The windows of time and date in which an item may be seen, each as long as it can be.
    fn dated_rows(
        &self,
        grantee: &Grantee,
        actor: &Actor,
        item: &Item,
        found: &mut dyn FnMut(Window),
    ) {
        let mut open: Vec<Window> = Vec::new();
        for (i, at) in self.times.iter().enumerate() {
            let since = if i == 0 { i64::MIN } else { at.as_microsecond() };
            let until = self.times.get(i + 1).map_or(i64::MAX, |at| at.as_microsecond());
            let stretches = self.open_dates(grantee, actor, item, *at);
            let (kept, closed): (Vec<_>, Vec<_>) =
                open.into_iter().partition(|one| stretches.contains(&one.stretch));
            closed.into_iter().for_each(&mut *found);
            open = kept;
            for stretch in stretches {
                match open.iter_mut().find(|one| one.stretch == stretch) {
                    Some(window) => window.until = until,
                    None => open.push(Window { since, until, stretch }),
                }
            }
        }
        open.into_iter().for_each(found);
    }

    /// The stretches of dates that may be seen at an instant; the first is of what has none.
    fn open_dates(
        &self,
        grantee: &Grantee,
        actor: &Actor,
        item: &Item,
        at: Timestamp,
    ) -> Vec<Stretch> {
        let first = (Guard::UNDATED, Guard::UNDATED + 1, None);
        let starts = std::iter::once(Timestamp::MIN).chain(self.dates.iter().copied());
        let ends = self.dates.iter().map(|end| end.as_microsecond()).chain([i64::MAX]);
        let dated = starts.zip(ends).enumerate().map(|(i, (start, end))| {
            let low = if i == 0 { Guard::UNDATED + 1 } else { start.as_microsecond() };
            (low, end, Some(start))
        });
        let mut open: Vec<Stretch> = Vec::new();
        for (low, high, dated) in std::iter::once(first).chain(dated) {
            let item = Item { dated, ..item.clone() };
            let decision = self.case.decide(actor, grantee.purpose(), &item, at);
            if !decision.permits {
                continue;
            }
            let (duties, basis) = self.terms(&decision);
            match open.last_mut() {
                Some(last)
                    if last.high == low && (last.duties, &last.basis) == (duties, &basis) =>
                {
                    last.high = high;
                }
                _ => open.push(Stretch { low, high, duties, basis }),
            }
        }
        open
    }

    /// Under which conditions, and with which consents where they go along.
    fn terms(&self, decision: &Decision) -> (u16, String) {
        let duties = decision.obligations;
        let consent = |id: &String| format!("Consent/{}", self.ids.id(Kind::Consent, id));
        let consents = || decision.basis.iter().map(consent).collect::<Vec<_>>().join(" ");
        let goes_along = duties.include(Obligations::CONSENT_COPY);
        (duties.bits(), if goes_along { consents() } else { String::new() })
    }
}

/// Whether a record of this kind can be at a place.
fn fits(item: &Item, place: &str) -> bool {
    let kind = place.split('/').next().unwrap_or_default();
    match item.kind {
        Kind::Consent
        | Kind::Attachment
        | Kind::TreatmentPlan
        | Kind::RecordRequest
        | Kind::Transfer => kind == item.kind.as_str(),
        _ => kind == Kind::SessionLog.as_str(),
    }
}

/// Dates of what may be seen, and how.
#[derive(PartialEq)]
struct Stretch {
    low: i64,
    high: i64,
    duties: u16,
    basis: String,
}

/// A window in which something may be seen.
struct Window {
    since: i64,
    until: i64,
    stretch: Stretch,
}

impl Window {
    fn row(&self, grantee: &Grantee, class: &str, related: &str, except: &str) -> Allowed {
        Allowed {
            grantee: grantee.as_str().to_owned(),
            class: class.to_owned(),
            related: related.to_owned(),
            except: except.to_owned(),
            since: self.since,
            until: self.until,
            dated_since: self.stretch.low,
            dated_until: self.stretch.high,
            duties: self.stretch.duties,
            basis: self.stretch.basis.clone(),
        }
    }
}
