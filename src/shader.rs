//! Puts a kernel's WGSL together: a header made from the spec, and whole files from `shaders/`.
//!
//! The text is a function of the [`Kernel`] alone. A variant chooses files and header lines; it never edits a file.

use crate::{
    DType, Gradients, Statistics,
    batch::{BatchBuffer, BatchKernel},
    header,
    regions::RegionLayout,
    spec::{Driver, Input, LossSpec, ShaderFile, Shape, UPSTREAM, shader_file},
    tuning::{Reduce, RowLayout},
};

/// Kernels sum this many values a lane before they add the sum to a total, so that rounding does not grow with the
/// length.
pub(crate) const BLOCK: u32 = 64;

/// Everything a kernel's text depends on: the key of the pipeline cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kernel {
    pub pass: Pass,
    /// Lanes of a workgroup; a power of two.
    pub workgroup_size: u32,
    /// How its lanes add up what they have.
    pub reduce: Reduce,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pass {
    /// The entry points of a loss's driver.
    Loss(LossVariant),
    /// Of a loss of regions: the scores from the sums.
    Scores(LossVariant),
    /// Of a whole batch.
    Batch(BatchKernel),
    /// The sum over workgroups.
    Finalize,
}

/// What makes two kernels of one loss different.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LossVariant {
    pub loss: SpecKey,
    /// The storage type of each input given, in the order of `LossSpec::all_inputs`.
    pub inputs: Vec<Option<DType>>,
    /// The values of the parameters that kernels are compiled for.
    pub compiled: Vec<u32>,
    pub gradients: GradientStore,
    /// How a row loss's rows are shared out; `None` for other losses.
    pub rows: Option<RowLayout>,
    /// How a loss of regions takes its pixels; `None` for other losses.
    pub regions: Option<RegionLayout>,
    /// What else is stored of each row.
    pub statistics: Statistics,
    /// Whether each item's loss is stored.
    pub per_item: bool,
    /// Whether an input shares a buffer with an output: then all are bound for writing, because wgpu tracks whole
    /// buffers.
    pub shared_buffers: bool,
    /// Whether tensors with a value per element are bound as quads of elements.
    pub quads: Quads,
}

/// Whether four elements are loaded and stored at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Quads {
    No,
    /// They are, and what is not a whole quad one by one: the end of a tensor, which needs room up to a whole one, and
    /// where rows are worked on their ends.
    Anywhere,
    /// They are, and each row or box is of whole quads.
    Aligned,
}

/// A spec, compared by name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpecKey(pub &'static LossSpec);

impl PartialEq for SpecKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for SpecKey {}

impl std::hash::Hash for SpecKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum GradientStore {
    Write,
    Add,
    InPlace,
    Skip,
}

impl From<Gradients> for GradientStore {
    fn from(gradients: Gradients) -> Self {
        match gradients {
            Gradients::Write => GradientStore::Write,
            Gradients::Add { .. } => GradientStore::Add,
            Gradients::InPlace => GradientStore::InPlace,
            Gradients::Skip => GradientStore::Skip,
        }
    }
}

/// The entry points: each is a function of that name in a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Entry {
    /// Sums what a mean divides by, where only the device knows it.
    Measure,
    /// Loss and gradients.
    Evaluate,
    /// Of rows by parts, in place of `Evaluate`: the states of the parts, the rows made of them,
    EvaluateParts,
    JoinRows,
    /// for losses with a second walk its sums,
    EvaluateMiddles,
    JoinMiddles,
    /// and the gradients.
    EvaluateGradients,
    /// Of regions, before `EvaluateGradients`: the sums of their parts, and the scores made of them.
    SumRegions,
    ScoreRegions,
    /// The divisor from the sums of `Measure`.
    FinalizeDivisor,
    /// The loss from the sums of `Evaluate`.
    FinalizeLoss,
    /// The same of a loss that is a sum of two terms.
    FinalizeTerms,
    /// Only the counts of `Evaluate`.
    FinalizeItems,
    /// The one entry point of a kernel of a whole batch.
    Batch(&'static str),
}

impl Entry {
    pub fn name(self) -> &'static str {
        match self {
            Entry::Measure => "measure",
            Entry::Evaluate => "evaluate",
            Entry::EvaluateParts => "evaluate_parts",
            Entry::JoinRows => "join_rows",
            Entry::EvaluateMiddles => "evaluate_middles",
            Entry::JoinMiddles => "join_middles",
            Entry::EvaluateGradients => "evaluate_gradients",
            Entry::SumRegions => "sum_regions",
            Entry::ScoreRegions => "score_regions",
            Entry::FinalizeDivisor => "finalize_divisor",
            Entry::FinalizeLoss => "finalize_loss",
            Entry::FinalizeTerms => "finalize_terms",
            Entry::FinalizeItems => "finalize_items",
            Entry::Batch(name) => name,
        }
    }
}

/// What a binding holds; its place in the list is its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    pub role: Role,
    pub writable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Params,
    Input {
        input: &'static str,
        dtype: DType,
    },
    /// Of an input; where gradients overwrite their inputs, the input itself.
    Gradient {
        input: &'static str,
        dtype: DType,
    },
    /// The one tensor that a kernel of a whole batch loads or stores.
    Tensor(DType),
    Loss,
    LogSumExp,
    Argmax,
    HardestPositive,
    HardestNegative,
    Workspace,
    /// The records of rows by parts.
    Rows,
    /// The records of regions: the sums of their parts, and the slopes of their scores.
    Regions,
    /// What the passes of a whole batch leave for each other.
    Batch(BatchBuffer),
}

impl Kernel {
    /// The bindings of group 0, in order: the one source of the WGSL declarations, the bind-group layout and the bind
    /// groups.
    pub fn bindings(&self) -> Vec<Binding> {
        let read = |role| Binding { role, writable: false };
        let write = |role| Binding { role, writable: true };
        let mut bindings = vec![read(Role::Params)];
        match &self.pass {
            Pass::Finalize => bindings.push(write(Role::Loss)),
            Pass::Batch(kernel) => {
                bindings.extend(kernel.bindings());
                return bindings;
            }
            Pass::Scores(variant) => {
                for (input, dtype) in variant.given().filter(|(input, _)| is_of_scores(input)) {
                    let role = Role::Input { input: input.name, dtype };
                    bindings.push(Binding { role, writable: variant.shared_buffers });
                }
                if variant.per_item {
                    bindings.push(write(Role::Loss));
                }
                bindings.push(write(Role::Regions));
            }
            Pass::Loss(variant) => {
                let is_region = variant.regions.is_some();
                let is_left_out = |input: &Input| {
                    variant.gradients == GradientStore::InPlace && input.differentiable
                        || is_region && input.name == UPSTREAM.name
                };
                for (input, dtype) in variant.given().filter(|(input, _)| !is_left_out(input)) {
                    let role = Role::Input { input: input.name, dtype };
                    bindings.push(Binding { role, writable: variant.shared_buffers });
                }
                if variant.gradients != GradientStore::Skip {
                    for (input, dtype) in variant.given().filter(|(input, _)| input.differentiable) {
                        bindings.push(write(Role::Gradient { input: input.name, dtype }));
                    }
                }
                if variant.per_item && !is_region {
                    bindings.push(write(Role::Loss));
                }
                if variant.statistics.log_sum_exp {
                    bindings.push(write(Role::LogSumExp));
                }
                if variant.statistics.argmax {
                    bindings.push(write(Role::Argmax));
                }
                if let Some(RowLayout::Parts { .. }) = variant.rows {
                    bindings.push(write(Role::Rows));
                }
                if is_region {
                    bindings.push(write(Role::Regions));
                }
            }
        }
        bindings.push(write(Role::Workspace));
        bindings
    }

    /// The kernel's text.
    pub fn assemble(&self) -> Assembled {
        let reduce = match self.reduce {
            Reduce::Workgroup => shader_file!("lib/reduce_workgroup.wgsl"),
            Reduce::Subgroup => shader_file!("lib/reduce_subgroup.wgsl"),
            Reduce::SingleSubgroup => shader_file!("lib/reduce_single_subgroup.wgsl"),
        };
        let mut text = Assembled::default();
        let size = self.workgroup_size;
        text.generated(&format!("const WORKGROUP_SIZE: u32 = {size}u;\nconst BLOCK: u32 = {BLOCK}u;\n"));
        text.file(shader_file!("lib/workspace.wgsl"));
        text.file(shader_file!("lib/math.wgsl"));
        text.file(shader_file!("lib/infinity.wgsl"));
        text.file(reduce);
        match &self.pass {
            Pass::Finalize => text.file(shader_file!("drivers/finalize.wgsl")),
            Pass::Batch(kernel) => kernel.assemble(&mut text, &self.bindings(), self.reduce),
            Pass::Loss(variant) | Pass::Scores(variant) => {
                text.generated(&header::header(variant, &self.bindings()));
                text.file(shader_file!("lib/storage.wgsl"));
                text.file(shader_file!("lib/domain.wgsl"));
                text.file(shader_file!("lib/scale.wgsl"));
                match variant.loss.0.driver {
                    Driver::Boxes => text.file(shader_file!("lib/boxes.wgsl")),
                    Driver::Pairs => text.file(shader_file!("lib/distances.wgsl")),
                    _ => {}
                }
                text.file(variant.loss.0.shader);
                match variant.loss.0.driver {
                    Driver::Boxes => {
                        text.file(shader_file!("drivers/boxes.wgsl"));
                        text.file(shader_file!("lib/measure.wgsl"));
                    }
                    Driver::Pairs => {
                        text.file(shader_file!("drivers/pairs.wgsl"));
                        text.file(shader_file!("lib/measure.wgsl"));
                    }
                    Driver::AllPairs(_) => unreachable!("its kernels are of another pass"),
                    Driver::Elementwise => text.file(shader_file!("drivers/elementwise.wgsl")),
                    Driver::Rows(_) => variant.row_files().into_iter().for_each(|file| text.file(file)),
                    Driver::Regions(_) => {
                        let scores = matches!(self.pass, Pass::Scores(_));
                        variant.region_files(scores).into_iter().for_each(|file| text.file(file));
                    }
                }
            }
        }
        text
    }
}

impl LossVariant {
    /// The inputs given, with their types.
    pub fn given(&self) -> impl Iterator<Item = (&'static Input, DType)> + '_ {
        let all = self.loss.0.all_inputs().zip(&self.inputs);
        all.filter_map(|(input, dtype)| dtype.map(|dtype| (input.given_as(dtype), dtype)))
    }

    /// The type of that input, if it is given.
    pub fn dtype(&self, name: &str) -> Option<DType> {
        self.given().find(|(input, _)| input.name == name).map(|(_, dtype)| dtype)
    }

    /// Whether a row loss stores anything for each class.
    pub fn stores_classes(&self) -> bool {
        self.gradients != GradientStore::Skip || self.loss.0.rows().is_some_and(|rows| rows.per_class)
    }

    /// Whether a row loss walks over a row for sums of what the softmax tells; a function with a value per class does so
    /// for its gradient alone.
    pub fn has_middle(&self) -> bool {
        let needed = self.gradients != GradientStore::Skip || self.loss.0.rows().is_some_and(|rows| !rows.per_class);
        self.loss.0.shader.defines("MIDDLE") && needed
    }

    /// Whether the tensor of an input, and its gradient's, is bound as quads of elements.
    pub fn has_quads_of(&self, input: &str) -> bool {
        self.quads != Quads::No && self.loss.0.input(input).is_some_and(|input| self.loss.0.moves_quads_of(input))
    }

    /// Whether the items' losses are bound as quads.
    pub fn stores_losses_in_quads(&self) -> bool {
        self.quads != Quads::No && self.loss.0.moves_quads_of_losses()
    }

    /// What the kernel calls the tensor of an input.
    pub fn stored_name(&self, input: &Input) -> String {
        let overwritten = self.gradients == GradientStore::InPlace && input.differentiable;
        format!("{}_{}", if overwritten { "grad" } else { "input" }, input.name)
    }

    /// Whether several lanes may write to one word of the gradients at a time: halves of rows that share words but not
    /// a lane or a workgroup.
    pub fn stores_atomically(&self) -> bool {
        let shared = match self.rows {
            Some(RowLayout::Lane { pairs, .. }) => !pairs,
            Some(RowLayout::Parts { .. }) => self.quads == Quads::No,
            Some(RowLayout::Workgroup { .. }) => false,
            None => self.regions.is_some_and(|layout| !layout.pairs),
        };
        shared && self.first_dtype().is_some_and(DType::is_half)
    }

    /// The storage type of the first input.
    pub fn first_dtype(&self) -> Option<DType> {
        self.dtype(self.loss.0.inputs[0].name)
    }

    /// What a loss of regions is joined to besides its own hooks.
    fn region_files(&self, scores: bool) -> Vec<ShaderFile> {
        let mut files = vec![shader_file!("lib/regions.wgsl")];
        if !self.loss.0.shader.defines("PIXEL_TERM") {
            files.push(shader_file!("lib/hooks/pixel_term.wgsl"));
        }
        if scores {
            files.push(shader_file!("drivers/score_regions.wgsl"));
        } else {
            let stores_halves = self.gradients != GradientStore::Skip && self.first_dtype().is_some_and(DType::is_half);
            let pairs = stores_halves && self.regions.is_some_and(|layout| layout.pairs);
            files.push(shader_file!("lib/pixels.wgsl"));
            files.push(shader_file!("drivers/sum_regions.wgsl"));
            files.push(shader_file!("drivers/evaluate_regions.wgsl"));
            files.push(match pairs {
                true => shader_file!("lib/store_pixel_pairs.wgsl"),
                false => shader_file!("lib/store_pixel.wgsl"),
            });
        }
        files
    }

    /// What a row loss is joined to besides its own hooks.
    fn row_files(&self) -> Vec<ShaderFile> {
        let hooks = self.loss.0.shader;
        let optional = [
            ("SEES", shader_file!("lib/hooks/logits.wgsl")),
            ("SUMS", shader_file!("lib/hooks/sums.wgsl")),
            ("MIDDLE", shader_file!("lib/hooks/middle.wgsl")),
            ("VALUES", shader_file!("lib/hooks/values.wgsl")),
        ];
        let mut files: Vec<ShaderFile> =
            optional.into_iter().filter(|(hook, _)| !hooks.defines(hook)).map(|(_, file)| file).collect();
        files.push(shader_file!("lib/rows.wgsl"));
        let quads = self.quads != Quads::No;
        files.push(if quads { shader_file!("lib/walk_quads.wgsl") } else { shader_file!("lib/walk.wgsl") });
        files.push(match self.rows {
            Some(RowLayout::Workgroup { cache, .. }) if cache > 0 => shader_file!("lib/row_cache.wgsl"),
            _ => shader_file!("lib/no_row_cache.wgsl"),
        });
        let stores_halves = self.gradients != GradientStore::Skip && self.first_dtype().is_some_and(DType::is_half);
        let store_row = match (quads, stores_halves) {
            (true, _) => shader_file!("lib/store_row_quads.wgsl"),
            (false, true) => shader_file!("lib/store_row_half.wgsl"),
            (false, false) => shader_file!("lib/store_row.wgsl"),
        };
        files.extend(match self.rows {
            Some(RowLayout::Lane { pairs: true, .. }) if stores_halves => {
                [shader_file!("lib/store_lane_pairs.wgsl"), shader_file!("drivers/rows_by_lane.wgsl")]
            }
            Some(RowLayout::Lane { .. }) => {
                [shader_file!("lib/store_lane.wgsl"), shader_file!("drivers/rows_by_lane.wgsl")]
            }
            Some(RowLayout::Workgroup { .. }) => [store_row, shader_file!("drivers/rows_by_workgroup.wgsl")],
            Some(RowLayout::Parts { .. }) | None => [store_row, shader_file!("drivers/rows_by_parts.wgsl")],
        });
        files
    }
}

/// Whether an input is about the scores of regions, not about their pixels.
fn is_of_scores(input: &Input) -> bool {
    matches!(input.shape, Shape::Classes | Shape::OneOrItems)
}

/// A kernel's text, and where each line of it comes from.
#[derive(Debug, Default)]
pub(crate) struct Assembled {
    pub source: String,
    /// The first line (from 0) of each part, and the part's name.
    parts: Vec<(usize, &'static str)>,
}

impl Assembled {
    pub fn file(&mut self, file: ShaderFile) {
        self.part(file.path, file.source);
    }

    pub fn generated(&mut self, text: &str) {
        self.part("generated header", text);
    }

    fn part(&mut self, name: &'static str, text: &str) {
        self.parts.push((self.source.lines().count(), name));
        self.source.push_str(text);
    }

    /// File and line of a line (from 1) of the text.
    pub fn locate(&self, line: usize) -> String {
        let line = line.saturating_sub(1);
        let part = self.parts.iter().rev().find(|(first, _)| *first <= line);
        part.map_or_else(|| "?".to_string(), |(first, name)| format!("{name}:{}", line - first + 1))
    }

    /// File and line of the place that a compiler's message names as `wgsl:LINE:COLUMN`.
    pub fn locate_in(&self, message: &str) -> String {
        let line = message.split("wgsl:").nth(1).and_then(|rest| rest.split(':').next()?.parse().ok());
        line.map_or_else(|| "?".to_string(), |line| self.locate(line))
    }
}
