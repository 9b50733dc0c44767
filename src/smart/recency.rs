//! How recently somebody has to have signed in for an app: `prompt=login` and `max_age`
//! (OpenID Connect Core, 3.1.2.1).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::fault::{Code, Fault};

/// How far the provider's clock may be behind ours.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// What an app wants of the sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recency {
    /// When it asked.
    asked: Timestamp,
    /// How many seconds before that somebody may have signed in; nothing, if it does not matter.
    most_s: Option<u32>,
}

/// When somebody signed in, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// When they came in here.
    pub entered: Timestamp,
    /// When they proved who they are, if the provider said so.
    pub proven: Option<Timestamp>,
}

impl Recency {
    /// What the parameters of a request say.
    pub(super) fn of(
        prompt: Option<&str>,
        max_age: Option<&str>,
        asked: Timestamp,
    ) -> Result<Self, Fault> {
        let max_age = max_age.map(str::parse).transpose();
        let max_age = max_age.map_err(|_number| {
            Fault::new(Code::InvalidRequest, "max_age is a number of seconds: 0 or more")
        })?;
        let is_anew = prompt.is_some_and(|prompt| prompt.split(' ').any(|word| word == "login"));
        Ok(Self { asked, most_s: if is_anew { Some(0) } else { max_age } })
    }

    /// Whether nobody may go on without signing in after the app asked.
    pub fn is_anew(&self) -> bool {
        self.most_s == Some(0)
    }

    /// Whether somebody signed in recently enough: not longer before the app asked than it allows,
    /// or since.
    pub fn is_met(&self, by: SignedIn) -> bool {
        let Some(most_s) = self.most_s else { return true };
        let Some(proven) = by.proven else { return false };
        let before = |span| self.asked.checked_sub(span).unwrap_or(Timestamp::MIN);
        let is_since = by.entered >= self.asked && proven >= before(SKEW);
        is_since || (most_s > 0 && proven >= before(SignedDuration::from_secs(most_s.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_app_is_content_with_whoever_signed_in_recently_enough_for_it() {
        for (prompt, max_age, entered, proven, is_met) in [
            (None, None, 10, None, true),
            (Some("consent"), None, 10, Some(10), true),
            (Some("login"), None, 999, Some(999), false),
            (Some("login"), None, 1000, Some(1000), true),
            (Some("consent login"), Some("3600"), 999, Some(999), false),
            // The provider knew them, and did not ask.
            (Some("login"), None, 1001, Some(500), false),
            (Some("login"), None, 1001, None, false),
            // Its clock is a little behind.
            (Some("login"), None, 1001, Some(990), true),
            (None, Some("0"), 999, Some(999), false),
            (None, Some("0"), 1003, Some(1003), true),
            (None, Some("100"), 950, Some(900), true),
            (None, Some("100"), 950, Some(899), false),
            (None, Some("100"), 950, None, false),
            (None, Some("100"), 1001, Some(1001), true),
        ] {
            let recency = Recency::of(prompt, max_age, at(1000)).unwrap();
            let by = SignedIn { entered: at(entered), proven: proven.map(at) };
            assert_eq!(recency.is_met(by), is_met, "{prompt:?} {max_age:?} {by:?}");
        }
    }

    #[test]
    fn an_age_is_a_number() {
        for age in ["-1", "1.5", "soon", "99999999999"] {
            assert!(Recency::of(None, Some(age), at(0)).is_err(), "{age}");
        }
    }
}
