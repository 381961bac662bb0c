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

    /// The most elements of a tensor: far more than a device holds, and so few that what is made of several such
    /// numbers does not overflow.
    pub(crate) const MOST_ELEMENTS: u64 = if usize::BITS < 64 { 1 << 30 } else { 1 << 40 };

    /// Whether there are not more elements than that, those between rows included, also if no axis were empty.
    pub(crate) fn is_countable(&self) -> bool {
        let shape = self.shape.iter().map(|&axis| axis.max(1)).collect();
        let filled = TensorType { shape, ..self.clone() };
        filled.elements().max(filled.extent()) <= TensorType::MOST_ELEMENTS
    }

    /// Elements from one row to the next, where there are several and they may have gaps between them.
    pub(crate) fn stride_of_rows(&self) -> Option<usize> {
        self.row_stride.filter(|_| matches!(self.shape[..], [rows, _] if rows > 1))
    }

    /// Elements from the first to the last, those between rows included.
    pub(crate) fn extent(&self) -> u64 {
        match (self.stride_of_rows(), &self.shape[..]) {
            (Some(stride), &[rows, columns]) if columns > 0 => {
                (rows as u64 - 1).saturating_mul(stride as u64).saturating_add(columns as u64)
            }
            _ => self.elements(),
        }
    }
}
