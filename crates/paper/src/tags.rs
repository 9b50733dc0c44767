//! The structure of the document, as a reader that speaks it needs it.

use std::num::NonZeroU16;

use krilla::tagging::{
    Identifier, ListNumbering, Node, TableHeaderScope, Tag, TagGroup, TagKind, TagTree,
};

use crate::layout::Part;

/// The tree; each leaf is what was drawn of it, in order.
pub(crate) fn tree(parts: &[Part], mut leaves: Vec<Vec<Identifier>>, language: &str) -> TagTree {
    let mut tree = TagTree::new().with_lang(Some(language.to_owned()));
    for part in parts {
        tree.push(node(part, &mut leaves));
    }
    tree
}

fn node(part: &Part, leaves: &mut [Vec<Identifier>]) -> Node {
    match part {
        Part::Heading(level, text, leaf) => {
            let level = NonZeroU16::new(u16::from(*level)).unwrap_or(NonZeroU16::MIN);
            group(Tag::Hn(level, Some(text.clone())), taken(leaves, *leaf)).into()
        }
        Part::Paragraph(leaf) => group(Tag::P, taken(leaves, *leaf)).into(),
        Part::List(items) => {
            let mut list = TagGroup::new(Tag::L(ListNumbering::Disc));
            for (mark, body) in items {
                let mut item = TagGroup::new(Tag::LI);
                item.push(group(Tag::Lbl, taken(leaves, *mark)));
                item.push(group(Tag::LBody, taken(leaves, *body)));
                list.push(item);
            }
            list.into()
        }
        Part::Table { caption, titles, rows } => {
            let mut table = TagGroup::new(Tag::Table);
            if let Some(caption) = caption {
                table.push(group(Tag::Caption, taken(leaves, *caption)));
            }
            if !titles.is_empty() {
                let mut row = TagGroup::new(Tag::TR);
                for title in titles {
                    let head = Tag::TH(TableHeaderScope::Column);
                    row.push(group(head, taken(leaves, *title)));
                }
                table.push(TagGroup::with_children(Tag::THead, vec![row.into()]));
            }
            let mut body = TagGroup::new(Tag::TBody);
            for cells in rows {
                let mut row = TagGroup::new(Tag::TR);
                for (column, cell) in cells.iter().enumerate() {
                    let drawn = taken(leaves, *cell);
                    row.push(match column {
                        0 => group(Tag::TH(TableHeaderScope::Row), drawn),
                        _ => group(Tag::TD, drawn),
                    });
                }
                body.push(row);
            }
            table.push(body);
            table.into()
        }
    }
}

fn group(tag: impl Into<TagKind>, drawn: Vec<Identifier>) -> TagGroup {
    TagGroup::with_children(tag, drawn.into_iter().map(Node::from).collect())
}

fn taken(leaves: &mut [Vec<Identifier>], leaf: usize) -> Vec<Identifier> {
    leaves.get_mut(leaf).map(std::mem::take).unwrap_or_default()
}
