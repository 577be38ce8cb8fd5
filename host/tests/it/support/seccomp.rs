//! Kernels that refuse some system calls.

use std::env::consts::ARCH;
use std::thread;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// Runs `work` on a kernel on which `call` fails with `errno`.
pub fn with_failing_call<T: Send>(call: libc::c_long, errno: i32, work: impl FnOnce() -> T + Send) -> T {
    with_failing(call, Vec::new(), errno, work)
}

/// Runs `work` on a kernel without IPv6.
pub fn without_ipv6<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let family = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::AF_INET6 as u64);
    let rule = SeccompRule::new(vec![family.unwrap()]).unwrap();
    with_failing(libc::SYS_socket, vec![rule], libc::EAFNOSUPPORT, work)
}

/// A filter applies to its thread, and to the processes that the thread starts.
fn with_failing<T: Send>(
    call: libc::c_long,
    rules: Vec<SeccompRule>,
    errno: i32,
    work: impl FnOnce() -> T + Send,
) -> T {
    let action = SeccompAction::Errno(errno.unsigned_abs());
    let rules = [(call, rules)].into_iter().collect();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, ARCH.try_into().unwrap()).unwrap();
    let filter = BpfProgram::try_from(filter).unwrap();
    let on_thread = || {
        apply_filter(&filter).unwrap();
        work()
    };
    thread::scope(|scope| scope.spawn(on_thread).join().unwrap())
}
