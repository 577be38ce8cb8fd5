//! One request through one instance, on `wasmtime-wasi-http`.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use status_host::sandbox::{InvokeError, LimitExceeded};
use tokio::sync::oneshot;
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable, ResourceTableError};
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2::bindings::{cli, io};
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::bindings::{LinkOptions, ProxyPre, http as bindings};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

use super::outcome::Outcome;
use super::stock_store::{Environment, StoreData};

/// Bytes that one call copies from the guest, as in `limits`.
const HOSTCALL_FUEL: usize = 128 * 1024;
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A component on the stock implementation.
pub struct Stock(ProxyPre<StoreData>);

/// A failure that the stock implementation describes with a type of its own.
enum Failure {
    Invoke(InvokeError),
    Code(ErrorCode),
}

impl From<InvokeError> for Failure {
    fn from(error: InvokeError) -> Self {
        Self::Invoke(error)
    }
}

impl Stock {
    pub fn new(engine: &Engine, component: &Component) -> Self {
        let mut linker = Linker::<StoreData>::new(engine);
        let options = LinkOptions::default();
        cli::environment::add_to_linker::<_, HasSelf<Environment>>(&mut linker, |data| &mut data.environment).unwrap();
        bindings::types::add_to_linker::<_, WasiHttp>(&mut linker, &(&options).into(), StoreData::http).unwrap();
        io::error::add_to_linker::<_, HasSelf<ResourceTable>>(&mut linker, |data| &mut data.table).unwrap();
        io::poll::add_to_linker::<_, HasSelf<ResourceTable>>(&mut linker, |data| &mut data.table).unwrap();
        io::streams::add_to_linker::<_, HasSelf<ResourceTable>>(&mut linker, |data| &mut data.table).unwrap();
        Self(ProxyPre::new(linker.instantiate_pre(component).unwrap()).unwrap())
    }

    pub async fn invoke(&self, request: Request<Bytes>) -> Outcome {
        let method = request.method().clone();
        let (sender, receiver) = oneshot::channel();
        // Concurrent, so that a body that is too large stops the guest.
        let response = tokio::try_join!(biased; self.run(request, sender), read_response(receiver));
        match response {
            Ok(((), response)) => Outcome::new(validate(&method, response)),
            Err(Failure::Invoke(error)) => Outcome::new(Err(error)),
            Err(Failure::Code(code)) => Outcome::Failure(format!("error: the component returned the error {code:?}")),
        }
    }

    async fn run(
        &self,
        request: Request<Bytes>,
        sender: oneshot::Sender<Result<Response<HyperOutgoingBody>, ErrorCode>>,
    ) -> Result<(), Failure> {
        let mut store = Store::new(self.0.engine(), StoreData::new());
        store.limiter(|data| &mut data.limiter);
        store.set_hostcall_fuel(HOSTCALL_FUEL);
        store.set_epoch_deadline(u64::MAX / 2);
        let request =
            request.map(|body| Full::new(body).map_err(|never| -> wasmtime_wasi_http::Error { match never {} }));
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(Scheme::Http, request).unwrap();
        let out = http.new_response_outparam(sender).unwrap();
        let instance = self.0.instantiate_async(&mut store).await.map_err(failure)?;
        let handler = instance.wasi_http_incoming_handler();
        handler.call_handle(&mut store, request, out).await.map_err(failure)?;
        if store.data_mut().has_open_body() {
            Err(InvokeError::InvalidResponse("its body was not finished"))?;
        }
        Ok(())
    }
}

fn failure(error: wasmtime::Error) -> Failure {
    if let Some(limit) = error.downcast_ref::<LimitExceeded>() {
        return InvokeError::Limit(limit.clone()).into();
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return InvokeError::Limit(LimitExceeded::Resources).into();
    }
    InvokeError::Trap(error).into()
}

async fn read_response(
    receiver: oneshot::Receiver<Result<Response<HyperOutgoingBody>, ErrorCode>>,
) -> Result<Response<Bytes>, Failure> {
    let response = match receiver.await {
        Ok(Ok(response)) => response,
        Ok(Err(code)) => return Err(Failure::Code(code)),
        Err(_) => Err(InvokeError::NoResponse)?,
    };
    let (head, body) = response.into_parts();
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(InvokeError::BodyTooLarge)?,
        Err(_) => Err(InvokeError::InvalidResponse("its body is incomplete"))?,
    }
}

/// As `invoke` validates the response, and removes the body from the response to a `HEAD` request.
fn validate(method: &Method, mut response: Response<Bytes>) -> Result<Response<Bytes>, InvokeError> {
    let (status, headers) = (response.status(), response.headers());
    if !(200..600).contains(&status.as_u16()) {
        return Err(InvokeError::InvalidResponse("its status is not final"));
    }
    let bytes = |(name, value): (&header::HeaderName, &header::HeaderValue)| name.as_str().len() + value.len();
    if headers.len() > 100 || headers.iter().map(bytes).sum::<usize>() > 16 * 1024 {
        let reason = "it has more than 100 headers, or more than 16 KiB of them";
        return Err(InvokeError::InvalidResponse(reason));
    }
    let length = headers.get(header::CONTENT_LENGTH);
    let has_content = method != Method::HEAD && status != StatusCode::NOT_MODIFIED && status != StatusCode::NO_CONTENT;
    let actual = response.body().len().to_string();
    if has_content && length.is_some_and(|length| length.as_bytes() != actual.as_bytes()) {
        return Err(InvokeError::InvalidResponse("its content-length is wrong"));
    }
    if method == Method::HEAD {
        response.body_mut().clear();
    }
    Ok(response)
}
