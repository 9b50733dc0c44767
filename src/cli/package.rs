//! `throughline package`: a copy of a record as an archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::Unit;

use super::{Context, Outcome};
use crate::app::{open_ledger, open_store};
use crate::audit::disclosures::{Period, events, sum_up};
use crate::audit::{self, Actor, Audit, Event};
use crate::auth::{Keys, Notary};
use crate::cli::token::DEMO_TENANT;
use crate::config::AuditMode;
use crate::domain::{FhirId, TenantId};
use crate::exchange::gather::{Part, gather};
use crate::exchange::ingest::BASE;
use crate::package::{self, Language, Log, Options, Piece, Sheet};
use crate::policy::{
    AuditPermit, Basis, FhirUser, Obligations, Principal, Purpose as PurposeOfUse, Under, UserType,
};
use crate::store::Store;

/// What a signature over a list of files says that it is.
const SIGNATURE: &str = "throughline-package+jws";

/// Write a copy of a patient's record as an archive
///
/// The archive has a page and a PDF to read, a FHIR document, the resources, and a list of all files
/// with their hashes. A signature over that list goes beside it. What is in it is what the person may
/// have of their own record, or with --to what consent gives to whoever treats them next.
#[derive(Debug, Args)]
pub struct Package {
    /// The patient
    #[arg(long, value_name = "ID", value_parser = super::audit::patient)]
    patient: FhirId,
    /// Where the archive is written; its signature goes beside it, as FILE.jws
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Tenant whose patient it is
    #[arg(long, default_value = DEMO_TENANT, value_parser = super::audit::tenant)]
    tenant: TenantId,
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

impl Package {
    /// Runs the subcommand.
    pub fn run(self, context: &mut Context<'_>) -> anyhow::Result<Outcome> {
        let (data, settings) = (&context.folders.data, &context.store);
        let keys = Keys::open(data)?;
        let store = open_store(data, settings, &keys.id_key())?;
        let ledger = open_ledger(data, settings)?;
        let clock = Arc::clone(&context.clock);
        let audit = Audit::start(ledger, Notary::new(&keys)?, clock, AuditMode::Closed)?;
        let at = context.clock.now().round(Unit::Second)?;
        let principal = self.principal().asking_at(at, Obligations::OF_FHIR);
        let pieces = gather(&*store, &principal, &self.patient, Part::Whole)
            .with_context(|| "there is no such patient for whoever this copy is for")?;
        let log = (self.purpose == Purpose::Access).then(|| self.log(&audit)).transpose()?;
        let options = Options {
            purpose: match self.purpose {
                Purpose::Access => package::Purpose::Access,
                Purpose::Transfer => package::Purpose::Transfer,
            },
            language: self.language(&*store, &principal)?,
            sheet: match self.sheet {
                Paper::Letter => Sheet::Letter,
                Paper::A4 => Sheet::A4,
            },
            at,
            base: BASE.to_owned(),
            reason: self.reason.clone(),
        };
        let event = self.event(&pieces, context);
        let copy = package::build(&self.patient, pieces, log.as_deref(), &options)?;
        let zip = copy.zip()?;
        let signature = Notary::new(&keys)?.sign_detached(SIGNATURE, copy.manifest())?;
        // What is handed over is written down before it is.
        audit.record_blocking(&event)?;
        write(&self.out, &zip)?;
        let mut beside = self.out.clone().into_os_string();
        beside.push(".jws");
        write(Path::new(&beside), signature.as_bytes())?;
        let out = &mut context.out;
        for file in copy.files() {
            writeln!(out, "{:>9}  {}", file.bytes.len(), file.path)?;
        }
        writeln!(out, "{:>9}  {}", zip.len(), self.out.display())?;
        Ok(Outcome::Done)
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

    /// What is written down of it.
    fn event(&self, pieces: &[Piece], context: &Context<'_>) -> Event {
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
        let mut event = Event::new(audit::Action::Released, now, Some(&self.tenant), actor);
        event.note("command", "package");
        event.note("basis", purpose.1.as_str());
        for piece in pieces {
            let whose = Some(&self.patient);
            event.show(&piece.resource_type, &piece.id, &piece.version, whose);
        }
        event
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| {
        format!("{} cannot be written: give another file with --out", path.display())
    })
}
