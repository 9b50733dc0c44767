//! People, records and consents to ask about.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::{Coding, Kind};
use crate::policy::*;

/// The shipped table.
static LAW: LazyLock<Law> = LazyLock::new(Law::shipped);

pub(super) fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The instant of the questions, unless they say otherwise.
pub(super) fn now() -> Timestamp {
    instant("2026-11-27T12:00:00Z")
}

pub(super) fn labels(codes: &[&str]) -> Labels {
    let coding = |code: &&str| {
        let system = match *code {
            "U" | "L" | "M" | "N" | "R" | "V" => "v3-Confidentiality",
            "PATAST" | "AIAST" => "v3-ObservationValue",
            _ => "v3-ActCode",
        };
        let system = format!("http://terminology.hl7.org/CodeSystem/{system}");
        Coding { system, code: (*code).to_owned() }
    };
    Labels::read(&codes.iter().map(coding).collect::<Vec<_>>())
}

pub(super) fn item(kind: Kind, codes: &[&str]) -> Item {
    Item { dated: Some(instant("2026-09-01T10:00:00Z")), ..Item::new(kind, labels(codes)) }
}

pub(super) fn note(class: NoteClass, codes: &[&str]) -> Item {
    Item { note: Some(class), ..item(Kind::SessionNote, codes) }
}

pub(super) const THERAPY: &[&str] = &["R", "PSY", "BH"];
pub(super) const PROGRAM: &[&str] = &["R", "PSY", "BH", "SUD", "ETH", "42CFRPart2", "NORDSCLCD"];

pub(super) fn adult() -> Patient {
    Patient { born: Born::read("1980-05-04"), ..Patient::new("US-CO", TimeZone::UTC) }
}

pub(super) fn child(born: &str) -> Patient {
    Patient { born: Born::read(born), ..adult() }
}

pub(super) fn recipient(standing: Standing) -> Actor {
    Actor::Recipient(Recipient {
        client_id: "ehr-frfm".to_owned(),
        name: "Front Range Family Medicine".to_owned(),
        npi: Some("1497758544".to_owned()),
        standing,
    })
}

pub(super) fn staff(role: Role) -> Staff {
    Staff { id: "st_2".to_owned(), role, assigned: true, own_chart: false }
}

pub(super) fn proxy(kind: AuthorityKind, powers: Powers) -> Proxy {
    let authority = Authority { kind, powers, evidenced: true, term: Term::default() };
    Proxy { id: "rp_6".to_owned(), authorities: vec![authority], restrictions: Vec::new() }
}

pub(super) fn party() -> Party {
    Party {
        kind: PartyKind::Organization,
        id: Some("org_3".to_owned()),
        name: "Front Range Family Medicine".to_owned(),
        npi: None,
        clients: vec!["ehr-frfm".to_owned()],
    }
}

pub(super) fn class_of_recipients(name: &str) -> Party {
    Party { kind: PartyKind::Class, id: None, name: name.to_owned(), npi: None, clients: vec![] }
}

/// A good yes to everything that its form can open, for treatment.
pub(super) fn yes(form: Form) -> Directive {
    Directive {
        id: "con_1".to_owned(),
        evidence: Some("att_1".to_owned()),
        form,
        permits: true,
        state: State::Active,
        signed: Some(instant("2026-03-01T09:00:00Z")),
        signer: Signer::Client,
        defects: BTreeSet::new(),
        term: Term { from: Some(instant("2026-03-01T00:00:00Z")), until: None },
        parties: vec![party()],
        purposes: BTreeSet::from([Purpose::Treatment, Purpose::Payment]),
        other_purposes: false,
        scope: Matter::default(),
        revocations: Vec::new(),
        supersedes: None,
    }
}

/// A no to everybody about everything.
pub(super) fn no(form: Form) -> Directive {
    Directive {
        id: "con_9".to_owned(),
        permits: false,
        parties: Vec::new(),
        purposes: BTreeSet::new(),
        ..yes(form)
    }
}

/// A question that is about everything but one thing the same.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) actor: Actor,
    pub(super) purpose: Option<Purpose>,
    pub(super) means: Means,
    pub(super) covered: bool,
    pub(super) patient: Patient,
    pub(super) item: Item,
    pub(super) directives: Option<Vec<Directive>>,
    pub(super) regime: Regime,
    pub(super) emergency: Option<Emergency>,
    pub(super) able: Obligations,
    pub(super) at: Timestamp,
}

impl Case {
    /// A treating practice reads a session for treatment, without any consent.
    pub(super) fn new() -> Self {
        Self {
            actor: recipient(Standing::Treating),
            purpose: Some(Purpose::Treatment),
            means: Means::Query,
            covered: true,
            patient: adult(),
            item: item(Kind::SessionLog, THERAPY),
            directives: Some(Vec::new()),
            regime: Regime::OptIn,
            emergency: None,
            able: Obligations::ALL,
            at: now(),
        }
    }

    pub(super) fn decide(&self) -> Decision {
        decide(&Question {
            actor: &self.actor,
            purpose: self.purpose,
            means: self.means,
            covered: self.covered,
            patient: &self.patient,
            item: &self.item,
            directives: self.directives.as_deref(),
            regime: self.regime,
            emergency: self.emergency.as_ref(),
            able: self.able,
            at: self.at,
            law: &LAW,
        })
    }

    pub(super) fn with(mut self, directives: &[Directive]) -> Self {
        self.directives = Some(directives.to_vec());
        self
    }

    pub(super) fn about(mut self, item: Item) -> Self {
        self.item = item;
        self
    }

    pub(super) fn by(mut self, actor: Actor, purpose: Purpose) -> Self {
        self.actor = actor;
        self.purpose = Some(purpose);
        self
    }

    pub(super) fn of(mut self, patient: Patient) -> Self {
        self.patient = patient;
        self
    }

    pub(super) fn at(mut self, at: &str) -> Self {
        self.at = instant(at);
        self
    }

    pub(super) fn under(mut self, regime: Regime) -> Self {
        self.regime = regime;
        self
    }

    pub(super) fn via(mut self, means: Means) -> Self {
        self.means = means;
        self
    }
}
