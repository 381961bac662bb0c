//! The WGSL files that kernels are made of.

use crate::DType;

/// A WGSL file: of the crate, or of a loss defined elsewhere.
///
/// ```
/// use wgloss::spec::ShaderFile;
/// // include_str!("cauchy.wgsl") for a text in a file of its own.
/// const CAUCHY: ShaderFile = ShaderFile::new("cauchy.wgsl", "fn loss_and_grad(p: f32, t: f32) -> vec2<f32> { … }");
/// assert!(!CAUCHY.is_built_in());
/// assert!(wgloss::losses::HUBER.shader.is_built_in());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShaderFile {
    /// Its name in compilers' messages: of the crate's own files the path below `shaders/`.
    pub path: &'static str,
    /// Its text.
    pub source: &'static str,
    is_built_in: bool,
    /// Files that it builds upon, which kernels have before it.
    parts: &'static [ShaderFile],
    /// What of each item its loss can give besides, by hooks in other files.
    statistics: &'static [OwnStatistic],
}

/// Something that a loss has of each item besides its loss, by a hook `<name>_of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OwnStatistic {
    /// Its name, which is that of the field of [`Statistics`](crate::Statistics) that asks for it and of the tensor
    /// that holds it, and its storage type.
    pub tensor: (&'static str, DType),
    /// The file with the hook, which kernels have only where it is asked for.
    pub file: ShaderFile,
}

impl OwnStatistic {
    pub const fn new(name: &'static str, file: ShaderFile) -> Self {
        OwnStatistic { tensor: (name, DType::F32), file }
    }

    pub const fn name(&self) -> &'static str {
        self.tensor.0
    }
}

impl ShaderFile {
    /// A file of a loss that is defined outside the crate.
    pub const fn new(path: &'static str, source: &'static str) -> Self {
        ShaderFile { path, source, is_built_in: false, parts: &[], statistics: &[] }
    }

    /// A file of the crate itself, which [`shader_file!`] includes.
    pub(crate) const fn built_in(path: &'static str, source: &'static str) -> Self {
        ShaderFile { path, source, is_built_in: true, parts: &[], statistics: &[] }
    }

    /// The file with others that it builds upon: hooks that several losses share.
    pub(crate) const fn with(self, parts: &'static [ShaderFile]) -> Self {
        ShaderFile { parts, ..self }
    }

    /// The hooks of a loss that has statistics of its own.
    pub(crate) const fn telling(self, statistics: &'static [OwnStatistic]) -> Self {
        ShaderFile { statistics, ..self }
    }

    /// What of each item its loss can give besides.
    pub(crate) const fn statistics(&self) -> &'static [OwnStatistic] {
        self.statistics
    }

    /// The files that it builds upon, and behind these itself.
    pub(crate) fn with_parts(self) -> impl Iterator<Item = ShaderFile> {
        self.parts.iter().copied().chain([self])
    }

    /// Whether it is one of the crate's own files.
    pub const fn is_built_in(&self) -> bool {
        self.is_built_in
    }
}

/// Includes a WGSL file of the crate by its path below `shaders/`.
macro_rules! shader_file {
    ($path:literal) => {
        $crate::spec::ShaderFile::built_in($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $path)))
    };
}
pub(crate) use shader_file;
