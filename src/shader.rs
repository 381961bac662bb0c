//! Puts a kernel's WGSL together: a header made from the spec, and whole files from `shaders/`.
//!
//! The text is a function of the [`Kernel`] alone. A variant chooses files and header lines; it never edits a file.

use crate::{
    DType, Gradients, header,
    spec::{Driver, Input, LossSpec, ShaderFile, shader_file},
    tuning::Reduce,
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
    /// `evaluate` or `measure` of a loss.
    Loss(LossVariant),
    /// The sum over workgroups.
    Finalize,
}

/// What makes two kernels of one loss different.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LossVariant {
    pub loss: SpecKey,
    /// The storage type of each input given, in the order of `LossSpec::all_inputs`.
    pub inputs: Vec<Option<DType>>,
    pub gradients: GradientStore,
    /// Whether each item's loss is stored.
    pub per_item: bool,
    /// Whether an input shares a buffer with an output: then all are bound for writing, because wgpu tracks whole
    /// buffers.
    pub shared_buffers: bool,
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
    Skip,
}

impl From<Gradients> for GradientStore {
    fn from(gradients: Gradients) -> Self {
        match gradients {
            Gradients::Write | Gradients::InPlace => GradientStore::Write,
            Gradients::Add { .. } => GradientStore::Add,
            Gradients::Skip => GradientStore::Skip,
        }
    }
}

/// The entry points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Entry {
    /// Sums what a mean divides by, where only the device knows it.
    Measure,
    /// Loss and gradients.
    Evaluate,
    /// The divisor from the sums of `Measure`.
    FinalizeDivisor,
    /// The loss from the sums of `Evaluate`.
    FinalizeLoss,
    /// Only the counts of `Evaluate`.
    FinalizeItems,
}

impl Entry {
    pub fn name(self) -> &'static str {
        match self {
            Entry::Measure => "measure",
            Entry::Evaluate => "evaluate",
            Entry::FinalizeDivisor => "finalize_divisor",
            Entry::FinalizeLoss => "finalize_loss",
            Entry::FinalizeItems => "finalize_items",
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
    Input { input: &'static str, dtype: DType },
    Gradient { input: &'static str, dtype: DType },
    Loss,
    Workspace,
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
            Pass::Loss(variant) => {
                for (input, dtype) in variant.given() {
                    let role = Role::Input { input: input.name, dtype };
                    bindings.push(Binding { role, writable: variant.shared_buffers });
                }
                if variant.gradients != GradientStore::Skip {
                    for (input, dtype) in variant.given().filter(|(input, _)| input.differentiable) {
                        bindings.push(write(Role::Gradient { input: input.name, dtype }));
                    }
                }
                if variant.per_item {
                    bindings.push(write(Role::Loss));
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
        text.file(reduce);
        match &self.pass {
            Pass::Finalize => text.file(shader_file!("drivers/finalize.wgsl")),
            Pass::Loss(variant) => {
                text.generated(&header::header(variant, &self.bindings()));
                text.file(shader_file!("lib/storage.wgsl"));
                text.file(shader_file!("lib/domain.wgsl"));
                text.file(shader_file!("lib/scale.wgsl"));
                text.file(variant.loss.0.shader);
                match variant.loss.0.driver {
                    Driver::Elementwise => text.file(shader_file!("drivers/elementwise.wgsl")),
                    Driver::Rows(_) => {
                        text.file(variant.store_row());
                        text.file(shader_file!("drivers/rows.wgsl"));
                    }
                }
            }
        }
        text
    }
}

impl LossVariant {
    /// The inputs given, with their types.
    fn given(&self) -> impl Iterator<Item = (&'static Input, DType)> + '_ {
        let all = self.loss.0.all_inputs().zip(&self.inputs);
        all.filter_map(|(input, dtype)| dtype.map(|dtype| (input, dtype)))
    }

    /// The type of that input, if it is given.
    pub fn dtype(&self, name: &str) -> Option<DType> {
        self.given().find(|(input, _)| input.name == name).map(|(_, dtype)| dtype)
    }

    fn store_row(&self) -> ShaderFile {
        if self.gradients == GradientStore::Skip {
            return shader_file!("lib/store_row_skip.wgsl");
        }
        match self.dtype(self.loss.0.inputs[0].name) {
            Some(dtype) if dtype.is_half() => shader_file!("lib/store_row_half.wgsl"),
            _ => shader_file!("lib/store_row_f32.wgsl"),
        }
    }
}

/// A kernel's text, and where each line of it comes from.
#[derive(Debug, Default)]
pub(crate) struct Assembled {
    pub source: String,
    /// The first line (from 0) of each part, and the part's name.
    parts: Vec<(usize, &'static str)>,
}

impl Assembled {
    fn file(&mut self, file: ShaderFile) {
        self.part(file.path, file.source);
    }

    fn generated(&mut self, text: &str) {
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
