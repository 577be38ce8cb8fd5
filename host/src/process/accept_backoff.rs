//! What follows a failed accept.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use tokio::time::sleep;

/// A lack of file descriptors or memory does not pass at once.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Waits, unless the error concerns only the connection that was to be accepted (accept(2)).
pub(crate) async fn accept_backoff(error: &Error) {
    if !is_about_connection(error) {
        sleep(ACCEPT_BACKOFF).await;
    }
}

fn is_about_connection(error: &Error) -> bool {
    let is_network = matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::TimedOut
    );
    is_network
        || matches!(
            error.raw_os_error(),
            Some(libc::EPROTO | libc::ENOPROTOOPT | libc::EPERM)
        )
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_lack_of_resources_delays_the_next_accept() {
        for (errno, is_delayed) in [
            (libc::EMFILE, true),
            (libc::ENFILE, true),
            (libc::ENOBUFS, true),
            (libc::ENOMEM, true),
            (libc::ECONNABORTED, false),
            (libc::EPROTO, false),
            (libc::EHOSTUNREACH, false),
            (libc::EPERM, false),
        ] {
            let start = Instant::now();
            accept_backoff(&Error::from_raw_os_error(errno)).await;
            assert_eq!(start.elapsed() == ACCEPT_BACKOFF, is_delayed, "{errno}");
        }
    }
}
