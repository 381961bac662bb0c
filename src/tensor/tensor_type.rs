//! What a tensor is apart from its values.

use super::DType;

/// Storage type and shape: a tensor without its values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// The storage type.
    pub dtype: DType,
    /// The length of each axis; empty for a scalar.
    pub shape: Vec<usize>,
    /// Elements from one row of a matrix to the next, where that is not the length of a row: of a buffer with padded
    /// rows, or of a slice of the columns of a wider one. What lies between the rows is never read or written.
    pub row_stride: Option<usize>,
}

impl TensorType {
    /// A dense type of this storage and shape.
    pub fn new(dtype: DType, shape: impl Into<Vec<usize>>) -> Self {
        TensorType { dtype, shape: shape.into(), row_stride: None }
    }

    /// This type with `row_stride` elements from one row to the next.
    ///
    /// Only the device tensors `[N, C]` of row losses may have one, of C at least.
    ///
    /// ```
    /// use wgloss::{DType, TensorType};
    /// // The vocabulary of 50,257 in a buffer padded to 50,304.
    /// let logits = TensorType::new(DType::F32, [8, 50_257]).with_row_stride(50_304);
    /// assert_eq!(logits.buffer_size(), 4 * (7 * 50_304 + 50_257));
    /// ```
    #[must_use]
    pub fn with_row_stride(self, row_stride: usize) -> Self {
        TensorType { row_stride: Some(row_stride), ..self }
    }

    /// How many elements there are; at most `u64::MAX`, which nothing holds.
    pub fn elements(&self) -> u64 {
        self.shape.iter().fold(1, |elements: u64, &axis| elements.saturating_mul(axis as u64))
    }

    /// Bytes in a GPU buffer: whole 32-bit words.
    pub fn buffer_size(&self) -> u64 {
        self.dtype.buffer_size(self.extent())
    }

    /// Elements from the first to the last, those between rows included.
    pub(crate) fn extent(&self) -> u64 {
        match (self.row_stride, &self.shape[..]) {
            (Some(stride), &[rows, columns]) if rows > 0 && columns > 0 => {
                (rows as u64 - 1).saturating_mul(stride as u64).saturating_add(columns as u64)
            }
            _ => self.elements(),
        }
    }
}
