//! What the operator sees: metrics to watch, and a log to explain them.
//!
//! | file | what it holds |
//! |---|---|
//! | `metrics` | what is counted, and what each count means |
//! | `requests` | the requests answered, by method, route and status |
//! | `histogram` | durations |
//! | `process` | what the process takes of the machine |
//! | `exposition` | all of it as text |
//! | `log` | events on standard error |
//! | `line` | one event as JSON |
//! | `trace` | which trace a request belongs to |
//! | `sample` | which requests the access log tells of |

mod exposition;
mod histogram;
mod line;
mod log;
mod metrics;
mod process;
mod requests;
mod sample;
mod trace;

pub use exposition::{Exposition, Format};
pub use histogram::{Histogram, Stopwatch};
pub use log::{Log, start};
pub use metrics::{GuestFailure, Metrics, Refusal};
pub use process::Process;
pub use requests::{Method, Requests, Route};
pub use sample::Sample;
pub use trace::Trace;
