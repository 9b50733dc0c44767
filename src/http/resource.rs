//! Where the bytes of a resource come from: the store says which version is current, and the
//! cache has its bytes or gets them from the store.

use actix_web::web::Bytes;

use super::asking::Size;
use super::{Refusal, State};
use crate::cache::CacheKey;
use crate::domain::FhirId;
use crate::error::{Error, Result};
use crate::policy::Permit;
use crate::store::Head;

impl State {
    /// The current version of a resource.
    ///
    /// The store is asked each time, so that the cache can be stale or gone and the answer is the
    /// same.
    pub(super) async fn head(&self, permit: &Permit, id: &FhirId) -> Result<Head> {
        let (permit, id) = (permit.clone(), id.clone());
        self.ask(Size::Point, move |store| store.head(&permit, &id)).await?.ok_or(Error::NotFound)
    }

    /// The bytes of a version that was the current one a moment ago, which are the same for all to
    /// whom it is shown.
    pub(super) async fn body(&self, permit: &Permit, id: &FhirId, head: &Head) -> Result<Bytes> {
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

    /// Why there is nothing: it was taken away for good, which only who may see everything of its type is
    /// told, or there is nothing that this caller may know of.
    pub(super) async fn absent(&self, permit: &Permit, id: &FhirId) -> Refusal {
        if !permit.is_open() {
            return Error::NotFound.into();
        }
        let (permit, id) = (permit.clone(), id.clone());
        match self.ask(Size::Point, move |store| store.is_gone(&permit, &id)).await {
            Ok(true) => Refusal::Destroyed,
            Ok(false) => Error::NotFound.into(),
            Err(error) => error.into(),
        }
    }
}
