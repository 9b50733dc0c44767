//! The one stylesheet. Its address has a hash of its content, so that browsers may keep it for ever.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest::{SHA256, digest};

/// The path of the stylesheet.
pub(in crate::http) const STYLE: &str = "/assets/style.css";

const CONTENT: &str = include_str!("style.css");
/// The hash of the content, as it stands in the address.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let hash = digest(&SHA256, CONTENT.as_bytes());
    hex::encode(hash.as_ref().get(..8).unwrap_or_default())
});

/// The stylesheet's address.
pub(super) fn address() -> String {
    format!("{STYLE}?v={}", *HASH)
}

/// Answers the stylesheet. Under an address with another hash it is not to be kept.
pub(in crate::http) async fn style(request: HttpRequest) -> HttpResponse {
    let is_current = request.query_string().strip_prefix("v=") == Some(HASH.as_str());
    let kept = if is_current { "public, max-age=31536000, immutable" } else { "no-store" };
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, kept))
        .content_type("text/css; charset=utf-8")
        .body(CONTENT)
}
