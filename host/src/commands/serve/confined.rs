//! Phase 3: Landlock is in force, and this is still the only thread.

use super::resources::Resources;
use crate::cli::LockdownMode;
use crate::lockdown::{self, FilesystemLocked};

/// A process with one thread, which opens nothing any more.
pub(super) struct Confined {
    pub(super) resources: Resources,
    pub(super) filesystem: FilesystemLocked,
}

impl Resources {
    /// Before any thread, since Landlock restricts this thread and those that it starts later.
    pub(super) fn restrict_filesystem(self, mode: LockdownMode) -> Confined {
        Confined {
            filesystem: lockdown::restrict_filesystem(mode),
            resources: self,
        }
    }
}
