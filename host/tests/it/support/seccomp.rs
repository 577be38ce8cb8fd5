//! Kernels that refuse some system calls.

use std::env::consts::ARCH;
use std::thread;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// Runs `work` on a kernel on which `calls` fail with `errno`.
pub fn with_failing_calls<T: Send>(calls: &[libc::c_long], errno: i32, work: impl FnOnce() -> T + Send) -> T {
    with_failing(calls.iter().map(|call| (*call, Vec::new())), errno, work)
}

/// Runs `work` on a kernel without IPv6.
pub fn without_ipv6<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let family = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::AF_INET6 as u64);
    let rule = SeccompRule::new(vec![family.unwrap()]).unwrap();
    with_failing([(libc::SYS_socket, vec![rule])], libc::EAFNOSUPPORT, work)
}

/// Runs `work` on a kernel that denies to make memory executable.
pub fn without_executable_memory<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let is_executable = SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64);
    let condition = SeccompCondition::new(2, SeccompCmpArgLen::Dword, is_executable, libc::PROT_EXEC as u64);
    let rule = SeccompRule::new(vec![condition.unwrap()]).unwrap();
    with_failing([(libc::SYS_mprotect, vec![rule])], libc::EPERM, work)
}

fn with_failing<T: Send>(
    rules: impl IntoIterator<Item = (libc::c_long, Vec<SeccompRule>)>,
    errno: i32,
    work: impl FnOnce() -> T + Send,
) -> T {
    let rules = rules.into_iter().collect();
    let action = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, ARCH.try_into().unwrap()).unwrap();
    let filter = BpfProgram::try_from(filter).unwrap();
    // A filter applies to its thread, and to the processes that the thread starts.
    let on_thread = || {
        apply_filter(&filter).unwrap();
        work()
    };
    thread::scope(|scope| scope.spawn(on_thread).join().unwrap())
}
