//! An interpreter of resource operations, which shows how a host implements them.
//!
//! A script consists of operations separated by `;`. An operation consists of its name, such as `fields.append`, and
//! operands, each after a space. A resource is named by its index among the live ones of its type, modulo their number,
//! so that any number is valid. Text is percent-encoded.
//!
//! The response is the transcript of all results. A script that sets a response itself gets the transcript appended to
//! the body of that response, if it left it open.

use std::fmt::{Debug, Write};
use std::hint::black_box;

use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureTrailers, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
    http_error_code,
};
use crate::bindings::wasi::io::error::Error;
use crate::bindings::wasi::io::poll::{Pollable, poll};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};

/// The state of a script. Resources are dropped in this order, children first.
struct Script {
    pollables: Vec<Pollable>,
    inputs: Vec<InputStream>,
    outputs: Vec<Numbered<OutputStream>>,
    errors: Vec<Error>,
    trailers: Vec<FutureTrailers>,
    incoming: Vec<IncomingBody>,
    bodies: Vec<Numbered<OutgoingBody>>,
    responses: Vec<Numbered<OutgoingResponse>>,
    fields: Vec<Fields>,
    request: Vec<IncomingRequest>,
    out: Option<ResponseOutparam>,
    /// How many responses were made, and which of them was set.
    made: usize,
    set: Option<usize>,
}

/// The number of a response, with the response, its body, or the stream of its body.
type Numbered<T> = (usize, T);

/// Runs the percent-encoded `script`.
pub(crate) fn run(script: &str, request: IncomingRequest, out: ResponseOutparam) {
    let script = String::from_utf8(decode(script)).unwrap();
    let mut state = Script {
        pollables: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        errors: Vec::new(),
        trailers: Vec::new(),
        incoming: Vec::new(),
        bodies: Vec::new(),
        responses: Vec::new(),
        fields: Vec::new(),
        request: vec![request],
        out: Some(out),
        made: 0,
        set: None,
    };
    let mut transcript = String::new();
    for operation in script
        .split(';')
        .map(str::trim_start)
        .filter(|operation| !operation.is_empty())
    {
        if operation == "leak" {
            std::mem::forget(state);
            return;
        }
        let result = state.step(operation).unwrap_or_else(|| "no such resource".to_owned());
        writeln!(transcript, "{operation}: {result}").unwrap();
    }
    state.end(&transcript);
}

impl Script {
    /// The result of an operation, or `None` if there is no resource of the type that it needs.
    #[expect(clippy::too_many_lines, reason = "one arm for each operation")]
    fn step(&mut self, operation: &str) -> Option<String> {
        let mut words = operation.split(' ');
        let name = words.next()?;
        let words = Operands(words.collect());
        Some(match name {
            "fields.new" => push(&mut self.fields, Ok::<_, ()>(Fields::new())),
            "fields.from-list" => push(&mut self.fields, Fields::from_list(&words.pairs())),
            "fields.get" => {
                let values = words.get(0, &self.fields)?.get(&words.text(1));
                let values: Vec<_> = values.iter().map(|value| value.escape_ascii().to_string()).collect();
                format!("{values:?}")
            }
            "fields.has" => show(words.get(0, &self.fields)?.has(&words.text(1))),
            "fields.set" => {
                let values: Vec<_> = words.0[2..].iter().map(|value| decode(value)).collect();
                show(words.get(0, &self.fields)?.set(&words.text(1), &values))
            }
            "fields.delete" => show(words.get(0, &self.fields)?.delete(&words.text(1))),
            "fields.append" => show(words.get(0, &self.fields)?.append(&words.text(1), &words.bytes(2))),
            "fields.entries" => {
                let entries = words.get(0, &self.fields)?.entries();
                let entry = |(name, value): &(String, Vec<u8>)| format!("{name}={}", value.escape_ascii());
                show(entries.iter().map(entry).collect::<Vec<_>>())
            }
            "fields.clone" => {
                let clone = words.get(0, &self.fields)?.clone();
                push(&mut self.fields, Ok::<_, ()>(clone))
            }
            "fields.drop" => dropped(words.take(0, &mut self.fields)?),
            "request.method" => show(self.request.first()?.method()),
            "request.path" => show(self.request.first()?.path_with_query().map(|path| path.len())),
            "request.scheme" => show(self.request.first()?.scheme()),
            "request.authority" => show(self.request.first()?.authority()),
            "request.headers" => push(&mut self.fields, Ok::<_, ()>(self.request.first()?.headers())),
            "request.consume" => push(&mut self.incoming, self.request.first()?.consume()),
            "request.drop" => dropped(words.take(0, &mut self.request)?),
            "incoming.stream" => push(&mut self.inputs, words.get(0, &self.incoming)?.stream()),
            "incoming.finish" => {
                let body = words.take(0, &mut self.incoming)?;
                push(&mut self.trailers, Ok::<_, ()>(IncomingBody::finish(body)))
            }
            "incoming.drop" => dropped(words.take(0, &mut self.incoming)?),
            "trailers.subscribe" => push(
                &mut self.pollables,
                Ok::<_, ()>(words.get(0, &self.trailers)?.subscribe()),
            ),
            "trailers.get" => show(words.get(0, &self.trailers)?.get()),
            "trailers.wait" => {
                let trailers = words.get(0, &self.trailers)?;
                trailers.subscribe().block();
                show(trailers.get())
            }
            "trailers.drop" => dropped(words.take(0, &mut self.trailers)?),
            "response.new" => {
                let response = OutgoingResponse::new(words.take(0, &mut self.fields)?);
                self.made += 1;
                push(&mut self.responses, Ok::<_, ()>((self.made, response)))
            }
            "response.status" => show(words.get(0, &self.responses)?.1.status_code()),
            "response.set-status" => {
                let status = u16::try_from(words.number(1)).unwrap();
                show(words.get(0, &self.responses)?.1.set_status_code(status))
            }
            "response.headers" => push(
                &mut self.fields,
                Ok::<_, ()>(words.get(0, &self.responses)?.1.headers()),
            ),
            "response.body" => {
                let (number, response) = words.get(0, &self.responses)?;
                push(&mut self.bodies, response.body().map(|body| (*number, body)))
            }
            "response.set" => {
                self.out.as_ref()?;
                let (number, response) = words.take(0, &mut self.responses)?;
                self.set = Some(number);
                ResponseOutparam::set(self.out.take()?, Ok(response));
                "set".to_owned()
            }
            "response.drop" => dropped(words.take(0, &mut self.responses)?),
            "out.error" => {
                let reason = ErrorCode::InternalError(Some("reason".to_owned()));
                ResponseOutparam::set(self.out.take()?, Err(reason));
                "set".to_owned()
            }
            "out.drop" => dropped(self.out.take()?),
            "body.write" => {
                let (number, body) = words.get(0, &self.bodies)?;
                push(&mut self.outputs, body.write().map(|stream| (*number, stream)))
            }
            "body.finish" => show(OutgoingBody::finish(words.take(0, &mut self.bodies)?.1, None)),
            "body.finish-with-trailers" => {
                let trailers = words.take(1, &mut self.fields)?;
                show(OutgoingBody::finish(words.take(0, &mut self.bodies)?.1, Some(trailers)))
            }
            "body.drop" => dropped(words.take(0, &mut self.bodies)?),
            "input.read" => self.outcome(
                words
                    .get(0, &self.inputs)?
                    .read(words.number(1))
                    .map(|bytes| summary(&bytes)),
            ),
            "input.blocking-read" => {
                let bytes = words.get(0, &self.inputs)?.blocking_read(words.number(1));
                self.outcome(bytes.map(|bytes| summary(&bytes)))
            }
            "input.skip" => self.outcome(words.get(0, &self.inputs)?.skip(words.number(1))),
            "input.blocking-skip" => self.outcome(words.get(0, &self.inputs)?.blocking_skip(words.number(1))),
            "input.subscribe" => push(
                &mut self.pollables,
                Ok::<_, ()>(words.get(0, &self.inputs)?.subscribe()),
            ),
            "input.drop" => dropped(words.take(0, &mut self.inputs)?),
            "output.drop" => dropped(words.take(0, &mut self.outputs)?),
            "output.subscribe" => push(
                &mut self.pollables,
                Ok::<_, ()>(words.get(0, &self.outputs)?.1.subscribe()),
            ),
            _ if name.starts_with("output.") => {
                let result = self.output(name, &words)?;
                self.outcome(result)
            }
            "error.text" => words.get(0, &self.errors)?.to_debug_string(),
            "error.code" => show(http_error_code(words.get(0, &self.errors)?)),
            "error.drop" => dropped(words.take(0, &mut self.errors)?),
            "poll.ready" => show(words.get(0, &self.pollables)?.ready()),
            "poll.block" => {
                words.get(0, &self.pollables)?.block();
                "ready".to_owned()
            }
            "poll.drop" => dropped(words.take(0, &mut self.pollables)?),
            "poll.poll" | "poll.order" => {
                let pollables = (0..words.0.len()).map(|position| words.get(position, &self.pollables));
                let mut ready = poll(&pollables.collect::<Option<Vec<_>>>()?);
                if name == "poll.poll" {
                    ready.sort_unstable();
                }
                show(ready)
            }
            "spin" => show((0..words.number(0)).map(black_box).max()),
            _ => panic!("unknown operation"),
        })
    }

    fn output(&self, name: &str, words: &Operands<'_>) -> Option<Result<u64, StreamError>> {
        let output = &words.get(0, &self.outputs)?.1;
        let contents = || vec![b'x'; usize::try_from(words.number(1)).unwrap()];
        let done = |()| 0;
        Some(match name {
            "output.check" => output.check_write(),
            "output.write" => output.write(&contents()).map(done),
            "output.blocking-write" => output.blocking_write_and_flush(&contents()).map(done),
            "output.zeroes" => output.write_zeroes(words.number(1)).map(done),
            "output.blocking-zeroes" => output.blocking_write_zeroes_and_flush(words.number(1)).map(done),
            "output.flush" => output.flush().map(done),
            "output.blocking-flush" => output.blocking_flush().map(done),
            "output.splice" => output.splice(words.get(1, &self.inputs)?, words.number(2)),
            "output.blocking-splice" => output.blocking_splice(words.get(1, &self.inputs)?, words.number(2)),
            _ => panic!("unknown operation"),
        })
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

    /// Writes the transcript: as a response, or to the body of the response that was set, unless that is finished.
    fn end(mut self, transcript: &str) {
        self.pollables.clear();
        if let Some(out) = self.out.take() {
            self.outputs.clear();
            self.bodies.clear();
            crate::respond(out, &[], transcript);
        } else if let Some(body) = take(&mut self.bodies, self.set) {
            let stream = take(&mut self.outputs, self.set).or_else(|| body.write().ok());
            if let Some(stream) = stream {
                // Fails if the body becomes longer than its length.
                let mut chunks = transcript.as_bytes().chunks(4096);
                let _ = chunks.try_for_each(|chunk| stream.blocking_write_and_flush(chunk));
            }
            let _ = OutgoingBody::finish(body, None);
        }
    }
}

/// Takes the resource of the response with this number.
fn take<T>(resources: &mut Vec<Numbered<T>>, response: Option<usize>) -> Option<T> {
    let position = resources.iter().position(|(number, _)| Some(*number) == response)?;
    Some(resources.remove(position).1)
}

fn push<T, E: Debug>(resources: &mut Vec<T>, made: Result<T, E>) -> String {
    let result = show(made.as_ref().map(|_| ()));
    resources.extend(made);
    result
}

fn dropped<T>(resource: T) -> String {
    drop(resource);
    "dropped".to_owned()
}

fn show(value: impl Debug) -> String {
    format!("{value:?}")
}

/// Short contents in full, long ones by their length.
fn summary(bytes: &[u8]) -> String {
    if bytes.len() <= 64 {
        return bytes.escape_ascii().to_string();
    }
    format!("{} bytes", bytes.len())
}

/// The words after the name of an operation.
struct Operands<'a>(Vec<&'a str>);

impl Operands<'_> {
    fn number(&self, position: usize) -> u64 {
        self.0.get(position).map_or(0, |word| word.parse().unwrap())
    }

    fn bytes(&self, position: usize) -> Vec<u8> {
        decode(self.0[position])
    }

    fn text(&self, position: usize) -> String {
        String::from_utf8(self.bytes(position)).unwrap()
    }

    /// Pairs of a name and a value, separated by `=`.
    fn pairs(&self) -> Vec<(String, Vec<u8>)> {
        let pair = |word: &&str| {
            let (name, value) = word.split_once('=').unwrap();
            (String::from_utf8(decode(name)).unwrap(), decode(value))
        };
        self.0.iter().map(pair).collect()
    }

    /// The resource that an operand names.
    fn get<'a, T>(&self, position: usize, resources: &'a [T]) -> Option<&'a T> {
        resources.get(self.index(position, resources.len())?)
    }

    fn take<T>(&self, position: usize, resources: &mut Vec<T>) -> Option<T> {
        let index = self.index(position, resources.len())?;
        Some(resources.remove(index))
    }

    fn index(&self, position: usize, count: usize) -> Option<usize> {
        usize::try_from(self.number(position)).unwrap().checked_rem(count)
    }
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
