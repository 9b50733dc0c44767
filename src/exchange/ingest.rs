//! Takes a platform's records in: envelope, versions, quarantine, derived facts, mapping, store.

pub mod derive;
