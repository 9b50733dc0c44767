//! The servers of Redis: how a connection is made to one, to the master that Sentinels name, or to
//! a Cluster.

use std::fs;
use std::path::Path;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    RedisError, RedisFuture, RedisResult, TlsCertificates, TlsMode, Value,
};
use tokio::sync::Mutex;

use crate::config::{RedisSettings, RedisUrl, Topology};
use crate::error::{Error, Result};

/// Servers that a connection can be made to.
pub(super) enum Servers {
    Single(Box<Client>),
    Sentinel(Box<Mutex<SentinelClient>>),
    Cluster(Box<ClusterClient>, Vec<Client>),
}

/// A connection, which many requests use at the same time.
#[derive(Clone)]
pub(super) enum Line {
    One(MultiplexedConnection),
    Many(ClusterConnection),
}

/// What settings say beside the addresses.
struct Secrets {
    password: Option<String>,
    sentinel_password: Option<String>,
    certificates: Option<TlsCertificates>,
}

impl Servers {
    /// The servers of the settings; none of them is asked yet.
    pub(super) fn new(settings: &RedisSettings) -> Result<Self> {
        let address = settings.url.address()?;
        let secrets = Secrets::read(settings)?;
        // The cause is left out: it may repeat the URL, which may hold a password.
        let nodes: RedisResult<Vec<ConnectionInfo>> =
            address.nodes.into_iter().map(|node| secrets.complete(node)).collect();
        let nodes = nodes.map_err(|_unsaid| RedisUrl::unusable())?;
        let patience = Duration::from_millis(settings.timeout_ms);
        let made = match address.topology {
            Topology::Single => single(nodes),
            Topology::Sentinel { master } => secrets.sentinel(&nodes, master),
            Topology::Cluster => secrets.cluster(nodes, patience),
        };
        made.map_err(|_unsaid| RedisUrl::unusable())
    }

    /// A new connection to whoever is in charge now.
    pub(super) async fn connect(&self, patience: Duration) -> RedisResult<Line> {
        // Who asks sets the limits.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(Some(patience));
        match self {
            Self::Single(client) => {
                client.get_multiplexed_async_connection_with_config(&config).await.map(Line::One)
            }
            Self::Sentinel(client) => {
                let mut client = client.lock().await;
                client.get_async_connection_with_config(&config).await.map(Line::One)
            }
            Self::Cluster(client, _) => client.get_async_connection().await.map(Line::Many),
        }
    }
}

impl Servers {
    /// A connection of its own for messages. In a Cluster every node passes on all of them.
    pub(super) async fn subscriber(&self) -> RedisResult<PubSub> {
        match self {
            Self::Single(client) => client.get_async_pubsub().await,
            Self::Sentinel(client) => {
                let master = client.lock().await.async_get_client().await?;
                master.get_async_pubsub().await
            }
            Self::Cluster(_, nodes) => {
                let mut failed = no_address();
                for node in nodes {
                    match node.get_async_pubsub().await {
                        Ok(subscriber) => return Ok(subscriber),
                        Err(error) => failed = error,
                    }
                }
                Err(failed)
            }
        }
    }
}

fn single(nodes: Vec<ConnectionInfo>) -> RedisResult<Servers> {
    nodes
        .into_iter()
        .next()
        .ok_or_else(no_address)
        .and_then(Client::open)
        .map(Box::new)
        .map(Servers::Single)
}

fn no_address() -> RedisError {
    (redis::ErrorKind::InvalidClientConfig, "no address").into()
}

impl Secrets {
    fn read(settings: &RedisSettings) -> Result<Self> {
        let root_cert = settings.ca_file.as_deref().map(read).transpose()?;
        Ok(Self {
            password: settings.password_file.as_deref().map(line).transpose()?,
            sentinel_password: settings.sentinel_password_file.as_deref().map(line).transpose()?,
            certificates: root_cert
                .map(|root| TlsCertificates { client_tls: None, root_cert: Some(root) }),
        })
    }

    /// A node with the password and the authorities of the settings.
    fn complete(&self, node: String) -> RedisResult<ConnectionInfo> {
        let mut node = node.into_connection_info()?;
        if let Some(password) = &self.password {
            let redis = node.redis_settings().clone().set_password(password);
            node = node.set_redis_settings(redis);
        }
        match (&self.certificates, node.addr()) {
            (Some(certificates), ConnectionAddr::TcpTls { .. }) => {
                let client = Client::build_with_tls(node, certificates.clone())?;
                Ok(client.get_connection_info().clone())
            }
            _ => Ok(node),
        }
    }

    fn sentinel(&self, nodes: &[ConnectionInfo], master: &str) -> RedisResult<Servers> {
        let first = nodes.first().ok_or_else(no_address)?;
        let (redis, is_tls) =
            (first.redis_settings().clone(), matches!(first.addr(), ConnectionAddr::TcpTls { .. }));
        let addresses = nodes.iter().map(|node| node.addr().clone());
        let mut builder =
            SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
                .set_client_to_redis_db(redis.db());
        if let Some(username) = redis.username() {
            builder = builder.set_client_to_redis_username(username);
        }
        if let Some(password) = redis.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(password) = &self.sentinel_password {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if is_tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
        if let Some(certificates) = self.certificates.clone().filter(|_| is_tls) {
            builder = builder.set_client_to_redis_certificates(certificates);
        }
        Ok(Servers::Sentinel(Box::new(Mutex::new(builder.build()?))))
    }

    fn cluster(&self, nodes: Vec<ConnectionInfo>, patience: Duration) -> RedisResult<Servers> {
        let clients: RedisResult<Vec<Client>> = nodes.iter().cloned().map(Client::open).collect();
        let mut builder = ClusterClientBuilder::new(nodes)
            .retries(2)
            .min_retry_wait(1)
            .max_retry_wait(10)
            .connection_timeout(patience)
            .response_timeout(patience);
        if let Some(certificates) = &self.certificates {
            builder = builder.certs(certificates.clone());
        }
        Ok(Servers::Cluster(Box::new(builder.build()?), clients?))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|cause| {
        Error::Setup(format!(
            "cannot read {}, which the Redis settings name: {cause}",
            path.display()
        ))
    })
}

/// The text of a file of one line.
fn line(path: &Path) -> Result<String> {
    let text = String::from_utf8(read(path)?).map_err(|_bytes| {
        Error::Setup(format!("{} is not UTF-8: it has to hold a password", path.display()))
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

impl ConnectionLike for Line {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(line) => line.req_packed_command(cmd),
            Self::Many(line) => line.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a redis::Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(line) => line.req_packed_commands(cmd, offset, count),
            Self::Many(line) => line.req_packed_commands(cmd, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(line) => line.get_db(),
            Self::Many(line) => line.get_db(),
        }
    }
}
