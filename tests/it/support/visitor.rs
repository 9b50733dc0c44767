//! A browser without a screen: cookies, forms, and redirections one at a time.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, StatusCode};

/// What a page answered.
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Vec<u8>,
    pub(crate) url: String,
}

impl Seen {
    /// A header field.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Where the answer sends the browser.
    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    /// The value of the first field of a name that is in the page.
    pub(crate) fn field(&self, name: &str) -> String {
        value(&self.text, name)
    }

    /// The token of the first form that is sent there.
    pub(crate) fn token(&self, action: &str) -> String {
        let form = self.text.split(&format!("action=\"{action}\"")).nth(1);
        value(form.unwrap_or_else(|| unreachable!("no form to {action}: {}", self.text)), "csrf")
    }
}

fn value(text: &str, name: &str) -> String {
    let start = text.split(&format!("name=\"{name}\" value=\"")).nth(1);
    let value = start.and_then(|rest| rest.split('"').next());
    value.unwrap_or_else(|| unreachable!("no field {name}: {text}")).replace("&amp;", "&")
}

/// Somebody with a browser.
#[derive(Clone)]
pub(crate) struct Visitor {
    client: Client,
    /// By origin and name.
    pub(crate) cookies: BTreeMap<(String, String), String>,
}

impl Visitor {
    pub(crate) fn new() -> Self {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        Self { client: client.unwrap(), cookies: BTreeMap::new() }
    }

    /// Looks at an address.
    pub(crate) async fn get(&mut self, url: &str) -> Seen {
        self.send(self.client.get(url), url).await
    }

    /// Sends a form.
    pub(crate) async fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Seen {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let request = self.client.post(url).body(form.finish());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request, url).await
    }

    /// Looks at an address, and goes on as long as the answer sends the browser on.
    pub(crate) async fn follow(&mut self, url: &str) -> Seen {
        let mut seen = self.get(url).await;
        for _ in 0..10 {
            if !seen.status.is_redirection() {
                break;
            }
            let next = absolute(&seen.url, seen.location());
            seen = self.get(&next).await;
        }
        seen
    }

    async fn send(&mut self, request: RequestBuilder, url: &str) -> Seen {
        let origin = origin(url);
        let known = self.cookies.iter().filter(|((of, _), _)| *of == origin);
        let cookies: Vec<_> = known.map(|((_, name), value)| format!("{name}={value}")).collect();
        let request = request.header("accept-language", "en");
        let response = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert((origin.clone(), name.to_owned()), value.to_owned());
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.unwrap().to_vec();
        let text = String::from_utf8_lossy(&body).into_owned();
        Seen { status, headers, text, body, url: url.to_owned() }
    }

    /// The value of the cookie whose name ends so.
    pub(crate) fn cookie(&self, end: &str) -> String {
        let found = self.cookies.iter().find(|((_, name), _)| name.ends_with(end));
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

fn origin(url: &str) -> String {
    url::Url::parse(url).unwrap().origin().ascii_serialization()
}

/// An address that an answer gives.
pub(crate) fn absolute(base: &str, address: &str) -> String {
    url::Url::parse(base).unwrap().join(address).unwrap().into()
}
