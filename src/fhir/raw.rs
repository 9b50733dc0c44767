//! JSON as it stands: the members of an object and the items of an array as slices of its text.
//!
//! For resources that are stored as bytes: what is picked from them is copied, never parsed and
//! written again. The text is one that this product wrote; of any other the rest is left out.

/// The members of an object, in order.
#[derive(Debug, Clone)]
pub struct Members<'a>(&'a [u8]);

/// One member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name without its quotes; an escape in it stays one.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// Name and value together.
    pub text: &'a [u8],
}

/// The items of an array, in order.
#[derive(Debug, Clone)]
pub struct Items<'a>(&'a [u8]);

impl<'a> Members<'a> {
    /// The members of the object that `text` is; none where it is something else.
    pub fn of(text: &'a [u8]) -> Self {
        Self(text.trim_ascii_start().strip_prefix(b"{").unwrap_or_default())
    }

    /// The value of the member of that name.
    pub fn find(mut self, name: &[u8]) -> Option<&'a [u8]> {
        <Self as Iterator>::find(&mut self, |member| member.name == name).map(|member| member.value)
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let text = after_comma(self.0);
        let (quoted, rest) = text.split_at_checked(string(text)?)?;
        let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let (value, rest) = rest.split_at_checked(value(rest)?)?;
        let (text, _) = text.split_at_checked(text.len() - rest.len())?;
        self.0 = rest;
        let name = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Some(Member { name, value, text })
    }
}

impl<'a> Items<'a> {
    /// The items of the array that `text` is; none where it is something else.
    pub fn of(text: &'a [u8]) -> Self {
        Self(text.trim_ascii_start().strip_prefix(b"[").unwrap_or_default())
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = after_comma(self.0);
        let (item, rest) = text.split_at_checked(value(text)?)?;
        self.0 = rest;
        Some(item)
    }
}

fn after_comma(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_start();
    text.strip_prefix(b",").unwrap_or(text).trim_ascii_start()
}

/// The length of the string that `text` begins with, its quotes included.
pub(super) fn string(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    let inside = text.strip_prefix(b"\"")?;
    let end = inside.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    Some(end + 2)
}

/// The length of the value that `text` begins with.
fn value(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => at += string(text.get(at..)?)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
                continue;
            }
            b'}' | b']' if depth == 0 => return None,
            b'}' | b']' => {
                depth -= 1;
                at += 1;
            }
            byte if depth > 0 && !is_scalar(*byte) => {
                at += 1;
                continue;
            }
            byte if !is_scalar(*byte) => return None,
            _ => at += text.get(at..)?.iter().take_while(|byte| is_scalar(**byte)).count(),
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Whether a byte is part of a number or of `true`, `false`, `null`.
fn is_scalar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Vec<(&str, &str)> {
        let as_text = |bytes| std::str::from_utf8(bytes).unwrap();
        Members::of(text.as_bytes()).map(|m| (as_text(m.name), as_text(m.value))).collect()
    }

    #[test]
    fn members_and_items_are_slices_of_the_text() {
        let text = r#" {"a":1.10, "b" : {"x":[1,"}]"]},"c":"q\"\\","d":[ ],"e":null,"f":-1e+5} "#;
        let expected = [
            ("a", "1.10"),
            ("b", r#"{"x":[1,"}]"]}"#),
            ("c", r#""q\"\\""#),
            ("d", "[ ]"),
            ("e", "null"),
            ("f", "-1e+5"),
        ];
        assert_eq!(members(text), expected);
        let items: Vec<&[u8]> = Items::of(br#"[{"a":[1]}, "x,y",true]"#).collect();
        assert_eq!(items, [&br#"{"a":[1]}"#[..], br#""x,y""#, b"true"]);
        assert_eq!(Members::of(text.as_bytes()).find(b"a"), Some(&b"1.10"[..]));
        let second = Members::of(br#"{"a":1,"b" : 2}"#).nth(1).unwrap();
        assert_eq!(second.text, br#""b" : 2"#);
    }

    #[test]
    fn what_is_not_json_ends_early() {
        for text in ["", "{", "[]", "{}", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":}", "{\"a\":[", "1"]
        {
            assert_eq!(members(text), [], "{text}");
        }
        assert_eq!(Items::of(b"{}").count() + Items::of(b"[]").count(), 0);
        assert_eq!(Items::of(b"[1,[").collect::<Vec<_>>(), [b"1"]);
    }
}
