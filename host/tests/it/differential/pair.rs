//! A component and a request on both implementations.

use std::fmt::Write;
use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use status_host::sandbox::{InvokeError, Sandbox};
use tokio::runtime::{Builder, Runtime};
use wasmtime::component::Component;

use super::stock::Stock;
use crate::guests::{LIMITS, sandbox_of};

/// A component on both implementations.
pub struct Pair {
    own: Sandbox,
    stock: Stock,
    runtime: Runtime,
}

/// The probe. It is shared, since compiling it takes longer than a test.
pub static PROBE: LazyLock<Pair> = LazyLock::new(|| Pair::of_bytes(&std::fs::read(probe_artifact::PATH).unwrap()));

impl Pair {
    /// A portable component.
    #[track_caller]
    pub fn of_bytes(component: &[u8]) -> Self {
        Self::new(sandbox_of(component, LIMITS), component)
    }

    /// `own` has the same component.
    #[track_caller]
    pub fn new(own: Sandbox, component: &[u8]) -> Self {
        let engine = status_host::sandbox::engine(LIMITS.running).unwrap();
        Self {
            own,
            stock: Stock::new(&engine, &Component::from_binary(&engine, component).unwrap()),
            runtime: Builder::new_multi_thread()
                .worker_threads(1)
                .enable_time()
                .build()
                .unwrap(),
        }
    }

    /// Checks that both implementations agree, and that the outcome contains `fragment`.
    #[track_caller]
    pub fn assert_agree(&self, request: &Request<Bytes>, fragment: &str) {
        let (own, stock) = (self.own(request), self.stock(request));
        assert_eq!(own, stock, "{request:?}: left is this project");
        assert!(own.contains(fragment), "no `{fragment}` in {own}");
    }

    pub fn own(&self, request: &Request<Bytes>) -> String {
        outcome(self.runtime.block_on(self.own.invoke(request.clone())).result)
    }

    pub fn stock(&self, request: &Request<Bytes>) -> String {
        let work = async { tokio::time::timeout(LIMITS.timeout, self.stock.invoke(request.clone())).await };
        outcome(self.runtime.block_on(work).expect("the guest ends"))
    }
}

/// A request as the server passes it to the sandbox: it has a `Host`, and its body is whole.
pub fn request(method: &str, target: &str, body: &'static [u8]) -> Request<Bytes> {
    let request = Request::builder().method(method).uri(target);
    let request = request.header("host", "example.org:8080");
    request.body(Bytes::from_static(body)).unwrap()
}

/// A request that makes the probe run `script`.
pub fn script(script: &str, body: &'static [u8]) -> Request<Bytes> {
    let mut target = "/script/".to_owned();
    for byte in script.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            target.push(byte.into());
        } else {
            write!(target, "%{byte:02x}").unwrap();
        }
    }
    request("POST", &target, body)
}

/// What a client, the log and the metrics see of one request: a response, or `failure` and its kind.
fn outcome(result: Result<Response<Bytes>, InvokeError>) -> String {
    match result {
        Ok(response) => {
            let header =
                |(name, value): (&HeaderName, &HeaderValue)| format!("\n{name}: {}", value.as_bytes().escape_ascii());
            let headers: String = response.headers().iter().map(header).collect();
            let (status, body) = (response.status().as_u16(), String::from_utf8_lossy(response.body()));
            format!("{status}{headers}\n\n{body}")
        }
        Err(error) => match error.kind().expect("the component is at fault") {
            // A failure of the guest itself has another wording on the other side.
            kind @ ("trap" | "limit" | "memory") => format!("failure {kind}"),
            kind => format!("failure {kind}: {error}"),
        },
    }
}
