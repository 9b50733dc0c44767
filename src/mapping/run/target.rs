//! Targets while they are built: objects in the arena, with one cell for each slot of their shape.

use std::cell::Cell;

use bumpalo::Bump;

/// A primitive value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    None,
    /// JSON, ready to be written.
    Json(&'a str),
    /// A text that is yet to be quoted.
    Text(&'a str),
    Boolean(bool),
}

/// What a slot holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content<'a> {
    Empty,
    Value(Value<'a>),
    Object(&'a Target<'a>),
    List(List<'a>),
}

/// The items of a repeating element.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List<'a> {
    pub first: &'a Item<'a>,
    last: &'a Item<'a>,
}

/// One item of a repeating element.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    pub content: Content<'a>,
    pub next: Cell<Option<&'a Item<'a>>>,
}

/// An object, or a primitive with its id and extensions.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    pub shape: usize,
    /// The value of a primitive.
    pub value: Cell<Value<'a>>,
    pub slots: &'a [Cell<Content<'a>>],
}

impl<'a> Target<'a> {
    pub(crate) fn new(shape: usize, slots: usize, bump: &'a Bump) -> Self {
        let slots = bump.alloc_slice_fill_with(slots, |_| Cell::new(Content::Empty));
        Self { shape, value: Cell::new(Value::None), slots }
    }

    /// Adds an item to a repeating element.
    pub(crate) fn push(&self, slot: usize, content: Content<'a>, bump: &'a Bump) {
        let Some(cell) = self.slots.get(slot) else { return };
        let item: &'a Item<'a> = bump.alloc(Item { content, next: Cell::new(None) });
        let list = match cell.get() {
            Content::List(list) => {
                list.last.next.set(Some(item));
                List { last: item, ..list }
            }
            _ => List { first: item, last: item },
        };
        cell.set(Content::List(list));
    }
}

impl<'a> List<'a> {
    /// The items in order.
    pub(crate) fn items(self) -> impl Iterator<Item = Content<'a>> {
        std::iter::successors(Some(self.first), |item| item.next.get()).map(|item| item.content)
    }
}
