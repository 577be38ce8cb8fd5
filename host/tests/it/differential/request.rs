//! The request of a row.

use std::fmt::Write;

use bytes::Bytes;
use http::{Request, Uri};

/// A request as the server passes it to the sandbox: it has a `Host`, and its body is whole.
#[derive(Clone, Debug)]
pub struct TestRequest {
    method: &'static str,
    target: Uri,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static [u8],
}

impl TestRequest {
    pub fn new(method: &'static str, target: &str) -> Self {
        Self {
            method,
            target: target.parse().unwrap(),
            headers: vec![("host", "example.org:8080")],
            body: b"",
        }
    }

    /// A request that makes the probe run `script`.
    pub fn script(script: &str) -> Self {
        let mut target = "/script/".to_owned();
        for byte in script.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                target.push(byte.into());
            } else {
                write!(target, "%{byte:02x}").unwrap();
            }
        }
        Self::new("POST", &target)
    }

    pub fn in_absolute_form(self, authority: &str) -> Self {
        let target = format!("http://{authority}{}", self.target).parse().unwrap();
        Self { target, ..self }
    }

    pub fn with_method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub fn with_headers(mut self, headers: &[(&'static str, &'static str)]) -> Self {
        self.headers.extend(headers);
        self
    }

    pub fn without_headers(self) -> Self {
        let headers = Vec::new();
        Self { headers, ..self }
    }

    pub fn with_body(self, body: &'static [u8]) -> Self {
        Self { body, ..self }
    }

    pub fn build(&self) -> Request<Bytes> {
        let mut request = Request::builder().method(self.method).uri(self.target.clone());
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        request.body(Bytes::from_static(self.body)).unwrap()
    }
}
