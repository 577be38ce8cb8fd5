//! Which requests the access log tells of: an even share of them.

use std::sync::atomic::{AtomicU64, Ordering};

/// How fine a share can be.
const PARTS: u64 = 1_000_000;

/// A share of what happens.
#[derive(Debug)]
pub struct Sample {
    /// In millionths.
    share: u64,
    seen: AtomicU64,
}

impl Sample {
    /// A share of so many millionths: none of it, up to all of it.
    #[must_use]
    pub fn new(millionths: u32) -> Self {
        Self {
            share: u64::from(millionths).min(PARTS),
            seen: AtomicU64::default(),
        }
    }

    /// Whether the next one is in the sample.
    pub fn takes_next(&self) -> bool {
        match self.share {
            0 => false,
            PARTS => true,
            share => {
                let seen = self.seen.fetch_add(1, Ordering::Relaxed) % PARTS;
                (seen + 1) * share / PARTS > seen * share / PARTS
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_its_share() {
        for (millionths, of_a_thousand) in [(0, 0), (1_000, 1), (10_000, 10), (333_000, 333), (1_000_000, 1_000)] {
            let sample = Sample::new(millionths);
            assert_eq!((0..1_000).filter(|_| sample.takes_next()).count(), of_a_thousand);
        }
    }
}
