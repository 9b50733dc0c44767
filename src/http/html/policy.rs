//! What a browser may do with a page (Content Security Policy Level 3): show it with the one
//! stylesheet, and send its forms where they belong. No script but on the page that cannot be without
//! one, no frame, nothing from elsewhere.

use actix_web::HttpResponseBuilder;
use actix_web::http::header;

use super::page::Script;

/// Adds the header fields of a page; its forms may also end at `targets`, since browsers look at
/// where a form is redirected to.
pub(super) fn apply(
    response: &mut HttpResponseBuilder,
    targets: &[String],
    script: Option<&Script>,
) {
    let mut policy = String::from("default-src 'none'; style-src 'self'");
    if let Some(script) = script {
        policy.push(' ');
        policy.push_str(&script.styles);
        policy.push_str("; script-src 'self'; connect-src 'self'");
    }
    policy.push_str("; frame-ancestors 'none'; base-uri 'none'; form-action 'self'");
    for target in targets {
        policy.push(' ');
        policy.push_str(target);
    }
    response
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header(("Cross-Origin-Opener-Policy", "same-origin"))
        .insert_header(("Permissions-Policy", "camera=(), geolocation=(), microphone=()"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::PRAGMA, "no-cache"))
        .content_type("text/html; charset=utf-8");
}

/// Where a form may end so that its answer can be a redirection to `url`: the origin, or the scheme
/// of an app on a telephone. Nothing, for what would not be safe inside a header field.
pub(in crate::http) fn target(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let target = match url.origin() {
        url::Origin::Tuple(..) => url.origin().ascii_serialization(),
        url::Origin::Opaque(_) => format!("{}:", url.scheme()),
    };
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b".:/-_+[]".contains(&b);
    target.bytes().all(is_plain).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_may_end_at_the_origin_or_the_scheme_of_an_app() {
        for (url, expected) in [
            ("https://app.example/cb?x=1", Some("https://app.example")),
            ("http://127.0.0.1:4000/cb", Some("http://127.0.0.1:4000")),
            ("com.example.app:/cb", Some("com.example.app:")),
            ("not a url", None),
        ] {
            assert_eq!(target(url).as_deref(), expected, "{url}");
        }
    }
}
