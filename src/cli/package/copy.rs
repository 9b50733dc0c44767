//! What a copy of a record is made of, and for whom: what `package` and `link create` share.

use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::Unit;

use crate::audit::disclosures::{Period, events, sum_up};
use crate::audit::{Action, Actor, Audit, Event};
use crate::cli::Context;
use crate::cli::token::DEMO_TENANT;
use crate::domain::{FhirId, TenantId};
use crate::exchange::gather::{Part, gather, outside};
use crate::exchange::ingest::BASE;
use crate::package::{self, Beside, File, Language, Log, Options, Piece, Sheet};
use crate::policy::{
    AuditPermit, Basis, FhirUser, Obligations, Principal, Purpose as PurposeOfUse, Under, UserType,
};
use crate::store::Store;

/// Whose record, and for whom.
#[derive(Debug, Args)]
pub(in crate::cli) struct Copy {
    /// The patient
    #[arg(long, value_name = "ID", value_parser = crate::cli::audit::patient)]
    pub(in crate::cli) patient: FhirId,
    /// Tenant whose patient it is
    #[arg(long, default_value = DEMO_TENANT, value_parser = crate::cli::audit::tenant)]
    pub(in crate::cli) tenant: TenantId,
    /// What the copy is made for
    #[arg(long, default_value = "access", requires_if("transfer", "to"))]
    purpose: Purpose,
    /// The id of the client of whoever treats the person next; what consent gives them is what they get
    #[arg(long, value_name = "CLIENT")]
    to: Option<String>,
    /// Why care goes over to somebody else; stands at the beginning
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The language of the page and the PDF; the person's own, if there are texts in it
    #[arg(long)]
    language: Option<Tongue>,
    /// The size of the PDF's pages
    #[arg(long, default_value = "letter")]
    sheet: Paper,
}

/// What a copy is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Purpose {
    /// The person asks for their record
    Access,
    /// Somebody else goes on treating the person
    Transfer,
}

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tongue {
    /// English
    En,
    /// Spanish
    Es,
}

/// The size of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Paper {
    /// 8.5 by 11 inches
    Letter,
    /// 210 by 297 millimetres
    A4,
}

/// A copy that was made.
pub(in crate::cli) struct Made {
    /// For whose eyes.
    pub(in crate::cli) principal: Arc<Principal>,
    /// What it was made of.
    pub(in crate::cli) pieces: Vec<Piece>,
    /// The copy.
    pub(in crate::cli) package: package::Package,
}

impl Copy {
    /// Makes it.
    pub(in crate::cli) fn make(
        &self,
        context: &Context<'_>,
        store: &dyn Store,
        audit: &Audit,
    ) -> anyhow::Result<Made> {
        let at = context.clock.now().round(Unit::Second)?;
        let principal = self.principal().asking_at(at, Obligations::OF_FHIR);
        let pieces = gather(store, &principal, &self.patient, Part::Whole)
            .with_context(|| "there is no such patient for whoever this copy is for")?;
        let log = (self.purpose == Purpose::Access).then(|| self.log(audit)).transpose()?;
        let options = Options {
            purpose: match self.purpose {
                Purpose::Access => package::Purpose::Access,
                Purpose::Transfer => package::Purpose::Transfer,
            },
            language: self.language(store, &principal)?,
            sheet: match self.sheet {
                Paper::Letter => Sheet::Letter,
                Paper::A4 => Sheet::A4,
            },
            at,
            base: BASE.to_owned(),
            reason: self.reason.clone(),
        };
        let outside = self.outside(store)?;
        let beside = Beside { log: log.as_deref(), outside: &outside, ..Beside::default() };
        let package = package::build(&self.patient, pieces.clone(), &beside, &options)?;
        Ok(Made { principal, pieces, package })
    }

    /// For whose eyes it is: the person's own, or those of whom consent names.
    fn principal(&self) -> Arc<Principal> {
        let (tenant, patient) = (self.tenant.clone(), self.patient.clone());
        Arc::new(match (self.purpose, &self.to) {
            (Purpose::Transfer, to) => {
                let client = to.as_deref().unwrap_or_default();
                let under = Under::of_client(client, Some(PurposeOfUse::Treatment));
                Principal { under: Some(under), ..Principal::new(tenant, client, "system/*.rs") }
            }
            (Purpose::Access, _) => {
                let user = FhirUser { kind: UserType::Patient, id: patient.clone() };
                Principal {
                    under: Under::of_person(&user),
                    patient: Some(patient),
                    fhir_user: Some(user),
                    ..Principal::new(tenant, "operator", "patient/*.rs")
                }
            }
        })
    }

    /// What others sent about the person, in the person's own copy.
    fn outside(&self, store: &dyn Store) -> anyhow::Result<Vec<File>> {
        match self.purpose {
            Purpose::Access => Ok(outside(store, &self.tenant, &self.patient)?),
            Purpose::Transfer => Ok(Vec::new()),
        }
    }

    /// The language that was asked for, or that of the person.
    fn language(&self, store: &dyn Store, principal: &Arc<Principal>) -> anyhow::Result<Language> {
        if let Some(language) = self.language {
            return Ok(match language {
                Tongue::En => Language::English,
                Tongue::Es => Language::Spanish,
            });
        }
        if self.purpose == Purpose::Transfer {
            return Ok(Language::English);
        }
        let patient = gather(store, principal, &self.patient, Part::Types(&["Patient"]))?;
        Ok(patient.iter().find_map(Piece::language).unwrap_or_default())
    }

    /// What others have received of it.
    fn log(&self, audit: &Audit) -> anyhow::Result<Vec<Log>> {
        let permit = AuditPermit::operator(self.tenant.clone());
        let period = Period { patient: self.patient.clone(), since: None, until: None };
        let events = events(&**audit.ledger(), &permit, &period)?;
        let others = sum_up(&events, &self.patient).into_iter();
        let others = others.filter(|sum| sum.basis != Basis::PatientAccess);
        let entry = |sum: crate::audit::disclosures::Disclosure| Log {
            when: sum.last.strftime("%Y-%m-%d").to_string(),
            who: sum.recipient.clone(),
            what: sum.what(),
            why: sum.what_for().to_owned(),
        };
        Ok(others.map(entry).collect())
    }

    /// An event about it, by the operator.
    pub(in crate::cli) fn event(
        &self,
        action: Action,
        command: &str,
        context: &Context<'_>,
    ) -> Event {
        let now = context.clock.now();
        let purpose = match self.purpose {
            Purpose::Access => (PurposeOfUse::PatientRequest, Basis::PatientAccess),
            Purpose::Transfer => (PurposeOfUse::Treatment, Basis::Tpo),
        };
        let actor = Actor {
            client: self.to.clone().filter(|_| self.purpose == Purpose::Transfer),
            purpose: Some(purpose.0.as_str().to_owned()),
            ..Actor::operator()
        };
        let mut event = Event::new(action, now, Some(&self.tenant), actor);
        event.note("command", command);
        event.note("basis", purpose.1.as_str());
        event.about(&self.patient);
        event
    }
}
