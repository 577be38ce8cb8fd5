//! The component with the host functions of `wasmtime-wasi-http`, as an embedder would use them.

use std::path::Path;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::sync::oneshot;
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2::bindings::{cli, io};
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::bindings::{LinkOptions, ProxyPre, http as bindings};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::VARIABLES;

/// The component, linked to the stock implementation.
pub struct Stock(ProxyPre<StoreData>);

struct StoreData {
    table: ResourceTable,
    environment: Environment,
    http: WasiHttpCtx,
    hooks: DenyOutgoing,
}

struct Environment;
struct DenyOutgoing;

type RequestIo = Box<dyn Future<Output = Result<(), Error>> + Send>;
type SendResult = Result<(http::Response<WasiBody>, RequestIo), Error>;

impl Stock {
    pub fn new(engine: &Engine, file: &Path) -> Self {
        let component = Component::from_file(engine, file).expect("the portable component");
        let linker = linker(engine).expect("a linker");
        let component = linker.instantiate_pre(&component).and_then(ProxyPre::new);
        Self(component.expect("a linked component"))
    }

    /// One request through one instance.
    pub async fn invoke(&self, request: Request<Bytes>) {
        let data = StoreData {
            table: ResourceTable::new(),
            environment: Environment,
            http: WasiHttpCtx::new(),
            hooks: DenyOutgoing,
        };
        let mut store = Store::new(self.0.engine(), data);
        store.set_epoch_deadline(u64::MAX / 2);
        let request = request.map(|body| Full::new(body).map_err(|never| -> Error { match never {} }));
        let (sender, receiver) = oneshot::channel();
        let guest = async {
            let mut http = store.data_mut().http();
            let request = http.new_incoming_request(Scheme::Http, request)?;
            let out = http.new_response_outparam(sender)?;
            let instance = self.0.instantiate_async(&mut store).await?;
            let handler = instance.wasi_http_incoming_handler();
            handler.call_handle(&mut store, request, out).await
        };
        let response = async {
            let response = receiver.await.expect("a response").expect("no error code");
            response.into_body().collect().await.expect("a whole body")
        };
        let (guest, _) = tokio::join!(guest, response);
        guest.expect("the guest returns");
    }
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<StoreData>> {
    let mut linker = Linker::<StoreData>::new(engine);
    let options = LinkOptions::default();
    cli::environment::add_to_linker::<_, HasSelf<Environment>>(&mut linker, |data| &mut data.environment)?;
    bindings::types::add_to_linker::<_, WasiHttp>(&mut linker, &(&options).into(), StoreData::http)?;
    io::error::add_to_linker::<_, HasSelf<ResourceTable>>(&mut linker, |data| &mut data.table)?;
    io::poll::add_to_linker::<_, HasSelf<ResourceTable>>(&mut linker, |data| &mut data.table)?;
    io::streams::add_to_linker::<_, HasSelf<ResourceTable>>(&mut linker, |data| &mut data.table)?;
    Ok(linker)
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
    fn send_request(
        &mut self,
        _request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _io: RequestIo,
    ) -> Box<dyn Future<Output = SendResult> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

impl cli::environment::Host for Environment {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Ok(VARIABLES.map(owned).to_vec())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}
