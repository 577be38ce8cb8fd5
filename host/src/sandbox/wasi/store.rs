//! The host state of one instance: its request, its response, and the resources that it has handles to.
//!
//! wasmtime checks that a handle exists, belongs to the guest and has the right type. So a lookup fails only if a
//! resource was consumed through another handle, which the guest cannot have.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode};
use slab::Slab;
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut, bail, format_err};

use super::bindings::http::{ErrorCode, IncomingRequest, ResponseOutparam};
use super::types::{Body, Fields};
use crate::sandbox::epoch::Deadline;
use crate::sandbox::error::InvokeError;
use crate::sandbox::guest_env::GuestEnv;
use crate::sandbox::limits::{GrowthLimiter, LimitExceeded, MAX_BODY_BYTES, MAX_RESOURCES};

/// Resources of a usual request, for which the table does not grow.
const USUAL_RESOURCES: usize = 8;

/// An interface in the linker, to be filled with functions. Each one checks the deadline first.
pub(super) struct Interface<'a>(pub(super) LinkerInstance<'a, StoreData>);

impl Interface<'_> {
    /// Defines a function with one result by its name in the component model, such as `[method]fields.get`.
    pub(super) fn function<P: ComponentNamedList + Lift + 'static, T: ComponentType + Lower + 'static>(
        &mut self,
        name: &str,
        function: impl Fn(&mut StoreData, P) -> Result<T> + Send + Sync + 'static,
    ) -> Result<()> {
        self.function_of_store(name, move |mut store, params| {
            Ok((function(store.data_mut(), params)?,))
        })
    }

    /// As [`Self::function`], for parameters that are views of the memory of the guest, and for any number of results.
    pub(super) fn function_of_store<P: ComponentNamedList + Lift + 'static, R: ComponentNamedList + Lower + 'static>(
        &mut self,
        name: &str,
        function: impl Fn(StoreContextMut<'_, StoreData>, P) -> Result<R> + Send + Sync + 'static,
    ) -> Result<()> {
        self.0
            .func_wrap(name, move |mut store: StoreContextMut<'_, _>, params| {
                store.data_mut().deadline.check()?;
                function(store, params)
            })
    }

    /// Defines a resource, whose representation is its key in the table.
    pub(super) fn resource<T: 'static>(&mut self, name: &str) -> Result<()> {
        self.0.resource(name, ResourceType::host::<T>(), |mut store, rep| {
            let data = store.data_mut();
            data.deadline.check()?;
            if let Entry::OutgoingResponse(OutgoingResponse { body: Some(body), .. }) = data.remove(rep)? {
                data.body_mut(body)?.close();
            }
            Ok(())
        })
    }
}

/// What a handle stands for.
pub(super) enum Entry {
    IncomingRequest { consumed: bool },
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

/// The head of a response, and which body it has.
pub(super) struct OutgoingResponse {
    pub(super) status: StatusCode,
    pub(super) headers: Fields,
    pub(super) body: Option<usize>,
}

struct Node {
    entry: Entry,
    /// A resource that must not be dropped before this one (component model, "child resources" in the WASI documents).
    parent: Option<u32>,
    children: u32,
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
            _ => return Err($crate::sandbox::wasi::store::missing()),
        }
    };
}

pub(super) use expect_entry;

pub(in crate::sandbox) struct StoreData {
    pub(in crate::sandbox) limiter: GrowthLimiter,
    deadline: Deadline,
    pub(super) env: GuestEnv,
    pub(super) request: Request<Bytes>,
    pub(super) response: Option<Result<OutgoingResponse, ErrorCode>>,
    resources: Slab<Node>,
    /// The bodies of all outgoing responses. None is removed before the instance ends.
    bodies: Vec<Body>,
    /// Bytes that were written to all of them.
    body_bytes: usize,
}

impl StoreData {
    pub(in crate::sandbox) fn new(
        request: Request<Bytes>,
        env: GuestEnv,
        max_memory: usize,
        deadline: Deadline,
    ) -> Self {
        Self {
            limiter: GrowthLimiter::new(max_memory),
            deadline,
            env,
            request,
            response: None,
            resources: Slab::with_capacity(USUAL_RESOURCES),
            bodies: Vec::new(),
            body_bytes: 0,
        }
    }

    /// The arguments of the exported function.
    pub(in crate::sandbox) fn arguments(&mut self) -> Result<(Resource<IncomingRequest>, Resource<ResponseOutparam>)> {
        let request = self.push(Entry::IncomingRequest { consumed: false })?;
        Ok((request, self.push(Entry::ResponseOutparam)?))
    }

    pub(super) fn push<T: 'static>(&mut self, entry: Entry) -> Result<Resource<T>> {
        self.insert(entry, None)
    }

    /// Adds a resource that has to be dropped before `parent`.
    pub(super) fn push_child<T: 'static, P: 'static>(
        &mut self,
        entry: Entry,
        parent: &Resource<P>,
    ) -> Result<Resource<T>> {
        self.node_mut(parent.rep())?.children += 1;
        self.insert(entry, Some(parent.rep()))
    }

    fn insert<T: 'static>(&mut self, entry: Entry, parent: Option<u32>) -> Result<Resource<T>> {
        if self.resources.len() >= MAX_RESOURCES {
            bail!(LimitExceeded::Resources);
        }
        let children = 0;
        let key = self.resources.insert(Node {
            entry,
            parent,
            children,
        });
        Ok(Resource::new_own(u32::try_from(key)?))
    }

    pub(super) fn get<T: 'static>(&mut self, handle: &Resource<T>) -> Result<&mut Entry> {
        Ok(&mut self.node_mut(handle.rep())?.entry)
    }

    /// Takes a resource that the guest passes on.
    pub(super) fn take<T: 'static>(&mut self, handle: &Resource<T>) -> Result<Entry> {
        self.remove(handle.rep())
    }

    /// Removes a resource. Fails if it has children.
    fn remove(&mut self, rep: u32) -> Result<Entry> {
        if self.node_mut(rep)?.children > 0 {
            bail!("a resource was dropped before its child resources");
        }
        let node = self.resources.remove(rep as usize);
        if let Some(parent) = node.parent {
            self.node_mut(parent)?.children -= 1;
        }
        Ok(node.entry)
    }

    fn node_mut(&mut self, rep: u32) -> Result<&mut Node> {
        self.resources.get_mut(rep as usize).ok_or_else(missing)
    }

    pub(super) fn push_body(&mut self, body: Body) -> Result<usize> {
        if self.bodies.len() >= MAX_RESOURCES {
            bail!(LimitExceeded::Resources);
        }
        self.bodies.push(body);
        Ok(self.bodies.len() - 1)
    }

    pub(super) fn body_mut(&mut self, body: usize) -> Result<&mut Body> {
        self.bodies.get_mut(body).ok_or_else(missing)
    }

    /// Counts bytes that are written to a body.
    pub(super) fn spend_body_bytes(&mut self, length: usize) -> Result<()> {
        self.body_bytes += length;
        if self.body_bytes > MAX_BODY_BYTES {
            bail!(LimitExceeded::Body);
        }
        Ok(())
    }

    /// The response that the guest left behind when it returned.
    pub(in crate::sandbox) fn into_response(mut self) -> Result<Response<Bytes>, InvokeError> {
        let mut outgoing = match self.response {
            None => return Err(InvokeError::NoResponse),
            Some(Err(code)) => return Err(InvokeError::ErrorCode(format!("{code:?}"))),
            Some(Ok(response)) => response,
        };
        let status = outgoing.status;
        if !(200..600).contains(&status.as_u16()) {
            return Err(InvokeError::InvalidResponse("its status is not final"));
        }
        let headers = &mut outgoing.headers.map;
        let content = match status {
            // These have neither content nor its length (RFC 9110 sections 8.6 and 15.3.6).
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT => {
                headers.remove(CONTENT_LENGTH);
                Bytes::new()
            }
            // These have the length that the content of GET would have (RFC 9110 section 8.6).
            StatusCode::NOT_MODIFIED => Bytes::new(),
            _ if self.request.method() == Method::HEAD => Bytes::new(),
            _ => match outgoing.body.map(|body| self.bodies.swap_remove(body)) {
                Some(body) if body.is_complete => body.bytes.into(),
                Some(_) => return Err(InvokeError::InvalidResponse("its body is incomplete")),
                None if headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0") => Bytes::new(),
                None => return Err(InvokeError::InvalidResponse("its content-length is wrong")),
            },
        };
        let mut response = Response::new(content);
        *response.status_mut() = status;
        *response.headers_mut() = outgoing.headers.map;
        Ok(response)
    }
}
