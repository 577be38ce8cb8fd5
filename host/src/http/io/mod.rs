//! The stream of a connection: [`ValidatingReader`] over [`TimeoutWriter`] over the socket. hyper sees validated heads
//! only, and no wait is unbounded. Both sides and the handler share a [`CloseState`].
//!
//! The reader:
//!
//! ```text
//!            first byte                    valid head
//!   Idle ─────────────────▶ Head ─────────────────────────▶ InFlight ──┐
//!    ▲ │                     │ ▲                                       │ hyper reads again:
//!    │ │ shutdown            │ │ first byte                            │ response sent
//!    │ └──▶ FinalHead ───────┼─┘                                       │
//!    └───────────────────────┼─────────────────────────────────────────┘
//!                            │ valid head with a body ──▶ Body: the rest of the stream is its body
//!                            │ rejected, or late      ──▶ Closed, after the error response
//!   Idle, FinalHead: late ──▶ Closed
//! ```
//!
//! A new connection starts in `Head`: its first head has to be complete within the header timeout.
//!
//! | state | waits for | for at most |
//! |---|---|---|
//! | `Head` | the rest of a head | `--client-timeout`, then 408, or close if nothing has arrived |
//! | `Idle` | the next head | `--idle-timeout`, then close |
//! | `FinalHead` | a head that may be under way | 500 ms, then close |
//! | `InFlight`, `Body` | the handler | its own limits |

mod close;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use close::Admission;
pub(super) use close::CloseState;
pub(super) use reader::{ReadTimeouts, ValidatingReader};
pub(super) use writer::TimeoutWriter;
