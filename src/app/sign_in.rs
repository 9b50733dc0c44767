//! How people sign in: by the platform's provider, or as the people of a demonstration.

use std::sync::Arc;

use super::App;
use crate::auth::Provider;
use crate::error::{Error, Result};
use crate::exchange::people::People;
use crate::exchange::sign_in::SignIn;
use crate::http;

impl App {
    /// How people sign in at a server with this base, if they can.
    pub(super) fn sign_in(&self, base: &str) -> Result<Option<Arc<SignIn>>> {
        let Some(login) = &self.login else { return Ok(None) };
        let wrong = |()| Error::Setup("login.tenant: it is no name of a tenant".to_owned());
        let tenant = login.tenant.parse().map_err(wrong)?;
        let (store, clock, claims) = (&self.store, &self.clock, &login.claims);
        let needed = [&claims.client, &claims.proxy, &claims.staff];
        let needed = needed.into_iter().filter(|claim| !claim.is_empty()).cloned().collect();
        let back = http::sign_in_url(base);
        let open = |provider| Provider::open(provider, needed, &back, Arc::clone(clock));
        let provider = login.provider.as_ref().map(open).transpose()?;
        let (store, clock) = (Arc::clone(store), Arc::clone(clock));
        let (rules, keys) = (Arc::clone(&self.rules), &self.keys);
        let claims = claims.clone();
        let people =
            People::new(Arc::clone(&store), tenant, claims, rules, keys, Arc::clone(&clock));
        Ok(Some(Arc::new(SignIn::new(store, people, provider, login, clock))))
    }
}
