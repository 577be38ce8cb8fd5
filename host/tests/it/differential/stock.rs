//! One request through one instance, on `wasmtime-wasi-http`.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use status_host::sandbox::{GuestEnv, InvokeError};
use tokio::sync::oneshot;
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, Result, Store};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::{cli, io};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::bindings::{LinkOptions, ProxyPre, http as bindings};
use wasmtime_wasi_http::p2::body::{HostOutgoingBody, HyperOutgoingBody};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::guests::VARIABLES;

/// A component on the stock implementation.
pub struct Stock(ProxyPre<StoreData>);

type Sent = Result<Response<HyperOutgoingBody>, ErrorCode>;

impl Stock {
    pub fn new(engine: &Engine, component: &Component) -> Self {
        let mut linker = Linker::<StoreData>::new(engine);
        let options = LinkOptions::default();
        cli::environment::add_to_linker::<_, WasiCli>(&mut linker, StoreData::cli).unwrap();
        bindings::types::add_to_linker::<_, WasiHttp>(&mut linker, &(&options).into(), StoreData::http).unwrap();
        io::error::add_to_linker::<_, HasSelf<ResourceTable>>(&mut linker, |data| &mut data.table).unwrap();
        io::poll::add_to_linker::<_, HasSelf<ResourceTable>>(&mut linker, |data| &mut data.table).unwrap();
        io::streams::add_to_linker::<_, HasSelf<ResourceTable>>(&mut linker, |data| &mut data.table).unwrap();
        Self(ProxyPre::new(linker.instantiate_pre(component).unwrap()).unwrap())
    }

    pub async fn invoke(&self, request: Request<Bytes>) -> Result<Response<Bytes>, InvokeError> {
        let method = request.method().clone();
        let (sender, receiver) = oneshot::channel();
        // Concurrent, so that the guest does not wait for a reader.
        let (ran, sent) = tokio::join!(self.run(request, sender), receive(receiver));
        finish(&method, ran?, sent?)
    }

    /// Returns whether the guest neither finished nor dropped a body.
    async fn run(&self, request: Request<Bytes>, sender: oneshot::Sender<Sent>) -> Result<bool, InvokeError> {
        let mut store = Store::new(self.0.engine(), StoreData::new());
        store.set_epoch_deadline(u64::MAX / 2);
        let request =
            request.map(|body| Full::new(body).map_err(|never| -> wasmtime_wasi_http::Error { match never {} }));
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(Scheme::Http, request).unwrap();
        let out = http.new_response_outparam(sender).unwrap();
        let instance = self.0.instantiate_async(&mut store).await.map_err(InvokeError::Trap)?;
        let handler = instance.wasi_http_incoming_handler();
        handler
            .call_handle(&mut store, request, out)
            .await
            .map_err(InvokeError::Trap)?;
        let mut resources = store.data_mut().table.iter_mut();
        Ok(resources.any(|resource| resource.is::<HostOutgoingBody>()))
    }
}

/// The head of a response, with its body if that is complete.
type Received = (http::response::Parts, Option<Bytes>);

async fn receive(receiver: oneshot::Receiver<Sent>) -> Result<Received, InvokeError> {
    let sent = receiver.await.map_err(|_| InvokeError::NoResponse)?;
    let sent = sent.map_err(|code| InvokeError::ErrorCode(format!("{code:?}")))?;
    let (head, body) = sent.into_parts();
    let body = body.collect().await;
    Ok((head, body.ok().map(http_body_util::Collected::to_bytes)))
}

/// Treats the status, the body and its length as this project does.
fn finish(method: &Method, has_open_body: bool, (mut head, body): Received) -> Result<Response<Bytes>, InvokeError> {
    if !(200..600).contains(&head.status.as_u16()) {
        return Err(InvokeError::InvalidResponse("its status is not final"));
    }
    let length = header::CONTENT_LENGTH;
    if matches!(head.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
        head.headers.remove(length);
    } else if method != Method::HEAD && head.status != StatusCode::NOT_MODIFIED {
        let body = body.filter(|_| !has_open_body);
        let body = body.ok_or(InvokeError::InvalidResponse("its body is incomplete"))?;
        let actual = body.len().to_string();
        if head
            .headers
            .get(length)
            .is_some_and(|length| length.as_bytes() != actual.as_bytes())
        {
            return Err(InvokeError::InvalidResponse("its content-length is wrong"));
        }
        return Ok(Response::from_parts(head, body));
    }
    Ok(Response::from_parts(head, Bytes::new()))
}

/// The host state of one instance.
pub struct StoreData {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
}

struct Hooks;

impl StoreData {
    fn new() -> Self {
        let [version, commit] = VARIABLES;
        let variables = [(GuestEnv::APP_VERSION, version), (GuestEnv::COMMIT_SHA, commit)];
        Self {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().envs(&variables).build(),
            http: WasiHttpCtx::new(),
            hooks: Hooks,
        }
    }
}

impl WasiView for StoreData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
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

impl WasiHttpHooks for Hooks {
    /// Enough that no write waits for a reader, which this project does not have.
    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        1024
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        64 * 1024
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

type RequestIo = Box<dyn Future<Output = Result<(), Error>> + Send>;
type SendResult = Result<(Response<WasiBody>, RequestIo), Error>;
