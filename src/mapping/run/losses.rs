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

/// Reports the fields of `data`, and unknown fields of the envelope, that nothing reads.
pub(crate) fn losses(model: &Model, fates: &Fates, record: Node<'_>, losses: &mut Vec<Loss>) {
    let Node::Object(root) = record else { return };
    let Some(t) = model.types.first() else { return };
    unknown(root, "", losses);
    if let Some(data) = t.field("data") {
        walk(model, fates, record.field(data), "/data", losses);
    }
}

fn unknown(object: &Object<'_>, pointer: &str, losses: &mut Vec<Loss>) {
    let names = std::iter::successors(object.unknown, |unknown| unknown.next);
    for unknown in names {
        let name = unknown.name.replace('~', "~0").replace('/', "~1");
        report(format!("{pointer}/{name}"), "no_target", losses);
    }
}

fn report(pointer: String, reason: &'static str, losses: &mut Vec<Loss>) {
    losses.push(Loss { pointer, reason });
}

fn walk(model: &Model, fates: &Fates, node: Node<'_>, pointer: &str, losses: &mut Vec<Loss>) {
    let Node::Object(object) = node else { return };
    unknown(object, pointer, losses);
    let (Some(t), Some(fates_here)) = (model.types.get(object.object), fates.get(object.object))
    else {
        return;
    };
    for ((value, field), fate) in object.fields.iter().zip(&t.fields).zip(fates_here) {
        if value.is_absent() {
            continue;
        }
        match (fate, field.content) {
            (Fate::Lost(reason), _) => report(format!("{pointer}/{}", field.name), reason, losses),
            (Fate::Carried, FieldType::Object(_)) if field.list => {
                for (index, item) in value.items().enumerate() {
                    let pointer = format!("{pointer}/{}/{index}", field.name);
                    walk(model, fates, item, &pointer, losses);
                }
            }
            (Fate::Carried, FieldType::Object(_)) => {
                walk(model, fates, *value, &format!("{pointer}/{}", field.name), losses);
            }
            (Fate::Carried, FieldType::Primitive(_)) => {}
        }
    }
}
