//! Whose quota a request is counted against.

use std::net::IpAddr;

use crate::domain::TenantId;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who<'a> {
    /// A client with a good token.
    Client {
        /// The tenant that the token is for.
        tenant: &'a TenantId,
        /// The token's subject.
        subject: &'a str,
    },
    /// Anybody else, by where the connection comes from.
    Address(IpAddr),
}

impl Who<'_> {
    /// The name of the policy in header fields.
    pub(super) fn policy(&self) -> &'static str {
        match self {
            Self::Client { .. } => "client",
            Self::Address(_) => "address",
        }
    }

    /// What a quota is filed under. Of an IPv6 address the first 64 bits count: the rest is the
    /// caller's to choose (RFC 4291, 2.5.1).
    pub(super) fn key(&self) -> String {
        match self {
            Self::Client { tenant, subject } => format!("client {tenant} {subject}"),
            Self::Address(address) => match address.to_canonical() {
                IpAddr::V4(address) => format!("address {address}"),
                IpAddr::V6(address) => {
                    format!("address {:x}", u128::from_be_bytes(address.octets()) >> 64)
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_caller() {
        let key = |address: &str| Who::Address(address.parse().unwrap()).key();
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }
}
