//! Cookies (RFC 6265bis): bound to this host, out of reach of scripts, and not sent along by other
//! sites but for plain navigation.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

/// How cookies are named and flagged here.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Cookies {
    is_secure: bool,
}

impl Cookies {
    /// Cookies of a server whose base is this URL: all but plain http, which only the loopback
    /// interface has, are `Secure` and carry the prefix that binds them to the host.
    pub(in crate::http) fn at(base: &str) -> Self {
        Self { is_secure: base.starts_with("https://") }
    }

    fn name(self, name: &str) -> String {
        if self.is_secure { format!("__Host-{name}") } else { name.to_owned() }
    }

    /// The value of a cookie that was sent.
    pub(in crate::http) fn get(self, request: &HttpRequest, name: &str) -> Option<String> {
        request.cookie(&self.name(name)).map(|cookie| cookie.value().to_owned())
    }

    /// A cookie that lasts as long as the browser runs, or as many seconds.
    pub(in crate::http) fn make(
        self,
        name: &str,
        value: &str,
        seconds: Option<i64>,
    ) -> Cookie<'static> {
        let cookie = Cookie::build(self.name(name), value.to_owned())
            .path("/")
            .http_only(true)
            .secure(self.is_secure)
            .same_site(SameSite::Lax);
        match seconds {
            Some(seconds) => cookie.max_age(Duration::seconds(seconds)).finish(),
            None => cookie.finish(),
        }
    }
}
