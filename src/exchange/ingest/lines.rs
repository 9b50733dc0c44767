//! Splits a stream into records, one a line or one an element, holding no more than one of them.

use std::io::{self, BufRead, Read};

use aws_lc_rs::digest::{Context, SHA256};

/// The longest record, in bytes.
pub(crate) const LONGEST: usize = 4 * 1024 * 1024;

/// One record's bytes as they came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The line on which it starts, from 1.
    pub line: u64,
    /// Its bytes, or of one that is too long only what identifies it.
    pub content: Content,
}

/// The bytes of a piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// All of them.
    Whole(Vec<u8>),
    /// The piece has more than [`LONGEST`] bytes, which were not held.
    TooLong {
        /// How many it has.
        length: u64,
        /// SHA-256 over them.
        hash: [u8; 32],
    },
}

/// How records follow each other in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One a line.
    Lines,
    /// One JSON value, or an array of them.
    Json,
}

/// Cuts a stream into pieces.
pub(crate) struct Pieces<R> {
    input: R,
    layout: Layout,
    line: u64,
    /// Whether an array was opened, whose elements are the pieces.
    in_array: bool,
    closed: bool,
    started: bool,
}

impl<R: BufRead> Pieces<R> {
    /// Starts at the beginning of `input`.
    pub(crate) fn new(input: R, layout: Layout) -> Self {
        Self { input, layout, line: 1, in_array: false, closed: false, started: false }
    }

    /// The next piece; blank lines are none.
    pub(crate) fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        if !self.started {
            self.started = true;
            if self.input.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
                self.input.consume(3);
            }
        }
        match self.layout {
            Layout::Lines => self.next_line(),
            Layout::Json => self.next_value(),
        }
    }

    /// The line that comes next.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    fn next_line(&mut self) -> io::Result<Option<Piece>> {
        loop {
            let line = self.line;
            let mut bytes = Vec::new();
            let mut limited = self.input.by_ref().take(LONGEST as u64 + 1);
            if limited.read_until(b'\n', &mut bytes)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if bytes.len() > LONGEST && bytes.last() != Some(&b'\n') {
                let mut rest = Excess::of(&bytes);
                drop(bytes);
                self.pass_line(&mut rest)?;
                return Ok(Some(Piece { line, content: rest.content() }));
            }
            if !bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(Piece { line, content: Content::Whole(bytes) }));
            }
        }
    }

    /// Passes over the rest of a line.
    fn pass_line(&mut self, excess: &mut Excess) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(buffer.len(), |at| at + 1);
            excess.add(buffer.get(..end.unwrap_or(taken)).unwrap_or_default());
            self.input.consume(taken);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    fn next_value(&mut self) -> io::Result<Option<Piece>> {
        while let Some(byte) = self.byte()? {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                b'[' if !self.in_array => self.in_array = true,
                b',' if self.in_array => {}
                b']' if self.in_array => self.closed = true,
                byte => {
                    let line = self.line;
                    return self.value(byte).map(|content| Some(Piece { line, content }));
                }
            }
        }
        // An array that was never closed was cut off: its bracket stands for what is missing.
        let cut = self.in_array && !self.closed;
        self.closed = true;
        Ok(cut.then(|| Piece { line: self.line, content: Content::Whole(b"[".to_vec()) }))
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.input.fill_buf()?.first().copied();
        self.input.consume(usize::from(byte.is_some()));
        Ok(byte)
    }

    /// Reads one value that starts with `first`, up to where its brackets are closed.
    fn value(&mut self, first: u8) -> io::Result<Content> {
        let mut shape = Shape::default();
        let mut bytes = vec![first];
        let mut excess: Option<Excess> = None;
        let mut open = shape.take(first);
        while open {
            let Some(byte) = self.input.fill_buf()?.first().copied() else { break };
            if shape.is_bare() && matches!(byte, b',' | b']' | b'\n') {
                break;
            }
            self.input.consume(1);
            self.line += u64::from(byte == b'\n');
            open = shape.take(byte);
            bytes.push(byte);
            if bytes.len() > LONGEST {
                excess.get_or_insert_with(|| Excess::of(&[])).add(&bytes);
                bytes.clear();
            }
        }
        Ok(match excess {
            Some(mut excess) => {
                excess.add(&bytes);
                excess.content()
            }
            None => Content::Whole(bytes),
        })
    }
}

/// Where the reader is within a value.
#[derive(Default)]
struct Shape {
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl Shape {
    /// Takes one byte; answers whether the value goes on.
    fn take(&mut self, byte: u8) -> bool {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return self.in_text || self.depth > 0;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth > 0;
            }
            _ => {}
        }
        true
    }

    /// Whether the value is neither text nor within brackets, so that a comma ends it.
    fn is_bare(&self) -> bool {
        self.depth == 0 && !self.in_text
    }
}

/// What is known of bytes that are too many to hold.
struct Excess {
    length: u64,
    hash: Context,
}

impl Excess {
    fn of(bytes: &[u8]) -> Self {
        let mut excess = Self { length: 0, hash: Context::new(&SHA256) };
        excess.add(bytes);
        excess
    }

    fn add(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.hash.update(bytes);
    }

    fn content(self) -> Content {
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(self.hash.finish().as_ref()) {
            *to = *from;
        }
        Content::TooLong { length: self.length, hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str, layout: Layout) -> Vec<(u64, String)> {
        let mut pieces = Pieces::new(text.as_bytes(), layout);
        std::iter::from_fn(|| pieces.next_piece().unwrap())
            .map(|piece| match piece.content {
                Content::Whole(bytes) => (piece.line, String::from_utf8(bytes).unwrap()),
                Content::TooLong { length, .. } => (piece.line, format!("too long: {length}")),
            })
            .collect()
    }

    #[test]
    fn each_line_is_a_record_and_blank_lines_are_none() {
        let found = pieces("\u{feff}{\"a\":1}\r\n\n  \n{\"b\":2}", Layout::Lines);
        assert_eq!(found, [(1, "{\"a\":1}\r\n".into()), (4, "{\"b\":2}".into())]);
    }

    #[test]
    fn a_json_file_holds_one_record_or_an_array() {
        let one = "\n{\"a\":\n\"]}\\\"\"}\n";
        assert_eq!(pieces(one, Layout::Json), [(2, "{\"a\":\n\"]}\\\"\"}".into())]);
        let many = "[\n{\"a\":[1,2]},\n{\"b\":{}} , 3\n]";
        let expected = [(2, "{\"a\":[1,2]}".into()), (3, "{\"b\":{}}".into()), (3, "3".into())];
        assert_eq!(pieces(many, Layout::Json), expected);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let text = format!("{{}}\n{}\n{{}}\n", "x".repeat(LONGEST + 1));
        let found = pieces(&text, Layout::Lines);
        assert_eq!(found[1], (2, format!("too long: {}", LONGEST + 1)));
        assert_eq!(found[2], (3, "{}\n".into()));
        assert_eq!(pieces("[{},", Layout::Json), [(1, "{}".into()), (1, "[".into())]);
        let text = format!("[\"{}\",{{}}]", "x".repeat(LONGEST));
        let found = pieces(&text, Layout::Json);
        assert_eq!(found, [(1, format!("too long: {}", LONGEST + 2)), (1, "{}".into())]);
    }
}
