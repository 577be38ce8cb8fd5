//! A server that runs: on a core of its own, until it is dropped.

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
const SERVER: usize = 0;

/// The core of what asks it.
pub(crate) const LOAD: usize = 1;

/// How long a server may take to answer.
const START: Duration = Duration::from_secs(10);

/// A process that answers.
pub(crate) struct Server {
    process: Child,
    /// From its start to its first answer.
    pub(crate) started_in: Duration,
}

/// The processor time that the kernel accounts to a process, in seconds.
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

/// Leaves this process, and those that it starts from now on, one core.
pub(crate) fn take_core(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &cores)?;
    Ok(())
}

impl Server {
    /// Starts `peer`, and waits for its first answer.
    pub(crate) fn start(peer: &Peer) -> io::Result<Self> {
        let mut command = peer.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let begin = Instant::now();
        // A process starts on the cores of the thread that starts it.
        take_core(SERVER)?;
        let process = command.spawn();
        take_core(LOAD)?;
        let mut server = Self {
            process: process?,
            started_in: Duration::ZERO,
        };
        while let Err(error) = client::ask(peer.address) {
            if begin.elapsed() > START {
                return Err(error);
            }
        }
        server.started_in = begin.elapsed();
        Ok(server)
    }

    /// The processor time that it has taken so far, all its threads together.
    pub(crate) fn cpu_time(&self) -> io::Result<CpuTime> {
        let stat = self.read("stat")?;
        // The name in parentheses may hold anything; user and system time are fields 14 and 15 (proc_pid_stat(5)).
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks: Vec<f64> = fields
            .split(' ')
            .skip(12)
            .take(2)
            .filter_map(|field| field.parse().ok())
            .collect();
        let [user, system] = ticks[..] else {
            return Err(io::Error::other(format!("no times in `{stat}`")));
        };
        let second = sysconf(SysconfVar::CLK_TCK)?.ok_or_else(|| io::Error::other("no clock ticks"))?;
        let second = f64::from(i32::try_from(second).map_err(io::Error::other)?);
        Ok(CpuTime {
            user: user / second,
            system: system / second,
        })
    }

    /// Its resident memory in bytes.
    pub(crate) fn resident(&self) -> io::Result<f64> {
        let status = self.read("status")?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
        let kib: u32 = kib.ok_or_else(|| io::Error::other("no resident memory is told"))?;
        Ok(f64::from(kib) * 1024.0)
    }

    fn read(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.process.id()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails where it has ended by itself, which the load will have told.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
