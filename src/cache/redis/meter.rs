//! What the link to Redis counts, as metrics.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{Fault, RedisLink};

/// The bounds of the buckets, in seconds.
const BUCKETS: [f64; 9] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1];

/// The counters of a link.
pub(super) struct LinkMeter {
    faults: Family<[(&'static str, &'static str); 1], Counter>,
    seconds: Histogram,
}

impl Default for LinkMeter {
    fn default() -> Self {
        Self { faults: Family::default(), seconds: Histogram::new(BUCKETS) }
    }
}

impl LinkMeter {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "What was not answered by Redis, by reason";
        registry.register("redis_faults", help, self.faults.clone());
        let help = "How long Redis was waited for";
        registry.register_with_unit("redis_wait", help, Unit::Seconds, self.seconds.clone());
    }

    pub(super) fn failed(&self, fault: Fault) {
        self.faults.get_or_create(&[("reason", fault.name())]).inc();
    }

    pub(super) fn faults(&self, fault: Fault) -> u64 {
        self.faults.get_or_create(&[("reason", fault.name())]).get()
    }

    pub(super) fn took(&self, wait: Duration) {
        self.seconds.observe(wait.as_secs_f64());
    }
}

/// Whether Redis answers, as far as is known when it is asked for.
pub(super) struct Up(pub(super) RedisLink);

impl fmt::Debug for Up {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Up")
    }
}

impl Collector for Up {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let help =
            "Whether Redis is asked: 1, or 0 while it is left alone because it did not answer";
        let metric = encoder.encode_descriptor("redis_up", help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(self.0.is_up())).encode(metric)
    }
}
