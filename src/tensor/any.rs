//! Tensors of any number type, as files and arrays hold them.

use std::{borrow::Cow, fmt};

use half::{bf16, f16};

use super::TensorType;
use crate::{DType, Error};

/// The type of a tensor's numbers, where a loss does not take them as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NumberType {
    /// Truth values, a byte each: 0 is false.
    Bool,
    /// 8-bit signed integers.
    I8,
    /// 16-bit signed integers.
    I16,
    /// 32-bit signed integers.
    I32,
    /// 64-bit signed integers.
    I64,
    /// 8-bit unsigned integers.
    U8,
    /// 16-bit unsigned integers.
    U16,
    /// 32-bit unsigned integers.
    U32,
    /// 64-bit unsigned integers.
    U64,
    /// 16-bit IEEE floats.
    F16,
    /// Brain floats.
    BF16,
    /// 32-bit IEEE floats.
    F32,
    /// 64-bit IEEE floats.
    F64,
}

impl NumberType {
    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            NumberType::Bool | NumberType::I8 | NumberType::U8 => 1,
            NumberType::I16 | NumberType::U16 | NumberType::F16 | NumberType::BF16 => 2,
            NumberType::I32 | NumberType::U32 | NumberType::F32 => 4,
            NumberType::I64 | NumberType::U64 | NumberType::F64 => 8,
        }
    }

    /// Whether the type holds whole numbers or truth values.
    pub const fn is_integer(self) -> bool {
        !matches!(self, NumberType::F16 | NumberType::BF16 | NumberType::F32 | NumberType::F64)
    }

    /// The lower-case name, such as `i64`.
    pub const fn name(self) -> &'static str {
        match self {
            NumberType::Bool => "bool",
            NumberType::I8 => "i8",
            NumberType::I16 => "i16",
            NumberType::I32 => "i32",
            NumberType::I64 => "i64",
            NumberType::U8 => "u8",
            NumberType::U16 => "u16",
            NumberType::U32 => "u32",
            NumberType::U64 => "u64",
            NumberType::F16 => "f16",
            NumberType::BF16 => "bf16",
            NumberType::F32 => "f32",
            NumberType::F64 => "f64",
        }
    }

    /// The storage type with the same elements, if there is one.
    pub(crate) const fn storage(self) -> Option<DType> {
        match self {
            NumberType::F16 => Some(DType::F16),
            NumberType::BF16 => Some(DType::BF16),
            NumberType::F32 => Some(DType::F32),
            NumberType::I32 => Some(DType::I32),
            _ => None,
        }
    }
}

impl fmt::Display for NumberType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type of numbers that an [`AnyTensor`] can hold.
pub trait Number: bytemuck::NoUninit + sealed::Sealed {
    /// What it is.
    const TYPE: NumberType;
}

macro_rules! numbers {
    ($($rust:ty => $number:ident),* $(,)?) => {
        $(
            impl sealed::Sealed for $rust {}
            impl Number for $rust {
                const TYPE: NumberType = NumberType::$number;
            }
        )*
    };
}

numbers! {
    bool => Bool, i8 => I8, i16 => I16, i32 => I32, i64 => I64, u8 => U8, u16 => U16, u32 => U32, u64 => U64,
    f16 => F16, bf16 => BF16, f32 => F32, f64 => F64,
}

/// A tensor of any number type, row-major: what [`Converted`](crate::Converted) makes inputs of a loss from.
#[derive(Clone, Debug, PartialEq)]
pub struct AnyTensor<'a> {
    number: NumberType,
    shape: Vec<usize>,
    bytes: Cow<'a, [u8]>,
}

impl<'a> AnyTensor<'a> {
    /// The values in this shape.
    ///
    /// # Errors
    /// [`Error::Length`] if the shape does not hold that many.
    pub fn new<T: Number>(values: &'a [T], shape: impl Into<Vec<usize>>) -> Result<Self, Error> {
        AnyTensor::from_bytes(T::TYPE, shape, bytemuck::cast_slice(values))
    }

    /// A tensor from its bytes (little-endian, row-major).
    ///
    /// # Errors
    /// [`Error::Length`] if the bytes are not as many as the shape needs.
    pub fn from_bytes(
        number: NumberType,
        shape: impl Into<Vec<usize>>,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Result<Self, Error> {
        let (shape, bytes) = (shape.into(), bytes.into());
        let elements = TensorType::new(DType::F32, &shape[..]).elements();
        if elements.saturating_mul(number.size() as u64) != bytes.len() as u64 {
            return Err(Error::Length { expected: elements as usize, found: bytes.len() / number.size(), shape });
        }
        Ok(AnyTensor { number, shape, bytes })
    }

    /// The type of the numbers.
    pub fn number_type(&self) -> NumberType {
        self.number
    }

    /// The length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values as they lie in memory.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole numbers; `None` for floats.
    pub(crate) fn integers(&self) -> Option<Box<dyn Iterator<Item = i128> + '_>> {
        Some(match self.number {
            NumberType::Bool => Box::new(self.bytes.iter().map(|&byte| i128::from(byte != 0))),
            NumberType::I8 => self.read(i8::from_le_bytes),
            NumberType::I16 => self.read(i16::from_le_bytes),
            NumberType::I32 => self.read(i32::from_le_bytes),
            NumberType::I64 => self.read(i64::from_le_bytes),
            NumberType::U8 => self.read(u8::from_le_bytes),
            NumberType::U16 => self.read(u16::from_le_bytes),
            NumberType::U32 => self.read(u32::from_le_bytes),
            NumberType::U64 => self.read(u64::from_le_bytes),
            NumberType::F16 | NumberType::BF16 | NumberType::F32 | NumberType::F64 => return None,
        })
    }

    fn read<const SIZE: usize, T: Into<i128> + 'static>(
        &self,
        read: fn([u8; SIZE]) -> T,
    ) -> Box<dyn Iterator<Item = i128> + '_> {
        let (elements, _) = self.bytes.as_chunks::<SIZE>();
        Box::new(elements.iter().map(move |&bytes| read(bytes).into()))
    }
}
