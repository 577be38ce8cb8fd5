//! Operations on `input-stream`, `output-stream`, `error` and `pollable`.

use std::fmt::Debug;

use crate::bindings::wasi::http::types::http_error_code;
use crate::bindings::wasi::io::poll::poll;
use crate::bindings::wasi::io::streams::StreamError;

use super::{Answer, Operands, Script};

impl Script {
    pub(super) fn input(&mut self, name: &str, operands: &Operands<'_>) -> Answer {
        if name == "drop" {
            operands.remove(0, &mut self.inputs)?;
            return Some("dropped".to_owned());
        }
        let input = operands.get(0, &self.inputs)?;
        let text = |bytes: Vec<u8>| summary(&bytes);
        Some(match name {
            "read" => self.outcome(input.read(operands.number(1)).map(text)),
            "blocking-read" => self.outcome(input.blocking_read(operands.number(1)).map(text)),
            "skip" => self.outcome(input.skip(operands.number(1))),
            "blocking-skip" => self.outcome(input.blocking_skip(operands.number(1))),
            "subscribe" => {
                self.pollables.push(input.subscribe());
                "made".to_owned()
            }
            _ => panic!("unknown operation"),
        })
    }

    pub(super) fn output(&mut self, name: &str, operands: &Operands<'_>) -> Answer {
        if name == "drop" {
            operands.remove(0, &mut self.outputs)?;
            return Some("dropped".to_owned());
        }
        let output = &operands.get(0, &self.outputs)?.resource;
        let contents = || vec![b'x'; usize::try_from(operands.number(1)).unwrap()];
        Some(match name {
            "check" => self.outcome(output.check_write()),
            "write" => self.outcome(output.write(&contents())),
            "blocking-write" => self.outcome(output.blocking_write_and_flush(&contents())),
            "zeroes" => self.outcome(output.write_zeroes(operands.number(1))),
            "blocking-zeroes" => self.outcome(output.blocking_write_zeroes_and_flush(operands.number(1))),
            "flush" => self.outcome(output.flush()),
            "blocking-flush" => self.outcome(output.blocking_flush()),
            "splice" => {
                let input = operands.get(1, &self.inputs)?;
                self.outcome(output.splice(input, operands.number(2)))
            }
            "blocking-splice" => {
                let input = operands.get(1, &self.inputs)?;
                self.outcome(output.blocking_splice(input, operands.number(2)))
            }
            "subscribe" => {
                self.pollables.push(output.subscribe());
                "made".to_owned()
            }
            _ => panic!("unknown operation"),
        })
    }

    /// The result of a stream operation. Keeps the error resource.
    fn outcome<T: Debug>(&mut self, result: Result<T, StreamError>) -> String {
        match result {
            Ok(value) => format!("{value:?}"),
            Err(StreamError::Closed) => "closed".to_owned(),
            Err(StreamError::LastOperationFailed(error)) => {
                self.errors.push(error);
                "failed".to_owned()
            }
        }
    }

    pub(super) fn error(&mut self, name: &str, operands: &Operands<'_>) -> Answer {
        if name == "drop" {
            operands.remove(0, &mut self.errors)?;
            return Some("dropped".to_owned());
        }
        let error = operands.get(0, &self.errors)?;
        Some(match name {
            "text" => error.to_debug_string(),
            "code" => format!("{:?}", http_error_code(error)),
            _ => panic!("unknown operation"),
        })
    }

    pub(super) fn poll(&mut self, name: &str, operands: &Operands<'_>) -> Answer {
        Some(match name {
            "ready" => operands.get(0, &self.pollables)?.ready().to_string(),
            "block" => {
                operands.get(0, &self.pollables)?.block();
                "ready".to_owned()
            }
            "drop" => {
                operands.remove(0, &mut self.pollables)?;
                "dropped".to_owned()
            }
            "poll" | "order" => {
                let pollables = (0..operands.rest(0).len()).map(|position| operands.get(position, &self.pollables));
                let mut ready = poll(&pollables.collect::<Option<Vec<_>>>()?);
                if name == "poll" {
                    ready.sort_unstable();
                }
                format!("{ready:?}")
            }
            _ => panic!("unknown operation"),
        })
    }
}

/// Short contents in full, long ones by their length and their ends.
fn summary(bytes: &[u8]) -> String {
    if bytes.len() <= 64 {
        return bytes.escape_ascii().to_string();
    }
    let (start, end) = (&bytes[..8], &bytes[bytes.len() - 8..]);
    format!(
        "{} bytes, {}..{}",
        bytes.len(),
        start.escape_ascii(),
        end.escape_ascii()
    )
}
