//! Whether a chain is as it was written: every hash, every signature, and what entries are found by.

use std::collections::BTreeMap;

use super::{Event, Statement};
use crate::auth::Notary;
use crate::domain::FhirId;
use crate::error::Result;
use crate::store::Ledger;
use crate::store::ledger::{ChainHash, Kept, link};

/// How many entries are looked at together.
const BATCH: usize = 1_000;
/// How many faults are told; a chain that was cut has as many as it has entries.
const MOST: usize = 100;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// At which number.
    pub number: u64,
    /// What is wrong.
    pub what: &'static str,
}

/// What became of looking at a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The chain: a tenant, or nothing.
    pub tenant: String,
    /// How many entries it has.
    pub entries: u64,
    /// Its hash, in hex.
    pub hash: String,
    /// How many checkpoints with good signatures it has.
    pub checkpoints: usize,
    /// How many entries come after the last of them.
    pub unsealed: u64,
    /// What is not as it was written, the first ones.
    pub faults: Vec<Fault>,
}

/// Looks at a chain from its beginning to its end.
pub fn verify(ledger: &dyn Ledger, notary: &Notary, tenant: &str) -> Result<Verdict> {
    let statements = ledger.checkpoints(tenant)?;
    let tips = ledger.tips()?;
    let mut walk = Walk {
        tenant,
        number: 0,
        hash: [0; 32],
        stated: BTreeMap::new(),
        sealed: 0,
        checkpoints: 0,
        faults: Vec::new(),
    };
    for checkpoint in &statements {
        match Statement::read(&checkpoint.statement, notary) {
            Some(said) if said.tenant == tenant && said.number == checkpoint.number => {
                walk.stated.insert(said.number, said.hash);
            }
            _ => walk.fault(checkpoint.number, "the checkpoint's signature is not good"),
        }
    }
    loop {
        let entries = ledger.entries(tenant, walk.number, BATCH)?;
        let mut pairs = Vec::new();
        for entry in &entries {
            walk.step(entry, &mut pairs);
        }
        if ledger.filed(tenant, &pairs)? < pairs.len() {
            walk.fault(walk.number, "an entry up to here is not found by its patient any more");
        }
        if entries.len() < BATCH {
            break;
        }
    }
    let tip = tips.iter().find(|tip| tip.tenant == tenant);
    // Entries may have come since the ends were asked for; there cannot be fewer.
    if tip.is_some_and(|tip| tip.number > walk.number) {
        walk.fault(walk.number, "entries are missing at the end");
    }
    let beyond: Vec<u64> = walk.stated.keys().copied().collect();
    for number in beyond {
        walk.fault(number, "entries up to a checkpoint are missing");
    }
    Ok(walk.verdict())
}

/// A walk along a chain.
struct Walk<'a> {
    tenant: &'a str,
    number: u64,
    hash: ChainHash,
    /// What the checkpoints ahead state.
    stated: BTreeMap<u64, String>,
    sealed: u64,
    checkpoints: usize,
    faults: Vec<Fault>,
}

impl Walk<'_> {
    fn step(&mut self, entry: &Kept, pairs: &mut Vec<(u64, FhirId)>) {
        if entry.number != self.number + 1 {
            self.fault(self.number + 1, "entries are missing from here");
        }
        self.number = entry.number;
        self.hash = link(&self.hash, self.tenant, entry.number, &entry.body);
        if entry.hash != self.hash {
            self.fault(entry.number, "the hash is not that of the entry and those before it");
            // Goes on from what is there, so that one change is one fault.
            self.hash = entry.hash;
        }
        self.look_into(entry, pairs);
        if let Some(stated) = self.stated.remove(&entry.number) {
            if stated == hex::encode(entry.hash) {
                self.checkpoints += 1;
                self.sealed = entry.number;
            } else {
                self.fault(entry.number, "the hash is not the one that was signed");
            }
        }
    }

    /// Whether what an entry is found by is what its bytes say.
    fn look_into(&mut self, entry: &Kept, pairs: &mut Vec<(u64, FhirId)>) {
        let said = Event::of(&entry.body).and_then(|event| event.entry());
        let Ok(said) = said else {
            return self.fault(entry.number, "the entry cannot be read");
        };
        let is_same = said.tenant == self.tenant
            && said.at == entry.at
            && said.actor == entry.actor
            && said.action == entry.action
            && said.outcome == entry.outcome;
        if !is_same {
            self.fault(entry.number, "what the entry is found by is not what it says");
        }
        pairs.extend(said.patients.into_iter().map(|patient| (entry.number, patient)));
    }

    fn fault(&mut self, number: u64, what: &'static str) {
        if self.faults.len() < MOST {
            self.faults.push(Fault { number, what });
        }
    }

    fn verdict(self) -> Verdict {
        Verdict {
            tenant: self.tenant.to_owned(),
            entries: self.number,
            hash: hex::encode(self.hash),
            checkpoints: self.checkpoints,
            unsealed: self.number - self.sealed,
            faults: self.faults,
        }
    }
}
