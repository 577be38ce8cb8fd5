//! Accepts connections until a signal, then drains them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{info, warn};

use super::connection::Http1Server;
use super::connections::{Connections, Room};
use super::io::Admission;
use crate::metrics::{Metrics, Refusal};
use crate::process::{BACKLOG, ConnectionCapacity, Phase, Readiness, Signals, accept_backoff};

/// Failed accepts after which the rest of the backlog is abandoned.
const MAX_BACKLOG_RETRIES: usize = 5;

/// The limits of a drain.
#[derive(Clone, Copy)]
pub(crate) struct DrainLimits {
    /// Time to keep accepting after the signal.
    pub(crate) delay: Duration,
    /// Time limit for requests in flight after that.
    pub(crate) timeout: Duration,
}

/// Accepts connections and limits their number.
pub(crate) struct Acceptor {
    server: Arc<Http1Server>,
    capacity: ConnectionCapacity,
    connections: Arc<Connections>,
    overload: Arc<Semaphore>,
    limits: DrainLimits,
    readiness: Readiness,
}

impl Acceptor {
    pub(crate) fn new(
        server: Http1Server,
        capacity: ConnectionCapacity,
        limits: DrainLimits,
        readiness: Readiness,
    ) -> Self {
        Self {
            server: Arc::new(server),
            capacity,
            connections: Arc::new(Connections::new(capacity.connections)),
            overload: Arc::new(Semaphore::new(capacity.overload as usize)),
            limits,
            readiness,
        }
    }

    /// Accepts until the first signal, then drains: withdraws readiness, closes each connection after its next
    /// response, waits for the drain delay, accepts the rest of the backlog, closes the listener and waits for requests
    /// in flight. A second signal ends the drain.
    pub(crate) async fn run_until_drained(&self, listener: TcpListener, mut signals: Signals) {
        let signal = tokio::select! {
            signal = signals.recv() => signal,
            never = self.accept(&listener) => never,
        };
        self.server.begin_drain();
        self.readiness.set(Phase::Draining);
        let delay = self.limits.delay;
        if !delay.is_zero() {
            info!(signal, delay = ?delay, "withdrawing readiness");
            tokio::select! {
                () = sleep(delay) => {}
                never = self.accept(&listener) => never,
                signal = signals.recv() => return warn!(signal, "second signal; closing remaining connections"),
            }
        }
        self.server.shut_down();
        self.drain_backlog(listener).await;
        let connections = self.connections.count();
        info!(signal, connections, "draining");
        let timeout = self.limits.timeout;
        tokio::select! {
            () = self.all_closed() => info!("drained"),
            () = sleep(timeout) => warn!(after = ?timeout, "drain timed out; closing remaining connections"),
            signal = signals.recv() => warn!(signal, "second signal; closing remaining connections"),
        }
    }

    async fn accept(&self, listener: &TcpListener) -> ! {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => self.spawn_connection(stream),
                Err(error) => {
                    self.metrics().accept_failures.inc();
                    warn!(%error, "accept failed");
                    accept_backoff(&error).await;
                }
            }
        }
    }

    /// Accepts the connections in the kernel's queue, which closing the socket would reset. Calls accept(2) directly,
    /// since the readiness that tokio knows may be stale.
    async fn drain_backlog(&self, listener: TcpListener) {
        let accept = |listener: &std::net::TcpListener| {
            let (stream, _) = listener.accept()?;
            stream.set_nonblocking(true)?;
            TcpStream::from_std(stream)
        };
        let mut retries = 0..MAX_BACKLOG_RETRIES;
        let Ok(listener) = listener.into_std() else { return };
        for _ in 0..BACKLOG {
            match accept(&listener) {
                Ok(stream) => self.spawn_connection(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    self.metrics().accept_failures.inc();
                    warn!(%error, "accepting the backlog failed");
                    let Some(_) = retries.next() else { return };
                    accept_backoff(&error).await;
                }
            }
        }
    }

    fn spawn_connection(&self, stream: TcpStream) {
        self.metrics().connections_accepted.inc();
        // Fails if the client has gone, which serving will notice.
        let _ = stream.set_nodelay(true);
        if let Some(room) = self.connections.free_room().or_else(|| self.make_room()) {
            self.spawn_admitted(stream, room);
        } else if let Ok(permit) = Arc::clone(&self.overload).try_acquire_owned() {
            self.metrics().count_refusal(Refusal::Limit);
            let server = Arc::clone(&self.server);
            tokio::spawn(async move {
                server.serve(stream, Admission::Overloaded).await;
                drop(permit);
            });
        } else {
            self.metrics().count_refusal(Refusal::Flood);
        }
    }

    /// Closes an idle connection.
    fn make_room(&self) -> Option<Room> {
        let room = self.connections.make_room()?;
        self.metrics().connections_evicted.inc();
        Some(room)
    }

    fn spawn_admitted(&self, stream: TcpStream, room: Room) {
        let (server, connections) = (Arc::clone(&self.server), Arc::clone(&self.connections));
        self.connections.register(|close, registration| {
            let serve = async move {
                let _registration = registration;
                let _permit = connections.permit(room).await;
                let _open = server.metrics().open_connection();
                server.serve_until(close, stream, Admission::Admitted).await;
            };
            tokio::spawn(serve).abort_handle()
        });
    }

    /// Waits until every connection has returned its permit.
    async fn all_closed(&self) {
        self.connections.all_closed().await;
        let _ = self.overload.acquire_many(self.capacity.overload).await;
    }

    fn metrics(&self) -> &Metrics {
        self.server.metrics()
    }
}
