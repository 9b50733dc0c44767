//! What a failed statement or connection means, without a word of what was in it.
//!
//! The server's messages quote keys and values, so that only the SQLSTATE, the table and the
//! constraint are kept of them (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).

use std::error::Error as _;
use std::fmt;
use std::io;

use tokio_postgres::error::DbError;

use crate::error::Error;

/// What came of something that was tried.
pub(super) type Tried<T> = std::result::Result<T, Fault>;

/// What went wrong between us and the server.
#[derive(Debug)]
pub(super) struct Fault {
    kind: Kind,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The connection is gone, or cannot be made.
    Lost,
    /// The server is there and cannot do it now.
    Busy,
    /// The operator has to put something right.
    Setup,
    /// A fault of ours.
    Broken,
}

impl Fault {
    /// The connection did not answer in time, and is not to be used again.
    pub(super) fn silent() -> Self {
        Self { kind: Kind::Lost, text: "PostgreSQL did not answer in time".to_owned() }
    }

    /// All connections are in use.
    pub(super) fn crowded() -> Self {
        Self { kind: Kind::Busy, text: "every connection to PostgreSQL is in use".to_owned() }
    }

    /// The database has gone on to another version.
    pub(super) fn outdated() -> Self {
        let text = "another version of throughline has changed the database's search index; this \
                    one only reads";
        Self { kind: Kind::Busy, text: text.to_owned() }
    }

    /// A fault of ours.
    pub(super) fn broken(what: impl fmt::Display) -> Self {
        Self { kind: Kind::Broken, text: what.to_string() }
    }

    /// Something for the operator.
    pub(super) fn setup(advice: impl Into<String>) -> Self {
        Self { kind: Kind::Setup, text: advice.into() }
    }

    /// Whether a new connection may do better at once.
    pub(super) fn is_lost(&self) -> bool {
        self.kind == Kind::Lost
    }

    fn of_server(error: &DbError) -> Self {
        let code = error.code().code();
        let (kind, advice) = judge(code);
        let place = [error.table(), error.constraint()].into_iter().flatten();
        let place = place.map(|name| format!(", {name}")).collect::<Vec<_>>().concat();
        match advice {
            Some(advice) => Self { kind, text: format!("{advice} (PostgreSQL: {code})") },
            None => Self { kind, text: format!("PostgreSQL answered {code}{place}") },
        }
    }
}

/// What a SQLSTATE means, and what to do about it.
fn judge(code: &str) -> (Kind, Option<&'static str>) {
    match code {
        "53100" => (Kind::Setup, Some("the database server's disk is full; make room")),
        "28000" | "28P01" => (Kind::Setup, Some("the database refuses this user or password")),
        "3D000" => (Kind::Setup, Some("there is no such database; create it, or name another")),
        "42501" => (Kind::Setup, Some("the database user lacks a right on these tables")),
        // A standby that was a primary: another connection finds the one that is now.
        "25006" => (Kind::Lost, Some("the database cannot be written")),
        // Shutdowns, and the end of a connection by the operator or a time limit.
        "57P01" | "57P02" | "57P05" | "25P03" => (Kind::Lost, None),
        "57P03" | "57014" | "55P03" => (Kind::Busy, None),
        _ => match code.get(..2) {
            Some("08") => (Kind::Lost, None),
            // Conflicts with other transactions, and want of memory or connections.
            Some("40" | "53") => (Kind::Busy, None),
            _ => (Kind::Broken, None),
        },
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(refused) = error.as_db_error() {
            return Self::of_server(refused);
        }
        let cause = error.source();
        if let Some(io) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
            // The handshake of TLS reports as an I/O error what the operator has to put right.
            let tls = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            return match tls {
                Some(tls) => Self::setup(format!("no TLS with PostgreSQL: {tls}")),
                None => {
                    Self { kind: Kind::Lost, text: format!("PostgreSQL: {error}: {}", io.kind()) }
                }
            };
        }
        match error.to_string().as_str() {
            "connection closed" => Self { kind: Kind::Lost, text: format!("PostgreSQL: {error}") },
            text @ ("authentication error"
            | "error performing TLS handshake"
            | "invalid configuration") => {
                let why = cause.map(ToString::to_string).unwrap_or_default();
                Self::setup(format!("PostgreSQL cannot be used: {text}: {why}"))
            }
            // The text of any other cause could quote a value.
            text => Self::broken(format!("PostgreSQL: {text}")),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault.kind {
            Kind::Lost | Kind::Busy => Self::unavailable(fault),
            Kind::Setup => Self::Setup(fault.text),
            Kind::Broken => Self::internal(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_says_whether_to_try_again() {
        for (code, kind) in [
            ("57P01", Kind::Lost),
            ("08006", Kind::Lost),
            ("40P01", Kind::Busy),
            ("53300", Kind::Busy),
            ("55P03", Kind::Busy),
            ("53100", Kind::Setup),
            ("28P01", Kind::Setup),
            ("23505", Kind::Broken),
            ("", Kind::Broken),
        ] {
            assert_eq!(judge(code).0, kind, "{code}");
        }
    }
}
