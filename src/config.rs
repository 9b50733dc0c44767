//! Settings, from flags and from `THROUGHLINE_*` variables; nothing else reads the environment.

mod authority;
mod cache;
mod clients;
mod cors;
mod limits;
mod login;
mod redis_url;
mod sources;
mod store;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::error::{Error, Result};

pub use self::authority::{AuthSettings, IssuerSettings};
pub use self::cache::{CacheSettings, RedisSettings};
pub use self::clients::{ClientAuth, ClientSettings};
pub use self::cors::Cors;
pub use self::limits::{Costs, LimitSettings};
pub use self::login::{ClaimSettings, DemoAccount, LoginSettings, Part, ProviderSettings};
pub use self::redis_url::{RedisAddress, RedisUrl, Topology};
pub use self::sources::{FolderSettings, PullSettings, PushSettings, SourceSettings, Sources};
pub use self::store::{Database, DatabaseUrl, StoreSettings};

/// Where things are, for every subcommand.
#[derive(Debug, Clone, Args)]
pub struct Folders {
    /// Folder of the store and of the keys; made if it is not there
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "THROUGHLINE_DATA",
        default_value = "throughline-data"
    )]
    pub data: PathBuf,
    /// Folder of the maps, code tables and models
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "THROUGHLINE_MAPPINGS",
        default_value = "mappings"
    )]
    pub mappings: PathBuf,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, Args)]
pub struct Logging {
    /// Format of the log, which goes to standard error
    #[arg(long, global = true, env = "THROUGHLINE_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// What is logged: a level, or `target=level` pairs separated by commas
    #[arg(
        long,
        global = true,
        env = "THROUGHLINE_LOG",
        default_value = "warn",
        value_name = "FILTER"
    )]
    pub log: String,
}

/// How the server is reached, and what it talks to.
#[derive(Debug, Clone, Args)]
pub struct Serving {
    /// Port to listen on; 0 takes a free one
    #[arg(long, env = "THROUGHLINE_PORT", default_value_t = 8080)]
    pub port: u16,
    /// Address to listen on; the demo listens on loopback only
    #[arg(long, env = "THROUGHLINE_ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub address: IpAddr,
    /// Redis to share, such as `redis://127.0.0.1:6379`; `redis+sentinel://` and `redis+cluster://`
    /// take several addresses; without it everything is in process
    #[arg(long, env = "THROUGHLINE_REDIS_URL", value_name = "URL", hide_env_values = true)]
    pub redis_url: Option<RedisUrl>,
}

impl Serving {
    /// The address to listen on, if it is one that nobody else can reach.
    pub fn loopback(&self) -> Result<SocketAddr> {
        if self.address.is_loopback() {
            Ok(SocketAddr::new(self.address, self.port))
        } else {
            Err(Error::Setup(format!(
                "the demo listens on loopback only, not on {}: leave --address out, or give 127.0.0.1",
                self.address
            )))
        }
    }
}
