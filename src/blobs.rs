//! The blobs port: files that are too long for a row, kept for a while, encrypted at rest.
//!
//! A file is written once, from its start to its end, and has a name that says when it is over and
//! that nobody can guess. Where the bytes lie is an adapter of `object_store`: a folder, or a bucket
//! of an S3-compatible service. Either sees ciphertext only (`blobs/seal`).

mod place;
mod seal;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};

use self::seal::{CHUNK, Opener, SEALED_CHUNK, Sealer};
use crate::error::{Error, Result};

pub use self::place::Place;
pub use self::seal::BlobKey;

/// How many parts may be on their way.
const ON_THE_WAY: usize = 1;
/// How long an unfinished file may lie in a folder: longer than anybody writes one.
const UNFINISHED: Duration = Duration::from_hours(24);

/// The bytes of a file, as they are read.
pub type BlobStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// Keeps files.
#[derive(Clone)]
pub struct Blobs {
    place: Place,
    objects: Arc<dyn ObjectStore>,
    key: BlobKey,
}

impl Blobs {
    /// Keeps files there, under keys that this one covers.
    ///
    /// # Errors
    ///
    /// `Setup`, with what to put right.
    pub fn open(place: Place, key: BlobKey) -> Result<Self> {
        let objects = place.open()?;
        Ok(Self { place, objects, key })
    }

    /// Begins a file that is kept until `expires`.
    pub async fn create(&self, expires: Timestamp) -> Result<BlobWriter> {
        let name = name(expires)?;
        let path = Path::from(name.as_str());
        let upload = self.objects.put_multipart(&path).await.map_err(Error::unavailable)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, self.place.part());
        let (sealer, head) = Sealer::new(&self.key, &name)?;
        upload.write(&head);
        Ok(BlobWriter { name, upload, sealer, pending: Vec::with_capacity(CHUNK), length: 0 })
    }

    /// A file from its start; `None` if there is none of this name, or its time is over.
    pub async fn read(&self, name: &str, now: Timestamp) -> Result<Option<BlobStream>> {
        if expiry(name).is_none_or(|expires| expires <= now) {
            return Ok(None);
        }
        let sealed = match self.objects.get(&Path::from(name)).await {
            Ok(found) => found.into_stream(),
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(cause) => return Err(Error::unavailable(cause)),
        };
        let opener = Opener::new(self.key.clone(), name.to_owned());
        Ok(Some(opened(sealed.map_err(Error::unavailable).boxed(), opener)))
    }

    /// Takes a file away, if it is there.
    pub async fn delete(&self, name: &str) -> Result<()> {
        match self.objects.delete(&Path::from(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(cause) => Err(Error::unavailable(cause)),
        }
    }

    /// Takes away every file whose time is over; answers how many.
    pub async fn sweep(&self, now: Timestamp) -> Result<usize> {
        self.place.sweep(now - UNFINISHED)?;
        let names = self.objects.list(None).map_ok(|found| found.location);
        let names: Vec<Path> = names.try_collect().await.map_err(Error::unavailable)?;
        let mut swept = 0;
        for path in names {
            // What is not named as ours is not ours to take away.
            if expiry(path.as_ref()).is_some_and(|expires| expires <= now) {
                self.delete(path.as_ref()).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}

/// A file that is being written. One that is not finished is taken away by the sweep.
pub struct BlobWriter {
    name: String,
    upload: WriteMultipart,
    sealer: Sealer,
    pending: Vec<u8>,
    length: u64,
}

impl BlobWriter {
    /// Adds bytes.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.length += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.pending.len() == CHUNK {
                // More follows, so this is not the last.
                self.flush(false).await?;
            }
            let room = CHUNK - self.pending.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Ends the file; answers its name and its length.
    pub async fn finish(mut self) -> Result<(String, u64)> {
        self.flush(true).await?;
        self.upload.finish().await.map_err(Error::unavailable)?;
        Ok((self.name, self.length))
    }

    /// Gives the file up.
    pub async fn abort(self) -> Result<()> {
        self.upload.abort().await.map_err(Error::unavailable)
    }

    async fn flush(&mut self, is_last: bool) -> Result<()> {
        self.upload.wait_for_capacity(ON_THE_WAY).await.map_err(Error::unavailable)?;
        self.sealer.seal(&mut self.pending, is_last)?;
        self.upload.write(&self.pending);
        self.pending.clear();
        Ok(())
    }
}

/// The plain bytes of sealed ones.
fn opened(sealed: Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>, opener: Opener) -> BlobStream {
    let state = (sealed, opener, false);
    let steps = stream::try_unfold(state, |(mut sealed, mut opener, ended)| async move {
        if ended {
            return Ok(None);
        }
        loop {
            if let Some(plain) = opener.next()? {
                return Ok(Some((plain, (sealed, opener, false))));
            }
            match sealed.next().await {
                Some(bytes) => opener.push(&bytes?),
                None => return Ok(Some((opener.last()?, (sealed, opener, true)))),
            }
        }
    });
    steps.try_filter(|bytes| std::future::ready(!bytes.is_empty())).boxed()
}

/// The longest piece that is read at once.
const _: () = assert!(SEALED_CHUNK > CHUNK);

/// A new name: when the file is over, in seconds since 1970, and 128 random bits.
fn name(expires: Timestamp) -> Result<String> {
    let mut random = [0; 16];
    SystemRandom::new().fill(&mut random).map_err(Error::internal)?;
    Ok(format!("{:011x}-{}", expires.as_second().max(0), hex::encode(random)))
}

/// When a file of this name is over.
fn expiry(name: &str) -> Option<Timestamp> {
    let (seconds, random) = name.split_once('-')?;
    let is_ours = seconds.len() == 11 && random.len() == 32;
    let seconds = i64::from_str_radix(seconds, 16).ok().filter(|_| is_ours)?;
    Timestamp::from_second(seconds).ok()
}
