//! Reads sources on one thread and stores their records on another, a batch at a time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::accept::{self, Incoming, Refused};
use super::intake::{self, Arrival};
use super::lines::{Content, Pieces};
use super::plane;
use super::reject::Reject;
use super::report::Report;
use super::source::Source;
use super::{BATCH, Ingest, Progress, Watch};
use crate::domain::{Kind, TenantId};
use crate::error::{Error, Result};

/// Bytes of input after which a batch is closed, however few records it has.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Batches that may wait for the store.
const WAITING: usize = 2;

/// What became of one piece, and the line it starts on.
type Item = (Arc<str>, u64, std::result::Result<Box<Incoming>, Box<Refused>>);

/// Reads the sources and stores their records.
pub(crate) fn take_in(
    ingest: &Ingest<'_>,
    sources: Vec<Source>,
    report: &mut Report,
    watch: Watch<'_>,
) -> Result<()> {
    let total = sources.iter().map(|source| source.size).sum();
    let read = Arc::new(AtomicU64::new(0));
    report.files += sources.len() as u64;
    let (to_store, batches) = sync_channel(WAITING);
    thread::scope(|scope| {
        let reader = Reader { ingest, read: read.clone(), to_store };
        let reading = scope.spawn(move || reader.read(sources));
        let mut progress = || {
            watch(Progress::Reading { done: read.load(Ordering::Relaxed).min(total), total });
        };
        // A failure drops the receiver, upon which the reader stops too.
        let stored = store(ingest, batches, report, &mut progress);
        let panicked = || Error::broken("the thread that reads records panicked");
        let finished = reading.join().unwrap_or_else(|_panic| Err(panicked()));
        stored.and(finished)
    })
}

fn store(
    ingest: &Ingest<'_>,
    batches: Receiver<Vec<Item>>,
    report: &mut Report,
    progress: &mut dyn FnMut(),
) -> Result<()> {
    for batch in batches {
        let received = ingest.clock.now();
        let mut write = ingest.store.write()?;
        write.expect(&expected(&batch))?;
        for (file, line, item) in batch {
            let arrival = Arrival { origin: format!("{file}:{line}"), received };
            match item {
                Ok(incoming) => {
                    intake::store(&mut *write, &incoming, &arrival, report)?;
                }
                Err(refused) => intake::refuse(&mut *write, *refused, &arrival, report)?,
            }
        }
        write.commit()?;
        progress();
    }
    Ok(())
}

/// The records of a batch that will be offered.
fn expected(batch: &[Item]) -> Vec<(TenantId, Kind, String)> {
    let record = |(_, _, item): &Item| {
        let record = &item.as_ref().ok()?.record;
        Some((record.tenant.clone(), record.kind, record.id.clone()))
    };
    batch.iter().filter_map(record).collect()
}

struct Reader<'a> {
    ingest: &'a Ingest<'a>,
    read: Arc<AtomicU64>,
    to_store: SyncSender<Vec<Item>>,
}

impl Reader<'_> {
    fn read(self, sources: Vec<Source>) -> Result<()> {
        let mut batch = Batch::default();
        for source in sources {
            let file: Arc<str> = source.path.display().to_string().into();
            let mut pieces = Pieces::new(source.open(&self.read)?, source.layout);
            loop {
                let piece = match pieces.next_piece() {
                    Ok(Some(piece)) => piece,
                    Ok(None) => break,
                    Err(error) => {
                        let refused = unreadable(&source.path, &error);
                        batch.items.push((file, pieces.line(), Err(Box::new(refused))));
                        break;
                    }
                };
                if let Content::Whole(bytes) = &piece.content {
                    batch.bytes += bytes.len();
                }
                let item = accept::accept(piece.content, self.ingest.rules);
                batch.items.push((file.clone(), piece.line, item));
                if (batch.items.len() >= BATCH || batch.bytes >= BATCH_BYTES)
                    && self.to_store.send(std::mem::take(&mut batch).items).is_err()
                {
                    return Ok(());
                }
            }
        }
        // Whoever receives is gone only after a failure, which is reported there.
        let _gone = self.to_store.send(batch.items);
        Ok(())
    }
}

#[derive(Default)]
struct Batch {
    items: Vec<Item>,
    bytes: usize,
}

/// The rest of a file that cannot be read: a broken disk, or a gzip file that was cut off.
fn unreadable(path: &Path, error: &std::io::Error) -> Refused {
    let detail = format!(
        "the file cannot be read from here on ({}); send the rest of it again",
        error.kind()
    );
    let body = path.file_name().map(|name| name.to_string_lossy().into_owned().into_bytes());
    let body = body.unwrap_or_default();
    let isolated = plane::of_bytes(b"");
    let reject = Reject::new("unreadable_file", "", detail);
    Refused { reject, tenant: None, kind: None, id: None, isolated, body }
}
