//! What a locked process can and cannot do, attempted in a separate process.

use std::fs::{self, File};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::sync::mpsc::channel;
use std::{env, io, thread};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use nix::sys::signal::kill;
use nix::unistd::{Uid, getppid, setuid};
use socket2::SockRef;
use status_host::cli::LockdownMode;
use status_host::lockdown::restrict_filesystem;

/// The variable that names the file that a locked process tries to use.
const FILE: &str = "LOCKDOWN_TEST_FILE";

/// The variable with the number of the attempt in kill mode.
const ATTEMPT: &str = "LOCKDOWN_TEST_ATTEMPT";

/// What is attempted, and how.
type Attempt = (&'static str, fn(&Path) -> io::Result<()>);

/// What Landlock denies, and seccomp as well.
pub const BY_LANDLOCK: [Attempt; 7] = [
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

/// What only seccomp denies.
pub const BY_SECCOMP: [Attempt; 16] = [
    ("find out whether a file exists", |file| {
        let mut options = File::options();
        options
            .read(true)
            .custom_flags(libc::O_PATH)
            .open(file.parent().unwrap())
            .map(drop)
    }),
    ("read what it has logged", |_| File::open("/proc/self/fd/2").map(drop)),
    ("read metadata of a file", |file| {
        fs::metadata(file.parent().unwrap()).map(drop)
    }),
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
    ("map writable and executable memory", |_| {
        Ok(map(ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC).map(drop)?)
    }),
    ("make memory executable", |_| {
        let page = map(ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).unwrap();
        #[expect(unsafe_code, reason = "nothing runs there")]
        // SAFETY: the page is mapped, and nothing else uses it.
        let executable = unsafe { mprotect(page, PAGE.get(), ProtFlags::PROT_READ | ProtFlags::PROT_EXEC) };
        Ok(executable?)
    }),
    ("create a file in memory", |_| {
        Ok(memfd_create("locked", MFdFlags::empty()).map(drop)?)
    }),
    ("signal another process", |_| Ok(kill(getppid(), None)?)),
    ("shut down a listener", |_| {
        SockRef::from(&*LISTENER).shutdown(Shutdown::Read)
    }),
    ("connect with TCP Fast Open", |_| {
        let nobody = SocketAddr::from(([127, 0, 0, 1], 9)).into();
        let sent = SockRef::from(&*LISTENER).send_to_with_flags(b"x", &nobody, libc::MSG_FASTOPEN);
        sent.map(drop)
    }),
    ("become another user", |_| Ok(setuid(Uid::from_raw(65_532))?)),
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

/// The file that a test below tries to use. It fails here, before anything is locked, unless `run_locked` runs it.
fn file() -> PathBuf {
    env::var_os(FILE).expect("run by `run_locked`").into()
}

/// Attempts each, and prints the outcomes.
fn attempt(file: &Path, attempts: &[Attempt]) {
    for (what, attempt) in attempts {
        let outcome = attempt(file).map_or_else(|error| format!("{:?}", error.kind()), |()| "done".to_owned());
        println!("\ntried to {what}: {outcome}");
    }
}

fn attempt_all(file: &Path) {
    attempt(file, &BY_LANDLOCK);
    attempt(file, &BY_SECCOMP);
}

#[test]
#[ignore = "locks its own process"]
fn with_landlock_and_seccomp() {
    let file = file();
    LazyLock::force(&LISTENER);
    let filesystem = restrict_filesystem(LockdownMode::On);
    let (sender, receiver) = channel::<PathBuf>();
    // Seccomp applies to threads that exist before it as well.
    let thread = thread::spawn(move || attempt_all(&receiver.recv().unwrap()));
    filesystem.restrict_syscalls().unwrap();
    attempt_all(&file);
    sender.send(file).unwrap();
    thread.join().unwrap();
}

#[test]
#[ignore = "locks its own process"]
fn with_landlock() {
    let file = file();
    let _filesystem = restrict_filesystem(LockdownMode::On);
    attempt(&file, &BY_LANDLOCK);
}

#[test]
#[ignore = "locks its own process"]
fn with_kill() {
    let file = file();
    LazyLock::force(&LISTENER);
    let number: usize = env::var(ATTEMPT).unwrap().parse().unwrap();
    let attempts = [&BY_LANDLOCK[..], &BY_SECCOMP].concat();
    restrict_filesystem(LockdownMode::Kill).restrict_syscalls().unwrap();
    attempt(&file, &attempts[number..=number]);
}

#[test]
#[ignore = "becomes another user"]
fn without_lockdown() {
    let file = file();
    restrict_filesystem(LockdownMode::Off).restrict_syscalls().unwrap();
    attempt_all(&file);
}

/// Runs one of the tests above in its own process; returns what it printed for each attempt.
#[track_caller]
pub fn run_locked(test: &str) -> (Output, Vec<String>) {
    run_locked_attempt(test, 0)
}

/// As [`run_locked`], for a test that makes only one attempt.
#[track_caller]
pub fn run_locked_attempt(test: &str, number: usize) -> (Output, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let test = format!("lockdown::attempts::{test}");
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", &test, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(FILE, &file).env(ATTEMPT, number.to_string());
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    let outcomes = printed.lines().filter(|line| line.starts_with("tried to "));
    let outcomes = outcomes.map(str::to_owned).collect();
    (output, outcomes)
}
