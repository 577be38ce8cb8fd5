//! What the host keeps for one instance: its resources, its grant, and hooks that let nothing out.

use http::{HeaderName, Request};
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

use super::limit::{FIELDS_LIMIT, Growth, RESOURCE_LIMIT};
use super::{Grant, Limits};

/// The data of one store.
pub(super) struct State {
    pub(super) grant: Grant,
    pub(super) table: ResourceTable,
    pub(super) growth: Growth,
    http: WasiHttpCtx,
    hooks: DenyOutgoing,
}

/// Hooks of `wasi:http` that deny every outgoing request.
struct DenyOutgoing;

type RequestIo = Box<dyn Future<Output = Result<(), Error>> + Send>;
type SendResult = Result<(http::Response<WasiBody>, RequestIo), Error>;

impl State {
    pub(super) fn new(grant: Grant, limits: Limits) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCE_LIMIT);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_LIMIT);
        Self {
            grant,
            table,
            growth: Growth { memory: limits.memory },
            http,
            hooks: DenyOutgoing,
        }
    }

    /// Whether a response body was begun and neither finished nor given up.
    pub(super) fn has_open_body(&mut self) -> bool {
        self.table.iter_mut().any(|resource| resource.is::<HostOutgoingBody>())
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.hooks,
        }
    }
}

impl WasiHttpHooks for DenyOutgoing {
    /// What the library's own one says, which allocates for each header.
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn send_request(
        &mut self,
        _request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _io: RequestIo,
    ) -> Box<dyn Future<Output = SendResult> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Empty};

    use super::*;

    #[tokio::test]
    async fn nothing_is_sent_anywhere() {
        let body = Empty::new().map_err(Error::from).boxed_unsync();
        let sent = DenyOutgoing.send_request(Request::new(body), None, Box::new(std::future::ready(Ok(()))));
        assert!(matches!(Box::into_pin(sent).await, Err(Error::HttpRequestDenied)));
    }
}
