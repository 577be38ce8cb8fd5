//! Connections: accepted until a signal comes, then drained.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{info, warn};

use super::connection::{Admission, Service};
use super::files::Room;
use super::stop::Signals;
use crate::admin::{Phase, Readiness};
use crate::config::Limits;
use crate::telemetry::{Metrics, Refusal};

/// The pause after a failed accept. What makes it fail, such as a lack of file descriptors, takes a while to pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The most connections that are taken from the kernel's queue after a signal, which is as long as our own can be.
const LAST_ACCEPTS: usize = 4096;

/// The most pauses on the way, where accepting fails.
const LAST_PAUSES: usize = 5;

/// Where connections come from, and what becomes of them.
pub(super) struct Accept {
    service: Arc<Service>,
    room: Room,
    connections: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    limits: Limits,
    readiness: Readiness,
    metrics: Arc<Metrics>,
}

impl Accept {
    pub(super) fn new(
        service: Service,
        room: Room,
        limits: Limits,
        readiness: Readiness,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            service: Arc::new(service),
            room,
            connections: Arc::new(Semaphore::new(room.connections as usize)),
            refusals: Arc::new(Semaphore::new(room.refusals as usize)),
            limits,
            readiness,
            metrics,
        }
    }

    /// Serves connections until the first signal; then says that it does not, waits for that to be noticed, takes those
    /// that the kernel holds, gives up the socket, and lets answers in flight go out. A second signal ends that at once.
    pub(super) async fn serve(&self, listener: TcpListener, mut signals: Signals) {
        let signal = tokio::select! {
            signal = signals.next() => signal,
            never = self.accept(&listener) => never,
        };
        self.readiness.set(Phase::Draining);
        let delay = self.limits.drain_delay;
        if !delay.is_zero() {
            info!(signal, delay = ?delay, "not ready any more; still accepting");
            tokio::select! {
                () = sleep(delay) => {}
                never = self.accept(&listener) => never,
                signal = signals.next() => return warn!(signal, "a second signal; closing what is left"),
            }
        }
        self.service.end();
        self.accept_last(listener).await;
        let connections = self.room.connections as usize - self.connections.available_permits();
        info!(signal, connections, "draining");
        let limit = self.limits.drain_timeout;
        tokio::select! {
            () = self.drain() => info!("drained"),
            () = sleep(limit) => warn!(after = ?limit, "the drain timed out; closing what is left"),
            signal = signals.next() => warn!(signal, "a second signal; closing what is left"),
        }
    }

    async fn accept(&self, listener: &TcpListener) -> ! {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => self.take(stream),
                Err(error) => {
                    self.metrics.accept_failures.inc();
                    warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Takes what waits in the kernel, which would be lost with the socket. Asks the kernel itself: what tokio knows of
    /// the socket may be of a moment ago.
    async fn accept_last(&self, listener: TcpListener) {
        let accept = |listener: &std::net::TcpListener| {
            let (stream, _) = listener.accept()?;
            stream.set_nonblocking(true)?;
            TcpStream::from_std(stream)
        };
        let mut pauses = 0..LAST_PAUSES;
        let Ok(listener) = listener.into_std() else { return };
        for _ in 0..LAST_ACCEPTS {
            match accept(&listener) {
                Ok(stream) => self.take(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    self.metrics.accept_failures.inc();
                    warn!(%error, "cannot take the connections that wait");
                    if pauses.next().is_none() {
                        return;
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream) {
        self.metrics.accepted.inc();
        let room = |semaphore: &Arc<Semaphore>| Arc::clone(semaphore).try_acquire_owned().ok();
        let granted = room(&self.connections).map(|permit| (permit, Admission::Granted));
        let refused = || room(&self.refusals).map(|permit| (permit, Admission::Refused));
        let Some((permit, admission)) = granted.or_else(refused) else {
            self.metrics.refuse(Refusal::Closed);
            return;
        };
        if admission == Admission::Refused {
            self.metrics.refuse(Refusal::Told);
        }
        let (service, open) = (Arc::clone(&self.service), self.metrics.connections.clone());
        open.inc_by(i64::from(admission == Admission::Granted));
        tokio::spawn(async move {
            // Fails on a connection that is gone already, which serving it will find out.
            let _ = stream.set_nodelay(true);
            service.serve(stream, admission).await;
            open.dec_by(i64::from(admission == Admission::Granted));
            drop(permit);
        });
    }

    /// Ends once all connections have, each of which holds a place.
    async fn drain(&self) {
        let _ = self.connections.acquire_many(self.room.connections).await;
        let _ = self.refusals.acquire_many(self.room.refusals).await;
    }
}
