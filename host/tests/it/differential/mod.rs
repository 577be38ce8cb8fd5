//! The host functions of this project and those of `wasmtime-wasi-http`, side by side.
//!
//! Every row is a component and a request. Both implementations run it in this process, and must agree on the status,
//! headers and body of the response, or on the kind and reason of the failure. The fragment in a row shows that the row
//! reaches what it is about. `differences` lists where they differ on purpose, and why.
//!
//! | module | contents |
//! |---|---|
//! | `pair` | a component and a request on both implementations |
//! | `stock` | the stock implementation |
//! | `components` | the embedded component, and components that no compiler produces |
//! | `scripts` | scripts for the probe |
//! | `differences` | deliberate differences |

mod components;
mod differences;
mod pair;
mod scripts;
mod stock;
