//! The sandbox: one engine, and a store and an instance for each request.
//!
//! | module | contents |
//! |---|---|
//! | `engine_config` | the settings that shape compiled code, shared with the build script |
//! | `imports` | the allowed imports, shared with the build script |
//! | `guest_env` | the environment variables of the component |
//! | `limits` | the limits of one instance |
//! | `wasi` | the host functions |
//! | `engine` | the engine and its instance pool |
//! | `epoch` | the epoch thread and the time slices of guests |
//! | `component_file` | reads a file, and determines what it contains |
//! | `component` | loads and links the embedded component or a file |
//! | `load_error` | why it is refused |
//! | `invoke_error` | how an invocation fails |
//! | `invoke` | one request through one instance |

mod component;
mod component_file;
mod engine;
mod engine_config;
mod epoch;
mod guest_env;
mod imports;
mod invoke;
mod invoke_error;
mod limits;
mod load_error;
mod wasi;

pub use component::{LoadedComponent, compile, load};
pub use component_file::MachineCode;
pub use engine::{engine, engine_for_embedded};
pub use engine_config::MEMORY_RESERVATION;
pub use guest_env::{GuestEnv, GuestEnvError};
pub use imports::{ALLOWED_IMPORTS, is_allowed};
pub use invoke::{Invocation, Sandbox, Timings};
pub use invoke_error::InvokeError;
pub use limits::{LimitExceeded, Limits};
pub use load_error::LoadError;
