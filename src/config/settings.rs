//! The settings of a server, as one file has them: one struct a section.
//!
//! A further section is a field here, a struct that refuses unknown fields, and its keys in
//! `docs/throughline.toml`, which a test compares with what is here.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::problems::Problems;
use super::{
    AdminSettings, AuditMode, AuthSettings, BlobSettings, BulkSettings, CacheSettings,
    ClientSettings, Cors, JobSettings, LimitSettings, LogSettings, LoginSettings, ReceiverSettings,
    ReceivingSettings, ServerSettings, Sources, StoreSettings, TlsSettings, TraceSettings,
    secret_file,
};
use crate::error::{Error, Result};

/// Everything that can be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Folder of the store and of the keys; made if it is not there
    pub data: PathBuf,
    /// Folder of the maps, code tables and models
    pub mappings: PathBuf,
    /// The server that clients reach
    pub server: ServerSettings,
    /// The server that operators reach
    pub admin: AdminSettings,
    /// The certificate of the server that clients reach
    pub tls: Option<TlsSettings>,
    /// Which store is used
    pub store: StoreSettings,
    /// What is cached, and where
    pub cache: CacheSettings,
    /// How much clients may ask for
    pub limits: LimitSettings,
    /// Work beside the requests
    pub jobs: JobSettings,
    /// Where files are kept that are too long for the store
    pub blobs: BlobSettings,
    /// Bulk exports
    pub bulk: BulkSettings,
    /// Which web pages may call
    pub cors: Cors,
    /// How long what is granted holds, and whom else to believe
    pub auth: AuthSettings,
    /// Apps and systems that may ask for tokens, besides those added by a command
    pub clients: Vec<ClientSettings>,
    /// To whom records are carried
    pub receivers: Vec<ReceiverSettings>,
    /// How records of others are matched
    pub receiving: ReceivingSettings,
    /// The log
    pub log: LogSettings,
    /// Where traces go
    pub traces: TraceSettings,
    /// The platforms that records come from, by name
    pub sources: Sources,
    /// What happens to an answer whose audit event cannot be written
    pub audit: AuditMode,
    /// How people sign in; without it nobody can
    pub login: Option<LoginSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: "throughline-data".into(),
            mappings: "mappings".into(),
            server: ServerSettings::default(),
            admin: AdminSettings::default(),
            tls: None,
            store: StoreSettings::default(),
            cache: CacheSettings::default(),
            limits: LimitSettings::default(),
            jobs: JobSettings::default(),
            blobs: BlobSettings::default(),
            bulk: BulkSettings::default(),
            cors: Cors::default(),
            auth: AuthSettings::default(),
            login: None,
            clients: Vec::new(),
            receivers: Vec::new(),
            receiving: ReceivingSettings::default(),
            log: LogSettings::default(),
            traces: TraceSettings::default(),
            sources: Sources::default(),
            audit: AuditMode::default(),
        }
    }
}

impl Settings {
    /// The settings with what lies in files of its own.
    pub(super) fn with_secrets(mut self) -> Result<Self> {
        if let Some(path) = self.store.url_file.take() {
            self.store.url = Some(secret_file::read(&path)?.into());
        }
        Ok(self)
    }

    /// The settings in force as TOML, without secrets.
    ///
    /// # Errors
    ///
    /// `Internal`, if they cannot be written; there are none of that kind.
    pub fn shown(&self) -> Result<String> {
        toml::to_string(self).map_err(Error::internal)
    }

    /// What is wrong with them, apart from what only opening something can tell.
    pub(super) fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        self.server.check(self.tls.is_some(), &mut problems);
        self.admin.check(&mut problems);
        let addresses = (self.server.address(), self.admin.address());
        if matches!(addresses, (Some(public), Some(admin)) if public == admin && public.port() != 0)
        {
            problems
                .add("admin.listen", "it is the address of [server]: give it a port of its own");
        }
        if let Some(tls) = &self.tls {
            tls.check(&mut problems);
        }
        if self.store.url.is_some() && self.store.url_file.is_some() {
            problems.add("store.url_file", "give either url or url_file");
        }
        if let Some(Err(Error::Setup(hint))) = self.login.as_ref().map(LoginSettings::check) {
            problems.add("login", hint);
        }
        if self.limits.window_s == 0 {
            problems.add("limits.window_s", "give a number of seconds, 1 or more");
        }
        self.traces.check(&mut problems);
        self.jobs.check(&mut problems);
        self.blobs.check(&mut problems);
        self.bulk.check(&mut problems);
        ReceiverSettings::check(&self.receivers, &mut problems);
        for (key, checked) in [("store", self.store.check()), ("cors.origins", self.cors.check())] {
            if let Err(Error::Setup(hint)) = checked {
                problems.add(key, hint);
            }
        }
        problems
    }
}
