//! Encryption of files: a key for each, in chunks, so that one of any length is written and read
//! with little memory.
//!
//! A file begins with its format, and with its key, which is sealed with a key of the installation
//! (AES-256-GCM, a random nonce, the file's name authenticated). Chunks of 64 KiB follow, each sealed
//! with the file's key under its number and whether it is the last, so that none can be moved, left
//! out or cut off unnoticed.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use bytes::{Bytes, BytesMut};

use crate::error::{Error, Result};

/// The first byte of every file, for a later change of algorithm.
const FORMAT: u8 = 1;
/// The length of a key, in bytes.
const KEY: usize = 32;
/// The length of a tag, in bytes.
const TAG: usize = 16;
/// What comes before the chunks: the format, a nonce, and the sealed key.
const HEAD: usize = 1 + NONCE_LEN + KEY + TAG;
/// How many plain bytes a chunk has; the last one may have fewer.
pub(super) const CHUNK: usize = 64 * 1024;
/// A chunk with its tag.
pub(super) const SEALED_CHUNK: usize = CHUNK + TAG;

/// What came of something with a key.
type Sealing<T> = std::result::Result<T, Unspecified>;

/// The installation's key, which covers the keys of files.
#[derive(Clone)]
pub struct BlobKey([u8; KEY]);

impl BlobKey {
    /// A key from its bytes.
    pub fn new(bytes: [u8; KEY]) -> Self {
        Self(bytes)
    }
}

fn key(bytes: &[u8; KEY]) -> Sealing<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new)
}

/// The nonce of a chunk: no two chunks of a key have the same.
fn nonce(number: u32, is_last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let number = number.to_be_bytes();
    for (place, byte) in bytes.iter_mut().zip(number.iter().chain([&u8::from(is_last)])) {
        *place = *byte;
    }
    Nonce::assume_unique_for_key(bytes)
}

/// Seals a file.
pub(super) struct Sealer {
    key: LessSafeKey,
    number: u32,
}

impl Sealer {
    /// A sealer with a key of its own, and what the file begins with.
    pub(super) fn new(cover: &BlobKey, name: &str) -> Result<(Self, Vec<u8>)> {
        let new = || {
            let random = SystemRandom::new();
            let (mut own, mut salt) = ([0; KEY], [0; NONCE_LEN]);
            random.fill(&mut own)?;
            random.fill(&mut salt)?;
            let mut sealed = own.to_vec();
            let cover = key(&cover.0)?;
            let salted = Nonce::assume_unique_for_key(salt);
            cover.seal_in_place_append_tag(salted, Aad::from(name.as_bytes()), &mut sealed)?;
            let mut head = Vec::with_capacity(HEAD);
            head.push(FORMAT);
            head.extend_from_slice(&salt);
            head.append(&mut sealed);
            Ok((Self { key: key(&own)?, number: 0 }, head))
        };
        new().map_err(|cause: Unspecified| Error::internal(cause))
    }

    /// Seals a chunk where it is.
    pub(super) fn seal(&mut self, chunk: &mut Vec<u8>, is_last: bool) -> Result<()> {
        let nonce = nonce(self.number, is_last);
        let next = self.number.checked_add(1);
        self.number = next.ok_or_else(|| Error::broken("a file has too many chunks"))?;
        self.key.seal_in_place_append_tag(nonce, Aad::empty(), chunk).map_err(Error::internal)
    }
}

/// Opens a file.
pub(super) struct Opener {
    cover: BlobKey,
    name: String,
    key: Option<LessSafeKey>,
    number: u32,
    waiting: BytesMut,
}

impl Opener {
    /// An opener of the file of that name.
    pub(super) fn new(cover: BlobKey, name: String) -> Self {
        Self { cover, name, key: None, number: 0, waiting: BytesMut::new() }
    }

    /// Takes sealed bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next chunk, if it is whole and known not to be the last.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        if self.key.is_none() && self.waiting.len() >= HEAD {
            let head = self.waiting.split_to(HEAD);
            self.key = Some(self.uncover(&head).map_err(|_forged| damaged())?);
        }
        if self.key.is_none() || self.waiting.len() <= SEALED_CHUNK {
            return Ok(None);
        }
        let chunk = self.waiting.split_to(SEALED_CHUNK);
        self.open(chunk, false).map(Some)
    }

    /// The last chunk, once all bytes are here.
    pub(super) fn last(&mut self) -> Result<Bytes> {
        let chunk = std::mem::take(&mut self.waiting);
        self.open(chunk, true)
    }

    fn uncover(&self, head: &[u8]) -> Sealing<LessSafeKey> {
        let (format, rest) = head.split_first().ok_or(Unspecified)?;
        let (salt, sealed) = rest.split_at_checked(NONCE_LEN).ok_or(Unspecified)?;
        if *format != FORMAT {
            return Err(Unspecified);
        }
        let salt = Nonce::try_assume_unique_for_key(salt)?;
        let mut sealed = sealed.to_vec();
        let aad = Aad::from(self.name.as_bytes());
        let own = key(&self.cover.0)?.open_in_place(salt, aad, &mut sealed)?;
        let own: &[u8; KEY] = (&*own).try_into().map_err(|_length| Unspecified)?;
        key(own)
    }

    fn open(&mut self, mut chunk: BytesMut, is_last: bool) -> Result<Bytes> {
        let own = self.key.as_ref().ok_or_else(damaged)?;
        let nonce = nonce(self.number, is_last);
        self.number = self.number.checked_add(1).ok_or_else(damaged)?;
        let opened = own.open_in_place(nonce, Aad::empty(), &mut chunk);
        let length = opened.map_err(|_forged| damaged())?.len();
        chunk.truncate(length);
        Ok(chunk.freeze())
    }
}

/// A file that is not as it was written, or was written under other keys.
fn damaged() -> Error {
    Error::broken("a kept file cannot be opened: it was changed, cut off, or has other keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cover() -> BlobKey {
        BlobKey::new([7; 32])
    }

    fn seal(text: &[u8], name: &str) -> Vec<u8> {
        let (mut sealer, mut sealed) = Sealer::new(&cover(), name).unwrap();
        let mut chunks: Vec<Vec<u8>> = text.chunks(CHUNK).map(<[u8]>::to_vec).collect();
        if chunks.is_empty() {
            chunks.push(Vec::new());
        }
        let last = chunks.len() - 1;
        for (i, mut chunk) in chunks.into_iter().enumerate() {
            sealer.seal(&mut chunk, i == last).unwrap();
            sealed.append(&mut chunk);
        }
        sealed
    }

    fn open(sealed: &[u8], name: &str, cover: BlobKey, step: usize) -> Result<Vec<u8>> {
        let mut opener = Opener::new(cover, name.to_owned());
        let mut text = Vec::new();
        for piece in sealed.chunks(step) {
            opener.push(piece);
            while let Some(plain) = opener.next()? {
                text.extend_from_slice(&plain);
            }
        }
        text.extend_from_slice(&opener.last()?);
        Ok(text)
    }

    #[test]
    fn a_file_of_any_length_is_read_as_it_was_written() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5] {
            let text: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let sealed = seal(&text, "n");
            for step in [1000, SEALED_CHUNK, usize::MAX >> 1] {
                assert_eq!(open(&sealed, "n", cover(), step).unwrap(), text, "{length} {step}");
            }
        }
    }

    #[test]
    fn a_file_that_was_touched_is_not_read() {
        let sealed = seal(&vec![1; 2 * CHUNK], "n");
        let open = |sealed: &[u8]| open(sealed, "n", cover(), 9_999);
        for place in [0, 1, 20, HEAD, HEAD + CHUNK, sealed.len() - 1] {
            let mut touched = sealed.clone();
            touched[place] ^= 1;
            assert!(open(&touched).is_err(), "byte {place}");
        }
        for end in [0, HEAD - 1, HEAD, HEAD + SEALED_CHUNK, sealed.len() - 1] {
            assert!(open(&sealed[..end]).is_err(), "cut at {end}");
        }
        let mut swapped = sealed[..HEAD].to_vec();
        swapped.extend_from_slice(&sealed[HEAD + SEALED_CHUNK..]);
        swapped.extend_from_slice(&sealed[HEAD..HEAD + SEALED_CHUNK]);
        assert!(open(&swapped).is_err(), "swapped");
    }

    #[test]
    fn a_file_opens_under_its_own_name_and_keys_only() {
        let sealed = seal(b"secret", "n");
        assert!(open(&sealed, "m", cover(), 100).is_err());
        assert!(open(&sealed, "n", BlobKey::new([8; 32]), 100).is_err());
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
    }
}
