//! The bytes of an answer, in one piece or in several that are not put together only to be sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::{Bytes, BytesMut};

/// How much is handed to the connection at a time, which copies it: a client that does not read
/// holds no more memory than that.
const SLICE: usize = 64 * 1024;

/// The bytes of an answer.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// One piece.
    Whole(Bytes),
    /// Several, one after another.
    Parts(Parts),
}

/// Pieces that are left to be sent.
#[derive(Debug, Clone)]
pub(super) struct Parts([Bytes; 3]);

impl Content {
    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Parts(parts) => parts.len(),
        }
    }

    /// All of it in one piece.
    pub(super) fn whole(&self) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes.clone(),
            Self::Parts(Parts(parts)) => {
                let mut whole = BytesMut::with_capacity(self.len());
                for part in parts {
                    whole.extend_from_slice(part);
                }
                whole.freeze()
            }
        }
    }

    /// It as the body of a response.
    pub(super) fn body(self) -> BoxBody {
        match self {
            Self::Whole(bytes) => BoxBody::new(bytes),
            Self::Parts(parts) => BoxBody::new(parts),
        }
    }
}

impl<T: Into<Bytes>> From<T> for Content {
    fn from(bytes: T) -> Self {
        Self::Whole(bytes.into())
    }
}

impl From<[Bytes; 3]> for Parts {
    fn from(parts: [Bytes; 3]) -> Self {
        Self(parts)
    }
}

impl Parts {
    fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }
}

impl MessageBody for Parts {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let next = self.0.iter_mut().find(|part| !part.is_empty());
        Poll::Ready(next.map(|part| Ok(part.split_to(part.len().min(SLICE)))))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    #[actix_web::test]
    async fn parts_are_sent_as_the_whole() {
        let part = |length: usize| Bytes::from(vec![b'x'; length]);
        for lengths in [[0, 0, 0], [1, 0, 2], [3, 2 * SLICE, 1], [0, SLICE + 1, 0]] {
            let content = Content::Parts(Parts::from(lengths.map(part)));
            let whole = content.whole();
            assert_eq!(whole.len(), lengths.iter().sum::<usize>());
            assert_eq!(content.len(), whole.len());
            let body = content.body();
            assert!(matches!(body.size(), BodySize::Sized(size) if size == whole.len() as u64));
            assert_eq!(to_bytes(body).await.unwrap(), whole);
        }
    }
}
