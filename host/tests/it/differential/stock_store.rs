//! The host state of one instance on the stock implementation, with the limits of this project.

use http::Request;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Result, bail};
use wasmtime_wasi::p2::bindings::cli;
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use status_host::sandbox::LimitExceeded;

use super::pair::{LIMITS, VARIABLES};

/// As in `limits`.
const MAX_RESOURCES: usize = 1_000;
const MAX_FIELDS_BYTES: usize = 128 * 1024;

pub struct StoreData {
    pub table: ResourceTable,
    pub limiter: Limiter,
    pub environment: Environment,
    http: WasiHttpCtx,
    hooks: Hooks,
}

pub struct Environment;
pub struct Limiter;
struct Hooks;

impl StoreData {
    pub fn new() -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(MAX_FIELDS_BYTES);
        Self {
            table,
            limiter: Limiter,
            environment: Environment,
            http,
            hooks: Hooks,
        }
    }

    /// Whether a response body was opened, but neither finished nor dropped.
    pub fn has_open_body(&mut self) -> bool {
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
type SendResult = Result<(http::Response<WasiBody>, RequestIo), Error>;

impl cli::environment::Host for Environment {
    fn get_environment(&mut self) -> Result<Vec<(String, String)>> {
        let variable = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Ok(VARIABLES.map(variable).to_vec())
    }

    fn get_arguments(&mut self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let max = LIMITS.memory;
        if desired > max {
            bail!(LimitExceeded::Memory { desired, max });
        }
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        if desired > 10_000 {
            bail!(LimitExceeded::Table { desired });
        }
        Ok(true)
    }
}
