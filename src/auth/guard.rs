//! Where this server may be sent to by an address that others wrote: not into the operator's own
//! network (server-side request forgery).
//!
//! The addresses are looked at after the name is resolved and by the very connection that is made,
//! so that a name cannot point elsewhere a moment later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::error::{Error, Result};

/// Tells addresses that may be asked from those that may not.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    private: Arc<[Network]>,
}

/// A network in the notation of RFC 4632.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: u128,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let bits: u32 = bits.parse().ok()?;
        // IPv4 is looked at as IPv6 that maps it.
        let (shift, longest) = if address.is_ipv4() { (96, 32) } else { (0, 128) };
        (bits <= longest).then(|| Self { address: number(address), bits: bits + shift })
    }

    fn has(&self, address: IpAddr) -> bool {
        let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or_default();
        number(address) & mask == self.address & mask
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Guard {
    /// Lets public addresses pass, and those of these networks.
    ///
    /// # Errors
    ///
    /// `Setup`: one is no network.
    pub fn new(networks: &[String]) -> Result<Self> {
        let parsed = networks.iter().map(|text| {
            Network::parse(text).ok_or_else(|| {
                Error::Setup(format!("`{text}` is no network: write it like 10.0.0.0/8"))
            })
        });
        Ok(Self { private: parsed.collect::<Result<Vec<_>>>()?.into() })
    }

    /// Whether this address may be asked.
    pub fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.private.iter().any(|network| network.has(address))
    }

    /// A URL that may be asked: by https, or by http on this machine where that is allowed; to a
    /// name, or to an address that may be asked.
    pub fn check(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        let address = match url.host()? {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        let is_scheme = match url.scheme() {
            "https" => true,
            "http" => address.is_some_and(|address| address.is_loopback()),
            _ => false,
        };
        let is_bare = url.username().is_empty() && url.password().is_none();
        let is_allowed = address.is_none_or(|address| self.allows(address));
        (is_scheme && is_bare && is_allowed).then_some(url)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|address| guard.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err("the name has no address that may be asked".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one that anybody on the Internet has
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>, and that of IPv6).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    match (a, b) {
        (0 | 10 | 127 | 224.., _)
        | (100, 64..=127)
        | (169, 254)
        | (172, 16..=31)
        | (192, 168)
        | (198, 18 | 19) => false,
        (192, 0) => !matches!(c, 0 | 2),
        (192, 88) => c != 99,
        (198, 51) => c != 100,
        (203, 0) => c != 113,
        _ => true,
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let within = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Addresses that carry one of IPv4: NAT64 and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => within(high, low),
        // Teredo and what is next to it, and documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_asked() {
        let guard = Guard::default();
        for address in ["8.8.8.8", "192.0.1.1", "172.32.0.1", "2606:4700::1", "64:ff9b::808:808"] {
            assert!(guard.allows(address.parse().unwrap()), "{address}");
        }
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.1",
            "203.0.113.9",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "2001:db8::1",
            "2001::1",
            "::127.0.0.1",
            "100::1",
        ] {
            assert!(!guard.allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_private_network_may_be_allowed() {
        let guard = Guard::new(&["10.1.0.0/16".into(), "fd00::/8".into()]).unwrap();
        for (address, allowed) in [
            ("10.1.255.1", true),
            ("10.2.0.1", false),
            ("fd12::1", true),
            ("fc00::1", false),
            ("::ffff:10.1.0.1", true),
            ("127.0.0.1", false),
        ] {
            assert_eq!(guard.allows(address.parse().unwrap()), allowed, "{address}");
        }
        for wrong in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129", "10.0.0.0/-1"] {
            assert!(Guard::new(&[wrong.into()]).is_err(), "{wrong}");
        }
        assert!(Guard::new(&["0.0.0.0/0".into()]).unwrap().allows("10.9.9.9".parse().unwrap()));
    }

    #[test]
    fn only_some_urls_are_asked() {
        let guard = Guard::default();
        for url in ["https://keys.example/jwks", "https://8.8.8.8/", "https://keys.example:8443/"] {
            assert!(guard.check(url).is_some(), "{url}");
        }
        for url in [
            "http://keys.example/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "http://127.0.0.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://user@keys.example/",
            "ftp://x/",
            "file:///etc/passwd",
            "https://169.254.169.254/latest",
            "nonsense",
            "https://a:b@c/",
        ] {
            assert!(guard.check(url).is_none(), "{url}");
        }
        let loopback = Guard::new(&["127.0.0.0/8".into()]).unwrap();
        assert!(loopback.check("http://127.0.0.1:9/jwks").is_some());
    }
}
