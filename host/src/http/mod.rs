//! HTTP/1.1 on the service port.
//!
//! | module | contents |
//! |---|---|
//! | `acceptor` | accepts connections until a signal, then drains them |
//! | `connection` | one connection, served by hyper |
//! | `connections` | the open connections; closes an idle one if there is no room for another |
//! | `io` | the two sides of its stream: request validation, timeouts, close |
//! | [`head`] | the rules for a request head |
//! | `handler` | one request, one response |
//! | `problem` | the host's own responses |
//! | `request_record` | metrics and access log of one request |

mod acceptor;
mod connection;
mod connections;
mod handler;
pub mod head;
mod io;
mod problem;
mod request_record;

pub(crate) use acceptor::{Acceptor, DrainLimits};
pub use connection::{ConnectionLimits, Http1Server, connection_memory};
pub use io::Admission;
pub use problem::Rejection;
pub use request_record::RequestRecorder;
