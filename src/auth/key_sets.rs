//! Key sets of others, fetched from where they said, and kept no longer than the answer says
//! (RFC 7517; RFC 9111, 5.2.2).

use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::JwkSet;
use moka::sync::Cache;
use reqwest::header::{CACHE_CONTROL, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};

use super::guard::Guard;
use crate::error::{Error, Result};

/// How long a whole answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest key set that is read, in bytes.
const LONGEST: usize = 64 * 1024;
/// The longest that a set is kept, whatever the answer says.
const KEPT: Duration = Duration::from_hours(1);
/// How long it is kept where the answer says nothing.
const UNSAID: Duration = Duration::from_mins(1);
/// How long nobody is asked again: not for a key that the set did not have, nor after a failure.
const PAUSE: Duration = Duration::from_secs(5);
/// How many sets are kept.
const MOST: u64 = 1_000;

/// What is known of a set.
#[derive(Clone)]
struct Entry {
    set: Option<Arc<JwkSet>>,
    asked: Instant,
    until: Instant,
}

/// Key sets by their URLs.
pub struct KeySets {
    guard: Guard,
    client: Client,
    kept: Cache<String, Entry>,
}

impl KeySets {
    /// Key sets from where the guard lets us ask.
    pub fn new(guard: Guard) -> Result<Self> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(guard.clone())
            .build()
            .map_err(Error::internal)?;
        Ok(Self { guard, client, kept: Cache::new(MOST) })
    }

    /// The set at a URL; `None` where there is none to be had. With `anew` one that is kept does not
    /// count, unless it was asked for a moment ago.
    pub async fn get(&self, url: &str, anew: bool) -> Option<Arc<JwkSet>> {
        let now = Instant::now();
        if let Some(entry) = self.kept.get(url) {
            let is_recent = now < entry.asked + PAUSE;
            if (now < entry.until && !anew) || (is_recent && (anew || entry.set.is_none())) {
                return entry.set;
            }
        }
        let fetched = self.fetch(url).await;
        let (set, keep) = match fetched {
            Some((set, keep)) => (Some(Arc::new(set)), keep),
            None => (None, Duration::ZERO),
        };
        let entry = Entry { set: set.clone(), asked: now, until: now + keep };
        self.kept.insert(url.to_owned(), entry);
        set
    }

    async fn fetch(&self, url: &str) -> Option<(JwkSet, Duration)> {
        let url = self.guard.check(url)?;
        let mut answer =
            self.client.get(url).header("Accept", "application/json").send().await.ok()?;
        if answer.status() != StatusCode::OK {
            return None;
        }
        let keep = kept(answer.headers());
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.ok()? {
            if body.len() + part.len() > LONGEST {
                return None;
            }
            body.extend_from_slice(&part);
        }
        serde_json::from_slice(&body).ok().map(|set| (set, keep))
    }
}

/// How long an answer may be kept.
fn kept(headers: &HeaderMap) -> Duration {
    let mut keep = None;
    for field in headers.get_all(CACHE_CONTROL) {
        let Ok(field) = field.to_str() else { return Duration::ZERO };
        for directive in field.split(',').map(|part| part.trim().to_ascii_lowercase()) {
            if matches!(directive.as_str(), "no-store" | "no-cache") {
                return Duration::ZERO;
            }
            if let Some(seconds) = directive.strip_prefix("max-age=") {
                let seconds = seconds.trim_matches('"').parse().unwrap_or(0);
                keep = Some(Duration::from_secs(seconds));
            }
        }
    }
    keep.unwrap_or(UNSAID).min(KEPT)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn a_set_is_kept_no_longer_than_the_answer_says() {
        for (field, seconds) in [
            ("max-age=30", 30),
            ("public, Max-Age=30", 30),
            ("max-age=\"30\"", 30),
            ("max-age=99999999", 3600),
            ("no-store", 0),
            ("max-age=30, no-cache", 0),
            ("max-age=x", 0),
            ("max-age=-1", 0),
            ("public", 60),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(field));
            assert_eq!(kept(&headers).as_secs(), seconds, "{field}");
        }
        assert_eq!(kept(&HeaderMap::new()), UNSAID);
    }
}
