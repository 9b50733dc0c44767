//! The register of clients: those of the settings, which nobody changes while it runs, and those
//! that an administrator added.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::client::Client;
use crate::auth::{self, SecretHash};
use crate::config::{ClientAuth, ClientSettings};
use crate::error::{Error, Result};
use crate::store::{ClientRow, Store};

/// The register.
pub struct Clients {
    configured: BTreeMap<String, Client>,
    store: Arc<dyn Store>,
}

impl Clients {
    /// The clients of the settings and of the store.
    ///
    /// # Errors
    ///
    /// `Setup`: a client of the settings is not in order, or there are two of an id.
    pub fn new(settings: &[ClientSettings], store: Arc<dyn Store>) -> Result<Self> {
        let mut configured = BTreeMap::new();
        for settings in settings {
            let client = Client::new(settings)?;
            if configured.insert(client.id.clone(), client).is_some() {
                return Err(Error::Setup(format!("client {}: there are two", settings.id)));
            }
        }
        Ok(Self { configured, store })
    }

    /// The client of that id, if it may do anything.
    pub fn get(&self, id: &str) -> Result<Option<Client>> {
        let client = match self.configured.get(id) {
            Some(client) => Some(client.clone()),
            None => self.store.client(id)?.map(|row| client(&row)).transpose()?,
        };
        Ok(client.filter(|client| !client.is_disabled))
    }

    /// All of them, those of the settings first; and whether each is of the settings.
    pub fn all(&self) -> Result<Vec<(Client, bool)>> {
        let mut all: Vec<_> =
            self.configured.values().map(|client| (client.clone(), true)).collect();
        for row in self.store.clients()? {
            if !self.configured.contains_key(&row.id) {
                all.push((client(&row)?, false));
            }
        }
        Ok(all)
    }

    /// Registers a client; a symmetric one gets a secret, which is answered and kept as a hash.
    pub fn add(&self, mut settings: ClientSettings) -> Result<Option<String>> {
        if self.configured.contains_key(&settings.id) || self.store.client(&settings.id)?.is_some()
        {
            return Err(Error::Setup(format!("client {}: the id is taken", settings.id)));
        }
        let secret = match settings.auth {
            ClientAuth::Symmetric if settings.secret_hashes.is_empty() => Some(auth::secret()?),
            _ => None,
        };
        if let Some(secret) = &secret {
            settings.secret_hashes = vec![SecretHash::of(secret)?.as_str().to_owned()];
        }
        self.put(&settings)?;
        Ok(secret)
    }

    /// Takes all rights from a client, or gives them back.
    pub fn disable(&self, id: &str, is_disabled: bool) -> Result<()> {
        let mut settings = self.stored(id)?;
        settings.disabled = is_disabled;
        self.put(&settings)
    }

    /// Gives a symmetric client a new secret, which is answered. The newest of the old ones stays
    /// good if `keep` says so, until the next time.
    pub fn rotate_secret(&self, id: &str, keep: bool) -> Result<String> {
        let mut settings = self.stored(id)?;
        if settings.auth != ClientAuth::Symmetric {
            return Err(Error::Setup(format!(
                "client {id} has no secret: give another key set with --jwks or --jwks-url"
            )));
        }
        let secret = auth::secret()?;
        settings.secret_hashes.truncate(usize::from(keep));
        settings.secret_hashes.insert(0, SecretHash::of(&secret)?.as_str().to_owned());
        self.put(&settings)?;
        Ok(secret)
    }

    /// Gives an asymmetric client other keys.
    pub fn rotate_keys(
        &self,
        id: &str,
        jwks: Option<String>,
        jwks_url: Option<String>,
    ) -> Result<()> {
        let settings = ClientSettings { jwks, jwks_url, ..self.stored(id)? };
        self.put(&settings)
    }

    /// What was registered for a client of the store.
    pub fn stored(&self, id: &str) -> Result<ClientSettings> {
        if self.configured.contains_key(id) {
            return Err(Error::Setup(format!(
                "client {id} is in the configuration file: change it there, and restart"
            )));
        }
        let row = self.store.client(id)?;
        let row = row.ok_or_else(|| Error::Setup(format!("there is no client {id}")))?;
        settings(&row)
    }

    fn put(&self, settings: &ClientSettings) -> Result<()> {
        let client = Client::new(settings)?;
        let row = ClientRow {
            id: client.id,
            tenant: client.tenant,
            is_disabled: client.is_disabled,
            body: serde_json::to_vec(settings).map_err(Error::internal)?,
        };
        if self.store.put_client(&row)? {
            return Ok(());
        }
        Err(Error::Setup(format!("client {}: the id is taken", row.id)))
    }
}

fn settings(row: &ClientRow) -> Result<ClientSettings> {
    serde_json::from_slice(&row.body).map_err(Error::internal)
}

fn client(row: &ClientRow) -> Result<Client> {
    Client::new(&ClientSettings { disabled: row.is_disabled, ..settings(row)? })
}
