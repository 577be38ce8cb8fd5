//! Metrics as the admin port exposes them.

use std::net::SocketAddr;

use super::{TestServer, eventually, send};

/// An exposition.
pub struct Metrics(pub String);

impl Metrics {
    /// The metrics of the admin port at `admin`.
    #[track_caller]
    pub fn scrape(admin: SocketAddr) -> Self {
        let response = send(admin, "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
        Self(response.text().to_owned())
    }

    /// The value of `series`, spelled as in the exposition.
    #[track_caller]
    pub fn value(&self, series: &str) -> f64 {
        let find = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        let value = self.0.lines().find_map(find);
        value.unwrap_or_else(|| panic!("no {series} in {}", self.0))
    }

    /// The value of a counter, or of a gauge that counts.
    #[track_caller]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    pub fn count(&self, series: &str) -> u64 {
        let value = self.value(series);
        assert!(value >= 0.0 && value.fract() == 0.0, "{series} is {value}");
        value as u64
    }

    /// The sum of all series of a counter.
    #[track_caller]
    pub fn sum(&self, name: &str) -> u64 {
        let is_series = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let values = self.0.lines().filter(is_series).map(|line| line.rsplit(' ').next());
        values.map(|value| value.unwrap().parse::<u64>().unwrap()).sum()
    }
}

impl TestServer {
    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        Metrics::scrape(self.admin.unwrap())
    }

    /// Reads the metrics until `series` has the value `expected`: the server may count an event after the client has
    /// seen it.
    #[track_caller]
    pub fn wait_for_metric(&self, series: &str, expected: u64) -> Metrics {
        eventually(&format!("{series} is {expected}"), || {
            Some(self.metrics()).filter(|metrics| metrics.count(series) == expected)
        })
    }
}
