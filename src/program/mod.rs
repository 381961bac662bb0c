//! What a call does on the device: steps in order, and the memory that they leave for each other. The only thing that
//! crosses from the drivers to the plan.
//!
//! The words for work, everywhere:
//!
//! - An **item** is what has a loss of its own: an element, a row, a box, a pair, an anchor. Of regions the items are
//!   scores, and what kernels walk over are pixels.
//! - A **chunk** is a run of items that one dispatch takes: all of them, unless a binding or a dispatch would be too
//!   large.
//! - A **span** is the run of items of a chunk that one workgroup takes.
//! - A **quad** is four elements side by side, which are loaded and stored at once.
//! - A **part** is the share of a workgroup in what several of them work on together: in a row of many classes, or in
//!   the pixels of a sample.
//! - A **partial** is what one workgroup leaves of a sum; **finalizing** adds up the partials.
//! - A **panel** is the anchors whose values with all columns are in memory at a time; a **tile** is the rows that the
//!   lanes of a workgroup share.
//! - A **step** is one dispatch of one kernel; a **program** is the steps of a call.

pub(crate) mod chunk;
pub(crate) mod workspace;

use std::{collections::HashMap, ops::Range, sync::Arc};

use crate::{
    Error,
    gpu::{Loops, Machine},
    kernel::{Block, Kernel},
    program::workspace::WorkspaceHeader,
};

/// The steps of a call and the memory for them.
#[derive(Debug)]
pub(crate) struct Program {
    /// Memory that steps leave for later ones. The first is the workspace, whose header is read back.
    pub scratch: Vec<Scratch>,
    pub steps: Vec<Step>,
    pub report: Report,
}

/// The scratch that is the workspace.
pub(crate) const WORKSPACE: usize = 0;

/// Memory that steps leave for later ones.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    /// What messages call it.
    pub label: &'static str,
    /// Bytes.
    pub size: u64,
}

/// One dispatch of one kernel.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub kernel: Arc<Kernel>,
    pub entry: &'static str,
    /// The words of the uniform `call`.
    pub call: Block,
    /// The values of the uniform `params`, where they are not those of the call's loss.
    pub params: Option<Vec<u8>>,
    /// Where the tensors of the kernel lie, in their order.
    pub bound: Vec<Place>,
    pub workgroups: [u32; 3],
    /// The loops of a lane.
    pub loops: Loops,
}

/// Where something that a step binds lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Bytes of a scratch.
    Scratch(usize, Range<u64>),
    /// Bytes of an input or output of the call, from where it starts.
    Tensor(String, Range<u64>),
}

/// How to read what a run leaves in its workspace.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The first partial of each chunk and the chunk's first item, in order: where an item out of range is.
    pub chunks: Vec<(u32, u64)>,
}

impl Report {
    /// The first item out of range.
    pub fn first_invalid(&self, found: &WorkspaceHeader) -> u64 {
        let chunk = self.chunks.iter().rev().find(|(partial, _)| *partial <= found.invalid_partial);
        chunk.map_or(0, |(_, first)| *first) + u64::from(found.invalid_item)
    }
}

/// Bytes of a uniform whose words have so many: WGSL rounds the size of its struct up to its alignment, and 16 covers
/// every one.
pub(crate) fn uniform_size(bytes: usize) -> usize {
    bytes.next_multiple_of(16)
}

impl Program {
    /// A program without steps.
    pub fn new(scratch: Vec<Scratch>) -> Self {
        Program { scratch, steps: Vec::new(), report: Report::default() }
    }

    /// A whole scratch.
    pub fn whole(&self, scratch: usize) -> Place {
        Place::Scratch(scratch, 0..self.scratch[scratch].size)
    }

    /// Bytes of device memory besides inputs and outputs.
    pub fn scratch_size(&self) -> u64 {
        self.scratch.iter().map(|scratch| scratch.size).sum()
    }

    /// That the device can run each step.
    pub fn check(&self, loss: &str, machine: &Machine) -> Result<(), Error> {
        let limits = &machine.limits;
        let binding = limits.max_storage_buffer_binding_size;
        for scratch in &self.scratch {
            let what = format!("{loss}: {}", scratch.label);
            machine.expect(&what, "max_buffer_size", scratch.size, limits.max_buffer_size)?;
        }
        for step in &self.steps {
            let what = format!("{loss}: `{}`", step.entry);
            machine.expect_to_run(&what, step.loops)?;
            let most = u64::from(*step.workgroups.iter().max().unwrap_or(&0));
            let available = limits.max_compute_workgroups_per_dimension.into();
            machine.expect(&what, "max_compute_workgroups_per_dimension", most, available)?;
            for place in &step.bound {
                let (what, range) = match place {
                    Place::Tensor(name, range) => (format!("{loss}: `{name}`"), range),
                    Place::Scratch(index, range) => (format!("{loss}: {}", self.scratch[*index].label), range),
                };
                machine.expect(&what, "max_storage_buffer_binding_size", range.end - range.start, binding)?;
            }
            for words in [step.call.members().len(), step.kernel.params.len()] {
                let size = uniform_size(words * size_of::<u32>()) as u64;
                let available = limits.max_uniform_buffer_binding_size;
                machine.expect(&what, "max_uniform_buffer_binding_size", size, available)?;
            }
        }
        Ok(())
    }

    /// The program where inputs may lie in buffers that outputs lie in too; see [`Kernel::with_shared_buffers`].
    pub fn with_shared_buffers(mut self) -> Self {
        let mut shared: HashMap<*const Kernel, Arc<Kernel>> = HashMap::new();
        for step in &mut self.steps {
            let is_tensor: Vec<bool> = step.bound.iter().map(|place| matches!(place, Place::Tensor(..))).collect();
            let kernel = shared
                .entry(Arc::as_ptr(&step.kernel))
                .or_insert_with(|| Arc::new(step.kernel.with_shared_buffers(&is_tensor)));
            step.kernel = kernel.clone();
        }
        self
    }
}
