//! Defines the host functions in a linker.

use tokio::task::yield_now;
use wasmtime::component::{ComponentNamedList, Lift, Linker, LinkerInstance, Lower, ResourceType};
use wasmtime::{Engine, Result, StoreContextMut, bail};

use super::state::{SliceEnded, StoreData};
use super::{environment, fields_resource, request, response, streams};

/// What happens to a guest whose time slice is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) enum CallMode {
    /// It ends with [`SliceEnded`].
    Sync,
    /// It yields to the executor. It needs a stack of its own, a fiber.
    Fiber,
}

/// A linker with all host functions, and their names.
pub(in crate::sandbox) struct HostFunctions {
    pub(in crate::sandbox) linker: Linker<StoreData>,
    names: Vec<(&'static str, String)>,
}

impl HostFunctions {
    pub(in crate::sandbox) fn new(engine: &Engine, mode: CallMode) -> Result<Self> {
        let mut functions = Self {
            linker: Linker::new(engine),
            names: Vec::new(),
        };
        functions.interface("wasi:cli/environment", mode, environment::define)?;
        functions.interface("wasi:http/types", mode, define_http_types)?;
        functions.interface("wasi:io/error", mode, streams::define_error)?;
        functions.interface("wasi:io/poll", mode, streams::define_poll)?;
        functions.interface("wasi:io/streams", mode, streams::define_streams)?;
        Ok(functions)
    }

    /// Whether `interface`, without its version, has this function.
    pub(in crate::sandbox) fn contains(&self, interface: &str, function: &str) -> bool {
        let is_same = |(other, name): &(&str, String)| *other == interface && name == function;
        self.names.iter().any(is_same)
    }

    fn interface(&mut self, name: &'static str, mode: CallMode, define: fn(&mut Interface<'_>)) -> Result<()> {
        let mut interface = Interface {
            // The linker accepts every release that is compatible with this one.
            linker: self.linker.instance(&format!("{name}@0.2.12"))?,
            mode,
            name,
            names: &mut self.names,
            defined: Ok(()),
        };
        define(&mut interface);
        interface.defined
    }
}

fn define_http_types(interface: &mut Interface<'_>) {
    fields_resource::define(interface);
    request::define(interface);
    response::define(interface);
}

/// One interface, to be filled with functions.
pub(super) struct Interface<'a> {
    linker: LinkerInstance<'a, StoreData>,
    mode: CallMode,
    name: &'static str,
    names: &'a mut Vec<(&'static str, String)>,
    /// The first failure, which is a fault of the host.
    defined: Result<()>,
}

impl Interface<'_> {
    /// Defines a function by its name in the component model, such as `[method]fields.get`.
    pub(super) fn function<P, R>(
        &mut self,
        name: &str,
        function: impl Fn(StoreContextMut<'_, StoreData>, P) -> Result<R> + Copy + Send + Sync + 'static,
    ) where
        P: ComponentNamedList + Lift + Send + 'static,
        R: ComponentNamedList + Lower + Send + 'static,
    {
        self.names.push((self.name, name.to_owned()));
        let defined = match self.mode {
            CallMode::Sync => self.linker.func_wrap(name, move |store, params| {
                ensure_time_left(&store)?;
                function(store, params)
            }),
            CallMode::Fiber => self.linker.func_wrap_async(name, move |mut store, params| {
                Box::new(async move {
                    yield_if_slice_ended(&mut store).await;
                    function(store, params)
                })
            }),
        };
        self.record(defined);
    }

    /// Defines a resource, whose representation is its key in the table.
    pub(super) fn resource<T: 'static>(&mut self, name: &str) {
        let ty = ResourceType::host::<T>();
        let defined = match self.mode {
            CallMode::Sync => self.linker.resource(name, ty, |mut store, rep| {
                ensure_time_left(&store)?;
                store.data_mut().drop_resource(rep)
            }),
            CallMode::Fiber => self.linker.resource_async(name, ty, |mut store, rep| {
                Box::new(async move {
                    yield_if_slice_ended(&mut store).await;
                    store.data_mut().drop_resource(rep)
                })
            }),
        };
        self.record(defined);
    }

    fn record(&mut self, defined: Result<()>) {
        if self.defined.is_ok() {
            self.defined = defined;
        }
    }
}

fn ensure_time_left(store: &StoreContextMut<'_, StoreData>) -> Result<()> {
    if store.data().slice.is_over() {
        bail!(SliceEnded);
    }
    Ok(())
}

async fn yield_if_slice_ended(store: &mut StoreContextMut<'_, StoreData>) {
    if store.data().slice.is_over() {
        yield_now().await;
        store.data_mut().slice.renew();
    }
}
