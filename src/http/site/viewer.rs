//! The page that opens a link in a browser, for those who have no other program for it.
//!
//! The link stands behind the `#` of the page's address, which no browser sends. So the key of the
//! copy never gets to the server: the page's script asks for the encrypted files and decrypts them.
//! It is the only page with a script, which comes from here and may talk to nobody else.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest::{SHA256, digest};
use maud::{Markup, html};

use crate::http::html::{Page, Script, Visit};
use crate::package;

/// Where the script is.
pub(in crate::http) const SCRIPT: &str = "/assets/link.js";

const CONTENT: &str = include_str!("viewer/link.js");
/// The hash of the script, as it stands in its address.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let hash = digest(&SHA256, CONTENT.as_bytes());
    hex::encode(hash.as_ref().get(..8).unwrap_or_default())
});

/// Answers the script. Under an address with another hash it is not to be kept.
pub(in crate::http) async fn script(request: HttpRequest) -> HttpResponse {
    let is_current = request.query_string().strip_prefix("v=") == Some(HASH.as_str());
    let kept = if is_current { "public, max-age=31536000, immutable" } else { "no-store" };
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, kept))
        .content_type("text/javascript; charset=utf-8")
        .body(CONTENT)
}

/// The page, which is the same for every link.
pub(in crate::http) async fn viewer(visit: Visit) -> HttpResponse {
    let texts = &visit.texts().link;
    let mut page = Page::new(&texts.title, body(&visit));
    page.script = Some(Script {
        address: format!("{SCRIPT}?v={}", *HASH),
        // The record's page is shown in a frame without rights, with its own style alone.
        styles: package::style_hash(),
    });
    page.answer(&visit)
}

fn body(visit: &Visit) -> Markup {
    let texts = &visit.texts().link;
    html! {
        noscript { div.notice.caution { p { (texts.no_script) } } }
        div #viewer class="stack loose" hidden {
            p.lede { (texts.lede) }
            div #said role="status" tabindex="-1" {
                @for (name, text) in [
                    ("damaged", &texts.damaged),
                    ("elsewhere", &texts.elsewhere),
                    ("gone", &texts.gone),
                    ("wrong", &texts.wrong),
                    ("last", &texts.last),
                    ("failed", &texts.failed),
                    ("busy", &texts.busy),
                    ("opened", &texts.opened),
                ] {
                    p class=(if name == "busy" || name == "opened" { "notice" }
                        else { "notice caution" }) data-say=(name) hidden { (text) }
                }
            }
            form #open class="card stack" hidden {
                p #label { }
                p {
                    label for="recipient" { (texts.recipient) }
                    span.hint #recipient-hint { (texts.recipient_hint) }
                    input #recipient type="text" required maxlength="120"
                        autocomplete="organization" aria-describedby="recipient-hint";
                }
                p #guarded hidden {
                    label for="passcode" { (texts.passcode) }
                    span.hint #passcode-hint { (texts.passcode_hint) }
                    input #passcode type="text" autocomplete="off" autocapitalize="off"
                        spellcheck="false" aria-describedby="passcode-hint";
                }
                p { button.button type="submit" { (texts.open) } }
            }
            section #record class="stack" aria-labelledby="record-title" hidden {
                h2 #record-title { (texts.record) }
                p { (texts.keep) }
                ul.plain.row {
                    li { a.button #pdf hidden { (texts.save_pdf) } }
                    li { a.button.quiet #page hidden { (texts.save_page) } }
                    li { a.button.quiet #data hidden { (texts.save_data) } }
                }
                iframe #frame title=(texts.record) sandbox="" referrerpolicy="no-referrer" { }
            }
        }
        p.hint { (texts.private) }
    }
}
