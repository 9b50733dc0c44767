//! The frame of a page: language, title, masthead, content and foot.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use maud::{DOCTYPE, Markup, html};

use super::visit::Visit;
use super::{Language, csrf, fill, policy, style};

/// The mark: a line that goes through two halves.
fn mark() -> Markup {
    html! {
        svg viewBox="0 0 32 32" aria-hidden="true" focusable="false" {
            circle cx="16" cy="16" r="14.5" fill="none" stroke="currentColor" stroke-width="2" {}
            path d="M3 18c5 0 6-6 13-6s8 6 13 6" fill="none" stroke="currentColor"
                stroke-width="3" stroke-linecap="round" {}
        }
    }
}

/// A page to be answered.
pub(in crate::http) struct Page<'a> {
    /// The status.
    pub(in crate::http) status: StatusCode,
    /// The title, which is also the heading.
    pub(in crate::http) title: &'a str,
    /// What follows the heading.
    pub(in crate::http) body: Markup,
    /// Who is signed in.
    pub(in crate::http) signed_in: Option<&'a str>,
    /// The way to other pages, above the heading.
    pub(in crate::http) nav: Option<Markup>,
    /// Where its forms may end besides here.
    pub(in crate::http) targets: Vec<String>,
    /// The script that it needs, if it does.
    pub(in crate::http) script: Option<Script>,
}

/// The one script of a page.
pub(in crate::http) struct Script {
    /// Where it is.
    pub(in crate::http) address: String,
    /// The style that a frame which it fills may have: a source of a policy.
    pub(in crate::http) styles: String,
}

impl<'a> Page<'a> {
    /// A page for somebody who need not be signed in.
    pub(in crate::http) fn new(title: &'a str, body: Markup) -> Self {
        Self {
            status: StatusCode::OK,
            title,
            body,
            signed_in: None,
            nav: None,
            targets: Vec::new(),
            script: None,
        }
    }

    /// The answer to a visit.
    pub(in crate::http) fn answer(self, visit: &Visit) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        // A form whose sender has to sign in first, or signs out, ends at the provider.
        let provider = visit.provider().and_then(policy::target);
        let targets: Vec<String> = self.targets.iter().cloned().chain(provider).collect();
        policy::apply(&mut response, &targets, self.script.as_ref());
        response.insert_header(("Content-Language", visit.language().tag()));
        for cookie in visit.cookies() {
            response.cookie(cookie);
        }
        response.body(self.markup(visit).into_string())
    }

    fn markup(&self, visit: &Visit) -> Markup {
        let frame = &visit.texts().frame;
        let practice = visit.practice().unwrap_or(&frame.untitled);
        html! {
            (DOCTYPE)
            html lang=(visit.language().tag()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { (self.title) " – " (practice) }
                    link rel="stylesheet" href=(style::address());
                    @if let Some(script) = &self.script {
                        script src=(script.address) defer {}
                    }
                }
                body {
                    a.skip href="#content" { (frame.skip) }
                    header.masthead {
                        div.wide {
                            div.brand { (mark()) span { (practice) } }
                            @if let Some(name) = self.signed_in {
                                (who(name, visit, self.nav.is_none()))
                            }
                        }
                    }
                    @if let Some(nav) = &self.nav { (nav) }
                    main #content tabindex="-1" {
                        div.wide.stack.loose {
                            h1 { (self.title) }
                            (self.body)
                        }
                    }
                    (foot(visit))
                }
            }
        }
    }
}

/// Who is signed in, and what they can do: where they can go too, if nothing else says so.
fn who(name: &str, visit: &Visit, is_alone: bool) -> Markup {
    let frame = &visit.texts().frame;
    html! {
        div.who {
            span { (fill(&frame.signed_in_as, &[("name", name)])) }
            @if is_alone {
                a href=(crate::http::site::portal::PORTAL) { (frame.record) }
                a href=(crate::http::site::APPS) { (frame.apps) }
            }
            form method="post" action=(crate::http::site::LOGOUT) {
                (csrf(&visit.csrf(crate::http::site::LOGOUT)))
                button.text type="submit" { (frame.sign_out) }
            }
        }
    }
}

/// The foot: what this is, and the languages.
fn foot(visit: &Visit) -> Markup {
    let frame = &visit.texts().frame;
    html! {
        footer.footer {
            div.wide {
                p { (frame.footer) }
                nav aria-label=(frame.language) {
                    ul {
                        @for language in Language::ALL {
                            li {
                                @if language == visit.language() {
                                    span lang=(language.tag()) aria-current="true" {
                                        (language.own_name())
                                    }
                                } @else {
                                    a href=(visit.address_in(language)) lang=(language.tag())
                                        hreflang=(language.tag()) { (language.own_name()) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
