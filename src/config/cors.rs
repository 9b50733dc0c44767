//! Which web pages may call the API from a browser (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Web pages of other origins.
///
/// Credentials of the browser are never allowed: a caller shows a bearer token, which a page of
/// another origin does not have unless its user gave it one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cors {
    /// The origins, such as `https://app.example`; `*` alone stands for all. Default: none.
    pub origins: Vec<String>,
}

impl Cors {
    /// Refuses what no browser sends as an origin.
    ///
    /// # Errors
    ///
    /// `Setup`, with what to write instead.
    pub fn check(&self) -> Result<()> {
        let is_origin = |origin: &String| {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            host.is_some_and(|host| {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
                !host.is_empty() && host.bytes().all(allowed) && *host == host.to_ascii_lowercase()
            })
        };
        if self.allows_all() || self.origins.iter().all(is_origin) {
            return Ok(());
        }
        let hint = "cors.origins: write an origin in lower case and without a path, such as \
                    https://app.example, or * alone";
        Err(Error::Setup(hint.to_owned()))
    }

    /// Whether every origin is allowed.
    pub fn allows_all(&self) -> bool {
        self.origins == ["*"]
    }

    /// Whether this origin is allowed.
    pub fn allows(&self, origin: &str) -> bool {
        self.allows_all() || self.origins.iter().any(|known| known == origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> Cors {
        Cors { origins: origins.iter().map(|&origin| origin.to_owned()).collect() }
    }

    #[test]
    fn origins_are_as_browsers_send_them() {
        for good in [
            &[][..],
            &["*"],
            &["https://app.example", "http://localhost:3000"],
            &["http://[::1]:8080"],
        ] {
            assert!(cors(good).check().is_ok(), "{good:?}");
        }
        for bad in [
            "*.example",
            "app.example",
            "https://app.example/",
            "https://App.example",
            "https://",
            "null",
        ] {
            assert!(cors(&[bad]).check().is_err(), "{bad}");
            assert!(cors(&["https://app.example", bad]).check().is_err(), "{bad}");
        }
        assert!(cors(&["*", "https://app.example"]).check().is_err());
    }

    #[test]
    fn an_origin_is_allowed_where_it_is_listed() {
        assert!(cors(&["*"]).allows("https://anything.example"));
        assert!(cors(&["https://a.example"]).allows("https://a.example"));
        assert!(!cors(&["https://a.example"]).allows("https://a.example.evil"));
        assert!(!Cors::default().allows("https://a.example"));
    }
}
