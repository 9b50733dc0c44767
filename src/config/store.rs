//! Where the records and resources are kept: a file in the data folder, or PostgreSQL.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Error, Result};

/// What stands for a value that is not to be seen.
pub(super) const NOT_SHOWN: &str = "(not shown)";

/// Which store is used, and within which limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// PostgreSQL's URL, `postgres://user:password@host:port/database?sslmode=…`. Without one the
    /// store is a SQLite file in the data folder.
    pub url: Option<DatabaseUrl>,
    /// File with the URL, instead of the URL itself
    pub url_file: Option<PathBuf>,
    /// Connections that read, at most. PostgreSQL only.
    pub readers: usize,
    /// Connections that write, at most. PostgreSQL only.
    pub writers: usize,
    /// Seconds until a connection that is not there, or not free, is given up. PostgreSQL only.
    pub connect_timeout_s: u64,
    /// Seconds that one statement may take. PostgreSQL only.
    pub statement_timeout_s: u64,
    /// Seconds that a write may wait for another replica's. PostgreSQL only.
    pub lock_timeout_s: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            readers: 16,
            writers: 4,
            connect_timeout_s: 5,
            statement_timeout_s: 30,
            lock_timeout_s: 20,
        }
    }
}

impl StoreSettings {
    /// Refuses limits with which nothing could be done.
    ///
    /// # Errors
    ///
    /// `Setup`, naming the setting.
    pub fn check(&self) -> Result<()> {
        let bounds = [
            ("readers", self.readers as u64, 1_000),
            ("writers", self.writers as u64, 1_000),
            ("connect_timeout_s", self.connect_timeout_s, 3_600),
            ("statement_timeout_s", self.statement_timeout_s, 86_400),
            ("lock_timeout_s", self.lock_timeout_s, 86_400),
        ];
        for (name, value, most) in bounds {
            if !(1..=most).contains(&value) {
                let advice =
                    format!("the store's {name} is {value}: give a number from 1 to {most}");
                return Err(Error::Setup(advice));
            }
        }
        Ok(())
    }

    /// How long to wait for a connection.
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout_s)
    }

    /// How long a statement may take.
    pub fn statement_timeout(&self) -> Duration {
        Duration::from_secs(self.statement_timeout_s)
    }

    /// How long a write may wait for another.
    pub fn lock_timeout(&self) -> Duration {
        Duration::from_secs(self.lock_timeout_s)
    }
}

/// The flag of every subcommand that opens the store.
#[derive(Debug, Clone, Default, Args)]
pub struct Database {
    /// PostgreSQL to keep everything in, as `postgres://user:password@host/database`; without it
    /// the store is a file in the data folder. Better given by the variable: others can see flags
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "THROUGHLINE_DATABASE_URL",
        hide_env_values = true
    )]
    pub database_url: Option<DatabaseUrl>,
}

/// A database's URL. It may hold a password, so that it cannot be printed. Whether it is one is
/// found out by whoever connects: a parser of flags or files would quote what it refuses.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL, password and all, for whoever connects.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

/// Written where settings are shown, and so without the URL.
impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(NOT_SHOWN)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_never_printed() {
        let url = DatabaseUrl::from("postgres://u:SECRET@h/d".to_owned());
        let settings = StoreSettings { url: Some(url), ..StoreSettings::default() };
        assert!(!format!("{settings:?}").contains("SECRET"));
    }

    #[test]
    fn unknown_settings_and_impossible_limits_are_refused() {
        let read = |text: &str| toml::from_str::<StoreSettings>(text);
        assert!(read("readers = 3\nurl = 'postgres://h/d'").is_ok());
        assert!(read("reader = 3").unwrap_err().to_string().contains("unknown field"));
        let none = StoreSettings { readers: 0, ..StoreSettings::default() };
        assert!(none.check().unwrap_err().to_string().contains("readers is 0"));
    }
}
