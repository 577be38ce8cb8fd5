//! The log of a running server.

use std::io::{BufRead, BufReader, Read};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use serde_json::Value;

use super::TEST_TIMEOUT;

/// Log lines as they arrive. A thread reads them, so that the server never waits for its test.
pub struct LogLines(Mutex<Receiver<String>>);

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
        Self(Mutex::new(receiver))
    }

    /// The lines up to the one with this message, or all lines to the end of the log.
    #[track_caller]
    pub fn read_to(&mut self, message: Option<&str>) -> Vec<Value> {
        let mut lines: Vec<Value> = Vec::new();
        loop {
            match self.0.get_mut().unwrap().recv_timeout(TEST_TIMEOUT) {
                Ok(line) => lines.push(serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"))),
                Err(RecvTimeoutError::Disconnected) if message.is_none() => return lines,
                Err(error) => panic!("{error}: no {message:?} in {lines:?}"),
            }
            if message.is_some_and(|message| lines.last().is_some_and(|line| line["message"] == message)) {
                return lines;
            }
        }
    }
}

/// The messages of log lines.
#[track_caller]
pub fn messages(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["message"].as_str().unwrap()).collect()
}
