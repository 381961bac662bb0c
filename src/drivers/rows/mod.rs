//! Losses and functions of rows of classes: one item a row.

mod glue;
pub(super) mod layout;

#[cfg(feature = "parity")]
use super::trials::{Arrangement, TrialShape, Trials};
use super::{
    At, Binding, Call, CallTensor, Extent, Role, Room, Statistic,
    items::{self, Entry, Items, RECORDS},
    needs::Need,
    own_statistics, views_of,
};
use crate::{
    DType, Error, Reduction,
    extra::Extra,
    gpu::Machine,
    kernel::{Access, Holds, Kernel, TensorView, block},
    program::{
        Program, Step,
        chunk::{Chunk, Operand, Split, Start},
        workspace::WorkspaceHeader,
    },
    spec::{
        CLASS_OFFSET, CLASS_WEIGHT, CLASSES_LEFT_OUT, Domain, Input, LossSpec, MeanOver, RowHooks, Rows, ShaderFile,
        Shape, Values, shader_file,
    },
};
use layout::{RowLayout, RowLoops, RowShape, layout_of, split_of};

/// The statistic of all rows that is about the target.
const LOG_PROB: &str = "log_prob";

/// Whether a statistic is about what the loss is about, and 0 where a row does not count.
pub(super) fn is_of_counted(spec: &LossSpec, statistic: &str) -> bool {
    statistic == LOG_PROB || own_statistics(spec).any(|own| own.name == statistic)
}

impl Room for Rows {
    fn extent(&self, values: &Values, shape: &[usize]) -> Result<Extent, String> {
        let extent = Extent::of_one_or_more_rows(shape, (self.least_classes)(values))?;
        Ok(if self.per_class { Extent { result_shape: shape.to_vec(), ..extent } } else { extent })
    }

    fn symbols(&self) -> [&'static str; 2] {
        ["[N, d…]", if self.per_class { "[1] or [N, C, d…]" } else { "[1] or [N, d…]" }]
    }

    fn needs(&self) -> Vec<Need> {
        let of_class_weights = Need {
            what: "a mean over class weights has class indices `target` and `CLASS_WEIGHT`",
            is_met: |spec| ["target", CLASS_WEIGHT.name].iter().all(|name| spec.input(name).is_some()),
        };
        let of_own_values = Need {
            what: "inputs of one value a row besides class indices and `weight` go with the hook `item_outcome`, \
                   `RowHooks::OwnValues`, and where their values are checked with class indices",
            is_met: |spec| {
                let own: Vec<&Input> = spec.own_values().collect();
                let is_checked = own.iter().any(|input| input.domain.is_checked());
                let has_labels = spec.inputs.iter().any(Input::is_index_of_item);
                spec.rows().is_some_and(|rows| rows.has(RowHooks::OwnValues) != own.is_empty())
                    && (has_labels || !is_checked)
            },
        };
        let is_over_weights = self.mean_over == MeanOver::ClassWeights;
        is_over_weights.then_some(of_class_weights).into_iter().chain([of_own_values]).collect()
    }

    fn takes_row_strides(&self) -> bool {
        true
    }

    fn takes_weights_by_row(&self) -> bool {
        true
    }

    fn statistics(&self, spec: &LossSpec) -> Vec<Statistic> {
        let mut statistics = vec![Statistic { name: "argmax", tensors: &[("argmax", DType::I32)] }];
        if !self.softmax_of.is_empty() {
            statistics.push(Statistic { name: "log_sum_exp", tensors: &[("log_sum_exp", DType::F32)] });
            statistics.push(Statistic { name: "entropy", tensors: &[("entropy", DType::F32)] });
            if spec.inputs.iter().any(|input| input.is_index_of_item() && !input.optional) {
                statistics.push(Statistic { name: LOG_PROB, tensors: &[(LOG_PROB, DType::F32)] });
            }
        }
        statistics.extend(own_statistics(spec));
        statistics
    }

    fn refuses(&self, loss: &'static str, reduction: Reduction) -> Option<Error> {
        let has_none = self.per_class && reduction != Reduction::None;
        has_none.then_some(Error::PerClassReduction { loss, reduction })
    }

    fn program(&self, call: &Call<'_>) -> Result<Program, Error> {
        let (mut items, entries) = evaluation(call, *self)?;
        items.measure()?;
        entries.into_iter().for_each(|entry| items.each_chunk(entry));
        items.ended()
    }

    fn extras(&self, call: &Call<'_>, found: &WorkspaceHeader) -> Vec<Extra> {
        call.signature.has_labels().then(|| Extra::Correct(found.correct())).into_iter().collect()
    }

    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement> {
        let w = trials.lanes;
        let mut gaps = trials.arrangement(&[17, 9], &[], &[]);
        gaps.middle.gap = 4;
        // Of either parity.
        for (shape, gap) in [([5, 10], 6), ([6, 7], 4), ([6, 7], 1), ([9, 64], 3), ([3, 300], 1), ([4, 301], 7)] {
            gaps.others.push(TrialShape::with_gap(&shape, gap));
        }
        if trials.full {
            // Whole quads.
            gaps.others.push(TrialShape::with_gap(&[9, 64], 4));
        }
        let few: &[&[usize]] = &[&[5], &[1, 1], &[1, 2], &[2, 1], &[3, 3], &[65, 2], &[5, 10], &[2, 5, 1], &[257, 3]];
        let many: &[&[usize]] = &[&[33, w.max(2) - 1], &[16, w + 1], &[2, 257], &[3, 20 * w + 1]];
        let more: &[&[usize]] = &[&[3, 4099], &[4099, 7], &[7, 64 * w + 1], &[3, 50_257]];
        vec![
            trials.arrangement(&[17, 9], &[few, many].concat(), more),
            // Whole quads.
            trials.arrangement(
                &[17, 12],
                &[&[17, w], &[5, 68], &[7, 16 * w + 4]],
                &[&[64, 1000], &[2, 32_000], &[2, 128_256], &[1, 262_144]],
            ),
            gaps,
            // Classes apart, with odd and even distances.
            trials.arrangement(
                &[3, 7, 5],
                &[&[2, 3, 5], &[1, 4, 3], &[2, 21, 9, 7]],
                &[&[2, 10, 33, 31], &[1, 4099, 3]],
            ),
            trials.arrangement(&[3, 7, 6], &[&[1, 4, 2], &[3, 7, 4, 4]], &[&[2, 257, 6, 5]]),
        ]
    }
}

/// The rows of a call whose logits are in memory a panel at a time.
pub(super) struct InPanels {
    /// What comes before all panels: the divisor, where the device finds it.
    pub first: Vec<Step>,
    /// What becomes of each panel once its logits are there.
    pub panels: Vec<(Chunk, Vec<Step>)>,
    /// The scratch, and what comes after all panels.
    pub rest: Program,
}

/// The program of rows by panels; see [`Panels`](super::Panels).
pub(super) fn in_panels(call: &Call<'_>, rows: Rows) -> Result<InPanels, Error> {
    let (mut items, entries) = evaluation(call, rows)?;
    items.measure()?;
    let first = std::mem::take(&mut items.program.steps);
    let steps = |chunk| entries.iter().map(|&entry| items.step(chunk, entry)).collect();
    let panels = items.chunks.iter().enumerate().map(|(number, &chunk)| (chunk, steps(number))).collect();
    Ok(InPanels { first, panels, rest: items.ended()? })
}

/// The rows of a call, and the entry points that evaluate them, one after the other.
fn evaluation<'a>(call: &'a Call<'a>, rows: Rows) -> Result<(Items<'a>, Vec<Entry>), Error> {
    let shape = shape(call, rows);
    let (layout, tuning) = layout_of(call.machine, shape);
    let loops = RowLoops { tuning, layout, shape };
    let quads = if call.roomy { quads(call, rows, layout) } else { Quads::No };
    let what = format!("{}: a row of {} classes", call.loss(), shape.classes);
    let split = split_of(call.machine, loops, &what)?;
    let start = Start::Behind(call.machine.aligned_elements());
    let tensors =
        items::operands(call, |tensor| quads.takes(tensor.role, call.machine) && is_of_classes(call, rows, tensor));
    let tensors = tensors.into_iter().map(|(tensor, operand)| {
        let anew = call.panels.is_some_and(|panels| panels.inputs.contains(&&*tensor.name));
        (tensor, Operand { start, anew, ..operand })
    });
    let items = Items::new(call, tuning, split, items::divisor(call), tensors.collect())?;
    let form = Form { call, rows, layout, quads };
    let bindings = form.bindings(&items);
    let kernel = form.kernel(&items, &bindings);
    let items = items.with_kernel(kernel, bindings, |items, chunk| {
        let signature = items.call.signature;
        let Split { tally_span, parts, part_columns, .. } = items.split;
        // Of one value an item, and of rows of so many elements from one to the next.
        let item_base = start.base(chunk.first) as u32;
        let base = |stride: u64| start.base(chunk.first / signature.class_stride.max(1) * stride) as u32;
        let base_of = |place: usize| {
            let name = signature.inputs.get(place).map_or("", |(input, _)| input.name);
            let anew = call.panels.is_some_and(|panels| panels.inputs.contains(&name));
            if anew { 0 } else { base(signature.row_stride(place)) }
        };
        let words = items.words(chunk).and(block! {
            tally_span,
            parts,
            part_columns,
            classes: signature.row as u32,
            class_stride: signature.class_stride as u32,
            row_stride: signature.row_stride(0) as u32,
            second_stride: signature.row_stride(1) as u32,
            item_base,
            row_base: base_of(0),
            second_base: base_of(1),
            value_base: base(signature.row * signature.class_stride),
        });
        match signature.input(CLASSES_LEFT_OUT.name).and_then(|ty| ty.shape.last()) {
            Some(&left_out_words) => words.and(block! {
                left_out_words: left_out_words as u32,
                left_out_base: base(left_out_words as u64),
            }),
            None => words,
        }
    });
    let RowLayout::Parts { .. } = layout else {
        return Ok((items, vec![Entry::new("evaluate", loops.evaluate(split.span.into()))]));
    };
    let parts = loops.parts(split.span.into(), split.part_columns.into());
    let join = loops.join(split.tally_span.into(), split.parts.into());
    let mut entries = vec![Entry::new("evaluate_parts", parts), Entry::of_partials("join_rows", join)];
    if form.has_middle() {
        entries.extend([Entry::new("evaluate_middles", parts), Entry::of_partials("join_middles", join)]);
    }
    if form.stores_classes() {
        entries.push(Entry::new("evaluate_gradients", parts));
    }
    Ok((items, entries))
}

/// What takes the place of the groups of hooks that a loss has not.
pub(super) const HOOKS: [(RowHooks, ShaderFile); 6] = [
    (RowHooks::Logits, shader_file!("drivers/rows/hooks/logits.wgsl")),
    (RowHooks::Sums, shader_file!("drivers/rows/hooks/sums.wgsl")),
    (RowHooks::Middle, shader_file!("drivers/rows/hooks/middle.wgsl")),
    (RowHooks::Values, shader_file!("drivers/rows/hooks/values.wgsl")),
    (RowHooks::Excess, shader_file!("drivers/rows/hooks/excess.wgsl")),
    (RowHooks::Entropy, shader_file!("drivers/rows/hooks/entropy.wgsl")),
];

/// What hands the index of a row to the hooks of a loss that has values of its own for each.
pub(super) const OWN_VALUES: ShaderFile = shader_file!("drivers/rows/own_values.wgsl");

/// Whether four elements are loaded and stored at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quads {
    No,
    /// They are, and what is not a whole quad, the ends of rows, one by one. Then rows share quads: where a store of
    /// one component may write its whole vector, what is written is bound by elements.
    Anywhere,
    /// They are, and each row is of whole quads.
    Aligned,
}

impl Quads {
    /// Whether a tensor of classes is bound by quads.
    fn takes(self, role: Role, machine: &Machine) -> bool {
        match self {
            Quads::No => false,
            Quads::Anywhere => machine.stores_components || !role.is_output(),
            Quads::Aligned => true,
        }
    }
}

/// The rows of a call.
fn shape(call: &Call<'_>, rows: Rows) -> RowShape {
    let signature = call.signature;
    let row_strides = [signature.row_stride(0), signature.row_stride(1)];
    let is_half = call.first_dtype().is_half();
    let besides = [
        (has_offsets(call), layout::OFFSET_REDUCTIONS),
        (call.options.statistics.entropy || rows.has(RowHooks::Entropy), 1),
        (rows.has(RowHooks::Excess), 1),
    ];
    let besides: u64 = besides.iter().filter(|(has, _)| *has).map(|(_, reductions)| reductions).sum();
    RowShape {
        rows: call.panels.map_or(signature.items, |panels| panels.rows.min(signature.items)),
        classes: signature.row,
        class_stride: signature.class_stride.max(1),
        row_strides,
        walks: if rows.has(RowHooks::Middle) { 3 } else { 2 },
        rows_of_words: if is_half && !row_strides[0].is_multiple_of(2) { 2 } else { 1 },
        state_reductions: layout::STATE_REDUCTIONS + besides,
    }
}

/// Whether each class has an offset.
fn has_offsets(call: &Call<'_>) -> bool {
    call.dtype(CLASS_OFFSET.name).is_some()
}

/// Whether kernels take four elements at once, where buffers have room for it.
fn quads(call: &Call<'_>, rows: Rows, layout: RowLayout) -> Quads {
    let signature = call.signature;
    let strides = [signature.row_stride(0), if rows.per_class { signature.row } else { signature.row_stride(1) }];
    let has_second = rows.per_class || call.spec().second_rows().is_some();
    if !layout.runs_along_classes() {
        Quads::No
    } else if signature.row.is_multiple_of(4) && strides.iter().all(|stride| stride.is_multiple_of(4)) {
        Quads::Aligned
    } else if !call.first_dtype().is_half() && (!has_second || strides[0] % 4 == strides[1] % 4) {
        // Quads of both inputs, or of the values of all classes, begin at the same columns. Halves before and behind
        // whole quads would share words.
        Quads::Anywhere
    } else {
        Quads::No
    }
}

/// Whether a tensor has a value for each class.
fn is_of_classes(call: &Call<'_>, rows: Rows, tensor: &CallTensor) -> bool {
    match tensor.role.input().map(|input| input.shape) {
        Some(Shape::Rows) => true,
        Some(Shape::OneOrItems) => rows.per_class,
        Some(_) => false,
        None => rows.per_class && tensor.role == Role::Loss && call.is_per_item(),
    }
}

/// What kernels of rows are made from.
struct Form<'a> {
    call: &'a Call<'a>,
    rows: Rows,
    layout: RowLayout,
    quads: Quads,
}

impl Form<'_> {
    fn bindings(&self, items: &Items<'_>) -> Vec<Binding> {
        let mut bindings = items.bindings();
        if self.stores_atomically() {
            for Binding { view, .. } in bindings.iter_mut().filter(|binding| binding.view.name.starts_with("grad_")) {
                view.access = Access::Atomic;
            }
        }
        if let RowLayout::Parts { .. } = self.layout {
            let records = TensorView::new("rows", Holds::Values("Row"), Access::Write);
            let workspace = bindings.pop();
            bindings.push(Binding { view: records, at: At::Records(RECORDS) });
            bindings.extend(workspace);
        }
        bindings
    }

    /// Whether anything is stored for each class.
    fn stores_classes(&self) -> bool {
        self.call.has_gradients() || self.rows.per_class
    }

    /// Whether a row is walked over for sums of what the softmax tells; a function with a value per class does so for
    /// its gradient alone.
    fn has_middle(&self) -> bool {
        self.rows.has(RowHooks::Middle) && (self.call.has_gradients() || !self.rows.per_class)
    }

    fn stores_halves(&self) -> bool {
        self.call.has_gradients() && self.call.first_dtype().is_half()
    }

    /// Whether several lanes may write to one word of the gradients at a time: halves of rows that share words but not
    /// a lane or a workgroup.
    fn stores_atomically(&self) -> bool {
        let is_shared = match self.layout {
            RowLayout::Lane { pairs, .. } => !pairs,
            RowLayout::Parts { .. } => self.quads == Quads::No,
            RowLayout::Workgroup { .. } => false,
        };
        is_shared && self.call.first_dtype().is_half()
    }

    fn kernel(&self, items: &Items<'_>, bindings: &[Binding]) -> Kernel {
        let Form { call, rows, layout, quads } = *self;
        let spec = call.spec();
        let second = spec.second_rows();
        let checks_classes = second.is_some() || call.dtype(CLASS_WEIGHT.name).is_some();
        let statistics = call.options.statistics;
        let mut kernel = Kernel::new(items.tuning.workgroup_size, items.tuning.reduce).with_params(call.values);
        kernel.flags(&[
            ("SOFTMAX", !rows.softmax_of.is_empty()),
            ("SECOND_SOFTMAX", rows.softmax_of.len() > 1),
            ("LOG_PROBABILITIES", spec.inputs[0].domain == Domain::LogProbability),
            ("HAS_SECOND", second.is_some()),
            ("SECOND_IS_PROBABILITY", second.is_some_and(|second| second.domain == Domain::Probability)),
            ("HAS_TARGET", call.signature.has_labels()),
            ("PER_CLASS", rows.per_class),
            ("CHECKS_CLASSES", checks_classes),
            ("WEIGHTS_BY_ROW", call.signature.is_by_row(&CLASS_WEIGHT)),
            ("STATISTICS", statistics.asked().next().is_some()),
            ("ENTROPY", statistics.entropy),
            ("CONTIGUOUS", layout.is_contiguous()),
            ("STORES", self.stores_classes()),
            ("GRADIENTS", call.has_gradients()),
            ("ALIGNED", quads == Quads::Aligned),
            ("IN_PLACE", call.is_in_place()),
            ("MEAN_OVER_CLASS_WEIGHTS", rows.mean_over == MeanOver::ClassWeights),
        ]);
        if has_offsets(call) {
            kernel.flags(&[("OFFSETS_BY_ROW", call.signature.is_by_row(&CLASS_OFFSET))]);
        }
        if let RowLayout::Workgroup { cache } = layout {
            kernel.constant("ROW_CACHE", cache);
        }
        kernel.tensors = views_of(bindings);
        kernel.glue = glue::glue(call, rows, quads != Quads::No, &kernel.tensors).0;
        kernel.join([
            shader_file!("lib/domain.wgsl"),
            shader_file!("lib/scale.wgsl"),
            shader_file!("lib/share.wgsl"),
            spec.shader,
        ]);
        kernel.join(call.own_statistics().map(|own| own.file));
        kernel.join(self.files());
        kernel
    }

    /// What the hooks are joined to.
    fn files(&self) -> Vec<ShaderFile> {
        let absent = HOOKS.into_iter().filter(|(hooks, _)| !self.rows.has(*hooks));
        let mut files: Vec<ShaderFile> = absent.map(|(_, file)| file).collect();
        files.push(match has_offsets(self.call) {
            true => shader_file!("drivers/rows/offsets.wgsl"),
            false => shader_file!("drivers/rows/no_offsets.wgsl"),
        });
        files.push(match self.call.dtype(CLASSES_LEFT_OUT.name) {
            Some(_) => shader_file!("drivers/rows/some_classes.wgsl"),
            None => shader_file!("drivers/rows/all_classes.wgsl"),
        });
        files.push(shader_file!("drivers/rows/state.wgsl"));
        files.extend(self.rows.has(RowHooks::OwnValues).then_some(OWN_VALUES));
        let tells = self.call.own_statistics().next().is_some();
        files.extend(tells.then_some(shader_file!("drivers/rows/own_statistics.wgsl")));
        files.push(shader_file!("drivers/rows/rows.wgsl"));
        let quads = self.quads != Quads::No;
        files.push(match quads {
            true => shader_file!("drivers/rows/walk_quads.wgsl"),
            false => shader_file!("drivers/rows/walk.wgsl"),
        });
        files.push(match self.layout {
            RowLayout::Workgroup { cache } if cache > 0 => shader_file!("drivers/rows/row_cache.wgsl"),
            _ => shader_file!("drivers/rows/no_row_cache.wgsl"),
        });
        let store_row = match (quads, self.stores_halves()) {
            (true, _) => shader_file!("drivers/rows/store_row_quads.wgsl"),
            (false, true) => shader_file!("drivers/rows/store_row_half.wgsl"),
            (false, false) => shader_file!("drivers/rows/store_row.wgsl"),
        };
        files.extend(match self.layout {
            RowLayout::Lane { pairs: true, .. } if self.stores_halves() => {
                [shader_file!("drivers/rows/store_lane_pairs.wgsl"), shader_file!("drivers/rows/by_lane.wgsl")]
            }
            RowLayout::Lane { .. } => {
                [shader_file!("drivers/rows/store_lane.wgsl"), shader_file!("drivers/rows/by_lane.wgsl")]
            }
            RowLayout::Workgroup { .. } => [store_row, shader_file!("drivers/rows/by_workgroup.wgsl")],
            RowLayout::Parts { .. } => [store_row, shader_file!("drivers/rows/by_parts.wgsl")],
        });
        files
    }
}
