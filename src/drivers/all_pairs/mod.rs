//! All pairs of a batch: which steps a call takes, and what memory they leave for each other.
//!
//! The values of all pairs are never in memory at once. A *panel* has those of some rows, the anchors, with all rows
//! that they are compared with; each panel's values become slopes, the slopes are gathered into the sums of all rows,
//! and the next panel takes its place. So memory grows with N·D.

mod comparison;
mod finish;
pub(super) mod kernels;
pub(super) mod layout;
mod loops;
mod panels;
mod sorting;

#[cfg(feature = "parity")]
use super::trials::{Arrangement, Trials};
use super::{Call, CallTensor, Extent, Need, Role, Room, Statistic, divisor::Divisor};
use crate::{
    DType, Distance, Error, Reduction, Tuning,
    extra::Extra,
    gpu::Loops,
    kernel::{Block, Reduce, block},
    program::{Place, Program, Scratch, Step, WORKSPACE, workspace, workspace::WorkspaceHeader},
    spec::{AllPairs, Anchors, Input, Kind, LossSpec, Relation, Shape, Values, Word},
};
use comparison::Comparison;
use kernels::{At, Kernels, Recipe, Which};
use layout::{Layout, Memory};
use loops::BatchLoops;

impl Room for AllPairs {
    fn extent(&self, _: &Values, shape: &[usize]) -> Result<Extent, String> {
        let extent = Extent::of_embeddings(shape)?;
        Ok(if self.has_views() { Extent::of_items(vec![2 * shape[0]], shape[1]) } else { extent })
    }

    fn symbols(&self) -> [&'static str; 2] {
        match (self.anchors, self.has_views()) {
            (Anchors::Sorted, _) => ["[N]", "[1]"],
            (_, true) => ["[2N]", "[1] or [2N]"],
            (_, false) => ["[N]", "[1] or [N]"],
        }
    }

    fn needs(&self) -> Vec<Need> {
        let scale = Need {
            what: "it has a number `temperature` among `params`, or an input `logit_scale`, a scalar",
            is_met: |spec| {
                let is_scale = |input: &Input| input.name == "logit_scale" && input.shape == Shape::Scalar;
                spec.has_number("temperature") || spec.inputs.iter().any(is_scale)
            },
        };
        let distance = Need {
            what: "`params` has a compiled word `distance`, a `Distance`",
            is_met: |spec| spec.has_compiled_word("distance", Distance::NAMES),
        };
        let margin = Need { what: "`params` has a number `margin`", is_met: |spec| spec.has_number("margin") };
        let labels = Need {
            what: "`inputs` has class indices `labels`",
            is_met: |spec| spec.inputs.iter().any(|input| input.name == "labels" && input.kind == Kind::Index),
        };
        let mut needs = match self.anchors {
            Anchors::Softmax => vec![scale],
            Anchors::Hardest => vec![distance],
            Anchors::Sorted => vec![distance, margin],
        };
        needs.extend((self.relation == Relation::Labelled).then_some(labels));
        needs
    }

    fn statistics(&self, _: &LossSpec) -> Vec<Statistic> {
        let tensors = &[("hardest_positive", DType::I32), ("hardest_negative", DType::I32)];
        (self.anchors == Anchors::Hardest).then_some(Statistic { name: "hardest", tensors }).into_iter().collect()
    }

    fn refuses(&self, loss: &'static str, reduction: Reduction) -> Option<Error> {
        // Pairs and triplets are too many to keep each one's loss.
        let has_list = self.anchors != Anchors::Sorted;
        (!has_list && reduction == Reduction::None).then_some(Error::ItemsReduction { loss })
    }

    fn program(&self, call: &Call<'_>) -> Result<Program, Error> {
        let comparison = Comparison::new(*self, call.spec(), call.values, call.signature.row);
        let layout = Layout::new(*self, comparison, call)?;
        let mut scratch = vec![Scratch { label: "the workspace", size: workspace::size(0) }];
        let memory = Memory::ALL.into_iter().zip(layout.sizes(call));
        scratch.extend(memory.map(|(memory, size)| Scratch { label: memory.label(), size }));
        let mut builder = Builder {
            call,
            kernels: Kernels { call, all_pairs: *self, comparison },
            known: Vec::new(),
            comparison,
            relation: self.relation,
            anchors: self.anchors,
            tuning: call.machine.tuning,
            layout,
            loops: layout.loops(comparison, self.anchors),
            divisor: divisor(call),
            program: Program::new(scratch),
        };
        builder.all_steps()?;
        Ok(builder.program)
    }

    fn extras(&self, _: &Call<'_>, found: &WorkspaceHeader) -> Vec<Extra> {
        let mines = self.anchors != Anchors::Softmax;
        mines.then(|| Extra::Mining(found.mining())).into_iter().collect()
    }

    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement> {
        // Tiles of one, four and two quads.
        vec![
            trials.arrangement(
                &[23, 10],
                &[&[1, 1], &[2, 3], &[3, 2], &[65, 3], &[257, 2], &[64, 1]],
                &[&[3, 1], &[257, 3], &[1000, 1], &[1000, 2]],
            ),
            trials.arrangement(
                &[23, 48],
                &[&[17, 48], &[64, 128], &[6, 513]],
                &[&[1, 48], &[1, 513], &[2, 128], &[257, 48], &[1000, 128], &[257, 513]],
            ),
            trials.arrangement(&[23, 24], &[&[2, 22], &[65, 23]], &[&[257, 24], &[1000, 21]]),
        ]
    }
}

impl AllPairs {
    fn has_views(self) -> bool {
        self.relation == Relation::Views
    }
}

/// What a mean divides by: only the device knows which anchors count.
fn divisor(call: &Call<'_>) -> Divisor {
    match call.options.reduction {
        Reduction::None => Divisor::Known(1.0),
        Reduction::Sum => Divisor::of_sum(call),
        Reduction::BatchMean => Divisor::Known(call.signature.batch as f64),
        Reduction::Mean | Reduction::WeightedMean => Divisor::Measured,
    }
}

/// What the steps are made from, and the steps so far.
struct Builder<'a> {
    call: &'a Call<'a>,
    kernels: Kernels<'a>,
    /// The kernels so far, by what they are, the lanes of their workgroups and how these reduce.
    known: Vec<((Which, u32, Reduce), Recipe)>,
    comparison: Comparison,
    relation: Relation,
    anchors: Anchors,
    tuning: Tuning,
    layout: Layout,
    loops: BatchLoops,
    divisor: Divisor,
    program: Program,
}

impl Builder<'_> {
    fn all_steps(&mut self) -> Result<(), Error> {
        if self.call.is_empty() {
            return Ok(());
        }
        if self.layout.set > 0 {
            self.prepare()?;
            // Which set the anchors are of, and which their columns.
            let directions: &[(u64, u64)] = match self.relation {
                Relation::Labelled | Relation::Views => &[(0, 0)],
                Relation::Paired => &[(0, 1)],
                Relation::PairedBothWays => &[(0, 1), (1, 0)],
            };
            for (number, direction) in directions.iter().enumerate() {
                self.compare(*direction, number, 1.0 / directions.len() as f32)?;
            }
        }
        self.finish()
    }

    /// Adds a step of a kernel that this tuning runs, with these loops of a lane.
    fn step(
        &mut self,
        which: Which,
        (tuning, loops): (Tuning, Loops),
        words: Block,
        workgroups: [u64; 3],
    ) -> Result<(), Error> {
        let available = u64::from(self.call.machine.limits.max_compute_workgroups_per_dimension);
        if let Some(&needed) = workgroups.iter().find(|&&workgroups| workgroups > available) {
            return Err(self.call.machine.limit(
                &self.what(),
                "max_compute_workgroups_per_dimension",
                needed,
                available,
            ));
        }
        // Of many panels the kernels are few.
        let key = (which, tuning.workgroup_size, tuning.reduce);
        let known = self.known.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            let recipe = self.kernels.recipe(&key.0, tuning, &words);
            self.known.push((key, recipe));
            self.known.len() - 1
        });
        let Recipe { entry, kernel, at } = &self.known[known].1;
        let bound = at.iter().map(|at| self.place(at)).collect();
        let workgroups = workgroups.map(|workgroups| workgroups as u32);
        self.program.steps.push(Step {
            kernel: kernel.clone(),
            entry,
            call: words,
            params: None,
            bound,
            workgroups,
            loops,
        });
        Ok(())
    }

    /// Where something that a kernel binds lies; always whole.
    fn place(&self, at: &At) -> Place {
        let scratch = |index: usize| Place::Scratch(index, 0..self.program.scratch[index].size);
        match at {
            At::Workspace => scratch(WORKSPACE),
            At::Memory(memory) => scratch(1 + *memory as usize),
            At::Tensor(CallTensor { name, ty, .. }) => Place::Tensor(name.clone(), 0..ty.buffer_size()),
        }
    }

    fn has_gradients(&self) -> bool {
        self.call.has_gradients()
    }

    /// Quads of a row.
    fn quads(&self) -> u32 {
        self.layout.quads as u32
    }

    /// From one plane of the panel, or of its lists, to the next.
    fn plane(&self) -> u32 {
        (self.layout.panel_rows * self.layout.stride) as u32
    }

    /// What messages call the batch.
    fn what(&self) -> String {
        format!("{}: a batch of {}", self.call.loss(), self.layout.set)
    }

    /// The tuning with which a lane may run a step's loops.
    fn fitting(&self, loops: impl Fn(Tuning) -> Loops) -> Result<Tuning, Error> {
        self.call.machine.fitting(&self.what(), self.tuning, loops)
    }

    /// Items that a workgroup takes one after another, or its lanes so many at a time, with loops of so many; and how
    /// many workgroups that makes.
    fn spread(&self, items: u64, at_once: u64, loops: impl Fn(u64) -> Loops) -> Result<(u64, u64), Error> {
        let even = items.div_ceil(at_once).div_ceil(self.tuning.workgroups.into()).max(1);
        let span = at_once * self.call.machine.most(&self.what(), even, |span| loops(at_once * span))?;
        Ok((span, items.div_ceil(span)))
    }

    fn prepare(&mut self) -> Result<(), Error> {
        let what = format!("{}: embeddings of {} dimensions", self.call.loss(), self.call.signature.row);
        let loops = self.loops;
        let tuning = self.call.machine.fitting(&what, self.tuning, |tuning| loops.prepare(tuning, 1))?;
        let rows = self.call.signature.batch;
        let (span, workgroups) = self.spread(rows, 1, |span| loops.prepare(tuning, span))?;
        for (number, tensor) in self.inputs(Shape::Embeddings).into_iter().enumerate() {
            let words = block! {
                length: rows as u32,
                span: span as u32,
                first_row: (number as u64 * rows) as u32,
                first_item: self.first_item(number) as u32,
                dimensions: self.call.signature.row as u32,
                quads: self.quads(),
                least_norm: self.comparison.least_norm,
            };
            self.step(Which::Prepare(tensor), (tuning, loops.prepare(tuning, span)), words, [workgroups, 1, 1])?;
        }
        for tensor in self.inputs(Shape::Scalar) {
            self.step(Which::LoadScale(tensor), (self.tuning, Loops::NONE), Block::default(), [1, 1, 1])?;
        }
        Ok(())
    }

    /// The number among the items of the first row of an input: of two views each row is an item, of pairs both rows
    /// are one.
    fn first_item(&self, input: usize) -> u64 {
        if self.relation == Relation::Views { input as u64 * self.call.signature.batch } else { 0 }
    }

    /// The inputs of a shape.
    fn inputs(&self, shape: Shape) -> Vec<CallTensor> {
        let is_one = |tensor: &CallTensor| match tensor.role {
            Role::Input(input) | Role::Overwritten(input) => input.shape == shape,
            Role::Divisor | Role::Gradient(_) | Role::Loss | Role::Statistic => false,
        };
        self.call.tensors().into_iter().filter(is_one).collect()
    }
}
