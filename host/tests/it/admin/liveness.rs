//! `/livez` distinguishes a busy service from a stuck one.

use std::fs;

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::support::wait::busy_processors;
use crate::support::{TestServer, eventually, wait_until};

/// The threads that serve requests.
fn worker_threads(server: &TestServer) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    let tasks = tasks.map(|task| task.unwrap());
    let workers = tasks.filter(|task| {
        fs::read_to_string(task.path().join("comm"))
            .unwrap()
            .starts_with("tokio")
    });
    let id = |task: fs::DirEntry| task.file_name().to_str().unwrap().parse().unwrap();
    let workers: Vec<_> = workers.map(|task| Pid::from_raw(id(task))).collect();
    if workers.is_empty() {
        return vec![main_thread(server)];
    }
    workers
}

fn main_thread(server: &TestServer) -> Pid {
    Pid::from_raw(server.id().try_into().unwrap())
}

#[test]
fn worker_threads_can_be_set() {
    for (options, threads) in [("--worker-threads 3", 3), ("--worker-threads 1", 1)] {
        let server = TestServer::with_options(options);
        assert_eq!(server.get("/status").status, 200);
        let workers = worker_threads(&server);
        assert_eq!(workers.len(), threads);
        assert_eq!(workers.contains(&main_thread(&server)), threads == 1);
    }
}

#[test]
fn stuck_service_is_not_live_until_it_runs_again() {
    for options in ["--worker-threads 2", "--worker-threads 1"] {
        assert_stuck_service_is_not_live(&TestServer::with_options(options));
    }
}

#[track_caller]
fn assert_stuck_service_is_not_live(server: &TestServer) {
    server.admin_get("/livez").assert_is(200, "ok\n");
    let workers = worker_threads(server);
    // A traced thread can be stopped without the others.
    for worker in &workers {
        ptrace::seize(*worker, ptrace::Options::empty()).unwrap();
        ptrace::interrupt(*worker).unwrap();
        waitpid(*worker, Some(WaitPidFlag::__WALL)).unwrap();
    }
    let stuck = eventually("the service is not live", || {
        Some(server.admin_get("/livez")).filter(|response| response.status != 200)
    });
    stuck.assert_is(503, "stuck\n");
    for worker in workers {
        ptrace::detach(worker, None).unwrap();
    }
    wait_until("the service is live", || server.admin_get("/livez").status == 200);
}

#[test]
fn busy_service_is_live_and_drains_at_once() {
    let _busy = busy_processors();
    let server = TestServer::probe("--drain-timeout 1ms");
    let spinning = server.occupy_instances(64);
    // Longer than a stuck service stays live.
    for _ in 0..120 {
        server.admin_get("/livez").assert_is(200, "ok\n");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    server.signal(Signal::SIGTERM);
    server.wait_for_log("draining");
    server.wait_for_success();
    drop(spinning);
}
