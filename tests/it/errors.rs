//! The table of refusals: status and issue code of each.

use actix_web::ResponseError;
use insta::assert_snapshot;
use throughline::Error;
use throughline::http::Refusal;

/// One of each; a variant that is added without a row here fails the build.
fn all() -> Vec<Refusal> {
    let known = [
        Error::Unauthenticated,
        Error::Denied,
        Error::NotFound,
        Error::invalid("date", "not a date"),
        Error::not_supported("colour", "there is no such parameter"),
        Error::Conflict { hint: "somebody was faster".into() },
        Error::TooLarge { limit: 1 },
        Error::unavailable("a secret of the operator"),
        Error::Setup("a secret of the operator".into()),
        Error::broken("a secret of the operator"),
    ];
    let mut all: Vec<Refusal> = known.into_iter().map(Refusal::Known).collect();
    all.extend([
        Refusal::Unfit(Error::not_supported("Task.owner", "leave it out")),
        Refusal::NoRoute,
        Refusal::UnknownType,
        Refusal::Method { allow: "GET, HEAD".into() },
        Refusal::NotAcceptable,
        Refusal::MediaType { expected: &["application/json", "text/plain"] },
        Refusal::TooMany { seconds: 3 },
        Refusal::Unsigned,
        Refusal::Bypassed,
        Refusal::ManyRecords { limit: 8 },
        Refusal::Slow,
        Refusal::Crowded { retry_after: 1 },
        Refusal::Later { retry_after: 30 },
        Refusal::ManyExports { limit: 2 },
        Refusal::ProveAgain,
        Refusal::Stale,
        Refusal::Several,
        Refusal::Gone,
        Refusal::Destroyed,
        Refusal::Failed,
        Refusal::LongUrl { limit: 8 },
        Refusal::LongHeaders { limit: 16 },
        Refusal::LongAnswer { limit: 32 },
    ]);
    all
}

/// The variant's name; the match has no catch-all on purpose.
fn name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Known(error) => match error {
            Error::Unauthenticated => "Unauthenticated",
            Error::Denied => "Denied",
            Error::NotFound => "NotFound",
            Error::Invalid { .. } => "Invalid",
            Error::NotSupported { .. } => "NotSupported",
            Error::Conflict { .. } => "Conflict",
            Error::TooLarge { .. } => "TooLarge",
            Error::Unavailable(_) => "Unavailable",
            Error::Setup(_) => "Setup",
            Error::Internal(_) => "Internal",
        },
        Refusal::Unfit(_) => "Unfit",
        Refusal::NoRoute => "NoRoute",
        Refusal::UnknownType => "UnknownType",
        Refusal::Method { .. } => "Method",
        Refusal::NotAcceptable => "NotAcceptable",
        Refusal::MediaType { .. } => "MediaType",
        Refusal::TooMany { .. } => "TooMany",
        Refusal::Unsigned => "Unsigned",
        Refusal::Bypassed => "Bypassed",
        Refusal::ManyRecords { .. } => "ManyRecords",
        Refusal::Slow => "Slow",
        Refusal::Crowded { .. } => "Crowded",
        Refusal::Later { .. } => "Later",
        Refusal::ManyExports { .. } => "ManyExports",
        Refusal::ProveAgain => "ProveAgain",
        Refusal::Stale => "Stale",
        Refusal::Several => "Several",
        Refusal::Gone => "Gone",
        Refusal::Destroyed => "Destroyed",
        Refusal::Failed => "Failed",
        Refusal::LongUrl { .. } => "LongUrl",
        Refusal::LongHeaders { .. } => "LongHeaders",
        Refusal::LongAnswer { .. } => "LongAnswer",
    }
}

#[test]
fn every_refusal_has_its_status_and_issue_code() {
    let rows: Vec<String> = all()
        .iter()
        .map(|refusal| {
            let (status, code) = refusal.classify();
            let code = code.to_string();
            format!("{:<16} {status} {code:<14} {refusal}", name(refusal))
        })
        .collect();
    assert_snapshot!(rows.join("\n"));
}

#[test]
fn what_the_operator_has_to_know_is_not_told_to_the_caller() {
    for refusal in all() {
        let response = refusal.error_response();
        assert_eq!(response.status().as_u16(), refusal.classify().0);
        assert!(!refusal.to_string().contains("secret"), "{}", name(&refusal));
    }
}
