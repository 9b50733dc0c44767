//! Why a record is not taken in: a stable reason, a place in the record, and what to do about it.

use std::fmt::Write as _;

/// A record that has to wait in quarantine. Holds no content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reject {
    /// A stable name, such as `schema_violation`.
    pub reason: &'static str,
    /// A JSON pointer (RFC 6901) into the record; empty for the record as a whole.
    pub pointer: String,
    /// One sentence: what is wrong and what to do.
    pub detail: String,
}

impl Reject {
    /// A rejection of the value at `pointer`.
    pub(crate) fn new(
        reason: &'static str,
        pointer: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self { reason, pointer: pointer.into(), detail: detail.into() }
    }

    /// A value that does not have the form that its kind asks for.
    pub(crate) fn schema(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new("schema_violation", pointer, detail)
    }

    /// The same, seen from one level further out.
    #[must_use]
    pub(crate) fn under(mut self, step: &str) -> Self {
        self.pointer.insert_str(0, &token(step));
        self
    }

    /// The same, seen from the record, where its place is `pointer`.
    #[must_use]
    pub(crate) fn at(mut self, pointer: &str) -> Self {
        self.pointer.insert_str(0, pointer);
        self
    }
}

/// The longest key that a pointer shows; a longer one is a mistake, and may be content.
const KEY_SHOWN: usize = 64;

/// One step of a JSON pointer, with its slash.
pub(crate) fn token(step: &str) -> String {
    let mut token = String::with_capacity(step.len() + 1);
    token.push('/');
    for c in step.chars().take(KEY_SHOWN) {
        match c {
            '~' => token.push_str("~0"),
            '/' => token.push_str("~1"),
            c if c.is_control() => {
                let written = write!(token, "\\u{:04x}", u32::from(c));
                debug_assert!(written.is_ok(), "a String takes everything");
            }
            c => token.push(c),
        }
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_grows_outwards_and_is_escaped() {
        let reject = Reject::schema("/text", "…").under("0").under("a/b~c");
        assert_eq!(reject.pointer, "/a~1b~0c/0/text");
    }
}
