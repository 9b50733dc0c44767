//! Where somebody goes once they are signed in: a page of ours, and nowhere else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The first segments of the paths that are pages.
const PAGES: [&str; 3] = ["/auth/", "/portal", "/staff"];
/// The longest that is taken, in bytes.
const LONGEST: usize = 512;

/// A path of ours with its query. Whatever a browser could read as another host is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place(String);

impl Place {
    /// The page about the apps that read one's record.
    pub fn home() -> Self {
        Self("/auth/apps".to_owned())
    }

    /// The path with its query.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/?=&-_.~%".contains(&b);
        let is_page = PAGES.iter().any(|page| text.starts_with(page));
        let path = text.split('?').next().unwrap_or_default();
        let is_straight = !path.contains("//") && !path.contains("..") && !path.contains('%');
        (is_page && is_straight && text.len() <= LONGEST && text.bytes().all(is_plain))
            .then(|| Self(text.to_owned()))
            .ok_or(())
    }
}

impl TryFrom<String> for Place {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse().map_err(|()| "not a page of ours")
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_page_of_ours() {
        for good in ["/auth/apps", "/auth/consent?request=a-b_c", "/portal", "/staff?x=1"] {
            assert!(good.parse::<Place>().is_ok(), "{good}");
        }
        for bad in [
            "https://evil.example/auth/",
            "//evil.example/auth/",
            "/\\evil.example",
            "/auth/\\evil",
            "/auth//evil.example",
            "/auth/../fhir/Patient",
            "/auth/%2e%2e/fhir",
            "/fhir/Patient",
            "/auth/a\r\nSet-Cookie: x=1",
            "/auth/apps#x",
            "javascript:alert(1)",
            "",
        ] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
