//! Joint plans bound to buffers.

use super::{
    BoundJoint, Inner, JointPlan, LOSS, LOSSES,
    copy::{self, SIDE_BY_SIDE, Values},
    sharing, without,
};
use crate::{
    BoundPlan, BufferSlice, DType, Error, Gpu, Named, Plan, Tensor, TensorType, drivers::gradient_name, spec::UPSTREAM,
};

/// The memory of a joint plan's own.
struct Memory {
    /// Losses of 0.
    no_losses: Tensor,
    losses: Tensor,
    weights: Tensor,
    weights_of_losses: Tensor,
    loss: Tensor,
    /// The weight of each task where it can be bound by itself, so many bytes apart, and likewise each one's loss.
    upstreams: Tensor,
    loss_of_each: Tensor,
    stride: u64,
    /// Outputs of the weighting that nobody wants.
    unwanted: Named<Tensor>,
}

impl Memory {
    fn new(gpu: &Gpu, weighting: &Plan, tasks: usize) -> Result<Self, Error> {
        let stride = u64::from(gpu.limits().min_storage_buffer_offset_alignment).max(SIDE_BY_SIDE);
        let zeros = |values: usize| Tensor::zeros(gpu, TensorType::new(DType::F32, [values]));
        let apart = || zeros(tasks * (stride / SIDE_BY_SIDE) as usize);
        let outputs = weighting.outputs();
        let unwanted = outputs.iter().map(|(name, ty)| Ok((name.to_string(), Tensor::zeros(gpu, ty.clone())?)));
        Ok(Memory {
            no_losses: zeros(tasks)?,
            losses: zeros(tasks)?,
            weights: zeros(tasks)?,
            weights_of_losses: zeros(tasks)?,
            loss: zeros(1)?,
            upstreams: apart()?,
            loss_of_each: apart()?,
            stride,
            unwanted: unwanted.collect::<Result<_, Error>>()?,
        })
    }

    /// The place of a task among values that are apart.
    fn slot<'a>(&self, all: &'a Tensor, task: u64) -> BufferSlice<'a> {
        BufferSlice { buffer: all.buffer(), offset: task * self.stride }
    }

    fn apart<'a>(&self, all: &'a Tensor) -> Values<'a> {
        Values { buffer: all.buffer(), stride: self.stride }
    }

    /// The weighting bound to losses, to its own inputs and to places for the results that are wanted.
    fn bind(
        &self,
        weighting: &Plan,
        losses: &Tensor,
        given: &Named<BufferSlice<'_>>,
        results: &Named<BufferSlice<'_>>,
    ) -> Result<BoundPlan, Error> {
        let (inputs, outputs) = (weighting.inputs(), weighting.outputs());
        let input = |name: &str| if name == LOSSES { Some(losses.slice()) } else { given.get(name).copied() };
        let output = |name: &str| results.get(name).copied().or(self.unwanted.get(name).map(Tensor::slice));
        let inputs = inputs.iter().filter_map(|(name, _)| Some((name.to_string(), input(name)?)));
        let outputs = outputs.iter().filter_map(|(name, _)| Some((name.to_string(), output(name)?)));
        weighting.bind(&inputs.chain(outputs).collect())
    }
}

impl JointPlan {
    /// Binds the plan to buffers: of each task by its name what [`JointPlan::tensors_of`] lists, and of the weighting
    /// its inputs besides `losses`, and their gradients `grad.<input>` where they are wanted.
    ///
    /// Buffers are as [`Plan::bind`] takes them. What a task or the weighting writes, no other may read, and a task
    /// that is recorded later may only add to, in the same type.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] and [`Error::UnexpectedTensor`], for names of tasks too; [`Error::BufferOverlap`],
    /// [`Error::Tasks`] with the errors of [`Plan::bind`] for each task, and those errors for the weighting.
    pub fn bind(
        &self,
        tasks: &Named<Named<BufferSlice<'_>>>,
        weighting: &Named<BufferSlice<'_>>,
    ) -> Result<BoundJoint, Error> {
        let Inner { gpu, weighting: plan, tasks: plans } = &*self.0;
        let loss = plan.spec().name;
        let weights = gradient_name(LOSSES);
        let names: Vec<String> = plans.iter().map(|(name, _)| name.clone()).collect();
        tasks.expect_only(loss, &names)?;
        let known: Vec<String> = without(plan, &[LOSSES, &weights, LOSS]).into_iter().map(|(name, _)| name).collect();
        weighting.expect_only(loss, &known)?;
        let given = plans.iter().map(|(name, plan)| match tasks.get(name) {
            Some(buffers) => Ok((name.as_str(), plan, buffers)),
            None => Err(Error::MissingTensor { loss, tensor: name.clone() }),
        });
        let given = given.collect::<Result<Vec<_>, Error>>()?;
        sharing::check(loss, given.iter().copied().chain([(loss, plan, weighting)]))?;

        let memory = Memory::new(gpu, plan, plans.len())?;
        let results = Named::new().with(&*weights, memory.weights.slice());
        let weigh = memory.bind(plan, &memory.no_losses, weighting, &results)?;
        let wanted = weighting.iter().map(|(name, slice)| (name.to_string(), *slice));
        let own = [(weights, memory.weights_of_losses.slice()), (LOSS.to_string(), memory.loss.slice())];
        let add_up = memory.bind(plan, &memory.losses, weighting, &wanted.chain(own).collect())?;

        let (mut bound, mut faults) = (Vec::with_capacity(plans.len()), Vec::new());
        for (number, (name, plan, buffers)) in (0..).zip(given) {
            match self.bind_task(name, plan, buffers, &memory, number) {
                Ok(task) => bound.push(task),
                Err(error) => faults.push((name.to_string(), error)),
            }
        }
        if !faults.is_empty() {
            return Err(Error::Tasks { loss, faults });
        }
        let side_by_side = |values| Values { buffer: Tensor::buffer(values), stride: SIDE_BY_SIDE };
        let count = plans.len() as u32;
        let copy = |from, to| copy::bound(gpu, loss, count, from, to);
        let spread = copy(side_by_side(&memory.weights), memory.apart(&memory.upstreams))?;
        let gather = copy(memory.apart(&memory.loss_of_each), side_by_side(&memory.losses))?;
        let Memory { loss, losses, weights, weights_of_losses, .. } = memory;
        let plan = self.clone();
        Ok(BoundJoint { plan, weigh, spread, tasks: bound, gather, add_up, loss, losses, weights, weights_of_losses })
    }

    /// The task of that number, bound to the caller's buffers and to the plan's own.
    fn bind_task(
        &self,
        name: &str,
        plan: &Plan,
        given: &Named<BufferSlice<'_>>,
        memory: &Memory,
        number: u64,
    ) -> Result<BoundPlan, Error> {
        let known: Vec<String> = self.tensors_of(name).iter().map(|(name, _)| name.to_string()).collect();
        given.expect_only(plan.spec().name, &known)?;
        let given = given.iter().map(|(name, slice)| (name.to_string(), *slice));
        let own = [(UPSTREAM.name, &memory.upstreams), (LOSS, &memory.loss_of_each)];
        let own = own.map(|(name, all)| (name.to_string(), memory.slot(all, number)));
        plan.bind(&given.chain(own).collect())
    }
}
