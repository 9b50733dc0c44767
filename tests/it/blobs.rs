//! Kept files: the contract of every place, through the port.

use std::path::Path;

use futures_util::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use throughline::blobs::{BlobKey, Blobs, Place};

use crate::support::bucket;

fn now() -> Timestamp {
    "2026-11-28T10:00:00Z".parse().unwrap()
}

fn hence(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

fn key() -> BlobKey {
    BlobKey::new([3; 32])
}

async fn keep(blobs: &Blobs, text: &[u8], minutes: i64) -> String {
    let mut writer = blobs.create(hence(minutes)).await.unwrap();
    for piece in text.chunks(100_003) {
        writer.write(piece).await.unwrap();
    }
    let (name, length) = writer.finish().await.unwrap();
    assert_eq!(length, text.len() as u64);
    name
}

async fn read(blobs: &Blobs, name: &str, at: Timestamp) -> Option<Vec<u8>> {
    let stream = blobs.read(name, at).await.unwrap()?;
    let pieces: Vec<_> = stream.try_collect().await.unwrap();
    Some(pieces.concat())
}

/// What every place does.
async fn contract(place: Place) {
    let blobs = Blobs::open(place, key()).unwrap();
    let long: Vec<u8> = (0..12_000_000_u32).map(|i| (i % 251) as u8).collect();
    for text in [&b""[..], b"short", &long] {
        let name = keep(&blobs, text, 60).await;
        assert_eq!(read(&blobs, &name, now()).await.as_deref(), Some(text));
        assert_eq!(read(&blobs, &name, hence(60)).await, None, "its time is over");
        blobs.delete(&name).await.unwrap();
        assert_eq!(read(&blobs, &name, now()).await, None);
        blobs.delete(&name).await.unwrap();
    }
    let (early, late) = (keep(&blobs, b"early", 5).await, keep(&blobs, b"late", 90).await);
    assert_eq!(blobs.sweep(hence(10)).await.unwrap(), 1);
    assert_eq!(blobs.sweep(hence(10)).await.unwrap(), 0);
    assert_eq!(read(&blobs, &early, now()).await, None);
    assert_eq!(read(&blobs, &late, now()).await.as_deref(), Some(&b"late"[..]));
    for name in ["", "../keys.json", "0-0", "zz", "0000000000g-00000000000000000000000000000000"] {
        assert_eq!(read(&blobs, name, now()).await, None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_keeps_files() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().join("deep/er"));
    contract(place.clone()).await;
    let blobs = Blobs::open(place, key()).unwrap();
    let mut given_up = blobs.create(hence(1)).await.unwrap();
    given_up.write(&vec![7; 12_000_000]).await.unwrap();
    given_up.abort().await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("deep/er")).unwrap().count(), 1, "late alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_files() {
    let bucket = bucket::start();
    contract(Place::Bucket(Box::new(bucket.settings("")))).await;
    contract(Place::Bucket(Box::new(bucket.settings("gateway/files")))).await;
}

fn on_disk(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|path| std::fs::read(path).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_a_folder_can_be_read_by_nobody_else_and_not_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(Place::Folder(folder.path().to_owned()), key()).unwrap();
    let name = keep(&blobs, b"ZZSECRET of a client", 60).await;
    let bytes = on_disk(folder.path());
    assert!(!bytes.windows(8).any(|window| window == b"ZZSECRET"));
    let other = BlobKey::new([4; 32]);
    let others = Blobs::open(Place::Folder(folder.path().to_owned()), other).unwrap();
    let stream = others.read(&name, now()).await.unwrap().unwrap();
    assert!(stream.try_collect::<Vec<_>>().await.is_err());
    let path = folder.path().join(&name);
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let stream = blobs.read(&name, now()).await.unwrap().unwrap();
    assert!(stream.try_collect::<Vec<_>>().await.is_err());
}
