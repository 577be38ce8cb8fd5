//! Process metrics under the standard Prometheus names. The lockdown denies opening files, so everything that a scrape
//! reads is opened at start-up.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::stat::Mode;
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::{SysconfVar, sysconf};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Collects the process metrics on each scrape.
#[derive(Debug)]
pub(crate) struct ProcessCollector {
    /// Since the Unix epoch.
    start_time: Duration,
    max_fds: u64,
    /// In bytes.
    page_size: u64,
    /// `/proc/self/statm`, if `/proc` is mounted.
    statm: Option<File>,
    /// `/proc/self/fd`, if `/proc` is mounted.
    fd_dir: Option<Mutex<Dir>>,
}

impl ProcessCollector {
    /// Opens the files in `/proc/self` and records the start time. `max_fds` is the file descriptor limit.
    #[must_use]
    pub(crate) fn open(max_fds: u64) -> Self {
        let start_time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let fd_dir = Dir::open("/proc/self/fd", OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
        let page_size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
        Self {
            start_time: start_time.unwrap_or_default(),
            max_fds,
            page_size: page_size.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
            statm: File::open("/proc/self/statm").ok(),
            fd_dir: fd_dir.ok().map(Mutex::new),
        }
    }

    /// Virtual and resident memory in bytes (`proc_pid_statm(5)`).
    fn memory(&self) -> Option<[u64; 2]> {
        let mut buffer = [0; 256];
        let length = self.statm.as_ref()?.read_at(&mut buffer, 0).ok()?;
        let mut pages = str::from_utf8(buffer.get(..length)?).ok()?.split(' ');
        let mut next = || pages.next()?.parse::<u64>().ok()?.checked_mul(self.page_size);
        Some([next()?, next()?])
    }

    /// The number of open file descriptors, including those of the collector; `None` if `/proc` is not mounted.
    #[must_use]
    pub(crate) fn open_fds(&self) -> Option<u64> {
        let mut fd_dir = self.fd_dir.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        // Stops at the first error: a persistent one would be returned for ever.
        let entries = fd_dir.iter().map_while(Result::ok);
        let fds = entries.filter(|entry| !entry.file_name().to_bytes().starts_with(b"."));
        u64::try_from(fds.count()).ok()
    }
}

/// User and system time of all threads, in seconds.
fn cpu_seconds() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a century of microseconds is below 2^53, which f64 represents exactly"
    )]
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    Some(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn encode_metric(encoder: &mut DescriptorEncoder, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
    let metric_encoder = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
    metric.encode(metric_encoder)
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let encoder = &mut encoder;
        let cpu_time = ConstCounter::new(cpu_seconds().unwrap_or_default());
        let help = "User and system CPU time of all threads, in seconds";
        encode_metric(encoder, "process_cpu_seconds", help, &cpu_time)?;
        let start_time = ConstGauge::new(self.start_time.as_secs_f64());
        let help = "Start time of the process, in seconds since the Unix epoch";
        encode_metric(encoder, "process_start_time_seconds", help, &start_time)?;
        let [virtual_memory, resident_memory] = self.memory().map_or([None; 2], |memory| memory.map(Some));
        let gauges = [
            (
                "process_resident_memory_bytes",
                "Resident memory, in bytes",
                resident_memory,
            ),
            (
                "process_virtual_memory_bytes",
                "Virtual address space, in bytes; most of it is reserved and not backed by memory",
                virtual_memory,
            ),
            ("process_open_fds", "Open file descriptors", self.open_fds()),
            (
                "process_max_fds",
                "Maximum number of open file descriptors",
                Some(self.max_fds),
            ),
        ];
        for (name, help, value) in gauges {
            let Some(value) = value else { continue };
            encode_metric(encoder, name, help, &ConstGauge::new(value))?;
        }
        Ok(())
    }
}
