//! The host functions of this project and those of `wasmtime-wasi-http`, side by side.
//!
//! Every row is a component and a request. Both implementations run it in this process, with the same limits, and must
//! agree on the status, headers and body of the response, or on the kind and reason of the failure. The fragment in a
//! row shows that the row reaches what it is about. `differences` lists where they differ on purpose, and why.
//!
//! | module | contents |
//! |---|---|
//! | `outcome` | what is compared |
//! | `request` | the request of a row |
//! | `stock`, `stock_store` | the stock implementation |
//! | `pair` | a component on both implementations |
//! | `paths` | the embedded component, and the behaviours of the probe |
//! | `fields`, `incoming`, `outgoing`, `streams` | scripts for the probe, by resource |
//! | `modules` | components that no compiler produces |
//! | `differences` | deliberate differences |
//! | `property` | generated scripts |

mod differences;
mod fields;
mod incoming;
mod modules;
mod outcome;
mod outgoing;
mod pair;
mod paths;
mod property;
mod request;
mod stock;
mod stock_store;
mod streams;

use self::pair::Pair;
use self::request::TestRequest;

/// A script for the probe, and a fragment of the outcome.
type Row = (&'static str, &'static str);

/// Checks that both implementations agree on every script, with this request body.
#[track_caller]
fn assert_scripts_agree(body: &'static [u8], rows: &[Row]) {
    let pair = Pair::probe();
    for (script, fragment) in rows {
        let outcome = pair.assert_agree(&TestRequest::script(script).with_body(body), fragment);
        // The guest then computes for longer than its first time slice, and starts again on a fiber.
        let request = TestRequest::script(&format!("spin 20000000; {script}")).with_body(body);
        assert_eq!(pair.fiber(&request), outcome, "{script}: left is the fiber");
    }
}
