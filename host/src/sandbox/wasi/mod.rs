//! The host functions: the interfaces that the world `status` imports, for a guest that handles one whole request.
//!
//! The request is complete before the guest starts, and the response is sent after the guest has ended. So no function
//! waits: every pollable is ready, and every read and write is done at once. Each function checks the deadline first.
//!
//! | module | contents |
//! |---|---|
//! | `bindings` | the types of `wit/` |
//! | `types` | lists of fields and bodies, with their rules |
//! | `store` | the host state of one instance, and how functions reach it |
//! | `fields` | `wasi:http/types`: `fields` |
//! | `request` | `wasi:http/types`: `incoming-request`, `incoming-body`, `future-trailers` |
//! | `response` | `wasi:http/types`: `response-outparam`, `outgoing-response`, `outgoing-body`, `http-error-code` |
//! | `streams` | `wasi:io/error`, `wasi:io/poll` and `wasi:io/streams` |
//! | `environment` | `wasi:cli/environment` |

mod bindings;
mod environment;
mod fields;
mod request;
mod response;
mod store;
mod streams;
mod types;

use wasmtime::Result;
use wasmtime::component::{Component, Linker};

pub(super) use bindings::StatusPre;
pub(super) use store::StoreData;

use store::Interface;

/// Defines the functions of an interface.
type Define = fn(&mut Interface<'_>) -> Result<()>;

/// Resolves the imports of a component, once for all instances.
pub(super) fn link(component: &Component) -> Result<StatusPre<StoreData>> {
    let interfaces: [(&str, Define); 5] = [
        ("wasi:cli/environment", environment::define),
        ("wasi:http/types", define_http_types),
        ("wasi:io/error", streams::define_error),
        ("wasi:io/poll", streams::define_poll),
        ("wasi:io/streams", streams::define_streams),
    ];
    let mut linker = Linker::new(component.engine());
    for (name, define) in interfaces {
        // The linker accepts every release that is compatible with this one.
        define(&mut Interface(linker.instance(&format!("{name}@0.2.12"))?))?;
    }
    StatusPre::new(linker.instantiate_pre(component)?)
}

fn define_http_types(interface: &mut Interface<'_>) -> Result<()> {
    fields::define(interface)?;
    request::define(interface)?;
    response::define(interface)
}
