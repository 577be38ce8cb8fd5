//! The host state of one instance: its request, its response, its resources and its limits.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use wasmtime::Result;
use wasmtime::component::Resource;

use super::bindings::http::{ErrorCode, IncomingRequest, ResponseOutparam};
use super::fields::is_forbidden;
use super::memory::MemoryBudget;
use super::resources::{Entry, Resources};
use super::response::OutgoingResponse;
use super::response_body::ResponseBody;
use crate::sandbox::epoch::Slice;
use crate::sandbox::guest_env::GuestEnv;
use crate::sandbox::limits::{GrowthLimiter, Limits};

/// The first time slice of a guest is over, and it called a host function.
#[derive(Debug, thiserror::Error)]
#[error("the time slice of the guest is over")]
pub(in crate::sandbox) struct SliceEnded;

pub(in crate::sandbox) struct StoreData {
    pub(in crate::sandbox) limiter: GrowthLimiter,
    pub(in crate::sandbox) slice: Slice,
    pub(super) env: GuestEnv,
    pub(super) request: Request<Bytes>,
    /// The headers that the guest may see, once it has asked for them.
    pub(super) request_headers: HeaderMap,
    pub(super) resources: Resources,
    pub(super) memory: MemoryBudget,
    /// The bodies of all outgoing responses. None is removed before the instance ends.
    pub(super) bodies: Vec<ResponseBody>,
    pub(super) response: Option<Result<OutgoingResponse, ErrorCode>>,
}

impl StoreData {
    pub(in crate::sandbox) fn new(env: GuestEnv, limits: Limits, slice: Slice, request: Request<Bytes>) -> Self {
        Self {
            limiter: GrowthLimiter::new(limits.memory),
            slice,
            env,
            request,
            request_headers: HeaderMap::new(),
            resources: Resources::new(),
            memory: MemoryBudget::new(limits.memory),
            bodies: Vec::new(),
            response: None,
        }
    }

    /// The arguments of the exported function.
    pub(in crate::sandbox) fn arguments(&mut self) -> Result<(Resource<IncomingRequest>, Resource<ResponseOutparam>)> {
        let request = self.push(Entry::IncomingRequest { consumed: false })?;
        Ok((request, self.push(Entry::ResponseOutparam)?))
    }

    pub(in crate::sandbox) fn method(&self) -> &Method {
        self.request.method()
    }

    /// The request, which the guest cannot change.
    pub(in crate::sandbox) fn into_request(self) -> Request<Bytes> {
        self.request
    }

    pub(super) fn push<T: 'static>(&mut self, entry: Entry) -> Result<Resource<T>> {
        self.resources.push(&mut self.memory, entry)
    }

    pub(super) fn push_child<T: 'static>(&mut self, entry: Entry, parent: u32) -> Result<Resource<T>> {
        self.resources.push_child(&mut self.memory, entry, parent)
    }

    /// Takes a resource that the guest passes on or drops.
    pub(super) fn remove(&mut self, rep: u32) -> Result<Entry> {
        self.resources.remove(&mut self.memory, rep)
    }

    /// The destructor of every resource.
    pub(super) fn drop_resource(&mut self, rep: u32) -> Result<()> {
        match self.remove(rep)? {
            Entry::OutgoingBody { body, .. } => self.body_mut(body)?.abort(),
            Entry::OutgoingResponse(OutgoingResponse { body: Some(body), .. }) => self.body_mut(body)?.close(),
            _ => {}
        }
        Ok(())
    }

    /// Copies the headers of the request, without the forbidden ones, when the guest first asks for them.
    pub(super) fn load_request_headers(&mut self) {
        if self.request_headers.is_empty() {
            let visible = self.request.headers().iter().filter(|(name, _)| !is_forbidden(name));
            self.request_headers = visible.map(|(name, value)| (name.clone(), value.clone())).collect();
        }
    }
}
