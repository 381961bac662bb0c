//! Tensors in device memory.

use super::{DType, HostTensor, TensorType};
use crate::{
    BufferSlice, Error, Gpu,
    gpu::readback::{self, Range},
};

/// The usages of our own buffers.
const USAGES: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);

/// A row-major tensor in device memory. Cheap to clone: clones share the memory.
#[derive(Clone, Debug)]
pub struct Tensor {
    gpu: Gpu,
    buffer: wgpu::Buffer,
    offset: u64,
    ty: TensorType,
}

impl Tensor {
    /// A tensor of zeros.
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::OutOfMemory`].
    pub fn zeros(gpu: &Gpu, ty: TensorType) -> Result<Tensor, Error> {
        let buffer = gpu.buffer("a tensor", ty.dtype.size_in_quads(ty.extent()), USAGES)?;
        Ok(Tensor { gpu: gpu.clone(), buffer, offset: 0, ty })
    }

    /// A tensor with the values of a host tensor.
    ///
    /// # Errors
    /// The errors of [`Tensor::zeros`].
    pub fn from_host<'a>(gpu: &Gpu, host: impl Into<HostTensor<'a>>) -> Result<Tensor, Error> {
        let host = host.into();
        let tensor = Tensor::zeros(gpu, host.ty().clone())?;
        tensor.write(&host)?;
        Ok(tensor)
    }

    /// Replaces the values by those of a host tensor of the same type and number of elements, before anything that is
    /// submitted later. An odd number of halves is filled up to a whole word with zeros.
    ///
    /// # Errors
    /// [`Error::DType`], [`Error::Length`], [`Error::Strided`] for rows with gaps, [`Error::DeviceLost`], or
    /// [`Error::Refused`] for a caller's buffer that cannot be copied to.
    pub fn write<'a>(&self, host: impl Into<HostTensor<'a>>) -> Result<(), Error> {
        let host = host.into();
        if let Some(found) = self.ty.row_stride {
            return Err(Error::Strided { shape: self.ty.shape.clone(), row_stride: found });
        }
        if host.dtype() != self.dtype() {
            let tensor = "what is written to a tensor".to_string();
            return Err(Error::DType { tensor, expected: self.dtype().to_string(), found: host.dtype() });
        }
        let (expected, found) = (self.ty.elements(), host.ty().elements());
        if expected != found {
            let (expected, found) = (expected as usize, found as usize);
            return Err(Error::Length { shape: self.ty.shape.clone(), expected, found });
        }
        // Writes are whole words; an odd number of halves leaves a rest.
        let (words, rest) = host.bytes().split_at(host.bytes().len() / 4 * 4);
        self.gpu.catching("the upload of a tensor", |_| {
            self.gpu.queue().write_buffer(&self.buffer, self.offset, words);
            if let [low, high] = rest {
                self.gpu.queue().write_buffer(&self.buffer, self.offset + words.len() as u64, &[*low, *high, 0, 0]);
            }
        })
    }

    /// A tensor that lies in the caller's own buffer, `offset` bytes from its start.
    ///
    /// Offset, size and usage are checked where the tensor is used.
    pub fn from_buffer(gpu: &Gpu, buffer: wgpu::Buffer, offset: u64, ty: TensorType) -> Tensor {
        Tensor { gpu: gpu.clone(), buffer, offset, ty }
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

    /// The buffer that the tensor lies in.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }

    /// The tensor's start in its buffer, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The tensor as something to bind to a [`Plan`](crate::Plan).
    pub fn slice(&self) -> BufferSlice<'_> {
        BufferSlice { buffer: &self.buffer, offset: self.offset }
    }

    pub(crate) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The tensor's memory as a range to read.
    pub(crate) fn range(&self) -> Range<'_> {
        Range { buffer: &self.buffer, offset: self.offset, size: self.ty.buffer_size() }
    }

    /// The host tensor of bytes read from [`Tensor::range`].
    pub(crate) fn host(&self, mut bytes: Vec<u8>) -> Result<HostTensor<'static>, Error> {
        if let (Some(stride), &[_, columns]) = (self.ty.stride_of_rows(), self.shape()) {
            let (stride, columns) = (stride * self.dtype().size(), columns * self.dtype().size());
            bytes = bytes.chunks(stride.max(1)).flat_map(|row| &row[..columns.min(row.len())]).copied().collect();
        }
        bytes.truncate((self.ty.elements() as usize) * self.dtype().size());
        HostTensor::from_bytes(self.dtype(), self.ty.shape.clone(), bytes)
    }

    /// The values, once the device has done what was submitted.
    ///
    /// # Errors
    /// [`Error::DeviceLost`], [`Error::OutOfMemory`], or [`Error::Refused`] for a caller's buffer that cannot be copied
    /// from.
    pub async fn read(&self) -> Result<HostTensor<'static>, Error> {
        let read = readback::read(&self.gpu, &[self.range()]).await?;
        self.host(read.concat())
    }

    /// [`Tensor::read`], waiting for it.
    ///
    /// # Errors
    /// The errors of [`Tensor::read`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read_blocking(&self) -> Result<HostTensor<'static>, Error> {
        let read = readback::read_blocking(&self.gpu, &[self.range()])?;
        self.host(read.concat())
    }
}

impl<'a> From<&'a Tensor> for BufferSlice<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        tensor.slice()
    }
}
