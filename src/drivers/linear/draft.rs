//! Steps of a linear loss as they are drafted: what their kernels are made of and bound to, before it is known how
//! lanes share the work.

use std::{ops::Range, sync::Arc};

use super::{
    builder::Builder,
    product::{Sharing, Which},
};
use crate::{
    Error, Tuning,
    gpu::Loops,
    kernel::{Block, Glue, Kernel, TensorView, block},
    program::{Place, Step},
    spec::{ShaderFile, shader_file},
};

/// Quads, or values, of a lane at least in kernels that move memory.
const LEAST_OF_LANE: u64 = 8;

/// The parts of a kernel, and what its tensors are bound to.
#[derive(Clone)]
pub(super) struct Draft {
    pub words: Block,
    pub tensors: Vec<(TensorView, Place)>,
    pub glue: Glue,
    pub files: Vec<ShaderFile>,
}

impl Draft {
    pub fn kernel(&self, tuning: Tuning) -> Kernel {
        let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(&self.words);
        kernel.tensors = self.tensors.iter().map(|(view, _)| view.clone()).collect();
        kernel.glue.clone_from(&self.glue.0);
        kernel.join(self.files.iter().copied());
        kernel
    }

    fn with(&self, words: Block) -> Draft {
        let draft = self.clone();
        Draft { words: draft.words.and(words), ..draft }
    }
}

impl Builder<'_> {
    /// A product, in as many steps over its depth as its loops and its digits ask for. `adds` says whether the first
    /// adds to what is there.
    pub fn product(
        &mut self,
        which: Which,
        size: (u64, u64),
        depth: Range<u64>,
        draft: Draft,
        adds: bool,
    ) -> Result<(), Error> {
        let (machine, most) = (self.call.machine, self.layout.panel_rows);
        // The last panel may have fewer rows, and shares the kernel.
        let whole = match which {
            Which::GradientOfHead => size,
            Which::Logits | Which::GradientOfRows => (most, size.1),
        };
        let sharing = Sharing::new(machine.tuning, whole);
        let step = sharing.depth(machine, self.call.loss())?;
        let [across, down] = sharing.workgroups(size);
        let parts = (depth.end - depth.start).div_ceil(step).max(1);
        for part in 0..parts {
            let first = depth.start + part * step;
            let end = (first + step).min(depth.end);
            let draft = draft.with(block! {
                rows: size.0 as u32,
                columns: size.1 as u32,
                first_depth: first as u32,
                end_depth: end as u32,
                factor: self.factor(),
                adds: adds || part > 0,
            });
            let mut kernel = draft.kernel(sharing.tuning(machine.tuning));
            sharing.join(&mut kernel, which);
            kernel.join([which.file(), shader_file!("drivers/linear/product.wgsl")]);
            let workgroups = [across as u32, down as u32, 1];
            self.push("multiply_panel", kernel, draft, workgroups, sharing.loops(end - first), None);
        }
        Ok(())
    }

    /// A step that moves so many values or quads.
    pub fn moves(&mut self, entry: &'static str, length: u64, draft: Draft) -> Result<(), Error> {
        self.moves_each(entry, length, draft, Loops::NONE)
    }

    /// A step that takes so many values, quads or rows, with these loops for each.
    pub fn moves_each(&mut self, entry: &'static str, length: u64, draft: Draft, inner: Loops) -> Result<(), Error> {
        if length == 0 {
            return Ok(());
        }
        let (machine, tuning) = (self.call.machine, self.call.machine.tuning);
        let lanes = u64::from(tuning.workgroup_size);
        let share = length.div_ceil(lanes * u64::from(tuning.workgroups));
        let share = if inner == Loops::NONE { share.max(LEAST_OF_LANE) } else { share };
        let loops = |share: u64| Loops::each(share, inner);
        let share = machine.most(self.call.loss(), share, loops)?;
        let span = share * lanes;
        let workgroups = length.div_ceil(span);
        let most = u64::from(machine.limits.max_compute_workgroups_per_dimension);
        let across = workgroups.clamp(1, most);
        let draft = draft.with(block! { across: across as u32, span: span as u32, length: length as u32 });
        let kernel = draft.kernel(tuning);
        let workgroups = [across as u32, workgroups.div_ceil(across) as u32, 1];
        self.push(entry, kernel, draft, workgroups, loops(share), None);
        Ok(())
    }

    /// A step of a kernel that is made of a draft.
    pub fn push(
        &mut self,
        entry: &'static str,
        kernel: Kernel,
        draft: Draft,
        workgroups: [u32; 3],
        loops: Loops,
        params: Option<Vec<u8>>,
    ) {
        let bound = draft.tensors.into_iter().map(|(_, place)| place).collect();
        let kernel = Arc::new(kernel);
        self.program.steps.push(Step { kernel, entry, call: draft.words, params, bound, workgroups, loops });
    }
}
