//! A strict JSON reader (RFC 8259): what a lenient one would let pass silently is refused by name.
//!
//! ## Why
//! `serde_json` keeps the last of two equal keys, and answers a lone surrogate or too deep nesting
//! with a message instead of a place. A gateway that guesses which of two values was meant is
//! wrong half of the time, and the platform never learns of it.

use serde_json::{Map, Number, Value};

use super::reject::Reject;

/// How deep arrays and objects may nest.
pub(crate) const DEPTH: usize = 64;

/// A record as JSON, and where its text may need cleaning.
#[derive(Debug, PartialEq)]
pub(crate) struct Document {
    /// The value.
    pub value: Value,
    /// Whether some text is not plain printable ASCII.
    pub has_special_text: bool,
}

/// Reads one JSON value from all of `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Result<Document, Reject> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let detail = format!(
            "byte {} of the record is not UTF-8; send the record in UTF-8",
            at.saturating_add(1)
        );
        Reject::new("invalid_utf8", "", detail)
    })?;
    let mut reader = Reader { text, bytes, at: 0, depth: 0, has_special_text: false };
    reader.space();
    let value = reader.value()?;
    reader.space();
    if reader.at < bytes.len() {
        return Err(reader.malformed("expected nothing after the value"));
    }
    Ok(Document { value, has_special_text: reader.has_special_text })
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    has_special_text: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The position as line and column, counted from 1, columns in characters.
    fn place(&self) -> (usize, usize) {
        let before = self.bytes.get(..self.at).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = self.text.get(start..self.at).map_or(0, |text| text.chars().count()) + 1;
        (line, column)
    }

    fn malformed(&self, expected: &str) -> Reject {
        if self.at >= self.bytes.len() {
            let detail = "the record ends in the middle of a value; send the whole record";
            return Reject::new("truncated", "", detail);
        }
        let (line, column) = self.place();
        let place = if line == 1 {
            format!("column {column}")
        } else {
            format!("line {line} of the record, column {column}")
        };
        Reject::new(
            "malformed_json",
            "",
            format!("{place}: {expected}; send valid JSON (RFC 8259)"),
        )
    }

    fn value(&mut self) -> Result<Value, Reject> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Value::String),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.malformed("expected a value")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Reject> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(value);
        }
        if word.as_bytes().starts_with(rest) {
            self.at = self.bytes.len();
        }
        Err(self.malformed("expected a value"))
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Reject>) -> Result<Value, Reject> {
        if self.depth == DEPTH {
            let detail =
                format!("arrays and objects nest deeper than {DEPTH} levels; flatten the record");
            return Err(Reject::new("too_deep", "", detail));
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Result<Value, Reject> {
        let mut map = Map::new();
        self.space();
        if self.eat(b'}') {
            return Ok(Value::Object(map));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.malformed("expected a key in double quotes"));
            }
            let key = self.string()?;
            self.space();
            if !self.eat(b':') {
                return Err(self.malformed("expected a colon"));
            }
            self.space();
            let value = self.value().map_err(|reject| reject.under(&key))?;
            if map.contains_key(&key) {
                let detail = "the key occurs twice in one object; send it once";
                return Err(Reject::new("duplicate_key", "", detail).under(&key));
            }
            map.insert(key, value);
            self.space();
            if self.eat(b'}') {
                return Ok(Value::Object(map));
            }
            if !self.eat(b',') {
                return Err(self.malformed("expected a comma or a closing brace"));
            }
        }
    }

    fn array(&mut self) -> Result<Value, Reject> {
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.space();
            let item = self.value().map_err(|reject| reject.under(&items.len().to_string()))?;
            items.push(item);
            self.space();
            if self.eat(b']') {
                return Ok(Value::Array(items));
            }
            if !self.eat(b',') {
                return Err(self.malformed("expected a comma or a closing bracket"));
            }
        }
    }

    fn digits(&mut self) -> bool {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at > from
    }

    fn number(&mut self) -> Result<Value, Reject> {
        let from = self.at;
        self.eat(b'-');
        let mut well_formed = self.eat(b'0') || self.digits();
        let mut integer = true;
        if self.eat(b'.') {
            integer = false;
            well_formed &= self.digits();
        }
        if self.eat(b'e') || self.eat(b'E') {
            integer = false;
            let _signed = self.eat(b'+') || self.eat(b'-');
            well_formed &= self.digits();
        }
        if !well_formed || matches!(self.peek(), Some(b'0'..=b'9' | b'.')) {
            return Err(self.malformed("expected a number"));
        }
        let text = self.text.get(from..self.at).unwrap_or_default();
        let whole = || {
            let positive = text.parse::<u64>().map(Number::from);
            positive.or_else(|_| text.parse::<i64>().map(Number::from)).ok()
        };
        let number = if integer { whole() } else { None };
        number
            .or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
            .map(Value::Number)
            .ok_or_else(|| {
                let detail = "the number is too large; send one within the range of a double";
                Reject::new("number_out_of_range", "", detail)
            })
    }

    /// Reads a string whose opening quote is next.
    fn string(&mut self) -> Result<String, Reject> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let from = self.at;
            let stop = loop {
                match self.peek() {
                    Some(byte @ (b'"' | b'\\' | 0..=0x1f)) => break Some(byte),
                    None => break None,
                    Some(byte) => {
                        self.has_special_text |= byte >= 0x7f;
                        self.at += 1;
                    }
                }
            };
            text.push_str(self.text.get(from..self.at).unwrap_or_default());
            match stop {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(0) => return Err(null_character()),
                Some(_) => return Err(self.malformed("a control character has to be escaped")),
                None => return Err(self.malformed("expected a closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Reject> {
        self.at += 1;
        let Some(byte) = self.peek() else { return Err(self.malformed("expected an escape")) };
        self.at += 1;
        let c = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => {
                self.at -= 1;
                return Err(self.malformed("this is not an escape"));
            }
        };
        self.has_special_text |= !(' '..='~').contains(&c);
        Ok(c)
    }

    fn unicode(&mut self) -> Result<char, Reject> {
        let first = self.hex()?;
        let scalar = match first {
            0 => return Err(null_character()),
            0xd800..=0xdbff => {
                if !(self.eat(b'\\') && self.eat(b'u')) {
                    return Err(lone_surrogate());
                }
                match self.hex()? {
                    second @ 0xdc00..=0xdfff => {
                        0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                    }
                    _ => return Err(lone_surrogate()),
                }
            }
            other => other,
        };
        char::from_u32(scalar).ok_or_else(lone_surrogate)
    }

    fn hex(&mut self) -> Result<u32, Reject> {
        let digits = self.text.get(self.at..self.at + 4);
        let valid = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(value) = valid.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            self.at = if self.at + 4 > self.bytes.len() { self.bytes.len() } else { self.at };
            return Err(self.malformed("expected four hexadecimal digits"));
        };
        self.at += 4;
        Ok(value)
    }
}

fn lone_surrogate() -> Reject {
    let detail = "half of a surrogate pair stands alone in a \\u escape; send the whole character";
    Reject::new("lone_surrogate", "", detail)
}

fn null_character() -> Reject {
    let detail = "the text holds U+0000, which neither FHIR nor XML can carry; remove it";
    Reject::new("null_character", "", detail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn refused(text: &str) -> (&'static str, String) {
        let reject = read(text.as_bytes()).unwrap_err();
        (reject.reason, reject.pointer)
    }

    #[test]
    fn values_come_out_as_they_are_written() {
        let text = r#" {"a":[1,-2,3.5,1e3,true,null,"x\n\u00e9\ud83d\ude00"],"b":{}} "#;
        let expected = json!({"a": [1, -2, 3.5, 1000.0, true, null, "x\né😀"], "b": {}});
        assert_eq!(read(text.as_bytes()).unwrap().value, expected);
    }

    #[test]
    fn what_a_lenient_reader_lets_pass_is_refused_with_its_place() {
        assert_eq!(refused(r#"{"a":{"b":1,"b":1}}"#), ("duplicate_key", "/a/b".into()));
        assert_eq!(refused(r#"{"a":["x","\ud83d"]}"#), ("lone_surrogate", "/a/1".into()));
        assert_eq!(refused(r#"{"a":"\ude00\ud83d"}"#), ("lone_surrogate", "/a".into()));
        assert_eq!(refused(r#"{"a":"\u0000"}"#), ("null_character", "/a".into()));
        assert_eq!(refused(r#"{"a":1e999}"#), ("number_out_of_range", "/a".into()));
        assert_eq!(read(b"{\"a\":\"\xff\"}").unwrap_err().reason, "invalid_utf8");
    }

    #[test]
    fn a_thousand_levels_are_refused_without_descending() {
        let text = "[".repeat(1000) + &"]".repeat(1000);
        let (reason, pointer) = refused(&text);
        assert_eq!((reason, pointer.matches('/').count()), ("too_deep", DEPTH));
    }

    #[test]
    fn a_cut_record_is_told_from_a_wrong_one() {
        for text in ["{", "{\"a\"", "{\"a\":\"b", "{\"a\":tr", "{\"a\":\"\\u12", "[1,"] {
            assert_eq!(refused(text).0, "truncated", "{text}");
        }
        for text in ["{a:1}", "{\"a\":01}", "{\"a\":1,}", "[1 2]", "{} {}", "\"\t\"", "[tru]"] {
            assert_eq!(refused(text).0, "malformed_json", "{text}");
        }
        assert!(
            read(b"{\n  \"a\": x\n}")
                .unwrap_err()
                .detail
                .starts_with("line 2 of the record, column 8")
        );
    }

    proptest! {
        #[test]
        fn it_agrees_with_serde_json(text in r#"[\[\]{}:,"\\ u0-9aé.e+-]{0,24}"#) {
            let ours = read(text.as_bytes());
            match serde_json::from_str::<Value>(&text) {
                Ok(theirs) => {
                    let lenient = ours.as_ref().is_err_and(|reject| {
                        matches!(reject.reason, "duplicate_key" | "null_character")
                    });
                    prop_assert!(lenient || ours.unwrap().value == theirs);
                }
                Err(_) => prop_assert!(ours.is_err()),
            }
        }
    }
}
