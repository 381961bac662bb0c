//! The host's view of `shaders/lib/workspace.wgsl`: what the passes of a call leave for each other. A test holds the
//! two together.

use bytemuck::{Pod, Zeroable};

use crate::Mining;

/// One workgroup's share of the sums. Only the device reads it; the host makes room.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct Partial {
    pub loss: f32,
    pub items: u32,
    pub invalid: u32,
    pub first_invalid: u32,
    pub correct: u32,
}

/// The workspace before its partials.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct WorkspaceHeader {
    pub divisor: f32,
    pub items_low: u32,
    pub items_high: u32,
    pub invalid_low: u32,
    pub invalid_high: u32,
    pub invalid_partial: u32,
    pub invalid_item: u32,
    pub correct_low: u32,
    pub correct_high: u32,
    pub first_term: f32,
    pub second_term: f32,
    pub triplets_low: u32,
    pub triplets_high: u32,
    pub active_low: u32,
    pub active_high: u32,
    pub positive_distance: f32,
    pub negative_distance: f32,
    pub value_scale: f32,
    pub slope: f32,
}

impl WorkspaceHeader {
    pub const SIZE: u64 = size_of::<Self>() as u64;

    /// Items that counted.
    pub fn items(&self) -> u64 {
        count(self.items_low, self.items_high)
    }

    /// Items with a value out of range.
    pub fn invalid(&self) -> u64 {
        count(self.invalid_low, self.invalid_high)
    }

    /// Items whose target is the predicted class.
    pub fn correct(&self) -> u64 {
        count(self.correct_low, self.correct_high)
    }

    /// What a triplet loss of a whole batch found.
    pub fn mining(&self) -> Mining {
        Mining {
            triplets: count(self.triplets_low, self.triplets_high),
            active: count(self.active_low, self.active_high),
            positive_distance: self.positive_distance,
            negative_distance: self.negative_distance,
        }
    }
}

/// Bytes of a workspace with room for so many partials; the kernels declare one at least.
pub(crate) fn size(partials: u32) -> u64 {
    WorkspaceHeader::SIZE + u64::from(partials.max(1)) * size_of::<Partial>() as u64
}

/// A count from its low and its high word.
fn count(low: u32, high: u32) -> u64 {
    u64::from(low) | (u64::from(high) << 32)
}
