//! What a record holds and no map of its kind carries over.

use crate::mapping::Loss;
use crate::mapping::model::{FieldType, Model};
use crate::mapping::record::{Node, Object};

/// What becomes of a field of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A rule reads it, or a pre-step does.
    Carried,
    /// It is left out, for this reason.
    Lost(&'static str),
}

/// The fate of every field, by object type and position.
pub(crate) type Fates = Vec<Vec<Fate>>;

/// The way to a value, kept on the stack: most values are never reported.
#[derive(Clone, Copy)]
struct Way<'w> {
    parent: Option<&'w Way<'w>>,
    name: &'w str,
    index: Option<usize>,
}

impl Way<'_> {
    fn pointer(&self) -> String {
        let parent = self.parent.map(Way::pointer).unwrap_or_default();
        let name = self.name.replace('~', "~0").replace('/', "~1");
        let index = self.index.map(|index| format!("/{index}")).unwrap_or_default();
        format!("{parent}/{name}{index}")
    }
}

/// Reports the fields of `data`, and unknown fields of the envelope, that nothing reads.
pub(crate) fn losses(model: &Model, fates: &Fates, record: Node<'_>, losses: &mut Vec<Loss>) {
    let mut walk = Walk { model, fates, losses };
    let Node::Object(root) = record else { return };
    walk.unknown(root, None);
    if let Some(data) = model.types.first().and_then(|t| t.field("data")) {
        walk.object(record.field(data), Way { parent: None, name: "data", index: None });
    }
}

struct Walk<'a> {
    model: &'a Model,
    fates: &'a Fates,
    losses: &'a mut Vec<Loss>,
}

impl Walk<'_> {
    fn report(&mut self, parent: Option<&Way<'_>>, name: &str, reason: &'static str) {
        let pointer = Way { parent, name, index: None }.pointer();
        self.losses.push(Loss { pointer, reason });
    }

    fn unknown(&mut self, object: &Object<'_>, way: Option<&Way<'_>>) {
        for unknown in std::iter::successors(object.unknown, |unknown| unknown.next) {
            self.report(way, unknown.name, "no_target");
        }
    }

    fn object(&mut self, node: Node<'_>, way: Way<'_>) {
        let Node::Object(object) = node else { return };
        self.unknown(object, Some(&way));
        let t = self.model.types.get(object.of);
        let Some((t, fates)) = t.zip(self.fates.get(object.of)) else { return };
        for ((value, field), fate) in object.fields.iter().zip(&t.fields).zip(fates) {
            match (fate, field.content) {
                _ if value.is_absent() => {}
                (Fate::Lost(reason), _) => self.report(Some(&way), &field.name, reason),
                (Fate::Carried, FieldType::Object(_)) => {
                    for (index, item) in value.items().enumerate() {
                        let index = field.list.then_some(index);
                        self.object(item, Way { parent: Some(&way), name: &field.name, index });
                    }
                }
                (Fate::Carried, FieldType::Primitive(_)) => {}
            }
        }
    }
}
