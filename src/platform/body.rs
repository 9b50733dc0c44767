//! A body on its way in: hashed, unpacked and bounded while it arrives, and looked at by nobody
//! before all of it is there.
//!
//! A small body stays in memory. A larger one goes to a file without a name, which only this
//! process can open and which is gone with it.

use std::fmt;
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use flate2::write::MultiGzDecoder;
use futures_util::{Stream, StreamExt};
use tempfile::SpooledTempFile;

/// What stays in memory, in bytes.
const IN_MEMORY: usize = 256 * 1024;
/// What is handed to the file at once, in bytes.
const CHUNK: usize = 64 * 1024;
/// The longest pause of a sender in the middle of a body.
const PAUSE: Duration = Duration::from_secs(20);

/// How a body is coded (`Content-Encoding`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Identity,
    /// One gzip member or several.
    Gzip,
}

impl Coding {
    /// The coding of this name, if it is one of the two.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "" | "identity" => Some(Self::Identity),
            "gzip" => Some(Self::Gzip),
            _ => None,
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
        }
    }
}

/// How much of a body is taken.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes as they are sent.
    pub sent: u64,
    /// Bytes once unpacked.
    pub plain: u64,
    /// Lines.
    pub lines: u64,
}

/// Why a body is not taken.
#[derive(Debug)]
pub enum Fault {
    /// It has more bytes than this.
    TooLarge(u64),
    /// It has more lines than this.
    TooManyLines(u64),
    /// It says that it is gzip, and is not, or ends in the middle.
    NotGzip,
    /// The sender stopped before the end.
    Cut,
    /// The sender paused for too long.
    Slow,
    /// It cannot be kept.
    NoRoom(io::Error),
}

/// Takes a body in.
pub struct Spool {
    sink: Sink,
    hash: Context,
    sent: u64,
}

enum Sink {
    Plain(Plain),
    Packed(Box<MultiGzDecoder<Plain>>),
}

/// The unpacked bytes, counted.
struct Plain {
    file: SpooledTempFile,
    length: u64,
    lines: u64,
    limits: Limits,
    fault: Option<Fault>,
}

/// A body that is there as a whole.
pub struct Body {
    /// The unpacked bytes, from their beginning.
    pub reader: BufReader<SpooledTempFile>,
    /// SHA-256 of what was sent.
    pub digest: [u8; 32],
}

impl Spool {
    /// A body that comes in this coding; what does not stay in memory goes to `folder`.
    pub fn new(folder: &Path, coding: Coding, limits: Limits) -> Self {
        let file = SpooledTempFile::new_in(IN_MEMORY, folder);
        let plain = Plain { file, length: 0, lines: 0, limits, fault: None };
        let sink = match coding {
            Coding::Identity => Sink::Plain(plain),
            Coding::Gzip => Sink::Packed(Box::new(MultiGzDecoder::new(plain))),
        };
        Self { sink, hash: Context::new(&SHA256), sent: 0 }
    }

    /// Takes in all of `stream`.
    ///
    /// # Errors
    ///
    /// The first fault; nothing of the body is kept then.
    pub async fn receive<B: AsRef<[u8]>, E>(
        mut self,
        stream: impl Stream<Item = Result<B, E>>,
    ) -> Result<Body, Fault> {
        let mut stream = std::pin::pin!(stream);
        let mut chunk = Vec::new();
        loop {
            let next = tokio::time::timeout(PAUSE, stream.next()).await;
            let Some(bytes) = next.map_err(|_elapsed| Fault::Slow)? else { break };
            let bytes = bytes.map_err(|_cut| Fault::Cut)?;
            chunk.extend_from_slice(bytes.as_ref());
            if chunk.len() >= CHUNK {
                (self, chunk) = self.write_aside(chunk).await?;
            }
        }
        self.write(&chunk)?;
        self.finish()
    }

    /// Writes on a thread that may wait for the disk; answers the emptied chunk.
    async fn write_aside(mut self, mut chunk: Vec<u8>) -> Result<(Self, Vec<u8>), Fault> {
        let task = tokio::task::spawn_blocking(move || {
            self.write(&chunk)?;
            chunk.clear();
            Ok((self, chunk))
        });
        task.await.unwrap_or_else(|cause| Err(Fault::NoRoom(io::Error::other(cause))))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.sent += bytes.len() as u64;
        let (written, plain) = match &mut self.sink {
            Sink::Plain(plain) => (plain.write_all(bytes), plain),
            Sink::Packed(packed) => (packed.write_all(bytes), packed.get_mut()),
        };
        if self.sent > plain.limits.sent {
            return Err(Fault::TooLarge(plain.limits.sent));
        }
        self.hash.update(bytes);
        written.map_err(|_cause| plain.fault.take().unwrap_or(Fault::NotGzip))
    }

    fn finish(self) -> Result<Body, Fault> {
        let mut plain = match self.sink {
            Sink::Plain(plain) => plain,
            // No byte at all is no body, and not a broken one.
            Sink::Packed(mut packed) if self.sent > 0 => match packed.try_finish() {
                Ok(()) => packed.finish().map_err(|_cut| Fault::NotGzip)?,
                Err(_cause) => return Err(packed.get_mut().fault.take().unwrap_or(Fault::NotGzip)),
            },
            Sink::Packed(_) => return Err(Fault::NotGzip),
        };
        plain.file.seek(SeekFrom::Start(0)).map_err(Fault::NoRoom)?;
        let mut digest = [0; 32];
        digest.copy_from_slice(self.hash.finish().as_ref());
        Ok(Body { reader: BufReader::with_capacity(CHUNK, plain.file), digest })
    }
}

impl Write for Plain {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.length += bytes.len() as u64;
        self.lines += bytes.split(|byte| *byte == b'\n').skip(1).count() as u64;
        if self.length > self.limits.plain {
            self.fault = Some(Fault::TooLarge(self.limits.plain));
        } else if self.lines > self.limits.lines {
            self.fault = Some(Fault::TooManyLines(self.limits.lines));
        } else if let Err(cause) = self.file.write_all(bytes) {
            self.fault = Some(Fault::NoRoom(cause));
        } else {
            return Ok(bytes.len());
        }
        Err(io::Error::other("the body is not taken"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const LIMITS: Limits = Limits { sent: 1_000_000, plain: 2_000_000, lines: 1_000 };

    fn receive(coding: Coding, limits: Limits, bytes: &[u8]) -> Result<String, Fault> {
        let folder = tempfile::tempdir().unwrap();
        let chunks: Vec<Result<Vec<u8>, ()>> =
            bytes.chunks(1_000).map(|chunk| Ok(chunk.to_vec())).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let spool = Spool::new(folder.path(), coding, limits);
        let mut body = runtime.block_on(spool.receive(futures_util::stream::iter(chunks)))?;
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
        let mut text = String::new();
        body.reader.read_to_string(&mut text).unwrap();
        Ok(text)
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn a_body_comes_out_as_it_went_in_whatever_its_size_and_coding() {
        for size in [0, 10, 300_000, 900_000] {
            let text = "x".repeat(size);
            assert_eq!(receive(Coding::Identity, LIMITS, text.as_bytes()).unwrap(), text);
            assert_eq!(receive(Coding::Gzip, LIMITS, &packed(text.as_bytes())).unwrap(), text);
        }
        let twice = [packed(b"a"), packed(b"b")].concat();
        assert_eq!(receive(Coding::Gzip, LIMITS, &twice).unwrap(), "ab");
    }

    #[test]
    fn what_is_too_large_is_refused_before_and_after_it_is_unpacked() {
        let large = vec![b'x'; 1_000_001];
        let refused = receive(Coding::Identity, LIMITS, &large).unwrap_err();
        assert!(matches!(refused, Fault::TooLarge(1_000_000)), "{refused:?}");
        let bomb = packed(&vec![b'x'; 50_000_000]);
        assert!(bomb.len() < 1_000_000);
        let refused = receive(Coding::Gzip, LIMITS, &bomb).unwrap_err();
        assert!(matches!(refused, Fault::TooLarge(2_000_000)), "{refused:?}");
        let lines = receive(Coding::Gzip, LIMITS, &packed(&[b'\n'; 1_001])).unwrap_err();
        assert!(matches!(lines, Fault::TooManyLines(1_000)), "{lines:?}");
    }

    #[test]
    fn what_is_no_gzip_or_only_the_start_of_one_is_refused() {
        let whole = packed(b"a record that is long enough");
        let mut trailing = whole.clone();
        trailing.extend_from_slice(b"more");
        for bytes in
            [b"plain text".as_slice(), b"", &whole[..10], &whole[..whole.len() - 1], &trailing]
        {
            let refused = receive(Coding::Gzip, LIMITS, bytes).map(|text| text.len());
            assert!(matches!(refused, Err(Fault::NotGzip)), "{refused:?}");
        }
    }
}
