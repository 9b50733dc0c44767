//! Writes the built targets as JSON, in the order in which R4 defines the elements. Objects that
//! stayed empty are taken back; required elements are proven as they are written.

use super::target::{Content, List, Target, Value};
use super::{Run, Stop};
use crate::mapping::plan::{Plan, Shape, ShapeSlot};
use crate::mapping::record::plain;

/// Writes a resource.
pub(super) fn resource(plan: &Plan, root: &Target<'_>, out: &mut Vec<u8>) -> Run<()> {
    Writer { plan, out }.object(root).map(drop)
}

struct Writer<'p, 'o> {
    plan: &'p Plan,
    out: &'o mut Vec<u8>,
}

fn stop<T>(code: &'static str, message: String, rule: Option<usize>) -> Run<T> {
    Err(Stop { code, message, pointer: None, place: Some(rule.unwrap_or(usize::MAX)) })
}

impl Writer<'_, '_> {
    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes an object; answers whether anything was in it, and writes nothing if not.
    fn object(&mut self, target: &Target<'_>) -> Run<bool> {
        let Some(shape) = self.plan.shapes.get(target.shape) else { return Ok(false) };
        let start = self.out.len();
        self.out.push(b'{');
        if shape.resource {
            self.text("\"resourceType\":\"");
            self.text(&shape.name);
            self.text("\",");
        }
        let written = self.members(shape, target)?;
        if written == 0 && !shape.resource {
            self.out.truncate(start);
            return Ok(false);
        }
        // every member ends with a comma; the last one becomes the end
        if let Some(last) = self.out.last_mut() {
            *last = b'}';
        }
        for (mask, name) in &shape.required {
            if written & mask == 0 {
                let rule = shape.slots.get(mask.trailing_zeros() as usize).map(|slot| slot.rule);
                let message = format!("{} needs `{name}`, and the record gives none", shape.name);
                return stop("MAP301", message, rule);
            }
        }
        Ok(true)
    }

    /// Writes the members of an object; answers the set of slots that were written.
    fn members(&mut self, shape: &Shape, target: &Target<'_>) -> Run<u64> {
        let mut written = 0_u64;
        let mut choice = None;
        for slot in &shape.order {
            let (Some(definition), Some(cell)) = (shape.slots.get(*slot), target.slots.get(*slot))
            else {
                continue;
            };
            if !self.member(definition, cell.get())? {
                continue;
            }
            written |= 1_u64 << (slot % 64);
            if definition.choice && choice == Some(definition.element) {
                let message = format!("{} has two `{}`", shape.name, definition.name);
                return stop("MAP308", message, Some(definition.rule));
            }
            choice = definition.choice.then_some(definition.element);
        }
        Ok(written)
    }

    fn member(&mut self, slot: &ShapeSlot, content: Content<'_>) -> Run<bool> {
        match content {
            Content::Empty => Ok(false),
            Content::Value(value) => {
                self.text(&slot.key);
                self.value(value);
                self.out.push(b',');
                Ok(true)
            }
            Content::Object(target) if slot.primitive => self.extended(slot, target),
            Content::Object(target) => {
                let start = self.out.len();
                self.text(&slot.key);
                if !self.object(target)? {
                    self.out.truncate(start);
                    return Ok(false);
                }
                self.out.push(b',');
                Ok(true)
            }
            Content::List(list) if slot.primitive => self.primitives(slot, list),
            Content::List(list) => self.objects(slot, list),
        }
    }

    /// A primitive that may have extensions: `"status":"x","_status":{…}`.
    fn extended(&mut self, slot: &ShapeSlot, target: &Target<'_>) -> Run<bool> {
        let mut any = false;
        if !matches!(target.value.get(), Value::None) {
            self.text(&slot.key);
            self.value(target.value.get());
            self.out.push(b',');
            any = true;
        }
        let start = self.out.len();
        self.text(&slot.extension_key);
        if self.object(target)? {
            self.out.push(b',');
            return Ok(true);
        }
        self.out.truncate(start);
        Ok(any)
    }

    fn objects(&mut self, slot: &ShapeSlot, list: List<'_>) -> Run<bool> {
        let start = self.out.len();
        self.text(&slot.key);
        self.out.push(b'[');
        let mut any = false;
        for item in list.items() {
            let written = match item {
                Content::Object(target) => self.object(target)?,
                Content::Value(value) => {
                    self.value(value);
                    true
                }
                _ => false,
            };
            if written {
                self.out.push(b',');
                any = true;
            }
        }
        self.end_list(start, any);
        Ok(any)
    }

    fn end_list(&mut self, start: usize, any: bool) {
        if !any {
            return self.out.truncate(start);
        }
        if let Some(last) = self.out.last_mut() {
            *last = b']';
        }
        self.out.push(b',');
    }

    /// A repeating primitive; extensions go into a second array beside it.
    fn primitives(&mut self, slot: &ShapeSlot, list: List<'_>) -> Run<bool> {
        let value_of = |content: Content<'_>| match content {
            Content::Object(target) => !matches!(target.value.get(), Value::None),
            Content::Value(_) => true,
            _ => false,
        };
        let values = list.items().any(value_of);
        if values {
            self.text(&slot.key);
            self.out.push(b'[');
            for item in list.items() {
                match item {
                    Content::Value(value) => self.value(value),
                    Content::Object(target) => self.value(target.value.get()),
                    _ => self.text("null"),
                }
                self.out.push(b',');
            }
            self.end_list(0, true);
        }
        let start = self.out.len();
        self.text(&slot.extension_key);
        self.out.push(b'[');
        let mut any = false;
        for item in list.items() {
            let written = match item {
                Content::Object(target) => self.object(target)?,
                _ => false,
            };
            if !written {
                self.text("null");
            }
            any |= written;
            self.out.push(b',');
        }
        self.end_list(start, any);
        Ok(values || any)
    }

    fn value(&mut self, value: Value<'_>) {
        match value {
            Value::None => self.text("null"),
            Value::Json(json) => self.text(json),
            Value::Boolean(true) => self.text("true"),
            Value::Boolean(false) => self.text("false"),
            Value::Text(text) => self.quoted(text),
        }
    }

    fn quoted(&mut self, text: &str) {
        self.out.push(b'"');
        let mut rest = text;
        loop {
            let (clean, tail) = rest.split_at(plain(rest.as_bytes()));
            self.text(clean);
            let mut chars = tail.chars();
            let Some(special) = chars.next() else { break };
            self.escape(special);
            rest = chars.as_str();
        }
        self.out.push(b'"');
    }

    fn escape(&mut self, c: char) {
        match c {
            '"' => self.text("\\\""),
            '\\' => self.text("\\\\"),
            '\n' => self.text("\\n"),
            '\r' => self.text("\\r"),
            '\t' => self.text("\\t"),
            '\u{8}' => self.text("\\b"),
            '\u{c}' => self.text("\\f"),
            c => self.text(&format!("\\u{:04x}", u32::from(c))),
        }
    }
}
