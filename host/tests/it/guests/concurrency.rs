//! Guests that compute beside others.

use std::thread;
use std::time::Duration;

use status_host::sandbox::{InvokeError, Limits, Sandbox};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

use super::{LIMITS, get, invoke, probe, runtime};
use crate::support::{eventually, wait_until};

#[test]
fn one_request_waits_and_further_ones_are_overloaded() {
    let probe = probe(Limits {
        running: 1,
        waiting: 1,
        ..LIMITS
    });
    runtime().block_on(async {
        // The client of the first request closes its connection.
        let spinning = timeout(Duration::from_millis(50), get(&probe, "/spin"));
        let (spinning, waiting, further) = tokio::join!(spinning, get(&probe, "/count"), get(&probe, "/count"));
        assert!(spinning.is_err());
        assert_eq!(waiting.unwrap().body(), "1");
        assert!(matches!(further, Err(InvokeError::Overloaded)), "{further:?}");
        assert_eq!(probe.running(), 0);
    });
}

/// Requests to guests that compute for ever, and how many guests run at a time.
const REQUESTS: u32 = 2_000;
const RUNNING: u32 = 4;

#[test]
fn guests_that_compute_for_ever_delay_nobody() {
    /// Guests without slices would let a task beside them run only before and after each of them.
    const MIN_TURNS: u32 = 2 * RUNNING + 1;
    let probe: &'static _ = Box::leak(Box::new(probe(Limits {
        timeout: Duration::from_secs(1),
        running: RUNNING,
        waiting: REQUESTS,
        ..LIMITS
    })));
    // Again on a machine that is too busy.
    eventually("tasks run beside guests, late requests do not", || {
        let attempt = thread::spawn(move || runtime().block_on(compute_beside_a_task(probe)));
        wait_until("all guests end", || attempt.is_finished());
        let (started, turns) = attempt.join().unwrap();
        println!("{started} of {REQUESTS} requests started a guest, the task beside them had {turns} turns");
        (started < REQUESTS / 2 && turns >= MIN_TURNS).then_some(())
    });
}

/// Returns how many requests started a guest, and how often a task beside the guests was scheduled.
async fn compute_beside_a_task(probe: &'static Sandbox) -> (u32, u32) {
    let mut guests = JoinSet::new();
    for _ in 0..REQUESTS {
        guests.spawn(async {
            // The response that such a guest has set is not sent.
            let spun = invoke(probe, "/answer-then-spin").await;
            assert!(matches!(spun.result, Err(InvokeError::Timeout(_))), "{:?}", spun.result);
            u32::from(spun.timings.instantiation.is_some())
        });
    }
    let (mut started, mut turns) = (0, 0);
    while !guests.is_empty() {
        yield_now().await;
        let running = probe.running();
        assert!(running <= RUNNING as usize, "{running} guests run");
        turns += u32::from(running > 0);
        while let Some(guest) = guests.try_join_next() {
            started += guest.unwrap();
        }
    }
    (started, turns)
}
