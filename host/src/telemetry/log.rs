//! Events on standard error, one a line.
//!
//! A thread of its own writes them. `tracing-appender` does the same, and prints to standard output when its thread does
//! not end in time, which panics where nobody reads that.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::line::Json;
use crate::config::{LogFormat, Logging};

/// Events that wait to be written. Those that come while so many wait are lost.
const WAITING: usize = 4096;

/// How long the end waits for events to be written.
const LAST_WRITES: Duration = Duration::from_secs(1);

enum Message {
    /// An event, as it is written.
    Event(Vec<u8>),
    /// All events before this are written: tell so.
    End(SyncSender<()>),
}

/// Where events go: into the queue of the thread that writes them.
#[derive(Clone)]
struct Queue {
    sender: SyncSender<Message>,
    lost: Counter,
}

/// Writes what still waits when it is dropped, within a second.
pub struct Log(Queue);

/// Sends the events of this process to standard error from now on. Events that cannot be written are lost, and counted
/// as such in `lost`, and nothing else: a collector of logs that goes away, or takes its time, must not take the service
/// with it.
///
/// # Errors
///
/// Where the thread cannot be started.
pub fn start(logging: &Logging, lost: Counter) -> io::Result<Log> {
    let (sender, receiver) = sync_channel(WAITING);
    let unwritten = lost.clone();
    let write = move || write(receiver, &unwritten);
    thread::Builder::new().name("log".to_owned()).spawn(write)?;
    let queue = Queue { sender, lost };
    let writer = queue.clone();
    let events = fmt::layer()
        .with_writer(move || writer.clone())
        .with_target(false)
        .with_ansi(false)
        .log_internal_errors(false);
    let is_text = match logging.log_format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let levels = tracing_subscriber::registry().with(logging.log_level.clone());
    // Fails where events are sent somewhere already, which is then the wish of whoever embeds this.
    let _ = if is_text {
        levels.with(events).try_init()
    } else {
        let project = logging
            .google_cloud_project
            .as_ref()
            .filter(|project| !project.is_empty());
        let traces = project.map(|project| format!("projects/{project}/traces/"));
        let json = Json {
            traces: traces.unwrap_or_default(),
        };
        levels.with(events.event_format(json)).try_init()
    };
    Ok(Log(queue))
}

fn write(messages: Receiver<Message>, lost: &Counter) {
    for message in messages {
        match message {
            Message::Event(event) => {
                if io::stderr().write_all(&event).is_err() {
                    lost.inc();
                }
            }
            Message::End(written) => drop(written.send(())),
        }
    }
}

impl Write for Queue {
    /// Takes whole events, which is how they come.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // Fails where the queue is full.
        if self.sender.try_send(Message::Event(event.to_vec())).is_err() {
            self.lost.inc();
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let (written, all) = sync_channel(1);
        let Queue { sender, .. } = &self.0;
        // A queue that is full has a reader that is not worth waiting for.
        if sender.try_send(Message::End(written)).is_ok() {
            let _ = all.recv_timeout(LAST_WRITES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_for_which_there_is_no_room_is_lost() {
        let (sender, receiver) = sync_channel(1);
        let lost = Counter::default();
        let mut queue = Queue {
            sender,
            lost: lost.clone(),
        };
        for event in [b"first", b"other"] {
            assert_eq!(queue.write(event).ok(), Some(5));
        }
        assert!(queue.flush().is_ok());
        drop(queue);
        let events: Vec<_> = receiver.into_iter().collect();
        assert!(matches!(&events[..], [Message::Event(event)] if event == b"first"));
        assert_eq!(lost.get(), 1);
    }
}
