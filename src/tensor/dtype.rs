//! Storage types: how a tensor's elements lie in memory.

use std::fmt;

use half::{bf16, f16};

/// The storage type of a tensor's elements. Arithmetic is always f32, whatever the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// 32-bit IEEE float.
    F32,
    /// 16-bit IEEE float (`half::f16`); needs no adapter feature.
    F16,
    /// Brain float: the upper half of an f32 (`half::bf16`); needs no adapter feature.
    BF16,
    /// 32-bit signed integer: class indices and labels.
    I32,
}

impl DType {
    /// The floating storage types, which every floating input and gradient can have.
    pub const FLOATS: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            DType::F32 | DType::I32 => 4,
            DType::F16 | DType::BF16 => 2,
        }
    }

    /// Whether the type holds floating values.
    pub const fn is_float(self) -> bool {
        !matches!(self, DType::I32)
    }

    /// Whether two elements share one 32-bit word.
    pub const fn is_half(self) -> bool {
        self.size() == 2
    }

    /// Bytes of `elements` in a GPU buffer: whole 32-bit words.
    pub const fn buffer_size(self, elements: u64) -> u64 {
        elements.saturating_mul(self.size() as u64).saturating_add(3) / 4 * 4
    }

    /// Bytes of `elements` filled up to whole quads: four elements, which kernels load and store at once.
    pub(crate) const fn size_in_quads(self, elements: u64) -> u64 {
        self.buffer_size(elements.saturating_add(3) / 4 * 4)
    }

    /// The lower-case name: `f32`, `f16`, `bf16`, `i32`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::I32 => "i32",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that a tensor can hold: `f32`, [`half::f16`], [`half::bf16`] or `i32`.
pub trait Element: bytemuck::Pod + sealed::Sealed {
    /// The storage type of `Self`.
    const DTYPE: DType;
}

impl sealed::Sealed for f32 {}
impl Element for f32 {
    const DTYPE: DType = DType::F32;
}
impl sealed::Sealed for f16 {}
impl Element for f16 {
    const DTYPE: DType = DType::F16;
}
impl sealed::Sealed for bf16 {}
impl Element for bf16 {
    const DTYPE: DType = DType::BF16;
}
impl sealed::Sealed for i32 {}
impl Element for i32 {
    const DTYPE: DType = DType::I32;
}
