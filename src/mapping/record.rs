//! A source record in memory: read once, strictly, into an arena, in the shape of its model.
//!
//! Fields of an object sit at the position that the model gives them, so that a plan reads them
//! by index. Numbers keep their text. `null`, `""`, `[]` and `{}` are absent.

mod reader;

pub(crate) use reader::{Caps, read};

use super::model::Model;

/// A value of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Node<'a> {
    Absent,
    Boolean(bool),
    /// A number, as written.
    Number(&'a str),
    Text(&'a str),
    Object(&'a Object<'a>),
    /// The first of at least one item; no item is absent or a list.
    List(&'a Item<'a>),
}

/// One item of a list.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    pub node: Node<'a>,
    pub next: std::cell::Cell<Option<&'a Item<'a>>>,
}

/// An object of the model.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    /// The type in the model.
    pub of: usize,
    /// The fields at the model's positions.
    pub fields: &'a [Node<'a>],
    /// The names of fields that the model does not know, last one first.
    pub unknown: Option<&'a Unknown<'a>>,
}

/// The name of a field that the model does not know.
#[derive(Debug)]
pub(crate) struct Unknown<'a> {
    pub name: &'a str,
    pub next: Option<&'a Unknown<'a>>,
}

impl<'a> Node<'a> {
    /// The field at a position; absent for anything but an object.
    pub(crate) fn field(self, position: usize) -> Node<'a> {
        match self {
            Node::Object(object) => object.fields.get(position).copied().unwrap_or(Node::Absent),
            _ => Node::Absent,
        }
    }

    pub(crate) fn is_absent(self) -> bool {
        matches!(self, Node::Absent)
    }

    /// The items of a list, or the value itself, or nothing.
    pub(crate) fn items(self) -> Items<'a> {
        match self {
            Node::Absent => Items { single: None, next: None },
            Node::List(first) => Items { single: None, next: Some(first) },
            single => Items { single: Some(single), next: None },
        }
    }
}

/// Goes through the items of a node.
pub(crate) struct Items<'a> {
    single: Option<Node<'a>>,
    next: Option<&'a Item<'a>>,
}

impl<'a> Iterator for Items<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        if let Some(single) = self.single.take() {
            return Some(single);
        }
        let item = self.next?;
        self.next = item.next.get();
        Some(item.node)
    }
}

/// How many bytes from the beginning a JSON string holds as they are: neither quote, backslash nor
/// control character. Looks at eight bytes at a time.
pub(crate) fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
    let (chunks, tail) = bytes.as_chunks::<8>();
    for (index, chunk) in chunks.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & TOPS;
        // a carry may mark bytes after the first one found, never before it
        let found = quote | backslash | control;
        if found != 0 {
            return index * 8 + (found.trailing_zeros() / 8) as usize;
        }
    }
    let special = |b: &u8| matches!(b, b'"' | b'\\') || *b < 0x20;
    bytes.len() - tail.len() + tail.iter().position(special).unwrap_or(tail.len())
}

/// Several texts as one, in the arena.
pub(crate) fn joined<'a>(bump: &'a bumpalo::Bump, parts: &[&str]) -> &'a str {
    let length = parts.iter().map(|part| part.len()).sum();
    let bytes: &'a mut [u8] = bump.alloc_slice_fill_copy(length, 0);
    let mut rest = &mut *bytes;
    for part in parts {
        let (head, tail) = rest.split_at_mut(part.len());
        head.copy_from_slice(part.as_bytes());
        rest = tail;
    }
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Where a text or number of the record stands, as a JSON pointer; found by its address.
pub(crate) fn pointer_to(model: &Model, root: Node<'_>, wanted: Node<'_>) -> Option<String> {
    let mut path = Vec::new();
    find(model, root, wanted, &mut path).then(|| path.concat())
}

fn find(model: &Model, node: Node<'_>, wanted: Node<'_>, path: &mut Vec<String>) -> bool {
    let same = match (node, wanted) {
        (Node::Text(a), Node::Text(b)) | (Node::Number(a), Node::Number(b)) => {
            std::ptr::eq(a.as_ptr(), b.as_ptr())
        }
        (Node::Object(a), Node::Object(b)) => {
            std::ptr::addr_eq(std::ptr::from_ref(a), std::ptr::from_ref(b))
        }
        _ => false,
    };
    if same {
        return true;
    }
    match node {
        Node::Object(object) => {
            let Some(t) = model.types.get(object.of) else { return false };
            object
                .fields
                .iter()
                .zip(&t.fields)
                .any(|(value, field)| step(model, *value, wanted, path, &field.name))
        }
        Node::List(_) => node
            .items()
            .enumerate()
            .any(|(index, item)| step(model, item, wanted, path, &index.to_string())),
        _ => false,
    }
}

fn step(
    model: &Model,
    node: Node<'_>,
    wanted: Node<'_>,
    path: &mut Vec<String>,
    name: &str,
) -> bool {
    path.push(format!("/{name}"));
    let found = find(model, node, wanted, path);
    if !found {
        path.pop();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn the_plain_beginning_of_a_string_ends_at_the_first_special_byte() {
        for special in [b'"', b'\\', b'\n', 0, 0x1f] {
            for at in 0..20 {
                let mut bytes = "aé!#[]~\u{7f}zz".repeat(3).into_bytes();
                if let Some(place) = bytes.get_mut(at) {
                    *place = special;
                }
                assert_eq!(plain(&bytes), at, "{special} at {at}");
            }
        }
        assert_eq!(plain("no special bytes é".as_bytes()), 19);
    }
}
