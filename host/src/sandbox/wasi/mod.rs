//! The host functions: the interfaces that the world `status` imports, for a guest that handles one whole request.
//!
//! The request is complete before the guest starts, and the response is sent after the guest has ended. So no function
//! waits: every pollable is ready, and every read and write is done at once. Each function first looks whether the time
//! slice of the guest is over, and all memory that the host holds for the guest is counted.
//!
//! | module | contents |
//! |---|---|
//! | `bindings` | the types of `wit/` |
//! | `state` | the host state of one instance |
//! | `memory` | the budget of host memory |
//! | `resources` | the resources that the guest has handles to |
//! | `fields` | headers and their rules |
//! | `fields_resource` | `wasi:http/types`: `fields` |
//! | `response_body` | the body of a response |
//! | `request` | `wasi:http/types`: `incoming-request`, `incoming-body`, `future-trailers` |
//! | `response` | `wasi:http/types`: `response-outparam`, `outgoing-response`, `outgoing-body`, `http-error-code` |
//! | `streams` | `wasi:io/error`, `wasi:io/poll` and `wasi:io/streams` |
//! | `environment` | `wasi:cli/environment` |
//! | `host_functions` | defines all of them in a linker |

mod bindings;
mod environment;
mod fields;
mod fields_resource;
mod host_functions;
mod memory;
mod request;
mod resources;
mod response;
mod response_body;
mod state;
mod streams;

pub(super) use bindings::StatusPre;
pub(super) use bindings::http::ErrorCode;
pub(super) use host_functions::{CallMode, HostFunctions};
pub(super) use response::Outcome;
pub(super) use state::{SliceEnded, StoreData};
