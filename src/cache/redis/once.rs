//! The guard of what may be used once only, shared by replicas: a key is there or not (`SET NX`).
//!
//! A Redis that fails over may forget what it had not copied to its replicas yet, so that the guard
//! is as good as the replication is; where it matters, a second look (an expiry, a store) helps.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::Value;

use super::{RedisLink, px};
use crate::cache::seal::CacheSecret;
use crate::cache::{BoxFuture, Once};
use crate::error::{Error, Result};

/// A guard in Redis.
pub struct RedisOnce {
    link: RedisLink,
    names: hmac::Key,
}

impl RedisOnce {
    /// A guard over a link. Replicas with the same secret share it, and nobody else.
    pub fn new(link: RedisLink, secret: &CacheSecret) -> Result<Self> {
        Ok(Self { link, names: secret.names(b"once").map_err(Error::internal)? })
    }
}

impl Once for RedisOnce {
    fn first<'a>(&'a self, key: &'a [u8; 32], keep: Duration) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let tag = hmac::sign(&self.names, key);
            let name = format!("throughline:once:{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
            let mut command = redis::cmd("SET");
            command.arg(name).arg("").arg("NX").arg("PX").arg(px(keep));
            // An answer that is lost may have been "first": then the next one says otherwise, and
            // the caller refuses, which is the safe side.
            match self.link.ask::<Value>(&command).await {
                Ok(Value::Okay) => Ok(true),
                Ok(Value::Nil) => Ok(false),
                Ok(_) | Err(_) => {
                    Err(Error::unavailable("Redis cannot tell whether this was seen before"))
                }
            }
        })
    }
}
