//! How long the loops of a lane are: some drivers end them all, silently, after so many iterations.

use std::ops::{Add, Mul};

use super::Tuning;
use crate::kernel::{BLOCK, Reduce};

/// Iterations of a lane, or of lanes that run in step, in all their loops together, at most. No loop is taken to be
/// unrolled.
///
/// The pass that finds a loop at its end is an iteration too. In it llvmpipe runs what is left of the loop's body with
/// no lane active, as it runs a branch that no lane takes; and so it passes each loop in there once.
///
/// Each room states those of its entry points beside the list of their files, as sums of these words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loops {
    iterations: u64,
    /// Those with no lane active.
    idle: u64,
}

impl Loops {
    /// Those of an entry point without loops.
    pub const NONE: Loops = Loops { iterations: 0, idle: 0 };

    /// A loop of so many passes, with these loops in each.
    pub fn each(passes: u64, inner: Loops) -> Self {
        let last = Loops { iterations: inner.idle.saturating_add(1), idle: inner.idle.saturating_add(1) };
        Loops { idle: 0, ..inner.and_itself() * passes } + last
    }

    /// A loop of so many passes, without another in it.
    pub fn plain(passes: u64) -> Self {
        Loops::each(passes, Loops::NONE)
    }

    /// A loop over items that so many lanes share.
    pub fn walk(items: u64, lanes: u64) -> Self {
        Loops::plain(items.div_ceil(lanes))
    }

    /// A walk by blocks of [`BLOCK`] items of a lane: two loops, one in the other, with these loops for each item.
    pub fn blocks(items: u64, lanes: u64, inner: Loops) -> Self {
        let own = items.div_ceil(lanes);
        // The inner loop's passes are those over the items, and the last one of each block.
        Loops::each(own.div_ceil(BLOCK.into()), Loops::each(0, inner)) + Loops { idle: 0, ..inner.and_itself() * own }
    }

    /// A search that halves so many items until one is left.
    pub fn search(items: u64) -> Self {
        Loops::plain(items.checked_ilog2().map_or(0, |halvings| u64::from(halvings) + 1))
    }

    /// A reduction over the lanes of a workgroup: `reduce_…` in `shaders/lib/`.
    pub fn reduce(tuning: Tuning) -> Self {
        match tuning.reduce {
            Reduce::Workgroup => Loops::plain(tuning.workgroup_size.max(1).ilog2().into()),
            Reduce::Subgroup => Loops::plain(subgroups(tuning)),
            Reduce::SingleSubgroup => Loops::NONE,
        }
    }

    /// What the lanes before have: `lanes_before` and `sum_before` in `shaders/lib/`.
    pub fn scan(tuning: Tuning) -> Self {
        match tuning.reduce {
            Reduce::Workgroup => Loops::plain(tuning.workgroup_size.into()),
            Reduce::Subgroup => Loops::plain(subgroups(tuning)),
            Reduce::SingleSubgroup => Loops::NONE,
        }
    }

    /// The longer of two.
    pub fn or(self, other: Loops) -> Self {
        Loops { iterations: self.iterations.max(other.iterations), idle: self.idle.max(other.idle) }
    }

    /// The number.
    pub fn iterations(self) -> u64 {
        self.iterations
    }

    /// These loops in one pass of another.
    fn and_itself(self) -> Self {
        Loops { iterations: self.iterations.saturating_add(1), ..self }
    }
}

impl Add for Loops {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Loops {
            iterations: self.iterations.saturating_add(other.iterations),
            idle: self.idle.saturating_add(other.idle),
        }
    }
}

impl Mul<u64> for Loops {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Loops { iterations: self.iterations.saturating_mul(times), idle: self.idle.saturating_mul(times) }
    }
}

/// The most subgroups of a workgroup: one has four lanes at least.
fn subgroups(tuning: Tuning) -> u64 {
    tuning.workgroup_size.div_ceil(4).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_ends_passes_those_in_it_once() {
        let plain = Loops::plain(5);
        assert_eq!((plain.iterations, plain.idle), (6, 1));
        // Three passes with six iterations each and themselves, and the last one of both.
        let nested = Loops::each(3, plain);
        assert_eq!((nested.iterations, nested.idle), (3 * 7 + 2, 2));
        // Blocks of 64 and 36 items.
        let both = Loops::each(1, Loops::plain(64)) + Loops::each(1, Loops::plain(36));
        assert_eq!(Loops::blocks(200, 2, Loops::NONE).iterations, both.iterations - 2);
        assert_eq!(Loops::blocks(200, 2, Loops::NONE).idle, 2);
        assert_eq!(Loops::each(u64::MAX, plain).iterations, u64::MAX);
    }
}
