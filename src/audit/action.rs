//! What can be done, as a table: its name in the ledger, and how FHIR codes it.

use serde::{Deserialize, Serialize};

/// A code with its system and display.
pub(super) type Code = (&'static str, &'static str, &'static str);

/// Kinds of events (<https://hl7.org/fhir/R4/valueset-audit-event-type.html>).
const TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
/// DICOM's terms.
const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
/// FHIR's interactions (<https://hl7.org/fhir/R4/valueset-type-restful-interaction.html>).
const REST: &str = "http://hl7.org/fhir/restful-interaction";
/// The life of a record (ISO 21089).
const LIFE: &str = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";
/// IHE's transactions.
const IHE: &str = "urn:ihe:event-type-code";
/// What nobody else has a code for.
const OWN: &str = "urn:throughline:audit-action";

const RESTFUL: Code = (TYPE, "rest", "RESTful Operation");
const ALERT: Code = (DCM, "110113", "Security Alert");
const AUTHENTICATION: Code = (DCM, "110114", "User Authentication");
const EXPORT: Code = (DCM, "110106", "Export");

/// How an action is coded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// The action.
    action: Action,
    /// Its name in the ledger.
    pub(super) name: &'static str,
    /// FHIR's `type`.
    pub(super) kind: Code,
    /// FHIR's `subtype`.
    pub(super) subtype: Code,
    /// FHIR's `action`: create, read, update, delete, execute.
    pub(super) letter: &'static str,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal, $kind:expr, $subtype:expr, $letter:literal;)*) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $name)] $action,)*
        }

        const ROWS: &[Row] = &[$(Row {
            action: Action::$action,
            name: $name,
            kind: $kind,
            subtype: $subtype,
            letter: $letter,
        },)*];

        impl Action {
            /// Its row.
            pub(super) const fn row(self) -> Row {
                match self {
                    $(Self::$action => Row {
                        action: Action::$action,
                        name: $name,
                        kind: $kind,
                        subtype: $subtype,
                        letter: $letter,
                                },)*
                }
            }
        }
    };
}

actions! {
    /// One resource was read.
    Read = "read", RESTFUL, (REST, "read", "read"), "R";
    /// One version of a resource was read.
    Vread = "vread", RESTFUL, (REST, "vread", "vread"), "R";
    /// The versions of a resource were read.
    History = "history-instance", RESTFUL, (REST, "history-instance", "history-instance"), "R";
    /// A type was searched.
    Search = "search-type", RESTFUL, (REST, "search-type", "search-type"), "E";
    /// Everything of a patient was read.
    Everything = "everything", RESTFUL, (REST, "operation", "operation"), "E";
    /// It was asked who would see what of a record.
    Explain = "explain", RESTFUL, (REST, "operation", "operation"), "E";
    /// A summary of a patient was read.
    Summary = "summary", RESTFUL, (REST, "operation", "operation"), "E";
    /// References to a patient's documents were read.
    Docref = "docref", RESTFUL, (REST, "operation", "operation"), "E";
    /// Somebody gave a consent, or asked for something about a record.
    Create = "create", RESTFUL, (REST, "create", "create"), "C";
    /// Somebody changed a consent, or took it back.
    Update = "update", RESTFUL, (REST, "update", "update"), "U";
    /// Several questions were asked at once.
    Batch = "batch", RESTFUL, (REST, "batch", "batch"), "E";
    /// An operation was called that has no row of its own, or a route that is not there.
    Other = "other", RESTFUL, (REST, "operation", "operation"), "E";
    /// A platform pushed records.
    Push = "push", (DCM, "110107", "Import"), (REST, "create", "create"), "C";
    /// Another provider sent a Bundle.
    Receive = "receive", (DCM, "110107", "Import"), (REST, "create", "create"), "C";
    /// What another provider sent was looked at, or handed to the platform.
    ReceivedRead = "received-read", (DCM, "110106", "Export"), (REST, "read", "read"), "R";
    /// It was said whose it is what another provider sent.
    ReceivedDecided = "received-decided", (DCM, "110100", "Application Activity"),
        (OWN, "received-decided", "Outside record matched or refused"), "U";
    /// Somebody without a good token or signature was refused.
    Stranger = "stranger", AUTHENTICATION, (DCM, "110122", "Login"), "E";
    /// A token was issued.
    TokenIssued = "token-issued", AUTHENTICATION, (IHE, "ITI-71", "Get Access Token"), "E";
    /// A token was renewed.
    TokenRefreshed = "token-refreshed", AUTHENTICATION, (IHE, "ITI-71", "Get Access Token"), "E";
    /// A token was refused.
    TokenRefused = "token-refused", AUTHENTICATION, (IHE, "ITI-71", "Get Access Token"), "E";
    /// A token was revoked.
    TokenRevoked = "token-revoked", AUTHENTICATION, (OWN, "token-revoked", "Token revoked"), "E";
    /// A client was told what a token is good for.
    TokenIntrospected = "token-introspected", AUTHENTICATION,
        (OWN, "token-introspected", "Token looked at"), "R";
    /// Somebody allowed a client to act.
    GrantApproved = "grant-approved", ALERT, (OWN, "grant-approved", "Access allowed"), "E";
    /// Somebody did not allow it.
    GrantDenied = "grant-denied", ALERT, (OWN, "grant-denied", "Access not allowed"), "E";
    /// A client asked for what it cannot be allowed, or cannot without asking anybody.
    GrantRefused = "grant-refused", ALERT, (OWN, "grant-refused", "Access refused"), "E";
    /// Somebody took back what a client was allowed.
    GrantRevoked = "grant-revoked", ALERT, (OWN, "grant-revoked", "Access taken back"), "E";
    /// Somebody signed in.
    SignedIn = "signed-in", AUTHENTICATION, (DCM, "110122", "Login"), "E";
    /// Somebody could not sign in.
    SignInRefused = "sign-in-refused", AUTHENTICATION, (DCM, "110122", "Login"), "E";
    /// A part of a record was handed over, by a transfer or a release.
    Released = "released", EXPORT, (LIFE, "disclose", "Disclose Record Lifecycle Event"), "R";
    /// A file of an export was handed over.
    Exported = "exported", EXPORT, (LIFE, "disclose", "Disclose Record Lifecycle Event"), "R";
    /// A link to an encrypted copy was made.
    LinkMade = "link-made", (DCM, "110100", "Application Activity"),
        (OWN, "link-made", "Link to a copy made"), "C";
    /// A link was opened: what it holds was handed over, or was not.
    LinkOpened = "link-opened", EXPORT, (LIFE, "disclose", "Disclose Record Lifecycle Event"), "R";
    /// A file of a link that was opened was fetched.
    LinkFile = "link-file", EXPORT, (REST, "read", "read"), "R";
    /// A link was taken back.
    LinkRevoked = "link-revoked", ALERT, (OWN, "link-revoked", "Link taken back"), "D";
    /// An export was asked for.
    ExportBegun = "export", EXPORT, (REST, "operation", "operation"), "E";
    /// It was asked how an export stands.
    ExportStatus = "export-status", EXPORT, (REST, "read", "read"), "R";
    /// An export was stopped, or its files were taken away.
    ExportCancelled = "export-cancelled", EXPORT, (REST, "delete", "delete"), "D";
    /// Somebody looked into a record in an emergency.
    BreakGlass = "break-glass", ALERT, (DCM, "110127", "Emergency Override Started"), "E";
    /// Somebody reviewed such a look.
    BreakGlassReviewed = "break-glass-reviewed", ALERT,
        (OWN, "break-glass-reviewed", "Emergency access reviewed"), "U";
    /// A page of the portal showed something of a record.
    Portal = "portal", (DCM, "110110", "Patient Record"),
        (OWN, "portal", "Record shown in the portal"), "R";
    /// Somebody took the copy that they had asked for.
    CopyTaken = "copy-taken", EXPORT, (OWN, "copy-taken", "Copy of a record taken"), "R";
    /// The practice's own people looked at such requests.
    Desk = "desk", (DCM, "110100", "Application Activity"),
        (OWN, "desk", "Requests looked at"), "R";
    /// Somebody asked something about a record: a copy, a change, an accounting.
    RequestMade = "request-made", (DCM, "110100", "Application Activity"),
        (OWN, "request-made", "Request about a record made"), "C";
    /// A step was taken with such a request.
    RequestChanged = "request-changed", (DCM, "110100", "Application Activity"),
        (OWN, "request-changed", "Request about a record moved on"), "U";
    /// Somebody gave a consent at the portal, changed one, or took one back.
    ConsentSigned = "consent-signed", (DCM, "110100", "Application Activity"),
        (OWN, "consent-signed", "Consent given, changed or taken back"), "U";
    /// A transfer of care was prepared.
    TransferMade = "transfer-made", (DCM, "110100", "Application Activity"),
        (OWN, "transfer-made", "Transfer of care prepared"), "C";
    /// Transfers of care were looked at.
    TransferRead = "transfer-read", (DCM, "110100", "Application Activity"),
        (OWN, "transfer-read", "Transfers of care looked at"), "R";
    /// A transfer of care moved on.
    TransferChanged = "transfer-changed", (DCM, "110100", "Application Activity"),
        (OWN, "transfer-changed", "Transfer of care moved on"), "U";
    /// What was kept long enough, or had to be erased, was taken away.
    Purged = "purged", (LIFE, "destroy", "Destroy/Delete Record Lifecycle Event"),
        (OWN, "purged", "Purged"), "D";
    /// Somebody keeps a record from being taken away.
    HoldSet = "hold-set", (DCM, "110100", "Application Activity"),
        (OWN, "hold-set", "Legal hold set"), "C";
    /// Nobody does any more.
    HoldLifted = "hold-lifted", (DCM, "110100", "Application Activity"),
        (OWN, "hold-lifted", "Legal hold lifted"), "U";
    /// The audit was read.
    AuditRead = "audit-read", (DCM, "110101", "Audit Log Used"),
        (OWN, "audit-read", "Audit read"), "R";
    /// Events could not be written: how many is in the notes.
    Gap = "gap", ALERT, (OWN, "gap", "Events lost"), "E";
}

impl Action {
    /// Its name in the ledger.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The action of that name.
    pub fn named(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.name == name).map(|row| row.action)
    }

    /// The names of all.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ROWS.iter().map(|row| row.name)
    }

    /// The action that FHIR's subtype, or our name, stands for; the first where it stands for many.
    pub fn coded(code: &str) -> Option<Self> {
        let coded = || ROWS.iter().find(|row| row.subtype.1 == code).map(|row| row.action);
        Self::named(code).or_else(coded)
    }

    /// The action of a route, by the name of its interaction.
    pub fn of_interaction(interaction: Option<&str>) -> Self {
        interaction.and_then(Self::named).unwrap_or(Self::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_found_by_its_name() {
        for row in ROWS {
            assert_eq!(Action::named(row.name), Some(row.action));
            assert_eq!(row.action.name(), row.name);
            assert_eq!(serde_json::to_value(row.action).unwrap(), row.name);
        }
    }
}
