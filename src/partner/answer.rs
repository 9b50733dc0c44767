//! What a server answers: its status, and a body of bounded length.

use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::Response;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::Trouble;

/// The longest answer that is read, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;
/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_hours(6);

/// An answer that says that all went well.
pub(super) struct Answer {
    pub(super) status: u16,
    /// The body, if it is JSON.
    pub(super) body: Option<Value>,
}

/// Reads an answer to its end.
pub(super) async fn read(response: Response) -> Result<Answer, Trouble> {
    let status = response.status().as_u16();
    match status {
        200..=299 => {}
        401 | 403 => return Err(Trouble::Denied),
        429 | 503 => return Err(Trouble::Busy(pause(response.headers()))),
        other => return Err(Trouble::Status(other)),
    }
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(|cause| unsent(&cause))?);
        if body.len() > LONGEST {
            return Err(Trouble::Unclear);
        }
    }
    Ok(Answer { status, body: serde_json::from_slice(&body).ok() })
}

/// How long the server wants to be left alone: seconds, or until a date by its own clock.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let wanted = text(RETRY_AFTER.as_str())?;
    let pause = match wanted.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_not_seconds) => {
            let at =
                |text: &str| -> Option<Timestamp> { Some(rfc2822::parse(text).ok()?.timestamp()) };
            let (until, now) = (at(wanted)?, at(text("date")?)?);
            Duration::try_from(until.duration_since(now)).ok()?
        }
    };
    Some(pause.min(LONGEST_PAUSE))
}

/// Why there is no answer.
pub(super) fn unsent(cause: &reqwest::Error) -> Trouble {
    if cause.is_connect() {
        Trouble::Unreachable
    } else if cause.is_timeout() {
        Trouble::TimedOut
    } else {
        Trouble::Cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_in_seconds_or_until_a_date_and_bounded() {
        let of = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            pause(&headers).map(|pause| pause.as_secs())
        };
        assert_eq!(of(&[("retry-after", "7")]), Some(7));
        assert_eq!(of(&[("retry-after", "999999999")]), Some(6 * 3600));
        let date = ("date", "Sat, 28 Nov 2026 06:00:00 GMT");
        assert_eq!(of(&[date, ("retry-after", "Sat, 28 Nov 2026 06:01:30 GMT")]), Some(90));
        assert_eq!(of(&[date, ("retry-after", "Sat, 28 Nov 2026 05:00:00 GMT")]), None);
        assert_eq!(of(&[("retry-after", "soon")]), None);
        assert_eq!(of(&[]), None);
    }
}
