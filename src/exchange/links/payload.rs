//! The link itself: what stands behind `shlink:/`, and the same as a picture.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use qrcode::{Color, EcLevel, QrCode};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// The longest label, in characters.
const LABEL: usize = 80;
/// The longest address, in bytes.
const ADDRESS: usize = 128;
/// The quiet zone around a QR code, in modules (ISO/IEC 18004).
const QUIET: usize = 4;

/// What a link says of itself.
pub(super) struct Payload<'a> {
    pub(super) url: &'a str,
    pub(super) key: &'a str,
    pub(super) expires: Timestamp,
    pub(super) has_passcode: bool,
    pub(super) is_direct: bool,
    pub(super) label: &'a str,
}

impl Payload<'_> {
    /// The link.
    pub(super) fn link(&self) -> Result<String> {
        if self.url.len() > ADDRESS {
            return Err(Error::Setup(
                "the server's address is too long for links: give a shorter server.base_url".into(),
            ));
        }
        let mut payload = Map::new();
        payload.insert("url".into(), self.url.into());
        payload.insert("key".into(), self.key.into());
        payload.insert("exp".into(), self.expires.as_second().into());
        // In the order of the alphabet; what a link holds never changes, so none has `L`.
        let flags = [(self.has_passcode, 'P'), (self.is_direct, 'U')];
        let flags: String =
            flags.into_iter().filter_map(|(is_set, c)| is_set.then_some(c)).collect();
        if !flags.is_empty() {
            payload.insert("flag".into(), flags.into());
        }
        let label: String = self.label.chars().take(LABEL).collect();
        if !label.is_empty() {
            payload.insert("label".into(), label.into());
        }
        payload.insert("v".into(), json!(1));
        let payload = Value::Object(payload).to_string();
        Ok(format!("shlink:/{}", URL_SAFE_NO_PAD.encode(payload)))
    }
}

/// A text as a QR code: an SVG picture of black on white, with the quiet zone around it.
///
/// # Errors
///
/// The text is too long for one.
pub fn qr(text: &str) -> Result<String> {
    use std::fmt::Write as _;
    let code = QrCode::with_error_correction_level(text, EcLevel::M);
    let code = code.map_err(|_long| Error::broken("a link is too long for a QR code"))?;
    let width = code.width();
    let whole = width + 2 * QUIET;
    let mut path = String::new();
    for (place, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (place % width + QUIET, place / width + QUIET);
            write!(path, "M{x} {y}h1v1h-1z").map_err(Error::internal)?;
        }
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {whole} {whole}\" \
         shape-rendering=\"crispEdges\" role=\"img\" aria-label=\"QR code\">\
         <path fill=\"#fff\" d=\"M0 0h{whole}v{whole}H0z\"/><path d=\"{path}\"/></svg>\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(url: &str) -> Payload<'_> {
        let expires = Timestamp::from_second(1_800_000_000).unwrap();
        Payload { url, key: "k", expires, has_passcode: true, is_direct: false, label: "A label" }
    }

    #[test]
    fn a_link_says_where_how_and_until_when() {
        let link = payload("https://a.example/links/x").link().unwrap();
        let text = URL_SAFE_NO_PAD.decode(link.strip_prefix("shlink:/").unwrap()).unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        let expected = json!({
            "url": "https://a.example/links/x", "key": "k", "exp": 1_800_000_000,
            "flag": "P", "label": "A label", "v": 1
        });
        assert_eq!(value, expected);
        assert!(payload(&"x".repeat(129)).link().is_err());
    }

    #[test]
    fn a_link_is_a_picture() {
        let picture = qr(&payload("https://a.example/links/x").link().unwrap()).unwrap();
        assert!(picture.starts_with("<svg ") && picture.matches("h1v1h-1z").count() > 500);
        assert!(qr(&"x".repeat(5000)).is_err());
    }
}
