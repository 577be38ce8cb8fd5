//! What a client, the log and the metrics see of one request.

use std::fmt;

use bytes::Bytes;
use http::Response;
use status_host::sandbox::InvokeError;

/// The outcome of one request.
#[derive(PartialEq, Eq)]
pub enum Outcome {
    Response(String, Bytes),
    Failure(String),
}

impl Outcome {
    pub fn new(result: Result<Response<Bytes>, InvokeError>) -> Self {
        match result {
            Ok(response) => {
                let (head, body) = response.into_parts();
                let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
                    format!("\n{name}: {}", value.as_bytes().escape_ascii())
                };
                let headers: String = head.headers.iter().map(header).collect();
                Self::Response(format!("{}{headers}", head.status.as_u16()), body)
            }
            Err(error) => {
                let kind = error.kind().expect("the component is at fault");
                // A failure of the guest itself has another wording on the other side.
                let reason = match kind {
                    "trap" | "limit" | "memory" | "host_memory" => String::new(),
                    _ => format!(": {error}"),
                };
                Self::Failure(format!("{kind}{reason}"))
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response(head, body) => {
                let text = String::from_utf8_lossy(&body[..body.len().min(8192)]);
                write!(formatter, "{head}\n\n{text}")
            }
            Self::Failure(failure) => write!(formatter, "failure {failure}"),
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
