//! The host state of one instance: its environment, resources and limits. It lets no request out.

use http::{HeaderName, Request};
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

use super::guest_env::GuestEnv;
use super::limits::{GrowthLimiter, Limits, MAX_FIELDS_BYTES, MAX_RESOURCES};

pub(super) struct StoreData {
    pub(super) env: GuestEnv,
    pub(super) table: ResourceTable,
    pub(super) limiter: GrowthLimiter,
    http: WasiHttpCtx,
    hooks: DenyOutgoing,
}

/// Denies every outgoing request.
struct DenyOutgoing;

type RequestIo = Box<dyn Future<Output = Result<(), Error>> + Send>;
type SendResult = Result<(http::Response<WasiBody>, RequestIo), Error>;

impl StoreData {
    pub(super) fn new(env: GuestEnv, limits: Limits) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(MAX_FIELDS_BYTES);
        Self {
            env,
            table,
            limiter: GrowthLimiter {
                max_memory: limits.memory,
            },
            http,
            hooks: DenyOutgoing,
        }
    }

    /// Whether a response body was opened, but neither finished nor dropped.
    pub(super) fn has_open_body(&mut self) -> bool {
        self.table.iter_mut().any(|resource| resource.is::<HostOutgoingBody>())
    }
}

impl WasiHttpView for StoreData {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.hooks,
        }
    }
}

impl WasiHttpHooks for DenyOutgoing {
    /// As the default of the library, which allocates for each header.
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
    async fn outgoing_request_is_denied() {
        let body = Empty::new().map_err(Error::from).boxed_unsync();
        let sent = DenyOutgoing.send_request(Request::new(body), None, Box::new(std::future::ready(Ok(()))));
        assert!(matches!(Box::into_pin(sent).await, Err(Error::HttpRequestDenied)));
    }
}
