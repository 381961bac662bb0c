//! A kernel: the recipe of a text in WGSL, and the text.
//!
//! Whole files from `shaders/` are joined to a header that is made from the recipe; a recipe chooses files and lines of
//! the header, it never edits a file. Two kernels with the same recipe have the same text and share a pipeline,
//! whatever losses they serve.

mod block;
mod fault;
mod glue;
mod tensor;
mod text;

pub(crate) use block::{Block, Member, block};
pub(crate) use fault::Fault;
pub(crate) use glue::Glue;
pub(crate) use tensor::{Access, Holds, PARTS, TensorView, list};
pub(crate) use text::{Place, Text};

use std::fmt;

use crate::spec::{LossSpec, Rule, ShaderFile, Values, shader_file};

/// Kernels sum this many values a lane before they add the sum to a total, so that rounding does not grow with the
/// length.
pub(crate) const BLOCK: u32 = 64;

/// How the lanes of a workgroup add up what they have; each is a file `shaders/lib/reduce_….wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "bench", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Reduce {
    /// Through workgroup memory; runs everywhere.
    Workgroup,
    /// By subgroup operations, then through workgroup memory.
    Subgroup,
    /// By subgroup operations alone: a workgroup is one subgroup.
    SingleSubgroup,
}

impl fmt::Display for Reduce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reduce::Workgroup => "workgroup",
            Reduce::Subgroup => "subgroup",
            Reduce::SingleSubgroup => "single_subgroup",
        })
    }
}

/// The recipe of a kernel: everything that its text is made of, and nothing else. It is the key of the pipeline cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kernel {
    /// Lanes of a workgroup; a power of two.
    pub workgroup_size: u32,
    /// How its lanes add up what they have.
    pub reduce: Reduce,
    /// The words of the uniform `call`, which each step fills anew: name and WGSL type.
    pub call: Vec<Member>,
    /// The members of the uniform `params`, the loss's parameters: name and WGSL type. Empty where no file reads one.
    pub params: Vec<(String, &'static str)>,
    /// Constants that files choose by: name, and value in WGSL.
    pub constants: Vec<(String, Constant)>,
    /// What is bound, in the order of the bindings.
    pub tensors: Vec<TensorView>,
    /// Functions that load and store the tensors for the files.
    pub glue: String,
    /// The files, in order, behind those that every kernel has.
    pub files: Vec<ShaderFile>,
}

/// The value of a constant in WGSL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Constant {
    Flag(bool),
    Number(u32),
}

impl From<bool> for Constant {
    fn from(flag: bool) -> Self {
        Constant::Flag(flag)
    }
}

impl From<u32> for Constant {
    fn from(number: u32) -> Self {
        Constant::Number(number)
    }
}

impl Kernel {
    /// A kernel that binds nothing yet and has no files.
    pub fn new(workgroup_size: u32, reduce: Reduce) -> Self {
        Kernel {
            workgroup_size,
            reduce,
            call: Vec::new(),
            params: Vec::new(),
            constants: Vec::new(),
            tensors: Vec::new(),
            glue: String::new(),
            files: Vec::new(),
        }
    }

    /// The words that steps fill.
    pub fn with_call(mut self, call: &Block) -> Self {
        self.call = call.members();
        self
    }

    /// The loss's parameters, and what the kernel is compiled for.
    pub fn with_params(self, values: &Values) -> Self {
        let names: Vec<&str> = values.spec().params.iter().map(|param| param.name).collect();
        self.with_some_params(values, &names).with_compiled(values)
    }

    /// The loss's parameters of these names.
    pub fn with_some_params(mut self, values: &Values, names: &[&str]) -> Self {
        let params = values.spec().params.iter().filter(|param| names.contains(&param.name));
        self.params = params.map(|param| (param.member(), param.default.wgsl_type())).collect();
        self
    }

    /// The values of the uniform `params`.
    pub fn bytes_of_params(&self, values: &Values) -> Vec<u8> {
        let is_there = |member: &str| self.params.iter().any(|(name, _)| name == member);
        let params = values.iter().filter(|(param, _)| is_there(&param.member()));
        params.flat_map(|(param, value)| param.uniform(value).to_le_bytes()).collect()
    }

    /// What the kernel is compiled for, and the numbers that stand for words.
    pub fn with_compiled(mut self, values: &Values) -> Self {
        for (param, value) in values.iter().filter(|(param, _)| param.compiled) {
            self.constant(format!("COMPILED_{}", param.name.to_uppercase()), param.compiled_value(value));
        }
        self.with_words(values.spec())
    }

    fn with_words(mut self, spec: &LossSpec) -> Self {
        for param in spec.params {
            if let Rule::Word(words) = param.rule {
                for (number, word) in (0..).zip(words) {
                    self.constant(format!("{}_{}", param.name.to_uppercase(), word.to_uppercase()), number);
                }
            }
        }
        self
    }

    /// Adds a constant.
    pub fn constant(&mut self, name: impl Into<String>, value: impl Into<Constant>) {
        self.constants.push((name.into(), value.into()));
    }

    /// Adds constants that are true or false.
    pub fn flags(&mut self, flags: &[(&str, bool)]) {
        flags.iter().for_each(|&(name, flag)| self.constant(name, flag));
    }

    /// Adds files, each behind those that it builds upon.
    pub fn join(&mut self, files: impl IntoIterator<Item = ShaderFile>) {
        self.files.extend(files.into_iter().flat_map(ShaderFile::with_parts));
    }

    /// The kernel where its inputs may lie in a buffer that an output lies in too: then they are bound for writing,
    /// because wgpu tracks whole buffers. `tensors` says of each binding whether it is one of the caller's.
    pub fn with_shared_buffers(&self, is_tensor: &[bool]) -> Self {
        let mut kernel = self.clone();
        let views = || self.tensors.iter().zip(is_tensor).filter(|(_, is_tensor)| **is_tensor).map(|(view, _)| view);
        if views().any(TensorView::is_writable) {
            for (view, _) in kernel.tensors.iter_mut().zip(is_tensor).filter(|(_, is_tensor)| **is_tensor) {
                view.shared = true;
            }
        }
        kernel
    }

    /// What tells it from other kernels with the same entry point, in a few words: for labels.
    pub fn variant(&self) -> String {
        let holds: Vec<&str> = self.tensors.iter().filter_map(TensorView::storage).collect();
        format!("{} lanes, {} reduction, {}", self.workgroup_size, self.reduce, holds.join(" "))
    }

    /// The kernel's text.
    pub fn assemble(&self) -> Text {
        let mut text = Text::default();
        text.generated(&self.sizes());
        self.lib().for_each(|file| text.file(file));
        text.generated(&self.header());
        self.files.iter().for_each(|file| text.file(*file));
        text
    }

    /// The constants that every kernel has.
    pub fn sizes(&self) -> String {
        format!("const WORKGROUP_SIZE: u32 = {}u;\nconst BLOCK: u32 = {BLOCK}u;\n", self.workgroup_size)
    }

    /// The files that every kernel has, and those that its storage types need.
    pub fn lib(&self) -> impl Iterator<Item = ShaderFile> {
        let reduce = match self.reduce {
            Reduce::Workgroup => shader_file!("lib/reduce_workgroup.wgsl"),
            Reduce::Subgroup => shader_file!("lib/reduce_subgroup.wgsl"),
            Reduce::SingleSubgroup => shader_file!("lib/reduce_single_subgroup.wgsl"),
        };
        let always = [
            shader_file!("lib/workspace.wgsl"),
            shader_file!("lib/math.wgsl"),
            shader_file!("lib/infinity.wgsl"),
            reduce,
        ];
        always.into_iter().chain(self.storage())
    }

    /// What the storage types of its tensors need.
    fn storage(&self) -> impl Iterator<Item = ShaderFile> {
        let has = |half: &str| self.tensors.iter().any(|tensor| tensor.half() == Some(half));
        let (f16, bf16) = (has("f16"), has("bf16"));
        let halves = (f16 || bf16).then_some(shader_file!("lib/tensor/halves.wgsl"));
        let f16 = f16.then_some(shader_file!("lib/tensor/f16.wgsl"));
        let bf16 = bf16.then_some(shader_file!("lib/tensor/bf16.wgsl"));
        halves.into_iter().chain(f16).chain(bf16)
    }

    /// The structs of the uniforms, the constants, the bindings and the glue.
    pub fn header(&self) -> String {
        let mut header = String::new();
        let mut line = |text: String| {
            header.push_str(&text);
            header.push('\n');
        };
        let members = |members: &mut dyn Iterator<Item = (&str, &str)>| {
            members.map(|(name, ty)| format!("    {name}: {ty},\n")).collect::<String>()
        };
        if !self.call.is_empty() {
            line(format!("struct Call {{\n{}}}", members(&mut self.call.iter().map(|(name, ty)| (&**name, *ty)))));
            line(format!("@group(0) @binding({CALL}) var<uniform> call: Call;"));
        }
        if !self.params.is_empty() {
            let mut own = self.params.iter().map(|(name, ty)| (name.as_str(), *ty));
            line(format!("struct Params {{\n{}}}", members(&mut own)));
            line(format!("@group(0) @binding({PARAMS}) var<uniform> params: Params;"));
        }
        for (name, value) in &self.constants {
            line(match value {
                Constant::Flag(flag) => format!("const {name}: bool = {flag};"),
                Constant::Number(number) => format!("const {name}: u32 = {number}u;"),
            });
        }
        for (number, view) in (FIRST_TENSOR..).zip(&self.tensors) {
            line(format!("@group(0) @binding({number}) {}", view.declaration()));
        }
        header + &self.glue
    }

    /// The bindings of the uniforms that it has.
    pub fn uniforms(&self) -> impl Iterator<Item = u32> {
        let uniforms = [(CALL, !self.call.is_empty()), (PARAMS, !self.params.is_empty())];
        uniforms.into_iter().filter(|(_, is_there)| *is_there).map(|(binding, _)| binding)
    }
}

/// The bindings of the uniform `call`, of the uniform `params`, and of the first tensor.
pub(crate) const CALL: u32 = 0;
pub(crate) const PARAMS: u32 = 1;
pub(crate) const FIRST_TENSOR: u32 = 2;
