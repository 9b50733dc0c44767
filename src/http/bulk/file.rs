//! A file of an export, handed out if everything in it may still be seen.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Bearing, permits};
use crate::blobs::BlobStream;
use crate::domain::FhirId;
use crate::error::Error;
use crate::exchange::bulk::{self, Ask, File, FileKind, Line, lines};
use crate::http::asking::Size;
use crate::http::disclosure::{Disclosure, Seen};
use crate::http::path::{Named, Segments};
use crate::http::terms::{NOTICE, STATEMENT};
use crate::http::weights::Weights;
use crate::http::{Refusal, State};
use crate::policy::{Mandate, Principal, notice};
use crate::store::{Job, JobState, Store};

/// The media type of the files.
const NDJSON: &str = "application/fhir+ndjson";
/// How hard it is tried to make them shorter.
const LEVEL: Compression = Compression::new(1);

/// Answers a file.
pub(in crate::http) async fn file(
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let segments = request.match_info();
    let (id, number) = FilePath::of(&|name| segments.get(name).unwrap_or_default())?.0;
    let (job, parts) = state.export(&request, &id).await?;
    let part = parts.iter().find(|part| part.number == number);
    let part = part.filter(|_| job.state == JobState::Done).ok_or(Error::NotFound)?;
    let file = File::read(part)?;
    let disclosure = match &file.names {
        Some(names) if file.kind == FileKind::Deleted => {
            state.still_gone(&request, &job, names).await?
        }
        Some(names) => state.still(&request, &job, &file, names).await?,
        None => Disclosure::default(),
    };
    let bytes = state.blobs.read(&file.blob, state.clock.now()).await?.ok_or(Error::NotFound)?;
    let mut response = HttpResponse::Ok();
    response.content_type(NDJSON);
    response.extensions_mut().insert(disclosure);
    if file.part2 {
        response.insert_header((NOTICE, notice::VERSION));
        response.insert_header((STATEMENT, notice::SHORT));
    }
    if takes_gzip(request.headers()) {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
        return Ok(response.streaming(gzipped(bytes)));
    }
    let sized = SizedStream::new(file.bytes, bytes);
    Ok(response.body(sized))
}

/// `bulk/{id}/{number}`.
struct FilePath((String, u32));

impl Named for FilePath {
    fn of(segments: Segments<'_>) -> Result<Self, Refusal> {
        let number = segments("number").parse().map_err(|_unread| Error::NotFound)?;
        Ok(Self((segments("id").to_owned(), number)))
    }
}

impl State {
    /// Who asks, and whom the file was made for, as they may see now.
    fn parties(
        &self,
        request: &HttpRequest,
        job: &Job,
    ) -> Result<(Bearing, Arc<Principal>), Refusal> {
        let mandate = Mandate::read(&job.new.mandate)?;
        let (now, able) = (self.clock.now(), self.audit.able());
        Ok((Bearing::of(request)?, bulk::exporter(&mandate, &job.new.tenant, now, able)?))
    }

    /// What a file shows, if all of it may still be seen by whoever it was made for.
    async fn still(
        &self,
        request: &HttpRequest,
        job: &Job,
        file: &File,
        names: &str,
    ) -> Result<Disclosure, Refusal> {
        let (bearing, exporter) = self.parties(request, job)?;
        let permits = permits(&bearing.principal, &exporter, &file.of)?;
        let named = lines(&self.blobs, names, self.clock.now()).await?.ok_or(Error::NotFound)?;
        let ids: Arc<[FhirId]> = named.iter().map(|line| line.id.clone()).collect();
        for (permit, refusal) in permits.into_iter().filter(|(permit, _)| !permit.is_open()) {
            let of = Arc::clone(&ids);
            let question = move |store: &dyn Store| store.still(&permit, &of);
            if self.ask(Size::Many, question).await? < ids.len() {
                return Err(refusal);
            }
        }
        let part2 = named.iter().filter(|line| line.part2);
        let part2 = part2.map(|line| format!("{}/{}", file.of, line.id)).collect();
        let seen = |Line { id, version, patient, .. }| {
            let resource_type = file.of.clone();
            Seen { resource_type, id, version, patient }
        };
        let seen = named.into_iter().map(seen).collect();
        let notes = if file.part2 { vec![("part2", "true".to_owned())] } else { Vec::new() };
        Ok(Disclosure { seen, part2, notes, ..Disclosure::default() })
    }

    /// Whether all that a file says is gone still is, and whoever it was made for might still have seen
    /// it: nobody is told of a client who has taken their consent back.
    async fn still_gone(
        &self,
        request: &HttpRequest,
        job: &Job,
        names: &str,
    ) -> Result<Disclosure, Refusal> {
        let (bearing, exporter) = self.parties(request, job)?;
        let ask = Ask::read(&job.new.task)?;
        let types = ask.types()?;
        let permits = types.iter().find_map(|of| permits(&bearing.principal, &exporter, of).ok());
        let named = lines(&self.blobs, names, self.clock.now()).await?.ok_or(Error::NotFound)?;
        for (permit, refusal) in permits.ok_or(Error::Denied)? {
            let ask = ask.clone();
            let question = move |store: &dyn Store| bulk::removed(store, &permit, &ask);
            let found = self.ask(Size::Many, question).await?.into_iter();
            let found: BTreeSet<(String, FhirId)> =
                found.map(|one| (one.resource_type, one.id)).collect();
            let is_there = |line: &Line| found.contains(&(line.version.clone(), line.id.clone()));
            if !named.iter().all(is_there) {
                return Err(refusal);
            }
        }
        Ok(Disclosure::default())
    }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let wanted = Weights::of(headers, &header::ACCEPT_ENCODING);
    let gzip = wanted.exact("gzip").or_else(|| wanted.exact("*")).unwrap_or(0.0);
    gzip > 0.0 && gzip >= wanted.exact("identity").unwrap_or(0.0)
}

/// The bytes made shorter piece by piece, with little memory.
fn gzipped(plain: BlobStream) -> impl futures_util::Stream<Item = Result<Bytes, Error>> {
    let encoder = GzEncoder::new(Vec::new(), LEVEL);
    let state = Some((plain, encoder));
    stream::try_unfold(state, |state| async move {
        let Some((mut plain, mut encoder)) = state else { return Ok(None) };
        if let Some(piece) = plain.next().await {
            encoder.write_all(&piece?).map_err(Error::internal)?;
            let short = std::mem::take(encoder.get_mut());
            return Ok(Some((Bytes::from(short), Some((plain, encoder)))));
        }
        let short = encoder.finish().map_err(Error::internal)?;
        Ok(Some((Bytes::from(short), None)))
    })
    .try_filter(|piece| std::future::ready(!piece.is_empty()))
}
