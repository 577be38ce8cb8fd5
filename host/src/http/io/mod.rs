//! The stream of a connection: [`ValidatingReader`] over [`TimeoutWriter`] over the socket. hyper sees complete,
//! validated requests only, so that it holds no memory for one that is incomplete, and no wait is unbounded. Both sides
//! and the handler share a [`CloseState`].
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
//!                            │ valid head with a body ──▶ Body ──▶ Closed, after the response
//!                            │ rejected, or late      ──▶ Closed, after the error response
//!   Idle, FinalHead: late ──▶ Closed
//! ```
//!
//! A new connection starts in `Head`: its first head has to be complete within the header timeout.
//!
//! | state | waits for | for at most |
//! |---|---|---|
//! | `Head` | the rest of a head | `--client-timeout`, then 408, or close if nothing has arrived |
//! | `Body` | the rest of a body | `--client-timeout`, then 408 |
//! | `Idle` | the next head | `--idle-timeout`, at most 5 s under pressure, then close |
//! | `FinalHead` | a head that may be under way | 500 ms, then close |
//! | `InFlight` | the handler | its own limits |

mod body;
mod close;
mod idle;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub(super) use body::INCOMPLETE;
pub use close::Admission;
pub(super) use close::{CloseState, RejectedPart};
pub(super) use reader::{ReadLimits, ValidatingReader};
pub(super) use writer::TimeoutWriter;
