//! System calls: a list of what serving needs, and an answer to everything else.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::process;

use libc::{PROT_EXEC, c_int, c_long};
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule,
};

/// What serving needs, with any arguments (`filter` has those that it needs with certain ones): open sockets and standard error, memory, time, threads that are there.
const SERVING: &[c_long] = &[
    // Connections, and the listeners.
    libc::SYS_accept4,
    libc::SYS_read,
    libc::SYS_recvfrom,
    libc::SYS_write,
    libc::SYS_close,
    // Waiting for them.
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_restart_syscall,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    // Memory.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_getrandom,
    // What the metrics tell of the process.
    libc::SYS_pread64,
    libc::SYS_lseek,
    libc::SYS_getdents64,
    libc::SYS_getrusage,
    // Signals, of which the traps of guests are some, and the end of threads and process.
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigaction,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // What threads do that have been started, and run only now.
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
];

/// The same on machines that have older names for it.
#[cfg(target_arch = "x86_64")]
const SERVING_HERE: &[c_long] = &[libc::SYS_epoll_wait, libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const SERVING_HERE: &[c_long] = &[];

/// What fails by itself, and is not worth to be killed for: to open a file, which Landlock denies. The allocator of the C
/// library looks at `/proc/sys/vm/overcommit_memory`, and does without.
const FAILING: &[c_long] = &[libc::SYS_openat];

/// What a system call that is not on the list comes to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Otherwise {
    /// It fails with EPERM.
    Fail,
    /// It kills the process.
    Kill,
}

/// Leaves all threads of the process the calls on the list, and no others.
pub(super) fn deny(otherwise: Otherwise) -> Result<(), Error> {
    seccompiler::apply_filter_all_threads(&filter(otherwise)?)
}

fn filter(otherwise: Otherwise) -> Result<BpfProgram, BackendError> {
    let any = |call: &c_long| (*call, Vec::new());
    let mut rules: BTreeMap<_, _> = SERVING.iter().chain(SERVING_HERE).map(any).collect();
    let mut allow = |call: c_long, conditions| {
        let rules = rules.entry(call).or_insert_with(Vec::new);
        SeccompRule::new(conditions).map(|rule| rules.push(rule))
    };
    // To nobody but the peer: with an address a socket can be connected (TCP Fast Open), and so can a listener that has
    // been shut down for reading.
    allow(libc::SYS_sendto, vec![only(4, Length::Qword, 0)?])?;
    allow(libc::SYS_shutdown, vec![only(1, Length::Dword, value(libc::SHUT_WR))?])?;
    let level = only(1, Length::Dword, value(libc::IPPROTO_TCP))?;
    let option = only(2, Length::Dword, value(libc::TCP_NODELAY))?;
    allow(libc::SYS_setsockopt, vec![level, option])?;
    // A build with assertions looks at what it closes, and at what it watches.
    for command in [libc::F_GETFD, libc::F_GETFL] {
        allow(libc::SYS_fcntl, vec![only(1, Length::Dword, value(command))?])?;
    }
    allow(libc::SYS_ioctl, vec![only(1, Length::Dword, libc::FIONBIO)?])?;
    allow(libc::SYS_prctl, vec![only(0, Length::Dword, value(libc::PR_SET_NAME))?])?;
    // How a process ends itself.
    let own = only(0, Length::Dword, u64::from(process::id()))?;
    allow(libc::SYS_tgkill, vec![own])?;
    allow(libc::SYS_mmap, vec![without(2, PROT_EXEC)?])?;
    allow(libc::SYS_mprotect, vec![without(2, PROT_EXEC)?])?;
    let otherwise = match otherwise {
        Otherwise::Fail => SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        Otherwise::Kill => {
            rules.extend(FAILING.iter().map(any));
            SeccompAction::KillProcess
        }
    };
    SeccompFilter::new(rules, otherwise, SeccompAction::Allow, ARCH.try_into()?)?.try_into()
}

/// The argument must be `value`.
fn only(argument: u8, length: Length, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, length, Op::Eq, value)
}

/// The argument must not have `flag`.
fn without(argument: u8, flag: c_int) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Length::Dword, Op::MaskedEq(value(flag)), 0)
}

fn value(constant: c_int) -> u64 {
    u64::from(constant.unsigned_abs())
}
