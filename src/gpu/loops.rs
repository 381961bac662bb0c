//! How long the loops of a lane are: some drivers end them all, silently, after so many iterations.

use std::{
    iter::Sum,
    ops::{Add, Mul},
};

use super::Tuning;
use crate::kernel::{BLOCK, Reduce};

/// Iterations of a lane, or of lanes that run in step, in all their loops together, at most. The pass that finds a loop
/// at its end is one of them, and no loop is taken to be unrolled.
///
/// Each room states those of its entry points beside the list of their files, as sums of these words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Loops(u64);

impl Loops {
    /// Those of an entry point without loops.
    pub const NONE: Loops = Loops(0);

    /// A loop of so many passes, with these loops in each.
    pub fn each(passes: u64, inner: Loops) -> Self {
        inner.and_itself() * passes + Loops(1)
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
        Loops::each(own.div_ceil(BLOCK.into()), Loops::plain(0)) + inner.and_itself() * own
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

    /// The number.
    pub fn iterations(self) -> u64 {
        self.0
    }

    /// These loops in one pass of another.
    fn and_itself(self) -> Self {
        self + Loops(1)
    }
}

impl Add for Loops {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Loops(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for Loops {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Loops(self.0.saturating_mul(times))
    }
}

impl Sum for Loops {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Loops::NONE, Add::add)
    }
}

/// The most subgroups of a workgroup: one has four lanes at least.
fn subgroups(tuning: Tuning) -> u64 {
    tuning.workgroup_size.div_ceil(4).into()
}
