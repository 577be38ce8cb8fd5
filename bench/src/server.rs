//! A running server process on a dedicated core.

use std::fs;
use std::io;
use std::ops::Sub;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::{Pid, SysconfVar, sysconf};

use crate::client;
use crate::peers::Peer;

/// The core of the server.
const SERVER_CORE: usize = 0;

/// The core of the load generator.
pub(crate) const LOAD_CORE: usize = 1;

/// Time limit for the first response.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A process that has answered a request. It is killed on drop.
pub(crate) struct Server {
    process: Child,
    /// Time from process start to the first response.
    pub(crate) started_in: Duration,
}

/// The CPU time of a process, in seconds.
#[derive(Clone, Copy)]
pub(crate) struct CpuTime {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Sub for CpuTime {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            user: self.user - earlier.user,
            system: self.system - earlier.system,
        }
    }
}

/// Restricts this process, and processes that it starts later, to one core.
pub(crate) fn pin_to_core(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &cores)?;
    Ok(())
}

impl Server {
    /// Starts `peer` and waits for its first response.
    pub(crate) fn start(peer: &Peer) -> io::Result<Self> {
        let mut command = peer.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let begin = Instant::now();
        // A process inherits the affinity of the thread that starts it.
        pin_to_core(SERVER_CORE)?;
        let process = command.spawn();
        pin_to_core(LOAD_CORE)?;
        let mut server = Self {
            process: process?,
            started_in: Duration::ZERO,
        };
        while let Err(error) = client::request(peer.address) {
            if begin.elapsed() > START_TIMEOUT {
                return Err(error);
            }
        }
        server.started_in = begin.elapsed();
        Ok(server)
    }

    /// The CPU time of all its threads so far.
    pub(crate) fn cpu_time(&self) -> io::Result<CpuTime> {
        let stat = self.read("stat")?;
        // The name in parentheses may contain spaces; user and system time are fields 14 and 15 (proc_pid_stat(5)).
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks: Vec<f64> = fields
            .split(' ')
            .skip(12)
            .take(2)
            .filter_map(|field| field.parse().ok())
            .collect();
        let [user, system] = ticks[..] else {
            return Err(io::Error::other(format!("no CPU times in `{stat}`")));
        };
        let second = sysconf(SysconfVar::CLK_TCK)?.ok_or_else(|| io::Error::other("no clock ticks"))?;
        let second = f64::from(i32::try_from(second).map_err(io::Error::other)?);
        Ok(CpuTime {
            user: user / second,
            system: system / second,
        })
    }

    /// The resident memory in bytes.
    pub(crate) fn resident(&self) -> io::Result<f64> {
        let status = self.read("status")?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
        let kib: u32 = kib.ok_or_else(|| io::Error::other("no VmRSS in the process status"))?;
        Ok(f64::from(kib) * 1024.0)
    }

    fn read(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.process.id()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails if the process has exited, which the load generator reports.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
