//! A consent as the rules read it: total, typed, and worth nothing where it is in doubt.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::actor::{Actor, Term};
use super::item::{Item, NoteClass};
use super::label::{Confidentiality, Sensitivity};
use super::law::{Law, normalised};
use super::patient::{Majority, Patient};
use super::purpose::Purpose;
use super::words::words;
use crate::domain::Kind;

words! {
    /// What a consent is about.
    Form {
        /// A release of information.
        Release = "roi",
        /// An authorization for psychotherapy notes.
        Psychotherapy = "psychotherapy_authorization",
        /// Part 2: treatment, payment and operations.
        Part2Tpo = "part2_tpo",
        /// Part 2: one disclosure.
        Part2Disclosure = "part2_disclosure",
        /// Part 2: counselling notes.
        Part2Counseling = "part2_counseling_notes",
        /// Part 2: proceedings.
        Part2Proceedings = "part2_proceedings",
        /// Somebody of the patient's choice sees the record.
        ProxyAccess = "proxy_access",
        /// A restriction that the practice agreed to.
        Restriction = "restriction_agreed",
        /// Research.
        Research = "research",
        /// Care, telehealth, money, recordings: nothing about who sees records.
        Other = "other",
    }
}

impl Form {
    /// Whether it can let Part 2 records out.
    pub fn is_part2(self) -> bool {
        matches!(self, Self::Part2Tpo | Self::Part2Disclosure)
    }

    /// Whether a yes of this form opens anything of the general plane.
    fn opens(self) -> bool {
        matches!(
            self,
            Self::Release
                | Self::Part2Tpo
                | Self::Part2Disclosure
                | Self::ProxyAccess
                | Self::Research
        )
    }
}

/// Whom a consent names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// How.
    pub kind: PartyKind,
    /// The platform's id.
    pub id: Option<String>,
    /// The name.
    pub name: String,
    /// The National Provider Identifier.
    pub npi: Option<String>,
    /// The `client_id`s of registered apps.
    pub clients: Vec<String>,
}

words! {
    /// How a recipient is named.
    PartyKind {
        /// An organisation.
        Organization = "org",
        /// A person.
        Person = "person",
        /// Anybody of a class.
        Class = "class",
        /// Somebody who passes on.
        Intermediary = "intermediary",
        /// It cannot be told.
        Unknown = "other",
    }
}

/// What a consent is about, and what not. An absent criterion does not limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matter {
    /// Kinds of record.
    pub kinds: Option<BTreeSet<Kind>>,
    /// Classes of note.
    pub notes: Option<BTreeSet<NoteClass>>,
    /// When what it says was done or observed.
    pub dated: Term,
    /// Sessions, plans and other records, as `kind/id`.
    pub related: BTreeSet<String>,
    /// The most that it may be labelled with.
    pub included: Option<LabelSet>,
    /// What it may not be labelled with.
    pub excluded: LabelSet,
    /// Whether it has words whose meaning is not known.
    pub unknown: bool,
}

/// Labels that a consent names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSet {
    /// A level.
    pub level: Option<Confidentiality>,
    /// Sensitivities.
    pub sensitivities: BTreeSet<Sensitivity>,
}

impl LabelSet {
    fn names(&self, sensitivity: Sensitivity) -> bool {
        self.sensitivities.contains(&sensitivity)
            || sensitivity.synonyms().iter().any(|one| self.sensitivities.contains(one))
    }
}

/// What a revocation takes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    All,
    /// What went to these, by id or name.
    Recipients(Vec<String>),
    /// These kinds.
    Kinds(BTreeSet<Kind>),
    /// It cannot be told.
    Unknown,
}

/// A consent taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// From when on.
    pub at: Timestamp,
    /// What of it.
    pub extent: Extent,
}

words! {
    /// Who signed.
    Signer {
        /// The patient.
        Client = "client",
        /// A guardian.
        Guardian = "guardian",
        /// Somebody with a power of attorney.
        PowerOfAttorney = "poa",
        /// A court.
        Court = "court",
        /// It cannot be told.
        Unknown = "other",
    }
}

/// What a yes lacks without which it holds nothing open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Defect {
    /// A signature, or the time of it.
    Signature,
    /// Writing, where it has to be written.
    Writing,
    /// Evidence of what was signed, or it is not what was signed.
    Evidence,
    /// Somebody to whom.
    Recipient,
    /// What for.
    Purpose,
    /// What of.
    Description,
    /// When or with what it ends.
    Expiry,
    /// A statement that 42 CFR 2.31 asks for.
    Statement,
    /// Something that says what it means.
    Meaning,
    /// The patient's renewed word, after two records became one.
    Merged,
}

words! {
    /// What the platform says became of a consent.
    State {
        /// It stands.
        Active = "active",
        /// It was taken back.
        Revoked = "revoked",
        /// It ended.
        Expired = "expired",
        /// It never stood, or not any more.
        Inert = "inert",
        /// It cannot be told.
        Unknown = "other",
    }
}

/// A consent as the rules read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// The platform's id.
    pub id: String,
    /// The id of the signed form.
    pub evidence: Option<String>,
    /// What it is about.
    pub form: Form,
    /// Whether it says yes.
    pub permits: bool,
    /// What became of it.
    pub state: State,
    /// When it was signed.
    pub signed: Option<Timestamp>,
    /// Who signed.
    pub signer: Signer,
    /// What it lacks.
    pub defects: BTreeSet<Defect>,
    /// When it is to hold.
    pub term: Term,
    /// Whom it names.
    pub parties: Vec<Party>,
    /// What for.
    pub purposes: BTreeSet<Purpose>,
    /// Whether it names a purpose that is not known.
    pub other_purposes: bool,
    /// What of.
    pub scope: Matter,
    /// What was taken back.
    pub revocations: Vec<Revocation>,
    /// The consent that it replaces.
    pub supersedes: Option<String>,
}

impl Directive {
    /// Whether it lacks nothing.
    pub fn is_valid(&self) -> bool {
        self.defects.is_empty() && self.state != State::Inert && self.state != State::Unknown
    }

    /// Whether it holds at an instant, apart from what was taken back in part.
    pub fn is_in_force(&self, patient: &Patient, law: &Law, at: Timestamp) -> bool {
        let stands = match self.state {
            State::Active => true,
            // A no stands where it cannot be told that it does not.
            State::Unknown => !self.permits,
            State::Revoked => self.revocations.iter().any(|one| one.at > at),
            State::Expired | State::Inert => false,
        };
        stands
            && self.term.holds(at)
            && (!self.permits || (self.is_valid() && self.is_signer_able(patient, law, at)))
            && !self.revocations.iter().any(|one| one.at <= at && self.is_all(&one.extent))
    }

    /// Whether a revocation takes everything back: a yes falls with one whose extent is not clear,
    /// a no does not.
    fn is_all(&self, extent: &Extent) -> bool {
        match extent {
            Extent::All => true,
            Extent::Unknown => self.permits,
            Extent::Recipients(_) | Extent::Kinds(_) => false,
        }
    }

    /// What a guardian signed lapses when the patient comes of age.
    fn is_signer_able(&self, patient: &Patient, law: &Law, at: Timestamp) -> bool {
        match self.signer {
            Signer::Client | Signer::PowerOfAttorney | Signer::Court => true,
            Signer::Guardian => patient.majority(law, at) == Majority::Minor,
            Signer::Unknown => false,
        }
    }

    /// Whether a yes reaches the actor, the purpose and the item.
    pub fn permits(&self, who: &Actor, what_for: Purpose, item: &Item, ctx: Matching) -> bool {
        self.form.opens() && self.covers(who, what_for, item, ctx)
    }

    /// Whether a yes, of whatever form, reaches the actor, the purpose and the item.
    pub fn covers(&self, who: &Actor, what_for: Purpose, item: &Item, ctx: Matching) -> bool {
        self.permits
            && self.names(who, ctx.law)
            && self.purposes.contains(&what_for)
            && self.is_about(item)
            && !(self.signer == Signer::Guardian && item.labels.has(Sensitivity::Adolescent))
            && !self.is_taken_back(who, item, ctx)
    }

    /// Whether it is for the actor and the purpose, whatever of.
    pub fn addresses(&self, who: &Actor, what_for: Purpose, ctx: Matching) -> bool {
        self.permits
            && self.form.opens()
            && self.names(who, ctx.law)
            && self.purposes.contains(&what_for)
            && !self.revocations.iter().any(|one| {
                one.at <= ctx.at && matches!(&one.extent, Extent::Recipients(names) if self.parties.iter().any(|party| party.is(who, ctx.law) && party.is_among(names)))
            })
    }

    /// Whether a no reaches the actor, the purpose and the item. What is not clear, it reaches.
    pub fn denies(&self, who: &Actor, what_for: Purpose, item: &Item, ctx: Matching) -> bool {
        let named = self.parties.is_empty()
            || self.parties.iter().any(|party| {
                party.is(who, ctx.law)
                    || party.kind == PartyKind::Unknown
                    || (party.kind == PartyKind::Class && matches!(who, Actor::Recipient(_)))
            });
        let meant =
            self.purposes.is_empty() || self.other_purposes || self.purposes.contains(&what_for);
        !self.permits && self.form != Form::Other && named && meant && self.concerns(item)
    }

    /// Whether one of those whom it names is the actor, by what they are registered with.
    pub fn names(&self, who: &Actor, law: &Law) -> bool {
        let passes_on = |party: &Party| party.kind == PartyKind::Intermediary;
        let others = || {
            self.parties.iter().any(|party| {
                !passes_on(party)
                    && (party.kind == PartyKind::Class || !law.is_generic(&party.name))
            })
        };
        self.parties.iter().any(|party| party.is(who, law) && (!passes_on(party) || others()))
    }

    /// The `client_id`s that it names.
    pub fn clients(&self) -> impl Iterator<Item = &str> {
        self.parties.iter().flat_map(|party| party.clients.iter().map(String::as_str))
    }

    /// Whether it goes to somebody who passes on.
    pub(super) fn is_passed_on(&self) -> bool {
        self.parties.iter().any(|party| party.kind == PartyKind::Intermediary)
    }

    /// Whether it lists the class of a note.
    pub(super) fn lists_notes(&self, item: &Item) -> bool {
        let listed = self.scope.notes.as_ref();
        listed.zip(item.note).is_some_and(|(notes, class)| notes.contains(&class))
    }

    /// Whether it names the actor as such, and not as one of many.
    pub(super) fn is_specific(&self, who: &Actor, law: &Law) -> bool {
        self.parties.iter().any(|party| party.is(who, law))
    }

    fn is_taken_back(&self, who: &Actor, item: &Item, ctx: Matching) -> bool {
        self.revocations.iter().filter(|one| one.at <= ctx.at).any(|one| match &one.extent {
            Extent::All | Extent::Unknown => true,
            Extent::Kinds(kinds) => kinds.contains(&item.kind),
            Extent::Recipients(names) => {
                let mut named = self.parties.iter().filter(|party| party.is(who, ctx.law));
                named.any(|party| party.is_among(names))
            }
        })
    }

    /// Whether an item meets every criterion of a yes.
    fn is_about(&self, item: &Item) -> bool {
        let scope = &self.scope;
        let of_kind = match (item.note, &scope.notes) {
            (Some(class), Some(notes)) => notes.contains(&class),
            _ => scope.kinds.as_ref().map_or(scope.notes.is_none(), |k| k.contains(&item.kind)),
        };
        let dated = scope.dated == Term::default()
            || item.dated.is_some_and(|dated| scope.dated.holds(dated));
        !scope.unknown
            && of_kind
            && dated
            && (scope.related.is_empty() || scope.related.contains(&item.related))
            && scope.included.as_ref().is_none_or(|set| is_at_most(item, set))
            && !has_any(item, &scope.excluded)
    }

    /// Whether an item may be what a no is about.
    fn concerns(&self, item: &Item) -> bool {
        let scope = &self.scope;
        let of_kind = match (item.note, &scope.notes) {
            (Some(class), Some(notes)) => notes.contains(&class),
            (None, Some(_)) if scope.kinds.is_none() => false,
            _ => scope.kinds.as_ref().is_none_or(|kinds| kinds.contains(&item.kind)),
        };
        let dated = item.dated.is_none_or(|dated| scope.dated.holds(dated));
        scope.unknown
            || (of_kind
                && dated
                && (scope.related.is_empty() || scope.related.contains(&item.related))
                && scope.included.as_ref().is_none_or(|set| has_any(item, set)))
    }
}

/// Whether an item carries no label beyond those that are named. A sensitivity implies that the
/// data are restricted.
fn is_at_most(item: &Item, set: &LabelSet) -> bool {
    let implied = (!set.sensitivities.is_empty()).then_some(Confidentiality::Restricted);
    let most = set.level.max(implied).unwrap_or(Confidentiality::Normal);
    item.labels.level <= most && item.labels.sensitivities.iter().all(|one| set.names(*one))
}

/// Whether an item carries one of the labels that are named.
fn has_any(item: &Item, set: &LabelSet) -> bool {
    set.level.is_some_and(|level| item.labels.level >= level)
        || item.labels.sensitivities.iter().any(|one| set.names(*one))
}

/// What matching needs beside the consent.
#[derive(Debug, Clone, Copy)]
pub struct Matching<'a> {
    /// The law.
    pub law: &'a Law,
    /// The instant.
    pub at: Timestamp,
}

impl Party {
    /// Whether this is the actor, by registered identity; wording that fits many is nobody.
    fn is(&self, who: &Actor, law: &Law) -> bool {
        match who {
            Actor::Recipient(_) if self.kind == PartyKind::Class => false,
            Actor::Recipient(recipient) => {
                let same_name = || {
                    !law.is_generic(&self.name)
                        && normalised(&self.name) == normalised(&recipient.name)
                };
                let same_npi = self.npi.is_some() && self.npi == recipient.npi;
                let registered = !self.clients.is_empty() || self.npi.is_some();
                self.clients.contains(&recipient.client_id)
                    || same_npi
                    || (!registered && same_name())
            }
            Actor::Proxy(proxy) => self.id.as_deref() == Some(proxy.id.as_str()),
            Actor::Staff(staff) => {
                self.kind == PartyKind::Person && self.id.as_deref() == Some(staff.id.as_str())
            }
            Actor::Patient { .. } | Actor::Custodian => false,
        }
    }

    fn is_among(&self, names: &[String]) -> bool {
        let is_it = |name: &String| {
            self.id.as_ref() == Some(name)
                || self.npi.as_ref() == Some(name)
                || self.clients.contains(name)
                || normalised(name) == normalised(&self.name)
        };
        names.iter().any(is_it)
    }
}

/// The names of consents.
pub(super) fn ids<'a>(directives: &[&'a Directive]) -> Vec<&'a str> {
    directives.iter().map(|one| one.id.as_str()).collect()
}
