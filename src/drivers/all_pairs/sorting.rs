//! Sorting of the lists that a batch's anchors have.

use super::{Builder, Which, loops::BatchLoops};
use crate::{Error, kernel::block};

/// The bits of a sorted distance with its kind.
pub(super) const DISTANCE_BITS: u32 = 32;

/// The bits of a digit, by which a step sorts.
const DIGIT_BITS: u32 = 4;

/// Lists to sort.
#[derive(Clone, Copy)]
pub(super) struct Lists {
    /// How many, and how many keys each has.
    pub lists: u64,
    pub keys: u32,
    /// From one list to the next, and from one plane of all lists to the next.
    pub stride: u32,
    pub list: u32,
}

impl Builder<'_> {
    /// Sorts lists by keys of so many bits; gives the planes where they end.
    pub(super) fn sort(&mut self, lists: Lists, bits: u32) -> Result<u32, Error> {
        let Lists { lists, keys: columns, stride, list } = lists;
        let keys = u64::from(columns);
        let loops = |tuning| BatchLoops::sort(tuning, keys);
        let tuning = self.fitting(loops)?;
        // Back and forth between two pairs of planes.
        let (mut from_list, mut to_list) = (0, 2 * list);
        for shift in (0..bits).step_by(DIGIT_BITS as usize) {
            let words = block! { columns, stride, list, shift, from_list, to_list };
            self.step(Which::Sort, (tuning, loops(tuning)), words, [lists, 1, 1])?;
            (from_list, to_list) = (to_list, from_list);
        }
        Ok(from_list)
    }
}
