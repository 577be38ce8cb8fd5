//! What a locked process attempts, in a separate process each time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and one prints to another"
)]

use std::fs::{self, File};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::{env, io, thread};

use clap::ValueEnum;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Uid, getppid, getuid, setuid};
use socket2::SockRef;

use super::restrict_filesystem;
use crate::cli::LockdownMode;

/// What denies an attempt first. In kill mode seccomp lets those that open a file fail, and kills the process for the
/// others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeniedBy {
    LandlockOpen,
    LandlockFile,
    LandlockPort,
    SeccompOpen,
    Seccomp,
}

use DeniedBy::{LandlockFile, LandlockOpen, LandlockPort, Seccomp, SeccompOpen};

type Attempt = (&'static str, DeniedBy, fn(&Path) -> io::Result<()>);

const CONNECT: &str = "connect";
const CONNECT_BY_SEND: &str = "connect with TCP Fast Open";
const BECOME_ANOTHER_USER: &str = "become another user";

/// What the lockdown denies. Nothing listens on the ports.
const ATTEMPTS: [Attempt; 23] = [
    ("open a file", LandlockOpen, |file| File::open(file).map(drop)),
    ("write a file", LandlockOpen, |file| {
        File::options().write(true).open(file).map(drop)
    }),
    ("create a file", LandlockOpen, |file| {
        File::create(file.with_extension("new")).map(drop)
    }),
    ("list a directory", LandlockOpen, |file| {
        fs::read_dir(file.parent().unwrap()).map(drop)
    }),
    ("remove a file", LandlockFile, |file| fs::remove_file(file)),
    ("listen", LandlockPort, |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    (CONNECT, LandlockPort, |_| TcpStream::connect("127.0.0.1:9").map(drop)),
    ("find out whether a file exists", SeccompOpen, |file| {
        let mut options = File::options();
        options.read(true).custom_flags(libc::O_PATH);
        options.open(file.parent().unwrap()).map(drop)
    }),
    ("read what it has logged", SeccompOpen, |_| {
        File::open("/proc/self/fd/2").map(drop)
    }),
    ("open its own memory", SeccompOpen, |_| {
        File::options().write(true).open("/proc/self/mem").map(drop)
    }),
    ("read metadata of a file", Seccomp, |file| {
        fs::metadata(file.parent().unwrap()).map(drop)
    }),
    ("start a program", Seccomp, |_| {
        Command::new("/bin/true").spawn()?.wait().map(drop)
    }),
    ("start a thread", Seccomp, |_| {
        thread::Builder::new().spawn(|| ()).map(drop)
    }),
    ("open a datagram socket", Seccomp, |_| {
        UdpSocket::bind("127.0.0.1:0").map(drop)
    }),
    ("open a pair of sockets", Seccomp, |_| UnixStream::pair().map(drop)),
    ("map executable memory", Seccomp, |_| {
        Ok(map(ProtFlags::PROT_READ | ProtFlags::PROT_EXEC).map(drop)?)
    }),
    ("map writable and executable memory", Seccomp, |_| {
        Ok(map(ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC).map(drop)?)
    }),
    ("make memory executable", Seccomp, |_| {
        let page = map(ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).unwrap();
        #[expect(unsafe_code, reason = "nothing runs there")]
        // SAFETY: the page is mapped, and nothing else uses it.
        let executable = unsafe { mprotect(page, PAGE.get(), ProtFlags::PROT_READ | ProtFlags::PROT_EXEC) };
        Ok(executable?)
    }),
    ("create a file in memory", Seccomp, |_| {
        Ok(memfd_create("locked", MFdFlags::empty()).map(drop)?)
    }),
    ("signal another process", Seccomp, |_| Ok(kill(getppid(), None)?)),
    ("shut down a listener", Seccomp, |_| {
        SockRef::from(&*LISTENER).shutdown(Shutdown::Read)
    }),
    (CONNECT_BY_SEND, Seccomp, |_| {
        let nobody = SocketAddr::from(([127, 0, 0, 1], 9)).into();
        let sent = SockRef::from(&*LISTENER).send_to_with_flags(b"x", &nobody, libc::MSG_FASTOPEN);
        sent.map(drop)
    }),
    // The last one, since others need the user.
    (BECOME_ANOTHER_USER, Seccomp, |_| Ok(setuid(Uid::from_raw(65_532))?)),
];

/// A socket that exists before the process is locked.
static LISTENER: LazyLock<TcpListener> = LazyLock::new(|| TcpListener::bind("127.0.0.1:0").unwrap());

const PAGE: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

fn map(protection: ProtFlags) -> nix::Result<std::ptr::NonNull<std::ffi::c_void>> {
    #[expect(unsafe_code, reason = "the mapping is not used")]
    // SAFETY: the kernel chooses the address, so that the mapping replaces nothing.
    unsafe {
        mmap_anonymous(None, PAGE, protection, MapFlags::MAP_PRIVATE)
    }
}

/// The variables of a process that is locked: the file that it tries to use, the mode, and the only attempt.
const FILE: &str = "LOCKDOWN_TEST_FILE";
const MODE: &str = "LOCKDOWN_TEST_MODE";
const ONLY: &str = "LOCKDOWN_TEST_ONLY";

/// Values of `ONLY` that are no attempt: all of them, and those that Landlock denies, without seccomp.
const ALL: &str = "all";
const LANDLOCK: &str = "landlock";

#[test]
#[ignore = "locks its own process; `outcomes` runs it"]
fn locked_process() {
    let file = PathBuf::from(env::var_os(FILE).unwrap());
    let (mode, only) = (env::var(MODE).unwrap(), env::var(ONLY).unwrap());
    LazyLock::force(&LISTENER);
    let filesystem = restrict_filesystem(LockdownMode::from_str(&mode, false).unwrap());
    if only != LANDLOCK {
        filesystem.restrict_syscalls().unwrap();
    }
    for (what, _, attempt) in ATTEMPTS.iter().filter(|attempt| is_selected(attempt, &only)) {
        let outcome = attempt(&file).map_or_else(|error| format!("{:?}", error.kind()), |()| "done".to_owned());
        println!("\ntried to {what}: {outcome}");
    }
}

fn is_selected((what, denied_by, _): &Attempt, only: &str) -> bool {
    match only {
        ALL => true,
        LANDLOCK => matches!(denied_by, LandlockOpen | LandlockFile | LandlockPort),
        only => *what == only,
    }
}

/// What a process in this mode prints for each attempt.
#[track_caller]
fn outcomes(mode: &str, only: &str) -> (Output, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([
        "--exact",
        "lockdown::tests::locked_process",
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    command.env(FILE, &file).env(MODE, mode).env(ONLY, only);
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    let outcomes = printed.lines().filter(|line| line.starts_with("tried to "));
    (output, outcomes.map(str::to_owned).collect())
}

fn outcome_without_lockdown(what: &str) -> &'static str {
    match what {
        CONNECT | CONNECT_BY_SEND => "ConnectionRefused",
        BECOME_ANOTHER_USER if !getuid().is_root() => "PermissionDenied",
        _ => "done",
    }
}

#[track_caller]
fn assert_outcomes(mode: &str, only: &str, expected: impl Fn(&Attempt) -> &'static str) {
    let (output, outcomes) = outcomes(mode, only);
    assert!(output.status.success(), "{output:?}");
    let attempts = ATTEMPTS.iter().filter(|attempt| is_selected(attempt, only));
    let expected: Vec<_> = attempts
        .map(|attempt| format!("tried to {}: {}", attempt.0, expected(attempt)))
        .collect();
    assert_eq!(outcomes, expected);
}

#[test]
fn locked_process_is_denied_every_attempt() {
    assert_outcomes("on", ALL, |_| "PermissionDenied");
}

#[test]
fn landlock_alone_denies_files_and_ports() {
    assert_outcomes("on", LANDLOCK, |(what, denied_by, _)| {
        let since = if *denied_by == LandlockPort { 4 } else { 1 };
        if landlock_version() >= since {
            "PermissionDenied"
        } else {
            outcome_without_lockdown(what)
        }
    });
}

#[test]
fn kill_mode_fails_attempts_to_open_a_file_and_kills_the_process_for_others() {
    for (what, denied_by, _) in ATTEMPTS {
        let (output, outcomes) = outcomes("kill", what);
        if matches!(denied_by, LandlockOpen | SeccompOpen) {
            // What the test does at its exit may kill it.
            assert_eq!(outcomes, [format!("tried to {what}: PermissionDenied")]);
        } else {
            assert!(outcomes.is_empty(), "{outcomes:?}");
            assert_eq!(
                output.status.signal(),
                Some(Signal::SIGSYS as i32),
                "{what}: {output:?}"
            );
        }
    }
}

#[test]
fn unlocked_process_can_do_every_attempt() {
    assert_outcomes("off", ALL, |(what, ..)| outcome_without_lockdown(what));
}

/// The version of the kernel's Landlock; 0 if it has none.
fn landlock_version() -> i64 {
    #[expect(unsafe_code, reason = "without a ruleset the call only reports the version")]
    // SAFETY: the kernel gets no pointer.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, 1) };
    // The crate does not use later versions.
    version.clamp(0, 10)
}
