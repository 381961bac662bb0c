//! All pairs of a batch: which steps a call takes, and what memory they leave for each other.
//!
//! The values of all pairs are never in memory at once. A *panel* has those of some rows, the anchors, with all rows that
//! they are compared with; each panel's values become slopes, the slopes are gathered into the sums of all rows, and the
//! next panel takes its place. So memory grows with N·D.

mod comparison;
mod kernels;
mod layout;

use std::sync::Arc;

use super::{Call, CallTensor, Extent, Role, Room, Statistic, finalize::Divisor, gradient_name};
use crate::{
    DType, Error, Reduction, Tuning,
    extra::Extra,
    kernel::{BLOCK, Block, Kernel, Reduce, block},
    program::{Place, Program, Scratch, Step, WORKSPACE, workspace, workspace::WorkspaceHeader},
    spec::{AllPairs, Anchors, Relation, Shape, Values, WEIGHT},
};
use comparison::{Comparison, Measure, Unit};
use kernels::{At, Kernels, Memory, Recipe, Which};
use layout::{Layout, tile_iterations, tile_rows};

/// The bits of a sorted distance with its kind, and those of a digit.
const KEY_BITS: u32 = 32;
const DIGIT_BITS: u32 = 4;

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

    fn statistics(&self) -> Vec<Statistic> {
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
}

impl AllPairs {
    fn has_views(self) -> bool {
        self.relation == Relation::Views
    }
}

/// What a mean divides by: only the device knows which anchors count.
fn divisor(call: &Call<'_>) -> Divisor {
    match call.options.reduction {
        Reduction::None | Reduction::Sum => Divisor::Known(1.0),
        Reduction::BatchMean => Divisor::Known(call.signature.batch as f64),
        Reduction::Mean | Reduction::WeightedMean => Divisor::Measured,
    }
}

/// What the steps are made from, and the steps so far.
struct Builder<'a> {
    call: &'a Call<'a>,
    kernels: Kernels<'a>,
    /// The kernels so far, of which there are few.
    known: Vec<Arc<Kernel>>,
    comparison: Comparison,
    relation: Relation,
    anchors: Anchors,
    tuning: Tuning,
    layout: Layout,
    divisor: Divisor,
    program: Program,
}

/// The anchors whose values are in memory, and what they are compared with.
#[derive(Clone, Copy)]
struct Panel {
    /// How many anchors.
    rows: u32,
    /// The first one, among all rows; the first row that is a column.
    first_row: u32,
    first_column: u32,
    /// The number that the first one has as an anchor.
    first_item: u32,
    /// The share of this direction of comparison in an item's loss, and whether it counts the items.
    direction: f32,
    counts: bool,
}

/// Lists to sort.
#[derive(Clone, Copy)]
struct Lists {
    /// How many, and how many keys each has.
    lists: u64,
    keys: u32,
    /// From one list to the next, and from one plane of all lists to the next.
    stride: u32,
    list: u32,
}

/// Who gets gradients from whom, a side of a panel.
#[derive(Clone, Copy)]
struct Side {
    to_columns: bool,
    receivers: u32,
    first_receiver: u32,
    givers: u32,
    first_giver: u32,
    /// How many givers are a part, and how many parts there are.
    part: u32,
    parts: u32,
    /// Where the sums go, and whether they are added to what is there.
    first_sum: u32,
    adds: bool,
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

    /// Adds a step of a kernel that this tuning runs.
    fn step(&mut self, which: Which, tuning: Tuning, words: Block, workgroups: [u64; 3]) -> Result<(), Error> {
        let available = u64::from(self.call.machine.limits.max_compute_workgroups_per_dimension);
        if let Some(&needed) = workgroups.iter().find(|&&workgroups| workgroups > available) {
            let what = format!("{}: a batch of {}", self.call.loss(), self.layout.set);
            return Err(self.call.machine.limit(&what, "max_compute_workgroups_per_dimension", needed, available));
        }
        let Recipe { entry, kernel, at } = self.kernels.recipe(which, tuning, &words);
        let kernel = self.known.iter().find(|known| ***known == kernel).cloned().unwrap_or_else(|| {
            let kernel = Arc::new(kernel);
            self.known.push(kernel.clone());
            kernel
        });
        let bound = at.iter().map(|at| self.place(at)).collect();
        let workgroups = workgroups.map(|workgroups| workgroups as u32);
        self.program.steps.push(Step { kernel, entry, call: words, bound, workgroups });
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

    /// Where the numbers behind all sums begin.
    fn first_radial(&self) -> u32 {
        self.layout.first_radial()
    }

    /// The tuning with as many lanes as keep each one's loops, of so many iterations by the number of lanes, within what the
    /// adapter runs.
    fn widened(&self, iterations: impl Fn(u64) -> u64) -> Result<Tuning, Error> {
        let mut tuning = self.tuning;
        let most = u64::from(tuning.max_loop_iterations);
        while iterations(tuning.workgroup_size.into()) > most {
            let wider = Tuning {
                workgroup_size: 2 * tuning.workgroup_size,
                reduce: if tuning.reduce == Reduce::Workgroup { Reduce::Workgroup } else { Reduce::Subgroup },
                ..tuning
            };
            let adapter = &self.call.machine.limits;
            let widest = adapter.max_compute_invocations_per_workgroup.min(adapter.max_compute_workgroup_size_x);
            if wider.workgroup_size > widest {
                let what = format!("{}: a batch of {}", self.call.loss(), self.layout.set);
                let needed = iterations(tuning.workgroup_size.into());
                return Err(self.call.machine.limit(&what, "max_loop_iterations", needed, most));
            }
            tuning = wider;
        }
        Ok(tuning)
    }

    /// Rows that a workgroup takes one after another, with so many iterations a row, and how many workgroups that makes.
    fn spread(&self, rows: u64, iterations: u64) -> (u64, u64) {
        let most = (u64::from(self.tuning.max_loop_iterations) / iterations).max(1);
        let span = rows.div_ceil(self.tuning.workgroups.into()).clamp(1, most);
        (span, rows.div_ceil(span))
    }

    /// Iterations over the quads of a row, twice.
    fn row_iterations(&self) -> u64 {
        let quads = self.layout.quads.div_ceil(self.tuning.workgroup_size.into());
        // Of a quad there are four elements; and the reduction.
        2 * 6 * (quads + quads.div_ceil(BLOCK.into()) + 2) + u64::from(self.tuning.workgroup_size)
    }

    fn prepare(&mut self) -> Result<(), Error> {
        let iterations = self.row_iterations();
        let most = u64::from(self.tuning.max_loop_iterations);
        let walk =
            self.layout.quads / u64::from(self.comparison.tile_quads) * tile_iterations(self.tuning, self.comparison);
        if iterations.max(walk) > most {
            let what = format!("{}: embeddings of {} dimensions", self.call.loss(), self.call.signature.row);
            return Err(self.call.machine.limit(&what, "max_loop_iterations", iterations.max(walk), most));
        }
        let rows = self.call.signature.batch;
        let (span, workgroups) = self.spread(rows, iterations);
        for (number, tensor) in self.inputs(Shape::Embeddings).into_iter().enumerate() {
            let words = block! {
                length: rows as u32,
                span: span as u32,
                first_row: (number as u64 * rows) as u32,
                dimensions: self.call.signature.row as u32,
                quads: self.quads(),
            };
            self.step(Which::Prepare(tensor), self.tuning, words, [workgroups, 1, 1])?;
        }
        for tensor in self.inputs(Shape::Scalar) {
            self.step(Which::LoadScale(tensor), self.tuning, Block::default(), [1, 1, 1])?;
        }
        Ok(())
    }

    /// The inputs of a shape.
    fn inputs(&self, shape: Shape) -> Vec<CallTensor> {
        let is_one = |tensor: &CallTensor| match tensor.role {
            Role::Input(input) | Role::Overwritten(input) => input.shape == shape,
            Role::Gradient(_) | Role::Loss | Role::Statistic => false,
        };
        self.call.tensors().into_iter().filter(is_one).collect()
    }

    /// Where the gradients of the inputs of a shape go.
    fn gradients(&self, shape: Shape) -> Vec<CallTensor> {
        let stored = |tensor: CallTensor| match self.call.is_in_place() {
            true => tensor,
            false => CallTensor { name: gradient_name(&tensor.name), ..tensor },
        };
        self.inputs(shape).into_iter().map(stored).collect()
    }

    /// All panels of one direction, which has this share in an item's loss.
    fn compare(&mut self, (anchors, columns): (u64, u64), number: usize, share: f32) -> Result<(), Error> {
        let Layout { set, panel_rows, .. } = self.layout;
        for first in (0..set).step_by(panel_rows as usize) {
            let panel = Panel {
                rows: panel_rows.min(set - first) as u32,
                first_row: (anchors * set + first) as u32,
                first_column: (columns * set) as u32,
                first_item: first as u32,
                direction: share,
                counts: number == 0,
            };
            self.panel(panel)?;
            if self.has_gradients() && self.anchors != Anchors::Hardest {
                // Both sides of a pair get their gradients. The first that a row gets replaces what is there.
                let is_later = number > 0 || first > 0;
                self.gather_to_columns(panel, is_later)?;
                self.gather_to_anchors(panel, number > 0 || anchors == columns)?;
            }
        }
        Ok(())
    }

    /// The values of a panel, and the slopes of its anchors' losses.
    fn panel(&mut self, panel: Panel) -> Result<(), Error> {
        let Layout { set, lists, stride, .. } = self.layout;
        let lanes = u64::from(self.tuning.workgroup_size);
        let Panel { rows, first_row, first_column, first_item, direction, counts } = panel;
        let (columns, stride) = (set as u32, stride as u32);
        let workgroups = [set.div_ceil(2 * lanes), u64::from(rows).div_ceil(tile_rows(self.tuning)), 1];
        let words = block! { rows, columns, stride, first_row, first_column, quads: self.quads() };
        let words = words.and(self.value_scale());
        self.step(Which::Measure, self.tuning, words, workgroups)?;

        let walk = |lanes: u64| set.div_ceil(lanes) + set.div_ceil(lanes * u64::from(BLOCK)) + 2;
        let list = self.plane();
        if lists > 0 {
            let tuning = self.widened(|lanes| walk(lanes) + 10 * lanes)?;
            let words = block! { columns, stride, list, first_row, first_item };
            self.step(Which::List, tuning, words, [rows.into(), 1, 1])?;
            self.sort(Lists { lists: rows.into(), keys: columns, stride, list }, KEY_BITS)?;
        }
        // Of sorted distances each looks up some others, and positives do so twice.
        let look_ups = if lists > 0 { 8 * (u64::from(set.max(1).ilog2()) + 2) } else { 2 };
        let tuning = self.widened(|lanes| (2 + look_ups) * walk(lanes) + 24 * lanes)?;
        let words = block! {
            columns,
            stride,
            first_row,
            first_column,
            first_item,
            upstream_stride: self.call.upstream_stride(),
            counts,
        };
        let words = words.and(match self.anchors {
            Anchors::Softmax => block! { direction, half: self.call.signature.batch as u32 },
            Anchors::Hardest => Block::default(),
            Anchors::Sorted => block! { plane: list, list, to_list: 2 * list },
        });
        let words = words.and(self.value_scale());
        self.step(Which::Select, tuning, words, [rows.into(), 1, 1])
    }

    /// What similarities are multiplied with, where no input says it.
    fn value_scale(&self) -> Block {
        if self.comparison.measure != Measure::Similarity || self.comparison.scale_is_input {
            return Block::default();
        }
        let values = self.call.values;
        let scale = if values.has("temperature") { values.number("temperature").recip() } else { 1.0 };
        block! { value_scale: scale as f32 }
    }

    /// Sorts lists by keys of so many bits; gives the planes where they end.
    fn sort(&mut self, lists: Lists, bits: u32) -> Result<u32, Error> {
        let Lists { lists, keys: columns, stride, list } = lists;
        let keys = u64::from(columns);
        let tuning = self.widened(|lanes| 2 * keys.div_ceil(lanes) + 64 * (lanes + 2))?;
        // Back and forth between two pairs of planes.
        let (mut from_list, mut to_list) = (0, 2 * list);
        for shift in (0..bits).step_by(DIGIT_BITS as usize) {
            let words = block! { columns, stride, list, shift, from_list, to_list };
            self.step(Which::Sort, tuning, words, [lists, 1, 1])?;
            (from_list, to_list) = (to_list, from_list);
        }
        Ok(from_list)
    }

    /// Of losses of the hardest rows, the gradients: each anchor has two pairs, which are found from both sides.
    fn gather_mined(&mut self) -> Result<(), Error> {
        let rows = self.layout.rows;
        let lanes = u64::from(self.tuning.workgroup_size);
        let list = self.layout.mined as u32;
        let (span, workgroups) = self.spread(rows.div_ceil(lanes), 4);
        let words = block! { length: rows as u32, span: (span * lanes) as u32, list };
        self.step(Which::ListMined, self.tuning, words, [workgroups, 1, 1])?;
        // Keys are rows, and one more for nothing.
        let bits = u64::BITS - rows.leading_zeros();
        let from_list = self.sort(Lists { lists: 1, keys: list, stride: list, list }, bits)?;

        // A workgroup looks each of its rows up, and its rows may have been mined by all others.
        let quads = u64::from(self.comparison.tile_quads);
        let each = |lanes: u64| 2 * u64::from(bits + 2) + (quads + 1) * (4 * (lanes + 2) + 4);
        let all = |lanes: u64| each(lanes) + ((2 * rows).div_ceil(lanes) + 1) * (quads + 1);
        let tuning = self.widened(all)?;
        let lanes = u64::from(tuning.workgroup_size);
        let left = u64::from(tuning.max_loop_iterations) - all(lanes);
        let span = rows.div_ceil(tuning.workgroups.into()).clamp(1, left / each(lanes) + 1);
        let words = block! {
            rows: rows as u32,
            span: span as u32,
            list,
            from_list,
            quads: self.quads(),
            first_radial: self.first_radial(),
        };
        let workgroups = [rows.div_ceil(span), self.layout.quads / quads, 1];
        self.step(Which::GatherMined, tuning, words, workgroups)
    }

    fn gather_to_columns(&mut self, panel: Panel, adds: bool) -> Result<(), Error> {
        self.gather(Side {
            to_columns: true,
            receivers: self.layout.set as u32,
            first_receiver: panel.first_column,
            givers: panel.rows,
            first_giver: panel.first_row,
            part: panel.rows,
            parts: 1,
            first_sum: panel.first_column,
            adds,
        })
    }

    fn gather_to_anchors(&mut self, panel: Panel, adds: bool) -> Result<(), Error> {
        let Layout { rows, set, parts, part, .. } = self.layout;
        let side = Side {
            to_columns: false,
            receivers: panel.rows,
            first_receiver: panel.first_row,
            givers: set as u32,
            first_giver: panel.first_column,
            part: part as u32,
            parts: parts as u32,
            first_sum: panel.first_row,
            adds,
        };
        if parts == 1 {
            return self.gather(side);
        }
        let side = Side { first_sum: rows as u32, adds: false, ..side };
        self.gather(side)?;
        let Side { receivers, first_receiver, parts, first_sum, .. } = side;
        let words = block! {
            receivers,
            first_receiver,
            parts,
            first_sum,
            adds,
            quads: self.quads(),
            first_radial: self.first_radial(),
        };
        self.step(Which::Join, self.tuning, words, [receivers.into(), 1, 1])
    }

    fn gather(&mut self, side: Side) -> Result<(), Error> {
        let lanes = u64::from(self.tuning.workgroup_size);
        let blocks = self.layout.quads / u64::from(self.comparison.tile_quads);
        let Side { to_columns, receivers, first_receiver, givers, first_giver, part, parts, first_sum, adds } = side;
        let workgroups = [u64::from(receivers).div_ceil(4 * lanes), blocks, parts.into()];
        let words = block! {
            receivers,
            first_receiver,
            givers,
            first_giver,
            part,
            first_sum,
            adds,
            quads: self.quads(),
            stride: self.layout.stride as u32,
            plane: self.plane(),
            first_radial: self.first_radial(),
        };
        self.step(Which::Gather { to_columns }, self.tuning, words, workgroups)
    }

    /// The loss, and the gradients in their storage.
    fn finish(&mut self) -> Result<(), Error> {
        let rows = self.layout.rows;
        let walk = |lanes: u64| rows.div_ceil(lanes) + rows.div_ceil(lanes * u64::from(BLOCK)) + 20 * (lanes + 2);
        let tuning = self.widened(walk)?;
        let is_weighted = self.call.options.reduction == Reduction::WeightedMean;
        let words = block! {
            length: rows as u32,
            measured: self.divisor.is_measured(),
            weighted: is_weighted && self.call.dtype(WEIGHT.name).is_some(),
            divisor: self.divisor.known() as f32,
        };
        self.step(Which::Finalize, tuning, words, [1, 1, 1])?;
        if !self.has_gradients() || rows == 0 {
            return Ok(());
        }
        if self.anchors == Anchors::Hardest {
            self.gather_mined()?;
        }
        if self.comparison.unit != Unit::No {
            let (span, workgroups) = self.spread(rows, self.row_iterations());
            let words = block! {
                length: rows as u32,
                span: span as u32,
                quads: self.quads(),
                first_radial: self.first_radial(),
            };
            self.step(Which::Project, self.tuning, words, [workgroups, 1, 1])?;
        }
        let scaled = block! {
            scale: self.call.gradient_scale(self.divisor.known()) as f32,
            measured: self.divisor.is_measured(),
        };
        let (batch, dimensions) = (self.call.signature.batch, self.call.signature.row);
        let elements = batch * dimensions;
        for (number, tensor) in self.gradients(Shape::Embeddings).into_iter().enumerate() {
            let words = if tensor.ty.dtype.is_half() { elements.div_ceil(2) } else { elements };
            let lanes = u64::from(self.tuning.workgroup_size);
            let (span, workgroups) = self.spread(words.div_ceil(lanes), 1);
            let words = block! {
                length: words as u32,
                span: (span * lanes) as u32,
                elements: elements as u32,
                first_row: (number as u64 * batch) as u32,
                dimensions: dimensions as u32,
                quads: self.quads(),
            };
            self.step(Which::Finish(tensor), self.tuning, words.and(scaled.clone()), [workgroups, 1, 1])?;
        }
        for tensor in self.gradients(Shape::Scalar) {
            let words = block! { elements: 1_u32 }.and(scaled.clone());
            self.step(Which::StoreScale(tensor), self.tuning, words, [1, 1, 1])?;
        }
        Ok(())
    }
}
