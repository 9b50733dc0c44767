//! Where the bytes of a resource come from: the store says which version is current, and the
//! cache has its bytes or gets them from the store.

use actix_web::web::Bytes;

use super::State;
use super::asking::Size;
use crate::cache::CacheKey;
use crate::domain::FhirId;
use crate::error::{Error, Result};
use crate::policy::Permit;
use crate::store::Head;

impl State {
    /// The current version of a resource, and its bytes.
    pub(super) async fn current(&self, permit: &Permit, id: &FhirId) -> Result<(Head, Bytes)> {
        if permit.under().is_some() {
            // What is shown of it depends on who asks, so that it is kept nowhere.
            let (permit, id) = (permit.clone(), id.clone());
            let question = move |store: &dyn crate::store::Store| store.read(&permit, &id);
            let stored = self.ask(Size::Point, question).await?.ok_or(Error::NotFound)?;
            let (version_id, last_updated) = (stored.version_id, stored.last_updated);
            return Ok((Head { version_id, last_updated }, Bytes::from_owner(stored.body)));
        }
        let head = self.head(permit, id).await?;
        let body = self.body(permit, id, &head).await?;
        Ok((head, body))
    }

    /// The current version of a resource.
    ///
    /// The store is asked each time, so that the cache can be stale or gone and the answer is the
    /// same.
    async fn head(&self, permit: &Permit, id: &FhirId) -> Result<Head> {
        let (permit, id) = (permit.clone(), id.clone());
        self.ask(Size::Point, move |store| store.head(&permit, &id)).await?.ok_or(Error::NotFound)
    }

    /// The bytes of a version that was the current one a moment ago.
    async fn body(&self, permit: &Permit, id: &FhirId, head: &Head) -> Result<Bytes> {
        let key = CacheKey::new(
            permit.tenant(),
            permit.resource_type(),
            id,
            &head.version_id,
            self.rules.load().maps.hash(),
        );
        // The very version that the key names, even if another has become the current one since.
        let load = async {
            let (permit, id, version) = (permit.clone(), id.clone(), head.version_id.clone());
            let question =
                move |store: &dyn crate::store::Store| store.version(&permit, &id, &version);
            Ok(self.ask(Size::Point, question).await?.map(|stored| stored.body))
        };
        let body = self.cache.get_or_load(&key, load).await?.ok_or(Error::NotFound)?;
        Ok(Bytes::from_owner(body))
    }
}
