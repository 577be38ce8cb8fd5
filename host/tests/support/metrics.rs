//! The metrics as they are told of.

use std::thread;
use std::time::{Duration, Instant};

use super::{PATIENCE, Response, Service};

/// What `/metrics` tells.
pub struct Metrics(pub String);

impl Metrics {
    /// The value of `series`, as it is spelled there.
    pub fn value(&self, series: &str) -> f64 {
        let find = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        let value = self.0.lines().find_map(find);
        value.unwrap_or_else(|| panic!("no {series} in {}", self.0))
    }

    /// The value of a series that counts.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    pub fn count(&self, series: &str) -> u64 {
        let value = self.value(series);
        assert!(value >= 0.0 && value.fract() == 0.0, "{series} is {value}");
        value as u64
    }

    /// The sum of all series of a name that count.
    pub fn sum(&self, name: &str) -> u64 {
        let is_of_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let values = self.0.lines().filter(is_of_it).map(|line| line.rsplit(' ').next());
        values.map(|value| value.unwrap().parse::<u64>().unwrap()).sum()
    }
}

impl Service {
    /// Asks the admin port.
    pub fn ask(&self, path: &str) -> Response {
        self.ask_with(path, "")
    }

    /// Asks the admin port, with further header lines.
    pub fn ask_with(&self, path: &str, headers: &str) -> Response {
        let admin = self.admin.unwrap();
        super::send(admin, format!("GET {path} HTTP/1.1\r\nhost: a\r\n{headers}\r\n"))
    }

    pub fn metrics(&self) -> Metrics {
        Metrics(self.ask("/metrics").text().to_owned())
    }

    /// Reads the metrics until `is_wanted`: what a client sees may be a moment before it is counted.
    pub fn metrics_until(&self, is_wanted: impl Fn(&Metrics) -> bool) -> Metrics {
        let begin = Instant::now();
        loop {
            let metrics = self.metrics();
            if is_wanted(&metrics) {
                return metrics;
            }
            assert!(begin.elapsed() < PATIENCE, "{}", metrics.0);
            thread::sleep(Duration::from_millis(10));
        }
    }
}
