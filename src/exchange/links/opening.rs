//! The opening of a link by whoever has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::content::{Content, read};
use super::{HealthLinks, Named};
use crate::auth::{self, SecretHash};
use crate::blobs::BlobStream;
use crate::error::{Error, Result};
use crate::exchange::jobs::Mandates;
use crate::policy::{Action, Mandate, Obligations, Permit, Principal, Purpose, Under};
use crate::store::{Handle, Link, Store};

/// The kind of the handle by which a file is fetched.
const TICKET: &str = "link-file";
/// How long a file can be fetched after its link was opened; the specification allows an hour.
const FETCHED: SignedDuration = SignedDuration::from_mins(10);
/// The longest file that is put into the list itself, in bytes.
const LONGEST_EMBEDDED: u64 = 1024 * 1024;
/// How much is remembered of what somebody calls themselves, in characters.
const OPENER: usize = 120;

/// What came of an opening.
type Answer<T> = std::result::Result<T, Closed>;

/// Opens links.
#[derive(Clone)]
pub struct Opening {
    links: HealthLinks,
    mandates: Arc<dyn Mandates>,
    able: Obligations,
}

/// Why a link is not opened.
#[derive(Debug)]
pub enum Closed {
    /// It is unknown, over, taken back, spent or locked, or consent does not give what it holds any
    /// more: nobody is told which.
    Gone,
    /// Its passcode was missing or wrong; so many wrong ones it takes still.
    Passcode {
        /// How many.
        left: u32,
    },
    /// It could not be looked at.
    Failed(Error),
}

impl From<Error> for Closed {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A link that is there, however it stands.
#[derive(Debug, Clone)]
pub struct Found {
    link: Link,
    /// For whom it was made, asking now.
    pub principal: Arc<Principal>,
}

/// What somebody says who opens a link.
#[derive(Debug, Clone, Default)]
pub struct Asking {
    /// What they call themselves.
    pub recipient: String,
    /// The passcode.
    pub passcode: Option<String>,
    /// The longest file that they want in the list itself, in bytes.
    pub embedded_max: Option<u64>,
}

/// A file of a link that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenedFile {
    /// The encrypted file itself.
    Embedded(String),
    /// The secret by which it is fetched.
    Ticket(String),
}

/// A link that was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Its files, each with its media type.
    pub files: Vec<(String, OpenedFile)>,
    /// The resources that it shows.
    pub names: Vec<Named>,
}

/// Which file a ticket is for.
#[derive(Serialize, Deserialize)]
struct Ticket {
    link: String,
    number: usize,
}

impl Opening {
    /// Opens these links, where their mandates stand.
    pub fn new(links: HealthLinks, mandates: Arc<dyn Mandates>, able: Obligations) -> Self {
        Self { links, mandates, able }
    }

    /// What makes the links, and takes them back.
    pub fn links(&self) -> &HealthLinks {
        &self.links
    }

    /// The link with this secret in its address.
    pub async fn find(&self, secret: &str) -> Result<Option<Found>> {
        self.found(auth::digest(secret)).await
    }

    async fn found(&self, digest: [u8; 32]) -> Result<Option<Found>> {
        let Some(link) = self.links.aside(move |store| store.link(&digest)).await? else {
            return Ok(None);
        };
        let now = self.now();
        let principal = Arc::new(Mandate::read(&link.mandate)?.principal(&link.tenant, now)?);
        Ok(Some(Found { principal: principal.asking_at(now, self.able), link }))
    }

    /// Opens a link: the list of its files.
    pub async fn open(&self, found: &Found, asking: Asking) -> Answer<Opened> {
        let content = Content::of(&found.link)?;
        if content.is_direct {
            return Err(Closed::Gone);
        }
        let names = self.admit(found, &asking).await?;
        let most = asking.embedded_max.unwrap_or(0).min(LONGEST_EMBEDDED);
        let mut files = Vec::new();
        for (number, file) in content.files.iter().enumerate() {
            let opened = if file.bytes <= most {
                let pieces: Vec<_> = self.stream(&file.blob).await?.try_collect().await?;
                let text = String::from_utf8(pieces.concat()).map_err(Error::internal)?;
                OpenedFile::Embedded(text)
            } else {
                OpenedFile::Ticket(self.ticket(&found.link, number).await?)
            };
            files.push((file.media.clone(), opened));
        }
        Ok(Opened { files, names })
    }

    /// Opens a link with `U`: its one file, with how long it is.
    pub async fn open_directly(
        &self,
        found: &Found,
        asking: Asking,
    ) -> Answer<(BlobStream, u64, Vec<Named>)> {
        let content = Content::of(&found.link)?;
        let file = content.files.first().filter(|_| content.is_direct).ok_or(Closed::Gone)?;
        let names = self.admit(found, &asking).await?;
        Ok((self.stream(&file.blob).await?, file.bytes, names))
    }

    /// The link, and the number of its file, that a ticket is for.
    pub async fn fetched(&self, ticket: &str) -> Result<Option<(Found, usize)>> {
        let (digest, now) = (auth::digest(ticket), self.now());
        let kept = self.links.aside(move |store| store.handle(TICKET, &digest, now)).await?;
        let Some(kept) = kept else { return Ok(None) };
        let ticket: Ticket = serde_json::from_slice(&kept.body).map_err(Error::internal)?;
        let digest = hex::decode(&ticket.link).map_err(Error::internal)?;
        let digest = digest.try_into().map_err(|_length| Error::broken("a digest's length"))?;
        Ok(self.found(digest).await?.map(|found| (found, ticket.number)))
    }

    /// A file of a link that was opened, with how long it is.
    pub async fn fetch(&self, found: &Found, number: usize) -> Answer<(BlobStream, u64)> {
        let link = &found.link;
        // One that was opened as often as it may be is read to its end.
        if link.revoked.is_some() || link.expires <= self.now() {
            return Err(Closed::Gone);
        }
        let content = Content::of(link)?;
        self.given(found, &content).await?;
        let file = content.files.get(number).ok_or(Closed::Gone)?;
        Ok((self.stream(&file.blob).await?, file.bytes))
    }

    /// Lets somebody in, once, or says why not.
    async fn admit(&self, found: &Found, asking: &Asking) -> Answer<Vec<Named>> {
        let (link, now) = (&found.link, self.now());
        if !link.state(now).is_alive() {
            return Err(Closed::Gone);
        }
        self.prove(link, asking.passcode.as_deref(), now).await?;
        let names = self.given(found, &Content::of(link)?).await?;
        let opener: String =
            asking.recipient.chars().filter(|c| !c.is_control()).take(OPENER).collect();
        let digest = link.digest;
        let may = self.links.aside(move |store| store.open_link(&digest, &opener, now)).await?;
        if may { Ok(names) } else { Err(Closed::Gone) }
    }

    /// Whether the passcode is right. A try is taken before it is looked at, and given back if it is,
    /// so that no more are wrong than a link takes, however many are shown at once.
    async fn prove(&self, link: &Link, code: Option<&str>, now: Timestamp) -> Answer<()> {
        let Some(hash) = link.passcode.as_deref() else { return Ok(()) };
        let hash = SecretHash::parse(hash).ok_or_else(|| Error::broken("a passcode's hash"))?;
        let Some(code) = code.map(str::to_owned) else {
            return Err(Closed::Passcode { left: link.tries });
        };
        let digest = link.digest;
        let left = self.links.aside(move |store| store.try_link(&digest, now)).await?;
        let left = left.ok_or(Closed::Gone)?;
        let proved = spawn_blocking(move || hash.is_of(&code)).await.map_err(Error::internal)?;
        if !proved {
            return Err(Closed::Passcode { left });
        }
        Ok(self.links.aside(move |store| store.spare_link(&digest)).await?)
    }

    /// What a link shows, if all of it may still be seen by whom it was made for. One whose content
    /// may not is over for good.
    async fn given(&self, found: &Found, content: &Content) -> Answer<Vec<Named>> {
        let names = self.names(content).await?;
        let (mandates, principal) = (Arc::clone(&self.mandates), Arc::clone(&found.principal));
        let (mandate, now, asked) =
            (Mandate::read(&found.link.mandate)?, self.now(), names.clone());
        let stands = move |store: &dyn Store| {
            // A person is no client that could be taken away.
            let is_person =
                principal.under.as_ref().and_then(Under::purpose).is_some_and(|why| {
                    matches!(why, Purpose::PatientRequest | Purpose::FamilyRequest)
                });
            Ok((is_person || mandates.stands(&mandate, now)?)
                && is_given(store, &principal, &asked)?)
        };
        if self.links.aside(stands).await? {
            return Ok(names);
        }
        self.links.kill(&found.link).await?;
        Err(Closed::Gone)
    }

    async fn names(&self, content: &Content) -> Answer<Vec<Named>> {
        let pieces: Vec<_> = self.stream(&content.names).await?.try_collect().await?;
        Ok(read(&pieces.concat())?)
    }

    async fn stream(&self, blob: &str) -> Answer<BlobStream> {
        self.links.blobs.read(blob, self.now()).await?.ok_or(Closed::Gone)
    }

    async fn ticket(&self, link: &Link, number: usize) -> Result<String> {
        let (secret, now) = (auth::secret()?, self.now());
        let ticket = Ticket { link: hex::encode(link.digest), number };
        let handle = Handle {
            kind: TICKET.to_owned(),
            digest: auth::digest(&secret),
            tenant: Some(link.tenant.clone()),
            subject: link.name.clone(),
            body: serde_json::to_vec(&ticket).map_err(Error::internal)?,
            expires: now.checked_add(FETCHED).unwrap_or(now).min(link.expires),
        };
        self.links.aside(move |store| store.put_handle(&handle, now)).await?;
        Ok(secret)
    }

    fn now(&self) -> Timestamp {
        self.links.clock.now()
    }
}

/// Whether somebody may see all of these.
fn is_given(store: &dyn Store, principal: &Arc<Principal>, names: &[Named]) -> Result<bool> {
    let mut by_type: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for name in names {
        by_type.entry(&name.resource_type).or_default().push(name.id.clone());
    }
    for (resource_type, ids) in by_type {
        let Ok(permit) = Permit::decide(principal, Action::Search, resource_type.to_owned()) else {
            return Ok(false);
        };
        if store.still(&permit, &ids)? < ids.len() {
            return Ok(false);
        }
    }
    Ok(true)
}
