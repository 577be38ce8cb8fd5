//! Guests that compute beside others.

use std::time::{Duration, Instant};

use status_host::sandbox::{InvokeError, Limits};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{LIMITS, get, probe, runtime};
use crate::support::eventually;
use crate::support::wait::busy_processors;

#[test]
fn requests_beyond_the_waiting_ones_are_overloaded() {
    let (running, waiting, timeout) = (1, 1, Duration::from_millis(200));
    let probe = probe(Limits {
        running,
        waiting,
        timeout,
        ..LIMITS
    });
    let get = || get(&probe, "/spin");
    let (first, second, third) = runtime().block_on(async { tokio::join!(get(), get(), get()) });
    assert!(matches!(first, Err(InvokeError::Timeout(_))), "{first:?}");
    assert!(matches!(second, Err(InvokeError::Timeout(_))), "{second:?}");
    assert!(matches!(third, Err(InvokeError::Overloaded)), "{third:?}");
}

#[test]
fn request_runs_when_a_guest_before_it_ends() {
    let probe = probe(Limits { running: 1, ..LIMITS });
    runtime().block_on(async {
        let spinning = timeout(Duration::from_millis(50), get(&probe, "/spin"));
        // The client of the first request closes its connection.
        let (spinning, waiting) = tokio::join!(spinning, get(&probe, "/count"));
        assert!(spinning.is_err());
        assert_eq!(waiting.unwrap().body(), "1");
        assert_eq!(probe.running(), 0);
    });
}

#[test]
fn guests_that_compute_for_ever_delay_nobody() {
    const REQUESTS: u32 = 2_000;
    const LIMIT: Duration = Duration::from_secs(1);
    /// The time within which a task beside the guests is scheduled.
    const PROMPT: Duration = Duration::from_millis(300);
    let _busy = busy_processors();
    let probe = probe(Limits {
        timeout: LIMIT,
        running: 4,
        waiting: REQUESTS,
        ..LIMITS
    });
    let probe: &'static _ = Box::leak(Box::new(probe));
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    // Again on a machine that is too busy. Without slices or a limit on running guests, each attempt takes longer.
    eventually("guests end at their deadline", || {
        let (slowest, delay) = runtime.block_on(async {
            let begin = Instant::now();
            let mut guests = JoinSet::new();
            for _ in 0..REQUESTS {
                guests.spawn(async {
                    let begin = Instant::now();
                    let result = get(probe, "/spin").await;
                    assert!(matches!(result, Err(InvokeError::Timeout(_))), "{result:?}");
                    begin.elapsed()
                });
            }
            let mut delay = Duration::ZERO;
            while begin.elapsed() < LIMIT {
                let before = Instant::now();
                tokio::spawn(async {}).await.unwrap();
                delay = delay.max(before.elapsed());
            }
            let slowest = guests.join_all().await.into_iter().max().unwrap();
            (slowest, delay)
        });
        println!("slowest {slowest:?}, others {delay:?}");
        (slowest < LIMIT * 3 / 2 && delay < PROMPT).then_some(())
    });
}
