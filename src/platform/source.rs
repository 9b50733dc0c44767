//! The port of a source that is asked for its records, page by page.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::{Body, Fault};

/// A boxed future, so that the port can be a trait object.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<Page, Trouble>> + Send + 'a>>;

/// A platform that answers with its records in an order of its own.
pub trait Source: Send + Sync {
    /// The records after `cursor`, or the first ones; about `limit` of them.
    fn page<'a>(&'a self, cursor: Option<&'a str>, limit: u32) -> Asked<'a>;
}

/// Records, all of them there, and where the next ones are.
#[derive(Debug)]
pub struct Page {
    /// The records; none if there is nothing new.
    pub body: Option<Body>,
    /// Whether they are a JSON array, and not one a line.
    pub is_array: bool,
    /// The cursor after them.
    pub next: Option<String>,
}

/// Why a source did not answer as it should. Holds nothing of what it answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// There is no connection.
    Unreachable,
    /// It does not answer in time.
    TimedOut,
    /// The answer ended in the middle.
    Cut,
    /// It does not let us in: 401 or 403.
    Denied,
    /// It asks for a pause.
    Busy(Option<Duration>),
    /// It does not know the cursor any more: 410.
    Forgotten,
    /// It answers with a redirection, which is not followed.
    Redirected,
    /// Another status.
    Status(u16),
    /// The answer is neither NDJSON nor a JSON array, or says no length.
    WrongForm,
    /// The answer names no next cursor, or one that cannot be used.
    NoCursor,
    /// The page is larger than the limit.
    TooLarge,
    /// The records came with the cursor that was asked for, or one that was left behind.
    SameCursor,
    /// The records cannot be kept here.
    NoRoom,
}

impl Trouble {
    /// A stable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Cut => "cut_off",
            Self::Denied => "denied",
            Self::Busy(_) => "busy",
            Self::Forgotten => "cursor_forgotten",
            Self::Redirected => "redirected",
            Self::Status(_) => "wrong_status",
            Self::WrongForm => "wrong_form",
            Self::NoCursor => "no_cursor",
            Self::TooLarge => "too_large",
            Self::SameCursor => "same_cursor",
            Self::NoRoom => "no_room",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLarge(_) | Fault::TooManyLines(_) => Self::TooLarge,
            Fault::NotGzip => Self::WrongForm,
            Fault::Cut => Self::Cut,
            Fault::Slow => Self::TimedOut,
            Fault::NoRoom(_) => Self::NoRoom,
        }
    }
}
