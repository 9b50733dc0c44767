//! Whether the server can answer, in words without secrets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::web;
use arc_swap::ArcSwap;

use crate::cache::RedisLink;
use crate::error::Error;
use crate::exchange::ingest::Rules;
use crate::store::Store;

/// How long the store may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is looked at.
#[derive(Clone)]
pub struct Health {
    store: Arc<dyn Store>,
    redis: Option<RedisLink>,
    rules: Arc<ArcSwap<Rules>>,
    is_stopping: Arc<AtomicBool>,
}

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub about: &'static str,
    /// Whether requests can be answered as far as this is concerned.
    pub is_well: bool,
    /// In words.
    pub text: String,
}

impl Health {
    /// Looks at these.
    pub fn new(
        store: Arc<dyn Store>,
        redis: Option<RedisLink>,
        rules: Arc<ArcSwap<Rules>>,
    ) -> Self {
        Self { store, redis, rules, is_stopping: Arc::default() }
    }

    /// From now on the server is not ready: it is about to stop.
    pub fn stopping(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    /// What can be said of everything that requests need.
    pub(super) async fn findings(&self) -> Vec<Finding> {
        let is_stopping = self.is_stopping.load(Ordering::Acquire);
        let text = if is_stopping { "stopping" } else { "taking requests" };
        let server = Finding { about: "server", is_well: !is_stopping, text: text.to_owned() };
        vec![server, self.store().await, self.maps(), self.cache()]
    }

    /// The store and its migrations.
    async fn store(&self) -> Finding {
        let store = Arc::clone(&self.store);
        let asked = web::block(move || store.ready());
        let (is_well, text) = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(Ok(()))) => {
                (true, "answers; its migrations are those of this version".to_owned())
            }
            // It was right when it was opened, so that another version is at work on it now:
            // requests are still answered while that one takes over.
            Ok(Ok(Err(Error::Setup(advice)))) => (true, format!("answers; {advice}")),
            Ok(Ok(Err(cause))) => {
                tracing::warn!(cause = %Cause(&cause), "the store is not ready");
                (false, "does not answer; the log says why".to_owned())
            }
            Ok(Err(_)) | Err(_) => (false, "does not answer in time".to_owned()),
        };
        Finding { about: "store", is_well, text }
    }

    fn maps(&self) -> Finding {
        let rules = self.rules.load();
        let hash = rules.maps.hash().get(..8).unwrap_or_default().to_owned();
        Finding { about: "maps", is_well: true, text: format!("set {hash} is in use") }
    }

    /// Requests are answered without Redis too, only with more work.
    fn cache(&self) -> Finding {
        let text = match &self.redis {
            None => "in process",
            Some(redis) if redis.is_up() => "Redis answers",
            Some(_) => "Redis does not answer; requests go on without it",
        };
        Finding { about: "cache", is_well: true, text: text.to_owned() }
    }
}

/// An error for the log, with what it hides from callers.
struct Cause<'a>(&'a Error);

impl std::fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Error::Internal(cause) | Error::Unavailable(cause) => cause.fmt(f),
            other => other.fmt(f),
        }
    }
}
