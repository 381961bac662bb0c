//! Bound plans: recording them, and reading how a run went.

use bytemuck::Zeroable;

use super::{BufferSlice, Plan};
use crate::{
    Error, Mining, Named,
    dispatch::Dispatches,
    extra::Extra,
    gpu::readback::{self, Range},
    options::check_divisor,
    out_of_range,
    program::workspace::WorkspaceHeader,
    spec::DIVISOR,
};

/// A plan bound to buffers, ready to be recorded any number of times.
#[derive(Clone, Debug)]
pub struct BoundPlan {
    plan: Plan,
    dispatches: Dispatches,
}

/// What a run found besides the loss.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// Items that counted.
    pub items: u64,
    extras: Vec<Extra>,
}

impl Status {
    /// How many of the items that counted have their target as the predicted class, the first of the largest logits;
    /// `None` for losses without class indices as targets.
    pub fn correct(&self) -> Option<u64> {
        Extra::correct(&self.extras)
    }

    /// The terms of a loss that is a sum of two, by name and without their weights; empty for others.
    pub fn terms(&self) -> Named<f32> {
        Extra::terms(&self.extras)
    }

    /// What a triplet loss of a whole batch found; `None` for other losses.
    pub fn mining(&self) -> Option<Mining> {
        Extra::mining(&self.extras)
    }

    /// What a [`WeightedMean`](crate::Reduction::WeightedMean) was divided by, where a `weight` is given: the sum of
    /// the weights that count. Where that is 0 or below there is no such mean, and loss and gradients are 0; `None` for
    /// other reductions.
    pub fn weight_sum(&self) -> Option<f32> {
        Extra::weight_sum(&self.extras)
    }

    /// Everything that the loss's driver tells besides.
    pub fn extras(&self) -> &[Extra] {
        &self.extras
    }
}

impl BoundPlan {
    pub(super) fn new(plan: Plan, dispatches: Dispatches) -> Self {
        BoundPlan { plan, dispatches }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Records loss and gradients as one compute pass. Allocates nothing, submits nothing, waits for nothing.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        self.dispatches.record(encoder);
    }

    /// Records loss and gradients into the caller's compute pass.
    pub fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) {
        self.dispatches.record_in(pass);
    }

    /// Each dispatch of loss and gradients, in their order.
    #[cfg(feature = "bench")]
    pub(crate) fn steps(&self) -> &[crate::dispatch::Dispatch] {
        self.dispatches.steps()
    }

    /// How the last submitted run went.
    ///
    /// # Errors
    /// [`Error::Target`] if targets were out of range, [`Error::Divisor`] for an input `divisor` that is none,
    /// [`Error::DeviceLost`].
    pub async fn read_status(&self) -> Result<Status, Error> {
        let read = readback::read(self.plan.gpu(), &[self.status_range()]).await?;
        self.status(&read.concat())
    }

    /// [`BoundPlan::read_status`], waiting for it.
    ///
    /// # Errors
    /// As [`BoundPlan::read_status`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_status_blocking(&self) -> Result<Status, Error> {
        let read = readback::read_blocking(self.plan.gpu(), &[self.status_range()])?;
        self.status(&read.concat())
    }

    /// Where a run leaves its status: [`Plan::STATUS_SIZE`] bytes that may be copied, in the encoder behind the run, to
    /// a buffer that keeps them while the plan runs again. [`Plan::status`] reads them.
    pub fn status_slice(&self) -> BufferSlice<'_> {
        let Range { buffer, offset, .. } = self.status_range();
        BufferSlice { buffer, offset }
    }

    /// Where a run leaves how many items have their target as the predicted class: an unsigned number of 32 bits, with
    /// its upper half in the next 32. `None` for losses without class indices as targets.
    pub fn correct_slice(&self) -> Option<BufferSlice<'_>> {
        self.plan.counts_correct().then(|| {
            let BufferSlice { buffer, offset } = self.status_slice();
            BufferSlice { buffer, offset: offset + std::mem::offset_of!(WorkspaceHeader, correct_low) as u64 }
        })
    }

    pub(crate) fn status_range(&self) -> Range<'_> {
        self.dispatches.workspace(WorkspaceHeader::SIZE)
    }

    /// The status in the bytes of [`BoundPlan::status_range`].
    pub(crate) fn status(&self, bytes: &[u8]) -> Result<Status, Error> {
        self.plan.status(bytes)
    }
}

impl Plan {
    /// Bytes of a run's status: see [`BoundPlan::status_slice`].
    pub const STATUS_SIZE: u64 = WorkspaceHeader::SIZE;

    /// How a run went, of the bytes of [`BoundPlan::status_slice`] behind it.
    ///
    /// # Errors
    /// [`Error::Target`] if targets were out of range, [`Error::Divisor`] for an input `divisor` that is none,
    /// [`Error::Length`] for another number of bytes.
    pub fn status(&self, bytes: &[u8]) -> Result<Status, Error> {
        let Ok(found) = bytemuck::try_pod_read_unaligned::<WorkspaceHeader>(bytes) else {
            let expected = WorkspaceHeader::SIZE as usize;
            return Err(Error::Length { shape: vec![expected], expected, found: bytes.len() });
        };
        let (items, count) = (found.items(), found.invalid());
        if self.input(DIVISOR.name).is_some() {
            check_divisor(self.spec(), found.divisor)?;
        }
        if count == 0 {
            return Ok(Status { items, extras: self.extras(&found) });
        }
        let first = self.0.compiled.program.report.first_invalid(&found);
        Err(out_of_range::error(self.values(), self.signature(), count, first))
    }

    /// Whether runs count right predictions.
    pub fn counts_correct(&self) -> bool {
        Extra::correct(&self.extras(&WorkspaceHeader::zeroed())).is_some()
    }
}
