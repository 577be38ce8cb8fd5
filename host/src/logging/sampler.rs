//! Sampling of the access log.

use std::sync::atomic::{AtomicU64, Ordering};

const MILLION: u64 = 1_000_000;

/// Selects a fixed fraction of events, spread evenly.
#[derive(Debug)]
pub struct Sampler {
    /// In millionths.
    fraction: u64,
    seen: AtomicU64,
}

impl Sampler {
    /// Selects `millionths` of a million events; values above one million select every event.
    #[must_use]
    pub fn new(millionths: u32) -> Self {
        Self {
            fraction: u64::from(millionths).min(MILLION),
            seen: AtomicU64::default(),
        }
    }

    /// Counts one event and returns whether it is selected.
    pub(crate) fn should_sample(&self) -> bool {
        match self.fraction {
            0 => false,
            MILLION => true,
            fraction => {
                let seen = self.seen.fetch_add(1, Ordering::Relaxed) % MILLION;
                (seen + 1) * fraction / MILLION > seen * fraction / MILLION
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampler_selects_configured_fraction() {
        for (millionths, of_a_thousand) in [(0, 0), (1_000, 1), (10_000, 10), (333_000, 333), (1_000_000, 1_000)] {
            let sampler = Sampler::new(millionths);
            assert_eq!((0..1_000).filter(|_| sampler.should_sample()).count(), of_a_thousand);
        }
    }
}
