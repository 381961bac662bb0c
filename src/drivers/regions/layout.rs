//! How the pixels of a call go to workgroups and lanes.

use super::{super::Call, scores::Scores};
use crate::{
    Error, Tuning,
    gpu::Loops,
    kernel::BLOCK,
    program::chunk::{Split, floor_power_of_two},
};

/// How a lane takes its pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Classes.
    classes: u64,
    /// Classes that it holds in registers at a time.
    pub strip: u32,
    /// Whether there are more.
    pub strips: bool,
    /// Whether a lane takes two pixels side by side, whose halves make whole words: of one strip.
    pub pairs: bool,
}

/// So many classes make one strip: with their sums, some hundred registers.
const MOST_CLASSES: u64 = 20;
/// Of more classes a strip has so many.
const STRIP: u32 = 8;
/// Each part has a record for each class; small enough a number of parts keeps them few.
const MOST_RECORDS: u64 = 1 << 16;
/// Lanes of a SIMD register of a CPU at most, whose caches hold what is kept of many pixels.
const FEW_LANES: u32 = 16;
/// What `store_region` reduces.
const REGION_REDUCTIONS: u64 = 3;

impl Layout {
    /// The layout of a call, and the tuning with which a lane may run its loops.
    ///
    /// # Errors
    /// [`Error::Limit`] for a pixel of more classes than these loops may be long for.
    pub fn of(call: &Call<'_>) -> Result<(Self, Tuning), Error> {
        let signature = call.signature;
        let strips = signature.row > MOST_CLASSES;
        let strip = if strips { STRIP } else { signature.row as u32 };
        let pairs = !strips && signature.class_stride.is_multiple_of(2);
        let layout = Layout { classes: signature.row, strip, strips, pairs };
        let what = format!("{}: a pixel of {} classes", call.loss(), signature.row);
        let tuning = call.machine.fitting(&what, call.machine.tuning, |tuning| layout.loops(tuning, 1))?;
        Ok((layout, tuning))
    }

    /// Whether lanes are so many, as on GPUs, that each has few registers.
    pub fn has_few_registers(tuning: Tuning) -> bool {
        tuning.workgroup_size > FEW_LANES
    }

    /// Of how many pixels of several strips a lane keeps the softmaxes, and of how many what gradients share. Where
    /// lanes are many as few as registers hold: of larger arrays compilers make memory of the device, 32 to 64 KiB a
    /// subgroup (`benches/compilers`), and the caches are too small for all of them.
    pub fn kept(tuning: Tuning) -> (u32, u32) {
        if Layout::has_few_registers(tuning) { (8, 1) } else { (BLOCK, 16) }
    }

    /// The loops over so many classes of a strip that are one behind another: each is a file's `for` to `STRIP`.
    fn classes(self, loops: u64) -> Loops {
        Loops::plain(self.strip.into()) * loops
    }

    /// A loop over the strips, with these loops in each.
    fn each_strip(self, inner: Loops) -> Loops {
        Loops::each(self.classes.div_ceil(self.strip.into()), inner)
    }

    /// `softmax_of`: loading a strip, and the two loops of `join_softmax`.
    fn softmax(self) -> Loops {
        self.each_strip(self.classes(3))
    }

    /// The parts of all pixels of a lane, of at most so many each: how many parts, and how many pixels of one.
    fn runs(pixels: u64, most: u64) -> (u64, u64) {
        (pixels.div_ceil(most), pixels.min(most))
    }

    /// `sum_regions` over a part of so many pixels.
    pub fn sum_loops(self, tuning: Tuning, pixels: u64) -> Loops {
        let own = pixels.div_ceil(tuning.workgroup_size.into());
        let store = Loops::reduce(tuning) * REGION_REDUCTIONS;
        // Of a pixel: its values, what it is (2), what is out of range, its regions, its term; and without strips its
        // softmax (2).
        let pixel = self.classes(if self.strips { 6 } else { 8 });
        // Behind each block of pixels its sums are added to all, and once for nothing; the weights are loaded before.
        let sums = |own: u64| Loops::blocks(own, 1, pixel) + self.classes(1) * (own.div_ceil(BLOCK.into()) + 2);
        let stores = Loops::each(self.strip.into(), store) + store;
        let ends = Loops::reduce(tuning) * 2;
        if !self.strips {
            return Loops::each(1, self.each_strip(sums(own) + stores)) + ends;
        }
        let (blocks, own) = Layout::runs(own, Layout::kept(tuning).0.into());
        let softmaxes = Loops::each(own, self.softmax());
        Loops::each(blocks, softmaxes + self.each_strip(sums(own) + stores)) + ends
    }

    /// `evaluate_gradients` over a part of so many pixels.
    pub fn gradient_loops(self, tuning: Tuning, pixels: u64) -> Loops {
        // A lane may take two at once.
        let own = 2 * pixels.div_ceil(2 * u64::from(tuning.workgroup_size));
        // The weights and the slopes of a strip.
        let loads = self.classes(2);
        if !self.strips {
            // Of a pixel: its values, its softmax (2), what it is (4), what it adds and its gradients; then storing
            // these. Two pixels at once may be a loop of their own.
            let pixel = self.classes(9);
            let in_turn = Loops::each(own / 2, Loops::each(2, pixel) + self.classes(1));
            return loads + Loops::each(own, pixel + self.classes(1)).or(in_turn);
        }
        let (blocks, own) = Layout::runs(own, Layout::kept(tuning).1.into());
        // The softmaxes; then of each strip what its pixels add, and their gradients, with values and what they are.
        let adds = self.each_strip(loads + Loops::each(own, self.classes(7)));
        let gradients = self.each_strip(loads + Loops::each(own, self.classes(8)));
        Loops::each(blocks, Loops::each(own, self.softmax()) + adds + gradients)
    }

    /// Either step over a part of so many pixels.
    fn loops(self, tuning: Tuning, pixels: u64) -> Loops {
        self.sum_loops(tuning, pixels).or(self.gradient_loops(tuning, pixels))
    }

    /// Parts of the pixels: of a sample, or of all samples together.
    pub fn split(self, call: &Call<'_>, tuning: Tuning, scores: Scores) -> Result<Split, Error> {
        let signature = call.signature;
        let lanes = u64::from(tuning.workgroup_size);
        let workgroups = u64::from(tuning.workgroups).min((MOST_RECORDS / signature.row).max(1));
        let most = call.machine.most(call.loss(), 1 << 30, |pixels| self.loops(tuning, pixels))?;
        let even = floor_power_of_two(signature.items.div_ceil(workgroups));
        // A lane's sums are joined once a part, which its pixels should outweigh.
        let longest = if Layout::has_few_registers(tuning) { most.min(u64::from(BLOCK) * lanes) } else { most };
        let span = even.max(8 * lanes).min(floor_power_of_two(longest));
        if !scores.per_sample {
            return Ok(Split::of_spans(span as u32));
        }
        // Of no sample there are none.
        let pixels = if signature.items == 0 { 1 } else { signature.class_stride };
        let what = format!("{}: a sample of {pixels} pixels", call.loss());
        call.machine.expect(&what, "32-bit index", pixels, u32::MAX.into())?;
        let parts = pixels.div_ceil(span) as u32;
        let span = pixels.div_ceil(parts.into()).next_multiple_of(2) as u32;
        Ok(Split { tallies: parts, parts, part_columns: span, ..Split::of_spans(pixels as u32) })
    }
}
