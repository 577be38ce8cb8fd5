//! HTTP/1.1 on the service port, by hyper.
//!
//! | module | contents |
//! |---|---|
//! | `acceptor` | accepts connections until a signal, then drains them |
//! | `connections` | the open connections; closes an idle one if there is no room for another |
//! | `connection` | one connection, from accept to close |
//! | `write_timeout` | the time limit for a client to receive a response |
//! | `idle` | since when a connection is idle |
//! | `handler` | one request, one response |
//! | `validate` | the checks of a request that hyper does not make |
//! | `problem` | the host's own responses |
//! | `request_record` | metrics and access log of one request |

mod acceptor;
mod connection;
mod connections;
mod handler;
mod idle;
mod problem;
mod request_record;
#[cfg(test)]
mod tests;
mod validate;
mod write_timeout;

pub(crate) use acceptor::Acceptor;
pub(crate) use handler::Handler;
pub(crate) use request_record::RequestRecorder;
