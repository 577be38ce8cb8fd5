//! What the process takes of the machine, by the names that Prometheus has for it. A locked process opens no file, so
//! what is read later is opened before.

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

/// The files that tell of this process.
#[derive(Debug)]
pub struct Process {
    started: Duration,
    max_files: u64,
    page: u64,
    /// Both are missing where `/proc` is not mounted.
    memory: Option<File>,
    files: Option<Mutex<Dir>>,
}

impl Process {
    /// This process, which has just started, and may open `max_files`.
    #[must_use]
    pub fn open(max_files: u64) -> Self {
        let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let files = Dir::open("/proc/self/fd", OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
        let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
        Self {
            started: started.unwrap_or_default(),
            max_files,
            page: page.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
            memory: File::open("/proc/self/statm").ok(),
            files: files.ok().map(Mutex::new),
        }
    }

    /// Bytes of address space, and of resident memory (`proc_pid_statm(5)`).
    fn memory(&self) -> Option<[u64; 2]> {
        let mut bytes = [0; 256];
        let read = self.memory.as_ref()?.read_at(&mut bytes, 0).ok()?;
        let mut pages = str::from_utf8(bytes.get(..read)?).ok()?.split(' ');
        let mut next = || pages.next()?.parse::<u64>().ok()?.checked_mul(self.page);
        Some([next()?, next()?])
    }

    /// How many files are open, the ones here included; none where that is not to be known.
    #[must_use]
    pub fn open_files(&self) -> Option<u64> {
        let mut files = self.files.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        // An error that lasts would come without an end.
        let entries = files.iter().map_while(Result::ok);
        let numbers = entries.filter(|entry| !entry.file_name().to_bytes().starts_with(b"."));
        u64::try_from(numbers.count()).ok()
    }
}

/// User and system time, to which all threads add, in seconds.
fn processor_time() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    // Microseconds, in which a century is a number that a float has exactly.
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    Some(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn expose(encoder: &mut DescriptorEncoder, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
    let metric_encoder = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
    metric.encode(metric_encoder)
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let encoder = &mut encoder;
        let help = "User and system time of all threads";
        let time = ConstCounter::new(processor_time().unwrap_or_default());
        expose(encoder, "process_cpu_seconds", help, &time)?;
        let help = "When the process started, since the beginning of 1970";
        let started = ConstGauge::new(self.started.as_secs_f64());
        expose(encoder, "process_start_time_seconds", help, &started)?;
        let [virtual_memory, resident] = self.memory().map_or([None; 2], |memory| memory.map(Some));
        for (name, help, amount) in [
            ("process_resident_memory_bytes", "Memory that is resident", resident),
            (
                "process_virtual_memory_bytes",
                "Address space, little of which is memory",
                virtual_memory,
            ),
            ("process_open_fds", "Open file descriptors", self.open_files()),
            (
                "process_max_fds",
                "File descriptors that can be open",
                Some(self.max_files),
            ),
        ] {
            amount.map_or(Ok(()), |amount| expose(encoder, name, help, &ConstGauge::new(amount)))?;
        }
        Ok(())
    }
}
