//! What the server and its stores have used, from the operating system (`man 5 proc`).

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// The programs of stores; theirs are the processes that count beside this one.
const STORES: [&str; 2] = ["redis-server", "postgres"];

struct Process {
    name: String,
    parent: u32,
    cpu: Duration,
}

/// The CPU that this process has used, and the stores that it started.
pub(crate) fn cpu() -> Duration {
    let processes: HashMap<u32, Process> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        // A process may be gone by now.
        .filter_map(|id: u32| Some((id, process(&id.to_string())?)))
        .collect();
    let me = std::process::id();
    let is_mine = |mut id: u32| {
        while let Some(process) = processes.get(&id) {
            id = process.parent;
            if id == me {
                return true;
            }
        }
        false
    };
    let counts = |id, name: &str| id == me || (STORES.contains(&name) && is_mine(id));
    let counted = processes.iter().filter(|(id, process)| counts(**id, &process.name));
    counted.map(|(_, process)| process.cpu).sum()
}

/// User and system time, in hundredths of a second, with those of children that ended.
fn process(id: &str) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    let name = before.split_once('(')?.1.to_owned();
    let ended = if STORES.contains(&name.as_str()) { number(13)? + number(14)? } else { 0 };
    let ticks = number(11)? + number(12)? + ended;
    let parent = u32::try_from(number(1)?).ok()?;
    Some(Process { name, parent, cpu: Duration::from_millis(ticks * 10) })
}

/// The most memory that this process has held since it began, or was told to forget, in MB.
pub(crate) fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kibi: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
    kibi * 1_024 / 1_000_000
}

/// Has [`peak_memory`] count from now on.
pub(crate) fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}
