//! `OperationOutcome`: what a refusal says (<https://hl7.org/fhir/R4/operationoutcome.html>).

use fhir_codec::fhir_sdk::r4b::codes::IssueSeverity;
use fhir_codec::fhir_sdk::r4b::resources::{OperationOutcome, OperationOutcomeIssue, Resource};
use fhir_codec::fhir_sdk::r4b::types::CodeableConcept;

pub use fhir_codec::fhir_sdk::r4b::codes::IssueType;

use crate::error::{Error, Result};

/// The HTTP status and the issue type of an error: the whole table.
pub fn classify(error: &Error) -> (u16, IssueType) {
    match error {
        Error::Unauthenticated => (401, IssueType::Login),
        Error::Denied => (403, IssueType::Forbidden),
        Error::NotFound => (404, IssueType::NotFound),
        Error::Invalid { .. } => (400, IssueType::Invalid),
        Error::NotSupported { .. } => (400, IssueType::NotSupported),
        Error::Conflict { .. } => (409, IssueType::Conflict),
        Error::TooLarge { .. } => (413, IssueType::TooLong),
        Error::Unavailable(_) => (503, IssueType::Transient),
        Error::Setup(_) | Error::Internal(_) => (500, IssueType::Exception),
    }
}

/// What is said about one problem. It may reach the caller, so it holds no content of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The kind of problem.
    pub code: IssueType,
    /// One sentence for a person.
    pub text: String,
    /// The parameter, header, path segment or element at fault.
    pub expression: Option<String>,
    /// Whether the request was refused over it, or answered in spite of it.
    pub refused: bool,
}

/// An `OperationOutcome` with these issues, as JSON.
pub fn encode(issues: Vec<Issue>) -> Result<Vec<u8>> {
    let issues = issues.into_iter().map(typed).collect::<Result<Vec<_>>>()?;
    let outcome = OperationOutcome::builder().issue(issues).build().map_err(Error::internal)?;
    fhir_codec::encode(&Resource::from(outcome)).map_err(Error::internal)
}

fn typed(issue: Issue) -> Result<Option<OperationOutcomeIssue>> {
    let severity = match issue.code {
        _ if issue.refused => IssueSeverity::Error,
        IssueType::Informational => IssueSeverity::Information,
        _ => IssueSeverity::Warning,
    };
    let details = CodeableConcept::builder().text(issue.text).build().map_err(Error::internal)?;
    OperationOutcomeIssue::builder()
        .severity(severity)
        .code(issue.code)
        .details(details)
        .expression(issue.expression.into_iter().map(Some).collect::<Vec<_>>())
        .build()
        .map(Some)
        .map_err(Error::internal)
}
