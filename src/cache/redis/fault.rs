//! Why Redis gave no answer.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why Redis gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It was not asked, because it did not answer before.
    Skipped,
    /// It took too long.
    Timeout,
    /// There is no connection, or it broke.
    Unreachable,
    /// It does not accept the user, the password, or the command from this user.
    Refused,
    /// It answers, but not for this data now: it is loading, a replica, or its cluster is down.
    NotReady,
    /// It has no memory left for what is written.
    Full,
    /// What is there is of another type.
    WrongType,
    /// It does not know the script yet.
    NoScript,
    /// Anything else, such as an answer that cannot be understood.
    Other,
}

impl Fault {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::NotReady => "not_ready",
            Self::Full => "full",
            Self::WrongType => "wrong_type",
            Self::NoScript => "no_script",
            Self::Other => "other",
        }
    }

    /// What an error means. Its text is left behind: it may repeat keys or addresses.
    pub(super) fn of(error: &RedisError) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        match (error.kind(), error.code()) {
            (_, Some("OOM")) => Self::Full,
            (_, Some("WRONGTYPE")) => Self::WrongType,
            (_, Some("NOSCRIPT")) => Self::NoScript,
            (ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm), _)
            | (_, Some("NOAUTH" | "WRONGPASS")) => Self::Refused,
            (
                ErrorKind::Server(
                    ServerErrorKind::BusyLoading
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::Moved
                    | ServerErrorKind::ReadOnly
                    | ServerErrorKind::TryAgain,
                ),
                _,
            )
            | (_, Some("NOREPLICAS" | "MISCONF" | "BUSY")) => Self::NotReady,
            (
                ErrorKind::Io
                | ErrorKind::ClusterConnectionNotFound
                | ErrorKind::MasterNameNotFoundBySentinel,
                _,
            ) => Self::Unreachable,
            _ => Self::Other,
        }
    }

    /// Whether it is about one command only, so that the next one may well be answered.
    pub(super) fn is_of_the_command(self) -> bool {
        matches!(self, Self::Full | Self::WrongType | Self::NoScript)
    }
}
