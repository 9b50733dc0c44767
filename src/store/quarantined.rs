//! What makes two entries of quarantine one. Shared by all stores.

use aws_lc_rs::digest;

use super::Quarantined;

impl Quarantined {
    /// A hash of what makes an entry the same as another: not where it came from, save that an
    /// entry without content has nothing else.
    pub(super) fn key(&self) -> Vec<u8> {
        let tenant = self.tenant.as_ref().map_or("", |tenant| tenant.as_str());
        let (kind, id) = (self.kind.as_deref(), self.id.as_deref());
        let origin = if self.body.is_empty() { self.origin.as_str() } else { "" };
        let mut hash = digest::Context::new(&digest::SHA256);
        for part in [
            tenant,
            kind.unwrap_or_default(),
            id.unwrap_or_default(),
            &self.reason,
            &self.pointer,
            origin,
        ] {
            hash.update(&part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(&self.body);
        hash.finish().as_ref().to_vec()
    }
}
