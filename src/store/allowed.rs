//! What consents allow, as rows that a query looks up.

use crate::policy::Grantee;

/// By what a resource is allowed or not, beside whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Its class ([`crate::policy::Item::class`]); the empty one is never allowed.
    pub class: String,
    /// The session, plan or record that it belongs to, as `kind/id` of the platform.
    pub related: String,
    /// When what it says was done or observed, in microseconds since 1970.
    pub dated: i64,
}

impl Guard {
    /// The date of what has none.
    pub const UNDATED: i64 = i64::MIN;
}

impl Default for Guard {
    fn default() -> Self {
        Self { class: String::new(), related: String::new(), dated: Self::UNDATED }
    }
}

/// One row: a grantee may see what of a patient is of a class, for a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allowed {
    /// Who, and what for ([`crate::policy::Grantee`]).
    pub grantee: String,
    /// The class.
    pub class: String,
    /// What it has to belong to; `*` is anything.
    pub related: String,
    /// What it must not belong to, each between bars; where `related` is `*`.
    pub except: String,
    /// The first instant, in microseconds since 1970.
    pub since: i64,
    /// The first instant after it.
    pub until: i64,
    /// The first date of what may be seen.
    pub dated_since: i64,
    /// The first date after it.
    pub dated_until: i64,
    /// Under which conditions ([`crate::policy::Obligations`]).
    pub duties: u16,
    /// The consents that it rests on, as `Consent/id` with blanks between, where they go along.
    pub basis: String,
}

impl Allowed {
    /// All of a class, always and under no condition.
    pub fn always(grantee: &Grantee, class: &str) -> Self {
        Self {
            grantee: grantee.as_str().to_owned(),
            class: class.to_owned(),
            related: "*".to_owned(),
            except: String::new(),
            since: i64::MIN,
            until: i64::MAX,
            dated_since: i64::MIN,
            dated_until: i64::MAX,
            duties: 0,
            basis: String::new(),
        }
    }
}
