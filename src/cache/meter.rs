//! What the caches count, as metrics (<https://prometheus.io/docs/concepts/metric_types/>).
//!
//! Memory is not timed: looking at the clock would take as long as looking into it.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

/// Where a value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// In this process.
    Memory,
    /// In Redis.
    Redis,
}

/// What became of looking for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// It was there.
    Hit,
    /// It was not there.
    Miss,
    /// What was there did not open: changed, cut, moved, or written by another installation.
    Refused,
}

type Labels = [(&'static str, &'static str); 2];

/// The counters of the caches; clones count together.
#[derive(Debug, Clone, Default)]
pub struct CacheMeter {
    lookups: Family<Labels, Counter>,
    bytes: Family<Labels, Counter>,
    loads: Counter,
    joined: Counter,
}

impl Layer {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
        }
    }
}

impl Lookup {
    fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Refused => "refused",
        }
    }
}

impl CacheMeter {
    /// Names the counters to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Lookups in the caches, by layer and outcome";
        registry.register("cache_lookups", help, self.lookups.clone());
        let help = "Bytes of values found in the caches and put into them";
        registry.register_with_unit("cache_values", help, Unit::Bytes, self.bytes.clone());
        let help = "Values that no cache had, loaded from the store";
        registry.register("cache_loads", help, self.loads.clone());
        let help = "Requests that shared the load of another request";
        registry.register("cache_joined_loads", help, self.joined.clone());
    }

    /// How often looking for a value ended that way.
    pub fn lookups(&self, layer: Layer, lookup: Lookup) -> u64 {
        self.lookups.get_or_create(&lookup_labels(layer, lookup)).get()
    }

    /// How many bytes were read from a layer.
    pub fn bytes_read(&self, layer: Layer) -> u64 {
        self.bytes.get_or_create(&byte_labels(layer, "read")).get()
    }

    /// How many values were loaded from the store.
    pub fn loads(&self) -> u64 {
        self.loads.get()
    }

    /// How many requests shared the load of another.
    pub fn joined(&self) -> u64 {
        self.joined.get()
    }

    pub(super) fn looked(&self, layer: Layer, lookup: Lookup) {
        self.lookups.get_or_create(&lookup_labels(layer, lookup)).inc();
    }

    pub(super) fn read(&self, layer: Layer, bytes: usize) {
        self.bytes.get_or_create(&byte_labels(layer, "read")).inc_by(bytes as u64);
    }

    pub(super) fn written(&self, layer: Layer, bytes: usize) {
        self.bytes.get_or_create(&byte_labels(layer, "written")).inc_by(bytes as u64);
    }

    pub(super) fn loaded(&self) {
        self.loads.inc();
    }

    pub(super) fn shared(&self) {
        self.joined.inc();
    }
}

fn lookup_labels(layer: Layer, lookup: Lookup) -> Labels {
    [("layer", layer.name()), ("outcome", lookup.name())]
}

fn byte_labels(layer: Layer, direction: &'static str) -> Labels {
    [("layer", layer.name()), ("direction", direction)]
}
