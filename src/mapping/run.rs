//! Runs a plan over one record: rules fire in order, targets are built in the arena.

mod act;
pub(crate) mod losses;
mod target;
mod write;

use std::cell::Cell;

use bumpalo::Bump;

use super::fml::Pick;
use super::model::Model;
use super::path::Env;
use super::plan::{Call, Plan, Rule};
use super::record::{Node, pointer_to};
use super::{Loss, Refusal};

use target::Target;

/// Groups that call each other any deeper are refused.
const MAX_DEPTH: usize = 64;
/// More rules than this fired for one record are refused.
const MAX_FIRINGS: usize = 1_000_000;

/// One rule that was looked at, for `map run --trace`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The rule's `file:line`.
    pub rule: String,
    /// How many times it fired for this context.
    pub fired: usize,
}

/// The variables of a group while it runs.
#[derive(Clone, Copy)]
struct Frame<'a> {
    sources: &'a [Cell<Node<'a>>],
    targets: &'a [Cell<Option<&'a Target<'a>>>],
}

/// What goes wrong inside a run, before map and record are named.
struct Stop {
    code: &'static str,
    message: String,
    pointer: Option<String>,
    place: Option<usize>,
}

type Run<T> = Result<T, Stop>;

/// Runs a plan; appends the resource to `out`.
pub(crate) fn run<'a>(
    plan: &'a Plan,
    model: &'a Model,
    record: Node<'a>,
    bump: &'a Bump,
    losses: &mut Vec<Loss>,
    trace: Option<&mut Vec<Trace>>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let mut runner =
        Runner { plan, model, record, bump, losses, trace, firings: MAX_FIRINGS, rule: 0 };
    let length = out.len();
    let result = runner.resource(out);
    result.map_err(|stop| {
        out.truncate(length);
        let place = plan.places.get(stop.place.unwrap_or(runner.rule));
        Refusal {
            code: stop.code,
            message: stop.message,
            pointer: stop.pointer,
            map: plan.canonical.clone(),
            rule: place.cloned().unwrap_or_else(|| plan.file.clone()),
        }
    })
}

struct Runner<'a, 'r> {
    plan: &'a Plan,
    model: &'a Model,
    record: Node<'a>,
    bump: &'a Bump,
    losses: &'r mut Vec<Loss>,
    trace: Option<&'r mut Vec<Trace>>,
    firings: usize,
    /// The rule that is running.
    rule: usize,
}

impl<'a> Runner<'a, '_> {
    fn stop<T>(
        &self,
        code: &'static str,
        message: impl Into<String>,
        at: Option<Node<'a>>,
    ) -> Run<T> {
        let pointer = at.and_then(|node| pointer_to(self.model, self.record, node));
        Err(Stop { code, message: message.into(), pointer, place: Some(self.rule) })
    }

    fn resource(&mut self, out: &mut Vec<u8>) -> Run<()> {
        let root = self.target(0);
        let Some(group) = self.plan.groups.first() else {
            return self.stop("MAP306", "the map has no group", None);
        };
        let frame = self.frame(group.sources, group.targets);
        if let (Some(source), Some(target)) = (frame.sources.first(), frame.targets.first()) {
            source.set(self.record);
            target.set(Some(root));
        }
        self.rules(&group.rules, frame, MAX_DEPTH)?;
        write::resource(self.plan, root, out)
    }

    fn frame(&self, sources: usize, targets: usize) -> Frame<'a> {
        Frame {
            sources: self.bump.alloc_slice_fill_with(sources, |_| Cell::new(Node::Absent)),
            targets: self.bump.alloc_slice_fill_with(targets, |_| Cell::new(None)),
        }
    }

    fn target(&self, shape: usize) -> &'a Target<'a> {
        let slots = self.plan.shapes.get(shape).map_or(0, |shape| shape.slots.len());
        self.bump.alloc(Target::new(shape, slots, self.bump))
    }

    fn rules(&mut self, rules: &'a [Rule], frame: Frame<'a>, depth: usize) -> Run<()> {
        for rule in rules {
            let context = frame.sources.get(rule.context).map_or(Node::Absent, Cell::get);
            let items = rule.field.map_or(context, |field| context.field(field));
            let fired = self.rule(rule, items, frame, depth)?;
            if let Some(trace) = &mut self.trace {
                let place = self.plan.places.get(rule.place).cloned().unwrap_or_default();
                trace.push(Trace { rule: place, fired });
            }
        }
        Ok(())
    }

    fn rule(
        &mut self,
        rule: &'a Rule,
        node: Node<'a>,
        frame: Frame<'a>,
        depth: usize,
    ) -> Run<usize> {
        let env = |this| Env { variables: frame.sources, this, bump: self.bump };
        let wanted = |node: &Node<'a>| rule.condition.as_ref().is_none_or(|c| c.holds(env(*node)));
        if node.is_absent() {
            return match &rule.default {
                Some(constant) => {
                    self.fire(rule, Node::Text(&constant.text), frame, depth).map(|()| 1)
                }
                None => Ok(0),
            };
        }
        if rule.pick == Pick::All {
            let mut fired = 0;
            for item in node.items().filter(wanted) {
                self.fire(rule, item, frame, depth)?;
                fired += 1;
            }
            return Ok(fired);
        }
        let count = node.items().filter(wanted).count();
        if rule.pick == Pick::OnlyOne && count > 1 {
            self.rule = rule.place;
            return self.stop("MAP307", "the map allows only one item here", node.items().nth(1));
        }
        let (from, to) = match rule.pick {
            Pick::First => (0, 1),
            Pick::NotFirst => (1, count),
            Pick::Last => (count.saturating_sub(1), count),
            Pick::NotLast => (0, count.saturating_sub(1)),
            _ => (0, count),
        };
        let mut fired = 0;
        for item in node.items().filter(wanted).take(to).skip(from) {
            self.fire(rule, item, frame, depth)?;
            fired += 1;
        }
        Ok(fired)
    }

    fn fire(&mut self, rule: &'a Rule, item: Node<'a>, frame: Frame<'a>, depth: usize) -> Run<()> {
        self.rule = rule.place;
        let Some(left) = self.firings.checked_sub(1) else {
            return self.stop("MAP306", "too many rules fired for one record", None);
        };
        self.firings = left;
        if let Some(check) = &rule.check
            && !check.holds(Env { variables: frame.sources, this: item, bump: self.bump })
        {
            return self.stop("MAP307", "the `check` of the map does not hold", Some(item));
        }
        if let Some(place) = rule.bind.and_then(|slot| frame.sources.get(slot)) {
            place.set(item);
        }
        for action in &rule.actions {
            self.act(action, frame)?;
        }
        for call in &rule.calls {
            self.call(call, frame, depth)?;
        }
        self.rules(&rule.rules, frame, depth)
    }

    fn call(&mut self, call: &'a Call, caller: Frame<'a>, depth: usize) -> Run<()> {
        let (Some(group), Some(depth)) = (self.plan.groups.get(call.group), depth.checked_sub(1))
        else {
            return self.stop("MAP306", "groups call each other too deeply", None);
        };
        let frame = self.frame(group.sources, group.targets);
        for (place, slot) in frame.sources.iter().zip(&call.sources) {
            place.set(caller.sources.get(*slot).map_or(Node::Absent, Cell::get));
        }
        for (place, slot) in frame.targets.iter().zip(&call.targets) {
            place.set(caller.targets.get(*slot).and_then(Cell::get));
        }
        self.rules(&group.rules, frame, depth)
    }
}
