//! The kernels of a whole batch: what makes them different, what they bind, and the files they are made of.

use std::fmt::Write as _;

use crate::{
    DType,
    header::{BATCH_PARAMS, Header},
    shader::{Assembled, Binding, GradientStore, LossVariant, Role},
    spec::{Anchors, Input, Kind, LossSpec, ShaderFile, Shape, UPSTREAM, Values, WEIGHT, shader_file},
    tuning::Reduce,
};

/// What the value of a pair is made of; each is a file `shaders/lib/measure_….wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Measure {
    Similarity,
    Difference,
    Cosine,
}

/// Whether rows are brought to unit length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Unit {
    /// They stay as they are.
    No,
    /// They are divided by their length, but for a least one.
    Floored,
    /// They are divided by their length.
    Exact,
}

/// How embeddings are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Comparison {
    pub measure: Measure,
    pub unit: Unit,
    /// Whether the scale of all values is an input.
    pub scale_is_input: bool,
    /// Quads of a tile's rows.
    pub tile_quads: u32,
}

impl Comparison {
    pub fn new(spec: &LossSpec, values: &Values, dimensions: u64) -> Self {
        let is_similarity = spec.all_pairs().is_some_and(|batch| batch.anchors == Anchors::Softmax);
        let is_plain = values.has("normalize") && !values.flag("normalize");
        let (measure, unit) = if is_similarity {
            (Measure::Similarity, if is_plain { Unit::No } else { Unit::Floored })
        } else if values.word::<crate::Distance>("distance") == crate::Distance::Cosine {
            (Measure::Cosine, Unit::Exact)
        } else {
            (Measure::Difference, Unit::No)
        };
        let scale_is_input = spec.inputs.iter().any(|input| input.shape == Shape::Scalar);
        // As many as fill rows without much behind their ends.
        let quads = dimensions.div_ceil(4);
        let wastes_little = |tile: &u64| (quads.div_ceil(*tile) * tile - quads) <= quads / 8;
        let tile_quads = [4, 2].into_iter().find(wastes_little).unwrap_or(1) as u32;
        Comparison { measure, unit, scale_is_input, tile_quads }
    }

    /// Quads of a row, zeros behind its end included.
    pub fn quads(self, dimensions: u64) -> u64 {
        let tile = u64::from(self.tile_quads);
        dimensions.div_ceil(4).div_ceil(tile) * tile
    }

    fn is_cosine(self) -> bool {
        self.measure == Measure::Cosine
    }

    /// Whether a row is drawn to another less itself: exact for close ones, and where rows have unit length the part along
    /// the row is taken away anyhow.
    fn has_differences(self) -> bool {
        self.measure != Measure::Similarity || self.unit != Unit::No
    }
}

/// The kernels, in the order in which they run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BatchKernel {
    /// Rows of an input as quads of f32.
    Prepare {
        dtype: DType,
        unit: Unit,
    },
    LoadScale {
        dtype: DType,
    },
    /// The values of the panel's pairs.
    Measure(Comparison),
    /// Of losses that sort, the lists, and a step of the sorting.
    List(LossVariant),
    Sort,
    /// Each anchor's loss, and its slopes in place of the values.
    Select(LossVariant, Comparison),
    /// What pairs add to the rows' gradients, and the sum of its parts.
    Gather {
        comparison: Comparison,
        to_columns: bool,
    },
    Join(Comparison),
    /// The sums over all anchors.
    Finalize {
        mining: bool,
        reduced: bool,
    },
    /// Of losses of the hardest rows, which anchors have mined a row, and what that adds to its gradient.
    ListMined,
    GatherMined(Comparison),
    /// What a row of unit length adds to its own gradient.
    Project(Comparison),
    /// Gradients in their storage type.
    Finish {
        dtype: DType,
        unit: bool,
        adds: bool,
    },
    StoreScale {
        dtype: DType,
        adds: bool,
    },
}

/// What the passes of a whole batch leave for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BatchBuffer {
    Rows,
    Records,
    Panel,
    Lists,
    Sums,
}

impl BatchBuffer {
    pub const ALL: [Self; 5] = [Self::Rows, Self::Records, Self::Panel, Self::Lists, Self::Sums];

    /// Its name in kernels, and its type there.
    pub const fn declaration(self) -> (&'static str, &'static str) {
        match self {
            BatchBuffer::Rows => ("rows", "array<vec4<f32>>"),
            BatchBuffer::Records => ("records", "array<Record>"),
            BatchBuffer::Panel => ("panel", "array<f32>"),
            BatchBuffer::Lists => ("lists", "array<u32>"),
            BatchBuffer::Sums => ("sums", "array<vec4<f32>>"),
        }
    }
}

impl BatchKernel {
    /// The loss whose hooks or parameters it has.
    pub fn loss(&self) -> Option<&'static LossSpec> {
        match self {
            BatchKernel::List(variant) | BatchKernel::Select(variant, _) => Some(variant.loss.0),
            _ => None,
        }
    }

    /// What messages and labels call the kernel.
    pub fn name(&self) -> &'static str {
        self.loss().map_or_else(|| self.entry(), |loss| loss.name)
    }

    /// Its entry point.
    pub const fn entry(&self) -> &'static str {
        match self {
            BatchKernel::Prepare { .. } => "prepare",
            BatchKernel::LoadScale { .. } => "load_scale",
            BatchKernel::Measure(_) => "measure_pairs",
            BatchKernel::List(_) => "list_pairs",
            BatchKernel::Sort => "sort",
            BatchKernel::Select(..) => "select_pairs",
            BatchKernel::Gather { .. } => "gather",
            BatchKernel::Join(_) => "join",
            BatchKernel::Finalize { .. } => "finalize_batch",
            BatchKernel::ListMined => "list_mined",
            BatchKernel::GatherMined(_) => "gather_mined",
            BatchKernel::Project(_) => "project",
            BatchKernel::Finish { .. } => "finish",
            BatchKernel::StoreScale { .. } => "store_scale",
        }
    }

    /// The bindings of group 0, in order, apart from the parameters.
    pub fn bindings(&self) -> Vec<Binding> {
        use BatchBuffer::{Lists, Panel, Records, Rows, Sums};
        let read = |role| Binding { role, writable: false };
        let write = |role| Binding { role, writable: true };
        let own = |buffer| read(Role::Batch(buffer));
        let left = |buffer| write(Role::Batch(buffer));
        let mut bindings = match self {
            BatchKernel::Prepare { dtype, .. } => vec![read(Role::Tensor(*dtype)), left(Rows), left(Records)],
            BatchKernel::LoadScale { dtype } => vec![read(Role::Tensor(*dtype))],
            BatchKernel::Measure(_) => vec![own(Rows), own(Records), left(Panel)],
            BatchKernel::List(_) => vec![own(Panel), left(Lists), left(Records)],
            BatchKernel::Sort => vec![left(Lists)],
            BatchKernel::Select(variant, _) => {
                let sorts = variant.loss.0.all_pairs().is_some_and(|batch| batch.anchors == Anchors::Sorted);
                let lists = sorts.then_some(left(Lists));
                [left(Panel), left(Records)].into_iter().chain(lists).collect()
            }
            BatchKernel::Gather { .. } => vec![own(Rows), own(Records), own(Panel), left(Sums)],
            BatchKernel::Join(_) => vec![left(Sums)],
            BatchKernel::Finalize { .. } => vec![write(Role::Loss), own(Records), write(Role::Workspace)],
            BatchKernel::ListMined => vec![own(Records), left(Lists)],
            BatchKernel::GatherMined(_) => {
                vec![own(Rows), own(Records), own(Lists), read(Role::Workspace), left(Sums)]
            }
            BatchKernel::Project(_) => vec![own(Rows), left(Records), own(Sums)],
            BatchKernel::Finish { dtype, .. } => {
                vec![own(Rows), own(Records), own(Sums), read(Role::Workspace), write(Role::Tensor(*dtype))]
            }
            BatchKernel::StoreScale { dtype, .. } => vec![read(Role::Workspace), write(Role::Tensor(*dtype))],
        };
        match self {
            BatchKernel::LoadScale { .. } => bindings.push(write(Role::Workspace)),
            BatchKernel::Measure(comparison) | BatchKernel::Select(_, comparison) if comparison.scale_is_input => {
                bindings.push(read(Role::Workspace));
            }
            _ => {}
        }
        if let BatchKernel::List(variant) | BatchKernel::Select(variant, _) = self {
            for (input, dtype) in variant.given().filter(|(input, _)| self.takes(input)) {
                let role = Role::Input { input: input.name, dtype };
                bindings.push(Binding { role, writable: variant.shared_buffers });
            }
        }
        if let BatchKernel::Select(variant, _) = self {
            if variant.per_item {
                bindings.push(write(Role::Loss));
            }
            if variant.statistics.hardest {
                bindings.extend([write(Role::HardestPositive), write(Role::HardestNegative)]);
            }
        }
        bindings
    }

    /// Whether it takes an input as the caller gives it.
    fn takes(&self, input: &Input) -> bool {
        let labels = input.kind == Kind::Index;
        match self {
            BatchKernel::List(_) => labels,
            BatchKernel::Select(variant, _) => {
                let sorts = variant.loss.0.all_pairs().is_some_and(|batch| batch.anchors == Anchors::Sorted);
                labels && !sorts || [WEIGHT.name, UPSTREAM.name].contains(&input.name)
            }
            _ => false,
        }
    }

    /// What follows the parts that all kernels have.
    pub fn assemble(&self, text: &mut Assembled, bindings: &[Binding], reduce: Reduce) {
        text.file(shader_file!("lib/batch.wgsl"));
        text.file(shader_file!("lib/wide.wgsl"));
        let is_finalize = matches!(self, BatchKernel::Finalize { .. });
        // The bindings of the sums stand in its file.
        text.generated(&self.header(if is_finalize { &[] } else { bindings }));
        self.files(reduce).into_iter().for_each(|file| text.file(file));
    }

    fn files(&self, reduce: Reduce) -> Vec<ShaderFile> {
        let tile = match reduce {
            Reduce::SingleSubgroup => shader_file!("lib/tile_subgroup.wgsl"),
            Reduce::Workgroup | Reduce::Subgroup => shader_file!("lib/tile_workgroup.wgsl"),
        };
        let storage = shader_file!("lib/storage.wgsl");
        let scale = shader_file!("lib/scale.wgsl");
        match self {
            BatchKernel::Prepare { .. } => vec![storage, shader_file!("drivers/batch/prepare.wgsl")],
            BatchKernel::LoadScale { .. } => vec![storage, shader_file!("drivers/batch/load_scale.wgsl")],
            BatchKernel::Measure(comparison) => {
                let measure = match comparison.measure {
                    Measure::Similarity => shader_file!("lib/measure_similarity.wgsl"),
                    Measure::Difference => shader_file!("lib/measure_difference.wgsl"),
                    Measure::Cosine => shader_file!("lib/measure_cosine.wgsl"),
                };
                vec![tile, measure, shader_file!("drivers/batch/measure.wgsl")]
            }
            BatchKernel::List(variant) => {
                let mut files = vec![shader_file!("lib/distance.wgsl"), shader_file!("lib/relation.wgsl")];
                files.extend(default_relation(variant));
                files.push(shader_file!("drivers/batch/list.wgsl"));
                files
            }
            BatchKernel::Sort => vec![shader_file!("drivers/batch/sort.wgsl")],
            BatchKernel::Select(variant, comparison) => {
                let mut files = vec![storage];
                files.extend(match comparison.measure {
                    Measure::Similarity => vec![shader_file!("lib/slope_of_similarity.wgsl")],
                    Measure::Difference | Measure::Cosine => {
                        vec![shader_file!("lib/distance.wgsl"), shader_file!("lib/slope_of_distance.wgsl")]
                    }
                });
                let anchors = variant.loss.0.all_pairs().map(|batch| batch.anchors);
                if anchors != Some(Anchors::Sorted) {
                    files.push(shader_file!("lib/relation.wgsl"));
                    files.extend(default_relation(variant));
                }
                files.push(variant.loss.0.shader);
                files.push(match anchors {
                    Some(Anchors::Softmax) => shader_file!("drivers/batch/select_softmax.wgsl"),
                    Some(Anchors::Hardest) => shader_file!("drivers/batch/select_hardest.wgsl"),
                    Some(Anchors::Sorted) | None => shader_file!("drivers/batch/select_sorted.wgsl"),
                });
                files
            }
            BatchKernel::Gather { .. } => vec![tile, shader_file!("drivers/batch/gather.wgsl")],
            BatchKernel::Join(_) => vec![shader_file!("drivers/batch/join.wgsl")],
            BatchKernel::Finalize { .. } => vec![shader_file!("drivers/batch/finalize.wgsl")],
            BatchKernel::ListMined => vec![shader_file!("drivers/batch/list_mined.wgsl")],
            BatchKernel::GatherMined(_) => vec![shader_file!("drivers/batch/gather_mined.wgsl")],
            BatchKernel::Project(_) => vec![shader_file!("drivers/batch/project.wgsl")],
            BatchKernel::Finish { .. } => vec![storage, scale, shader_file!("drivers/batch/finish.wgsl")],
            BatchKernel::StoreScale { .. } => vec![storage, scale, shader_file!("drivers/batch/store_scale.wgsl")],
        }
    }

    /// Parameters, bindings, constants, and the functions that load and store tensors.
    fn header(&self, bindings: &[Binding]) -> String {
        let mut header = Header::default();
        header.params(BATCH_PARAMS, self.loss().map_or(&[], |loss| loss.params));
        for (number, binding) in bindings.iter().enumerate() {
            header.batch_binding(number, binding, matches!(self, BatchKernel::Gather { .. }));
        }
        match self {
            BatchKernel::Prepare { dtype, unit } => {
                header.constants(&[("UNIT", *unit != Unit::No), ("UNIT_FLOORED", *unit == Unit::Floored)]);
                header.load("element", "f32", Some(*dtype), "input_tensor", "index", "0.0");
            }
            BatchKernel::LoadScale { dtype } => {
                header.load("element", "f32", Some(*dtype), "input_tensor", "index", "0.0");
            }
            BatchKernel::Measure(comparison) => {
                header.tile_quads(*comparison);
                header.value_scale(*comparison);
            }
            BatchKernel::List(variant) => {
                header.compiled(variant);
                header.load_given("label", "i32", labels(variant), "index", "0");
            }
            BatchKernel::Select(variant, comparison) => {
                header.compiled(variant);
                header.value_scale(*comparison);
                header.constants(&[("GRADIENTS", variant.gradients != GradientStore::Skip)]);
                let labels = labels(variant).filter(|(input, _)| self.takes(input));
                header.load_given("label", "i32", labels, "index", "0");
                let given = |input: &'static Input| Some((input, variant.dtype(input.name)?));
                header.load_given("weight", "f32", given(&WEIGHT), "index", "1.0");
                header.load_given("upstream", "f32", given(&UPSTREAM), "(index * params.upstream_stride)", "1.0");
                header.store_item("loss", "f32", "loss_of_item", variant.per_item);
                header.store_hardest(variant.statistics.hardest);
            }
            BatchKernel::Gather { comparison, to_columns } => {
                header.tile_quads(*comparison);
                header.constants(&[
                    ("TO_COLUMNS", *to_columns),
                    ("DIFFERENCES", comparison.has_differences()),
                    ("UNIT_FLOORED", comparison.unit == Unit::Floored),
                    ("COSINE", comparison.is_cosine()),
                ]);
            }
            BatchKernel::GatherMined(comparison) => {
                header.tile_quads(*comparison);
                header.constants(&[("COSINE", comparison.is_cosine())]);
            }
            BatchKernel::Join(comparison) | BatchKernel::Project(comparison) => {
                header.constants(&[("COSINE", comparison.is_cosine())]);
            }
            BatchKernel::Finalize { mining, reduced } => {
                header.constants(&[("MINING", *mining), ("REDUCED", *reduced)]);
            }
            BatchKernel::Finish { dtype, unit, adds } => {
                header.constants(&[("UNIT", *unit)]);
                header.store_word(*dtype, *adds);
            }
            BatchKernel::StoreScale { dtype, adds } => header.store_word(*dtype, *adds),
            BatchKernel::Sort | BatchKernel::ListMined => {}
        }
        header.text
    }
}

/// Which rows belong to an anchor, where the loss has no hook for it: those of its label.
fn default_relation(variant: &LossVariant) -> Option<ShaderFile> {
    (!variant.loss.0.shader.defines("RELATION")).then_some(shader_file!("lib/hooks/relation.wgsl"))
}

fn labels(variant: &LossVariant) -> Option<(&'static Input, DType)> {
    variant.given().find(|(input, _)| input.kind == Kind::Index)
}

/// Appends one formatted line.
macro_rules! line {
    ($header:expr, $($format:tt)*) => {{
        let _ = writeln!($header.text, $($format)*);
    }};
}

impl Header {
    fn batch_binding(&mut self, number: usize, binding: &Binding, panel_of_quads: bool) {
        let access = if binding.writable { "read_write" } else { "read" };
        let (name, ty) = match binding.role {
            Role::Params => return line!(self, "@group(0) @binding({number}) var<uniform> params: Params;"),
            Role::Batch(BatchBuffer::Panel) if panel_of_quads => ("panel", "array<vec4<f32>>"),
            Role::Batch(buffer) => buffer.declaration(),
            Role::Tensor(dtype) => (if binding.writable { "output_tensor" } else { "input_tensor" }, array_of(dtype)),
            Role::Input { input, dtype } => {
                let ty = array_of(dtype);
                return line!(self, "@group(0) @binding({number}) var<storage, {access}> input_{input}: {ty};");
            }
            Role::Loss => ("loss_of_item", "array<f32>"),
            Role::HardestPositive => ("hardest_positive", "array<i32>"),
            Role::HardestNegative => ("hardest_negative", "array<i32>"),
            Role::Workspace => ("workspace", "Workspace"),
            ref role => unreachable!("no kernel of a whole batch binds {role:?}"),
        };
        line!(self, "@group(0) @binding({number}) var<storage, {access}> {name}: {ty};");
    }

    fn constants(&mut self, constants: &[(&str, bool)]) {
        for (name, value) in constants {
            line!(self, "const {name}: bool = {value};");
        }
    }

    fn tile_quads(&mut self, comparison: Comparison) {
        line!(self, "const TILE_QUADS: u32 = {}u;", comparison.tile_quads);
    }

    /// `value_scale()`: what all values are multiplied with.
    fn value_scale(&mut self, comparison: Comparison) {
        let scale = if comparison.scale_is_input { "workspace.value_scale" } else { "params.value_scale" };
        line!(self, "fn value_scale() -> f32 {{\n    return {scale};\n}}");
    }

    fn load_given(&mut self, name: &str, ty: &str, given: Option<(&Input, DType)>, index: &str, default: &str) {
        let tensor = given.map_or_else(String::new, |(input, _)| format!("input_{}", input.name));
        self.load(name, ty, given.map(|(_, dtype)| dtype), &tensor, index, default);
    }

    /// `store_<name>(index, value)` of an item: of two directions of comparison the second adds its part.
    fn store_item(&mut self, name: &str, ty: &str, array: &str, wanted: bool) {
        line!(self, "fn store_{name}(index: u32, value: {ty}) {{");
        if wanted {
            line!(self, "    {array}[index] = select({array}[index], 0.0, params.counts != 0u) + value;");
        }
        line!(self, "}}");
    }

    /// `store_hardest(index, positive, negative)`.
    fn store_hardest(&mut self, wanted: bool) {
        line!(self, "fn store_hardest(index: u32, positive: i32, negative: i32) {{");
        if wanted {
            line!(self, "    hardest_positive[index] = positive;\n    hardest_negative[index] = negative;");
        }
        line!(self, "}}");
    }

    /// `store_word(word)`: the gradients of a word's elements, of `gradient_of`. What is behind the last element is not ours
    /// and stays.
    fn store_word(&mut self, dtype: DType, adds: bool) {
        line!(self, "fn store_word(word: u32) {{");
        if dtype.is_half() {
            let old = if adds { format!(" + unpack_{dtype}(there)") } else { String::new() };
            line!(self, "    let there = output_tensor[word];");
            line!(self, "    let has_second = 2u * word + 1u < params.elements;");
            line!(self, "    let second = gradient_of(2u * word + u32(has_second));");
            line!(self, "    let words = pack_{dtype}(vec2<f32>(gradient_of(2u * word), second){old});");
            line!(self, "    let first = (words & 0xffffu) | (there & 0xffff0000u);");
            line!(self, "    output_tensor[word] = select(first, words, has_second);");
        } else {
            line!(self, "    output_tensor[word] {} gradient_of(word);", if adds { "+=" } else { "=" });
        }
        line!(self, "}}");
    }
}

const fn array_of(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "array<f32>",
        DType::F16 | DType::BF16 => "array<u32>",
        DType::I32 => "array<i32>",
    }
}

/// Comparisons with tiles of one quad and of several.
#[cfg(test)]
fn every_comparison() -> Vec<Comparison> {
    let kinds = [
        (Measure::Similarity, Unit::No, false),
        (Measure::Similarity, Unit::Floored, false),
        (Measure::Similarity, Unit::Floored, true),
        (Measure::Difference, Unit::No, false),
        (Measure::Cosine, Unit::Exact, false),
    ];
    let of = |(measure, unit, scale_is_input)| {
        [1, 4].map(|tile_quads| Comparison { measure, unit, scale_is_input, tile_quads })
    };
    kinds.into_iter().flat_map(of).collect()
}

/// Every kernel that losses share.
#[cfg(test)]
pub(crate) fn every_shared_kernel() -> Vec<BatchKernel> {
    let mut kernels = vec![BatchKernel::Sort, BatchKernel::ListMined];
    for comparison in every_comparison() {
        kernels.extend([
            BatchKernel::Measure(comparison),
            BatchKernel::Gather { comparison, to_columns: false },
            BatchKernel::Gather { comparison, to_columns: true },
            BatchKernel::Join(comparison),
            BatchKernel::GatherMined(comparison),
            BatchKernel::Project(comparison),
        ]);
    }
    for dtype in DType::FLOATS {
        kernels.push(BatchKernel::LoadScale { dtype });
        kernels.extend([Unit::No, Unit::Floored, Unit::Exact].map(|unit| BatchKernel::Prepare { dtype, unit }));
        for adds in [false, true] {
            kernels.push(BatchKernel::StoreScale { dtype, adds });
            kernels.extend([false, true].map(|unit| BatchKernel::Finish { dtype, unit, adds }));
        }
    }
    for mining in [false, true] {
        kernels.extend([false, true].map(|reduced| BatchKernel::Finalize { mining, reduced }));
    }
    kernels
}

/// Every kernel that has a loss's hooks or parameters, in this variant.
#[cfg(test)]
pub(crate) fn every_kernel_of(variant: &LossVariant) -> Vec<BatchKernel> {
    let spec = variant.loss.0;
    let scale_is_input = spec.inputs.iter().any(|input| input.shape == Shape::Scalar);
    let is_similarity = spec.all_pairs().is_some_and(|batch| batch.anchors == Anchors::Softmax);
    let fits = |comparison: &Comparison| {
        comparison.scale_is_input == scale_is_input && (comparison.measure == Measure::Similarity) == is_similarity
    };
    let comparison = every_comparison().into_iter().find(fits);
    let mut kernels: Vec<_> =
        comparison.map(|comparison| BatchKernel::Select(variant.clone(), comparison)).into_iter().collect();
    if spec.all_pairs().is_some_and(|batch| batch.anchors == Anchors::Sorted) {
        kernels.push(BatchKernel::List(variant.clone()));
    }
    kernels
}
