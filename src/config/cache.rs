//! The settings of the caches: what is kept in process, and the Redis that replicas share.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::RedisUrl;

/// What is kept, for how long, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// The most memory that resources take in process, in MiB
    pub memory_mb: u64,
    /// How long a resource is kept, in seconds; it cannot be outdated, so this bounds what lies about
    pub keep_s: u64,
    /// The Redis that replicas share; without it everything is in process
    pub redis: Option<RedisSettings>,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { memory_mb: 64, keep_s: 3_600, redis: None }
    }
}

impl CacheSettings {
    /// The defaults, with the Redis of a URL if there is one.
    pub fn with_redis(url: Option<RedisUrl>) -> Self {
        Self { redis: url.map(RedisSettings::at), ..Self::default() }
    }

    /// The most memory that resources take in process, in bytes.
    pub fn memory(&self) -> u64 {
        self.memory_mb.saturating_mul(1024 * 1024)
    }

    /// How long a resource is kept.
    pub fn keep(&self) -> Duration {
        Duration::from_secs(self.keep_s)
    }
}

/// How Redis is reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// Where it is; see [`RedisUrl`]
    pub url: RedisUrl,
    /// File with the password, where it is not in the URL; a line end after it is no part of it
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// File with the password of the Sentinels, where they have one
    #[serde(default)]
    pub sentinel_password_file: Option<PathBuf>,
    /// PEM file with the authorities that TLS trusts, instead of those of the machine
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The longest wait for an answer, in milliseconds; requests go on without it
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

impl RedisSettings {
    /// The defaults, at a URL.
    pub fn at(url: RedisUrl) -> Self {
        Self {
            url,
            password_file: None,
            sentinel_password_file: None,
            ca_file: None,
            timeout_ms: timeout_ms(),
        }
    }
}

fn timeout_ms() -> u64 {
    100
}
