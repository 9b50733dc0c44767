//! Figures of this process, as the operating system has them (Linux, `/proc/self`), under the names
//! that Prometheus gives them
//! (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>).

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::clock::Clock;

/// The figures of this process.
#[derive(Debug, Clone, Copy)]
pub struct ProcessMeter {
    started: f64,
}

impl ProcessMeter {
    /// Of a process that has just begun.
    pub fn start(clock: &dyn Clock) -> Self {
        Self { started: clock.now().as_duration().as_secs_f64() }
    }

    /// Names the figures to a registry.
    pub fn register(self, registry: &mut Registry) {
        registry.register_collector(Box::new(self));
    }
}

/// Raises the limit of open files as far as this user may: each connection is one.
pub fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(cause) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(cause = %cause, "the limit of open files cannot be raised");
    }
}

impl Collector for ProcessMeter {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut gauge = |name: &str, help: &str, value: Option<f64>| {
            let Some(value) = value else { return Ok(()) };
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)
        };
        let figures = Figures::read();
        gauge("process_start_time_seconds", "When it began, Unix time", Some(self.started))?;
        let memory = figures.map(|figures| figures.resident);
        gauge("process_resident_memory_bytes", "Memory in use", memory)?;
        let threads = figures.map(|figures| figures.threads);
        gauge("process_threads", "Threads", threads)?;
        gauge("process_open_fds", "Open file descriptors", open_files())?;
        let Some(figures) = figures else { return Ok(()) };
        let spent = ConstCounter::new(figures.cpu);
        let help = "CPU time spent, in user and system mode";
        let name = "process_cpu_seconds";
        spent.encode(encoder.encode_descriptor(name, help, None, spent.metric_type())?)
    }
}

/// What `/proc/self/stat` says (`proc_pid_stat(5)`).
#[derive(Debug, Clone, Copy)]
struct Figures {
    cpu: f64,
    threads: f64,
    resident: f64,
}

impl Figures {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// The fields count from 1; the third comes after the name, which is in parentheses.
    fn parse(stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<f64> =
            fields.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let (ticks, page) = (number(clock_ticks_per_second())?, number(page_size() as u64)?);
        Some(Self {
            cpu: (field(14)? + field(15)?) / ticks,
            threads: field(20)?,
            resident: field(24)? * page,
        })
    }
}

fn open_files() -> Option<f64> {
    number(fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

/// A number that is small enough to be exact.
fn number(value: u64) -> Option<f64> {
    u32::try_from(value).ok().map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_right_fields() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 12345 \
                    1000000 300 18446744073709551615";
        let figures = Figures::parse(stat).unwrap();
        let ticks = number(clock_ticks_per_second()).unwrap();
        assert!((figures.cpu - 300.0 / ticks).abs() < 1e-9);
        assert!((figures.threads - 9.0).abs() < 1e-9);
        assert!((figures.resident - 300.0 * number(page_size() as u64).unwrap()).abs() < 1e-9);
        assert!(Figures::parse("nonsense").is_none());
        assert!(Figures::read().unwrap().resident > 0.0);
    }
}
