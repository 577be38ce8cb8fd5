//! System calls: an allow list, and a default action for the rest.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::process;

use libc::{PROT_EXEC, c_int, c_long};
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule,
};

/// Allowed with any arguments. `filter` adds calls that are allowed with certain arguments.
const ALLOWED: &[c_long] = &[
    // Listeners and connections.
    libc::SYS_accept4,
    libc::SYS_read,
    libc::SYS_recvfrom,
    libc::SYS_write,
    libc::SYS_close,
    // Waiting.
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
    // Metrics of the process.
    libc::SYS_pread64,
    libc::SYS_getrusage,
    // Signals, including the traps of guests; exit.
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigaction,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Threads that have been created, but not scheduled yet.
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
];

/// The same for calls that only some architectures have.
#[cfg(target_arch = "x86_64")]
const ALLOWED_ON_THIS_ARCH: &[c_long] = &[libc::SYS_epoll_wait, libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_ON_THIS_ARCH: &[c_long] = &[];

/// Calls that fail in kill mode too, which is harmless: the allocator of glibc tries to read
/// `/proc/sys/vm/overcommit_memory`.
const FAILING: &[c_long] = &[libc::SYS_openat];

const EPERM: SeccompAction = SeccompAction::Errno(libc::EPERM.unsigned_abs());

/// The action for a system call that is not allowed.
#[derive(Clone, Copy, Debug)]
pub(super) enum DefaultAction {
    /// It fails with EPERM.
    Fail,
    /// It kills the process.
    Kill,
}

/// Restricts all threads of the process to the allowed calls.
pub(super) fn restrict(default_action: DefaultAction) -> Result<(), Error> {
    if let DefaultAction::Kill = default_action {
        // Of two filters, the stricter action applies, and to fail is stricter than to be allowed.
        seccompiler::apply_filter_all_threads(&failing()?)?;
    }
    seccompiler::apply_filter_all_threads(&filter(default_action)?)
}

fn failing() -> Result<BpfProgram, BackendError> {
    let rules = FAILING.iter().map(|call| (*call, Vec::new())).collect();
    SeccompFilter::new(rules, SeccompAction::Allow, EPERM, ARCH.try_into()?)?.try_into()
}

fn filter(default_action: DefaultAction) -> Result<BpfProgram, BackendError> {
    let any = |call: &c_long| (*call, Vec::new());
    let mut rules: BTreeMap<_, _> = ALLOWED.iter().chain(ALLOWED_ON_THIS_ARCH).map(any).collect();
    let mut allow = |call: c_long, conditions| {
        let rules = rules.entry(call).or_insert_with(Vec::new);
        SeccompRule::new(conditions).map(|rule| rules.push(rule))
    };
    // Without an address: with one, sendto(2) connects a socket (TCP Fast Open), even a listener after shutdown(2).
    allow(libc::SYS_sendto, vec![arg_eq(4, Length::Qword, 0)?])?;
    let write_side = arg_eq(1, Length::Dword, value(libc::SHUT_WR))?;
    allow(libc::SYS_shutdown, vec![write_side])?;
    // Debug assertions of the standard library check descriptors before close(2) and poll(2).
    for command in [libc::F_GETFD, libc::F_GETFL] {
        allow(libc::SYS_fcntl, vec![arg_eq(1, Length::Dword, value(command))?])?;
    }
    allow(libc::SYS_ioctl, vec![arg_eq(1, Length::Dword, libc::FIONBIO)?])?;
    let set_name = arg_eq(0, Length::Dword, value(libc::PR_SET_NAME))?;
    allow(libc::SYS_prctl, vec![set_name])?;
    // abort(3).
    let own = arg_eq(0, Length::Dword, u64::from(process::id()))?;
    allow(libc::SYS_tgkill, vec![own])?;
    allow(libc::SYS_mmap, vec![arg_lacks_flag(2, PROT_EXEC)?])?;
    allow(libc::SYS_mprotect, vec![arg_lacks_flag(2, PROT_EXEC)?])?;
    let default_action = match default_action {
        DefaultAction::Fail => EPERM,
        DefaultAction::Kill => {
            rules.extend(FAILING.iter().map(any));
            SeccompAction::KillProcess
        }
    };
    SeccompFilter::new(rules, default_action, SeccompAction::Allow, ARCH.try_into()?)?.try_into()
}

/// The argument equals `value`.
fn arg_eq(argument: u8, length: Length, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, length, Op::Eq, value)
}

/// The argument does not have `flag`.
fn arg_lacks_flag(argument: u8, flag: c_int) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Length::Dword, Op::MaskedEq(value(flag)), 0)
}

fn value(constant: c_int) -> u64 {
    u64::from(constant.unsigned_abs())
}
