//! The kernels of all pairs, in the order in which they run: what each binds, and the files it is made of.

use std::sync::Arc;

use super::{
    super::{Call, CallTensor, Role, input_view, is_kept, load_optional, tile::Tile, view, view_of},
    comparison::{Comparison, Measure, Unit},
    layout::Memory,
};
use crate::{
    DType, Tuning,
    kernel::{Access, Block, Glue, Holds, Kernel, Reduce, TensorView},
    spec::{AllPairs, Anchors, Input, Kind, MASK, Relation, ShaderFile, UPSTREAM, WEIGHT, shader_file},
};

/// What a kernel binds lies here.
#[derive(Clone, Debug)]
pub(super) enum At {
    Workspace,
    Memory(Memory),
    Tensor(CallTensor),
}

/// A kernel with its one entry point and what it binds.
pub(super) struct Recipe {
    pub entry: &'static str,
    pub kernel: Arc<Kernel>,
    pub at: Vec<At>,
}

/// A kernel that does not know its workgroup and its words yet.
struct Draft {
    entry: &'static str,
    kernel: Kernel,
    at: Vec<At>,
    glue: Glue,
}

impl Draft {
    fn new(entry: &'static str) -> Self {
        let mut kernel = Kernel::new(0, Reduce::Workgroup);
        kernel.join([shader_file!("drivers/all_pairs/records.wgsl"), shader_file!("drivers/all_pairs/wide.wgsl")]);
        Draft { entry, kernel, at: Vec::new(), glue: Glue::default() }
    }

    fn binds(mut self, view: TensorView, at: At) -> Self {
        self.kernel.tensors.push(view);
        self.at.push(at);
        self
    }

    fn reads(self, memory: Memory) -> Self {
        self.binds(TensorView::new(memory.name(), memory.holds(), Access::Read), At::Memory(memory))
    }

    fn writes(self, memory: Memory) -> Self {
        self.binds(TensorView::new(memory.name(), memory.holds(), Access::Write), At::Memory(memory))
    }

    fn workspace(self, access: Access) -> Self {
        self.binds(TensorView::workspace(access), At::Workspace)
    }

    /// The one tensor of the caller's that it loads.
    fn loads(mut self, tensor: CallTensor) -> Self {
        let view = TensorView::read("input_tensor", tensor.ty.dtype);
        self.glue.load("element", "f32", Some(&view), "index", "0.0");
        self.binds(view, At::Tensor(tensor))
    }

    /// The one tensor of the caller's that it stores, or adds to.
    fn stores(mut self, tensor: CallTensor, adds: bool) -> Self {
        let view = TensorView::write("output_tensor", tensor.ty.dtype);
        self.glue.put("put_gradient", &view, adds);
        let put = view.put_word("word", "values", Some("chosen"), adds);
        let is_half = tensor.ty.dtype.is_half();
        if is_half {
            self.glue.procedure("put_word(word: u32, values: vec2<f32>, chosen: vec2<bool>)", &put);
        }
        self.kernel.join([match is_half {
            true => shader_file!("drivers/all_pairs/store_halves.wgsl"),
            false => shader_file!("drivers/all_pairs/store_elements.wgsl"),
        }]);
        self.binds(view, At::Tensor(tensor))
    }

    /// A tensor of the caller's under its own name.
    fn tensor(self, tensor: CallTensor) -> Self {
        let view = match tensor.role {
            Role::Statistic => TensorView::write(tensor.name.clone(), tensor.ty.dtype),
            _ => view_of(&tensor, false),
        };
        self.binds(view, At::Tensor(tensor))
    }

    /// `is_kept(index)`: whether an item is not left out by the call's mask.
    fn kept(self, mask: Option<CallTensor>) -> Self {
        let mut draft = mask.into_iter().fold(self, Draft::tensor);
        is_kept(&mut draft.glue, &draft.kernel.tensors, "index");
        draft
    }

    fn flags(mut self, flags: &[(&str, bool)]) -> Self {
        self.kernel.flags(flags);
        self
    }

    fn tile_quads(mut self, comparison: Comparison) -> Self {
        self.kernel.constant("TILE_QUADS", comparison.tile_quads);
        self
    }

    /// Rows that all lanes of a workgroup see.
    fn shared_rows(self, comparison: Comparison, reduce: Reduce) -> Self {
        self.tile_quads(comparison).files([match reduce {
            Reduce::SingleSubgroup => shader_file!("drivers/all_pairs/tile_subgroup.wgsl"),
            Reduce::Workgroup | Reduce::Subgroup => shader_file!("drivers/all_pairs/tile_workgroup.wgsl"),
        }])
    }

    /// A product by register tiles; which sides' quads lie along the depth.
    fn tiles(mut self, tile: Tile, along: [bool; 2]) -> Self {
        tile.join(&mut self.kernel, along);
        self
    }

    /// The panel by quads.
    fn panel_quads(self, access: Access) -> Self {
        self.binds(TensorView::new("panel_quads", Holds::Values("vec4<f32>"), access), At::Memory(Memory::Panel))
    }

    /// `value_scale()`: what all similarities are multiplied with.
    fn value_scale(mut self, comparison: Comparison) -> Self {
        if comparison.measure == Measure::Similarity {
            let scale = if comparison.scale_is_input { "workspace.value_scale" } else { "call.value_scale" };
            self.glue.function("value_scale() -> f32", scale);
        }
        self
    }

    fn files(mut self, files: impl IntoIterator<Item = ShaderFile>) -> Self {
        self.kernel.join(files);
        self
    }

    fn finished(self, tuning: Tuning, words: &Block) -> Recipe {
        let Draft { entry, kernel, at, glue } = self;
        let Tuning { workgroup_size, reduce, .. } = tuning;
        let call = words.members();
        Recipe { entry, kernel: Arc::new(Kernel { workgroup_size, reduce, call, glue: glue.0, ..kernel }), at }
    }
}

/// What tells one kernel of all pairs from another: which, and its choices.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Which {
    /// Rows of an input as quads of f32.
    Prepare(CallTensor),
    /// The scale of all values, where an input is its logarithm.
    LoadScale(CallTensor),
    /// The values of the panel's pairs; by register tiles, where workgroups have lanes for them.
    Measure { tile: Option<Tile> },
    /// Of losses that sort, the lists.
    List,
    /// A step of the sorting.
    Sort,
    /// Each anchor's loss, and its slopes in place of the values.
    Select,
    /// What pairs add to the rows' gradients.
    Gather { to_columns: bool, tile: Option<Tile> },
    /// The sum of the parts of that.
    Join,
    /// The sums over all anchors.
    Finalize,
    /// Of losses of the hardest rows, which anchors have mined a row.
    ListMined,
    /// What having been mined adds to a row's gradient.
    GatherMined,
    /// What a row of unit length adds to its own gradient.
    Project,
    /// Gradients in their storage type.
    Finish(CallTensor),
    /// The gradient of the scale's logarithm.
    StoreScale(CallTensor),
}

/// What the kernels of a call are made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernels<'a> {
    pub call: &'a Call<'a>,
    pub all_pairs: AllPairs,
    pub comparison: Comparison,
}

impl Kernels<'_> {
    /// A kernel for workgroups of this tuning, with these words for each step.
    pub fn recipe(&self, which: &Which, tuning: Tuning, words: &Block) -> Recipe {
        self.draft(which, tuning.reduce).finished(tuning, words)
    }

    fn draft(&self, which: &Which, reduce: Reduce) -> Draft {
        use Memory::{Lists, Panel, Radials, Records, Rows, Sums};
        let Kernels { call, comparison, .. } = *self;
        let scale = shader_file!("lib/scale.wgsl");
        let unit = comparison.unit;
        let cosine = ("COSINE", comparison.is_cosine());
        match which {
            Which::Prepare(tensor) => Draft::new("prepare")
                .loads(tensor.clone())
                .writes(Rows)
                .writes(Records)
                .kept(self.mask())
                .flags(&[("UNIT", unit != Unit::No), ("UNIT_FLOORED", unit == Unit::Floored)])
                .files([shader_file!("drivers/all_pairs/prepare.wgsl")]),
            Which::LoadScale(tensor) => Draft::new("load_scale")
                .loads(tensor.clone())
                .workspace(Access::Write)
                .files([shader_file!("drivers/all_pairs/load_scale.wgsl")]),
            Which::Measure { tile } => {
                let draft = Draft::new("measure_pairs").reads(Rows).reads(Records);
                let draft = if comparison.scale_is_input { draft.workspace(Access::Read) } else { draft };
                let draft = draft.value_scale(comparison).files(comparison.measure.files());
                match tile {
                    Some(tile) => draft
                        .panel_quads(Access::Write)
                        .tiles(*tile, [true, true])
                        .files([shader_file!("drivers/all_pairs/measure_tiles.wgsl")]),
                    None => draft
                        .writes(Panel)
                        .shared_rows(comparison, reduce)
                        .files([shader_file!("drivers/all_pairs/measure.wgsl")]),
                }
            }
            Which::List => self.list(),
            Which::Sort => Draft::new("sort").writes(Lists).files([shader_file!("drivers/all_pairs/sort.wgsl")]),
            Which::Select => self.select(),
            Which::Gather { to_columns, tile } => {
                let draft = Draft::new("gather")
                    .reads(Rows)
                    .reads(Records)
                    .panel_quads(Access::Read)
                    .writes(Sums)
                    .writes(Radials)
                    .flags(&[
                        ("TO_COLUMNS", *to_columns),
                        ("DIFFERENCES", comparison.has_differences()),
                        ("UNIT_FLOORED", unit == Unit::Floored),
                        cosine,
                    ])
                    .files([shader_file!("drivers/all_pairs/gather_sides.wgsl")]);
                match tile {
                    Some(tile) => draft
                        .tiles(*tile, [!to_columns, false])
                        .files([shader_file!("drivers/all_pairs/gather_tiles.wgsl")]),
                    None => {
                        draft.shared_rows(comparison, reduce).files([shader_file!("drivers/all_pairs/gather.wgsl")])
                    }
                }
            }
            Which::Join => Draft::new("join")
                .writes(Sums)
                .writes(Radials)
                .flags(&[cosine])
                .files([shader_file!("drivers/all_pairs/join.wgsl")]),
            Which::Finalize => Draft::new("finalize_batch")
                .binds(TensorView::write("loss", DType::F32), At::Tensor(self.loss()))
                .reads(Records)
                .workspace(Access::Write)
                .flags(&[
                    ("MINING", self.mines()),
                    ("REDUCED", !call.is_per_item()),
                    ("SCALED", comparison.scale_is_input),
                ])
                .files([shader_file!("drivers/all_pairs/finalize.wgsl")]),
            Which::ListMined => Draft::new("list_mined")
                .reads(Records)
                .writes(Lists)
                .files([shader_file!("drivers/all_pairs/list_mined.wgsl")]),
            Which::GatherMined => Draft::new("gather_mined")
                .reads(Rows)
                .reads(Records)
                .reads(Lists)
                .workspace(Access::Read)
                .writes(Sums)
                .writes(Radials)
                .tile_quads(comparison)
                .flags(&[cosine])
                .files([shader_file!("drivers/all_pairs/gather_mined.wgsl")]),
            Which::Project => Draft::new("project")
                .reads(Rows)
                .writes(Records)
                .reads(Sums)
                .reads(Radials)
                .flags(&[cosine])
                .files([shader_file!("drivers/all_pairs/project.wgsl")]),
            Which::Finish(tensor) => Draft::new("finish")
                .reads(Rows)
                .reads(Records)
                .reads(Sums)
                .workspace(Access::Read)
                .stores(tensor.clone(), call.adds())
                .kept(self.mask())
                .flags(&[
                    ("UNIT", unit != Unit::No),
                    ("SATURATES", unit == Unit::Floored && tensor.ty.dtype == DType::F16),
                ])
                .files([scale, shader_file!("drivers/all_pairs/finish.wgsl")]),
            Which::StoreScale(tensor) => Draft::new("store_scale")
                .workspace(Access::Read)
                .stores(tensor.clone(), call.adds())
                .files([scale, shader_file!("drivers/all_pairs/store_scale.wgsl")]),
        }
    }

    /// Of losses that sort, the list of an anchor's keys.
    fn list(&self) -> Draft {
        use Memory::{Lists, Panel, Records};
        let mut draft = Draft::new("list_pairs").reads(Panel).writes(Lists).writes(Records);
        draft.kernel = draft.kernel.with_compiled(self.call.values);
        draft = self.labels().into_iter().fold(draft, Draft::tensor);
        self.load_label(&mut draft);
        draft
            .kept(self.mask())
            .files([shader_file!("drivers/all_pairs/distance.wgsl"), shader_file!("drivers/all_pairs/relation.wgsl")])
            .files(self.default_relation())
            .files([shader_file!("drivers/all_pairs/list.wgsl")])
    }

    /// An anchor's loss from its values.
    fn select(&self) -> Draft {
        use Memory::{Lists, Panel, Records};
        let Kernels { call, all_pairs, comparison } = *self;
        let sorts = all_pairs.anchors == Anchors::Sorted;
        let mut draft = Draft::new("select_pairs").writes(Panel).writes(Records);
        draft.kernel = draft.kernel.with_params(call.values);
        if sorts {
            draft = draft.writes(Lists);
        }
        if comparison.scale_is_input {
            draft = draft.workspace(Access::Read);
        }
        let is_taken =
            |input: &Input| input.kind == Kind::Index && !sorts || [WEIGHT.name, UPSTREAM.name].contains(&input.name);
        let is_bound = |tensor: &CallTensor| match tensor.role {
            Role::Input(input) => is_taken(input),
            Role::Loss => call.is_per_item(),
            Role::Statistic => true,
            Role::Divisor | Role::Overwritten(_) | Role::Gradient(_) => false,
        };
        draft = call.tensors().into_iter().filter(is_bound).fold(draft, Draft::tensor);
        draft = draft.value_scale(comparison).flags(&[("GRADIENTS", call.has_gradients())]);
        self.load_label(&mut draft);
        draft = draft.kept(self.mask().filter(|_| !sorts));
        let views = &draft.kernel.tensors;
        load_optional(&mut draft.glue, views, &WEIGHT, "index");
        load_optional(&mut draft.glue, views, &UPSTREAM, "index");
        store_item(&mut draft.glue, view(views, "loss_of_item"));
        store_hardest(&mut draft.glue, call.options.statistics.hardest);
        draft = match comparison.measure {
            Measure::Similarity => draft.files([shader_file!("drivers/all_pairs/slope_of_similarity.wgsl")]),
            Measure::Difference | Measure::Cosine => draft.files([
                shader_file!("drivers/all_pairs/distance.wgsl"),
                shader_file!("drivers/all_pairs/slope_of_distance.wgsl"),
            ]),
        };
        if !sorts {
            draft = draft.files([shader_file!("drivers/all_pairs/relation.wgsl")]).files(self.default_relation());
        }
        draft.files([
            call.spec().shader,
            match all_pairs.anchors {
                Anchors::Softmax => shader_file!("drivers/all_pairs/select_softmax.wgsl"),
                Anchors::Hardest => shader_file!("drivers/all_pairs/select_hardest.wgsl"),
                Anchors::Sorted => shader_file!("drivers/all_pairs/select_sorted.wgsl"),
            },
        ])
    }

    /// Whether the loss mines triplets.
    fn mines(&self) -> bool {
        self.all_pairs.anchors != Anchors::Softmax
    }

    fn loss(&self) -> CallTensor {
        let ty = self.call.signature.loss_type(self.call.options.reduction);
        CallTensor { name: "loss".to_string(), ty, role: Role::Loss }
    }

    fn labels(&self) -> Option<CallTensor> {
        let is_label = |tensor: &CallTensor| matches!(tensor.role, Role::Input(input) if input.kind == Kind::Index);
        self.call.tensors().into_iter().find(is_label)
    }

    /// `load_label(index)`: the label of an anchor, where the kernel binds labels.
    fn load_label(&self, draft: &mut Draft) {
        let labels = self.labels().and_then(|labels| input_view(&draft.kernel.tensors, &labels.name));
        draft.glue.load("label", "i32", labels, "index", "0");
    }

    fn mask(&self) -> Option<CallTensor> {
        self.call.tensors().into_iter().find(|tensor| tensor.role == Role::Input(&MASK))
    }

    /// Which rows belong to an anchor, where the loss has no hook for it: those of its label.
    fn default_relation(&self) -> Option<ShaderFile> {
        (self.all_pairs.relation == Relation::Labelled).then_some(LABELLED)
    }
}

/// The hook of losses of labelled rows.
pub(in crate::drivers) const LABELLED: ShaderFile = shader_file!("drivers/all_pairs/hooks/relation.wgsl");

/// `store_loss(index, value)` of an item: of two directions of comparison the second adds its part.
fn store_item(glue: &mut Glue, loss: Option<&TensorView>) {
    let sum = |name: &str| format!("{name}[index] = select({name}[index], 0.0, call.counts != 0u) + value;");
    let store = loss.map_or_else(String::new, |loss| sum(&loss.name));
    glue.procedure("store_loss(index: u32, value: f32)", &store);
}

/// `store_hardest(index, positive, negative)`.
fn store_hardest(glue: &mut Glue, is_wanted: bool) {
    let store = "hardest_positive[index] = positive;\n    hardest_negative[index] = negative;";
    let signature = "store_hardest(index: u32, positive: i32, negative: i32)";
    glue.procedure(signature, if is_wanted { store } else { "" });
}
