//! Accepts connections until a signal, then drains them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::connection;
use super::connections::Connections;
use super::handler::Handler;
use crate::cli::LimitArgs;
use crate::health::{Health, Phase};
use crate::metrics::Metrics;
use crate::process::{BACKLOG, Signals, accept_backoff, is_connection_error};

/// After the listener is closed, the time for requests that are under way. hyper then closes connections on which none
/// has arrived, and would drop one that it has not read.
const LAST_REQUEST_TIME: Duration = Duration::from_millis(500);

/// Accepts connections and limits their number.
pub(crate) struct Acceptor {
    handler: Arc<Handler>,
    connections: Arc<Connections>,
    limits: LimitArgs,
    health: Health,
    metrics: Arc<Metrics>,
    shutdown: watch::Sender<bool>,
}

impl Acceptor {
    pub(crate) fn new(handler: Handler, limits: LimitArgs, health: Health, metrics: Arc<Metrics>) -> Self {
        Self {
            handler: Arc::new(handler),
            connections: Arc::new(Connections::new(limits.max_connections, Arc::clone(&metrics))),
            limits,
            health,
            metrics,
            shutdown: watch::Sender::new(false),
        }
    }

    /// Accepts until the first signal, then drains: withdraws readiness, closes each connection after its next
    /// response, waits for the drain delay, accepts the rest of the backlog, closes the listener and waits for requests
    /// in flight. A second signal ends the drain.
    pub(crate) async fn run_until_drained(&self, listener: TcpListener, mut signals: Signals) {
        let mut waiting = None;
        let signal = tokio::select! {
            signal = signals.recv() => signal,
            never = self.accept(&listener, &mut waiting) => never,
        };
        self.health.set(Phase::Draining);
        let (delay, timeout) = (self.limits.drain_delay, self.limits.drain_timeout);
        if !delay.is_zero() {
            info!(signal, delay = ?delay, "withdrawing readiness");
            tokio::select! {
                () = sleep(delay) => {}
                never = self.accept(&listener, &mut waiting) => never,
                signal = signals.recv() => return warn!(signal, "second signal; closing remaining connections"),
            }
        }
        tokio::select! {
            () = self.drain(listener, waiting, signal) => info!("drained"),
            () = sleep(timeout) => warn!(after = ?timeout, "drain timed out; closing remaining connections"),
            signal = signals.recv() => warn!(signal, "second signal; closing remaining connections"),
        }
    }

    /// Accepts connections as there is room for them; the others wait in the kernel. `waiting` is one that has been
    /// accepted, but waits for room.
    async fn accept(&self, listener: &TcpListener, waiting: &mut Option<TcpStream>) -> ! {
        loop {
            if waiting.is_none() {
                match listener.accept().await {
                    Ok((stream, _)) => *waiting = Some(stream),
                    Err(error) => {
                        self.metrics.accept_failures.inc();
                        warn!(%error, "accept failed");
                        accept_backoff(&error).await;
                    }
                }
            }
            if waiting.is_some() {
                // The stream stays in `waiting` meanwhile: this future is dropped when the drain begins.
                let permit = self.connections.permit().await;
                if let Some(stream) = waiting.take() {
                    self.spawn(stream, permit);
                }
            }
        }
    }

    async fn drain(&self, listener: TcpListener, waiting: Option<TcpStream>, signal: &str) {
        if let Some(stream) = waiting {
            self.spawn(stream, self.connections.permit().await);
        }
        self.drain_backlog(listener).await;
        info!(signal, connections = self.connections.count(), "draining");
        let _ = timeout(LAST_REQUEST_TIME, self.connections.all_closed()).await;
        self.shutdown.send_replace(true);
        self.connections.all_closed().await;
    }

    /// Accepts the connections in the kernel's queue, which closing the socket would reset. Calls accept(2) directly,
    /// since the readiness that tokio knows may be stale.
    async fn drain_backlog(&self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else { return };
        for _ in 0..BACKLOG {
            let accepted = listener.accept().and_then(|(stream, _)| {
                stream.set_nonblocking(true)?;
                TcpStream::from_std(stream)
            });
            match accepted {
                Ok(stream) => self.spawn(stream, self.connections.permit().await),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    self.metrics.accept_failures.inc();
                    warn!(%error, "accepting the backlog failed");
                    if !is_connection_error(&error) {
                        return;
                    }
                }
            }
        }
    }

    fn spawn(&self, stream: TcpStream, permit: OwnedSemaphorePermit) {
        self.metrics.connections_accepted.inc();
        let (handler, limits, shutdown) = (Arc::clone(&self.handler), self.limits, self.shutdown.subscribe());
        self.connections.open_connection(permit, |idle, open| {
            let serve = async move {
                let _open = open;
                connection::serve(stream, &handler, limits, &idle, shutdown).await;
            };
            tokio::spawn(serve).abort_handle()
        });
    }
}
