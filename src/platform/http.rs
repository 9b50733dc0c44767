//! A source behind HTTP: `GET {url}?cursor=…&limit=…` (`docs/platform.md`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use reqwest::header::{self, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Response};
use url::{Host, Url};

use super::source::Asked;
use super::{Coding, Limits, Message, Page, Secret, Source, Spool, Trouble};
use crate::clock::Clock;
use crate::error::Error;

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// The most bytes of a page, as it is sent and unpacked.
const MOST_SENT: u64 = 32 * 1024 * 1024;
const MOST_PLAIN: u64 = 128 * 1024 * 1024;
/// The most lines of a page.
const MOST_LINES: u64 = 100_000;
/// The longest cursor.
const LONGEST_CURSOR: usize = 1024;
/// The longest pause that a platform may ask for.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// How the gateway proves who it is.
pub enum Credential {
    /// A token that the platform gave out.
    Bearer(String),
    /// A signature by a shared secret.
    Signature(Box<Secret>),
}

/// Where a source is, and how it is asked.
pub struct Endpoint {
    /// The page endpoint; it may have a query.
    pub url: String,
    /// The source's name, as it is signed.
    pub name: String,
    /// How the gateway proves who it is.
    pub credential: Credential,
    /// The authorities that TLS trusts, as PEM, instead of those of the machine.
    pub authorities: Option<Vec<u8>>,
    /// How long a whole page may take.
    pub timeout: Duration,
    /// Where a large page is kept until all of it is there.
    pub spool: PathBuf,
}

/// A source behind HTTP.
pub struct HttpSource {
    endpoint: Endpoint,
    url: Url,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl HttpSource {
    /// The source at an endpoint.
    ///
    /// # Errors
    ///
    /// `Setup`: the URL or the authorities cannot be used.
    pub fn new(endpoint: Endpoint, clock: Arc<dyn Clock>) -> crate::Result<Self> {
        let wrong = |what: &str| Error::Setup(format!("sources.{}.pull: {what}", endpoint.name));
        let url = Url::parse(&endpoint.url).ok().filter(is_private).ok_or_else(|| {
            wrong("the url has to be https, or http on this machine, without user or fragment")
        })?;
        let mut client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(endpoint.timeout)
            .redirect(Policy::none())
            .no_proxy()
            .no_gzip()
            .user_agent(concat!("throughline/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = &endpoint.authorities {
            let authorities = Certificate::from_pem_bundle(pem)
                .map_err(|_unreadable| wrong("ca_file holds no PEM certificates"))?;
            client = client.tls_certs_only(authorities);
        }
        let client = client.build().map_err(Error::internal)?;
        Ok(Self { endpoint, url, client, clock })
    }

    async fn ask(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Trouble> {
        let mut url = self.url.clone();
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("cursor", cursor);
        }
        url.query_pairs_mut().append_pair("limit", &limit.to_string());
        let request = self
            .client
            .get(url.clone())
            .header(header::ACCEPT, "application/x-ndjson, application/json;q=0.9")
            .header(header::ACCEPT_ENCODING, "gzip");
        let request = self.prove(request, &url)?;
        let response = request.send().await.map_err(|cause| unsent(&cause))?;
        check_status(&response)?;
        self.read(response).await
    }

    fn prove(&self, request: RequestBuilder, url: &Url) -> Result<RequestBuilder, Trouble> {
        let secret = match &self.endpoint.credential {
            Credential::Bearer(token) => return Ok(request.bearer_auth(token)),
            Credential::Signature(secret) => secret,
        };
        let mut delivery = [0; 16];
        SystemRandom::new().fill(&mut delivery).map_err(|_unspecified| Trouble::Unreachable)?;
        let delivery = hex::encode(delivery);
        let mut nothing = [0; 32];
        nothing.copy_from_slice(digest::digest(&digest::SHA256, b"").as_ref());
        let query = url.query().unwrap_or_default();
        let message = Message {
            method: "GET",
            target: &format!("{}?{query}", url.path()),
            source: &self.endpoint.name,
            timestamp: self.clock.now().as_second(),
            delivery: &delivery,
            coding: Coding::Identity,
            digest: &nothing,
        };
        let signature = message.sign(secret);
        Ok(request
            .header("Throughline-Source", message.source)
            .header("Throughline-Timestamp", message.timestamp)
            .header("Throughline-Content-Sha256", hex::encode(nothing))
            .header("Throughline-Signature", signature)
            .header("Throughline-Delivery", delivery))
    }

    async fn read(&self, response: Response) -> Result<Page, Trouble> {
        if response.status().as_u16() == 204 {
            return Ok(Page { body: None, is_array: false, next: None });
        }
        let headers = response.headers();
        let is_array = is_array(headers)?;
        let coding = text(headers, "content-encoding").unwrap_or_default();
        let coding = Coding::named(coding).ok_or(Trouble::WrongForm)?;
        let next = text(headers, "throughline-next-cursor").filter(|cursor| is_cursor(cursor));
        let next = Some(next.ok_or(Trouble::NoCursor)?.to_owned());
        // Without a length nobody can tell a page from the start of one.
        let has_length = headers.contains_key(header::CONTENT_LENGTH)
            || headers.contains_key(header::TRANSFER_ENCODING);
        if !has_length {
            return Err(Trouble::WrongForm);
        }
        let limits = Limits { sent: MOST_SENT, plain: MOST_PLAIN, lines: MOST_LINES };
        let spool = Spool::new(&self.endpoint.spool, coding, limits);
        let body = Some(spool.receive(response.bytes_stream()).await?);
        Ok(Page { body, is_array, next })
    }
}

impl Source for HttpSource {
    fn page<'a>(&'a self, cursor: Option<&'a str>, limit: u32) -> Asked<'a> {
        Box::pin(self.ask(cursor, limit))
    }
}

/// Whether what is asked at a URL stays between the two sides.
fn is_private(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_plain = url.username().is_empty() && url.password().is_none();
    let is_whole = url.fragment().is_none();
    is_plain && is_whole && (url.scheme() == "https" || (url.scheme() == "http" && is_here))
}

fn unsent(cause: &reqwest::Error) -> Trouble {
    if cause.is_connect() {
        Trouble::Unreachable
    } else if cause.is_timeout() {
        Trouble::TimedOut
    } else {
        Trouble::Cut
    }
}

fn check_status(response: &Response) -> Result<(), Trouble> {
    match response.status().as_u16() {
        200 | 204 => Ok(()),
        401 | 403 => Err(Trouble::Denied),
        410 => Err(Trouble::Forgotten),
        429 | 503 => {
            // The other form, a date, would depend on two clocks.
            let seconds = text(response.headers(), "retry-after").and_then(|s| s.parse().ok());
            Err(Trouble::Busy(seconds.map(|s| Duration::from_secs(s).min(LONGEST_PAUSE))))
        }
        300..=399 => Err(Trouble::Redirected),
        other => Err(Trouble::Status(other)),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_array(headers: &HeaderMap) -> Result<bool, Trouble> {
    let media = text(headers, "content-type").unwrap_or_default();
    match media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-ndjson" | "application/ndjson" => Ok(false),
        "application/json" => Ok(true),
        _ => Err(Trouble::WrongForm),
    }
}

fn is_cursor(text: &str) -> bool {
    (1..=LONGEST_CURSOR).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}
