//! Changes between replicas, through Redis's messages (`PUBLISH`, `SUBSCRIBE`).
//!
//! A message is the number of a slot: it says nothing about whom it is about, and one that somebody
//! else sends does no more than make replicas ask the store once more.

use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::PubSub;
use tokio::time::{sleep, timeout};

use super::Fault;
use crate::cache::{Changes, RedisLink};

/// The pause before a new connection.
const PAUSE: Duration = Duration::from_millis(250);
/// How long nothing may be heard before Redis is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(2);

impl Changes {
    /// Hears what other replicas tell, for as long as it is polled; for ever without a Redis.
    pub async fn listen(&self) {
        let Some(link) = &self.inner.link else { return std::future::pending().await };
        loop {
            // Whatever ends it, it is begun again.
            let _ended: Result<(), Fault> = self.hear(link).await;
            sleep(PAUSE).await;
        }
    }

    async fn hear(&self, link: &RedisLink) -> Result<(), Fault> {
        let mut messages: PubSub = link.subscriber().await?;
        link.in_time(messages.subscribe(&self.inner.channel)).await?;
        // What was told before is not heard any more.
        self.begin_everything();
        let (mut sink, mut stream) = messages.split();
        loop {
            match timeout(SILENCE, stream.next()).await {
                Ok(Some(message)) => {
                    if let Some(slot) = message.get_payload_bytes().first_chunk() {
                        self.begin(u16::from_be_bytes(*slot));
                    }
                }
                Ok(None) => return Err(Fault::Unreachable),
                Err(_silence) => link.in_time(sink.ping::<()>()).await?,
            }
        }
    }

    /// Tells the other replicas; where that fails, age takes effect.
    pub(in crate::cache) async fn publish(&self, slot: u16) {
        let Some(link) = &self.inner.link else { return };
        let mut command = redis::cmd("PUBLISH");
        command.arg(&self.inner.channel).arg(&slot.to_be_bytes());
        // The link counts what fails.
        let _told: Result<(), Fault> = link.ask(&command).await;
    }
}
