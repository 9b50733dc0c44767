//! One target of a rule: works out the value, checks it, and puts it where it belongs.

use std::sync::Arc;

use super::target::{Content, Target, Value};
use super::{Frame, Run, Runner};
use crate::fhir::r4::{Form, Primitive};
use crate::mapping::Loss;
use crate::mapping::codes::{CodeTable, Entry, Unmapped};
use crate::mapping::path::Env;
use crate::mapping::plan::{Action, Op, Part};
use crate::mapping::record::{Node, joined, pointer_to};

impl<'a> Runner<'a, '_> {
    pub(super) fn act(&mut self, action: &'a Action, frame: Frame<'a>) -> Run<()> {
        let Some(target) = frame.targets.get(action.target).and_then(std::cell::Cell::get) else {
            return Ok(());
        };
        let value = self.value(action, target, frame)?;
        let made = match (&action.op, value) {
            (Op::Make, _) => None,
            // nothing to write: the variable stays unset, and what would fill it does nothing
            (_, Value::None) => {
                if let Some(bind) = action.bind.and_then(|slot| frame.targets.get(slot)) {
                    bind.set(None);
                }
                return Ok(());
            }
            (_, value) => Some(value),
        };
        let Some(slot) = action.slot else {
            return self.set_value(target, made);
        };
        let bound = self.place(action, target, slot, made)?;
        if let Some(bind) = action.bind.and_then(|slot| frame.targets.get(slot)) {
            bind.set(bound);
        }
        Ok(())
    }

    fn set_value(&mut self, target: &'a Target<'a>, value: Option<Value<'a>>) -> Run<()> {
        if !matches!(target.value.get(), Value::None) {
            return self.stop("MAP308", "a value is set twice", None);
        }
        target.value.set(value.unwrap_or(Value::None));
        Ok(())
    }

    /// Puts a value or a new object into a slot; answers the object.
    fn place(
        &mut self,
        action: &'a Action,
        target: &'a Target<'a>,
        slot: usize,
        value: Option<Value<'a>>,
    ) -> Run<Option<&'a Target<'a>>> {
        let shape = self.plan.shapes.get(target.shape).and_then(|shape| shape.slots.get(slot));
        let (Some(definition), Some(cell)) = (shape, target.slots.get(slot)) else {
            return Ok(None);
        };
        let object = match action.make {
            None => None,
            Some(made) => match (definition.list, cell.get()) {
                (false, Content::Object(known)) if value.is_none() => return Ok(Some(known)),
                _ => Some(self.target(made)),
            },
        };
        let content = match (object, value) {
            (Some(object), value) => {
                object.value.set(value.unwrap_or(Value::None));
                Content::Object(object)
            }
            (None, Some(value)) => Content::Value(value),
            (None, None) => return Ok(None),
        };
        if definition.list {
            target.push(slot, content, self.bump);
        } else if matches!(cell.get(), Content::Empty) {
            cell.set(content);
        } else {
            return self.stop("MAP308", format!("`{}` is set twice", definition.name), None);
        }
        Ok(object)
    }

    fn value(
        &mut self,
        action: &'a Action,
        target: &'a Target<'a>,
        frame: Frame<'a>,
    ) -> Run<Value<'a>> {
        let source =
            |slot: usize| frame.sources.get(slot).map_or(Node::Absent, std::cell::Cell::get);
        match &action.op {
            Op::Make => Ok(Value::None),
            Op::Constant(constant) => Ok(Value::Json(&constant.json)),
            Op::Copy(slot) => self.checked(action, source(*slot)),
            Op::Translate { source: slot, table, coding } => {
                let node = source(*slot);
                match self.translate(action, node, table, *coding)? {
                    Some(value) => Ok(value),
                    None => self.unknown_code(action, target, node, table),
                }
            }
            Op::Evaluate { focus, expr } => {
                let this = focus.map_or(Node::Absent, source);
                let env = Env { variables: frame.sources, this, bump: self.bump };
                self.checked(action, expr.first(env))
            }
            Op::Append(parts) => {
                let text = parts.iter().fold("", |text, part| {
                    let part = match part {
                        Part::Constant(constant) => constant,
                        Part::Variable(slot) => text_of(source(*slot)),
                    };
                    joined(self.bump, &[text, part])
                });
                self.checked(action, Node::Text(text))
            }
            Op::Truncate(slot, length) => {
                let text = text_of(source(*slot));
                let end = text.char_indices().nth(*length).map_or(text.len(), |(at, _)| at);
                self.checked(action, Node::Text(text.get(..end).unwrap_or_default()))
            }
        }
    }

    /// A value of the record, in the format of the element that it goes to.
    fn checked(&mut self, action: &'a Action, node: Node<'a>) -> Run<Value<'a>> {
        let primitive = action.primitive.unwrap_or(Primitive::String);
        let text = match node {
            Node::Absent | Node::Object(_) | Node::List(_) | Node::Text("") => {
                return Ok(Value::None);
            }
            Node::Boolean(true) => "true",
            Node::Boolean(false) => "false",
            Node::Number(text) | Node::Text(text) => text,
        };
        if !primitive.accepts(text) {
            let message = format!("not a valid {}", primitive.name());
            return self.stop("MAP303", message, Some(node));
        }
        if let Some(codes) = &action.codes
            && !codes.iter().any(|code| **code == *text)
        {
            let message = "not a code of the required value set; translate it";
            return self.stop("MAP304", message, Some(node));
        }
        Ok(match (primitive.form(), node) {
            (Form::Boolean, _) => Value::Boolean(text == "true"),
            (Form::Number, _) => Value::Json(text),
            (Form::Text, _) => Value::Text(text),
        })
    }

    fn translate(
        &mut self,
        action: &'a Action,
        node: Node<'a>,
        table: &'a Arc<CodeTable>,
        coding: bool,
    ) -> Run<Option<Value<'a>>> {
        let code = text_of(node);
        if code.is_empty() {
            return Ok(Some(Value::None));
        }
        let target = match (table.get(code), &table.unmapped) {
            (Some(Entry::To(target)), _) | (None, Unmapped::Fixed(target)) => target,
            (None, Unmapped::Provided(system)) if coding => {
                return Ok(Some(self.provided(system.as_deref(), code)));
            }
            (None, Unmapped::Provided(_)) => return self.checked(action, node).map(Some),
            (Some(Entry::Unmatched) | None, _) => return Ok(None),
        };
        Ok(Some(Value::Json(if coding { &target.coding } else { &target.json })))
    }

    /// A code that is kept as it is.
    fn provided(&self, system: Option<&str>, code: &str) -> Value<'a> {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let system = system.as_ref().map(|system| format!("\"system\":{},", quoted(system)));
        let json = format!("{{{}\"code\":{}}}", system.unwrap_or_default(), quoted(code));
        Value::Json(self.bump.alloc_str(&json))
    }

    /// A code without a counterpart: dropped and reported, or a refusal where one is required.
    fn unknown_code(
        &mut self,
        action: &'a Action,
        target: &'a Target<'a>,
        node: Node<'a>,
        table: &CodeTable,
    ) -> Run<Value<'a>> {
        let shape = self.plan.shapes.get(target.shape).filter(|shape| shape.resource);
        let slot = action.slot.and_then(|slot| shape?.slots.get(slot));
        if slot.is_some_and(|slot| slot.required) {
            let message = format!(
                "{} has no entry for this code, and the element is required; add one",
                table.file
            );
            return self.stop("MAP305", message, Some(node));
        }
        let pointer = pointer_to(self.model, self.record, node).unwrap_or_default();
        let loss = Loss { pointer, reason: "unknown_code" };
        if !self.losses.contains(&loss) {
            self.losses.push(loss);
        }
        Ok(Value::None)
    }
}

fn text_of(node: Node<'_>) -> &str {
    match node {
        Node::Text(text) | Node::Number(text) => text,
        Node::Boolean(true) => "true",
        Node::Boolean(false) => "false",
        _ => "",
    }
}
