//! The open connections, and the one to close when there is no room for another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use slab::Slab;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use super::io::CloseState;

/// How long a connection has to be idle before it is closed for another: its request may be under way.
const MIN_IDLE: Duration = Duration::from_millis(250);

/// The connections within the limit.
pub(super) struct Connections {
    max: u32,
    permits: Arc<Semaphore>,
    open: Mutex<Slab<(Arc<CloseState>, AbortHandle)>>,
    /// More than three quarters of the connections are open: new idle times are short.
    under_pressure: Arc<AtomicBool>,
}

/// Room for one connection.
pub(super) enum Room {
    Free(OwnedSemaphorePermit),
    /// Once the connection that is being closed has returned its permit.
    Soon,
}

/// A connection that counts; dropped at its end.
pub(super) struct Registration {
    connections: Arc<Connections>,
    key: usize,
}

impl Connections {
    pub(super) fn new(max: u32) -> Self {
        Self {
            max,
            permits: Arc::new(Semaphore::new(max as usize)),
            open: Mutex::default(),
            under_pressure: Arc::default(),
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

    pub(super) fn free_room(&self) -> Option<Room> {
        Arc::clone(&self.permits).try_acquire_owned().ok().map(Room::Free)
    }

    /// Closes the connection that has been idle longest; `None` if none has been idle for long enough.
    pub(super) fn make_room(&self) -> Option<Room> {
        let (open, now) = (self.open(), Instant::now());
        let idle = open
            .iter()
            .filter_map(|(_, (close, task))| Some((close.idle(now)?, close, task)));
        let ((duration, since), close, task) = idle.max_by_key(|((duration, _), ..)| *duration)?;
        if duration < MIN_IDLE || !close.close_idle(since) {
            return None;
        }
        task.abort();
        Some(Room::Soon)
    }

    pub(super) async fn permit(&self, room: Room) -> Option<OwnedSemaphorePermit> {
        match room {
            Room::Free(permit) => Some(permit),
            Room::Soon => Arc::clone(&self.permits).acquire_owned().await.ok(),
        }
    }

    /// Runs the task that `spawn` starts as a connection.
    pub(super) fn register(self: &Arc<Self>, spawn: impl FnOnce(Arc<CloseState>, Registration) -> AbortHandle) {
        let close = Arc::new(CloseState::new(Arc::clone(&self.under_pressure)));
        let mut open = self.open();
        let entry = open.vacant_entry();
        let registration = Registration {
            connections: Arc::clone(self),
            key: entry.key(),
        };
        let task = spawn(Arc::clone(&close), registration);
        entry.insert((close, task));
        self.update_pressure(open.len());
    }

    fn update_pressure(&self, open: usize) {
        self.under_pressure
            .store(open * 4 > self.max as usize * 3, Ordering::Relaxed);
    }

    fn open(&self) -> MutexGuard<'_, Slab<(Arc<CloseState>, AbortHandle)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        let _ = open.try_remove(self.key);
        self.connections.update_pressure(open.len());
    }
}
