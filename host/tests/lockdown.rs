//! The second wall: what a locked process cannot do any more, and what becomes of a kernel that has no such wall.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what it did"
)]

mod support;

use std::env::consts::ARCH;
use std::fs::{self, File};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::{env, io, thread};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Uid, getppid, setuid};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use socket2::SockRef;
use status_host::config::Lockdown;
use status_host::lockdown;
use support::Service;

/// The variable that names the file that a locked process tries itself on.
const FILE: &str = "LOCKED_OUT_OF";

type Trial = (&'static str, fn(&Path) -> io::Result<()>);

/// What either half of the wall forbids.
const FILES: [Trial; 7] = [
    ("open a file", |file| File::open(file).map(drop)),
    ("write a file", |file| File::options().write(true).open(file).map(drop)),
    ("create a file", |file| {
        File::create(file.with_extension("new")).map(drop)
    }),
    ("list a directory", |file| {
        fs::read_dir(file.parent().unwrap()).map(drop)
    }),
    ("remove a file", |file| fs::remove_file(file)),
    ("listen", |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    ("connect", |_| TcpStream::connect("127.0.0.1:9").map(drop)),
];

/// What only the second half forbids.
const CALLS: [Trial; 14] = [
    ("look at a file", |file| fs::metadata(file.parent().unwrap()).map(drop)),
    ("open its own memory", |_| {
        File::options().write(true).open("/proc/self/mem").map(drop)
    }),
    ("start a program", |_| {
        Command::new("/bin/true").spawn()?.wait().map(drop)
    }),
    ("start a thread", |_| thread::Builder::new().spawn(|| ()).map(drop)),
    ("open a datagram socket", |_| UdpSocket::bind("127.0.0.1:0").map(drop)),
    ("open a pair of sockets", |_| UnixStream::pair().map(drop)),
    ("map executable memory", |_| {
        Ok(map(ProtFlags::PROT_READ | ProtFlags::PROT_EXEC).map(drop)?)
    }),
    ("map memory to write and execute", |_| {
        Ok(map(ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC).map(drop)?)
    }),
    ("make memory executable", |_| {
        let page = map(ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).unwrap();
        #[expect(unsafe_code, reason = "nothing is run there")]
        // SAFETY: the page is there, and nothing else uses it.
        let executable = unsafe { mprotect(page, PAGE.get(), ProtFlags::PROT_READ | ProtFlags::PROT_EXEC) };
        Ok(executable?)
    }),
    ("make a file of memory", |_| {
        Ok(memfd_create("locked", MFdFlags::empty()).map(drop)?)
    }),
    ("signal another process", |_| Ok(kill(getppid(), None)?)),
    ("turn a listener into a client", |_| {
        SockRef::from(&*LISTENER).shutdown(Shutdown::Read)
    }),
    ("connect with the first bytes", |_| {
        let nobody = SocketAddr::from(([127, 0, 0, 1], 9)).into();
        let sent = SockRef::from(&*LISTENER).send_to_with_flags(b"x", &nobody, libc::MSG_FASTOPEN);
        sent.map(drop)
    }),
    ("become another user", |_| Ok(setuid(Uid::from_raw(65_532))?)),
];

/// A socket that is there before the process is locked in.
static LISTENER: LazyLock<TcpListener> = LazyLock::new(|| TcpListener::bind("127.0.0.1:0").unwrap());

const PAGE: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

fn map(protection: ProtFlags) -> nix::Result<std::ptr::NonNull<std::ffi::c_void>> {
    #[expect(unsafe_code, reason = "nothing is done with what is mapped")]
    // SAFETY: where it is mapped is the kernel's choice, so that it replaces nothing.
    unsafe {
        mmap_anonymous(None, PAGE, protection, MapFlags::MAP_PRIVATE)
    }
}

/// Tries each, and prints what it came to.
fn attempt(trials: &[Trial]) {
    let file = env::var_os(FILE).unwrap();
    for (what, trial) in trials {
        let came = trial(Path::new(&file)).map_or_else(|error| format!("{:?}", error.kind()), |()| "done".to_owned());
        println!("\ntried to {what}: {came}");
    }
}

#[test]
#[ignore = "locks its process, which is another than that of the tests"]
fn locked_in_whole() {
    LazyLock::force(&LISTENER);
    let locking = lockdown::begin(Lockdown::On);
    let (sender, receiver) = std::sync::mpsc::channel();
    // A thread that is there before the second half is locked in by it as well.
    let thread = thread::spawn(move || {
        receiver.recv().unwrap();
        attempt(&FILES);
        attempt(&CALLS);
    });
    locking.complete().unwrap();
    attempt(&FILES);
    attempt(&CALLS);
    sender.send(()).unwrap();
    thread.join().unwrap();
}

#[test]
#[ignore = "locks its process, which is another than that of the tests"]
fn locked_in_by_half() {
    let _locking = lockdown::begin(Lockdown::On);
    attempt(&FILES);
}

#[test]
#[ignore = "locks its process, which is another than that of the tests"]
fn locked_in_to_be_killed() {
    lockdown::begin(Lockdown::Kill).complete().unwrap();
    attempt(&FILES);
}

#[test]
#[ignore = "is run in a process of its own, to be compared with the others"]
fn not_locked_in() {
    lockdown::begin(Lockdown::Off).complete().unwrap();
    attempt(&FILES);
    attempt(&CALLS);
}

/// Runs one of the tests above in a process of its own, and returns what it printed of each trial.
fn in_a_process(test: &str) -> (Output, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    let output = command.env(FILE, &file).output().unwrap();
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    let tried = printed.lines().filter(|line| line.starts_with("tried to "));
    let tried = tried.map(str::to_owned).collect();
    (output, tried)
}

/// The version of the kernel's Landlock; 0 for a kernel without, on which an image may be built as well.
fn landlock() -> i64 {
    #[expect(unsafe_code, reason = "with no ruleset it is a question only")]
    // SAFETY: the kernel is given no memory.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, 1) };
    // The crate does not ask for more than it knows of.
    version.clamp(0, 10)
}

fn all_denied(tried: &[String]) {
    assert!(
        tried.iter().all(|line| line.ends_with(": PermissionDenied")),
        "{tried:#?}"
    );
}

#[test]
fn a_locked_process_can_do_none_of_it() {
    let (output, tried) = in_a_process("locked_in_whole");
    all_denied(&tried);
    assert_eq!(tried.len(), 2 * (FILES.len() + CALLS.len()), "{output:?}");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn files_and_ports_are_denied_twice() {
    let (output, tried) = in_a_process("locked_in_by_half");
    assert_eq!(tried.len(), FILES.len(), "{output:?}");
    match landlock() {
        0 => assert!(
            tried.iter().all(|line| !line.ends_with(": PermissionDenied")),
            "{tried:#?}"
        ),
        // Of ports, which come last, it knows since its fourth version.
        1..4 => all_denied(&tried[..5]),
        _ => all_denied(&tried),
    }
}

#[test]
fn what_is_forbidden_kills_if_that_is_asked_for() {
    let (output, tried) = in_a_process("locked_in_to_be_killed");
    assert_eq!(output.status.signal(), Some(Signal::SIGSYS as i32), "{output:?}");
    // To open a file fails, in whichever way; to remove one kills.
    all_denied(&tried);
    assert_eq!(tried.len(), 4);
}

#[test]
fn without_the_wall_all_of_it_can_be_done() {
    let (output, tried) = in_a_process("not_locked_in");
    assert_eq!(tried.len(), FILES.len() + CALLS.len(), "{output:?}");
    // Nothing listens on the port, and who runs the tests may not become another user.
    let exceptions = [
        "connect: ConnectionRefused",
        "bytes: ConnectionRefused",
        "become another user: PermissionDenied",
    ];
    let done = |line: &String| line.ends_with(": done") || exceptions.iter().any(|end| line.ends_with(end));
    assert!(tried.iter().all(done), "{tried:#?}");
}

#[test]
fn a_service_is_locked_in_and_says_so() {
    let service = Service::start();
    let line = &service.before[0];
    match landlock() {
        0 => assert!(line["missing"].as_str().unwrap().starts_with("landlock: "), "{line}"),
        version => {
            assert_eq!(line["message"], "locked down");
            assert!(line["landlock"] == version && line["seccomp"] == true, "{line}");
        }
    }
    let status = fs::read_to_string(format!("/proc/{}/status", service.id())).unwrap();
    assert!(
        status.contains("NoNewPrivs:\t1\n") && status.contains("Seccomp:\t2\n"),
        "{status}"
    );
    let tasks = fs::read_dir(format!("/proc/{}/task", service.id())).unwrap();
    for task in tasks {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(status.contains("Seccomp:\t2\n"), "{status}");
    }
    service.finish();
}

#[test]
fn nothing_that_serving_does_is_forbidden() {
    // Whatever is would end it.
    let service = Service::start_probe(&["--lockdown", "kill", "--request-timeout", "100ms"]);
    for path in [
        "/count",
        "/spin",
        "/allocate",
        "/recurse",
        "/trap",
        "/mebibyte",
        "/gigabyte",
        "/leak",
    ] {
        service.get(path);
    }
    let post = "POST /wait-for-body HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n1";
    assert_eq!(service.send(post).status, 200);
    service.send("nonsense\r\n\r\n").assert_problem(400);
    let waiting: Vec<_> = (0..50).map(|_| service.connect()).collect();
    service.finish();
    drop(waiting);
}

#[test]
fn the_wall_can_be_left_out() {
    let service = Service::start_with_options(&["--lockdown", "off"]);
    assert_eq!(service.before[0]["message"], "not locked down: --lockdown is off");
    assert_eq!(service.get("/status").status, 200);
    service.finish();
}

/// Runs `work` on a kernel in which `calls` are missing.
fn on_a_kernel_without<T: Send>(calls: &[libc::c_long], work: impl FnOnce() -> T + Send) -> T {
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, missing, ARCH.try_into().unwrap()).unwrap();
    let filter: BpfProgram = filter.try_into().unwrap();
    // A filter holds for its thread, and for the processes that it starts.
    let on_thread = || {
        seccompiler::apply_filter(&filter).unwrap();
        work()
    };
    thread::scope(|scope| scope.spawn(on_thread).join().unwrap())
}

#[test]
fn a_kernel_without_the_wall_is_told_of() {
    let cases: [(&[libc::c_long], &str); 2] = [
        (&[libc::SYS_landlock_create_ruleset], "landlock: "),
        (&[libc::SYS_seccomp], "seccomp: "),
    ];
    for (calls, part) in cases {
        let service = on_a_kernel_without(calls, Service::start);
        let line = &service.before[0];
        assert_eq!(
            (&line["message"], &line["severity"]),
            (&"locked down in part".into(), &"WARNING".into())
        );
        assert!(line["missing"].as_str().unwrap().starts_with(part), "{line}");
        assert_eq!(service.get("/status").status, 200);
        service.finish();
        let options = ["--listen", "127.0.0.1:0", "--lockdown", "require"];
        let refused = on_a_kernel_without(calls, || support::run(&options, &[]));
        support::assert_refused(&refused, 1, &["cannot lock the process down", part]);
    }
}
