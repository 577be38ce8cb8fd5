//! The log of a running server.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use serde_json::Value;

use super::TEST_TIMEOUT;

/// Log lines as they arrive. A thread reads them, so that the server never waits for its test.
pub struct LogLines {
    receiver: Receiver<String>,
    lines: Vec<Value>,
}

impl LogLines {
    pub fn new(log: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in BufReader::new(log).lines() {
                if sender.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        let lines = Vec::new();
        Self { receiver, lines }
    }

    /// The next line, or `None` at the end of the log.
    #[track_caller]
    pub fn next_line(&mut self) -> Option<Value> {
        let line = match self.receiver.recv_timeout(TEST_TIMEOUT) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => panic!("no further log line after {:?}", self.lines),
        };
        self.lines.push(parse(&line));
        self.lines.last().cloned()
    }

    /// The first line with this message, which may have arrived before.
    #[track_caller]
    pub fn wait_for(&mut self, message: &str) -> Value {
        let earlier = self.lines.iter().find(|line| line["message"] == message).cloned();
        earlier.unwrap_or_else(|| {
            loop {
                match self.next_line() {
                    Some(line) if line["message"] == message => return line,
                    Some(_) => {}
                    None => panic!("no `{message}` in {:?}", self.lines),
                }
            }
        })
    }

    /// Whether a line with this message has arrived.
    pub fn contains(&mut self, message: &str) -> bool {
        while let Ok(line) = self.receiver.try_recv() {
            self.lines.push(parse(&line));
        }
        self.lines.iter().any(|line| line["message"] == message)
    }

    /// All lines to the end of the log.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Vec<Value> {
        while self.next_line().is_some() {}
        self.take()
    }

    /// The lines that have arrived, which are not returned again.
    pub fn take(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.lines)
    }
}

#[track_caller]
fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))
}

/// The message of a log line.
#[track_caller]
pub fn message(line: &Value) -> &str {
    line["message"].as_str().unwrap()
}

/// The messages of log lines.
#[track_caller]
pub fn messages(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(message).collect()
}
