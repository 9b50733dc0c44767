//! The door: from whom a request is taken, how long its head may be, and how many there are at once.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;

use super::Refusal;
use crate::config::{Networks, ServerSettings};

/// When to come again where there are too many requests at once, in seconds.
const SOON_S: u32 = 1;

/// What is let in.
#[derive(Debug, Clone)]
pub struct Door {
    settings: ServerSettings,
    proxies: Networks,
    /// Whether nobody but the proxies may come: what others send crosses a network in clear.
    only_proxies: bool,
    inside: Arc<AtomicUsize>,
}

/// A place among the requests at once, free again when dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Door {
    /// A door by the settings; where `is_exposed`, requests come in clear from other machines.
    pub fn new(settings: &ServerSettings, is_exposed: bool) -> Self {
        Self {
            proxies: settings.proxies(),
            settings: settings.clone(),
            only_proxies: is_exposed,
            inside: Arc::default(),
        }
    }

    /// Lets a request in while its place is held.
    pub(super) fn enter(&self, request: &ServiceRequest) -> Result<Place, Refusal> {
        let length = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
        if length > self.settings.max_url_bytes {
            return Err(Refusal::LongUrl { limit: self.settings.max_url_bytes });
        }
        if size(request.headers()) > self.settings.max_header_bytes {
            return Err(Refusal::LongHeaders { limit: self.settings.max_header_bytes });
        }
        let peer = request.peer_addr().map(|peer| peer.ip());
        if self.only_proxies && !peer.is_some_and(|peer| self.proxies.contains(peer)) {
            return Err(Refusal::Bypassed);
        }
        let place = Place(Arc::clone(&self.inside));
        if place.0.fetch_add(1, Ordering::AcqRel) >= self.settings.max_requests {
            return Err(Refusal::Later { retry_after: SOON_S });
        }
        Ok(place)
    }

    /// What a request says about the trace that it belongs to, if a proxy says it.
    pub(super) fn trace_parent<'a>(&self, request: &'a ServiceRequest) -> Option<&'a str> {
        let peer = request.peer_addr()?.ip();
        let field = request.headers().get("traceparent").filter(|_| self.proxies.contains(peer));
        field.and_then(|field| field.to_str().ok())
    }

    /// The address of the caller: that of the connection, or the one that the proxies name.
    pub(super) fn caller(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip();
        if !self.proxies.contains(peer) {
            return Some(peer);
        }
        Some(forwarded(request.headers(), &self.proxies).unwrap_or(peer))
    }

    /// How long a body may take to arrive.
    pub(super) fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.settings.body_timeout_s)
    }

    /// How long a request may take, from its route to its answer.
    pub(super) fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.settings.request_timeout_s)
    }
}

/// The bytes of a header section.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// The last address of `X-Forwarded-For` that is none of the proxies': what is before it was written
/// by somebody else. A list that is no list of addresses is not believed.
fn forwarded(headers: &HeaderMap, proxies: &Networks) -> Option<IpAddr> {
    let lines: Option<Vec<&str>> =
        headers.get_all("x-forwarded-for").map(|line| line.to_str().ok()).collect();
    let lines = lines?;
    let mut addresses = lines.iter().rev().flat_map(|line| line.rsplit(',')).map(str::trim);
    addresses
        .find_map(|address| match address.parse::<IpAddr>() {
            Ok(address) if proxies.contains(address) => None,
            parsed => Some(parsed.ok()),
        })
        .flatten()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn caller(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = HeaderName::from_static("x-forwarded-for");
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        let proxies = ["10.0.0.0/8"].into_iter().filter_map(Networks::parse).collect();
        forwarded(&headers, &proxies).map(|address| address.to_string())
    }

    #[test]
    fn the_caller_is_the_last_one_that_is_no_proxy() {
        for (lines, expected) in [
            (&["192.0.2.1"][..], Some("192.0.2.1")),
            (&["198.51.100.9, 192.0.2.1"], Some("192.0.2.1")),
            (&["198.51.100.9, 192.0.2.1, 10.1.1.1"], Some("192.0.2.1")),
            (&["198.51.100.9", "192.0.2.1, 10.1.1.1"], Some("192.0.2.1")),
            (&["2001:db8::1"], Some("2001:db8::1")),
            (&["192.0.2.1, unknown"], None),
            (&["10.1.1.1"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(caller(lines).as_deref(), expected, "{lines:?}");
        }
    }
}
