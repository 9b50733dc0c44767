//! Where Redis is: one server, a set of Sentinels, or a Cluster, as a URL.
//!
//! | form | what is there |
//! |---|---|
//! | `redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]` | one server |
//! | `redis+sentinel://…@HOST:PORT,HOST:PORT/MASTER[/DB]` | Sentinels that know where `MASTER` is |
//! | `redis+cluster://…@HOST:PORT,HOST:PORT` | nodes of a Cluster; the others are found |
//!
//! `rediss` instead of `redis` means TLS. User and password are percent-encoded, and are those of
//! the servers, not of the Sentinels.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use super::store::NOT_SHOWN;
use crate::error::{Error, Result};

/// A URL of Redis; it may hold a password, so that it is never shown.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct RedisUrl(String);

/// What is at the addresses of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology<'a> {
    /// One server.
    Single,
    /// Sentinels, which know where the master of this name is.
    Sentinel {
        /// The name by which the Sentinels know the master.
        master: &'a str,
    },
    /// Nodes of a Cluster.
    Cluster,
}

/// The parts of a URL; they may hold a password.
pub struct RedisAddress<'a> {
    /// What is there.
    pub topology: Topology<'a>,
    /// A URL of each address, as for a single server.
    pub nodes: Vec<String>,
}

impl From<String> for RedisUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

/// Written where settings are shown, and so without the URL.
impl Serialize for RedisUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(NOT_SHOWN)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl")
    }
}

impl RedisUrl {
    /// The parts.
    ///
    /// # Errors
    ///
    /// `Setup`, with the forms; the URL itself is not repeated.
    pub fn address(&self) -> Result<RedisAddress<'_>> {
        self.parse().ok_or_else(Self::unusable)
    }

    /// What is said of a URL that cannot be used.
    pub fn unusable() -> Error {
        Error::Setup(
            "the Redis URL cannot be used: give redis://HOST:PORT/DB, \
             redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DB or redis+cluster://HOST:PORT,HOST:PORT \
             (rediss for TLS, USER:PASSWORD@ before the hosts)"
                .to_owned(),
        )
    }

    fn parse(&self) -> Option<RedisAddress<'_>> {
        let (scheme, rest) = self.0.split_once("://")?;
        let (plain, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        if !matches!(plain, "redis" | "rediss") || rest.contains(['#', '?']) {
            return None;
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), authority),
        };
        let (topology, database) = match kind {
            "" => (Topology::Single, path),
            "sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                (Topology::Sentinel { master }, database)
            }
            "cluster" => (Topology::Cluster, path),
            _ => return None,
        };
        let nodes: Vec<String> =
            hosts.split(',').map(|host| format!("{plain}://{user}{host}/{database}")).collect();
        let complete = hosts.split(',').all(|host| !host.is_empty())
            && match topology {
                Topology::Single => nodes.len() == 1,
                Topology::Sentinel { master } => !master.is_empty(),
                Topology::Cluster => database.is_empty(),
            };
        complete.then_some(RedisAddress { topology, nodes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> Option<(String, Vec<String>)> {
        let url = RedisUrl::from(url.to_owned());
        let address = url.address().ok()?;
        Some((format!("{:?}", address.topology), address.nodes))
    }

    #[test]
    fn each_form_gives_its_addresses() {
        let one = parts("redis://u:p%40@a:1/3").unwrap();
        assert_eq!(one, ("Single".into(), vec!["redis://u:p%40@a:1/3".into()]));
        let (kind, nodes) = parts("rediss+sentinel://:p@a:1,[::1]:2/main/4").unwrap();
        assert_eq!(kind, r#"Sentinel { master: "main" }"#);
        assert_eq!(nodes, ["rediss://:p@a:1/4", "rediss://:p@[::1]:2/4"]);
        let (kind, nodes) = parts("redis+cluster://a:1,b").unwrap();
        assert_eq!(
            (kind.as_str(), nodes),
            ("Cluster", vec!["redis://a:1/".into(), "redis://b/".into()])
        );
    }

    #[test]
    fn what_is_no_such_url_is_refused_and_never_shown() {
        for url in [
            "",
            "redis//:secret@a",
            "http://secret@a",
            "redis://a:secret,b:1",
            "redis+sentinel://secret@a:1",
            "redis+cluster://secret@a:1/2",
            "redis+ring://secret@a:1",
            "redis+cluster://secret@a:1,,b:1",
            "rediss://secret@a:1/#insecure",
        ] {
            let url = RedisUrl::from(url.to_owned());
            let Err(refused) = url.address().map(|_| ()) else { panic!("{}", url.0) };
            assert!(!format!("{refused} {refused:?} {url:?}").contains("secret"));
        }
    }
}
