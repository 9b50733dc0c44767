//! How the provider is asked: without redirections, within a time, and up to a size, since it is
//! another's server.

use std::time::Duration;

use futures_util::StreamExt;
use openidconnect::{HttpRequest, HttpResponse};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const LONGEST: usize = 1024 * 1024;

/// Why there is no answer. It says nothing of what was sent or came back.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// It was not reached, or not in time.
    #[error("the provider does not answer")]
    Silent(#[source] reqwest::Error),
    /// The answer is too long.
    #[error("the provider's answer is too long")]
    Long,
    /// The request or the answer is not HTTP.
    #[error("the provider's answer is no HTTP")]
    Broken,
}

/// The client.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build()
}

/// Sends a request, and reads the answer.
pub(super) async fn send(
    client: reqwest::Client,
    request: HttpRequest,
) -> Result<HttpResponse, Trouble> {
    let request = request.try_into().map_err(|_unsaid: reqwest::Error| Trouble::Broken)?;
    let answer = client.execute(request).await.map_err(silent)?;
    let mut response = openidconnect::http::Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    let mut body = Vec::new();
    let mut chunks = answer.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(silent)?;
        if body.len() + chunk.len() > LONGEST {
            return Err(Trouble::Long);
        }
        body.extend_from_slice(&chunk);
    }
    response.body(body).map_err(|_unsaid| Trouble::Broken)
}

/// A failure without the URL, whose parameters may be secret.
fn silent(cause: reqwest::Error) -> Trouble {
    Trouble::Silent(cause.without_url())
}
