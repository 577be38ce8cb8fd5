//! The open connections, and the one to close when there is no room for another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slab::Slab;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::idle::{IdleSince, micros_since_start};
use crate::metrics::Metrics;

/// How long a connection has to be idle before it is closed for another: its request may be under way.
const MIN_IDLE: Duration = Duration::from_millis(250);

/// How often a connection that waits for room looks for an idle one.
const EVICTION_INTERVAL: Duration = Duration::from_millis(50);

/// The open connections, and their limit.
pub(super) struct Connections {
    max: u32,
    permits: Arc<Semaphore>,
    open: Mutex<Slab<(Arc<IdleSince>, AbortHandle)>>,
    metrics: Arc<Metrics>,
}

/// A connection that counts as open; dropped at its end.
pub(super) struct OpenConnection {
    connections: Arc<Connections>,
    key: usize,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    pub(super) fn new(max: u32, metrics: Arc<Metrics>) -> Self {
        Self {
            max,
            permits: Arc::new(Semaphore::new(max as usize)),
            open: Mutex::default(),
            metrics,
        }
    }

    /// The number of open connections.
    pub(super) fn count(&self) -> usize {
        self.max as usize - self.permits.available_permits()
    }

    /// Waits until all are closed.
    pub(super) async fn all_closed(&self) {
        let _ = self.permits.acquire_many(self.max).await;
    }

    /// Waits for room for one more connection. Closes idle ones to make it.
    pub(super) async fn permit(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return permit;
            }
            self.evict();
            let closed = timeout(EVICTION_INTERVAL, Arc::clone(&self.permits).acquire_owned()).await;
            if let Ok(Ok(permit)) = closed {
                return permit;
            }
        }
    }

    /// Closes the connection that has been idle longest, unless all became idle just now. A request that arrives at
    /// the same moment is lost, as with any close of an idle connection (RFC 9112 section 9.5).
    fn evict(&self) {
        let open = self.open();
        let idle = open
            .iter()
            .filter_map(|(_, (idle, task))| Some((idle.since()?, idle, task)));
        let Some((since, idle, task)) = idle.min_by_key(|(since, ..)| *since) else {
            return;
        };
        if Duration::from_micros(micros_since_start().saturating_sub(since)) >= MIN_IDLE {
            task.abort();
            // Until it is closed, it is not chosen again.
            idle.set_busy();
            self.metrics.connections_evicted.inc();
        }
    }

    /// Runs the task that `spawn` starts as a connection.
    pub(super) fn open_connection(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        spawn: impl FnOnce(Arc<IdleSince>, OpenConnection) -> AbortHandle,
    ) {
        let idle = Arc::new(IdleSince::now());
        let mut open = self.open();
        let entry = open.vacant_entry();
        let connection = OpenConnection {
            connections: Arc::clone(self),
            key: entry.key(),
            _permit: permit,
        };
        self.metrics.connections_open.inc();
        let task = spawn(Arc::clone(&idle), connection);
        entry.insert((idle, task));
    }

    fn open(&self) -> MutexGuard<'_, Slab<(Arc<IdleSince>, AbortHandle)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.metrics.connections_open.dec();
        let _ = self.connections.open().try_remove(self.key);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::future::pending;

    use prometheus_client::registry::Registry;
    use tokio::task::yield_now;
    use tokio::time::sleep;

    use super::*;

    fn connections(max: u32) -> Arc<Connections> {
        let metrics = Metrics::register(&mut Registry::default(), &[]);
        Arc::new(Connections::new(max, Arc::new(metrics)))
    }

    /// Opens an idle connection, which stays open until it is aborted.
    async fn open(connections: &Arc<Connections>) -> (Arc<IdleSince>, AbortHandle) {
        let mut opened = None;
        connections.open_connection(connections.permit().await, |idle, open| {
            let serve = async move {
                let _open = open;
                pending::<()>().await;
            };
            let task = tokio::spawn(serve).abort_handle();
            opened = Some((idle, task.clone()));
            task
        });
        opened.unwrap()
    }

    #[tokio::test]
    async fn connection_that_is_idle_longest_is_closed_for_a_new_one() {
        let connections = connections(3);
        let opened = [
            open(&connections).await,
            open(&connections).await,
            open(&connections).await,
        ];
        let [(busy, _), _, (idle_since_now, _)] = &opened;
        busy.set_busy();
        idle_since_now.set_busy();
        sleep(MIN_IDLE).await;
        idle_since_now.set_idle();
        let (_, new) = open(&connections).await;
        let is_closed = opened.each_ref().map(|(_, task)| task.is_finished());
        assert_eq!(is_closed, [false, true, false]);
        assert!(!new.is_finished());
        assert_eq!(connections.count(), 3);
        assert_eq!(connections.metrics.connections_evicted.get(), 1);
        assert_eq!(connections.metrics.connections_open.get(), 3);
    }

    #[tokio::test]
    async fn connection_that_has_just_become_idle_is_not_closed() {
        let connections = connections(1);
        let begin = std::time::Instant::now();
        open(&connections).await;
        open(&connections).await;
        assert!(begin.elapsed() >= MIN_IDLE);
    }

    #[tokio::test]
    async fn new_connection_waits_while_all_are_busy() {
        let connections = connections(1);
        let (busy, task) = open(&connections).await;
        busy.set_busy();
        let new = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.permit().await }
        });
        sleep(2 * MIN_IDLE).await;
        assert!(!new.is_finished() && !task.is_finished());
        task.abort();
        let permit = new.await.unwrap();
        assert_eq!(connections.count(), 1);
        drop(permit);
        yield_now().await;
        connections.all_closed().await;
        assert_eq!(connections.metrics.connections_open.get(), 0);
    }
}
