//! Losses of a whole batch: which steps a call takes, and what memory they leave for each other.
//!
//! The values of all pairs are never in memory at once. A *panel* has those of some rows, the anchors, with all rows that
//! they are compared with; each panel's values become slopes, the slopes are gathered into the sums of all rows, and the
//! next panel takes its place. So memory grows with N·D.

mod kernel;

pub(crate) use kernel::{BatchBuffer, BatchKernel};
#[cfg(test)]
pub(crate) use kernel::{every_kernel_of, every_shared_kernel};

use kernel::{Comparison, Measure, Unit};

use crate::{
    Error, Gpu, Gradients, Options, Reduction, Tuning,
    header::BatchParams,
    plan::gradient_name,
    shader::{BLOCK, GradientStore, Kernel, LossVariant, Pass},
    spec::{Anchors, LossSpec, Relation, Shape, Signature, Values, WEIGHT},
    tuning::Reduce,
    workspace::BATCH_RECORD_SIZE,
};

/// A panel is at least so large, if there are as many pairs, in values: 4 MiB.
const LEAST_PANEL: u64 = 1 << 20;

/// More rows of a panel would not make its kernels faster.
const MOST_PANEL_ROWS: u64 = 4096;

/// Anchors of a panel come in whole tiles.
const TILE_ROWS: u64 = 16;

/// The bits of a sorted distance with its kind, and those of a digit.
const KEY_BITS: u32 = 32;
const DIGIT_BITS: u32 = 4;

/// Planes of what is sorted: keys and what they belong to, before a step and after it.
const LIST_PLANES: u64 = 4;

/// The steps of a call, and the memory for them.
#[derive(Debug)]
pub(crate) struct BatchPlan {
    pub steps: Vec<BatchStep>,
    /// Bytes of each of [`BatchBuffer::ALL`].
    pub sizes: [u64; 5],
}

/// One dispatch.
#[derive(Clone, Debug)]
pub(crate) struct BatchStep {
    pub kernel: Kernel,
    pub params: BatchParams,
    /// The input or output that it loads or stores.
    pub tensor: Option<String>,
    pub workgroups: [u32; 3],
}

/// What the steps are made from.
struct Builder<'a> {
    gpu: &'a Gpu,
    spec: &'static LossSpec,
    signature: &'a Signature,
    options: &'a Options,
    variant: LossVariant,
    comparison: Comparison,
    relation: Relation,
    anchors: Anchors,
    tuning: Tuning,
    layout: Layout,
    base: BatchParams,
    steps: Vec<BatchStep>,
}

/// How rows, panel and sums lie in memory.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// Rows of all inputs, of one of the sets that are compared, and quads of one.
    rows: u64,
    set: u64,
    quads: u64,
    /// Rows of the panel, and values of one.
    panel_rows: u64,
    stride: u64,
    /// Planes of the panel, and of the lists of each of its rows.
    planes: u64,
    lists: u64,
    /// Words of a plane of the one list of all mined rows.
    mined: u64,
    /// Into how many parts those are split that give to the rows of a panel, and how many are one.
    parts: u64,
    part: u64,
}

impl BatchPlan {
    pub fn new(
        gpu: &Gpu,
        values: &Values,
        signature: &Signature,
        options: &Options,
        variant: &LossVariant,
        divisor: Option<f64>,
    ) -> Result<Self, Error> {
        let spec = values.spec();
        let Some(batch) = spec.all_pairs() else { unreachable!("{} compares no whole batch", spec.name) };
        let comparison = Comparison::new(spec, values, signature.row);
        let tuning = gpu.tuning();
        // All that follows is made of products that this bounds.
        let elements = signature.batch.saturating_mul(comparison.quads(signature.row)).saturating_mul(8);
        if elements > u64::from(u32::MAX) {
            let what = format!("{}: embeddings [{}, {}]", spec.name, signature.batch, signature.row);
            return Err(gpu.limit(&what, "32-bit index", elements, u32::MAX.into()));
        }
        let layout = Layout::new(gpu, tuning, batch.relation, batch.anchors, comparison, signature);
        let sizes = layout.sizes(options);
        let limits = gpu.limits();
        for (size, buffer) in sizes.into_iter().zip(BatchBuffer::ALL) {
            let (what, _) = buffer.declaration();
            let what = format!("{}: the {what} of [{}, {}]", spec.name, layout.rows, signature.row);
            for (limit, available) in [
                ("max_storage_buffer_binding_size", limits.max_storage_buffer_binding_size),
                ("max_buffer_size", limits.max_buffer_size),
                // Of words.
                ("32-bit index", 4 * u64::from(u32::MAX)),
            ] {
                if size > available {
                    return Err(gpu.limit(&what, limit, size, available));
                }
            }
        }
        let base = layout.params(comparison, values, signature, options, divisor);
        // Its kernels know nothing of the embeddings' storage.
        let is_taken = |name: &str| {
            let input = spec.input(name);
            input.is_some_and(|input| !matches!(input.shape, Shape::Embeddings | Shape::Scalar))
        };
        let dtypes = spec.all_inputs().zip(&variant.inputs);
        let inputs = dtypes.map(|(input, dtype)| dtype.filter(|_| is_taken(input.name))).collect();
        let gradients = match options.gradients {
            Gradients::Skip => GradientStore::Skip,
            _ => GradientStore::Write,
        };
        let variant = LossVariant { inputs, gradients, ..variant.clone() };
        let (relation, anchors) = (batch.relation, batch.anchors);
        let steps = Vec::new();
        let mut builder = Builder {
            gpu,
            spec,
            signature,
            options,
            variant,
            comparison,
            relation,
            anchors,
            tuning,
            layout,
            base,
            steps,
        };
        builder.all_steps()?;
        Ok(BatchPlan { steps: builder.steps, sizes })
    }

    /// Bytes of all buffers.
    pub fn size(&self) -> u64 {
        self.sizes.iter().sum()
    }
}

impl BatchStep {
    /// The step where an input may lie in the same buffer as an output.
    pub fn with_shared_buffers(mut self, shared_buffers: bool) -> Self {
        if let Pass::Batch(BatchKernel::List(variant) | BatchKernel::Select(variant, _)) = &mut self.kernel.pass {
            variant.shared_buffers = shared_buffers;
        }
        self
    }
}

impl Layout {
    fn new(
        gpu: &Gpu,
        tuning: Tuning,
        relation: Relation,
        anchors: Anchors,
        comparison: Comparison,
        signature: &Signature,
    ) -> Self {
        let (rows, set) = match relation {
            Relation::Labelled => (signature.batch, signature.batch),
            Relation::Views => (2 * signature.batch, 2 * signature.batch),
            Relation::Paired | Relation::PairedBothWays => (2 * signature.batch, signature.batch),
        };
        let quads = comparison.quads(signature.row);
        let stride = set.next_multiple_of(4);
        let is_hardest = anchors == Anchors::Hardest;
        let planes = if comparison.measure == Measure::Cosine && !is_hardest { 2 } else { 1 };
        let lists = if anchors == Anchors::Sorted { LIST_PLANES } else { 0 };
        let mined = if is_hardest { 2 * rows } else { 0 };
        // As many values as the rows have, at least.
        let values = LEAST_PANEL.max(rows * 4 * quads).min(gpu.limits().max_storage_buffer_binding_size / 4);
        let wanted = values / (stride.max(1) * (planes + lists)) / TILE_ROWS * TILE_ROWS;
        let panel_rows = wanted.clamp(TILE_ROWS, MOST_PANEL_ROWS).min(set.next_multiple_of(TILE_ROWS).max(TILE_ROWS));

        let tile_rows = tile_rows(tuning);
        let most = u64::from(tuning.max_loop_iterations) / tile_iterations(tuning, comparison) * tile_rows;
        let lanes = u64::from(tuning.workgroup_size);
        let workgroups = panel_rows.div_ceil(4 * lanes) * (quads / u64::from(comparison.tile_quads));
        // Enough workgroups for the adapter, and no more sums than there are rows.
        let wanted = u64::from(tuning.workgroups).div_ceil(workgroups).min(set / panel_rows).max(1);
        let part = set.div_ceil(wanted).next_multiple_of(tile_rows).min(most).max(tile_rows);
        let parts = if is_hardest { 1 } else { set.div_ceil(part).max(1) };
        Layout { rows, set, quads, panel_rows, stride, planes, lists, mined, parts, part }
    }

    /// Rows of sums: those of all rows, and behind them those of the parts.
    fn sum_rows(self) -> u64 {
        self.rows + if self.parts > 1 { self.parts * self.panel_rows } else { 0 }
    }

    /// Bytes of each of [`BatchBuffer::ALL`]; something at least, because nothing cannot be bound.
    fn sizes(self, options: &Options) -> [u64; 5] {
        let row = self.quads.saturating_mul(16);
        let panel = self.panel_rows.saturating_mul(self.stride).saturating_mul(4);
        let sums = self.sum_rows().saturating_mul(row.saturating_add(4)).next_multiple_of(16);
        let sums = if options.gradients == Gradients::Skip { 0 } else { sums };
        let of = |buffer| match buffer {
            BatchBuffer::Rows => self.rows.saturating_mul(row),
            BatchBuffer::Records => self.rows.saturating_mul(BATCH_RECORD_SIZE),
            BatchBuffer::Panel => panel.saturating_mul(self.planes),
            BatchBuffer::Lists => panel.saturating_mul(self.lists) + LIST_PLANES * 4 * self.mined,
            BatchBuffer::Sums => sums,
        };
        BatchBuffer::ALL.map(|buffer| of(buffer).max(BATCH_RECORD_SIZE))
    }

    /// What all steps have in common.
    fn params(
        self,
        comparison: Comparison,
        values: &Values,
        signature: &Signature,
        options: &Options,
        divisor: Option<f64>,
    ) -> BatchParams {
        let scale = options.gradient_scale();
        let one_upstream = signature.input("upstream").is_none_or(|ty| ty.elements() == 1);
        let value_scale = if values.has("temperature") { values.number("temperature").recip() } else { 1.0 };
        let is_weighted = options.reduction == Reduction::WeightedMean && signature.input(WEIGHT.name).is_some();
        let panel = (self.panel_rows * self.stride) as u32;
        BatchParams {
            dimensions: signature.row as u32,
            quads: comparison.quads(signature.row) as u32,
            columns: self.set as u32,
            stride: self.stride as u32,
            plane: panel,
            list: panel,
            half: signature.batch as u32,
            first_radial: (self.sum_rows() * self.quads * 4) as u32,
            value_scale: value_scale as f32,
            direction: 1.0,
            counts: 1,
            upstream_stride: u32::from(!one_upstream),
            scale: divisor.map_or(scale, |divisor| if divisor == 0.0 { 0.0 } else { scale / divisor }) as f32,
            measured: u32::from(divisor.is_none()),
            weighted: u32::from(is_weighted),
            divisor: divisor.unwrap_or(1.0) as f32,
            ..BatchParams::default()
        }
    }
}

/// Rows of a tile: `TILE_ROWS` of `shaders/lib/tile_….wgsl`.
fn tile_rows(tuning: Tuning) -> u64 {
    match tuning.reduce {
        Reduce::SingleSubgroup => 2 * u64::from(tuning.workgroup_size),
        Reduce::Workgroup | Reduce::Subgroup => TILE_ROWS,
    }
}

/// Iterations of a lane for each tile, of loading it and of all its quads with each of its rows.
fn tile_iterations(tuning: Tuning, comparison: Comparison) -> u64 {
    let (rows, quads) = (tile_rows(tuning), u64::from(comparison.tile_quads));
    let loading = (rows * quads).div_ceil(tuning.workgroup_size.into()) + 4;
    loading + (rows + 1) * (quads + 2) + rows + 2
}

impl Builder<'_> {
    fn all_steps(&mut self) -> Result<(), Error> {
        if self.layout.set > 0 {
            self.prepare()?;
            // Which set the anchors are of, and which their columns.
            let directions: &[(u64, u64)] = match self.relation {
                Relation::Labelled | Relation::Views => &[(0, 0)],
                Relation::Paired => &[(0, 1)],
                Relation::PairedBothWays => &[(0, 1), (1, 0)],
            };
            for (number, direction) in directions.iter().enumerate() {
                let share = 1.0 / directions.len() as f32;
                self.base = BatchParams { direction: share, counts: u32::from(number == 0), ..self.base };
                self.compare(*direction, number)?;
            }
        }
        self.finish()
    }

    fn has_gradients(&self) -> bool {
        self.variant.gradients != GradientStore::Skip
    }

    /// A step of a kernel that this tuning runs.
    fn step(
        &mut self,
        kernel: BatchKernel,
        tuning: Tuning,
        params: BatchParams,
        workgroups: [u64; 3],
    ) -> Result<(), Error> {
        let available = u64::from(self.gpu.limits().max_compute_workgroups_per_dimension);
        if let Some(&needed) = workgroups.iter().find(|&&workgroups| workgroups > available) {
            let what = format!("{}: a batch of {}", self.spec.name, self.layout.set);
            return Err(self.gpu.limit(&what, "max_compute_workgroups_per_dimension", needed, available));
        }
        let kernel = Kernel { pass: Pass::Batch(kernel), workgroup_size: tuning.workgroup_size, reduce: tuning.reduce };
        let workgroups = workgroups.map(|workgroups| workgroups as u32);
        self.steps.push(BatchStep { kernel, params, tensor: None, workgroups });
        Ok(())
    }

    /// The step that was added last loads or stores this tensor.
    fn of_tensor(&mut self, name: String) {
        if let Some(step) = self.steps.last_mut() {
            step.tensor = Some(name);
        }
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
            let adapter = self.gpu.limits();
            let widest = adapter.max_compute_invocations_per_workgroup.min(adapter.max_compute_workgroup_size_x);
            if wider.workgroup_size > widest {
                let what = format!("{}: a batch of {}", self.spec.name, self.layout.set);
                let needed = iterations(tuning.workgroup_size.into());
                return Err(self.gpu.limit(&what, "max_loop_iterations", needed, most));
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
            let what = format!("{}: embeddings of {} dimensions", self.spec.name, self.signature.row);
            return Err(self.gpu.limit(&what, "max_loop_iterations", iterations.max(walk), most));
        }
        let rows = self.signature.batch;
        let (span, workgroups) = self.spread(rows, iterations);
        let embeddings: Vec<_> = self.inputs(Shape::Embeddings);
        for (number, (name, dtype)) in embeddings.into_iter().enumerate() {
            let first_row = (number as u64 * rows) as u32;
            let params = BatchParams { length: rows as u32, span: span as u32, first_row, ..self.base };
            let kernel = BatchKernel::Prepare { dtype, unit: self.comparison.unit };
            self.step(kernel, self.tuning, params, [workgroups, 1, 1])?;
            self.of_tensor(name.to_string());
        }
        for (name, dtype) in self.inputs(Shape::Scalar) {
            self.step(BatchKernel::LoadScale { dtype }, self.tuning, self.base, [1, 1, 1])?;
            self.of_tensor(name.to_string());
        }
        Ok(())
    }

    fn inputs(&self, shape: Shape) -> Vec<(&'static str, crate::DType)> {
        let inputs = self.signature.inputs.iter().filter(|(input, _)| input.shape == shape);
        inputs.map(|(input, ty)| (input.name, ty.dtype)).collect()
    }

    /// All panels of one direction.
    fn compare(&mut self, (anchors, columns): (u64, u64), number: usize) -> Result<(), Error> {
        let Layout { set, panel_rows, .. } = self.layout;
        for first in (0..set).step_by(panel_rows as usize) {
            let rows = panel_rows.min(set - first);
            let params = BatchParams {
                rows: rows as u32,
                first_row: (anchors * set + first) as u32,
                first_column: (columns * set) as u32,
                first_item: first as u32,
                ..self.base
            };
            self.panel(params)?;
            if self.has_gradients() && self.anchors != Anchors::Hardest {
                // Both sides of a pair get their gradients. The first that a row gets replaces what is there.
                let is_later = number > 0 || first > 0;
                self.gather_to_columns(params, is_later)?;
                self.gather_to_anchors(params, number > 0 || anchors == columns)?;
            }
        }
        Ok(())
    }

    /// The values of a panel, and the slopes of its anchors' losses.
    fn panel(&mut self, params: BatchParams) -> Result<(), Error> {
        let Layout { set, lists, .. } = self.layout;
        let lanes = u64::from(self.tuning.workgroup_size);
        let rows = u64::from(params.rows);
        let workgroups = [set.div_ceil(2 * lanes), rows.div_ceil(tile_rows(self.tuning)), 1];
        self.step(BatchKernel::Measure(self.comparison), self.tuning, params, workgroups)?;

        let walk = |lanes: u64| set.div_ceil(lanes) + set.div_ceil(lanes * u64::from(BLOCK)) + 2;
        let variant = self.variant.clone();
        if lists > 0 {
            let tuning = self.widened(|lanes| walk(lanes) + 10 * lanes)?;
            self.step(BatchKernel::List(variant.clone()), tuning, params, [rows, 1, 1])?;
            self.sort(params, KEY_BITS, rows)?;
        }
        // Of sorted distances each looks up some others, and positives do so twice.
        let look_ups = if lists > 0 { 8 * (u64::from(set.max(1).ilog2()) + 2) } else { 2 };
        let tuning = self.widened(|lanes| (2 + look_ups) * walk(lanes) + 24 * lanes)?;
        let params = BatchParams { to_list: 2 * params.list, ..params };
        self.step(BatchKernel::Select(variant, self.comparison), tuning, params, [rows, 1, 1])
    }

    /// Sorts lists of `columns` keys of so many bits; gives the planes where they end.
    fn sort(&mut self, params: BatchParams, bits: u32, lists: u64) -> Result<u32, Error> {
        let keys = u64::from(params.columns);
        let tuning = self.widened(|lanes| 2 * keys.div_ceil(lanes) + 64 * (lanes + 2))?;
        // Back and forth between two pairs of planes.
        let (mut from_list, mut to_list) = (0, 2 * params.list);
        for shift in (0..bits).step_by(DIGIT_BITS as usize) {
            let params = BatchParams { shift, from_list, to_list, ..params };
            self.step(BatchKernel::Sort, tuning, params, [lists, 1, 1])?;
            (from_list, to_list) = (to_list, from_list);
        }
        Ok(from_list)
    }

    /// Of losses of the hardest rows, the gradients: each anchor has two pairs, which are found from both sides.
    fn gather_mined(&mut self) -> Result<(), Error> {
        let rows = self.layout.rows;
        let lanes = u64::from(self.tuning.workgroup_size);
        let list = self.layout.mined as u32;
        let params = BatchParams { rows: rows as u32, columns: list, stride: list, list, ..self.base };
        let (span, workgroups) = self.spread(rows.div_ceil(lanes), 4);
        let listed = BatchParams { length: rows as u32, span: (span * lanes) as u32, ..params };
        self.step(BatchKernel::ListMined, self.tuning, listed, [workgroups, 1, 1])?;
        // Keys are rows, and one more for nothing.
        let bits = u64::BITS - rows.leading_zeros();
        let from_list = self.sort(params, bits, 1)?;

        // A workgroup looks each of its rows up, and its rows may have been mined by all others.
        let quads = u64::from(self.comparison.tile_quads);
        let each = |lanes: u64| 2 * u64::from(bits + 2) + (quads + 1) * (4 * (lanes + 2) + 4);
        let all = |lanes: u64| each(lanes) + ((2 * rows).div_ceil(lanes) + 1) * (quads + 1);
        let tuning = self.widened(all)?;
        let lanes = u64::from(tuning.workgroup_size);
        let left = u64::from(tuning.max_loop_iterations) - all(lanes);
        let span = rows.div_ceil(tuning.workgroups.into()).clamp(1, left / each(lanes) + 1);
        let params = BatchParams { span: span as u32, from_list, ..params };
        let workgroups = [rows.div_ceil(span), self.layout.quads / quads, 1];
        self.step(BatchKernel::GatherMined(self.comparison), tuning, params, workgroups)
    }

    fn gather_to_columns(&mut self, params: BatchParams, adds: bool) -> Result<(), Error> {
        let params = BatchParams {
            receivers: params.columns,
            first_receiver: params.first_column,
            givers: params.rows,
            first_giver: params.first_row,
            part: params.rows,
            parts: 1,
            first_sum: params.first_column,
            adds: adds.into(),
            ..params
        };
        self.gather(params, true)
    }

    fn gather_to_anchors(&mut self, params: BatchParams, adds: bool) -> Result<(), Error> {
        let Layout { rows, parts, part, .. } = self.layout;
        let params = BatchParams {
            receivers: params.rows,
            first_receiver: params.first_row,
            givers: params.columns,
            first_giver: params.first_column,
            part: part as u32,
            parts: parts as u32,
            ..params
        };
        if parts == 1 {
            return self.gather(BatchParams { first_sum: params.first_receiver, adds: adds.into(), ..params }, false);
        }
        let params = BatchParams { first_sum: rows as u32, ..params };
        self.gather(BatchParams { adds: 0, ..params }, false)?;
        let params = BatchParams { adds: adds.into(), ..params };
        self.step(BatchKernel::Join(self.comparison), self.tuning, params, [params.receivers.into(), 1, 1])
    }

    fn gather(&mut self, params: BatchParams, to_columns: bool) -> Result<(), Error> {
        let lanes = u64::from(self.tuning.workgroup_size);
        let blocks = self.layout.quads / u64::from(self.comparison.tile_quads);
        let workgroups = [u64::from(params.receivers).div_ceil(4 * lanes), blocks, params.parts.into()];
        let comparison = self.comparison;
        self.step(BatchKernel::Gather { comparison, to_columns }, self.tuning, params, workgroups)
    }

    /// The loss, and the gradients in their storage.
    fn finish(&mut self) -> Result<(), Error> {
        let rows = self.layout.rows;
        let mining = self.anchors != Anchors::Softmax;
        let kernel = BatchKernel::Finalize { mining, reduced: self.options.reduction != Reduction::None };
        let walk = |lanes: u64| rows.div_ceil(lanes) + rows.div_ceil(lanes * u64::from(BLOCK)) + 20 * (lanes + 2);
        let tuning = self.widened(walk)?;
        self.step(kernel, tuning, BatchParams { length: rows as u32, ..self.base }, [1, 1, 1])?;
        if !self.has_gradients() || rows == 0 {
            return Ok(());
        }
        if self.anchors == Anchors::Hardest {
            self.gather_mined()?;
        }
        let has_unit = self.comparison.unit != Unit::No;
        if has_unit {
            let (span, workgroups) = self.spread(rows, self.row_iterations());
            let params = BatchParams { length: rows as u32, span: span as u32, ..self.base };
            self.step(BatchKernel::Project(self.comparison), self.tuning, params, [workgroups, 1, 1])?;
        }
        let adds = matches!(self.options.gradients, Gradients::Add { .. });
        let stored = |name: &str| match self.options.gradients {
            Gradients::InPlace => name.to_string(),
            _ => gradient_name(name),
        };
        let embeddings = self.inputs(Shape::Embeddings);
        let names: Vec<String> = embeddings.iter().map(|(name, _)| stored(name)).collect();
        let scales =
            self.inputs(Shape::Scalar).into_iter().map(|(name, dtype)| (stored(name), dtype)).collect::<Vec<_>>();
        let elements = self.signature.batch * self.signature.row;
        for (number, ((_, dtype), name)) in embeddings.into_iter().zip(names).enumerate() {
            let words = if dtype.is_half() { elements.div_ceil(2) } else { elements };
            let lanes = u64::from(self.tuning.workgroup_size);
            let (span, workgroups) = self.spread(words.div_ceil(lanes), 1);
            let params = BatchParams {
                length: words as u32,
                span: (span * lanes) as u32,
                elements: elements as u32,
                first_row: (number as u64 * self.signature.batch) as u32,
                ..self.base
            };
            let kernel = BatchKernel::Finish { dtype, unit: has_unit, adds };
            self.step(kernel, self.tuning, params, [workgroups, 1, 1])?;
            self.of_tensor(name);
        }
        for (name, dtype) in scales {
            let params = BatchParams { elements: 1, ..self.base };
            self.step(BatchKernel::StoreScale { dtype, adds }, self.tuning, params, [1, 1, 1])?;
            self.of_tensor(name);
        }
        Ok(())
    }
}
