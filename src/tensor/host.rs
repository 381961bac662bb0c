//! Tensors in host memory.

use std::{borrow::Cow, fmt};

use half::{bf16, f16};

use super::{DType, Element, TensorType};
use crate::Error;

/// A tensor in host memory, borrowed or owned, row-major.
///
/// A slice or `Vec` converts to a one-dimensional tensor; [`HostTensor::new`] gives it another shape.
///
/// ```
/// use wgloss::HostTensor;
/// let logits = HostTensor::new(&[0.1_f32, 0.7, 0.2, 0.3, 0.3, 0.4], [2, 3])?;
/// assert_eq!(logits.shape(), [2, 3]);
/// # Ok::<(), wgloss::Error>(())
/// ```
///
/// `{:?}` prints the type, the shape and the first values:
///
/// ```
/// # use wgloss::HostTensor;
/// assert_eq!(format!("{:?}", HostTensor::from(&[0.1_f32, 2.0])), "HostTensor(f32 [2], [0.1, 2.0])");
/// ```
#[derive(Clone, PartialEq)]
pub struct HostTensor<'a> {
    ty: TensorType,
    bytes: Cow<'a, [u8]>,
}

impl<'a> HostTensor<'a> {
    /// The values in this shape.
    ///
    /// # Errors
    /// [`Error::Length`] if the shape does not hold that many.
    pub fn new<T: Element>(values: &'a [T], shape: impl Into<Vec<usize>>) -> Result<Self, Error> {
        let ty = TensorType::new(T::DTYPE, shape);
        if ty.elements() != values.len() as u64 {
            return Err(Error::Length { expected: ty.elements() as usize, found: values.len(), shape: ty.shape });
        }
        Ok(HostTensor { ty, bytes: Cow::Borrowed(bytemuck::cast_slice(values)) })
    }

    /// A tensor of any storage type from its bytes (little-endian, row-major).
    ///
    /// # Errors
    /// [`Error::Length`] if the bytes are not as many as the shape needs.
    pub fn from_bytes(
        dtype: DType,
        shape: impl Into<Vec<usize>>,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Result<Self, Error> {
        let (ty, bytes) = (TensorType::new(dtype, shape), bytes.into());
        if ty.elements().saturating_mul(dtype.size() as u64) != bytes.len() as u64 {
            let found = bytes.len() / dtype.size();
            return Err(Error::Length { expected: ty.elements() as usize, found, shape: ty.shape });
        }
        Ok(HostTensor { ty, bytes })
    }

    /// Floats stored as `dtype`, each rounded to the nearest value of that type.
    ///
    /// # Errors
    /// [`Error::Length`] if the shape does not hold that many, [`Error::DType`] if `dtype` is not floating.
    pub fn rounded(values: &[f64], dtype: DType, shape: impl Into<Vec<usize>>) -> Result<HostTensor<'static>, Error> {
        let bytes: Vec<u8> = match dtype {
            DType::F32 => values.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect(),
            DType::F16 => values.iter().flat_map(|&x| f16::from_f64(x).to_le_bytes()).collect(),
            DType::BF16 => values.iter().flat_map(|&x| bf16::from_f64(x).to_le_bytes()).collect(),
            DType::I32 => {
                let (tensor, expected) = ("rounded values".to_string(), "a floating type".to_string());
                return Err(Error::DType { tensor, expected, found: dtype });
            }
        };
        HostTensor::from_bytes(dtype, shape, bytes)
    }

    /// A mask for the input [`MASK`](crate::spec::MASK): `false` leaves an item out.
    ///
    /// ```
    /// use wgloss::{HostTensor, Named, Reduction, losses::Mae, reference};
    /// let inputs = Named::new()
    ///     .with("prediction", HostTensor::from(&[1.0_f32, f32::NAN, 4.0]))
    ///     .with("target", HostTensor::from(&[0.0_f32, 0.0, 1.0]))
    ///     .with("mask", HostTensor::mask(&[true, false, true], [3])?);
    /// let result = reference::evaluate(&Mae, &inputs, &Reduction::Mean.into())?;
    /// assert_eq!((&result.loss[..], result.items), (&[2.0][..], 2));
    /// assert_eq!(result.gradients, [("prediction", vec![0.5, 0.0, 0.5])]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Length`] if the shape does not hold that many.
    pub fn mask(values: &[bool], shape: impl Into<Vec<usize>>) -> Result<HostTensor<'static>, Error> {
        let bytes: Vec<u8> = values.iter().flat_map(|&kept| i32::from(kept).to_le_bytes()).collect();
        HostTensor::from_bytes(DType::I32, shape, bytes)
    }

    /// Storage type and shape.
    pub fn ty(&self) -> &TensorType {
        &self.ty
    }

    /// The storage type.
    pub fn dtype(&self) -> DType {
        self.ty.dtype
    }

    /// The length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.ty.shape
    }

    /// The values as they lie in memory.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The values.
    ///
    /// # Errors
    /// [`Error::DType`] if they are not stored as `T`.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, Error> {
        if T::DTYPE != self.dtype() {
            let tensor = "the tensor to read".to_string();
            return Err(Error::DType { tensor, expected: T::DTYPE.to_string(), found: self.dtype() });
        }
        Ok(bytemuck::pod_collect_to_vec(&self.bytes))
    }

    /// The values widened to f64, whatever their storage.
    pub fn to_f64(&self) -> Vec<f64> {
        match self.dtype() {
            DType::F32 => self.widened(f32::from_le_bytes),
            DType::F16 => self.widened(f16::from_le_bytes),
            DType::BF16 => self.widened(bf16::from_le_bytes),
            DType::I32 => self.widened(i32::from_le_bytes),
        }
    }

    /// The value at that place in memory, widened to f64; `None` behind the last.
    pub(crate) fn value(&self, element: usize) -> Option<f64> {
        let size = self.dtype().size();
        let bytes = self.bytes.get(element.checked_mul(size)?..)?.get(..size)?;
        HostTensor { ty: TensorType::new(self.dtype(), []), bytes: Cow::Borrowed(bytes) }.to_f64().first().copied()
    }

    /// The first values as text: floats in the fewest digits that an f32 needs.
    fn first_values(&self, count: usize) -> Vec<String> {
        match self.dtype() {
            DType::F32 => self.printed(count, f32::from_le_bytes),
            DType::F16 => self.printed(count, f16::from_le_bytes),
            DType::BF16 => self.printed(count, bf16::from_le_bytes),
            DType::I32 => self.printed(count, i32::from_le_bytes),
        }
    }

    fn printed<const SIZE: usize, T: fmt::Debug>(&self, count: usize, read: fn([u8; SIZE]) -> T) -> Vec<String> {
        let (elements, _) = self.bytes.as_chunks::<SIZE>();
        elements.iter().take(count).map(|&bytes| format!("{:?}", read(bytes))).collect()
    }

    fn widened<const SIZE: usize, T: Into<f64>>(&self, read: fn([u8; SIZE]) -> T) -> Vec<f64> {
        let (elements, _) = self.bytes.as_chunks::<SIZE>();
        elements.iter().map(|&bytes| read(bytes).into()).collect()
    }

    /// The one value of a scalar, or of a tensor of one element; NaN for any other tensor.
    pub fn item(&self) -> f64 {
        match self.to_f64()[..] {
            [value] => value,
            _ => f64::NAN,
        }
    }

    /// A tensor that borrows the values of this one.
    pub fn view(&self) -> HostTensor<'_> {
        HostTensor { ty: self.ty.clone(), bytes: Cow::Borrowed(&self.bytes) }
    }
}

impl fmt::Debug for HostTensor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// How many values say what kind of tensor it is without filling the screen.
        const SHOWN: usize = 8;
        let mut values = self.first_values(SHOWN).join(", ");
        let others = self.ty.elements().saturating_sub(SHOWN as u64);
        if others > 0 {
            values += &format!(", … {others} more");
        }
        write!(f, "HostTensor({} {:?}, [{values}])", self.dtype(), self.shape())
    }
}

impl<'a, T: Element> From<&'a [T]> for HostTensor<'a> {
    fn from(values: &'a [T]) -> Self {
        let ty = TensorType::new(T::DTYPE, [values.len()]);
        HostTensor { ty, bytes: Cow::Borrowed(bytemuck::cast_slice(values)) }
    }
}

impl<'a, T: Element> From<&'a Vec<T>> for HostTensor<'a> {
    fn from(values: &'a Vec<T>) -> Self {
        values.as_slice().into()
    }
}

impl<'a, T: Element, const LENGTH: usize> From<&'a [T; LENGTH]> for HostTensor<'a> {
    fn from(values: &'a [T; LENGTH]) -> Self {
        values.as_slice().into()
    }
}

impl<'a> From<&'a HostTensor<'_>> for HostTensor<'a> {
    fn from(tensor: &'a HostTensor<'_>) -> Self {
        tensor.view()
    }
}
