//! One connection, from accept to close.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::answer::answer;
use super::delivery::Delivery;
use super::ending::Ending;
use super::head::HEAD_LIMIT;
use super::observation::Observer;
use super::screen::{Patience, Screen};
use crate::config::Limits;
use crate::sandbox::Sandbox;

/// What all connections share.
pub struct Service {
    pub(super) sandbox: Sandbox,
    pub(super) observer: Observer,
    /// Where it listens.
    pub(super) local: SocketAddr,
    pub(super) client_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) max_body: usize,
    /// Whether it ends.
    ends: watch::Sender<bool>,
}

/// Whether there is room for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Its requests are answered.
    Granted,
    /// Its first request is refused.
    Refused,
}

impl Service {
    /// A service at `local`, which is what HTTP/1.0 asks for.
    #[must_use]
    pub fn new(sandbox: Sandbox, observer: Observer, local: SocketAddr, limits: &Limits) -> Self {
        Self {
            sandbox,
            observer,
            local,
            client_timeout: limits.client_timeout,
            idle_timeout: limits.idle_timeout,
            max_body: limits.max_body,
            ends: watch::Sender::new(false),
        }
    }

    /// From now on an answer is the last of its connection, and connections that bring nothing more are closed.
    pub(super) fn end(&self) {
        self.ends.send_replace(true);
    }

    /// Serves `stream` until either side closes it.
    pub async fn serve<T>(&self, stream: T, admission: Admission)
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let ending = Arc::new(Ending::default());
        let patience = Patience {
            head: self.client_timeout,
            idle: self.idle_timeout,
        };
        let delivery = Delivery::new(stream, Arc::clone(&ending), self.client_timeout);
        let screen = Screen::new(delivery, Arc::clone(&ending), patience);
        let mut connection = pin!(
            http1::Builder::new()
                // Who has said all there is to say may still listen. Nor does hyper read on while a request is answered.
                .half_close(true)
                // The screen has the timer, and the limit; hyper has room for what the screen lets through.
                .header_read_timeout(None)
                .max_buf_size(2 * HEAD_LIMIT)
                .serve_connection(
                    TokioIo::new(screen),
                    // In a box of its own, for which a connection that idles keeps no room.
                    service_fn(|request| Box::pin(answer(self, &ending, admission, request))),
                )
        );
        let mut ends = self.ends.subscribe();
        // A connection ends with an error where a client goes away or does not take its answer, which it knows itself.
        tokio::select! {
            biased;
            _ = ends.wait_for(|ends| *ends) => {}
            _ = &mut connection => return,
        }
        ending.call_last();
        // hyper's own end of a connection does not look at what has come already; the screen does.
        let _ = connection.await;
    }
}
