//! Asking the store: a question that may wait is asked where waiting holds nobody up.

use std::sync::Arc;

use actix_web::web;

use super::State;
use crate::error::{Error, Result};
use crate::store::Store;

/// How much a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// One resource or less, or those of one patient.
    Point,
    /// As many as there are.
    Many,
}

impl State {
    /// Asks the store. An embedded one answers a small question in less time than handing it over to
    /// another thread takes; anything else goes to a thread that may block.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        size: Size,
        question: impl FnOnce(&dyn Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let asked = self.asked(size, question);
        match &self.traces {
            Some(traces) => traces.within("store", asked).await,
            None => asked.await,
        }
    }

    async fn asked<T: Send + 'static>(
        &self,
        size: Size,
        question: impl FnOnce(&dyn Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if size == Size::Point && self.store.is_embedded() {
            return question(&*self.store);
        }
        let store = Arc::clone(&self.store);
        web::block(move || question(&*store)).await.map_err(Error::internal)?
    }
}
