//! Settings, from a file, from `THROUGHLINE_*` variables and from flags; nothing else reads the
//! environment.

mod audit;
mod authority;
mod blobs;
mod bulk;
mod cache;
mod clients;
mod cors;
mod given;
mod jobs;
mod limits;
mod log;
mod login;
mod networks;
mod problems;
mod receivers;
mod receiving;
mod redis_url;
mod secret_file;
mod server;
mod settings;
mod shape;
mod sources;
mod store;
mod traces;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;

use crate::error::{Error, Result};

pub use self::audit::{AuditMode, Auditing};
pub use self::authority::{AuthSettings, IssuerSettings};
pub use self::blobs::{BlobSettings, BucketSettings};
pub use self::bulk::BulkSettings;
pub use self::cache::{CacheSettings, RedisSettings};
pub use self::clients::{ClientAuth, ClientSettings};
pub use self::cors::Cors;
pub use self::given::{Given, variable};
pub use self::jobs::JobSettings;
pub use self::limits::{Costs, LimitSettings};
pub use self::log::{LogFormat, LogSettings, Logging};
pub use self::login::{ClaimSettings, DemoAccount, LoginSettings, Part, ProviderSettings};
pub use self::networks::Networks;
pub use self::problems::{Problem, Problems};
pub use self::receivers::{ReceiverSettings, Takes, Unmatched};
pub use self::receiving::ReceivingSettings;
pub use self::redis_url::{RedisAddress, RedisUrl, Topology};
pub use self::server::{AdminSettings, ServerSettings, TlsSettings};
pub use self::settings::Settings;
pub use self::shape::Shape;
pub use self::sources::{FolderSettings, PullSettings, PushSettings, SourceSettings, Sources};
pub use self::store::{Database, DatabaseUrl, StoreSettings};
pub use self::traces::TraceSettings;

/// Where settings are, and what counts before them, for every subcommand.
#[derive(Debug, Clone, Default, Args)]
pub struct Flags {
    /// The settings file; docs/throughline.toml has every key
    #[arg(long, global = true, value_name = "FILE", env = "THROUGHLINE_CONFIG")]
    pub config: Option<PathBuf>,
    /// A setting that counts before the file and the environment, such as `server.workers=4`
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Folder of the store and of the keys; made if it is not there [default: throughline-data]
    #[arg(long, global = true, value_name = "DIR", env = "THROUGHLINE_DATA")]
    pub data: Option<PathBuf>,
    /// Folder of the maps, code tables and models [default: mappings]
    #[arg(long, global = true, value_name = "DIR", env = "THROUGHLINE_MAPPINGS")]
    pub mappings: Option<PathBuf>,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    logging: Logging,
}

impl Flags {
    /// The settings of the file and the environment, with these flags over them.
    ///
    /// # Errors
    ///
    /// `Setup`, with a line for everything that is wrong.
    pub fn settings(self) -> Result<Settings> {
        let mut settings = Given::here(self.config, self.set).settings()?;
        settings.data = self.data.unwrap_or(settings.data);
        settings.mappings = self.mappings.unwrap_or(settings.mappings);
        settings.store.url = self.database.database_url.or(settings.store.url);
        settings.log.format = self.logging.log_format.unwrap_or(settings.log.format);
        settings.log.filter = self.logging.log.unwrap_or(settings.log.filter);
        Ok(settings)
    }
}

/// Where things are.
#[derive(Debug, Clone)]
pub struct Folders {
    /// Folder of the store and of the keys.
    pub data: PathBuf,
    /// Folder of the maps, code tables and models.
    pub mappings: PathBuf,
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
