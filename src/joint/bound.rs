//! Joint plans bound to buffers: recording them, and reading how a step went.

use super::JointPlan;
use crate::{
    BoundPlan, Error, HostTensor, Named, Status, Tensor,
    dispatch::Dispatches,
    gpu::readback::{self, Range},
};

/// A joint plan bound to buffers, ready to be recorded any number of times.
#[derive(Clone, Debug)]
pub struct BoundJoint {
    pub(super) plan: JointPlan,
    /// The weighting of losses of 0: the weights of the tasks.
    pub(super) weigh: BoundPlan,
    /// The weights to where tasks read them.
    pub(super) spread: Dispatches,
    pub(super) tasks: Vec<BoundPlan>,
    /// The losses from where tasks leave them.
    pub(super) gather: Dispatches,
    /// The weighting of the tasks' losses.
    pub(super) add_up: BoundPlan,
    pub(super) loss: Tensor,
    pub(super) losses: Tensor,
    pub(super) weights: Tensor,
    /// The weights once more, where losses are what they are: the same, unless they depend on these.
    pub(super) weights_of_losses: Tensor,
}

/// What the last step of a joint plan found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct JointStatus {
    /// The joint loss.
    pub loss: f32,
    /// The loss of each task.
    pub losses: Named<f32>,
    /// What the gradients of each task were multiplied with.
    pub weights: Named<f32>,
    /// What each task found.
    pub tasks: Named<Status>,
}

impl BoundJoint {
    /// The plan.
    pub fn plan(&self) -> &JointPlan {
        &self.plan
    }

    /// The joint loss on the device.
    pub fn loss(&self) -> &Tensor {
        &self.loss
    }

    /// The losses of the tasks on the device, `[K]`.
    pub fn losses(&self) -> &Tensor {
        &self.losses
    }

    /// What the gradients of the tasks are multiplied with, on the device, `[K]`.
    pub fn weights(&self) -> &Tensor {
        &self.weights
    }

    /// Records weights, tasks and the joint loss as one compute pass. Allocates nothing, submits nothing, waits for
    /// nothing.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        let label = Some(self.plan.weighting().spec().name);
        self.record_in(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label, timestamp_writes: None }));
    }

    /// Records the same into the caller's compute pass.
    pub fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) {
        self.weigh.record_in(pass);
        self.spread.record_in(pass);
        self.tasks.iter().for_each(|task| task.record_in(pass));
        self.gather.record_in(pass);
        self.add_up.record_in(pass);
    }

    /// How the last submitted step went.
    ///
    /// # Errors
    /// [`Error::Tasks`] with every task that has values out of range, or what the weighting has of it;
    /// [`Error::Weighting`] for a weighting whose weights depend on the losses; [`Error::DeviceLost`],
    /// [`Error::OutOfMemory`].
    pub async fn read_status(&self) -> Result<JointStatus, Error> {
        self.status(readback::read(&self.plan.0.gpu, &self.ranges()).await?)
    }

    /// [`BoundJoint::read_status`], waiting for it.
    ///
    /// # Errors
    /// As [`BoundJoint::read_status`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_status_blocking(&self) -> Result<JointStatus, Error> {
        self.status(readback::read_blocking(&self.plan.0.gpu, &self.ranges())?)
    }

    /// The tensors of all tasks.
    fn tensors(&self) -> [&Tensor; 4] {
        [&self.loss, &self.losses, &self.weights, &self.weights_of_losses]
    }

    /// What is read back: the tensors of all tasks, the status of the weighting, and that of each task.
    fn ranges(&self) -> Vec<Range<'_>> {
        let tensors = self.tensors().map(Tensor::range).into_iter();
        tensors.chain([self.add_up.status_range()]).chain(self.tasks.iter().map(BoundPlan::status_range)).collect()
    }

    /// The status in the bytes of [`BoundJoint::ranges`].
    fn status(&self, read: Vec<Vec<u8>>) -> Result<JointStatus, Error> {
        let weighting = self.plan.weighting().spec().name;
        let mut read = read.into_iter();
        let mut next = || read.next().unwrap_or_default();
        let mut values = |tensor: &Tensor| tensor.host(next()).and_then(|host: HostTensor<'_>| host.to_vec::<f32>());
        let [loss, losses, weights, weights_of_losses] = self.tensors().map(&mut values);
        let (losses, weights, weights_of_losses) = (losses?, weights?, weights_of_losses?);
        let names: Vec<&str> = self.plan.tasks().map(|(name, _)| name).collect();

        let mut faults = Vec::new();
        match self.add_up.status(&next()) {
            // What is said of an item of the weighting is said of that task.
            Err(error @ Error::Target { first, .. }) => {
                faults.push((names.get(first as usize).copied().unwrap_or(weighting).to_string(), error));
            }
            status => drop(status?),
        }
        let mut tasks = Named::new();
        for (name, task) in names.iter().zip(&self.tasks) {
            match task.status(&next()) {
                Ok(status) => tasks = tasks.with(*name, status),
                Err(error) => faults.push((name.to_string(), error)),
            }
        }
        if !faults.is_empty() {
            return Err(Error::Tasks { loss: weighting, faults });
        }
        // Where a loss is NaN, so is all that the weighting makes of it.
        let depends =
            |((loss, weight), again): ((&f32, &f32), &f32)| loss.is_finite() && !again.is_nan() && weight != again;
        if losses.iter().zip(&weights).zip(&weights_of_losses).any(depends) {
            return Err(Error::Weighting { loss: weighting });
        }
        let named = |values: Vec<f32>| names.iter().map(|name| name.to_string()).zip(values).collect();
        Ok(JointStatus {
            loss: loss?.first().copied().unwrap_or(f32::NAN),
            losses: named(losses),
            weights: named(weights),
            tasks,
        })
    }
}
