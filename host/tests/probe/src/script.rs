//! An interpreter of resource operations, which shows how a host implements them.
//!
//! A script consists of operations separated by `;`. An operation consists of its name, such as `fields.append`, and
//! operands, each after a space. A resource is named by its index among the live ones of its type; an index that does
//! not exist traps. Text is percent-encoded.
//!
//! The response is the transcript of all results. A script that sets a response itself gets the transcript appended to
//! the last body, if it left that open.

use std::fmt::{Debug, Write};

use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureTrailers, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
    http_error_code,
};
use crate::bindings::wasi::io::error::Error;
use crate::bindings::wasi::io::poll::{Pollable, poll};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};

/// The state of a script. Resources are dropped in this order, children first.
#[derive(Default)]
struct Script {
    pollables: Vec<Pollable>,
    inputs: Vec<InputStream>,
    outputs: Vec<OutputStream>,
    errors: Vec<Error>,
    trailers: Vec<FutureTrailers>,
    incoming: Vec<IncomingBody>,
    bodies: Vec<OutgoingBody>,
    responses: Vec<OutgoingResponse>,
    fields: Vec<Fields>,
    request: Option<IncomingRequest>,
    out: Option<ResponseOutparam>,
}

/// Runs the percent-encoded `script`.
pub(crate) fn run(script: &str, request: IncomingRequest, out: ResponseOutparam) {
    let script = text(script);
    let mut state = Script {
        request: Some(request),
        out: Some(out),
        ..Script::default()
    };
    let mut transcript = String::new();
    let operations = script.split(';').map(str::trim_start);
    for operation in operations.filter(|operation| !operation.is_empty()) {
        if operation == "leak" {
            std::mem::forget(state);
            return;
        }
        writeln!(transcript, "{operation}: {}", state.step(operation)).unwrap();
    }
    state.end(&transcript);
}

impl Script {
    /// The result of an operation.
    #[expect(
        clippy::too_many_lines,
        clippy::unit_arg,
        reason = "one arm for each operation, with its result"
    )]
    fn step(&mut self, operation: &str) -> String {
        let mut words = operation.split(' ');
        let name = words.next().unwrap();
        let words: Vec<_> = words.collect();
        let number = |position: usize| words.get(position).map_or(0, |word: &&str| word.parse().unwrap());
        // The first operand of most operations, and 0 for those without one.
        let index = words.first().and_then(|word| word.parse().ok()).unwrap_or(0);
        let contents = || vec![b'x'; usize::try_from(number(1)).unwrap()];
        match name {
            "fields.new" => add(&mut self.fields, Fields::new()),
            "fields.from-list" => {
                let pairs = words.iter().map(|word| word.split_once('=').unwrap());
                let pairs: Vec<_> = pairs.map(|(name, value)| (text(name), decode(value))).collect();
                try_add(&mut self.fields, Fields::from_list(&pairs))
            }
            "fields.get" => {
                let values = self.fields[index].get(&text(words[1]));
                show(values.iter().map(|value| escape(value)).collect::<Vec<_>>())
            }
            "fields.has" => show(self.fields[index].has(&text(words[1]))),
            "fields.set" => {
                let values: Vec<_> = words[2..].iter().map(|value| decode(value)).collect();
                show(self.fields[index].set(&text(words[1]), &values))
            }
            "fields.delete" => show(self.fields[index].delete(&text(words[1]))),
            "fields.append" => show(self.fields[index].append(&text(words[1]), &decode(words[2]))),
            "fields.entries" => {
                let entries = self.fields[index].entries().into_iter();
                show(
                    entries
                        .map(|(name, value)| format!("{name}={}", escape(&value)))
                        .collect::<Vec<_>>(),
                )
            }
            "fields.clone" => {
                let clone = self.fields[index].clone();
                add(&mut self.fields, clone)
            }
            "request.method" => show(self.request().method()),
            "request.path" => show(self.request().path_with_query().map(|path| path.len())),
            "request.scheme" => show(self.request().scheme()),
            "request.authority" => show(self.request().authority()),
            "request.headers" => {
                let headers = self.request().headers();
                add(&mut self.fields, headers)
            }
            "request.consume" => {
                let body = self.request().consume();
                try_add(&mut self.incoming, body)
            }
            "request.drop" => show(self.request.take().is_some()),
            "incoming.stream" => try_add(&mut self.inputs, self.incoming[index].stream()),
            "incoming.finish" => add(&mut self.trailers, IncomingBody::finish(self.incoming.remove(index))),
            "trailers.subscribe" => add(&mut self.pollables, self.trailers[index].subscribe()),
            "trailers.get" => show(self.trailers[index].get()),
            "trailers.drop" => remove(&mut self.trailers, index),
            "response.new" => add(&mut self.responses, OutgoingResponse::new(self.fields.remove(index))),
            "response.status" => show(self.responses[index].status_code()),
            "response.set-status" => {
                let status = u16::try_from(number(1)).unwrap();
                show(self.responses[index].set_status_code(status))
            }
            "response.headers" => add(&mut self.fields, self.responses[index].headers()),
            "response.body" => try_add(&mut self.bodies, self.responses[index].body()),
            "response.set" => {
                let response = self.responses.remove(index);
                show(ResponseOutparam::set(self.out.take().unwrap(), Ok(response)))
            }
            "response.drop" => remove(&mut self.responses, index),
            "out.error" => {
                let reason = ErrorCode::InternalError(Some("reason".to_owned()));
                show(ResponseOutparam::set(self.out.take().unwrap(), Err(reason)))
            }
            "body.write" => try_add(&mut self.outputs, self.bodies[index].write()),
            "body.finish" => show(OutgoingBody::finish(self.bodies.remove(index), None)),
            "body.finish-with-trailers" => {
                let trailers = self.fields.remove(index);
                show(OutgoingBody::finish(self.bodies.remove(index), Some(trailers)))
            }
            "body.drop" => remove(&mut self.bodies, index),
            "input.read" => self.contents(self.inputs[index].read(number(1))),
            "input.blocking-read" => self.contents(self.inputs[index].blocking_read(number(1))),
            "input.skip" => self.outcome(self.inputs[index].skip(number(1))),
            "input.subscribe" => add(&mut self.pollables, self.inputs[index].subscribe()),
            "input.drop" => remove(&mut self.inputs, index),
            "output.check" => self.outcome(self.outputs[index].check_write()),
            "output.write" => self.outcome(self.outputs[index].write(&contents())),
            "output.blocking-write" => self.outcome(self.outputs[index].blocking_write_and_flush(&contents())),
            "output.zeroes" => self.outcome(self.outputs[index].write_zeroes(number(1))),
            "output.blocking-zeroes" => self.outcome(self.outputs[index].blocking_write_zeroes_and_flush(number(1))),
            "output.flush" => self.outcome(self.outputs[index].flush()),
            "output.blocking-flush" => self.outcome(self.outputs[index].blocking_flush()),
            // From the first input.
            "output.splice" => self.outcome(self.outputs[index].splice(&self.inputs[0], number(1))),
            "output.blocking-splice" => self.outcome(self.outputs[index].blocking_splice(&self.inputs[0], number(1))),
            "output.subscribe" => add(&mut self.pollables, self.outputs[index].subscribe()),
            "output.drop" => remove(&mut self.outputs, index),
            "error.text" => self.errors[index].to_debug_string(),
            "error.code" => show(http_error_code(&self.errors[index])),
            "poll.ready" => show(self.pollables[index].ready()),
            "poll.block" => show(self.pollables[index].block()),
            "poll.drop" => remove(&mut self.pollables, index),
            "poll.poll" => {
                let pollables = words.iter().map(|word| &self.pollables[word.parse::<usize>().unwrap()]);
                let mut ready = poll(&pollables.collect::<Vec<_>>());
                // WASI leaves the order open.
                ready.sort_unstable();
                show(ready)
            }
            _ => panic!("unknown operation"),
        }
    }

    fn request(&self) -> &IncomingRequest {
        self.request.as_ref().unwrap()
    }

    /// The result of a stream operation. Keeps the error resource.
    fn outcome<T: Debug>(&mut self, result: Result<T, StreamError>) -> String {
        match result {
            Ok(value) => show(value),
            Err(StreamError::Closed) => "closed".to_owned(),
            Err(StreamError::LastOperationFailed(error)) => {
                self.errors.push(error);
                "failed".to_owned()
            }
        }
    }

    /// The result of a read: short contents in full, long ones by their length.
    fn contents(&mut self, result: Result<Vec<u8>, StreamError>) -> String {
        self.outcome(result.map(|bytes| match bytes.len() {
            0..=64 => escape(&bytes),
            length => format!("{length} bytes"),
        }))
    }

    /// Writes the transcript: as a response, or to the body of the response that was set, unless that is finished.
    fn end(mut self, transcript: &str) {
        self.pollables.clear();
        if let Some(out) = self.out.take() {
            self.outputs.clear();
            self.bodies.clear();
            crate::respond(out, transcript.as_bytes());
        } else if let Some(body) = self.bodies.pop() {
            if let Some(stream) = self.outputs.pop().or_else(|| body.write().ok()) {
                // Fails if the body becomes longer than its length.
                let mut chunks = transcript.as_bytes().chunks(4096);
                let _ = chunks.try_for_each(|chunk| stream.blocking_write_and_flush(chunk));
            }
            let _ = OutgoingBody::finish(body, None);
        }
    }
}

fn add<T>(resources: &mut Vec<T>, resource: T) -> String {
    resources.push(resource);
    "added".to_owned()
}

fn try_add<T, E: Debug>(resources: &mut Vec<T>, made: Result<T, E>) -> String {
    match made {
        Ok(resource) => add(resources, resource),
        Err(error) => show(error),
    }
}

fn remove<T>(resources: &mut Vec<T>, index: usize) -> String {
    resources.remove(index);
    "dropped".to_owned()
}

fn show(value: impl Debug) -> String {
    format!("{value:?}")
}

fn escape(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn text(encoded: &str) -> String {
    String::from_utf8(decode(encoded)).unwrap()
}

/// Decodes percent-encoded text.
fn decode(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        decoded.push(u8::from_str_radix(digits, 16).unwrap());
        decoded.extend_from_slice(rest.as_bytes());
    }
    decoded
}
