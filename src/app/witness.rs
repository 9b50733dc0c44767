//! The authorization server's decisions, written down in the audit.

use std::sync::Arc;

use crate::audit::{Action, Actor, Audit, Event};
use crate::clock::Clock;
use crate::domain::TenantId;
use crate::error::Result;
use crate::smart::{Code, Decision, Event as Decided, Witness};

/// The status of a refusal, and of one for its rate, as in HTTP.
const REFUSED: (u16, u16) = (400, 429);

/// Writes decisions down before anybody is told of them.
pub(super) struct AuditWitness {
    audit: Arc<Audit>,
    clock: Arc<dyn Clock>,
}

impl AuditWitness {
    /// Writes into this audit.
    pub(super) fn over(audit: &Arc<Audit>, clock: &Arc<dyn Clock>) -> Arc<dyn Witness> {
        Arc::new(Self { audit: Arc::clone(audit), clock: Arc::clone(clock) })
    }
}

impl Witness for AuditWitness {
    fn saw(&self, decision: &Decision<'_>) -> Result<()> {
        let tenant: Option<TenantId> = decision.tenant.and_then(|tenant| tenant.parse().ok());
        let who = Actor {
            subject: decision.subject.unwrap_or_default().to_owned(),
            client: decision.client.map(str::to_owned),
            address: decision.address.map(|address| address.to_string()),
            ..Actor::default()
        };
        let mut event = Event::new(action(decision.event), self.clock.now(), tenant.as_ref(), who);
        if let Some(error) = decision.error {
            event.status = if error == Code::SlowDown { REFUSED.1 } else { REFUSED.0 };
            event.issue = Some(error.as_str().to_owned());
        }
        let patient = decision.patient.filter(|patient| !patient.is_empty());
        event.patients.extend(patient.map(str::to_owned));
        for (name, value) in [("grant", decision.grant), ("scope", decision.scopes)] {
            if let Some(value) = value {
                event.note(name, value);
            }
        }
        if matches!(decision.event, Decided::Turned | Decided::Refused) {
            // Anybody can ask for nonsense, and in the name of a client that they know.
            self.audit.note_stranger(event);
            return Ok(());
        }
        self.audit.record_blocking(&event)
    }
}

fn action(decided: Decided) -> Action {
    match decided {
        Decided::Approved => Action::GrantApproved,
        Decided::Denied => Action::GrantDenied,
        Decided::Unasked | Decided::Turned => Action::GrantRefused,
        Decided::Issued | Decided::Credited => Action::TokenIssued,
        Decided::Refreshed => Action::TokenRefreshed,
        Decided::Refused => Action::TokenRefused,
        Decided::Reused => Action::GrantRevoked,
        Decided::Revoked => Action::TokenRevoked,
        Decided::Introspected => Action::TokenIntrospected,
    }
}
