//! Host calls in a row: the deadline holds, and others are served.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{serve, straight_calls};
use crate::support::component::HANDLE;
use crate::support::wait::busy_processors;
use crate::support::{connect, get_keep_alive};

#[test]
fn straight_host_calls_reach_the_request_timeout() {
    let _busy = busy_processors();
    // The path `/` gets a response at once, any other the calls.
    let handle = format!(
        "(call $path (local.get 0) (i32.const 1024))
         (if (i32.eq (i32.load (i32.const 1032)) (i32.const 1))
            (then (call $respond (local.get 1) (call $response (call $fields))))
            (else (call $fill) {}))",
        straight_calls()
    );
    let server = serve(&format!("({HANDLE} {handle})"), "--request-timeout 200ms");
    let (address, done) = (server.address, AtomicBool::new(false));
    thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            let mut stream = connect(address);
            let mut count = 0;
            while count == 0 || !done.load(Ordering::Relaxed) {
                get_keep_alive(&mut stream, "/").assert_is(200, "");
                count += 1;
            }
            count
        });
        // More of them than the server has threads.
        let hostile: Vec<_> = (0..8).map(|_| scope.spawn(|| server.get("/calls"))).collect();
        for response in hostile {
            response.join().unwrap().assert_problem(504);
        }
        done.store(true, Ordering::Relaxed);
        println!("{} requests were served meanwhile", neighbour.join().unwrap());
    });
}
