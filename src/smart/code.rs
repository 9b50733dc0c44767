//! Authorization codes: good once, for a minute, for one client, one redirect URI and whoever knows
//! the verifier.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::Authority;
use super::fault::{Code as Word, Fault, Refused};
use super::launch::after;
use crate::auth;
use crate::error::{Error, Result};
use crate::store::{GrantRow, Handle};

/// The kind of the handle.
const KIND: &str = "code";
/// How long a code is good.
pub(super) const LIFETIME: Duration = Duration::from_mins(1);
/// How long a code is remembered, so that it is known when it comes again.
const REMEMBERED: Duration = Duration::from_mins(30);

/// What a code stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Code {
    pub(super) grant: String,
    pub(super) client: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) nonce: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    code: Code,
    /// When it is over, in microseconds since 1970.
    until: i64,
}

impl Authority {
    /// Makes a code for a grant.
    pub(super) fn issue_code(&self, code: &Code, grant: &GrantRow) -> Result<String> {
        let (secret, now) = (auth::secret()?, self.now());
        let body = Body { code: code.clone(), until: after(now, LIFETIME).as_microsecond() };
        let handle = Handle {
            kind: KIND.to_owned(),
            digest: auth::digest(&secret),
            tenant: Some(grant.tenant.clone()),
            subject: String::new(),
            body: serde_json::to_vec(&body).map_err(Error::internal)?,
            expires: after(now, REMEMBERED),
        };
        self.store().put_handle(&handle, now)?;
        Ok(secret)
    }

    /// Redeems a code: what it stands for, with the grant.
    ///
    /// A code that comes a second time takes the grant back (RFC 6749, 4.1.2): one of the two who
    /// have it stole it. What another client shows before that is no use of it: it gets nothing by
    /// it, and the code stays good for its own.
    pub(super) fn redeem(
        &self,
        code: &str,
        client: &str,
        redirect_uri: &str,
        verifier: &str,
    ) -> std::result::Result<(Code, GrantRow), Refused> {
        let refused = || {
            let hint = "the code is not good: it is over, was used, or is another's";
            Refused::from(Fault::new(Word::InvalidGrant, hint))
        };
        let now = self.now();
        let digest = auth::digest(code);
        if let Some(unused) = self.store().handle(KIND, &digest, now)? {
            let body: Body = serde_json::from_slice(&unused.body).map_err(Error::internal)?;
            if body.code.client != client {
                return Err(refused());
            }
        }
        let taken = self.store().take_handle(KIND, &digest, now)?;
        let taken = taken.ok_or_else(refused)?;
        let body: Body = serde_json::from_slice(&taken.handle.body).map_err(Error::internal)?;
        let Body { code, until } = body;
        if !taken.is_first {
            if let Some(tenant) = &taken.handle.tenant {
                self.revoke_grant(tenant, &code.grant, client)?;
            }
            return Err(refused());
        }
        let is_good = until > now.as_microsecond()
            && code.client == client
            && auth::same(&code.redirect_uri, redirect_uri)
            && auth::same(&code.challenge, &challenge(verifier));
        let grant = self
            .store()
            .grant(&code.grant)?
            .filter(|grant| is_good && grant.revoked.is_none() && grant.expires > now);
        grant.map(|grant| (code, grant)).ok_or_else(refused)
    }
}

/// The challenge of a verifier (RFC 7636, 4.2).
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}
