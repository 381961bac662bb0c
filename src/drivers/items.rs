//! What elementwise losses, boxes, pairs and most rows share: items are measured, a divisor is found, items are
//! evaluated and the partials finalized, chunk by chunk.

use std::sync::Arc;

use super::{
    At, Binding, Call, CallTensor, Role,
    divisor::Divisor,
    finalize::{self, Ending},
    view_of,
};
use crate::{
    Error, Reduction, Tuning,
    gpu::Loops,
    kernel::{Access, Block, Kernel, TensorView, block},
    program::{
        Place, Program, Report, Scratch, Step, WORKSPACE,
        chunk::{Chunk, Operand, Split, Splittable, Start, chunks, partials},
        workspace,
    },
    spec::{Shape, WEIGHT},
};

/// The scratch that holds what items leave for later steps, where they do.
pub(crate) const RECORDS: usize = WORKSPACE + 1;

/// An entry point of the kernel of items.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    name: &'static str,
    /// Those of a lane.
    loops: Loops,
    /// How many a chunk has.
    workgroups: fn(&Chunk) -> u32,
}

impl Entry {
    /// An entry point for the workgroups of a chunk.
    pub fn new(name: &'static str, loops: Loops) -> Self {
        Entry { name, loops, workgroups: |chunk| chunk.workgroups }
    }

    /// An entry point for those that leave partials.
    pub fn of_partials(name: &'static str, loops: Loops) -> Self {
        Entry { name, loops, workgroups: |chunk| chunk.partials }
    }
}

/// A call of items: its chunks, the kernel that takes them, and the steps so far.
pub(crate) struct Items<'a> {
    pub call: &'a Call<'a>,
    pub tuning: Tuning,
    pub split: Split,
    pub chunks: Vec<Chunk>,
    pub divisor: Divisor,
    /// Partials of all chunks, and of what else leaves some.
    pub partials: u32,
    pub program: Program,
    tensors: Vec<(CallTensor, Operand)>,
    kernel: Arc<Kernel>,
    bindings: Vec<Binding>,
    /// The words of each chunk.
    blocks: Vec<Block>,
}

impl<'a> Items<'a> {
    /// The chunks of a call whose items go to workgroups like this. Records of items, if there are any, are the second
    /// scratch.
    pub fn new(
        call: &'a Call<'a>,
        tuning: Tuning,
        split: Split,
        divisor: Divisor,
        tensors: Vec<(CallTensor, Operand)>,
    ) -> Result<Self, Error> {
        let signature = call.signature;
        let operands: Vec<Operand> = tensors.iter().map(|(_, operand)| operand.clone()).collect();
        let whole = Splittable {
            loss: call.loss(),
            items: signature.items,
            items_of_unit: signature.class_stride.max(1),
            most: call.panels.map_or(u64::MAX, |panels| panels.rows),
            operands: &operands,
        };
        let chunks = chunks(call.machine, whole, split)?;
        let partials = partials(&chunks);
        let mut scratch = vec![Scratch { label: "the workspace", size: workspace::size(partials) }];
        if split.record_size > 0 {
            let of = |chunk: &Chunk| chunk.first_record + u64::from(chunk.items) * split.record_size;
            scratch.push(Scratch { label: "the records of rows", size: chunks.last().map_or(0, of) });
        }
        let report = Report { chunks: chunks.iter().map(|chunk| (chunk.first_partial, chunk.first)).collect() };
        Ok(Items {
            call,
            tuning,
            split,
            chunks,
            divisor,
            partials,
            program: Program { report, ..Program::new(scratch) },
            tensors,
            kernel: Arc::new(Kernel::new(tuning.workgroup_size, tuning.reduce)),
            bindings: Vec::new(),
            blocks: Vec::new(),
        })
    }

    /// What kernels of the items bind, in order: inputs, gradients, the items' losses and statistics where they are
    /// stored, and the workspace.
    pub fn bindings(&self) -> Vec<Binding> {
        let of = |is: fn(Role) -> bool| self.tensors.iter().filter(move |(tensor, _)| is(tensor.role));
        let all = of(|role| matches!(role, Role::Input(_)))
            .chain(of(|role| matches!(role, Role::Overwritten(_) | Role::Gradient(_))))
            .chain(of(|role| role == Role::Loss).filter(|_| self.call.is_per_item()))
            .chain(of(|role| role == Role::Statistic));
        let bindings = all.map(|(tensor, operand)| Binding {
            view: view_of(tensor, operand.quads),
            at: At::Operand(operand.clone()),
        });
        let workspace = Binding { view: TensorView::workspace(Access::Write), at: At::Scratch(WORKSPACE) };
        bindings.chain([workspace]).collect()
    }

    /// The words that all kernels of items read, for a chunk.
    pub fn words(&self, chunk: &Chunk) -> Block {
        block! {
            length: chunk.items,
            span: self.split.span,
            first_partial: chunk.first_partial,
            scale: self.call.gradient_scale(self.divisor.known()) as f32,
            measured: self.divisor.word(),
            divisor: self.divisor.known() as f32,
            upstream_stride: self.call.upstream_stride(),
        }
    }

    /// Takes the items by this kernel from now on, with what it binds and the words of each chunk.
    pub fn with_kernel(
        mut self,
        kernel: Kernel,
        bindings: Vec<Binding>,
        words: impl Fn(&Items<'_>, &Chunk) -> Block,
    ) -> Self {
        let blocks: Vec<Block> = self.chunks.iter().map(|chunk| words(&self, chunk)).collect();
        let kernel = blocks.first().map_or_else(|| kernel.clone(), |words| kernel.clone().with_call(words));
        self.kernel = Arc::new(kernel);
        self.bindings = bindings;
        self.blocks = blocks;
        self
    }

    /// Adds a step for each chunk.
    pub fn each_chunk(&mut self, entry: Entry) {
        let steps: Vec<Step> = (0..self.chunks.len()).map(|chunk| self.step(chunk, entry)).collect();
        self.program.steps.extend(steps);
    }

    /// The step of the chunk of that number.
    pub fn step(&self, chunk: usize, Entry { name: entry, loops, workgroups }: Entry) -> Step {
        let (chunk, call) = (&self.chunks[chunk], self.blocks[chunk].clone());
        let bound = self.bindings.iter().map(|binding| self.place(binding, chunk)).collect();
        let workgroups = [workgroups(chunk), 1, 1];
        Step { kernel: self.kernel.clone(), entry, call, params: None, bound, workgroups, loops }
    }

    /// Where a binding lies that no chunk shares: whole.
    pub fn whole(&self, binding: &Binding) -> Place {
        match &binding.at {
            At::Operand(operand) => operand.place(None, 1),
            &(At::Scratch(scratch) | At::Records(scratch)) => {
                Place::Scratch(scratch, 0..self.program.scratch[scratch].size)
            }
        }
    }

    fn place(&self, binding: &Binding, chunk: &Chunk) -> Place {
        match &binding.at {
            At::Operand(operand) => operand.place(Some(chunk), self.call.signature.class_stride.max(1)),
            At::Scratch(_) => self.whole(binding),
            &At::Records(scratch) => {
                let size = u64::from(chunk.items) * self.split.record_size;
                Place::Scratch(scratch, chunk.first_record..chunk.first_record + size)
            }
        }
    }

    /// Adds up the partials.
    pub fn finalize(&mut self, ending: Ending) -> Result<(), Error> {
        let step = finalize::step(self.call, self.tuning, self.partials, self.divisor, ending)?;
        self.program.steps.push(step);
        Ok(())
    }

    /// Adds the steps that find the divisor, where only the device knows it.
    pub fn measure(&mut self) -> Result<(), Error> {
        if let Divisor::Measured | Divisor::Weighted = self.divisor {
            let loops = measure_loops(self.tuning, self.split.tally_span.into());
            self.each_chunk(Entry::of_partials("measure", loops));
            self.finalize(Ending::Divisor)?;
        }
        Ok(())
    }

    /// The whole program of a kernel with the entry points `measure` and `evaluate`, which has these loops.
    pub fn evaluated(mut self, loops: Loops) -> Result<Program, Error> {
        self.measure()?;
        self.each_chunk(Entry::new("evaluate", loops));
        self.ended()
    }

    /// The program with its last step, which adds up the items.
    pub fn ended(mut self) -> Result<Program, Error> {
        self.finalize(if self.call.is_per_item() { Ending::Items } else { Ending::Loss })?;
        Ok(self.program)
    }
}

/// The tensors of a call of items, and how chunks share them. `quads` says which are taken four elements at once.
pub(crate) fn operands(call: &Call<'_>, quads: impl Fn(&CallTensor) -> bool) -> Vec<(CallTensor, Operand)> {
    let signature = call.signature;
    let items = signature.class_stride;
    // Values of a result: of functions of a value per class, as many as there are classes.
    let results = if call.spec().is_per_class() { items * signature.row } else { items };
    let unit = |tensor: &CallTensor| match tensor.role.input().map(|input| input.shape) {
        // A value that serves several items may be any chunk's.
        Some(_) if matches!(tensor.role, Role::Input(input) if signature.spread(input.name).is_some()) => None,
        Some(Shape::Items) => Some(items),
        Some(Shape::Rows | Shape::Boxes) => {
            Some(tensor.ty.stride_of_rows().map_or(items * signature.row, |stride| stride as u64))
        }
        Some(Shape::Embeddings) => Some(signature.row),
        Some(Shape::ItemRows) => tensor.ty.shape.last().map(|&length| length as u64),
        Some(Shape::Classes) if tensor.role.input().is_some_and(|input| signature.is_by_row(input)) => {
            Some(items * signature.row)
        }
        // The call of a sum has parts, which bind its tensors.
        Some(Shape::Own | Shape::OwnOfBatch | Shape::OwnRows | Shape::Layers | Shape::Like(_)) => None,
        // So has one of sequences.
        Some(Shape::Tokens | Shape::TokenRows | Shape::Offsets(_)) => None,
        Some(Shape::LastAxis | Shape::Classes | Shape::Scalar) => None,
        Some(Shape::Hidden | Shape::Head(_) | Shape::HeadClasses | Shape::HeadRows) => None,
        Some(Shape::OneOrItems) => (tensor.ty.elements() != 1).then_some(results),
        None if tensor.role == Role::Statistic => Some(items),
        None => call.is_per_item().then_some(results),
    };
    let operand = |tensor: CallTensor| {
        let (unit, quads) = (unit(&tensor), quads(&tensor));
        let (name, ty) = (tensor.name.clone(), tensor.ty.clone());
        let operand = Operand { name, ty, unit, start: Start::Aligned, quads, scratch: None, anew: false };
        (tensor, operand)
    };
    call.tensors().into_iter().map(operand).collect()
}

/// What a mean divides by: items may be ignored or left out, and weights are on the device.
pub(crate) fn divisor(call: &Call<'_>) -> Divisor {
    let may_leave_out = call.signature.has_labels() || call.signature.is_masked();
    match call.options.reduction {
        Reduction::None => Divisor::Known(1.0),
        Reduction::Sum => Divisor::of_sum(call),
        Reduction::BatchMean => Divisor::Known(call.signature.batch as f64),
        Reduction::Mean if may_leave_out => Divisor::Measured,
        Reduction::WeightedMean if may_leave_out || call.dtype(WEIGHT.name).is_some() => Divisor::Weighted,
        Reduction::Mean | Reduction::WeightedMean => Divisor::Known(call.signature.items as f64),
    }
}

/// The loops of `measure` over a span.
pub(crate) fn measure_loops(tuning: Tuning, span: u64) -> Loops {
    Loops::blocks(span, tuning.workgroup_size.into(), Loops::NONE) + Loops::reduce(tuning)
}
