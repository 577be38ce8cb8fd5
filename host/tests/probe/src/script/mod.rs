//! An interpreter of resource operations, which shows how a host implements them.
//!
//! A script consists of operations separated by `;`. An operation consists of its name, such as `fields.append`, and
//! operands, each after a space. A resource is named by its index among the live ones of its type, modulo their number,
//! so that any number is valid. Text is percent-encoded.
//!
//! The response is the transcript of all results. A script that sets a response itself gets the transcript appended to
//! the body of that response, if it left it open.

mod fields;
mod incoming;
mod operands;
mod outgoing;
mod streams;

use crate::bindings::wasi::cli::environment::{get_arguments, get_environment, initial_cwd};
use crate::bindings::wasi::http::types::{
    Fields, FutureTrailers, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use crate::bindings::wasi::io::error::Error;
use crate::bindings::wasi::io::poll::Pollable;
use crate::bindings::wasi::io::streams::{InputStream, OutputStream};

use self::operands::{Operands, decode};

/// The result of an operation, or `None` if there is no resource of the type that it needs.
type Answer = Option<String>;

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

/// A response, its body or the stream of its body, with the number of the response.
struct Numbered<T> {
    response: usize,
    resource: T,
}

/// Runs the percent-encoded `script`.
pub(crate) fn run(script: &str, request: IncomingRequest, out: ResponseOutparam) {
    let script = String::from_utf8(decode(script)).unwrap();
    let mut state = Script::new(request, out);
    let mut transcript = Vec::new();
    for operation in script
        .split(';')
        .map(str::trim_start)
        .filter(|operation| !operation.is_empty())
    {
        if operation == "leak" {
            std::mem::forget(state);
            return;
        }
        let answer = state.step(operation).unwrap_or_else(|| "no such resource".to_owned());
        if !operation.starts_with("spin ") {
            transcript.push(format!("{operation}: {answer}\n"));
        }
    }
    state.end(&transcript.concat());
}

impl Script {
    fn new(request: IncomingRequest, out: ResponseOutparam) -> Self {
        Self {
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
        }
    }

    fn step(&mut self, operation: &str) -> Answer {
        let mut words = operation.split(' ');
        let name = words.next()?;
        let operands = Operands::new(words.collect());
        let (kind, name) = name.split_once('.').unwrap_or((name, ""));
        match kind {
            "fields" => self.fields(name, &operands),
            "request" => self.request(name),
            "incoming" => self.incoming(name, &operands),
            "trailers" => self.trailers(name, &operands),
            "response" => self.response(name, &operands),
            "out" => self.outparam(name),
            "body" => self.body(name, &operands),
            "input" => self.input(name, &operands),
            "output" => self.output(name, &operands),
            "error" => self.error(name, &operands),
            "poll" => self.poll(name, &operands),
            "environment" => Some(format!("{:?}", (get_environment(), get_arguments(), initial_cwd()))),
            "spin" => {
                let spun = (0..operands.number(0)).map(std::hint::black_box).sum::<u64>();
                Some(spun.to_string())
            }
            _ => panic!("unknown operation"),
        }
    }

    /// Writes the transcript.
    fn end(mut self, transcript: &str) {
        self.pollables.clear();
        let Some(out) = self.out.take() else {
            self.append_to_body(transcript);
            return;
        };
        self.outputs.clear();
        self.bodies.clear();
        crate::respond(out, &[], transcript);
    }

    /// Writes the transcript to the body of the response that was set, unless that is finished.
    fn append_to_body(&mut self, transcript: &str) {
        let Some(body) = take(&mut self.bodies, self.set) else {
            return;
        };
        let stream = take(&mut self.outputs, self.set).or_else(|| body.write().ok());
        if let Some(stream) = stream {
            // Fails if the body becomes longer than its length.
            let mut chunks = transcript.as_bytes().chunks(4096);
            let _ = chunks.try_for_each(|chunk| stream.blocking_write_and_flush(chunk));
        }
        let _ = OutgoingBody::finish(body, None);
    }
}

/// Takes the resource of the response with this number.
fn take<T>(resources: &mut Vec<Numbered<T>>, response: Option<usize>) -> Option<T> {
    let position = resources.iter().position(|other| Some(other.response) == response)?;
    Some(resources.remove(position).resource)
}
