//! Links to encrypted copies of records: SMART Health Links
//! (<https://hl7.org/fhir/uv/smart-health-cards-and-links/STU1/links-specification.html>).
//!
//! A copy is encrypted with a key of its own, which stands in the link and is kept nowhere: whoever
//! has the link and, where it has one, the passcode reads the copy; whoever has our disks does not.
//! What is kept beside are the names of the resources in the copy, so that it is asked at each opening
//! whether consent still gives them. `docs/links.md` says it for those who use them.

mod content;
mod jwe;
mod opening;
mod passcode;
mod payload;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::spawn_blocking;

use self::content::{Content, Kept};
use self::jwe::LinkKey;
use self::payload::Payload;
use crate::auth::{self, SecretHash};
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};
use crate::policy::Mandate;
use crate::store::{Link, Store};

pub use self::content::{FHIR, LinkFile, Named, files, joined};
pub use self::opening::{Asking, Closed, Found, Opened, OpenedFile, Opening};
pub use self::passcode::passcode;
pub use self::payload::qr;

/// Where links are opened, under the server's address.
pub const PATH: &str = "/links";
/// Where a browser opens one.
pub const VIEWER: &str = "/links/view";
/// How many characters a passcode has at least.
const PASSCODE: usize = 6;
/// How many wrong passcodes a link takes in its life.
pub const TRIES: u32 = 10;
/// The longest that a link may live.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 365);
/// How long it is remembered how a link ended, after its time.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 90);

/// A link that is to be made.
#[derive(Debug)]
pub struct NewLink<'a> {
    /// Where the server is, without a path: `https://fhir.example.org`.
    pub origin: &'a str,
    /// Whose records.
    pub tenant: &'a TenantId,
    /// Whose record the copy is of.
    pub patient: &'a FhirId,
    /// For whom it is: by whose authority it may be opened.
    pub mandate: &'a Mandate,
    /// What it says that it holds, in up to 80 characters. Whoever sees the link reads it.
    pub label: &'a str,
    /// The passcode that whoever opens it has to know.
    pub passcode: Option<&'a str>,
    /// Until when.
    pub expires: Timestamp,
    /// How often it may be opened.
    pub views: Option<u32>,
    /// Whether its one file is read without asking for a list first (`U`).
    pub is_direct: bool,
    /// What it holds.
    pub files: Vec<LinkFile>,
    /// The resources in that.
    pub names: &'a [Named],
}

/// A link that was made. It can be read this once: what is kept does not tell it.
#[derive(Debug, Clone)]
pub struct MadeLink {
    /// Its name, by which it is taken back.
    pub name: String,
    /// The link, `shlink:/…`.
    pub link: String,
    /// The same for a browser.
    pub viewer: String,
    /// When it is over.
    pub expires: Timestamp,
}

/// Makes links, and takes them back.
#[derive(Clone)]
pub struct HealthLinks {
    store: Arc<dyn Store>,
    blobs: Blobs,
    clock: Arc<dyn Clock>,
}

impl HealthLinks {
    /// Links of copies that are kept there.
    pub fn new(store: Arc<dyn Store>, blobs: Blobs, clock: Arc<dyn Clock>) -> Self {
        Self { store, blobs, clock }
    }

    /// Makes a link.
    ///
    /// # Errors
    ///
    /// `Invalid`, with what to ask for instead.
    pub async fn make(&self, new: NewLink<'_>) -> Result<MadeLink> {
        let now = self.clock.now();
        check(&new, now)?;
        let (name, secret, key) = (auth::name()?, auth::secret()?, LinkKey::new()?);
        let url = format!("{}{PATH}/{secret}", new.origin);
        let link = Payload {
            url: &url,
            key: &key.text(),
            expires: new.expires,
            has_passcode: new.passcode.is_some(),
            is_direct: new.is_direct,
            label: new.label,
        }
        .link()?;
        let mut files = Vec::new();
        for file in &new.files {
            let sealed = key.seal(file.media, &file.bytes)?;
            let (blob, bytes) = self.keep(new.expires, sealed.as_bytes()).await?;
            files.push(Kept { media: file.media.to_owned(), blob, bytes });
        }
        let (names, _) = self.keep(new.expires, &content::written(new.names)).await?;
        let content = Content { files, names, is_direct: new.is_direct };
        let passcode = match new.passcode.map(str::to_owned) {
            Some(code) => {
                let hash = spawn_blocking(move || SecretHash::of(&code)).await;
                Some(hash.map_err(Error::internal)??.as_str().to_owned())
            }
            None => None,
        };
        let row = Link {
            digest: auth::digest(&secret),
            name: name.clone(),
            tenant: new.tenant.clone(),
            patient: new.patient.clone(),
            client: new.mandate.client.clone(),
            mandate: new.mandate.write()?,
            files: serde_json::to_vec(&content).map_err(Error::internal)?,
            passcode,
            tries: TRIES,
            views: new.views,
            opened: 0,
            last: None,
            opener: None,
            made: now,
            expires: new.expires,
            revoked: None,
        };
        let forget = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::UNIX_EPOCH);
        self.aside(move |store| store.put_link(&row, forget)).await?;
        let viewer = format!("{}{VIEWER}#{link}", new.origin);
        Ok(MadeLink { name, link, viewer, expires: new.expires })
    }

    /// How a link stands.
    pub async fn find(&self, tenant: &TenantId, name: &str) -> Result<Option<Link>> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.aside(move |store| store.link_named(&tenant, &name)).await
    }

    /// Links, of one patient or of all, newest first.
    pub async fn list(
        &self,
        tenant: &TenantId,
        patient: Option<&FhirId>,
        limit: u32,
    ) -> Result<Vec<Link>> {
        let (tenant, patient) = (tenant.clone(), patient.cloned());
        self.aside(move |store| store.links(&tenant, patient.as_ref(), limit)).await
    }

    /// Takes a link back at once, on every replica, and its copy away; answers whether there was one
    /// that was not taken back yet.
    pub async fn revoke(&self, tenant: &TenantId, name: &str) -> Result<bool> {
        let Some(link) = self.find(tenant, name).await? else { return Ok(false) };
        self.kill(&link).await
    }

    async fn kill(&self, link: &Link) -> Result<bool> {
        let (tenant, name, now) = (link.tenant.clone(), link.name.clone(), self.clock.now());
        let is_first = self.aside(move |store| store.revoke_link(&tenant, &name, now)).await?;
        for blob in Content::of(link)?.blobs() {
            self.blobs.delete(blob).await?;
        }
        Ok(is_first)
    }

    async fn keep(&self, expires: Timestamp, bytes: &[u8]) -> Result<(String, u64)> {
        let mut writer = self.blobs.create(expires).await?;
        writer.write(bytes).await?;
        writer.finish().await
    }

    /// Asks the store where waiting holds nobody up.
    async fn aside<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.store);
        spawn_blocking(move || question(&*store)).await.map_err(Error::internal)?
    }
}

fn check(new: &NewLink<'_>, now: Timestamp) -> Result<()> {
    let latest = now.checked_add(LONGEST).unwrap_or(now);
    if new.expires <= now || new.expires > latest {
        return Err(Error::invalid("expires", "a link lives for up to 365 days from now"));
    }
    if new.passcode.is_some_and(|code| code.trim().chars().count() < PASSCODE) {
        let hint = format!("a passcode has {PASSCODE} characters or more");
        return Err(Error::invalid("passcode", hint));
    }
    if new.views == Some(0) {
        return Err(Error::invalid("views", "a link that may be opened is opened at least once"));
    }
    if new.files.is_empty() || new.is_direct && new.files.len() != 1 {
        return Err(Error::invalid("files", "a link has files, and one with U exactly one"));
    }
    if new.is_direct && new.passcode.is_some() {
        return Err(Error::invalid("passcode", "a link with U has no passcode: leave one out"));
    }
    Ok(())
}
