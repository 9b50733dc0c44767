//! What the kernel says this process has used.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// CPU and wall time, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: f64,
    pub(crate) wall: f64,
}

/// Where wall times count from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Usage {
    /// What has been used so far, by all threads.
    pub(crate) fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        // Counted from after the program's name: user and system time, in hundredths of a second.
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        let ticks: u32 = fields.skip(11).take(2).map(|field| field.parse::<u32>().unwrap()).sum();
        Self { cpu: f64::from(ticks) / 100.0, wall: START.elapsed().as_secs_f64() }
    }

    /// What this thread has used so far, to the nanosecond.
    pub(crate) fn of_thread() -> Self {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        let nanos: u64 = stat.split_whitespace().next().unwrap().parse().unwrap();
        let cpu = Duration::from_nanos(nanos).as_secs_f64();
        Self { cpu, wall: START.elapsed().as_secs_f64() }
    }

    /// What has been used since then.
    pub(crate) fn since(self, start: Self) -> Self {
        Self { cpu: self.cpu - start.cpu, wall: self.wall - start.wall }
    }

    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, wall: self.wall + other.wall }
    }
}

/// The most memory that this process has ever held, in KiB.
pub(crate) fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}
