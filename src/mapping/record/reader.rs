//! The JSON reader: strict RFC 8259, no duplicate keys, no deep nesting, no lone surrogates.

use std::collections::HashSet;

use bumpalo::Bump;

use super::{Item, Node, Object, Unknown, plain};
use crate::fhir::r4::{Form, Primitive};
use crate::mapping::model::{Field, FieldType, Model};

/// How much a record may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    pub depth: usize,
    pub nodes: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self { depth: 64, nodes: 200_000 }
    }
}

/// Why a record cannot be read. Holds no content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ReadError {
    pub message: &'static str,
    /// The steps to the place, innermost first.
    pub steps: Vec<String>,
}

impl ReadError {
    /// The place as a JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        self.steps.iter().rev().fold(String::new(), |pointer, step| pointer + "/" + step)
    }

    fn within(mut self, step: impl Into<String>) -> Self {
        self.steps.push(step.into());
        self
    }
}

impl From<&'static str> for ReadError {
    fn from(message: &'static str) -> Self {
        Self { message, steps: Vec::new() }
    }
}

type Read<T> = Result<T, ReadError>;

/// Reads a record of a model.
pub(crate) fn read<'a>(
    model: &'a Model,
    input: &'a [u8],
    bump: &'a Bump,
    caps: Caps,
) -> Read<Node<'a>> {
    let text = std::str::from_utf8(input).or(Err("not UTF-8"))?;
    let mut reader =
        Reader { text, bytes: input, at: 0, bump, model, depth: caps.depth, nodes: caps.nodes };
    reader.blanks();
    let root = reader.object(0)?;
    reader.blanks();
    if reader.at < reader.bytes.len() {
        return Err("more than one JSON value".into());
    }
    Ok(root)
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    bump: &'a Bump,
    model: &'a Model,
    depth: usize,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    fn slice(&self, from: usize, to: usize) -> Read<&'a str> {
        self.text.get(from..to).ok_or_else(|| "not UTF-8".into())
    }

    fn word(&mut self, word: &[u8]) -> Read<()> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err("not valid JSON".into());
        }
        self.at += word.len();
        Ok(())
    }

    /// Takes a node and a level; every call is matched by `leave`.
    fn enter(&mut self) -> Read<()> {
        self.depth = self.depth.checked_sub(1).ok_or("nested too deeply")?;
        self.count()
    }

    fn leave(&mut self) {
        self.depth += 1;
    }

    fn count(&mut self) -> Read<()> {
        self.nodes = self.nodes.checked_sub(1).ok_or("the record has too many values")?;
        Ok(())
    }

    fn object(&mut self, object: usize) -> Read<Node<'a>> {
        if !self.eat(b'{') {
            return Err("an object is expected here".into());
        }
        self.enter()?;
        let t = self.model.types.get(object).ok_or("the model has no such type")?;
        let fields = self.bump.alloc_slice_fill_copy(t.fields.len(), Node::Absent);
        let mut seen: u64 = 0;
        let mut seen_more: Vec<usize> = Vec::new();
        let mut unknown: Option<&'a Unknown<'a>> = None;
        let mut hint = 0;
        self.blanks();
        let mut more = !self.eat(b'}');
        while more {
            let name = self.key()?;
            let guess = t.fields.get(hint).is_some_and(|field| *field.name == *name);
            let position = if guess { Some(hint) } else { t.field(name) };
            if let Some(position) = position
                && let (Some(field), Some(place)) =
                    (t.fields.get(position), fields.get_mut(position))
            {
                hint = position + 1;
                let again = if position < 64 {
                    let bit = 1_u64 << position;
                    let again = seen & bit != 0;
                    seen |= bit;
                    again
                } else if seen_more.contains(&position) {
                    true
                } else {
                    seen_more.push(position);
                    false
                };
                if again {
                    return Err(ReadError::from("duplicate key").within(name));
                }
                *place = self.field(field).map_err(|error| error.within(name))?;
            } else {
                if known(unknown, name) {
                    return Err("duplicate key".into());
                }
                unknown = Some(self.bump.alloc(Unknown { name, next: unknown }));
                self.skip()?;
            }
            more = self.next_member(b'}')?;
        }
        self.leave();
        if unknown.is_none() && fields.iter().all(|node| node.is_absent()) {
            return Ok(Node::Absent);
        }
        Ok(Node::Object(self.bump.alloc(Object { of: object, fields, unknown })))
    }

    /// Reads `"key":`.
    fn key(&mut self) -> Read<&'a str> {
        self.blanks();
        let name = self.string()?;
        self.blanks();
        if !self.eat(b':') {
            return Err("not valid JSON".into());
        }
        self.blanks();
        Ok(name)
    }

    /// After a member or item: whether another follows.
    fn next_member(&mut self, end: u8) -> Read<bool> {
        self.blanks();
        if self.eat(b',') {
            self.blanks();
            return Ok(true);
        }
        if self.eat(end) { Ok(false) } else { Err("not valid JSON".into()) }
    }

    fn field(&mut self, field: &Field) -> Read<Node<'a>> {
        if self.peek() == b'n' {
            self.word(b"null")?;
            return Ok(Node::Absent);
        }
        if !field.list {
            return self.item(field);
        }
        if !self.eat(b'[') {
            return Err("an array is expected here".into());
        }
        self.enter()?;
        let (mut first, mut last): (Option<&'a Item<'a>>, Option<&'a Item<'a>>) = (None, None);
        self.blanks();
        let mut more = !self.eat(b']');
        let mut index = 0;
        while more {
            let node = if self.peek() == b'n' {
                self.word(b"null")?;
                Node::Absent
            } else {
                self.item(field).map_err(|error| error.within(index.to_string()))?
            };
            if !node.is_absent() {
                let item: &'a Item<'a> = self.bump.alloc(Item { node, next: None.into() });
                if let Some(last) = last {
                    last.next.set(Some(item));
                }
                first = first.or(Some(item));
                last = Some(item);
            }
            index += 1;
            more = self.next_member(b']')?;
        }
        self.leave();
        Ok(first.map_or(Node::Absent, Node::List))
    }

    fn item(&mut self, field: &Field) -> Read<Node<'a>> {
        match field.content {
            FieldType::Object(object) => self.object(object),
            FieldType::Primitive(primitive) => self.primitive(primitive),
        }
    }

    fn primitive(&mut self, primitive: Primitive) -> Read<Node<'a>> {
        self.count()?;
        match (primitive.form(), self.peek()) {
            (Form::Text, b'"') => {
                let text = self.string()?;
                Ok(if text.is_empty() { Node::Absent } else { Node::Text(text) })
            }
            (Form::Number, b'-' | b'0'..=b'9') => self.number().map(Node::Number),
            (Form::Boolean, b't') => self.word(b"true").map(|()| Node::Boolean(true)),
            (Form::Boolean, b'f') => self.word(b"false").map(|()| Node::Boolean(false)),
            (Form::Text, _) => Err("a string is expected here".into()),
            (Form::Number, _) => Err("a number is expected here".into()),
            (Form::Boolean, _) => Err("true or false is expected here".into()),
        }
    }

    fn number(&mut self) -> Read<&'a str> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.some_digits()?;
        }
        if self.eat(b'.') {
            self.some_digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.some_digits()?;
        }
        if self.peek().is_ascii_digit() {
            return Err("a number may not begin with 0".into());
        }
        self.slice(start, self.at)
    }

    fn some_digits(&mut self) -> Read<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { Err("not a valid number".into()) } else { Ok(()) }
    }

    fn string(&mut self) -> Read<&'a str> {
        if !self.eat(b'"') {
            return Err("not valid JSON".into());
        }
        let start = self.at;
        let end = start + plain(self.bytes.get(start..).unwrap_or_default());
        self.at = end;
        match self.peek() {
            b'"' => {
                self.at += 1;
                self.slice(start, end)
            }
            b'\\' => self.escaped(start),
            _ if end == self.bytes.len() => Err("a string does not end".into()),
            _ => Err("a control character in a string".into()),
        }
    }

    /// Reads a string that has escapes, into the arena; it never grows by being decoded.
    fn escaped(&mut self, start: usize) -> Read<&'a str> {
        let raw = self.bytes.get(self.at..).unwrap_or_default();
        let mut end = 0;
        while !matches!(raw.get(end), Some(b'"') | None) {
            end += if raw.get(end) == Some(&b'\\') { 2 } else { 1 };
        }
        let text: &'a mut [u8] = self.bump.alloc_slice_fill_copy(self.at + end - start, 0);
        let mut length = 0;
        let mut push = |part: &[u8]| {
            if let Some(place) = text.get_mut(length..length + part.len()) {
                place.copy_from_slice(part);
            }
            length += part.len();
        };
        push(self.slice(start, self.at)?.as_bytes());
        while !self.eat(b'"') {
            let from = self.at;
            while !matches!(self.peek(), b'"' | b'\\' | 0..0x20) {
                self.at += 1;
            }
            push(self.slice(from, self.at)?.as_bytes());
            if self.eat(b'\\') {
                push(self.escape()?.encode_utf8(&mut [0; 4]).as_bytes());
            } else if self.peek() != b'"' {
                return Err("a string does not end, or has a control character".into());
            }
        }
        let text: &'a [u8] = text;
        std::str::from_utf8(text.get(..length).unwrap_or_default()).or(Err("not UTF-8".into()))
    }

    fn escape(&mut self) -> Read<char> {
        let byte = self.peek();
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err("not a valid escape".into()),
        })
    }

    fn unicode(&mut self) -> Read<char> {
        let unit = self.hex()?;
        let code = if (0xD800..0xDC00).contains(&unit) {
            self.word(b"\\u").or(Err("a lone surrogate"))?;
            let low = self.hex()?;
            if !(0xDC00..0xE000).contains(&low) {
                return Err("a lone surrogate".into());
            }
            0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
        } else {
            unit
        };
        char::from_u32(code).ok_or_else(|| "a lone surrogate".into())
    }

    fn hex(&mut self) -> Read<u32> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or("not a valid escape")?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err("not a valid escape".into());
        }
        self.at += 4;
        let digits = std::str::from_utf8(digits).or(Err("not a valid escape"))?;
        u32::from_str_radix(digits, 16).or(Err("not a valid escape".into()))
    }

    /// Reads a value that the model does not know, and forgets it.
    fn skip(&mut self) -> Read<()> {
        self.count()?;
        match self.peek() {
            b'{' => {
                self.at += 1;
                self.enter()?;
                let mut names = HashSet::new();
                self.blanks();
                let mut more = !self.eat(b'}');
                while more {
                    if !names.insert(self.key()?) {
                        return Err("duplicate key".into());
                    }
                    self.skip()?;
                    more = self.next_member(b'}')?;
                }
                self.leave();
                Ok(())
            }
            b'[' => {
                self.at += 1;
                self.enter()?;
                self.blanks();
                let mut more = !self.eat(b']');
                while more {
                    self.skip()?;
                    more = self.next_member(b']')?;
                }
                self.leave();
                Ok(())
            }
            b'"' => self.string().map(drop),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number().map(drop),
        }
    }
}

fn known(mut unknown: Option<&Unknown<'_>>, name: &str) -> bool {
    while let Some(entry) = unknown {
        if entry.name == name {
            return true;
        }
        unknown = entry.next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn model() -> Model {
        let element = |path: &str, max: &str, code: &str| json!({"path": path, "max": max, "type": [{"code": code}]});
        Model::read(&json!({"url": "https://x.example/v", "name": "V", "type": "V", "differential": {"element": [
            element("V.n", "1", "decimal"), element("V.t", "1", "string"), element("V.l", "*", "string"),
            element("V.o", "*", "BackboneElement"), element("V.o.b", "1", "boolean")]}}).to_string())
        .unwrap()
    }

    fn fails(text: &str) -> (&'static str, String) {
        let error = read(&model(), text.as_bytes(), &Bump::new(), Caps::default()).unwrap_err();
        (error.message, error.pointer())
    }

    #[test]
    fn values_keep_their_text_and_empty_ones_are_absent() {
        let (model, bump) = (model(), Bump::new());
        let text = r#"{"n":1.10,"t":"a\u00e9\ud83d\ude00\n","l":["",null,"x"],"o":[{},{"b":true}],"z":[1]}"#;
        let root = read(&model, text.as_bytes(), &bump, Caps::default()).unwrap();
        assert!(matches!(root.field(0), Node::Number("1.10")));
        assert!(matches!(root.field(1), Node::Text("aé😀\n")));
        assert_eq!(root.field(2).items().count(), 1);
        assert_eq!(root.field(3).items().count(), 1);
        let Node::Object(object) = root else { panic!() };
        assert_eq!(object.unknown.map(|unknown| unknown.name), Some("z"));
    }

    #[test]
    fn what_is_not_strict_json_or_not_the_model_is_refused_with_its_place() {
        assert_eq!(fails(r#"{"t":"a","t":"b"}"#), ("duplicate key", "/t".to_owned()));
        assert_eq!(
            fails(r#"{"o":[{"b":true},{"b":"x"}]}"#),
            ("true or false is expected here", "/o/1/b".to_owned())
        );
        assert_eq!(fails(r#"{"t":"\ud800"}"#).0, "a lone surrogate");
        assert_eq!(fails(r#"{"z":{"a":1,"a":2}}"#).0, "duplicate key");
        assert_eq!(fails("{\"t\":\"a\nb\"}").0, "a control character in a string");
        assert_eq!(fails(r#"{"n":01}"#).0, "a number may not begin with 0");
        assert_eq!(fails(r#"{"t":"a"} x"#).0, "more than one JSON value");
        assert_eq!(
            fails(&format!("{{\"z\":{}1{}}}", "[".repeat(70), "]".repeat(70))).0,
            "nested too deeply"
        );
    }
}
