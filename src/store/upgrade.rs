//! Bringing a database up to date: which migrations are due, and which may not be run.

use aws_lc_rs::digest::{SHA256, digest};

use crate::error::{Error, Result};

/// A step of the schema, embedded in the program. Once released it never changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    /// From 1, without gaps.
    pub(super) number: i64,
    /// Its file's name, without the number.
    pub(super) name: &'static str,
    /// Its statements.
    pub(super) sql: &'static str,
    /// What is lost by it, if anything is.
    pub(super) loses: Option<&'static str>,
}

impl Migration {
    /// SHA-256 of its statements, in hex.
    pub(super) fn checksum(&self) -> String {
        hex::encode(digest(&SHA256, self.sql.as_bytes()))
    }

    /// What it is called where people read it.
    pub(super) fn title(&self) -> String {
        format!("{:04}_{}", self.number, self.name)
    }
}

/// A step that the database says it has taken.
#[derive(Debug, Clone)]
pub(super) struct Applied {
    pub(super) number: i64,
    /// `None` where it was taken before checksums were kept.
    pub(super) checksum: Option<String>,
}

/// The steps that are due.
pub(super) fn due<'m>(known: &'m [Migration], applied: &[Applied]) -> Result<&'m [Migration]> {
    for (position, step) in applied.iter().enumerate() {
        let Some(migration) = known.get(position) else {
            return Err(Error::Setup(format!(
                "the database was written by a newer throughline (schema {}; this one knows {}): \
                 run that version, or name another database",
                applied.last().map_or(step.number, |last| last.number),
                known.len()
            )));
        };
        let same = step.checksum.as_ref().is_none_or(|checksum| *checksum == migration.checksum());
        if step.number != migration.number || !same {
            return Err(Error::Setup(format!(
                "the database was migrated by another text of {}: this program and the one that \
                 did it are not of one line of versions; run a release of that line",
                migration.title()
            )));
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

/// Refuses steps that lose something, unless that was allowed.
pub(super) fn check_losses(due: &[Migration], allowed: bool) -> Result<()> {
    match due.iter().find_map(|migration| Some((migration, migration.loses?))) {
        Some((migration, what)) if !allowed => Err(Error::Setup(format!(
            "{} loses {what}: make a backup, and allow it with --allow-loss",
            migration.title()
        ))),
        _ => Ok(()),
    }
}

/// What may be done to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upgrade {
    /// Say what is due, and do nothing.
    pub only_check: bool,
    /// Run migrations that lose something.
    pub allow_loss: bool,
}

/// What was done to a database, or is due.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upgraded {
    /// The migrations, by name.
    pub migrations: Vec<String>,
    /// Whether the search index was not that of this version's search parameters.
    pub reindex: bool,
}

impl Upgraded {
    /// Whether there is nothing to do.
    pub fn is_nothing(&self) -> bool {
        self.migrations.is_empty() && !self.reindex
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What migrations are called, with the numbers that they have by their places.
    pub(in crate::store) fn titles(migrations: &[Migration]) -> Vec<String> {
        for (place, migration) in (1..).zip(migrations) {
            assert_eq!(migration.number, place, "{}", migration.name);
        }
        migrations.iter().map(Migration::title).collect()
    }

    /// What the files of a folder are called, in order.
    pub(in crate::store) fn files(folder: &str) -> Vec<String> {
        let names = std::fs::read_dir(folder).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            names.map(|name| name.strip_suffix(".sql").unwrap().to_owned()).collect();
        names.sort();
        names
    }

    const KNOWN: [Migration; 3] = [
        Migration { number: 1, name: "a", sql: "A", loses: None },
        Migration { number: 2, name: "b", sql: "B", loses: None },
        Migration { number: 3, name: "c", sql: "C", loses: Some("what C held") },
    ];

    fn applied(numbers: &[i64]) -> Vec<Applied> {
        let step = |number: &i64| {
            let known = KNOWN.iter().find(|migration| migration.number == *number);
            Applied { number: *number, checksum: known.map(Migration::checksum) }
        };
        numbers.iter().map(step).collect()
    }

    fn refusal(applied: &[Applied]) -> String {
        due(&KNOWN, applied).unwrap_err().to_string()
    }

    #[test]
    fn what_was_not_applied_is_due() {
        let numbers = |applied: &[Applied]| -> Vec<i64> {
            due(&KNOWN, applied).unwrap().iter().map(|migration| migration.number).collect()
        };
        assert_eq!(numbers(&[]), [1, 2, 3]);
        assert_eq!(numbers(&applied(&[1, 2])), [3]);
        assert_eq!(numbers(&[Applied { number: 1, checksum: None }]), [2, 3]);
        assert!(numbers(&applied(&[1, 2, 3])).is_empty());
    }

    #[test]
    fn a_database_of_another_line_of_versions_is_refused() {
        assert!(refusal(&applied(&[1, 2, 3, 4])).contains("newer throughline (schema 4"));
        assert!(refusal(&applied(&[1, 3])).contains("another text of 0002_b"));
        let changed = Applied { number: 1, checksum: Some("0".into()) };
        assert!(refusal(&[changed]).contains("another text of 0001_a"));
    }

    #[test]
    fn a_step_that_loses_something_has_to_be_allowed() {
        assert!(check_losses(&KNOWN[..2], false).is_ok());
        let refused = check_losses(&KNOWN[1..], false).unwrap_err().to_string();
        assert!(refused.contains("0003_c loses what C held"), "{refused}");
        assert!(check_losses(&KNOWN, true).is_ok());
    }
}
