//! The resources that the guest has handles to.
//!
//! wasmtime checks that a handle exists, belongs to the guest and has the right type. So a lookup fails only if a
//! resource was consumed through another handle, which the guest cannot have.

use slab::Slab;
use wasmtime::component::Resource;
use wasmtime::{Result, bail, format_err};

use super::fields::Fields;
use super::memory::MemoryBudget;
use super::response::OutgoingResponse;
use crate::sandbox::limits::{LimitExceeded, MAX_RESOURCES};

/// Resources of a usual request, for which the table does not grow.
const USUAL_RESOURCES: usize = 8;

/// What a handle stands for.
pub(super) enum Entry {
    IncomingRequest { consumed: bool },
    RequestHeaders,
    IncomingBody { stream_taken: bool },
    InputStream { position: usize },
    FutureTrailers { taken: bool },
    ResponseOutparam,
    Fields(Fields),
    OutgoingResponse(OutgoingResponse),
    OutgoingBody { body: usize, stream_taken: bool },
    OutputStream { body: usize },
    BodySizeError { written: u64 },
    Pollable,
}

impl Entry {
    /// Bytes that it owns outside the table.
    fn size(&self) -> usize {
        match self {
            Self::Fields(fields) => fields.size(),
            Self::OutgoingResponse(response) => response.headers.size(),
            _ => 0,
        }
    }
}

struct Node {
    entry: Entry,
    /// A resource that must not be dropped before this one (component model, "child resources" in the WASI documents).
    parent: Option<u32>,
    children: u32,
}

/// All resources of one instance.
pub(super) struct Resources {
    nodes: Slab<Node>,
}

impl Resources {
    pub(super) fn new() -> Self {
        let nodes = Slab::with_capacity(USUAL_RESOURCES);
        Self { nodes }
    }

    pub(super) fn push<T: 'static>(&mut self, memory: &mut MemoryBudget, entry: Entry) -> Result<Resource<T>> {
        self.insert(memory, entry, None)
    }

    /// Adds a resource that has to be dropped before `parent`.
    pub(super) fn push_child<T: 'static>(
        &mut self,
        memory: &mut MemoryBudget,
        entry: Entry,
        parent: u32,
    ) -> Result<Resource<T>> {
        self.node_mut(parent)?.children += 1;
        self.insert(memory, entry, Some(parent))
    }

    fn insert<T: 'static>(
        &mut self,
        memory: &mut MemoryBudget,
        entry: Entry,
        parent: Option<u32>,
    ) -> Result<Resource<T>> {
        if self.nodes.len() >= MAX_RESOURCES {
            bail!(LimitExceeded::Resources);
        }
        memory.charge(size_of::<Node>() + entry.size())?;
        let children = 0;
        let key = self.nodes.insert(Node {
            entry,
            parent,
            children,
        });
        Ok(Resource::new_own(u32::try_from(key)?))
    }

    pub(super) fn get(&self, rep: u32) -> Result<&Entry> {
        let node = self.nodes.get(rep as usize);
        Ok(&node.ok_or_else(missing)?.entry)
    }

    pub(super) fn get_mut(&mut self, rep: u32) -> Result<&mut Entry> {
        Ok(&mut self.node_mut(rep)?.entry)
    }

    /// Takes a resource out. Fails if it has children.
    pub(super) fn remove(&mut self, memory: &mut MemoryBudget, rep: u32) -> Result<Entry> {
        if self.node_mut(rep)?.children > 0 {
            bail!("a resource was dropped before its child resources");
        }
        let node = self.nodes.remove(rep as usize);
        if let Some(parent) = node.parent {
            self.node_mut(parent)?.children -= 1;
        }
        memory.release(size_of::<Node>() + node.entry.size());
        Ok(node.entry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.nodes.iter().map(|(_, node)| &node.entry)
    }

    fn node_mut(&mut self, rep: u32) -> Result<&mut Node> {
        self.nodes.get_mut(rep as usize).ok_or_else(missing)
    }
}

/// Why a lookup failed: a fault of the host.
pub(super) fn missing() -> wasmtime::Error {
    format_err!("a resource is missing or has another type")
}

/// The value for an entry of the type that a handle has. Returns from the function if it has another type.
macro_rules! expect_entry {
    ($entry:expr, $pattern:pat => $value:expr) => {
        match $entry {
            $pattern => $value,
            _ => return Err($crate::sandbox::wasi::resources::missing().into()),
        }
    };
}

pub(super) use expect_entry;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_resource_is_an_error() {
        let resources = Resources::new();
        let error = resources.get(0).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("a resource is missing or has another type"));
    }
}
